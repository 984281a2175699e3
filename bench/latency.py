"""Latency at half load: how long a request waits when soapgate is busy half of the time.

Half load is found, not guessed: soapgate is loaded in a closed loop first, and what every lane gets
is the rate at which its CPU a request keeps one core busy half of the time; or half of what it
answered in that loop, if that is less because somebody else uses its core as well. `direct`
is the same load without a gateway: what generator, backends and loopback take by themselves. If
they cannot hold the rate it is lowered until they can; the share of a core that each gateway was
busy stands beside its figures, so that nobody takes a lower load for half.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import open_loop
from bench.cases import Case
from bench.contenders import Contender
from bench.contenders.soapgate import SOAPGATE
from bench.load import Load
from bench.open_loop import Waited
from bench.processes import BenchError, Cores, cpu_seconds
from bench.rounds import Pace
from bench.stage import Lane, Say, canned, staged

CASES = ("0.5k", "30k")
DIRECT = "direct"
BUSY = 0.5  # the share of its core that a gateway at half load is busy
LOWER = 0.8  # each time the generator alone cannot hold the rate
TRIES = 8


@dataclass(frozen=True, slots=True)
class Wait:
    """One turn. `busy` is the share of one core that the gateway used; 0 for `direct`."""

    case: str
    contender: str
    round: int
    wanted_rate: int
    rate: float
    busy: float
    requests: int
    p50_us: float
    p99_us: float
    p999_us: float | None


def run(
    cases: Sequence[Case],
    contenders: Sequence[Contender],
    pace: Pace,
    directory: Path,
    cores: Cores,
    say: Say,
) -> tuple[list[Wait], list[str]]:
    """Every turn, in the order run, and a sentence for each case that failed. Leaves no process
    behind."""
    waits: list[Wait] = []
    failed: list[str] = []
    for case in cases:
        say(f"latency at half load, {case.title}")
        try:
            waits += _case(case, contenders, pace, directory, cores, say)
        except BenchError as problem:
            failed.append(f"no latency for {case.name}: {problem}")
            say(f"bench: {failed[-1]}")
    return waits, failed


def _case(
    case: Case, contenders: Sequence[Contender], pace: Pace, directory: Path, cores: Cores, say: Say
) -> list[Wait]:
    room = directory / f"latency-{case.name}"
    with contextlib.ExitStack() as stack:
        lanes = stack.enter_context(staged(case, contenders, room, cores, say))
        aside = room / DIRECT
        aside.mkdir()
        straight = next(iter(stack.enter_context(canned(case, aside, cores)).values()))
        return _turns(case, lanes, straight, pace, room, cores, say)


def _turns(
    case: Case, lanes: list[Lane], straight: int, pace: Pace, room: Path, cores: Cores, say: Say
) -> list[Wait]:
    ports = {DIRECT: straight, **{lane.contender.name: lane.port for lane in lanes}}
    targets = {
        name: open_loop.prepare(case, port, room / f"{name}.targets")
        for name, port in ports.items()
    }
    pids = {lane.contender.name: lane.pid for lane in lanes}
    rate = _half_load(case, lanes, pace, room, cores)
    rate = _held_alone(targets[DIRECT], rate, pace, cores, say)
    waits = []
    for number in range(1, pace.rounds + 1):
        for name, path in targets.items():
            before = cpu_seconds(pids[name]) if name in pids else 0.0
            found = open_loop.send(path, rate, pace.seconds, cores.others)
            used = cpu_seconds(pids[name]) - before if name in pids else 0.0
            _held(name, found, rate)
            waits.append(_wait(case, name, number, rate, found, used / pace.seconds))
            say(f"  round {number} {name:12} {_words(waits[-1])}")
    return waits


def _half_load(case: Case, lanes: list[Lane], pace: Pace, room: Path, cores: Cores) -> int:
    """Requests a second that are half of what soapgate (or, without it, the last lane) can do."""
    load = Load.prepare(case, room, cores.others)
    for lane in lanes:
        load.send(lane.port, pace.warm_up)
    measured = next((lane for lane in lanes if lane.contender is SOAPGATE), lanes[-1])
    before = cpu_seconds(measured.pid)
    counted = load.send(measured.port, pace.seconds)
    used = cpu_seconds(measured.pid) - before
    return max(1, round(BUSY * counted.requests / max(used, counted.seconds)))


def _held_alone(targets: Path, rate: int, pace: Pace, cores: Cores, say: Say) -> int:
    """The rate, or the highest one below it that the generator holds without a gateway."""
    for _try in range(TRIES):
        found = open_loop.send(targets, rate, pace.warm_up, cores.others)
        if found.held(rate):
            return rate
        say(f"  {rate}/s are too many for the load generator alone ({found.rate:.0f}/s); fewer")
        rate = max(1, round(rate * LOWER))
    raise BenchError(f"the load generator does not hold even {rate} requests a second.")


def _held(name: str, found: Waited, rate: int) -> None:
    if not found.held(rate):
        raise BenchError(
            f"{name} was to get {rate} requests a second and got {found.rate:.0f}; no figure."
        )


def _wait(case: Case, name: str, number: int, rate: int, found: Waited, busy: float) -> Wait:
    return Wait(
        case=case.name,
        contender=name,
        round=number,
        wanted_rate=rate,
        rate=found.rate,
        busy=busy,
        requests=found.requests,
        p50_us=found.p50_us,
        p99_us=found.p99_us,
        p999_us=found.p999_us,
    )


def _words(wait: Wait) -> str:
    last = f"{wait.p999_us:.0f}" if wait.p999_us is not None else "-"
    return (
        f"p50 {wait.p50_us:.0f} us, p99 {wait.p99_us:.0f}, p99.9 {last} at {wait.rate:.0f}/s, "
        f"{wait.busy:.0%} of a core"
    )
