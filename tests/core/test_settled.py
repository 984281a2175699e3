"""What takes no thought is decided as with thought, or left to it."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

import pytest
from hypothesis import given, settings
from pinned import IDLE, MAX_AGE, T0, Desk, bind, lookup, run
from routed import IDENTITIES, NEW, STRICT, TERMS, fill, pinned, pool_of, pools

from soapgate.core.keys import Keys
from soapgate.core.naming import Naming
from soapgate.core.pins import LIVE, NAME_ENDED, SESSION_ENDED, Lifetime, Pin
from soapgate.core.pool import Pool
from soapgate.core.routing import Identity, Route, Terms
from soapgate.core.routing import route as thought
from soapgate.core.scanned import Found
from soapgate.core.settled import Settled, takes
from soapgate.stores.memory import MemoryStore

# ids


def settled(settled: Settled, found: Sequence[Found], now: float) -> tuple[Identity, ...] | None:
    """The identities of the finds of one message, if they take no thought."""
    session = settled.session(found)
    bound = settled.bound(session, now) if session is not None else None
    return bound.told()[1] if bound is not None else None


def test_a_live_primary_in_recent_use_is_settled(desk: Desk) -> None:
    desk.session("b1", "rm", "1")
    (identity,) = settled(desk.affinity.settled, [lookup("rm", "1")], T0 + 1)
    assert (identity,) == desk.identify([lookup("rm", "1")], T0 + 1)
    assert identity.pin.backend == "b1"
    assert settled(desk.affinity.settled, [bind("rm", "1")], T0 + 1)[0].bindable


@pytest.mark.parametrize(
    "found",
    [
        [lookup("cookie", "c")],
        [lookup("cookie", "c"), lookup("rm", "1")],
        [bind("rm", "1"), lookup("rm", "1"), lookup("cookie", "c")],
    ],
    ids=["an alias", "two ids", "one twice"],
)
def test_all_ids_of_a_session_are_settled_as_they_are_identified(
    desk: Desk, found: list[Found]
) -> None:
    desk.session("b1", "rm", "1", ("cookie", "c"))
    told = settled(desk.affinity.settled, found, T0 + 1)
    assert told == desk.identify(found, T0 + 1)
    assert {identity.pin.backend for identity in told} == {"b1"}


@pytest.mark.parametrize(
    ("found", "later"),
    [
        ([lookup("rm", "unknown")], 1),
        ([lookup("rm", "1"), lookup("rm", "unknown")], 1),
        ([lookup("rm", "1"), Found("rm", "sent", "2", "Header/x")], 1),
        ([lookup("rm", "1")], IDLE / 8),
        ([lookup("cookie", "c")], IDLE / 8),
        ([lookup("rm", "1")], IDLE + 1),
        ([lookup("rm", "1")], MAX_AGE + 1),
    ],
    ids=[
        *("unknown", "unknown beside a known", "another use", "a use to be noted"),
        *("a use of an alias to be noted", "idle too long", "too old"),
    ],
)
def test_what_takes_thought_is_not_settled(desk: Desk, found: list[Found], later: float) -> None:
    desk.session("b1", "rm", "1", ("cookie", "c"))
    assert settled(desk.affinity.settled, found, T0 + later) is None


def told(pin: Pin, lifetime: Lifetime, now: float) -> bool:
    """Whether an id with this pin is settled."""
    keys = Keys(b"s" * 32)
    store = MemoryStore(secret=b"s" * 32)
    store._pins[keys.key("shop", "rm", "1")] = pin
    one = Settled(store, keys, Naming(keys, "shop", {}), lifetime)
    return settled(one, [lookup("rm", "1")], now) is not None


def pin(created: float, used: float, **more: Any) -> Pin:
    return Pin("shop", "rm", "b1", b"", created, used)._replace(**more)


@pytest.mark.parametrize("used", [0.0, 899.0, 900.0, 999.0, 1000.0])
@pytest.mark.parametrize("created", [0.0, 500.0, 900.0])
def test_an_id_is_settled_when_its_pin_is_neither_expired_nor_stale(
    used: float, created: float
) -> None:
    lifetime = Lifetime(800.0, 600.0)
    one = pin(created, used)
    old = lifetime.expired(one, 1000.0) or lifetime.stale(one, 1000.0)
    assert told(one, lifetime, 1000.0) is not old


@pytest.mark.parametrize(
    ("more", "now", "fresh"),
    [
        ({"until": 1050.0}, 1049.9, True),
        ({"until": 1050.0}, 1050.0, False),
        ({"until": 1050.0, "ended": NAME_ENDED}, 1001.0, False),
        ({"until": 1050.0, "ended": SESSION_ENDED}, 1001.0, False),
    ],
)
def test_what_has_ended_or_is_over_is_not_settled(
    more: dict[str, Any], now: float, fresh: bool
) -> None:
    assert told(pin(1000.0, 1000.0, **more), Lifetime(800.0, 8000.0), now) is fresh


@pytest.mark.parametrize("found", [[bind("rm", "1")], [lookup("cookie", "c"), lookup("rm", "1")]])
def test_a_session_that_is_kept_follows_its_pins(desk: Desk, found: list[Found]) -> None:
    """What follows from the ids is kept; what the store says is asked every time."""
    desk.session("b1", "rm", "1", ("cookie", "c"))
    one = desk.affinity.settled
    session = one.session(found)
    first = one.bound(session, T0 + 1)
    assert one.bound(session, T0 + 2) is first
    before = desk.identify(found, T0 + 2)
    (held,) = desk.identify([lookup("rm", "1")], T0 + 2)
    desk.move(held, "b2", T0 + 2)
    second = one.bound(session, T0 + 3)
    assert second.backend == "b2"
    assert second.told()[1] == desk.identify(found, T0 + 3)
    run(desk.store.unbind(held.primary))
    assert one.bound(session, T0 + 4) is None
    # whoever went by it still knows what it said then
    assert (first.backend, first.told()[1]) == ("b1", before)


# route


def route(identities: Sequence[Identity], pool: Pool) -> Route | None:
    """What is decided of ids with these pins without thought, if anything is."""
    keys = Keys(b"s" * 32)
    store = MemoryStore(secret=b"s" * 32)
    one = Settled(store, keys, Naming(keys, "shop", {}), Lifetime(inf, inf))
    found = [
        Found(profile, "bind" if bindable else "lookup", str(number), "Header/x")
        for number, (profile, _, bindable, _, _) in enumerate(identities)
    ]
    for (profile, _, _, pin, _), (_, _, text, _) in zip(identities, found, strict=True):
        if pin is not None:
            store._pins[keys.key("shop", profile, text)] = pin._replace(until=0.0, ended=LIVE)
    session = one.session(found)
    bound = one.bound(session, T0) if session is not None else None
    return bound.told()[0] if bound is not None and takes(pool, bound.backend) else None


def alike(one: Route | None, other: Route) -> bool:
    """Whether nothing is decided, or the same but for the keys of the ids."""
    if one is None:
        return True
    first, second = one.identity, other.identity
    assert first is not None
    assert second is not None
    return one[:3] == other[:3] and first.profile == second.profile and one[4:] == other[4:]


@settings(deadline=None)
@given(TERMS, IDENTITIES.filter(len), pools())
def test_what_takes_no_thought_is_decided_as_with_thought(
    terms: Terms, identities: Sequence[Identity], pool: Pool
) -> None:
    assert alike(route(identities, pool), thought(terms, identities, pool))


def test_a_ready_pinned_backend_with_a_place_takes_no_thought() -> None:
    pool = pool_of("b1", "b2", maxconn=1)
    assert route([pinned("b2")], pool) is not None
    assert alike(route([pinned("b2")], pool), thought(STRICT, [pinned("b2")], pool))
    assert route([NEW], pool) is None
    fill(pool)
    assert route([pinned("b2")], pool) is None


def test_ids_of_two_backends_take_thought() -> None:
    pool = pool_of("b1", "b2")
    assert route([pinned("b1"), pinned("b1", b"l")], pool) is not None
    assert route([pinned("b1"), pinned("b2", b"l")], pool) is None
