"""A result as JSON: what a run leaves behind, and what tables, picture and comparison read.

    format            2; a number goes up when a key changes its meaning or goes. Format 1 had no
                      `format`, `cases`, `flat`, `latency` and `memory`, and is read as well
    when              start, ISO 8601, UTC
    seconds_taken     of the whole run
    machine           processor, cores, kernel, python, load_before (1-minute load average)
    gateway_alone_on_its_cpu   false: the CPU was shared with load and backends
    versions          {contender: what the program says of itself}
    rounds, seconds   turns of each lane, length of a turn
    sessions          ids in rotation, where the case says nothing else
    request_bytes, connections    {case: number}
    cases             [{name, title, group}], in the order of the tables
    left_out          [sentence]: what was asked for and not measured, or failed, and why
    turns             [{case, contender, round, cpu_us, requests, requests_a_second, p50_us,
                      p99_us}]
    cpu_us            [{case, contender, least, median, most}]: microseconds of CPU a request
    ratio             [{case, contender, yardstick, least, median, most}]: to the yardstick's CPU
    flat              [{case, base, contender, least, median, most}]: to the CPU of the same
                      contender at the first case of the group
    latency           [{case, contender, round, wanted_rate, rate, busy, requests, p50_us, p99_us,
                      p999_us}]: a turn each; contender "direct" is no gateway at all
    memory            [{thing, contender, step, number, bytes}]: bytes of one more

A run with one part only leaves the lists of the others empty. Nothing is rounded here.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.cases import CASES, GROUPS, MAIN, SESSIONS, Case
from bench.contenders import Contender
from bench.figures import ratio, spreads
from bench.latency import Wait
from bench.memory import Weight
from bench.processes import BenchError, Cores
from bench.rounds import Entry, Pace, Turn

FORMAT = 2
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Findings:
    """All that a run has measured."""

    turns: Sequence[Turn] = ()
    waits: Sequence[Wait] = ()
    weights: Sequence[Weight] = ()
    failed: Sequence[str] = ()


def build(
    found: Findings,
    entries: Sequence[Entry],
    pace: Pace,
    cores: Cores,
    versions: dict[str, str],
    left_out: Sequence[str] = (),
) -> Document:
    """Everything about a run that another run could be compared with, ready for JSON; `when`,
    `machine` and `seconds_taken` are the caller's to add."""
    waited = dict.fromkeys(CASES[wait.case] for wait in found.waits)
    cases = list(dict.fromkeys([*(case for case, _contenders in entries), *waited]))
    return {
        "format": FORMAT,
        "gateway_alone_on_its_cpu": cores.apart,
        "versions": versions,
        "rounds": pace.rounds,
        "seconds": pace.seconds,
        "sessions": SESSIONS,
        "request_bytes": {case.name: case.size for case in cases},
        "connections": {case.name: case.connections for case in cases},
        "cases": [{"name": c.name, "title": c.title, "group": c.group} for c in cases],
        "left_out": [*left_out, *found.failed],
        "turns": [asdict(turn) for turn in found.turns],
        "cpu_us": [
            {"case": case, "contender": contender, **asdict(spread)}
            for (case, contender), spread in spreads(found.turns).items()
        ],
        "ratio": _ratios(found.turns, entries),
        "flat": _flat(found.turns, entries),
        "latency": [asdict(wait) for wait in found.waits],
        "memory": [asdict(weight) for weight in found.weights],
    }


def _ratios(turns: Sequence[Turn], entries: Sequence[Entry]) -> list[dict[str, Any]]:
    rows = []
    for case, contenders in entries:
        for contender, yardstick in _pairs(contenders):
            spread = ratio(turns, (case.name, contender), (case.name, yardstick))
            if spread:
                names = {"case": case.name, "contender": contender, "yardstick": yardstick}
                rows.append({**names, **asdict(spread)})
    return rows


def _pairs(contenders: Sequence[Contender]) -> list[tuple[str, str]]:
    yardsticks = [each.name for each in contenders if each.yardstick]
    others = [each.name for each in contenders if not each.yardstick]
    return [(other, yardstick) for other in others for yardstick in yardsticks]


def _flat(turns: Sequence[Turn], entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Each case of a group, but of the main one, against the first of the group that was run."""
    rows = []
    for case, contenders in entries:
        base = _first_of(case, entries)
        if case.group == MAIN or base is case:
            continue
        for contender in contenders:
            spread = ratio(turns, (case.name, contender.name), (base.name, contender.name))
            if spread:
                names = {"case": case.name, "base": base.name, "contender": contender.name}
                rows.append({**names, **asdict(spread)})
    return rows


def _first_of(case: Case, entries: Sequence[Entry]) -> Case:
    ran = {each.name for each, _contenders in entries}
    return next(each for each in GROUPS[case.group] if each.name in ran)


def machine() -> dict[str, str | float]:
    """What the figures depend on: processor, cores, kernel, Python, who else was at work."""
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
        "load_before": os.getloadavg()[0],
    }


def write(found: Document, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n")


def read(path: Path) -> Document:
    """A document from a file, of this format or an earlier one. Raises BenchError for a file that
    cannot be read, that is none, or that a later version has written."""
    try:
        found = json.loads(path.read_bytes())
    except OSError as problem:
        raise BenchError(f"{path} cannot be read: {problem.strerror}.") from None
    except ValueError:
        raise BenchError(f"{path} is no JSON; wanted is a file that a run has written.") from None
    if not isinstance(found, dict) or not {"when", "turns", "ratio"} <= found.keys():
        raise BenchError(f"{path} is no result of a run: it has no `when`, `turns` and `ratio`.")
    number = found.get("format", 1)
    if number not in range(1, FORMAT + 1):
        raise BenchError(f"{path} has format {number}; this version reads 1 to {FORMAT}.")
    names = found.get("request_bytes", {})
    usual = [{"name": name, "title": name, "group": MAIN} for name in names]
    return {"flat": [], "latency": [], "memory": [], "left_out": [], "cases": usual, **found}


def latest(directory: Path, but: Path | None = None) -> Path:
    """The newest result in `directory`, other than `but`. Raises BenchError if there is none."""
    found = [
        path
        for path in sorted(directory.glob("*.json"), key=lambda path: path.stat().st_mtime)
        if but is None or path.resolve() != but.resolve()
    ]
    if not found:
        raise BenchError(f"no result in {directory}; run `make bench` first, or name one.")
    return found[-1]
