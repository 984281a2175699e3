"""A gateway's data path in memory: a client to speak for, backends to speak for, a clock to turn.

talk = Talk(["b1", "b2"], profiles)
talk.client.says(request)            # >> bytes of the client
backend = talk.backend("b1")         # the connection that was dialled to it
backend.heard()                      # what the gateway sent there
backend.says(response)
talk.client.heard()
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from soapgate.core.affinity import Affinity
from soapgate.core.keys import Keys
from soapgate.core.pins import Lifetime
from soapgate.core.plan import Plan
from soapgate.core.policies import POLICIES
from soapgate.core.pool import Backend, Health, Pool
from soapgate.core.profiles import read_profile
from soapgate.core.routing import Terms
from soapgate.core.scanner import ScanLimits
from soapgate.edge.deadlines import Deadlines
from soapgate.edge.desk import Desk, Service
from soapgate.edge.downstream import DownstreamTimes
from soapgate.edge.exchangelog import ExchangeLog, ExchangeRecord
from soapgate.edge.fastpath import ShortWay
from soapgate.edge.front import Front
from soapgate.edge.http11 import HeadLimits
from soapgate.edge.metrics import Metrics
from soapgate.edge.proxy import Exchange
from soapgate.edge.rewriting import Addresses
from soapgate.edge.upstream import Dialer, UpstreamTimes
from soapgate.stores.memory import MemoryStore

SHOP = {"shop": "urn:example:shop"}
PROFILE = {
    "title": "Shop",
    "about": "A shop of the tests.",
    "lookup": ["Header/shop:Session/@id"],
    "learn": ["Header/shop:Session/@id", "Body/shop:loginResponse/shop:sessionId"],
    "end": ["Body/shop:logout"],
}
CLIENT_MADE = {**PROFILE, "lookup": [], "bind": ["Header/shop:Session/@id"]}


def envelope(session: str = "", body: str = "<s:add/>", extra: str = "") -> bytes:
    """A SOAP 1.1 envelope of the shop."""
    header = f'<e:Header><s:Session id="{session}"/>{extra}</e:Header>' if session else ""
    return (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"'
        f' xmlns:s="urn:example:shop">{header}<e:Body>{body}</e:Body></e:Envelope>'
    ).encode()


def post(body: bytes = b"", *fields: bytes, target: bytes = b"/shop") -> bytes:
    """A POST of text/xml with a Content-Length."""
    lines = [
        b"POST %b HTTP/1.1" % target,
        b"Host: gate.example",
        b"Content-Type: text/xml; charset=utf-8",
        *fields,
        b"Content-Length: %d" % len(body),
    ]
    return b"\r\n".join([*lines, b"", body])


def ok(body: bytes = b"", *fields: bytes, status: bytes = b"200 OK") -> bytes:
    """A response of text/xml with a Content-Length."""
    lines = [b"HTTP/1.1 " + status, b"Content-Type: text/xml", *fields]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(body), b"", body])


def head_of(message: bytes) -> bytes:
    """Its head, without the empty line."""
    return message.partition(b"\r\n\r\n")[0]


def body_of(message: bytes) -> bytes:
    """What stands behind its head."""
    return message.partition(b"\r\n\r\n")[2]


class Wire(StringTransport):
    """One end of a connection: what the gateway writes, and whether it closed."""

    def __init__(self, peer: IPv4Address) -> None:
        super().__init__(peerAddress=peer)
        self.protocol: Any = None
        self.ended = ""  # closed, half-closed, aborted
        self.taken = 0

    def loseConnection(self) -> None:
        if not self.ended or self.ended == "half-closed":
            self.ends("closed", ConnectionDone())

    def abortConnection(self) -> None:
        if self.ended not in ("closed", "aborted"):
            self.ends("aborted", ConnectionLost())

    def ends(self, how: str, why: Exception) -> None:
        """As Twisted's transports do it: the producer hears of it before the protocol."""
        self.ended = how
        self.connected = False
        if self.producer is not None:
            self.producer.stopProducing()
            self.producer = None
        self.protocol.connectionLost(Failure(why))

    def loseWriteConnection(self) -> None:
        self.ended = "half-closed"

    def pauseProducing(self) -> None:
        self.producerState = "paused"

    def resumeProducing(self) -> None:
        self.producerState = "producing"

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass


class Peer:
    """Somebody on the other side of a `Wire`."""

    def __init__(self, protocol: Any, port: int) -> None:
        self.name = ""
        self.wire = Wire(IPv4Address("TCP", "192.0.2.7", port))
        self.protocol = self.wire.protocol = protocol
        protocol.makeConnection(self.wire)

    def says(self, data: bytes) -> None:
        self.protocol.dataReceived(data)

    def heard(self) -> bytes:
        """What came since this was asked last."""
        value = self.wire.value()
        new, self.wire.taken = value[self.wire.taken :], len(value)
        return new

    def closes(self) -> None:
        self.wire.ends("closed", ConnectionDone())

    def breaks(self) -> None:
        self.wire.ends("aborted", ConnectionLost())

    @property
    def paused(self) -> bool:
        return self.wire.producerState == "paused"


class Lines(ExchangeLog):
    """Keeps the records."""

    def __init__(self) -> None:
        super().__init__(lambda data: None, "none")
        self.silent = False
        self.records: list[ExchangeRecord] = []

    def record(self, x: ExchangeRecord) -> None:
        self.records.append(x)


