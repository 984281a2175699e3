"""Pools: the backends a service chooses from, and what is known of each right now.

A `Backend` is what the configuration says; a `Member` is that backend's live state in a pool:
the operator's word (ready, drain, maint), health (up, down) and load. The one rule kept here is
`available` = ready, up and not full; who gets which request is for `policies` and `routing`.

Nothing here probes, counts time or opens a connection: the edge tells a member what it saw
(`mark`) and what runs (`inflight`, `waiting`). A choice must cost the same in a pool of 2 and of
200, so the pool remembers its candidates and forgets them when anybody's availability changes,
instead of asking everybody for every request.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Container, Iterable
from copy import copy
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Literal, get_args

from soapgate.core.errors import ConfigError
from soapgate.core.policies import Policy, Rendezvous, RoundRobin

Admin = Literal["ready", "drain", "maint"]
ADMIN_WORDS: tuple[Admin, ...] = get_args(Admin)

WEIGHT_MAX = 256  # as HAProxy; a weight of 0 is `drain` here
DEFAULT_PORTS = {"http": 80, "https": 443}

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?")  # RFC 3986 B
_AUTHORITY = re.compile(r"(?:\[(?P<literal>[^\[\]]*)\]|(?P<name>[^:\[\]]*))(?::(?P<port>.*))?")
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")  # _ : container names


@dataclass(frozen=True, slots=True)
class Health:
    """How health is judged. `interval` and `timeout` of a probe in seconds; `rise` and `fall`
    are how many like results in a row make a backend up or down."""

    interval: float = 2.0
    rise: int = 2
    fall: int = 3
    timeout: float = 2.0


@dataclass(frozen=True, slots=True)
class Backend:
    """One server as configured. `url` is as written; `host` is in lower case, an IPv6 literal
    without brackets. `maxconn` = most requests in flight, 0 = no limit. `roles` are the roles it
    serves; it always serves a service that asks for none. There is no path: a request's own
    target goes through unchanged."""

    name: str
    url: str
    host: str
    port: int
    tls: bool
    weight: int = 1
    maxconn: int = 0
    roles: frozenset[str] = frozenset()
    backup: bool = False

    @classmethod
    def parse(
        cls,
        name: str,
        url: str,
        *,
        weight: int = 1,
        maxconn: int = 0,
        roles: Iterable[str] = (),
        backup: bool = False,
    ) -> Backend:
        """The backend, or ConfigError with a sentence for each thing that is wrong."""
        problems = [f"backend {name!r}: {problem}" for problem in _number_problems(weight, maxconn)]
        if not _NAME.fullmatch(name):
            problems.append(
                f"backend {name!r}: a name has 1 to 64 letters, digits, dots, underscores"
                " and hyphens"
            )
        try:
            tls, host, port = _parse_url(url)
        except ValueError as error:
            problems.append(f"backend {name!r}: {error}")
        if problems:
            raise ConfigError(problems)
        return cls(name, url, host, port, tls, weight, maxconn, frozenset(roles), backup)

    @property
    def address(self) -> tuple[bool, str, int]:
        """(tls, host, port): what makes it this server and no other, however the url is spelt."""
        return self.tls, self.host, self.port


def _number_problems(weight: int, maxconn: int) -> Iterable[str]:
    if not 1 <= weight <= WEIGHT_MAX:
        yield f"weight is {weight}, allowed are 1 to {WEIGHT_MAX}"
    if maxconn < 0:
        yield f"maxconn is {maxconn}, allowed are 0 (no limit) and more"


def _parse_url(url: str) -> tuple[bool, str, int]:
    """(tls, host, port) of `scheme://host[:port][/]`; ValueError says what else was found."""
    match = _URL.fullmatch(url)
    scheme = match[1].lower() if match else ""
    if match is None or scheme not in DEFAULT_PORTS:
        raise ValueError(f"url {url!r} is not http://HOST[:PORT] or https://HOST[:PORT]")
    if "@" in match[2]:
        # the text may hold a password, so it is not repeated
        raise ValueError("the url has user information before an @, which is never sent")
    if match[3] not in ("", "/"):
        raise ValueError(
            f"url {url!r} has a path; a backend is a server, and requests keep their own path"
        )
    if match[4] is not None or match[5] is not None:
        raise ValueError(f"url {url!r} has a query or a fragment; a backend is a server")
    authority = _AUTHORITY.fullmatch(match[2])
    if authority is None:
        raise ValueError(f"url {url!r} has no valid host; an IPv6 address stands in brackets")
    host = _host(authority["literal"], authority["name"], url)
    return scheme == "https", host, _port(authority["port"], DEFAULT_PORTS[scheme], url)


def _host(literal: str | None, name: str | None, url: str) -> str:
    try:
        if literal is not None:
            return str(IPv6Address(literal.replace("%25", "%", 1)))  # a zone: RFC 6874
        host = (name or "").lower()
        if re.fullmatch(r"[0-9.]+", host):
            return str(IPv4Address(host))
    except AddressValueError as error:
        raise ValueError(f"url {url!r} has no valid address: {error}") from None
    labels = host.removesuffix(".").split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(
            f"url {url!r} has no valid host name; allowed are ASCII letters, digits,"
            " hyphens, underscores and dots (xn-- for others)"
        )
    return host


def _port(text: str | None, default: int, url: str) -> int:
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise ValueError(f"url {url!r} has the port {text!r}, allowed are 1 to 65535")
    return int(text)


def _unwatched() -> None:
    """A member outside a pool has nobody to tell."""


class Member:
    """One backend's live state in a pool. It starts ready and up.

    `inflight` is how many requests it is serving, `waiting` how many stand in its queue; both
    are the edge's to count and never fall below zero. Who frees a place with somebody waiting
    hands the place over without lowering `inflight`, so that no newcomer slips in between.
    `load` is what the two weigh: (inflight + waiting) / weight. `full`: it is at its maxconn, and
    whoever comes now waits. `accepts_pinned`: it serves the sessions that are bound to it (up, and
    not in maint); fullness does not count, those wait. `ready`: it is up and the operator says so
    too. These four are read only. `seen_at` is the edge's to set: a backend may be configured by a
    name.
    """

    __slots__ = (
        "_admin", "_backend", "_changed", "_filled", "_health", "_inflight", "_limit", "_streak",
        "_up", "_waiting", "_weight", "accepts_pinned", "full", "load", "name", "ready", "seen_at",
    )  # fmt: skip

    def __init__(
        self,
        backend: Backend,
        health: Health | None = None,
        changed: Callable[[], None] = _unwatched,
        filled: Callable[[], None] = _unwatched,
    ) -> None:
        """`changed` is called when it may serve others than before, `filled` when it became full
        or is full no more."""
        self.name = backend.name
        self.seen_at = ""  # the address that the last probe reached it at
        self._changed = changed
        self._filled = filled
        self._admin: Admin = "ready"
        self._up = True
        self._streak = 0  # results in a row that speak against `up`
        self._inflight = 0
        self._waiting = 0
        self.configure(backend, health or Health())

    def configure(self, backend: Backend, health: Health) -> None:
        """Take a new configuration of the same backend; the live state stays."""
        if backend.name != self.name:
            raise ValueError(f"member {self.name!r} cannot become {backend.name!r}")
        self._backend = backend
        self._health = health
        self._limit = backend.maxconn or sys.maxsize
        self._weight = backend.weight
        self._weigh()
        self._turn()

    def _weigh(self) -> None:
        self.full = self._inflight >= self._limit
        self.load = (self._inflight + self._waiting) / self._weight

    # What is so

    @property
    def backend(self) -> Backend:
        return self._backend

    @property
    def up(self) -> bool:
        return self._up

    def accepts_new(self, role: str | None) -> bool:
        """Ready, up and of the role (None: any): serves new sessions, if need be after a wait."""
        return self.ready and (role is None or role in self._backend.roles)

    def available(self, role: str | None) -> bool:
        """Ready, up, of the role and not full: serves a new session at once."""
        return self.accepts_new(role) and not self.full

    # What the operator says

    @property
    def admin(self) -> Admin:
        """ready, drain (bound sessions only) or maint (nothing). Another word: ValueError."""
        return self._admin

    @admin.setter
    def admin(self, word: Admin) -> None:
        if word not in ADMIN_WORDS:
            raise ValueError(f"admin is {word!r}, allowed are {', '.join(ADMIN_WORDS)}")
        self._admin = word
        self._turn()

    # What the edge saw

    def mark(self, ok: bool) -> bool:
        """Count one result, of a probe or of an exchange alike: `rise` good ones in a row bring
        a backend up, `fall` bad ones take it down. True if this result did."""
        if ok == self._up:
            self._streak = 0
            return False
        self._streak += 1
        if self._streak < (self._health.rise if ok else self._health.fall):
            return False
        self._up = ok
        self._streak = 0
        self._turn()
        return True

    @property
    def streak(self) -> int:
        """How many results in a row speak against `up`."""
        return self._streak

    def settle(self, up: bool, streak: int) -> None:
        """Take what another process came to, where that one judges."""
        self._streak = streak
        if up != self._up:
            self._up = up
            self._turn()

    def _turn(self) -> None:
        self.accepts_pinned = self._up and self._admin != "maint"
        self.ready = self._up and self._admin == "ready"
        self._changed()

    def enter(self) -> bool:
        """Take one of the places that maxconn leaves; False if there is none."""
        if self.full:
            return False
        self._count(self._inflight + 1)
        return True

    def admit(self) -> bool:
        """Take a place for the first who waits for one; False if there is none for him."""
        return self.enter()

    def leave(self) -> None:
        """Give a place back."""
        if not self._inflight:
            raise ValueError(f"member {self.name!r} has no request in flight")
        self._count(self._inflight - 1)

    @property
    def inflight(self) -> int:
        return self._inflight

    @inflight.setter
    def inflight(self, count: int) -> None:
        if count < 0:
            raise ValueError(f"member {self.name!r} cannot have {count} requests in flight")
        self._count(count)

    def _count(self, inflight: int) -> None:
        self._inflight = inflight
        self.load = (inflight + self._waiting) / self._weight
        full = inflight >= self._limit
        if full is not self.full:
            self.full = full
            self._filled()

    @property
    def waiting(self) -> int:
        return self._waiting

    @waiting.setter
    def waiting(self, count: int) -> None:
        if count < 0:
            raise ValueError(f"member {self.name!r} cannot have {count} requests waiting")
        self._wait(count)

    def _wait(self, count: int) -> None:
        self._waiting = count
        self.load = (self._inflight + count) / self._weight

    def __repr__(self) -> str:
        limit = f"/{self._backend.maxconn}" if self._backend.maxconn else ""
        health = "up" if self._up else "down"
        waiting = f", {self._waiting} waiting" if self._waiting else ""
        return (
            f"<Member {self.name} {self._backend.url} {self._admin} {health},"
            f" {self._inflight}{limit} in flight{waiting}>"
        )


class Pool:
    """The members a service chooses from, by name and in the order of the configuration."""

    def __init__(
        self,
        name: str,
        backends: Iterable[Backend],
        policy: Callable[[], Policy] = RoundRobin,
        health: Health | None = None,
    ) -> None:
        """`policy` makes one (an entry of `POLICIES`). ConfigError if a name comes twice."""
        self.name = name
        self.members: dict[str, Member] = {}
        self.health = health or Health()
        self.rendezvous = Rendezvous()  # for ids that choose by themselves, whatever the policy
        self._new_policy = policy
        self._policies: dict[str | None, Policy] = {}
        # by role: those come from the configuration, a handful
        self._standing: dict[str | None, tuple[tuple[Member, ...], ...]] = {}
        self._available: dict[str | None, tuple[Member, ...]] = {}
        self.replace(backends)

    def policy(self, role: str | None) -> Policy:
        """The policy that has the turns of a role. Each role has its own: with one turn for two
        roles that take turns themselves, each would see the same half of its backends."""
        policy = self._policies.get(role)
        if policy is None:
            policy = self._policies[role] = self._new_policy()
        return policy

    def with_policy(self, policy: Policy) -> Pool:
        """The same members and candidates under another policy: to ask what would be chosen
        without taking a turn."""
        other = copy(self)
        other._new_policy = lambda: policy
        other._policies = {}
        return other

    def candidates(
        self, role: str | None, excluded: Container[str] = (), *, full: bool = False
    ) -> tuple[Member, ...]:
        """Who may get an unpinned request: the available members, but those named in `excluded`;
        backups only when there is nobody else. With `full`, also members at their maxconn, who
        would let it wait. The same object as long as the answer is the same and nobody is
        excluded, so that a choice costs the same in a pool of 2 and of 200."""
        if excluded or full:
            return self._choose(role, excluded, full)
        known = self._available.get(role)
        if known is None:
            known = self._available[role] = self._choose(role, (), full)
        return known

    def _choose(self, role: str | None, excluded: Container[str], full: bool) -> tuple[Member, ...]:
        standing = self._standing.get(role)
        if standing is None:
            standing = self._standing[role] = self._stand(role)
        for group in standing:
            if not full:
                group = tuple([member for member in group if not member.full])
            if excluded:
                group = tuple([member for member in group if member.name not in excluded])
            if group:
                return group
        return ()

    def _stand(self, role: str | None) -> tuple[tuple[Member, ...], ...]:
        """Who accepts new sessions of a role, full or not: the regular members, the backups."""
        members = [member for member in self.members.values() if member.accepts_new(role)]
        return (
            tuple(member for member in members if not member.backend.backup),
            tuple(member for member in members if member.backend.backup),
        )

    def replace(
        self,
        backends: Iterable[Backend],
        *,
        policy: Callable[[], Policy] | None = None,
        health: Health | None = None,
    ) -> tuple[Member, ...]:
        """Take a new configuration, for what is given. A member whose name and address stay is
        kept with its live state; a name with another address is another server and starts anew.
        Returns the members that left. ConfigError, and nothing changed, if a name comes twice."""
        chosen = _by_name(self.name, backends)
        if policy is not None:
            self._new_policy = policy
            self._policies.clear()
        if health is not None:
            self.health = health
        before = self.members
        self.members = {name: self._seat(backend) for name, backend in chosen.items()}
        self._forget()
        return tuple(m for name, m in before.items() if self.members.get(name) is not m)

    def _seat(self, backend: Backend) -> Member:
        member = self.members.get(backend.name)
        if member is None or member.backend.address != backend.address:
            return self._enlist(backend)
        member.configure(backend, self.health)
        return member

    def _enlist(self, backend: Backend) -> Member:
        return Member(backend, self.health, self._forget, self._available.clear)

    def _forget(self) -> None:
        self._standing.clear()
        self._available.clear()

    def __repr__(self) -> str:
        available = sum(member.available(None) for member in self.members.values())
        return f"<Pool {self.name}: {available} of {len(self.members)} available>"


def _by_name(pool: str, backends: Iterable[Backend]) -> dict[str, Backend]:
    chosen: dict[str, Backend] = {}
    problems = []
    for backend in backends:
        if backend.name in chosen:
            problems.append(f"pool {pool!r} has two backends named {backend.name!r}")
        chosen[backend.name] = backend
    if problems:
        raise ConfigError(problems)
    return chosen
