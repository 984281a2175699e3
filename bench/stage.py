"""The set-up of one case: canned backends, every contender before them, all checked.

Whoever measures gets gateways that are up, filled and proven to do their job, and gives back the
same: the check is repeated at the end, because a load may have unsettled what it measured. Nothing
that was started here survives the `with` block.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import backends, certificate
from bench.cases import Case, backend_names
from bench.checks import check
from bench.contenders import Contender, Setting
from bench.processes import Cores, free_ports, running

Say = Callable[[str], None]
Ports = dict[str, int]


@dataclass(frozen=True, slots=True)
class Lane:
    """One contender at one case, up and running: its process and where it listens."""

    case: Case
    contender: Contender
    pid: int
    port: int


@contextlib.contextmanager
def staged(
    case: Case, contenders: Sequence[Contender], room: Path, cores: Cores, say: Say
) -> Iterator[list[Lane]]:
    """Everybody who takes part in the case, in their order. Raises BenchError."""
    room.mkdir()
    pem = certificate.write(room / "certificate.pem") if case.tls else None
    with contextlib.ExitStack() as stack:
        ports = stack.enter_context(canned(case, room, cores))
        lanes = []
        for contender in contenders:
            if case.pins and contender.sticks:
                say(f"  {contender.name}: {case.pins} pins beforehand ...")
            lanes.append(stack.enter_context(gateway(contender, case, room, ports, cores, pem)))
        for lane in lanes:
            check(lane.contender, lane.port, case)
        yield lanes
        for lane in lanes:
            check(lane.contender, lane.port, case)


@contextlib.contextmanager
def canned(case: Case, room: Path, cores: Cores) -> Iterator[Ports]:
    """The backends of a case: {name: port}."""
    names = backend_names(case.backends)
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    command = backends.command(room, ports, case.size, case.reply)
    log = room / "backends.log"
    with running("nginx", command, cores=cores.others, ports=list(ports.values()), log=log):
        yield ports


@contextlib.contextmanager
def gateway(
    contender: Contender,
    case: Case,
    room: Path,
    ports: Ports,
    cores: Cores,
    pem: Path | None = None,
) -> Iterator[Lane]:
    """Start one contender in a directory of its own, and fill it."""
    directory = room / contender.name
    directory.mkdir()
    (port,) = free_ports(1)
    setting = Setting(directory, port, ports, case, pem)
    command = contender.command(setting)
    log = directory / "log"
    own = cores.first(contender.cores)
    with running(contender.name, command, cores=own, ports=[port], log=log) as pid:
        contender.fill(setting)
        yield Lane(case, contender, pid, port)
