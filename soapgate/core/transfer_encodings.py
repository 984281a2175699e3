"""A Content-Transfer-Encoding undone, piece by piece: 7bit, 8bit, binary, quoted-printable, base64.

The one rule: what decoders in use read in different ways is refused where it stands, after all
that stands before it was handed out; so the answer does not depend on how the bytes were cut. An
escape that is none, letters outside the alphabet, data behind the padding: some decoders skip
these, some stop, some keep them, and so a gateway and a backend might read two envelopes.

It refuses to know parts and boundaries. `quopri` and `base64` of the standard library want the
whole text and forgive too much; their core, `binascii`, does the work on what was checked here.

Sources: RFC 2045 section 6.7 (quoted-printable) and 6.8 (base64).
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import Protocol

from soapgate.core.encodings import NotSoap
from soapgate.core.errors import Failure, Reason

_AS_IT_IS = frozenset({"", "7bit", "8bit", "binary"})

BLANKS = 998  # in a row in quoted-printable, whose lines have 76; the length of an RFC 5322 line
# A `=` that begins neither an escape nor a soft line break.
_NO_ESCAPE = re.compile(rb"=(?![0-9A-Fa-f]{2}|[ \t]*+\r?\n)")
_MANY_BLANKS = re.compile(rb"(?<![ \t])[ \t]{%d}" % (BLANKS + 1))
_LINE_END_BLANKS = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n)")
_HEX = frozenset(b"0123456789abcdefABCDEF")

_LETTERS = re.compile(rb"[A-Za-z0-9+/]*")
_PADDED = re.compile(rb"[A-Za-z0-9+/]{2}(?:==|[A-Za-z0-9+/]=)")
_PART_PADDED = re.compile(rb"[A-Za-z0-9+/]{2}=?")


class Transfer(Protocol):
    """What undoes an encoding."""

    def feed(self, data: bytes, /) -> Iterator[bytes]:
        """The decoded pieces. Raises Failure MALFORMED after all that stands before the fault."""


class AsItIs:
    """No encoding at all (RFC 2045 6.2)."""

    __slots__ = ()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The same bytes."""
        yield data


class QuotedPrintable:
    """Blanks at the end of a line are gone (6.7 rule 3), lower-case digits are read, a line may
    have any length. What is open at the end of the part is dropped."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The decoded piece."""
        data = self._held + data
        end = _decided(data)
        self._held = data[end:]
        bad = [one for one in (_NO_ESCAPE.search(data, 0, end), _MANY_BLANKS.search(data)) if one]
        text = data[: min([end, *(one.start() for one in bad)])]
        yield binascii.a2b_qp(_LINE_END_BLANKS.sub(b"", text))
        if bad:
            raise Failure("downstream", Reason.MALFORMED, "broken quoted-printable")


def _decided(data: bytes) -> int:
    """How many bytes mean what they mean whatever comes next: a `=` may begin an escape or end a
    line, blanks may stand before the end of one."""
    text = data[:-1] if data[-1:] == b"\r" else data
    kept = text.rstrip(b" \t")
    if kept[-1:] == b"=":
        return len(kept) - 1
    if len(kept) == len(data) and data[-2:-1] == b"=" and data[-1] in _HEX:
        return len(data) - 2
    return len(kept)


class Base64:
    """White space is skipped. What is no whole group at the end of the part is dropped."""

    __slots__ = ("_ended", "_held")

    def __init__(self) -> None:
        self._held = b""
        self._ended = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The decoded piece."""
        data = self._held + data.translate(None, b" \t\r\n")
        letters = _LETTERS.match(data)
        assert letters is not None
        whole = 0 if self._ended else letters.end() // 4 * 4
        if whole:
            yield binascii.a2b_base64(data[:whole])
        rest = self._held = data[whole:]
        if not rest or (letters.end() == len(data) and not self._ended):
            return
        if not self._ended:
            padded = _PADDED.match(rest)
            if padded is not None:
                self._ended = True
                yield binascii.a2b_base64(padded[0])
                rest = self._held = rest[4:]
            elif _PART_PADDED.fullmatch(rest):
                return
        if rest:
            raise Failure("downstream", Reason.MALFORMED, "broken base64")


def open_transfer(field: bytes) -> Transfer:
    """What undoes a Content-Transfer-Encoding, b"" for an absent one.

    Raises NotSoap for one that is not known.
    """
    name = field.decode("latin-1").strip().lower()
    if name in _AS_IT_IS:
        return AsItIs()
    if name == "quoted-printable":
        return QuotedPrintable()
    if name == "base64":
        return Base64()
    raise NotSoap(f"transfer encoding {name[:40]}")
