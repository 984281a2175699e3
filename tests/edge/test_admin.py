"""The admin side over HTTP: who may call, what a call must look like, what an answer bears."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection

from soapgate.core.errors import StoreError
from soapgate.core.keys import Keys
from soapgate.core.pins import Lifetime, Pin
from soapgate.core.pool import Admin, Backend, Member, Pool
from soapgate.core.routing import Terms
from soapgate.core.services import Rule
from soapgate.edge.admin import BODY_BYTES, DROPPED_BYTES, KEPT_BYTES, ROUTES, make_site
from soapgate.edge.adminapi import ServiceInfo
from soapgate.edge.health import Seen
from soapgate.edge.metrics import Metrics
from soapgate.edge.workers import WorkerInfo
from soapgate.stores.memory import MemoryStore

NOW = 1_700_000_000.0
LOOPBACK = IPv4Address("TCP", "127.0.0.1", 50000)


class Gateway:
    """A `View` of plain attributes: one service on a pool of two."""

    def __init__(self) -> None:
        self.version, self.build = "1.2.3", "plain"
        self.started = NOW - 60
        backends = [Backend.parse(f"b{n}", f"http://10.0.0.{n}:9001") for n in (1, 2)]
        self.pools = {"farm": Pool("farm", backends)}
        self.services = {
            "shop": ServiceInfo(
                "shop", "farm", Rule("shop"), ("wsrm",), Terms(), Lifetime(1800, 86400), "shop")
        }  # fmt: skip
        self.store: Any = MemoryStore()
        self.keys = Keys(b"k" * 32)
        self.metrics = Metrics(self.services, self.pools)
        self.reasons: list[str] = []
        self.changes: list[tuple[str, str, str]] = []

    def now(self) -> float:
        return NOW

    async def gather(self) -> None:
        """Its counts are up to date."""

    def workers(self) -> list[WorkerInfo]:
        return [WorkerInfo(0, 41, "serving", NOW - 60, 3)]

    def ready(self) -> tuple[bool, list[str]]:
        return not self.reasons, self.reasons

    def set_admin(self, pool: Pool, member: Member, word: Admin) -> None:
        self.changes.append((pool.name, member.name, word))
        member.admin = word

    def last_probe(self, pool: str, backend: str) -> Seen | None:
        return None

    def pin(self, session_id: str, backend: str) -> None:
        """Bind an id of the shop."""
        pin = Pin("shop", "wsrm", backend, b"", NOW - 5, NOW)
        asyncio.run(self.store.bind(self.keys.key("shop", "wsrm", session_id), pin))


@dataclass(frozen=True)
class Answered:
    """A response taken apart; field names in lower case."""

    status: int
    fields: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Operator:
    """Asks a gateway's admin side over HTTP/1.1, each time on a new in-memory connection."""

    def __init__(self, gateway: Gateway) -> None:
        self.site = make_site(gateway, Clock())

    def connect(self, peer: IAddress = LOOPBACK) -> tuple[Any, StringTransportWithDisconnection]:
        transport = StringTransportWithDisconnection(peerAddress=peer)
        protocol = self.site.buildProtocol(peer)
        transport.protocol = protocol
        protocol.makeConnection(transport)
        return protocol, transport

    def send(self, raw: bytes, peer: IAddress = LOOPBACK) -> Answered:
        protocol, transport = self.connect(peer)
        protocol.dataReceived(raw)
        head, _, body = transport.value().partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.split(": ", 1) for line in lines)
        return Answered(int(first.split()[1]), {n.lower(): v for n, v in pairs}, body)

    def ask(
        self,
        method: str,
        target: str,
        body: object = None,
        *,
        content_type: str | None = "application/json",
        host: str = "localhost:9900",
        peer: IAddress = LOOPBACK,
    ) -> Answered:
        """`body` is bytes to send as they are, or a value to send as JSON."""
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body)
        raw = raw.encode() if isinstance(raw, str) else raw
        head = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
        if content_type and method not in ("GET", "HEAD"):
            head.append(f"Content-Type: {content_type}")
        if raw:
            head.append(f"Content-Length: {len(raw)}")
        return self.send("\r\n".join([*head, "", ""]).encode() + raw, peer)


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def operator(gateway: Gateway) -> Operator:
    return Operator(gateway)


