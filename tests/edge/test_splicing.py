"""Long bodies from socket to socket: the bytes, the pauses and the ends are those of reading."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import pytest
from sockets import Ear, Pair, drained
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport

from soapgate.edge.flow import Flow, Outlet
from soapgate.edge.framing import ChunkedReader, LengthReader, UntilCloseReader
from soapgate.edge.lines import Line
from soapgate.edge.splicing import LEAST, Pipe, Splice, divert
from soapgate.edge.steps import Steps
from soapgate.edge.turn import LeanReactor

MB = 1024 * 1024


class Mouth(Ear):
    """A connection whose bytes are a body on their way, and what comes behind it."""

    flow: Any = None

    def received(self, data: bytes) -> None:
        self.told += self.flow.feed(data) if not self.flow.done else data


class Counted(Pipe):
    """A pipe that notes how many octets go into it."""

    def __init__(self) -> None:
        super().__init__()
        self.moved = 0

    def fill(self, source: Line, most: int) -> int:
        octets = super().fill(source, most)
        self.moved += max(octets, 0)
        return octets


class Way:
    """A body of `size` octets poured from one socket pair into another."""

    def __init__(self, reactor: LeanReactor, pair: Pair, size: int) -> None:
        self.reactor = reactor
        self.mouth = Mouth()
        self.ear = Ear()
        self.source, self.sender = pair(self.mouth)
        self.target, self.receiver = pair(self.ear)
        self.outlet = Outlet(self.ear, chunked=False)
        self.flow = self.mouth.flow = Flow(LengthReader(size), self.mouth, Steps())
        self.pipe = reactor.pipe = Counted()
        self.flow.pour(self.outlet)

    def carry(self, data: bytes, *, slowly: bool = False) -> bytes:
        """Send `data`; what comes out until nothing moves any more."""
        out, still, turns = b"", 0, 0
        while still < 20 or (data and turns < 5000):
            turns += 1
            if data:
                with contextlib.suppress(BlockingIOError):
                    data = data[self.sender.send(data[:300_000]) :]
            self.reactor.iterate(0)
            got = b"" if slowly and still < 10 else drained(self.receiver)
            still = 0 if got else still + 1
            out += got
        assert not data
        for _ in range(20):
            self.reactor.iterate(0)
            out += drained(self.receiver)
        return out


def body(size: int) -> bytes:
    return bytes(range(251)) * (size // 251) + b"x" * (size % 251)


@pytest.mark.parametrize("slowly", [False, True], ids=["at once", "to a slow reader"])
@pytest.mark.parametrize("size", [LEAST, LEAST + 1, MB, 5 * MB + 7])
def test_a_body_arrives_as_it_was_sent(
    reactor: LeanReactor, pair: Pair, size: int, slowly: bool
) -> None:
    way = Way(reactor, pair, size)
    assert way.carry(body(size), slowly=slowly) == body(size)
    assert way.pipe.moved > 0
    assert way.mouth.detour is None
    assert (way.flow.received, way.outlet.sent, way.flow.done) == (size, size, True)


def test_what_follows_a_body_is_not_moved_with_it(reactor: LeanReactor, pair: Pair) -> None:
    way = Way(reactor, pair, MB)
    assert way.carry(body(MB) + b"GET / HTTP/1.1\r\n") == body(MB)
    assert way.mouth.told == b"GET / HTTP/1.1\r\n"
    way.sender.send(b"\r\n")
    reactor.iterate(0)
    assert way.mouth.told == b"GET / HTTP/1.1\r\n\r\n"


def test_a_receiver_that_takes_nothing_pauses_the_sender(reactor: LeanReactor, pair: Pair) -> None:
    way = Way(reactor, pair, 20 * MB)
    data, sent = body(20 * MB), 0
    for _ in range(300):
        with contextlib.suppress(BlockingIOError):
            sent += way.sender.send(data[sent : sent + 300_000])
        reactor.iterate(0)
    assert way.flow.paused
    assert sent < 8 * MB  # what sockets, the pipe and one write hold
    out = drained(way.receiver) + way.carry(data[sent:])
    assert out == data


def test_a_sender_that_ends_before_its_body_is_met_by_its_connection(
    reactor: LeanReactor, pair: Pair
) -> None:
    way = Way(reactor, pair, 4 * MB)
    way.carry(body(MB))
    way.sender.close()
    for _ in range(20):
        reactor.iterate(0)
    assert [reason.type for reason in way.mouth.lost] == [ConnectionDone]


def test_a_receiver_that_is_gone_is_met_by_its_connection(reactor: LeanReactor, pair: Pair) -> None:
    way = Way(reactor, pair, 4 * MB)
    way.carry(body(MB))
    way.receiver.close()
    rest = body(4 * MB)[MB:]
    while rest:
        rest = rest[way.sender.send(rest[:100_000]) :]
        reactor.iterate(0)
        reactor.iterate(0)
    for _ in range(20):
        reactor.iterate(0)
    assert way.ear.lost
    assert way.flow.done  # read on for nobody


def test_a_body_that_nobody_wants_any_more_is_not_moved(reactor: LeanReactor, pair: Pair) -> None:
    way = Way(reactor, pair, 4 * MB)
    before = way.carry(body(MB))
    way.flow.drop()
    moved = way.pipe.moved
    assert way.carry(body(4 * MB)[MB:]) == b""
    assert way.pipe.moved == moved
    assert len(before) <= MB
    assert way.flow.done


def test_the_pipe_is_empty_between_two_bodies(reactor: LeanReactor, pair: Pair) -> None:
    one = Way(reactor, pair, MB)
    other = Way(reactor, pair, MB)
    a, b = body(MB), body(MB)[::-1]
    out = {one: b"", other: b""}
    for at in range(0, MB, 100_000):
        for way, data in ((one, a), (other, b)):
            way.sender.send(data[at : at + 100_000])
            for _ in range(4):
                reactor.iterate(0)
            out[way] += drained(way.receiver)
    assert out == {one: a, other: b}


def test_what_waits_to_be_written_is_not_overtaken(reactor: LeanReactor, pair: Pair) -> None:
    way = Way(reactor, pair, MB)
    way.ear.postpone(b"before")
    assert way.carry(body(MB)) == b"before" + body(MB)


def test_a_kernel_that_cannot_leaves_it_to_reading(
    reactor: LeanReactor, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counted, "fill", lambda pipe, source, most: -1)
    way = Way(reactor, pair, MB)
    assert way.carry(body(MB)) == body(MB)
    assert way.flow.done


@pytest.mark.parametrize(
    "reader", [LengthReader(LEAST - 1), ChunkedReader("upstream"), UntilCloseReader()], ids=repr
)
def test_short_bodies_and_those_without_a_length_are_read(
    reactor: LeanReactor, pair: Pair, reader: Any
) -> None:
    source, target = Ear(), Ear()
    pair(source)
    pair(target)
    assert divert(source, target, reader, print) is None
    assert source.detour is None


def test_only_tcp_without_tls_is_moved(reactor: LeanReactor, pair: Pair) -> None:
    source, target, other = Ear(), Ear(), Ear()
    pair(source)
    transport, _ = pair(target)
    other.makeConnection(StringTransport())
    long = LengthReader(MB)
    assert divert(source, other, long, print) is None
    assert divert(other, target, long, print) is None
    transport.TLS = True
    target.plug()
    assert divert(source, target, long, print) is None
    transport.TLS = False
    target.plug()
    assert isinstance(divert(source, target, long, print), Splice)


def test_a_closed_pipe_is_made_anew(reactor: LeanReactor, pair: Pair) -> None:
    way = Way(reactor, pair, MB)
    first = way.carry(body(MB)[: MB // 2])
    reactor.pipe.close()
    assert first + way.carry(body(MB)[MB // 2 :]) == body(MB)
    assert isinstance(way.receiver, socket.socket)


def test_a_defect_leaves_no_octets_for_the_next(reactor: LeanReactor, pair: Pair) -> None:
    """What one client sent must never be part of what another one's backend gets."""

    class Broken(Ear):
        def postpone(self, data: bytes) -> None:
            raise RuntimeError("a defect")

    one, other, source = Broken(), Ear(), Ear()
    pair(one)
    _, receiver = pair(other)
    _, sender = pair(source)
    one.plain = False
    sender.send(b"mine")
    pipe = Pipe()
    assert pipe.fill(source, 4) == 4
    with pytest.raises(RuntimeError):
        pipe.drain(one, 4)
    sender.send(b"yours")
    assert pipe.fill(source, 5) == 5
    pipe.drain(other, 5)
    assert drained(receiver) == b"yours"
    pipe.close()
