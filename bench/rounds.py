"""The run: for each case start everybody, check, warm up, then let the contenders take turns.

All lanes (a contender at a case) that are to be compared run side by side and one at a time has
work, so an idle one costs its neighbours nothing. Turns alternate (A B A B ...): what else the
machine does meanwhile hits all of them, and each round gives one ratio. The cases of the main
group are staged one after the other, as they are compared with nothing but their yardsticks; those
of every other group together. CPU is read right before and after the load; requests that were still
under way when wrk stopped are at most its connections, and are not counted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.cases import MAIN, Case
from bench.contenders import Contender
from bench.load import Load
from bench.processes import BenchError, Cores, cpu_seconds
from bench.stage import Lane, Say, staged

LEAST = 10  # requests for each connection in one turn; with fewer, what was under way would count

Entry = tuple[Case, tuple[Contender, ...]]


@dataclass(frozen=True, slots=True)
class Pace:
    """How long: rounds, seconds a turn, seconds of warm-up before the first."""

    rounds: int = 3
    seconds: int = 4
    warm_up: int = 2

    def of(self, lanes: int) -> int:
        """Seconds that so many lanes take, without starting them."""
        return lanes * (self.warm_up + self.rounds * self.seconds)


@dataclass(frozen=True, slots=True)
class Turn:
    """One contender, one case, one round. `cpu_us` is CPU microseconds a request; the percentiles
    are those of a closed loop."""

    case: str
    contender: str
    round: int
    cpu_us: float
    requests: int
    requests_a_second: float
    p50_us: int
    p99_us: int


def together(entries: Sequence[Entry]) -> list[list[Entry]]:
    """The cases that run side by side: the main ones alone, others with their group."""
    batches: list[list[Entry]] = []
    for entry in entries:
        group = entry[0].group
        if group != MAIN and batches and batches[-1][0][0].group == group:
            batches[-1].append(entry)
        else:
            batches.append([entry])
    return batches


def run(
    entries: Sequence[Entry], pace: Pace, directory: Path, cores: Cores, say: Say
) -> tuple[list[Turn], list[str]]:
    """Every turn, in the order run, and a sentence for each batch that failed: it gives no figure,
    the others do. Leaves no process behind."""
    turns: list[Turn] = []
    failed: list[str] = []
    for batch in together(entries):
        try:
            turns += _run_together(batch, pace, directory, cores, say)
        except BenchError as problem:
            names = ", ".join(case.name for case, _contenders in batch)
            failed.append(f"no figure for {names}: {problem}")
            say(f"bench: {failed[-1]}")
    return turns, failed


def _run_together(
    batch: Sequence[Entry], pace: Pace, directory: Path, cores: Cores, say: Say
) -> list[Turn]:
    with contextlib.ExitStack() as stack:
        lanes: list[tuple[Lane, Load]] = []
        for case, contenders in batch:
            say(f"{case.title}: {case.size} bytes a request, {case.connections} connections")
            room = directory / case.name
            started = stack.enter_context(staged(case, contenders, room, cores, say))
            load = Load.prepare(case, room, cores.others)
            lanes += [(lane, load) for lane in started]
        for lane, load in lanes:
            load.send(lane.port, pace.warm_up)  # binds every id of the load, fills caches, pools
        return [
            _measured(lane, load, number, pace.seconds, say)
            for number in range(1, pace.rounds + 1)
            for lane, load in lanes
        ]


def _measured(lane: Lane, load: Load, number: int, seconds: int, say: Say) -> Turn:
    case, name = lane.case, lane.contender.name
    before = cpu_seconds(lane.pid)
    counted = load.send(lane.port, seconds)
    used = cpu_seconds(lane.pid) - before
    if counted.requests < LEAST * case.connections:
        raise BenchError(
            f"{name} answered {counted.requests} requests in {seconds} s at {case.title}: too few "
            "for a figure."
        )
    turn = Turn(
        case=case.name,
        contender=name,
        round=number,
        cpu_us=used / counted.requests * 1e6,
        requests=counted.requests,
        requests_a_second=counted.requests / counted.seconds,
        p50_us=counted.p50,
        p99_us=counted.p99,
    )
    say(
        f"  round {number} {case.name:15} {name:12} {turn.cpu_us:9.1f} us CPU a request"
        f" ({turn.requests} requests, {turn.requests_a_second:.0f}/s)"
    )
    return turn
