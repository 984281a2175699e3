"""What the short way touches of a connection, on either side of the gateway.

Nothing but places for values, apart from the protocols they belong to
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
