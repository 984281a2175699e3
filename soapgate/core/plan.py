"""The profiles of one service, made ready to run: what to look at in a request and a response.

The one rule: what no profile names costs nothing. Blocks of the Header and the Body's first
child are found by one dict lookup of their tag; HTTP carriers that no profile names are not
read; a service whose profiles name no place in the envelope needs no envelope.

It finds and does not judge: whether an id is known, wins or ends is decided elsewhere. A walk
of all locations over every message was dropped: it grows with the catalogue, this does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TYPE_CHECKING

from lxml import etree

from soapgate.core import carriers
from soapgate.core.locations import ActionMarker, Carrier, EmptyMarker, FaultMarker, SoapPath
from soapgate.core.matching import (
    FAULT_TAGS,
    Reference,
    Values,
    anchors,
    compile_path,
    fault_code_names,
    first_test,
    followed,
    text_of,
)
from soapgate.core.naming import IdKind
from soapgate.core.ns import WSA
from soapgate.core.paths import NameTest
from soapgate.core.probes import (
    ROLE_NAMES,
    SENDING,
    Guard,
    Guards,
    Hits,
    Joins,
    Probe,
    by_name,
    common,
    is_cookie,
    probes_of,
    taken_back,
)
from soapgate.core.protocolfaults import Protocol
from soapgate.core.scanned import Found, NeedsBody, ScanLimits
from soapgate.core.values import Finish, Unreadable

if TYPE_CHECKING:
    from soapgate.core.profiles import Profile

REMEMBERED = 1024  # tags and actions whose probes are kept; a sender may make up any number
REMEMBERED_LENGTH = 256  # characters of one that is kept; the head's bound would allow 32 KiB

_ACTION = NameTest(WSA, "Action")
# as numbers: a byte is found in bytes seven times as fast as a text of one
_SEMICOLON, _QUESTION, _BRACKET, _PERCENT = b";?(%"


@dataclass(frozen=True, slots=True)
class HttpFacts:
    """What is known of a message outside its body. `target` is the request target ("" bytes for
    a response); `fields` maps lower-case names to their values in order. The client's address,
    certificate fingerprint and connection name are "" where unknown."""

    target: bytes
    fields: Mapping[bytes, Sequence[bytes]]
    client_address: str = ""
    client_certificate: str = ""
    client_connection: str = ""


References = list[tuple[Probe, Sequence[Reference]]]


class Plan:
    """The compiled profiles of one service, in precedence order. `senders`: profiles of the
    services that take the answers to what this one sends out (their `sent` and `reply_to`)."""

    def __init__(
        self,
        profiles: Sequence[Profile],
        limits: ScanLimits | None = None,
        senders: Sequence[Profile] = (),
    ) -> None:
        limits = limits or ScanLimits()
        guards = {p.name: p.guard for p in (*profiles, *senders) if p.guard is not None}
        sent = probes_of(senders, "request", SENDING)
        self.order: Mapping[str, int] = {p.name: at for at, p in enumerate(profiles)}
        self.kinds: Mapping[str, IdKind] = {p.name: p.kind for p in profiles}
        self.protocols: Mapping[str, Protocol] = {p.name: p.unknown_fault for p in profiles}
        self.dated = any(p.expires for p in profiles)  # whether a response may say when ids expire
        self.request = RequestWatch([*probes_of(profiles, "request"), *sent], limits, guards)
        self.response = ResponseWatch(list(probes_of(profiles, "response")), limits, guards)
        self._common = frozenset(common(profiles))

    @property
    def looks_into_xml(self) -> bool:
        """Whether any id or end may be in an envelope, either way."""
        return self.request.needs_envelope or self.response.needs_envelope

    def issued(self, found: Sequence[Found], asked: Sequence[Found]) -> list[Found]:
        """What a response, in which `found` was found, has issued; `asked` are the finds of its
        request. A server that answers with the very target it was asked at, its common address,
        with a block of any name that the request had (the ResourceURI of WS-Management is a
        reference parameter of each of its references), or sends the client on to a URL with the
        id it came with (Tomcat does, whether it knows that one or not), has issued no id by
        that."""
        learned = []
        for one in found:  # a loop: a comprehension is a call more
            if one.use == "learn":
                learned.append(one)
        if not (learned and self._common):
            return learned
        own = {
            (one.profile, one.id) for one in asked if (one.profile, one.location) in self._common
        }
        return [one for one in learned if (one.profile, one.id) not in own]


class _Blocks:
    """Which probes look into a block, by its tag."""

    def __init__(self, entries: Sequence[tuple[NameTest, Probe, Values]]) -> None:
        self._entries = entries
        self._table: dict[object, tuple[tuple[Probe, Values], ...]] = {}
        self._open = False
        for test, _, _ in entries:
            tags = test.clark_names
            self._open = self._open or tags is None
            for tag in tags or ():
                self._table[tag] = self._resolve(tag)
        # without a wildcard the table is complete and a plain dict lookup answers
        self.of = self._of if self._open else self._table.get

    def __bool__(self) -> bool:
        return bool(self._entries)

    def _of(self, tag: object) -> tuple[tuple[Probe, Values], ...] | None:
        known = self._table.get(tag)
        if known is None and isinstance(tag, str):  # comments have a function for a tag
            known = self._resolve(tag)
            if len(self._table) < REMEMBERED and len(tag) <= REMEMBERED_LENGTH:
                self._table[tag] = known
        return known

    def _resolve(self, tag: str) -> tuple[tuple[Probe, Values], ...]:
        return tuple((probe, values) for test, probe, values in self._entries if test.matches(tag))


class _Watch:
    """What a scanner asks (its `Watch`), for one direction."""

    asks = True  # whether the action that HTTP names is the message's own

    def __init__(
        self, probes: Sequence[Probe], limits: ScanLimits, guards: Mapping[str, Guard]
    ) -> None:
        self.oversized = 0  # ids longer than `limits.id_bytes`, taken for absent
        self.unreadable = 0  # texts that are not what a word of their location takes them for
        self._probes = probes
        self._id_bytes = limits.id_bytes
        self._actions = [(p, p.location) for p in probes if isinstance(p.location, ActionMarker)]
        self._by_action: dict[str, list[Probe]] = {}
        self._faults = [(p, p.location) for p in probes if isinstance(p.location, FaultMarker)]
        wsa_actions = [_wsa_action(probe, marker) for probe, marker in self._actions]
        paths = [p for p in probes if isinstance(p.location, SoapPath)]
        self._header = _Blocks([*_paths(paths, "Header", guards), *wsa_actions])
        self._body = _Blocks(_paths(paths, "Body", guards))
        self._carriers = [p for p in probes if isinstance(p.location, Carrier)]
        self._guards = Guards({name: one for name, one in guards.items() if one.of_envelope})
        self._roles = any(guard.roles for guard in guards.values())
        self._joins = Joins(probes, limits.id_bytes)
        self._settles = bool(self._guards or self._joins)
        # what an exchange without a body either way ends
        self.empty_ends = [
            Found(p.profile, "end", "", p.text)
            for p in probes
            if isinstance(p.location, EmptyMarker)
        ]
        # whether any location is in the envelope
        self.needs_envelope = bool(self._header or self._body or self._faults)
        # what is done to the ids of the envelope, by profile, use and location
        self.finishes: dict[tuple[str, str, str], Finish] = {
            (p.profile, p.use, p.text): p.finish for p in paths if p.finish is not None
        }
        self.raw: _Watch = self
        if self.finishes:
            bare = [replace(p, finish=None) if p in paths else p for p in probes]
            self.raw = type(self)(bare, limits, guards)

    @property
    def consulted(self) -> frozenset[str] | None:
        """Local names of the elements and attributes before the Body's content whose values are
        compared with something; None where any is, or where an id is made of several values
        there. All other values of an envelope can change a find in no other way than as ids."""
        return None if self._joins.in_header else self._consulted("Header")

    @property
    def consulted_with_body(self) -> frozenset[str] | None:
        """The same with those in the Body's first child, unless it is a Fault."""
        return None if self._joins else self._consulted("Header", "Body")

    def _consulted(self, *parts: str) -> frozenset[str] | None:
        names = {
            name
            for probe in self._probes
            if isinstance(probe.location, SoapPath) and probe.location.part in parts
            for step in probe.location.steps
            for name in step.consulted
        }
        if self._actions or self._guards:
            names.add("Action")
        if self._roles:
            names.update(ROLE_NAMES)
        return None if "*" in names else frozenset(names)

    def wants_body(self, tag: str, action: str = "") -> bool:
        """Whether a location names the Body's first child, given in Clark notation."""
        return bool(self._body.of(tag)) or (tag in FAULT_TAGS and bool(self._faults))

    def find(
        self,
        header: etree._Element | None,
        body_child: etree._Element | None,
        action: str = "",
    ) -> list[Found]:
        """What the envelope holds, in order of precedence, then of the document. `header` is
        soap:Header, `body_child` the first element in soap:Body, `action` the SOAP action that
        HTTP names (for a response, in its request); wsa:Action in the header counts as well.
        Raises NeedsBody for a reference to what has not been parsed."""
        hits: Hits = []
        references: References = []
        if header is not None:
            of = self._header.of
            for block in header:
                probes = of(block.tag)
                if probes:
                    self._read(block, probes, hits, references)
        if body_child is not None:
            probes = self._body.of(body_child.tag)
            if probes:
                self._read(body_child, probes, hits, references)
            if self._faults and body_child.tag in FAULT_TAGS:
                self._read_fault(body_child, hits)
        if action and self._actions and self.asks:
            self._read_action(action, hits)
        if references:
            inside = header if header is not None else body_child
            assert inside is not None
            if not self._follow(references, anchors(inside), hits):
                raise NeedsBody(_ordered(self._settled(hits, header, body_child, action)))
        if self._settles and hits:
            hits = self._settled(hits, header, body_child, action)
        return _ordered(hits)

    def _settled(
        self,
        hits: Hits,
        header: etree._Element | None,
        body_child: etree._Element | None,
        action: str,
    ) -> Hits:
        """Without what a profile's restrictions exclude, and with the joined ids."""
        if self._guards:
            hits = self._guards.admitted(hits, header, body_child, action.strip('" '))
        return self._join(hits) if self._joins else hits

    def _join(self, hits: Hits) -> Hits:
        hits, oversized = self._joins.made(hits)
        self.oversized += oversized
        return hits

    def _read(
        self,
        block: etree._Element,
        probes: Iterable[tuple[Probe, Values]],
        hits: Hits,
        references: References,
    ) -> None:
        for probe, values in probes:
            found = values(block)
            if found:
                elsewhere = [v for v in found if type(v) is Reference]
                if elsewhere and (not probe.marker or elsewhere[0].rest is not None):
                    references.append((probe, elsewhere))
                    if probe.marker:  # its place is not there yet; one that is needs no text
                        continue
                self._take(probe, found, hits)

    def _follow(
        self, references: References, among: Mapping[str, etree._Element], hits: Hits
    ) -> bool:
        """Whether all of them lead somewhere."""
        seen: dict[str, set[tuple[str, Values | None]]] = {}
        whole = True
        for probe, some in references:
            key = f"{probe.profile} {probe.use} {probe.text}"
            values, complete = followed(some, among, seen.setdefault(key, set()))
            if values:
                self._take(probe, values, hits)
            whole = whole and complete
        return whole

    def _take(self, probe: Probe, values: Iterable[str], hits: Hits) -> None:
        if probe.marker:
            hits.append((probe.rank, Found(probe.profile, probe.use, "", probe.text)))
            return
        if probe.finish is not None:
            values = self._finished(probe.finish, values)
        for value in values:
            # a character is at least one byte: only a long or non-ASCII text is encoded
            if len(value) > self._id_bytes or (
                not value.isascii() and len(value.encode("utf-8", "replace")) > self._id_bytes
            ):
                self.oversized += 1
            elif value and type(value) is not Reference:
                hits.append((probe.rank, Found(probe.profile, probe.use, value, probe.text)))

    def _finished(self, finish: Finish, values: Iterable[str]) -> Iterable[str]:
        """What becomes of the texts; one that is too long as it stands is passed on, to be
        counted, and no work is spent on it."""
        for value in values:
            if not value or type(value) is Reference or len(value) > self._id_bytes:
                yield value
                continue
            try:
                yield finish(value)
            except Unreadable:
                self.unreadable += 1

    def _read_fault(self, fault: etree._Element, hits: Hits) -> None:
        codes = fault_code_names(fault)
        for probe, marker in self._faults:
            if marker.matches(codes):
                self._take(probe, (), hits)

    def _read_action(self, action: str, hits: Hits) -> None:
        probes = self._by_action.get(action)
        if probes is None:
            bare = action.strip('" ')
            probes = [p for p, marker in self._actions if marker.matches(bare)]
            if len(self._by_action) < REMEMBERED and len(action) <= REMEMBERED_LENGTH:
                self._by_action[action] = probes
        for probe in probes:
            self._take(probe, (), hits)


