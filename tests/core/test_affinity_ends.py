"""Affinity over the life of a session: linked ids, ends and what trails behind, expiry, calls."""

from __future__ import annotations

import pytest
from pinned import (
    IDLE,
    KEYS,
    MAX_AGE,
    T0,
    Desk,
    bind,
    end,
    expires,
    key,
    learn,
    lookup,
    run,
    sent,
)  # fmt: skip

from soapgate.core.naming import IdKind
from soapgate.core.pins import LIVE, NAME_ENDED, SESSION_ENDED, Pin
from soapgate.core.routing import Identity

KEEP = 5.0
ALONE = {"rm": IdKind(ends_alone=True)}


@pytest.fixture
def kept():
    return Desk(keep=KEEP)


def ended(desk, profile, text, now):
    (identity,) = desk.identify([lookup(profile, text)], now)
    return identity.pin.ended if identity.pin else None


# several ids, one session


def test_ids_first_seen_together_in_an_exchange_are_linked(desk):
    found = [bind("header", "h"), bind("rm", "offer"), lookup("cookie", "none")]
    identities = desk.identify(found, T0)
    primary = desk.bind(identities[0], "b1", T0)
    desk.alias(identities, primary, T0)
    desk.learn([*found, learn("rm", "seq"), learn("cookie", "c")], "b1", primary, T0)
    keys = [desk.identify([lookup(*each)], T0)[0].primary for each in (
        ("header", "h"), ("rm", "offer"), ("rm", "seq"), ("cookie", "c"),
    )]  # fmt: skip
    assert keys == [key("header", "h")] * 4


def test_moving_a_session_by_any_of_its_ids_takes_all_along(desk):
    desk.session("b1", "rm", "1", ("cookie", "c"), ("header", "h"))
    for text, where in (("c", "b2"), ("c", "b3")):
        (identity,) = desk.identify([lookup("cookie", text)], T0)
        desk.move(identity, where, T0)
        held = [desk.backend(*each) for each in (("rm", "1"), ("cookie", "c"), ("header", "h"))]
        assert held == [where] * 3


@pytest.mark.parametrize("first", ["header", "cookie"])
def test_a_marker_ends_the_whole_session_whichever_id_came_first(desk, first):
    second = "cookie" if first == "header" else "header"
    primary = desk.session("b1", first, "1")
    desk.learn([learn(second, "2")], "b1", primary, T0)
    named = {"header": "1" if first == "header" else "2"}
    assert desk.end([lookup("header", named["header"]), end("header")], T0) == 1
    assert desk.backend(first, "1") is None
    assert desk.backend(second, "2") is None


def test_an_id_that_ends_alone_leaves_the_session_to_the_others():
    desk = Desk(kinds=ALONE)
    desk.session("b1", "rm", "1", ("rm", "2"), ("cookie", "c"))
    assert desk.end([lookup("rm", "1"), end("rm", "1")], T0) == 1
    assert desk.backend("rm", "1") is None
    assert desk.backend("rm", "2") == desk.backend("cookie", "c") == "b1"
    (identity,) = desk.identify([lookup("cookie", "c")], T0)
    desk.learn([learn("rm", "3")], "b1", identity, T0)
    assert desk.backend("rm", "3") == "b1"
    assert desk.move(identity, "b2", T0).pin.backend == "b2"
    assert desk.backend("rm", "2") == desk.backend("rm", "3") == "b2"


def test_an_id_that_rolls_leaves_its_predecessor_for_requests_in_flight(kept):
    identity = kept.session("b1", "rm", "t1")
    kept.learn([lookup("rm", "t1"), learn("rm", "t2")], "b1", identity, T0)
    assert [kept.backend("rm", text, T0 + IDLE / 2) for text in ("t1", "t2")] == ["b1", "b1"]


# what trails behind an end


def test_an_ended_session_is_found_for_a_while_and_then_is_gone(kept):
    kept.session("b1", "rm", "1", ("cookie", "c"))
    assert kept.end([lookup("rm", "1"), end("rm")], T0) == 1
    assert ended(kept, "rm", "1", T0 + KEEP - 0.1) == SESSION_ENDED
    assert ended(kept, "cookie", "c", T0 + KEEP - 0.1) == SESSION_ENDED
    assert kept.backend("rm", "1", T0 + KEEP) is None
    assert kept.backend("cookie", "c", T0 + KEEP) is None
    assert run(kept.store.count()) == 0
    assert kept.happened() == {"learned": 1, "aliased": 1, "ended": 1, "expired": 1}