DRAIN = ("PATCH", "/api/v1/backends/farm/b1", {"admin": "drain"})


@pytest.mark.parametrize(
    "target",
    [
        "/api/v1/status",
        "/api/v1/services",
        "/api/v1/backends",
        "/api/v1/pins",
        "/api/v1/openapi.json",
        "/health/live",
        "/health/ready",
    ],
)
def test_a_reading_call_answers_json_that_nobody_stores_or_sniffs(operator, target):
    answer = operator.ask("GET", target)
    assert answer.status == 200
    assert isinstance(answer.json, dict)
    assert answer.fields["content-type"] == "application/json"
    assert answer.fields["cache-control"] == "no-store"
    assert answer.fields["x-content-type-options"] == "nosniff"
    assert int(answer.fields["content-length"]) == len(answer.body)
    assert not [name for name in answer.fields if name.startswith("access-control")]
    assert "server" not in answer.fields


def test_metrics_are_prometheus_text(operator, gateway):
    gateway.metrics.exchange("shop", "pinned", "bound", 0.01)
    answer = operator.ask("GET", "/metrics")
    assert answer.status == 200
    assert answer.fields["content-type"].startswith("text/plain")
    assert b'soapgate_exchanges_total{reason="bound",route="pinned",service="shop"} 1.0' in (
        answer.body
    )


def test_every_change_goes_through(operator, gateway):
    gateway.pin("secret", "b1")
    assert operator.ask(*DRAIN).json["admin"] == "drain"
    found = operator.ask("POST", "/api/v1/pins/lookup", {"service": "shop", "id": "secret"})
    key = found.json["pins"][0]["key"]
    assert operator.ask("DELETE", f"/api/v1/pins/shop/{key}").status == 200
    assert operator.ask("DELETE", f"/api/v1/pins/shop/{key}").status == 404


# Who may call


@pytest.mark.parametrize(
    "peer",
    [
        IPv4Address("TCP", "127.0.0.1", 1),
        IPv4Address("TCP", "127.8.9.10", 1),
        IPv6Address("TCP", "::1", 1),
        IPv6Address("TCP", "::ffff:127.0.0.1", 1),
        UNIXAddress(b"/run/soapgate"),
        UNIXAddress(None),
    ],
    ids=str,
)
def test_a_caller_on_this_machine_is_answered(operator, peer):
    assert operator.ask("GET", "/health/live", peer=peer).status == 200


@pytest.mark.parametrize(
    "peer",
    [
        IPv4Address("TCP", "192.0.2.1", 1),
        IPv4Address("TCP", "10.0.0.1", 1),
        IPv6Address("TCP", "2001:db8::1", 1),
        IPv6Address("TCP", "::ffff:192.0.2.1", 1),
        IPv6Address("TCP", "fe80::1%eth0", 1),
    ],
    ids=str,
)
@pytest.mark.parametrize("target", ["/health/live", "/metrics", "/api/v1/pins", "/nothing"])
def test_a_caller_from_elsewhere_is_refused_whatever_it_asks(operator, peer, target):
    answer = operator.ask("GET", target, peer=peer)
    assert answer.status == 403
    assert list(answer.json) == ["error"]


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:9900",
        "LocalHost.",
        "gate.localhost:1",
        "127.0.0.1",
        "127.0.0.1:9900",
        "192.0.2.7:9900",
        "[::1]",
        "[::1]:9900",
    ],
)
def test_a_loopback_name_or_an_address_is_a_good_host(operator, host):
    assert operator.ask("GET", "/health/live", host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:9900",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "notlocalhost",
        "evil.example:9900@localhost",
        "localhost:80.evil.example",
        "[::1].evil.example",
        "[::1",
        "::1",
        "localhost:x",
        "",
    ],
)
def test_a_host_that_may_be_rebound_is_refused(operator, gateway, host):
    answer = operator.ask(*DRAIN, host=host)
    assert answer.status == 403
    assert answer.json["allowed"] == ["localhost", "an IP address"]
    assert gateway.changes == []


