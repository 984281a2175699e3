"""Routing: the one decision of an exchange, as one function: values in, a Route or a Refusal out.

A pin overrides: the first id in precedence that has one decides, and the policy is asked only
when none has. A pin is broken by the service's terms only, never silently (DESIGN 7.1): every
answer carries a word that says why. The same words stand in the log line, the metric's `reason`
and `explain`:

    kind          reason        what was so
    pinned        bound         the pinned backend is ready
    pinned        draining      the pinned backend takes bound sessions only, and this is one
    pinned        ended         the session has ended; this trails behind its end
    balanced      new           no id is pinned; one may be bound and now will be
    balanced      unknown       ids nobody knows and that a client may not make up; nothing is bound
    balanced      hashed        the same, and the id's own hash chooses: always the same backend
    balanced      no-id         the request carries no session id
    redispatched  removed       the pinned backend is not in the pool any more
    redispatched  maint         ... is in maint
    redispatched  down          ... is down
    redispatched  unreachable   ... is among `excluded`: this exchange has tried it in vain
    refused       session-lost, session-unknown, no-backend: see `soapgate.core.errors.Reason`

A live pin goes before one that has ended, whatever their precedence; and what has ended is never
lost: if its backend is gone, its id is one that nobody knows.

A pin holds while its backend accepts pinned requests, whatever else changed: a backend that lost
its role keeps the sessions it has, for they live there and nowhere else. A full backend lets its
pinned requests wait, they never overflow (DESIGN 7.15). An unpinned request goes round full
backends, and waits at the one the policy names only when all are full.

`Identity` and `Route` are tuples: some are made for every request, and a frozen dataclass costs
four times as much.

Nothing here looks up, binds, waits or connects; the policy's turn is all that changes. The
alternative, a chain of small deciders, was dropped: the order of the rules is the design.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

from soapgate.core.errors import Reason
from soapgate.core.pins import Pin
from soapgate.core.policies import Policy
from soapgate.core.pool import Member, Pool

Kind = Literal["pinned", "balanced", "redispatched"]
PinnedReason = Literal["bound", "draining", "ended"]
BalancedReason = Literal["new", "unknown", "hashed", "no-id"]
Unknown = Literal["balance", "fault", "hash"]
LostReason = Literal["removed", "maint", "down", "unreachable"]
Why = PinnedReason | BalancedReason | LostReason

# Every (kind, reason) a Route can have, so that metrics and documents can list them.
WORDS: dict[Kind, tuple[str, ...]] = {
    "pinned": get_args(PinnedReason),
    "balanced": get_args(BalancedReason),
    "redispatched": get_args(LostReason),
}

# A Refusal's detail goes to the client: it names no id, no key and no backend.
_LOST_DETAIL: dict[LostReason, str] = {
    "removed": "the backend that holds the session has left the pool",
    "maint": "the backend that holds the session is in maintenance",
    "down": "the backend that holds the session is down",
    "unreachable": "the backend that holds the session cannot be reached",
}
_UNKNOWN_DETAIL = "the request carries a session id that is not known here"
_NOBODY_DETAIL = "no backend is ready and up"


class Identity(NamedTuple):
    """One session id of a request after its lookup. `pin` is resolved through aliases (one that
    still is an alias counts as none); `primary` is the key it resolved to, which is `key` itself
    for an id that is no alias or not known, and empty for a pin that stands in no store."""

    profile: str
    key: bytes
    bindable: bool
    pin: Pin | None
    primary: bytes


@dataclass(frozen=True, slots=True)
class Terms:
    """What a service wants: `lost` for a session whose backend is gone, `unknown` for ids nobody
    knows and nobody may bind, `unknown_of` the same by profile, which goes first, `role` (None:
    any) of the backends that get its new sessions."""

    lost: Literal["strict", "redispatch"] = "strict"
    unknown: Unknown = "balance"
    role: str | None = None
    unknown_of: Mapping[str, Unknown] = field(default_factory=dict)


class Route(NamedTuple):
    """Where the exchange goes. `identity` is the id that decided (pinned), whose pin is to move
    (redispatched) or that is to be bound (new); None: bind nothing. `conflicts` counts further
    ids pinned to another backend. `queue`: the backend is full, wait there."""

    kind: Kind
    reason: Why
    backend: str
    identity: Identity | None
    conflicts: int
    queue: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the exchange goes nowhere. `detail` is for the fault; `identity` is the id that
    decided, if one did."""

    reason: Reason
    detail: str
    identity: Identity | None


