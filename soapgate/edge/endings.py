"""What an exchange knows while it runs, and every way it can end.

An exchange ends by its answer, by a refusal, with its client or by a defect of ours; whichever it
is, the one rule is that `_finish` comes last and once: the place and the connection at the backend
are given back, one log line is written, one metric counted, and the client's connection goes on to
its next request or is closed. How an exchange goes before that is told in `soapgate.edge.proxy`.

A base class and not a value of its own: the story and its end share nearly all they know, and an
object between them would cost a lookup for each of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.logger import Logger
from twisted.python.failure import Failure as TwistedFailure

from soapgate.core.errors import Failure, Reason, StoreError
from soapgate.core.routing import Identity, Route
from soapgate.core.scanned import Found, Scanned
from soapgate.edge.desk import Asked, Desk
from soapgate.edge.downstream import Downstream
from soapgate.edge.exchangelog import ExchangeRecord
from soapgate.edge.flow import Flow, Outlet, Whole
from soapgate.edge.hops import explained, own_answer
from soapgate.edge.http11 import RequestHead, ResponseHead
from soapgate.edge.refusals import refusal
from soapgate.edge.steps import ClientLeft, Steps
from soapgate.edge.upstream import Dialer, UpstreamConnection

_log = Logger()


class Endings(Steps):
    """An exchange as far as it can end."""

    # What an exchange begins with: to set it in `__init__` would cost a microsecond a request.
    _answered = False  # bytes of an answer went down
    _asked_for_body = False
    _ends: Sequence[Found] = ()  # markers of the request
    _flow: Flow | Whole = None  # type: ignore[assignment]  # set by start()
    _excluded: frozenset[str] = frozenset()  # backends tried in vain
    _found: Sequence[Found] = ()  # ids of the request
    _fresh = False  # whether this exchange is the one that bound its id
    _identities: tuple[Identity, ...] = ()
    _identity: Identity | None = None  # the one that decided
    _kept: Sequence[bytes] = ()  # body pieces read while identifying
    _outlet: Outlet | None = None  # of the answer
    _over = False
    _place: Dialer | None = None  # whose maxconn we count against
    _said: Asked = None  # type: ignore[assignment]  # set by _accept
    _scanned: Scanned | None = None
    _seen: Scanned | None = None  # what a known shape said;
    _tried = False  # whether it was asked already
    _turn: Route | None = None  # whom the policy has chosen already
    _news = False  # whether the response issued an id
    _stage = "accept"
    _upstream: UpstreamConnection | None = None
    _route: Route = None  # type: ignore[assignment]  # set by _look_up

    def __init__(
        self, desk: Desk, downstream: Downstream, head: RequestHead | None, now: float
    ) -> None:
        """`head` None: an exchange that only refuses."""
        self._desk = desk
        self._downstream = downstream
        self._head: RequestHead = head  # type: ignore[assignment]  # a refusal looks first
        self._now = now
        self._record = record = ExchangeRecord()
        record.client = downstream.peer
        record.started = now

    # How it ends

    def _refuse(self, failure: Failure) -> None:
        record = self._record
        record.detail = f"{failure.detail}; {record.detail}".rstrip("; ")  # and of the try before
        if record.route != "refused":
            record.route, record.reason = "refused", str(failure.reason)
        self._desk.metrics.failure(record.service, record.reason, self._desk.seconds())
        self._let_go(keep=False)
        if self._answered:
            self._downstream.abort()
            self._finish(keep=False)
            return
        head, flow, identity = self._head, self._flow, self._identity
        reply = refusal(failure, self._said, identity, head, self._scanned, self._kept)
        record.status = reply.status
        keep = head is not None and head.keep_alive and flow.done and head.minor == 1
        keep = keep and not self._downstream.closing
        self._outlet = outlet = Outlet(self._downstream, chunked=False)
        self._answered = True
        raw = own_answer(reply, body=head is None or head.method != b"HEAD", keep=keep)
        if self._said and self._said.explain:
            raw = explained(raw, record, self._route, self._found, self._identities)
        outlet.write(raw)
        if flow is not None and not flow.done:
            flow.drop()
        self._finish(keep=keep)

    def _let_go(self, *, keep: bool) -> None:
        """Give back the connection and the place at the backend."""
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.release(keep=keep)
        if self._place is not None:
            self._place.leave()
            self._place = None

    def _finish(self, *, keep: bool) -> None:
        """One log line, one metric, always; then the next request."""
        if self._over:
            return
        self._over = True
        record, desk = self._record, self._desk
        record.finished = desk.seconds()
        if self._flow is not None:
            record.read = self._flow.head + self._flow.received
            desk.metrics.downstream_read += record.read
        if self._outlet is not None:
            record.sent = self._outlet.sent
        desk.metrics.downstream_sent += record.sent
        record.told = self._route, self._found, self._identities
        desk.log.record(record)
        seconds = record.finished - record.started
        desk.metrics.exchange(record.service, record.route, record.reason, seconds)
        self._coroutine = None
        self._downstream.finished(keep=keep)

    # Its errors

    def _broke(self, error: Exception) -> None:
        if isinstance(error, Failure):
            self._refuse(error)
        elif isinstance(error, ClientLeft):
            self._record.left = True
            self._desk.metrics.clients_left += 1
            self._let_go(keep=False)
            self._finish(keep=False)
        elif isinstance(error, StoreError):
            _log.error("the pin store failed: {error}", error=error)  # a path is not for clients
            self._refuse(Failure("internal", Reason.STORE, f"at {self._stage}"))
        else:
            _log.failure("an exchange failed at {step}", TwistedFailure(error), step=self._stage)
            self._refuse(Failure("internal", Reason.INTERNAL, f"at {self._stage}"))

    # From the connections

    def _dialled(self, upstream: UpstreamConnection | None, why: str) -> bool:
        dialer = self._place
        if dialer is None or self._waits_for is not dialer:
            return False
        if upstream is not None:
            return self.resume(dialer, upstream)
        self.fail(Failure("upstream", Reason.NO_BACKEND, why, retry_safe=True))
        return True

    def interim(self, head: ResponseHead) -> None:
        """A 1xx of the backend: 100 was answered here, others go to who understands them
        (RFC 9110 15.2)."""
        if head.status != 100 and self._head.minor and not self._answered:
            Outlet(self._downstream, chunked=False).write(head.forward + b"\r\n")

    def upstream_lost(self, upstream: UpstreamConnection, why: str) -> None:
        """The backend's connection ended before its response did."""
        if upstream is self._upstream:
            self.fail(Failure("upstream", Reason.UPSTREAM_BROKEN, why))

    def downstream_stalled(self) -> None:
        """The response waits for the client; a client that takes nothing for too long has left."""
        if self._downstream.stalled(self._desk.seconds()):
            self._downstream.abort()
            self.client_left()

    def client_left(self) -> None:
        """The client closed its connection: stop, keep the pin, blame no backend."""
        if self._coroutine is None:
            return
        self._record.route = self._record.route or "refused"
        self._record.reason = self._record.reason or "client-left"
        self.fail(ClientLeft())
