"""The life of the worker processes: they are started, told, asked, replaced when they die, ended.

A worker is a number from 0 and, one after the other, the processes that are it. Its states are
words: starting (told to begin, not yet accepting), serving, finishing, gone. The one rule: whatever
happens to a process, its number gets a new one, until the crew is told to finish; sooner or later,
for one that ends soon after its start (`STEADY`) is started again later each time. That is said in
the log at once, and by `reasons` while it lasts.

Processes are fresh interpreters, not forks: a forked reactor would share its epoll, its timers and
the LMDB environment with its parent. Nothing here knows what a worker does; `spawn` makes one, and
what it must know is made by `told`.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.error import ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import IProcessProtocol
from twisted.internet.protocol import Factory, ProcessProtocol
from twisted.logger import Logger
from twisted.protocols.amp import UnknownRemoteError
from twisted.python.failure import Failure
from zope.interface import implementer

from soapgate.core.errors import ConfigError, SoapgateError
from soapgate.edge.channel import (
    Apply,
    Begin,
    Finish,
    Refused,
    Reopen,
    Report,
    SupervisorEnd,
    Tell,
)

_log = Logger()

STATES = ("starting", "serving", "finishing", "gone")
ASKED = ("serving", "finishing")
STEADY = 10.0  # seconds that a worker must serve for its end to be no part of a series
FIRST_REST = 0.5  # seconds before the third start of a series; twice as long each time
LONGEST_REST = 30.0
SERIES = 3  # ends in a row that are reported as one that keeps ending
REPORT_SECONDS = 2.0  # after which a worker that does not answer is told of as it last was
SILENT = 5.0  # from when on that is a reason
POLL_SECONDS = 1.0  # how much a worker that is killed may have counted in vain
LINGERS = 5.0  # seconds that a process may take over the time it was given to end


class Process(Protocol):
    """What there is of a process: Twisted's IProcessTransport."""

    pid: int

    def signalProcess(self, signal: str) -> None: ...


# Starts the process of a worker: (number, its end of the channel, who hears how it ended).
Spawn = Callable[[int, SupervisorEnd, Callable[[str], None]], Process]


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """One worker as an operator sees it; `started` in seconds since the epoch."""

    number: int
    pid: int | None
    state: str
    started: float
    exchanges: int


