"""The client's side: requests out of a byte stream, one exchange at a time, answers in order.

The rule: one connection, one exchange; what a client sends ahead (pipelining, RFC 9112 9.3.2) waits
in a bounded buffer with reading paused, so answers cannot overtake each other and a client cannot
make us remember more than one read of its impatience.

A connection is closed politely: an answer on the wire would be lost if the socket were closed over
bytes of the request that nobody read (the kernel then sends a reset), so the write side is closed
first and the rest is read and dropped for a while (RFC 9112 9.6).
"""

from __future__ import annotations

import array
import fcntl
import socket
import termios
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure as TwistedFailure
from zope.interface import implementer

from soapgate.core.errors import Failure, Reason
from soapgate.core.plan import HttpFacts
from soapgate.edge.deadlines import NEVER
from soapgate.edge.flow import Flow, Whole
from soapgate.edge.framing import CHUNKED, Length, body_reader
from soapgate.edge.http11 import RequestHead, find_head
from soapgate.edge.lines import FIRST_READ, READ, DownstreamLine
from soapgate.edge.mutual import broken_handshake

if TYPE_CHECKING:
    from soapgate.edge.front import Front

_log = Logger()

# What a client may send ahead of its answers: one read.
AHEAD_BYTES = READ
# How much and how long is read and dropped behind an answer that ends the connection (nginx's
# lingering_close waits 5 s between reads, 30 s in all).
LINGER_SECONDS = 5.0
# How long a short body is gathered, and how long it may be: what is longer, or slow, is told.
GATHER_SECONDS = 1.0
GATHER_BYTES = AHEAD_BYTES
# Linux: what the kernel holds of unsent bytes for a connection, so that a slow reader's backlog
# stays with the backend instead of in our memory.
NOTSENT_LOWAT = 128 * 1024


@dataclass(frozen=True, slots=True)
class DownstreamTimes:
    """Seconds: to a full head; idle between requests; a whole exchange (0: no limit); without
    any progress of a client that should read. `body_rate`: fewest bytes a second of a request
    body, judged every `body_grace` seconds."""

    head: float = 30.0
    idle: float = 60.0
    exchange: float = 0.0
    stalled: float = 60.0
    body_rate: int = 500
    body_grace: float = 20.0


