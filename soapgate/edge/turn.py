"""The lean turn of the loop: an epoll reactor and a write that do less, and nothing else.

Twisted's epoll reactor wraps every event in a logging context, checks the descriptor and sorts
the event; `transport.write` waits for the next turn and costs two `epoll_ctl`. On a gateway's data
path both are most of the work. So a plain read event goes straight to `doRead`, and `send` tries
the socket at once when nothing waits before it. Everything else (errors, write events, TLS, what
the socket does not take) is left to Twisted: these are short cuts, never another way.

The alternative, asyncio or uvloop under Twisted, measured slower here.
"""

from __future__ import annotations

import contextlib
import errno
import time
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.interfaces import ITransport
from twisted.internet.main import CONNECTION_DONE
from twisted.logger import Logger

from soapgate.edge.splicing import PLAIN_TCP, Pipe, is_plain

_log = Logger()

TOGETHER = 16 * 1024  # bytes up to which a copy costs less than a call with two buffers


class LeanReactor(EPollReactor):  # type: ignore[misc]  # zope interfaces have no types
    """Twisted's epoll reactor with a short way for plain read events."""

    def __init__(self) -> None:
        super().__init__()
        self.pipe = Pipe()  # for long bodies; see `soapgate.edge.splicing`

    seconds = staticmethod(time.time)  # the parent's method calls the same, and is one call more

    def stop(self) -> None:
        """End; a second word (an impatient SIGTERM) adds nothing to the first."""
        if not self._stopped:
            super().stop()

    def mainLoop(self) -> None:
        """The parent's, but calls that are due are run when there are any, and not looked for
        after every event."""
        while self._started:
            try:
                self.runUntilCurrent()
                timeout = self.timeout() if self.running else 0
                self.doPoll(timeout)
                while self.running and not (self._stopped or self.threadCallQueue):
                    timeout = self.timeout()
                    if timeout == 0:  # None is for ever
                        break
                    self.doPoll(timeout)
            except Exception:
                _log.failure("a defect in the loop")

    def doPoll(self, timeout: float | None) -> None:
        """One turn: wait, then serve every event, as the parent does."""
        try:
            events = self._poller.poll(-1 if timeout is None else timeout, len(self._selectables))
        except OSError as error:
            if error.errno == errno.EINTR:
                return
            raise
        selectables = self._selectables
        read = self._POLL_IN
        for fd, event in events:
            selectable = selectables.get(fd)
            if selectable is None:
                continue  # closed by an earlier event of this turn
            if event == read and type(selectable) in PLAIN_TCP:
                try:
                    why = _read(selectable)
                except Exception as error:
                    _log.failure("reading from {selectable}", selectable=selectable)
                    why = error
                if why:
                    self._disconnectSelectable(selectable, why, True)
            else:
                self._doReadOrWrite(selectable, fd, event)

    doIteration = doPoll


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


def install() -> Any:
    """Make a `LeanReactor` the process's reactor and return it."""
    from twisted.internet.main import installReactor

    reactor = LeanReactor()
    installReactor(reactor)
    return reactor


def send_message(transport: Any, head: bytes, data: bytes, start: int) -> int:
    """Send `head` and what stands in `data` from `start` on; how many octets that is. A long body
    is not copied behind its head."""
    size = len(head) + len(data) - start
    if size <= TOGETHER:
        send(transport, head + data[start:])
        return size
    sent = 0
    if is_plain(transport):
        with memoryview(data) as view, contextlib.suppress(OSError):
            sent = transport.socket.sendmsg((head, view[start:]))
    if sent < size:  # a copy only of what the socket did not take
        transport.write(head[sent:] + data[start + max(0, sent - len(head)) :])
    return size


def send(transport: ITransport, data: bytes) -> None:
    """`transport.write(data)`, but on the socket at once when nothing waits before it.

    Only for plain TCP transports of Twisted's own; others take the ordinary way. An error of the
    socket is left for the transport to meet on its own."""
    if is_plain(transport):
        try:
            sent = transport.socket.send(data)
        except OSError:
            sent = 0
        if sent == len(data):
            return
        # a copy only of what the socket did not take
        data = data[sent:]
    transport.write(data)
