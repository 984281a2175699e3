"""What is kept between two exchanges: connections that live, and places."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from soapgate.core.pool import Backend, Member
from soapgate.edge.kept import Kept
from soapgate.edge.lines import UpstreamLine


class Connection(UpstreamLine):
    """A connection that can only end."""

    def __init__(self) -> None:
        super().__init__()
        ends = socket.socketpair()
        ends[0].setblocking(False)
        self.ours, self.theirs = ends
        self.transport = type("Transport", (), {"socket": self.ours})()
        self.plug()
        self.lost = self.reused = False
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


class Waiting(Kept):
    """Notes when whoever waits is asked in."""

    def __init__(self, *about: Any) -> None:
        super().__init__(*about)
        self.admitted = 0

    def admit(self) -> None:
        self.admitted += 1


@pytest.fixture
def kept() -> Waiting:
    member = Member(Backend.parse("b1", "http://b1", maxconn=2))
    kept = Waiting(member, lambda: 1000.0)
    kept.keep_seconds = 30.0
    return kept


@pytest.fixture
def connections() -> Iterator[list[Connection]]:
    made = [Connection() for _ in range(3)]
    yield made
    for one in made:
        one.ours.close()
        one.theirs.close()


def test_the_connection_kept_last_is_taken_first(
    kept: Waiting, connections: list[Connection]
) -> None:
    for one in connections:
        kept.put(one)
    assert [kept.take() for _ in range(4)] == [*connections[::-1], None]
    assert all(one.reused for one in connections)


def test_a_kept_connection_may_idle_for_a_time(
    kept: Waiting, connections: list[Connection]
) -> None:
    kept.put(connections[0])
    kept.keep(connections[1], 2000.0)
    assert [one.deadline for one in connections[:2]] == [1030.0, 2030.0]


def test_connections_that_ended_or_spoke_are_aborted_and_not_taken(
    kept: Waiting, connections: list[Connection]
) -> None:
    for one in connections:
        kept.put(one)
    connections[2].theirs.close()
    connections[1].theirs.send(b"unasked")
    assert kept.take() is connections[0]
    assert [one.aborted for one in connections] == [False, True, True]


def test_one_that_cannot_be_asked_counts_as_alive(kept: Waiting) -> None:
    connection = UpstreamLine()
    connection.lost = False
    kept.put(connection)
    assert kept.take() is connection


def test_one_that_is_known_to_be_lost_is_not_asked(
    kept: Waiting, connections: list[Connection]
) -> None:
    kept.put(connections[0])
    connections[0].lost = True
    assert kept.take() is None


def test_nothing_is_kept_at_the_end(kept: Waiting, connections: list[Connection]) -> None:
    kept.closed = True
    kept.put(connections[0])
    assert connections[0].aborted
    assert kept.take() is None


def test_who_leaves_asks_in_whoever_waits(kept: Waiting) -> None:
    kept.member.enter()
    kept.member.enter()
    kept.leave()
    assert (kept.member.inflight, kept.admitted) == (1, 0)
    kept.waiting.append(object())
    kept.leave()
    assert (kept.member.inflight, kept.admitted) == (0, 1)
