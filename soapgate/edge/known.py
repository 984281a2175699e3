"""Heads already read: a SOAP client repeats its head, so parse each distinct one once.

The argument that makes it sound: two heads that are equal byte for byte, but for the digits of one
Content-Length line, are equal in everything that reading them yields, but for that number. So the
head without those digits is the key, and the digits are put back where they stood. Anything else
that differs (a cookie, a SOAPAction) is another key. A full table starts afresh: a
client that varies its heads on purpose wins nothing but the ordinary parse. The heads stay in
this process's memory only; they may hold credentials, so nothing ever lists them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from soapgate.edge.framing import EMPTY, Length

ENTRIES = 1024
# A head this long is rarely repeated and never cheap to keep.
ENTRY_BYTES = 4 * 1024

# One table holds one kind. No type variable: a generic class could not be compiled to a C type.
AnyHead: TypeAlias = Any

_MARK = b"\r\nContent-Length: "
_MARK_BYTES = len(_MARK)


class _Known:
    """One head as it came last: with these digits, which stand between these forward lines."""

    __slots__ = ("before", "behind", "digits", "head")

    def __init__(self, head: AnyHead, digits: bytes, before: bytes, behind: bytes) -> None:
        self.head = head
        self.digits = digits
        self.before = before
        self.behind = behind


class KnownHeads:
    """A bounded memory in front of `parse`, which must depend on nothing but the bytes."""

    def __init__(self, parse: Callable[[bytes], AnyHead], entries: int = ENTRIES) -> None:
        self.end = 0  # of the head that was taken last
        self._parse = parse
        self._entries = entries
        self._known: dict[bytes, _Known] = {}  # by the head without digits

    def take(self, data: bytes) -> AnyHead | None:
        """The head that `data` begins with, if it was read before; `end` says where it ends."""
        end = data.find(b"\r\n\r\n") + 4
        mark = data.find(_MARK, 0, end)
        if mark < 0:
            key, digits = data[:end], b""
        else:
            start = mark + _MARK_BYTES
            stop = data.find(b"\r", start)
            digits = data[start:stop]
            key = data[:start] + data[stop:end]
        known = self._known.get(key)
        if known is None:
            return None
        if known.digits != digits:
            if not digits.isdigit() or len(digits) > 18:
                return None
            forward = known.before + digits + known.behind
            known.head = known.head.resized(int(digits), forward)
            known.digits = digits
        self.end = end
        return known.head

    def read(self, raw: bytes) -> AnyHead:
        """What `parse(raw)` returns or raises."""
        head = self.take(raw)
        return head if head is not None else self.learn(raw)

    def learn(self, raw: bytes) -> AnyHead:
        """As `read`, of a head that `take` did not know."""
        head = self._parse(raw)
        if len(raw) <= ENTRY_BYTES:
            self._remember(raw, head)
        return head

    def _remember(self, raw: bytes, head: AnyHead) -> None:
        key, digits = raw, b""
        mark = raw.find(_MARK)
        if mark >= 0:
            start = mark + _MARK_BYTES
            stop = raw.find(b"\r", start)
            key, digits = raw[:start] + raw[stop:], raw[start:stop]
            if not digits.isdigit() or len(digits) > 18:
                return
        before = behind = b""
        if digits:
            # a response to HEAD, a 204 and a 304 have a length that frames nothing: EMPTY itself
            if head.framing is EMPTY or head.framing != Length(int(digits)):
                return
            start = head.forward.index(_MARK) + len(_MARK)
            before, behind = head.forward[:start], head.forward[start + len(digits) :]
        if len(self._known) >= self._entries:
            self._known.clear()
        self._known[key] = _Known(head, digits, before, behind)
