"""The staff of a gateway with several workers: it supervises them and serves nothing itself.

    worker 0 ..N-1 (soapgate.worker)  <- AMP, the board, bells, listening sockets ->  this process

It holds what there must be once: the listening sockets, each backend's health and administrative
state, the counts of all. The rule: a worker can be lost at any moment and nothing is lost with it
but its exchanges and what it counted in the last second. So whatever a worker is told, its
successor is told as well, when it begins.

Workers take a new configuration where they are, as one process does: clients keep their
connections, known heads and shapes are kept, and no pin or listener is touched. Starting new ones
for each reload was dropped: the old would hold idle connections for as long as their clients like.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import LoopingCall

from soapgate.assembly import lifetimes_of
from soapgate.config import Config
from soapgate.core.pins import PinStore
from soapgate.core.pool import Member, Pool
from soapgate.edge import sharing
from soapgate.edge.board import Bells, Board, make_board
from soapgate.edge.metrics import Metrics
from soapgate.edge.seats import Allotment, SeenMember, SeenPool
from soapgate.edge.totals import add, taken
from soapgate.edge.workers import (
    CHANNEL_FD,
    POLL_SECONDS,
    Crew,
    Spawn,
    WorkerInfo,
    spawner,
)
from soapgate.serving import Prepared, asked_of_clients

MODULE = "soapgate.worker"


class Supervisor:
    """A `Staff` of worker processes."""

    def __init__(
        self,
        reactor: Any,
        config: Config,
        store: PinStore,
        flipped: Any,
        spawn: Spawn | None = None,
    ) -> None:
        """`flipped(pool, member)` hears of backends that exchanges of a worker took down or
        brought up; `spawn` starts a process, left out real ones. Raises ConfigError for what no
        worker could begin with."""
        asked_of_clients(config)
        self.own = Metrics()
        self.own.store = store
        self.own.workers = 0
        self._reactor = reactor
        self._config = config
        self._flipped = flipped
        self._spawn = spawn
        self._count = count = config.processes
        self._board = Board(make_board(count), count)
        self._bells = Bells.make(count)
        self._rows = Allotment(self._board)
        self._pools: Mapping[str, Pool] = {}
        self._ports: Sequence[tuple[str, Any]] = ()
        self._gone = Metrics()  # counts of workers that are no more
        self.metrics = Metrics()
        self._crew: Crew | None = None
        self._polling = LoopingCall(self.gather)
        self._polling.clock = reactor

    # The configuration

    def make_pool(self, *about: Any) -> Pool:
        """A pool whose members count on the board and whose health is decided here."""
        return SeenPool(self._rows.allot, self._tell, *about)

    def apply(self, prepared: Prepared, pools: Mapping[str, Pool]) -> Deferred[Any]:
        """Tell the workers; fires when they serve by it."""
        self._config = config = prepared.config
        self._pools = pools
        self._rows.keep(pools.values())
        for metrics in (self.own, self._gone):
            metrics.reconcile(config.service, pools, lifetimes_of(config))
        self._sum()
        return succeed(None) if self._crew is None else self._crew.apply(self._told)

    def _told(self, number: int) -> dict[str, Any]:
        """All that worker `number` must know."""
        bells = CHANNEL_FD + 2
        listeners = bells + self._count
        return {
            "tables": self._config.tables,
            "base": os.path.abspath(self._config.base),
            "states": {name: _states(pool.members) for name, pool in self._pools.items()},
            "number": number,
            "workers": self._count,
            "board": CHANNEL_FD + 1,
            "bells": list(range(bells, listeners)),
            "listen": [
                (text, fd, int(port.addressFamily))
                for fd, (text, port) in enumerate(self._ports, listeners)
            ],
        }

    def _tell(self, pool: Pool, member: Member) -> None:
        if self._crew is not None:
            self._crew.tell({pool.name: _states({member.name: member})})

    def _marked(self, pool: str, backend: str, row: int, ok: bool) -> None:
        """An exchange of a worker says something of a backend."""
        owner = self._pools.get(pool)
        member = owner.members.get(backend) if owner is not None else None
        if isinstance(member, SeenMember) and member.row == row and member.mark(ok):
            self._flipped(owner, member)

    # Life

    async def listen(self, text: str) -> Any:
        """Listen, and leave it to the workers to accept."""
        return await sharing.listen(self._reactor, text)

    async def begin(self, ports: Sequence[tuple[str, Any]]) -> None:
        """Start the workers; ends when all accept. ConfigError if one cannot."""
        self._ports = ports
        inherited = [self._board.fd, *self._bells.fds, *(port.fileno() for _, port in ports)]
        spawn = self._spawn or spawner(self._reactor, MODULE, inherited)
        self._crew = Crew(
            self._reactor, self._count, spawn, self._told, self._marked, self._bury
        )  # fmt: skip
        await self._crew.start()
        await self.gather()

    def start(self) -> None:
        """Ask for counts, now and then."""
        self._polling.start(POLL_SECONDS, now=False)

    def reopen(self) -> None:
        """Have the workers open their logs anew."""
        if self._crew is not None:
            self._crew.reopen()

    def _bury(self, number: int, counts: Mapping[str, Any] | None) -> None:
        if counts is not None:
            add(self._gone, counts, gone=True)
        self._board.wipe(number)
        self._bells.ring(range(self._count))  # its places are free

    def drain(self, grace: float) -> Deferred[None]:
        """Let the workers finish; fires when they are gone."""
        return succeed(None) if self._crew is None else self._crew.finish(grace)

    def end(self) -> None:
        """Ask nobody any more."""
        if self._polling.running:
            self._polling.stop()
        self._bells.close()
        os.close(self._board.fd)

    # What the admin side asks

    def gather(self) -> Deferred[Any]:
        """Ask the workers for their counts and add them up."""
        if self._crew is None:
            return succeed(None)
        return self._crew.gather().addCallback(lambda _: self._sum())

    def _sum(self) -> None:
        crew = self._crew
        total = Metrics(self._config.service, self._pools)
        total.workers = 0
        total.pins = self.own.pins
        if crew is not None:
            total.pids = lambda: ("self", *crew.pids)
            self.own.worker_restarts = crew.restarts
        for counts in (taken(self.own), taken(self._gone)):
            add(total, counts, gone=True)
        for counts in crew.counts if crew is not None else ():
            add(total, counts)
        self.metrics = total

    def workers(self) -> list[WorkerInfo]:
        """The processes that serve."""
        return self._crew.infos() if self._crew is not None else []

    def hindered(self) -> list[str]:
        """Nobody may be there to serve."""
        return [] if self._crew is not None and self._crew.serving else ["no worker is serving"]

    def ailing(self) -> list[str]:
        """Workers that keep ending."""
        return self._crew.reasons() if self._crew is not None else []


def _states(members: Mapping[str, Member]) -> dict[str, Any]:
    return {name: one.state for name, one in members.items() if isinstance(one, SeenMember)}
