"""The system calls of the data path, in plain Python; `_syscalls.pyx` is the same, compiled.

Of two hundred lines that an exchange runs these few cost most in Python: an object for each event,
a buffer for each read, an exception for each look at an idle connection. Everything that decides is
elsewhere (`soapgate.edge.lines`, `soapgate.edge.turn`), so what stands twice, here and there, is no
more than the calls themselves; tests hold both against the same sockets.

They take descriptors, never block, and never raise for what a socket says: an error is left for the
transport to meet on its own, for it knows what it means.
"""

from __future__ import annotations

import errno
import os
import select
from typing import Any

from twisted.internet.main import CONNECTION_DONE

_SPLICE = getattr(os, "SPLICE_F_MOVE", 0) | getattr(os, "SPLICE_F_NONBLOCK", 0)


def alive(fd: int) -> bool:
    """Whether an idle connection is open and nothing was said on it."""
    look = select.poll()
    try:
        look.register(fd, select.POLLIN)
        return not look.poll(0)
    except (OSError, ValueError):
        return False


def send(fd: int, data: bytes) -> int:
    """How many octets of `data` the socket took."""
    try:
        return os.write(fd, data)
    except OSError:
        return 0


def send_parts(fd: int, one: bytes, two: bytes, data: bytes, start: int, more: bool) -> int:
    """How many octets the socket took of `one`, `two` and, behind them, of `data` from `start` on.
    `more`: the next octets follow at once, so a packet need not end here."""
    with memoryview(data) as view:
        try:
            return os.writev(fd, (one, two, view[start:]))
        except OSError:
            return 0


def splice(source: int, target: int, most: int) -> int:
    """How many octets, at most so many, went from one descriptor to another, of which one is a
    pipe; -1 where the kernel says no, to be met by reading."""
    try:
        return os.splice(source, target, most, flags=_SPLICE)
    except (OSError, AttributeError):
        return -1


def turn(reactor: Any, timeout: float | None, log: Any) -> None:
    """Wait, and serve every event as Twisted's epoll reactor does; what comes in on one of the
    reactor's `lines` goes straight to it. `timeout` in seconds, None for ever."""
    try:
        events = reactor._poller.poll(-1 if timeout is None else timeout, len(reactor._selectables))
    except OSError as error:
        if error.errno == errno.EINTR:
            return
        raise
    selectables = reactor._selectables
    lines = reactor.lines
    readable = reactor._POLL_IN
    for fd, event in events:
        selectable = selectables.get(fd)
        if selectable is None:
            continue  # closed by an earlier event of this turn
        line = lines.get(fd) if event == readable else None
        if line is None:
            reactor._doReadOrWrite(selectable, fd, event)
            continue
        try:
            why = _read(line, selectable)
        except Exception as error:
            log.failure("reading from {selectable}", selectable=selectable)
            why = error
        if why:
            reactor._disconnectSelectable(selectable, why, True)


def _read(line: Any, transport: Any) -> object:
    """`transport.doRead()` in one step where all goes well."""
    if line.detour is not None:
        return line.detour.read()
    try:
        data = os.read(line.fd, line.most)
    except OSError:
        return transport.doRead()  # it meets the same, and knows what it means
    if not data:
        return CONNECTION_DONE
    line.heard(data)
    return None
