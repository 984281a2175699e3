"""The samples are scripts that import each other by name: their directory goes on the path."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
sys.path.append(str(SAMPLES))  # last: a sample never hides an installed module


class Node:
    """A cart process with every carrier."""

    def __init__(self, name: str) -> None:
        self.name = name
        argv = [sys.executable, str(SAMPLES / "cart.py"), "--name", name]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        self.line = self.process.stdout.readline()  # ends with the process, if that fails
        self.url = self.line.split()[-1] if self.line else ""

    def stop(self) -> int:
        self.process.terminate()
        self.process.stdout.close()
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()


@pytest.fixture(scope="session")
def nodes():
    """Two cart processes."""
    both = [Node("b1"), Node("b2")]
    yield both
    assert [node.stop() for node in both] == [0, 0]
