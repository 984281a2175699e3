"""A look at one pin in an LMDB file: what every request of a running session asks of the store.

The file is asked every time, for another process may have written to it; only what its bytes mean
is remembered. A value holds label and times, so equal bytes are equal pins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lmdb

from soapgate.core.pins import Pin
from soapgate.core.room import Room

REMEMBERED = 4096  # pins that are not decoded anew: some 400 bytes each


class Glance:
    """Looks at the pins of one file. `mend(error)` does what lets a failed look be tried again, or
    raises StoreError; `decode` makes a pin of a value."""

    __slots__ = ("_begin", "_decode", "_mend", "_pins", "_room", "_table")

    def __init__(
        self,
        env: Any,
        table: Any,
        decode: Callable[[bytes], Pin],
        mend: Callable[[lmdb.Error], None],
    ) -> None:
        self._begin = env.begin
        self._table = table
        self._decode = decode
        self._mend = mend
        self._pins: dict[bytes, Pin] = {}
        self._room = Room(REMEMBERED, self._pins.clear)

    def __call__(self, key: bytes) -> Pin | None:
        """The pin under `key`; None if there is none."""
        while True:
            try:
                txn = self._begin(self._table)
                value: bytes | None = txn.get(key)
                txn.abort()
                break
            except lmdb.Error as error:
                self._mend(error)
        if value is None:
            return None
        pin = self._pins.get(value)
        if pin is None:
            pin = self._decode(value)
            if self._room.takes():
                self._pins[value] = pin
        return pin
