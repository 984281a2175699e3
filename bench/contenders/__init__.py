"""The gateways under test: one file each, one small value each.

A contender knows how to be started for a `Setting` and whether this machine has it; it knows
nothing of load, rounds or figures. Add one by writing its file and naming it here. Two variants of
one program are two contenders: the table has a column for each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Setting:
    """What a gateway is told: where to listen, before whom, how large a request may be."""

    directory: Path
    port: int
    backends: dict[str, int]
    body_bytes: int


@dataclass(frozen=True, slots=True)
class Contender:
    """One gateway. `command(setting)` writes its configuration and returns what to run.

    The command stays in the foreground, ends on SIGTERM and sticks on `shop:SessionId`.
    `packages` is {program: Debian package}; `version` a command that prints it. The others are
    compared with every `yardstick`.
    """

    name: str
    about: str
    packages: dict[str, str]
    version: tuple[str, ...]
    command: Callable[[Setting], list[str]]
    yardstick: bool = False
