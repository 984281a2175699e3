"""Every piece is what its words make, and no word shows more than a name."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soapgate.core.fragments import LONGEST, fragments
from soapgate.core.locations import parse
from soapgate.core.values import chain

ID = "f3a9c2d17b604e5880aa1d"
UUID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"


def made(text, words):
    """What a location with these words makes of a text."""
    return chain(parse(f"http:x{words}", {}).transforms)(text)


def words(text, value):
    """The words that make a value of a text, None if there are none."""
    return next((one.words for one in fragments(text) if one.value == value), None)


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        (f"{ID}-0001", ID, " | before:'-'"),
        (f"{ID}-0001", "0001", " | after:'-'"),
        (f"{ID}.node1", ID, " | before:'.'"),
        (f"{ID}!-17!42", ID, " | before:'!'"),
        (f"{ID}|2", ID, " | before:'|'"),
        (f"node1:{ID}:7", ID, " | after:':' | before:':'"),
        (f"node1:{ID}", ID, " | after:':'"),
        (f'"{ID}"', ID, " | unquote"),
        (f'"{ID}.n"', ID, " | unquote | before:'.'"),
        (ID.upper(), ID, " | lower"),
        (f"{ID.upper()}-1", ID, " | lower | before:'-'"),
        (base64.b64encode(ID.encode()).decode(), ID, " | base64"),
        (base64.b64encode(f"ann:{ID}".encode()).decode(), ID, " | base64 | after:':'"),
        (f"http://h/c;jsessionid={ID}", ID, " | after:';jsessionid='"),
        (f"http://h/c;jsessionid={ID}.n1?a=1", ID, " | after:';jsessionid=' | before:'.'"),
        (f"http://h/?s={ID}&b=2", ID, " | after:'?s=' | before:'&'"),
        (f"user=ann; sid={ID}", ID, None),
        (f"user=ann;sid={ID}", ID, " | after:';sid='"),
        (f"sid={ID};user=ann", ID, " | after:'sid=' | before:';'"),
        (f"sids=1,s={ID}", ID, " | after:',s='"),
        (f"urn:example:session:{ID}", ID, " | after:'urn:example:session:'"),
        (f"urn:uuid:{UUID}", UUID, " | after:'urn:uuid:'"),
        (f"uuid:{UUID}", UUID, " | after:':'"),
        ("{" + UUID + "}", UUID, " | after:'{' | before:'}'"),
        (f"sess-{UUID}", UUID, " | after:'-'"),
    ],
)  # fmt: skip
def test_a_piece_has_the_fewest_words_that_make_it(text, value, expected):
    assert words(text, value) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (UUID, UUID[9:]),
        (f"{UUID}-7", UUID[:8]),
        (f"http://{ID}.example.com/a", ID),
        (f"http://h/{ID}/a", ID),
        (f"session {ID}-1 is open", ID),
        (f"{ID}=xyz", "xyz=="),
        ("x" * LONGEST + "-1", "1"),
    ],
    ids=["a UUID", "before one's dash", "a host", "a path", "prose", "an id as a name", "too long"],
)
def test_what_is_no_piece_is_not_cut(text, value):
    assert words(text, value) is None


@pytest.mark.parametrize("text", [f"{ID}={ID[::-1]}", f"urn:sess:{ID}:7", f"a;{ID}=1", f"?{ID}=1"])
def test_no_word_shows_what_could_be_an_id(text):
    assert fragments(text)
    assert not [one for one in fragments(text) if re.search(r"(?:\d\D*){4}", one.words)]


def test_a_parameter_has_its_name():
    (one,) = [one for one in fragments(f"http://h/c;jsessionid={ID}") if one.value == ID]
    assert one.name == "jsessionid"
    assert {one.name for one in fragments(f"{ID}-1")} == {""}


SEVERAL = st.lists(
    st.sampled_from(
        [*"-.!:|/;,_@#~*+=&?%{}'", '"', " ", ID, UUID, "a=", "sid=", "urn:", "http://", "Ab", "7"]
    ),
    max_size=8,
).map("".join)


@settings(max_examples=500, deadline=None)
@given(SEVERAL)
def test_whatever_the_text_its_words_make_the_piece(text):
    text = text.strip()
    found = fragments(text)
    assert len({one.value for one in found}) == len(found)
    for one in found:
        assert one.value not in ("", text)
        assert made(text, one.words) == one.value
