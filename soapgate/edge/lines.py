"""One connection, on either side of the gateway: its transport, and the short cuts past it.

Most of what comes in is a message like one before, and most of what goes out fits into the socket
at once. A `Line` is where both are seen first: bytes that came are shown to whoever takes what is
ordinary (`Way`, `Rider`), and bytes to be sent go on the socket when nothing waits before them.
`transport.write` would wait for the next turn of the loop and cost two `epoll_ctl`.

The one rule: short cuts, never another way. They are open on TCP of Twisted's own only, never past
what waits to be written, and what the socket does not take, an error and an end are left to the
transport. The protocols (`soapgate.edge.downstream`, `soapgate.edge.upstream`) say what the values
mean; here they have places that compiled code reads and writes without a look-up by name.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet import tcp

from soapgate.edge.known import KnownHeads
from soapgate.edge.syscalls import send, send_parts

READ = 64 * 1024  # octets of one read: Twisted's own
# Of the first read of a request: its head and most SOAP Headers, so that what is left of a long
# body need never come into our memory (see `soapgate.edge.splicing`). A client with longer ones
# gets more.
FIRST_READ = 4 * 1024

PLAIN_TCP = (tcp.Server, tcp.Client)


class Line:
    """A connection. `fd`: its descriptor, -1 where there is none; `plain`: bytes may go on its
    socket past the transport; `waits`: some may wait in the transport; `detour`: who takes its
    read events instead (`read()`), if anybody; `most`: octets of a read."""

    __slots__ = (
        "buffer", "deadline", "detour", "exchange", "fd", "flow", "most", "plain", "transport",
        "waits",
    )  # fmt: skip

    buffer: bytes
    deadline: float
    detour: Any
    exchange: Any
    fd: int
    flow: Any
    most: int
    plain: bool
    transport: Any
    waits: bool

    def __init__(self) -> None:
        self.buffer = b""
        self.detour = self.exchange = self.flow = self.transport = None
        self.fd = -1
        self.most = READ
        self.plain = self.waits = False

    def plug(self) -> None:
        """The transport is there."""
        transport = self.transport
        peer = getattr(transport, "socket", None)  # with TLS that of the TCP below
        self.fd = peer.fileno() if peer is not None else -1
        self.plain = type(transport) in PLAIN_TCP and not transport.TLS
        if self.plain:
            # of a reactor that reads by itself: see `soapgate.edge.turn`
            getattr(transport.reactor, "lines", {})[self.fd] = self

    def unplug(self) -> None:
        """The connection is gone."""
        if self.is_read():
            del self.transport.reactor.lines[self.fd]
        self.plain = False
        self.fd = -1

    def is_read(self) -> bool:
        """Whether a reactor reads for it, past the transport."""
        lines = getattr(getattr(self.transport, "reactor", None), "lines", None)
        return lines is not None and lines.get(self.fd) is self

    def free(self) -> bool:
        """Whether bytes may go on the socket now."""
        if self.waits:
            transport = self.transport
            self.waits = bool(transport.dataBuffer or transport._tempDataBuffer)
        return self.plain and not self.waits

    def postpone(self, data: bytes) -> None:
        """`transport.write(data)`: nothing goes there but by this, so what waits is known."""
        self.waits = self.plain
        self.transport.write(data)

    def send(self, data: bytes) -> None:
        """`transport.write(data)`, but at once when nothing waits before it."""
        # asked of the class: nobody overrides it, and compiled that is a direct call
        if Line.free(self):
            sent = send(self.fd, data)
            if sent == len(data):
                return
            data = data[sent:]  # a copy only of what the socket did not take
        self.postpone(data)

    def send_parts(self, one: bytes, two: bytes, data: bytes, start: int, more: bool) -> int:
        """Send `one`, `two` and what stands in `data` from `start` on; how many octets that is. A
        long body is not copied behind its head. `more`: the next octets follow at once."""
        first, second = len(one), len(two)
        size = first + second + len(data) - start
        sent = send_parts(self.fd, one, two, data, start, more) if Line.free(self) else 0
        if sent < size:
            self.postpone((one + two + data[start:])[sent:])
        return size

    def more(self) -> bytes:
        """What has come behind a read that was shorter than others, as far as it can be seen."""
        if self.most >= READ or not self.plain:
            return b""
        try:
            return os.read(self.fd, READ)
        except OSError:
            return b""  # nothing, or an error for the transport to meet

    def heard(self, data: bytes) -> None:
        """Bytes came in."""
        self.received(data)

    def dataReceived(self, data: bytes) -> None:
        """The same, from Twisted."""
        self.heard(data)

    def received(self, data: bytes) -> None:
        """Bytes that nobody has taken."""
        raise NotImplementedError

    def passed(self, flow: Any) -> None:
        """Octets of a body went past, socket to socket."""


class Way:
    """Takes ordinary requests."""

    __slots__ = ()

    def go(self, downstream: DownstreamLine, data: bytes, began: float = 0.0) -> bool:
        """Serve what came first on an idle connection; False: nothing was done. `began`: when that
        was, 0 for now. Never raises."""
        raise NotImplementedError


class Rider:
    """An exchange that takes an ordinary answer."""

    __slots__ = ()

    def answer(self, data: bytes) -> bool:
        """Send it down; False: nothing was done. Never raises."""
        raise NotImplementedError


class Doorway:
    """What all connections of clients share: who takes ordinary requests, if anybody; heads that
    were read before; whether the gateway is about to end; seconds that a connection may idle and
    that an exchange may take (0: any)."""

    __slots__ = ("closing", "exchange_seconds", "idle_seconds", "known", "short")

    known: KnownHeads
    short: Way | None
    closing: bool
    idle_seconds: float
    exchange_seconds: float


class DownstreamLine(Line):
    """A connection of a client."""

    __slots__ = ("ends", "first", "front", "input_ended", "peer", "peer_bytes", "scheme", "state")

    ends: float
    first: int  # octets of the first read of a request
    front: Any
    input_ended: bool
    peer: str
    peer_bytes: bytes
    scheme: bytes
    state: str

    def heard(self, data: bytes) -> None:
        """Bytes from the client: most often a request like one before."""
        if self.state == "idle" and not self.buffer:
            short = self.front.short
            if short is not None:
                if not self.peer:
                    self.meet()
                if short.go(self, data):
                    return
        self.received(data)

    def meet(self) -> None:
        """Learn whom we serve; `peer` says who it is then."""
        raise NotImplementedError

    def looks_further(self) -> None:
        """What matters of a request was not in its first read: have it there the next time."""
        self.first = self.most = min(4 * self.first, READ)


class UpstreamLine(Line):
    """A connection to a backend."""

    __slots__ = ("lost", "member", "reused")

    lost: bool
    member: Any
    reused: bool

    def heard(self, data: bytes) -> None:
        """Bytes from the backend: most often a response like one before."""
        if self.flow is None and not self.buffer and isinstance(self.exchange, Rider):
            rider: Rider = self.exchange
            if rider.answer(data):
                return
        self.received(data)
