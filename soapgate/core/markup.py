"""Markup: the beginning of a message as literals and holes, and whether another fits the mould.

A *hole* is a text or an attribute value that may be another one next time; every other byte, from
the declaration to the end of the Body's start tag or of its first child, is a literal. What a hole
may hold is ASCII that cannot begin or end anything in XML 1.0: no `<`, `&` or `]`, in an attribute
not its quote and no white space but blanks. So behind a hole stands the byte that ends it, `<` or
the quote, which no hole may hold: where a hole ends is found, not guessed, and to compare takes one
pass.

It knows bytes only; what may be a hole, and what follows from a fit, is `soapgate.core.shapes`'s.
A regular expression of the same was used before: twice as slow, and compiled for each mould.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import NamedTuple

from soapgate.core.octets import run, stands, table

PREFIX_BYTES = 16 * 1024  # a longer prefix makes no mould
HOLE_BYTES = 64 * 1024  # what is as long fits none

MARK = b"soapgate-hole-%d-"  # what `marked` puts into a hole, by the number of its segment
MARKED = re.compile(rb"soapgate-hole-(\d+)-")

_NAME = rb"[A-Za-z_][A-Za-z0-9._-]*(?::[A-Za-z_][A-Za-z0-9._-]*)?"
_START = re.compile(rb"<(%b)((?:\s+%b\s*=\s*(?:\"[^\"<]*\"|'[^'<]*'))*)\s*(/?)>" % (_NAME, _NAME))
_ATTRIBUTE = re.compile(rb"(\s+)(%b)(\s*=\s*)([\"'])(.*?)\4" % _NAME, re.DOTALL)
_END = re.compile(rb"</%b\s*>" % _NAME)
_DECLARATION = re.compile(rb"<\?xml[^?>]*\?>")


def _but(forbidden: bytes, more: bytes = b"") -> bytes:
    return table(bytes(set(range(0x20, 0x7F)) - set(forbidden)) + more)


TEXT = _but(b"<&]", b"\t\n")
IN_QUOTES = {b'"': _but(b'<&]"'), b"'": _but(b"<&]'")}


class Unfit(Exception):
    """There is no mould for this message."""


class Hole(NamedTuple):
    """A varying value: the bytes it may have (`octets.table`), and those that it had."""

    allowed: bytes
    value: bytes


class _Gap:
    """A hole of a mould: what it may hold, and what it held last; the literal behind it."""

    __slots__ = ("allowed", "behind", "last")

    def __init__(self, hole: Hole, behind: bytes) -> None:
        self.allowed, self.last = hole
        self.behind = behind

    def close(self, data: bytes, at: int) -> int:
        """Where the hole that begins at `at` ends, if all is as it may be there; or -1. `last` is
        its value then."""
        last = self.last
        stop = at + len(last)
        if stands(data, last, at) and stands(data, self.behind, stop):
            return stop  # as it was: most holes hold the same in every message
        # the first octet behind is none that a hole may hold
        stop = run(data, at, HOLE_BYTES - 1, self.allowed)
        if stop == at or not stands(data, self.behind, stop):
            return -1
        raw = data  # octets to compiled code, which cuts them without a slice object
        self.last = raw[at:stop]
        return stop


class Mould:
    """A markup that others are compared with."""

    __slots__ = ("_first", "_gaps", "_wanted")

    def __init__(self, segments: list[bytes | Hole], wanted: Container[int]) -> None:
        """`segments` as `split` gives them; `wanted`: the numbers of those whose values are asked
        for."""
        first = segments[0]
        assert isinstance(first, bytes)
        self._first = first
        self._gaps: list[_Gap] = []
        self._wanted: list[_Gap] = []
        for number in range(1, len(segments), 2):
            hole, behind = segments[number], segments[number + 1]
            assert isinstance(hole, Hole)
            assert isinstance(behind, bytes)
            self._gaps.append(_Gap(hole, behind))
            if number in wanted:
                self._wanted.append(self._gaps[-1])

    def fit(self, data: bytes, start: int) -> int:
        """Where the markup ends, of a message that begins at `start`; -1: it does not fit."""
        if not stands(data, self._first, start):
            return -1
        at = start + len(self._first)
        for gap in self._gaps:
            stop = gap.close(data, at)
            if stop < 0:
                return -1
            at = stop + len(gap.behind)
        return at

    def values(self) -> tuple[bytes, ...]:
        """The wanted values of the message that was the last to fit."""
        wanted = self._wanted
        if not wanted:
            return ()
        if len(wanted) == 1:  # nearly always
            one = wanted[0]
            return (one.last,)
        return tuple([gap.last for gap in wanted])


def split(
    data: bytes, consulted: Container[str], *, child: bool = False
) -> tuple[list[bytes | Hole], int]:
    """The message up to the end of its Body's start tag, or with `child` to the end of the Body's
    first child, as literals and holes in turn, a literal first and last; and that end. `data`
    begins a well-formed message in UTF-8, so tags need no more than to be found. Texts and
    attributes of the `consulted` local names are no holes. Raises Unfit."""
    segments: list[bytes | Hole] = []
    names: list[str] = []
    inside = False  # the Body
    declaration = _DECLARATION.match(data)
    at = declaration.end() if declaration else 0
    if declaration:
        segments.append(declaration[0])
    while at < min(len(data), PREFIX_BYTES):
        start = _START.match(data, at)
        if start is not None:
            name = _local(start[1])
            segments += _tag(start, consulted)
            at = start.end()
            if name == "Body" and len(names) == 1:
                if start[3]:
                    raise Unfit
                inside = True
                if not child:
                    return _joined(segments), at
            if not start[3]:
                names.append(name)
            elif inside and len(names) == 2:
                return _joined(segments), at
            continue
        end = _END.match(data, at)
        if end is not None:
            if not names:
                raise Unfit
            names.pop()
            segments.append(end[0])
            at = end.end()
            if inside and len(names) == 2:
                return _joined(segments), at
            continue
        text = data[at : data.find(b"<", at)]
        if not text:
            raise Unfit  # a comment, a CDATA section, a processing instruction
        if not text.strip(b" \t\n") or not names or names[-1] in consulted:
            segments.append(text)
        else:
            segments.append(_hole(TEXT, text))
        at += len(text)
    raise Unfit


def marked(segments: list[bytes | Hole]) -> bytes:
    """The message with a mark in every hole. Where a mark comes out of whoever reads it (`MARKED`)
    is where the value of that hole goes. Raises Unfit for one that has a mark of its own."""
    parts = []
    for number, segment in enumerate(segments):
        if isinstance(segment, bytes):
            if MARKED.search(segment):
                raise Unfit
            parts.append(segment)
        else:
            parts.append(MARK % number)
    return b"".join(parts)


def literals(segments: list[bytes | Hole]) -> list[bytes | Hole]:
    """The markup alone, to tell moulds apart."""
    return [one if isinstance(one, bytes) else one._replace(value=b"") for one in segments]


def _tag(start: re.Match[bytes], consulted: Container[str]) -> Iterator[bytes | Hole]:
    yield b"<" + start[1]
    at = 0
    attributes = start[2]
    for one in _ATTRIBUTE.finditer(attributes):
        before, name, equals, quote, value = one.groups()
        local = _local(name)
        if local in ("href", "ref"):
            raise Unfit  # perhaps a reference (SOAP 1.1 5.4.1): the scanner follows it
        at = one.end()
        declares = name == b"xmlns" or name.startswith((b"xmlns:", b"xml:"))
        if declares or local in consulted or not value:
            yield one[0]
        else:
            yield before + name + equals + quote
            yield _hole(IN_QUOTES[quote], value)
            yield quote
    yield attributes[at:] + start[0][len(start[1]) + 1 + len(attributes) :]


def _hole(allowed: bytes, value: bytes) -> Hole:
    if not value or run(value, 0, len(value), allowed) < len(value):
        raise Unfit
    return Hole(allowed, value)


def _joined(segments: list[bytes | Hole]) -> list[bytes | Hole]:
    """Neighbouring literals as one."""
    joined: list[bytes | Hole] = []
    for one in segments:
        if isinstance(one, bytes) and joined and isinstance(joined[-1], bytes):
            joined[-1] += one
        else:
            joined.append(one)
    return joined


def _local(name: bytes) -> str:
    return name.rpartition(b":")[2].decode("ascii")
