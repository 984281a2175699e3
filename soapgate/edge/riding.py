"""One exchange on the short way (`soapgate.edge.fastpath`) from when its request has gone up.

Both connections take a `Ride` for an exchange. It sends an ordinary answer down in one go; whatever
else comes makes it a story (`soapgate.edge.proxy`) that waits for its reply, and hears of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.logger import Logger

from soapgate.core.routing import Identity, Route
from soapgate.core.scanned import Found, Outcome, Scanned
from soapgate.core.settled import Bound
from soapgate.core.shapes import Ids, Told
from soapgate.edge.courses import NOBODY, Course, Traffic
from soapgate.edge.desk import plain, silent
from soapgate.edge.exchangelog import ExchangeRecord
from soapgate.edge.flow import Whole
from soapgate.edge.http11 import RequestHead, ResponseHead
from soapgate.edge.kept import Kept
from soapgate.edge.known import Known
from soapgate.edge.lines import Line, Rider
from soapgate.edge.proxy import GATEWAY_ERRORS, Exchange
from soapgate.edge.upstream import UpstreamConnection

_log = Logger()


class Ride(Rider):
    """One exchange on the short way: its request has gone up, its answer is to come.

    Both connections take it for an exchange. Whatever they tell it but an ordinary answer makes
    it a story, which hears of it."""

    __slots__ = (
        "answered", "bound", "course", "data", "decided", "digits", "downstream", "end", "found",
        "held", "known", "learned", "place", "read", "short_of", "started", "told", "traffic",
        "tried", "turn", "upstream", "written",
    )  # fmt: skip

    short = True

    answered: bool
    bound: Bound | None  # what the pins of the ids said
    course: Course
    data: bytes
    decided: float
    digits: bytes
    downstream: Any
    end: int
    found: Sequence[Found]
    held: int  # octets of the body that are in the pipe, or went through it
    known: Known
    learned: int
    place: Any
    read: int
    short_of: bool  # whether some of a short body is still to come
    started: float
    told: Told | None  # what a known shape said of the envelope,
    traffic: Traffic
    tried: bool  # if it was asked
    turn: Route | None  # what a policy decided
    upstream: Any
    written: int

    def way(self) -> tuple[Route, tuple[Identity, ...]]:
        """Where it goes, and the ids that say so."""
        if self.bound is not None:
            return self.bound.told()
        assert self.turn is not None
        return self.turn, ()

    @property
    def head(self) -> RequestHead:
        """The request's."""
        head: RequestHead = self.known.exact(self.data, self.end, self.digits)
        return head

    @property
    def like(self) -> RequestHead:
        """One that is like the request's in all that is read; costs nothing."""
        head: RequestHead = self.known.head(self.digits)
        return head

    @property
    def scanned(self) -> Scanned | None:
        """What a scanner would have said of the request."""
        return self.told.scanned if self.told is not None else None

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
        heads = place.known
        known = heads.find(data)
        if known is None:
            return False
        end = heads.end
        size = len(data) - end
        front = downstream.front
        if known.size != size or front.closing:
            return False
        if known.watch is not course.watch:
            reply = known.head(known.digits)
            known.calm, known.readable = _calm(reply, course.watch)
            known.watch = course.watch
        if not known.calm:
            return False
        shown: Ids | None = None
        if course.replies is not None and size:
            if not known.readable:
                return False
            told = course.replies.tell(data, course.action, end)
            if told is None:
                return False
            shown = told.ids
            if shown.found and not self._echoes(shown):
                return False
        upstream, forward = self.upstream, known.forward
        member = place.member
        if not self.found:
            addresses = course.service.addresses
            if addresses is not None and addresses.may_show(
                member.name, self.like.method, forward, data, end
            ):
                return False
        # nothing is in the way any more
        self.answered = True
        traffic, trips = self.traffic, course.trips
        if member.mark(True):
            traffic.desk.flipped(course.pool, member)
        if course.last_hop:
            sent = Line.send_parts(downstream, forward, course.last_hop, data, end - 2, False)
        elif known.as_came:
            sent = len(data)
            Line.send(downstream, data)
        else:
            # with the empty line before the body
            sent = Line.send_parts(downstream, forward, b"", data, end - 2, False)
        now = traffic.seconds()
        traffic.came += 1
        traffic.read += self.read
        traffic.sent += sent
        traffic.upstream_sent += self.written
        traffic.upstream_read += len(data)
        if self.found:
            trips.pinned += 1
        else:
            trips.unpinned += 1
        if self.told is not None:
            if self.told.ids.found:
                trips.asked_found += 1
            else:
                trips.asked_none += 1
        if shown is not None:
            if shown.found:
                trips.told_found += 1
            else:
                trips.told_none += 1
        trips.durations.add(now - self.started)
        upstream.exchange = None
        Kept.keep(place, upstream, now)
        self.place = None
        Kept.leave(place)
        if traffic.logs:
            self._log(known.head(known.digits), shown, sent, now)
        if (
            not course.stays
            or downstream.buffer
            or downstream.input_ended
            or downstream.state != "exchange"
        ):
            downstream.flow = self.whole()
            downstream.finished(keep=course.stays)
        else:
            downstream.exchange = None
            downstream.state = "idle"
            downstream.deadline = now + front.idle_seconds
        return True

    def _echoes(self, shown: Ids) -> bool:
        """Whether a reply shows no ids but the request's, so that there is nothing to learn."""
        self.learned = len(shown.found)
        if shown.session is self.found:
            return True  # as the last time
        for one in shown.found:
            if one.use != "learn":
                return False
            for asked in self.found:
                if asked.id == one.id and asked.profile == one.profile:
                    break
            else:
                return False
        shown.session = self.found
        return True

    def _log(self, reply: ResponseHead, shown: Ids | None, sent: int, now: float) -> None:
        record = ExchangeRecord()
        record.client = self.downstream.peer
        route, identities = self.way()
        self._note(record, route)
        record.answered = record.finished = now
        record.status = reply.status
        record.read = self.read
        record.sent = sent
        record.learned = self.learned
        if shown is not None:
            record.reply_scan = _outcome(shown)
        record.told = route, self.found, identities
        self.traffic.desk.log.record(record)

    def _note(self, record: ExchangeRecord, route: Route) -> None:
        """What is to be said of the request."""
        said = self.course.said
        record.target = self.like.target
        record.method = said.method
        record.action = said.action
        record.service = self.course.service.name
        if self.told is not None:
            record.scan = _outcome(self.told.ids)
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
        told = _Told(self.traffic.desk, self.downstream, self.head, self.started)
        told.goes_on(self)
        return told

    def note(self, record: ExchangeRecord) -> None:
        """Write what is known into the record of the story."""
        self._note(record, self.way()[0])
        if self.told is not None:
            self.traffic.desk.metrics.scan("request", _outcome(self.told.ids))

    def whole(self) -> Whole:
        """The request's body, which was taken."""
        flow = Whole(self.data[self.end :], self.end, surplus=False)
        flow.received = self.read - self.end
        flow.take()
        return flow

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


