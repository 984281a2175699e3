"""What happened to stickiness in one exchange, in four letters, as HAProxy tells it of cookies.

    HVP-    an id in the Header, pinned, sent to its backend
    --BL    no id, balanced, and the response named one that is learnt
    CLM-    a cookie whose backend is gone, moved to another

`LETTERS` is the table: what each position says and each letter means. The log line's `sticky`, the
response's `X-Soapgate` and the page docs/explain.rst are made from it. The one rule: a code is made
from what the exchange has decided and done, after it; nothing here is kept for it while it runs, so
an exchange that nobody logs pays nothing.

More letters were dropped: what is told by route, reason and the scans stands beside it in the line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from soapgate.core.routing import Identity, Route
from soapgate.core.scanned import Found

NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Position:
    """One of the four: what it is about, and letter -> meaning. `-` is none of it."""

    name: str
    about: str
    letters: Mapping[str, str]


LETTERS: tuple[Position, ...] = (
    Position(
        "carrier",
        "where the id stood that decided, or would have",
        {
            "H": "in the SOAP Header",
            "B": "in the Body",
            "C": "in a cookie",
            "F": "in another HTTP field",
            "P": "in the path, or in a parameter of it",
            "Q": "in the query",
            "A": "it is the client's address, connection or certificate",
            "O": "elsewhere: the gateway's own, or put together from several places",
            NOTHING: "the request named no id, or was refused before it was read",
        },
    ),
    Position(
        "id",
        "what was known of it",
        {
            "V": "valid: pinned to a backend that serves it",
            "D": "pinned to a backend in drain, which serves it",
            "E": "its session has ended a moment ago; sent where it was",
            "L": "lost: its backend is out of the pool, in maint, down or unreachable",
            "N": "new, and of the kind that a client makes up: bound now",
            "U": "unknown, and not bound",
            NOTHING: "there was no id",
        },
    ),
    Position(
        "route",
        "what was done with the request",
        {
            "P": "sent to the backend that the pin names",
            "B": "balanced",
            "M": "moved: sent to another backend than the pin named, and pinned there",
            "R": "refused before a backend was chosen",
            "F": "a backend was chosen and failed: the gateway answered, or the answer broke off",
            NOTHING: "nothing: the client was gone",
        },
    ),
    Position(
        "after",
        "what became of sessions; of several the first here",
        {
            "C": "conflict: the request or the response named an id of another backend",
            "E": "the exchange ended a session",
            "L": "the response named ids: learnt, or known already",
            NOTHING: "nothing",
        },
    ),
)

_CARRIERS = {
    "Header": "H",
    "Body": "B",
    "cookie": "C",
    "http": "F",
    **dict.fromkeys(("param", "cookieless", "url"), "P"),
    "query": "Q",
    "client": "A",
}
_IDS = {
    "bound": "V",
    "draining": "D",
    "ended": "E",
    **dict.fromkeys(("removed", "maint", "down", "unreachable", "session-lost"), "L"),
    "new": "N",
    **dict.fromkeys(("unknown", "hashed", "session-unknown"), "U"),
    "no-id": NOTHING,
}
_ROUTES = {"pinned": "P", "balanced": "B", "redispatched": "M"}
_LEFT = "client-left"


@dataclass(frozen=True, slots=True)
class Facts:
    """What an exchange knows at its end. `decision` None: it ended before one, or by a refusal.
    `found` are the finds of the request without its ends, `identities` what came of them, `key`
    the one that decided (b"": none). `refused`: the gateway answered; `reason` is the log's."""

    decision: Route | None
    found: Sequence[Found]
    identities: Sequence[Identity]
    key: bytes
    refused: bool
    reason: str
    conflicts: int
    learned: int
    ended: int


def code(facts: Facts) -> str:
    """The four letters of an exchange."""
    identity = _deciding(facts)
    carrier = NOTHING if identity is None else _carrier(facts, identity)
    return carrier + _id(facts, identity) + _route(facts) + _after(facts)


def _deciding(facts: Facts) -> Identity | None:
    for identity in facts.identities:
        if identity.key == facts.key:
            return identity
    return facts.identities[0] if facts.identities else None


def _carrier(facts: Facts, identity: Identity) -> str:
    # of one profile identities are in the order of its finds, each id once
    like = [each.key for each in facts.identities if each.profile == identity.profile]
    places: dict[str, str] = {}
    for one in facts.found:
        if one.profile == identity.profile and one.use in ("lookup", "bind"):
            places.setdefault(one.id, one.location)
    at = like.index(identity.key)
    if at >= len(places):
        return "O"
    location = list(places.values())[at]
    return _CARRIERS.get(location.replace("/", ":", 1).partition(":")[0], "O")


def _id(facts: Facts, identity: Identity | None) -> str:
    # a pinned backend that could not be reached on a second look is a lost session after all
    late = facts.decision is None or (facts.refused and facts.reason in _IDS)
    known = _IDS.get(facts.reason if late or facts.decision is None else facts.decision.reason)
    if known is not None and (known == NOTHING or identity is not None):
        return known
    if identity is None:
        return NOTHING
    return "U" if identity.pin is None else "L"  # nobody could take it


def _route(facts: Facts) -> str:
    if facts.decision is None:
        return NOTHING if facts.reason == _LEFT or not facts.refused else "R"
    return "F" if facts.refused else _ROUTES[facts.decision.kind]


def _after(facts: Facts) -> str:
    if facts.conflicts:
        return "C"
    if facts.ended:
        return "E"
    return "L" if facts.learned else NOTHING
