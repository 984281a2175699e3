"""What the gateway would do with a message, and why: every location, every id, every step.

It asks the same plans the exchange asks and says what they answered; it decides nothing of its
own, so that an explanation cannot differ from what happens. What only a running gateway knows -
which ids are pinned, who is up - is told as rules: "if none is pinned, ...".

Ids are credentials. One is shown as the first eight hex digits of its store key, which is hashed
with a secret (`soapgate.core.pins.Keys`): with the installation's secret it is what the log
and the list of pins show, with any other it tells equal ids from different ones and no more. An
unkeyed hash would give a short or guessable id away. `show_ids` adds them in clear.

A file that is an envelope and no HTTP message does not say which way it went, so it is read both
ways. Parsing HTTP is not done here: see `soapgate.messages`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from soapgate.core.errors import Failure, Reason
from soapgate.core.faults import RULES
from soapgate.core.locations import End
from soapgate.core.pins import Keys
from soapgate.core.profiles import HttpFacts, Plan, Profile, RequestWatch, ResponseWatch
from soapgate.core.routing import Terms
from soapgate.core.scanner import Found, ScanLimits, Scanned, Scanner
from soapgate.core.services import Rule, match

KEY_SHOWN = 8  # hex digits of a key, as in the exchange's log line

Direction = Literal["request", "response"]

_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\";\s]+)", re.IGNORECASE)
_DECLARED = re.compile(rb"^\s*<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")


@dataclass(frozen=True, slots=True)
class Message:
    """One message to explain. `body` is out of its transfer coding, still in its content coding.
    `fields`: lower-case names, values in order. An "envelope" has a body, perhaps an `action`
    that was given with it, and nothing else."""

    kind: Literal["request", "response", "envelope"]
    body: bytes
    action: str = ""
    target: bytes = b""
    status: int = 0
    fields: Mapping[bytes, Sequence[bytes]] = field(default_factory=dict)

    def first(self, name: bytes) -> bytes:
        """The first value of a field, b"" where there is none."""
        return next(iter(self.fields.get(name, ())), b"")


@dataclass(frozen=True, slots=True)
class View:
    """A service as an explanation needs it; `policy` is the name of its pool's policy, `scope`
    that of its pins if it is not the service's own name."""

    rule: Rule
    profiles: tuple[Profile, ...]
    terms: Terms
    limits: ScanLimits
    policy: str = "round_robin"
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Id:
    """One id: its short hash, its length in characters, and itself where that was asked for."""

    hash: str
    length: int
    clear: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """One location and what it found. `use` is lookup, bind, learn or end; an `end` that is a
    mark without an id of its own is `met` and has no ids."""

    use: str
    location: str
    met: bool
    ids: tuple[Id, ...]


@dataclass(frozen=True, slots=True)
class Looked:
    """One profile: all its locations for this direction, in the profile's order."""

    profile: str
    places: tuple[Place, ...]

    @property
    def met(self) -> bool:
        """Whether any location found something."""
        return any(place.met for place in self.places)


