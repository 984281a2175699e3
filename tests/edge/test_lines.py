"""One connection: what goes out past its transport, the first look at what comes in."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from sockets import Ear, HalfEar, Pair, carried, drained
from twisted.internet import tcp
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from soapgate.edge.lines import FIRST_READ, READ, Doorway, DownstreamLine, Rider, UpstreamLine, Way
from soapgate.edge.turn import LeanReactor


def send(transport: Any, data: bytes) -> None:
    transport.protocol.send(data)


# Bytes that go out


def test_bytes_leave_before_the_next_turn(pair: Pair) -> None:
    transport, end = pair()
    send(transport, b"now")
    assert drained(end) == b"now"
    assert not transport.dataBuffer
    assert not transport._tempDataBuffer


def test_nothing_is_sent_for_nothing(pair: Pair) -> None:
    transport, end = pair()
    send(transport, b"")
    assert drained(end) == b""


def test_what_the_socket_does_not_take_follows_in_order(reactor: LeanReactor, pair: Pair) -> None:
    transport, end = pair()
    message = bytes(range(256)) * 20_000
    send(transport, message)
    assert transport._tempDataBuffer, "the socket took 5 MB, so nothing is shown"
    send(transport, b"the end")
    assert carried(reactor, end, len(message) + 7) == message + b"the end"
    send(transport, b"again")
    assert drained(end) == b"again"


def test_what_waits_from_an_earlier_turn_is_not_overtaken(reactor: LeanReactor, pair: Pair) -> None:
    transport, end = pair()
    message = bytes(range(256)) * 20_000
    send(transport, message)
    found = drained(end)
    reactor.iterate(0)
    assert transport.dataBuffer
    assert not transport._tempDataBuffer
    found += drained(end)  # the socket has room again
    send(transport, b"the end")
    assert found + carried(reactor, end, len(message) + 7 - len(found)) == message + b"the end"


def test_what_is_postponed_is_not_overtaken(reactor: LeanReactor, pair: Pair) -> None:
    transport, end = pair()
    transport.protocol.postpone(b"first ")
    send(transport, b"second")
    assert carried(reactor, end, 12) == b"first second"


def test_a_full_transport_pauses_its_producer(reactor: LeanReactor, pair: Pair) -> None:
    class Producer:
        paused = 0

        def pauseProducing(self) -> None:
            self.paused += 1

        def resumeProducing(self) -> None:
            self.paused -= 1

        def stopProducing(self) -> None:
            pass

    transport, end = pair()
    producer = Producer()
    transport.registerProducer(producer, True)
    message = b"x" * 5_000_000
    send(transport, message)
    assert producer.paused == 1
    assert len(carried(reactor, end, len(message))) == len(message)
    reactor.iterate(0)
    assert producer.paused == 0
    transport.unregisterProducer()


def test_a_peer_that_is_gone_is_the_transports_to_meet(reactor: LeanReactor, pair: Pair) -> None:
    ear = Ear()
    transport, end = pair(ear)
    end.close()
    send(transport, b"x")
    send(transport, b"y")
    assert ear.lost == []
    reactor.iterate(0)
    assert len(ear.lost) == 1


def test_a_connection_that_is_gone_takes_nothing(reactor: LeanReactor, pair: Pair) -> None:
    ear = Ear()
    transport, end = pair(ear)
    end.close()
    reactor.iterate(0)
    assert ear.lost
    ear.send(b"x")
    assert not transport._tempDataBuffer
    assert not reactor.lines


def test_behind_a_half_close_nothing_is_sent(reactor: LeanReactor, pair: Pair) -> None:
    transport, end = pair(HalfEar())
    transport.loseWriteConnection()
    reactor.iterate(0)
    send(transport, b"x")
    assert drained(end) == b""


def test_bytes_before_a_close_arrive(reactor: LeanReactor, pair: Pair) -> None:
    ear = Ear()
    transport, end = pair(ear)
    message = b"x" * 3_000_000
    send(transport, message)
    transport.loseConnection()
    assert carried(reactor, end, len(message)) == message
    reactor.iterate(0)
    assert ear.lost[0].check(ConnectionDone)


def test_other_transports_take_the_ordinary_way() -> None:
    transport, ear = StringTransport(), Ear()
    ear.makeConnection(transport)
    ear.send(b"x")
    ear.send_parts(b"y", b"", b"-z", 1, False)
    assert transport.value() == b"xyz"
    assert (ear.fd, ear.plain) == (-1, False)


def test_a_transport_that_speaks_tls_takes_the_ordinary_way(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    ear = Ear()
    transport, end = pair(ear)
    written: list[bytes] = []
    transport.TLS = True
    ear.plug()
    monkeypatch.setattr(tcp.Server, "write", lambda self, data: written.append(data))
    send(transport, b"secret")
    assert written == [b"secret"]
    assert drained(end) == b""
    transport.TLS = False


def test_a_kind_of_tcp_transport_takes_the_ordinary_way(reactor: LeanReactor) -> None:
    """A subclass may mean something else by `write`: unix.Server does."""

    class Odd(tcp.Server):
        def write(self, data: bytes) -> None:
            written.append(data)

    written: list[bytes] = []
    ours, theirs = socket.socketpair()
    with theirs:
        ear = Ear()
        transport = Odd(ours, ear, ("127.0.0.1", 1), None, 0, reactor)
        ear.makeConnection(transport)
        ear.send(b"x")
        transport.connectionLost(Failure(ConnectionDone()))
    assert written == [b"x"]


def test_parts_leave_together_and_in_order(reactor: LeanReactor, pair: Pair) -> None:
    transport, end = pair()
    line = transport.protocol
    for size in (0, 1, 3000, 100_000):
        body = bytes(range(251)) * (size // 251 + 1)
        assert line.send_parts(b"head ", b"traces ", b"not this" + body, 8, False) == 12 + len(body)
        assert carried(reactor, end, 12 + len(body)) == b"head traces " + body


def test_parts_that_the_socket_does_not_take_follow_in_order(
    reactor: LeanReactor, pair: Pair
) -> None:
    transport, end = pair()
    line = transport.protocol
    body = bytes(range(256)) * 20_000
    assert line.send_parts(b"a", b"b", body, 1, True) == len(body) + 1
    assert line.waits
    line.send_parts(b"the", b" ", b"end", 0, False)
    assert carried(reactor, end, len(body) + 8) == b"ab" + body[1:] + b"the end"
    assert line.free()


# The first look at what comes in


class Asked:
    """Takes what it is told to take."""

    def __init__(self, *, takes: bool) -> None:
        self.takes = takes
        self.seen: list[bytes] = []

    def see(self, data: bytes) -> bool:
        self.seen.append(data)
        return self.takes


class Taking(Asked, Way):
    """A short way."""

    def go(self, downstream: Any, data: bytes, began: float = 0.0) -> bool:
        return self.see(data)


class Riding(Asked, Rider):
    """An exchange on it."""

    def answer(self, data: bytes) -> bool:
        return self.see(data)


class Told:
    """An exchange that is told."""


class Client(DownstreamLine):
    rest: bytes | None = None

    def received(self, data: bytes) -> None:
        self.rest = data


class Backend(UpstreamLine):
    rest: bytes | None = None

    def received(self, data: bytes) -> None:
        self.rest = data


def downstream(short: Way | None, **state: Any) -> Client:
    line = Client()
    line.front = Doorway()
    line.front.short = short
    line.state, line.peer = "idle", "192.0.2.7"
    for name, value in state.items():
        setattr(line, name, value)
    return line


def upstream(exchange: object, **state: Any) -> Backend:
    line = Backend()
    line.exchange = exchange
    for name, value in state.items():
        setattr(line, name, value)
    return line


@pytest.mark.parametrize(("make", "who"), [(downstream, Taking), (upstream, Riding)])
@pytest.mark.parametrize("takes", [True, False])
def test_what_begins_a_message_is_shown_to_the_short_way(make: Any, who: Any, takes: bool) -> None:
    asked = who(takes=takes)
    line = make(asked)
    line.dataReceived(b"data")
    assert asked.seen == [b"data"]
    assert line.rest == (None if takes else b"data")


@pytest.mark.parametrize(
    "state",
    [{"state": "exchange"}, {"buffer": b"half"}],
    ids=lambda one: next(iter(one)),
)
def test_of_a_client_nothing_else_is_shown(state: dict[str, Any]) -> None:
    asked = Taking(takes=True)
    line = downstream(asked, **state)
    line.dataReceived(b"data")
    assert (asked.seen, line.rest) == ([], b"data")


def test_a_client_is_met_before_its_first_request_is_shown() -> None:
    class Stranger(Client):
        def meet(self) -> None:
            self.peer = "192.0.2.7"

    asked = Taking(takes=True)
    line = Stranger()
    line.front, line.state, line.peer = Doorway(), "idle", ""
    line.front.short = asked
    line.dataReceived(b"data")
    assert (asked.seen, line.peer) == ([b"data"], "192.0.2.7")


@pytest.mark.parametrize("state", [{"buffer": b"half"}, {"flow": object()}], ids=["half", "flow"])
def test_of_a_backend_nothing_else_is_shown(state: dict[str, Any]) -> None:
    asked = Riding(takes=True)
    line = upstream(asked, **state)
    line.dataReceived(b"data")
    assert (asked.seen, line.rest) == ([], b"data")


def test_where_there_is_no_short_way_nobody_is_asked() -> None:
    for line in (downstream(None), upstream(None), upstream(Told())):
        line.dataReceived(b"data")
        assert line.rest == b"data"


def test_whose_requests_need_longer_first_reads_gets_them_up_to_a_bound() -> None:
    line = downstream(None)
    line.first = line.most = FIRST_READ
    sizes = []
    for _ in range(4):
        line.looks_further()
        sizes.append(line.first)
    assert sizes == [4 * FIRST_READ, READ, READ, READ]
    assert line.most == READ


# Read by the reactor itself


def test_a_line_is_read_by_its_reactor_as_long_as_it_lives(
    reactor: LeanReactor, pair: Pair
) -> None:
    ear = Ear()
    _, end = pair(ear)
    assert ear.is_read()
    ear.most = 4
    end.send(b"one two")
    reactor.iterate(0)
    assert ear.told == b"one "
    end.close()
    reactor.iterate(0)
    reactor.iterate(0)
    assert (ear.told, len(ear.lost)) == (b"one two", 1)
    assert not ear.is_read()


def test_what_came_behind_a_short_read_can_be_had_at_once(reactor: LeanReactor, pair: Pair) -> None:
    ear = Ear()
    _, end = pair(ear)
    assert ear.more() == b""
    ear.most = 4
    assert ear.more() == b""
    end.send(b"one two")
    reactor.iterate(0)
    assert (ear.told, ear.more(), ear.more()) == (b"one ", b"two", b"")
    end.close()
    assert ear.more() == b""
    assert ear.lost == []


def test_who_makes_a_detour_takes_the_read_events(reactor: LeanReactor, pair: Pair) -> None:
    class Detour:
        reads = 0

        def read(self) -> object:
            self.reads += 1
            return None

    ear, detour = Ear(), Detour()
    _, end = pair(ear)
    ear.detour = detour
    end.send(b"x")
    reactor.iterate(0)
    assert (ear.told, detour.reads) == (b"", 1)
    ear.detour = None
    reactor.iterate(0)
    assert ear.told == b"x"
