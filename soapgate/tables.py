"""From the tables of a TOML file to a `Config`: table by table, then what spans tables.

Each table is validated on its own, so a defect in one hides none in another, and the checks that
span tables go by the names that the file declares, even of tables that are themselves defective:
one slip, one line. All is said before anything is raised.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import ValidationError

from soapgate import units
from soapgate.config import (
    Config,
    Gateway,
    Limits,
    PoolConfig,
    ServiceConfig,
    Table,
    Timeouts,
)
from soapgate.core.errors import ConfigError
from soapgate.core.locations import Carrier, Joined, Location
from soapgate.core.paths import check_namespace
from soapgate.core.profiles import Profile, catalogue, read_profile
from soapgate.core.services import shadowed
from soapgate.problems import Place, Problems, among, unknown_name, unknown_table

TABLES = ("gateway", "limits", "timeouts", "namespaces", "pool", "service", "profile")

# Protocols whose servers answer with an absolute address that the client must use from then on.
BY_ADDRESS = ("jaxws-stateful", "onvif-pullpoint", "salesforce", "ws-eventing")

_PREFIX = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*", re.ASCII)  # NCName, its ASCII part
_PROFILE_KEY = re.compile(r"key '([a-z_]+(?:\.[\w.-]+)?)(?:\[(\d+)\])?': ")

Model = TypeVar("Model", bound=Table)

# With several workers: of 4095 rows in the memory they share. The rest is for backends that a
# reload took while exchanges still ran on them.
SHARED_BACKENDS = 2000


def read(tables: Mapping[str, Any], name: str) -> Config:
    """Check everything, then raise ConfigError with all defects or return the Config."""
    problems = Problems(name)
    for key in tables:
        if key not in TABLES:
            problems.say((key,), unknown_table(key, TABLES))
    config = _Reader(tables, problems).read()
    problems.raise_any()
    return config


class _Reader:
    """One reading of one file."""

    def __init__(self, tables: Mapping[str, Any], problems: Problems) -> None:
        self._tables = tables
        self._problems = problems

    def read(self) -> Config:
        """A Config that may be used only if no problem was said."""
        gateway = self._model(Gateway, ("gateway",), self._table("gateway")) or Gateway()
        limits = self._model(Limits, ("limits",), self._table("limits")) or Limits()
        timeouts = self._model(Timeouts, ("timeouts",), self._table("timeouts")) or Timeouts()
        namespaces = self._namespaces()
        pools = self._named(PoolConfig, "pool")
        services = self._named(ServiceConfig, "service")
        profiles = self._profiles(namespaces)
        config = Config(
            gateway, limits, timeouts, namespaces, pools, services, profiles, tables=self._tables
        )
        self._check_endpoints(gateway)
        self._check_clients(gateway)
        self._check_workers(gateway, pools)
        for pool_name, pool in pools.items():
            self._check_pool(pool_name, pool)
        services = self._with_pools(services)
        for service_name, service in services.items():
            self._check_service(service_name, service)
        config = replace(config, service=services)
        if not self._problems.lines:
            self._check_sharing(config)
        for dead, earlier in shadowed(config.rules):
            self._problems.say(
                ("service", dead), f"is never reached: [service.{earlier}] above it takes all"
            )
        return config

    # -- tables

    def _table(self, key: str) -> dict[str, Any]:
        found = self._tables.get(key, {})
        if isinstance(found, dict):
            return found
        self._problems.say((key,), "allowed is a table", found)
        return {}

    def _model(self, model: type[Model], path: tuple[str, ...], table: object) -> Model | None:
        try:
            return model.model_validate(table)
        except ValidationError as error:
            self._problems.add(path, error, model)
            return None

    def _named(self, model: type[Model], key: str) -> dict[str, Model]:
        read = {}
        for name, table in self._table(key).items():
            self._check_name((key, name))
            found = self._model(model, (key, name), table)
            if found is not None:
                read[name] = found
        return read

    def _check_name(self, path: tuple[str, str]) -> None:
        try:
            units.name(path[1])
        except ValueError as error:
            self._problems.say(path, str(error))

    def _namespaces(self) -> dict[str, tuple[str, ...]]:
        read = {}
        for prefix, value in self._table("namespaces").items():
            wrong = _not_namespaces(prefix, value)
            if wrong:
                self._problems.say(("namespaces", prefix), wrong, value)
            else:
                read[prefix] = (value,) if isinstance(value, str) else tuple(value)
        return read

    def _profiles(self, namespaces: Mapping[str, tuple[str, ...]]) -> dict[str, Profile]:
        read = {}
        for name, table in self._table("profile").items():
            self._check_name(("profile", name))
            if not isinstance(table, dict):
                self._problems.say(("profile", name), "allowed is a table", table)
                continue
            try:
                read[name] = read_profile(name, table, namespaces)
            except ConfigError as error:
                for line in error.problems:
                    self._problems.say(*_of_profile(name, line))
        return read

    # -- what spans tables

    def _check_endpoints(self, gateway: Gateway) -> None:
        seen: dict[tuple[str, str, str], str] = {}
        places: list[tuple[Place, str]] = [
            (("gateway", "listen", n), one) for n, one in enumerate(gateway.listen)
        ]
        if gateway.admin is not None:
            places.append((("gateway", "admin"), gateway.admin))
        for path, endpoint in places:
            taken = units.address(endpoint)
            if taken is None:
                continue
            if taken in seen:
                self._problems.say(path, f'listens where "{seen[taken]}" does', endpoint)
            seen.setdefault(taken, endpoint)

    def _check_clients(self, gateway: Gateway) -> None:
        if gateway.client_ca is None:
            if "client_certificate" in gateway.model_fields_set:
                self._problems.say(
                    ("gateway", "client_certificate"),
                    "client_ca is missing, which says whose certificates are good",
                    gateway.client_certificate,
                )
        elif not any(map(units.speaks_tls, gateway.listen)):
            self._problems.say(
                ("gateway", "client_ca"),
                "no listener speaks TLS; listen needs one, as in"
                ' "ssl:8443:privateKey=key.pem:certKey=cert.pem"',
                gateway.client_ca,
            )

    def _check_workers(self, gateway: Gateway, pools: Mapping[str, PoolConfig]) -> None:
        if gateway.workers == 1:
            return
        path = ("gateway", "workers")
        if gateway.pins == "memory:":
            self._problems.say(
                path,
                "pins in memory belong to one process; allowed is 1, or workers with"
                ' pins = "lmdb:PATH", which they share',
                gateway.workers,
            )
        count = sum(len(pool.backend) for pool in pools.values())
        if count > SHARED_BACKENDS:
            self._problems.say(
                path,
                f"{count} backends are too many for workers to share, allowed are"
                f" {SHARED_BACKENDS}",
                gateway.workers,
            )

    def _check_pool(self, name: str, pool: PoolConfig) -> None:
        seen: set[str] = set()
        for number, backend in enumerate(pool.backend):
            if backend.name in seen:
                self._problems.say(
                    ("pool", name, "backend", number, "name"),
                    "used twice; a pin names its backend, so every name is used once",
                    backend.name,
                )
            seen.add(backend.name)
        if pool.backend and all(backend.backup for backend in pool.backend):
            self._problems.say(
                ("pool", name, "backend"), "all are backup; at least one must not be"
            )
        self._check_tls(name, pool)

    def _check_tls(self, name: str, pool: PoolConfig) -> None:
        tls, path = pool.tls, ("pool", name, "tls")
        if not tls.model_fields_set:
            return
        if not any(backend.url.startswith("https:") for backend in pool.backend):
            self._problems.say(path, "no backend of the pool has an https:// url")
        if tls.key and not tls.cert:
            self._problems.say((*path, "key"), "cert is missing, a key needs one", tls.key)
        for key in ("ca", "server_name"):
            if not tls.verify and getattr(tls, key):
                self._problems.say(
                    (*path, key), "has no meaning with verify = false", getattr(tls, key)
                )

    def _with_pools(self, services: Mapping[str, ServiceConfig]) -> dict[str, ServiceConfig]:
        """The services with their pools filled in; one that takes all if the file has none."""
        declared = list(self._table("pool"))
        if not declared:
            self._problems.say(("pool",), "is missing; at least one [pool.NAME] is needed")
            return dict(services)
        if not self._table("service"):
            if len(declared) == 1:
                # its name is the scope of the pins: [service.POOL], written later, finds them
                return {declared[0]: ServiceConfig(pool=declared[0])}
            self._problems.say(
                ("service",), "is missing; with several pools at least one [service.NAME] is needed"
            )
        return {name: self._with_pool(name, one, declared) for name, one in services.items()}

    def _with_pool(self, name: str, service: ServiceConfig, declared: list[str]) -> ServiceConfig:
        if service.pool is not None:
            return service
        if len(declared) == 1:
            return service.model_copy(update={"pool": declared[0]})
        self._problems.say(
            ("service", name, "pool"), f"is missing; allowed are {among(sorted(declared))}"
        )
        return service

    def _check_service(self, name: str, service: ServiceConfig) -> None:
        path = ("service", name)
        declared = self._table("pool")
        if service.pool is not None and declared and service.pool not in declared:
            self._problems.say(
                (*path, "pool"), unknown_name("pool", service.pool, declared), service.pool
            )
        self._check_sessions(name, service.sessions or ())

    def _check_sharing(self, config: Config) -> None:
        """What services have in common: scopes, callbacks, the names of cookies."""
        first: dict[str, str] = {}
        for name, service in config.service.items():
            other = first.setdefault(config.scope_of(name), name)
            if service.lifetime != config.service[other].lifetime:
                self._problems.say(
                    ("service", name, "scope"),
                    f"is that of [service.{other}]: idle, max_age and keep_ended must be equal",
                    config.scope_of(name),
                )
            for number, target in enumerate(service.callbacks):
                self._check_callback(config, ("service", name, "callbacks", number), target)
            cookie = service.affinity_cookie
            if cookie and f"cookie:{cookie}" in _cookies_of(config, name):
                self._problems.say(
                    ("service", name, "affinity_cookie"), "one of its profiles reads it", cookie
                )

    def _check_callback(self, config: Config, path: Place, target: str) -> None:
        if target not in config.service:
            self._problems.say(path, unknown_name("service", target, config.service), target)
        elif not any(profile.sent for profile in config.profiles_for(target)):
            self._problems.say(
                path, "none of its sessions says what was sent; name wsa-async there", target
            )

    def _check_sessions(self, name: str, sessions: Iterable[str]) -> None:
        known = {*catalogue(), *self._table("profile")}
        seen = set()
        for number, profile in enumerate(sessions):
            path = ("service", name, "sessions", number)
            if profile in seen:
                self._problems.say(path, "named twice", profile)
            elif profile not in known:
                self._problems.say(path, unknown_name("profile", profile, known), profile)
            seen.add(profile)


def _cookies_of(config: Config, service: str) -> set[str]:
    return {
        location.text
        for profile in config.profiles_for(service)
        for location in (*profile.lookup, *profile.bind, *profile.learn)
    }


def _not_namespaces(prefix: str, value: object) -> str:
    """What is wrong with an entry of [namespaces]; "" if nothing is."""
    if not _PREFIX.fullmatch(prefix) or prefix.lower().startswith("xml"):
        return "allowed is an XML prefix"
    uris = [value] if isinstance(value, str) else value
    if not isinstance(uris, list) or not uris or not all(isinstance(uri, str) for uri in uris):
        return 'allowed are a namespace, "urn:shop", its start, "urn:shop:*", or a list of them'
    return next((wrong for uri in uris if (wrong := check_namespace(uri))), "")


def _of_profile(name: str, line: str) -> tuple[Place, str]:
    """Where a sentence of `read_profile` belongs, and the sentence without that."""
    rest = line.removeprefix(f"profile {name!r}: ")
    found = _PROFILE_KEY.match(rest)
    if found is None:
        return ("profile", name), rest
    index = (int(found[2]),) if found[2] else ()
    return ("profile", name, *found[1].split("."), *index), rest[found.end() :]


def remarks(config: Config, name: str) -> list[str]:
    """What is allowed and probably not meant, a line each: roles that nobody has, pools and
    profiles that nothing uses, addresses that lead round the gateway, doors beside the one where a
    certificate is asked for. `name` is what the lines call the file."""
    said = Problems(name)
    _remark_certificates(said, config)
    used_profiles: set[str] = set()
    for service_name, service in config.service.items():
        used_profiles.update(one.name for one in config.profiles_for(service_name))
        _remark_addresses(said, service_name, service)
        roles = {role for one in config.pool_of(service_name).backend for role in one.roles}
        if service.role is not None and service.role not in roles:
            said.say(
                ("service", service_name, "role"),
                f"no backend of [pool.{service.pool}] has this role, so nothing can be served",
                service.role,
            )
    used_pools = {service.pool for service in config.service.values()}
    for pool in config.pool.keys() - used_pools:
        said.say(("pool", pool), "no service uses it")
    for profile in config.profile:
        if profile not in used_profiles:
            said.say(("profile", profile), "no service uses it; name it in sessions")
    return said.lines


def _remark_certificates(said: Problems, config: Config) -> None:
    gateway = config.gateway
    if gateway.client_ca is not None and gateway.client_certificate == "required":
        for number, listen in enumerate(gateway.listen):
            if not units.speaks_tls(listen) and not units.is_local(listen):
                said.say(
                    ("gateway", "listen", number),
                    "clients come in here without a certificate: client_ca is for TLS",
                    listen,
                )
    if gateway.client_ca is None:
        used = {one.name: one for name in config.service for one in config.profiles_for(name)}
        for name, profile in used.items():
            if any(map(_is_certificate, (*profile.lookup, *profile.bind))):
                said.say(
                    ("profile", name),
                    "client:certificate finds nothing: without client_ca in [gateway] clients are"
                    " asked for none",
                )


def _is_certificate(location: Location) -> bool:
    parts = location.parts if isinstance(location, Joined) else (location,)
    return any(
        isinstance(one, Carrier) and (one.kind, one.name) == ("client", "certificate")
        for one in parts
    )


def _remark_addresses(said: Problems, name: str, service: ServiceConfig) -> None:
    if service.rewrite_addresses:
        return
    for key in ("public_address", "backend_addresses"):
        if key in service.model_fields_set:
            said.say(("service", name, key), "has no meaning without rewrite_addresses = true")
    for number, profile in enumerate(service.sessions or ()):
        if profile in BY_ADDRESS:
            said.say(
                ("service", name, "sessions", number),
                "sends clients the address of a backend; with rewrite_addresses = true it is the"
                " gateway's",
                profile,
            )
