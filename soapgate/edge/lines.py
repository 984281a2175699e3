"""What the short way touches of a connection, on either side of the gateway.

Places for values and the first look at what comes in, apart from the protocols they belong to
(`soapgate.edge.downstream.Downstream`, `soapgate.edge.upstream.UpstreamConnection`): compiled, a
value here is read and written without a look-up by name. What the values mean is said there.
"""

from __future__ import annotations

from typing import Any


class DownstreamLine:
    """A connection of a client."""

    __slots__ = (
        "buffer", "deadline", "ends", "exchange", "flow", "front", "input_ended", "peer",
        "peer_bytes", "scheme", "state", "transport",
    )  # fmt: skip

    buffer: bytes
    deadline: float
    ends: float
    exchange: Any
    flow: Any
    front: Any
    input_ended: bool
    peer: str
    peer_bytes: bytes
    scheme: bytes
    state: str
    transport: Any

    def dataReceived(self, data: bytes) -> None:
        """Bytes from the client: most often a request like one before."""
        if self.state == "idle" and not self.buffer and self.peer:
            short = self.front.short
            if short is not None and short.go(self, data):
                return
        self.received(data)

    def received(self, data: bytes) -> None:
        """Any other bytes."""
        raise NotImplementedError


class UpstreamLine:
    """A connection to a backend."""

    __slots__ = (
        "buffer", "deadline", "exchange", "flow", "lost", "member", "reused", "transport",
    )  # fmt: skip

    buffer: bytes
    deadline: float
    exchange: Any
    flow: Any
    lost: bool
    member: Any
    reused: bool
    transport: Any

    def dataReceived(self, data: bytes) -> None:
        """Bytes from the backend: most often a response like one before."""
        exchange = self.exchange
        if (
            exchange is not None
            and exchange.short
            and not self.buffer
            and self.flow is None
            and exchange.answer(data)
        ):
            return
        self.received(data)

    def received(self, data: bytes) -> None:
        """Any other bytes."""
        raise NotImplementedError
