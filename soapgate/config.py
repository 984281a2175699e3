"""The configuration file: TOML in, checked values out, and every defect of it in one go.

The tables and keys here are an outside interface (docs/configuration.rst). Each table is a
pydantic model that knows its own keys; `soapgate.tables` checks what spans tables. A file is
taken whole or refused whole, and the refusal lists all that is wrong, a line each. What a later
version will understand is refused as "not yet": a key that is silently ignored is worse than none.

Nothing here touches the network, Twisted or a file other than the one named. Times are seconds
and sizes bytes from here on. The small properties at the models turn them into values of
`soapgate.core`; what is done with those is `soapgate.service`.
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from soapgate import units
from soapgate.core.addresses import Address
from soapgate.core.errors import ConfigError
from soapgate.core.explained import View
from soapgate.core.pins import Lifetime
from soapgate.core.pool import WEIGHT_MAX, Backend, Health
from soapgate.core.profiles import Profile, catalogue
from soapgate.core.routing import Terms
from soapgate.core.scanner import ScanLimits
from soapgate.core.services import Rule
from soapgate.edge.http11 import HeadLimits
from soapgate.problems import not_toml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KiB = 1024
WORKERS_MAX = 64  # of which each has a column in the memory that they share


def _only(value: object, allowed: object, why: str) -> object:
    if value != allowed or isinstance(value, bool):
        raise ValueError(why)
    return value


def _workers(value: object) -> object:
    number = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= WORKERS_MAX
    if value != "auto" and not number:
        raise ValueError(f'allowed are 1 to {WORKERS_MAX}, and "auto", one for each processor')
    return value


def _members(value: object) -> object:
    return _only(value, "static", 'not yet: backends are those of the file, allowed is "static"')


def _pins(value: object) -> object:
    if isinstance(value, str):
        if value == "memory:" or (value.startswith("lmdb:") and len(value) > len("lmdb:")):
            return value
        if value.startswith("hazelcast:"):
            raise ValueError('not yet: pins are local, allowed are "memory:", "lmdb:PATH"')
    raise ValueError('allowed are "memory:", "lmdb:PATH"')


def _some(value: object) -> object:
    # not min_length: pydantic counts the good items only, and tells a bad one twice
    if value == []:
        raise ValueError("allowed is a list of at least one")
    return value


def _local(value: str) -> str:
    if not units.is_local(value):
        raise ValueError('allowed is loopback, as in "tcp:9900:interface=127.0.0.1", or "unix:..."')
    return value


def _cookie(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}", value):
        raise ValueError("allowed is the name of a cookie, at most 64 characters")
    return value


def _word(value: object) -> object:
    if isinstance(value, str) and not value.strip():
        raise ValueError("allowed is a text that is not empty")
    return value


def _url(value: object) -> object:
    try:
        Backend.parse("any", value if isinstance(value, str) else "")
    except ConfigError:
        raise ValueError(
            "allowed are http://HOST[:PORT] and https://HOST[:PORT], without user, path and query"
        ) from None
    return value


def _public(value: object) -> object:
    if value in ("host", "forwarded"):
        return value
    try:
        return _url(value)
    except ValueError:
        raise ValueError(
            'allowed are "host", "forwarded", or a URL: http://HOST[:PORT] or https://HOST[:PORT],'
            " without user, path and query"
        ) from None


Duration = Annotated[float, BeforeValidator(units.duration)]
PositiveDuration = Annotated[float, BeforeValidator(units.positive_duration)]
Size = Annotated[int, BeforeValidator(units.size)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Name = Annotated[str, BeforeValidator(units.name)]
Word = Annotated[str, BeforeValidator(_word)]
Endpoint = Annotated[str, BeforeValidator(units.endpoint)]
_list = Field(strict=False)  # TOML has lists, a frozen model wants tuples
Names = Annotated[tuple[Name, ...], _list]
Words = Annotated[tuple[Word, ...], _list]
Hosts = Annotated[
    tuple[Annotated[str, BeforeValidator(units.host_pattern)], ...],
    _list,
    BeforeValidator(units.one_or_more),
]
Paths = Annotated[
    tuple[Annotated[str, BeforeValidator(units.path_prefix)], ...],
    _list,
    BeforeValidator(units.one_or_more),
]
Actions = Annotated[
    tuple[Annotated[str, BeforeValidator(units.action_pattern)], ...],
    _list,
    BeforeValidator(units.one_or_more),
]


class Table(BaseModel):
    """A table of the file: its keys and no others, of their own types, never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Gateway(Table):
    """[gateway]: where it listens, where it remembers, what it says."""

    listen: Annotated[
        tuple[Endpoint, ...], _list, BeforeValidator(_some), BeforeValidator(units.one_or_more)
    ] = ("tcp:8080",)
    client_ca: Word | None = None  # None: clients are asked for no certificate
    client_certificate: Literal["required", "optional"] = "required"
    admin: Annotated[Endpoint, AfterValidator(_local)] | None = None
    pins: Annotated[str, BeforeValidator(_pins)] = "lmdb:var/pins"
    max_pins: Positive = 1_000_000
    when_full: Literal["evict", "refuse"] = "evict"
    workers: Annotated[int | Literal["auto"], BeforeValidator(_workers)] = 1
    fast_path: bool = True
    log: Literal["text", "json", "none"] = "text"
    log_to: Word = "stdout"


