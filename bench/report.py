"""What the run found: a JSON document to keep, a reStructuredText table to paste.

Three figures stand for a number of rounds: least, median, most. The ratio of a contender is taken
within a round, against a yardstick of the same round, and only then summed up: two minutes of one
machine are never compared. Nothing is smoothed or thrown away.
"""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.cases import SESSIONS
from bench.processes import Cores
from bench.rounds import Plan, Turn


@dataclass(frozen=True, slots=True)
class Spread:
    """Least, median and most of some figures."""

    least: float
    median: float
    most: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> Spread:
        return cls(min(figures), statistics.median(figures), max(figures))


def spreads(turns: Sequence[Turn]) -> dict[tuple[str, str], Spread]:
    """{(case, contender): CPU microseconds a request}."""
    figures: dict[tuple[str, str], list[float]] = {}
    for turn in turns:
        figures.setdefault((turn.case, turn.contender), []).append(turn.cpu_us)
    return {key: Spread.of(values) for key, values in figures.items()}


def ratios(turns: Sequence[Turn], contender: str, yardstick: str) -> dict[str, Spread]:
    """{case: CPU of `contender` over that of `yardstick`}, taken round by round."""
    base = {(turn.case, turn.round): turn.cpu_us for turn in turns if turn.contender == yardstick}
    figures: dict[str, list[float]] = {}
    for turn in turns:
        if turn.contender == contender and (turn.case, turn.round) in base:
            ratio = turn.cpu_us / base[turn.case, turn.round]
            figures.setdefault(turn.case, []).append(ratio)
    return {case: Spread.of(values) for case, values in figures.items()}


def pairs(plan: Plan) -> list[tuple[str, str]]:
    """(contender, yardstick), as the plan compares them."""
    yardsticks = [each.name for each in plan.contenders if each.yardstick]
    others = [each.name for each in plan.contenders if not each.yardstick]
    return [(other, yardstick) for other in others for yardstick in yardsticks]


def document(
    turns: Sequence[Turn], plan: Plan, cores: Cores, versions: dict[str, str]
) -> dict[str, Any]:
    """Everything about the run that another run could be compared with, ready for JSON."""
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "gateway_alone_on_its_cpu": cores.apart,
        "versions": versions,
        "rounds": plan.rounds,
        "seconds": plan.seconds,
        "sessions": SESSIONS,
        "request_bytes": {case.name: case.size for case in plan.cases},
        "connections": {case.name: case.connections for case in plan.cases},
        "turns": [asdict(turn) for turn in turns],
        "cpu_us": [
            {"case": case, "contender": contender, **asdict(spread)}
            for (case, contender), spread in spreads(turns).items()
        ],
        "ratio": [
            {"case": case, "contender": contender, "yardstick": yardstick, **asdict(spread)}
            for contender, yardstick in pairs(plan)
            for case, spread in ratios(turns, contender, yardstick).items()
        ],
    }


def machine() -> dict[str, str]:
    """What the figures depend on: processor, cores, kernel, Python."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": str(os.cpu_count()),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def table(turns: Sequence[Turn], plan: Plan) -> str:
    """The figures as a reStructuredText list-table: a row a case, a column a contender or ratio."""
    cpu = spreads(turns)
    ratio = {pair: ratios(turns, *pair) for pair in pairs(plan)}
    rows = [
        ["Request"]
        + [each.name for each in plan.contenders]
        + [f"{other} : {yardstick}" for other, yardstick in ratio]
    ]
    for case in plan.cases:
        cells = [case.title]
        cells += [_cell(cpu[case.name, each.name], ".0f") for each in plan.contenders]
        cells += [_cell(found[case.name], ".2f") for found in ratio.values()]
        rows.append(cells)
    lines = [".. list-table:: CPU microseconds a request, and ratios: least / median / most"]
    lines += ["   :header-rows: 1", ""]
    for cells in rows:
        lines += [f"   {'* -' if n == 0 else '  -'} {cell}" for n, cell in enumerate(cells)]
    return "\n".join(lines) + "\n"


def _cell(spread: Spread, form: str) -> str:
    return f"{spread.least:{form}} / {spread.median:{form}} / {spread.most:{form}}"
