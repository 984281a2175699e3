"""Courses: what follows from a request's head alone, made once and kept with the head.

A client repeats its head, so which service it asks, what to look for and where, whom to ask about
pins and which lines the request gets on its way are the same for all its requests, as long as the
tables are. `Traffic` and `Trips` are the counts of those who took one, kept apart from the metrics
until somebody asks: a few additions to numbers with a place of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from soapgate.core.scanned import Found, Outcome
from soapgate.core.shapes import ids_of
from soapgate.edge.desk import Asked, Desk, Service
from soapgate.edge.durations import Durations
from soapgate.edge.hops import last_hop_lines
from soapgate.edge.http11 import RequestHead
from soapgate.edge.metrics import Metrics

NOBODY: Sequence[Found] = ()


class Traffic:
    """What every exchange on the short way adds to, and looks at: whether `logs` are written."""

    __slots__ = (
        "came", "desk", "logs", "read", "seconds", "sent", "upstream_read", "upstream_sent", "went",
    )  # fmt: skip

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.seconds: Callable[[], float] = desk.seconds
        self.logs = not desk.log.silent
        self.clear()

    def clear(self) -> None:
        """Begin again."""
        self.went = 0  # requests that went up
        self.came = 0  # responses that went down
        self.read = self.sent = 0  # octets, on the side of clients
        self.upstream_read = self.upstream_sent = 0

    def settle(self, metrics: Metrics) -> None:
        """Add these counts to the metrics, and begin again."""
        went, came = self.went, self.came
        metrics.requests += went
        metrics.routed_requests += went
        metrics.reused += went
        metrics.responses += came
        metrics.routed_responses += came
        metrics.fast += came
        metrics.downstream_read += self.read
        metrics.downstream_sent += self.sent
        metrics.upstream_read += self.upstream_read
        metrics.upstream_sent += self.upstream_sent
        self.clear()


class Trips:
    """How many exchanges of one service went the short way, and what they found."""

    __slots__ = (
        "asked_found", "asked_none", "durations", "pinned", "told_found", "told_none", "unpinned",
    )  # fmt: skip

    def __init__(self, durations: Durations) -> None:
        self.durations = durations  # counted in at once
        self.clear()

    def clear(self) -> None:
        """Begin again."""
        self.pinned = self.unpinned = 0
        self.asked_found = self.asked_none = 0
        self.told_found = self.told_none = 0

    def settle(self, name: str, metrics: Metrics) -> None:
        """Add these counts to the metrics, and begin again."""
        if self.pinned:
            metrics.exchanged(name, "pinned", "bound", self.pinned)
        if self.unpinned:
            metrics.exchanged(name, "balanced", "no-id", self.unpinned)
        for outcome, asked, told in (
            (Outcome.FOUND, self.asked_found, self.told_found),
            (Outcome.NONE, self.asked_none, self.told_none),
        ):
            if asked:
                metrics.scan("request", outcome, asked)
            if told:
                metrics.scan("response", outcome, told)
        self.clear()


class Course:
    """What follows from a request's head alone, as long as the tables are the same."""

    __slots__ = (
        "action", "dialers", "expects", "found", "ids", "keeps", "last_hop", "max_body", "peer",
        "pool", "replies", "said", "scheme", "service", "settled", "shapes", "stays", "tables",
        "traces", "trips", "watch",
    )  # fmt: skip

    def __init__(self, said: Asked, service: Service, trips: Trips, head: RequestHead) -> None:
        self.tables = said.tables
        self.expects = head.expects_continue  # the client waits to be asked for the body
        self.stays = head.keep_alive  # its connection serves further requests
        self.last_hop = last_hop_lines(head, keep=head.keep_alive)  # for the response
        self.said = said
        self.service = service
        self.trips = trips
        self.action = said.action
        self.found: Sequence[Found] = said.found or NOBODY
        self.ids = ids_of(())  # of those who have none in an envelope
        # whether it may be sent again, and so must be kept
        self.keeps = said.action in service.idempotent
        self.peer = self.scheme = self.traces = b""  # of the client that asked last
        self.max_body = service.max_body
        self.shapes = service.request_shapes if said.envelope else None
        self.watch = watch = service.plan.response
        self.replies = service.response_shapes if watch.needs_envelope else None
        self.settled = service.affinity.settled
        self.pool = service.pool
        self.dialers = service.dialers
