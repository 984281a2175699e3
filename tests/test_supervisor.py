"""A gateway with workers in memory: real supervisor and workers, channels and sockets in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from crew import House2
from gate import FILE, ok, post

TWO = FILE.replace('"memory:"', '"lmdb:pins"').replace("[gateway]", "[gateway]\nworkers = 2")


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House2]:
    made = House2(tmp_path / "gate.toml", TWO, monkeypatch).start()
    yield made
    made.stop()
    assert made.stopped


def test_it_is_ready_when_both_accept(house: House2, capsys: pytest.CaptureFixture[str]) -> None:
    assert house.gateway.ready() == (True, [])
    assert [one.state for one in house.gateway.workers()] == ["serving", "serving"]


def test_a_session_learnt_by_one_is_known_to_the_other(house: House2) -> None:
    backend = house.serve(0, post(), ok("s-1"))
    for number in (1, 0, 1):
        assert house.serve(number, post("s-1"), ok("s-1")).name == backend.name


def test_counts_are_summed_and_survive_their_worker(house: House2) -> None:
    for number in (0, 1, 1):
        house.serve(number, post(), ok("s-1"))
    house.gather()
    metrics = house.gateway.metrics
    assert sum(metrics.exchanges.values()) == 3
    assert (metrics.workers, metrics.accepted, metrics.connections_downstream) == (2, 3, 3)
    assert [one.exchanges for one in house.gateway.workers()] == [1, 2]
    house.kill(1)
    house.gather()
    metrics = house.gateway.metrics
    assert sum(metrics.exchanges.values()) == 3
    assert (metrics.accepted, metrics.connections_downstream) == (3, 1)
    assert (metrics.workers, metrics.worker_restarts) == (2, 1)


def test_a_word_of_the_operator_reaches_every_worker(house: House2) -> None:
    pool = house.gateway.pools["shop"]
    house.gateway.set_admin(pool, pool.members["b1"], "maint")
    house.flow()
    assert {house.serve(n, post(), ok()).name for n in (0, 1, 0, 1)} == {"b2"}
    house.kill(0)
    assert {house.serve(n, post(), ok()).name for n in (0, 1, 0, 1)} == {"b2"}


def test_failures_in_any_worker_take_a_backend_down_once(house: House2, said: list[str]) -> None:
    pool = house.gateway.pools["shop"]
    house.gateway.set_admin(pool, pool.members["b2"], "maint")
    house.flow()
    sorry = b"HTTP/1.1 503 Sorry\r\nContent-Length: 0\r\n\r\n"
    for number in (0, 1, 0):
        assert pool.members["b1"].up
        house.serve(number, post(), sorry)
    assert not pool.members["b1"].up
    assert said.count("backend shop/b1 is down") == 1
    for worker in house.workers:
        assert not worker._pools["shop"].members["b1"].up


def test_requests_in_flight_are_seen_and_freed_when_their_worker_is_killed(house: House2) -> None:
    house.client(0).says(post())
    house.client(1).says(post())
    members = house.gateway.pools["shop"].members
    assert sum(member.inflight for member in members.values()) == 2
    house.kill(0)
    assert sum(member.inflight for member in members.values()) == 1


def test_a_reload_is_told_when_all_have_it(house: House2, said: list[str]) -> None:
    third = '{ name = "b3", url = "http://10.0.0.3:80" },\n]'
    house.path.write_text(TWO.replace("\n]", "\n    " + third, 1))
    assert house.gateway.reload()
    assert not any("reloaded" in line for line in said)
    house.flow()
    assert any("reloaded" in line for line in said)
    for number in (0, 1):
        assert {house.serve(number, post(), ok()).name for _ in range(3)} == {"b1", "b2", "b3"}
    assert house.gateway.pools["shop"].members.keys() == {"b1", "b2", "b3"}


def test_a_bad_file_is_told_to_nobody(house: House2, said: list[str]) -> None:
    house.path.write_text(TWO.replace("[gateway]", "[gateway]\nlisten_to = 1"))
    assert not house.gateway.reload()
    assert any("not reloaded, nothing changed" in line for line in said)
    house.serve(1, post(), ok())


def test_without_workers_it_is_not_ready(house: House2) -> None:
    for number in (0, 1):
        house.kill(number, again=False)
    assert house.gateway.ready() == (False, ["no worker is serving"])


def test_running_exchanges_of_workers_finish(house: House2) -> None:
    client = house.client(0)
    client.says(post())
    backend = house.backend(0)
    house.begin_to_stop()
    assert not house.stopped
    assert house.gateway.ready()[0] is False
    backend.says(ok("s-1"))
    assert b"\r\nConnection: close\r\n" in client.heard()
    house.flow()
    house.passes(1)
    assert house.stopped


def test_it_probes_once_for_all(house: House2) -> None:
    """The probes are the supervisor's: no worker dials unless for an exchange."""
    house.passes(20)
    assert len(house.reactor.tcpClients) >= 2
    assert [loop.tcpClients for loop in house.loops] == [[], []]
