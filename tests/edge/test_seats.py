"""Members that several processes share: load from the board, health from one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from soapgate.core.errors import ConfigError
from soapgate.core.policies import LeastRequests, WeightedRoundRobin
from soapgate.core.pool import Backend, Health, Member, Pool
from soapgate.edge.board import ROWS, Bells, Board, make_board
from soapgate.edge.seats import Allotment, SeenPool, SharedPool


def backend(name: str, **options: Any) -> Backend:
    return Backend.parse(name, f"http://{name}.example:9001", **options)


class Gateway:
    """A supervisor's pool and those of two workers, with a channel that is at once."""

    def __init__(self, fd: int, *backends: Backend, policy: Any = LeastRequests) -> None:
        self.bells = Bells.make(2)
        self.policy = policy
        self.health = Health(fall=3, rise=2)
        self.told: list[tuple[str, Any]] = []
        self.judged: list[tuple[str, bool]] = []
        self.rows = Allotment(Board(fd, 2))
        self.pools = [
            SharedPool("p", Board(fd, 2, number), self.bells, self.judge) for number in (0, 1)
        ]
        self.seen = SeenPool(self.rows.allot, self.tell, "p", (), policy, self.health)
        self.take(*backends)

    def take(self, *backends: Backend) -> None:
        self.seen.replace(backends)
        self.rows.keep([self.seen])
        for pool in self.pools:
            pool.hold(self.states(), backends, self.policy, self.health)

    def states(self) -> dict[str, Any]:
        return {name: member.state for name, member in self.seen.members.items()}

    def tell(self, pool: Pool, member: Member) -> None:
        self.told.append((member.name, member.state))
        for one in self.pools:
            one.settle({member.name: member.state})

    def judge(self, pool: Pool, member: Member, ok: bool) -> None:
        self.judged.append((member.name, ok))
        self.seen.members[member.name].mark(ok)

    def members(self, name: str = "b1") -> list[Any]:
        return [pool.members[name] for pool in self.pools]


@pytest.fixture
def fd() -> Iterator[int]:
    made = make_board(2)
    yield made
    os.close(made)


@pytest.fixture
def gateway(fd: int) -> Iterator[Gateway]:
    made = Gateway(fd, backend("b1", maxconn=2), backend("b2"))
    yield made
    made.bells.close()


# Load


def test_maxconn_counts_the_requests_of_all_workers(gateway: Gateway) -> None:
    one, other = gateway.members()
    assert one.enter()
    assert not other.full
    assert other.enter()
    assert one.full
    assert not one.enter()
    other.leave()
    assert not one.full
    assert one.enter()
    assert (one.inflight, other.inflight) == (2, 0)
    assert gateway.seen.members["b1"].inflight == 2


def test_without_maxconn_nobody_is_full(gateway: Gateway) -> None:
    one, _ = gateway.members("b2")
    for _ in range(50):
        assert one.enter()
    assert not one.full
    assert one.admit()
    assert gateway.seen.members["b2"].inflight == 51


def test_who_leaves_twice_is_told(gateway: Gateway) -> None:
    one, _ = gateway.members()
    one.enter()
    one.leave()
    with pytest.raises(ValueError, match="no request in flight"):
        one.leave()
    with pytest.raises(ValueError, match="cannot have -1 requests waiting"):
        one.waiting -= 1


def test_the_load_is_that_of_all_workers(gateway: Gateway) -> None:
    one, other = gateway.members("b2")
    one.enter()
    other.enter()
    other.waiting += 1
    assert one.load == other.load == 3
    assert gateway.pools[0].policy(None).select(gateway.pools[0].candidates(None), b"").name == "b1"


def test_a_freed_place_rings_who_waits_elsewhere(gateway: Gateway) -> None:
    one, other = gateway.members()
    assert one.enter()
    assert one.enter()
    assert not other.enter()
    other.waiting += 1
    assert not gateway.bells.heard(1)
    one.leave()
    assert gateway.bells.heard(1)
    assert not one.enter()  # no newcomer goes before
    assert other.admit()
    other.waiting -= 1
    assert (gateway.bells.heard(0), gateway.bells.heard(1)) == (False, False)


def test_who_gives_up_waiting_rings_the_next(gateway: Gateway) -> None:
    one, other = gateway.members()
    other.waiting += 1
    one.waiting += 1
    assert not one.admit()  # it is the other's turn
    other.waiting -= 1
    assert gateway.bells.heard(0)
    assert one.admit()


def test_a_full_member_is_no_candidate_in_any_worker(gateway: Gateway) -> None:
    one, other = gateway.pools
    assert [member.name for member in other.candidates(None)] == ["b1", "b2"]
    for _ in range(2):
        one.members["b1"].enter()
    assert [member.name for member in other.candidates(None)] == ["b2"]
    assert [member.name for member in other.candidates(None, full=True)] == ["b1", "b2"]
    assert other.candidates(None, {"b2"}) == ()
    one.members["b1"].leave()
    assert [member.name for member in other.candidates(None)] == ["b1", "b2"]