def ride(data: bytes, end: int, known: Known, began: float) -> Ride:
    """One that is about to begin, with a request whose `known` head ends at `end`. Without an
    __init__, which would be a call of Python's in compiled code too."""
    one = Ride.__new__(Ride)
    one.data = data
    one.end = end
    one.known = known
    one.digits = known.digits
    one.started = began
    one.bound = one.place = one.told = one.turn = None
    one.found = NOBODY
    one.answered = one.short_of = one.tried = False
    one.held = one.learned = one.written = 0
    return one


class _Told(Exchange):
    """An exchange whose beginning went the short way."""

    def goes_on(self, ride: Ride) -> None:
        downstream, upstream, service = ride.downstream, ride.upstream, ride.course.service
        ride.note(self._record)
        self._said, self._found = ride.course.said, ride.found
        self._route, self._identities = ride.way()
        self._identity = self._route.identity
        self._scanned = ride.scanned
        self._place, self._upstream = ride.place, upstream
        self._stage = "reply"
        self._flow = flow = ride.whole()
        if flow.received and flow.received <= service.keep and not ride.held:
            self._kept = [flow.body]
        if downstream.exchange is ride:
            downstream.exchange = self
        downstream.flow = flow
        connected = upstream.exchange is ride
        deadline = upstream.deadline
        upstream.begin(self, ride.like.method, flow, ride.decided)
        upstream.sent = True
        upstream.written = ride.written
        upstream.deadline = deadline
        if not connected:
            upstream.exchange = None
        self._run(self._story(upstream))


def _outcome(ids: Ids) -> Outcome:
    return Outcome.FOUND if ids.found else Outcome.NONE


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