def test_using_what_has_ended_does_not_lengthen_its_grace(kept):
    kept.session("b1", "rm", "1")
    kept.end([end("rm", "1")], T0)
    for step in range(1, 10):
        for identity in kept.identify([lookup("rm", "1")], T0 + step * KEEP / 10):
            kept.touch(identity, T0 + step * IDLE)
    assert kept.backend("rm", "1", T0 + KEEP) is None


def test_a_bind_of_an_ended_id_is_a_new_session_within_the_grace(kept):
    (identity,) = kept.identify([bind("rm", "1")], T0)
    kept.bind(identity, "b1", T0)
    kept.end([bind("rm", "1"), end("rm")], T0)
    assert ended(kept, "rm", "1", T0 + 1) == SESSION_ENDED
    (again,) = kept.identify([bind("rm", "1")], T0 + 1)
    assert again.pin is None
    assert kept.bind(again, "b2", T0 + 1).pin.backend == "b2"
    assert kept.backend("rm", "1", T0 + KEEP + 1) == "b2"


def test_a_reply_that_echoes_what_has_ended_does_not_begin_it_again(kept):
    identity = kept.session("b1", "rm", "1")
    kept.end([end("rm", "1")], T0)
    (identity,) = kept.identify([lookup("rm", "1")], T0 + 1)
    kept.learn([lookup("rm", "1"), learn("rm", "1")], "b1", identity, T0 + 1)
    assert kept.backend("rm", "1", T0 + KEEP) is None


def test_an_ended_id_that_a_backend_issues_anew_is_a_new_session(kept):
    kept.session("b1", "rm", "1")
    kept.end([end("rm", "1")], T0)
    assert kept.learn([learn("rm", "1")], "b2", None, T0 + 1) == 0
    assert kept.backend("rm", "1", T0 + KEEP) == "b2"


def test_no_id_hangs_on_what_has_ended(kept):
    kept.session("b1", "cookie", "old")
    kept.end([end("cookie", "old")], T0)
    old, new, offer = kept.identify(
        [lookup("cookie", "old"), bind("cookie", "new"), bind("cookie", "offer")], T0 + 1
    )
    assert kept.alias([old, new, offer], old, T0 + 1) == 2
    kept.learn([lookup("cookie", "old"), learn("header", "h")], "b1", old, T0 + 1)
    late = T0 + KEEP + 1
    assert kept.backend("cookie", "new", late) == kept.backend("header", "h", late) == "b1"
    assert kept.held("cookie", "new").backend == "b1"
    assert kept.held("cookie", "offer").alias == key("cookie", "new")


def test_an_ended_pin_is_swept_like_any_other_and_not_counted_as_expired(kept):
    kept.session("b1", "rm", "1")
    kept.end([end("rm", "1")], T0)
    kept.identify([lookup("rm", "1")], T0 + KEEP)
    assert kept.happened() == {"learned": 1, "ended": 1}


# expiry


def test_an_expiry_in_the_response_bounds_the_id_it_comes_with(desk):
    found = [learn("rm", "1"), learn("cookie", "c"), expires("rm", "PT10S")]
    desk.learn(found, "b1", None, T0)
    assert desk.held("rm", "1").until == T0 + 10
    assert desk.backend("rm", "1", T0 + 9) == "b1"
    assert desk.backend("rm", "1", T0 + 10) is None
    assert desk.backend("cookie", "c", T0 + 10) == "b1"


def test_a_renewal_gives_a_new_expiry(desk):
    desk.learn([learn("rm", "1"), expires("rm", "PT10S")], "b1", None, T0)
    (identity,) = desk.identify([lookup("rm", "1")], T0 + 5)
    desk.learn(
        [lookup("rm", "1"), learn("rm", "1"), expires("rm", "PT10S")], "b1", identity, T0 + 5
    )
    assert desk.backend("rm", "1", T0 + 14) == "b1"
    assert desk.backend("rm", "1", T0 + 15) is None


def test_an_expiry_without_an_id_is_that_of_the_requests(desk):
    identity = desk.session("b1", "rm", "1", ("cookie", "c"))
    desk.learn([lookup("rm", "1"), expires("rm", "PT10S")], "b1", identity, T0)
    assert (desk.held("rm", "1").until, desk.held("cookie", "c").until) == (T0 + 10, 0.0)


