"""Room goes to the first that come, and everybody makes place after a few times as many."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from soapgate.core.room import TURNS, Room


def test_the_first_that_come_are_taken_and_the_next_pass_by() -> None:
    room = Room(3, lambda: None)
    assert [room.takes() for _ in range(6)] == [True] * 3 + [False] * 3


def test_after_a_few_times_as_many_everybody_makes_place() -> None:
    forgotten: list[int] = []
    room = Room(3, lambda: forgotten.append(len(forgotten)))
    taken = [room.takes() for _ in range(TURNS * 3)]
    assert not forgotten
    taken += [room.takes() for _ in range(3)]
    assert forgotten == [0]
    assert taken[-3:] == [True] * 3


@given(st.integers(1, 9), st.lists(st.integers(0, 40), max_size=300))
def test_no_more_is_kept_than_there_is_room_for(most: int, come: list[int]) -> None:
    kept: set[int] = set()
    room = Room(most, kept.clear)
    for one in come:
        if one not in kept and room.takes():
            kept.add(one)
        assert len(kept) <= most


def test_what_few_use_is_found_although_much_else_comes_by_once() -> None:
    kept: set[int] = set()
    room = Room(100, kept.clear)
    found = 0
    for number in range(10_000):
        for one in (number % 50, 1000 + number):
            if one in kept:
                found += 1
            elif room.takes():
                kept.add(one)
    assert found > 8_000


def test_what_many_use_evenly_is_hardly_ever_written() -> None:
    kept: set[int] = set()
    room = Room(100, kept.clear)
    written = 0
    for number in range(10_000):
        one = number % 1000
        if one not in kept and room.takes():
            kept.add(one)
            written += 1
    assert written < 10_000 / 6
