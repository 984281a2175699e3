"""What is put back into a transfer encoding is what it was, to strict and to lenient readers."""

from __future__ import annotations

import base64
import quopri

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soapgate.core.encodings import NotSoap
from soapgate.core.errors import Failure, Reason
from soapgate.core.reencoding import LINE, decoded, encoded
from soapgate.core.transfer_encodings import open_transfer

QUOTED, BASE64 = b"Quoted-Printable", b"BASE64"


@pytest.mark.parametrize("coding", [b"", b"7bit", b"8bit", b"binary"])
def test_what_is_in_no_encoding_is_as_it_is(coding):
    text = b"a=3D --b\r\n \0\xff \n"
    assert decoded(coding, text) == encoded(coding, text) == text


def test_an_encoding_that_is_not_known_is_none():
    for way in (decoded, encoded):
        with pytest.raises(NotSoap):
            way(b"x-uu", b"text")


WRITTEN = {
    "what may stand for itself": (b"<a b='1'>~!\t</a>", b"<a b=3D'1'>~!\t</a>"),
    "eight bits, controls and NUL": ("é\0\x7f\x0b".encode(), b"=C3=A9=00=7F=0B"),
    "line ends": (b"a\r\n\r\nb\r\n", b"a\r\n\r\nb\r\n"),
    "half of a line end": (b"a\rb\nc\r\r\nd\n\r", b"a=0Db=0Ac=0D\r\nd=0A=0D"),
    "blanks before a line end": (b"a \t\r\nb \r\n \t", b"a =09\r\nb=20\r\n =09"),
    "blanks before half of one": (b"a \rb\t\nc", b"a =0Db\t=0Ac"),
    "two hyphens in front": (b"--b\r\n---\r\n-b\r\na--b", b"=2D-b\r\n=2D--\r\n-b\r\na--b"),
    "a line of 76": (b"x" * 76, b"x" * 76),
    "a line of 77": (b"x" * 77, b"x" * 75 + b"=\r\nxx"),
    "a blank where it is cut": (b"x" * 74 + b" xx", b"x" * 74 + b" =\r\nxx"),
    "an escape where it is cut": (b"x" * 73 + b"==x", b"x" * 73 + b"=\r\n=3D=3Dx"),
    "an escape cut behind one digit": (b"x" * 74 + b"=x", b"x" * 74 + b"=\r\n=3Dx"),
    "an escape that just fits": (b"x" * 72 + b"=xx", b"x" * 72 + b"=3D=\r\nxx"),
    "hyphens where it is cut": (b"x" * 75 + b"--b", b"x" * 75 + b"=\r\n=2D-b"),
    "hyphens in front of 76": (b"--" + b"x" * 74, b"=2D-" + b"x" * 71 + b"=\r\nxxx"),
    "nothing": (b"", b""),
}


@pytest.mark.parametrize(("text", "content"), WRITTEN.values(), ids=WRITTEN)
def test_quoted_printable_is_written_by_the_rules(text, content):
    assert encoded(QUOTED, text) == content
    assert decoded(QUOTED, content) == text


def test_base64_is_written_in_lines_of_76():
    text = bytes(range(100))
    plain = base64.b64encode(text)
    assert encoded(BASE64, text) == plain[:76] + b"\r\n" + plain[76:]
    assert encoded(BASE64, text[:57]) == plain[:76]
    assert encoded(BASE64, b"") == b""


READ = {
    "a soft line end last": (b"a=\r\n", b"a"),
    "one whose line end is the delimiter's": (b"a=", b"a"),
    "and blanks": (b"a= \t", b"a"),
    "a line end and a soft one": (b"a\r\n=", b"a\r\n"),
    "blanks last": (b"a \t", b"a"),
    "a bare CR last": (b"a\r", b"a\r"),
    "a line end last": (b"a\r\n", b"a\r\n"),
    "bare LF": (b"a=3D\nb=\nc\n", b"a=\nbc\n"),
}


@pytest.mark.parametrize(("content", "text"), READ.values(), ids=READ)
def test_the_end_of_quoted_printable_is_where_its_delimiter_is(content, text):
    assert decoded(QUOTED, content) == text


BROKEN = {
    "an escape cut short": (QUOTED, b"a=4"),
    "an escape that is none": (QUOTED, b"a=zz"),
    "a soft end and a bare CR": (QUOTED, b"a=\r"),
    "a group cut short": (BASE64, b"PGEvPg"),
    "padding cut short": (BASE64, b"PGEvPg=\r\n"),
    "one letter too many": (BASE64, b"PGEvP"),
    "a strange letter": (BASE64, b"PGEv*Pg="),
}


@pytest.mark.parametrize(("coding", "content"), BROKEN.values(), ids=BROKEN)
def test_what_is_broken_or_open_is_refused(coding, content):
    with pytest.raises(Failure) as caught:
        decoded(coding, content)
    assert caught.value.reason == Reason.MALFORMED


TEXTS = st.one_of(
    st.binary(max_size=400),
    st.lists(
        st.sampled_from(
            [b"--b", b"-", b" ", b"\t", b"=", b"\r\n", b"\r", b"\n", b"\xc3\xa9", b"x" * 70, b"<a>"]
        ),
        max_size=40,
    ).map(b"".join),
)


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_any_text_comes_back_from_every_reader(text):
    quoted, plain = encoded(QUOTED, text), encoded(BASE64, text)
    assert decoded(QUOTED, quoted) == quopri.decodestring(quoted) == text
    assert decoded(BASE64, plain) == base64.b64decode(plain) == text
    for content in (quoted, plain):
        lines = content.split(b"\r\n")
        assert max(map(len, lines)) <= LINE
        assert not [one for one in lines if one.startswith(b"--") or one != one.rstrip(b" \t")]
        assert content.isascii()
        assert b"\n" not in b"".join(lines)
        assert b"\r" not in b"".join(lines)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([QUOTED, BASE64]), TEXTS)
def test_what_is_taken_out_is_what_the_reader_of_envelopes_sees(coding, content):
    try:
        text = decoded(coding, content)
    except Failure:
        return
    seen = b"".join(open_transfer(coding).feed(content))
    # blanks and a bare CR at the end are held for what never comes
    assert text.rstrip(b" \t\r") == seen.rstrip(b" \t\r")
