"""No test runs on compiled modules that are out of date; `soapgate.compiled` sees that.

It also makes `support` importable: whole gateways in memory (`gate`, `crew`), the
command line (`commands`), certificates (`certs`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.logger import formatEvent, globalLogPublisher

from soapgate import compiled

if remark := compiled.remark():  # first of all: yesterday's build would be what is tested
    pytest.exit(f"no test was run: {remark}", returncode=4)
sys.path.append(str(Path(__file__).parent / "support"))

from commands import ask, good, message
from crew import TWO, House2
from gate import FILE, House

__all__ = ["ask", "good", "message"]  # fixtures of the command line


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Callable[..., House]]:
    houses: list[House] = []

    def make(text: str = FILE) -> House:
        houses.append(House(tmp_path / "gate.toml", text))
        return houses[-1]

    yield make
    for house in houses:
        if house.ended is None:
            house.stop()
        house.passes(40)
        assert house.ended is not None
        assert house.ended.called


@pytest.fixture
def house(build: Callable[..., House]) -> House:
    return build().start()


@pytest.fixture
def crewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House2]:
    """One with two workers."""
    made = House2(tmp_path / "gate.toml", TWO, monkeypatch).start()
    yield made
    made.stop()
    assert made.stopped


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What the gateway logs meanwhile, as text."""
    lines: list[str] = []

    def hear(event: Any) -> None:
        lines.append(formatEvent(event))

    globalLogPublisher.addObserver(hear)
    yield lines
    globalLogPublisher.removeObserver(hear)
