"""Bodies out of a stream: to the byte, at every split, and as llhttp has it."""

from __future__ import annotations

import itertools

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soapgate.core.errors import Failure, Reason
from soapgate.edge.framing import (
    CHUNKED,
    UNTIL_CLOSE,
    ChunkedReader,
    Length,
    LengthReader,
    UntilCloseReader,
    body_reader,
    chunk,
    last_chunk,
)

WHOLE = b"5\r\nhello\r\n6;name=value\r\n world\r\n0\r\nX-A: 1\r\nHost: evil\r\nX-B: 2\r\n\r\n"


def read(data: bytes, *cuts: int) -> tuple[bytes, bytes, ChunkedReader]:
    """(body, rest, reader) of data fed in pieces."""
    reader = ChunkedReader("downstream")
    body, rest = b"", b""
    edges = [0, *cuts, len(data)]
    for start, end in itertools.pairwise(edges):
        if reader.done:
            rest += data[start:end]
            continue
        piece, left = reader.take(data[start:end])
        body += piece
        rest += left
    return body, rest, reader


def test_a_chunked_body_is_read_at_every_split() -> None:
    data = WHOLE + b"GET"
    for cut in range(len(data) + 1):
        body, rest, reader = read(data, cut)
        assert body == b"hello world"
        assert rest == b"GET"
        assert reader.done


def test_a_chunked_body_is_read_byte_by_byte() -> None:
    data = WHOLE + b"GET"
    body, rest, reader = read(data, *range(1, len(data)))
    assert (body, rest, reader.done) == (b"hello world", b"GET", True)


def test_trailers_are_kept_but_for_those_that_frame_or_route() -> None:
    assert read(WHOLE)[2].trailers == b"X-A: 1\r\nX-B: 2\r\n"


BROKEN = {
    "no digits": b"\r\n",
    "not hex": b"g\r\n",
    "a sign": b"+1\r\nx\r\n",
    "a prefix": b"0x1\r\nx\r\n",
    "a blank before": b" 1\r\nx\r\n",
    "a blank behind": b"1 \r\nx\r\n",
    "seventeen digits": b"00000000000000001\r\nx\r\n",
    "a bare lf": b"1\nx\n0\n\n",
    "a bare lf in an extension": b"1;a\nb\r\nx\r\n",
    "a bare cr in an extension": b"1;a\rb\r\nx\r\n",
    "a nul in an extension": b"1;a\x00\r\nx\r\n",
    "no crlf behind the data": b"1\r\nxy\r\n",
    "a lone cr behind the data": b"1\r\nx\rz",
    "an endless extension": b"1;" + b"a" * 5000,
    "a trailer without a colon": b"0\r\nabc\r\n\r\n",
    "a folded trailer": b"0\r\nA: b\r\n c\r\n\r\n",
    "a nul in a trailer": b"0\r\nA: \x00\r\n\r\n",
    "endless trailers": b"0\r\n" + b"A: b\r\n" * 3000,
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_broken_chunks_are_refused_whole_and_byte_by_byte(data: bytes) -> None:
    for cuts in ((), range(1, len(data))):
        with pytest.raises(Failure) as caught:
            read(data, *cuts)
        assert caught.value.reason is Reason.MALFORMED


def test_a_broken_response_body_is_the_backends_fault() -> None:
    with pytest.raises(Failure) as caught:
        ChunkedReader("upstream").take(b"zz\r\n")
    assert (caught.value.source, caught.value.reason) == ("upstream", Reason.UPSTREAM_BROKEN)


class Events:
    def __init__(self) -> None:
        self.body = b""
        self.done = 0

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.done += 1


def llhttp(data: bytes) -> tuple[bytes, bool] | None:
    """(body, whether it ended) as llhttp reads it, None if it refuses."""
    events = Events()
    parser = httptools.HttpRequestParser(events)
    try:
        parser.feed_data(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + data)
    except httptools.HttpParserError:
        return None
    return events.body, events.done == 1


pieces = st.lists(
    st.sampled_from(
        [
            b"1",
            b"a",
            b"0",
            b"\r\n",
            b"\r",
            b"\n",
            b";",
            b"x",
            b" ",
            b"A: b",
            b":",
            b"5\r\nhello\r\n",
        ]
    ),
    max_size=12,
).map(b"".join)


@given(pieces)
def test_what_is_accepted_llhttp_accepts_with_the_same_body(data: bytes) -> None:
    try:
        body, rest, reader = read(data)
    except Failure:
        return
    unread = len(rest) + len(reader._held)  # llhttp looks into the line that has not ended
    assert llhttp(data[: len(data) - unread]) == (body, reader.done)


@given(st.binary(max_size=200), st.lists(st.integers(0, 300)))
def test_every_split_of_anything_gives_the_same_answer(tail: bytes, cuts: list[int]) -> None:
    data = b"3\r\nabc\r\n" + tail
    cuts = sorted(cut for cut in cuts if 0 < cut < len(data))

    def outcome(*at: int) -> object:
        try:
            body, rest, reader = read(data, *at)
        except Failure:
            return "refused"
        return body, rest, reader.done, reader.trailers

    assert outcome(*cuts) == outcome()


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=5))
def test_what_is_framed_is_read_back(parts: list[bytes]) -> None:
    data = b"".join(map(chunk, parts)) + last_chunk(b"A: b\r\n")
    body, rest, reader = read(data + b"next")
    assert (body, rest, reader.trailers) == (b"".join(parts), b"next", b"A: b\r\n")


def test_an_empty_piece_is_no_chunk() -> None:
    assert chunk(b"") == b""


def test_a_length_is_taken_to_the_byte() -> None:
    reader = LengthReader(5)
    assert reader.take(b"ab") == (b"ab", b"")
    assert not reader.close()
    assert reader.take(b"cdeGET") == (b"cde", b"GET")
    assert reader.done
    assert reader.take(b"x") == (b"", b"x")


def test_a_close_ends_what_only_a_close_can_end() -> None:
    reader = UntilCloseReader()
    assert reader.take(b"ab") == (b"ab", b"")
    assert not reader.done
    assert reader.close()
    assert reader.done


def test_every_framing_has_its_reader() -> None:
    assert isinstance(body_reader(Length(3), "downstream"), LengthReader)
    assert isinstance(body_reader(CHUNKED, "upstream"), ChunkedReader)
    assert isinstance(body_reader(UNTIL_CLOSE, "upstream"), UntilCloseReader)
