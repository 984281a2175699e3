"""A look at one pin in an LMDB file: what every request of a running session asks of the store.

Another process may have written to the file, so LMDB is asked every time, unless the mark of the
key says that nobody has written since the pin was read (`soapgate.stores.lmdb_marks`). To ask LMDB
costs more than anything else that is done for a request whose session is known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lmdb

from soapgate.core.pins import Pin
from soapgate.core.room import Room
from soapgate.stores.lmdb_marks import Marks

REMEMBERED = 4096  # pins that need not be read anew: some 300 bytes each


class _Seen:
    """A pin, and up to which write transaction all were seen when it was read."""

    __slots__ = ("at", "pin")

    at: int
    pin: Pin


class Glance:
    """Looks at the pins of one file. `mend(error)` does what lets a failed look be tried again, or
    raises StoreError; `decode` makes a pin of a value."""

    __slots__ = ("_begin", "_decode", "_marks", "_mend", "_room", "_seen", "_table")

    def __init__(
        self,
        env: Any,
        table: Any,
        marks: Marks,
        decode: Callable[[bytes], Pin],
        mend: Callable[[lmdb.Error], None],
    ) -> None:
        self._begin = env.begin
        self._table = table
        self._marks = marks.numbers
        self._decode = decode
        self._mend = mend
        self._seen: dict[bytes, _Seen] = {}
        self._room = Room(REMEMBERED, self._seen.clear)

    def look(self, key: bytes) -> Pin | None:
        """The pin under `key`; None if there is none."""
        seen = self._seen.get(key)
        if seen is not None and self._marks[key[0] << 8 | key[1]] <= seen.at:
            return seen.pin
        while True:
            try:
                txn = self._begin(self._table)
                at = txn.id()
                value: bytes | None = txn.get(key)
                txn.abort()
                break
            except lmdb.Error as error:
                self._mend(error)
        if value is None:
            self._seen.pop(key, None)
            return None
        pin = self._decode(value)
        if seen is None and self._room.takes():
            self._seen[key] = seen = _Seen.__new__(_Seen)
        if seen is not None:
            seen.at, seen.pin = at, pin
        return pin
