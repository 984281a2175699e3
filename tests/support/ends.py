"""Two ends of an AMP channel, joined in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure


class _Wire(StringTransport):
    closing = False

    def loseConnection(self) -> None:
        self.closing = True

    abortConnection = loseConnection


class Pair:
    """`flow` carries what was written, both ways, until nobody writes more."""

    def __init__(self, one: Any, other: Any) -> None:
        self.one, self.other = one, other
        self.wires = [_Wire(), _Wire()]
        self.is_cut = False
        one.makeConnection(self.wires[0])
        other.makeConnection(self.wires[1])

    def flow(self) -> None:
        while not self.is_cut:
            written = [wire.value() for wire in self.wires]
            for wire in self.wires:
                wire.clear()
            if not any(written):
                break
            for data, end in zip(written, (self.other, self.one), strict=True):
                if data:
                    end.dataReceived(data)
        if any(wire.closing for wire in self.wires):
            self.cut()

    def cut(self) -> None:
        """The connection is gone, as when a process is killed."""
        if not self.is_cut:
            self.is_cut = True
            for end in (self.one, self.other):
                end.connectionLost(Failure(ConnectionDone()))
