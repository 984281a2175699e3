"""From the bytes of an HTTP body to the UTF-8 bytes of an envelope, piece by piece.

    body -> Inflate (Content-Encoding) -> a multipart's root -> Recode (charset) -> UTF-8

The one rule: bytes that nobody asked for are never made. `Inflate` is lazy, so whoever stops
taking pieces stops the inflation; an inflation bomb is not a size but a ratio met at a limit,
and the caller knows its limits. Broken input is an error *at its place*: what stands before it
is handed on first, so the answer does not depend on how the bytes were cut on their way.

It refuses to know XML beyond the encoding declaration, and envelopes at all. The multipart is
`mime`'s, and `unwrap` puts the whole line together.

A charset is allowed when Python has it as a text encoding that leaves ASCII as it is, or when it
is UTF-16 or UTF-32: that excludes UTF-7, HZ, EBCDIC, punycode, escapes and compressions by a test
and not by a list. Names are looked up in a fixed table; `codecs.lookup` remembers every wrong
name for ever, and the name comes from a stranger.
"""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Iterator
from encodings.aliases import aliases
from functools import cache, lru_cache

from soapgate.core.errors import Failure, Reason

PIECE = 16 * 1024  # bytes inflated at a time
_DECLARATION = 1024  # bytes an XML declaration may have; a longer one is read as UTF-8

# What Python knows but has no alias for.
_UNALIASED = frozenset({"cp1006", "cp720", "cp737", "cp856", "cp874", "koi8_t", "koi8_u"})
_CODECS = frozenset(aliases.values()) | _UNALIASED
_WIDE = frozenset({"utf_16", "utf_16_le", "utf_16_be", "utf_32", "utf_32_le", "utf_32_be"})
_PROBE = bytes([9, 10, 13, *range(32, 127)]) + b"\\u0041\\x41\\n+AGEAYg- ~{~~ =41=3D &#x41; -a"

_BOMS = (  # the longer first: FF FE begins two of them
    (codecs.BOM_UTF32_LE, "utf_32_le"),
    (codecs.BOM_UTF32_BE, "utf_32_be"),
    (codecs.BOM_UTF8, "utf_8"),
    (codecs.BOM_UTF16_LE, "utf_16_le"),
    (codecs.BOM_UTF16_BE, "utf_16_be"),
)
_XML_TYPES = frozenset({"", "text/xml", "application/xml"})
_PARAMETER = re.compile(r';\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;,\s]*))', re.DOTALL)
_ENCODING = re.compile(
    rb"""<\?xml\s+version\s*=\s*(?:"[^"]*"|'[^']*')\s+encoding\s*=\s*["']([A-Za-z][\w.\-]*)["']"""
)


class NotSoap(Exception):
    """The message is not, or not readably, a SOAP envelope: it passes unread. The text is a
    word why; it is no error of anybody."""


def _illegal(error: UnicodeError) -> tuple[str, int]:
    """Stand U+FFFE, which no XML document may hold, for bytes that are none of the charset's."""
    assert isinstance(error, UnicodeDecodeError)
    return "\ufffe", error.end


class Limited(Exception):
    """A limit is met before anything could be read; the text says which."""


codecs.register_error("soapgate-illegal", _illegal)


def media(content_type: bytes) -> tuple[str, str]:
    """(type in lower case, charset or "") of a Content-Type field's value, "" for an absent one
    (RFC 9110 8.3.1; parameters may be quoted, and hold `;charset=` inside a quoted action)."""
    text = content_type.decode("latin-1")
    kind = re.split("[;,]", text, maxsplit=1)[0].strip().lower()
    for name, quoted, plain in _PARAMETER.findall(text):
        if name.lower() == "charset":
            return kind, (quoted or plain).strip("\"' ")
    return kind, ""


@lru_cache(maxsize=64)
def expect(content_type: bytes) -> tuple[str, str]:
    """(codec or "" if no charset is given, why this cannot be an envelope or "") of a
    Content-Type field's value. A missing type is looked at."""
    kind, charset = media(content_type)
    if kind not in _XML_TYPES and not kind.endswith("+xml"):
        return "", f"content type {kind[:60]}"
    try:
        return codec(charset) if charset else "", ""
    except NotSoap as why:
        return "", str(why)


def readable_as_it_is(content_type: bytes, content_encoding: bytes) -> bool:
    """Whether a body with these fields can be an envelope whose bytes are its UTF-8 text."""
    name, why = expect(content_type)
    return not content_encoding and not why and name in ("", "utf_8")


def codec(charset: str) -> str:
    """Python's name of a charset, misspellings that Python forgives included (`UTF8`).

    Raises NotSoap for one that is unknown or not allowed.
    """
    name = re.sub(r"[^a-z0-9]+", "_", charset.lower()).strip("_")
    if name.startswith("iso_8859_"):
        name = name.replace("_", "", 1)
    name = aliases.get(name, name)
    if name == "utf_8_sig":
        name = "utf_8"
    if name not in _CODECS or not (name in _WIDE or _keeps_ascii(name)):
        raise NotSoap(f"charset {charset[:40]}")
    return name


@cache  # asked for names of a fixed table only
def _keeps_ascii(name: str) -> bool:
    try:
        return _PROBE.decode(name) == _PROBE.decode("ascii")
    except (LookupError, UnicodeError, OSError):
        return False


