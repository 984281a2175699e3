"""Spreads, ratios within a round, percentiles, and what chance does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from results import turn

from bench.figures import Spread, by_chance, percentile, ratio, spreads


def test_spread_is_least_median_most() -> None:
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(1.0, 2.0, 3.0)
    assert Spread.of([4.0]) == Spread(4.0, 4.0, 4.0)


def test_spread_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no figures"):
        Spread.of([])


def test_spread_is_written_in_a_form_and_read_from_a_document() -> None:
    spread = Spread.read({"least": 1.0, "median": 2.25, "most": 3.0, "case": "x"})  # type: ignore[dict-item]
    assert spread.written(".1f") == "1.0 / 2.2 / 3.0"


TURNS = [
    turn("a", "ours", 1, 40.0),
    turn("a", "theirs", 1, 20.0),
    turn("a", "ours", 2, 300.0),  # a busy moment
    turn("a", "theirs", 2, 200.0),  # of the machine
    turn("a", "ours", 3, 44.0),
]


def test_ratio_is_taken_within_a_round_and_only_where_both_were_measured() -> None:
    assert ratio(TURNS, ("a", "ours"), ("a", "theirs")) == Spread(1.5, 1.75, 2.0)


def test_there_is_no_ratio_to_what_was_not_measured() -> None:
    assert ratio(TURNS, ("a", "ours"), ("b", "theirs")) is None


def test_spreads_are_by_case_and_contender() -> None:
    assert spreads(TURNS)["a", "ours"] == Spread(40.0, 44.0, 300.0)


def test_percentile_is_the_nearest_rank() -> None:
    figures = [float(number) for number in range(1, 1001)]
    assert percentile(figures, 0.5) == 500.0
    assert percentile(figures, 0.99) == 990.0
    assert percentile(figures, 0.999) == 999.0
    assert percentile(figures, 1.0) == 1000.0
    assert percentile([7.0], 0.001) == 7.0


def test_percentile_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no figures"):
        percentile([], 0.5)


@given(st.lists(st.integers(), min_size=1), st.floats(0, 1))
def test_percentile_is_a_figure_that_the_share_does_not_exceed(
    figures: list[int], share: float
) -> None:
    ordered = sorted(figures)
    found = percentile(ordered, share)
    assert found in ordered
    assert sum(figure <= found for figure in ordered) >= share * len(ordered) - 1e-6


def test_chance_of_rounds_that_do_not_overlap() -> None:
    assert by_chance(3, 3) == pytest.approx(0.1)
    assert by_chance(5, 5) == pytest.approx(2 / 252)
    assert by_chance(1, 1) == 1.0
