"""Words: what each makes of a text, what none can read, and ids of several texts."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soapgate.core.errors import LocationError
from soapgate.core.values import Transform, Unreadable, chain, joined, read_transform

NAMESPACES = {"c": "urn:c"}


def made(text, *words):
    """What the words make of a text."""
    transforms = [read_transform(word, 0, len(word), NAMESPACES) for word in words]
    finish = chain(transforms)
    return text if finish is None else finish(text)


BASE64 = base64.b64encode(b"\xef\xbb\xbf<c:A xmlns:c='urn:c'><c:B n='i'> 7 </c:B></c:A>").decode()


@pytest.mark.parametrize(
    ("text", "words", "value"),
    [
        ("a", ["trim"], "a"),
        ("AbC", ["lower"], "abc"),
        ('"a"', ["unquote"], "a"),
        ('" a "', ["unquote"], "a"),
        ('"a', ["unquote"], '"a'),
        ('"', ["unquote"], '"'),
        ("'a'", ["unquote"], "'a'"),
        ("p-1-2", ['before:"-"'], "p"),
        ("p-1-2", ["before:-"], "p"),
        ("p", ["before:-"], "p"),
        ("-1", ["before:-"], ""),
        ("uuid:A1", ["after:uuid:"], "A1"),
        ("A1", ["after:uuid:"], "A1"),
        ("a::b::c", ["after:'::'"], "b::c"),
        ("YWJj", ["base64"], "abc"),
        ("YWI", ["base64"], "ab"),
        ("Y W\nI=", ["base64"], "ab"),
        ("_-8=", ["base64", "lower"], None),
        ("w6k=", ["base64"], "é"),
        ("", ["base64"], ""),
        ("Q{}Q", ["base64"], None),
        ("QQQQQ", ["base64"], None),
        ("####", ["base64"], None),
        ("/w==", ["base64"], None),
        ("YQ==YQ==", ["base64"], None),
        (BASE64, ["base64", "xml:c:A/c:B[@n='i']"], "7"),
        (BASE64, ["base64", "xml:c:A/c:B/@n"], "i"),
        (BASE64, ["base64", "xml:c:Z/c:B"], ""),
        (BASE64, ["base64", "xml:c:A/c:B[@n='j']"], ""),
        ("<c:A xmlns:c='urn:c'>x</c:A>", ["xml:c:A"], "x"),
        ("<a/>", ["xml:a"], ""),
        ("<a href='#b'/>", ["xml:a"], ""),
        ("<a>", ["xml:a"], None),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", ["xml:a"], None),
        ("a" * 4000, ["xml:a"], None),
        ("<a>" * 1000, ["xml:a"], None),
        ("http://h:1/p/%7Eq?x=%2f#f", ["target"], "/p/~q?x=%2F"),
        ("http://www.w3.org/2005/08/addressing/anonymous", ["target"], ""),
        ("http://h/", ["target"], ""),
        ("urn:uuid:7", ["target"], ""),
        ("/p", ["target"], ""),
        ("http://h/p;jsessionid=7:i?x#f", ["param:jsessionid"], "7:i"),
        ("/p;jsessionid=7:i", ["param:jsessionid", 'before:":"'], "7"),
        ("/p?Idx=7", ["query:Idx"], "7"),
        ("/p/(X(1)S(7))/q", ["cookieless:S"], "7"),
        ("/p", ["param:jsessionid"], ""),
        ("no URL", ["cookieless:S"], ""),
        ('"P-1"', ["unquote", "before:-", "lower"], "p"),
        (" a ", ["named"], " a "),
    ],
)
def test_a_word_makes_of_a_text(text, words, value):
    if value is None:
        with pytest.raises(Unreadable) as caught:
            made(text, *words)
        assert text not in str(caught.value)
    else:
        assert made(text, *words) == value


WORDS = (
    *("lower", "unquote", "before:-", "base64", "xml:a", "target"),
    *("param:a", "query:a", "cookieless:A"),
)


@given(st.text(), st.sampled_from(WORDS))
def test_whatever_the_text_a_word_gives_a_trimmed_text_or_says_that_it_cannot_read_it(text, word):
    try:
        value = made(text, word)
    except Unreadable:
        return
    assert value == value.strip()


@pytest.mark.parametrize(
    "word",
    [
        *("", "no", "lower:a", "before", "before:", 'before:""', "xml:"),
        *("param", "param:", "param:a/b", "query:a&b", "cookieless:s", "cookieless:"),
    ],
)
def test_another_word_is_refused_with_those_there_are(word):
    with pytest.raises(LocationError, match="no such word: a value is made of trim, lower"):
        read_transform(word, 0, len(word), {})


@pytest.mark.parametrize(
    "word", ["trim", 'before:"-"', "xml:c:A/@b", "base64", "param:a", "cookieless:S"]
)
def test_a_word_is_printed_as_it_is_written(word):
    assert str(read_transform(word, 0, len(word), NAMESPACES)) == word


def test_without_a_word_that_does_something_there_is_nothing_to_do():
    assert chain([]) is None
    assert chain([Transform("trim"), Transform("named")]) is None


PARTS = st.lists(st.text(st.sampled_from("1:-ab"), max_size=4), max_size=4)


@given(PARTS, PARTS)
def test_different_parts_never_make_the_same_id(one, other):
    assert (joined(one) == joined(other)) is (one == other)
