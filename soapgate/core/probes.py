"""From profiles to probes: one location of one profile, ready to be asked; and what several finds
make together.

A probe has one place. A joined id has a probe for each part: `Joins` puts the parts together when
all are there. A profile may be restricted (`Guard`) to header blocks for some roles, to some
actions, to a version of SOAP: `Guards` drops what does not count.

The one rule: what a message is restricted by is read from the message itself, so that a scanner
and whoever repeats its answer decide alike. It refuses to judge ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lxml import etree

from soapgate.core.envelope import ENVELOPES, SoapVersion
from soapgate.core.locations import (
    MAX_PARTS,
    ActionMarker,
    Carrier,
    CarrierKind,
    EmptyMarker,
    End,
    FaultMarker,
    Joined,
    Location,
    SoapPath,
    Way,
)
from soapgate.core.matching import Values, text_of
from soapgate.core.ns import SOAP11, SOAP12, WSA
from soapgate.core.scanned import Found, Use
from soapgate.core.values import Finish, Transform, chain, joined

if TYPE_CHECKING:
    from soapgate.core.profiles import Profile

Hits = list[tuple[int, Found]]
Single = SoapPath | Carrier | ActionMarker | FaultMarker | EmptyMarker  # a place, or what marks one

USES: Mapping[Way, tuple[Use, ...]] = {
    "request": ("lookup", "bind", "end"),
    "response": ("learn", "end", "expires"),
}
SENDING: tuple[Use, ...] = ("sent", "reply_to")  # of requests that backends send out
_NO_IDS: tuple[Use, ...] = ("expires", "reply_to")
# SOAP 1.1 4.2.2, SOAP 1.2 part 1 2.2: who a header block is for. "" = the ultimate receiver.
ROLES: Mapping[str, frozenset[str]] = {
    "ultimate": frozenset(("", f"{SOAP12}/role/ultimateReceiver")),
    "next": frozenset(("http://schemas.xmlsoap.org/soap/actor/next", f"{SOAP12}/role/next")),
    "none": frozenset((f"{SOAP12}/role/none",)),
}
ROLE_NAMES = ("actor", "role")
URL_TARGET = "url:target"

_ROLE_ATTRIBUTES = (f"{{{SOAP11}}}actor", f"{{{SOAP12}}}role")
_ACTION_TAGS = frozenset(f"{{{uri}}}Action" for uri in WSA)


@dataclass(frozen=True, slots=True)
class Probe:
    """One place of one profile. A lower `rank` takes precedence. `marker`: it says that a session
    ends, and names no id. `text` is what the profile writes; `finish` makes the id of what is
    found. `part`: it is that part, of so many, of the joined id of rank `rank - part`."""

    rank: int
    profile: str
    use: Use
    location: Single
    text: str
    marker: bool = False
    named: bool = False
    finish: Finish | None = None
    part: int = 0
    parts: int = 1


@dataclass(frozen=True, slots=True)
class Guard:
    """What a profile is restricted to; empty: nothing. `roles` are words of `ROLES` or URIs,
    `actions` are patterns of which the message's action passes one."""

    roles: frozenset[str] = frozenset()
    actions: tuple[ActionMarker, ...] = ()
    soap: SoapVersion | None = None

    @property
    def of_envelope(self) -> bool:
        """Whether it restricts more than single header blocks."""
        return bool(self.actions) or self.soap is not None

    def of_role(self, values: Values) -> Values:
        """`values`, of blocks for these roles only."""
        uris = frozenset(uri for role in self.roles for uri in ROLES.get(role, (role,)))
        return lambda block: values(block) if _role(block) in uris else []

    def admits(self, soap: SoapVersion | None, actions: Iterable[str]) -> bool:
        """Whether an envelope of this version, with these actions, counts."""
        if self.soap not in (None, soap):
            return False
        return not self.actions or any(m.matches(one) for m in self.actions for one in actions)


class Guards:
    """The restrictions of a service's profiles that whole envelopes pass or do not."""

    def __init__(self, guards: Mapping[str, Guard]) -> None:
        self._guards = guards

    def __bool__(self) -> bool:
        return bool(self._guards)

    def admitted(
        self,
        hits: Hits,
        header: etree._Element | None,
        body_child: etree._Element | None,
        action: str,
    ) -> Hits:
        """The hits of profiles that count here. `action` is the one HTTP names, "" for none;
        each wsa:Action counts as well. Of an envelope without Header and Body content the
        version is not known, and it is none that a profile asks for."""
        if not any(found.profile in self._guards for _, found in hits):
            return hits
        inside = header if header is not None else body_child
        names = ENVELOPES.get(inside.getroottree().getroot().tag) if inside is not None else None
        actions = [action] if action else []
        if header is not None:
            actions += [text_of(block) for block in header if block.tag in _ACTION_TAGS]
        open_ = {
            name: guard.admits(names.version if names else None, actions)
            for name, guard in self._guards.items()
        }
        return [hit for hit in hits if open_.get(hit[1].profile, True)]


