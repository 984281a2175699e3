"""Walks through the pin store: when they begin, how they go on, what a failure costs."""

from __future__ import annotations

import asyncio

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from soapgate.core.errors import StoreError
from soapgate.core.pins import Lifetime, Pin
from soapgate.edge.metrics import Metrics
from soapgate.edge.sweeping import BATCH, REST, STEP, Sweeper
from soapgate.stores.memory import MemoryStore

SHORT = Lifetime(idle=10.0, max_age=1000.0)


def pin(used: float = 0.0, service: str = "shop") -> Pin:
    return Pin(service, "p", "b1", b"", used, used)


def fill(store: MemoryStore, pins: list[Pin]) -> None:
    async def bind() -> None:
        for n, one in enumerate(pins):
            await store.bind(b"%016d" % n, one)

    asyncio.run(bind())


class Room:
    """A sweeper with its clock, store and metrics."""

    def __init__(self, pins: list[Pin] | None = None) -> None:
        self.clock = Clock()
        self.store = MemoryStore(secret=b"s" * 32)
        fill(self.store, pins or [])
        self.metrics = Metrics(["shop"])
        self.sweeper = Sweeper(self.clock, self.store, self.metrics)
        self.sweeper.use({"shop": SHORT})
        self.sweeper.start()

    @property
    def held(self) -> int:
        return len(self.store._pins)


def test_a_small_store_is_walked_in_one_step() -> None:
    room = Room([pin(), pin(), pin(used=5.0)])
    room.clock.advance(STEP)
    assert room.metrics.pins == {"shop": 3}
    assert room.metrics.pin_events["expired"] == 0


def test_what_expired_is_dropped_and_counted() -> None:
    room = Room([pin(), pin(), pin(used=1e6)])
    room.clock.rightNow = 100.0
    room.clock.advance(STEP)
    assert room.held == 1
    assert room.metrics.pin_events["expired"] == 2
    assert room.metrics.pins == {"shop": 1}


def test_the_next_walk_begins_after_a_rest() -> None:
    room = Room([pin()])
    room.clock.advance(STEP)
    fill(room.store, [pin(), pin()])
    room.clock.advance(REST - 1)
    assert room.metrics.pins == {"shop": 1}
    room.clock.pump([STEP] * 20)
    assert room.metrics.pin_events["expired"] > 0


def test_the_pins_of_a_restarted_backend_are_forgotten_and_counted() -> None:
    room = Room([pin(used=5.0)] * (2 * BATCH) + [pin(used=5.0, service="other")])
    room.clock.rightNow = 6.0
    room.sweeper.forget({"shop"}, "b1")
    room.clock.pump([STEP] * 3)
    assert room.held == 1
    assert room.metrics.pin_events["restarted"] == 2 * BATCH
    assert room.metrics.pin_events["expired"] == 0
    assert room.metrics.pins == {"shop": 0, "other": 1}


def test_a_store_that_fails_keeps_the_pins_of_a_restarted_backend(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    room = Room([pin(used=1e6)])

    async def fails(cursor: bytes | None, limit: int) -> None:
        raise StoreError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(room.store, "scan", fails)
        room.sweeper.forget({"shop"}, "b1")
        room.clock.advance(STEP)
    room.clock.advance(STEP)
    assert room.held == 1
    assert room.metrics.pins == {"shop": 1}


def test_a_large_store_is_walked_a_batch_a_step() -> None:
    room = Room([pin(used=1e6)] * (2 * BATCH + 1))
    room.clock.advance(STEP)
    room.clock.advance(STEP)
    assert room.metrics.pins == {}
    room.clock.advance(STEP)
    assert room.metrics.pins == {"shop": 2 * BATCH + 1}


def test_new_lifetimes_are_used_at_once() -> None:
    room = Room([pin()])
    room.clock.advance(STEP)
    room.sweeper.use({"shop": Lifetime(idle=0.1, max_age=1.0)})
    room.clock.advance(STEP)
    assert room.held == 0


def test_a_store_that_fails_is_tried_again_after_a_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room([pin(used=1e6)])

    async def fails(cursor: bytes | None, limit: int) -> None:
        raise StoreError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(room.store, "scan", fails)
        room.clock.advance(STEP)
    room.clock.pump([STEP] * 10)
    assert room.metrics.pins == {}
    room.clock.advance(REST)
    assert room.metrics.pins == {"shop": 1}


def test_a_defect_in_one_step_does_not_end_the_sweeping(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room([pin(used=1e6)])

    async def breaks(cursor: bytes | None, limit: int) -> None:
        raise RuntimeError("a defect")

    with monkeypatch.context() as patch:
        patch.setattr(room.store, "scan", breaks)
        room.clock.advance(STEP)
    room.clock.advance(REST + 1)
    assert room.metrics.pins == {"shop": 1}


def test_a_slow_store_is_asked_one_thing_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room()
    asked: list[Deferred[None]] = []

    async def slow(cursor: bytes | None, limit: int) -> tuple[list[tuple[bytes, Pin]], None]:
        asked.append(Deferred())
        await asked[-1]
        return [], None

    monkeypatch.setattr(room.store, "scan", slow)
    room.clock.pump([STEP] * 10)
    assert len(asked) == 1
    room.sweeper.use({"bank": SHORT})
    asked[0].callback(None)
    assert room.metrics.pins == {}, "the walk of old lifetimes tells nothing of the new services"
    room.clock.pump([STEP] * 2)
    assert len(asked) == 2
    asked[1].callback(None)
    assert room.metrics.pins == {"bank": 0}


def test_a_stopped_sweeper_leaves_no_timer() -> None:
    room = Room([pin()])
    room.sweeper.stop()
    room.sweeper.stop()
    room.clock.advance(REST)
    assert room.metrics.pins == {}
    assert room.clock.getDelayedCalls() == []