def route(
    terms: Terms,
    identities: Sequence[Identity],
    pool: Pool,
    excluded: Container[str] = (),
) -> Route | Refusal:
    """Decide. `identities` are in precedence order; `excluded` names the backends this exchange
    has tried in vain. Total: it answers for whatever it is given and raises nothing."""
    ended: Identity | None = None
    for position, identity in enumerate(identities):
        pin = identity.pin
        if pin is not None and pin.backend:
            if pin.ended:
                ended = ended or identity
                continue
            further = identities[position + 1 :]
            conflicts = _conflicts(pin.backend, further) if further else 0
            return _pinned(terms, identity, pin.backend, conflicts, pool, excluded)
    if ended is not None and ended.pin is not None:
        member = pool.members.get(ended.pin.backend)
        if member is not None and member.accepts_pinned and member.name not in excluded:
            return Route("pinned", "ended", member.name, ended, 0, member.full)
    return _unpinned(terms, identities, pool, excluded)


def _conflicts(backend: str, further: Sequence[Identity]) -> int:
    return sum(
        identity.pin is not None
        and not identity.pin.ended
        and identity.pin.backend not in ("", backend)
        for identity in further
    )


def _pinned(
    terms: Terms,
    identity: Identity,
    name: str,
    conflicts: int,
    pool: Pool,
    excluded: Container[str],
) -> Route | Refusal:
    member = pool.members.get(name)
    if member is not None and member.accepts_pinned and name not in excluded:
        why: PinnedReason = "bound" if member.admin == "ready" else "draining"
        return Route("pinned", why, name, identity, conflicts, member.full)
    lost = _lost(member)
    if terms.lost == "strict":
        return Refusal(Reason.SESSION_LOST, _LOST_DETAIL[lost], identity)
    # the primary's key, so that every alias of the session moves to the same place
    chosen = _balance(terms.role, pool, excluded, identity.primary)
    if chosen is None:
        return Refusal(Reason.NO_BACKEND, _NOBODY_DETAIL, identity)
    return Route("redispatched", lost, chosen.name, identity, conflicts, chosen.full)


def _lost(member: Member | None) -> LostReason:
    """Why a pinned backend cannot serve, the operator's word before what was observed."""
    if member is None:
        return "removed"
    if member.admin == "maint":
        return "maint"
    return "unreachable" if member.up else "down"


def _unpinned(
    terms: Terms, identities: Sequence[Identity], pool: Pool, excluded: Container[str]
) -> Route | Refusal:
    if not identities:
        chosen = _balance(terms.role, pool, excluded, b"")
        return _balanced("no-id", chosen, None)
    for bound in identities:
        if bound.bindable:
            chosen = _balance(terms.role, pool, excluded, identities[0].key)
            return _balanced("new", chosen, bound)
    hashed = None
    for identity in identities:
        word = terms.unknown_of.get(identity.profile, terms.unknown)
        if word == "fault":
            return Refusal(Reason.SESSION_UNKNOWN, _UNKNOWN_DETAIL, identity)
        if word == "hash" and hashed is None:
            hashed = identity
    if hashed is not None:
        return _balanced(
            "hashed", _balance(terms.role, pool, excluded, hashed.key, pool.rendezvous), None
        )
    return _balanced("unknown", _balance(terms.role, pool, excluded, identities[0].key), None)


def _balanced(
    why: BalancedReason, chosen: Member | None, bound: Identity | None
) -> Route | Refusal:
    if chosen is None:
        return Refusal(Reason.NO_BACKEND, _NOBODY_DETAIL, bound)
    return Route("balanced", why, chosen.name, bound, 0, chosen.full)


def _balance(
    role: str | None,
    pool: Pool,
    excluded: Container[str],
    key: bytes,
    policy: Policy | None = None,
) -> Member | None:
    """The choice of `policy`, or of the pool's, among the available, else among the full, else
    nobody."""
    candidates = pool.candidates(role, excluded) or pool.candidates(role, excluded, full=True)
    return (policy or pool.policy(role)).select(candidates, key) if candidates else None
