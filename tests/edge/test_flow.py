"""Bodies on their way: every byte once, in order, and nobody reads what has no place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sockets import line_of
from twisted.internet.testing import StringTransport

from soapgate.core.errors import Failure, Reason
from soapgate.edge.flow import Flow, Outlet, Whole
from soapgate.edge.framing import CHUNKED, UNTIL_CLOSE, Framing, Length, body_reader, chunk
from soapgate.edge.steps import Steps

TEN = Length(10)


class Way(StringTransport):
    """One end; pausing is remembered, a second pause or resume is a defect."""

    def __init__(self) -> None:
        super().__init__()
        self.paused = False
        self.bufferSize = 65536

    def pauseProducing(self) -> None:
        assert not self.paused
        self.paused = True

    def resumeProducing(self) -> None:
        assert self.paused
        self.paused = False


class Reader(Steps):
    """An exchange that reads pieces or pours, as a test says."""

    def __init__(self, framing: Framing = TEN) -> None:
        self.way = Way()
        self.flow = Flow(body_reader(framing, "downstream"), line_of(self.way), self)
        self.pieces: list[bytes] = []
        self.through = 0
        self.errors: list[Exception] = []

    def asks(self, pieces: int = 1) -> None:
        self._run(self._ask(pieces))

    async def _ask(self, pieces: int) -> None:
        for _ in range(pieces):
            self.pieces.append(await self.flow.piece())

    def pours(self, *, chunked: bool = False) -> Way:
        out = Way()
        outlet = Outlet(line_of(out), chunked=chunked)
        outlet.write(outlet.frame(self.flow.take()))
        self.flow.pour(outlet)
        self._run(self._wait())
        return out

    async def _wait(self) -> None:
        await self.flow.poured()
        self.through += 1

    def _broke(self, error: Exception) -> None:
        self.errors.append(error)


# Piece by piece


def test_a_piece_that_was_asked_for_is_handed_over_without_a_pause() -> None:
    reader = Reader()
    reader.asks()
    assert reader.flow.feed(b"abc") == b""
    assert reader.pieces == [b"abc"]
    assert not reader.way.paused


def test_a_piece_nobody_asked_for_pauses_its_sender() -> None:
    reader = Reader()
    reader.flow.feed(b"abc")
    assert reader.way.paused
    assert reader.flow.paused
    reader.asks()
    assert reader.pieces == [b"abc"]
    assert reader.way.paused, "one piece was asked for, and it was there"
    reader.asks()
    assert not reader.way.paused


def test_pieces_already_on_their_way_behind_a_pause_are_kept_in_order() -> None:
    """TLS hands over all it had read, paused or not."""
    reader = Reader()
    for piece in (b"ab", b"cd", b"ef"):
        reader.flow.feed(piece)
    reader.asks(3)
    assert reader.pieces == [b"ab", b"cd", b"ef"]


def test_the_last_piece_pauses_nobody() -> None:
    reader = Reader()
    reader.flow.feed(b"0123456789")
    assert not reader.way.paused
    reader.asks(3)
    assert reader.pieces == [b"0123456789", b"", b""]


def test_a_sender_paused_for_an_early_piece_is_free_at_the_end() -> None:
    reader = Reader()
    reader.flow.feed(b"01234")
    reader.flow.feed(b"56789")
    assert not reader.way.paused


def test_the_end_wakes_who_waits_for_a_piece() -> None:
    reader = Reader(CHUNKED)
    reader.asks()
    reader.flow.feed(b"0\r\n")
    assert reader.pieces == []
    reader.flow.feed(b"\r\n")
    assert reader.pieces == [b""]


def test_what_follows_the_body_is_given_back_and_remembered_before_the_end_is_told() -> None:
    seen: list[bool] = []

    class Looks(Reader):
        async def _wait(self) -> None:
            await self.flow.poured()
            seen.append(self.flow.surplus)

    reader = Looks(Length(3))
    reader.pours()
    assert reader.flow.feed(b"abcGET") == b"GET"
    assert seen == [True]


def test_a_body_to_its_last_byte_has_no_surplus() -> None:
    reader = Reader(Length(3))
    reader.flow.feed(b"abc")
    assert not reader.flow.surplus


# Poured


def test_what_is_poured_goes_out_at_once() -> None:
    reader = Reader()
    reader.flow.feed(b"01")
    out = reader.pours()
    assert not reader.way.paused
    assert out.value() == b"01"
    reader.flow.feed(b"2345")
    assert out.value() == b"012345"
    assert reader.through == 0
    reader.flow.feed(b"6789")
    assert out.value() == b"0123456789"
    assert reader.through == 1


def test_a_poured_body_is_framed_in_chunks_with_its_trailers() -> None:
    reader = Reader(CHUNKED)
    out = reader.pours(chunked=True)
    reader.flow.feed(b"3;x=y\r\nabc\r\n")
    reader.flow.feed(b"0\r\nA: b\r\n\r\n")
    assert out.value() == b"3\r\nabc\r\n0\r\nA: b\r\n\r\n"
    assert reader.through == 1


def test_the_receiver_pauses_and_resumes_the_sender() -> None:
    reader = Reader()
    out = reader.pours()
    out.producer.pauseProducing()
    assert reader.way.paused
    out.producer.pauseProducing()
    out.producer.resumeProducing()
    assert not reader.way.paused
    out.producer.resumeProducing()


def test_the_receiver_is_free_when_the_body_is_through() -> None:
    reader = Reader(Length(2))
    out = reader.pours()
    assert out.producer is reader.flow
    reader.flow.feed(b"ab")
    assert out.producer is None


def test_a_sender_paused_at_the_last_byte_may_go_on() -> None:
    reader = Reader(Length(2))
    out = reader.pours()
    out.producer.pauseProducing()
    reader.flow.feed(b"ab")
    assert not reader.way.paused


def test_a_body_that_is_through_already_is_not_poured() -> None:
    reader = Reader(Length(2))
    reader.flow.feed(b"ab")
    out = reader.pours()
    assert out.value() == b"ab"
    assert out.producer is None
    assert reader.through == 1


def test_a_close_that_ends_a_body_is_its_end() -> None:
    reader = Reader(UNTIL_CLOSE)
    out = reader.pours(chunked=True)
    reader.flow.feed(b"abc")
    assert reader.flow.reader.close()
    reader.flow.feed(b"")
    assert out.value() == b"3\r\nabc\r\n0\r\n\r\n"
    assert reader.through == 1


# Dropped


def test_a_dropped_body_is_read_to_its_end_and_kept_nowhere() -> None:
    reader = Reader()
    reader.flow.feed(b"01")
    assert reader.way.paused
    reader.flow.drop()
    assert not reader.way.paused
    reader.flow.feed(b"2345")
    assert not reader.way.paused
    assert reader.flow.take() == []
    assert reader.flow.feed(b"6789GET") == b"GET"
    assert reader.flow.done


def test_a_receiver_that_is_gone_does_not_stop_the_sender_for_ever() -> None:
    reader = Reader()
    out = reader.pours()
    reader.flow.pauseProducing()
    out.producer.stopProducing()
    assert not reader.way.paused
    assert out.producer is None
    reader.flow.feed(b"0123")
    assert reader.through == 0
    reader.flow.feed(b"456789")
    assert reader.through == 1
    assert out.value() == b""


def test_a_receiver_gone_before_the_pouring_is_no_receiver() -> None:
    class Gone(Way):
        def registerProducer(self, producer: Any, streaming: bool) -> None:
            producer.stopProducing()

        def unregisterProducer(self) -> None:
            pass

    reader = Reader()
    reader.flow.pour(Outlet(line_of(Gone()), chunked=False))
    reader.flow.feed(b"0123456789")
    assert reader.flow.done


# Bounds


@pytest.mark.parametrize("framing", [Length(10), CHUNKED], ids=["length", "chunks"])
def test_a_body_over_its_bound_is_refused(framing: Framing) -> None:
    reader = Reader(framing)
    reader.flow.most = 5
    data = b"0123456789" if framing is not CHUNKED else chunk(b"0123456789")
    with pytest.raises(Failure) as caught:
        reader.flow.feed(data)
    assert caught.value.reason is Reason.TOO_LARGE


def test_a_body_at_its_bound_is_not() -> None:
    reader = Reader(CHUNKED)
    reader.flow.most = 5
    reader.flow.feed(chunk(b"01234") + b"0\r\n\r\n")
    assert reader.flow.received == 5


# The invariants, whatever happens


def chunked_stream(body: bytes, sizes: list[int]) -> bytes:
    pieces, at = [], 0
    for size in sizes:
        pieces.append(chunk(body[at : at + size]))
        at += size
    return b"".join(pieces) + chunk(body[at:]) + b"0\r\n\r\n"


@given(
    st.binary(min_size=1, max_size=60),
    st.lists(st.integers(1, 20), max_size=6),
    st.lists(st.sampled_from(["feed", "ask", "pour", "full", "free"]), max_size=40),
    st.integers(1, 30),
    st.sampled_from(["length", "chunked"]),
    st.booleans(),
)
def test_every_byte_arrives_once_in_order_and_nothing_is_read_for_nobody(
    body: bytes, sizes: list[int], steps: list[str], read: int, kind: str, chunked: bool
) -> None:
    framing: Framing = Length(len(body)) if kind == "length" else CHUNKED
    stream = (body if kind == "length" else chunked_stream(body, sizes)) + b"NEXT"
    reader = Reader(framing)
    rest, out, asked, full = b"", None, 0, False
    at = 0

    def feed() -> None:
        nonlocal at, rest
        # a transport that is paused reads nothing
        if not reader.way.paused and at < len(stream) and not reader.flow.done:
            piece = stream[at : at + read]
            at += len(piece)
            rest = reader.flow.feed(piece)

    for step in steps:
        if step == "feed":
            feed()
        elif step == "ask" and out is None and reader._waits_for is None:
            asked += 1
            reader.asks()
        elif step == "pour" and out is None and reader._waits_for is None:
            out = reader.pours(chunked=chunked)
        elif step in ("full", "free") and out is not None and out.producer is not None:
            full = step == "full"
            (out.producer.pauseProducing if full else out.producer.resumeProducing)()
        if out is None:
            held = list(reader.flow._pieces)
            assert len(held) <= 1, "more than one read is at hand"
            assert reader.way.paused is (bool(held) and not reader.flow.done) or not held
        elif not reader.flow.done:
            assert reader.way.paused is full
            assert not reader.flow._pieces
    if out is None:
        if reader._waits_for is not None:
            feed()
            while reader._waits_for is not None:
                feed()
        out = reader.pours(chunked=chunked)
    elif out.producer is not None:
        out.producer.resumeProducing()
    while not reader.flow.done:
        feed()
    poured = out.value()
    if chunked:
        whole = body_reader(CHUNKED, "upstream")
        if not poured.endswith(b"0\r\n\r\n"):
            poured += b"0\r\n\r\n"  # all was there before it was poured: the head's write ends it
        poured, left = whole.take(poured)
        assert left == b""
    assert b"".join(reader.pieces) + poured == body
    assert rest + stream[at:] == b"NEXT"
    assert reader.flow.received == len(body)
    assert not reader.way.paused
    assert out.producer is None
    assert reader.errors == []


# A body that was there at once


def test_a_whole_body_is_a_flow_that_has_flowed() -> None:
    whole = Whole(b"abc", 40, surplus=False)
    assert (whole.done, whole.paused, whole.received, whole.head) == (True, False, 3, 40)
    assert whole.reader.trailers == b""
    reader = Reader()
    taken: list[bytes] = []

    async def read() -> None:
        taken.append(await whole.piece())
        taken.append(await whole.piece())
        await whole.poured()
        taken.append(b"end")

    reader._run(read())
    assert taken == [b"abc", b"", b"end"]
    assert whole.take() == []


def test_a_whole_body_is_taken_once() -> None:
    whole = Whole(b"abc", 0, surplus=False)
    assert whole.take() == [b"abc"]
    assert whole.take() == []


def test_no_body_is_no_piece() -> None:
    assert Whole(b"", 0, surplus=False).take() == []


# An outlet


def test_an_outlet_counts_what_it_sends() -> None:
    way = Way()
    outlet = Outlet(line_of(way), chunked=True)
    outlet.write(outlet.frame([b"ab", b"c"]))
    outlet.write(outlet.end(b"T: u\r\n"))
    assert way.value() == b"2\r\nab\r\n1\r\nc\r\n0\r\nT: u\r\n\r\n"
    assert outlet.sent == len(way.value())


def test_an_outlet_without_chunks_adds_nothing() -> None:
    outlet = Outlet(line_of(Way()), chunked=False)
    assert outlet.frame([b"ab", b"c"]) == b"abc"
    assert outlet.frame([b"ab"]) == b"ab"
    assert outlet.frame([]) == b""
    assert outlet.end(b"T: u\r\n") == b""
