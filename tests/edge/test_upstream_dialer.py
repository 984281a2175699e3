"""Dialling a backend, and the places that its `maxconn` leaves: taken, waited for, given back."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from talk import Peer, Talk, envelope, ok, one, over, post
from twisted.internet.defer import fail

from soapgate.core.pool import Backend, Health
from soapgate.edge.http11 import HeadLimits
from soapgate.edge.upstream import UpstreamTimes

# Dialling


def test_a_refused_connection_blames_nobody_who_left() -> None:
    talk = one(health=Health(fall=1))
    talk.client.says(post(envelope()))
    talk.client.closes()
    talk.refuse()
    assert talk.pool.members["b1"].up
    assert talk.leaks() == []


def test_an_address_that_fails_at_once_is_a_failure_like_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A host that the resolver refuses fails before anybody waits."""
    talk = one()

    class Never:
        def connect(self, factory: Any) -> Any:
            return fail(ValueError("invalid hostname"))

    monkeypatch.setattr(talk.dialers["b1"], "_endpoint", Never())
    talk.client.says(post(envelope()))
    talk.passes(1)
    assert b"NoBackend" in talk.client.heard()
    assert over(talk) == []


def test_a_hundred_who_wait_for_an_address_that_fails_at_once_need_no_stack(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    talk = one(maxconn=1)
    clients = [talk.connect() for _ in range(300)]
    for client in clients:
        client.says(post(envelope()))

    class Never:
        def connect(self, factory: Any) -> Any:
            return fail(ValueError("invalid hostname"))

    monkeypatch.setattr(talk.dialers["b1"], "_endpoint", Never())
    talk.refuse()
    for _ in range(1500):
        talk.reactor.advance(0)
    assert all(b"NoBackend" in client.heard() for client in clients)
    assert over(talk) == []


def test_a_dialled_connection_of_a_closed_dialer_is_not_kept() -> None:
    talk = one()
    talk.client.says(post(envelope()))
    talk.client.closes()
    talk.dialers["b1"].close()
    assert talk.backend().wire.ended == "aborted"
    assert talk.leaks() == []


def test_a_dialer_that_closes_drops_its_idle_connections_and_lets_others_finish() -> None:
    talk = one()
    busy, idle = talk.connect(), talk.connect()
    idle_peer = None
    busy.says(post(envelope()))
    idle.says(post(envelope()))
    busy_peer, idle_peer = talk.backend(), talk.backend()
    idle_peer.says(ok(b"hi"))
    talk.dialers["b1"].close()
    assert idle_peer.wire.ended == "aborted"
    busy_peer.says(ok(b"hi"))
    assert busy.heard().endswith(b"hi")
    assert busy_peer.wire.ended == "aborted"
    assert over(talk) == []


# Places


def full(talk: Talk, waiting: int) -> tuple[Peer, list[Peer]]:
    """(the backend's one busy connection, clients that wait for it)."""
    talk.client.says(post(envelope()))
    clients = [talk.connect() for _ in range(waiting)]
    for n, client in enumerate(clients):
        client.says(post(b"%d" % n))
    assert talk.pool.members["b1"].waiting == waiting
    return talk.backend(), clients


def test_who_came_first_is_served_first() -> None:
    talk = one(maxconn=1)
    peer, clients = full(talk, 3)
    peer.heard()
    for n, _ in enumerate(clients):
        peer.says(ok(b""))
        assert peer.heard().endswith(b"\r\n\r\n%d" % n)
    peer.says(ok(b""))
    assert talk.pool.members["b1"].inflight == 0
    assert over(talk) == []


def test_a_newcomer_does_not_slip_in_before_who_waits() -> None:
    talk = one(maxconn=1)
    peer, _clients = full(talk, 1)
    peer.heard()
    newcomer = talk.connect()
    newcomer.says(post(b"new"))
    peer.says(ok(b""))
    assert peer.heard().endswith(b"\r\n\r\n0")
    peer.says(ok(b""))
    assert peer.heard().endswith(b"new")


@pytest.mark.parametrize("order", list(itertools.permutations(["peer", "first", "second"])))
@pytest.mark.parametrize("how", ["answers", "breaks", "refused"])
def test_places_are_given_back_in_whatever_order_things_end(
    order: tuple[str, ...], how: str
) -> None:
    talk = one(maxconn=1, tries=1)
    talk.client.says(post(envelope()))
    first, second = talk.connect(), talk.connect()
    first.says(post(b"1"))
    second.says(post(b"2"))
    for what in order:
        if what == "first":
            first.closes()
        elif what == "second":
            second.closes()
        elif how == "refused":
            talk.refuse()
        elif how == "breaks":
            talk.backend().breaks()
        else:
            talk.backend().says(ok(b""))
    while talk.dials:
        talk.refuse()
    member = talk.pool.members["b1"]
    assert (member.inflight, member.waiting) == (0, 0)
    assert over(talk) == []


def test_a_turn_that_comes_with_the_time_out_is_taken_once() -> None:
    """In one sweep: the exchange before it times out and the one that waits is overdue."""
    talk = one(maxconn=1, queue=10.0, upstream=UpstreamTimes(response=10.0))
    _peer, (client,) = full(talk, 1)
    talk.passes(11)
    assert talk.client.heard().startswith(b"HTTP/1.1 504 ")
    while talk.dials:
        talk.backend().says(ok(b"late"))
    assert client.heard().startswith((b"HTTP/1.1 503 ", b"HTTP/1.1 200 "))
    assert len(talk.log.records) == 2
    assert over(talk) == []


def test_more_places_are_given_to_who_waits() -> None:
    talk = one(maxconn=1)
    _peer, _clients = full(talk, 3)
    member, dialer = talk.pool.members["b1"], talk.dialers["b1"]
    member.configure(Backend.parse("b1", "http://10.0.0.1:80", maxconn=3), Health())
    dialer.use(UpstreamTimes(), HeadLimits(), None)
    assert (member.inflight, member.waiting) == (3, 1)
    assert talk.dials == 2


def test_fewer_places_are_fewer_from_then_on() -> None:
    talk = one(maxconn=2)
    talk.client.says(post(b"x"))
    second, third = talk.connect(), talk.connect()
    second.says(post(b"y"))
    third.says(post(b"z"))
    member = talk.pool.members["b1"]
    assert (member.inflight, member.waiting) == (2, 1)
    member.configure(Backend.parse("b1", "http://10.0.0.1:80", maxconn=1), Health())
    one_peer, other_peer = talk.backend(), talk.backend()
    one_peer.says(ok(b""))
    assert (member.inflight, member.waiting) == (1, 1)
    other_peer.says(ok(b""))
    assert (member.inflight, member.waiting) == (1, 0)


def test_new_times_and_limits_hold_for_the_next_response() -> None:
    talk = one()
    peer = talk.serve(post(envelope()), ok(b"hi", b"X: y"))
    talk.client.heard()
    talk.dialers["b1"].use(UpstreamTimes(), HeadLimits(fields=2), None)
    talk.client.says(post(envelope()))
    peer.says(ok(b"hi", b"X: y"))
    assert talk.client.heard().startswith(b"HTTP/1.1 502 ")
