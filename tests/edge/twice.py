"""One conversation held twice: with a gateway that may go the short way and one that never does.

for talk in both(play): ...     # all that can be seen of the two was the same
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from talk import CLIENT_MADE, Peer, Talk, envelope, ok, post

from soapgate.core.shapes import PRICE, SIGHTINGS
from soapgate.edge.exchangelog import ExchangeRecord

ORDINARY = post(envelope("mine"))
ANSWER = ok(envelope())
COOKIES = {
    "title": "Cookies",
    "about": "Beside the shop's header.",
    "lookup": ["cookie:sid"],
    "learn": ["cookie:sid"],
}


def warm(fast: bool = True, **options: Any) -> Talk:
    """A gateway that has seen all of the ordinary, with a pinned session on each backend."""
    profiles = options.pop("profiles", {"shop": CLIENT_MADE, "cookies": COOKIES})
    talk = Talk(profiles=profiles, fast=fast, **options)
    for shapes in (talk.service.request_shapes, talk.service.response_shapes):
        shapes._credit = 4 * PRICE  # as after a hundred exchanges
    for _ in range(SIGHTINGS + 1):
        for session in ("mine", "yours"):
            talk.serve(post(envelope(session)), ANSWER)
    talk.heard = talk.client.heard()  # type: ignore[attr-defined]
    return talk


def told(talk: Talk) -> dict[str, object]:
    """All that can be seen of a gateway."""
    talk.metrics.settle()
    metrics = {
        name: value
        for name, value in vars(talk.metrics).items()
        if name not in ("_registry", "store", "pools", "durations", "fast", "pids", "settle")
    }
    pins = talk.store._pins
    return {
        "client": (talk.client.wire.value(), talk.client.wire.ended),
        "backends": [(p.name, p.wire.value(), p.wire.ended) for p in talk._peers],
        "dials": talk.dials,
        "records": [_said(record) for record in talk.log.records],
        "metrics": metrics,
        "durations": {k: (d.total, d.counts) for k, d in talk.metrics.durations.items()},
        "events": talk.affinity.events,
        "pins": dict(pins),
        "members": [(m.inflight, m.up, m.admin) for m in talk.pool.members.values()],
        "flips": talk.flips,
        "state": (repr(talk.client.protocol), talk.client.protocol.deadline),
    }


def _said(record: ExchangeRecord) -> dict[str, object]:
    names = ExchangeRecord.__annotations__
    return {**{name: getattr(record, name) for name in names}, "told": record.sticky}


def waiting(talk: Talk) -> list[Peer]:
    """The backends' connections that have something to answer."""
    while talk.dials:
        talk.backend()
    return [p for p in talk._peers if len(p.wire.value()) > p.wire.taken and not p.wire.ended]


def answered(talk: Talk, response: bytes) -> None:
    """Whoever was asked answers, until nobody is asked any more."""
    for _ in range(4):
        for peer in waiting(talk):
            peer.heard()
            peer.says(response)


def both(play: Callable[[Talk], None], **options: Any) -> Iterator[Talk]:
    """Hold the conversation with either gateway; all that can be seen must be the same."""
    talks = []
    for fast in (True, False):
        talk = warm(fast, **options)
        play(talk)
        talks.append(talk)
    assert told(talks[0]) == told(talks[1])
    return iter(talks)


def drop_idle(talk: Talk) -> None:
    """The backends close what is idle."""
    for peer in talk._peers:
        if not peer.wire.ended:
            peer.closes()
