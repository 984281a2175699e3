"""What serves exchanges in one process, put together: alone, or as one of several workers.

    listeners -> Front -> Exchange -> Service (plan, affinity, pool) -> Dialer -> backend
                                    \\-> pin store, exchange log, metrics

It is made of a configuration and of pools that somebody else owns and judges; a reload makes new
services and swaps the table of them: exchanges under way keep the service they began with, pools
keep the live state of the backends that stay, pins are not touched. The rule: all that can fail is
done by `prepare`, before anything changes.

What stands beside the exchanges (health, the sweep of the pins, the admin side, signals) is not
known here; it belongs to `service`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from soapgate.assembly import affinity_of, callbacks_of, cookie_of, lifetimes_of, plans_of
from soapgate.config import Config, PoolConfig
from soapgate.core.errors import ConfigError
from soapgate.core.keys import Keys
from soapgate.core.pins import PinStore
from soapgate.core.plan import Plan
from soapgate.core.policies import POLICIES
from soapgate.core.pool import Member, Pool
from soapgate.core.services import Rule, match
from soapgate.edge.deadlines import NEVER, Deadlines
from soapgate.edge.desk import Desk, Service
from soapgate.edge.downstream import DownstreamTimes
from soapgate.edge.exchangelog import ExchangeLog
from soapgate.edge.fastpath import ShortWay
from soapgate.edge.front import Front
from soapgate.edge.logfile import LogFile
from soapgate.edge.metrics import Metrics
from soapgate.edge.mutual import Asked, asked
from soapgate.edge.proxy import Exchange
from soapgate.edge.rewriting import Addresses
from soapgate.edge.tls import client_options
from soapgate.edge.upstream import Dialer, UpstreamTimes
from soapgate.stores import open_store

_log = Logger()

FLUSH_SECONDS = 0.5  # how long a log line may wait for company


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a configuration is made into before it is in force: by pool and backend what dials
    with TLS, by service its plan."""

    config: Config
    tls: Mapping[str, Mapping[str, Any]]
    plans: Mapping[str, Plan]


def prepare(config: Config) -> Prepared:
    """Do what can fail of making a configuration real; changes nothing. Raises SoapgateError."""
    return Prepared(
        config,
        {name: _tls(config, pool) for name, pool in config.pool.items()},
        plans_of(config),
    )


def _tls(config: Config, pool: PoolConfig) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for backend in pool.backends():
        if backend.tls:
            files = {
                kind: config.base / path if path else None
                for kind, path in (
                    ("ca", pool.tls.ca),
                    ("cert", pool.tls.cert),
                    ("key", pool.tls.key),
                )
            }
            host = pool.tls.server_name or backend.host
            options[backend.name] = client_options(host, verify=pool.tls.verify, **files)
            if not pool.tls.verify:
                _log.warn("backend {name} is not verified: verify = false", name=backend.name)
    return options


def asked_of_clients(config: Config) -> Asked | None:
    """What listeners that speak TLS ask of clients. Raises ConfigError for a bad file."""
    gateway = config.gateway
    if gateway.client_ca is None:
        return None
    try:
        return asked(
            config.base / gateway.client_ca, required=gateway.client_certificate == "required"
        )
    except ConfigError as error:
        raise ConfigError([f"[gateway] client_ca: {line}" for line in error.problems]) from None


def make_store(config: Config) -> PinStore:
    """The pin store of a configuration. Raises SoapgateError."""
    gateway = config.gateway
    return open_store(
        gateway.pins, max_pins=gateway.max_pins, when_full=gateway.when_full, base=config.base
    )


def renew(pools: dict[str, Pool], config: Config, make: Callable[..., Pool]) -> None:
    """Bring `pools` to what the configuration says of each: new ones are made by
    `make(name, backends, policy, health)`, others keep the members that stay."""
    for name, one in config.pool.items():
        policy, backends = POLICIES[one.policy], one.backends()
        if name in pools:
            pools[name].replace(backends, policy=policy, health=one.probe)
        else:
            pools[name] = make(name, backends, policy, one.probe)
    for name in [name for name in pools if name not in config.pool]:
        del pools[name]


