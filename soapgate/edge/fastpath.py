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

from collections.abc import Callable

from twisted.logger import Logger

from soapgate.core.errors import StoreError
from soapgate.core.routing import Route
from soapgate.core.settled import Session, takes
from soapgate.core.shapes import Ids
from soapgate.edge.courses import Course, Traffic, Trips
from soapgate.edge.deadlines import NEVER
from soapgate.edge.desk import Asked, Desk, Service
from soapgate.edge.downstream import GATHER_BYTES, Downstream
from soapgate.edge.http11 import RequestHead
from soapgate.edge.kept import Kept
from soapgate.edge.known import Known
from soapgate.edge.lines import Line, Way
from soapgate.edge.riding import Ride, ride
from soapgate.edge.splicing import Pipe

_log = Logger()


class ShortWay(Way):
    """Sends ordinary requests up. What is counted meanwhile `settle` hands to the metrics."""

    __slots__ = ("desk", "pipe", "seconds", "traffic", "trips")

    def __init__(self, desk: Desk, pipe: Pipe | None = None) -> None:
        """`pipe`: for what is left of a long body; without one it is read."""
        self.desk = desk
        self.pipe = pipe
        self.seconds: Callable[[], float] = desk.seconds
        self.traffic = Traffic(desk)
        self.trips: dict[str, Trips] = {}  # by service

    def settle(self) -> None:
        """Add to the metrics what was counted since the last time."""
        metrics = self.desk.metrics
        self.traffic.settle(metrics)
        for name, trips in self.trips.items():
            trips.settle(name, metrics)

    def go(self, downstream: Downstream, data: bytes, began: float = 0.0) -> bool:
        """Serve what came first on an idle connection; False if its head is not known. `began`:
        when that was, 0 for now. Never raises."""
        heads = downstream.front.known
        known = heads.find(data)
        if known is None:
            return False
        one = ride(data, heads.end, known, began)
        try:
            if self._goes(one, downstream, known):
                return True
        except StoreError:
            pass  # nothing was done yet: the story meets it, and knows what to say
        except Exception as error:
            if one.place is not None:  # bytes may have gone up
                if one.held and self.pipe is not None:
                    self.pipe.close()  # what is left must not be anybody else's
                one.story().fail(error)
                return True
            _log.failure("a defect on the short way, and so the long one is taken")
        self._all_here(one)
        if one.short_of and not began:
            downstream.gather(one.head, one.end, one.data)
        else:
            downstream.begin(one.head, one.end, one.data[one.end :], one, began)
        return True

    def _goes(self, ride: Ride, downstream: Downstream, known: Known) -> bool:
        """Send the request up, if all about it is ordinary."""
        data, end = ride.data, ride.end
        course: Course | None = known.course
        if course is None or course.tables is not self.desk.tables:
            course = known.course = self._course(ride.like)
            if course is None:
                return False
        size = known.size
        left = size - (len(data) - end)
        if left < 0 or size > course.max_body > 0:
            return False
        if left and not self._all_there(ride, downstream, course, left):
            return False
        ids = course.ids
        if course.shapes is not None and size:
            told = course.shapes.tell(data, course.action, end)
            if told is None and ride.held:
                data = self._all_here(ride)
                downstream.looks_further()
                told = course.shapes.tell(data, course.action, end)
            ride.tried = True
            ride.told = told
            if told is None:
                return False
            ids = told.ids
        now = self.seconds()
        found = course.found
        if ids.found or found:
            session = ids.session
            if session is None or session.settled is not course.settled or session.of is not found:
                session = self._session(ids, course)
                if session is None:
                    return False
            bound = course.settled.bound(session, now)
            if bound is None or not takes(course.pool, bound.backend):
                return False
            ride.found, ride.bound = session.found, bound
            place = course.dialers[bound.backend]
        else:
            # the policy has had its turn: whoever tells on keeps to it
            turn = ride.turn = self._turn(course.service)
            if turn is None:
                return False
            place = course.dialers[turn.backend]
        # asked of their classes: nobody overrides it, and compiled that is a direct call
        upstream = Kept.take(place)
        if upstream is None:
            return False
        if not place.member.enter():  # another process was quicker
            place.put(upstream)
            return False
        # nothing is in the way any more
        ride.place = place
        ride.traffic = self.traffic
        ride.downstream = downstream
        ride.upstream = upstream
        ride.course = course
        ride.decided = now
        ride.read = end + size
        if not ride.started:
            ride.started = now
        downstream.state = "exchange"
        downstream.exchange = ride
        limit = downstream.front.exchange_seconds
        downstream.ends = downstream.deadline = ride.started + limit if limit else NEVER
        upstream.exchange = ride
        upstream.flow = None
        upstream.deadline = now + place.response_seconds
        self.traffic.went += 1
        if course.peer != downstream.peer_bytes or course.scheme != downstream.scheme:
            course.peer, course.scheme = downstream.peer_bytes, downstream.scheme
            course.traces = course.said.traces(ride.like, course.peer, course.scheme)
        more = ride.held > 0
        ride.written = Line.send_parts(upstream, known.forward, course.traces, data, end, more)
        if more:
            self.pipe.drain(upstream, ride.held)
            ride.written += ride.held
        return True

    def _course(self, head: RequestHead) -> Course | None:
        """What follows from a head, once it was asked, if it may go the short way."""
        said: Asked | None = head.notes.get("asked")
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
        return Course(said, service, trips, head)

    def _all_there(self, ride: Ride, downstream: Downstream, course: Course, left: int) -> bool:
        """Whether what is left of a body was in the socket, and is in the pipe now. Otherwise
        nothing is in the pipe."""
        if course.expects or ride.known.size > GATHER_BYTES:
            return False
        ride.short_of = True
        if self.pipe is None or not downstream.plain or course.keeps:
            return False
        filled = self.pipe.fill(downstream, left)
        if filled == left:
            ride.held = filled
            ride.short_of = False
            return True
        if filled > 0:
            ride.data += self.pipe.take_back(filled)
        return False

    def _all_here(self, ride: Ride) -> bytes:
        """The request with what was in the pipe."""
        if ride.held:
            assert self.pipe is not None
            ride.data += self.pipe.take_back(ride.held)
            ride.held = 0
        return ride.data

    def _session(self, ids: Ids, course: Course) -> Session | None:
        """What is known of these ids beside those of the head."""
        session = course.settled.session([*course.found, *ids.found])
        if session is not None:
            session.of = course.found
            ids.session = session
        return session

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
        return Route("balanced", "no-id", chosen.name, None, 0, chosen.full)
