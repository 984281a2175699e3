"""What an operator may ask and change, pins apart: one function an entry of the table in `admin`.

A function takes a `Call` (what was asked, already checked for form) and returns a `Reply` of plain
values, or raises `Refused` with what is allowed. Nothing here knows HTTP beyond a status number,
and nothing here knows the gateway: what it needs is the `View`, which its owner implements. To
hand over the gateway itself was dropped: the admin side could then do anything, and each of its
tests would need all of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from soapgate.core import explained
from soapgate.core.errors import StoreError
from soapgate.core.keys import Keys
from soapgate.core.pins import Lifetime, PinStore
from soapgate.core.pool import ADMIN_WORDS, Admin, Member, Pool
from soapgate.core.routing import Terms
from soapgate.core.services import Rule
from soapgate.edge.health import Seen
from soapgate.edge.http11 import HeadLimits
from soapgate.edge.metrics import CONTENT_TYPE, Metrics
from soapgate.edge.workers import WorkerInfo


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    """One service as configured. `profiles` in precedence order; `scope` is what its pins bear as
    their service."""

    name: str
    pool: str
    rule: Rule
    profiles: tuple[str, ...]
    terms: Terms
    lifetime: Lifetime
    scope: str


class View(Protocol):
    """What the admin side needs of a gateway. It reads anew for each call, so a reload may put
    other objects in place."""

    @property
    def version(self) -> str: ...

    @property
    def build(self) -> str:
        """Whether it runs compiled, in a word."""

    @property
    def started(self) -> float:
        """Seconds since the epoch."""

    @property
    def pools(self) -> Mapping[str, Pool]: ...

    @property
    def services(self) -> Mapping[str, ServiceInfo]: ...

    @property
    def explained(self) -> Sequence[explained.View]:
        """The services as an explanation needs them, in the order of matching."""

    @property
    def head_limits(self) -> HeadLimits: ...

    @property
    def store(self) -> PinStore: ...

    @property
    def keys(self) -> Keys: ...

    @property
    def metrics(self) -> Metrics:
        """The counts, as of the last `gather`."""

    def gather(self) -> Awaitable[object]:
        """Bring `metrics` and `workers` up to date."""

    def workers(self) -> list[WorkerInfo]:
        """The processes that serve, as of the last `gather`."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def ready(self) -> tuple[bool, list[str]]:
        """Whether exchanges are served, and a sentence for each thing that stands against it, or
        is not well though they are."""

    def set_admin(self, pool: Pool, member: Member, word: Admin) -> None:
        """Do what an operator said of a backend, and log it."""

    def last_probe(self, pool: str, backend: str) -> Seen | None:
        """The last active probe, if there was one."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request: the values of the path's names, of the query and of the JSON body."""

    view: View
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; `content` is written as JSON unless it is bytes of `content_type`."""

    content: object
    status: int = 200
    content_type: str = "application/json"


class Refused(Exception):
    """A call that is not done: its status, a sentence, and what would have been allowed."""

    def __init__(self, status: int, error: str, allowed: list[str] | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.allowed = allowed


# The gateway


async def status(call: Call) -> Reply:
    """The gateway at a glance."""
    view = call.view
    await view.gather()
    is_ready, reasons = view.ready()
    members = [member for pool in view.pools.values() for member in pool.members.values()]
    try:
        pins: int | None = await view.store.count()
    except StoreError:
        pins = None  # ready() says why
    return Reply(
        {
            "version": view.version,
            "build": view.build,
            "started": iso(view.started),
            "uptime": round(view.now() - view.started, 3),
            "ready": is_ready,
            "reasons": reasons,
            "services": len(view.services),
            "backends": len(members),
            "backends_up": sum(member.up for member in members),
            "inflight": sum(member.inflight for member in members),
            "exchanges": sum(view.metrics.exchanges.values()),
            "pins": pins,
            "workers": [_worker(info) for info in view.workers()],
        }
    )


def _worker(info: WorkerInfo) -> dict[str, object]:
    return {
        "number": info.number,
        "pid": info.pid,
        "state": info.state,
        "started": iso(info.started),
        "exchanges": info.exchanges,
    }


async def services(call: Call) -> Reply:
    """The services, in the order in which they are matched."""
    return Reply({"services": [_service(info) for info in call.view.services.values()]})


def _service(info: ServiceInfo) -> dict[str, object]:
    return {
        "name": info.name,
        "pool": info.pool,
        "hosts": list(info.rule.hosts),
        "paths": list(info.rule.paths),
        "actions": list(info.rule.actions),
        "role": info.terms.role,
        "sessions": list(info.profiles),
        "lost": info.terms.lost,
        "unknown": info.terms.unknown,
        "idle": info.lifetime.idle,
        "max_age": info.lifetime.max_age,
    }


async def live(call: Call) -> Reply:
    """That the process answers."""
    return Reply({"live": True})


async def ready(call: Call) -> Reply:
    """Whether exchanges are served: 200, or 503 and why not. With 200 there may be reasons too: of
    several workers, one that keeps ending."""
    is_ready, reasons = call.view.ready()
    return Reply({"ready": is_ready, "reasons": reasons}, 200 if is_ready else 503)


async def metrics(call: Call) -> Reply:
    """The counts, as Prometheus reads them."""
    await call.view.gather()
    return Reply(call.view.metrics.render(), content_type=CONTENT_TYPE)


# Backends


async def backends(call: Call) -> Reply:
    """Every backend of every pool with its live state."""
    return Reply(
        {
            "backends": [
                _backend(call.view, pool, member)
                for pool in call.view.pools.values()
                for member in pool.members.values()
            ]
        }
    )


async def change_backend(call: Call) -> Reply:
    """Make a backend ready, drain or maint."""
    pool = call.view.pools.get(call.path["pool"])
    if pool is None:
        raise Refused(404, f"there is no pool {call.path['pool']!r}", list(call.view.pools))
    member = pool.members.get(call.path["name"])
    if member is None:
        error = f"pool {pool.name!r} has no backend {call.path['name']!r}"
        raise Refused(404, error, list(pool.members))
    only(call.body, ("admin",))
    for word in ADMIN_WORDS:
        if call.body["admin"] == word:
            call.view.set_admin(pool, member, word)
            return Reply(_backend(call.view, pool, member))
    raise Refused(422, f"admin is {call.body['admin']!r}", list(ADMIN_WORDS))


def _backend(view: View, pool: Pool, member: Member) -> dict[str, object]:
    backend = member.backend
    seen = view.last_probe(pool.name, member.name)
    return {
        "pool": pool.name,
        "name": member.name,
        "url": backend.url,
        "admin": member.admin,
        "up": member.up,
        "available": member.available(None),
        "inflight": member.inflight,
        "waiting": member.waiting,
        "maxconn": backend.maxconn,
        "weight": backend.weight,
        "roles": sorted(backend.roles),
        "backup": backend.backup,
        "probe": seen
        and {
            "ok": seen.ok,
            "detail": seen.detail,
            "at": iso(seen.at),
            "seconds": round(seen.seconds, 6),
        },
    }


# Values


def only(body: Mapping[str, object], names: tuple[str, ...]) -> None:
    """Refuse fields that are missing and fields that nobody knows."""
    for name in body:
        if name not in names:
            raise Refused(422, f"the body has an unknown field {name!r}", list(names))
    for name in names:
        if name not in body:
            raise Refused(422, f"the body lacks the field {name!r}", list(names))


def iso(seconds: float) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    when = datetime.fromtimestamp(seconds, UTC)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