def test_an_expiry_never_outlives_max_age(desk):
    desk.learn([learn("rm", "1"), expires("rm", "P9D")], "b1", None, T0)
    for step in range(1, 20):
        now = T0 + step * IDLE / 2
        for identity in desk.identify([lookup("rm", "1")], now):
            desk.touch(identity, now)
    assert desk.backend("rm", "1", T0 + MAX_AGE + 1) is None


@pytest.mark.parametrize("text", ["soon", "1970-01-01T00:00:00Z"])
def test_a_bad_expiry_is_ignored_and_counted(desk, text):
    desk.learn([learn("rm", "1"), expires("rm", text)], "b1", None, T0)
    assert desk.held("rm", "1").until == 0.0
    assert desk.affinity.events["undated"] == 1


def test_a_life_of_its_own_bounds_the_ids_of_a_profile():
    desk = Desk(kinds={"rm": IdKind(life=60.0)})
    desk.session("b1", "cookie", "c", ("rm", "1"))
    assert desk.held("rm", "1").until == T0 + 60
    assert desk.backend("rm", "1", T0 + 60) is None
    desk.learn([learn("rm", "2"), expires("rm", "PT1H")], "b1", None, T0)
    assert desk.held("rm", "2").until == T0 + 60


# calls


def test_what_a_backend_sends_out_is_bound_to_it():
    desk = Desk(kinds={"rm": IdKind(life=60.0, ends_alone=True, passing=True)})
    assert desk.call([sent("rm", "urn:1"), lookup("rm", "urn:2")], "b2", T0) == 1
    assert desk.backend("rm", "urn:1") == "b2"
    assert desk.backend("rm", "urn:2") is None
    assert desk.call([sent("rm", "urn:1")], "b1", T0 + 1) == 0
    assert desk.backend("rm", "urn:1", T0 + 1) == "b2"
    assert desk.backend("rm", "urn:1", T0 + 60) is None


def test_no_id_hangs_on_a_passing_one():
    desk = Desk(kinds={"rm": IdKind(life=60.0, ends_alone=True, passing=True)})
    desk.call([sent("rm", "urn:1")], "b1", T0)
    call, own = desk.identify([lookup("rm", "urn:1"), bind("cookie", "c")], T0)
    desk.alias([call, own], call, T0)
    desk.learn([learn("header", "h")], "b1", call, T0)
    assert desk.held("cookie", "c").backend == desk.held("header", "h").backend == "b1"


# identities that stand in no store


def claim(backend="b1"):
    pin = Pin("shop", "own", backend, b"", T0, T0)
    return Identity("own", b"k" * 16, False, pin, b"")


def test_an_identity_in_no_store_is_moved_without_one(desk):
    assert desk.move(claim(), "b2", T0).pin.backend == "b2"
    assert run(desk.store.count()) == 0


def test_ids_seen_with_an_identity_in_no_store_are_bound_to_its_backend(desk):
    first, second = desk.identify([bind("rm", "1"), bind("cookie", "c")], T0)
    assert desk.alias([first, second, claim("b2")], claim("b2"), T0) == 2
    assert desk.held("rm", "1").backend == "b2"
    assert desk.held("cookie", "c").alias == key("rm", "1")
    desk.learn([learn("header", "h")], "b2", claim("b2"), T0)
    assert desk.held("header", "h").backend == "b2"


# scopes


def test_the_same_id_in_two_scopes_never_collides():
    shop = Desk()
    cart = Desk(shop.store, scope="cart")
    shop.session("b1", "rm", "1")
    assert run(shop.store.lookup(KEYS.key("cart", "rm", "1"))) is None
    assert cart.backend("rm", "1") is None
    (identity,) = cart.identify([bind("rm", "1")], T0)
    cart.bind(identity, "b2", T0)
    assert (shop.backend("rm", "1"), cart.backend("rm", "1")) == ("b1", "b2")


def test_services_of_one_scope_share_their_pins():
    one = Desk()
    other = Desk(one.store)
    one.session("b1", "rm", "1")
    assert other.backend("rm", "1") == "b1"


def test_the_text_of_an_identity_is_found_again(desk):
    found = [lookup("rm", "1"), lookup("rm", "2"), lookup("cookie", "2")]
    identity = desk.identify(found, T0)[1]
    assert desk.affinity.text_of(found, identity) == "2"
    assert desk.affinity.text_of([learn("rm", "2")], identity) == ""


def test_the_words_for_what_has_ended_are_three():
    assert (LIVE, NAME_ENDED, SESSION_ENDED) == (0, 1, 2)
