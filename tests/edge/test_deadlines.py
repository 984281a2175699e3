"""The sweep: who is overdue is told, nobody else, and nothing stops it."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from soapgate.edge.deadlines import INTERVAL, NEVER, Deadlines


class Timer:
    """Notes when it was told; moves its deadline as the test says."""

    def __init__(self, deadline: float, then: float = NEVER) -> None:
        self.deadline = deadline
        self.then = then
        self.told: list[float] = []

    def overdue(self, now: float) -> None:
        self.told.append(now)
        self.deadline = self.then


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def deadlines(clock: Clock) -> Deadlines:
    deadlines = Deadlines(clock)
    deadlines.start()
    return deadlines


def test_who_is_overdue_is_told_in_the_next_sweep(clock: Clock, deadlines: Deadlines) -> None:
    timer = Timer(3.2)
    deadlines.watch(timer)
    clock.pump([INTERVAL] * 20)
    assert timer.told == [3.5]


def test_the_deadline_itself_is_overdue(clock: Clock, deadlines: Deadlines) -> None:
    timer = Timer(INTERVAL)
    deadlines.watch(timer)
    clock.advance(INTERVAL)
    assert timer.told == [INTERVAL]


def test_who_has_no_deadline_is_left_alone(clock: Clock, deadlines: Deadlines) -> None:
    timer = Timer(NEVER)
    deadlines.watch(timer)
    clock.pump([1000.0] * 10)
    assert timer.told == []


def test_who_does_not_move_its_deadline_is_told_again(clock: Clock, deadlines: Deadlines) -> None:
    timer = Timer(1.0, then=1.0)
    deadlines.watch(timer)
    clock.pump([0.5] * 4)
    assert timer.told == [1.0, 1.5, 2.0]


def test_a_deadline_that_moves_is_met_where_it_moved_to(clock: Clock, deadlines: Deadlines) -> None:
    timer = Timer(1.0, then=5.0)
    deadlines.watch(timer)
    clock.pump([0.5] * 8)
    assert timer.told == [1.0]
    clock.pump([0.5] * 2)
    assert timer.told == [1.0, 5.0]


def test_who_is_forgotten_is_told_nothing(clock: Clock, deadlines: Deadlines) -> None:
    timer = Timer(1.0)
    deadlines.watch(timer)
    deadlines.forget(timer)
    deadlines.forget(timer)
    clock.pump([0.5] * 4)
    assert timer.told == []


def test_who_was_ended_by_an_earlier_one_of_the_same_sweep_is_not_told(
    clock: Clock, deadlines: Deadlines
) -> None:
    class Pair(Timer):
        other: Timer

        def overdue(self, now: float) -> None:
            super().overdue(now)
            self.other.deadline = NEVER

    one, two = Pair(1.0), Pair(1.0)
    one.other, two.other = two, one
    deadlines.watch(one)
    deadlines.watch(two)
    clock.pump([0.5] * 4)
    assert len(one.told) + len(two.told) == 1


def test_somebody_new_may_come_in_a_sweep(clock: Clock, deadlines: Deadlines) -> None:
    late = Timer(1.0)

    class Opens(Timer):
        def overdue(self, now: float) -> None:
            super().overdue(now)
            deadlines.watch(late)

    deadlines.watch(Opens(1.0))
    clock.pump([0.5] * 3)
    assert late.told == [1.5]


def test_a_defect_in_one_does_not_switch_off_the_others(clock: Clock, deadlines: Deadlines) -> None:
    class Broken(Timer):
        def overdue(self, now: float) -> None:
            super().overdue(now)
            raise RuntimeError("a defect")

    events: list[object] = []
    globalLogPublisher.addObserver(events.append)
    broken, sound = [Broken(1.0), Broken(1.0)], [Timer(1.0), Timer(2.0)]
    for timer in (*broken, *sound):
        deadlines.watch(timer)
    clock.pump([0.5] * 5)
    globalLogPublisher.removeObserver(events.append)
    assert [timer.told for timer in sound] == [[1.0], [2.0]]
    assert len(events) == len(broken)


def test_a_stopped_sweep_tells_nobody_and_leaves_no_timer(
    clock: Clock, deadlines: Deadlines
) -> None:
    timer = Timer(1.0)
    deadlines.watch(timer)
    deadlines.stop()
    deadlines.stop()
    clock.pump([0.5] * 4)
    assert timer.told == []
    assert clock.getDelayedCalls() == []