def test_two_hosts_are_refused(operator):
    raw = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n"
    assert operator.send(raw).status in (400, 403)


def test_a_health_check_of_http_1_0_needs_no_host(operator):
    assert operator.send(b"GET /health/live HTTP/1.0\r\n\r\n").status == 200


# What a change must look like


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "text/plain; application/json",
    ],
)
@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        DRAIN,
        ("POST", "/api/v1/pins/lookup", {"service": "shop", "id": "x"}),
        ("DELETE", "/api/v1/pins/shop/" + "0" * 32, None),
    ],
    ids=["PATCH", "POST", "DELETE"],
)
def test_what_a_browser_form_can_send_is_no_change(
    operator, gateway, method, target, body, content_type
):
    answer = operator.ask(method, target, body, content_type=content_type)
    # twisted.web itself refuses a multipart body that is none, and says nothing
    assert answer.status == 415 or (method, answer.status) == ("POST", 400)
    assert gateway.changes == []


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON", "application/json; charset=utf-8"]
)
def test_json_may_be_spelt_as_http_allows(operator, content_type):
    assert operator.ask(*DRAIN, content_type=content_type).status == 200


def test_a_preflight_is_never_told_yes(operator):
    raw = (
        b"OPTIONS /api/v1/backends/farm/b1 HTTP/1.1\r\nHost: localhost\r\n"
        b"Origin: http://evil.example\r\nAccess-Control-Request-Method: PATCH\r\n\r\n"
    )
    answer = operator.send(raw)
    assert answer.status == 405
    assert not [name for name in answer.fields if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("method", "target", "allow"),
    [
        ("POST", "/api/v1/status", "GET, HEAD"),
        ("GET", "/api/v1/backends/farm/b1", "PATCH"),
        ("GET", "/api/v1/pins/lookup", "POST"),
        ("PUT", "/api/v1/pins/shop/00", "DELETE"),
        ("BREW", "/metrics", "GET, HEAD"),
    ],
)
def test_an_unknown_method_is_told_the_known_ones(operator, method, target, allow):
    answer = operator.ask(method, target)
    assert answer.status == 405
    assert answer.fields["allow"] == allow
    assert answer.json["allowed"] == allow.split(", ")


@pytest.mark.parametrize(
    "target", ["/", "/api/v1", "/api/v1/status/", "//api/v1/status", "/api/v1/backends/farm"]
)
def test_an_unknown_path_is_told_what_there_is(operator, target):
    answer = operator.ask("GET", target)
    assert answer.status == 404
    assert answer.json["allowed"] == [f"{route.method} {route.path}" for route in ROUTES]


def test_a_name_in_a_path_is_decoded(operator):
    assert operator.ask("PATCH", "/api/v1/backends/farm/b%31", {"admin": "drain"}).status == 200
    answer = operator.ask("PATCH", "/api/v1/backends/farm/%FF%00", {"admin": "drain"})
    assert answer.status == 404
    assert answer.json["allowed"] == ["b1", "b2"]


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff", 400),
        (b"[" * 60_000, 400),
        (b"[]", 422),
        (b'"drain"', 422),
        (b"null", 422),
    ],
    ids=["empty", "cut", "no utf-8", "deep", "list", "text", "null"],
)
def test_a_body_that_is_no_object_is_refused(operator, gateway, raw, status):
    answer = operator.ask("PATCH", "/api/v1/backends/farm/b1", raw)
    assert answer.status == status
    assert "error" in answer.json
    assert gateway.changes == []


def test_a_call_without_a_body_takes_none(operator):
    answer = operator.ask("DELETE", "/api/v1/pins/shop/" + "0" * 32, b"{}")
    assert answer.status == 400


