"""The composition root: a configuration becomes a running gateway, and this is where all meet.

    staff (this process alone, or workers) serves exchanges: `serving`, `supervisor`, `worker`
    admin site, health probes, pin sweep, signals: beside it, once for the whole gateway

Everything is made here and handed to who needs it; nobody else reaches for anybody. Who serves the
exchanges is behind one seam, `Staff`: with `workers = 1` it is this very process, with more it is a
crew of processes that this one supervises. A reload makes the new configuration real in whatever
can fail, then in the pools, then has the staff serve by it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from twisted.application.service import Service as TwistedService
from twisted.internet.defer import Deferred, DeferredList, ensureDeferred, maybeDeferred, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import LoopingCall
from twisted.logger import Logger, globalLogBeginner, textFileLogObserver

import soapgate
from soapgate import assembly, compiled
from soapgate.config import Config, load
from soapgate.core.errors import ConfigError, SoapgateError
from soapgate.core.explained import View
from soapgate.core.keys import Keys
from soapgate.core.pins import PinStore
from soapgate.core.pool import Admin, Member, Pool
from soapgate.edge.admin import make_site
from soapgate.edge.adminapi import ServiceInfo
from soapgate.edge.health import Probes, Seen
from soapgate.edge.http11 import HeadLimits
from soapgate.edge.metrics import Metrics
from soapgate.edge.mutual import endpoint
from soapgate.edge.sweeping import Sweeper
from soapgate.edge.workers import WorkerInfo
from soapgate.serving import Prepared, Serving, asked_of_clients, make_store, prepare, renew
from soapgate.supervisor import Supervisor

_log = Logger()

SYNC_SECONDS = 1.0  # how much a crash of the operating system may cost
# what a reload does not change
_FIXED = (
    *("pins", "listen", "client_ca", "client_certificate", "admin", "max_pins", "when_full"),
    *("workers", "fast_path", "log", "log_to"),
)


class Staff(Protocol):
    """Who serves the exchanges. `own` are the metrics that this process counts in, `metrics` those
    of the whole gateway as they were when `gather` last fired."""

    own: Metrics

    @property
    def metrics(self) -> Metrics: ...

    def make_pool(self, *about: Any) -> Pool:
        """A pool; `about` as for `Pool`."""

    def apply(self, prepared: Prepared, pools: Mapping[str, Pool]) -> Deferred[Any]:
        """Serve by this configuration; fires when it is in force everywhere."""

    async def listen(self, text: str) -> Any:
        """Listen on an endpoint; returns the port."""

    async def begin(self, ports: Sequence[tuple[str, Any]]) -> None:
        """Accept on these (endpoint, port); ends when that is so everywhere."""

    def start(self) -> None:
        """Begin to watch the time."""

    def gather(self) -> Deferred[Any]:
        """Bring `metrics` and `workers` up to date."""

    def workers(self) -> list[WorkerInfo]:
        """The processes that serve."""

    def hindered(self) -> list[str]:
        """Why no exchange can be served, a sentence each."""

    def ailing(self) -> list[str]:
        """What is not well though exchanges are served, a sentence each."""

    def reopen(self) -> None:
        """Open the exchange log anew."""

    def drain(self, grace: float) -> Deferred[None]:
        """Take no new exchange; fires when the running ones are through, or cut off."""

    def end(self) -> None:
        """Let go of everything but the store."""


class Alone(Serving):
    """This process serves by itself."""

    def __init__(self, reactor: Any, config: Config, store: PinStore, flipped: Any) -> None:
        super().__init__(reactor, config, store, flipped)
        self.own = self.metrics
        self._started = reactor.seconds()
        self._asks = asked_of_clients(config)

    def make_pool(self, *about: Any) -> Pool:
        return Pool(*about)

    def apply(  # type: ignore[override]
        self, prepared: Prepared, pools: Mapping[str, Pool]
    ) -> Deferred[Any]:
        super().apply(prepared, pools)
        return succeed(None)

    async def listen(self, text: str) -> Any:
        return await endpoint(self._reactor, text, self._asks).listen(self.front)

    async def begin(self, ports: Sequence[tuple[str, Any]]) -> None:
        """It accepts since it listens."""

    def gather(self) -> Deferred[Any]:
        self.count()
        return succeed(None)

    def workers(self) -> list[WorkerInfo]:
        state = "finishing" if self.front.closing else "serving"
        count = sum(self.metrics.exchanges.values())
        return [WorkerInfo(0, os.getpid(), state, self._started, count)]

    def hindered(self) -> list[str]:
        return []

    def ailing(self) -> list[str]:
        return []


class Gateway(TwistedService):
    """A whole gateway as a Twisted service; it is also the admin side's `View`."""

    version = soapgate.__version__
    build = compiled.word()

    def __init__(self, reactor: Any, config: Config, path: Path | None = None) -> None:
        """`path`: the file that `config` came from, for reloads. Raises SoapgateError for what
        cannot be made of the configuration."""
        self.started = reactor.seconds()
        self.failed = False
        self._reactor = reactor
        self._path = path
        self._config = config
        self._pools: dict[str, Pool] = {}
        self._ports: list[tuple[str, Any]] = []
        self._admin_port: Any = None
        self._accepting = self._stopping = False
        self.services: Mapping[str, ServiceInfo] = {}
        self.store: PinStore = make_store(config)
        self.keys = Keys(self.store.secret)
        try:
            hire = Alone if config.processes == 1 else Supervisor
            self.staff: Staff = hire(reactor, config, self.store, self.flipped)
            self._probes = Probes(reactor, self.flipped)
            self._sweeper = Sweeper(reactor, self.store, self.staff.own)
            self._apply(config)
        except SoapgateError:
            self.store.close()
            raise
        self._syncing = LoopingCall(lambda: ensureDeferred(self._sync()))
        self._syncing.clock = reactor

    # The configuration made real

    def _apply(self, config: Config) -> Deferred[Any]:
        """Make everything that a reload may change; all that can fail comes first."""
        prepared = prepare(config)
        self._config = config
        renew(self._pools, config, self.staff.make_pool)
        applied = self.staff.apply(prepared, self._pools)
        self.services = {name: self._info(name) for name in config.service}
        self._sweeper.use(assembly.lifetimes_of(config))
        self._probes.watch(self._pools)
        return applied

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

    # What the admin side asks

    @property
    def pools(self) -> Mapping[str, Pool]:
        """The pools by name."""
        return self._pools

    @property
    def explained(self) -> Sequence[View]:
        """The services as an explanation needs them."""
        return self._config.views

    @property
    def head_limits(self) -> HeadLimits:
        """What a message head may have."""
        return self._config.limits.heads

    @property
    def metrics(self) -> Metrics:
        """The counts of the whole gateway, as of the last `gather`."""
        return self.staff.metrics

    def gather(self) -> Deferred[Any]:
        """Bring the counts up to date."""
        return self.staff.gather()

    def workers(self) -> list[WorkerInfo]:
        """The processes that serve, as of the last `gather`."""
        return self.staff.workers()

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._reactor.seconds()

    def ready(self) -> tuple[bool, list[str]]:
        """Whether exchanges are served, and what stands against it; or is not well though they
        are."""
        reasons = []
        if self._stopping:
            reasons.append("stopping")
        if not self._accepting:
            reasons.append("not listening yet")
        else:
            reasons += self.staff.hindered()
        reasons += [
            f"pool {pool.name}: no backend is up and ready"
            for pool in self.pools.values()
            if not any(member.accepts_new(None) for member in pool.members.values())
        ]
        return not reasons, reasons + self.staff.ailing()

    def set_admin(self, pool: Pool, member: Member, word: Admin) -> None:
        """Do what an operator said of a backend."""
        before, member.admin = member.admin, word
        if before != word:
            _log.info(
                "backend {pool}/{name} is {word}, was {before}",
                pool=pool.name, name=member.name, word=word, before=before,
            )  # fmt: skip
            self._probes.watch(self._pools)

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
            self._ports.append((text, await self._open(text)))
        admin = self._config.gateway.admin
        if admin:
            self._admin_port = await self._open(admin, make_site(self, self._reactor))
        await self.staff.begin(self._ports)
        self._accepting = True
        where = ", ".join(_address(port) for _, port in self._ports)
        beside = f"; admin on {_address(self._admin_port)}" if self._admin_port else ""
        sys.stderr.write(f"soapgate {self.version} ready on {where}{beside}; pid {os.getpid()}\n")
        sys.stderr.flush()

    async def _open(self, text: str, factory: Any = None) -> Any:
        """Listen for `factory`, or for the staff."""
        try:
            if factory is None:
                return await self.staff.listen(text)
            return await serverFromString(self._reactor, text).listen(factory)
        except Exception as error:
            raise ConfigError([f"listen on {text!r}: {error}"]) from None

    def startService(self) -> None:
        """Begin everything but listening, which `listen` does."""
        super().startService()
        for note in getattr(self.store, "notes", ()):
            _log.warn("{note}", note=note)
        self.staff.start()
        self._sweeper.start()
        self._syncing.start(SYNC_SECONDS, now=False)

    async def _sync(self) -> None:
        try:
            await self.store.count()  # who only looks maps first what others have added
            self.store.sync()
        except SoapgateError as error:
            _log.error("pins are not synced: {error}", error=error)

    def stopService(self) -> Deferred[Any]:
        """Take no new connection, let running exchanges finish for `grace` seconds, then end."""
        super().stopService()
        self._stopping = True
        closing = [port.stopListening() for _, port in self._ports]
        drained = self.staff.drain(self._config.timeouts.grace)

        async def end() -> None:
            await DeferredList([drained, *(one for one in closing if one is not None)])
            self._end()
            if self._admin_port is not None:  # last, so that somebody can see how it ends
                await maybeDeferred(self._admin_port.stopListening)

        return ensureDeferred(end())

    def _end(self) -> None:
        self._probes.stop()
        self._sweeper.stop()
        if self._syncing.running:  # one that broke does not keep the rest from ending well
            self._syncing.stop()
        self.staff.end()
        self.store.close()

    def reload(self) -> bool:
        """Take the file anew; a bad one changes nothing and says why. The log is opened anew in
        any case: whoever rotates it must not wait for a good file."""
        self.staff.reopen()
        if self._path is None:
            _log.warn("nothing to reload: the gateway was started without a file")
            return False
        try:
            config = load(self._path, self._config.overrides)
            for key in _FIXED:
                if getattr(config.gateway, key) != getattr(self._config.gateway, key):
                    _log.warn("[gateway] {key} changes at the next start only", key=key)
            before = self._config
            # the tables too: workers that start later read them
            tables = {**config.tables, "gateway": before.tables.get("gateway", {})}
            applied = self._apply(replace(config, gateway=before.gateway, tables=tables))
        except SoapgateError as error:
            _log.error("not reloaded, nothing changed:\n{error}", error=error)
            return False
        applied.addCallback(lambda _: _log.info("reloaded {path}", path=str(self._path)))
        return True


def _address(port: Any) -> str:
    host = port.getHost()
    if hasattr(host, "port"):
        return f"{host.host}:{host.port}"
    name = getattr(host, "name", host)  # of a UNIX socket: bytes
    return os.fsdecode(name) if isinstance(name, bytes) else str(name)


def run(config: Config, path: Path | None = None) -> int:
    """Run a gateway in the foreground until SIGTERM or SIGINT. Returns the exit status: 0 after an
    orderly end, 1 if it could not start (each reason on stderr)."""
    from soapgate.edge.turn import install, run_for_good

    reactor = install()
    if remark := compiled.remark():
        sys.stderr.write(f"soapgate: {remark}\n")
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    try:
        gateway = Gateway(reactor, config, path)
    except SoapgateError as error:
        sys.stderr.write(f"soapgate: {error}\n")
        return 1
    reactor.callWhenRunning(gateway.startService)
    reactor.callWhenRunning(gateway.open)
    reactor.addSystemEventTrigger("before", "shutdown", gateway.stopService)
    run_for_good(reactor)
    return int(gateway.failed)
