"""Sweep: the walk through the whole store for what nobody asks for any more.

An expired pin already counts as absent wherever a message names it (`affinity`); but most are
never named again, so somebody has to look. The walk goes in small batches, between which the
process serves; when to take the next is the caller's, and so is the clock. On its way it counts
the pins of each service, which no store can tell without looking at all of them.

A primary whose own name is over stays while an alias may point to it (`bindings`). Only a whole
walk can tell that none does: what is over in one walk and pointed to by no alias of the next goes
in the one after. A counter of aliases in every pin would have cost a write for each alias.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import inf

from soapgate.core.bindings import dead_alias
from soapgate.core.pins import Lifetime, Pin, PinStore

ORPHAN = Lifetime(idle=86400.0, max_age=inf)  # pins of a service that is no longer configured


class Sweep:
    """Walks a store and forgets the pins that are expired and the aliases that are dead.

    held: pins per scope at the end of the last whole walk, aliases included; dropped: how many
    were forgotten so far; expired: how many of them had not ended before. The caller says when to
    take the next step: a batch of 200 is half a millisecond of an LMDB store. `orphan` is the
    lifetime of pins whose scope is not in `lifetimes`: it may come back with the next
    configuration.
    """

    def __init__(
        self, store: PinStore, lifetimes: Mapping[str, Lifetime], orphan: Lifetime = ORPHAN
    ) -> None:
        self.held: dict[str, int] = {}
        self.dropped = 0
        self.expired = 0
        self._store = store
        self._lifetimes = lifetimes
        self._orphan = orphan
        self._cursor: bytes | None = None
        self._counting: dict[str, int] = {}
        # keys of primaries whose names are over: met on this walk; on the one before it, less
        # those that an alias of this one points to; to go
        self._over_now: set[bytes] = set()
        self._unclaimed: set[bytes] = set()
        self._alone: set[bytes] = set()

    async def step(self, now: float, limit: int = 200) -> bool:
        """Look at up to `limit` pins more; True if that ended a walk and `held` is new."""
        batch, self._cursor = await self._store.scan(self._cursor, limit)
        for key, pin in batch:
            if await self._over(key, pin, now):
                gone = await self._store.unbind(key, pin)
                self.dropped += gone
                self.expired += gone and not pin.ended
            else:
                self._counting[pin.service] = self._counting.get(pin.service, 0) + 1
        if self._cursor is not None:
            return False
        # a service that has lost its last pin is shown with 0, not left out
        self.held = dict.fromkeys(self._lifetimes, 0) | self._counting
        self._counting = {}
        self._alone, self._unclaimed, self._over_now = self._unclaimed, self._over_now, set()
        return True

    async def _over(self, key: bytes, pin: Pin, now: float) -> bool:
        lifetime = self._lifetimes.get(pin.service, self._orphan)
        if lifetime.expired(pin, now):
            return True
        if not lifetime.over(pin, now):
            return bool(pin.alias) and await self._dead(pin, lifetime, now)
        if pin.alias or key in self._alone:
            return True
        self._over_now.add(key)
        return False

    async def _dead(self, alias: Pin, lifetime: Lifetime, now: float) -> bool:
        self._unclaimed.discard(alias.alias)
        primary = await self._store.lookup(alias.alias)
        return primary is None or dead_alias(alias, primary) or lifetime.expired(primary, now)


class Forget:
    """One walk that forgets the sessions of a backend that was restarted: the pins of `scopes`
    that name `backend` and were bound before `before`. Their aliases are dead with them. `dropped`
    counts the pins."""

    def __init__(
        self, store: PinStore, scopes: Collection[str], backend: str, before: float
    ) -> None:
        self.dropped = 0
        self._store = store
        self._scopes = scopes
        self._backend = backend
        self._before = before
        self._cursor: bytes | None = None

    async def step(self, limit: int = 200) -> bool:
        """Look at up to `limit` pins more; True if that was the last of them."""
        batch, self._cursor = await self._store.scan(self._cursor, limit)
        for key, pin in batch:
            mine = pin.backend == self._backend and pin.service in self._scopes
            if mine and pin.created <= self._before:
                self.dropped += await self._store.unbind(key, pin)
        return self._cursor is None
