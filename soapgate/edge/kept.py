"""What is kept of a backend between two exchanges: its idle connections, and its places.

The rules of a kept connection stand in `soapgate.edge.upstream`, whose `Dialer` makes them and lets
exchanges queue; here is what every exchange does, whether anybody waits or not. Before a connection
is used again its socket is asked whether the backend closed it, even if that was a moment ago: a
POST on a dead connection cannot be repeated (RFC 9110 9.2.2), so the question is worth its call.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from soapgate.core.pool import Member
from soapgate.edge.metrics import Metrics
from soapgate.edge.turn import alive


class Kept:
    """The idle connections to one backend, and the places that its `maxconn` leaves."""

    __slots__ = (
        "closed", "idle", "known", "limits", "member", "metrics", "seconds", "times", "waiting",
    )  # fmt: skip

    def __init__(self, member: Member, seconds: Callable[[], float], metrics: Metrics) -> None:
        self.member = member
        self.seconds = seconds
        self.metrics = metrics
        self.idle: list[Any] = []  # of `UpstreamConnection`, the youngest last
        self.closed = False  # nothing is kept any more
        self.waiting: deque[Any] = deque()  # tickets of who waits for a place

    def take(self) -> Any:
        """An idle connection that still lives, or None."""
        while self.idle:
            connection = self.idle.pop()
            if not connection.lost and alive(connection.transport):
                connection.reused = True
                self.metrics.reused += 1
                return connection
            connection.abort()
        return None

    def put(self, connection: Any) -> None:
        """Keep an idle connection for the next exchange."""
        if self.closed:
            connection.abort()
            return
        connection.deadline = self.seconds() + self.times.keep
        self.idle.append(connection)

    def leave(self) -> None:
        """Give a place back, to the first who waits if anybody does."""
        self.member.leave()
        if self.waiting:
            self.admit()

    def admit(self) -> None:
        """Hand the free places to who waits."""
        raise NotImplementedError
