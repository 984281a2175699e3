"""The gateways under test: one file each, one small value each.

A contender knows how to be started for a `Setting`, whether this machine has it and which cases
are nothing for it; it knows nothing of load, rounds or figures. Add one by writing its file and
naming it in `everybody.py`. Two variants of one program are two contenders: the table has a column
for each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.cases import Case


@dataclass(frozen=True, slots=True)
class Setting:
    """What a gateway is told: where to listen, before whom, for which case.

    certificate: a PEM file with certificate and key, if clients speak TLS.
    """

    directory: Path
    port: int
    backends: dict[str, int]
    case: Case
    certificate: Path | None = None


def _everything(_case: Case) -> str:
    return ""


def _nothing(_setting: Setting) -> None:
    return


def _here() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Contender:
    """One gateway. `command(setting)` writes its configuration and returns what to run.

    The command stays in the foreground, ends on SIGTERM and keeps the sessions of the case, unless
    `sticks` is False: then its figure is one of a plain proxy.
    packages: {program: Debian package}. version: a command that prints it.
    yardstick: the others are compared with it. cores: how many it can use.
    refuses(case): why the case is nothing for it; "" = it takes part.
    lacks(): why it cannot run on this machine, beyond its packages; "" = it can.
    fill(setting): puts the pins of the case into the running gateway, if they are not there yet.
    """

    name: str
    about: str
    packages: dict[str, str]
    version: tuple[str, ...]
    command: Callable[[Setting], list[str]]
    yardstick: bool = False
    sticks: bool = True
    cores: int = 1
    refuses: Callable[[Case], str] = _everything
    lacks: Callable[[], str] = _here
    fill: Callable[[Setting], None] = _nothing
