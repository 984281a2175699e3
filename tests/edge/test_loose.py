"""Heads that differ in what nobody reads are taken for alike, and no others are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soapgate.core.errors import Failure
from soapgate.edge.framing import Length
from soapgate.edge.http11 import HeadLimits, parse_request_head, parse_response_head
from soapgate.edge.known import DIGITS, KnownHeads
from soapgate.edge.loose import LOOSE, READ, READ_FAMILIES, SKELETONS, known_heads

LIMITS = HeadLimits()
SOURCES = Path(__file__).resolve().parents[2] / "soapgate"


def parse_request(raw: bytes) -> Any:
    return parse_request_head(raw, LIMITS)


def parse_response(raw: bytes) -> Any:
    return parse_response_head(raw, b"POST", LIMITS)


def head(*lines: bytes, first: bytes = b"POST /shop HTTP/1.1") -> bytes:
    host = [b"Host: h"] if first.startswith(b"POST") else []
    return b"\r\n".join([first, *host, *lines, b"", b""])


def heads_of(parse: Any = parse_request, most: int = LIMITS.bytes, **more: Any) -> KnownHeads:
    return known_heads(parse, most, **more)


def traced(number: int, *lines: bytes, size: bytes = b"7") -> bytes:
    return head(b"X-Request-ID: r-%d" % number, *lines, b"Content-Length: " + size)


def learn(heads: KnownHeads, *raws: bytes) -> KnownHeads:
    for raw in raws:
        heads.read(raw)
    return heads


def test_a_head_with_another_number_is_known_by_two() -> None:
    heads = learn(heads_of(), traced(1), traced(2))
    raw = traced(3, size=b"1234")
    known = heads.find(raw + b"<x/>")
    assert known is not None
    assert (heads.end, known.size, known.digits) == (len(raw), 1234, b"1234")
    assert known.forward == parse_request(raw).forward
    assert known.as_came
    assert known.exact(raw, heads.end, known.digits).first(b"x-request-id") == b"r-3"
    assert known.head(known.digits).first(b"host") == b"h"


def test_what_follows_from_one_follows_from_another() -> None:
    heads = learn(heads_of(), traced(1), traced(2))
    known = heads.find(traced(3))
    known.exact(traced(3), len(traced(3)), b"7").notes["asked"] = "said"
    assert known.head(b"7").notes == {"asked": "said"}
    assert heads.take(traced(4)).notes == {"asked": "said"}


def test_lines_that_stay_behind_do_so_whatever_varies() -> None:
    lines = (b"Connection: keep-alive, X-Hop", b"X-Hop: 1")
    heads = learn(heads_of(), traced(1, *lines), traced(2, *lines))
    for raw in (traced(33, *lines), traced(4, *lines, size=b"99")):
        known = heads.find(raw)
        assert known is not None
        assert known.forward == parse_request(raw).forward
        assert b"Hop" not in known.forward
        assert not known.as_came


def test_a_field_that_begins_to_vary_later_is_let_vary() -> None:
    def raw(one: int, two: int) -> bytes:
        return head(b"A: %d" % one, b"B: %d" % two)

    heads = learn(heads_of(), raw(1, 1), raw(2, 1), raw(2, 2), raw(3, 3))
    assert heads.find(raw(7, 8)) is not None


@pytest.mark.parametrize(
    "line",
    [
        *(b"Host: %d", b"SOAPAction: urn:%d", b"Content-Type: text/xml; charset=%d"),
        *(b"Cookie: JSESSIONID=%d", b"Accept: a/%d", b"X-Forwarded-Host: h%d"),
        *(b"X-Forwarded-Proto: h%d", b"X-Soapgate-Caller: %d", b"TE: t%d"),
        *(b"Content-Encoding: %d", b"Proxy-Jroute: %d", b"Connection: x%d", b"X-Session: %d"),
    ],
)
def test_a_field_that_is_read_never_varies(line: bytes) -> None:
    first = b"POST / HTTP/1.0"  # Host may be missing, or be the line

    def raw(number: int) -> bytes:
        return b"\r\n".join([first, line % number, b"A: b", b"", b""])

    heads = learn(heads_of(reads=[b"x-session"]), *map(raw, range(5)))
    assert heads.find(raw(6)) is None
    assert heads.find(raw(4)) is not None  # as it came


@pytest.mark.parametrize("line", [b"X-Forwarded-For: 10.0.0.%d", b"Via: 1.1 p%d", b"Trace: %d"])
def test_what_others_say_of_a_request_on_its_way_may_vary(line: bytes) -> None:
    heads = learn(heads_of(), head(line % 1), head(line % 2))
    assert heads.find(head(line % 3)) is not None


@pytest.mark.parametrize("first", [b"POST /shop/%d HTTP/1.1", b"POST /shop?a:=%d HTTP/1.1"])
def test_the_first_line_never_varies(first: bytes) -> None:
    heads = learn(heads_of(), *(head(b"A: b", first=first % number) for number in range(5)))
    assert heads.find(head(b"A: b", first=first % 6)) is None


@pytest.mark.parametrize(
    "raw",
    [
        head(b"X-Request-ID: ", b"Content-Length: 7"),
        head(b"X-Request-ID: a\tb", b"Content-Length: 7"),
        head(b"X-Request-ID: \xe4", b"Content-Length: 7"),
        head(b"X-Request-ID: a\rb", b"Content-Length: 7"),
        head(b"X-Request-ID: a\nb", b"Content-Length: 7"),
        head(b"X-Request-ID: a\0b", b"Content-Length: 7"),
        head(b"X-Request-ID: a", b"Content-Length: 7x"),
        head(b"X-Request-ID: a", b"Content-Length: "),
        head(b"X-Request-ID: a", b"Content-Length: 1" + b"0" * DIGITS),
        head(b"X-Request-ID: a", b"Content-Length: 7", b"Content-Length: 8"),
        head(b"X-Request-Id: a", b"Content-Length: 7"),
        head(b"Content-Length: 7", b"X-Request-ID: a"),
        head(b"X-Request-ID: a", b"Content-Length: 7", b"Transfer-Encoding: chunked"),
    ],
)
def test_what_is_not_like_it_is_not_taken_for_it(raw: bytes) -> None:
    heads = learn(heads_of(), traced(1), traced(2))
    assert heads.find(raw) is None


@pytest.mark.parametrize("cut", range(len(traced(3))))
def test_half_a_head_is_not_taken(cut: int) -> None:
    assert learn(heads_of(), traced(1), traced(2)).find(traced(3)[:cut]) is None


@pytest.mark.parametrize("text", [b"soapgate-hole-1-", b"909090909090909090"])
def test_a_head_that_holds_a_mark_of_its_own_is_never_loose(text: bytes) -> None:
    # a hole that stays behind, and the same text in a field that goes on and is read
    lines = (b"Connection: X-Hop", b"Cookie: a=%b" % text, b"Content-Length: 7")
    heads = learn(heads_of(), *(head(b"X-Hop: %b" % hop, *lines) for hop in (b"1", text, text)))
    assert heads.find(head(b"X-Hop: b", *lines)) is None


def test_a_head_past_the_bound_is_not_taken() -> None:
    heads = learn(heads_of(most=200), traced(1), traced(2))
    assert heads.find(head(b"X-Request-ID: " + b"r" * 100, b"Content-Length: 7")) is not None
    assert heads.find(head(b"X-Request-ID: " + b"r" * 200, b"Content-Length: 7")) is None


def test_a_length_that_measures_nothing_loosens_nothing() -> None:
    def raw(number: int) -> bytes:
        return head(b"Date: %d" % number, b"Content-Length: 5", first=b"HTTP/1.1 304 Not Modified")

    heads = learn(heads_of(parse_response), *map(raw, range(4)))
    assert heads.find(raw(9)) is None


def test_replies_of_another_second_are_known() -> None:
    def raw(second: int) -> bytes:
        return head(b"Date: %d" % second, b"Content-Length: 5", first=b"HTTP/1.1 200 OK")

    heads = learn(heads_of(parse_response), raw(1), raw(2))
    known = heads.find(raw(3))
    assert known is not None
    assert (known.size, known.as_came, known.head(b"5").status) == (5, True, 200)


def test_what_is_remembered_is_bounded() -> None:
    heads = heads_of()
    for kind in range(max(LOOSE, SKELETONS) + 20):
        for number in range(2):
            heads.read(head(b"Kind-%d: a" % kind, b"X-Request-ID: %d" % number))
    assert heads.find(head(b"Kind-0: a", b"X-Request-ID: 9")) is None
    assert heads.find(head(b"Kind-%d: a" % kind, b"X-Request-ID: 9")) is not None


# against the parser

NAMES = st.sampled_from(
    [b"A", b"X-Request-ID", b"Date", b"x-hop", b"Connection", b"Cookie", b"Content-Type", b"Accept"]
)
VALUES = st.one_of(
    st.sampled_from([b"1", b"22", b"close", b"x-hop", b"keep-alive, A", b"text/xml", b"a: b"]),
    st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=8).map(
        lambda text: text.encode("latin-1")
    ),
)
FIRSTS = {
    "request": (st.sampled_from([b"POST /a HTTP/1.1", b"POST /a HTTP/1.0"]), parse_request),
    "response": (st.sampled_from([b"HTTP/1.1 200 OK", b"HTTP/1.1 204 No"]), parse_response),
}


def told(found: Any) -> dict[str, Any]:
    """A head as values that can be compared."""
    return {
        name: getattr(found, name)
        for kind in type(found).__mro__
        for name in getattr(kind, "__slots__", ())
        if name != "notes"
    }


def read_only(found: dict[str, Any]) -> dict[str, Any]:
    """What of it somebody reads."""
    read = {
        name: values
        for name, values in found["fields"].items()
        if name in READ or name.startswith(READ_FAMILIES)
    }
    framing = type(found["framing"])
    return {**found, "fields": read, "names": list(found["fields"]), "framing": framing} | {
        "forward": None
    }


@settings(max_examples=400)
@given(st.data(), st.sampled_from(list(FIRSTS)))
def test_a_head_that_is_found_is_the_one_that_parsing_gives(data: st.DataObject, kind: str) -> None:
    firsts, parse = FIRSTS[kind]
    heads = heads_of(parse)
    names = data.draw(st.lists(NAMES, min_size=1, max_size=4))
    first = data.draw(firsts)
    length = data.draw(st.booleans())
    for _ in range(data.draw(st.integers(2, 6))):
        lines = [name + b": " + data.draw(VALUES) for name in names]
        if length:
            lines.append(b"Content-Length: %d" % data.draw(st.integers(0, 10**6)))
        raw = head(*lines, first=first)
        raw = raw[: raw.index(b"\r\n\r\n") + 4]
        known = heads.find(raw)
        try:
            parsed = parse(raw)
        except Failure:
            assert known is None
            continue
        if known is None:
            heads.learn(raw)
            continue
        assert heads.end == len(raw)
        assert known.forward == parsed.forward
        assert known.as_came == (parsed.forward + b"\r\n" == raw)
        size = parsed.framing.size if type(parsed.framing) is Length else -1
        assert known.size == size
        assert told(known.exact(raw, heads.end, known.digits)) == told(parsed)
        assert read_only(told(known.head(known.digits))) == read_only(told(parsed))


# the sources

_ASKED = re.compile(
    r"""(?:first|get|pop)\(b"([A-Za-z-]+)"|fields\[b"([A-Za-z-]+)"|b"([A-Za-z-]+)"\s+(?:not\s+)?in\s+[\w.]*fields"""
)
_OF_PARTS = {"mime.py", "rootrewriting.py"}  # these ask for fields of a MIME part


def test_every_field_that_is_asked_for_by_name_is_one_that_never_varies() -> None:
    asked = {
        (path.name, name.lower().encode())
        for path in SOURCES.rglob("*.py")
        if path.name not in _OF_PARTS
        for found in _ASKED.finditer(path.read_text())
        for name in found.groups()
        if name
    }
    assert ("desk.py", b"accept") in asked
    loose = [
        (file, name)
        for file, name in asked
        if name not in READ and not name.startswith(READ_FAMILIES)
    ]
    assert loose == []
