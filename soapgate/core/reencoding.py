"""A part's content taken out of its transfer encoding as a whole, and put back into the same.

The one rule: what is put back is read as what was put in, by every reader that keeps to RFC 2045.
So lines have at most 76 characters and end in CRLF, and of quoted-printable only what is a line end
in the content is one in its encoding. To take out is stricter than to read for an id: content that
is open at its end, a base64 group or an escape cut short, is refused, for readers differ in what of
it they keep.

A line of quoted-printable might begin with the boundary of the multipart that it goes into, where
the line that came did not; so none begins with two hyphens. Base64 has no hyphen.

`binascii.b2a_qp` was dropped: it writes all line ends like the first, and knows of no boundary.

Sources: RFC 2045 section 6.7 (quoted-printable) and 6.8 (base64), RFC 2046 section 5.1.1.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from soapgate.core.errors import Failure, Reason
from soapgate.core.transfer_encodings import Base64, QuotedPrintable, open_transfer

LINE = 76  # characters, a last `=` counted and the CRLF not (6.7 rule 5, 6.8)

_ESCAPED = re.compile(rb"(?:[^\t\r\n -<>-~]|\r(?!\n)|(?<!\r)\n)+|[ \t](?=\r\n|\Z)")


def decoded(field: bytes, content: bytes) -> bytes:
    """What a whole content says. `field`: its Content-Transfer-Encoding, b"" for none. Raises
    NotSoap for one that is not known, Failure MALFORMED for content that is broken or open."""
    transfer = open_transfer(field)
    text = b"".join(transfer.feed(content))
    if isinstance(transfer, QuotedPrintable):
        # the line end that comes next is the delimiter's: an escape cannot go on behind it
        return text + b"".join(transfer.feed(b"\r\n")).removesuffix(b"\r\n")
    if isinstance(transfer, Base64) and len(content.translate(None, b" \t\r\n")) % 4:
        raise Failure("downstream", Reason.MALFORMED, "base64 that is open at its end")
    return text


def encoded(field: bytes, text: bytes) -> bytes:
    """The content that says `text`. Raises NotSoap for an encoding that is not known."""
    transfer = open_transfer(field)
    if isinstance(transfer, QuotedPrintable):
        lines = _ESCAPED.sub(_escape, text).split(b"\r\n")
        return b"\r\n".join(piece for line in lines for piece in _folded(line))
    if isinstance(transfer, Base64):
        return base64.encodebytes(text).rstrip(b"\n").replace(b"\n", b"\r\n")
    return text


def _escape(found: re.Match[bytes]) -> bytes:
    return b"=" + found[0].hex("=").upper().encode()


def _folded(line: bytes) -> Iterator[bytes]:
    """A line in pieces, all but the last with a soft line end's `=`; no escape is cut."""
    at = 0
    while True:
        start = b""
        if line.startswith(b"--", at):
            start, at = b"=2D", at + 1
        room = LINE - len(start)
        if len(line) - at <= room:
            yield start + line[at:]
            return
        end = at + room - 1
        escape = line.rfind(b"=", end - 2, end)
        end = escape if escape >= 0 else end
        yield start + line[at:end] + b"="
        at = end
