"""One suite over every store: what `PinStore` promises."""

from __future__ import annotations

import pytest

from soapgate.core.errors import StoreFull
from soapgate.core.keys import Keys
from soapgate.core.pins import NAME_ENDED, SESSION_ENDED

A, B, C, D = (letter * 16 for letter in (b"a", b"b", b"c", b"d"))


def walk(store, run, limit):
    """All pins, by as many scans as it takes."""
    pins, cursor = run(store.scan(None, limit))
    while cursor is not None:
        batch, cursor = run(store.scan(cursor, limit))
        pins += batch
    return pins


def test_an_unknown_key_has_no_pin(make, run):
    assert run(make().lookup(A)) is None


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"alias": B},
        {"used": 1_700_000_000.123456},
        {"created": 1.5, "used": 2.25},
        {"until": 1_700_000_009.75},
        {"until": 5.5, "ended": NAME_ENDED},
        {"until": 5.5, "ended": SESSION_ENDED, "alias": B},
        {"service": "café", "profile": 'with "quotes", commas', "backend": "b\n1"},
    ],
    ids=[
        *("primary", "alias", "exact time", "two times", "bounded", "name ended"),
        *("session ended", "odd names"),
    ],
)
def test_a_pin_is_looked_up_as_it_was_bound(make, run, pin, facts):
    store = make()
    bound = pin(**facts)
    assert run(store.bind(A, bound)) == bound
    assert run(store.lookup(A)) == bound


def test_a_glance_tells_what_a_look_up_tells_or_nothing(make, run, pin):
    store = make()
    assert store.glance(A) is None
    run(store.bind(A, pin("b1")))
    assert store.glance(A) in (None, pin("b1"))
    run(store.rebind(A, pin("b1"), pin("b2", 1001.0)))
    assert store.glance(A) in (None, pin("b2", 1001.0))
    run(store.unbind(A))
    assert store.glance(A) is None


def test_who_binds_first_wins_and_the_loser_is_told(make, run, pin):
    store = make()
    run(store.bind(A, pin("b1")))
    assert run(store.bind(A, pin("b2"))) == pin("b1")
    assert run(store.lookup(A)) == pin("b1")


def test_rebind_replaces_the_same_pin(make, run, pin):
    store = make()
    run(store.bind(A, pin("b1")))
    assert run(store.rebind(A, pin("b1"), pin("b2", 1001.0)))
    assert run(store.lookup(A)) == pin("b2", 1001.0)


def test_rebind_succeeds_though_the_pin_was_touched_meanwhile(make, run, pin):
    store = make()
    run(store.bind(A, pin("b1")))
    run(store.touch(A, 1005.0))
    assert run(store.rebind(A, pin("b1"), pin("b2")))


@pytest.mark.parametrize(
    "facts",
    [
        {"backend": "b3"},
        {"alias": B},
        {"created": 999.0},
        {"until": 9.0, "ended": SESSION_ENDED},
    ],
    ids=["backend", "alias", "created", "session ended"],
)
def test_rebind_leaves_a_pin_that_is_not_the_same(make, run, pin, facts):
    store = make()
    held = pin("b1")
    run(store.bind(A, held))
    assert not run(store.rebind(A, pin(**facts), pin("b2")))
    assert run(store.lookup(A)) == held


def test_rebind_gives_a_pin_a_bound_and_takes_it_away(make, run, pin):
    store = make()
    run(store.bind(A, pin("b1")))
    bounded = pin("b1", until=1234.5, ended=NAME_ENDED)
    assert run(store.rebind(A, pin("b1"), bounded))
    run(store.touch(A, 1010.0))
    assert run(store.lookup(A)) == bounded._replace(used=1010.0)
    assert run(store.rebind(A, bounded, pin("b1")))
    assert run(store.lookup(A)) == pin("b1")


def test_a_session_that_has_ended_is_not_the_one_that_lives(make, run, pin):
    store = make()
    ended = pin("b1", until=1005.0, ended=SESSION_ENDED)
    run(store.bind(A, ended))
    assert not run(store.rebind(A, pin("b1"), pin("b2")))
    assert not run(store.unbind(A, pin("b1")))
    assert run(store.unbind(A, ended))


def test_rebind_does_not_bring_back_a_pin_that_is_gone(make, run, pin):
    store = make()
    assert not run(store.rebind(A, pin("b1"), pin("b2")))
    assert run(store.lookup(A)) is None


def test_touch_notes_the_use_and_nothing_else(make, run, pin):
    store = make()
    run(store.bind(A, pin(alias=B)))
    run(store.touch(A, 1234.5))
    assert run(store.lookup(A)) == pin(alias=B)._replace(used=1234.5)


def test_a_touched_key_that_is_gone_stays_gone(make, run):
    store = make()
    run(store.touch(A, 1.0))
    assert run(store.lookup(A)) is None
    assert run(store.count()) == 0


