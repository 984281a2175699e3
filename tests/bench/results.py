"""Results written by hand: what a run would have left behind, with the figures a test wants."""

from __future__ import annotations

from typing import Any

from bench import document
from bench.cases import CASES
from bench.contenders.everybody import CONTENDERS
from bench.latency import Wait
from bench.memory import Weight
from bench.processes import Cores
from bench.rounds import Pace, Turn

Result = dict[str, Any]


def turn(case: str, contender: str, number: int, cpu_us: float) -> Turn:
    return Turn(case, contender, number, cpu_us, 1000, 250.0, 100, 900)


def result(
    cpu: dict[tuple[str, str], tuple[float, ...]],
    waits: tuple[Wait, ...] = (),
    weights: tuple[Weight, ...] = (),
    failed: tuple[str, ...] = (),
) -> Result:
    """`cpu`: {(case, contender): microseconds in each round}."""
    turns = [
        turn(case, who, number, us)
        for (case, who), rounds in cpu.items()
        for number, us in enumerate(rounds, 1)
    ]
    entries = [
        (CASES[name], tuple(CONTENDERS[who] for case, who in cpu if case == name))
        for name in dict.fromkeys(case for case, _who in cpu)
    ]
    number = max((len(rounds) for rounds in cpu.values()), default=3)
    found = document.build(
        document.Findings(turns, waits, weights, failed),
        entries,
        Pace(rounds=number),
        Cores(frozenset({0}), frozenset({1})),
        {},
    )
    return {
        "when": "2026-01-02T03:04:05+00:00",
        "machine": {"processor": "P", "cores": "2", "kernel": "6.1", "python": "3.11.2"},
        "seconds_taken": 60,
        **found,
    }
