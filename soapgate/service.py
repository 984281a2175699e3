"""The composition root: a configuration becomes a running gateway, and this is where all meet.

    listeners -> Front -> Exchange -> Service (plan, affinity, pool) -> Dialer -> backend
                                    \\-> pin store, exchange log, metrics
    admin site, health probes, pin sweep, deadlines: beside it

Everything is made here and handed to who needs it; nobody else reaches for anybody. A reload makes
new services from the new file and swaps the table of them: exchanges under way keep the service
they began with, pools keep the live state of the backends that stay, pins are not touched.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from twisted.application.service import Service as TwistedService
from twisted.internet.defer import Deferred, DeferredList, ensureDeferred, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import LoopingCall
from twisted.logger import Logger, globalLogBeginner, textFileLogObserver

import soapgate
from soapgate import assembly
from soapgate.config import Config, PoolConfig, load
from soapgate.core.errors import ConfigError, SoapgateError
from soapgate.core.explained import View
from soapgate.core.pins import Keys, PinStore
from soapgate.core.plan import Plan
from soapgate.core.policies import POLICIES
from soapgate.core.pool import Admin, Member, Pool
from soapgate.core.services import match
from soapgate.edge.admin import make_site
from soapgate.edge.adminapi import ServiceInfo
from soapgate.edge.deadlines import NEVER, Deadlines
from soapgate.edge.desk import Desk, Service
from soapgate.edge.downstream import DownstreamTimes, Front
from soapgate.edge.exchangelog import ExchangeLog
from soapgate.edge.fastpath import FastExchange
from soapgate.edge.health import Probes, Seen
from soapgate.edge.http11 import HeadLimits
from soapgate.edge.metrics import Metrics
from soapgate.edge.rewriting import Addresses
from soapgate.edge.sweeping import Sweeper
from soapgate.edge.tls import client_options
from soapgate.edge.upstream import Dialer, UpstreamTimes
from soapgate.stores import open_store

_log = Logger()

FLUSH_SECONDS = 0.5  # how long a log line may wait for company
SYNC_SECONDS = 1.0  # how much a crash of the operating system may cost
_STANDARD = {"stdout": 1, "stderr": 2}


@dataclass
class _Running:
    """One pool with its connections."""

    pool: Pool
    dialers: dict[str, Dialer] = field(default_factory=dict)


class Gateway(TwistedService):
    """A whole gateway as a Twisted service; it is also the admin side's `View`."""

    version = soapgate.__version__

    def __init__(self, reactor: Any, config: Config, path: Path | None = None) -> None:
        """`path`: the file that `config` came from, for reloads. Raises SoapgateError for what
        cannot be made of the configuration."""
        self.started = reactor.seconds()
        self.failed = False
        self._reactor = reactor
        self._path = path
        self._base = config.base
        self._config = config
        gateway = config.gateway
        self.store: PinStore = open_store(
            gateway.pins,
            max_pins=gateway.max_pins,
            when_full=gateway.when_full,
            base=self._base,
        )
        self.keys = Keys(self.store.secret)
        self.metrics = Metrics()
        self.metrics.store = self.store
        self._log_file: Any = None
        self._open_log()
        self._log = ExchangeLog(self._write_log, gateway.log, reactor.seconds)
        self._deadlines = Deadlines(reactor)
        self._pools: dict[str, _Running] = {}
        self.services: Mapping[str, ServiceInfo] = {}
        self._table: Mapping[str, Service] = {}
        self._absent_before = (0, 0)
        self._rules = config.rules
        self._desk = Desk(self._find, reactor.seconds, self._log, self.metrics, self.flipped)
        self._front = Front(
            partial(FastExchange, self._desk),
            self._deadlines,
            _downstream_times(config),
            config.limits.heads,
            config.limits.connections,
            self.metrics,
        )
        self._probes = Probes(reactor, self.flipped)
        self._sweeper = Sweeper(reactor, self.store, self.metrics)
        self._loops: list[LoopingCall] = []
        self._ports: list[Any] = []
        self._admin_port: Any = None
        try:
            self._apply(config)
        except SoapgateError:
            self.store.close()
            raise

    # The configuration made real

    def _apply(self, config: Config) -> None:
        """Make everything that a reload may change; all that can fail comes first."""
        tls = {name: self._tls(pool) for name, pool in config.pool.items()}
        plans = assembly.plans_of(config)
        self._config = config
        for name, pool in config.pool.items():
            self._run_pool(name, pool, tls[name])
        for name in [name for name in self._pools if name not in config.pool]:
            for dialer in self._pools.pop(name).dialers.values():
                dialer.close()
        self._front.use(_downstream_times(config), config.limits.heads, config.limits.connections)
        self._absent_before = self._absent()
        self._table = {name: self._service(name, plans) for name in plans}
        self._rules = config.rules
        self._desk.tables = self._table
        self.services = {name: self._info(name) for name in config.service}
        lifetimes = assembly.lifetimes_of(config)
        self.metrics.reconcile(config.service, self.pools, lifetimes)
        self._sweeper.use(lifetimes)
        self._probes.watch(self.pools)

    def _tls(self, pool: PoolConfig) -> dict[str, Any]:
        options: dict[str, Any] = {}
        for backend in pool.backends():
            if backend.tls:
                files = {
                    kind: self._base / path if path else None
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

    def _run_pool(self, name: str, config: PoolConfig, tls: Mapping[str, Any]) -> None:
        policy = POLICIES[config.policy]
        running = self._pools.get(name)
        if running is None:
            pool = Pool(name, config.backends(), policy, config.probe)
            running = self._pools[name] = _Running(pool)
        else:
            running.pool.replace(config.backends(), policy=policy, health=config.probe)
        times = _upstream_times(self._config)
        limits = self._config.limits.heads
        for backend, member in running.pool.members.items():
            dialer = running.dialers.get(backend)
            if dialer is not None and dialer.member is member:
                dialer.use(times, limits, tls.get(backend))
                continue
            if dialer is not None:
                dialer.close()
            running.dialers[backend] = Dialer(
                self._reactor, member, self._deadlines, times, limits, self.metrics,
                tls.get(backend),
            )  # fmt: skip
        for backend in [one for one in running.dialers if one not in running.pool.members]:
            running.dialers.pop(backend).close()

    def _service(self, name: str, plans: Mapping[str, Plan]) -> Service:
        config = self._config.service[name]
        pinning = (self.store, self.keys, self.metrics.pin_events)
        running = self._pools[config.pool or ""]
        limits = self._config.limits
        return Service(
            name,
            plans[name],
            assembly.affinity_of(self._config, name, plans[name], *pinning),
            running.pool,
            running.dialers,
            self._config.terms_for(name),
            limits.scan,
            frozenset(config.idempotent),
            queue=self._config.timeouts.queue,
            tries=self._config.pool_of(name).attempts,
            max_body=limits.max_body,
            keep=limits.keep_for_retry,
            hide_fast_infoset=config.fast_infoset == "hide",
            callbacks=assembly.callbacks_of(self._config, name, plans, self.pools, *pinning),
            cookie=assembly.cookie_of(self._config, name, self.store.secret),
            explain=config.explain_header,
            addresses=Addresses(
                name, running.pool, self.metrics,
                rewrites=config.rewrite_addresses, public=config.public_address,
                others=config.known_addresses, most=limits.rewrite,
            ),
        )  # fmt: skip

    def _info(self, name: str) -> ServiceInfo:
        config = self._config.service[name]
        return ServiceInfo(
            name,
            config.pool or "",
            config.rule(name),
            tuple(profile.name for profile in self._config.profiles_for(name)),
            config.terms,
            config.lifetime,
            self._config.scope_of(name),
        )

    # What exchanges ask

    def _find(self, host: str, path: str, action: str) -> Service | None:
        name = match(self._rules, host, path, action)
        return self._table[name] if name is not None else None

    # What the admin side asks

    @property
    def pools(self) -> Mapping[str, Pool]:
        """The pools by name."""
        return {name: running.pool for name, running in self._pools.items()}

    @property
    def explained(self) -> Sequence[View]:
        """The services as an explanation needs them."""
        return self._config.views

    @property
    def head_limits(self) -> HeadLimits:
        """What a message head may have."""
        return self._config.limits.heads

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._reactor.seconds()

    def ready(self) -> tuple[bool, list[str]]:
        """Whether exchanges are served, and what stands against it."""
        reasons = []
        if self._front.closing:
            reasons.append("stopping")
        if not self._ports:
            reasons.append("not listening yet")
        reasons += [
            f"pool {pool.name}: no backend is up and ready"
            for pool in self.pools.values()
            if not any(member.accepts_new(None) for member in pool.members.values())
        ]
        return not reasons, reasons

    def set_admin(self, pool: Pool, member: Member, word: Admin) -> None:
        """Do what an operator said of a backend."""
        before, member.admin = member.admin, word
        if before != word:
            _log.info(
                "backend {pool}/{name} is {word}, was {before}",
                pool=pool.name, name=member.name, word=word, before=before,
            )  # fmt: skip
            self._probes.watch(self.pools)

    def last_probe(self, pool: str, backend: str) -> Seen | None:
        """The last active probe of a backend."""
        return self._probes.last(pool, backend)

    def flipped(self, pool: Pool, member: Member) -> None:
        """Say that an exchange or a probe took a backend down or brought it up."""
        if member.name not in pool.members:
            return  # a reload took it; its last exchange speaks of nobody
        _log.info(
            "backend {pool}/{name} is {state}",
            pool=pool.name, name=member.name, state="up" if member.up else "down",
        )  # fmt: skip
        if member.up and (scopes := assembly.scopes_of(self._config, pool.name)):
            self._sweeper.forget(scopes, member.name)

    # The exchange log's file

    def _open_log(self) -> None:
        """Open, or open anew after a rotation; what cannot be opened leaves the old file in use."""
        target = self._config.gateway.log_to
        if target in _STANDARD or self._config.gateway.log == "none":
            return
        path = self._base / target
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            opened = path.open("ab", buffering=0)
        except OSError as error:
            raise ConfigError([f"log_to: {path} cannot be opened: {error.strerror}"]) from None
        if self._log_file is not None:
            self._log_file.close()
        self._log_file = opened

    def _write_log(self, lines: bytes) -> None:
        if self._log_file is not None:
            self._log_file.write(lines)
            return
        left = memoryview(lines)
        while left:
            left = left[os.write(_STANDARD[self._config.gateway.log_to], left) :]

    # Life

    def open(self) -> None:
        """Listen, once the reactor runs, and reload on SIGHUP. A gateway that cannot listen says
        so on stderr, is `failed` and stops the reactor."""

        def failed(failure: Any) -> None:
            self.failed = True
            sys.stderr.write(f"soapgate: {failure.getErrorMessage()}\n")
            self._reactor.stop()

        ensureDeferred(self.listen()).addErrback(failed)
        signal.signal(signal.SIGHUP, lambda *_: self._reactor.callFromThread(self.reload))

    async def listen(self) -> None:
        """Accept on every endpoint; raises ConfigError naming one that does not."""
        for text in self._config.gateway.listen:
            self._ports.append(await self._open(text, self._front))
        admin = self._config.gateway.admin
        if admin:
            self._admin_port = await self._open(admin, make_site(self, self._reactor))
        where = ", ".join(_address(port) for port in self._ports)
        beside = f"; admin on {_address(self._admin_port)}" if self._admin_port else ""
        sys.stderr.write(f"soapgate {self.version} ready on {where}{beside}; pid {os.getpid()}\n")
        sys.stderr.flush()

    async def _open(self, text: str, factory: Any) -> Any:
        try:
            return await serverFromString(self._reactor, text).listen(factory)
        except Exception as error:
            raise ConfigError([f"listen on {text!r}: {error}"]) from None

    def startService(self) -> None:
        """Begin everything but listening, which `listen` does."""
        super().startService()
        for note in getattr(self.store, "notes", ()):
            _log.warn("{note}", note=note)
        self._deadlines.start()
        self._sweeper.start()
        for seconds, what in ((FLUSH_SECONDS, self._flush), (SYNC_SECONDS, self._sync)):
            loop = LoopingCall(what)
            loop.clock = self._reactor
            loop.start(seconds, now=False)
            self._loops.append(loop)

    def _flush(self) -> None:
        self._log.flush()
        self.metrics.log_lost = self._log.lost
        self.metrics.oversized_ids, self.metrics.unreadable_ids = self._absent()

    def _absent(self) -> tuple[int, int]:
        """Over-long and unreadable ids so far, with those that plans of earlier files met."""
        plans = [service.plan for service in self._table.values()]
        watches = [watch for plan in plans for watch in (plan.request, plan.response)]
        oversized, unreadable = self._absent_before
        return (
            oversized + sum(watch.oversized for watch in watches),
            unreadable + sum(watch.unreadable for watch in watches),
        )

    def _sync(self) -> None:
        try:
            self.store.sync()
        except SoapgateError as error:
            _log.error("pins are not synced: {error}", error=error)

    def stopService(self) -> Deferred[Any]:
        """Take no new connection, let running exchanges finish for `grace` seconds, then end."""
        super().stopService()
        closing = [port.stopListening() for port in self._ports]
        emptied: Deferred[None] = Deferred()
        timer = self._reactor.callLater(self._config.timeouts.grace, self._give_up)
        self._front.drain(lambda: None if emptied.called else emptied.callback(None))

        async def end() -> None:
            await DeferredList([emptied, *(one for one in closing if one is not None)])
            if timer.active():
                timer.cancel()
            self._end()
            if self._admin_port is not None:  # last, so that somebody can see how it ends
                await maybeDeferred(self._admin_port.stopListening)

        return ensureDeferred(end())

    def _give_up(self) -> None:
        left = list(self._front.open)
        if left:
            _log.warn("{n} connections were still busy after the grace time", n=len(left))
        for downstream in left:
            downstream.abort()

    def _end(self) -> None:
        self._probes.stop()
        self._sweeper.stop()
        self._deadlines.stop()
        for loop in self._loops:
            if loop.running:  # one that broke does not keep the rest from ending well
                loop.stop()
        for running in self._pools.values():
            for dialer in running.dialers.values():
                dialer.close()
        self._log.flush()
        if self._log_file is not None:
            self._log_file.close()
        self.store.close()

    def reload(self) -> bool:
        """Take the file anew; a bad one changes nothing and says why. The log is opened anew in
        any case: whoever rotates it must not wait for a good file."""
        self._log.flush()
        try:
            self._open_log()
        except ConfigError as error:
            _log.error("the log stays where it was: {error}", error=error)
        if self._path is None:
            _log.warn("nothing to reload: the gateway was started without a file")
            return False
        try:
            config = load(self._path)
            for key in ("pins", "listen", "admin", "max_pins", "when_full", "log", "log_to"):
                if getattr(config.gateway, key) != getattr(self._config.gateway, key):
                    _log.warn("[gateway] {key} changes at the next start only", key=key)
            self._apply(replace(config, gateway=self._config.gateway))
        except SoapgateError as error:
            _log.error("not reloaded, nothing changed:\n{error}", error=error)
            return False
        _log.info("reloaded {path}", path=str(self._path))
        return True


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


def _address(port: Any) -> str:
    host = port.getHost()
    if hasattr(host, "port"):
        return f"{host.host}:{host.port}"
    name = getattr(host, "name", host)  # of a UNIX socket: bytes
    return os.fsdecode(name) if isinstance(name, bytes) else str(name)


def run(config: Config, path: Path | None = None) -> int:
    """Run a gateway in the foreground until SIGTERM or SIGINT. Returns the exit status: 0 after an
    orderly end, 1 if it could not start (each reason on stderr)."""
    from soapgate.edge.turn import install

    reactor = install()
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    try:
        gateway = Gateway(reactor, config, path)
    except SoapgateError as error:
        sys.stderr.write(f"soapgate: {error}\n")
        return 1
    reactor.callWhenRunning(gateway.startService)
    reactor.callWhenRunning(gateway.open)
    reactor.addSystemEventTrigger("before", "shutdown", gateway.stopService)
    reactor.run()
    return int(gateway.failed)