class Recode:
    """Any charset to UTF-8. BOM over HTTP charset over XML declaration over UTF-8 (RFC 7303 3.2,
    3.3). A UTF-16 or UTF-32 whose order is not said is told by where its NULs are. An 8-bit
    message that declares a 16-bit encoding is UTF-8: clients write the declaration before they
    encode. Bytes of UTF-8 are passed on as they are; whether they are valid is the parser's word.
    """

    __slots__ = ("_charset", "_decoder", "_held", "_settled")

    def __init__(self, http: str) -> None:
        """`http` is the codec of the HTTP charset, "" if there was none."""
        self._charset = http
        self._held = b""
        self._settled = False
        self._decoder: codecs.IncrementalDecoder | None = None

    def feed(self, data: bytes) -> bytes:
        """UTF-8 for the bytes so far, without those handed out before. Raises NotSoap."""
        if not self._settled:
            data = self._held + data
            if not self._settle(data, ended=False):
                self._held = data
                return b""
            data = self._without_bom(data)
        if self._decoder is None:
            return data
        return self._decoder.decode(data).encode()

    def close(self) -> bytes:
        """What is left when no more bytes come. Raises NotSoap."""
        data = b""
        if not self._settled:
            held = self._held
            self._settle(held, ended=True)
            data = self._without_bom(held)
        return data if self._decoder is None else self._decoder.decode(data, True).encode()

    def _settle(self, data: bytes, ended: bool) -> bool:
        name = self._encoding_of(data, ended)
        if name is None:
            return False
        if name not in ("utf_8", "ascii"):
            self._decoder = codecs.getincrementaldecoder(name)("soapgate-illegal")
        self._settled = True
        self._held = b""
        return True

    def _encoding_of(self, data: bytes, ended: bool) -> str | None:
        """The codec's name; None when more bytes are needed to tell."""
        if len(data) < 4 and not ended:
            return None
        for bom, name in _BOMS:
            if data.startswith(bom):
                return name
        if self._charset:
            return _with_order(self._charset, data)
        if b"\0" in data[:2]:
            return _with_order("utf_32" if data[:4].count(0) == 3 else "utf_16", data)
        if not data.startswith(b"<?xm"):
            return "utf_8"
        if b"?>" not in data[:_DECLARATION] and len(data) < _DECLARATION and not ended:
            return None
        declared = _ENCODING.match(data[:_DECLARATION])
        name = codec(declared[1].decode("ascii")) if declared else "utf_8"
        return "utf_8" if name in _WIDE else name

    def _without_bom(self, data: bytes) -> bytes:
        for bom, _ in _BOMS:
            if data.startswith(bom):
                return data[len(bom) :]
        return data


def charset_of(data: bytes, http: str) -> str:
    """The codec of a whole message, by the rules of `Recode`; a BOM is for the caller to take off.
    `http` is the codec of the HTTP charset, "" if there was none. Raises NotSoap."""
    return Recode(http)._encoding_of(data, ended=True) or "utf_8"


def _with_order(name: str, data: bytes) -> str:
    """`utf_16` and `utf_32` with the byte order that the first character shows: it is ASCII."""
    if name not in ("utf_16", "utf_32"):
        return name
    return f"{name}_le" if data[:1] != b"\0" else f"{name}_be"


class Inflate:
    """A Content-Encoding undone, `PIECE` bytes at a time, as far as pieces are taken."""

    __slots__ = ("_inflater", "_start", "_wbits", "made", "read")

    def __init__(self, coding: str) -> None:
        """`coding` is "gzip" (members may follow each other, RFC 1952 2.2) or "deflate" (zlib, or
        raw as some senders understand RFC 9110 8.4.1.2)."""
        self._wbits = 31 if coding == "gzip" else 0
        self._inflater = zlib.decompressobj(31) if coding == "gzip" else None
        self._start = b""
        self.read = 0  # compressed bytes consumed
        self.made = 0  # bytes handed out

    @property
    def ended(self) -> bool:
        """Whether the compressed data was whole."""
        return self._inflater is not None and self._inflater.eof

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The inflated pieces. Raises Failure MALFORMED where the data is corrupt, after all
        that stands before."""
        if self._inflater is None:
            data = self._start + data
            if len(data) < 2:
                self._start = data
                return
            # RFC 1950 2.2: method 8 and a multiple of 31; a raw stream that looks so is not seen
            wrapped = data[0] & 15 == 8 and (data[0] << 8 | data[1]) % 31 == 0
            self._wbits = 15 if wrapped else -15
            self._inflater = zlib.decompressobj(self._wbits)
        yield from self._inflate(data)

    def _inflate(self, data: bytes) -> Iterator[bytes]:
        full = False
        while data or full:
            inflater = self._inflater
            assert inflater is not None
            if inflater.eof:
                if self._wbits != 31 or data[:1] != b"\x1f":
                    return  # bytes after the end say nothing
                inflater = self._inflater = zlib.decompressobj(31)
            before = inflater.copy()
            try:
                piece = inflater.decompress(data, PIECE)
            except zlib.error:
                if len(data) < 2:
                    raise Failure("downstream", Reason.MALFORMED, "corrupt compression") from None
                # zlib gives nothing of a chunk that has a fault: find the part before it
                self._inflater = before
                yield from self._inflate(data[: len(data) // 2])
                yield from self._inflate(data[len(data) // 2 :])
                return
            rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            self.read += len(data) - len(rest)
            self.made += len(piece)
            full = len(piece) == PIECE and not inflater.eof
            data = rest
            if piece:
                yield piece


def open_coding(content_encoding: bytes) -> Inflate | None:
    """What undoes a Content-Encoding; None when there is nothing to undo.

    Raises NotSoap for codings that are not undone (br, zstd, several at once).
    """
    coding = content_encoding.decode("latin-1").strip().lower()
    if coding in ("", "identity"):
        return None
    if coding in ("gzip", "x-gzip"):
        return Inflate("gzip")
    if coding == "deflate":
        return Inflate("deflate")
    raise NotSoap(f"content encoding {coding[:40]}")
