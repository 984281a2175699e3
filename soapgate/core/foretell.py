"""What a running gateway would do with a message just now: its pins and its pool, asked in advance.

The one rule: to ask changes nothing. The pins are looked up by the same `Affinity` and the route
is decided by the same `route` as in an exchange, but through a store that takes no word (nothing
is touched, dropped or bound) and with a policy that takes no turn: where a policy would choose, its
candidates are named. So the verdict is what happens to the next such request if nobody comes
between. Every answer may be old when it is read; who needs certainty reads the exchange's log line.

A second reading of pins for explanations was dropped: it would be right until the rules of aliases
and ages change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from soapgate.core.affinity import Affinity
from soapgate.core.explain import Read, describe, matching, nobody, read
from soapgate.core.explained import (
    KEY_SHOWN,
    Conflict,
    Explanation,
    Message,
    Ranked,
    Reading,
    Standing,
    Verdict,
    View,
)
from soapgate.core.keys import Keys
from soapgate.core.pins import Lifetime, Pin, PinStore
from soapgate.core.policies import Rendezvous
from soapgate.core.pool import Member, Pool
from soapgate.core.routing import Identity, Refusal, Route, route
from soapgate.core.told import fault


@dataclass(frozen=True, slots=True)
class Live:
    """What runs behind a service. `scope`: what its pins bear as their service."""

    scope: str
    lifetime: Lifetime
    pool: Pool


async def foretell(
    message: Message,
    services: Sequence[View],
    lives: Mapping[str, Live],
    store: PinStore,
    keys: Keys,
    now: float,
    *,
    service: str | None = None,
) -> Explanation:
    """The explanation of a message by a running gateway; `service` as in `explain`. `now` is
    seconds since the epoch. May raise StoreError."""
    view = matching(message, services, service)
    if view is None:
        return nobody(message)
    live = lives[view.rule.name]
    view = replace(view, scope=live.scope)
    order = {profile.name: at for at, profile in enumerate(view.profiles)}
    still = _Still(store)
    affinity = Affinity(still, keys, live.scope, live.lifetime, order)
    seer = _Seer(view, live, still, affinity, now)
    readings = [await seer.tell(one) for one in read(message, view, keys)]
    return describe(message, view.rule.name, readings)


class _Seer:
    """Adds to the readings of one message what one service's pins and pool say."""

    def __init__(
        self, view: View, live: Live, store: PinStore, affinity: Affinity, now: float
    ) -> None:
        self._view = view
        self._live = live
        self._store = store
        self._affinity = affinity
        self._now = now

    async def tell(self, one: Read) -> Reading:
        reading = one.reading
        if reading.refusal is not None:
            return reading
        # ids that a response shows are looked up as those of a request: where do they belong?
        named = [
            found._replace(use="lookup") if found.use == "learn" else found
            for found in one.found
            if found.id
        ]
        identities = await self._affinity.identify(named, self._now)
        standings = {
            (each.profile, _short(each.key)): await self._standing(each) for each in identities
        }
        order = tuple(
            replace(ranked, pin=standings.get((ranked.profile, ranked.id.hash)))
            for ranked in reading.order
        )
        if reading.direction == "response":
            return replace(reading, order=order)
        return replace(reading, order=order, verdict=self._verdict(identities, order))

    async def _standing(self, identity: Identity) -> Standing:
        pin = identity.pin
        if pin is not None and pin.backend:
            return Standing("pinned", pin.backend, identity.primary != identity.key)
        old = await self._store.lookup(identity.key)
        if old is not None:
            return Standing("expired", old.backend or None, bool(old.alias))
        return Standing("unknown", None, False)

    def _verdict(self, identities: Sequence[Identity], order: Sequence[Ranked]) -> Verdict:
        chooser = _Chooser(self._view.policy)
        decision = route(self._view.terms, identities, self._live.pool.with_policy(chooser))
        deciding = decision.identity
        profile = deciding.profile if deciding is not None else None
        short = _short(deciding.key) if deciding is not None else None
        conflicts = _conflicts(decision, order)
        if isinstance(decision, Refusal):
            said = f"{decision.detail}: {fault(decision.reason)}"
            reason = str(decision.reason)
            return Verdict("refused", reason, None, (), profile, short, conflicts, said)
        backend: str | None = decision.backend
        candidates: tuple[str, ...] = ()
        if not chooser.certain:
            backend, candidates = None, chooser.candidates
        return Verdict(
            decision.kind, decision.reason, backend, candidates, profile, short, conflicts, None
        )


def _conflicts(decision: Route | Refusal, order: Sequence[Ranked]) -> tuple[Conflict, ...]:
    """The ids whose pins name another backend than the first one that is pinned."""
    pinned = [one for one in order if one.pin is not None and one.pin.state == "pinned"]
    if not pinned or decision.identity is None:
        return ()
    first = pinned[0].pin
    return tuple(
        Conflict(one.profile, one.id.hash, one.pin.backend)
        for one in pinned[1:]
        if one.pin is not None
        and first is not None
        and one.pin.backend
        and one.pin.backend != first.backend
    )


def _short(key: bytes) -> str:
    return key.hex()[:KEY_SHOWN]


class _Chooser:
    """A policy that takes no turn. It notes who stood for choice; its choice is `certain` where
    the policy it stands for has no turn either (one candidate, or `hash` of an id)."""

    def __init__(self, policy: str) -> None:
        self._hashes = policy == "hash"
        self.certain = True
        self.candidates: tuple[str, ...] = ()

    def select(self, candidates: Sequence[Member], key: bytes) -> Member:
        self.candidates = tuple(member.name for member in candidates)
        if self._hashes and key:
            return Rendezvous().select(candidates, key)
        self.certain = len(candidates) == 1
        return candidates[0]


class _Still:
    """A pin store that can be read and takes no word."""

    secret = b""
    notes: tuple[str, ...] = ()
    evicted = refused = 0

    def __init__(self, store: PinStore) -> None:
        self._store = store

    async def lookup(self, key: bytes) -> Pin | None:
        return await self._store.lookup(key)

    def glance(self, key: bytes) -> Pin | None:
        return self._store.glance(key)

    async def bind(self, key: bytes, pin: Pin) -> Pin:
        return await self._store.lookup(key) or pin

    async def rebind(self, key: bytes, old: Pin, new: Pin) -> bool:
        return False

    async def touch(self, key: bytes, used: float) -> None:
        """Nothing."""

    async def unbind(self, key: bytes, old: Pin | None = None) -> bool:
        return False

    async def scan(
        self, cursor: bytes | None, limit: int
    ) -> tuple[list[tuple[bytes, Pin]], bytes | None]:
        return await self._store.scan(cursor, limit)

    async def count(self) -> int:
        return await self._store.count()

    def sync(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""
