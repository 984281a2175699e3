"""From an HTTP body to UTF-8."""

from __future__ import annotations

import gzip
import zlib
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soapgate.core import encodings
from soapgate.core.encodings import (
    Inflate,
    NotSoap,
    Recode,
    charset_of,
    codec,
    expect,
    media,
    open_coding,
)
from soapgate.core.errors import Failure, Reason


@pytest.mark.parametrize(
    ("field", "kind", "charset"),
    [
        (b"", "", ""),
        (b"text/xml", "text/xml", ""),
        (b"Text/XML;charset=UTF-8", "text/xml", "UTF-8"),
        (b'text/xml ; Charset = "utf-8"', "text/xml", "utf-8"),
        (b"text/xml; charset='utf-8'", "text/xml", "utf-8"),
        (b"text/xml, charset=utf-8", "text/xml", ""),
        (b'application/soap+xml; action="a;charset=x"; charset=b', "application/soap+xml", "b"),
        (b'application/soap+xml; action="a\\";charset=x"', "application/soap+xml", ""),
        (b"text/xml; charset=a; charset=b", "text/xml", "a"),
        (b"text/xml; charset=", "text/xml", ""),
    ],
)
def test_a_content_type_is_read_with_its_quotes(field, kind, charset):
    assert media(field) == (kind, charset)


@pytest.mark.parametrize(
    ("field", "name", "why_not"),
    [
        (b"text/xml; charset=utf8", "utf_8", ""),
        (b"application/soap+xml", "", ""),
        (b"application/xop+xml", "", ""),
        (b"", "", ""),
        (b"application/json", "", "content type application/json"),
        (b"application/octet-stream", "", "content type application/octet-stream"),
        (b"application/soap+msbin1", "", "content type application/soap+msbin1"),
        (b"multipart/related; boundary=x", "", "content type multipart/related"),
        (b"text/xml; charset=x-user", "", "charset x-user"),
    ],
)
def test_what_cannot_be_an_envelope_is_known_by_its_type(field, name, why_not):
    assert expect(field) == (name, why_not)


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("UTF8", "utf_8"),
        ("utf-8", "utf_8"),
        ("UTF_8", "utf_8"),
        ("utf-8-sig", "utf_8"),
        ("US-ASCII", "ascii"),
        ("ISO-8859-1", "latin_1"),
        ("iso_8859-15", "iso8859_15"),
        ("Windows-1251", "cp1251"),
        ("KOI8-U", "koi8_u"),
        ("Shift_JIS", "shift_jis"),
        ("GB2312", "gb2312"),
        ("UTF-16LE", "utf_16_le"),
        ("utf-32", "utf_32"),
    ],
)
def test_charsets_have_many_names(charset, name):
    assert codec(charset) == name


@pytest.mark.parametrize(
    "charset",
    ["utf-7", "hz", "idna", "punycode", "unicode_escape", "raw_unicode_escape", "rot13", "base64",
     "zlib", "bz2", "cp037", "cp500", "undefined", "mbcs", "os", "../x", "", "x" * 500, "\u00e9"],
)  # fmt: skip
def test_what_is_no_harmless_charset_is_none(charset):
    with pytest.raises(NotSoap):
        codec(charset)


def test_unknown_names_are_not_remembered():
    from encodings import _cache

    before = len(_cache)
    for number in range(50):
        with pytest.raises(NotSoap):
            codec(f"made-up-{number}")
    assert len(_cache) == before


def recoded(data, http="", size=None):
    recode, size = Recode(http), size or max(len(data), 1)
    out = [recode.feed(data[at : at + size]) for at in range(0, len(data), size)]
    return b"".join([*out, recode.close()])


TEXT = "<a>\u00e9</a>"
DECLARED = '<?xml version="1.0" encoding="{}"?><a>\u00e9</a>'

CASES = {
    "plain": (TEXT.encode(), "", TEXT),
    "UTF-8 mark": (TEXT.encode("utf-8-sig"), "", TEXT),
    "UTF-8 mark over HTTP": (TEXT.encode("utf-8-sig"), "latin_1", TEXT),
    "UTF-16 mark": (TEXT.encode("utf-16"), "", TEXT),
    "UTF-16 big mark": (b"\xfe\xff" + TEXT.encode("utf-16-be"), "", TEXT),
    "UTF-32 mark": (TEXT.encode("utf-32"), "", TEXT),
    "HTTP": (TEXT.encode("latin-1"), "latin_1", TEXT),
    "HTTP utf-16, big": (TEXT.encode("utf-16-be"), "utf_16", TEXT),
    "HTTP utf-16, little": (TEXT.encode("utf-16-le"), "utf_16", TEXT),
    "guessed big": (TEXT.encode("utf-16-be"), "", TEXT),
    "guessed little": (TEXT.encode("utf-16-le"), "", TEXT),
    "guessed 32": (TEXT.encode("utf-32-be"), "", TEXT),
    "declared": (DECLARED.format("latin1").encode("latin-1"), "", DECLARED.format("latin1")),
    "declared, but HTTP": (DECLARED.format("latin1").encode(), "utf_8", DECLARED.format("latin1")),
    "declared wide, is not": (DECLARED.format("utf-16").encode(), "", DECLARED.format("utf-16")),
    "short": (b"<a", "", "<a"),
    "nothing": (b"", "", ""),
    "half a declaration": (b"<?xml version", "", "<?xml version"),
}


