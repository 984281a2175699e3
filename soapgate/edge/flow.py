"""A body on its way: read piece by piece while the exchange decides, poured through afterwards.

The one rule: nothing is read that nobody has a place for. While an exchange asks for pieces, each
comes when it asks; while it is busy with something else (a connection, a store) the sender is
paused with at most one read in hand; once poured, the receiver's transport pauses the sender
whenever its own buffer is full. So memory per exchange does not depend on the message.

`Flow` is the way in, `Outlet` the way out. Neither knows what it carries.
"""

from __future__ import annotations

from collections import deque

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from soapgate.core.errors import Failure, Reason
from soapgate.edge.framing import BodyReader, LengthReader, chunk, last_chunk
from soapgate.edge.lines import Line
from soapgate.edge.splicing import Splice, divert
from soapgate.edge.steps import Steps


class Outlet:
    """One body on its way out on `line`, framed in chunks or sent as it is."""

    __slots__ = ("chunked", "line", "sent")

    def __init__(self, line: Line, *, chunked: bool) -> None:
        self.line = line
        self.chunked = chunked
        self.sent = 0  # octets, framing included

    def frame(self, pieces: list[bytes]) -> bytes:
        """The pieces as they go onto the wire."""
        if self.chunked:
            pieces = [chunk(piece) for piece in pieces]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def write(self, data: bytes) -> None:
        """Send what is framed already."""
        self.sent += len(data)
        self.line.send(data)

    def end(self, trailers: bytes) -> bytes:
        """What ends the body on the wire."""
        return last_chunk(trailers) if self.chunked else b""


class Whole:
    """A body that was all there when its head was read, as most are: a `Flow` without the flow.

    `head`: octets of the head before it; `surplus`: bytes came behind its end."""

    __slots__ = ("_pieces", "body", "head", "most", "received", "surplus")

    done = True
    paused = False
    wanted = False
    reader = LengthReader(0)  # ended, without trailers

    def __init__(self, body: bytes, head: int, *, surplus: bool) -> None:
        self._pieces = [body] if body else []
        self.body = body
        self.head = head
        self.most = 0
        self.received = len(body)
        self.surplus = surplus

    async def piece(self) -> bytes:
        """The body, b"" when it was taken."""
        return self._pieces.pop() if self._pieces else b""

    def take(self) -> list[bytes]:
        """The body, as long as nobody took it."""
        pieces, self._pieces = self._pieces, []
        return pieces

    def pour(self, outlet: Outlet) -> None:
        """Nothing is to come."""

    def drop(self) -> None:
        """Nothing is to come."""

    async def poured(self) -> None:
        """At once."""


@implementer(IPushProducer)
class Flow:
    """One body on its way in from `line`, for `exchange`."""

    __slots__ = (
        "_exchange", "_outlet", "_paused", "_pieces", "_splice", "_waiting", "dropped", "head",
        "line", "most", "reader", "received", "surplus",
    )  # fmt: skip

    def __init__(self, reader: BodyReader, line: Line, exchange: Steps, head: int = 0) -> None:
        self.reader = reader
        self.head = head  # octets of the head before it
        self.line = line
        self.received = 0  # octets of the body so far
        self.most = 0  # octets allowed, 0 for no bound
        self.dropped = False
        self.surplus = False  # bytes came behind its end
        self._exchange = exchange
        self._pieces: deque[bytes] = deque()
        self._outlet: Outlet | None = None
        self._splice: Splice | None = None
        self._waiting = False
        self._paused = False

    # From the connection

    def feed(self, data: bytes) -> bytes:
        """Take what belongs to the body; return what follows it. Raises `Failure` where the
        framing is broken or the body is over its bound."""
        reader = self.reader
        piece, rest = reader.take(data)
        done = reader.done
        self.received += len(piece)
        if rest:
            # known before anybody is told of the end: nobody may reuse a connection that said more
            self.surplus = True
        if self.most and self.received > self.most:
            raise Failure("downstream", Reason.TOO_LARGE, f"body over {self.most} bytes")
        outlet = self._outlet
        if outlet is not None:
            framed = outlet.frame([piece]) if piece else b""
            if done:
                framed += outlet.end(reader.trailers)
            if framed:
                outlet.write(framed)
            if done:
                self._poured()
        elif self.dropped:
            pass
        elif piece:
            self._pieces.append(piece)
            if not self._waiting and not done:
                self.pauseProducing()
        if done:
            # the last piece may have filled the receiver: whoever uses the sender's connection
            # next must not find it paused
            self.resumeProducing()
        if done or (piece and outlet is None):
            self._wake()
        return rest

    def _wake(self) -> None:
        if self._waiting:
            self._waiting = False
            self._exchange.resume(self, None)

    @property
    def done(self) -> bool:
        """All of the body has come in; pieces may still wait to be taken."""
        return self.reader.done

    @property
    def paused(self) -> bool:
        """Whether the sender waits for us, not we for it."""
        return self._paused

    @property
    def wanted(self) -> bool:
        """Whether somebody waits for what comes, so that its sender can be late."""
        return not self._paused and (self._waiting or self._outlet is not None)

    # For the exchange

    async def piece(self) -> bytes:
        """The next piece, b"" at the end."""
        while not self._pieces:
            if self.reader.done:
                return b""
            self.resumeProducing()
            self._waiting = True
            await self._exchange.wait(self)
        return self._pieces.popleft()

    def take(self) -> list[bytes]:
        """The pieces at hand."""
        pieces = list(self._pieces)
        self._pieces.clear()
        return pieces

    def pour(self, outlet: Outlet) -> None:
        """Send all that comes from now on to `outlet` at once; the pieces at hand were taken."""
        if self.reader.done:
            return
        self._outlet = outlet
        outlet.line.transport.registerProducer(self, True)
        if not outlet.chunked:
            self._splice = divert(self.line, outlet.line, self.reader, self._moved)
        self.resumeProducing()

    def _moved(self, octets: int) -> None:
        """Octets went from socket to socket."""
        self.received += octets
        if self._outlet is not None:
            self._outlet.sent += octets
        done = self.reader.done
        if done:
            self._poured()
            self.resumeProducing()  # as in `feed`
        self.line.passed(self)
        if done:
            self._wake()

    def drop(self) -> None:
        """Read on, but keep and send nothing: whoever wanted it is gone."""
        self.dropped = True
        self._pieces.clear()
        self._poured()
        self.resumeProducing()

    async def poured(self) -> None:
        """Until the body is through."""
        while not self.reader.done:
            self._waiting = True
            await self._exchange.wait(self)

    def _poured(self) -> None:
        outlet, self._outlet = self._outlet, None
        if self._splice is not None:
            self._splice.stop()
        if outlet is not None:
            outlet.line.transport.unregisterProducer()

    # As a producer of the outlet's transport

    def pauseProducing(self) -> None:
        """The receiver is full: read no more."""
        if not self._paused:
            self._paused = True
            self.line.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """The receiver has room."""
        if self._paused:
            self._paused = False
            self.line.transport.resumeProducing()

    def stopProducing(self) -> None:
        """The receiver is gone: read on for nobody, or a sender paused for it would wait for ever.
        Its own connection tells the exchange."""
        if not self.reader.done:
            self.drop()
