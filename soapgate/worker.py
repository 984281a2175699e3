"""One worker: the program that a supervisor starts (`python -m soapgate.worker`), and its life.

It comes up with nothing but its inherited descriptors (`soapgate.supervisor` says which is which),
is told to begin over the channel and serves exchanges with the same parts as a gateway alone
(`soapgate.serving`). The rule: it decides nothing that concerns the others. Health and
administrative states are told to it, places at a backend are asked of the board, pins are in the
store that all share.

When the channel closes the supervisor is gone, well or not: it stops accepting at once, so that a
new gateway finds its ports free, lets running exchanges finish for `grace`, and ends.
"""

from __future__ import annotations

import signal
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, ensureDeferred
from twisted.internet.protocol import Factory
from twisted.internet.task import LoopingCall
from twisted.logger import Logger, globalLogBeginner, textFileLogObserver

from soapgate.config import Config
from soapgate.core.errors import SoapgateError
from soapgate.core.policies import POLICIES
from soapgate.core.pool import Member, Pool
from soapgate.edge import sharing
from soapgate.edge.board import Bells, Board
from soapgate.edge.channel import Last, Mark, Refused, WorkerEnd
from soapgate.edge.seats import SharedMember, SharedPool
from soapgate.edge.sharing import Clients, SharedFront
from soapgate.edge.totals import Counts, taken
from soapgate.edge.workers import CHANNEL_FD
from soapgate.serving import Serving, asked_of_clients, make_store, prepare
from soapgate.tables import read

_log = Logger("soapgate.worker")  # not __main__

LOOK_SECONDS = 0.5  # between two looks at the queues, should ever a bell not have been heard


class Worker:
    """A worker. `ended()` is called when there is nothing left to do."""

    def __init__(self, reactor: Any, ended: Any) -> None:
        self.channel = WorkerEnd(self, self.orphaned)
        self._reactor = reactor
        self._ended = ended
        self._pools: dict[str, SharedPool] = {}
        self._ports: list[Any] = []
        self._serving: Serving | None = None
        self._bell: _Bell | None = None
        self._finishing = self._through = False
        self._looking = LoopingCall(self._look)
        self._looking.clock = reactor

    # What it is told

    def begin(self, told: Any) -> Deferred[None]:
        """Serve; fires when it accepts. Refused if it cannot, and the process ends."""
        return ensureDeferred(self._begin(told))

    async def _begin(self, told: Any) -> None:
        try:
            await self._make(told)
        except (SoapgateError, Refused, OSError) as error:
            self._reactor.callLater(0, self._leave)  # when the answer is written
            raise Refused(str(error)) from None

    async def _make(self, told: Any) -> None:
        config = _config(told)
        number = told["number"]
        self._board = Board(told["board"], told["workers"], number)
        self._bells = Bells(told["bells"])
        self._store = make_store(config)
        self._serving = serving = Serving(
            self._reactor, config, self._store, _never, SharedFront, shared=True
        )
        clients = Clients(self._board)
        serving.front.clients = clients  # type: ignore[attr-defined]
        self.apply(told)
        asks = asked_of_clients(config)
        serving.start()
        self._looking.start(LOOK_SECONDS, now=False)
        self._bell = _Bell(self._bells, number, self._look)
        self._reactor.addReader(self._bell)
        for text, fd, family in told["listen"]:
            self._ports.append(
                await sharing.accept(self._reactor, text, fd, family, serving.front, clients, asks)
            )
        clients.accepting(True)

    def apply(self, told: Any) -> None:
        """Serve by this configuration from now on. Refused if it cannot."""
        serving = self._serving
        if serving is None:
            return
        try:
            prepared = prepare(_config(told))
        except SoapgateError as error:
            raise Refused(str(error)) from None
        config, states = prepared.config, told["states"]
        for name, one in config.pool.items():
            if name not in self._pools:
                self._pools[name] = SharedPool(name, self._board, self._bells, self._judge)
            self._pools[name].hold(states[name], one.backends(), POLICIES[one.policy], one.probe)
        for name in [name for name in self._pools if name not in config.pool]:
            del self._pools[name]
        serving.apply(prepared, self._pools)

    def states(self, pools: Any) -> None:
        """Take what the supervisor says of some backends."""
        for name, states in pools.items():
            if name in self._pools:
                self._pools[name].settle(states)

    def reopen(self) -> None:
        """Open the log anew."""
        if self._serving is not None:
            self._serving.reopen()

    def report(self) -> Counts:
        """What was counted so far."""
        if self._serving is None:
            return {}
        self._serving.count()
        return taken(self._serving.metrics)

    def finish(self, grace: float) -> None:
        """Accept no more, let running exchanges finish, say what was counted, end."""
        if self._serving is None:
            self._ended()
        elif not self._finishing:
            self._finishing = True
            ensureDeferred(self._finish(self._serving, grace)).addErrback(
                lambda failure: (_log.failure("it did not end well", failure), self._ended())
            )

    async def _finish(self, serving: Serving, grace: float) -> None:
        Clients(self._board).accepting(False)
        closing = [port.stopListening() for port in self._ports]
        drained = serving.drain(grace)
        await DeferredList([drained, *(one for one in closing if one is not None)])
        self._looking.stop()
        serving.end()
        self.channel.callRemote(Last, counts=taken(serving.metrics))
        if self._bell is not None:
            self._reactor.removeReader(self._bell)
        self._store.close()
        self._leave()

    def _leave(self) -> None:
        """End, when what was said last is out."""
        self._through = True
        if self.channel.transport is None:
            self._ended()
        else:
            self.channel.transport.loseConnection()

    def told_to_end(self) -> None:
        """SIGTERM for this very process: finish, and be replaced."""
        self.finish(self._serving.grace if self._serving is not None else 0.0)

    def orphaned(self) -> None:
        """The channel is closed: the supervisor is gone, or all is said."""
        if self._through:
            self._ended()
            return
        if not self._finishing:
            _log.warn("the supervisor is gone: finishing")
        self.told_to_end()

    # What it tells, and hears

    def _judge(self, pool: Pool, member: Member, ok: bool) -> None:
        assert isinstance(member, SharedMember)
        self.channel.callRemote(
            Mark, pool=pool.name, backend=member.name, row=member.row, ok=ok
        )  # fmt: skip

    def _look(self) -> None:
        """Somebody freed a place."""
        if self._serving is not None:
            self._serving.look()


