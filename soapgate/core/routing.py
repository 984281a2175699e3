"""Routing: the one decision of an exchange, as one function: values in, a Route or a Refusal out.

A pin overrides: the first id in precedence that has one decides, and the policy is asked only
when none has. A pin is broken by the service's terms only, never silently (DESIGN 7.1): every
answer carries a word that says why. The same words stand in the log line, the metric's `reason`
and `explain`:

    kind          reason        what was so
    pinned        bound         the pinned backend is ready
    pinned        draining      the pinned backend takes bound sessions only, and this is one
    balanced      new           no id is pinned; one may be bound and now will be
    balanced      unknown       ids nobody knows and that a client may not make up; nothing is bound
    balanced      no-id         the request carries no session id
    redispatched  removed       the pinned backend is not in the pool any more
    redispatched  maint         ... is in maint
    redispatched  down          ... is down
    redispatched  unreachable   ... is among `excluded`: this exchange has tried it in vain
    refused       session-lost, session-unknown, no-backend: see `soapgate.core.errors.Reason`

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
from soapgate.core.pool import Member, Pool

Kind = Literal["pinned", "balanced", "redispatched"]
PinnedReason = Literal["bound", "draining"]
BalancedReason = Literal["new", "unknown", "no-id"]
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
    for an id that is no alias or not known."""

    profile: str
    key: bytes
    bindable: bool
    pin: Pin | None
    primary: bytes


@dataclass(frozen=True, slots=True)
class Terms:
    """What a service wants: `lost` for a session whose backend is gone, `unknown` for ids nobody
    knows and nobody may bind, `role` (None: any) of the backends that get its new sessions."""

    lost: Literal["strict", "redispatch"] = "strict"
    unknown: Literal["balance", "fault"] = "balance"
    role: str | None = None
    unknown_of: Mapping[str, Literal["balance", "fault"]] = field(default_factory=dict)


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
    for position, identity in enumerate(identities):
        pin = identity.pin
        if pin is not None and pin.backend:
            further = identities[position + 1 :]
            conflicts = _conflicts(pin.backend, further) if further else 0
            return _pinned(terms, identity, pin.backend, conflicts, pool, excluded)
    return _unpinned(terms, identities, pool, excluded)


def settled(identity: Identity, pool: Pool) -> Route | None:
    """What `route` decides of a request with this one id, where that takes no thought: its
    backend is ready, up and has a place. None: ask `route`."""
    pin = identity.pin
    member = pool.members.get(pin.backend) if pin is not None else None
    if member is None or not member.ready or member.full:
        return None
    return Route("pinned", "bound", member.name, identity, 0, False)


def _conflicts(backend: str, further: Sequence[Identity]) -> int:
    return sum(
        identity.pin is not None and identity.pin.backend not in ("", backend)
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
    first = identities[0] if identities else None
    bound = None
    for identity in identities:
        if identity.bindable:
            bound = identity
            break
    if first is not None and bound is None:
        for identity in identities:
            if terms.unknown_of.get(identity.profile, terms.unknown) == "fault":
                return Refusal(Reason.SESSION_UNKNOWN, _UNKNOWN_DETAIL, identity)
    chosen = _balance(terms.role, pool, excluded, first.key if first else b"")
    if chosen is None:
        return Refusal(Reason.NO_BACKEND, _NOBODY_DETAIL, bound)
    why: BalancedReason = "no-id" if first is None else "new" if bound is not None else "unknown"
    return Route("balanced", why, chosen.name, bound, 0, chosen.full)


def _balance(role: str | None, pool: Pool, excluded: Container[str], key: bytes) -> Member | None:
    """The policy's choice among the available, else among the full, else nobody."""
    candidates = pool.candidates(role, excluded) or pool.candidates(role, excluded, full=True)
    return pool.policy(role).select(candidates, key) if candidates else None