class Limits(Table):
    """[limits]: how much of anything is taken. 0 = no limit where a comment says so."""

    # of an envelope, as far as the scanner looks (DESIGN 8)
    header: Size = 256 * KiB
    body: Size = 64 * KiB
    depth: Positive = 100
    attributes: Positive = 64
    blocks: Positive = 128
    tags: Positive = 8192
    id: Size = 4 * KiB
    inflate_ratio: Positive = 100
    multipart: Size = 256 * KiB
    # of a message head: nginx takes 4 heads of 8k, Apache 100 fields, HAProxy 16k and 101 fields
    head: Size = 32 * KiB
    fields: Positive = 100
    target: Size = 8 * KiB
    # of an exchange and of the whole
    keep_for_retry: Size = 64 * KiB  # 0: never retried
    max_body: Size = 0  # 0: any
    rewrite: Size = 1024 * KiB
    connections: Count = 4096  # 0: any

    @property
    def scan(self) -> ScanLimits:
        """What the scanner is held to."""
        return ScanLimits(
            header_bytes=self.header,
            body_bytes=self.body,
            depth=self.depth,
            attributes=self.attributes,
            blocks=self.blocks,
            tags=self.tags,
            id_bytes=self.id,
            inflate_ratio=self.inflate_ratio,
            multipart_bytes=self.multipart,
        )

    @property
    def heads(self) -> HeadLimits:
        """What the head of an HTTP message is held to."""
        return HeadLimits(self.head, self.fields, self.target)


class Timeouts(Table):
    """[timeouts], in seconds; 0 = none, but for `queue` and `grace`, where 0 = no waiting."""

    head: Duration = 30.0
    idle: Duration = 60.0
    body_rate: Size = 500  # bytes a second, and the grace before it counts: as Apache's reqtimeout
    body_grace: Duration = 20.0
    connect: Duration = 5.0
    response: Duration = 60.0
    response_idle: Duration = 60.0
    exchange: Duration = 0.0
    queue: Duration = 10.0
    upstream_idle: Duration = 30.0
    grace: Duration = 30.0


class HealthConfig(Table):
    """health = { ... }: a TCP connect now and then, and how often it must fail or succeed."""

    interval: PositiveDuration = 2.0
    timeout: PositiveDuration = 2.0
    rise: Positive = 2
    fall: Positive = 3


class TlsConfig(Table):
    """tls = { ... }: how to speak to backends whose URL says https. Paths of PEM files."""

    verify: bool = True
    ca: Word | None = None  # None: the system's
    cert: Word | None = None
    key: Word | None = None  # None: in the file of `cert`
    server_name: Word | None = None  # None: the URL's host


class BackendConfig(Table):
    """One entry of backend = [ ... ]."""

    name: Name
    url: Annotated[str, BeforeValidator(_url)]
    weight: Annotated[int, Field(ge=1, le=WEIGHT_MAX)] = 1
    maxconn: Count = 0  # 0: any
    roles: Names = ()
    backup: bool = False


