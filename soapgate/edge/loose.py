"""Heads that differ in what nobody here reads: a trace, a request's number, a date.

Whoever stands before the gateway often gives every request a head of its own (W3C Trace Context,
X-Request-ID), and many a backend its replies. A *loose* head is what two such heads have in common,
with holes for the values of those fields in which they differ, and for the digits of the length.

The argument that makes it sound. Two heads are loosened if they have the same first line and, line
by line, the same field names as they are written, and the same values but in fields that are not
`read`: no code of ours asks for their values, nor does a profile. So all that follows from the
one, but for those values and the length, follows from the other. What a hole may hold is printable
ASCII, which neither ends a line nor is refused in one (RFC 9110 5.5). What travels on is not
guessed: the head is parsed once more with a mark in every hole, and where the marks come out is
where the values go. Whoever needs the values has the head parsed (`exact`).

A test (tests/edge/test_loose.py) looks through the sources for fields that are asked for by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any

from soapgate.core.markup import MARK, MARKED, Hole, Mould, Unfit, marked
from soapgate.core.octets import table
from soapgate.edge.framing import EMPTY, Length
from soapgate.edge.known import DIGITS, ENTRIES, ENTRY_BYTES, AnyHead, Known, KnownHeads

LOOSE = 16  # tried for a head that is not known: kinds of clients, times operations
SKELETONS = 256  # heads that others are compared with

# Fields whose values decide something, or are changed on their way.
READ = frozenset(
    (
        *(b"accept", b"accept-encoding", b"connection", b"cookie", b"expect", b"host"),
        *(b"keep-alive", b"location", b"set-cookie", b"signature-input", b"soapaction", b"te"),
        *(b"trailer", b"transfer-encoding", b"upgrade", b"x-forwarded-host", b"x-forwarded-proto"),
    )
)
READ_FAMILIES = (b"content-", b"proxy-", b"x-soapgate-")

_LINE = re.compile(rb"([^\s:]+)(:[ \t]*)([\x20-\x7e]*)", re.DOTALL)
_LENGTH = b"content-length"
_VALUE = table(bytes(range(0x20, 0x7F)))
_NUMBER = table(b"0123456789")
_MARKED_LENGTH = b"909090909090909090"  # a length has to be a number


class Loose(Known):
    """A head with holes, as it came last. `head` is one like it: alike in all that is read."""

    __slots__ = ("_length", "_most", "_mould", "_parse", "_pieces", "_values")

    def __init__(
        self,
        parse: Callable[[bytes], AnyHead],
        head: AnyHead,
        segments: list[bytes | Hole],
        length: int,
        most: int,
    ) -> None:
        """`head`: parsed, of the values that `segments` have; `length`: the number of the hole
        that has the Content-Length, 0 for none; `most`: octets of a head. Raises Unfit."""
        self._parse = parse
        self._most = most
        self._length = length
        self._mould = Mould(segments, range(1, len(segments), 2))
        holes = list(segments)
        if length:
            holes[length] = _MARKED_LENGTH
        raw = marked(holes)
        forward = parse(raw).forward
        self._pieces = _pieces(forward, length)
        self._values: tuple[bytes, ...] = ()
        digits = segments[length].value if length else b""  # type: ignore[union-attr]
        super().__init__(head, digits, (b"", b""), (b"", b""))
        self.as_came = forward + b"\r\n" == raw

    def fit(self, data: bytes) -> int:
        """Where the head ends if `data` begins with one like it, and 0 if it does not."""
        end = self._mould.fit(data, 0)
        if end < 0 or end > self._most:
            return 0
        values = self._mould.values()
        if values == self._values:
            return end  # as it came last: a reply of the same second
        if self._length:
            digits = values[self._length // 2]
            if len(digits) > DIGITS:
                return 0
            self.digits = digits
            self.size = int(digits)
        if self.as_came:
            raw = data  # octets to compiled code, which cuts them without a slice object
            self.forward = raw[: end - 2]
        else:
            self.forward = self._filled(values)
        self._values = values
        return end

    def _filled(self, values: tuple[bytes, ...]) -> bytes:
        parts = []
        for number, part in enumerate(self._pieces):
            parts.append(values[part // 2] if number % 2 else part)
        return b"".join(parts)

    def head(self, digits: bytes) -> AnyHead:
        """One that is alike in all that is read."""
        return self._head

    def exact(self, data: bytes, end: int, digits: bytes) -> AnyHead:
        """The head itself, which ends at `end`. What follows from it alone is what follows from
        one like it."""
        head = self._parse(data[:end])
        head.notes = self._head.notes
        return head


def _pieces(forward: bytes, length: int) -> list[Any]:
    """What stays, and the number of a hole, in turn."""
    if length:
        forward = forward.replace(_MARKED_LENGTH, MARK % length)
    pieces: list[Any] = MARKED.split(forward)
    pieces[1::2] = map(int, pieces[1::2])
    if len(set(pieces[1::2])) < len(pieces[1::2]):
        raise Unfit
    return pieces


class LooseHeads:
    """The loose heads of one kind, which `parse` reads. `reads`: lower-case names of fields whose
    values decide something beside `READ`; `most`: octets of a head."""

    def __init__(
        self, parse: Callable[[bytes], AnyHead], most: int, reads: Collection[bytes] = ()
    ) -> None:
        self.end = 0  # of the head that was found last
        self._parse = parse
        self._reads = READ.union(reads)
        self._most = min(most, ENTRY_BYTES)
        self._loose: list[Loose] = []
        # by what heads have in common: the lines of one, the numbers of those that varied
        self._seen: dict[tuple[bytes, ...], tuple[list[bytes], set[int]]] = {}

    def find(self, data: bytes) -> Loose | None:
        """The one that `data` begins with; `end` says where its head ends."""
        for one in self._loose:
            end = one.fit(data)
            if end:
                self.end = end
                return one
        return None

    def learn(self, raw: bytes, head: AnyHead) -> None:
        """Hear of a head that was not known; `head` is what `parse` made of it."""
        lines = raw.split(b"\r\n")
        key = (lines[0], *map(self._skeleton, lines[1:]))
        before, varied = self._seen.get(key, (lines, set()))
        others = {at for at, line in enumerate(lines) if line != before[at]}
        if key not in self._seen and len(self._seen) >= SKELETONS:
            self._seen.clear()
        self._seen[key] = lines, varied | others
        if others <= varied:
            return  # the first of its kind, or it has a value that no hole may have
        segments, length = _holes(lines, varied | others)
        if length and (head.framing is EMPTY or type(head.framing) is not Length):
            return  # it measures nothing: a reply to HEAD, a 204, a 304
        try:
            one = Loose(self._parse, head, segments, length, self._most)
        except Unfit:
            return
        if one.fit(raw) == len(raw) and one.forward == head.forward:
            del self._loose[LOOSE - 1 :]
            self._loose.insert(0, one)

    def _skeleton(self, line: bytes) -> bytes:
        """What of a line may not vary."""
        found = _LINE.fullmatch(line)
        if found is None:
            return line
        name, colon, _ = found.groups()
        low = name.lower()
        free = low == _LENGTH or not (low in self._reads or low.startswith(READ_FAMILIES))
        return name + colon if free else line


def known_heads(
    parse: Callable[[bytes], AnyHead],
    most: int,
    entries: int = ENTRIES,
    reads: Collection[bytes] = (),
) -> KnownHeads:
    """A memory of heads of at most `most` octets, as they came and loose ones."""
    return KnownHeads(parse, entries, LooseHeads(parse, most, reads))


def _holes(lines: list[bytes], varied: Collection[int]) -> tuple[list[bytes | Hole], int]:
    """A head as literals and holes in turn, and the number of the hole that has its length."""
    segments: list[bytes | Hole] = []
    literal = lines[0] + b"\r\n"
    length = 0
    for at, line in enumerate(lines[1:], 1):
        found = _LINE.fullmatch(line)
        measures = found is not None and found[1].lower() == _LENGTH
        if found is not None and (at in varied or measures):
            segments += [literal + found[1] + found[2], Hole(_VALUE, found[3])]
            if measures:
                length = len(segments) - 1
                segments[-1] = Hole(_NUMBER, found[3])
            literal = b""
        else:
            literal += line
        literal += b"\r\n" if at < len(lines) - 1 else b""
    return [*segments, literal], length
