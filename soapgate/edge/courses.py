"""Courses: what follows from a request's head alone, made once and kept with the head.

A client repeats its head, so which service it asks, what to look for and where, whom to ask about
pins and which lines the request gets on its way are the same for all its requests, as long as the
tables are. `Trips` are the counts of those who took one, kept apart from the metrics until
somebody asks: a few additions to numbers with a place of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

from soapgate.core.scanned import Found, Outcome
from soapgate.edge.desk import Asked, Service
from soapgate.edge.durations import Durations
from soapgate.edge.metrics import Metrics


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
        "action", "dialers", "found", "max_body", "peer", "pool", "replies", "said", "scheme",
        "service", "settled", "shapes", "tables", "traces", "trips", "watch",
    )  # fmt: skip

    def __init__(self, said: Asked, service: Service, trips: Trips) -> None:
        self.tables = said.tables
        self.said = said
        self.service = service
        self.trips = trips
        self.action = said.action
        self.found: Sequence[Found] = said.found
        self.peer = self.scheme = self.traces = b""  # of the client that asked last
        self.max_body = service.max_body
        self.shapes = service.request_shapes if said.envelope else None
        self.watch = watch = service.plan.response
        self.replies = service.response_shapes if watch.needs_envelope else None
        self.settled = service.affinity.settled
        self.pool = service.pool
        self.dialers = service.dialers