class _Bell:
    """Reads this worker's eventfd in the reactor."""

    def __init__(self, bells: Bells, number: int, rung: Any) -> None:
        self._bells = bells
        self._number = number
        self._rung = rung

    def fileno(self) -> int:
        return self._bells.fds[self._number]

    def doRead(self) -> None:
        if self._bells.heard(self._number):
            self._rung()

    def connectionLost(self, reason: Any) -> None:
        """The reactor ends."""

    def logPrefix(self) -> str:
        return "bell"


def _config(told: Any) -> Config:
    return replace(read(told["tables"], "configuration"), base=Path(told["base"]))


def _never(pool: Pool, member: Member) -> None:
    """A shared member never flips by itself."""


def main(number: str) -> None:
    """The program. `number` is what it is called in the log."""
    from soapgate.edge.turn import install, run_for_good

    reactor = install()
    write = textFileLogObserver(sys.stderr)

    def log(event: Any) -> None:
        where = f"{event.get('log_namespace', '-')}#{event['log_level'].name}"
        write({**event, "log_system": f"worker {number} {where}"})

    globalLogBeginner.beginLoggingTo([log], redirectStandardIO=False)
    worker = Worker(reactor, reactor.stop)
    factory = Factory()
    factory.noisy = False
    factory.buildProtocol = lambda _: worker.channel  # type: ignore[method-assign]

    def ready() -> None:
        # of signals to the whole group, a terminal's or a service manager's, the supervisor tells
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: reactor.callFromThread(worker.told_to_end))
        reactor.adoptStreamConnection(CHANNEL_FD, socket.AF_UNIX, factory)

    reactor.callWhenRunning(ready)
    run_for_good(reactor)


if __name__ == "__main__":
    main(sys.argv[1])
