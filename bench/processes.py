"""Other programs: start one on chosen CPUs, wait until it accepts, read its CPU time, end it.

Everything started here is ended here, by its own process id, when the `with` block is left - also
by an error or an interrupt. Nothing is looked for or ended by name.
CPU time comes from the kernel's process clocks, which count nanoseconds and include threads that
have ended; `/proc/PID/stat` counts the same in steps of 10 ms.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 20.0  # an interpreter on a busy machine may need a few
END_SECONDS = 5.0


class BenchError(Exception):
    """The run cannot go on; the text is a sentence for whoever started it."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Who runs where: the gateway alone on its CPUs, load and backends on the others.

    On a machine with one CPU everybody shares it and `apart` is False.
    """

    gateway: frozenset[int]
    others: frozenset[int]

    @property
    def apart(self) -> bool:
        return not self.gateway & self.others

    def first(self, count: int) -> frozenset[int]:
        """Up to `count` CPUs of the gateway's: a process that can use one gets one."""
        return frozenset(sorted(self.gateway)[:count])

    @classmethod
    def of_this_machine(cls, wanted: int = 1) -> Cores:
        """With up to `wanted` CPUs for the gateway, half of them at most."""
        return cls.among(sorted(os.sched_getaffinity(0)), wanted)

    @classmethod
    def among(cls, cpus: Sequence[int], wanted: int = 1) -> Cores:
        if len(cpus) < 2:
            return cls(frozenset(cpus), frozenset(cpus))
        own = min(wanted, len(cpus) // 2)
        return cls(frozenset(cpus[:own]), frozenset(cpus[own:]))


@contextlib.contextmanager
def _on(cores: frozenset[int]) -> Iterator[None]:
    """A child takes its CPUs from its parent: borrow them for the moment of its start."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def running(
    name: str, command: Sequence[str], *, cores: frozenset[int], ports: Sequence[int], log: Path
) -> Iterator[int]:
    """The process id of `command`, once all its `ports` accept on loopback.

    Its output goes to `log`. Raises BenchError, with the end of that log, if it ends or does not
    accept within START_SECONDS.
    """
    with log.open("wb") as output, _on(cores):
        process = subprocess.Popen(
            _found(command), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_it_accepts(name, process, ports, log)
        yield process.pid
        if process.poll() is not None:
            raise BenchError(
                f"{name} ended during the run, status {process.returncode}.{tail(log)}"
            )
    finally:
        _end(process)


def finished(command: Sequence[str], *, cores: frozenset[int], seconds: float) -> str:
    """What a command that ends by itself wrote to its standard output.

    Raises BenchError if it fails or is not done after `seconds`.
    """
    with _on(cores):
        process = subprocess.Popen(
            _found(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    try:
        output, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise BenchError(f"{command[0]} was not done after {seconds:.0f} s.") from None
    finally:
        _end(process)
    if process.returncode:
        raise BenchError(f"{command[0]} failed: {errors.decode(errors='replace').strip()}")
    return output.decode(errors="replace")


def version(command: Sequence[str]) -> str:
    """The first line that a program says of itself, wherever it writes it."""
    done = subprocess.run(_found(command), capture_output=True, text=True, timeout=START_SECONDS)
    said = (done.stdout + done.stderr).strip()
    return said.split("\n", 1)[0]


def cpu_seconds(pid: int) -> float:
    """CPU seconds, user and system, that a process, all its threads and its children have used."""
    return sum(_clock(each) for each in _tree(pid))


def _clock(pid: int) -> float:
    # The kernel's number for the CPU clock of process PID, as clock_getcpuclockid(3) makes it.
    return time.clock_gettime((~pid << 3) | 2)


def memory_bytes(pid: int) -> int:
    """Proportional set size (PSS) of a process and its children: a page that several share counts
    in parts, so that the sum counts it once. Files that are mapped, LMDB's for one, count too."""
    return sum(_pss(each) for each in _tree(pid))


def _pss(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024


def _tree(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += _tree(int(child))
    return found


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def missing(packages: dict[str, str]) -> dict[str, str]:
    """Those programs of {program: Debian package} that are not installed."""
    return {program: name for program, name in packages.items() if not _which(program)}


def tail(log: Path, lines: int = 5) -> str:
    """The end of a log, indented for an error text; empty if there is none."""
    last = log.read_text(errors="replace").splitlines()[-lines:] if log.exists() else []
    return "".join(f"\n    {line}" for line in last)


def _which(program: str) -> str | None:
    # haproxy and nginx live in /usr/sbin, which is not on every user's PATH.
    # Go puts what it installs into the third.
    places = [os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin", str(Path.home() / "go/bin")]
    return shutil.which(program, path=os.pathsep.join(places))


def _found(command: Sequence[str]) -> list[str]:
    return [_which(command[0]) or command[0], *command[1:]]


def _wait_until_it_accepts(
    name: str, process: subprocess.Popen[bytes], ports: Sequence[int], log: Path
) -> None:
    deadline = time.monotonic() + START_SECONDS
    for port in ports:
        while not _accepts(port):
            if process.poll() is not None:
                raise BenchError(f"{name} does not start, status {process.returncode}.{tail(log)}")
            if time.monotonic() > deadline:
                raise BenchError(f"{name} does not accept on 127.0.0.1:{port}.{tail(log)}")
            time.sleep(0.05)


def _accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
