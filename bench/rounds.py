"""The run: for each case start everybody, check, warm up, then let the contenders take turns.

All contenders of a case run side by side and one at a time has work, so an idle one costs its
neighbours nothing. Turns alternate (A B A B ...): what else the machine does meanwhile hits all of
them, and each round gives one ratio. CPU is read right before and after the load; requests that
were still under way when wrk stopped are at most its connections, and are not counted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import backends
from bench.cases import SESSIONS, Case, session_ids
from bench.checks import check_stickiness
from bench.contenders import Contender, Setting
from bench.load import Load
from bench.processes import BenchError, Cores, cpu_seconds, free_ports, running

LEAST_REQUESTS = 100  # fewer in one turn make no figure


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run: rounds and seconds a turn, seconds of warm-up before the first."""

    cases: tuple[Case, ...]
    contenders: tuple[Contender, ...]
    rounds: int
    seconds: int
    warm_up: int


@dataclass(frozen=True, slots=True)
class Turn:
    """One contender, one case, one round. `cpu_us` is CPU microseconds a request."""

    case: str
    contender: str
    round: int
    cpu_us: float
    requests: int
    requests_a_second: float
    p50_us: int
    p99_us: int


def run(plan: Plan, directory: Path, cores: Cores, say: Callable[[str], None]) -> list[Turn]:
    """Every turn of the plan, in the order run. Raises BenchError; leaves no process behind."""
    turns: list[Turn] = []
    for case in plan.cases:
        room = directory / case.name
        room.mkdir()
        say(f"{case.title}: {case.size} bytes a request, {case.connections} connections")
        turns += _run_case(plan, case, room, cores, say)
    return turns


def _run_case(
    plan: Plan, case: Case, room: Path, cores: Cores, say: Callable[[str], None]
) -> list[Turn]:
    ids = session_ids(f"load {case.name}", SESSIONS)
    load = Load.prepare(case, ids, room, cores.others)
    with contextlib.ExitStack() as stack:
        ports = dict(zip(backends.NAMES, free_ports(len(backends.NAMES)), strict=True))
        stack.enter_context(_backends(case, room, ports, cores))
        started = [
            (contender, *stack.enter_context(_gateway(contender, case, room, ports, cores)))
            for contender in plan.contenders
        ]
        for contender, _pid, port in started:
            check_stickiness(contender.name, port, case)
            load.send(port, plan.warm_up)  # binds every id of the load, fills caches and pools
        turns = []
        for number in range(1, plan.rounds + 1):
            for contender, pid, port in started:
                turn = _measure(contender, case, number, pid, port, load, plan.seconds)
                turns.append(turn)
                say(
                    f"  round {number} {contender.name:12} {turn.cpu_us:9.1f} us CPU a request"
                    f" ({turn.requests} requests, {turn.requests_a_second:.0f}/s)"
                )
        for contender, _pid, port in started:
            check_stickiness(contender.name, port, case)  # the load has not unsettled it
    return turns


def _measure(
    contender: Contender, case: Case, number: int, pid: int, port: int, load: Load, seconds: int
) -> Turn:
    before = cpu_seconds(pid)
    counted = load.send(port, seconds)
    used = cpu_seconds(pid) - before
    if counted.requests < LEAST_REQUESTS:
        raise BenchError(
            f"{contender.name} answered {counted.requests} requests in {seconds} s at "
            f"{case.title}: too few for a figure."
        )
    return Turn(
        case=case.name,
        contender=contender.name,
        round=number,
        cpu_us=used / counted.requests * 1e6,
        requests=counted.requests,
        requests_a_second=counted.requests / counted.seconds,
        p50_us=counted.p50,
        p99_us=counted.p99,
    )


def _backends(
    case: Case, room: Path, ports: dict[str, int], cores: Cores
) -> contextlib.AbstractContextManager[int]:
    command = backends.command(room, ports, case.size)
    log = room / "backends.log"
    return running("nginx", command, cores=cores.others, ports=list(ports.values()), log=log)


@contextlib.contextmanager
def _gateway(
    contender: Contender, case: Case, room: Path, ports: dict[str, int], cores: Cores
) -> Iterator[tuple[int, int]]:
    """Start one contender in a directory of its own: its process id and the port it listens on."""
    directory = room / contender.name
    directory.mkdir()
    (port,) = free_ports(1)
    command = contender.command(Setting(directory, port, ports, case.size))
    log = directory / "log"
    with running(contender.name, command, cores=cores.gateway, ports=[port], log=log) as pid:
        yield pid, port
