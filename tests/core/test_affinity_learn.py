"""Affinity and a response: the ids that it teaches and the sessions that it ends, by name."""

from __future__ import annotations

import pytest
from pinned import IDLE, T0, Desk, Unreachable, bind, end, key, learn, lookup, run

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
