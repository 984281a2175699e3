"""Affinity and a request: whose it is, and what binding, aliases, a move and a use do to its pin.

The rules of DESIGN 7, by name; what a response teaches is in test_affinity_learn.py.
"""

from __future__ import annotations

import pytest
from pinned import IDLE, MAX_AGE, T0, Desk, Unreachable, bind, end, key, learn, lookup, run

from soapgate.core.affinity import EVENTS
from soapgate.core.errors import StoreError
from soapgate.core.pins import Pin
from soapgate.stores.memory import MemoryStore

# identify


def test_an_unknown_id_is_an_identity_without_a_pin(desk):
    (identity,) = desk.identify([lookup("rm", "1")], T0)
    assert (identity.profile, identity.key, identity.primary) == (
        "rm",
        key("rm", "1"),
        key("rm", "1"),
    )
    assert identity.pin is None
    assert not identity.bindable


def test_a_message_without_ids_has_no_identities(desk):
    assert desk.identify([], T0) == ()


def test_identities_stand_in_the_order_of_precedence(desk):
    found = [lookup("cookie", "c"), lookup("other", "x"), lookup("rm", "1"), lookup("header", "h")]
    profiles = [each.profile for each in desk.identify(found, T0)]
    assert profiles == ["header", "rm", "cookie", "other"]


def test_ids_of_one_profile_keep_the_order_of_the_message(desk):
    found = [lookup("rm", text) for text in "312"]
    assert [each.key for each in desk.identify(found, T0)] == [key("rm", text) for text in "312"]


@pytest.mark.parametrize(
    "found",
    [
        [lookup("rm", "1"), bind("rm", "1")],
        [bind("rm", "1"), lookup("rm", "1")],
        [bind("rm", "1"), bind("rm", "1")],
    ],
    ids=["lookup first", "bind first", "bind twice"],
)
def test_an_id_found_twice_is_one_identity_and_bindable_if_either_find_was(desk, found):
    (identity,) = desk.identify(found, T0)
    assert identity.bindable


def test_finds_for_learning_and_ending_are_not_identities(desk):
    assert desk.identify([learn("rm", "1"), end("rm", "2"), end("rm")], T0) == ()


def test_the_same_text_in_two_profiles_is_two_ids(desk):
    desk.session("b1", "rm", "1")
    assert desk.backend("cookie", "1") is None


def test_an_alias_is_identified_with_the_pin_of_its_primary(desk):
    desk.session("b1", "rm", "1", ("cookie", "c"))
    (identity,) = desk.identify([lookup("cookie", "c")], T0)
    assert identity.pin == desk.held("rm", "1")
    assert (identity.key, identity.primary) == (key("cookie", "c"), key("rm", "1"))


@pytest.mark.parametrize(
    ("uses", "then"),
    [([], T0 + IDLE + 1), ([T0 + n * 700 for n in range(1, 8)], T0 + MAX_AGE + 1)],
    ids=["idle", "max_age"],
)
def test_an_expired_pin_counts_as_absent_and_is_unbound(desk, uses, then):
    identity = desk.session("b1", "rm", "1")
    for now in uses:
        desk.touch(identity, now)
        assert desk.backend("rm", "1", now) == "b1"
    assert desk.backend("rm", "1", then) is None
    assert desk.held("rm", "1") is None
    assert desk.affinity.events["expired"] == 1


@pytest.mark.parametrize("how", ["gone", "expired", "now an alias", "bound anew"])
def test_an_alias_whose_primary_is_not_there_any_more_is_dead_and_unbound(desk, how):
    desk.session("b1", "rm", "1", ("cookie", "c"))
    now = T0 + 10
    if how == "expired":
        run(desk.store.touch(key("cookie", "c"), T0 + IDLE))
        now = T0 + IDLE + 10
    else:
        run(desk.store.unbind(key("rm", "1")))
    if how == "now an alias":
        other = desk.session("b2", "header", "h", now=now)
        assert desk.alias(desk.identify([bind("rm", "1")], now), other, now) == 1
    if how == "bound anew":
        desk.session("b2", "rm", "1", now=now)
    assert desk.backend("cookie", "c", now) is None
    assert desk.held("cookie", "c") is None


def test_an_alias_in_use_lives_though_another_id_keeps_the_primary_fresh(desk):
    identity = desk.session("b1", "rm", "1", ("cookie", "c"))
    for step in range(1, 20):
        now = T0 + step * IDLE / 10
        desk.touch(identity, now)
        desk.identify([lookup("rm", "1"), lookup("cookie", "c")], now)
    assert desk.backend("cookie", "c", now) == "b1"


def test_a_primary_lives_by_the_use_of_its_alias(desk):
    desk.session("b1", "rm", "1", ("cookie", "c"))
    for step in range(1, 12):
        now = T0 + step * IDLE / 2
        (identity,) = desk.identify([lookup("cookie", "c")], now)
        assert identity.pin is not None
        desk.touch(identity, now)