class Talk:
    """One gateway with one service."""

    def __init__(
        self,
        backends: tuple[str, ...] = ("b1", "b2"),
        profiles: Mapping[str, Mapping[str, object]] | None = None,
        *,
        terms: Terms | None = None,
        maxconn: int = 0,
        policy: str = "round_robin",
        store: Any = None,
        times: DownstreamTimes | None = None,
        upstream: UpstreamTimes | None = None,
        health: Health | None = None,
        most: int = 0,
        keep_ended: float = 0.0,
        fast: bool = True,
        addresses: Mapping[str, Any] | None = None,
        **service: Any,
    ) -> None:
        self.reactor = MemoryReactorClock()
        self.reactor.advance(1_000_000.0)
        self.deadlines = Deadlines(self.reactor)
        self.deadlines.start()
        self.metrics = Metrics(["shop"])
        self.log = Lines()
        self.store = store or MemoryStore(secret=b"s" * 32)
        limits = ScanLimits()
        plan = Plan(
            [
                read_profile(name, table, SHOP)
                for name, table in (profiles or {"shop": PROFILE}).items()
            ],
            limits,
        )
        self.pool = Pool(
            "shop",
            [
                Backend.parse(name, f"http://10.0.0.{n}:80", maxconn=maxconn)
                for n, name in enumerate(backends, 1)
            ],
            POLICIES[policy],
            health,
        )
        self.dialers = {
            name: Dialer(
                self.reactor,
                member,
                self.deadlines,
                upstream or UpstreamTimes(),
                HeadLimits(),
                self.metrics,
            )
            for name, member in self.pool.members.items()
        }
        self.affinity = Affinity(
            self.store,
            Keys(self.store.secret),
            "shop",
            Lifetime(1800.0, 86400.0, keep_ended),
            plan.order,
            self.metrics.pin_events,
            plan.kinds,
        )
        self.service = Service(
            "shop",
            plan,
            self.affinity,
            self.pool,
            self.dialers,
            terms or Terms(),
            limits,
            addresses=None
            if addresses is None
            else Addresses("shop", self.pool, self.metrics, **addresses),
            **service,
        )
        self.flips: list[str] = []
        self.desk = Desk(
            lambda host, path, action: self.service if path != "/nobody" else None,
            self.reactor.seconds,
            self.log,
            self.metrics,
            lambda pool, member: self.flips.append(member.name),
        )
        self.front = Front(
            partial(Exchange, self.desk),
            self.deadlines,
            times or DownstreamTimes(),
            HeadLimits(),
            most,
            self.metrics,
        )
        if fast:
            self.front.short = ShortWay(self.desk)
            self.metrics.settle = self.front.short.settle
        self._dialled = 0
        self._peers: list[Peer] = []
        self.client = self.connect()

    def connect(self) -> Peer:
        """Another client."""
        return Peer(self.front.buildProtocol(None), 50000)

    def backend(self, name: str = "") -> Peer:
        """Accept the next connection that the gateway dials; it must be to `name`, if given."""
        host, _port, factory, _timeout, _bind = self.reactor.tcpClients[self._dialled]
        self._dialled += 1
        reached = list(self.pool.members)[int(host.rpartition(".")[2]) - 1]
        assert name in ("", reached), f"dialled {reached}, not {name}"
        peer = Peer(factory.buildProtocol(None), 80)
        peer.name = reached
        self._peers.append(peer)
        return peer

    def asked(self) -> Peer:
        """The backend's connection that has a request to answer, accepted if it must be."""
        if self.dials:
            return self.backend()
        (peer,) = [peer for peer in self._peers if len(peer.wire.value()) > peer.wire.taken]
        return peer

    def serve(self, request: bytes, response: bytes, client: Peer | None = None) -> Peer:
        """One whole exchange; the backend's connection that served it."""
        (client or self.client).says(request)
        peer = self.asked()
        peer.heard()
        peer.says(response)
        return peer

    def refuse(self) -> str:
        """Refuse the next connection that the gateway dials; the backend's name."""
        host, _port, factory, _timeout, _bind = self.reactor.tcpClients[self._dialled]
        self._dialled += 1
        factory.clientConnectionFailed(None, Failure(ConnectionRefusedError()))
        return list(self.pool.members)[int(host.rpartition(".")[2]) - 1]

    def leaks(self) -> list[str]:
        """What is left over although no exchange runs and no client is connected; empty if all
        was given back."""
        left = [repr(one) for one in self.front.open]
        for name, member in self.pool.members.items():
            dialer = self.dialers[name]
            left += [f"{name}: {member.inflight} in flight"] * (member.inflight != 0)
            left += [f"{name}: {member.waiting} waiting"] * (member.waiting != 0)
            left += [f"{name}: {one!r} is not idle" for one in dialer.open - {*dialer.idle}]
            left += [f"{name}: {one!r} is not open" for one in {*dialer.idle} - dialer.open]
        watched = self.deadlines._watched - {
            one for dialer in self.dialers.values() for one in dialer.idle
        }
        left += [f"{one!r} is watched" for one in watched]
        idle = sum(len(dialer.idle) for dialer in self.dialers.values())
        if self.metrics.connections_upstream != idle:
            left.append(f"{self.metrics.connections_upstream} connections are counted, not {idle}")
        if self.metrics.connections_downstream != 0:
            left.append(f"{self.metrics.connections_downstream} clients are counted")
        return left

    @property
    def dials(self) -> int:
        """Connections asked for that nobody has accepted or refused yet."""
        return len(self.reactor.tcpClients) - self._dialled

    def passes(self, seconds: float) -> None:
        """Time goes by, in turns of half a second."""
        for _ in range(int(seconds * 2)):
            self.reactor.advance(0.5)

    @property
    def last(self) -> ExchangeRecord:
        return self.log.records[-1]


def one(**options: Any) -> Talk:
    """A gateway with a single backend."""
    return Talk(backends=("b1",), **options)


def over(talk: Talk) -> list[str]:
    """What is left when every client has gone."""
    for downstream in list(talk.front.open):
        downstream.transport.abortConnection()
    return talk.leaks()
