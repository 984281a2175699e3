"""The short way of an ordinary exchange: what is known already is not worked out again.

Most requests on a busy gateway bring nothing new: a head that was read before, an envelope of a
known shape, ids that are pinned to one backend that is ready, or none at all, an idle connection
there, and an answer that is all there and issues nothing. Then every step of the story
(`soapgate.edge.proxy`) takes its first branch, and this file takes those branches in one go, up
(`ShortWay.go`) and down (`Ride.answer`), without a coroutine, and without the objects that a story
needs to be told.

The one rule: it does what the story would do, or nothing. Both ways first look, without any effect,
whether all is ordinary; if anything is not, the story tells the exchange: from its beginning or,
with the request on its way, from the reply on (`Ride.story`). So a rule of routing, retries,
faults, time-outs and ends is written once, there. That both ways agree is tested, byte for byte,
over the same conversations (tests/edge/test_fastpath.py). The only choice that cannot be looked at
without making it, a policy's turn, is handed on to the story when something comes up behind it.

The alternatives, a leaner story and an `Exchange` that skips its steps, were tried first: the
branches of the one and the attributes of the other are what costs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.logger import Logger

from soapgate.core.errors import StoreError
from soapgate.core.routing import Identity, Route
from soapgate.core.scanned import Found, Scanned
from soapgate.core.settled import route as settled_route
from soapgate.edge.courses import Course, Trips
from soapgate.edge.deadlines import NEVER
from soapgate.edge.desk import Asked, Desk, Service, plain, silent
from soapgate.edge.downstream import GATHER_BYTES, Downstream
from soapgate.edge.exchangelog import ExchangeRecord
from soapgate.edge.flow import Whole
from soapgate.edge.framing import Length
from soapgate.edge.http11 import RequestHead, ResponseHead
from soapgate.edge.proxy import GATEWAY_ERRORS, Exchange
from soapgate.edge.turn import send, send_message
from soapgate.edge.upstream import UpstreamConnection

_log = Logger()

_new: Any = tuple.__new__  # a NamedTuple's own constructor is a Python function more
_NOBODY: tuple[Identity, ...] = ()


class ShortWay:
    """What all exchanges that go the short way share. The counts are those that every one of them
    adds to; `settle` hands them to the metrics."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.seconds: Callable[[], float] = desk.seconds
        self.logs = not desk.log.silent
        self.trips: dict[str, Trips] = {}  # by service
        self.went = 0  # requests that went up
        self.came = 0  # responses that went down
        self.read = 0  # octets of the messages on both sides
        self.sent = 0
        self.upstream_read = 0
        self.upstream_sent = 0

    def settle(self) -> None:
        """Add to the metrics what was counted since the last time."""
        metrics = self.desk.metrics
        went, came = self.went, self.came
        metrics.requests += went
        metrics.routed_requests += went
        metrics.responses += came
        metrics.routed_responses += came
        metrics.fast += came
        metrics.downstream_read += self.read
        metrics.downstream_sent += self.sent
        metrics.upstream_read += self.upstream_read
        metrics.upstream_sent += self.upstream_sent
        self.went = self.came = 0
        self.read = self.sent = self.upstream_read = self.upstream_sent = 0
        for name, trips in self.trips.items():
            trips.settle(name, metrics)

    def go(self, downstream: Downstream, data: bytes, began: float = 0.0) -> bool:
        """Serve what came first on an idle connection; False if its head is not known. `began`:
        when that was, 0 for now. Never raises."""
        known = downstream.front.known
        head = known.take(data)
        if head is None:
            return False
        end = known.end
        ride = Ride()
        ride.started = began
        try:
            if self._goes(ride, downstream, head, data, end):
                return True
        except StoreError:
            pass  # nothing was done yet: the story meets it, and knows what to say
        except Exception as error:
            if ride.place is not None:  # bytes may have gone up
                ride.story().fail(error)
                return True
            _log.failure("a defect on the short way, and so the long one is taken")
        if ride.short_of and not began:
            downstream.gather(head, end, data)
        else:
            downstream.begin(head, end, data[end:], ride, began)
        return True

    def _goes(
        self, ride: Ride, downstream: Downstream, head: RequestHead, data: bytes, end: int
    ) -> bool:
        """Send the request up, if all about it is ordinary."""
        notes, framing = head.notes, head.framing
        course: Course | None = notes.get("course")
        if course is None or course.tables is not self.desk.tables:
            course = self._course(notes.get("asked"))
            if course is None:
                return False
            notes["course"] = course
        size = len(data) - end
        if type(framing) is not Length or framing.size != size:
            if type(framing) is Length and not head.expects_continue:
                ride.short_of = size < framing.size <= GATHER_BYTES
            return False
        if size > course.max_body > 0:
            return False
        found: Sequence[Found] = course.found
        if course.shapes is not None and size:
            ride.tried = True
            ride.scanned = scanned = course.shapes.scan(data, course.action, end)
            if scanned is None:
                return False
            if scanned[2]:
                found = [*found, *scanned[2]] if found else scanned[2]
        now = self.seconds()
        if found:
            identities = course.settled.ids(found, now)
            route = settled_route(identities, course.pool) if identities is not None else None
            if route is None:
                return False
        else:
            identities = _NOBODY
            route = self._turn(course.service)
            if route is None:
                return False
            ride.turn = route  # the policy has had its turn: whoever tells on keeps to it
        assert identities is not None
        place = course.dialers[route[2]]
        upstream = place.take()
        if upstream is None:
            return False
        if not place.member.enter():  # another process was quicker
            place.put(upstream)
            return False
        # nothing is in the way any more
        ride.place = place
        ride.way = self
        ride.downstream = downstream
        ride.upstream = upstream
        ride.head = head
        ride.course = course
        ride.found = found
        ride.identities = identities
        ride.route = route
        ride.data = data
        ride.end = end
        ride.decided = now
        if not ride.started:
            ride.started = now
        downstream.state = "exchange"
        downstream.exchange = ride
        limit = downstream.front.times.exchange
        downstream.ends = downstream.deadline = ride.started + limit if limit else NEVER
        upstream.exchange = ride
        upstream.flow = None
        upstream.deadline = now + place.times.response
        self.went += 1
        if course.peer != downstream.peer_bytes or course.scheme != downstream.scheme:
            course.peer, course.scheme = downstream.peer_bytes, downstream.scheme
            course.traces = course.said.traces(head, course.peer, course.scheme)
        ride.written = send_message(upstream.transport, head.forward + course.traces, data, end)
        return True

    def _course(self, said: Asked | None) -> Course | None:
        if said is None or not said.fast or said.tables is not self.desk.tables:
            return None
        service = said.service
        assert service is not None
        name = service.name
        durations = self.desk.metrics.durations.get(name)
        trips = self.trips.get(name)
        if durations is None:
            return None
        if trips is None or trips.durations is not durations:
            self.settle()
            trips = self.trips[name] = Trips(durations)
        return Course(said, service, trips)

    def _turn(self, service: Service) -> Route | None:
        """Who gets a request that names no session, if somebody has a place at once."""
        if service.cookie is not None:
            return None
        role = service.terms.role
        pool = service.pool
        candidates = pool.candidates(role)
        if not candidates:
            return None
        chosen = pool.policy(role).select(candidates, b"")
        route: Route = _new(Route, ("balanced", "no-id", chosen.name, None, 0, chosen.full))
        return route


