"""The backend's side: idle connections kept, new ones dialled, one exchange on each at a time.

The rule of a kept connection: it is given to the next exchange only if the last one used it up to
the last byte on both sides, and both heads allowed it. Idle ones are taken youngest first, so the
rest can age out; before a connection that lay for a while is used, the socket is asked whether the
backend closed it, because a POST on a dead connection cannot be repeated (RFC 9110 9.2.2).

A connection tells its exchange three things: the head, the body (through a `Flow`), and that it is
lost. What that means is the exchange's business.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.endpoints import wrapClientTLS
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorTCP
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure as TwistedFailure

from soapgate.core.errors import Failure, Reason
from soapgate.core.pool import Member
from soapgate.edge.deadlines import NEVER, Deadlines
from soapgate.edge.endpoints import backend_endpoint
from soapgate.edge.flow import Flow
from soapgate.edge.framing import body_reader
from soapgate.edge.http11 import HeadLimits, ResponseHead, find_head, parse_response_head
from soapgate.edge.known import KnownHeads
from soapgate.edge.metrics import Metrics
from soapgate.edge.steps import Steps
from soapgate.edge.turn import send


@dataclass(frozen=True, slots=True)
class UpstreamTimes:
    """Seconds: to connect; to the head of the response; between two reads of its body; that an
    idle connection is kept; and how long it may lie before it is asked whether it lives."""

    connect: float = 5.0
    response: float = 60.0
    response_idle: float = 60.0
    keep: float = 30.0
    trust: float = 0.5


class UpstreamConnection(Protocol):
    """One connection to a backend."""

    def __init__(self, dialer: Dialer) -> None:
        self.deadline = NEVER
        self.flow: Flow | None = None
        self.reused = False
        self.sent = False  # whether a byte of the present request went out
        self.idle_since = 0.0
        self.lost = False
        self._dialer = dialer
        self._exchange: Any = None
        self._method = b""
        self._buffer = b""
        self._searched = 0

    # For the exchange

    def begin(self, exchange: Any, method: bytes) -> None:
        """Belong to an exchange from now on."""
        self._exchange = exchange
        self._method = method
        self.flow = None
        self.sent = False
        self.deadline = NEVER

    def write(self, data: bytes) -> None:
        """Send the request's head with what is at hand of its body."""
        self.sent = True
        send(self.transport, data)

    def await_head(self, now: float) -> None:
        """From now on the backend is the one to act."""
        self.deadline = now + self._dialer.times.response

    def release(self, *, keep: bool) -> None:
        """The exchange is done with it."""
        self._exchange = None
        self.flow = None
        if keep and not self.lost and not self._buffer:
            self._dialer.put(self)
        else:
            self.abort()

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        self._exchange = None
        self.deadline = NEVER
        if not self.lost:
            self.transport.abortConnection()

    def alive(self) -> bool:
        """Whether the backend has neither closed the idle connection nor said anything on it."""
        peer = getattr(self.transport, "socket", None)
        if self.lost or peer is None:
            return not self.lost
        try:
            peer.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except (OSError, ValueError):
            return False
        return False

    # From Twisted

    def connectionMade(self) -> None:
        """Dialled."""
        set_no_delay = getattr(self.transport, "setTcpNoDelay", None)
        if set_no_delay is not None:
            set_no_delay(True)

    def dataReceived(self, data: bytes) -> None:
        """Bytes from the backend."""
        exchange = self._exchange
        if exchange is None:
            # nobody asked: what it means cannot be known, so the connection is of no use
            self._dialer.forget(self)
            self.abort()
            return
        try:
            if self.flow is not None:
                self.deadline = self._dialer.seconds() + self._dialer.times.response_idle
                self._buffer += self.flow.feed(data)
                return
            self._head(exchange, self._buffer + data if self._buffer else data)
        except Failure as failure:
            reason = Reason.UPSTREAM_BROKEN  # a head reader speaks of the side it serves
            exchange.fail(Failure("upstream", reason, failure.detail))

    def _head(self, exchange: Any, data: bytes) -> None:
        dialer = self._dialer
        end = find_head(data, self._searched, dialer.limits)
        if not end:
            self._buffer, self._searched = data, len(data)
            return
        self._buffer, self._searched = b"", 0
        known = dialer.known if self._method != b"HEAD" else None
        raw = data[:end]
        head = known.read(raw) if known else parse_response_head(raw, b"HEAD", dialer.limits)
        rest = data[end:]
        if head.status < 200:
            self._buffer = rest
            exchange.interim(head)
            if rest and self._exchange is exchange:
                self._buffer = b""
                self._head(exchange, rest)
            return
        flow = Flow(body_reader(head.framing, "upstream"), self.transport, exchange)
        if rest:
            self._buffer = flow.feed(rest)
        self.flow = flow
        self.deadline = dialer.seconds() + dialer.times.response_idle if not flow.done else NEVER
        exchange.resume(self, head)

    def connectionLost(self, reason: TwistedFailure) -> None:
        """The connection is gone, well or not."""
        self.lost = True
        self.deadline = NEVER
        self._dialer.forget(self)
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        flow = self.flow
        if flow is not None:
            if flow.done:
                return
            if reason.check(ConnectionDone) and flow.reader.close():
                flow.feed(b"")
                return
        exchange.upstream_lost(self, str(reason.value))

    def overdue(self, now: float) -> None:
        """From the sweep."""
        exchange = self._exchange
        if exchange is None:
            self._dialer.forget(self)
            self.abort()
        elif self.flow is None:
            self.deadline = NEVER
            exchange.fail(Failure("upstream", Reason.UPSTREAM_TIMEOUT, "no response head"))
        elif self.flow.paused:
            # not the backend: the client takes nothing; that is its own deadline's business
            self.deadline = now + self._dialer.times.response_idle
            exchange.downstream_stalled()
        else:
            self.deadline = NEVER
            exchange.fail(Failure("upstream", Reason.UPSTREAM_TIMEOUT, "the response stopped"))

    def __repr__(self) -> str:
        state = "lost" if self.lost else "busy" if self._exchange else "idle"
        return f"<UpstreamConnection to {self._dialer.member.name}, {state}>"