class RequestWatch(_Watch):
    """Finds ids to look up or bind, and ends, in requests."""

    def __init__(
        self, probes: Sequence[Probe], limits: ScanLimits, guards: Mapping[str, Guard]
    ) -> None:
        super().__init__(probes, limits, guards)
        # a cookie under `end` means that a response takes it back
        ours = [p for p in self._carriers if not (p.use == "end" and is_cookie(p.location))]
        self._cookies = by_name(ours, "cookie")
        self._http = _http_fields(ours)
        self._params = by_name(ours, "param")
        self._query = by_name(ours, "query")
        self._cookieless = by_name(ours, "cookieless")
        self._target = by_name(ours, "url").get("target", ())
        self._client = by_name(ours, "client")
        # whether the finds of `http` depend on more than the head
        self.looks_at_client = bool(self._client)
        # on which fields they depend, cookies apart
        self.fields = frozenset(name for name, _ in self._http)

    def http(self, facts: HttpFacts) -> list[Found]:
        """What the request's head and connection hold, in order of precedence."""
        hits: Hits = []
        if self._cookies and (fields := facts.fields.get(b"cookie")):
            self._pick(self._cookies, carriers.cookies(fields), hits)
        for name, probes in self._http:
            if values := facts.fields.get(name):
                for probe in probes:
                    self._take(probe, [carriers.text(v).strip() for v in values], hits)
        if self._params and _SEMICOLON in facts.target:
            self._pick(self._params, carriers.path_params(facts.target), hits)
        if self._query and _QUESTION in facts.target:
            self._pick(self._query, carriers.query(facts.target), hits)
        if self._cookieless and (_BRACKET in facts.target or _PERCENT in facts.target):
            self._pick(self._cookieless, carriers.cookieless(facts.target), hits)
        for probe in self._target:
            self._take(probe, [carriers.target(facts.target)], hits)
        for fact, probes in self._client.items():
            for probe in probes:
                self._take(probe, [getattr(facts, f"client_{fact}")], hits)
        return _ordered(self._join(hits) if self._joins else hits)

    def _pick(
        self,
        wanted: Mapping[str, tuple[Probe, ...]],
        pairs: Iterable[tuple[str, str]],
        hits: Hits,
    ) -> None:
        for name, value in pairs:
            if name in wanted:
                for probe in wanted[name]:
                    self._take(probe, (value,), hits)