def test_unbind_forgets_and_says_whether_there_was_something(make, run, pin):
    store = make()
    run(store.bind(A, pin()))
    assert run(store.unbind(A))
    assert run(store.lookup(A)) is None
    assert not run(store.unbind(A))


def test_unbind_with_a_pin_forgets_only_the_same(make, run, pin):
    store = make()
    run(store.bind(A, pin("b1", 1001.0)))
    assert not run(store.unbind(A, pin("b1", 1000.0)))
    assert run(store.lookup(A)) == pin("b1", 1001.0)
    run(store.touch(A, 1002.0))
    assert run(store.unbind(A, pin("b1", 1001.0)))
    assert not run(store.unbind(A, pin("b1", 1001.0)))


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 100])
def test_a_scan_sees_every_pin_once_in_key_order(make, run, pin, limit):
    store = make()
    bound = {C: pin("b3"), A: pin("b1"), B: pin(alias=A)}
    for key, each in bound.items():
        run(store.bind(key, each))
    assert walk(store, run, limit) == sorted(bound.items())


def test_a_scan_of_nothing_ends_at_once(make, run):
    assert run(make().scan(None, 10)) == ([], None)


def test_a_scan_goes_on_after_pins_came_and_went(make, run, pin):
    store = make()
    for key in (A, B, D):
        run(store.bind(key, pin()))
    seen, cursor = run(store.scan(None, 1))
    run(store.unbind(A))
    run(store.unbind(B))
    run(store.bind(C, pin()))
    while cursor is not None:
        batch, cursor = run(store.scan(cursor, 1))
        seen += batch
    keys = [key for key, _ in seen]
    assert keys.count(A) == keys.count(D) == 1
    assert keys.count(B) == 0


def test_two_scans_may_run_at_once(make, run, pin):
    store = make()
    for key in (A, B, C):
        run(store.bind(key, pin()))
    first, cursor = run(store.scan(None, 2))
    assert len(walk(store, run, 1)) == 3
    rest, cursor = run(store.scan(cursor, 2))
    assert [key for key, _ in first + rest] == [A, B, C]
    assert cursor is None


def test_the_count_has_aliases_in_it(make, run, pin):
    store = make()
    run(store.bind(A, pin()))
    run(store.bind(B, pin(alias=A)))
    assert run(store.count()) == 2


def test_at_the_cap_the_least_recently_used_pin_goes(make, run, pin):
    store = make(max_pins=2)
    run(store.bind(A, pin(used=1.0)))
    run(store.bind(B, pin(used=2.0)))
    run(store.bind(C, pin(used=3.0)))
    assert [run(store.lookup(key)) is None for key in (A, B, C)] == [True, False, False]
    assert (store.evicted, run(store.count())) == (1, 2)


def test_a_touch_or_a_rebind_is_a_use(make, run, pin):
    store = make(max_pins=3)
    for key, used in ((A, 1.0), (B, 2.0), (C, 3.0)):
        run(store.bind(key, pin(used=used)))
    run(store.touch(A, 4.0))
    run(store.rebind(B, pin(used=2.0), pin("b2", 5.0)))
    run(store.bind(D, pin(used=6.0)))
    assert run(store.lookup(C)) is None
    assert store.evicted == 1


def test_a_pin_that_is_there_needs_no_room(make, run, pin):
    store = make(max_pins=1, when_full="refuse")
    run(store.bind(A, pin("b1")))
    assert run(store.bind(A, pin("b2"))) == pin("b1")
    assert (store.evicted, store.refused) == (0, 0)


def test_told_to_refuse_the_store_refuses_and_keeps_what_it_has(make, run, pin):
    store = make(max_pins=1, when_full="refuse")
    run(store.bind(A, pin()))
    for key in (B, C):
        with pytest.raises(StoreFull):
            run(store.bind(key, pin("other")))
    assert run(store.lookup(A)) == pin()
    assert run(store.lookup(B)) is None
    assert (store.evicted, store.refused, run(store.count())) == (0, 2, 1)


def test_room_that_was_made_is_used_again(make, run, pin):
    store = make(max_pins=1, when_full="refuse")
    run(store.bind(A, pin()))
    run(store.unbind(A))
    assert run(store.bind(B, pin("b2"))) == pin("b2")
    assert run(store.lookup(B)) == pin("b2")


def test_a_store_for_no_pins_is_refused(make):
    with pytest.raises(ValueError, match="at least 1"):
        make(max_pins=0)


def test_the_secret_is_one_for_keys(make):
    store = make()
    assert Keys(store.secret).key("shop", "wsrm", "id") != Keys(bytes(32)).key("shop", "wsrm", "id")


def test_a_store_that_was_opened_without_trouble_has_no_notes(make):
    assert make().notes == ()


def test_sync_may_be_called_at_any_time(make, run, pin):
    store = make()
    store.sync()
    run(store.bind(A, pin()))
    store.sync()
    assert run(store.lookup(A)) == pin()


def test_a_store_tells_the_operator_what_it_is(make):
    assert "evict" in repr(make())