class Ride:
    """One exchange on the short way: its request has gone up, its answer is to come.

    Both connections take it for an exchange. Whatever they tell it but an ordinary answer makes
    it a story, which hears of it."""

    __slots__ = (
        "answered", "course", "data", "decided", "downstream", "end", "found", "head", "identities",
        "learned", "place", "route", "scanned", "short_of", "started", "tried", "turn", "upstream",
        "way", "written",
    )  # fmt: skip

    short = True

    def __init__(self) -> None:
        self.tried = False  # whether a known shape was asked for what is in the envelope,
        self.scanned: Scanned | None = None  # and what it said
        self.turn: Route | None = None  # what a policy decided
        self.place: Any = None
        self.learned = 0
        self.written = 0
        self.answered = False
        self.short_of = False  # whether some of a short body is still to come

    def answer(self, data: bytes) -> bool:
        """Send an ordinary answer down; False, with nothing done, for any other. Never raises."""
        try:
            return self._answers(data)
        except Exception as error:
            if not self.answered:
                self.story().fail(error)
            else:
                _log.failure("an exchange failed behind its answer")
                self.upstream.abort()
                if self.place is not None:
                    self.place.leave()
                self.downstream.exchange = None
                self.downstream.abort()
            return True

    def _answers(self, data: bytes) -> bool:
        place, course, downstream = self.place, self.course, self.downstream
        known = place.known
        reply = known.take(data)
        if reply is None:
            return False
        end = known.end
        size = len(data) - end
        framing, watch = reply.framing, course.watch
        front = downstream.front
        if type(framing) is not Length or framing.size != size or front.closing:
            return False
        calm = reply.notes.get("calm")
        if calm is None or calm[0] is not watch:
            reply.notes["calm"] = calm = (watch, *_calm(reply, watch))
        if not calm[1]:
            return False
        scanned: Scanned | None = None
        if course.replies is not None and size:
            if not calm[2]:
                return False
            scanned = course.replies.scan(data, course.action, end)
            if scanned is None or (scanned[2] and not self._echoes(scanned[2])):
                return False
        upstream, forward = self.upstream, reply.forward
        member = upstream.member
        if not self.found:
            addresses = course.service.addresses
            if addresses is not None and addresses.may_show(
                member.name, self.head.method, forward, data, end
            ):
                return False
        # nothing is in the way any more
        self.answered = True
        way, trips = self.way, course.trips
        if member.mark(True):
            way.desk.flipped(course.pool, member)
        body = end - 2  # with the empty line before it
        if len(forward) == body and data.startswith(forward):  # the head as it came
            sent = len(data)
            send(downstream.transport, data)
        else:
            sent = len(forward) + 2 + size
            send(downstream.transport, forward + data[body:])
        now = way.seconds()
        way.came += 1
        way.read += len(self.data)
        way.sent += sent
        way.upstream_sent += self.written
        way.upstream_read += len(data)
        if self.found:
            trips.pinned += 1
        else:
            trips.unpinned += 1
        if self.scanned is not None:
            if self.scanned[2]:
                trips.asked_found += 1
            else:
                trips.asked_none += 1
        if scanned is not None:
            if scanned[2]:
                trips.told_found += 1
            else:
                trips.told_none += 1
        trips.durations.add(now - self.started)
        upstream.exchange = None
        place.put(upstream)
        self.place = None
        place.leave()
        if way.logs:
            self._log(reply, scanned, sent, now)
        if downstream.buffer or downstream.input_ended or downstream.state != "exchange":
            downstream.flow = self._whole()
            downstream.finished(keep=True)
        else:
            downstream.exchange = None
            downstream.state = "idle"
            downstream.deadline = now + front.times.idle
        return True

    def _echoes(self, shown: Sequence[Found]) -> bool:
        """Whether a reply shows no ids but the request's, so that there is nothing to learn."""
        for one in shown:
            if one.use != "learn":
                return False
            for asked in self.found:
                if asked.id == one.id and asked.profile == one.profile:
                    break
            else:
                return False
        self.learned = len(shown)
        return True

    def _whole(self) -> Whole:
        flow = Whole(self.data[self.end :], self.end, surplus=False)
        flow.take()
        return flow

    def _log(self, reply: ResponseHead, scanned: Scanned | None, sent: int, now: float) -> None:
        record = ExchangeRecord()
        record.client = self.downstream.peer
        self._note(record)
        record.answered = record.finished = now
        record.status = reply.status
        record.read = len(self.data)
        record.sent = sent
        record.learned = self.learned
        if scanned is not None:
            record.reply_scan = scanned.outcome
        record.told = self.route, self.found, self.identities
        self.way.desk.log.record(record)

    def _note(self, record: ExchangeRecord) -> None:
        """What is to be said of the request."""
        said, route = self.course.said, self.route
        record.target = self.head.target
        record.method = said.method
        record.action = said.action
        record.service = self.course.service.name
        if self.scanned is not None:
            record.scan = self.scanned.outcome
        identity = route.identity
        if identity is not None:
            record.profile, record.key = identity.profile, identity.key
        record.route, record.reason, record.backend = route.kind, route.reason, route.backend
        record.started = self.started
        record.decided = record.dialled = record.connected = self.decided
        record.tries = 1

    # The rest of the story, where it is not ordinary

    def story(self) -> Exchange:
        """The same exchange as a story that waits for its reply."""
        told = _Told(self.way.desk, self.downstream, self.head, self.started)
        told.goes_on(self)
        return told

    def note(self, record: ExchangeRecord) -> None:
        """Write what is known into the record of the story."""
        self._note(record)
        if self.scanned is not None:
            self.way.desk.metrics.scan("request", self.scanned.outcome)

    def whole(self) -> Whole:
        """The request's body, which was taken."""
        return self._whole()

    def resume(self, source: object, value: object) -> bool:
        """Go on with what `source` brought."""
        return self.story().resume(source, value)

    def fail(self, error: BaseException) -> None:
        """The answer will not come, or not in time."""
        self.story().fail(error)

    def client_left(self) -> None:
        """The client closed its connection: stop, keep the pin, blame no backend."""
        self.story().client_left()

    def upstream_lost(self, upstream: UpstreamConnection, why: str) -> None:
        """The backend's connection ended before its response did."""
        self.story().upstream_lost(upstream, why)