class ResponseWatch(_Watch):
    """Finds ids to learn, and ends, in responses."""

    asks = False  # it is the request's, whose end is known already and counts if this is no fault

    def __init__(
        self, probes: Sequence[Probe], limits: ScanLimits, guards: Mapping[str, Guard]
    ) -> None:
        super().__init__(probes, limits, guards)
        learn = [p for p in self._carriers if p.use == "learn"]
        ends = [p for p in self._carriers if p.use == "end"]
        self._http = _http_fields(self._carriers)
        self._names = frozenset(name for name, _ in self._http)
        self._set = by_name(learn, "cookie")
        self._taken_back = by_name([*map(taken_back, [*ends, *learn])], "cookie")
        # whether `http` can find anything at all
        self.looks_at_head = bool(self._http or self._set or self._taken_back)

    def may_look_at(self, fields: Mapping[bytes, Sequence[bytes]]) -> bool:
        """Whether `http` can find anything in a head with these fields."""
        cookies = (self._set or self._taken_back) and b"set-cookie" in fields
        return bool(cookies) or not self._names.isdisjoint(fields)

    def http(self, facts: HttpFacts, now: float = 0.0) -> list[Found]:
        """What the response's head holds, in order of precedence; `now` is seconds since the
        epoch, for cookies that expire. A cookie that is taken back ends the session it named,
        with the location under which its value was learnt and no id, unless the same response
        also sets it anew: that is a session that gets another id."""
        hits: Hits = []
        if (self._set or self._taken_back) and (fields := facts.fields.get(b"set-cookie")):
            self._read_cookies(list(carriers.set_cookies(fields, now)), hits)
        for name, probes in self._http:
            if values := facts.fields.get(name):
                for probe in probes:
                    self._take(probe, [carriers.text(v).strip() for v in values], hits)
        return _ordered(self._join(hits) if self._joins else hits)

    def _read_cookies(self, cookies: Sequence[carriers.SetCookie], hits: Hits) -> None:
        live = {cookie.name for cookie in cookies if not cookie.deleted}
        for cookie in cookies:
            if not cookie.deleted:
                for probe in self._set.get(cookie.name, ()):
                    self._take(probe, (cookie.value,), hits)
            elif cookie.name not in live:
                for probe in self._taken_back.get(cookie.name, ()):
                    self._take(probe, (), hits)


def _paths(
    probes: Iterable[Probe], part: str, guards: Mapping[str, Guard]
) -> list[tuple[NameTest, Probe, Values]]:
    out = []
    for probe in probes:
        path = probe.location
        assert isinstance(path, SoapPath)
        if path.part == part:
            values = compile_path(path, named=probe.named)
            guard = guards.get(probe.profile)
            if part == "Header" and guard is not None and guard.roles:
                values = guard.of_role(values)
            out.append((first_test(path), probe, values))
    return out


def _wsa_action(probe: Probe, marker: ActionMarker) -> tuple[NameTest, Probe, Values]:
    return _ACTION, probe, lambda block: [""] if marker.matches(text_of(block)) else []


def _http_fields(probes: Iterable[Probe]) -> list[tuple[bytes, tuple[Probe, ...]]]:
    return [(name.encode(), found) for name, found in by_name(probes, "http").items()]


def _ordered(hits: Hits) -> list[Found]:
    """By precedence, each once; what has one rank stays in document order."""
    if not hits:
        return []
    if len(hits) == 1:
        return [hits[0][1]]
    hits.sort(key=itemgetter(0))
    return list(dict.fromkeys([found for _, found in hits]))
