"""A whole gateway in memory: its file, its clock, its clients and its backends.

house = House(path).start()          # path: where its file is written
client = house.client()
backend = house.serve(client, post(), ok("s-1"))
client.heard(); house.log; house.passes(2); house.reload(text); house.stop()
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.error import CannotListenError, ConnectionDone, ConnectionLost
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from soapgate.config import load
from soapgate.edge.health import _SILENT
from soapgate.service import Gateway

FILE = """
[gateway]
listen = "tcp:8080"
admin = "tcp:9900:interface=127.0.0.1"
pins = "memory:"
log_to = "exchanges.log"

[namespaces]
shop = "urn:example:shop"

[pool.shop]
backend = [
    { name = "b1", url = "http://10.0.0.1:80" },
    { name = "b2", url = "http://10.0.0.2:80" },
]

[service.shop]
pool = "shop"
sessions = ["shop"]

[profile.shop]
lookup = ["Header/shop:Session/@id"]
learn = ["Header/shop:Session/@id"]
"""
ENVELOPE = (
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:s="urn:example:shop">'
    '<e:Header><s:Session id="%s"/></e:Header><e:Body><s:add/></e:Body></e:Envelope>'
)


def post(session: str = "", path: str = "/shop") -> bytes:
    body = (ENVELOPE % session).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: gate\r\nContent-Type: text/xml\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body


def ok(session: str = "", *fields: bytes) -> bytes:
    body = (ENVELOPE % session).encode()
    lines = [b"HTTP/1.1 200 OK", b"Content-Type: text/xml", *fields]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(body), b"", body])


class Port:
    """What a listener is; closes when told, at once or when the test lets it."""

    def __init__(self, host: IPv4Address, order: list[str]) -> None:
        self.host = host
        self.order = order
        self.closing: Deferred[None] | None = None

    def getHost(self) -> IPv4Address:
        return self.host

    def stopListening(self) -> Deferred[None]:
        self.order.append(f"closed {self.host.port}")
        return self.closing or succeed(None)


class Loop(MemoryReactorClock):
    """A reactor that remembers what was closed when."""

    def __init__(self) -> None:
        super().__init__()
        self.advance(1_000_000.0)
        self.order: list[str] = []
        self.ports: dict[int, Port] = {}
        self.taken: set[int] = set()

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Port:
        if port in self.taken:
            raise CannotListenError(interface, port, OSError("Address already in use"))
        super().listenTCP(port, factory, backlog, interface)
        self.ports[port] = Port(IPv4Address("TCP", interface or "0.0.0.0", port), self.order)
        return self.ports[port]


class Wire(StringTransport):
    """One end of a connection in memory."""

    def __init__(self, protocol: Any) -> None:
        super().__init__(peerAddress=IPv4Address("TCP", "192.0.2.7", 5))
        self.protocol = protocol
        self.ended = ""
        self.taken = 0
        protocol.makeConnection(self)

    def says(self, data: bytes) -> None:
        self.protocol.dataReceived(data)

    def heard(self) -> bytes:
        value = self.value()
        new, self.taken = value[self.taken :], len(value)
        return new

    def _ends(self, how: str, why: Exception) -> None:
        if not self.ended:
            self.ended = how
            self.protocol.connectionLost(Failure(why))

    def loseConnection(self) -> None:
        self._ends("closed", ConnectionDone())

    def abortConnection(self) -> None:
        self._ends("aborted", ConnectionLost())

    def loseWriteConnection(self) -> None:
        pass

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass


class House:
    """A gateway of a file, in memory."""

    def __init__(self, path: Path, text: str = FILE) -> None:
        self.path = path
        self.write(text)
        self.reactor = Loop()
        self.gateway = Gateway(self.reactor, load(path), path)
        self.dialled = 0
        self.ended: Deferred[Any] | None = None

    def write(self, text: str) -> None:
        self.path.write_text(text)

    def start(self) -> House:
        self.gateway.startService()
        self.listen()
        return self

    def listen(self) -> None:
        done = ensureDeferred(self.gateway.listen())
        assert done.called
        failures: list[Failure] = []
        done.addErrback(failures.append)
        for failure in failures:
            failure.raiseException()

    def reload(self, text: str | None = None) -> bool:
        if text is not None:
            self.write(text)
        return self.gateway.reload()

    def client(self) -> Wire:
        (factory,) = [one for port, one, *_ in self.reactor.tcpServers if port == 8080]
        return Wire(factory.buildProtocol(None))

    def backend(self) -> Wire:
        """The next connection dialled for an exchange; probes are passed over."""
        while True:
            host, _port, factory, *_ = self.reactor.tcpClients[self.dialled]
            self.dialled += 1
            if getattr(factory, "_wrappedFactory", None) is not _SILENT:
                wire = Wire(factory.buildProtocol(None))
                wire.name = f"b{host[-1]}"
                return wire

    def serve(self, client: Wire, request: bytes, response: bytes) -> Wire:
        client.says(request)
        backend = self.backend()
        assert backend.heard()
        backend.says(response)
        return backend

    def stop(self) -> Deferred[Any]:
        self.ended = self.gateway.stopService()
        return self.ended

    def passes(self, seconds: float) -> None:
        for _ in range(int(seconds * 2)):
            self.reactor.advance(0.5)

    @property
    def log(self) -> str:
        return (self.path.parent / "exchanges.log").read_text()

    @property
    def open(self) -> set[Any]:
        """Connections to backends."""
        pools = self.gateway.staff.dialers.values()
        return {one for dialers in pools for dialer in dialers.values() for one in dialer.open}