def test_an_alias_that_nobody_names_any_more_expires_by_itself(desk):
    identity = desk.session("b1", "rm", "1", ("cookie", "c"))
    for step in range(1, 10):
        desk.touch(identity, T0 + step * IDLE / 4)
    assert desk.backend("cookie", "c", T0 + 2.5 * IDLE) is None
    assert desk.backend("rm", "1", T0 + 2.5 * IDLE) == "b1"


# bind


def test_a_bindable_unknown_id_is_bound(desk):
    (identity,) = desk.identify([bind("rm", "1")], T0)
    bound = desk.bind(identity, "b1", T0)
    assert bound.pin == Pin("shop", "rm", "b1", b"", T0, T0) == desk.held("rm", "1")
    assert desk.happened() == {"bound": 1}


def test_concurrent_first_requests_get_one_decision(desk):
    identities = [desk.identify([bind("rm", "1")], T0)[0] for _ in range(3)]
    backends = [
        desk.bind(identity, backend, T0).pin.backend
        for identity, backend in zip(identities, ("b1", "b2", "b3"), strict=True)
    ]
    assert backends == ["b1", "b1", "b1"]
    assert desk.happened() == {"bound": 1, "followed": 2}


def test_an_id_that_only_a_client_named_is_never_bound(desk):
    (identity,) = desk.identify([lookup("rm", "1")], T0)
    assert desk.bind(identity, "b1", T0) is identity
    assert desk.held("rm", "1") is None


def test_an_id_that_is_pinned_is_not_bound_again(desk):
    desk.session("b1", "rm", "1")
    (identity,) = desk.identify([bind("rm", "1")], T0)
    assert desk.bind(identity, "b2", T0) is identity
    assert desk.backend("rm", "1") == "b1"


def test_an_expired_winner_is_bound_anew(desk):
    (identity,) = desk.identify([bind("rm", "1")], T0)
    desk.session("b1", "rm", "1", now=T0 - IDLE - 1)
    assert desk.bind(identity, "b2", T0).pin.backend == "b2"
    assert desk.backend("rm", "1") == "b2"


def test_two_who_find_one_expired_pin_agree_on_the_new_one(desk):
    desk.session("b1", "rm", "1", now=T0 - IDLE - 1)
    old = desk.held("rm", "1")
    (first,) = (second,) = desk.identify([bind("rm", "1")], T0)
    assert desk.bind(first, "b1", T0).pin.backend == "b1"
    assert not run(desk.store.unbind(key("rm", "1"), old))
    assert desk.bind(second, "b2", T0).pin.backend == "b1"


def test_a_winner_that_is_an_alias_leads_to_its_primary(desk):
    (identity,) = desk.identify([bind("cookie", "c")], T0)
    desk.session("b1", "rm", "1", ("cookie", "c"))
    bound = desk.bind(identity, "b2", T0)
    assert (bound.pin.backend, bound.primary) == ("b1", key("rm", "1"))


def test_a_winner_that_is_a_dead_alias_is_bound_anew(desk):
    (identity,) = desk.identify([bind("cookie", "c")], T0)
    desk.session("b1", "rm", "1", ("cookie", "c"))
    run(desk.store.unbind(key("rm", "1")))
    bound = desk.bind(identity, "b2", T0)
    assert (bound.pin.backend, bound.primary) == ("b2", key("cookie", "c"))


def test_a_full_store_that_refuses_serves_unpinned_and_counted():
    desk = Desk(MemoryStore(1, "refuse"))
    desk.session("b1", "rm", "1")
    (identity,) = desk.identify([bind("rm", "2")], T0)
    assert desk.bind(identity, "b2", T0) == identity
    assert desk.learn([learn("rm", "3")], "b2", None, T0) == 0
    assert desk.affinity.events["unpinned"] == 2


# alias


def test_other_bindable_unknown_ids_of_the_request_become_aliases(desk):
    found = [bind("rm", "1"), bind("cookie", "c"), lookup("header", "h")]
    unknown, primary, other = desk.identify(found, T0)
    primary = desk.bind(primary, "b1", T0)
    assert desk.alias([unknown, primary, other], primary, T0) == 1
    assert desk.held("cookie", "c").alias == key("rm", "1")
    assert desk.held("header", "h") is None


def test_an_alias_of_an_alias_points_to_the_primary(desk):
    desk.session("b1", "rm", "1", ("cookie", "c"))
    known, new = desk.identify([lookup("cookie", "c"), bind("cookie", "new")], T0)
    assert desk.alias([known, new], known, T0) == 1
    assert desk.held("cookie", "new").alias == key("rm", "1")


