"""Accepting on a socket that others listen on too."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from certs import Authority
from twisted.internet import tcp
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.protocols.haproxy._wrapper import HAProxyWrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory

from soapgate.edge import sharing
from soapgate.edge.board import Board, make_board
from soapgate.edge.deadlines import Deadlines
from soapgate.edge.downstream import DownstreamTimes
from soapgate.edge.http11 import HeadLimits
from soapgate.edge.metrics import Metrics
from soapgate.edge.sharing import GIVES_WAY, TAKEN, Clients, SharedFront, SharedTCP, SharedUNIX


@pytest.fixture
def clients() -> Iterator[list[Clients]]:
    """Three workers' views of how many clients each has; all accept."""
    fd = make_board(3)
    views = [Clients(Board(fd, 3, number)) for number in range(3)]
    for view in views:
        view.accepting(True)
    yield views
    os.close(fd)


# Who takes the next


def test_who_has_more_than_another_gives_way(clients: list[Clients]) -> None:
    assert not any(view.more_than_others for view in clients)
    clients[1].note(2)
    clients[2].note(1)
    assert [view.more_than_others for view in clients] == [False, True, True]
    assert clients[0].total == 3


def test_nobody_gives_way_to_one_who_does_not_accept(clients: list[Clients]) -> None:
    clients[1].note(2)
    clients[0].accepting(False)
    clients[2].accepting(False)
    assert not clients[1].more_than_others


class Listening(tcp.Port):
    """In the place of a TCP port."""

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.did: list[str] = []
        self.connected, self.disconnecting = True, False

    def doRead(self) -> None:
        self.did.append(f"accept {self.numberAccepts}")

    def startReading(self) -> None:
        self.did.append("start")

    def stopReading(self) -> None:
        self.did.append("stop")


class Fair(sharing._Fair, Listening):
    """A fair port without a socket."""


def test_one_connection_is_taken_at_a_time(clients: list[Clients]) -> None:
    port = Fair(Clock())
    port.clients = clients[0]
    port.doRead()
    assert port.did == ["accept 1"]


def test_who_gives_way_waits_a_moment_and_then_takes_it(clients: list[Clients]) -> None:
    clock = Clock()
    port = Fair(clock)
    port.clients = clients[0]
    clients[0].note(1)
    port.doRead()
    assert port.did == ["stop"]
    clock.advance(GIVES_WAY)
    assert port.did == ["stop", "start"]
    port.doRead()
    assert port.did == ["stop", "start", "accept 1"]
    port.doRead()
    assert port.did[3:] == ["stop"]


def test_who_waited_in_vain_gives_way_the_next_time(clients: list[Clients]) -> None:
    clock = Clock()
    port = Fair(clock)
    port.clients = clients[0]
    clients[0].note(1)
    port.doRead()
    clock.pump([GIVES_WAY, TAKEN])
    port.doRead()
    assert port.did == ["stop", "start", "stop"]


def test_a_port_that_closes_meanwhile_is_not_read_again(clients: list[Clients]) -> None:
    clock = Clock()
    port = Fair(clock)
    port.clients = clients[0]
    clients[0].note(1)
    port.doRead()
    port.disconnecting = True
    clock.advance(GIVES_WAY)
    assert port.did == ["stop"]


# How many there may be


class Downstream:
    deadline = 0.0


def front(clients: Clients, most: int) -> SharedFront:
    made = SharedFront(
        lambda *_: None, Deadlines(Clock()), DownstreamTimes(), HeadLimits(), most, Metrics()
    )
    made.clients = clients
    return made


def test_the_bound_of_connections_is_that_of_all(clients: list[Clients]) -> None:
    one, other = front(clients[0], 2), front(clients[1], 2)
    first, second, third = Downstream(), Downstream(), Downstream()
    assert one.arrived(first)
    assert other.arrived(second)
    assert not one.arrived(third)
    assert one._metrics.turned_away == 1
    one.left(third)
    other.left(second)
    assert clients[0].total == 1
    assert other.arrived(Downstream())


def test_without_a_bound_everybody_may_come(clients: list[Clients]) -> None:
    one = front(clients[0], 0)
    assert all(one.arrived(Downstream()) for _ in range(100))
    assert clients[1].total == 100


# What an endpoint means


@pytest.fixture
def adopted(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is adopted instead of bound: (class, fd, family, factory)."""
    made: list[Any] = []

    class Adopted:
        def startListening(self) -> None:
            """It would read."""

    for kind in (SharedTCP, SharedUNIX):

        def adopt(reactor: Any, fd: int, family: int, factory: Any, kind: Any = kind) -> Any:
            made.append((kind, fd, family, factory))
            return Adopted()

        monkeypatch.setattr(kind, "adopt", adopt)
    return made


INET, INET6, UNIX = (int(one) for one in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX))


def accept(text: str, family: int, factory: Any, clients: Clients) -> Any:
    done = ensureDeferred(sharing.accept(MemoryReactorClock(), text, 9, family, factory, clients))
    results: list[Any] = []
    done.addCallback(results.append)
    return results[0]


@pytest.mark.parametrize(
    ("text", "family", "kind"),
    [
        ("tcp:8080", INET, SharedTCP),
        ("tcp:8080:interface=127.0.0.1", INET, SharedTCP),
        ("tcp6:8080:interface=\\:\\:1", INET6, SharedTCP),
        ("unix:/run/s.sock:mode=600", UNIX, SharedUNIX),
        ("systemd:domain=INET:index=0", INET, SharedTCP),
        ("systemd:domain=UNIX:name=x", UNIX, SharedUNIX),
    ],
)
def test_an_endpoint_adopts_what_is_listened_on(
    text: str, family: int, kind: Any, adopted: list[Any], clients: list[Clients]
) -> None:
    factory = object()
    port = accept(text, family, factory, clients[0])
    assert adopted == [(kind, 9, family, factory)]
    assert port.clients is clients[0]


@pytest.mark.parametrize("text", ["haproxy:tcp:8080", "haproxy:systemd:domain=INET:index=0"])
def test_a_proxy_header_is_read_by_the_worker(
    text: str, adopted: list[Any], clients: list[Clients]
) -> None:
    made = front(clients[0], 0)
    accept(text, INET, made, clients[0])
    ((_, _, _, factory),) = adopted
    assert isinstance(factory, HAProxyWrappingFactory)
    assert factory.wrappedFactory is made


def test_tls_is_spoken_by_the_worker(
    adopted: list[Any], clients: list[Clients], tmp_path: Path
) -> None:
    made = front(clients[0], 0)
    pem = tmp_path / "gate.pem"
    pem.write_bytes(Authority().issue("localhost"))
    accept(f"ssl:8443:privateKey={pem}:certKey={pem}", INET, made, clients[0])
    ((_, _, _, factory),) = adopted
    assert isinstance(factory, TLSMemoryBIOFactory)
    assert factory.wrappedFactory is made