@implementer(IHalfCloseableProtocol)
class Downstream(DownstreamLine, Protocol):
    """One connection of a client. Its state is one of the words idle, head, gathering, exchange,
    lingering, closed."""

    flow: Flow | Whole | None
    front: Front

    def __init__(self, front: Front) -> None:
        super().__init__()
        self.state = "idle"
        self.deadline = NEVER
        self.first = self.most = FIRST_READ
        self.peer = ""  # the client's address, and the facts of its connection: see `meet`
        self.peer_bytes = b""
        self.connection = ""
        self.certificate = ""
        self.scheme = b"http"
        self.input_ended = False
        self.front = front
        self._searched = 0
        self._ahead_paused = False
        self.ends = NEVER  # when the whole exchange must be over
        self._window = 0  # body octets at the start of the rate window
        self._stalled_since = 0.0
        self._unsent = -1
        self._in_next = False
        self._gathered: tuple[RequestHead, int, float] | None = None  # see `gather`

    # From Twisted

    def connectionMade(self) -> None:
        """A client came."""
        self.plug()
        front = self.front
        plain = getattr(self.transport, "socket", None)
        if plain is not None and plain.family != socket.AF_UNIX:
            self.transport.setTcpNoDelay(True)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOTSENT_LOWAT)
        self._window_begins(front.seconds() + front.times.head)
        if not front.arrived(self):
            self.close()

    def received(self, data: bytes) -> None:
        """Bytes from the client that do not go the short way."""
        if self.state == "lingering":
            return
        if self.state == "gathering":
            self._gather_on(data)
            return
        flow = self.flow
        if flow is not None and not flow.done:
            try:
                data = flow.feed(data)
            except Failure as failure:
                self.exchange.fail(failure)
                return
            if flow.done and flow is self.flow:  # else its exchange ended with it
                self.deadline = self.ends
            if not data:
                return
        self.buffer = self.buffer + data if self.buffer else data
        if self.exchange is None:
            self._next()
        elif len(self.buffer) > AHEAD_BYTES:
            self._ahead_paused = True
            self.transport.pauseProducing()

    def readConnectionLost(self) -> None:
        """The client will send no more; it may still want its answer (RFC 9112 9.6)."""
        self.input_ended = True
        if self.state == "gathering":
            self._tell()
        elif self.state != "exchange":
            self.close()
        elif self.flow is not None and not self.flow.done:
            self.exchange.client_left()

    def writeConnectionLost(self) -> None:
        """Our half-close is through."""
        self.plain = False

    def connectionLost(self, reason: TwistedFailure) -> None:
        """The client is gone."""
        self.unplug()
        if not self.peer:
            self._never_spoke(reason.value)
        if self.state == "gathering":
            self._tell()
        exchange, self.exchange = self.exchange, None
        self.state = "closed"
        self.deadline = NEVER
        if exchange is not None:
            exchange.client_left()
        self.front.left(self)  # last: behind the last one the log is closed

    def _never_spoke(self, error: BaseException) -> None:
        """Say why, if it was for want of TLS: no exchange will tell of it."""
        why = broken_handshake(self.transport, error)
        if why:
            self.meet()
            _log.info("client {client}: no TLS: {why}", client=self.connection, why=why)

    def meet(self) -> None:
        """Learn whom we serve: now, not when it connects, for a PROXY header (`haproxy:`) and the
        TLS handshake come before a client's first byte."""
        transport = self.transport
        peer = transport.getPeer()
        host = getattr(peer, "host", None)
        self.peer = host or "unix"
        self.peer_bytes = self.peer.encode("latin-1", "replace")
        if host:
            self.connection = f"[{host}]:{peer.port}" if ":" in host else f"{host}:{peer.port}"
        ask_certificate = getattr(transport, "getPeerCertificate", None)
        if ask_certificate is not None:
            self.scheme = b"https"
            shown = ask_certificate()
            if shown is not None:
                digest = shown.digest("sha256").decode("ascii")
                self.certificate = digest.replace(":", "").lower()

    # Requests

    def _next(self) -> None:
        """Begin the exchanges that the buffer has heads for."""
        if self._in_next:
            return
        if not self.peer:
            self.meet()
        self._in_next = True
        try:
            while self.buffer and self.state in ("idle", "head"):
                if not self._head():
                    break
        finally:
            self._in_next = False
        if self.input_ended and self.state in ("idle", "head"):
            self.close()

    def _head(self) -> bool:
        """Begin one exchange if its head is whole."""
        front = self.front
        buffer = self.buffer
        if not self._searched and buffer[0] == 0x0D:
            # RFC 9112 2.2: an empty line before a request is a habit of old clients
            start = 0
            while buffer.startswith(b"\r\n", start):
                start += 2
            buffer = self.buffer = buffer[start:]
            if not buffer or buffer == b"\r":
                return False
        try:
            end = find_head(buffer, self._searched, front.limits)
            if not end:
                self._searched = len(buffer)
                if self.state == "idle":
                    self.state = "head"
                    self.deadline = front.seconds() + front.times.head
                return False
            self._searched = 0
            head = front.known.read(buffer[:end])
        except Failure as failure:
            self._refuse(failure)
            return False
        self.begin(head, end, buffer[end:])
        return True

    def gather(self, head: RequestHead, size: int, data: bytes) -> None:
        """Wait a moment for the rest of a short body: many clients send head and body apart, and
        what is all there is served in one go. `data` begins with the head, of `size` octets."""
        now = self.front.seconds()
        self._gathered = head, size, now
        self.state = "gathering"
        self.most = READ
        self.buffer = data
        self.deadline = now + GATHER_SECONDS

    def _gather_on(self, data: bytes) -> None:
        assert self._gathered is not None
        head, size, began = self._gathered
        self.buffer = data = self.buffer + data
        framing = head.framing
        if type(framing) is not Length or len(data) < size + framing.size:
            return
        self._gathered, self.buffer, self.state = None, b"", "idle"
        self.most = self.first
        if not self.front.short.go(self, data, began):
            self.begin(head, size, data[size:], began=began)

    def _tell(self) -> None:
        """What was gathered begins an exchange as it is."""
        assert self._gathered is not None
        head, size, began = self._gathered
        data = self.buffer
        self._gathered, self.buffer = None, b""
        self.begin(head, size, data[size:], began=began)

    def begin(
        self, head: RequestHead, size: int, rest: bytes, known: Any = None, began: float = 0.0
    ) -> None:
        """Begin an exchange: `size` octets of head came, and `rest` behind it. `known`: what was
        found out about it already (see `soapgate.edge.fastpath`); `began`: when the head came, 0
        for now."""
        front = self.front
        now = began or front.seconds()
        self.state = "exchange"
        self.exchange = exchange = front.exchange(self, head, now)
        if known is not None:
            exchange.knows(known)
        limit = front.exchange_seconds
        self.ends = now + limit if limit else NEVER
        framing = head.framing
        if type(framing) is Length and len(rest) >= framing.size:
            length = framing.size
            self.buffer = rest[length:]
            self.flow = Whole(rest[:length], size, surplus=len(rest) > length)
            self.deadline = self.ends
            exchange.start()
            return
        reader = body_reader(framing, "downstream")
        if framing is CHUNKED:
            # what is broken in what has come already is refused before anything goes up
            rest += self.more()
        self.most = READ
        self.flow = flow = Flow(reader, self, exchange, size)
        try:
            self.buffer = flow.feed(rest) if rest else b""
        except Failure as failure:
            exchange.start(failure)
            return
        if flow.done:
            self.deadline = self.ends
        else:
            self._window_begins(min(now + front.times.body_grace, self.ends))
        exchange.start()
        if self.input_ended and not flow.done and exchange is self.exchange:
            exchange.client_left()

    def _refuse(self, failure: Failure) -> None:
        """A head that cannot be read: answer, and go no further on this connection."""
        self.state = "exchange"
        self.buffer = b""
        self.exchange = exchange = self.front.exchange(self, None, self.front.seconds())
        exchange.start(failure)

    # For the exchange

    def facts(self, head: RequestHead) -> HttpFacts:
        """What profiles may look at outside the body."""
        return HttpFacts(
            head.target,
            head.fields,
            client_address=self.peer if self.connection else "",  # of a UNIX socket there is none
            client_certificate=self.certificate,
            client_connection=self.connection,
        )

    def go_on(self) -> None:
        """Ask the client for its body (RFC 9110 10.1.1)."""
        self.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def passed(self, flow: Any) -> None:
        """Octets of the request's body went past."""
        if flow.done and flow is self.flow:
            self.deadline = self.ends

    def finished(self, *, keep: bool) -> None:
        """The exchange is over; with `keep` the connection serves the next one."""
        flow, self.flow, self.exchange = self.flow, None, None
        if self.state == "closed":
            return
        if (
            not keep
            or flow is None
            or not flow.done
            or self.front.closing
            or (self.input_ended and not self.buffer)
        ):
            if flow is not None and flow.done and not self.buffer:
                self.close()
            else:
                self._linger()
            return
        front = self.front
        self.state = "idle"
        self.most = self.first
        self.deadline = front.seconds() + front.idle_seconds
        if self._ahead_paused:
            self._ahead_paused = False
            self.transport.resumeProducing()
        if self.buffer:
            self._next()

    @property
    def closing(self) -> bool:
        """Whether this exchange is the connection's last: the gateway is about to end."""
        return self.front.closing

    def close(self) -> None:
        """Close when what was written is sent."""
        self.state = "lingering"
        self.plain = False
        self._unsent = -1
        self.deadline = self.front.seconds() + LINGER_SECONDS
        self.transport.loseConnection()

    def abort(self) -> None:
        """Close at once: the client must see that its answer is not whole."""
        self.state = "lingering"
        self.plain = False
        self.deadline = NEVER
        self.transport.abortConnection()

    def _linger(self) -> None:
        self.state = "lingering"
        self.plain = False
        self.buffer = b""
        self._unsent = -1
        self.deadline = self.front.seconds() + LINGER_SECONDS
        if self.scheme == b"https" or self.input_ended:
            # TLS half-closes by itself: it says that it ends and waits for the same word, and
            # below it a half-close would cut the answer off
            self.transport.loseConnection()
        else:
            self.transport.loseWriteConnection()
        self.transport.resumeProducing()

    # Time

    def _window_begins(self, deadline: float) -> None:
        self._window = self.flow.received if self.flow is not None else 0
        self.deadline = deadline

    def overdue(self, now: float) -> None:
        """From the sweep."""
        if self.state == "lingering":
            if self._backlog() and not self.stalled(now):
                self.deadline = now + LINGER_SECONDS  # a slow reader still takes its answer
            else:
                self.abort()
        elif self.state == "idle":
            self.close()
        elif self.state == "gathering":
            self._tell()
        elif self.state == "head":
            self._refuse(Failure("downstream", Reason.REQUEST_TIMEOUT, "the head did not end"))
        elif now >= self.ends:
            self.deadline = NEVER
            self.exchange.fail(
                Failure("internal", Reason.UPSTREAM_TIMEOUT, "the exchange took too long")
            )
        elif self.flow is not None and not self.flow.done:
            self._judge_rate(now)

    def _judge_rate(self, now: float) -> None:
        flow = self.flow
        assert flow is not None
        times = self.front.times
        least = times.body_rate * times.body_grace
        if flow.wanted and flow.received - self._window < least:
            self.deadline = NEVER
            self.exchange.fail(
                Failure(
                    "downstream",
                    Reason.REQUEST_TIMEOUT,
                    f"under {times.body_rate} bytes of the body a second",
                )
            )
        else:
            self._window_begins(min(now + times.body_grace, self.ends))

    def _backlog(self) -> int:
        """Octets that the client has not taken yet, ours and the kernel's."""
        plain = getattr(self.transport, "socket", None)
        unsent = array.array("i", [0])
        if plain is not None:
            fcntl.ioctl(plain.fileno(), termios.TIOCOUTQ, unsent)
        ours = len(getattr(self.transport, "dataBuffer", b""))
        return unsent[0] + ours + getattr(self.transport, "_tempDataLen", 0)

    def stalled(self, now: float) -> bool:
        """Whether the client has taken nothing for too long: asked while we wait for it."""
        waits = self._backlog()
        if waits != self._unsent:
            self._unsent = waits
            self._stalled_since = now
        return now - self._stalled_since >= self.front.times.stalled

    def __repr__(self) -> str:
        return f"<Downstream {self.peer} {self.state}>"
