"""A gateway with two workers in memory: one loop each, channels in memory, sockets by name only.

house = House2(path, text, monkeypatch).start()
house.serve(0, post(), ok("s-1")); house.kill(1); house.gather(); house.flow(); house.stop()
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ends import Pair
from gate import _SILENT, FILE, Loop, Wire
from twisted.internet.defer import ensureDeferred, succeed

from soapgate import service, supervisor
from soapgate import worker as worker_program
from soapgate.config import load
from soapgate.edge import sharing
from soapgate.worker import Worker

TWO = FILE.replace('"memory:"', '"lmdb:pins"').replace("[gateway]", "[gateway]\nworkers = 2")


class _Port:
    """What the supervisor listens on, or a worker accepts on."""

    addressFamily = 2

    def __init__(self) -> None:
        self.closed = False

    def fileno(self) -> int:
        return 99

    def getHost(self) -> Any:
        return self

    host, port = "127.0.0.1", 8080

    def stopListening(self) -> Any:
        self.closed = True
        return succeed(None)


class _Loop(Loop):
    """A worker's; it has descriptors of its own."""

    def addReader(self, reader: Any) -> None:
        """A bell; the tests ring by `look`."""

    removeReader = addReader

    def stop(self) -> None:
        self.ended = True


class _Process:
    def __init__(
        self, pid: int, worker: Worker, pair: Pair, fds: list[int], ended: Callable[[str], None]
    ) -> None:
        self.pid, self.pair, self.ended = pid, pair, ended
        self._worker = worker
        self._fds = fds

    def signalProcess(self, signal: str) -> None:
        self._worker._through = True  # it does nothing any more
        if self._worker._serving is not None:
            self._worker._serving.end()
        self.is_over("was ended by signal 9")

    def is_over(self, how: str) -> None:
        """The system takes back what it had."""
        while self._fds:
            os.close(self._fds.pop())
        self.pair.cut()
        self.ended(how)


class _Store:
    """The one store of this process, which LMDB opens once; its owner closes it."""

    evicted = refused = 0

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def close(self) -> None:
        """Not ours."""


class House2:
    """A gateway of a file that says two workers."""

    def __init__(self, path: Path, text: str, monkeypatch: Any) -> None:
        path.write_text(text)
        self.path = path
        self.reactor = Loop()
        self.loops: list[Any] = [None, None]
        self.workers: list[Any] = [None, None]
        self.processes: list[Any] = [None, None]
        self.dialled = [0, 0]
        self.stopped = False
        self._stopping = False

        async def listen(reactor: Any, text: str) -> Any:
            return _Port()

        async def accept(*about: Any) -> Any:
            return _Port()

        monkeypatch.setattr(sharing, "listen", listen)
        monkeypatch.setattr(sharing, "accept", accept)
        monkeypatch.setattr(supervisor, "spawner", lambda *_: self._spawn)
        monkeypatch.setattr(worker_program, "make_store", lambda _: _Store(self.gateway.store))
        self.gateway = service.Gateway(self.reactor, load(path), path)
        self._inherited = [self.gateway.staff._board.fd, *self.gateway.staff._bells.fds]

    def _spawn(self, number: int, end: Any, ended: Callable[[str], None]) -> Any:
        loop = _Loop()
        loop.advance(self.reactor.seconds() - loop.seconds())
        worker = Worker(loop, loop.stop)
        begin = worker.begin
        # in a process of its own the descriptors have other numbers
        fds = [os.dup(fd) for fd in self._inherited]
        board, *bells = fds
        worker.begin = lambda told: begin({**told, "board": board, "bells": bells})
        pair = Pair(end, worker.channel)
        process = _Process(1000 + number, worker, pair, fds, ended)
        self.loops[number], self.workers[number] = loop, worker
        self.processes[number] = process
        self.dialled[number] = 0
        return process

    def start(self) -> House2:
        self.gateway.startService()
        done = ensureDeferred(self.gateway.listen())
        self.flow()
        assert done.called
        return self

    def flow(self) -> None:
        """Carry every message; see who has ended."""
        for _ in range(6):
            for process in self.processes:
                process.pair.flow()
        for number, process in enumerate(self.processes):
            if self.workers[number]._through:
                process.is_over("ended with status 0")

    def gather(self) -> None:
        done: list[Any] = []
        self.gateway.gather().addCallback(done.append)
        self.flow()
        assert done

    def client(self, number: int) -> Wire:
        return Wire(self.workers[number]._serving.front.buildProtocol(None))

    def backend(self, number: int) -> Wire:
        """The next connection that a worker dials."""
        host, _port, factory, *_ = self.loops[number].tcpClients[self.dialled[number]]
        assert getattr(factory, "_wrappedFactory", None) is not _SILENT
        self.dialled[number] += 1
        wire = Wire(factory.buildProtocol(None))
        wire.name = f"b{host[-1]}"
        return wire

    def serve(self, number: int, request: bytes, response: bytes) -> Wire:
        """One exchange on a connection of its own; the backend then closes its side."""
        self.client(number).says(request)
        backend = self.backend(number)
        assert backend.heard()
        backend.says(response)
        backend.abortConnection()
        self.flow()
        return backend

    def kill(self, number: int, *, again: bool = True) -> None:
        self.processes[number].signalProcess("KILL")
        if again:
            self.reactor.advance(0)
            self.flow()

    def begin_to_stop(self) -> None:
        if not self._stopping:
            self._stopping = True
            self.gateway.stopService().addCallback(lambda _: setattr(self, "stopped", True))
            self.flow()

    def stop(self) -> None:
        self.begin_to_stop()
        self.passes(40)

    def passes(self, seconds: float) -> None:
        for _ in range(int(seconds * 2)):
            self.reactor.advance(0.5)
            for loop in self.loops:
                loop.advance(0.5)
            self.flow()