class Serving:
    """All that an exchange meets on its way, of one process."""

    def __init__(
        self,
        reactor: Any,
        config: Config,
        store: PinStore,
        flipped: Callable[[Pool, Member], None],
        front: type[Front] = Front,
        *,
        shared: bool = False,
    ) -> None:
        """`flipped(pool, member)` hears of backends that an exchange took down or brought up;
        `shared`: other processes write to the same log. Raises ConfigError for a log file that
        cannot be opened."""
        self._reactor = reactor
        self._config = config
        self._store = store
        self.keys = Keys(store.secret)
        self.metrics = Metrics()
        self.metrics.store = store
        gateway = config.gateway
        target = gateway.log_to if gateway.log != "none" else "stdout"
        self._log_file = LogFile(target, config.base, shared=shared)
        self._log = ExchangeLog(self._log_file.write, gateway.log, reactor.seconds)
        self._deadlines = Deadlines(reactor)
        self.dialers: dict[str, dict[str, Dialer]] = {}  # by pool and backend
        self.table: Mapping[str, Service] = {}
        self.rules: tuple[Rule, ...] = config.rules
        self._absent_before = (0, 0)
        self._desk = Desk(self._find, reactor.seconds, self._log, self.metrics, flipped)
        self.front = front(
            partial(Exchange, self._desk),
            self._deadlines,
            _downstream_times(config),
            config.limits.heads,
            config.limits.connections,
            self.metrics,
        )
        if gateway.fast_path:
            self.front.short = short = ShortWay(self._desk, getattr(reactor, "pipe", None))
            self.metrics.settle = short.settle
        self._flushing = LoopingCall(self._flush)
        self._flushing.clock = reactor

    # The configuration made real

    def apply(self, prepared: Prepared, pools: Mapping[str, Pool]) -> None:
        """Serve by this configuration from the next request on. `pools` are as it says."""
        config = self._config = prepared.config
        for name, pool in pools.items():
            self._dial(pool, prepared.tls[name])
        for name in [name for name in self.dialers if name not in pools]:
            for dialer in self.dialers.pop(name).values():
                dialer.close()
        reads = {name for plan in prepared.plans.values() for name in plan.request.fields}
        limits = config.limits
        self.front.use(_downstream_times(config), limits.heads, limits.connections, reads)
        self._absent_before = self._absent()
        self._count_shapes()
        self.table = {name: self._service(name, prepared.plans, pools) for name in prepared.plans}
        self.rules = config.rules
        self._desk.tables = self.table
        self.metrics.reconcile(config.service, pools, lifetimes_of(config))

    def _dial(self, pool: Pool, tls: Mapping[str, Any]) -> None:
        times = _upstream_times(self._config)
        limits = self._config.limits.heads
        dialers = self.dialers.setdefault(pool.name, {})
        for backend, member in pool.members.items():
            dialer = dialers.get(backend)
            if dialer is not None and dialer.member is member:
                dialer.use(times, limits, tls.get(backend))
                continue
            if dialer is not None:
                dialer.close()
            dialers[backend] = Dialer(
                self._reactor, member, self._deadlines, times, limits, self.metrics,
                tls.get(backend),
            )  # fmt: skip
        for backend in [one for one in dialers if one not in pool.members]:
            dialers.pop(backend).close()

    def _service(self, name: str, plans: Mapping[str, Plan], pools: Mapping[str, Pool]) -> Service:
        pinning = (self._store, self.keys, self.metrics.pin_events)
        config = self._config.service[name]
        pool = pools[config.pool or ""]
        limits = self._config.limits
        return Service(
            name,
            plans[name],
            affinity_of(self._config, name, plans[name], *pinning),
            pool,
            self.dialers[pool.name],
            self._config.terms_for(name),
            limits.scan,
            frozenset(config.idempotent),
            queue=self._config.timeouts.queue,
            tries=self._config.pool_of(name).attempts,
            max_body=limits.max_body,
            keep=limits.keep_for_retry,
            hide_fast_infoset=config.fast_infoset == "hide",
            callbacks=callbacks_of(self._config, name, plans, pools, *pinning),
            cookie=cookie_of(self._config, name, self._store.secret),
            explain=config.explain_header,
            jroute=config.jroute,
            fast=self._config.gateway.fast_path,
            addresses=Addresses(
                name, pool, self.metrics,
                rewrites=config.rewrite_addresses, public=config.public_address,
                others=config.known_addresses, most=limits.rewrite,
            ),
        )  # fmt: skip

    # What exchanges ask

    def _find(self, host: str, path: str, action: str) -> Service | None:
        name = match(self.rules, host, path, action)
        return self.table[name] if name is not None else None

    # Counts and the log

    def look(self) -> None:
        """Let those in who wait for a place; another process may have freed one."""
        for dialers in self.dialers.values():
            for dialer in dialers.values():
                dialer.admit()

    def reopen(self) -> None:
        """Open the log anew, for whoever rotated it."""
        self._log.flush()
        try:
            self._log_file.reopen()
        except ConfigError as error:
            _log.error("the log stays where it was: {error}", error=error)

    def _flush(self) -> None:
        self._log.flush()
        self.count()

    def count(self) -> None:
        """Bring those metrics up to date that others count."""
        self.metrics.log_lost = self._log.lost
        self.metrics.oversized_ids, self.metrics.unreadable_ids = self._absent()
        self._count_shapes()

    def _count_shapes(self) -> None:
        held = self.metrics.shapes
        for name, service in self.table.items():
            sides = (("request", service.request_shapes), ("response", service.response_shapes))
            for side, shapes in sides:
                for word, count in (("hit", shapes.hits), ("miss", shapes.misses)):
                    if count:
                        held[(name, side, word)] = held.get((name, side, word), 0) + count
                shapes.hits = shapes.misses = 0

    def _absent(self) -> tuple[int, int]:
        """Over-long and unreadable ids so far, with those that plans of earlier files met."""
        plans = [service.plan for service in self.table.values()]
        watches = [watch for plan in plans for watch in (plan.request, plan.response)]
        oversized, unreadable = self._absent_before
        return (
            oversized + sum(watch.oversized for watch in watches),
            unreadable + sum(watch.unreadable for watch in watches),
        )

    # Life

    def start(self) -> None:
        """Begin to watch the time."""
        self._deadlines.start()
        self._flushing.start(FLUSH_SECONDS, now=False)

    @property
    def grace(self) -> float:
        """Seconds that running exchanges have when it ends."""
        return self._config.timeouts.grace

    def drain(self, grace: float) -> Deferred[None]:
        """Take no new requests; fires when the running exchanges are through, or were cut off
        after `grace` seconds."""
        emptied: Deferred[None] = Deferred()
        timer = self._reactor.callLater(grace, self._give_up)

        def through() -> None:
            if not emptied.called:
                if timer.active():
                    timer.cancel()
                emptied.callback(None)

        self.front.drain(through)
        return emptied

    def _give_up(self) -> None:
        left = list(self.front.open)
        if left:
            _log.warn("{n} connections were still busy after the grace time", n=len(left))
        for downstream in left:
            downstream.abort()

    def end(self) -> None:
        """Let go of everything but the store, which its owner closes."""
        self._deadlines.stop()
        if self._flushing.running:  # one that broke does not keep the rest from ending well
            self._flushing.stop()
        for dialers in self.dialers.values():
            for dialer in dialers.values():
                dialer.close()
        self._log.flush()
        self.count()
        self._log_file.close()


def _downstream_times(config: Config) -> DownstreamTimes:
    times = config.timeouts
    return DownstreamTimes(
        head=times.head or NEVER,
        idle=times.idle or NEVER,
        exchange=times.exchange,
        stalled=times.response_idle or NEVER,
        body_rate=times.body_rate,
        body_grace=times.body_grace,
    )


def _upstream_times(config: Config) -> UpstreamTimes:
    times = config.timeouts
    return UpstreamTimes(
        connect=times.connect or NEVER,
        response=times.response or NEVER,
        response_idle=times.response_idle or NEVER,
        keep=times.upstream_idle or NEVER,
    )
