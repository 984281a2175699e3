"""What the gateway would do with a message, and why: every location, every id, every step.

It asks the same plans the exchange asks and says what they answered; it decides nothing of its
own, so that an explanation cannot differ from what happens. What only a running gateway knows is
added by `soapgate.core.foretell`.

Ids are credentials. One is shown as the first eight hex digits of its store key, which is hashed
with a secret (`soapgate.core.pins.Keys`): with the installation's secret it is what the log
and the list of pins show, with any other it tells equal ids from different ones and no more. An
unkeyed hash would give a short or guessable id away. `show_ids` adds them in clear.

A file that is an envelope and no HTTP message does not say which way it went, so it is read both
ways. Parsing HTTP is not done here: see `soapgate.edge.messages`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from soapgate.core.carriers import path_of
from soapgate.core.encodings import Limited, NotSoap, open_coding
from soapgate.core.errors import Failure, Reason
from soapgate.core.explained import (
    KEY_SHOWN,
    Direction,
    Explanation,
    Id,
    Kind,
    Looked,
    Message,
    Place,
    Ranked,
    Reading,
    Shown,
    View,
)
from soapgate.core.hints import why_nothing
from soapgate.core.keys import Keys
from soapgate.core.locations import End
from soapgate.core.mime import Root, related
from soapgate.core.profiles import HttpFacts, Plan, Profile, RequestWatch, ResponseWatch
from soapgate.core.scanned import ScanLimits
from soapgate.core.scanner import Found, Scanned, Scanner
from soapgate.core.services import match
from soapgate.core.told import answered, request_steps, response_steps

__all__ = [
    "KEY_SHOWN", "Explanation", "Message", "Read", "View", "describe", "explain", "matching",
    "read", "refused",
]  # fmt: skip

PLAIN = "plain"  # no container

_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\";\s]+)", re.IGNORECASE)
_DECLARED = re.compile(rb"^\s*<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")


@dataclass(frozen=True, slots=True)
class Read:
    """A reading with the finds it is made of. Those hold ids in clear: not to be shown."""

    reading: Reading
    found: tuple[Found, ...]


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
    view = matching(message, services, service)
    if view is None:
        return nobody(message)
    readings = [one.reading for one in read(message, view, keys, show_ids=show_ids)]
    return describe(message, view.rule.name, readings)


def matching(message: Message, services: Sequence[View], service: str | None) -> View | None:
    """The service that a message belongs to; see `explain`."""
    views = {view.rule.name: view for view in services}
    name = service if service is not None else _matched(message, services)
    return None if name is None else views[name]


def read(message: Message, view: View, keys: Keys, *, show_ids: bool = False) -> tuple[Read, ...]:
    """The message in each direction it may have gone."""
    reader = _Reader(message, view, Shown(keys, view.scope or view.rule.name, show_ids))
    return tuple(reader.read(direction) for direction in _directions(message))


def nobody(message: Message) -> Explanation:
    """The explanation of a request that no service matches."""
    return describe(message, None, (), answered(Reason.NO_SERVICE, "no service matches"))


def refused(kind: Kind, failure: Failure) -> Explanation:
    """The explanation of an HTTP message that the gateway would refuse for its head or framing."""
    return describe(Message(kind, b""), None, (), answered(failure.reason, failure.detail))


def describe(
    message: Message,
    service: str | None,
    readings: Iterable[Reading],
    refusal: str | None = None,
) -> Explanation:
    """An explanation of these readings."""
    content_type = message.first(b"content-type").decode("latin-1")
    coding = message.first(b"content-encoding")
    container, start = _container(content_type), _start(message.body, coding)
    inner = _root(content_type, message.body, coding) if container != PLAIN else None
    return Explanation(
        kind=message.kind,
        service=service,
        host=message.first(b"host").decode("latin-1"),
        path=path_of(message.target),
        action=message.action,
        status=message.status,
        container=container,
        content_coding=coding.decode("latin-1").strip().lower(),
        # that of a multipart is its root's own
        charset=_charset(*(inner or (content_type, start))) if inner or container == PLAIN else "",
        readings=tuple(readings),
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

    def __init__(self, message: Message, view: View, shown: Shown) -> None:
        self._message = message
        self._view = view
        self._shown = shown
        self._plan = Plan(view.profiles, view.limits)

    def read(self, direction: Direction) -> Read:
        watch = self._plan.request if direction == "request" else self._plan.response
        found = list(watch.http(HttpFacts(self._message.target, self._message.fields)))
        scanned, failure = self._scan(watch)
        if scanned is not None:
            found += scanned.found
        refusal = None
        if failure is not None and direction == "request":
            refusal = answered(failure.reason, failure.detail or str(failure.reason))
            found = []
        order = self._order(found)
        reading = Reading(
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
            hints=self._hints(direction, watch, order, refusal),
            verdict=None,
            refusal=refusal,
        )
        return Read(reading, tuple(found))

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

    def _hints(
        self,
        direction: Direction,
        watch: RequestWatch | ResponseWatch,
        order: Sequence[Ranked],
        refusal: str | None,
    ) -> tuple[str, ...]:
        if order or refusal:
            return ()
        oversized = watch.oversized
        return tuple(why_nothing(self._message, self._view, direction, oversized))

    def _steps(
        self,
        direction: Direction,
        order: Sequence[Ranked],
        found: Sequence[Found],
        failure: Failure | None,
    ) -> Iterable[str]:
        ends = self._ends(found)
        if direction == "request":
            return request_steps(self._view, order, ends)
        # a backend's answer is its own: what we cannot read of it passes
        unread = f"the envelope cannot be read ({failure.detail}): it passes" if failure else ""
        return [*([unread] if unread else []), *response_steps(order, ends)]

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
        ids = dict.fromkeys(self._shown.id(one) for one in hits if one.id)
        return Place(use, location, bool(hits), tuple(ids))

    def _order(self, found: Iterable[Found]) -> tuple[Ranked, ...]:
        """The ids that look up, bind or learn, in precedence order, each once."""
        ranked: dict[tuple[str, Id], bool] = {}
        using = [one for one in found if one.use != "end" and one.id]
        for one in sorted(using, key=lambda one: self._plan.order[one.profile]):
            key = (one.profile, self._shown.id(one))
            ranked[key] = ranked.get(key, False) or one.use == "bind"
        return tuple(Ranked(profile, id_, bind) for (profile, id_), bind in ranked.items())

    def _ends(self, found: Iterable[Found]) -> list[str]:
        return list(
            dict.fromkeys(
                f"{self._shown.id(one).hash} ({one.profile})"
                if one.id
                else f"that of this exchange (a mark of {one.profile})"
                for one in found
                if one.use == "end"
            )
        )


def _container(content_type: str) -> str:
    kind = content_type.partition(";")[0].strip().lower()
    return kind if kind.startswith("multipart/") else PLAIN


def _start(body: bytes, content_encoding: bytes) -> bytes:
    """The first bytes of a body out of its content coding, b"" if they cannot be had."""
    try:
        inflate = open_coding(content_encoding)
        return body[:1024] if inflate is None else next(inflate.feed(body), b"")[:1024]
    except (NotSoap, Failure):
        return b""


def _root(content_type: str, body: bytes, content_encoding: bytes) -> tuple[str, bytes] | None:
    """The content type and the first bytes of a multipart's root; None if they cannot be had."""
    try:
        multipart = related(content_type.encode("latin-1"))
        if multipart is None:
            return None
        inflate, root = open_coding(content_encoding), Root(multipart, ScanLimits().multipart_bytes)
        for piece in (body,) if inflate is None else inflate.feed(body):
            for start in root.feed(piece):
                return (root.content_type or b"").decode("latin-1"), start[:1024]
    except (NotSoap, Limited, Failure):
        pass
    return None


def _charset(content_type: str, start: bytes) -> str:
    """The envelope's encoding by RFC 7303 3: a byte order mark, the parameter, the declaration."""
    for mark, name in _BOMS:
        if start.startswith(mark):
            return name
    if found := _CHARSET.search(content_type):
        return found[1].lower()
    if declared := _DECLARED.match(start):
        return declared[1].decode().lower()
    return "utf-8"
