"""Memory: bytes of an idle connection, of an active exchange, of a pin.

Each is a difference: the proportional set size of the gateway's processes (PSS, from the kernel)
before and after there are N more of a thing, divided by N, in a few steps. That includes what the
allocator rounds up and what stays in its pools, which is what an operator pays; memory of the
kernel for the sockets is not in it.

* An idle connection has had one exchange and is kept open.
* An active exchange has sent its whole request; the backend has taken it and does not answer. It
  has a connection on either side.
* A pin is one that a request bound on sight; with LMDB the pages of the mapped file count, once.
"""

from __future__ import annotations

import contextlib
import http.client
import resource
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.cases import CASES, PATH, Case, backend_names, session_ids
from bench.contenders import Contender
from bench.envelopes import SERIAL
from bench.load import Load
from bench.processes import BenchError, Cores, memory_bytes
from bench.rounds import Pace
from bench.silent import Silent
from bench.stage import Lane, Say, gateway, staged

STEP = 300  # connections between two looks
FILES = 16_384  # open files that a gateway and we may need; as far as the system lets us
SECONDS = 30.0
More = Callable[[contextlib.ExitStack], None]  # makes STEP more, which live as long as the stack
THINGS = ("idle connection", "active exchange, 0.5 KB", "active exchange, 30 KB", "pin")


@dataclass(frozen=True, slots=True)
class Weight:
    """One step: what one more `thing` takes, in bytes, measured over `number` of them."""

    thing: str
    contender: str
    step: int
    number: int
    bytes: float


def run(
    contenders: Sequence[Contender], pace: Pace, directory: Path, cores: Cores, say: Say
) -> tuple[list[Weight], list[str]]:
    """Every step of everything, or a sentence for what failed. Leaves no process behind."""
    if not contenders:
        return [], []
    _lift_limit()
    try:
        return _everything(contenders, pace, directory, cores, say), []
    except (BenchError, OSError, http.client.HTTPException) as problem:
        say(f"bench: no memory: {problem}")
        return [], [f"no memory: {problem}"]


def _everything(
    contenders: Sequence[Contender], pace: Pace, directory: Path, cores: Cores, say: Say
) -> list[Weight]:
    weights: list[Weight] = []
    idle, small, large, pin = THINGS
    half = CASES["0.5k"]
    room = directory / "memory-idle"
    say(f"memory of an {idle}")
    with staged(half, contenders, room, cores, say) as lanes:
        for lane in lanes:
            weights += _idle(lane, idle, pace, say)
    for thing, case in ((small, half), (large, CASES["30k"])):
        say(f"memory of an {thing}")
        for contender in contenders:
            room = directory / f"memory-{case.name}-{contender.name}"
            room.mkdir()
            weights += _active(contender, case, thing, pace, room, cores, say)
    say(f"memory of a {pin}")
    room = directory / "memory-pin"
    with staged(half, contenders, room, cores, say) as lanes:
        for lane in lanes:
            weights += _pins(lane, pin, pace, room, cores, say)
    return weights


def _lift_limit() -> None:
    """Let us and what we start have as many open files as we may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def request(case: Case, session: str) -> bytes:
    """One request as it goes over the wire."""
    message = case.message(session)
    fields = "".join(f"{name}: {value}\r\n" for name, value in message.fields.items())
    head = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(message.body)}\r\n"
    return f"{head}{fields}\r\n".encode() + message.body


def _idle(lane: Lane, thing: str, pace: Pace, say: Say) -> list[Weight]:
    ids = session_ids("idle", STEP)

    def more(stack: contextlib.ExitStack) -> None:
        for session in ids:
            link = stack.enter_context(_connected(lane.port))
            link.sendall(request(lane.case, session))
            _read_reply(lane.contender.name, link)

    with contextlib.ExitStack() as first:
        more(first)  # what is made once and kept: pools, caches, pins
    return _steps(lane.contender.name, lane.pid, thing, pace, more, say)


def _active(
    contender: Contender,
    case: Case,
    thing: str,
    pace: Pace,
    room: Path,
    cores: Cores,
    say: Say,
) -> list[Weight]:
    ids = session_ids("active", STEP)
    with (
        Silent(backend_names(case.backends)) as silent,
        gateway(contender, case, room, silent.ports, cores) as lane,
    ):

        def more(stack: contextlib.ExitStack) -> None:
            before = silent.taken
            for session in ids:
                link = stack.enter_context(_connected(lane.port))
                link.sendall(request(case, session))
            if not silent.wait_for(before + STEP, SECONDS):
                raise BenchError(
                    f"{contender.name} has brought {silent.taken - before} of {STEP} requests "
                    f"to backends that do not answer, after {SECONDS:.0f} s."
                )

        return _steps(contender.name, lane.pid, thing, pace, more, say)


def _pins(lane: Lane, thing: str, pace: Pace, room: Path, cores: Cores, say: Say) -> list[Weight]:
    """Every request of the load brings an id that was never there."""
    fresh = f"{'f' * 24}{SERIAL}"
    envelope = lane.case.envelope
    case = replace(lane.case, endless=True, sessions=1, envelope=lambda _id: envelope(fresh))
    load = Load.prepare(case, room, cores.others)
    load.send(lane.port, pace.warm_up)
    weights = []
    for step in range(1, pace.rounds + 1):
        before = memory_bytes(lane.pid)
        number = load.send(lane.port, pace.seconds).requests
        grown = memory_bytes(lane.pid) - before
        weights.append(Weight(thing, lane.contender.name, step, number, grown / number))
        say(_words(weights[-1]))
    return weights


def _steps(name: str, pid: int, thing: str, pace: Pace, more: More, say: Say) -> list[Weight]:
    """Make STEP more, look, and again; all of them are let go at the end."""
    weights = []
    with contextlib.ExitStack() as stack:
        more(stack)  # the first of them make room for the others
        for step in range(1, pace.rounds + 1):
            before = memory_bytes(pid)
            more(stack)
            grown = memory_bytes(pid) - before
            weights.append(Weight(thing, name, step, STEP, grown / STEP))
            say(_words(weights[-1]))
    return weights


def _words(weight: Weight) -> str:
    return (
        f"  step {weight.step} {weight.contender:12} {weight.bytes:9.0f} bytes each, over "
        f"{weight.number}"
    )


def _connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=SECONDS)


def _read_reply(name: str, link: socket.socket) -> None:
    """Read one reply, to the end of its body. Raises BenchError unless its status is 200."""
    reply = http.client.HTTPResponse(link)
    reply.begin()
    reply.read()
    if reply.status != http.client.OK:
        raise BenchError(f"{name} answered {reply.status}.")
