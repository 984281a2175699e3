"""Pins: remembered ids and the backend each belongs to; and the contract every store keeps.

A pin is looked up by a *key*, never by the id: ids are credentials, so an id is hashed, with a
secret of the installation, the moment it leaves the message, and nothing behind this file ever
sees one in clear. A pin names its backend by name, never by index, so that a pool may change
its order. A pin that is an *alias* names the key of another pin instead: several ids, one session.

A pin may have a bound of its own (`until`): the protocol said when the id expires, or the session
has *ended* and its pin stays for what still trails behind. A name that is over leads nowhere; the
pin under it may still be the primary that other ids of the session point to, and then lives on for
them alone. Two flags instead of one moment would have needed a second pin for that.

The store holds and orders pins; it knows no services, no time-outs and no clock. What a pin's
age means is the rule of `Lifetime`, here; when to look is `soapgate.core.affinity`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

KEY_BYTES = 16  # BLAKE2b-128: a collision among a million pins has a chance of 10**-27

# What has ended of a pin: nothing; this name only; the session, and so every alias with it.
LIVE, NAME_ENDED, SESSION_ENDED = 0, 1, 2


class _Fields(NamedTuple):
    service: str
    profile: str
    backend: str
    alias: bytes
    created: float
    used: float
    until: float = 0.0
    ended: int = LIVE


class Pin(_Fields):
    """One remembered id of `service` (its scope), found by `profile`.

    Exactly one of `backend` (its name) and `alias` (the key of the primary pin) is set.
    `created`, `used` and `until` are seconds since the epoch; `until` 0 is no bound of its own.
    What has `ended` (one of LIVE, NAME_ENDED, SESSION_ENDED) has an `until`. A tuple, because one
    is made for every lookup and a frozen dataclass costs four times as much.
    """

    __slots__ = ()

    def __new__(
        cls,
        service: str,
        profile: str,
        backend: str,
        alias: bytes,
        created: float,
        used: float,
        until: float = 0.0,
        ended: int = LIVE,
    ) -> Pin:
        """ValueError for a pin that has both a backend and an alias, or neither, or that has ended
        without a bound. What a store has checked on its way in it may make anew with `_make`,
        unchecked."""
        if bool(backend) == bool(alias):
            raise ValueError("a pin has a backend or is an alias, not both and not neither")
        if ended and not until:
            raise ValueError("a pin that has ended has an until")
        return super().__new__(cls, service, profile, backend, alias, created, used, until, ended)

    def same(self, other: Pin) -> bool:
        """Whether both are one binding of one session: a touch or a new bound may lie between
        them; a rebind, or the end of the session, may not."""
        return (
            self.backend == other.backend
            and self.alias == other.alias
            and self.created == other.created
            and (self.ended == SESSION_ENDED) == (other.ended == SESSION_ENDED)
        )


class PinStore(Protocol):
    """Where pins are kept. Methods are coroutines; a store that knows the answer at once never
    suspends. Every method may raise `StoreError`. A key is `KEY_BYTES` long.

    `secret` is for `Keys`: shared by all users of a shared store. `notes` are sentences for the
    operator about what was found at the opening. `evicted` and `refused` count what this process
    did when the store was full.
    """

    secret: bytes
    notes: tuple[str, ...]
    evicted: int
    refused: int

    async def lookup(self, key: bytes) -> Pin | None:
        """The pin under `key`, expired or not."""

    def glance(self, key: bytes) -> Pin | None:
        """The pin under `key` if that is known without asking anybody and true as `lookup` is;
        None: only `lookup` can tell."""

    async def bind(self, key: bytes, pin: Pin) -> Pin:
        """Put if absent, in one step for all users of the store; return the pin that is there
        afterwards: `pin`, or the earlier one that won. A store at its cap evicts the least
        recently used pin or, told so, raises `StoreFull`."""

    async def rebind(self, key: bytes, old: Pin, new: Pin) -> bool:
        """Replace the pin if it is still the `same` as `old`; say whether it was. `created` is
        part of that: when two users find one expired pin, the first to rebind it wins, even if
        it names the old backend again."""

    async def touch(self, key: bytes, used: float) -> None:
        """Note a use; a key that is gone stays gone."""

    async def unbind(self, key: bytes, old: Pin | None = None) -> bool:
        """Forget; say whether there was anything to forget. With `old`, only if the pin is still
        the `same`: whoever drops an expired pin must not drop the one bound anew meanwhile."""

    async def scan(
        self, cursor: bytes | None, limit: int
    ) -> tuple[list[tuple[bytes, Pin]], bytes | None]:
        """Up to `limit` pins in key order after `cursor` (None: from the start), and the cursor
        to go on with, None at the end. A pin that stays throughout a full scan is seen once."""

    async def count(self) -> int:
        """How many pins are held, aliases included."""

    def sync(self) -> None:
        """Make what was bound so far survive a crash of the operating system, where it can."""

    def close(self) -> None:
        """Sync and let go; the store is not used afterwards."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a pin of a service lives: `idle` since its last use, `max_age` since it was
    bound, `keep_ended` after its end, in seconds."""

    idle: float
    max_age: float
    keep_ended: float = 0.0

    def expired(self, pin: Pin, now: float) -> bool:
        """Whether the pin counts for nobody any more at `now`."""
        return (
            now - pin.used > self.idle
            or now - pin.created > self.max_age
            or (pin.ended == SESSION_ENDED and pin.until <= now)
        )

    def over(self, pin: Pin, now: float) -> bool:
        """Whether the id under which the pin stands leads nowhere any more at `now`. A primary
        that is over and not expired is still there for its aliases."""
        return (
            now - pin.used > self.idle or now - pin.created > self.max_age or 0 < pin.until <= now
        )

    def stale(self, pin: Pin, now: float) -> bool:
        """Whether a use at `now` is worth writing down: an eighth of `idle` has passed since
        the last one that was, so a busy session costs eight writes an idle time, not one a
        request, and lives at most an eighth shorter than it might."""
        return now - pin.used >= self.noted

    @property
    def noted(self) -> float:
        """Seconds between two uses that are written down."""
        return self.idle / 8
