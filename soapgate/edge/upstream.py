"""The backend's side: idle connections kept, new ones dialled, one exchange on each at a time.

The rule of a kept connection: it is given to the next exchange only if the last one used it up to
the last byte on both sides, and both heads allowed it. Idle ones are taken youngest first, so the
rest can age out. Before one is used the socket is asked whether the backend closed it, even if that
was a moment ago: a POST on a dead connection cannot be repeated (RFC 9110 9.2.2), so the question
is worth its system call.

A connection tells its exchange three things: the head, the body (through a `Flow`), and that it is
lost. What that means is the exchange's business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.endpoints import _WrappingProtocol, wrapClientTLS
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHandshakeListener, IReactorTCP
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure as TwistedFailure
from zope.interface import implementer

from soapgate.core.errors import Failure, Reason
from soapgate.core.pool import Member
from soapgate.edge.deadlines import NEVER, Deadlines
from soapgate.edge.endpoints import backend_endpoint
from soapgate.edge.flow import Flow, Outlet, Whole
from soapgate.edge.framing import Length, body_reader
from soapgate.edge.http11 import HeadLimits, find_head, parse_response_head
from soapgate.edge.kept import Kept
from soapgate.edge.known import KnownHeads
from soapgate.edge.lines import UpstreamLine
from soapgate.edge.loose import known_heads
from soapgate.edge.metrics import Metrics
from soapgate.edge.steps import Steps

# Heads of responses remembered for one backend: its operations and statuses within one second of
# its Date. A few kilobytes each, and there may be hundreds of backends.
RESPONSE_HEADS = 64


@dataclass(frozen=True, slots=True)
class UpstreamTimes:
    """Seconds: to connect; to the head of the response; between two reads of its body; that an
    idle connection is kept."""

    connect: float = 5.0
    response: float = 60.0
    response_idle: float = 60.0
    keep: float = 30.0


# Who waits for a dialled connection: called with it and "", or with None and why there is none.
# False: nobody is there any more.
Ready = Callable[["UpstreamConnection | None", str], bool]


@implementer(IHandshakeListener)
class UpstreamConnection(UpstreamLine, Protocol):
    """One connection to a backend."""

    flow: Flow | Whole | None

    def __init__(self, dialer: Dialer) -> None:
        super().__init__()
        self.deadline = NEVER
        self.reused = False
        self.sent = False  # whether a byte of the present request went out
        self.lost = False
        self.member = dialer.member
        self.dialer = dialer
        self._ready: Ready | None = None  # who waits for the TLS handshake
        self._request: Flow | Whole | None = None
        self._asked = 0  # octets of its request that had come in when it was last looked at
        self.outlet: Outlet | None = None  # of a request whose body streams
        self.written = 0  # octets of the present request, without what its outlet sent
        self._method = b""
        self._searched = 0

    # For the exchange

    def begin(self, exchange: Any, method: bytes, request: Flow | Whole, now: float) -> None:
        """Belong to an exchange from now on. The backend is the one to act, by answering or by
        reading the body of the `request`."""
        self.exchange = exchange
        self._method = method
        self._request = request
        self._asked = request.received
        self.flow = None
        self.outlet = None
        self.sent = False
        self.deadline = now + self.dialer.times.response

    def write(self, data: bytes) -> None:
        """Send the request's head with what is at hand of its body."""
        self.sent = True
        self.written = len(data)
        self.send(data)

    def release(self, *, keep: bool) -> None:
        """The exchange is done with it."""
        flow, self.flow = self.flow, None
        self.exchange = self._request = None
        metrics = self.dialer.metrics
        if self.sent:
            streamed = self.outlet.sent if self.outlet is not None else 0
            metrics.upstream_sent += self.written + streamed
        if flow is not None:
            metrics.upstream_read += flow.head + flow.received
        whole = flow is not None and flow.done and not flow.surplus
        if keep and whole and not self.lost and not self.buffer:
            self.dialer.put(self)
        else:
            self.abort()

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        self.exchange = self._request = None
        self.deadline = NEVER
        self.plain = False
        if not self.lost:
            self.transport.abortConnection()

    # From Twisted

    def connectionMade(self) -> None:
        """Dialled."""
        self.plug()
        set_no_delay = getattr(self.transport, "setTcpNoDelay", None)
        if set_no_delay is not None:
            set_no_delay(True)

    def greet(self, ready: Ready, deadline: float) -> None:
        """Tell `ready` when the TLS handshake is through: only then is there a backend whom we
        know, and until then no byte of a request has reached one."""
        self._ready = ready
        self.deadline = deadline

    def handshakeCompleted(self) -> None:
        """Through; a peer that is not who it should be has been aborted already."""
        ready = self._ready
        if ready is not None and not self.transport.disconnecting:
            self._ready = None
            self.deadline = NEVER
            if not ready(self, ""):
                self.dialer.put(self)

    def received(self, data: bytes) -> None:
        """Bytes from the backend that do not go the short way."""
        exchange = self.exchange
        if exchange is None:
            # nobody asked: what it means cannot be known, so the connection is of no use
            self.dialer.forget(self)
            self.abort()
            return
        try:
            flow = self.flow
            if exchange.short:
                exchange = exchange.story()
            if flow is None:
                self._head(exchange, self.buffer + data if self.buffer else data)
                return
            if flow.done:
                flow.surplus = True  # it speaks unasked: nobody may use it after this exchange
                return
            self.deadline = self.dialer.seconds() + self.dialer.times.response_idle
            flow.feed(data)
            if flow.done and flow is self.flow:  # else its exchange ended with it
                self.deadline = NEVER
        except Failure as failure:
            reason = Reason.UPSTREAM_BROKEN  # a head reader speaks of the side it serves
            exchange.fail(Failure("upstream", reason, failure.detail))

    def _head(self, exchange: Any, data: bytes) -> None:
        dialer = self.dialer
        while True:
            method = self._method
            head = dialer.known.take(data) if method != b"HEAD" else None
            if head is not None:
                end = dialer.known.end
            else:
                end = find_head(data, self._searched, dialer.limits)
                if not end:
                    self.buffer, self._searched = data, len(data)
                    return
                if method == b"HEAD":
                    head = parse_response_head(data[:end], method, dialer.limits)
                else:
                    head = dialer.known.learn(data[:end])
            self.buffer, self._searched = b"", 0
            data = data[end:]
            if head.status >= 200:
                break
            exchange.interim(head)
            if not data or self.exchange is not exchange:
                return
        framing = head.framing
        if type(framing) is Length and len(data) >= framing.size:
            length = framing.size
            self.flow = Whole(data[:length], end, surplus=len(data) > length)
            self.deadline = NEVER
        else:
            flow = Flow(body_reader(framing, "upstream"), self, exchange, end)
            if data:
                flow.feed(data)
            self.flow = flow
            idle = dialer.times.response_idle
            self.deadline = NEVER if flow.done else dialer.seconds() + idle
        exchange.resume(self, head)

    def passed(self, flow: Any) -> None:
        """Octets of the response's body went past."""
        if flow is self.flow:
            idle = self.dialer.times.response_idle
            self.deadline = NEVER if flow.done else self.dialer.seconds() + idle

    def connectionLost(self, reason: TwistedFailure) -> None:
        """The connection is gone, well or not."""
        self.unplug()
        self.lost = True
        self.deadline = NEVER
        self.dialer.forget(self)
        ready, self._ready = self._ready, None
        if ready is not None:
            ready(None, f"TLS handshake: {reason.value}")
        exchange, self.exchange = self.exchange, None
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
        exchange = self.exchange
        if exchange is None:
            self.dialer.forget(self)
            self.abort()
        elif self.flow is None:
            if self._is_asked():
                self.deadline = now + self.dialer.times.response
                return
            self.deadline = NEVER
            exchange.fail(Failure("upstream", Reason.UPSTREAM_TIMEOUT, "no response head"))
        elif self.flow.paused:
            # not the backend: the client takes nothing; that is its own deadline's business
            self.deadline = now + self.dialer.times.response_idle
            exchange.downstream_stalled()
        else:
            self.deadline = NEVER
            exchange.fail(Failure("upstream", Reason.UPSTREAM_TIMEOUT, "the response stopped"))

    def _is_asked(self) -> bool:
        """Whether the request is still on its way, or was until lately: a backend answers when it
        has read all. One that does not read it is late; a client that does not send it is judged
        on its own side."""
        request = self._request
        if request is None:
            return False
        before, self._asked = self._asked, request.received
        return request.received != before or not (request.done or request.paused)

    def __repr__(self) -> str:
        state = "lost" if self.lost else "busy" if self.exchange else "idle"
        return f"<UpstreamConnection to {self.dialer.member.name}, {state}>"


