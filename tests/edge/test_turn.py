"""The lean turn of the loop, over socket pairs: the same outcome as Twisted's own, sooner."""

from __future__ import annotations

import gc
import socket
from types import SimpleNamespace
from typing import Any

from sockets import Ear, HalfEar, Pair, drained
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure

from soapgate.edge.turn import LeanReactor, run_for_good


def test_what_comes_is_read(reactor: LeanReactor, pair: Pair) -> None:
    ear = Ear()
    _, end = pair(ear)
    end.send(b"hello")
    reactor.iterate(0)
    assert ear.told == b"hello"


def test_what_came_before_a_close_is_read_before_the_close_is_told(
    reactor: LeanReactor, pair: Pair
) -> None:
    ear = Ear()
    _, end = pair(ear)
    end.send(b"last words")
    end.close()
    for _ in range(3):
        reactor.iterate(0)
    assert ear.told == b"last words"
    assert [bool(reason.check(ConnectionDone)) for reason in ear.lost] == [True]


def test_half_a_close_is_told_as_such(reactor: LeanReactor, pair: Pair) -> None:
    ear = HalfEar()
    _, end = pair(ear)
    end.shutdown(socket.SHUT_WR)
    reactor.iterate(0)
    reactor.iterate(0)
    assert (ear.ends, ear.lost) == (1, [])
    ear.send(b"answer")
    assert drained(end) == b"answer"


def test_a_defect_costs_its_connection_and_no_other(reactor: LeanReactor, pair: Pair) -> None:
    class Broken(Ear):
        def received(self, data: bytes) -> None:
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
    assert (sound.told, sound.lost) == (b"y", [])
    assert [event["log_failure"].type for event in events] == [RuntimeError]


def test_a_connection_closed_by_another_in_the_same_turn_is_not_read(
    reactor: LeanReactor, pair: Pair
) -> None:
    class Closes(Ear):
        other: Any

        def received(self, data: bytes) -> None:
            super().received(data)
            self.other.transport.connectionLost(Failure(ConnectionLost()))

    one, two = Closes(), Closes()
    one.other, two.other = two, one
    _, first = pair(one)
    _, second = pair(two)
    first.send(b"x")
    second.send(b"y")
    reactor.iterate(0)
    assert sorted([one.told, two.told]) in ([b"", b"x"], [b"", b"y"])
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


def test_what_is_there_at_the_start_is_not_looked_through_for_rubbish() -> None:
    frozen: list[int] = []
    try:
        run_for_good(SimpleNamespace(run=lambda: frozen.append(gc.get_freeze_count())))
    finally:
        gc.unfreeze()
    assert frozen[0] > 0
