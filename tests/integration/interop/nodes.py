"""The nodes behind a gateway, as processes, and the configuration of the gateway before them.

The one rule: a node holds its sessions in memory and answers a stranger's id with a fault. So a
test that passes proves stickiness and nothing else, and needs no look into a node.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from live import LOCAL, toml
from wire import WAIT, wait_for


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


def settings(nodes: Sequence[Node], sessions: Sequence[str], **tables: Mapping[str, object]) -> str:
    """The configuration of a gateway before these nodes, with these profiles; `tables` adds to
    the usual ones, `_` in a name standing for a dot."""
    gateway = {"listen": [LOCAL], "admin": LOCAL, "pins": "memory:", "log": "json"}
    return toml(
        {
            "gateway": gateway | {"log_to": "access.log"},
            **{name.replace("_", "."): table for name, table in tables.items()},
            "pool.nodes": {"backend": [{"name": one.name, "url": one.url} for one in nodes]},
            "service.shop": {"pool": "nodes", "sessions": list(sessions)},
        }
    )
