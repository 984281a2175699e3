"""Transfer encodings undone: every case whole, byte by byte and at every split."""

from __future__ import annotations

import base64
import quopri

import pieces
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soapgate.core.encodings import NotSoap
from soapgate.core.errors import Failure, Reason
from soapgate.core.transfer_encodings import BLANKS, open_transfer


def decoded(coding, these):
    """(what comes out, why it then broke)."""
    transfer, out = open_transfer(coding), []
    try:
        for piece in these:
            out.extend(transfer.feed(piece))
    except Failure as failure:
        return b"".join(out), failure.reason
    return b"".join(out), None


def each_way(coding, data):
    return pieces.each_way(lambda these: decoded(coding, these), data)


@pytest.mark.parametrize("coding", [b"", b"7bit", b"8BIT", b" binary "])
def test_what_is_not_encoded_stays_as_it_is(coding):
    assert each_way(coding, b"a=3D\r\n \0\xff") == (b"a=3D\r\n \0\xff", None)


QUOTED = {
    "escapes": (b"=3Ca=20b=3d'=C3=A9'>", "<a b='\u00e9'>".encode()),
    "a soft break inside a tag": (b"<a =\r\nb=3D'1=\n2'>", b"<a b='12'>"),
    "blanks behind a soft break": (b"a= \t \r\nb", b"ab"),
    "hard breaks stay": (b"a\r\nb\nc\rd", b"a\r\nb\nc\rd"),
    "blanks at a line's end are gone": (b"a \t\r\nb  \nc d", b"a\r\nb\nc d"),
    "blanks before a bare CR stay": (b"a \rb", b"a \rb"),
    "8 bits are let be": (b"\xc3\xa9", b"\xc3\xa9"),
    "a long line": (b"x" * 2000, b"x" * 2000),
    "an open end": (b"ab=", b"ab"),
    "half an escape at the end": (b"ab=4", b"ab"),
    "many blanks": (b"a" + b" " * BLANKS + b"b", b"a" + b" " * BLANKS + b"b"),
    "nothing": (b"", b""),
}


BROKEN_QUOTED = {
    "no digits": (b"ab=ZZ", b"ab"),
    "one digit": (b"ab=3>", b"ab"),
    "a digit and a line end": (b"ab=3\r\n", b"ab"),
    "an equals sign twice": (b"ab==3D", b"ab"),
    "blanks and no line end": (b"ab=  c", b"ab"),
    "too many blanks": (b"a" + b" " * (BLANKS + 1) + b"\r\n", b"a"),
    "too many behind an equals sign": (b"a=" + b" " * (BLANKS + 1) + b"\r\n", b"a"),
}


BASE64 = {
    "one line": (b"PGEvPg==", b"<a/>"),
    "no padding needed": (b"PGEgLz4K", b"<a />\n"),
    "one sign of padding": (b"PGEgLz4=", b"<a />"),
    "lines and blanks": (b"PG\r\nEv \t Pg\n=\n=\r\n", b"<a/>"),
    "an open end": (b"PGEvPg", b"<a/"),
    "nothing": (b" \r\n", b""),
}


BROKEN_BASE64 = {
    "a strange letter": (b"PGEv*Pg==", b"<a/"),
    "url-safe letters": (b"PGEv-_", b"<a/"),
    "data behind the padding": (b"PGEvPg==PGEvPg==", b"<a/>"),
    "a third sign of padding": (b"PGEvPg===", b"<a/>"),
    "padding at a wrong place": (b"PGEv=Pg=", b"<a/"),
    "padding behind one letter": (b"PGEvP===", b"<a/"),
    "padding before a letter": (b"PGEvPg=a", b"<a/"),
    "8 bits": (b"PGEv\xa0", b"<a/"),
}


READ = {"Quoted-Printable": QUOTED, "Base64": BASE64}
BROKEN = {"quoted-printable": BROKEN_QUOTED, "base64": BROKEN_BASE64}


def of_each(tables):
    """Every row of every table, with its coding; the arguments of a parametrize."""
    rows = [
        pytest.param(coding.encode(), *row, id=f"{coding}: {name}")
        for coding, table in tables.items()
        for name, row in table.items()
    ]
    return ("coding", "data", "text"), rows


@pytest.mark.parametrize(*of_each(READ))
def test_what_is_encoded_is_read(coding, data, text):
    assert each_way(coding, data) == (text, None)


@pytest.mark.parametrize(*of_each(BROKEN))
def test_reading_breaks_where_it_is_broken(coding, data, text):
    assert each_way(coding, data) == (text, Reason.MALFORMED)


@pytest.mark.parametrize("coding", [b"x-uuencode", b"uuencode", b"gzip", b"7 bit", b"\xff"])
def test_an_unknown_encoding_is_left_alone(coding):
    with pytest.raises(NotSoap, match="transfer encoding"):
        open_transfer(coding)


@settings(deadline=None)
@given(st.binary(max_size=200), st.lists(st.integers(0, 9), max_size=40))
def test_whatever_is_encoded_comes_back(data, sizes):
    assert decoded(b"base64", pieces.cut(base64.encodebytes(data), sizes)) == (data, None)
    unix = data.replace(b"\r", b"")  # quopri's own lines end in LF
    quoted = quopri.encodestring(unix)
    assert decoded(b"quoted-printable", pieces.cut(quoted, sizes)) == (unix, None)


NOISE = st.lists(
    st.sampled_from([b"=", b"\r", b"\n", b" ", b"\t", b"a", b"3D", b"*", b"PGEv", b"==", b"\xff"]),
    max_size=30,
).map(b"".join)


@settings(deadline=None)
@given(NOISE, st.lists(st.integers(0, 5), max_size=40))
def test_noise_is_decoded_alike_however_it_is_cut(data, sizes):
    for coding in (b"base64", b"quoted-printable"):
        assert decoded(coding, pieces.cut(data, sizes)) == decoded(coding, [data])