class PoolConfig(Table):
    """[pool.NAME]: the backends a service chooses from, and how."""

    backend: Annotated[tuple[BackendConfig, ...], _list, BeforeValidator(_some)]
    policy: Literal[
        "round_robin", "weighted_round_robin", "least_requests", "random_two", "hash"
    ] = "round_robin"
    health: HealthConfig = HealthConfig()
    members: Annotated[str, BeforeValidator(_members)] = "static"
    tls: TlsConfig = TlsConfig()
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    on_restart: Literal["keep", "drop"] = "keep"

    @property
    def probe(self) -> Health:
        """The health rules as core holds them."""
        health = self.health
        return Health(
            interval=health.interval, rise=health.rise, fall=health.fall, timeout=health.timeout
        )

    def backends(self) -> list[Backend]:
        """The backends in the file's order."""
        return [
            Backend.parse(
                one.name,
                one.url,
                weight=one.weight,
                maxconn=one.maxconn,
                roles=one.roles,
                backup=one.backup,
            )
            for one in self.backend
        ]


class ServiceConfig(Table):
    """[service.NAME]: what clients call. `sessions` None = the default set."""

    pool: Name | None = None  # None only in a file with one pool; `parse` fills it in
    host: Hosts = ()
    path: Paths = ()
    action: Actions = ()
    role: Name | None = None
    sessions: Names | None = None
    idle: PositiveDuration = 1800.0
    max_age: PositiveDuration = 86400.0
    lost: Literal["strict", "redispatch"] = "strict"
    keep_ended: Duration = 5.0  # acknowledgements trail behind an end by a round trip or two
    unknown: Literal["balance", "fault", "hash"] = "balance"
    scope: Name | None = None  # None: the service's own name
    callbacks: Annotated[tuple[Name, ...], _list, BeforeValidator(units.one_or_more)] = ()
    affinity_cookie: Annotated[str, BeforeValidator(_cookie)] | None = None
    idempotent: Words = ()
    fast_infoset: Literal["hide", "pass"] = "hide"
    jroute: bool = False
    explain_header: bool = False
    rewrite_addresses: bool = False
    public_address: Annotated[str, BeforeValidator(_public)] = "host"
    backend_addresses: Annotated[tuple[Annotated[str, BeforeValidator(_url)], ...], _list] = ()

    @property
    def terms(self) -> Terms:
        """What `route` asks of the service; see `Config.terms_for` for all of it."""
        return Terms(lost=self.lost, unknown=self.unknown, role=self.role)

    @property
    def lifetime(self) -> Lifetime:
        """How long its pins live."""
        return Lifetime(idle=self.idle, max_age=self.max_age, keep_ended=self.keep_ended)

    @property
    def known_addresses(self) -> tuple[Address, ...]:
        """What its backends are known by besides the URLs of the pool."""
        return tuple(Backend.parse("any", url).address for url in self.backend_addresses)

    def rule(self, name: str) -> Rule:
        """When an exchange is its own."""
        return Rule(name, hosts=self.host, paths=self.path, actions=self.action)


