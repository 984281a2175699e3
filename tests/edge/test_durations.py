"""The histogram of durations."""

from __future__ import annotations

import pytest

from soapgate.edge.durations import BUCKETS, Durations


@pytest.mark.parametrize("number", range(len(BUCKETS)))
def test_a_duration_counts_up_to_the_bound_it_does_not_pass(number: int) -> None:
    durations = Durations()
    durations.add(BUCKETS[number])
    durations.add(BUCKETS[number] * 1.0001)
    told = [count for _, count in durations.cumulated()]
    assert told == [0.0] * number + [1.0] + [2.0] * (len(BUCKETS) - number)


def test_all_count_in_the_last_and_in_the_sum() -> None:
    durations = Durations()
    durations.add(0.5)
    durations.add(1000.0)
    assert durations.cumulated()[-1] == ("+Inf", 2.0)
    assert durations.total == 1000.5


def test_bounds_are_told_as_prometheus_writes_them() -> None:
    assert [bound for bound, _ in Durations().cumulated()][:3] == ["0.001", "0.0025", "0.005"]
