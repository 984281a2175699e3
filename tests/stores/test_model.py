"""Every store against a dict: whatever is done in whatever order, both say the same."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from soapgate.core.errors import StoreFull
from soapgate.core.pins import Pin
from soapgate.stores.lmdb import LmdbStore
from soapgate.stores.memory import MemoryStore

MAX_PINS = 4
KEYS = [bytes([number]) * 16 for number in (0, 1, 7, 65, 128, 254, 255)]
keys = st.sampled_from(KEYS)
names = st.sampled_from(["shop", "b1", "b2", "b3"]) | st.text(min_size=1, max_size=5)


def run(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("a store suspends")


class Model(RuleBasedStateMachine):
    """The dict is the model; the clock never stands still, so the order of use is total."""

    when_full = "evict"

    def __init__(self):
        super().__init__()
        self.now = 1_700_000_000.0
        self.pins: dict[bytes, Pin] = {}
        self.evicted = 0
        self.store = self.open()

    def open(self):
        return MemoryStore(MAX_PINS, self.when_full)

    def tick(self) -> float:
        self.now += 0.37
        return self.now

    def teardown(self):
        self.store.close()

    def bound(self, key: bytes, pin: Pin) -> None:
        if key not in self.pins and len(self.pins) >= MAX_PINS:
            if self.when_full == "refuse":
                with pytest.raises(StoreFull):
                    run(self.store.bind(key, pin))
                return
            del self.pins[min(self.pins, key=lambda each: self.pins[each].used)]
            self.evicted += 1
        assert run(self.store.bind(key, pin)) == self.pins.setdefault(key, pin)

    @rule(key=keys, service=names, profile=names, backend=names)
    def bind(self, key, service, profile, backend):
        now = self.tick()
        self.bound(key, Pin(service, profile, backend, b"", now, now))

    @rule(key=keys, primary=keys)
    def bind_alias(self, key, primary):
        now = self.tick()
        self.bound(key, Pin("shop", "wsrm", "", primary, now, now))

    @rule(key=keys)
    def lookup(self, key):
        assert run(self.store.lookup(key)) == self.pins.get(key)

    @rule(key=keys)
    def touch(self, key):
        now = self.tick()
        run(self.store.touch(key, now))
        if key in self.pins:
            self.pins[key] = self.pins[key]._replace(used=now)

    @rule(key=keys, other=keys, backend=names)
    def rebind(self, key, other, backend):
        now = self.tick()
        old = self.pins.get(other, Pin("shop", "wsrm", "nobody", b"", now, now))
        new = Pin("shop", "wsrm", backend, b"", now, now)
        expected = key in self.pins and self.pins[key].same(old)
        assert run(self.store.rebind(key, old, new)) == expected
        if expected:
            self.pins[key] = new

    @rule(key=keys, seconds=st.floats(0.1, 1e6), ended=st.sampled_from([0, 1, 2]))
    def bound_or_end(self, key, seconds, ended):
        """A bound of its own, as an end or an expiry gives it."""
        old = self.pins.get(key)
        if old is None:
            return
        now = self.tick()
        new = old._replace(used=now, until=now + seconds, ended=ended)
        assert run(self.store.rebind(key, old, new))
        self.pins[key] = new

    @rule(key=keys)
    def unbind(self, key):
        assert run(self.store.unbind(key)) == (key in self.pins)
        self.pins.pop(key, None)

    @rule(key=keys, other=keys)
    def unbind_the_same(self, key, other):
        old = self.pins.get(other, Pin("shop", "wsrm", "nobody", b"", 1.0, 1.0))
        expected = key in self.pins and self.pins[key].same(old)
        assert run(self.store.unbind(key, old)) == expected
        if expected:
            del self.pins[key]

    @rule(limit=st.integers(1, 5))
    def scan(self, limit):
        found, cursor = run(self.store.scan(None, limit))
        while cursor is not None:
            batch, cursor = run(self.store.scan(cursor, limit))
            assert len(batch) <= limit
            found += batch
        assert found == sorted(self.pins.items())

    @invariant()
    def counts_agree(self):
        assert run(self.store.count()) == len(self.pins)
        assert self.store.evicted == self.evicted


class Refusing(Model):
    when_full = "refuse"


class Lmdb(Model):
    def open(self):
        self.directory = tempfile.TemporaryDirectory()
        return LmdbStore(Path(self.directory.name), MAX_PINS, self.when_full)

    @precondition(lambda self: self.pins)
    @rule()
    def reopen(self):
        self.store.close()
        self.store = LmdbStore(Path(self.directory.name), MAX_PINS, self.when_full)
        self.evicted = 0

    def teardown(self):
        super().teardown()
        self.directory.cleanup()


class RefusingLmdb(Lmdb):
    when_full = "refuse"


few = settings(deadline=None, max_examples=25, stateful_step_count=40)
many = settings(deadline=None, max_examples=100, stateful_step_count=40)

TestMemoryStoreAgreesWithADict = Model.TestCase
TestMemoryStoreThatRefusesAgreesWithADict = Refusing.TestCase
TestLmdbStoreAgreesWithADict = Lmdb.TestCase
TestLmdbStoreThatRefusesAgreesWithADict = RefusingLmdb.TestCase
Model.TestCase.settings = many
Refusing.TestCase.settings = many
Lmdb.TestCase.settings = few
RefusingLmdb.TestCase.settings = few
