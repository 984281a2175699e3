"""What an operator is told of the gateway and its backends, and what he may change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from soapgate.core.errors import StoreError
from soapgate.core.pins import Lifetime
from soapgate.core.pool import Admin, Backend, Member, Pool
from soapgate.core.routing import Terms
from soapgate.core.services import Rule
from soapgate.edge import adminapi
from soapgate.edge.adminapi import Call, Refused, Reply, ServiceInfo
from soapgate.edge.health import Seen
from soapgate.edge.metrics import CONTENT_TYPE, Metrics
from soapgate.edge.workers import WorkerInfo

NOW = 1_700_000_000.0  # 2023-11-14T22:13:20Z


class Pins:
    """Of a store, its count; `away` makes it fail."""

    away = False

    async def count(self) -> int:
        if self.away:
            raise StoreError("grid is away")
        return 7


def service(name: str, role: str | None = None) -> ServiceInfo:
    rule = Rule(name, hosts=(f"{name}.example.com",), paths=(f"/{name}",))
    return ServiceInfo(
        name, "farm", rule, ("wsrm", "http-cookie"), Terms(role=role), Lifetime(1800, 86400), name
    )


class Gateway:
    """The part of a `View` that is asked here: two services on a pool of two."""

    def __init__(self) -> None:
        backends = [
            Backend.parse("b1", "http://10.0.0.1:9001", weight=2, maxconn=10, roles=["worker"]),
            Backend.parse("b2", "http://10.0.0.2:9002", backup=True),
        ]
        self.version = "1.2.3"
        self.build = "plain"
        self.started = NOW - 60
        self.pools = {"farm": Pool("farm", backends)}
        self.services = {"shop": service("shop", "worker"), "bank": service("bank")}
        self.store = Pins()
        self.metrics = Metrics(self.services, self.pools)
        self.gathered = 0
        self.reasons: list[str] = []
        self.changes: list[tuple[str, str, str]] = []
        self.probes: dict[tuple[str, str], Seen] = {}

    async def gather(self) -> None:
        self.gathered += 1

    def workers(self) -> list[WorkerInfo]:
        return [WorkerInfo(0, 41, "serving", NOW - 60, 2), WorkerInfo(1, None, "gone", NOW, 0)]

    def now(self) -> float:
        return NOW

    def ready(self) -> tuple[bool, list[str]]:
        return not self.reasons, self.reasons

    def set_admin(self, pool: Pool, member: Member, word: Admin) -> None:
        self.changes.append((pool.name, member.name, word))
        member.admin = word

    def last_probe(self, pool: str, backend: str) -> Seen | None:
        return self.probes.get((pool, backend))

    def ask(self, function: Callable[[Call], Any], **asked: Any) -> Reply:
        return asyncio.run(function(Call(self, **asked)))

    def change(self, body: dict[str, object], pool: str = "farm", name: str = "b1") -> Reply:
        path = {"pool": pool, "name": name}
        return self.ask(adminapi.change_backend, path=path, body=body)


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


def test_the_status_is_the_gateway_at_a_glance(gateway):
    gateway.metrics.exchange("shop", "pinned", "bound", 0.01)
    gateway.metrics.exchange("bank", "refused", "no-backend", 0.01)
    gateway.pools["farm"].members["b1"].inflight = 4
    for _ in range(3):
        gateway.pools["farm"].members["b2"].mark(False)
    assert gateway.ask(adminapi.status).content == {
        "version": "1.2.3",
        "build": "plain",
        "started": "2023-11-14T22:12:20.000Z",
        "uptime": 60.0,
        "ready": True,
        "reasons": [],
        "services": 2,
        "backends": 2,
        "backends_up": 1,
        "inflight": 4,
        "exchanges": 2,
        "workers": [
            {
                "number": 0,
                "pid": 41,
                "state": "serving",
                "started": "2023-11-14T22:12:20.000Z",
                "exchanges": 2,
            },
            {
                "number": 1,
                "pid": None,
                "state": "gone",
                "started": "2023-11-14T22:13:20.000Z",
                "exchanges": 0,
            },
        ],
        "pins": 7,
    }
    assert gateway.gathered == 1


def test_the_metrics_are_gathered_before_they_are_told(gateway):
    assert gateway.ask(adminapi.metrics).content_type == CONTENT_TYPE
    assert gateway.gathered == 1


def test_the_status_is_told_without_a_store(gateway):
    gateway.store.away = True
    gateway.reasons.append("the pin store is away")
    said = gateway.ask(adminapi.status).content
    assert said["pins"] is None
    assert (said["ready"], said["reasons"]) == (False, ["the pin store is away"])


def test_a_service_is_told_as_configured(gateway):
    shop, bank = gateway.ask(adminapi.services).content["services"]
    assert shop == {
        "name": "shop",
        "pool": "farm",
        "hosts": ["shop.example.com"],
        "paths": ["/shop"],
        "actions": [],
        "role": "worker",
        "sessions": ["wsrm", "http-cookie"],
        "lost": "strict",
        "unknown": "balance",
        "idle": 1800,
        "max_age": 86400,
    }
    assert (bank["name"], bank["role"]) == ("bank", None)


def test_a_backend_is_told_with_its_live_state(gateway):
    member = gateway.pools["farm"].members["b1"]
    member.inflight, member.waiting = 10, 2
    gateway.probes["farm", "b1"] = Seen(True, "connected", 1_700_000_000.0, 0.0012345678)
    first, second = gateway.ask(adminapi.backends).content["backends"]
    assert first == {
        "pool": "farm",
        "name": "b1",
        "url": "http://10.0.0.1:9001",
        "admin": "ready",
        "up": True,
        "available": False,
        "inflight": 10,
        "waiting": 2,
        "maxconn": 10,
        "weight": 2,
        "roles": ["worker"],
        "backup": False,
        "probe": {
            "ok": True,
            "detail": "connected",
            "at": "2023-11-14T22:13:20.000Z",
            "seconds": 0.001235,
        },
    }
    assert (second["name"], second["available"], second["backup"]) == ("b2", True, True)
    assert second["probe"] is None


@pytest.mark.parametrize("word", ["ready", "drain", "maint"])
def test_an_operator_sets_the_administrative_state(gateway, word):
    reply = gateway.change({"admin": word})
    assert reply.status == 200
    assert (reply.content["name"], reply.content["admin"]) == ("b1", word)
    assert gateway.changes == [("farm", "b1", word)]
    told = gateway.ask(adminapi.backends).content["backends"]
    assert [backend["admin"] for backend in told] == [word, "ready"]


@pytest.mark.parametrize(
    ("body", "allowed"),
    [
        ({"admin": "off"}, ["ready", "drain", "maint"]),
        ({"admin": "Drain"}, ["ready", "drain", "maint"]),
        ({"admin": None}, ["ready", "drain", "maint"]),
        ({"admin": ["drain"]}, ["ready", "drain", "maint"]),
        ({"admin": True}, ["ready", "drain", "maint"]),
        ({}, ["admin"]),
        ({"admin": "drain", "weight": 5}, ["admin"]),
    ],
    ids=str,
)
def test_a_change_nobody_knows_changes_nothing(gateway, body, allowed):
    with pytest.raises(Refused) as refused:
        gateway.change(body)
    assert (refused.value.status, refused.value.allowed) == (422, allowed)
    assert gateway.changes == []


@pytest.mark.parametrize(
    ("pool", "name", "allowed"), [("nowhere", "b1", ["farm"]), ("farm", "b9", ["b1", "b2"])]
)
def test_a_backend_nobody_knows_is_told_the_known_ones(gateway, pool, name, allowed):
    with pytest.raises(Refused) as refused:
        gateway.change({"admin": "drain"}, pool, name)
    assert (refused.value.status, refused.value.allowed) == (404, allowed)


@pytest.mark.parametrize(("reasons", "status"), [([], 200), (["no backend is up"], 503)])
def test_ready_says_why_not_and_live_says_nothing_of_it(gateway, reasons, status):
    gateway.reasons = reasons
    reply = gateway.ask(adminapi.ready)
    assert reply.status == status
    assert reply.content == {"ready": not reasons, "reasons": reasons}
    assert gateway.ask(adminapi.live) == Reply({"live": True})


def test_metrics_are_what_metrics_render(gateway):
    reply = gateway.ask(adminapi.metrics)
    assert b"soapgate_exchanges_total" in reply.content
    assert reply.content_type == CONTENT_TYPE
