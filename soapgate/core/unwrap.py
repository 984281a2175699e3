"""All that is wrapped around an envelope, undone: content coding, multipart, transfer encoding,
charset. From the bytes of an HTTP body to the UTF-8 bytes of the envelope, as they come.

    body -> Inflate -> [Root of a multipart/related -> its transfer encoding] -> Recode -> UTF-8

The one rule: a message may not be read for ever. Many bytes can mean nothing - empty gzip members,
escapes of a stateful charset, line ends in base64 - and what is read is kept, so beside what comes
out what goes in is bounded too, before the inflation and behind it. Both bounds are far above what
any encoding needs for as much text as the scanner looks at.

It refuses to know what an envelope is. It changes nothing: who forwards the message forwards the
bytes that came.
"""

from __future__ import annotations

from collections.abc import Iterator

from soapgate.core.encodings import Inflate, Limited, NotSoap, Recode, expect, open_coding
from soapgate.core.mime import Root, related
from soapgate.core.scanned import ScanLimits

_WIDEST = 4  # bytes for one of UTF-8, at most: UTF-32, or UTF-16 in quoted-printable
_SLACK = 64  # bytes: byte order marks, the head and the tail of a compressed stream


class Unwrap:
    """Unwraps one message. Making it, `feed` and `close` raise NotSoap, Limited, and Failure
    MALFORMED where the bytes are broken, after all that stands before."""

    __slots__ = ("_inflate", "_most", "_ratio", "_raw", "_recode", "_root", "_wire")

    def __init__(self, content_type: bytes, content_encoding: bytes, limits: ScanLimits) -> None:
        """`content_type` and `content_encoding` are the fields of the HTTP message."""
        multipart = related(content_type)
        self._root: Root | None = None
        self._recode: Recode | None = None
        self._most = _WIDEST * (limits.header_bytes + limits.body_bytes) + _SLACK
        if multipart is not None:
            self._root = Root(multipart, limits.multipart_bytes)
            self._most += limits.multipart_bytes
        else:
            self._recode = _recode(content_type)
        self._inflate = open_coding(content_encoding)
        self._ratio = limits.inflate_ratio
        self._raw = self._wire = self._most

    @property
    def ended(self) -> bool:
        """Whether no more of the envelope will come, although the body may go on."""
        return self._root is not None and self._root.ended

    @property
    def is_bomb(self) -> bool:
        """Whether the body was compressed better than `inflate_ratio`, as far as it was read."""
        inflate: Inflate | None = self._inflate
        return inflate is not None and inflate.made > inflate.read * self._ratio

    def feed(self, data: bytes) -> Iterator[bytes]:
        """UTF-8 for the next bytes of the body."""
        if self._inflate is None:
            yield from self._unwrap(data)
            return
        room = self._wire
        self._wire = max(room - len(data), 0)
        for piece in self._inflate.feed(data[:room]):
            yield from self._unwrap(piece)
            if self.ended:
                return  # what is wrong behind it is not our business
        if len(data) > room:
            raise Limited(f"{self._most} bytes and no answer")

    def close(self) -> Iterator[bytes]:
        """What is left when no more bytes come."""
        if self._root is not None:
            for piece in self._root.close():
                yield self._text(piece)
        yield self._recoder().close()

    def _unwrap(self, data: bytes) -> Iterator[bytes]:
        room = self._raw
        self._raw = max(room - len(data), 0)
        if self._root is None:
            yield self._text(data[:room])
        else:
            for piece in self._root.feed(data[:room]):
                yield self._text(piece)
        if len(data) > room and not self.ended:
            raise Limited(f"{self._most} bytes and no answer")

    def _text(self, piece: bytes) -> bytes:
        return self._recoder().feed(piece)

    def _recoder(self) -> Recode:
        recode = self._recode
        if recode is None:
            assert self._root is not None
            recode = self._recode = _recode(self._root.content_type or b"")
        return recode


def _recode(content_type: bytes) -> Recode:
    """What makes UTF-8 of an entity of this type. Raises NotSoap."""
    charset, why_not = expect(content_type)
    if why_not:
        raise NotSoap(why_not)
    return Recode(charset)
