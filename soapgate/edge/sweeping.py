"""When to look for pins that nobody asks for any more: a little now and then, never all at once.

`soapgate.core.sweep.Sweep` knows what to look for; this knows the clock. A whole walk begins
every `REST` seconds and takes a batch a `STEP`, so that a million pins are walked in some minutes
at under one hundredth of a processor, and a small store is walked in one step.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from soapgate.core.errors import StoreError
from soapgate.core.pins import Lifetime, PinStore
from soapgate.core.sweep import Forget, Sweep
from soapgate.edge.metrics import Metrics

_log = Logger()

FORGETTING = 10  # batches a step while a restarted backend's pins are forgotten: a million in 25 s
STEP = 0.1  # seconds between two batches of one walk
BATCH = 400  # pins: about a millisecond of an LMDB store
REST = 30.0  # seconds between the end of a walk and the next


class Sweeper:
    """Walks the store with a `Sweep` and tells the metrics what is held."""

    def __init__(self, reactor: Any, store: PinStore, metrics: Metrics) -> None:
        self._reactor = reactor
        self._store = store
        self._metrics = metrics
        self._sweep = Sweep(store, {})
        self._forgetting: list[Forget] = []
        self._next_walk = 0.0
        self._loop = LoopingCall(self._turn)
        self._loop.clock = reactor

    def use(self, lifetimes: Mapping[str, Lifetime]) -> None:
        """Judge by these lifetimes, by scope, from the next walk on, which begins now."""
        self._sweep = Sweep(self._store, lifetimes)
        self._next_walk = 0.0

    def forget(self, scopes: Collection[str], backend: str) -> None:
        """Forget the pins of a backend that are there by now, from the next step on."""
        now = self._reactor.seconds()
        self._forgetting.append(Forget(self._store, scopes, backend, now))

    def start(self) -> None:
        """Walk from now on."""
        self._loop.start(STEP, now=False)

    def stop(self) -> None:
        """Walk no more."""
        if self._loop.running:
            self._loop.stop()

    def _turn(self) -> Deferred[None]:
        if self._forgetting:
            return ensureDeferred(self._forget())
        if self._reactor.seconds() < self._next_walk:
            return succeed(None)
        return ensureDeferred(self._step())

    async def _forget(self) -> None:
        first = self._forgetting[0]
        before = first.dropped
        done = False
        try:
            for _ in range(FORGETTING):
                done = done or await first.step(BATCH)
        except StoreError as error:
            _log.error("the pins of a restarted backend stay: {error}", error=error)
            done = True
        self._metrics.pin_event("restarted", first.dropped - before)
        if done:
            self._forgetting.remove(first)

    async def _step(self) -> None:
        sweep = self._sweep
        before = sweep.expired
        try:
            ended = await sweep.step(self._reactor.seconds(), BATCH)
        except StoreError as error:
            _log.error("the sweep of the pin store failed: {error}", error=error)
            ended = True
        except Exception:
            _log.failure("the sweep of the pin store failed")  # and goes on after its rest
            ended = True
        self._metrics.pin_event("expired", sweep.expired - before)
        if ended and sweep is self._sweep:
            self._metrics.pins = sweep.held
            self._next_walk = self._reactor.seconds() + REST