def test_ids_that_have_a_pin_do_not_become_aliases(desk):
    primary = desk.session("b1", "rm", "1")
    desk.session("b2", "cookie", "c")
    others = desk.identify([bind("cookie", "c")], T0)
    assert desk.alias(others, primary, T0) == 0
    assert desk.backend("cookie", "c") == "b2"


def test_an_id_bound_elsewhere_meanwhile_is_a_conflict_and_stays(desk):
    primary = desk.session("b1", "rm", "1")
    others = desk.identify([bind("cookie", "c")], T0)
    desk.session("b2", "cookie", "c")
    assert desk.alias(others, primary, T0) == 0
    assert desk.backend("cookie", "c") == "b2"
    assert desk.affinity.events["conflict"] == 1


def test_an_unpinned_identity_gets_no_aliases(desk):
    primary, other = desk.identify([bind("rm", "1"), bind("cookie", "c")], T0)
    assert desk.alias([other], primary, T0) == 0


# move


def test_after_a_redispatch_the_new_backend_is_pinned_and_the_aliases_follow(desk):
    identity = desk.session("b1", "rm", "1", ("cookie", "c"))
    moved = desk.move(identity, "b2", T0 + 5)
    assert moved.pin == Pin("shop", "rm", "b2", b"", T0, T0 + 5)
    assert desk.backend("rm", "1") == desk.backend("cookie", "c") == "b2"


def test_a_session_moves_by_its_alias(desk):
    desk.session("b1", "rm", "1", ("cookie", "c"))
    (identity,) = desk.identify([lookup("cookie", "c")], T0)
    assert desk.move(identity, "b2", T0).pin.profile == "rm"
    assert desk.backend("rm", "1") == "b2"


def test_who_loses_the_race_to_move_gets_the_pin_of_the_winner(desk):
    identity = desk.session("b1", "rm", "1")
    assert desk.move(identity, "b2", T0).pin.backend == "b2"
    assert desk.move(identity, "b3", T0).pin.backend == "b2"
    assert desk.happened() == {"learned": 1, "moved": 1, "followed": 1}


def test_a_touch_meanwhile_does_not_stop_a_move(desk):
    identity = desk.session("b1", "rm", "1")
    run(desk.store.touch(key("rm", "1"), T0 + 1))
    assert desk.move(identity, "b2", T0 + 2).pin.backend == "b2"


def test_a_pin_bound_anew_to_the_lost_backend_is_moved_all_the_same(desk):
    identity = desk.session("b1", "rm", "1")
    run(desk.store.unbind(key("rm", "1")))
    desk.session("b1", "rm", "1", now=T0 + 1)
    assert desk.move(identity, "b2", T0 + 2).pin.backend == "b2"


def test_a_pin_that_was_evicted_meanwhile_is_put_back_with_its_aliases(desk):
    identity = desk.session("b1", "rm", "1", ("cookie", "c"))
    run(desk.store.unbind(key("rm", "1")))
    assert desk.move(identity, "b2", T0 + 1).pin.backend == "b2"
    assert desk.backend("cookie", "c", T0 + 1) == "b2"


def test_an_unpinned_identity_does_not_move(desk):
    (identity,) = desk.identify([bind("rm", "1")], T0)
    assert desk.move(identity, "b2", T0) is identity


# touch


def test_a_use_is_noted_lazily_for_the_id_and_its_primary(desk):
    desk.session("b1", "rm", "1", ("cookie", "c"))
    (identity,) = desk.identify([lookup("cookie", "c")], T0)
    desk.touch(identity, T0 + IDLE / 8 - 1)
    assert desk.held("rm", "1").used == T0
    desk.touch(identity, T0 + IDLE / 8)
    assert desk.held("rm", "1").used == desk.held("cookie", "c").used == T0 + IDLE / 8
    assert desk.affinity.events["touched"] == 1


def test_an_unpinned_identity_has_nothing_to_touch(desk):
    (identity,) = desk.identify([bind("rm", "1")], T0)
    desk.touch(identity, T0 + IDLE)
    assert run(desk.store.count()) == 0


# the store


class Contrary(MemoryStore):
    """Always held by another, whose pin is expired, and lets nobody drop it."""

    async def bind(self, key, pin):
        return pin._replace(backend="other", alias=b"", used=0.0)

    async def unbind(self, key, old=None):
        return False


def test_a_race_that_is_never_won_ends_unpinned():
    desk = Desk(Contrary())
    (identity,) = desk.identify([bind("rm", "1")], T0)
    assert desk.bind(identity, "b1", T0).pin is None
    assert desk.happened() == {"unpinned": 1}


def test_a_store_that_fails_is_the_callers_to_judge():
    desk = Desk(Unreachable())
    with pytest.raises(StoreError):
        desk.identify([lookup("rm", "1")], T0)


def test_every_event_is_counted_from_the_start(desk):
    assert desk.affinity.events == dict.fromkeys(EVENTS, 0)
    assert repr(desk.affinity) == "<Affinity shop>"
