"""The system calls of the data path, in plain Python; `_syscalls.pyx` is the same, compiled.

Of two hundred lines that an exchange runs these few cost most in Python: an object for each event,
a buffer for each read, an exception for each look at an idle connection. Everything that decides is
elsewhere (`soapgate.edge.turn`, `soapgate.edge.upstream`), so what stands twice, here and there, is
no more than the calls themselves; tests hold both against the same sockets.

They never block and never raise for what a socket says: an error is left for the transport to meet
on its own, for it knows what it means.
"""

from __future__ import annotations

import errno
import socket
from typing import Any

from twisted.internet.main import CONNECTION_DONE

_LOOK = int(socket.MSG_PEEK | socket.MSG_DONTWAIT)  # an int: the enum would be made each time


def alive(peer: socket.socket) -> bool:
    """Whether an idle connection is open and nothing was said on it."""
    try:
        peer.recv(1, _LOOK)
    except BlockingIOError:
        return True
    except (OSError, ValueError):
        return False
    return False


def send(peer: socket.socket, data: bytes) -> int:
    """How many octets of `data` the socket took."""
    try:
        return peer.send(data)
    except OSError:
        return 0


def send_two(peer: socket.socket, head: bytes, data: bytes, start: int) -> int:
    """How many octets the socket took of `head` and, behind it, of `data` from `start` on."""
    with memoryview(data) as view:
        try:
            return peer.sendmsg((head, view[start:]))
        except OSError:
            return 0


def turn(reactor: Any, timeout: float | None, plain: tuple[type, ...], log: Any) -> None:
    """Wait, and serve every event as Twisted's epoll reactor does; a read event of a transport that
    is of a `plain` type goes straight to its protocol. `timeout` in seconds, None for ever."""
    try:
        events = reactor._poller.poll(-1 if timeout is None else timeout, len(reactor._selectables))
    except OSError as error:
        if error.errno == errno.EINTR:
            return
        raise
    selectables = reactor._selectables
    readable = reactor._POLL_IN
    for fd, event in events:
        selectable = selectables.get(fd)
        if selectable is None:
            continue  # closed by an earlier event of this turn
        if event == readable and type(selectable) in plain:
            try:
                why = _read(selectable)
            except Exception as error:
                log.failure("reading from {selectable}", selectable=selectable)
                why = error
            if why:
                reactor._disconnectSelectable(selectable, why, True)
        else:
            reactor._doReadOrWrite(selectable, fd, event)


def _read(transport: Any) -> object:
    """`transport.doRead()` in one step where it is Twisted's own and all goes well."""
    if "doRead" in transport.__dict__:  # a body that is spliced, a connection that is aborted
        return transport.doRead()
    try:
        data = transport.socket.recv(transport.bufferSize)
    except OSError:
        return transport.doRead()  # it meets the same, and knows what it means
    if not data:
        return CONNECTION_DONE
    transport.protocol.dataReceived(data)
    return None
