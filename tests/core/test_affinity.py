"""Affinity over a store in memory: the rules of DESIGN 7 that speak of ids and pins, by name."""

from __future__ import annotations

import pytest

from soapgate.core.affinity import EVENTS, Affinity
from soapgate.core.errors import StoreError
from soapgate.core.pins import Keys, Lifetime, Pin
from soapgate.core.scanner import Found
from soapgate.stores.memory import MemoryStore

IDLE, MAX_AGE = 800.0, 5000.0
T0 = 1_000_000.0
KEYS = Keys(bytes(32))
ORDER = {"header": 0, "rm": 1, "cookie": 2}


def run(coroutine):
    """The result of a coroutine that must not suspend."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it suspends")


def key(profile, text):
    return KEYS.key("shop", profile, text)


def lookup(profile, text):
    return Found(profile, "lookup", text, "")


def bind(profile, text):
    return Found(profile, "bind", text, "")


def learn(profile, text):
    return Found(profile, "learn", text, "")


def end(profile, text=""):
    return Found(profile, "end", text, "")


class Desk:
    """An affinity and the store below it, with the awaiting done."""

    def __init__(self, store=None):
        self.store = store or MemoryStore()
        self.affinity = Affinity(self.store, KEYS, "shop", Lifetime(IDLE, MAX_AGE), ORDER)

    def __getattr__(self, verb):
        return lambda *given: run(getattr(self.affinity, verb)(*given))

    def held(self, profile, text):
        """The pin under an id, as the store has it."""
        return run(self.store.lookup(key(profile, text)))

    def backend(self, profile, text, now=T0):
        """Where a request that names this id belongs; None = nowhere."""
        (identity,) = self.identify([lookup(profile, text)], now)
        return identity.pin.backend if identity.pin else None

    def session(self, backend, profile, text, *aliases, now=T0):
        """A learnt id and its aliases."""
        found = [learn(profile, text), *(learn(*each) for each in aliases)]
        assert self.learn(found, backend, None, now) == 0
        return self.identify([lookup(profile, text)], now)[0]

    def happened(self):
        return {event: count for event, count in self.affinity.events.items() if count}


@pytest.fixture
def desk():
    return Desk()


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


# learn


def test_the_first_learnt_id_in_precedence_is_the_primary_of_the_others(desk):
    desk.learn([learn("cookie", "c"), learn("rm", "1"), learn("header", "h")], "b1", None, T0)
    assert desk.held("header", "h").backend == "b1"
    assert desk.held("rm", "1").alias == desk.held("cookie", "c").alias == key("header", "h")
    assert desk.happened() == {"learned": 1, "aliased": 2}


def test_learnt_ids_become_aliases_of_the_primary_of_the_exchange(desk):
    (primary,) = desk.identify([bind("cookie", "c")], T0)
    primary = desk.bind(primary, "b1", T0)
    desk.learn([learn("rm", "1")], "b1", primary, T0 + 1)
    assert desk.held("rm", "1").alias == key("cookie", "c")


def test_an_id_that_rolls_leaves_its_predecessors_valid(desk):
    identity = desk.session("b1", "rm", "1")
    for number in range(2, 6):
        desk.learn([learn("rm", str(number))], "b1", identity, T0)
        (identity,) = desk.identify([lookup("rm", str(number))], T0)
    assert [desk.backend("rm", text) for text in "12345"] == ["b1"] * 5
    assert desk.held("rm", "5").alias == key("rm", "1")


def test_an_id_shown_again_by_its_backend_changes_nothing(desk):
    identity = desk.session("b1", "rm", "1")
    before = desk.held("rm", "1")
    assert desk.learn([learn("rm", "1")], "b1", identity, T0 + 5) == 0
    assert desk.held("rm", "1") == before


def test_an_echo_of_the_requests_own_id_asks_the_store_nothing():
    desk = Desk()
    identity = desk.session("b1", "rm", "1")
    desk.affinity._store = Unreachable()
    assert desk.learn([learn("rm", "1")], "b1", identity, T0 + 1) == 0


def test_an_echo_beside_a_new_id_makes_that_an_alias(desk):
    identity = desk.session("b1", "rm", "1")
    desk.learn([learn("rm", "1"), learn("cookie", "c")], "b1", identity, T0 + 1)
    assert desk.held("cookie", "c").alias == key("rm", "1")


def test_an_id_shown_again_after_a_while_is_touched(desk):
    identity = desk.session("b1", "rm", "1", ("cookie", "c"))
    desk.learn([learn("cookie", "c")], "b1", identity, T0 + IDLE / 2)
    assert desk.held("rm", "1").used == desk.held("cookie", "c").used == T0 + IDLE / 2


def test_an_id_shown_by_another_backend_is_a_conflict_and_is_not_bound_again(desk):
    desk.session("b1", "rm", "1")
    assert desk.learn([learn("rm", "1")], "b2", None, T0) == 1
    assert desk.backend("rm", "1") == "b1"
    assert desk.affinity.events["conflict"] == 1


def test_an_expired_id_shown_by_another_backend_is_bound_to_it(desk):
    desk.session("b1", "rm", "1")
    later = T0 + IDLE + 1
    assert desk.learn([learn("rm", "1")], "b2", None, later) == 0
    assert desk.backend("rm", "1", later) == "b2"


def test_a_known_id_beside_new_ones_is_their_primary(desk):
    desk.session("b1", "rm", "1")
    desk.learn([learn("rm", "1"), learn("cookie", "c")], "b1", None, T0)
    assert desk.held("cookie", "c").alias == key("rm", "1")


def test_an_id_in_conflict_is_nobodys_primary(desk):
    desk.session("b1", "rm", "1")
    assert desk.learn([learn("rm", "1"), learn("cookie", "c")], "b2", None, T0) == 1
    assert desk.held("cookie", "c").backend == "b2"


@pytest.mark.parametrize("how", ["ended meanwhile", "of another backend", "unpinned"])
def test_a_primary_that_is_not_one_of_this_backend_gets_no_aliases(desk, how):
    primary = desk.session("b1", "rm", "1")
    if how == "ended meanwhile":
        desk.end([end("rm", "1")], T0)
    if how == "unpinned":
        (primary,) = desk.identify([lookup("rm", "unknown")], T0)
    answering = "b2" if how == "of another backend" else "b1"
    desk.learn([learn("cookie", "c"), learn("cookie", "d")], answering, primary, T0)
    assert desk.held("cookie", "c").backend == answering
    assert desk.held("cookie", "d").alias == key("cookie", "c")


def test_a_primary_that_moved_meanwhile_gets_aliases_from_its_new_backend(desk):
    primary = desk.session("b1", "rm", "1")
    desk.move(primary, "b2", T0)
    desk.learn([learn("cookie", "c")], "b2", primary, T0)
    assert desk.held("cookie", "c").alias == key("rm", "1")


def test_an_alias_is_not_older_than_its_primary_whatever_the_clocks_say(desk):
    primary = desk.session("b1", "rm", "1", now=T0)
    desk.learn([learn("cookie", "c")], "b1", primary, T0 - 3)
    assert desk.backend("cookie", "c") == "b1"


def test_lookup_finds_of_the_request_are_not_learnt(desk):
    assert desk.learn([lookup("rm", "1"), bind("rm", "2")], "b1", None, T0) == 0
    assert run(desk.store.count()) == 0


# end


def test_a_marker_with_an_id_ends_that_id(desk):
    desk.session("b1", "rm", "1")
    desk.session("b1", "rm", "2")
    assert desk.end([end("rm", "1"), lookup("rm", "2")], T0) == 1
    assert desk.backend("rm", "1") is None
    assert desk.backend("rm", "2") == "b1"


def test_a_marker_without_an_id_ends_every_id_of_its_profile_in_the_exchange(desk):
    for profile, text in (("rm", "1"), ("rm", "2"), ("rm", "elsewhere"), ("cookie", "c")):
        desk.session("b1", profile, text)
    found = [lookup("rm", "1"), learn("rm", "2"), lookup("cookie", "c"), end("rm")]
    assert desk.end(found, T0) == 2
    assert [desk.backend("rm", text) for text in ("1", "2")] == [None, None]
    assert desk.backend("rm", "elsewhere") == desk.backend("cookie", "c") == "b1"


def test_without_a_marker_nothing_ends(desk):
    desk.session("b1", "rm", "1")
    assert desk.end([lookup("rm", "1"), learn("rm", "1")], T0) == 0
    assert desk.backend("rm", "1") == "b1"


def test_the_end_of_a_primary_is_the_end_of_its_aliases(desk):
    desk.session("b1", "rm", "1", ("cookie", "c"))
    desk.end([end("rm", "1")], T0)
    assert desk.backend("cookie", "c") is None


def test_the_end_of_an_alias_is_its_own_only(desk):
    desk.session("b1", "rm", "1", ("cookie", "c"))
    assert desk.end([end("cookie", "c")], T0) == 1
    assert desk.backend("cookie", "c") is None
    assert desk.backend("rm", "1") == "b1"


def test_the_end_of_what_is_not_there_counts_nothing(desk):
    desk.session("b1", "rm", "old", now=T0 - IDLE - 1)
    assert desk.end([end("rm", "unknown"), end("rm", "old")], T0) == 0
    assert run(desk.store.count()) == 0


def test_an_id_that_the_goodbye_still_shows_is_not_learnt_again(desk):
    identity = desk.session("b1", "rm", "1")
    exchange = [lookup("rm", "1"), learn("rm", "1"), end("rm")]
    assert desk.end(exchange, T0) == 1
    desk.learn(exchange, "b1", identity, T0)
    assert desk.backend("rm", "1") is None


@pytest.mark.parametrize("first", ["end", "learn"])
def test_a_new_id_beside_the_end_of_the_old_is_a_session_of_its_own(desk, first):
    identity = desk.session("b1", "cookie", "old")
    exchange = [lookup("cookie", "old"), end("cookie", "old"), learn("cookie", "new")]
    if first == "end":
        desk.end(exchange, T0)
    desk.learn(exchange, "b1", identity, T0)
    if first == "learn":
        desk.end(exchange, T0)
    assert desk.backend("cookie", "new") == "b1"
    assert desk.backend("cookie", "old") is None


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


class Unreachable(MemoryStore):
    async def lookup(self, key):
        raise StoreError("gone")


def test_a_store_that_fails_is_the_callers_to_judge():
    desk = Desk(Unreachable())
    with pytest.raises(StoreError):
        desk.identify([lookup("rm", "1")], T0)


def test_every_event_is_counted_from_the_start(desk):
    assert desk.affinity.events == dict.fromkeys(EVENTS, 0)
    assert repr(desk.affinity) == "<Affinity shop>"
