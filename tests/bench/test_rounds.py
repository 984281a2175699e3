"""What runs side by side."""

from __future__ import annotations

from bench.cases import CASES
from bench.rounds import Pace, together


def test_main_cases_run_alone_and_others_with_their_group() -> None:
    names = ["0.5k", "1m", "pins-1k", "pins-1m", "close", "tls-30k"]
    batches = together([(CASES[name], ()) for name in names])
    assert [[case.name for case, _who in batch] for batch in batches] == [
        ["0.5k"],
        ["1m"],
        ["pins-1k", "pins-1m"],
        ["close"],
        ["tls-30k"],
    ]


def test_pace_says_how_long_lanes_take() -> None:
    assert Pace(rounds=3, seconds=4, warm_up=2).of(5) == 70
