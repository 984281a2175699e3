"""One exchange: a request to the right backend and its response back, as one story.

    accept -> identify -> look up -> connect -> forward -> reply -> learn -> release

`Exchange._story` is that line; each step is a method of that name, and the names are those of the
log, the metrics and the design. What is decided is decided in `soapgate.core`; here it is done.

The rules this file keeps, each a test of that name: body bytes unchanged; memory per exchange
bounded; pinned before release; sent twice only if no byte had reached a backend, or the action is
declared idempotent. How an exchange ends, and its two rules, one log line and a client that leaves
is not a backend failure, are in `soapgate.edge.endings`.

The story is a coroutine driven by hand (`soapgate.edge.steps`): the connections `resume` it with
what arrived. Stores that answer at once never suspend it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from soapgate.core.errors import Failure, Reason
from soapgate.core.plan import HttpFacts
from soapgate.core.routing import Identity, Refusal, Route, route
from soapgate.core.scanned import Found, Scanned
from soapgate.edge.calls import note
from soapgate.edge.desk import Service, asked
from soapgate.edge.endings import Endings
from soapgate.edge.flow import Outlet
from soapgate.edge.framing import CHUNKED, Length
from soapgate.edge.hops import REDISPATCHED, explained, last_hop, routed_to
from soapgate.edge.http11 import ResponseHead
from soapgate.edge.owncookie import claimed, with_cookie
from soapgate.edge.scanning import Unreadable, empty_ends, scan_body, scan_reply
from soapgate.edge.upstream import UpstreamConnection

_SAFE_METHODS = frozenset((b"GET", b"HEAD", b"OPTIONS"))  # RFC 9110 9.2.1
GATEWAY_ERRORS = frozenset((502, 503, 504))


class Known(Protocol):
    """What the short way had found out when it gave up: whether a known shape was asked and what
    it said; whom the policy has chosen for a request without ids."""

    tried: bool
    scanned: Scanned | None
    turn: Route | None


class Exchange(Endings):
    """One request and its response."""

    # The story

    def knows(self, known: Known) -> None:
        """What was found out before the story begins."""
        self._tried, self._seen, self._turn = known.tried, known.scanned, known.turn

    def start(self, failure: Failure | None = None) -> None:
        """Begin; with `failure` only to refuse."""
        self._flow = self._downstream.flow
        if failure is not None:
            self._refuse(failure)
            return
        self._run(self._story())

    async def _story(self, upstream: UpstreamConnection | None = None) -> None:
        # with `upstream` the request is on its way there already (`soapgate.edge.fastpath`)
        service = self._accept() if upstream is None else self._said.service
        assert service is not None
        if upstream is None:
            await self._identify(service)
        while True:
            try:
                if upstream is None:
                    backend = await self._look_up(service)
                    upstream = await self._connect(service, backend)
                    self._forward(service, upstream)
                reply = await self._response(upstream)
                break
            except Failure as failure:
                if not self._may_retry(service, failure):
                    raise
                self._desk.metrics.retries += 1
                upstream = None
        pieces = await self._learn(service, upstream, reply)
        told = service.addresses
        if told and (told.rewrites or self._news or self._route.kind != "pinned"):
            reply, pieces = await told.settle(self._head, self._downstream, reply, upstream, pieces)
        await self._release(upstream, reply, pieces)

    def _accept(self) -> Service:
        """Whose exchange it is."""
        head, record, desk = self._head, self._record, self._desk
        desk.metrics.requests += 1
        record.target = head.target
        self._said = said = asked(desk, head, self._downstream.facts)
        record.method = said.method
        record.action = said.action
        service = said.service
        if service is None:
            raise Failure("downstream", Reason.NO_SERVICE, "no service matches this request")
        record.service = service.name
        if service.max_body:
            self._flow.most = most = service.max_body
            size = head.framing.size if isinstance(head.framing, Length) else self._flow.received
            if size > most:
                raise Failure("downstream", Reason.TOO_LARGE, f"over {most} bytes")
        return service

    async def _identify(self, service: Service) -> None:
        """Which ids the request carries."""
        self._stage = "identify"
        said, flow = self._said, self._flow
        self._found, self._ends = said.found, said.ends
        if not said.envelope or (flow.done and not flow.received):
            return
        self._kept = kept = flow.take()
        scans = self._desk.metrics.scan
        try:
            given = service.request_shapes, service.scan, self._head, said.action, flow, kept
            scanned = self._seen or await scan_body(*given, self._ask, tried=self._tried)
        except Unreadable as error:
            self._scanned = error.scanned
            self._record.scan = str(error.failure.reason)
            scans("request", self._record.scan)
            raise error.failure from None
        self._scanned = scanned
        self._record.scan = scanned.outcome
        scans("request", scanned.outcome)
        if scanned.found:
            self._found = [*said.found, *[one for one in scanned.found if one.use != "end"]]
            self._ends = [*said.ends, *[one for one in scanned.found if one.use == "end"]]
            if service.callbacks:
                peer = self._downstream.peer
                await note(service.callbacks, scanned.found, self._head, peer, self._now)

    async def _look_up(self, service: Service) -> str:
        """Which backend it is."""
        self._stage = "look up"
        now = self._now
        affinity = service.affinity
        record = self._record
        while True:
            if self._found:
                self._identities = await affinity.identify(self._found, now)
            if service.cookie is not None:
                ids = self._identities if self._found else ()
                self._identities = claimed(service, self._said, ids, self._desk.metrics, now)
            terms = service.terms
            if self._fresh:  # no backend has seen the session yet: its first message may move
                terms = replace(terms, lost="redispatch")
            turn, self._turn = self._turn, None
            decision = turn or route(terms, self._identities, service.pool, self._excluded)
            identity = self._identity = decision.identity
            if identity is not None:
                record.profile, record.key = identity.profile, identity.key
            if isinstance(decision, Refusal):
                raise Failure("internal", decision.reason, decision.detail, retry_safe=True)
            backend = decision.backend
            if identity is not None and (decision.reason != "bound" or len(self._identities) > 1):
                identity = await self._hold(service, decision, identity, now)
                if identity.pin is not None and identity.pin.backend != backend:
                    continue  # somebody else decided first: follow
                self._identity = identity
            self._route = decision
            record.route, record.reason = decision.kind, decision.reason
            record.backend = backend
            if decision.conflicts:
                record.conflicts = decision.conflicts
                self._desk.metrics.id_conflicts += decision.conflicts
            record.decided = self._desk.seconds()
            return backend

    async def _hold(
        self, service: Service, decision: Route, identity: Identity, now: float
    ) -> Identity:
        """Make the store agree with the decision before anything is sent."""
        affinity = service.affinity
        if decision.kind == "redispatched":
            identity = await affinity.move(identity, decision.backend, now)
        elif identity.pin is None and identity.bindable:
            identity = await affinity.bind(identity, decision.backend, now)
            if identity.pin is not None and identity.pin.backend == decision.backend:
                self._fresh = True
        if len(self._identities) > 1 and identity.pin is not None:
            await affinity.alias(self._identities, identity, now)
        return identity

    async def _connect(self, service: Service, backend: str) -> UpstreamConnection:
        """A place at the backend and a connection to it."""
        self._stage = "connect"
        record = self._record
        dialer = service.dialers[backend]
        record.dialled = record.decided
        if not dialer.member.enter():
            await dialer.queue(self, service.queue)
            record.dialled = self._desk.seconds()
        self._place = dialer
        record.tries += 1
        upstream = dialer.take()
        record.connected = record.dialled
        if upstream is not None:
            self._desk.metrics.reused += 1
        else:
            dialer.dial(self._dialled)
            upstream = await self.wait(dialer)
            record.connected = self._desk.seconds()
        self._upstream = upstream
        upstream.begin(self, self._head.method, self._flow, record.connected)
        return upstream

    def _forward(self, service: Service, upstream: UpstreamConnection) -> None:
        """The request: what is at hand now, the rest as it comes."""
        self._stage = "forward"
        head, flow, downstream = self._head, self._flow, self._downstream
        parts = [
            head.forward if self._said.less is None else self._said.less(head.forward),
            self._said.traces(head, downstream.peer_bytes, downstream.scheme),
        ]
        if self._route.kind == "redispatched" and not self._fresh:
            parts.insert(1, REDISPATCHED)
        if service.jroute:
            parts.insert(1, routed_to(self._record.backend))
        self._kept = kept = [*self._kept, *flow.take()]
        self._desk.metrics.routed_requests += 1
        if flow.done and head.framing is not CHUNKED:
            upstream.write(b"".join([*parts, *kept]))
        else:
            outlet = Outlet(upstream, chunked=head.framing is CHUNKED)
            upstream.outlet = outlet
            parts.append(outlet.frame(kept))
            if flow.done:
                parts.append(outlet.end(flow.reader.trailers))
            else:
                self._ask()
            upstream.write(b"".join(parts))
            flow.pour(outlet)
        if not flow.done or flow.received > service.keep:
            self._kept = ()  # from here on it cannot be sent again

    async def _response(self, upstream: UpstreamConnection) -> ResponseHead:
        """The head of the response."""
        self._stage = "reply"
        reply: ResponseHead = await self.wait(upstream)
        self._desk.metrics.responses += 1
        self._kept = ()
        self._record.answered = self._desk.seconds()
        return reply

    async def _learn(
        self, service: Service, upstream: UpstreamConnection, reply: ResponseHead
    ) -> list[bytes]:
        """What the response says of sessions; returns the pieces of its body read meanwhile."""
        self._stage = "learn"
        watch = service.plan.response
        found = watch.http(HttpFacts(b"", reply.fields), self._now) if watch.looks_at_head else []
        fault, flow = reply.status >= 400, upstream.flow
        assert flow is not None
        pieces, scanned = flow.take(), None
        if (watch.needs_envelope or self._ends) and (flow.received or not flow.done):
            action, record = self._said.action, self._record
            scanned = await scan_reply(service, reply, action, flow, pieces, record)
            self._desk.metrics.scan("response", record.reply_scan)
        if scanned is not None:
            found += scanned.found
            fault = fault or scanned.fault is True
        # an answer speaks for its backend, unless it is a gateway's excuse without an envelope
        excuse = reply.status in GATEWAY_ERRORS and (scanned is None or scanned.soap is None)
        if upstream.member.mark(not excuse):
            self._desk.flipped(service.pool, upstream.member)
        if service.plan.request.empty_ends and not (fault or self._flow.received):
            found += await empty_ends(service.plan.request, self._head, flow, pieces)
        if found or self._ends:
            await self._bind(service, found, fault=fault)
        if self._identity is not None:
            await service.affinity.touch(self._identity, self._now)
        return pieces

    async def _release(
        self, upstream: UpstreamConnection, reply: ResponseHead, pieces: list[bytes]
    ) -> None:
        """The response goes down: what is at hand in one write, the rest as it comes."""
        self._stage = "release"
        record = self._record
        flow, request = upstream.flow, self._flow
        assert flow is not None
        settled = (reply.keep_alive or request.done) and not self._downstream.closing
        head, chunked, keep = last_hop(self._head, reply, keep=settled)
        pieces += flow.take()
        if (cookie := self._said.cookie) is not None and not self._found:
            head = with_cookie(head, cookie, record, self._now, self._downstream.scheme)
        self._outlet = outlet = Outlet(self._downstream, chunked=chunked)
        self._answered = True
        record.status = reply.status
        if self._said.explain:
            head = explained(head, record, self._route, self._found, self._identities)
        if flow.done and not chunked:
            outlet.write(b"".join([head, *pieces]))
        else:
            parts = [head, outlet.frame(pieces)]
            if flow.done:
                parts.append(outlet.end(flow.reader.trailers))
            outlet.write(b"".join(parts))
            if not flow.done:
                flow.pour(outlet)
                await flow.poured()
        self._desk.metrics.routed_responses += 1
        if not request.done and reply.keep_alive:
            # an answer before its question's end: the backend still reads, so let it
            await request.poured()
        self._let_go(keep=reply.keep_alive and request.done)
        self._finish(keep=keep and request.done)

    # Parts of the steps

    async def _bind(self, service: Service, found: list[Found], *, fault: bool) -> None:
        """Bind what was learnt; end what ended. What the request asked to end has not ended if the
        answer was a fault; what the response says of an end is so."""
        learned = service.plan.issued(found, self._found)
        ends = [one for one in found if one.use == "end"]
        named = [*learned, *self._found, *ends]
        if not fault:
            ends += self._ends
            named += self._ends
        if dated := service.plan.dated:
            named += [one for one in found if one.use == "expires"]
        if ends:  # first: what is issued in the same breath belongs to a session of its own
            self._record.ended = await service.affinity.end(named, self._now)
        if learned or dated:
            named_before = {(one.profile, one.id) for one in self._found}
            self._news = any((one.profile, one.id) not in named_before for one in learned)
            self._record.learned = len(learned)
            self._record.clashes = await service.affinity.learn(
                named, self._record.backend, self._identity, self._now
            )
            self._desk.metrics.learn_conflicts += self._record.clashes

    def _ask(self) -> None:
        """`Expect: 100-continue` is answered when the body is wanted, and only then."""
        if not self._asked_for_body:
            self._asked_for_body = True
            if self._head.expects_continue and not self._flow.received:
                self._downstream.go_on()

    def _may_retry(self, service: Service, failure: Failure) -> bool:
        """Rules 3 to 5 of the design's section 7; leaves everything ready for another try."""
        upstream, record = self._upstream, self._record
        if failure.source != "upstream" or failure.reason is Reason.UPSTREAM_TIMEOUT:
            return False
        place = self._place
        # a kept connection may end at any time; whether the backend is gone, a new one tells
        kept = upstream is not None and upstream.reused
        if place is not None and not kept and place.member.mark(False):
            self._desk.flipped(service.pool, place.member)
        if record.tries >= service.tries:
            return False
        if upstream is None or not upstream.sent:
            self._let_go(keep=False)
            record.detail = f"{record.backend}: {failure.detail}"
            # a pinned request meets its own backend twice before that counts as gone
            if self._route.kind != "pinned" or record.tries > 1:
                self._excluded |= {record.backend}
            return True
        again = self._head.method in _SAFE_METHODS or record.action in service.idempotent
        whole = self._flow.done and sum(map(len, self._kept)) == self._flow.received
        if not (again and upstream.reused and whole):
            return False
        self._let_go(keep=False)
        return True
