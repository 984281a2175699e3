"""Active health: a TCP connection to every backend, again and again.

Each backend is tried once an interval; `Member.mark` counts the results and says when `rise` or
`fall` is reached. A backend starts up, as HAProxy has it: waiting for a first probe would refuse
every request of the first moments, and a dead backend is found by the first exchange anyway.

The one rule: a probe sends nothing. It connects and closes in order (FIN, not RST: simple servers
log a traceback for each reset), so it costs a backend an accept and can change no state there. A
backend with https is also only connected to. A backend in maint is left alone.

One timer a backend rather than one loop for all: a slow one then delays nobody, and rounds stay
spread. Nothing here knows pins or exchanges, or what a flip is good for: it calls `on_flip`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from twisted.internet import error
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from soapgate.core.pool import Member, Pool
from soapgate.edge.endpoints import backend_endpoint

log = Logger()

SPREAD = 0.01  # seconds between two first probes: 100 a second, less if an interval is too short
JITTER = 0.05  # of an interval, so that several gateways do not probe in step

OnFlip = Callable[[Pool, Member], None]


@dataclass(frozen=True, slots=True)
class Seen:
    """The last probe of a backend: what it found in a word or a sentence, when (seconds of the
    reactor, that is since the epoch) and after how many seconds."""

    ok: bool
    detail: str
    at: float
    seconds: float


class Probes:
    """Probes the members of pools and marks them.

    `reactor` gives time and connections, `on_flip(pool, member)` is called after a probe brought
    a member up or took it down (a mark of an exchange is its owner's to tell), `chance` gives
    numbers from 0 to 1 for the jitter.
    """

    def __init__(
        self, reactor: Any, on_flip: OnFlip, *, chance: Callable[[], float] = random.random
    ) -> None:
        self._reactor = reactor
        self._on_flip = on_flip
        self._chance = chance
        self._rounds: dict[tuple[str, str], _Round] = {}

    def watch(self, pools: Mapping[str, Pool]) -> None:
        """Probe the members of `pools` from now on and no others: at the start, after a reload,
        whenever members join or leave. Who is new is probed at once, many one after the other;
        who stays keeps its turn; who was replaced under its name counts as new."""
        wanted = {
            (pool.name, name): (pool, member)
            for pool in pools.values()
            for name, member in pool.members.items()
        }
        for key, running in list(self._rounds.items()):
            if key not in wanted or not running.serves(*wanted[key]):
                running.stop()
                del self._rounds[key]
        fresh = [key for key in wanted if key not in self._rounds]
        for turn, key in enumerate(fresh):
            pool, member = wanted[key]
            step = min(SPREAD, pool.health.interval / len(fresh))
            self._rounds[key] = _Round(
                self._reactor, pool, member, self._on_flip, self._chance, turn * step
            )

    def stop(self) -> None:
        """End every probe and timer; `watch` may start anew."""
        self.watch({})

    def last(self, pool: str, backend: str) -> Seen | None:
        """The last probe of a backend, None if there was none yet."""
        running = self._rounds.get((pool, backend))
        return running.seen if running else None


class _Round:
    """The probes of one member, one after the other."""

    def __init__(
        self,
        reactor: Any,
        pool: Pool,
        member: Member,
        on_flip: OnFlip,
        chance: Callable[[], float],
        delay: float,
    ) -> None:
        self.seen: Seen | None = None
        self._reactor = reactor
        self._pool = pool
        self._member = member
        self._on_flip = on_flip
        self._chance = chance
        self._began = 0.0
        self._dialling: Deferred[Any] | None = None
        self._timer: IDelayedCall | None = None
        self._stopped = False
        if delay:
            self._timer = reactor.callLater(delay, self._probe)
        else:
            self._probe()

    def serves(self, pool: Pool, member: Member) -> bool:
        """Whether this is the round of that very member."""
        return self._pool is pool and self._member is member

    def stop(self) -> None:
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._dialling is not None:
            self._dialling.cancel()

    def _probe(self) -> None:
        self._timer = None
        self._began = self._reactor.seconds()
        if self._member.admin == "maint":
            self._again()
            return
        backend, health = self._member.backend, self._pool.health
        dialling = backend_endpoint(self._reactor, backend, health.timeout).connect(_SILENT)
        dialling.addTimeout(self._pool.health.timeout, self._reactor)
        self._dialling = dialling
        dialling.addCallbacks(self._close, _say)
        dialling.addCallback(self._note)
        dialling.addErrback(self._defect)

    def _close(self, protocol: IProtocol) -> str:
        transport: Any = protocol.transport  # type: ignore[attr-defined]
        self._member.seen_at = getattr(transport.getPeer(), "host", "")
        transport.loseConnection()
        return ""

    def _note(self, detail: str) -> None:
        """Take a result: empty for a connection, else what stood against it."""
        self._dialling = None
        if self._stopped:
            return
        now = self._reactor.seconds()
        ok = not detail
        self.seen = Seen(ok, detail or "connected", now, now - self._began)
        self._again()  # first, so that nothing below can end the round
        # who went to maint meanwhile is nobody's business
        if self._member.admin != "maint" and self._member.mark(ok):
            self._on_flip(self._pool, self._member)

    def _defect(self, failure: Failure) -> None:
        log.failure(
            "a probe of {pool}/{backend} went wrong",
            failure,
            pool=self._pool.name,
            backend=self._member.name,
        )
        if not self._stopped and self._timer is None:
            self._again()

    def _again(self) -> None:
        interval = self._pool.health.interval * (1 + JITTER * (2 * self._chance() - 1))
        taken = self._reactor.seconds() - self._began
        self._timer = self._reactor.callLater(max(0.0, interval - taken), self._probe)


def _say(failure: Failure) -> str:
    """Why there was no connection; a failure that is no network's goes on as a defect."""
    if failure.check(error.TimeoutError, CancelledError, error.ConnectingCancelledError):
        return "timed out"
    if failure.check(error.ConnectionRefusedError):
        return "refused"
    if failure.check(error.DNSLookupError):
        return "the name has no address"
    failure.trap(error.ConnectError, OSError)
    return " ".join(failure.getErrorMessage().split()) or failure.type.__name__


_SILENT = Factory.forProtocol(Protocol)
_SILENT.noisy = False
