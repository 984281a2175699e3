"""Heads remembered: whatever was read before, the answer is the one that reading gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soapgate.core.errors import Failure
from soapgate.edge import known
from soapgate.edge.framing import EMPTY, Length
from soapgate.edge.http11 import HeadLimits, parse_request_head, parse_response_head
from soapgate.edge.known import KnownHeads

LIMITS = HeadLimits()


def parse_request(raw: bytes) -> Any:
    return parse_request_head(raw, LIMITS)


def parse_response(raw: bytes) -> Any:
    return parse_response_head(raw, b"POST", LIMITS)


def head(*lines: bytes, first: bytes = b"POST / HTTP/1.1", host: bool = True) -> bytes:
    fields = [b"Host: h"] if host else []
    return b"\r\n".join([first, *fields, *lines, b"", b""])


def outcome(read: Callable[[bytes], Any], raw: bytes) -> object:
    """What reading yields, an error included, as a value that can be compared."""
    try:
        found = read(raw)
    except Failure as failure:
        return failure.source, failure.reason, failure.detail
    return {
        name: getattr(found, name)
        for kind in type(found).__mro__
        for name in getattr(kind, "__slots__", ())
        if name != "notes"
    }


class Counted:
    """A parser that counts its turns."""

    def __init__(self, parse: Callable[[bytes], Any] = parse_request) -> None:
        self.turns = 0
        self.parse = parse

    def __call__(self, raw: bytes) -> Any:
        self.turns += 1
        return self.parse(raw)


def test_a_head_that_comes_again_is_not_parsed_again() -> None:
    parse = Counted()
    heads = KnownHeads(parse)
    raw = head(b'SOAPAction: "a"')
    assert outcome(heads.read, raw) == outcome(heads.read, raw)
    assert parse.turns == 1


def test_another_length_is_the_same_head_with_another_length() -> None:
    parse = Counted()
    heads = KnownHeads(parse)
    for size in (b"5", b"12345", b"0", b"007", b"999999999999999999"):
        raw = head(b"A: b", b"Content-Length: " + size, b"C: d")
        assert heads.read(raw).framing == Length(int(size))
        assert outcome(heads.read, raw) == outcome(parse_request, raw)
    assert parse.turns == 1


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (head(b"Cookie: s=1"), head(b"Cookie: s=2")),
        (head(b"A: 1", b"Content-Length: 5"), head(b"A: 2", b"Content-Length: 5")),
        (head(), head(b"Content-Length: 0")),
        (head(b"Content-Length: 5"), head(b"content-length: 5")),
        (head(b"Content-Length: 5"), head(b"Content-Length:5")),
        (head(first=b"POST / HTTP/1.1"), head(first=b"POST / HTTP/1.0")),
    ],
)
def test_any_other_difference_is_another_head(one: bytes, two: bytes) -> None:
    heads = KnownHeads(parse_request)
    for raw in (one, two, one, two):
        assert outcome(heads.read, raw) == outcome(parse_request, raw)


def test_what_is_refused_is_refused_every_time() -> None:
    parse = Counted()
    heads = KnownHeads(parse)
    good = head(b"Content-Length: 5")
    heads.read(good)
    for bad in (
        head(b"Content-Length: 5", b"Content-Length: 6"),
        head(b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        head(b"Content-Length: 5x"),
        head(b"Content-Length: "),
        head(b"Content-Length: 5 "),
        head(b"Content-Length: 1234567890123456789"),
        head(b"Content-Length: \xb2"),
    ):
        for _ in range(2):
            with pytest.raises(Failure):
                heads.read(bad)
            assert outcome(heads.read, bad) == outcome(parse_request, bad)
    assert outcome(heads.read, good) == outcome(parse_request, good)


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified", b"103 Early Hints"])
def test_a_length_that_frames_nothing_never_frames_anything(status: bytes) -> None:
    heads = KnownHeads(parse_response)
    for size in (b"0", b"5", b"0", b"7"):
        raw = head(b"Content-Length: " + size, first=b"HTTP/1.1 " + status, host=False)
        assert heads.read(raw).framing is EMPTY
        assert outcome(heads.read, raw) == outcome(parse_response, raw)


def test_a_long_head_is_read_and_not_remembered() -> None:
    parse = Counted()
    heads = KnownHeads(parse)
    raw = head(b"A: " + b"x" * known.ENTRY_BYTES)
    assert outcome(heads.read, raw) == outcome(heads.read, raw)
    assert parse.turns == 2


def test_what_is_remembered_is_bounded() -> None:
    heads = KnownHeads(parse_request)
    for n in range(3 * known.ENTRIES):
        heads.read(head(b"Cookie: s=%d" % n))
        assert len(heads._known) <= known.ENTRIES


@pytest.mark.parametrize("name", [b"content-length", b"close", b"x-a"])
def test_a_length_named_by_connection_still_travels(name: bytes) -> None:
    heads = KnownHeads(parse_request)
    for size in (b"1", b"22"):
        raw = head(b"Connection: " + name, b"X-A: b", b"Content-Length: " + size)
        assert outcome(heads.read, raw) == outcome(parse_request, raw)


REQUEST_LINES = st.sampled_from(
    [
        b"POST / HTTP/1.1",
        b"POST / HTTP/1.0",
        b"GET /a?b HTTP/1.1",
        b"HEAD / HTTP/1.1",
        b"post / HTTP/1.1",
        b"POST / HTTP/2.0",
        b"POST /Content-Length: 5 HTTP/1.1",
    ]
)
STATUS_LINES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.0 200 OK",
        b"HTTP/1.1 100 Continue",
        b"HTTP/1.1 103 X",
        b"HTTP/1.1 204 No Content",
        b"HTTP/1.1 304 Not Modified",
        b"HTTP/1.1 101 X",
        b"HTTP/1.1 500 Content-Length: 3",
        b"HTTP/2 200",
    ]
)
NUMBERS = st.one_of(
    st.integers(0, 10**19).map(lambda n: b"%d" % n),
    st.sampled_from(
        [b"", b"0", b"00", b"007", b"+1", b"-1", b"1,1", b"1 ", b" 1", b"0x1", b"\xb2"]
    ),
)
LINES = st.lists(
    st.one_of(
        NUMBERS.map(lambda n: b"Content-Length: " + n),
        st.sampled_from(
            [
                b"Host: h",
                b"content-length: 5",
                b"Content-Length:5",
                b"Content-Length : 5",
                b" Content-Length: 5",
                b"X-Content-Length: 5",
                b"X: Content-Length: 5",
                b"Transfer-Encoding: chunked",
                b"Connection: close",
                b"Connection: Content-Length",
                b"Connection: keep-alive, X",
                b"Upgrade: h2c",
                b"Expect: 100-continue",
                b"Cookie: a=b",
                b"X: \x00",
                b"X:",
            ]
        ),
    ),
    max_size=5,
)


def mutated(raw: bytes, cut: int, put: bytes) -> bytes:
    """The head with a few bytes put over its own; it still ends like one."""
    cut %= max(1, len(raw) - 4)
    return raw[:cut] + put + raw[cut + len(put) :][: max(0, len(raw) - cut - len(put))]


@settings(max_examples=400)
@given(st.data(), st.sampled_from(["request", "response"]))
def test_reading_once_or_again_is_parsing(data: st.DataObject, kind: str) -> None:
    firsts, parse = (
        (REQUEST_LINES, parse_request) if kind == "request" else (STATUS_LINES, parse_response)
    )
    heads = KnownHeads(parse)
    for _ in range(data.draw(st.integers(1, 4))):
        raw = head(*data.draw(LINES), first=data.draw(firsts), host=kind == "request")
        if data.draw(st.booleans()):
            raw = mutated(raw, data.draw(st.integers(0, 400)), data.draw(st.binary(max_size=3)))
        if b"\r\n\r\n" not in raw:
            continue
        raw = raw[: raw.index(b"\r\n\r\n") + 4]
        expected = outcome(parse, raw)
        assert outcome(heads.read, raw) == expected
        assert outcome(heads.read, raw) == expected
        # the same with the digits changed: remembered or not, it is what parsing gives
        before, mark, after = raw.partition(b"\r\nContent-Length: ")
        if mark:
            other = before + mark + data.draw(NUMBERS) + after[after.index(b"\r\n") :]
            assert outcome(heads.read, other) == outcome(parse, other)
            assert outcome(heads.read, raw) == expected


@given(
    st.binary(max_size=40), st.sampled_from([b"5", b"12345", b"5x", b"", b"1234567890123456789"])
)
def test_a_head_is_taken_from_what_follows_it_or_not_at_all(rest: bytes, size: bytes) -> None:
    heads = KnownHeads(parse_request)
    heads.read(head(b"A: b", b"Content-Length: 7", b"C: d"))
    raw = head(b"A: b", b"Content-Length: " + size, b"C: d")
    taken = heads.take(raw + rest)
    if taken is None:
        assert not size.isdigit() or len(size) > 18
    else:
        assert outcome(lambda _: taken, raw) == outcome(parse_request, raw)
        assert heads.end == len(raw)


@pytest.mark.parametrize("cut", range(60))
def test_half_a_head_is_not_taken(cut: int) -> None:
    heads = KnownHeads(parse_request)
    raw = head(b"Content-Length: 7")
    heads.read(raw)
    if cut < len(raw):
        assert heads.take(raw[:cut]) is None