@pytest.mark.parametrize(("data", "http", "text"), CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("size", [None, 1, 2, 3, 7])
def test_everything_becomes_utf_8(data, http, text, size):
    assert recoded(data, http, size) == text.encode()


def test_a_declaration_of_an_unknown_charset_is_not_read():
    with pytest.raises(NotSoap, match="charset klingon"):
        recoded(DECLARED.format("klingon").encode())


def test_a_declaration_that_does_not_end_is_not_waited_for():
    assert recoded(b"<?xml " + b" " * 5000).startswith(b"<?xml ")
    recode = Recode("")
    assert recode.feed(b"<?xml " + b" " * 100) == b""
    assert recode.feed(b" " * 2000)


@pytest.mark.parametrize(
    ("data", "http", "text"),
    [
        (b"ab\x81cd", "cp1252", "ab\ufffecd"),
        (b"<\0a\0\x00\xd8b\0", "utf_16_le", "<a\ufffeb"),
        (b"<\0a\0b", "utf_16_le", "<a\ufffe"),
        (b"<a\xff>", "gb18030", "<a\ufffe>"),
    ],
)
@pytest.mark.parametrize("size", [None, 1])
def test_bytes_of_no_charset_become_a_character_of_no_document(data, http, text, size):
    assert recoded(data, http, size) == text.encode()


def inflated(data, coding, size=None):
    inflate, size = Inflate(coding), size or max(len(data), 1)
    return b"".join(
        piece for at in range(0, len(data), size) for piece in inflate.feed(data[at : at + size])
    )


def raw_deflate(data):
    deflate = zlib.compressobj(wbits=-15)
    return deflate.compress(data) + deflate.flush()


PLAIN = bytes(range(256)) * 300


@pytest.mark.parametrize(
    ("data", "coding"),
    [
        (gzip.compress(PLAIN), "gzip"),
        (gzip.compress(PLAIN[:9]) + gzip.compress(PLAIN[9:]), "gzip"),
        (gzip.compress(PLAIN) + b"trailing", "gzip"),
        (zlib.compress(PLAIN), "deflate"),
        (raw_deflate(PLAIN), "deflate"),
    ],
    ids=["gzip", "members", "trailing", "zlib", "raw"],
)
@pytest.mark.parametrize("size", [None, 1, 100])
def test_inflation_gives_what_was_deflated(data, coding, size):
    assert inflated(data, coding, size) == PLAIN


def test_pieces_that_are_not_taken_are_not_made():
    inflate = Inflate("gzip")
    pieces = inflate.feed(gzip.compress(bytes(10_000_000)))
    assert next(pieces) == bytes(encodings.PIECE)
    assert inflate.made == encodings.PIECE
    assert inflate.made > 100 * inflate.read


def test_what_stands_before_a_corruption_is_given_first():
    data = bytearray(gzip.compress(PLAIN))
    data[-6] ^= 1  # the checksum
    for size in (len(data), 1, 50):
        inflate, out = Inflate("gzip"), []
        pieces = chain.from_iterable(
            inflate.feed(bytes(data[at : at + size])) for at in range(0, len(data), size)
        )
        with pytest.raises(Failure) as failure:
            out.extend(pieces)
        assert failure.value.reason is Reason.MALFORMED
        assert b"".join(out) == PLAIN


@settings(deadline=None)
@given(st.binary(max_size=300), st.integers(1, 50))
def test_noise_is_inflated_or_refused_and_nothing_else(data, size):
    for coding in ("gzip", "deflate"):
        try:
            whole = inflated(data, coding)
        except Failure as failure:
            whole = failure.reason
        try:
            pieces = inflated(data, coding, size)
        except Failure as failure:
            pieces = failure.reason
        assert pieces == whole


@pytest.mark.parametrize("field", [b"", b"identity", b" Identity "])
def test_no_coding_needs_no_undoing(field):
    assert open_coding(field) is None


@pytest.mark.parametrize("field", [b"gzip", b"X-GZIP", b"deflate"])
def test_known_codings_are_undone(field):
    assert open_coding(field) is not None


@pytest.mark.parametrize("field", [b"br", b"zstd", b"gzip, gzip", b"compress"])
def test_other_codings_are_left_alone(field):
    with pytest.raises(NotSoap):
        open_coding(field)


CHARSETS = {
    "a BOM over HTTP": ("\ufeff<a/>".encode("utf-16-le"), "utf_8", "utf_16_le"),
    "HTTP over the declaration": (
        b"<?xml version='1.0' encoding='ascii'?><a/>",
        "cp1252",
        "cp1252",
    ),
    "the declaration": (b"<?xml version='1.0' encoding='latin1'?><a/>", "", "latin_1"),
    "where the NULs are": ("<a/>".encode("utf-16-be"), "", "utf_16_be"),
    "nothing": (b"<a/>", "", "utf_8"),
    "an order that HTTP leaves open": ("<a/>".encode("utf-16-le"), "utf_16", "utf_16_le"),
    "next to nothing": (b"<", "", "utf_8"),
}


@pytest.mark.parametrize(("data", "http", "name"), CHARSETS.values(), ids=CHARSETS)
def test_the_charset_of_a_whole_message_is_told(data, http, name):
    assert charset_of(data, http) == name


def test_a_whole_message_may_declare_a_charset_that_nobody_knows():
    with pytest.raises(NotSoap, match="charset x-none"):
        charset_of(b"<?xml version='1.0' encoding='x-none'?><a/>", "")


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_compressed_data_has_ended_when_its_last_byte_was_taken(coding):
    data = gzip.compress(b"x" * 99) if coding == "gzip" else zlib.compress(b"x" * 99)
    inflate = Inflate(coding)
    assert not inflate.ended
    for at in range(len(data)):
        assert not inflate.ended
        list(inflate.feed(data[at : at + 1]))
    assert inflate.ended