@dataclass(frozen=True, slots=True)
class Config:
    """A whole file. `service` is never empty and its order is the order of matching; every
    `ServiceConfig.pool` is a key of `pool`. `profile` holds the file's own profiles. `tables` is
    what it was read from, so that another process may read the same."""

    gateway: Gateway
    limits: Limits
    timeouts: Timeouts
    namespaces: Mapping[str, tuple[str, ...]]
    pool: Mapping[str, PoolConfig]
    service: Mapping[str, ServiceConfig]
    profile: Mapping[str, Profile]
    base: Path = Path()  # where relative paths start: the file's directory
    tables: Mapping[str, Any] = field(default_factory=dict, compare=False)
    overrides: Mapping[str, Any] = field(default_factory=dict)  # of [gateway], by the command line

    @property
    def processes(self) -> int:
        """How many processes serve exchanges."""
        workers = self.gateway.workers
        return len(os.sched_getaffinity(0)) if workers == "auto" else workers

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The services' rules in the order of matching."""
        return tuple(service.rule(name) for name, service in self.service.items())

    @property
    def views(self) -> tuple[View, ...]:
        """The services as an explanation needs them, in the order of matching."""
        return tuple(
            View(
                rule=service.rule(name),
                profiles=self.profiles_for(name),
                terms=self.terms_for(name),
                limits=self.limits.scan,
                policy=self.pool_of(name).policy,
                scope=self.scope_of(name),
            )
            for name, service in self.service.items()
        )

    @property
    def key_file(self) -> Path | None:
        """Where the secret of the pin keys lies; None for a store that keeps none."""
        kind, _, where = self.gateway.pins.partition(":")
        return self.base / where / "key" if kind == "lmdb" else None

    def pool_of(self, service: str) -> PoolConfig:
        """The pool a service chooses from."""
        return self.pool[self.service[service].pool or ""]

    def scope_of(self, service: str) -> str:
        """The scope of a service's pins: its own name, or the one it shares."""
        return self.service[service].scope or service

    def senders_for(self, service: str) -> tuple[Profile, ...]:
        """The profiles that say which messages going out by a service are answered by another."""
        return tuple(
            profile
            for name in self.service[service].callbacks
            for profile in self.profiles_for(name)
            if profile.sent
        )

    def terms_for(self, service: str) -> Terms:
        """What `route` asks of a service, its profiles' own answers to unknown ids included."""
        own = {one.name: one.unknown for one in self.profiles_for(service) if one.unknown}
        return replace(self.service[service].terms, unknown_of=own)

    def profiles_for(self, service: str) -> tuple[Profile, ...]:
        """The profiles of a service in order of precedence. Left out, they are those that are on
        by default: the file's own, as written, then the catalogue's. A profile of the file takes
        the place of the catalogue's of the same name."""
        known = {**catalogue(), **self.profile}
        names = self.service[service].sessions
        if names is None:
            own = [name for name, one in self.profile.items() if one.default]
            usual = [name for name, one in catalogue().items() if one.default]
            names = (*(name for name in own if name not in usual), *usual)
        return tuple(known[name] for name in names)


def load(path: str | Path, overrides: Mapping[str, Any] | None = None) -> Config:
    """Read a file; `overrides` take the place of keys of its [gateway]. ConfigError with a
    sentence for each defect."""
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: not UTF-8 at byte {error.start}"]) from None
    return replace(parse(text, str(path), overrides), base=Path(path).parent)


def parse(text: str, name: str, overrides: Mapping[str, Any] | None = None) -> Config:
    """Read TOML text; `name` is what the sentences of ConfigError call it."""
    from soapgate.tables import read

    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise not_toml(name, error) from None
    if overrides and isinstance(tables.setdefault("gateway", {}), dict):
        tables["gateway"] |= overrides
    return replace(read(tables, name), overrides=dict(overrides or {}))


def simple(
    listen: Sequence[str] = (),
    backends: Sequence[str] = (),
    *,
    sessions: Sequence[str] | None = None,
    admin: str | None = None,
    pins: str | None = None,
    workers: int | str | None = None,
    log: str | None = None,
) -> Config:
    """What a command line without a file says: one pool and one service, both `default`.

    listen: endpoints, or short `8080` and `127.0.0.1:8080`; `admin` alike, on loopback.
    backends: `[NAME=]URL`; without a name they are b1, b2, ... in order. Raises ConfigError.
    """
    from soapgate.tables import read

    local = "127.0.0.1"
    gateway = {
        "listen": [units.short_endpoint(one) for one in listen] or None,
        "admin": admin and units.short_endpoint(f"{local}:{admin}" if admin.isdigit() else admin),
        "pins": pins,
        "workers": workers,
        "log": log,
    }
    service = {"pool": "default", "sessions": None if sessions is None else list(sessions)}
    tables = {
        "gateway": {key: value for key, value in gateway.items() if value is not None},
        "pool": {"default": {"backend": [_backend(n, one) for n, one in enumerate(backends, 1)]}},
        "service": {"default": {key: value for key, value in service.items() if value is not None}},
    }
    return read(tables, "command line")


def _backend(number: int, text: str) -> dict[str, str]:
    name, equals, url = text.partition("=")
    if equals and "/" not in name:
        return {"name": name, "url": url}
    return {"name": f"b{number}", "url": text}
