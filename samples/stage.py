"""The sample set-up as processes: two carts and a gateway before them, up and down in one `with`.

The one rule: whatever happens inside, nothing is left behind - no process, no directory. Each
process has a session of its own, so that a Ctrl-C at the terminal reaches only the program that
put the stage up; that one takes it down in order. Every wait has an end, and a wait that fails
says what the processes wrote last.

What is told here is the set-up, not the story: `demo.py` tells that. Threads that read pipes were
dropped for plain files: a file can be read again when something went wrong.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

HERE = Path(__file__).resolve().parent
CONFIG = HERE / "config" / "all.toml"
START = 30.0  # seconds to `ready`: a loaded machine imports Spyne in five
STOP = 10.0  # seconds from SIGTERM to the end, before SIGKILL
LOGGED = 10.0  # seconds until the gateway's log has the lines: it writes once a second
LOOK = 0.05  # seconds between two looks at a file
TAIL = 15  # lines of a process that a failure shows

Seen = TypeVar("Seen")


class StageError(Exception):
    """The stage cannot be put up, or something on it did not happen in time."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the gateway's log says of one exchange. `profile` is "" when no id decided."""

    service: str
    profile: str
    route: str
    reason: str
    backend: str
    status: int


class Child:
    """One process and the two files it writes to."""

    def __init__(self, name: str, argv: list[str], directory: Path) -> None:
        self.name = name
        self.out = directory / f"{name}.out"
        self.err = directory / f"{name}.err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=directory,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    def wait_for(self, pattern: str, file: Path) -> re.Match[str]:
        """The first match in what it wrote. Raises StageError when it ends or takes too long."""

        def look() -> re.Match[str] | None:
            ended = not self.running  # looked at before the file, or its last words are missed
            match = re.search(pattern, file.read_text(errors="replace"))
            if match is None and ended:
                raise StageError(f"{self.name} ended with status {self._process.returncode}")
            return match

        return wait(look, START, f"{self.name} is not ready")

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Ask it to end, insist after `STOP` seconds; its exit status, negative for a signal."""
        if self.running:
            self._process.terminate()
        try:
            return self._process.wait(STOP)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL

    def tail(self) -> str:
        """The last lines it wrote, as a block with its name."""
        lines = [f"--- {self.name} (pid {self._process.pid})"]
        for file in (self.out, self.err):
            lines += file.read_text(errors="replace").splitlines()[-TAIL:]
        return "\n".join(lines)


class Stage:
    """Two carts, `b1` and `b2`, and the gateway; a context manager.

    `url` is the gateway's address and `admin` its admin API's, both http://127.0.0.1:PORT/. A
    port of 0 stands for a free one. `config` is a file of `config/`, used with these addresses.
    Raises StageError when the gateway's port is taken or something does not come up.
    """

    def __init__(self, port: int = 0, admin_port: int = 0, config: Path = CONFIG) -> None:
        self._ports = (port, admin_port)
        self._config = config
        self._read = 0
        self.children: dict[str, Child] = {}
        self.url = self.admin = ""
        self.nodes: dict[str, str] = {}

    def __enter__(self) -> Stage:
        self.directory = Path(tempfile.mkdtemp(prefix="soapgate-demo-"))
        try:
            self._put_up()
        except StageError as error:
            tails = self.tails()
            self._take_down()
            raise StageError(f"{error}\n{tails}".rstrip()) from None
        except BaseException:
            self._take_down()
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        self._take_down()

    def exchanges(self, count: int) -> list[Exchange]:
        """The next `count` exchanges, in the order they ended: from the gateway's JSON log."""

        def look() -> list[str] | None:
            text = self.children["gateway"].out.read_text(errors="replace")
            lines = [line for line in text.split("\n")[:-1] if line.startswith("{")]
            return lines[self._read :] if len(lines) >= self._read + count else None

        lines = wait(look, LOGGED, f"the gateway's log has no {count} more lines")[:count]
        self._read += count
        return [read_exchange(line) for line in lines]

    def tails(self) -> str:
        """What every process wrote last."""
        return "\n".join(child.tail() for child in self.children.values())

    def _put_up(self) -> None:
        port, admin_port = (port or free_port() for port in self._ports)
        for taken in (port, admin_port):
            refuse_taken(taken)
        for name in ("b1", "b2"):
            argv = [sys.executable, str(HERE / "cart.py"), "--name", name]
            self.children[name] = Child(name, argv, self.directory)
        for name in ("b1", "b2"):
            child = self.children[name]
            self.nodes[name] = child.wait_for(rf"{name} ready (http://\S+)", child.out)[1]
        config = self.directory / "soapgate.toml"
        config.write_text(configure(self._config.read_text(), port, admin_port, self.nodes))
        argv = [sys.executable, "-m", "soapgate", "run", str(config)]
        gateway = self.children["gateway"] = Child("gateway", argv, self.directory)
        gateway.wait_for(r"\bready\b", gateway.err)
        self.url, self.admin = f"http://127.0.0.1:{port}/", f"http://127.0.0.1:{admin_port}/"

    def _take_down(self) -> None:
        for child in reversed(self.children.values()):
            child.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


def configure(text: str, port: int, admin_port: int, nodes: dict[str, str]) -> str:
    """A sample configuration with these addresses for its own. Raises StageError when it has not
    got each of the addresses just once."""
    addresses = {
        '"tcp:8080:interface=127.0.0.1"': f'"tcp:{port}:interface=127.0.0.1"',
        '"tcp:9900:interface=127.0.0.1"': f'"tcp:{admin_port}:interface=127.0.0.1"',
        '"http://127.0.0.1:9001"': f'"{nodes["b1"].rstrip("/")}"',
        '"http://127.0.0.1:9002"': f'"{nodes["b2"].rstrip("/")}"',
    }
    for old, new in addresses.items():
        if text.count(old) != 1:
            count = text.count(old)
            raise StageError(f"the configuration has {old} {count} times, wanted is once")
        text = text.replace(old, new)
    return text


def read_exchange(line: str) -> Exchange:
    """One line of the gateway's JSON log."""
    said = json.loads(line)
    texts = (said.get(name) or "" for name in ("service", "profile", "route", "reason", "backend"))
    return Exchange(*texts, status=said.get("status") or 0)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def refuse_taken(port: int) -> None:
    """Raise StageError when somebody listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise StageError(f"port {port} cannot be had: {error.strerror}") from None


def wait(look: Callable[[], Seen | None], seconds: float, otherwise: str) -> Seen:
    """What `look` sees, as soon as that is not None. Raises StageError after `seconds`."""
    until = time.monotonic() + seconds
    while (seen := look()) is None:
        if time.monotonic() > until:
            raise StageError(f"{otherwise} after {seconds:g} s")
        time.sleep(LOOK)
    return seen