class _Told(Exchange):
    """An exchange whose beginning went the short way."""

    def goes_on(self, ride: Ride) -> None:
        downstream, upstream, service = ride.downstream, ride.upstream, ride.course.service
        ride.note(self._record)
        self._said, self._found = ride.course.said, ride.found
        self._identities, self._route = ride.identities, ride.route
        self._identity = ride.route.identity
        self._scanned = ride.scanned
        self._place, self._upstream = ride.place, upstream
        self._stage = "reply"
        self._flow = flow = ride.whole()
        if flow.received and flow.received <= service.keep:
            self._kept = [flow.body]
        if downstream.exchange is ride:
            downstream.exchange = self
        downstream.flow = flow
        connected = upstream.exchange is ride
        deadline = upstream.deadline
        upstream.begin(self, ride.head.method, flow, ride.decided)
        upstream.sent = True
        upstream.written = ride.written
        upstream.deadline = deadline
        if not connected:
            upstream.exchange = None
        self._run(self._story(upstream))


def _calm(reply: ResponseHead, watch: Any) -> tuple[bool, bool]:
    """(whether nothing in the head asks for more than to be passed on, whether the body can be an
    envelope in UTF-8 as it is)."""
    calm = (
        reply.status >= 200
        and reply.status not in GATEWAY_ERRORS
        and reply.keep_alive
        and silent(reply, watch)
    )
    return calm, plain(reply)
