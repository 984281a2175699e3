"""Several processes that accept on one socket: who listens, who accepts, and how it is spread.

The supervisor listens, by Twisted's own endpoints, so that every endpoint string means what it
always does (a unix socket is taken over and unlinked, a systemd socket adopted), and never accepts.
A worker inherits the descriptor and reads the same string for what surrounds the socket (TLS, a
PROXY header): `accept` gives Twisted's endpoint a reactor that adopts instead of binding.

The one rule: a worker takes one connection at a time, and waits a moment (`GIVES_WAY`) when it
has more than the worker that has least. All workers are woken by one connection, and whoever is
quickest would take all there are; connections of SOAP clients live long, so that is who would work
the whole day. With one socket for each (SO_REUSEPORT) the kernel spreads by a hash, evenly only
for many connections, and what waits in the socket of a worker that dies is lost.
docs/performance.rst has the figures.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Collection
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory

from soapgate.edge.board import CLIENTS, Board
from soapgate.edge.downstream import Downstream
from soapgate.edge.front import Front
from soapgate.edge.mutual import Asked, endpoint

GIVES_WAY = 0.004  # seconds: longer than any exchange holds up the loop of another worker
TAKEN = 0.001  # seconds after which a connection that still waited would have been read
_SYSTEMD = re.compile(r"((?:haproxy:)*)systemd:.*")


class Clients:
    """How many clients each worker has, on the board; who accepts has a 1 where others wait."""

    def __init__(self, board: Board) -> None:
        self._row = board.row(CLIENTS)

    def accepting(self, yes: bool) -> None:
        """Whether this worker takes connections."""
        self._row.waits[self._row.mine] = yes

    def note(self, count: int) -> None:
        """So many has this one."""
        self._row.counts[self._row.mine] = count

    @property
    def total(self) -> int:
        """Of all workers."""
        return self._row.inflight

    @property
    def more_than_others(self) -> bool:
        """Whether another worker that accepts has fewer."""
        counts, mine = self._row.counts, self._row.mine
        return any(yes and counts[one] < counts[mine] for one, yes in enumerate(self._row.waits))


class SharedFront(Front):
    """A worker's clients; `connections` bounds those of all workers together."""

    clients: Clients

    def use(self, times: Any, limits: Any, most: int, reads: Collection[bytes] = ()) -> None:
        super().use(times, limits, 0, reads)
        self._most = most

    def arrived(self, downstream: Downstream) -> bool:
        fits = super().arrived(downstream)
        self.clients.note(len(self.open))
        if self._most and self.clients.total > self._most:
            self._metrics.turned_away += 1
            return False
        return fits

    def left(self, downstream: Downstream) -> None:
        super().left(downstream)
        self.clients.note(len(self.open))


class _Fair:
    """Of a listening port: one connection at a time, and not before those who have fewer."""

    clients: Clients
    _waited = False

    def doRead(self) -> None:
        if self.clients.more_than_others and not self._waited:
            self._waited = True
            self.stopReading()  # type: ignore[attr-defined]
            self.reactor.callLater(GIVES_WAY, self._again)  # type: ignore[attr-defined]
            return
        self._waited = False
        self.numberAccepts = 1
        super().doRead()  # type: ignore[misc]

    def _again(self) -> None:
        if self.connected and not self.disconnecting:  # type: ignore[attr-defined]
            self.startReading()  # type: ignore[attr-defined]
            self.reactor.callLater(TAKEN, self._let_go)  # type: ignore[attr-defined]

    def _let_go(self) -> None:
        """Another took what was waited for; of the next one it is another's turn again."""
        self._waited = False


class SharedTCP(_Fair, tcp.Port):  # type: ignore[misc]
    """A TCP port that is not ours alone."""

    @classmethod
    def adopt(cls, reactor: Any, fd: int, family: int, factory: Any) -> SharedTCP:
        """Accept on the listening socket `fd`."""
        port: SharedTCP = cls._fromListeningDescriptor(reactor, fd, family, factory)
        return port


class SharedUNIX(_Fair, unix.Port):  # type: ignore[misc]
    """A UNIX port that is not ours alone: its path belongs to who bound it."""

    @classmethod
    def adopt(cls, reactor: Any, fd: int, family: int, factory: Any) -> SharedUNIX:
        """Accept on the listening socket `fd`."""
        port: SharedUNIX = cls._fromListeningDescriptor(reactor, fd, factory)
        return port

    def startListening(self) -> None:
        tcp._reservedFD.reserve()
        self.socket, self._preexistingSocket = self._preexistingSocket, None
        self._shouldShutdown = False
        self.factory.doStart()
        self.connected = True
        self.fileno = self.socket.fileno
        self.startReading()

    def connectionLost(self, reason: Any) -> None:
        tcp.Port.connectionLost(self, reason)


class _Adopting:
    """As much of a reactor as a server endpoint asks for, which binds nothing."""

    def __init__(self, reactor: Any, fd: int, family: int, clients: Clients) -> None:
        self._reactor = reactor
        self._fd = fd
        self._family = family
        self._clients = clients

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        kind = SharedUNIX if self._family == socket.AF_UNIX else SharedTCP
        shared = kind.adopt(self._reactor, self._fd, self._family, factory)
        shared.clients = self._clients
        shared.startListening()
        return shared

    def listenSSL(self, port: int, factory: Any, contextFactory: Any, **others: Any) -> Any:
        return self.listenTCP(port, TLSMemoryBIOFactory(contextFactory, False, factory))

    def listenUNIX(self, address: str, factory: Any, *rest: Any, **others: Any) -> Any:
        return self.listenTCP(0, factory)


async def listen(reactor: Any, text: str) -> Any:
    """Listen on the endpoint `text` and accept nothing; returns the port."""
    port = await serverFromString(reactor, text).listen(_Nobody())
    port.stopReading()  # in the same turn: nothing was accepted
    port._shouldShutdown = False  # shutdown(2) would end the socket for the workers as well
    return port


async def accept(
    reactor: Any,
    text: str,
    fd: int,
    family: int,
    factory: Any,
    clients: Clients,
    asks: Asked | None = None,
) -> Any:
    """Accept, for `factory`, on the listening socket `fd`, which was made by `text`; `asks`: what
    is asked of clients, with TLS. Returns the port, which does not close what others listen on."""
    # what systemd hands over is at hand already; the rest of the string says what surrounds it
    text = _SYSTEMD.sub(r"\1tcp:0", text)
    return await endpoint(_Adopting(reactor, fd, family, clients), text, asks).listen(factory)


class _Nobody(Factory):  # type: ignore[misc]
    """The supervisor accepts nothing."""

    noisy = False
