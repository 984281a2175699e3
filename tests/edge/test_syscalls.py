"""The calls of the data path, plain and compiled, on the same sockets."""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
from collections.abc import Iterator
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture(params=["syscalls", "_syscalls"])
def calls(request: pytest.FixtureRequest) -> Any:
    try:
        return import_module(f"soapgate.edge.{request.param}")
    except ImportError:
        pytest.skip("not compiled here")


@pytest.fixture
def ends() -> Iterator[Ends]:
    one, other = socket.socketpair()
    one.setblocking(False)
    with one, other:
        yield one, other


def test_an_idle_connection_lives(calls: Any, ends: Ends) -> None:
    assert calls.alive(ends[0].fileno()) is True


def test_one_that_was_closed_does_not(calls: Any, ends: Ends) -> None:
    ends[1].close()
    assert calls.alive(ends[0].fileno()) is False


def test_one_that_was_spoken_on_does_not_count_as_idle_and_loses_nothing(
    calls: Any, ends: Ends
) -> None:
    ends[1].send(b"unasked")
    assert calls.alive(ends[0].fileno()) is False
    assert ends[0].recv(20) == b"unasked"


def test_a_socket_of_our_own_that_is_closed_does_not_live(calls: Any, ends: Ends) -> None:
    ends[0].close()
    assert calls.alive(ends[0].fileno()) is False


def test_what_is_sent_arrives(calls: Any, ends: Ends) -> None:
    fd = ends[0].fileno()
    assert calls.send(fd, b"one") == 3
    for more in (False, True):
        assert calls.send_parts(fd, b" two", b" three", b"not this, four", 8, more) == 16
    assert ends[1].recv(100) == b"one two three, four two three, four"


def test_a_socket_takes_as_much_as_it_can(calls: Any, ends: Ends) -> None:
    fd, data = ends[0].fileno(), bytes(10_000_000)
    taken = calls.send_parts(fd, b"head", b"", data, 0, False)
    assert 0 < taken < len(data)
    assert calls.send(fd, data) == 0
    assert calls.send_parts(fd, b"head", b"", data, 0, False) == 0


def test_an_error_of_the_socket_takes_nothing(calls: Any, ends: Ends) -> None:
    ends[1].close()
    assert calls.send(ends[0].fileno(), b"one") == 0
    assert calls.send_parts(ends[0].fileno(), b"one", b"", b"two", 0, False) == 0
    ends[0].close()
    assert calls.send(ends[0].fileno(), b"one") == 0


def test_octets_go_from_a_socket_through_a_pipe_into_another(calls: Any, ends: Ends) -> None:
    reads, writes = os.pipe()
    try:
        assert calls.splice(ends[1].fileno(), writes, 100) == -1  # nothing is there
        ends[0].send(b"some octets")
        ends[1].setblocking(False)
        assert calls.splice(ends[1].fileno(), writes, 4) == 4
        assert calls.splice(reads, ends[1].fileno(), 4) == 4
        assert (ends[0].recv(10), ends[1].recv(10)) == (b"some", b" octets")
        assert calls.splice(-1, writes, 4) == -1
        ends[0].close()
        assert calls.splice(ends[1].fileno(), writes, 4) == 0  # it has ended
    finally:
        os.close(reads)
        os.close(writes)


# turn; what it serves, and how, is tested with the reactor


def reactor(poller: Any) -> Any:
    return SimpleNamespace(
        _poller=poller, _selectables={-1: None}, _POLL_IN=select.EPOLLIN, lines={}
    )


def test_nothing_comes_of_nothing(calls: Any) -> None:
    with select.epoll() as poller:
        calls.turn(reactor(poller), 0, None)
        calls.turn(reactor(poller), 0.001, None)


def test_an_interrupted_wait_is_an_empty_turn() -> None:
    class Interrupted:
        def poll(self, timeout: float, most: int) -> list[tuple[int, int]]:
            raise OSError(errno.EINTR, "said the system")

    plain = import_module("soapgate.edge.syscalls")
    plain.turn(reactor(Interrupted()), None, None)


def test_who_hears_a_signal_is_told_at_once(calls: Any) -> None:
    class Heard(Exception):
        pass

    def hear(*signal: object) -> None:
        raise Heard

    before = signal.signal(signal.SIGALRM, hear)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with select.epoll() as poller, pytest.raises(Heard):
            calls.turn(reactor(poller), 60, None)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_an_error_of_the_poll_is_raised(calls: Any) -> None:
    class Broken:
        def fileno(self) -> int:
            return -1

        def poll(self, timeout: float, most: int) -> list[tuple[int, int]]:
            raise OSError(errno.EBADF, "said the system")

    with pytest.raises(OSError) as raised:
        calls.turn(reactor(Broken()), 0, None)
    assert raised.value.errno == errno.EBADF
