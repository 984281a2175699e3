"""Sweep: the walk through the whole store for what nobody asks for any more.

An expired pin already counts as absent wherever a message names it (`affinity`); but most are
never named again, so somebody has to look. The walk goes in small batches, between which the
process serves; when to take the next is the caller's, and so is the clock. On its way it counts
the pins of each service, which no store can tell without looking at all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from soapgate.core.affinity import dead_alias
from soapgate.core.pins import Lifetime, Pin, PinStore

ORPHAN = Lifetime(idle=86400.0, max_age=inf)  # pins of a service that is no longer configured


class Sweep:
    """Walks a store and forgets the pins that are expired and the aliases that are dead.

    held: pins per service at the end of the last whole walk, aliases included; dropped: how many
    were forgotten so far. The caller says when to take the next step: a batch of 200 is half a
    millisecond of an LMDB store. `orphan` is the lifetime of pins whose service is not in
    `lifetimes`: it may come back with the next configuration.
    """

    def __init__(
        self, store: PinStore, lifetimes: Mapping[str, Lifetime], orphan: Lifetime = ORPHAN
    ) -> None:
        self.held: dict[str, int] = {}
        self.dropped = 0
        self._store = store
        self._lifetimes = lifetimes
        self._orphan = orphan
        self._cursor: bytes | None = None
        self._counting: dict[str, int] = {}

    async def step(self, now: float, limit: int = 200) -> bool:
        """Look at up to `limit` pins more; True if that ended a walk and `held` is new."""
        batch, self._cursor = await self._store.scan(self._cursor, limit)
        for key, pin in batch:
            if await self._over(pin, now):
                self.dropped += await self._store.unbind(key, pin)
            else:
                self._counting[pin.service] = self._counting.get(pin.service, 0) + 1
        if self._cursor is not None:
            return False
        # a service that has lost its last pin is shown with 0, not left out
        self.held = dict.fromkeys(self._lifetimes, 0) | self._counting
        self._counting = {}
        return True

    async def _over(self, pin: Pin, now: float) -> bool:
        lifetime = self._lifetimes.get(pin.service, self._orphan)
        if lifetime.expired(pin, now):
            return True
        if not pin.alias:
            return False
        primary = await self._store.lookup(pin.alias)
        return primary is None or dead_alias(pin, primary) or lifetime.expired(primary, now)