class Dialer:
    """All connections to one backend, and the places that its `maxconn` leaves."""

    def __init__(
        self,
        reactor: IReactorTCP,
        member: Member,
        deadlines: Deadlines,
        times: UpstreamTimes,
        limits: HeadLimits,
        metrics: Metrics,
        tls: Any = None,
    ) -> None:
        """`tls`: what `optionsForClientTLS` made, for an https backend."""
        self.member = member
        self.times = times
        self.limits = limits
        self.seconds = deadlines.seconds
        self.known: KnownHeads[ResponseHead] = KnownHeads(
            lambda raw: parse_response_head(raw, b"POST", limits)
        )
        self.idle: list[UpstreamConnection] = []
        self.open: set[UpstreamConnection] = set()
        self._deadlines = deadlines
        self._closed = False
        self._reactor = reactor
        self._metrics = metrics
        self._queue: deque[Ticket] = deque()
        self.use(tls)
        self._factory = Factory.forProtocol(lambda: UpstreamConnection(self))
        self._factory.noisy = False

    def use(self, tls: Any) -> None:
        """Dial with these TLS options from now on; None: plain TCP."""
        endpoint = backend_endpoint(self._reactor, self.member.backend, self.times.connect)
        self._endpoint = wrapClientTLS(tls, endpoint) if tls is not None else endpoint

    # Places

    def enter(self) -> bool:
        """Take a place of the backend's `maxconn` if one is free."""
        member = self.member
        if member.full:
            return False
        member.inflight += 1
        return True

    async def queue(self, exchange: Steps, seconds: float) -> None:
        """Wait for a place, first come first served; Failure QUEUE_TIMEOUT after `seconds`."""
        ticket = Ticket(self, exchange, self.seconds() + seconds)
        self._queue.append(ticket)
        self._deadlines.watch(ticket)
        self.member.waiting += 1
        try:
            if not await exchange.wait(ticket):
                raise Failure(
                    "internal",
                    Reason.QUEUE_TIMEOUT,
                    f"{self.member.name} was full for {seconds:g} s",
                    retry_safe=True,
                )
        finally:
            ticket.over = True
            self.member.waiting -= 1
            self._deadlines.forget(ticket)

    def leave(self) -> None:
        """Give the place back, to the first who waits if anybody does."""
        while self._queue:
            ticket = self._queue.popleft()
            if not ticket.over:
                ticket.over = True
                ticket.exchange.resume(ticket, True)
                return
        self.member.inflight -= 1

    # Connections

    def take(self) -> UpstreamConnection | None:
        """An idle connection that still lives."""
        now = self.seconds()
        while self.idle:
            connection = self.idle.pop()
            if now - connection.idle_since <= self.times.trust or connection.alive():
                connection.reused = True
                self._metrics.reused += 1
                return connection
            connection.abort()
        return None

    def dial(self, ready: Callable[[UpstreamConnection | None, str], bool]) -> None:
        """Connect, then call `ready(connection, "")` or `ready(None, why)`. If nobody is there
        any more (False) the connection is kept for the next."""

        def connected(connection: Any) -> None:
            self.open.add(connection)
            self._metrics.dialled += 1
            self._metrics.connections_upstream += 1
            self._deadlines.watch(connection)
            if not ready(connection, ""):
                self.put(connection)

        def failed(failure: TwistedFailure) -> None:
            ready(None, failure.getErrorMessage() or failure.type.__name__)

        self._endpoint.connect(self._factory).addCallbacks(connected, failed)

    def put(self, connection: UpstreamConnection) -> None:
        """Keep an idle connection for the next exchange."""
        if self._closed:
            connection.abort()
            return
        connection.idle_since = now = self.seconds()
        connection.deadline = now + self.times.keep
        self.idle.append(connection)

    def forget(self, connection: UpstreamConnection) -> None:
        """It is gone."""
        self._deadlines.forget(connection)
        if connection in self.open:
            self.open.remove(connection)
            self._metrics.connections_upstream -= 1
        if connection in self.idle:
            self.idle.remove(connection)

    def close(self) -> None:
        """Keep no connection any more; those in use end with their exchange."""
        self._closed = True
        while self.idle:
            self.idle.pop().abort()

    def __repr__(self) -> str:
        return f"<Dialer {self.member.name}: {len(self.open)} open, {len(self.idle)} idle>"


class Ticket:
    """Somebody who waits for a place."""

    __slots__ = ("_dialer", "deadline", "exchange", "over")

    def __init__(self, dialer: Dialer, exchange: Steps, deadline: float) -> None:
        self._dialer = dialer
        self.exchange = exchange
        self.deadline = deadline
        self.over = False

    def overdue(self, now: float) -> None:
        """From the sweep: it waited long enough."""
        self.deadline = NEVER
        if not self.over:
            self.over = True
            self.exchange.resume(self, False)
