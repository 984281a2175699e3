"""Bindings: what stands under one key - found, put if absent, made anew, ended, dropped.

An alias is one hop from a primary, and not older than it. One that points to nothing, to another
alias, or to a primary bound anew since, is dead: the session it belonged to has ended. A dead or
expired pin counts as absent and is dropped by whoever meets it - only if it is still the same,
so that nobody drops what another has just bound.

The one rule: a name that is over (it has ended, or its own bound has passed) leads nowhere and may
be bound anew, but the pin under it stays as long as it may be the primary of other ids. Whether an
id is one, nobody counts: the pin costs its bytes until `idle` has passed, or until the sweep has
seen that no alias points to it.

It knows keys and pins; which of a message's ids come first and what follows from their backends is
`soapgate.core.affinity`'s. Every method may raise StoreError; times are seconds since the epoch.
"""

from __future__ import annotations

from math import inf, nextafter
from typing import NamedTuple

from soapgate.core.errors import StoreFull
from soapgate.core.naming import Naming
from soapgate.core.pins import LIVE, NAME_ENDED, SESSION_ENDED, Lifetime, Pin, PinStore

TRIES = 8  # lost races in a row before a session goes unpinned; one is rare, two unheard of


class Held(NamedTuple):
    """A pin that a key leads to: the primary's, and its key; `new` if just put there. It says
    `ended` if either the name or the session has. A tuple, since every exchange makes several."""

    pin: Pin
    primary: bytes
    new: bool = False


class Bindings:
    """The pins of one scope in a store. `events` is counted in; see `affinity.EVENTS`."""

    def __init__(
        self, store: PinStore, names: Naming, lifetime: Lifetime, events: dict[str, int]
    ) -> None:
        self._store = store
        self._names = names
        self._lifetime = lifetime
        self._events = events

    def primary(self, profile: str, backend: str, now: float) -> Pin:
        """A new pin of `backend`, not in the store yet."""
        return Pin(self._names.scope, profile, backend, b"", now, now, self._until(profile, now))

    def _until(self, profile: str, now: float) -> float:
        life = self._names.kind(profile).life
        return now + life if life else 0.0

    async def find(self, key: bytes, now: float) -> Held | None:
        """The pin that `key` leads to, if it leads anywhere."""
        pin = await self._store.lookup(key)
        return None if pin is None else await self.live(key, pin, now)

    async def live(self, key: bytes, pin: Pin, now: float) -> Held | None:
        """What the pin under `key` leads to, if it does; what nobody needs any more is dropped."""
        lifetime = self._lifetime
        if lifetime.over(pin, now):
            if pin.alias or lifetime.expired(pin, now):
                await self.drop(key, pin)
            return None
        if not pin.alias:
            return Held(pin, key)
        primary = await self._store.lookup(pin.alias)
        if primary is not None and lifetime.expired(primary, now):
            await self.drop(pin.alias, primary)
            primary = None
        if primary is None or dead_alias(pin, primary):
            await self.drop(key, pin)
            return None
        if lifetime.stale(pin, now):
            await self._store.touch(key, now)
        if primary.ended != SESSION_ENDED and (pin.ended or primary.until):
            # a bound of the primary's own name is not the alias's
            primary = primary._replace(until=0.0, ended=pin.ended)
        return Held(primary, pin.alias)

    async def drop(self, key: bytes, pin: Pin) -> None:
        if await self._store.unbind(key, pin):
            self._events["expired"] += not pin.ended  # what has ended was counted when it did

    async def join(
        self, profile: str, key: bytes, backend: str, root: Held | None, now: float, event: str
    ) -> Held | None:
        """Put an alias of `root` under `key`, or a primary if there is none: what `key` leads to
        then. `event` counts a new primary."""
        if root is not None:
            return await self._put_alias(key, profile, root, now)
        held = await self.put(key, self.primary(profile, backend, now), now)
        if held is not None and held.new:
            self._events[event] += 1
        return held

    async def put(self, key: bytes, fresh: Pin, now: float) -> Held | None:
        """Put if absent, the dead and the ended counting as absent: what `key` leads to
        afterwards; None if the store is full. For an alias that was put, that is the alias
        itself."""
        for _ in range(TRIES):
            try:
                winner = await self._store.bind(key, fresh)
            except StoreFull:
                break
            if winner == fresh:
                return Held(fresh, fresh.alias or key, new=True)
            if self._vacant(winner, now):
                anew = _anew(winner, fresh, now)
                if await self._store.rebind(key, winner, anew):
                    return Held(anew, anew.alias or key, new=True)
                continue
            held = await self.live(key, winner, now)
            if held is not None:
                return held
        self._events["unpinned"] += 1
        return None

    def _vacant(self, pin: Pin, now: float) -> bool:
        """Whether the name of a pin that still counts for others is free."""
        if self._lifetime.expired(pin, now):
            return False
        return bool(pin.ended) or self._lifetime.over(pin, now)

    async def _put_alias(self, key: bytes, profile: str, root: Held, now: float) -> Held | None:
        """Put an alias of `root` under `key` if nothing is there: what `key` leads to then."""
        if key == root.primary:  # the primary's own name, which was over, is in use again
            await self._store.rebind(key, root.pin, root.pin._replace(used=now))
            return root._replace(new=True)
        # not older than its primary, whatever the clocks of two gateways say
        created = max(now, root.pin.created)
        fresh = Pin(
            self._names.scope, profile, "", root.primary, created, now, self._until(profile, now)
        )
        held = await self.put(key, fresh, now)
        if held is None or not held.new:
            return held
        self._events["aliased"] += 1
        return Held(root.pin, root.primary, new=True)

    async def close(self, key: bytes, pin: Pin, how: int, now: float) -> int:
        """End what is under `key`; how many pins that were: one, or none if somebody was first."""
        keep = self._lifetime.keep_ended
        if pin.ended == SESSION_ENDED:
            return 0
        if keep or (how == NAME_ENDED and not pin.alias):
            until = min(pin.until or inf, now + keep)
            closed = pin._replace(used=now, until=until, ended=how)
            done = await self._store.rebind(key, pin, closed)
        else:
            done = await self._store.unbind(key, pin)
        self._events["ended"] += done
        return int(done)


def dead_alias(alias: Pin, primary: Pin) -> bool:
    """Whether what an alias points to is not the pin it was made for: another alias, or one
    bound anew since (a move keeps `created`)."""
    return bool(primary.alias) or primary.created > alias.created


def _anew(over: Pin, fresh: Pin, now: float) -> Pin:
    """What takes the place of a pin whose name is over: the same session, if only its name was
    and its backend uses it again; else a new one, later than any alias of the old."""
    if over.ended != SESSION_ENDED and over.backend and over.backend == fresh.backend:
        return over._replace(used=now, until=fresh.until, ended=LIVE)
    return fresh._replace(created=max(fresh.created, nextafter(now, inf)))
