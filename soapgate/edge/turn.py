"""The lean turn of the loop: an epoll reactor and a write that do less, and nothing else.

Twisted's epoll reactor wraps every event in a logging context, checks the descriptor and sorts
the event; `transport.write` waits for the next turn and costs two `epoll_ctl`. On a gateway's data
path both are most of the work. So a plain read event goes straight to `doRead`, and `send` tries
the socket at once when nothing waits before it. Everything else (errors, write events, TLS, what
the socket does not take) is left to Twisted: these are short cuts, never another way.

The alternative, asyncio or uvloop under Twisted, measured slower here.
"""

from __future__ import annotations

import time
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.interfaces import ITransport
from twisted.logger import Logger

from soapgate.edge.splicing import PLAIN_TCP, Pipe, is_plain

try:
    from soapgate.edge import _syscalls as syscalls
except ImportError:
    from soapgate.edge import syscalls  # type: ignore[no-redef]

_log = Logger()

NEVER = float("inf")
TOGETHER = 16 * 1024  # bytes up to which a copy costs less than a call with two buffers


class LeanReactor(EPollReactor):  # type: ignore[misc]  # zope interfaces have no types
    """Twisted's epoll reactor with a short way for plain read events."""

    def __init__(self) -> None:
        super().__init__()
        self._sooner = False  # whether a call may be due before what the loop waits for
        self.pipe = Pipe()  # for long bodies; see `soapgate.edge.splicing`

    seconds = staticmethod(time.time)  # the parent's method calls the same, and is one call more

    def stop(self) -> None:
        """End; a second word (an impatient SIGTERM) adds nothing to the first."""
        if not self._stopped:
            super().stop()

    def callLater(self, *call: Any, **more: Any) -> Any:
        """As the parent's; the loop hears of it."""
        self._sooner = True
        return super().callLater(*call, **more)

    def _moveCallLaterSooner(self, call: Any) -> None:
        self._sooner = True
        super()._moveCallLaterSooner(call)

    def mainLoop(self) -> None:
        """The parent's, but calls that are due are run when there are any, and not looked for
        after every event."""
        while self._started:
            try:
                self.runUntilCurrent()
                self._sooner = False
                timeout = self.timeout() if self.running else 0
                due = NEVER if timeout is None else self.seconds() + timeout
                self.doPoll(timeout)
                while self.running and not (self._stopped or self._sooner or self.threadCallQueue):
                    left = due - self.seconds()
                    if left <= 0:
                        break
                    self.doPoll(left if left < NEVER else None)
            except Exception:
                _log.failure("a defect in the loop")

    def doPoll(self, timeout: float | None) -> None:
        """One turn: wait, then serve every event, as the parent does."""
        syscalls.turn(self, timeout, PLAIN_TCP, _log)

    doIteration = doPoll


def alive(transport: Any) -> bool:
    """Whether an idle connection of any kind is open, and nothing was said on it if that can be
    seen."""
    peer = getattr(transport, "socket", None)
    return peer is None or syscalls.alive(peer)


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
        sent = syscalls.send_two(transport.socket, head, data, start)
    if sent < size:  # a copy only of what the socket did not take
        transport.write(head[sent:] + data[start + max(0, sent - len(head)) :])
    return size


def send(transport: ITransport, data: bytes) -> None:
    """`transport.write(data)`, but on the socket at once when nothing waits before it.

    Only for plain TCP transports of Twisted's own; others take the ordinary way. An error of the
    socket is left for the transport to meet on its own."""
    if is_plain(transport):
        sent = syscalls.send(transport.socket, data)
        if sent == len(data):
            return
        # a copy only of what the socket did not take
        data = data[sent:]
    transport.write(data)
