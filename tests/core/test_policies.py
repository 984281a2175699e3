"""Every policy is total and keeps to its shares."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soapgate.core.policies import (
    POLICIES,
    LeastRequests,
    Policy,
    RandomTwo,
    Rendezvous,
    RoundRobin,
    WeightedRoundRobin,
)
from soapgate.core.pool import Backend, Member

KEYS = [f"key {number}".encode() for number in range(2000)]


def members(*weights: int) -> tuple[Member, ...]:
    """Members b0, b1 ... of the given weights."""
    return tuple(
        Member(Backend.parse(f"b{number}", f"http://b{number}", weight=weight))
        for number, weight in enumerate(weights)
    )


def picks(policy: Policy, candidates: Sequence[Member], count: int) -> list[str]:
    return [policy.select(candidates, b"").name for _ in range(count)]


# All of them


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("key", [b"", b"some key"], ids=["keyless", "keyed"])
def test_a_single_candidate_is_chosen_always(name: str, key: bytes) -> None:
    policy = POLICIES[name]()
    (only,) = candidates = members(7)
    assert all(policy.select(candidates, key) is only for _ in range(20))


@pytest.mark.parametrize("name", POLICIES)
@settings(deadline=None)
@given(data=st.data())
def test_the_choice_is_a_candidate_while_members_come_and_go(
    name: str, data: st.DataObject
) -> None:
    policy = POLICIES[name]()
    everybody = members(1, 2, 3, 256, 1)
    for member in everybody:
        member.inflight = data.draw(st.integers(0, 3))
    some = st.lists(st.sampled_from(everybody), min_size=1, unique=True).map(tuple)
    for candidates in data.draw(st.lists(some, max_size=8)):
        key = data.draw(st.binary(max_size=20))
        for _ in range(3):
            assert policy.select(candidates, key) in candidates


@pytest.mark.parametrize("name", ["round_robin", "weighted_round_robin", "least_requests", "hash"])
def test_without_load_weight_and_key_everybody_gets_the_same(name: str) -> None:
    chosen = picks(POLICIES[name](), members(1, 1, 1), 30)
    assert chosen == ["b0", "b1", "b2"] * 10


def test_the_names_are_those_of_the_configuration() -> None:
    assert list(POLICIES) == [
        "round_robin",
        "weighted_round_robin",
        "least_requests",
        "random_two",
        "hash",
    ]


class Watched(tuple[Member, ...]):
    """Candidates that count how often somebody walks through them."""

    walks = 0

    def __iter__(self) -> Iterator[Member]:
        self.walks += 1
        return super().__iter__()


@pytest.mark.parametrize("name", [name for name in POLICIES if name != "least_requests"])
def test_a_choice_does_not_ask_everybody_again_while_the_candidates_stay(name: str) -> None:
    policy = POLICIES[name]()
    candidates = Watched(members(1, 2, 3))
    for _ in range(50):
        policy.select(candidates, b"some key")
    assert candidates.walks <= 1


# round_robin


def test_round_robin_ignores_weights() -> None:
    assert Counter(picks(RoundRobin(), members(5, 1), 10)) == {"b0": 5, "b1": 5}


# weighted_round_robin


@settings(deadline=None)
@given(st.lists(st.integers(1, 256), min_size=1, max_size=8), st.integers(1, 3))
def test_shares_are_exact_over_every_cycle(weights: list[int], cycles: int) -> None:
    policy = WeightedRoundRobin()
    candidates = members(*weights)
    for _ in range(cycles):
        chosen = Counter(picks(policy, candidates, sum(weights)))
        assert chosen == {f"b{number}": weight for number, weight in enumerate(weights)}


def test_turns_are_spread_and_not_given_in_bursts() -> None:
    chosen = picks(WeightedRoundRobin(), members(4, 2, 1), 14)
    assert "".join(name[1] for name in chosen) == "01020100102010"


@settings(deadline=None)
@given(st.lists(st.integers(1, 20), min_size=2, max_size=6), st.integers(1, 200))
def test_nobody_is_ever_more_than_a_round_from_his_share(weights: list[int], count: int) -> None:
    chosen = Counter(picks(WeightedRoundRobin(), members(*weights), count))
    for number, weight in enumerate(weights):
        due = count * weight / sum(weights)
        assert abs(chosen[f"b{number}"] - due) < len(weights)


def test_members_that_stay_keep_their_turn_when_another_leaves_and_returns() -> None:
    policy = WeightedRoundRobin()
    b0, b1, b2 = everybody = members(1, 1, 1)
    assert picks(policy, everybody, 3001)[-1] == "b0"
    assert picks(policy, (b0, b1), 2) == ["b1", "b0"]  # b1's turn had come: b0 did not start over
    assert sorted(picks(policy, (b0, b1, b2), 3)) == ["b0", "b1", "b2"]


def test_a_member_that_joins_late_does_not_catch_up() -> None:
    policy = WeightedRoundRobin()
    b0, b1 = members(1, 1)
    picks(policy, (b0,), 1000)
    assert Counter(picks(policy, (b0, b1), 10)) == {"b0": 5, "b1": 5}


def test_a_member_that_flaps_gets_no_more_than_its_share() -> None:
    policy = WeightedRoundRobin()
    b0, b1 = members(1, 1)
    chosen: Counter[str] = Counter()
    for _ in range(50):
        chosen.update(picks(policy, (b0, b1), 1))
        chosen.update(picks(policy, (b0,), 1))
    assert chosen["b1"] <= 50


def test_a_raised_weight_counts_at_once() -> None:
    policy = WeightedRoundRobin()
    picks(policy, members(1, 1), 2)
    chosen = Counter(picks(policy, members(1, 99), 100))
    assert chosen["b1"] >= 98


# least_requests


def test_the_least_loaded_for_its_weight_is_chosen() -> None:
    b0, b1, b2 = candidates = members(1, 4, 1)
    b0.inflight, b1.inflight, b2.inflight = 2, 7, 2
    assert LeastRequests().select(candidates, b"") is b1
    b1.inflight = 9
    b2.inflight = 1
    assert LeastRequests().select(candidates, b"") is b2


def test_equally_loaded_ones_take_turns_past_a_busy_one() -> None:
    candidates = members(1, 1, 1)
    candidates[2].inflight = 5
    assert Counter(picks(LeastRequests(), candidates, 30)) == {"b0": 15, "b1": 15}


def test_requests_that_stay_level_the_load() -> None:
    policy = LeastRequests()
    candidates = members(1, 2, 3)
    for _ in range(60):
        policy.select(candidates, b"").inflight += 1
    assert [member.inflight for member in candidates] == [10, 20, 30]


# random_two


def test_the_less_loaded_of_two_is_chosen_so_the_busiest_never() -> None:
    candidates = members(1, 1, 1, 1)
    candidates[3].inflight = 1
    chosen = Counter(picks(RandomTwo(random.Random(7)), candidates, 3000))
    assert set(chosen) == {"b0", "b1", "b2"}
    assert all(900 < count < 1100 for count in chosen.values())


def test_the_two_are_never_the_same_one() -> None:
    candidates = members(1, 1)
    candidates[1].inflight = 1
    assert set(picks(RandomTwo(random.Random(7)), candidates, 500)) == {"b0"}


def test_the_same_generator_gives_the_same_choices() -> None:
    candidates = members(1, 1, 1)
    one, other = (picks(RandomTwo(random.Random(3)), candidates, 50) for _ in range(2))
    assert one == other


# hash


def where(candidates: Sequence[Member]) -> dict[bytes, str]:
    policy = Rendezvous()
    return {key: policy.select(candidates, key).name for key in KEYS}


def test_a_key_goes_where_it_went_before_whatever_the_order_and_the_instance() -> None:
    candidates = members(1, 2, 3)
    policy = Rendezvous()
    first = {key: policy.select(candidates, key).name for key in KEYS}
    assert {key: policy.select(candidates, key).name for key in KEYS} == first
    assert where(tuple(reversed(candidates))) == first


@pytest.mark.parametrize("gone", range(4))
def test_when_one_leaves_only_its_keys_move_and_return_with_it(gone: int) -> None:
    policy = Rendezvous()
    candidates = members(1, 2, 3, 4)
    before = {key: policy.select(candidates, key).name for key in KEYS}
    rest = candidates[:gone] + candidates[gone + 1 :]
    during = {key: policy.select(rest, key).name for key in KEYS}
    moved = {key for key in KEYS if before[key] != during[key]}
    assert moved == {key for key in KEYS if before[key] == f"b{gone}"}
    assert moved
    assert {key: policy.select(candidates, key).name for key in KEYS} == before


def test_the_keys_of_one_that_left_go_to_all_others() -> None:
    candidates = members(1, 1, 1, 1)
    before, after = where(candidates), where(candidates[1:])
    heirs = Counter(after[key] for key in KEYS if before[key] == "b0")
    assert set(heirs) == {"b1", "b2", "b3"}


def test_keys_are_shared_by_weight() -> None:
    shares = Counter(where(members(1, 1, 2)).values())
    assert shares["b0"] == pytest.approx(500, abs=80)
    assert shares["b1"] == pytest.approx(500, abs=80)
    assert shares["b2"] == pytest.approx(1000, abs=100)


def test_a_raised_weight_takes_keys_and_moves_none_between_others() -> None:
    before, after = where(members(1, 1, 1)), where(members(1, 1, 3))
    moved = {key for key in KEYS if before[key] != after[key]}
    assert moved
    assert {after[key] for key in moved} == {"b2"}