class Dialer(Kept):
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
        super().__init__(member, deadlines.seconds)
        self.metrics = metrics
        self.open: set[UpstreamConnection] = set()
        self._deadlines = deadlines
        self._reactor = reactor
        self.use(times, limits, tls)
        self._factory = Factory.forProtocol(lambda: UpstreamConnection(self))
        self._factory.noisy = False

    def use(self, times: UpstreamTimes, limits: HeadLimits, tls: Any) -> None:
        """Hold connections to these from now on and dial with these TLS options (None: plain
        TCP); whoever waits for a place finds the backend's present `maxconn`."""
        self.times = times
        self.keep_seconds = times.keep
        self.response_seconds = times.response
        self.limits = limits
        # what was read under other limits is not known under these

        # (of a reply's fields profiles ask whether they are there: `soapgate.edge.desk.silent`)
        self.known: KnownHeads = known_heads(
            lambda raw: parse_response_head(raw, b"POST", limits), limits.bytes, RESPONSE_HEADS
        )
        endpoint = backend_endpoint(self._reactor, self.member.backend, times.connect)
        self._secure = tls is not None
        self._endpoint = wrapClientTLS(tls, endpoint) if self._secure else endpoint
        self.admit()

    # Places

    async def queue(self, exchange: Steps, seconds: float) -> None:
        """Wait for a place, first come first served; Failure QUEUE_TIMEOUT after `seconds`."""
        ticket = Ticket(exchange, self.seconds() + seconds)
        self.waiting.append(ticket)
        self._deadlines.watch(ticket)
        self.member.waiting += 1
        try:
            if not await exchange.wait(ticket):
                raise Failure(
                    "internal",
                    Reason.QUEUE_TIMEOUT,
                    f"the backend was full for {seconds:g} s",
                    retry_safe=True,
                )
        finally:
            ticket.over = True
            self.member.waiting -= 1
            self._deadlines.forget(ticket)

    def admit(self) -> None:
        """Hand the free places to who waits, before anybody else can ask for one."""
        while self.waiting and (self.waiting[0].over or self.member.admit()):
            ticket = self.waiting.popleft()
            if not ticket.over:
                ticket.over = True
                ticket.exchange.resume(ticket, True)

    # Connections

    def dial(self, ready: Ready) -> None:
        """Connect, then call `ready(connection, "")` or `ready(None, why)`, in a later turn of the
        loop. If nobody is there any more (False) the connection is kept for the next."""
        secure = self._secure

        def connected(connection: Any) -> None:
            self.open.add(connection)
            self.metrics.dialled += 1
            self.metrics.connections_upstream += 1
            self._deadlines.watch(connection)
            transport = connection.transport
            if type(getattr(transport, "protocol", None)) is _WrappingProtocol:
                # the endpoint's wrapper has done its work; it would cost a call every read
                transport.protocol = connection
            if secure:
                connection.greet(ready, self.seconds() + self.times.connect)
            elif not ready(connection, ""):
                self.put(connection)

        def failed(failure: TwistedFailure) -> None:
            why = failure.getErrorMessage() or failure.type.__name__
            if dialling:  # refused before anything was tried, so nobody waits yet
                self._reactor.callLater(0, ready, None, why)
            else:
                ready(None, why)

        dialling = True
        self._endpoint.connect(self._factory).addCallbacks(connected, failed)
        dialling = False

    def forget(self, connection: UpstreamConnection) -> None:
        """It is gone."""
        self._deadlines.forget(connection)
        if connection in self.open:
            self.open.remove(connection)
            self.metrics.connections_upstream -= 1
        if connection in self.idle:
            self.idle.remove(connection)

    def close(self) -> None:
        """Keep no connection any more; those in use end with their exchange."""
        self.closed = True
        while self.idle:
            self.idle.pop().abort()

    def __repr__(self) -> str:
        return f"<Dialer {self.member.name}: {len(self.open)} open, {len(self.idle)} idle>"


class Ticket:
    """Somebody who waits for a place."""

    __slots__ = ("deadline", "exchange", "over")

    def __init__(self, exchange: Steps, deadline: float) -> None:
        self.exchange = exchange
        self.deadline = deadline
        self.over = False

    def overdue(self, now: float) -> None:
        """From the sweep: it waited long enough."""
        self.deadline = NEVER
        if not self.over:
            self.over = True
            self.exchange.resume(self, False)
