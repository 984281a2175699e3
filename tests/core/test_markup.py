"""Markup as literals and holes, against a regular expression of the same."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soapgate.core.markup import (
    HOLE_BYTES,
    MARKED,
    PREFIX_BYTES,
    Hole,
    Mould,
    Unfit,
    literals,
    marked,
    split,
)

MESSAGE = (
    b'<?xml version="1.0"?>\n<e:Envelope xmlns:e="urn:e">\n <e:Header>'
    b"<s:Id xmlns:s='urn:s' kind='x y' e:mustUnderstand=\"1\">abc-1</s:Id>"
    b"<s:To xmlns:s='urn:s'>urn:x</s:To></e:Header><e:Body><s:add/></e:Body></e:Envelope>"
)
END = MESSAGE.index(b"<s:add/>")
ALL = range(256)


def values(segments: list[bytes | Hole]) -> list[bytes]:
    return [one.value for one in segments if isinstance(one, Hole)]


def mould(message: bytes = MESSAGE, consulted: frozenset[str] = frozenset()) -> Mould:
    segments, _ = split(message, consulted)
    return Mould(segments, range(len(segments)))


def fitted(mould: Mould, data: bytes, start: int = 0) -> tuple[int, list[bytes]] | None:
    """Where the fit ends and the values, None if there is none."""
    end = mould.fit(data, start)
    return None if end < 0 else (end, list(mould.values()))


def expression(message: bytes) -> re.Pattern[bytes]:
    """What a mould stands for."""
    parts = []
    for one in split(message, ())[0]:
        if isinstance(one, bytes):
            parts.append(re.escape(one))
        else:
            parts.append(
                b"([%b]+)" % b"".join(b"\\x%02x" % byte for byte in ALL if one.allowed[byte])
            )
    return re.compile(b"".join(parts))


def test_texts_and_attributes_before_the_body_are_holes() -> None:
    segments, end = split(MESSAGE, ())
    assert values(segments) == [b"x y", b"1", b"abc-1", b"urn:x"]
    assert end == END
    whole = b"".join(one if isinstance(one, bytes) else one.value for one in segments)
    assert whole == MESSAGE[:END]


def test_literals_and_holes_take_turns() -> None:
    segments, _ = split(MESSAGE, ())
    assert [isinstance(one, Hole) for one in segments] == [n % 2 == 1 for n in range(9)]


def test_the_first_child_of_the_body_is_split_like_what_stands_before_it() -> None:
    data = MESSAGE.replace(b"<s:add/>", b"<s:add n='1'><s:id>a</s:id><s:x/></s:add><s:more/>")
    segments, end = split(data, (), child=True)
    assert end == data.index(b"<s:more/>")
    assert values(segments)[-2:] == [b"1", b"a"]
    empty, end = split(MESSAGE, (), child=True)
    assert end == END + len(b"<s:add/>")
    assert values(empty) == values(split(MESSAGE, ())[0])
    with pytest.raises(Unfit):
        split(MESSAGE.replace(b"<s:add/>", b""), (), child=True)


def test_what_is_consulted_is_no_hole() -> None:
    assert values(split(MESSAGE, {"Id", "kind"})[0]) == [b"1", b"urn:x"]


def test_the_literals_of_two_messages_of_one_markup_are_equal() -> None:
    other = MESSAGE.replace(b"abc-1", b"another").replace(b"urn:x", b"urn:y")
    assert literals(split(MESSAGE, ())[0]) == literals(split(other, ())[0])


@pytest.mark.parametrize(
    "data",
    [
        MESSAGE[: END - 4],
        MESSAGE.replace(b"abc-1", b"a<!-- -->"),
        MESSAGE.replace(b"abc-1", b"a&amp;b"),
        MESSAGE.replace(b"abc-1", b"<![CDATA[a]]>"),
        MESSAGE.replace(b"abc-1", "\u00e9".encode()),
        MESSAGE.replace(b"kind", b"href"),
        MESSAGE.replace(b"<e:Body>", b"<e:Body/>"),
        MESSAGE.replace(b"abc-1", b"a" * PREFIX_BYTES),
        b"</a>" + MESSAGE,
    ],
    ids=["cut", "comment", "entity", "CDATA", "beyond ASCII", "href", "empty", "long", "an end"],
)
def test_some_messages_have_no_mould(data: bytes) -> None:
    with pytest.raises(Unfit):
        split(data, ())


def test_a_message_fits_its_own_mould_wherever_it_begins() -> None:
    wanted = [b"x y", b"1", b"abc-1", b"urn:x"]
    assert fitted(mould(), MESSAGE) == (END, wanted)
    assert fitted(mould(), b"head" + MESSAGE, 4) == (END + 4, wanted)
    assert mould().fit(MESSAGE, 1) == -1


def test_only_the_wanted_values_are_told() -> None:
    segments, _ = split(MESSAGE, ())
    assert fitted(Mould(segments, {5}), MESSAGE) == (END, [b"abc-1"])
    assert fitted(Mould(segments, ()), MESSAGE) == (END, [])


@pytest.mark.parametrize("size", range(0, END, 3))
def test_what_is_cut_off_does_not_fit(size: int) -> None:
    assert mould().fit(MESSAGE[:size], 0) == -1


def test_an_empty_value_and_an_endless_one_fit_nothing() -> None:
    assert mould().fit(MESSAGE.replace(b"abc-1", b""), 0) == -1
    assert mould().fit(MESSAGE.replace(b"abc-1", b"a" * (HOLE_BYTES - 1)), 0) > HOLE_BYTES
    assert mould().fit(MESSAGE.replace(b"abc-1", b"a" * HOLE_BYTES), 0) == -1


PIECES = st.one_of(
    st.sampled_from([b"<", b"&", b"]", b"'", b'"', b">", b" ", b"\t", b"\r", b"\n", b"\0", b""]),
    st.binary(max_size=3),
    st.text("ab1-_:/+=.", max_size=6).map(str.encode),
)


MANY = mould()  # what came before must make no difference


@given(st.integers(0, END), st.integers(0, 6), PIECES)
def test_a_mould_says_what_its_expression_says(at: int, gone: int, piece: bytes) -> None:
    data = MESSAGE[:at] + piece + MESSAGE[at + gone :]
    matched = expression(MESSAGE).match(data)
    expected = None if matched is None else (matched.end(), list(matched.groups()))
    assert fitted(MANY, data) == expected


@given(st.lists(PIECES, min_size=4, max_size=4))
def test_a_mould_takes_the_values_that_its_expression_takes(given: list[bytes]) -> None:
    data = MESSAGE
    for old, new in zip((b"x y", b'"1"', b"abc-1", b"urn:x"), given, strict=True):
        data = data.replace(old, b'"%b"' % new if old == b'"1"' else new, 1)
    matched = expression(MESSAGE).match(data)
    expected = None if matched is None else (matched.end(), list(matched.groups()))
    assert fitted(MANY, data) == expected


def test_a_mark_stands_in_every_hole_and_nothing_else_is_changed() -> None:
    segments, end = split(MESSAGE, ())
    parts = MARKED.split(marked(segments))
    assert [int(number) for number in parts[1::2]] == list(range(1, len(segments), 2))
    before = [value for pair in zip(parts[::2], values(segments), strict=False) for value in pair]
    assert b"".join([*before, parts[-1]]) == MESSAGE[:end]


def test_a_message_that_has_a_mark_of_its_own_is_not_marked() -> None:
    segments, _ = split(MESSAGE.replace(b"urn:x", b"soapgate-hole-1-"), {"To"})
    with pytest.raises(Unfit):
        marked(segments)
