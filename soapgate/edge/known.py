"""Heads already read: a SOAP client repeats its head, so parse each distinct one once.

The argument that makes it sound: two heads that are equal byte for byte, but for the digits of one
Content-Length line, are equal in everything that reading them yields, but for that number. So the
head without those digits is the key, and the digits are put back where they stood. Anything else
that differs (a cookie, a SOAPAction) is another key; heads that vary in what nobody reads are for
`soapgate.edge.loose`. The table is bounded: a client that varies its heads on purpose wins nothing
but the ordinary parse. The heads stay in this process's memory only; they may hold credentials, so
nothing ever lists them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from soapgate.core.octets import stands
from soapgate.core.room import Room
from soapgate.edge.framing import EMPTY, Length

ENTRIES = 4096  # of clients with a cookie each has one: 3.5 KB each
# A head this long is rarely repeated and never cheap to keep.
ENTRY_BYTES = 4 * 1024

# One table holds one kind. No type variable: a generic class could not be compiled to a C type.
AnyHead: TypeAlias = Any

_MARK = b"\r\nContent-Length: "
DIGITS = 18  # of a length; more would not fit 64 bits


class Known:
    """One head as it came last: `_first`, and behind it `_tail`, the digits of its length and what
    follows them; one without a length is all `_first`.

    `size`: octets of the body that it announces, -1 where the framing is another one. `forward`:
    the lines that travel on; `as_came`: those are the lines that came. What follows from the head
    alone whoever reads it may keep here: `course` of a request, and of a response whether it is
    `calm` and `readable` to `watch` (see `soapgate.edge.fastpath`).
    """

    __slots__ = (
        "_before", "_behind", "_first", "_head", "_of", "_rest", "_tail", "as_came", "calm",
        "course", "digits", "forward", "readable", "size", "watch",
    )  # fmt: skip

    def __init__(
        self, head: AnyHead, digits: bytes, wire: tuple[bytes, bytes], forward: tuple[bytes, bytes]
    ) -> None:
        self._head = head
        self._first, self._rest = wire
        self._before, self._behind = forward
        self._tail = digits + self._rest
        self._of = digits  # of `_head`
        self.digits = digits
        self.forward: bytes = head.forward
        self.as_came = self.forward + b"\r\n" == self._first + self._tail
        self.size = head.framing.size if type(head.framing) is Length else -1
        self.course: Any = None
        self.watch: Any = None
        self.calm = self.readable = False

    def fit(self, data: bytes) -> int:
        """Where the head ends if `data` begins with it, and 0 if it does not."""
        if not stands(data, self._first, 0):
            return 0
        at = len(self._first)
        if stands(data, self._tail, at):
            return at + len(self._tail)
        return self._resize(data, at) if self._rest else 0

    def _resize(self, data: bytes, start: int) -> int:
        stop = data.find(b"\r", start, start + DIGITS + 1)
        if stop < 0 or not data.startswith(self._rest, stop):
            return 0
        digits = data[start:stop]
        if not digits.isdigit():
            return 0
        self.digits = digits
        self.size = int(digits)
        self.forward = self._before + digits + self._behind
        self._tail = digits + self._rest
        return stop + len(self._rest)

    def head(self, digits: bytes) -> AnyHead:
        """The head with this length, which stood in it once."""
        if digits != self._of:
            forward = self._before + digits + self._behind
            self._head = self._head.resized(int(digits), forward)
            self._of = digits
        return self._head

    def exact(self, data: bytes, end: int, digits: bytes) -> AnyHead:
        """The head that `data` begins with and that ends at `end`, where it was found."""
        return self.head(digits)


class KnownHeads:
    """A bounded memory in front of `parse`, which must depend on nothing but the bytes. `loose`
    knows heads that are not the same (`soapgate.edge.loose.LooseHeads`)."""

    def __init__(
        self, parse: Callable[[bytes], AnyHead], entries: int = ENTRIES, loose: Any = None
    ) -> None:
        self.end = 0  # of the head that was found last
        self._parse = parse
        self._loose = loose
        self._known: dict[bytes, Known] = {}  # by the head without digits
        self._room = Room(entries, self._known.clear)
        self._latest: Known | None = None  # most often the next is like it

    def find(self, data: bytes) -> Known | None:
        """What is known of the head that `data` begins with; `end` says where it ends."""
        known = self._latest
        end = known.fit(data) if known is not None else 0
        if not end:
            known = self._known.get(_key(data, data.find(b"\r\n\r\n") + 4)[0])
            end = known.fit(data) if known is not None else 0
            if not end and self._loose is not None:
                known = self._loose.find(data)
                end = self._loose.end if known is not None else 0
            if not end:
                return None
            self._latest = known
        self.end = end
        return known

    def take(self, data: bytes) -> AnyHead | None:
        """The head that `data` begins with, if it was read before."""
        known = self.find(data)
        return known.exact(data, self.end, known.digits) if known is not None else None

    def read(self, raw: bytes) -> AnyHead:
        """What `parse(raw)` returns or raises."""
        head = self.take(raw)
        return head if head is not None else self.learn(raw)

    def learn(self, raw: bytes) -> AnyHead:
        """As `read`, of a head that `take` did not know."""
        head = self._parse(raw)
        if len(raw) <= ENTRY_BYTES:
            self._remember(raw, head)
            if self._loose is not None:
                self._loose.learn(raw, head)
        return head

    def _remember(self, raw: bytes, head: AnyHead) -> None:
        key, start, stop = _key(raw, len(raw))
        digits = raw[start:stop]
        wire, forward = (raw, b""), (b"", b"")
        if start:
            if not digits.isdigit() or len(digits) > DIGITS:
                return
            # a response to HEAD, a 204 and a 304 have a length that frames nothing: EMPTY itself
            if head.framing is EMPTY or head.framing != Length(int(digits)):
                return
            wire = raw[:start], raw[stop:]
            begin = head.forward.index(_MARK) + len(_MARK)
            forward = head.forward[:begin], head.forward[begin + len(digits) :]
        if key in self._known or self._room.takes():
            self._known[key] = Known(head, digits, wire, forward)


def _key(data: bytes, end: int) -> tuple[bytes, int, int]:
    """(the head that ends at `end`, without the digits of its length; from where to where these
    stand, 0 and 0 if there is no length)."""
    mark = data.find(_MARK, 0, end)
    if mark < 0:
        return data[:end], 0, 0
    start = mark + len(_MARK)
    stop = data.find(b"\r", start)
    return data[:start] + data[stop:end], start, stop
