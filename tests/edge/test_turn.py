"""The lean turn of the loop, over socket pairs: the same outcome as Twisted's own, sooner."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from sockets import Ear, Pair, carried, drained
from twisted.internet import tcp
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.testing import StringTransport
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer

from soapgate.edge.turn import LeanReactor, send


@implementer(IHalfCloseableProtocol)
class HalfEar(Ear):
    def __init__(self) -> None:
        super().__init__()
        self.ends = 0

    def readConnectionLost(self) -> None:
        self.ends += 1

    def writeConnectionLost(self) -> None:
        pass


# send


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


def test_a_write_that_waits_is_not_overtaken(reactor: LeanReactor, pair: Pair) -> None:
    transport, end = pair()
    transport.write(b"first ")
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
    send(transport, b"x")
    assert not transport._tempDataBuffer


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


class Recorder(StringTransport):
    """No transport of Twisted's own."""

    TLS = False


def test_other_transports_take_the_ordinary_way() -> None:
    transport = Recorder()
    send(transport, b"x")
    assert transport.value() == b"x"


def test_a_transport_that_speaks_tls_takes_the_ordinary_way(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport, end = pair()
    written: list[bytes] = []
    transport.TLS = True
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
        send(transport, b"x")
        transport.connectionLost(Failure(ConnectionDone()))
    assert written == [b"x"]


# LeanReactor


def test_what_comes_is_read(reactor: LeanReactor, pair: Pair) -> None:
    ear = Ear()
    _, end = pair(ear)
    end.send(b"hello")
    reactor.iterate(0)
    assert ear.heard == b"hello"


def test_what_came_before_a_close_is_read_before_the_close_is_told(
    reactor: LeanReactor, pair: Pair
) -> None:
    ear = Ear()
    _, end = pair(ear)
    end.send(b"last words")
    end.close()
    for _ in range(3):
        reactor.iterate(0)
    assert ear.heard == b"last words"
    assert [bool(reason.check(ConnectionDone)) for reason in ear.lost] == [True]


def test_half_a_close_is_told_as_such(reactor: LeanReactor, pair: Pair) -> None:
    ear = HalfEar()
    transport, end = pair(ear)
    end.shutdown(socket.SHUT_WR)
    reactor.iterate(0)
    reactor.iterate(0)
    assert (ear.ends, ear.lost) == (1, [])
    send(transport, b"answer")
    assert drained(end) == b"answer"


def test_a_defect_costs_its_connection_and_no_other(reactor: LeanReactor, pair: Pair) -> None:
    class Broken(Ear):
        def dataReceived(self, data: bytes) -> None:
            raise RuntimeError("a defect")

    broken, sound = Broken(), Ear()
    _, first = pair(broken)
    _, second = pair(sound)
    events: list[Any] = []
    globalLogPublisher.addObserver(events.append)
    first.send(b"x")
    second.send(b"y")
    reactor.iterate(0)
    globalLogPublisher.removeObserver(events.append)
    assert broken.lost[0].check(RuntimeError)
    assert (sound.heard, sound.lost) == (b"y", [])
    assert [event["log_failure"].type for event in events] == [RuntimeError]


def test_a_connection_closed_by_another_in_the_same_turn_is_not_read(
    reactor: LeanReactor, pair: Pair
) -> None:
    class Closes(Ear):
        other: Any

        def dataReceived(self, data: bytes) -> None:
            super().dataReceived(data)
            self.other.transport.connectionLost(Failure(ConnectionLost()))

    one, two = Closes(), Closes()
    one.other, two.other = two, one
    _, first = pair(one)
    _, second = pair(two)
    first.send(b"x")
    second.send(b"y")
    reactor.iterate(0)
    assert sorted([one.heard, two.heard]) in ([b"", b"x"], [b"", b"y"])
    assert len(one.lost) + len(two.lost) == 1


def test_timers_run_as_ever(reactor: LeanReactor) -> None:
    ran: list[str] = []
    reactor.callLater(0, ran.append, "timer")
    reactor.iterate(0)
    assert ran == ["timer"]


def test_a_second_word_to_stop_adds_nothing_to_the_first(reactor: LeanReactor) -> None:
    calls: list[str] = []
    reactor.addSystemEventTrigger("before", "shutdown", lambda: calls.append("shutdown"))

    def impatient() -> None:
        reactor.stop()
        reactor.stop()

    reactor.callWhenRunning(impatient)
    reactor.run(installSignalHandlers=False)
    assert calls == ["shutdown"]