@dataclass(frozen=True, slots=True)
class Ranked:
    """An id of the message at its place in the order of precedence."""

    profile: str
    id: Id
    bindable: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """The message read in one direction.

    outcome: found, none, limit, not-soap (the scanner's words), not-read (no profile of the
    service looks into the envelope, or the body is empty), unreadable (a response that passes)
    or refused. `read` of `size` bytes were looked at before the decision. `would` is what
    happens next, in sentences; `refusal` why nothing does.
    """

    direction: Direction
    outcome: str
    detail: str
    soap: str | None
    fault: bool | None
    read: int
    size: int
    profiles: tuple[Looked, ...]
    order: tuple[Ranked, ...]
    would: tuple[str, ...]
    refusal: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """All of it. `service` is None when none matches or the message is no HTTP; `refusal` says
    why the message gets no further than its head."""

    kind: str
    service: str | None
    host: str
    path: str
    action: str
    status: int
    container: str
    content_coding: str
    charset: str
    readings: tuple[Reading, ...]
    refusal: str | None

    @property
    def refused(self) -> bool:
        """Whether the gateway would refuse the message."""
        return self.refusal is not None or any(one.refusal is not None for one in self.readings)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the fields as named here, in all depths."""
        return asdict(self)


def explain(
    message: Message,
    services: Sequence[View],
    keys: Keys,
    *,
    service: str | None = None,
    show_ids: bool = False,
) -> Explanation:
    """Read a message as the gateway would. `service` names the one to use; without it the first
    whose rule matches a request is taken, or the first of all for what does not say (a response,
    an envelope). KeyError if `service` is none of `services`."""
    views = {view.rule.name: view for view in services}
    name = service if service is not None else _matched(message, services)
    if name is None:
        return _explanation(message, None, (), _answered(Reason.NO_SERVICE, "no service matches"))
    reader = _Reader(message, views[name], keys, show_ids)
    readings = tuple(reader.read(direction) for direction in _directions(message))
    return _explanation(message, name, readings, None)


def refused(kind: Literal["request", "response", "envelope"], failure: Failure) -> Explanation:
    """The explanation of an HTTP message that the gateway would refuse for its head or framing."""
    return _explanation(Message(kind, b""), None, (), _answered(failure.reason, failure.detail))


def _explanation(
    message: Message, service: str | None, readings: tuple[Reading, ...], refusal: str | None
) -> Explanation:
    content_type = message.first(b"content-type").decode("latin-1")
    coding = message.first(b"content-encoding").decode("latin-1").strip().lower()
    return Explanation(
        kind=message.kind,
        service=service,
        host=message.first(b"host").decode("latin-1"),
        path=message.target.partition(b"?")[0].decode("latin-1"),
        action=message.action,
        status=message.status,
        container=_container(content_type),
        content_coding=coding,
        charset=_charset(content_type, b"" if coding else message.body),
        readings=readings,
        refusal=refusal,
    )


def _matched(message: Message, services: Sequence[View]) -> str | None:
    if message.kind != "request":
        return services[0].rule.name if services else None
    return match(
        [view.rule for view in services],
        message.first(b"host").decode("latin-1"),
        message.target.partition(b"?")[0].decode("latin-1"),
        message.action,
    )


def _directions(message: Message) -> tuple[Direction, ...]:
    return ("request", "response") if message.kind == "envelope" else (message.kind,)


class _Reader:
    """One message, read with the plan of one service."""

    def __init__(self, message: Message, view: View, keys: Keys, show_ids: bool) -> None:
        self._message = message
        self._view = view
        self._keys = keys
        self._show_ids = show_ids
        self._plan = Plan(view.profiles, view.limits)

    def read(self, direction: Direction) -> Reading:
        watch = self._plan.request if direction == "request" else self._plan.response
        found = list(watch.http(HttpFacts(self._message.target, self._message.fields)))
        scanned, failure = self._scan(watch)
        if scanned is not None:
            found += scanned.found
        refusal = None
        if failure is not None and direction == "request":
            refusal = _answered(failure.reason, failure.detail or str(failure.reason))
            found = []
        order = self._order(found)
        return Reading(
            direction=direction,
            outcome=self._outcome(scanned, failure, refusal),
            detail=(failure.detail if failure else scanned.detail if scanned else ""),
            soap=scanned.soap if scanned else None,
            fault=scanned.fault if scanned else None,
            read=scanned.read if scanned else 0,
            size=len(self._message.body),
            profiles=tuple(self._looked(one, direction, found) for one in self._view.profiles),
            order=order,
            would=() if refusal else tuple(self._steps(direction, order, found, failure)),
            refusal=refusal,
        )

    def _scan(self, watch: RequestWatch | ResponseWatch) -> tuple[Scanned | None, Failure | None]:
        """What the envelope holds, if anybody looks there; with why it cannot be read, what was
        known until then."""
        message = self._message
        if not watch.needs_envelope or not message.body:
            return None, None
        scanner = Scanner(
            watch,
            self._view.limits,
            content_type=message.first(b"content-type"),
            content_encoding=message.first(b"content-encoding"),
            action=message.action,
        )
        try:
            return scanner.feed(message.body) or scanner.close(), None
        except Failure as failure:
            return Scanned.refused(scanner), failure

    def _outcome(
        self, scanned: Scanned | None, failure: Failure | None, refusal: str | None
    ) -> str:
        if failure is not None:
            return "refused" if refusal else "unreadable"
        return str(scanned.outcome) if scanned else "not-read"

    def _steps(
        self,
        direction: Direction,
        order: Sequence[Ranked],
        found: Sequence[Found],
        failure: Failure | None,
    ) -> Iterable[str]:
        ends = self._ends(found)
        if direction == "request":
            return _request_steps(self._view, order, ends)
        # a backend's answer is its own: what we cannot read of it passes
        unread = f"the envelope cannot be read ({failure.detail}): it passes" if failure else ""
        return [*([unread] if unread else []), *_response_steps(order, ends)]

    def _looked(self, profile: Profile, direction: Direction, found: Sequence[Found]) -> Looked:
        uses = ("lookup", "bind", "end") if direction == "request" else ("learn", "end")
        wanted = [
            (use, location.text)
            for use in uses
            for location in getattr(profile, use)
            if not isinstance(location, End) or location.way in (None, direction)
        ]
        own = [one for one in found if one.profile == profile.name]
        # a cookie that is taken back ends a session at the place where it was learnt
        wanted += dict.fromkeys(
            (one.use, one.location) for one in own if (one.use, one.location) not in wanted
        )
        return Looked(profile.name, tuple(self._place(use, text, own) for use, text in wanted))

    def _place(self, use: str, location: str, found: Iterable[Found]) -> Place:
        hits = [one for one in found if (one.use, one.location) == (use, location)]
        ids = dict.fromkeys(self._id(one) for one in hits if one.id)
        return Place(use, location, bool(hits), tuple(ids))

    def _order(self, found: Iterable[Found]) -> tuple[Ranked, ...]:
        """The ids that look up, bind or learn, in precedence order, each once."""
        ranked: dict[tuple[str, Id], bool] = {}
        using = [one for one in found if one.use != "end" and one.id]
        for one in sorted(using, key=lambda one: self._plan.order[one.profile]):
            key = (one.profile, self._id(one))
            ranked[key] = ranked.get(key, False) or one.use == "bind"
        return tuple(Ranked(profile, id_, bind) for (profile, id_), bind in ranked.items())

    def _ends(self, found: Iterable[Found]) -> list[str]:
        return list(
            dict.fromkeys(
                f"{self._id(one).hash} ({one.profile})"
                if one.id
                else f"that of this exchange (a mark of {one.profile})"
                for one in found
                if one.use == "end"
            )
        )

    def _id(self, found: Found) -> Id:
        scope = self._view.scope or self._view.rule.name
        key = self._keys.key(scope, found.profile, found.id)
        clear = found.id if self._show_ids else None
        return Id(key.hex()[:KEY_SHOWN], len(found.id), clear)


def _request_steps(view: View, order: Sequence[Ranked], ends: Sequence[str]) -> Iterable[str]:
    terms = view.terms
    balanced = f"balanced by {view.policy}"
    if terms.role is not None:
        balanced += f' among backends with the role "{terms.role}"'
    if not order:
        yield f"no id: {balanced}, nothing is bound"
    else:
        several = "; others pinned elsewhere are counted as conflicts" if len(order) > 1 else ""
        yield f"look up {_names(order)}; the first that is pinned decides{several}"
        if terms.lost == "strict":
            yield f'if its backend is gone: {_told(Reason.SESSION_LOST)} (lost = "strict")'
        else:
            yield f'if its backend is gone: {balanced}, and the pin moves (lost = "redispatch")'
        yield f"if none is pinned: {_unpinned(view, order, balanced)}"
    yield from (f"once the reply came without a fault, the session ends, {end}" for end in ends)


def _unpinned(view: View, order: Sequence[Ranked], balanced: str) -> str:
    terms = view.terms
    bound = next((one for one in order if one.bindable), None)
    if bound is not None:
        return f"{balanced}; {_name(bound)} is bound to that backend"
    for one in order:
        if terms.unknown_of.get(one.profile, terms.unknown) == "fault":
            told = {profile.name: profile.unknown_fault for profile in view.profiles}
            own = told.get(one.profile, "soap")
            fault = _told(Reason.SESSION_UNKNOWN)
            if own != "soap":
                fault = f"the fault of {own}, HTTP 500"
            return f'{fault} (unknown = "fault")'
    if any(terms.unknown_of.get(one.profile, terms.unknown) == "hash" for one in order):
        return 'balanced by the id\'s own hash, nothing is bound (unknown = "hash")'
    return f"{balanced}, nothing is bound"


def _response_steps(order: Sequence[Ranked], ends: Sequence[str]) -> Iterable[str]:
    if not order:
        yield "no id: nothing is learnt"
    else:
        yield (
            f"learn {_name(order[0])}: bound to the backend that answered, before the first byte"
            " goes downstream, unless its request was pinned by another id: then as its alias"
        )
        for one in order[1:]:
            yield f"learn {_name(one)}: an alias of the same session"
    yield from (f"the session ends, {end}" for end in ends)


def _names(order: Iterable[Ranked]) -> str:
    return ", then ".join(_name(one) for one in order)


def _name(ranked: Ranked) -> str:
    return f"{ranked.id.hash} ({ranked.profile})"


def _answered(reason: Reason, detail: str) -> str:
    return f"{detail}: the client gets {_told(reason)}"


def _told(reason: Reason) -> str:
    rule = RULES[reason]
    return f"fault {rule.subcode}, HTTP {rule.status}"


def _container(content_type: str) -> str:
    kind = content_type.partition(";")[0].strip().lower()
    return kind if kind.startswith("multipart/") else "plain"


def _charset(content_type: str, body: bytes) -> str:
    """The envelope's encoding by RFC 7303 3: a byte order mark, the parameter, the declaration."""
    for mark, name in _BOMS:
        if body.startswith(mark):
            return name
    if found := _CHARSET.search(content_type):
        return found[1].lower()
    if declared := _DECLARED.match(body[:1024]):
        return declared[1].decode().lower()
    return "utf-8"
