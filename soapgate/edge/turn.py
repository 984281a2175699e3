"""The lean turn of the loop: an epoll reactor that does less, and nothing else.

Twisted's epoll reactor wraps every event in a logging context, checks the descriptor and sorts the
event, and its transports make a buffer for every read. On a gateway's data path that is most of the
work. So what comes in on a `soapgate.edge.lines.Line` goes straight to it. Everything else (errors,
write events, TLS) is left to Twisted: a short cut, never another way.

The alternative, asyncio or uvloop under Twisted, measured slower here.
"""

from __future__ import annotations

import gc
import time
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.logger import Logger

from soapgate.edge.lines import Line
from soapgate.edge.splicing import Pipe

try:
    from soapgate.edge import _syscalls as syscalls
except ImportError:
    from soapgate.edge import syscalls  # type: ignore[no-redef]

_log = Logger()

NEVER = float("inf")


class LeanReactor(EPollReactor):  # type: ignore[misc]  # zope interfaces have no types
    """Twisted's epoll reactor with a short way for plain read events."""

    def __init__(self) -> None:
        super().__init__()
        self._sooner = False  # whether a call may be due before what the loop waits for
        self.lines: dict[int, Line] = {}  # what is read straight from its descriptor
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
        syscalls.turn(self, timeout, _log)

    doIteration = doPoll


def install() -> Any:
    """Make a `LeanReactor` the process's reactor and return it."""
    from twisted.internet.main import installReactor

    reactor = LeanReactor()
    installReactor(reactor)
    return reactor


def run_for_good(reactor: Any) -> None:
    """Run it until it is stopped. What is there by now stays as long as the process: the garbage
    collector need not look through it, which stops everything for some 50 ms each time."""
    gc.collect()
    gc.freeze()
    reactor.run()
