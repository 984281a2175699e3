"""The walk through the store: what it forgets, what it leaves, what it counts."""

from __future__ import annotations

import pytest

from soapgate.core.pins import NAME_ENDED, SESSION_ENDED, Lifetime, Pin
from soapgate.core.sweep import ORPHAN, Forget, Sweep
from soapgate.stores.memory import MemoryStore

NOW = 1_000_000.0
LIFETIMES = {"shop": Lifetime(idle=100.0, max_age=1000.0), "cart": Lifetime(10.0, 1000.0)}
A, B, C, D = (letter * 16 for letter in (b"a", b"b", b"c", b"d"))


def run(coroutine):
    """The result of a coroutine that must not suspend."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it suspends")


def pin(service="shop", *, alias=b"", age=0.0, idle=0.0, until=0.0, ended=0):
    backend = "" if alias else "b1"
    return Pin(service, "wsrm", backend, alias, NOW - max(age, idle), NOW - idle, until, ended)


@pytest.fixture
def store():
    return MemoryStore()


def keys(store):
    return [key for key, _ in run(store.scan(None, 1000))[0]]


def swept(store, pins, **given):
    for key, each in pins.items():
        run(store.bind(key, each))
    sweep = Sweep(store, LIFETIMES, **given)
    assert run(sweep.step(NOW, 1000))
    return sweep


@pytest.mark.parametrize(
    ("one", "stays"),
    [
        (pin(), True),
        (pin(idle=100.0), True),
        (pin(idle=101.0), False),
        (pin(age=1001.0), False),
        (pin("cart", idle=11.0), False),
        (pin("gone", idle=3600.0), True),
        (pin("gone", idle=ORPHAN.idle + 1), False),
    ],
    ids=["fresh", "at its limit", "idle", "old", "other limit", "orphan", "old orphan"],
)
def test_a_pin_stays_as_long_as_its_service_says(store, one, stays):
    sweep = swept(store, {A: one})
    assert keys(store) == [A] * stays
    assert sweep.dropped == (not stays)


def test_the_lifetime_of_orphans_is_the_callers_to_say(store):
    swept(store, {A: pin("gone", idle=3600.0)}, orphan=Lifetime(60.0, 60.0))
    assert keys(store) == []


@pytest.mark.parametrize(
    ("primary", "stays"),
    [
        ({B: pin(age=50.0)}, True),
        ({}, False),
        ({B: pin(idle=101.0)}, False),
        ({B: pin(alias=C, age=50.0), C: pin(age=50.0)}, False),
        ({B: pin(age=10.0)}, False),
    ],
    ids=["alive", "gone", "expired", "an alias itself", "bound anew"],
)
def test_an_alias_stays_as_long_as_its_primary(store, primary, stays):
    swept(store, {A: pin(alias=B, age=30.0)} | primary)
    assert (A in keys(store)) is stays


def test_a_walk_counts_the_pins_of_each_service_aliases_included(store):
    pins = {A: pin(), B: pin(alias=A), C: pin("gone"), D: pin(idle=101.0)}
    assert swept(store, pins).held == {"shop": 2, "cart": 0, "gone": 1}


def test_a_walk_goes_in_batches_and_says_when_it_ends(store):
    for key in (A, B, C):
        run(store.bind(key, pin()))
    sweep = Sweep(store, LIFETIMES)
    assert [run(sweep.step(NOW, 2)) for _ in range(4)] == [False, True, False, True]
    assert sweep.held["shop"] == 3


def test_counts_stand_until_the_next_walk_ends(store):
    sweep = swept(store, {A: pin(), B: pin(), C: pin()})
    run(store.unbind(C))
    assert not run(sweep.step(NOW, 1))
    assert sweep.held["shop"] == 3
    assert run(sweep.step(NOW, 1))
    assert sweep.held["shop"] == 2


class Late(MemoryStore):
    """Another process binds an id anew just before the sweep drops its expired pin."""

    async def unbind(self, key, old=None):
        self._pins[key] = Pin("shop", "wsrm", "b2", b"", NOW, NOW)
        return await super().unbind(key, old)


def test_a_pin_bound_anew_under_the_sweeps_hands_is_left():
    store = Late()
    sweep = swept(store, {A: pin(idle=101.0)})
    assert run(store.lookup(A)).backend == "b2"
    assert sweep.dropped == 0


def test_what_has_ended_goes_when_its_grace_is_over_and_is_not_counted_as_expired(store):
    over = {"until": NOW, "ended": SESSION_ENDED}
    sweep = swept(store, {A: pin(**over), B: pin(alias=A), C: pin(until=NOW + 1, ended=1)})
    assert keys(store) == [C]
    assert (sweep.dropped, sweep.expired) == (2, 1)


def test_an_alias_whose_name_is_over_goes_and_its_primary_stays(store):
    swept(store, {A: pin(), B: pin(alias=A, until=NOW, ended=NAME_ENDED)})
    assert keys(store) == [A]


@pytest.mark.parametrize("claimed", [True, False])
@pytest.mark.parametrize("limit", [1, 1000])
def test_a_primary_whose_name_is_over_goes_once_a_whole_walk_met_no_alias_of_it(
    store, claimed, limit
):
    run(store.bind(B, pin(until=NOW, ended=NAME_ENDED)))
    if claimed:
        run(store.bind(A, pin(alias=B)))
    sweep = Sweep(store, LIFETIMES)
    walks = 0
    for _ in range(100):
        walks += run(sweep.step(NOW, limit))
        if walks == 2:
            assert B in keys(store)
        if walks == 4:
            break
    assert (B in keys(store)) is claimed


def test_a_name_in_use_again_is_not_swept(store):
    run(store.bind(B, pin(until=NOW, ended=NAME_ENDED)))
    sweep = Sweep(store, LIFETIMES)
    for _ in range(2):
        run(sweep.step(NOW, 10))
    run(store.rebind(B, pin(until=NOW, ended=NAME_ENDED), pin()))
    for _ in range(3):
        run(sweep.step(NOW, 10))
    assert keys(store) == [B]


def test_the_pins_of_a_restarted_backend_are_forgotten_and_no_others(store):
    other = pin()._replace(backend="b2")
    pins = {A: pin(age=5.0), B: pin(alias=A), C: other, D: pin("cart", age=5.0)}
    for key, each in pins.items():
        run(store.bind(key, each))
    run(store.bind(b"n" * 16, pin()._replace(created=NOW + 1)))
    forget = Forget(store, {"shop"}, "b1", NOW)
    steps = [run(forget.step(2)) for _ in range(3)]
    assert steps == [False, False, True]
    assert keys(store) == [B, C, D, b"n" * 16]
    assert forget.dropped == 1
