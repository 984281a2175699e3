"""Twisted's TCP transports over socket pairs, with the lean reactor turned by hand.

transport, end = pair(Ear())      # one end a transport of `reactor`, the other bare
reactor.iterate(0)                # one turn
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet import tcp
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from soapgate.edge.lines import Line
from soapgate.edge.turn import LeanReactor

Pair = Callable[..., tuple[Any, socket.socket]]


class Ear(Line, Protocol):
    """A line that notes what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told = b""
        self.lost: list[Failure] = []

    def connectionMade(self) -> None:
        self.plug()

    def received(self, data: bytes) -> None:
        self.told += data

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.unplug()
        self.lost.append(reason)


@implementer(IHalfCloseableProtocol)
class HalfEar(Ear):
    def __init__(self) -> None:
        super().__init__()
        self.ends = 0

    def readConnectionLost(self) -> None:
        self.ends += 1

    def writeConnectionLost(self) -> None:
        self.plain = False


@pytest.fixture
def reactor() -> Iterator[LeanReactor]:
    reactor = LeanReactor()
    yield reactor
    reactor.iterate(0)
    for selectable in reactor.removeAll():
        selectable.connectionLost(Failure(ConnectionDone()))
    for waker in list(reactor._internalReaders):
        reactor._internalReaders.remove(waker)
        reactor.removeReader(waker)
        waker.connectionLost(Failure(ConnectionDone()))
    reactor._poller.close()
    reactor.pipe.close()


@pytest.fixture
def pair(reactor: LeanReactor) -> Iterator[Pair]:
    """Make one end a TCP transport of `reactor` and leave the other bare."""
    bare: list[socket.socket] = []
    transports: list[Any] = []

    def make(protocol: Ear | None = None) -> tuple[Any, socket.socket]:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        bare.append(theirs)
        protocol = protocol or Ear()
        transport = tcp.Server(ours, protocol, ("127.0.0.1", 1), None, 0, reactor)
        transports.append(transport)
        protocol.makeConnection(transport)
        return transport, theirs

    yield make
    for transport in transports:
        if transport.connected:
            transport.connectionLost(Failure(ConnectionDone()))
    for end in bare:
        end.close()


def line_of(transport: Any) -> Ear:
    """A line on a transport that is no socket's."""
    ear = Ear()
    ear.makeConnection(transport)
    return ear


def drained(end: socket.socket) -> bytes:
    """What waits in a bare end."""
    found = b""
    while True:
        try:
            piece = end.recv(1 << 20)
        except BlockingIOError:
            return found
        if not piece:
            return found
        found += piece


def carried(reactor: LeanReactor, end: socket.socket, size: int) -> bytes:
    """`size` bytes out of a bare end, as turns of the loop bring them."""
    found = b""
    for _ in range(10_000):
        found += drained(end)
        if len(found) >= size:
            break
        reactor.iterate(0)
    return found
