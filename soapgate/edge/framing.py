"""How a body is framed in a stream of bytes, and the readers that take it out again. No sockets.

The one rule: a reader says exactly which byte was the body's last. That is why the readers are
ours although llhttp reads the heads: httptools does not tell where in a buffer a message ended,
and without that neither pipelining nor back-pressure can be exact. The tests hold the chunked
reader against llhttp: what it accepts llhttp accepts, with the same bytes.

Chunks are decoded and framed anew on the way out: extensions end here, as RFC 9112 7.1.1 lets
them, and so does every way to disagree about them.

Sources: RFC 9112 6 and 7, RFC 9110 6.5 and 7.6.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from soapgate.core.errors import Failure, Reason, Source

# A chunk size line carries at most 16 hex digits and extensions nobody uses; Go reads 4 KiB.
CHUNK_LINE_BYTES = 4 * 1024
TRAILER_BYTES = 8 * 1024

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_CHUNK_SIZE = re.compile(
    rb"([0-9A-Fa-f]{1,16})(?:;%b(?:=(?:%b|\"[\t\x20\x21\x23-\x5b\x5d-\x7e]*\"))?)*"
    % (_TOKEN, _TOKEN)
)
_SIZE_BEGUN = re.compile(rb"[0-9A-Fa-f]{1,16}(?:;?|(?:;%b[\t\x20-\x7e]*)?\r?)" % _TOKEN)
_FIELD_LINE = re.compile(rb"(%b):[\t\x20-\x7e\x80-\xff]*" % _TOKEN)

# RFC 9110 7.6.1: fields for the next hop only. Transfer-Encoding stays where we keep the framing.
HOP_BY_HOP = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"upgrade", b"http2-settings")
)
# RFC 9110 6.5.1: what a trailer must not say, because it frames, routes or authenticates.
_NOT_IN_TRAILERS = HOP_BY_HOP | {
    b"content-length",
    b"transfer-encoding",
    b"host",
    b"trailer",
    b"content-encoding",
    b"content-type",
    b"content-range",
    b"authorization",
    b"set-cookie",
    b"cookie",
    b"expect",
}


@dataclass(frozen=True, slots=True)
class Length:
    """A body of exactly `size` bytes; 0 is no body at all (RFC 9112 6.2, 6.3)."""

    size: int


@dataclass(frozen=True, slots=True)
class Chunked:
    """A body in chunks, with trailers perhaps (RFC 9112 7.1)."""


@dataclass(frozen=True, slots=True)
class UntilClose:
    """A response body that the end of the connection ends (RFC 9112 6.3, case 8)."""


Framing = Length | Chunked | UntilClose
EMPTY = Length(0)
CHUNKED = Chunked()
UNTIL_CLOSE = UntilClose()


class LengthReader:
    """Takes a body of known size out of a byte stream."""

    __slots__ = ("done", "left", "trailers")

    def __init__(self, size: int) -> None:
        self.left = size
        self.done = size == 0
        self.trailers = b""

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """(the body's part of `data`, what follows the body)."""
        if len(data) <= self.left:
            self.left -= len(data)
            self.done = self.left == 0
            return data, b""
        piece, rest = data[: self.left], data[self.left :]
        self.left = 0
        self.done = True
        return piece, rest

    def pass_by(self, octets: int) -> None:
        """So many octets of the body went another way; no more than are left."""
        self.left -= octets
        self.done = self.left == 0

    def close(self) -> bool:
        """The stream ended: whether the body is whole."""
        return self.done


class UntilCloseReader:
    """Takes all there is; the end of the connection is the end of the body."""

    __slots__ = ("done", "trailers")

    def __init__(self) -> None:
        self.done = False
        self.trailers = b""

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """All of it."""
        return data, b""

    def close(self) -> bool:
        """A clean end of the stream ends the body well."""
        self.done = True
        return True


class ChunkedReader:
    """Takes a chunked body out of a byte stream (RFC 9112 7.1), strictly: hex digits, no blanks,
    CRLF. Extensions are dropped, trailers kept in `trailers` as validated lines, those dropped
    that RFC 9110 6.5.1 forbids there. Raises `Failure` from `source`."""

    __slots__ = ("_held", "_left", "_source", "_state", "done", "trailers")

    def __init__(self, source: Source) -> None:
        self._source = source
        self._held = b""  # a line that has not ended yet
        self._left = 0  # bytes of the present chunk still to come
        self._state = "size"  # size, data, data-end, trailers
        self.done = False
        self.trailers = b""

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """(the decoded part of the body in `data`, what follows the body)."""
        if self._held:
            data, self._held = self._held + data, b""
        pieces: list[bytes] = []
        at = 0
        while at < len(data) and not self.done:
            if self._state == "data":
                piece = data[at : at + self._left] if at or self._left < len(data) else data
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._state = "data-end"
                continue
            end = data.find(b"\r\n", at)
            if end < 0:
                self._hold(data[at:])
                return b"".join(pieces), b""
            self._line(data[at:end])
            at = end + 2
        return (pieces[0] if len(pieces) == 1 else b"".join(pieces)), data[at:]

    def close(self) -> bool:
        """The stream ended: whether the body is whole."""
        return self.done

    def _hold(self, line: bytes) -> None:
        # what can be refused now is refused now: nobody waits for the end of a bad line
        if self._state == "data-end" and line != b"\r":
            raise self._broken("no CRLF after a chunk")
        if self._state == "size" and len(line) > CHUNK_LINE_BYTES:
            raise self._broken("chunk size line")
        if self._state == "size" and _SIZE_BEGUN.fullmatch(line) is None:
            raise self._broken("chunk size")
        if len(line) + len(self.trailers) > TRAILER_BYTES or b"\n" in line:
            raise self._broken("trailers")
        self._held = line

    def _line(self, line: bytes) -> None:
        if self._state == "data-end":
            if line:
                raise self._broken("no CRLF after a chunk")
            self._state = "size"
        elif self._state == "size":
            size = _CHUNK_SIZE.fullmatch(line) if len(line) <= CHUNK_LINE_BYTES else None
            if size is None:
                raise self._broken("chunk size")
            self._left = int(size[1], 16)
            self._state = "data" if self._left else "trailers"
        elif not line:
            self.done = True
        else:
            field = _FIELD_LINE.fullmatch(line)
            if field is None or len(self.trailers) + len(line) > TRAILER_BYTES:
                raise self._broken("trailers")
            if field[1].lower() not in _NOT_IN_TRAILERS:
                self.trailers += line + b"\r\n"

    def _broken(self, detail: str) -> Failure:
        reason = Reason.MALFORMED if self._source == "downstream" else Reason.UPSTREAM_BROKEN
        return Failure(self._source, reason, detail)


BodyReader = LengthReader | UntilCloseReader | ChunkedReader


def body_reader(framing: Framing, source: Source) -> BodyReader:
    """The reader for a framing."""
    if isinstance(framing, Length):
        return LengthReader(framing.size)
    return ChunkedReader(source) if isinstance(framing, Chunked) else UntilCloseReader()


def chunk(piece: bytes) -> bytes:
    """One chunk; an empty piece is no chunk, for that would end the body."""
    return b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""


def last_chunk(trailers: bytes) -> bytes:
    """The end of a chunked body, with trailer lines that each end in CRLF."""
    return b"0\r\n%b\r\n" % trailers
