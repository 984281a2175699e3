"""A gateway with workers in memory: real supervisor and workers, channels and sockets in memory."""

from __future__ import annotations

import pytest
from crew import TWO, House2
from gate import ok, post


def test_it_is_ready_when_both_accept(crewed: House2, capsys: pytest.CaptureFixture[str]) -> None:
    assert crewed.gateway.ready() == (True, [])
    assert [one.state for one in crewed.gateway.workers()] == ["serving", "serving"]


def test_a_session_learnt_by_one_is_known_to_the_other(crewed: House2) -> None:
    backend = crewed.serve(0, post(), ok("s-1"))
    for number in (1, 0, 1):
        assert crewed.serve(number, post("s-1"), ok("s-1")).name == backend.name


def test_counts_are_summed_and_survive_their_worker(crewed: House2) -> None:
    for number in (0, 1, 1):
        crewed.serve(number, post(), ok("s-1"))
    crewed.gather()
    metrics = crewed.gateway.metrics
    assert sum(metrics.exchanges.values()) == 3
    assert (metrics.workers, metrics.accepted, metrics.connections_downstream) == (2, 3, 3)
    assert [one.exchanges for one in crewed.gateway.workers()] == [1, 2]
    crewed.kill(1)
    crewed.gather()
    metrics = crewed.gateway.metrics
    assert sum(metrics.exchanges.values()) == 3
    assert (metrics.accepted, metrics.connections_downstream) == (3, 1)
    assert (metrics.workers, metrics.worker_restarts) == (2, 1)


def test_a_word_of_the_operator_reaches_every_worker(crewed: House2) -> None:
    pool = crewed.gateway.pools["shop"]
    crewed.gateway.set_admin(pool, pool.members["b1"], "maint")
    crewed.flow()
    assert {crewed.serve(n, post(), ok()).name for n in (0, 1, 0, 1)} == {"b2"}
    crewed.kill(0)
    assert {crewed.serve(n, post(), ok()).name for n in (0, 1, 0, 1)} == {"b2"}


def test_failures_in_any_worker_take_a_backend_down_once(crewed: House2, said: list[str]) -> None:
    pool = crewed.gateway.pools["shop"]
    crewed.gateway.set_admin(pool, pool.members["b2"], "maint")
    crewed.flow()
    sorry = b"HTTP/1.1 503 Sorry\r\nContent-Length: 0\r\n\r\n"
    for number in (0, 1, 0):
        assert pool.members["b1"].up
        crewed.serve(number, post(), sorry)
    assert not pool.members["b1"].up
    assert said.count("backend shop/b1 is down") == 1
    for worker in crewed.workers:
        assert not worker._pools["shop"].members["b1"].up


def test_requests_in_flight_are_seen_and_freed_when_their_worker_is_killed(crewed: House2) -> None:
    crewed.client(0).says(post())
    crewed.client(1).says(post())
    members = crewed.gateway.pools["shop"].members
    assert sum(member.inflight for member in members.values()) == 2
    crewed.kill(0)
    assert sum(member.inflight for member in members.values()) == 1


def test_a_reload_is_told_when_all_have_it(crewed: House2, said: list[str]) -> None:
    third = '{ name = "b3", url = "http://10.0.0.3:80" },\n]'
    crewed.path.write_text(TWO.replace("\n]", "\n    " + third, 1))
    assert crewed.gateway.reload()
    assert not any("reloaded" in line for line in said)
    crewed.flow()
    assert any("reloaded" in line for line in said)
    for number in (0, 1):
        assert {crewed.serve(number, post(), ok()).name for _ in range(3)} == {"b1", "b2", "b3"}
    assert crewed.gateway.pools["shop"].members.keys() == {"b1", "b2", "b3"}


def test_what_a_reload_does_not_change_is_not_changed_for_a_worker_that_starts_later(
    crewed: House2,
) -> None:
    """Else one of them might ask clients for no certificate any more."""
    before = crewed.gateway.staff._told(0)["tables"]["gateway"]
    changed = TWO.replace("[gateway]", '[gateway]\nlog = "none"') + '[timeouts]\nhead = "7s"\n'
    crewed.path.write_text(changed)
    assert crewed.gateway.reload()
    told = crewed.gateway.staff._told(0)["tables"]
    assert told["gateway"] == before
    assert told["timeouts"] == {"head": "7s"}


def test_a_bad_file_is_told_to_nobody(crewed: House2, said: list[str]) -> None:
    crewed.path.write_text(TWO.replace("[gateway]", "[gateway]\nlisten_to = 1"))
    assert not crewed.gateway.reload()
    assert any("not reloaded, nothing changed" in line for line in said)
    crewed.serve(1, post(), ok())


def test_without_workers_it_is_not_ready(crewed: House2) -> None:
    for number in (0, 1):
        crewed.kill(number, again=False)
    assert crewed.gateway.ready() == (False, ["no worker is serving"])


def test_running_exchanges_of_workers_finish(crewed: House2) -> None:
    client = crewed.client(0)
    client.says(post())
    backend = crewed.backend(0)
    crewed.begin_to_stop()
    assert not crewed.stopped
    assert crewed.gateway.ready()[0] is False
    backend.says(ok("s-1"))
    assert b"\r\nConnection: close\r\n" in client.heard()
    crewed.flow()
    crewed.passes(1)
    assert crewed.stopped


def test_it_probes_once_for_all(crewed: House2) -> None:
    """The probes are the supervisor's: no worker dials unless for an exchange."""
    crewed.passes(20)
    assert len(crewed.reactor.tcpClients) >= 2
    assert [loop.tcpClients for loop in crewed.loops] == [[], []]