def test_the_same_candidates_are_the_same_object(fd: int) -> None:
    bounded = Gateway(fd, backend("b1", maxconn=2), backend("b2"), policy=WeightedRoundRobin)
    pool = bounded.pools[0]
    first = pool.candidates(None)
    assert pool.candidates(None) is first
    pool.members["b1"].enter()
    assert pool.candidates(None) is first
    bounded.bells.close()


def test_the_supervisor_sees_load_and_fullness_too(gateway: Gateway) -> None:
    """So that what would happen to a request can be explained there."""
    one, other = gateway.members()
    seen = gateway.seen
    assert [member.name for member in seen.candidates(None)] == ["b1", "b2"]
    one.enter()
    assert seen.members["b1"].load == 1
    asked = seen.with_policy(LeastRequests())
    assert asked.policy(None).select(asked.candidates(None), b"").name == "b2"
    other.enter()
    assert [member.name for member in seen.candidates(None)] == ["b2"]
    assert seen.members["b1"].full


def test_without_any_bound_candidates_are_remembered(fd: int) -> None:
    free = Gateway(fd, backend("b1"), backend("b2"))
    pool = free.pools[0]
    first = pool.candidates(None)
    assert pool.candidates(None) is first
    assert not pool._bounded
    free.bells.close()


# Health and states


def test_failures_of_both_workers_add_up(gateway: Gateway) -> None:
    one, other = gateway.members()
    assert [one.mark(False), other.mark(False)] == [False, False]
    assert one.up
    other.mark(False)
    assert not gateway.seen.members["b1"].up
    assert (one.up, other.up) == (False, False)
    assert one.accepts_pinned is False


def test_a_success_in_either_worker_ends_a_series(gateway: Gateway) -> None:
    one, other = gateway.members()
    one.mark(False)
    one.mark(False)
    other.mark(True)
    assert gateway.seen.members["b1"].streak == 0
    one.mark(False)
    assert one.up


def test_a_success_after_a_failure_of_its_own_is_told_before_anything_is_told_back(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = gateway.members()
    for pool in gateway.pools:
        monkeypatch.setattr(pool, "settle", lambda states: None)
    for ok in (False, True, True):
        one.mark(ok)
    assert gateway.judged == [("b1", False), ("b1", True)]


def test_a_success_that_changes_nothing_is_not_told(gateway: Gateway) -> None:
    one, _ = gateway.members()
    for _ in range(3):
        one.mark(True)
    assert gateway.judged == []


def test_a_backend_that_is_down_comes_up_by_successes_of_any(gateway: Gateway) -> None:
    one, other = gateway.members()
    for _ in range(3):
        gateway.seen.members["b1"].mark(False)
    assert not one.up
    one.mark(True)
    other.mark(True)
    assert gateway.seen.members["b1"].up
    assert one.up


def test_a_probe_that_fails_once_is_told_so_that_a_success_can_take_it_back(
    gateway: Gateway,
) -> None:
    gateway.seen.members["b1"].mark(False)
    one, other = gateway.members()
    assert (one.streak, other.streak) == (1, 1)
    one.mark(True)
    assert gateway.seen.members["b1"].streak == 0
    assert other.streak == 0


def test_the_word_of_an_operator_reaches_all(gateway: Gateway) -> None:
    gateway.seen.members["b1"].admin = "drain"
    assert [member.admin for member in gateway.members()] == ["drain", "drain"]
    assert [one.name for one in gateway.pools[1].candidates(None)] == ["b2"]


def test_states_of_who_is_not_here_are_nobodys(gateway: Gateway) -> None:
    row = gateway.seen.members["b1"].row
    gateway.pools[0].settle({"b9": (1, "maint", False, 0), "b1": (row + 1, "maint", False, 0)})
    assert gateway.members()[0].admin == "ready"


# A reload


def test_members_that_stay_keep_their_row_and_their_count(gateway: Gateway) -> None:
    one, _ = gateway.members()
    one.enter()
    gateway.seen.members["b1"].admin = "drain"
    gateway.take(backend("b1", maxconn=1), backend("b3"))
    again, _ = gateway.members()
    assert again is one
    assert (again.full, again.admin) == (True, "drain")
    assert gateway.members("b3")[0].row != one.row


def test_a_new_member_does_not_count_what_still_runs_on_the_old(gateway: Gateway) -> None:
    one, _ = gateway.members()
    one.enter()
    gateway.take(Backend.parse("b1", "http://elsewhere:1", maxconn=2))
    fresh, _ = gateway.members()
    assert (fresh.row != one.row, fresh.load) == (True, 0)
    one.mark(False)  # its last exchange speaks of nobody
    assert gateway.judged == []
    one.leave()
    assert gateway.rows.allot().number in (one.row, 2)


def test_more_backends_than_rows_are_refused(fd: int) -> None:
    rows = Allotment(Board(fd, 2))
    rows._taken = set(range(1, ROWS))
    with pytest.raises(ConfigError, match="at most 4095 backends"):
        rows.allot()
