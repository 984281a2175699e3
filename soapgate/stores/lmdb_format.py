"""How a pin is written in an LMDB file: 21 bytes, 37 for an alias; 8 more with a bound of its own.

    value   kind (1), label (4), created (8), used (8), until (8, not in kind 1),
            alias (16, an alias only)
    kind    1 = no bound, 2 = a bound, 3 = the name has ended, 4 = the session has ended
    label   a number for a (service, profile, backend) triple; the table of labels lies beside
    order   used (8), key (16): sorts by use, since positive doubles sort like their bytes

Numbers are big-endian; times are doubles, so a pin reads back exactly as it was bound. There are
as many labels as services times profiles times backends, so a table in memory serves; it is
filled from the file when a number turns up that another process has given out. A label is never
given up: four bytes outlast any number of backends that come and go. Names spelled out in every
pin would double its size; msgpack or JSON would too, and read slower.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import lmdb

from soapgate.core.errors import StoreError
from soapgate.core.pins import KEY_BYTES, LIVE, Pin

KINDS = (2, 3, 4)  # by what has ended of a pin that has a bound; without one it is of kind 1
UNBOUNDED = 1
FORMAT = b"soapgate pins 3"  # under FORMAT_KEY in the table of labels
# Of what these wrote nothing has to be changed; but 1 knew kind 1 only, and neither sets marks.
OLDER = (b"soapgate pins 1", b"soapgate pins 2")
FORMAT_KEY = b"\0\0\0\0"  # label 0 is never given out

Triple = tuple[str, str, str]

_new: Any = tuple.__new__  # what was checked on its way in is not checked again

_VALUE = struct.Struct(">BIdd")
_BOUNDED = struct.Struct(">BIddd")
_ORDER = struct.Struct(">d16s")
_USED_AT = 13  # where `used` starts in a value
_LABEL = struct.Struct(">I")

PRIMARY_BYTES = _VALUE.size
ALIAS_BYTES = _VALUE.size + KEY_BYTES
BOUND_BYTES = _BOUNDED.size - _VALUE.size  # what a bound adds to either


def order(used: float, key: bytes) -> bytes:
    """The key of a pin in the order of use."""
    return _ORDER.pack(used, key)


def ordered_key(entry: bytes) -> bytes:
    """The pin's key in an entry of the order."""
    return entry[8:]


def used_of(value: bytes) -> float:
    """When the pin in `value` was used last."""
    used: float = _VALUE.unpack_from(value)[3]
    return used


def with_used(value: bytes, used: float) -> bytes:
    """The same pin, used at `used`."""
    return b"%b%b%b" % (value[:_USED_AT], struct.pack(">d", used), value[_VALUE.size :])


def spell(triple: Triple) -> bytes:
    """A triple as the table of labels holds it."""
    return json.dumps(triple).encode()


class Labels:
    """The table of labels: triple <-> number, read from `db` as far as it has been needed.

    One process writes at a time (LMDB's rule), so the next free number is the last one plus one.
    """

    def __init__(self, db: Any) -> None:
        self._db = db
        self._numbers: dict[Triple, int] = {}
        self._triples: dict[int, Triple] = {}
        self._last = 0

    def read(self, txn: lmdb.Transaction[bytes]) -> None:
        """Take in what others have added since."""
        cursor = txn.cursor(self._db)
        found = cursor.set_range(_LABEL.pack(self._last + 1))
        while found:
            number: int = _LABEL.unpack(cursor.key())[0]
            service, profile, backend = json.loads(cursor.value())
            self._know((service, profile, backend), number)
            found = cursor.next()

    def forget(self) -> None:
        """Start over from the file: a transaction that gave out a number came to nothing."""
        self._numbers.clear()
        self._triples.clear()
        self._last = 0

    def _know(self, triple: Triple, number: int) -> None:
        self._numbers[triple] = number
        self._triples[number] = triple
        self._last = number

    def number(self, txn: lmdb.Transaction[bytes], triple: Triple) -> int:
        """The number of a triple, given out in the write transaction `txn` if it has none."""
        number = self._numbers.get(triple)
        if number is None:
            self.read(txn)
            number = self._numbers.get(triple)
        if number is None:
            number = self._last + 1
            txn.put(_LABEL.pack(number), spell(triple), db=self._db)
            self._know(triple, number)
        return number

    def encode(self, txn: lmdb.Transaction[bytes], pin: Pin) -> bytes:
        """The value of a pin."""
        number = self.number(txn, (pin.service, pin.profile, pin.backend))
        if not pin.until:
            return _VALUE.pack(UNBOUNDED, number, pin.created, pin.used) + pin.alias
        kind = KINDS[pin.ended]
        return _BOUNDED.pack(kind, number, pin.created, pin.used, pin.until) + pin.alias

    def decode(self, value: bytes) -> Pin | None:
        """The pin of a value; None if its label is not known here (yet): `read`, then try again.

        Raises StoreError for a value that no version of this file has written."""
        size = len(value)
        if size in (PRIMARY_BYTES, ALIAS_BYTES) and value[0] == UNBOUNDED:
            _, number, created, used = _VALUE.unpack_from(value)
            until, ended, rest = 0.0, LIVE, PRIMARY_BYTES
        elif size - BOUND_BYTES in (PRIMARY_BYTES, ALIAS_BYTES) and value[0] in KINDS:
            kind, number, created, used, until = _BOUNDED.unpack_from(value)
            ended, rest = KINDS.index(kind), PRIMARY_BYTES + BOUND_BYTES
        else:
            raise StoreError(f"a pin of {size} bytes that starts with {value[:1].hex()!r}")
        triple = self._triples.get(number)
        if triple is None:
            return None
        service, profile, backend = triple
        pin: Pin = _new(Pin, (service, profile, backend, value[rest:], created, used, until, ended))
        return pin

    def decode_in(self, txn: lmdb.Transaction[bytes], value: bytes) -> Pin:
        """The pin of a value that `txn` sees, and so sees the label of. Raises StoreError."""
        pin = self.decode(value)
        if pin is None:
            self.read(txn)
            pin = self.decode(value)
        if pin is None:
            raise StoreError("a pin whose label is not in the table of labels")
        return pin