class _Worker:
    """One number and its present process."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.state = "gone"
        self.pid: int | None = None
        self.started = 0.0
        self.served = 0.0  # since when it serves
        self.asked: float | None = None  # when it was, if it has not answered yet
        self.waiting: list[Deferred[None]] = []  # for its answer to the next question
        self.ends = 0  # in a row, each soon after its start
        self.counts: Mapping[str, Any] | None = None
        self.channel: SupervisorEnd | None = None
        self.process: Process | None = None
        self.timer: Any = None

    @property
    def name(self) -> str:
        return f"worker {self.number}"

    def to_kill(self) -> None:
        """It had its time."""
        if self.process is not None:
            with suppress(ProcessExitedAlready):
                self.process.signalProcess("KILL")


class Crew:
    """All workers of a gateway."""

    def __init__(
        self,
        reactor: Any,
        count: int,
        spawn: Spawn,
        told: Callable[[int], Mapping[str, Any]],
        marked: Callable[[str, str, int, bool], None],
        buried: Callable[[int, Mapping[str, Any] | None], None],
    ) -> None:
        """`told(number)`: what a worker must know to begin; `marked` as of `SupervisorEnd`;
        `buried(number, counts)`: a worker is gone, and that was the last it counted."""
        self.restarts = 0
        self._reactor = reactor
        self._spawn = spawn
        self._told = told
        self._marked = marked
        self._buried = buried
        self._workers = [_Worker(number) for number in range(count)]
        self._finishing = False
        self._begun: Deferred[None] | None = None
        self._ended: Deferred[None] | None = None

    # Life

    def start(self) -> Deferred[None]:
        """Start all; fires when all serve. A ConfigError if one of them ends before: nobody then
        knows that it ever could."""
        self._begun = begun = Deferred()
        for worker in self._workers:
            self._start(worker)
        return begun

    def _start(self, worker: _Worker) -> None:
        worker.timer = None
        worker.state = "starting"
        worker.started = self._reactor.seconds()
        worker.counts = worker.asked = None
        worker.channel = channel = SupervisorEnd(
            self._marked, partial(setattr, worker, "counts"), lambda: self._cut_off(worker, channel)
        )
        try:
            process = self._spawn(
                worker.number, channel, lambda how: self._over(worker, channel, how)
            )
        except (OSError, SoapgateError) as error:
            self._over(worker, channel, f"could not be started: {error}")
            return
        worker.process, worker.pid = process, process.pid
        begun = channel.callRemote(Begin, told=self._told(worker.number))
        begun.addCallbacks(
            lambda _: self._serves(worker, channel), self._refused, (), None, (worker,)
        )

    def _refused(self, failure: Failure, worker: _Worker) -> None:
        """It cannot begin; it ends by itself, unless it is broken."""
        if failure.check(Refused) and self._begun is not None:
            self._fail(str(failure.value))
        elif failure.check(UnknownRemoteError) and worker.state == "starting":
            _log.error("{name} did not begin: {why}", name=worker.name, why=failure.value)
            worker.to_kill()

    def _serves(self, worker: _Worker, channel: SupervisorEnd) -> None:
        if worker.channel is not channel or worker.state != "starting":
            return
        worker.state = "serving"
        worker.served = self._reactor.seconds()
        _log.info("{name} serves, pid {pid}", name=worker.name, pid=worker.pid)
        begun = self._begun
        if begun is not None and all(one.state == "serving" for one in self._workers):
            self._begun = None
            begun.callback(None)

    def _fail(self, why: str) -> None:
        begun, self._begun = self._begun, None
        if begun is not None:
            begun.errback(ConfigError([why]))

    def _cut_off(self, worker: _Worker, channel: SupervisorEnd) -> None:
        """Its channel is closed: it is about to end, or it is out of its mind."""
        if worker.channel is channel and worker.process is not None and worker.timer is None:
            worker.timer = self._reactor.callLater(LINGERS, worker.to_kill)

    def _over(self, worker: _Worker, channel: SupervisorEnd, how: str) -> None:
        """A process ended, and the system has told how."""
        if worker.channel is not channel:
            return
        served = self._reactor.seconds() - worker.served if worker.state != "starting" else 0.0
        asked = worker.state == "finishing"
        worker.state = "gone"
        worker.process = worker.channel = None
        worker.asked = None
        counts, worker.counts = worker.counts, None
        if worker.timer is not None:
            if worker.timer.active():
                worker.timer.cancel()
            worker.timer = None
        if channel.transport is not None:
            channel.transport.abortConnection()
        self._buried(worker.number, counts)
        waiting, worker.waiting = worker.waiting, []
        _answered(waiting)  # there will be no more
        if self._finishing:
            if not asked:
                _log.warn("{name} {how}", name=worker.name, how=how)
            self._one_less()
        elif self._begun is not None:
            self._fail(f"{worker.name} {how} before it could serve")
        else:
            self._replace(worker, how, served)

    def _replace(self, worker: _Worker, how: str, served: float) -> None:
        worker.ends = 1 if served >= STEADY else worker.ends + 1
        rest = 0.0
        if worker.ends > 1:
            rest = min(FIRST_REST * 2 ** (worker.ends - 2), LONGEST_REST)
        self.restarts += 1
        _log.error(
            "{name} (pid {pid}) {how}; it is started again in {rest:g} s{series}",
            name=worker.name, pid=worker.pid, how=how, rest=rest,
            series=f", after {worker.ends} ends in a row" if worker.ends > 1 else "",
        )  # fmt: skip
        worker.pid = None
        worker.timer = self._reactor.callLater(rest, self._start, worker)

    # What they are told

    def apply(self, told: Callable[[int], Mapping[str, Any]]) -> Deferred[Any]:
        """Tell all a new configuration; fires when it is in force in those that live. One that
        cannot take it is replaced."""

        def failed(failure: Failure, worker: _Worker, channel: SupervisorEnd) -> None:
            if worker.channel is channel and failure.check(Refused):
                _log.error("{name}: {why}", name=worker.name, why=failure.value)
                self._dismiss(worker, 0.0)

        answers = []
        for worker in self._workers:
            channel = worker.channel
            if channel is not None:
                answer = channel.callRemote(Apply, told=told(worker.number))
                answers.append(answer.addErrback(failed, worker, channel))
        return DeferredList(answers)

    def tell(self, pools: Mapping[str, Any]) -> None:
        """Tell all of administrative states and health: {pool: {backend: state}}."""
        self._all(Tell, pools=pools)

    def reopen(self) -> None:
        """Have all open their log file anew."""
        self._all(Reopen)

    def _all(self, command: Any, **arguments: Any) -> None:
        for worker in self._workers:
            if worker.channel is not None:
                worker.channel.callRemote(command, **arguments)

    def gather(self) -> Deferred[Any]:
        """Ask all what they counted; when this fires `counts` has what they had counted when it was
        called. Who does not answer in time is as it last was."""
        now = self._reactor.seconds()
        answers = [
            self._answer(worker)
            for worker in self._workers
            if worker.channel is not None
            and worker.state in ASKED
            and (worker.asked is None or now - worker.asked < REPORT_SECONDS)
        ]
        return DeferredList(answers) if answers else succeed(None)

    def _answer(self, worker: _Worker) -> Deferred[Any]:
        """Fires when it has answered a question that is asked from now on. One at a time: an answer
        that is under way may be older than what the caller knows of, so the next is waited for."""
        answered: Deferred[None] = Deferred()
        worker.waiting.append(answered)
        if worker.asked is None:
            self._ask(worker)
        # what comes later is taken all the same
        return answered.addTimeout(REPORT_SECONDS, self._reactor).addErrback(lambda _: None)

    def _ask(self, worker: _Worker) -> None:
        channel = worker.channel
        assert channel is not None
        worker.asked = self._reactor.seconds()
        waiting, worker.waiting = worker.waiting, []

        def came(answer: Any) -> None:
            if worker.channel is channel:
                worker.asked = None
                if not isinstance(answer, Failure):
                    worker.counts = answer["counts"]
                if worker.waiting:
                    self._ask(worker)
            _answered(waiting)

        channel.callRemote(Report).addBoth(came)

    @property
    def counts(self) -> list[Mapping[str, Any]]:
        """The last counts of those that live."""
        return [worker.counts for worker in self._workers if worker.counts is not None]

    @property
    def pids(self) -> list[int]:
        """Of the processes that live."""
        return [one.pid for one in self._workers if one.process is not None and one.pid is not None]

    def infos(self) -> list[WorkerInfo]:
        """The workers, as they are shown."""
        return [
            WorkerInfo(
                worker.number, worker.pid, worker.state, worker.started,
                sum(n for _, n in worker.counts["exchanges"]) if worker.counts else 0,
            )
            for worker in self._workers
        ]  # fmt: skip

    @property
    def serving(self) -> int:
        """How many serve."""
        return sum(worker.state == "serving" for worker in self._workers)

    def reasons(self) -> list[str]:
        """What is not well, a sentence each."""
        now = self._reactor.seconds()
        return [
            f"{one.name} ended {one.ends} times in a row soon after its start"
            for one in self._workers
            if one.ends >= SERIES and not (one.state == "serving" and now - one.served >= STEADY)
        ] + [
            f"{one.name} has not answered for {now - one.asked:.0f} s"
            for one in self._workers
            if one.asked is not None and now - one.asked >= SILENT
        ]

    # Its end

    def finish(self, grace: float) -> Deferred[None]:
        """Let all finish their exchanges, for `grace` seconds at most; fires when all are gone."""
        self._finishing = True
        self._ended = ended = Deferred()
        for worker in self._workers:
            if worker.channel is not None:
                self._dismiss(worker, grace)
            elif worker.timer is not None:
                worker.timer.cancel()
                worker.timer = None
        self._one_less()
        return ended

    def _dismiss(self, worker: _Worker, grace: float) -> None:
        begun, worker.state = worker.state != "starting", "finishing"
        if not begun:
            worker.to_kill()  # it has no exchanges
            return
        assert worker.channel is not None
        worker.channel.callRemote(Finish, grace=float(grace))
        if worker.timer is not None:
            worker.timer.cancel()
        worker.timer = self._reactor.callLater(grace + LINGERS, worker.to_kill)

    def _one_less(self) -> None:
        ended = self._ended
        if ended is not None and not any(worker.process for worker in self._workers):
            self._ended = None
            ended.callback(None)


def _answered(waiting: Sequence[Deferred[None]]) -> None:
    for one in waiting:
        one.callback(None)


@implementer(IProcessProtocol)
class _Told(ProcessProtocol):
    """Hears how a process ended."""

    def __init__(self, ended: Callable[[str], None]) -> None:
        self._ended = ended

    def processEnded(self, reason: Failure) -> None:
        self._ended(how_it_ended(reason))


def how_it_ended(reason: Failure) -> str:
    """ "ended by signal 9", "ended with status 1"."""
    if reason.check(ProcessTerminated) and reason.value.signal is not None:
        return f"was ended by signal {reason.value.signal}"
    return f"ended with status {getattr(reason.value, 'exitCode', None) or 0}"


CHANNEL_FD = 3  # in the worker; from the next on, what it inherits besides


def spawner(reactor: Any, module: str, inherited: Sequence[int]) -> Spawn:
    """A `Spawn` of real processes: `python -m module`, with standard output and error of ours, the
    channel as descriptor 3 and the `inherited` ones behind it."""
    # -P and our own path: the child must find what we found, wherever it is started
    arguments = [sys.executable, "-P", "-m", module]
    path = os.pathsep.join(map(os.path.abspath, sys.path))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LISTEN_")}
    environment["PYTHONPATH"] = path

    def spawn(number: int, end: SupervisorEnd, ended: Callable[[str], None]) -> Process:
        ours, theirs = socket.socketpair()
        with ours, theirs, open(os.devnull, "rb") as nothing:
            given = (theirs.fileno(), *inherited)
            fds = {0: nothing.fileno(), 1: 1, 2: 2, **dict(enumerate(given, CHANNEL_FD))}
            process: Process = reactor.spawnProcess(
                _Told(ended), sys.executable, [*arguments, str(number)], environment, childFDs=fds
            )
            ours.setblocking(False)
            factory = Factory()
            factory.noisy = False
            factory.buildProtocol = lambda _: end  # type: ignore[method-assign]
            reactor.adoptStreamConnection(ours.fileno(), socket.AF_UNIX, factory)
        return process

    return spawn
