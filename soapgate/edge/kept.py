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
from soapgate.edge.syscalls import alive


class Kept:
    """The idle connections to one backend, and the places that its `maxconn` leaves."""

    __slots__ = (
        "closed", "idle", "keep_seconds", "known", "member", "response_seconds", "seconds",
        "waiting",
    )  # fmt: skip

    keep_seconds: float  # that an idle connection is kept
    response_seconds: float  # to the head of a response

    def __init__(self, member: Member, seconds: Callable[[], float]) -> None:
        self.member = member
        self.seconds = seconds
        self.idle: list[Any] = []  # of `UpstreamConnection`, the youngest last
        self.closed = False  # nothing is kept any more
        self.waiting: deque[Any] = deque()  # tickets of who waits for a place

    def take(self) -> Any:
        """An idle connection that still lives, or None."""
        while self.idle:
            connection = self.idle.pop()
            if not connection.lost and (connection.fd < 0 or alive(connection.fd)):
                connection.reused = True
                return connection
            connection.abort()
        return None

    def put(self, connection: Any) -> None:
        """Keep an idle connection for the next exchange."""
        self.keep(connection, self.seconds())

    def keep(self, connection: Any, now: float) -> None:
        """The same at a time that is known."""
        if self.closed:
            connection.abort()
            return
        connection.deadline = now + self.keep_seconds
        self.idle.append(connection)

    def leave(self) -> None:
        """Give a place back, to the first who waits if anybody does."""
        self.member.leave()
        if self.waiting:
            self.admit()

    def admit(self) -> None:
        """Hand the free places to who waits."""
        raise NotImplementedError
