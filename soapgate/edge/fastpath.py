"""The short way of an ordinary exchange: what is known already is not worked out again.

Most requests on a busy gateway bring nothing new: a head that was read before, an envelope of a
known shape, one id, pinned to a backend that is ready and has an idle connection, and an answer
that is all there and issues nothing. Then every step of the story (`soapgate.edge.proxy`) takes
its first branch, and this file takes those branches in one go, up and down, without a coroutine.

The one rule: it does what the story would do, or nothing. `_go` and `_answer` first look, without
any effect, whether all is ordinary; if anything is not, the story tells the exchange: from its
beginning, or, with the request on its way, from the reply on. So a rule of routing, retries,
faults, time-outs and ends is written once, there. That both ways agree is tested, byte for byte,
over the same conversations (tests/edge/test_fastpath.py).

The alternative, a leaner story, was tried first: its branches are what costs.
"""

from __future__ import annotations

from collections.abc import Sequence

from soapgate.core.errors import Failure, StoreError
from soapgate.core.naming import ASKING
from soapgate.core.routing import settled
from soapgate.core.scanned import Found
from soapgate.edge.desk import Asked, plain, silent
from soapgate.edge.flow import Whole
from soapgate.edge.hops import last_hop
from soapgate.edge.http11 import ResponseHead
from soapgate.edge.proxy import GATEWAY_ERRORS, Exchange
from soapgate.edge.turn import send


class FastExchange(Exchange):
    """An `Exchange` that goes the short way while it can."""

    _short = False  # the request went up the short way, and nobody has told the rest yet

    def start(self, failure: Failure | None = None) -> None:
        """Begin; with `failure` only to refuse."""
        said: Asked | None
        if failure is None:
            self._flow = flow = self._downstream.flow  # type: ignore[assignment]
            said = self._head.notes.get("asked")
            try:
                if (
                    type(flow) is Whole
                    and said is not None
                    and said.fast
                    and said.tables is self._desk.tables
                    and self._go(said, flow)
                ):
                    return
            except StoreError:
                pass  # nothing was done yet: the story meets it, and knows what to say
            except Exception as error:
                self._broke(error)
                return
        super().start(failure)

    def _go(self, said: Asked, flow: Whole) -> bool:
        """Send the request up, if all about it is ordinary."""
        service, body, found = said.service, flow.body, said.found
        assert service is not None
        scanned = None
        if said.envelope and body:
            self._tried = True
            self._seen = scanned = service.request_shapes.scan(body, said.action)
            if scanned is None:
                return False
            if scanned.found:
                found = [*found, *scanned.found] if found else scanned.found  # type: ignore[assignment]
        if len(found) != 1 or found[0].use not in ASKING or len(body) > service.max_body > 0:
            return False
        identity = service.affinity.settled(found[0], self._now)
        route = settled(identity, service.pool) if identity is not None else None
        if identity is None or route is None:
            return False
        dialer = service.dialers[route.backend]
        upstream = dialer.take()
        if upstream is None:
            return False
        if not dialer.member.enter():  # another process was quicker
            dialer.put(upstream)
            return False
        # nothing is in the way any more
        desk, head, downstream, record = self._desk, self._head, self._downstream, self._record
        metrics = desk.metrics
        metrics.requests += 1
        metrics.routed_requests += 1
        record.target = head.target
        record.method = said.method
        record.action = said.action
        record.service = service.name
        if scanned is not None:
            record.scan = scanned.outcome
            metrics.scan("request", scanned.outcome)
            self._scanned = scanned
        record.profile, record.key = identity.profile, identity.key
        record.route, record.reason, record.backend = "pinned", route.reason, route.backend
        record.decided = record.dialled = record.connected = now = desk.seconds()
        record.tries = 1
        self._said, self._found = said, found
        self._identities, self._identity, self._route = (identity,), identity, route
        self._place, self._upstream = dialer, upstream
        self._stage = "reply"
        self._short = True
        upstream.begin(self, head.method, flow, now)
        peer, scheme = downstream.peer_bytes, downstream.scheme
        upstream.write(b"".join((head.forward, said.traces(head, peer, scheme), *flow.take())))
        return True

    def _answer(self, reply: ResponseHead) -> bool:
        """Send the response down, if all about it is ordinary."""
        upstream, said, downstream = self._upstream, self._said, self._downstream
        service = said.service
        assert upstream is not None
        assert service is not None
        flow, watch = upstream.flow, service.plan.response
        if (
            type(flow) is not Whole
            or not reply.keep_alive
            or downstream.closing
            or reply.status in GATEWAY_ERRORS
            or not silent(reply, watch)
        ):
            return False
        head, chunked, keep = last_hop(self._head, reply, keep=True)
        if chunked or not keep:
            return False
        body = flow.body
        desk, record = self._desk, self._record
        metrics = desk.metrics
        if body and watch.needs_envelope:
            if not plain(reply):
                return False
            scanned = service.response_shapes.scan(body, said.action)
            if scanned is None:
                return False
            if scanned.found:
                if not self._echoes(scanned.found):
                    return False
                record.learned = len(scanned.found)
            record.reply_scan = scanned.outcome
            metrics.scan("response", scanned.outcome)
        # nothing is in the way any more
        self._short = False
        if upstream.member.mark(True):
            desk.flipped(service.pool, upstream.member)
        metrics.responses += 1
        record.answered = desk.seconds()
        record.status = reply.status
        self._answered = True
        head += body
        record.sent = len(head)
        send(downstream.transport, head)
        metrics.routed_responses += 1
        metrics.fast += 1
        self._let_go(keep=True)
        self._finish(keep=True)
        return True

    def _echoes(self, shown: Sequence[Found]) -> bool:
        """Whether a reply shows no id but the request's, so that there is nothing to learn."""
        asked = self._found[0]
        return all(
            one.use == "learn" and one.id == asked.id and one.profile == asked.profile
            for one in shown
        )

    # The rest of the story, where it is not ordinary

    def _take_over(self) -> None:
        self._short = False
        pieces = [self._flow.body] if type(self._flow) is Whole and self._flow.body else []
        assert self._said.service is not None
        self._kept = pieces if self._flow.received <= self._said.service.keep else ()
        self._run(self._story(self._upstream))

    def resume(self, source: object, value: object) -> bool:
        """Go on with what `source` brought; False if nobody waits for it."""
        if self._short:
            if source is not self._upstream:
                return False
            assert isinstance(value, ResponseHead)
            try:
                if self._answer(value):
                    return True
            except Exception as error:
                self._short = False
                self._broke(error)
                return True
            self._take_over()
        return super().resume(source, value)

    def fail(self, error: BaseException) -> None:
        """The answer will not come, or not in time."""
        if self._short:
            self._take_over()
        super().fail(error)

    def client_left(self) -> None:
        """The client closed its connection: stop, keep the pin, blame no backend."""
        if self._short:
            self._take_over()
        super().client_left()