@pytest.mark.parametrize("size", [BODY_BYTES, BODY_BYTES + 1], ids=["at", "over"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_is_bounded(operator, gateway, framing, size):
    body = json.dumps({"admin": "drain"}).encode().ljust(size)
    head = (
        b"PATCH /api/v1/backends/farm/b1 HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\n"
    )
    if framing == "length":
        raw = head + b"Content-Length: %d\r\n\r\n" % size + body
    else:
        raw = head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (size, body)
    answer = operator.send(raw)
    if size > BODY_BYTES:
        assert answer.status == 413
        assert gateway.changes == []
    else:
        assert answer.status == 200


def test_a_body_without_end_costs_no_memory_and_ends_the_connection(operator):
    protocol, transport = operator.connect()
    protocol.dataReceived(
        b"PATCH /api/v1/backends/farm/b1 HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    piece = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
    for _ in range((KEPT_BYTES + DROPPED_BYTES) // 0x8000 + 2):
        if transport.connected:
            protocol.dataReceived(piece)
    assert not transport.connected


# What is read


@pytest.mark.parametrize(
    ("query", "allowed"),
    [
        ("?colour=red", ["service", "backend", "limit", "cursor"]),
        ("?limit=5&limit=6", ["service", "backend", "limit", "cursor"]),
        ("?" + "&".join(f"a{n}=1" for n in range(30)), ["service", "backend", "limit", "cursor"]),
    ],
    ids=["unknown", "twice", "many"],
)
def test_a_query_nobody_knows_is_told_what_is_known(operator, query, allowed):
    answer = operator.ask("GET", "/api/v1/pins" + query)
    assert answer.status == 400
    assert answer.json["allowed"] == allowed


def test_head_has_the_fields_of_get_and_no_body(operator):
    got, head = (operator.ask(method, "/api/v1/services") for method in ("GET", "HEAD"))
    assert head.status == 200
    assert head.body == b""
    assert head.fields["content-length"] == got.fields["content-length"]


def test_not_ready_is_503_with_reasons(operator, gateway):
    gateway.reasons.append("pool 'farm' has no backend up")
    answer = operator.ask("GET", "/health/ready")
    assert answer.status == 503
    assert answer.json == {"ready": False, "reasons": ["pool 'farm' has no backend up"]}
    assert operator.ask("GET", "/health/live").status == 200


# Stores that take their time or fail


class SlowStore:
    """A store whose every answer is one Deferred, given when the test says."""

    def __init__(self) -> None:
        self.cancelled = 0
        self.answer: Deferred[object] = Deferred(self._cancel)

    def _cancel(self, deferred: Deferred[object]) -> None:
        self.cancelled += 1

    async def scan(self, cursor: bytes | None, limit: int) -> object:
        return await self.answer


def test_a_store_may_answer_later(operator, gateway):
    gateway.store = SlowStore()
    protocol, transport = operator.connect()
    protocol.dataReceived(b"GET /api/v1/pins HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert transport.value() == b""
    gateway.store.answer.callback(([], None))
    assert transport.value().endswith(b'\r\n\r\n{"pins": [], "cursor": null}\n')


def test_a_caller_that_leaves_cancels_its_call(operator, gateway):
    gateway.store = SlowStore()
    protocol, transport = operator.connect()
    protocol.dataReceived(b"GET /api/v1/pins HTTP/1.1\r\nHost: localhost\r\n\r\n")
    transport.loseConnection()
    assert gateway.store.cancelled == 1
    assert transport.value() == b""


@pytest.mark.parametrize(
    ("error", "status"), [(StoreError("grid is away"), 503), (RuntimeError("oops"), 500)]
)
def test_a_store_that_fails_is_told_as_json(operator, gateway, error, status):
    gateway.store = SlowStore()
    gateway.store.answer.errback(error)
    answer = operator.ask("GET", "/api/v1/pins")
    assert answer.status == status
    assert ("grid is away" in answer.json["error"]) == (status == 503)
    assert "oops" not in answer.json["error"]


def test_calls_are_not_logged_by_address(operator):
    logged = []
    operator.site.logFile = type("File", (), {"write": lambda self, line: logged.append(line)})()
    operator.ask("GET", "/api/v1/pins/lookup?id=SECRET")
    assert logged == []
