"""Foreign SOAP stacks through a gateway: the nodes behind it, the relay before it.

The nodes live as long as the session, gateways as long as a test: which node a gateway chooses
first is its own affair, and what it has pinned belongs to one test.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from stacks import ROOT  # noqa: E402  # it lies beside this file
from wire import WAIT, wait_for  # noqa: E402


class Node:
    """A process that says `NAME ready URL` on stdout once it serves."""

    def __init__(self, name: str, argv: Sequence[str], directory: Path) -> None:
        self.name = name
        self._out, self._err = directory / f"{name}.out", directory / f"{name}.err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    def ready(self) -> Node:
        """Wait until it serves."""

        def look() -> list[str]:
            assert self._process.poll() is None, f"{self.name} ended\n{self._err.read_text()}"
            lines = self._out.read_text().splitlines()
            return [line for line in lines if line.startswith(f"{self.name} ready ")]

        line = wait_for(look, f"{self.name} ready", 4 * WAIT)[0]
        self.url = line.split()[2].rstrip("/")
        return self

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(WAIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def nodes_of(
    argv: Sequence[str], directory: Path, names: Sequence[str] = ("b1", "b2")
) -> Iterator[list[Node]]:
    """Nodes of these names, started at once; `{name}` in a word of `argv` stands for the name."""
    with ExitStack() as stack:
        nodes = []
        for name in names:
            nodes.append(Node(name, [word.replace("{name}", name) for word in argv], directory))
            stack.callback(nodes[-1].stop)
        yield [node.ready() for node in nodes]


@pytest.fixture(scope="session")
def carts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    """Two of the sample's Spyne nodes."""
    argv = [sys.executable, str(ROOT / "samples" / "cart.py"), "--name", "{name}"]
    yield from nodes_of(argv, tmp_path_factory.mktemp("carts"))