class Joins:
    """The joined ids of one direction."""

    def __init__(self, probes: Sequence[Probe], id_bytes: int) -> None:
        parts = [probe for probe in probes if probe.parts > 1]
        self._parts = {(p.rank, p.use): (p.rank - p.part, p.parts) for p in parts}
        self._id_bytes = id_bytes
        elsewhere = {p.rank - p.part for p in parts if not _in_header(p)}
        # whether one may be found without the Body being read
        self.in_header = any(p.rank - p.part not in elsewhere for p in parts)

    def __bool__(self) -> bool:
        return bool(self._parts)

    def made(self, hits: Hits) -> tuple[Hits, int]:
        """The hits with the complete ids in the place of their parts, and how many were too
        long. Of a part that finds several values the first counts."""
        kept: Hits = []
        found: dict[int, dict[int, Found]] = {}
        for rank, one in hits:
            joint = self._parts.get((rank, one.use))  # not a cookie that is taken back
            if joint is not None:
                found.setdefault(joint[0], {}).setdefault(rank, one)
            else:
                kept.append((rank, one))
        oversized = 0
        for first, parts in found.items():
            if first not in parts or len(parts) < self._parts[first, parts[first].use][1]:
                continue
            one = parts[first]
            # a marker has no id, nor has one that is made of markers
            text = joined([parts[rank].id for rank in sorted(parts)]) if one.id else ""
            if len(text.encode("utf-8", "replace")) > self._id_bytes:
                oversized += 1
            else:
                kept.append((first, one._replace(id=text)))
        return kept, oversized


def probes_of(
    profiles: Sequence[Profile], way: Way, uses: Sequence[Use] | None = None
) -> Iterator[Probe]:
    """The probes of one direction, in precedence order; `uses` other than the direction's own."""
    rank = 0
    for profile in profiles:
        ids = {at.text for at in (*profile.lookup, *profile.bind, *profile.learn)}
        for use in USES[way] if uses is None else uses:
            for location in getattr(profile, use):
                if isinstance(location, End) and location.way not in (None, way):
                    continue
                for probe in _of_location(profile, use, location, ids):
                    yield replace(probe, rank=rank + probe.part)
                rank += MAX_PARTS


def _of_location(profile: Profile, use: Use, location: Location, ids: set[str]) -> Iterator[Probe]:
    text = location.text
    names_id = use != "end" or text in ids
    if isinstance(location, End):
        names_id = location.names_id or location.what.text in ids
        location = location.what
    marker = not names_id or (use == "end" and is_cookie(location))
    places = _places(location)
    for part, place in enumerate(places):
        words = _words(place)
        of_ids = use not in _NO_IDS  # what the profile says of ids is not said of dates
        named = (of_ids and profile.named) or any(word.name == "named" for word in words)
        finish = None if marker else chain((*words, *(profile.value if of_ids else ())))
        yield Probe(0, profile.name, use, place, text, marker, named, finish, part, len(places))


def common(profiles: Iterable[Profile]) -> Iterator[tuple[str, str]]:
    """(profile, location) of what any request may have without being of a session, and a response
    may repeat: its target, a block of any name, and what stands in its URL where a profile learns
    from URLs."""
    for profile in profiles:
        learnt = {
            (word.name, word.argument)
            for location in profile.learn
            for place in _places(location)
            for word in _words(place)
        }
        for location in profile.lookup:
            words = _words(location)
            named = profile.named or (bool(words) and words[0].name == "named")
            in_url = isinstance(location, Carrier) and (location.kind, location.name) in learnt
            if named or in_url or location.text == URL_TARGET:
                yield profile.name, location.text


def taken_back(probe: Probe) -> Probe:
    """The probe of a cookie that a response deletes: it ends the session it named."""
    return replace(probe, use="end", marker=True, finish=None, part=0, parts=1)


def by_name(probes: Iterable[Probe], kind: CarrierKind) -> dict[str, tuple[Probe, ...]]:
    """The probes of one kind of carrier, by what they name."""
    out: dict[str, tuple[Probe, ...]] = {}
    for probe in probes:
        if isinstance(probe.location, Carrier) and probe.location.kind == kind:
            out[probe.location.name] = (*out.get(probe.location.name, ()), probe)
    return out


def is_cookie(location: Location) -> bool:
    """Whether it is a cookie, and nothing more."""
    return isinstance(location, Carrier) and location.kind == "cookie"


def _places(location: Location) -> Sequence[Single]:
    """The single places of what is no `End`."""
    assert not isinstance(location, End)
    return location.parts if isinstance(location, Joined) else (location,)


def _words(place: Location) -> Sequence[Transform]:
    return place.transforms if isinstance(place, SoapPath | Carrier) else ()


def _in_header(probe: Probe) -> bool:
    return isinstance(probe.location, SoapPath) and probe.location.part == "Header"


def _role(block: etree._Element) -> str:
    for name in _ROLE_ATTRIBUTES:
        value = block.get(name)
        if value is not None:
            return value.strip()
    return ""
