"""All wrappings of an envelope at once, and that nobody is read for ever."""

from __future__ import annotations

import base64
import gzip
import random
import zlib

import pytest

from soapgate.core.encodings import Limited, NotSoap
from soapgate.core.errors import Failure
from soapgate.core.scanned import ScanLimits
from soapgate.core.unwrap import Unwrap

LIMITS = ScanLimits(header_bytes=2000, body_bytes=1000, multipart_bytes=500)
MOST = 4 * 3000 + 64
TEXT = "<\u00e9\u00fc>" * 20
RELATED = b"multipart/related; boundary=b"


def unwrapped(data, size, content_type=b"text/xml", coding=b""):
    unwrap, out = Unwrap(content_type, coding, LIMITS), []
    for at in range(0, len(data), size):
        out.extend(unwrap.feed(data[at : at + size]))
        if unwrap.ended:
            break
    out.extend(unwrap.close())
    return b"".join(out).decode()


def multipart(content, *fields):
    head = b"".join(field + b"\r\n" for field in fields)
    return b"--b\r\n%b\r\n%b\r\n--b\r\n\r\n\0\xff\r\n--b--" % (head, content)


CASES = {
    "plain": (TEXT.encode(), b"text/xml", b""),
    "charset": (TEXT.encode("latin-1"), b"text/xml; charset=latin1", b""),
    "gzip": (gzip.compress(TEXT.encode("utf-16")), b"text/xml", b"gzip"),
    "multipart": (multipart(TEXT.encode()), RELATED, b""),
    "the part's charset": (
        multipart(TEXT.encode("latin-1"), b"Content-Type: text/xml; charset=latin1"),
        RELATED + b"; charset=utf-8",
        b"",
    ),
    "all of them": (
        zlib.compress(
            multipart(
                base64.encodebytes(TEXT.encode("utf-16-be")),
                b"Content-Type: application/xop+xml; charset=utf-16",
                b"Content-Transfer-Encoding: base64",
            )
        ),
        RELATED,
        b"deflate",
    ),
}


@pytest.mark.parametrize(("data", "kind", "coding"), CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_every_wrapping_is_undone(data, kind, coding, size):
    assert unwrapped(data, size, kind, coding) == TEXT


@pytest.mark.parametrize(
    ("kind", "coding", "why"),
    [
        (b"application/json", b"", "content type application/json"),
        (b"multipart/mixed; boundary=b", b"", "content type multipart/mixed"),
        (RELATED, b"br", "content encoding br"),
        (b"text/xml; charset=x", b"", "charset x"),
    ],
)
def test_what_cannot_be_unwrapped_is_known_at_once(kind, coding, why):
    with pytest.raises(NotSoap, match=why):
        Unwrap(kind, coding, LIMITS)


@pytest.mark.parametrize("kind", [b"application/octet-stream", b"multipart/related; boundary=c"])
def test_a_root_of_another_type_is_known_by_its_head(kind):
    unwrap = Unwrap(RELATED, b"", LIMITS)
    with pytest.raises(NotSoap, match="content type"):
        b"".join(unwrap.feed(multipart(b"<x/>", b"Content-Type: " + kind)))
    unwrap = Unwrap(RELATED, b"", LIMITS)
    with pytest.raises(NotSoap, match="content type"):
        unwrapped(multipart(b"", b"Content-Type: " + kind), 5, RELATED)


SILENT = {
    "empty gzip members": (gzip.compress(b"") * 5000, b"text/xml", b"gzip"),
    "escapes of a charset": (b"\x1b(B" * 50_000, b"text/xml; charset=iso-2022-jp", b""),
    "escapes, compressed": (gzip.compress(b"\x1b(B" * 50_000), b"text/xml; charset=iso-2022-jp",
                            b"gzip"),
    "line ends in base64": (
        multipart(b"\r\n" * 50_000, b"Content-Transfer-Encoding: base64"), RELATED, b""),
    "soft breaks": (
        multipart(b"=\r\n" * 50_000, b"Content-Transfer-Encoding: quoted-printable"), RELATED, b""),
}  # fmt: skip


@pytest.mark.parametrize(("data", "kind", "coding"), SILENT.values(), ids=SILENT.keys())
@pytest.mark.parametrize("size", [100, 1_000_000])
def test_bytes_that_mean_nothing_are_not_read_for_ever(data, kind, coding, size):
    unwrap = Unwrap(kind, coding, LIMITS)
    fed: list[int] = []

    def feed_all():
        for at in range(0, len(data), size):
            fed.append(size)
            assert not b"".join(unwrap.feed(data[at : at + size]))

    with pytest.raises(Limited, match="bytes and no answer"):
        feed_all()
    assert sum(fed) <= MOST + LIMITS.multipart_bytes + size


def test_the_widest_text_of_the_limits_size_is_read():
    text = "x" * (LIMITS.header_bytes + LIMITS.body_bytes)
    assert unwrapped(text.encode("utf-32"), 1000) == text
    quoted = "".join(f"{one}=00" for one in text).encode()
    fields = (
        b"Content-Type: text/xml; charset=utf-16le",
        b"Content-Transfer-Encoding: quoted-printable",
    )
    assert unwrapped(multipart(quoted, *fields), 1000, RELATED) == text


def test_a_bomb_is_known_by_its_ratio():
    for data, is_bomb in ((b" " * 10_000, True), (TEXT.encode(), False)):
        unwrap = Unwrap(b"text/xml", b"gzip", ScanLimits(inflate_ratio=20))
        b"".join(unwrap.feed(gzip.compress(data)))
        assert unwrap.is_bomb is is_bomb


@pytest.mark.parametrize("size", [1, 1_000_000])
def test_what_is_broken_behind_the_root_does_not_matter(size):
    rest = random.Random(1).randbytes(20_000)  # noise, so that it is a piece of its own
    data = bytearray(gzip.compress(multipart(b"<!--") + b"\r\n" + rest))
    data[-5] ^= 1  # the checksum
    unwrap, out = Unwrap(RELATED, b"gzip", ScanLimits()), []
    for at in range(0, len(data), size):
        out.extend(unwrap.feed(bytes(data[at : at + size])))
        if unwrap.ended:
            break
    assert (b"".join(out), unwrap.ended) == (b"<!--", True)


def test_what_stands_before_broken_bytes_is_handed_out_first():
    data = multipart(b"<a/>=ZZ", b"Content-Transfer-Encoding: quoted-printable")
    unwrap, out = Unwrap(RELATED, b"", LIMITS), []
    with pytest.raises(Failure, match="quoted-printable"):
        out.extend(unwrap.feed(data))
    assert b"".join(out) == b"<a/>"
