"""The addresses in the root part of a multipart, replaced where they stand.

    pieces of the message -> where its root is (`mime`) -> its document (`rewriting`) -> the message

The one rule: all but the root is the bytes that came. A message is looked at up to the end of its
root, what is behind is never asked for. So an attachment may be of any size, unless it stands
before the root: the head of the HTTP message must know how long the new root is.

The root is the part that `mime` says, by the same strict reading. One in quoted-printable or base64
is taken out of it as a whole, for an address may stand across a line end there, and put back if
something was replaced (`reencoding`). Of the root's own head two fields are about its content:
Content-Length (none of MIME's, but some send it) counts on, Content-MD5 (RFC 1864) is taken out. A
Content-Location stays: other parts may be found by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from soapgate.core.addresses import Origins
from soapgate.core.encodings import Limited, NotSoap, expect, media
from soapgate.core.errors import Failure
from soapgate.core.mime import Root, related
from soapgate.core.reencoding import decoded, encoded
from soapgate.core.rewriting import Rewritten, Untouched, rewrite
from soapgate.core.transfer_encodings import AsItIs, open_transfer

_FOLD = rb"(?:\r?\n[ \t]+)"
_LENGTH = re.compile(rb"(?im)^(content-length:[ \t]*%b?)([0-9]{1,18})(?=[ \t]*\r?$)" % _FOLD)
_DIGEST = re.compile(rb"(?im)^content-md5:[^\n]*\n(?:[ \t]+[^\r\n][^\n]*\n)*")


class RootPart:
    """The root of one message. `feed` its pieces until `whole`, or `close` where the message ends
    before; then `rewrite`. Making it and all of these raise Untouched, the same however the message
    was cut; beside the words of `rewriting` there are `multipart` (no multipart/related, no root,
    or one in a transfer encoding that is not read or is broken) and `too-long`."""

    __slots__ = ("_coding", "_most", "_root", "_size", "whole")

    def __init__(self, content_type: bytes, most: int) -> None:
        """`content_type`: the field of the HTTP message. `most`: octets up to the root's end."""
        self.whole = False
        self._most = most
        self._size = 0  # of the root as far as it came, in the message's octets
        self._coding = b""  # its transfer encoding
        try:
            said = related(content_type)
        except NotSoap:
            raise Untouched("multipart") from None
        except Failure:
            raise Untouched("malformed") from None
        if said is None:
            raise Untouched("multipart")
        self._root = Root(said, most, self._as_it_is)

    def _as_it_is(self, coding: bytes) -> AsItIs:
        """The root is undone when it is whole: only what is replaced is worth it."""
        open_transfer(coding)  # or it is none that is read
        self._coding = coding
        return AsItIs()

    def feed(self, piece: bytes) -> None:
        """The next octets of the message."""
        self._take(self._root.feed(piece))

    def close(self) -> None:
        """The message is over."""
        self._take(self._root.close())
        self.whole = True

    def _take(self, pieces: Iterator[bytes]) -> None:
        try:
            for piece in pieces:
                self._size += len(piece)
        except NotSoap:
            raise Untouched("multipart") from None
        except Limited:
            raise Untouched("too-long") from None
        except Failure:
            self._check()  # what is too long is too long before it is broken
            raise Untouched("malformed") from None
        self._check()
        self.whole = self._root.ended

    def _check(self) -> None:
        place = self._root.place
        if place is not None and place.begins + self._size > self._most:
            raise Untouched("too-long")

    def rewrite(self, held: bytes, origins: Origins, origin: bytes) -> Rewritten:
        """`held`, which begins with all that was fed, with the addresses of the root replaced. A
        root that is no XML has none."""
        place, kind = self._root.place, self._root.content_type
        assert place is not None, "whole, or it would have raised"
        assert kind is not None, "it is known with the place"
        if expect(kind)[1] and not media(kind)[0].endswith(("/xml", "+xml")):
            return Rewritten(held, 0, 0)
        begins, ends = place.begins, place.begins + self._size
        try:
            document = decoded(self._coding, held[begins:ends])
        except Failure:
            raise Untouched("multipart") from None
        done = rewrite(document, kind, origins, origin, place.name)
        if not done.replaced:
            return done._replace(body=held)
        content = encoded(self._coding, done.body)
        head = _head(place.head, len(content) - self._size)
        parts = (held[: begins - len(place.head)], head, content, held[ends:])
        return done._replace(body=b"".join(parts))


def _head(head: bytes, more: int) -> bytes:
    """A part's head for a content that has `more` octets."""

    def longer(found: re.Match[bytes]) -> bytes:
        return b"%b%d" % (found[1], max(int(found[2]) + more, 0))

    return _LENGTH.sub(longer, _DIGEST.sub(b"", head))
