"""Pins in one process's memory: for tests, for trying things out, and where a restart may forget.

The one rule: it keeps the contract of `PinStore` to the letter, so that whatever is tested over
it holds over the others. It knows no clock: the order of use is the order of the calls, which is
the order of the times as long as the caller's clock does not step back.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import OrderedDict
from typing import Literal

from soapgate.core.errors import StoreFull
from soapgate.core.pins import Pin

WhenFull = Literal["evict", "refuse"]
MAX_PINS = 1_000_000
SECRET_BYTES = 32


class MemoryStore:
    """A `PinStore` in an ordered dict, the least recently used pin first.

    `secret` is made up at random unless given: pins and keys die together with the process.
    """

    def __init__(
        self, max_pins: int = MAX_PINS, when_full: WhenFull = "evict", *, secret: bytes = b""
    ) -> None:
        if max_pins < 1:
            raise ValueError(f"max_pins is {max_pins}, it must be at least 1")
        self.secret = secret or os.urandom(SECRET_BYTES)
        self.notes: tuple[str, ...] = ()
        self.evicted = 0
        self.refused = 0
        self._max_pins = max_pins
        self._when_full = when_full
        self._pins: OrderedDict[bytes, Pin] = OrderedDict()
        self._sorted: list[bytes] = []  # the keys of the scan under way, as it found them

    def __repr__(self) -> str:
        return f"<MemoryStore {len(self._pins)} of {self._max_pins} pins, {self._when_full}>"

    async def lookup(self, key: bytes) -> Pin | None:
        return self._pins.get(key)

    def glance(self, key: bytes) -> Pin | None:
        return self._pins.get(key)

    async def bind(self, key: bytes, pin: Pin) -> Pin:
        earlier = self._pins.get(key)
        if earlier is not None:
            return earlier
        if len(self._pins) >= self._max_pins:
            self._make_room()
        self._pins[key] = pin
        return pin

    def _make_room(self) -> None:
        if self._when_full == "refuse":
            self.refused += 1
            raise StoreFull(f"the store holds its {self._max_pins} pins")
        self._pins.popitem(last=False)
        self.evicted += 1

    async def rebind(self, key: bytes, old: Pin, new: Pin) -> bool:
        held = self._pins.get(key)
        if held is None or not held.same(old):
            return False
        self._pins[key] = new
        self._pins.move_to_end(key)
        return True

    async def touch(self, key: bytes, used: float) -> None:
        held = self._pins.get(key)
        if held is not None:
            self._pins[key] = held._replace(used=used)
            self._pins.move_to_end(key)

    async def unbind(self, key: bytes, old: Pin | None = None) -> bool:
        held = self._pins.get(key)
        if held is None or (old is not None and not held.same(old)):
            return False
        del self._pins[key]
        return True

    async def scan(
        self, cursor: bytes | None, limit: int
    ) -> tuple[list[tuple[bytes, Pin]], bytes | None]:
        # sorted once a walk: a pin bound after its start may be missed, one that stays is not
        if cursor is None or not self._sorted:
            self._sorted = sorted(self._pins)
        start = 0 if cursor is None else bisect_right(self._sorted, cursor)
        keys = self._sorted[start : start + limit]
        more = start + limit < len(self._sorted)
        if not more:
            self._sorted = []
        batch = [(key, self._pins[key]) for key in keys if key in self._pins]
        return batch, keys[-1] if more else None

    async def count(self) -> int:
        return len(self._pins)

    def sync(self) -> None:
        """Nothing here outlives the process."""

    def close(self) -> None:
        self._pins.clear()
        self._sorted = []
