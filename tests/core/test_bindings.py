"""What stands under one key: live, over, dead, bound anew, ended. Affinity's tests say what for."""

from __future__ import annotations

import pytest
from pinned import IDLE, KEYS, MAX_AGE, ORDER, T0, run

from soapgate.core.affinity import EVENTS
from soapgate.core.bindings import Bindings, Held, dead_alias
from soapgate.core.naming import IdKind, Naming
from soapgate.core.pins import LIVE, NAME_ENDED, SESSION_ENDED, Lifetime, Pin
from soapgate.stores.memory import MemoryStore

A, B, C = (letter * 16 for letter in (b"a", b"b", b"c"))
KEEP = 5.0


class Room:
    def __init__(self, keep=KEEP, kinds=None):
        self.store = MemoryStore()
        self.events = dict.fromkeys(EVENTS, 0)
        names = Naming(KEYS, "shop", ORDER, kinds)
        self.pins = Bindings(self.store, names, Lifetime(IDLE, MAX_AGE, keep), self.events)

    def __getattr__(self, verb):
        return lambda *given: run(getattr(self.pins, verb)(*given))

    def bound(self, key, backend="b1", now=T0, **more):
        pin = self.pins.primary("rm", backend, now)._replace(**more)
        run(self.store.bind(key, pin))
        return pin

    def alias(self, key, of, now=T0, **more):
        pin = Pin("shop", "rm", "", of, now, now)._replace(**more)
        run(self.store.bind(key, pin))
        return pin

    def at(self, key):
        return run(self.store.lookup(key))


@pytest.fixture
def room():
    return Room()


def test_a_new_primary_lives_as_long_as_its_kind_says():
    room = Room(kinds={"rm": IdKind(life=60.0)})
    assert room.pins.primary("rm", "b1", T0).until == T0 + 60
    assert room.pins.primary("cookie", "b1", T0).until == 0.0


def test_a_name_that_is_over_leads_nowhere_and_its_aliases_lead_on(room):
    room.bound(A, until=T0 + 10)
    room.alias(B, A)
    assert room.find(A, T0 + 10) is None
    held = room.find(B, T0 + 10)
    assert (held.pin.backend, held.primary, held.pin.ended) == ("b1", A, LIVE)
    assert room.at(A) is not None


def test_an_alias_that_is_over_is_dropped_and_its_primary_is_not(room):
    room.bound(A)
    room.alias(B, A, until=T0 + 10)
    assert room.find(B, T0 + 10) is None
    assert room.at(B) is None
    assert room.find(A, T0 + 10) is not None
    assert room.events["expired"] == 1


def test_the_bound_of_a_primarys_name_is_not_its_aliases(room):
    room.bound(A, until=T0 + 10)
    room.alias(B, A)
    assert room.find(B, T0).pin.until == 0.0


@pytest.mark.parametrize("how", [NAME_ENDED, SESSION_ENDED])
def test_what_has_ended_is_found_for_a_while_and_says_so(room, how):
    pin = room.bound(A)
    assert room.close(A, pin, how, T0 + 1) == 1
    assert room.find(A, T0 + 1 + KEEP - 0.1).pin.ended == how
    assert room.find(A, T0 + 1 + KEEP) is None
    assert room.events["ended"] == 1
    assert room.events["expired"] == 0


def test_the_end_of_the_session_is_that_of_its_aliases(room):
    pin = room.bound(A)
    room.alias(B, A)
    room.close(A, pin, SESSION_ENDED, T0)
    assert room.find(B, T0 + 1).pin.ended == SESSION_ENDED
    assert room.find(B, T0 + KEEP) is None
    assert (room.at(A), room.at(B)) == (None, None)


def test_the_end_of_a_name_is_its_own_only(room):
    pin = room.bound(A)
    room.alias(B, A)
    room.close(A, pin, NAME_ENDED, T0)
    assert room.find(A, T0 + 1).pin.ended == NAME_ENDED
    assert room.find(B, T0 + 1).pin.ended == LIVE
    assert room.find(B, T0 + KEEP).pin.backend == "b1"


def test_the_end_of_an_alias_shows_on_the_alias_alone(room):
    room.bound(A)
    alias = room.alias(B, A)
    room.close(B, alias, NAME_ENDED, T0)
    assert room.find(B, T0 + 1).pin.ended == NAME_ENDED
    assert room.find(A, T0 + 1).pin.ended == LIVE


def test_a_second_end_changes_nothing(room):
    pin = room.bound(A)
    room.close(A, pin, SESSION_ENDED, T0)
    first = room.at(A)
    assert room.close(A, first, SESSION_ENDED, T0 + 3) == 0
    assert room.at(A) == first


def test_an_end_does_not_lengthen_a_life(room):
    pin = room.bound(A, until=T0 + 2)
    room.close(A, pin, SESSION_ENDED, T0)
    assert room.at(A).until == T0 + 2


def test_without_a_time_to_keep_it_what_ends_is_forgotten_at_once():
    room = Room(keep=0.0)
    assert room.close(A, room.bound(A), SESSION_ENDED, T0) == 1
    assert room.at(A) is None


def test_without_a_time_to_keep_it_a_primary_whose_name_ends_stays_for_its_aliases():
    room = Room(keep=0.0)
    pin = room.bound(A)
    room.alias(B, A)
    room.close(A, pin, NAME_ENDED, T0)
    assert room.find(A, T0) is None
    assert room.find(B, T0).pin.backend == "b1"


@pytest.mark.parametrize("how", [NAME_ENDED, SESSION_ENDED])
def test_a_new_bind_of_what_has_ended_is_a_new_session(room, how):
    room.close(A, room.bound(A), how, T0)
    held = room.join("rm", A, "b2", None, T0, "bound")
    assert (held.new, held.pin.backend, held.pin.ended, held.pin.until) == (True, "b2", LIVE, 0.0)
    assert room.find(A, T0 + KEEP).pin.backend == "b2"


def test_aliases_of_what_has_ended_are_not_the_new_sessions(room):
    pin = room.bound(A)
    room.alias(B, A)
    room.close(A, pin, SESSION_ENDED, T0)
    room.join("rm", A, "b1", None, T0, "bound")
    assert room.find(B, T0) is None


def test_a_name_used_again_by_its_backend_is_the_same_session(room):
    pin = room.bound(A)
    room.alias(B, A)
    room.close(A, pin, NAME_ENDED, T0)
    assert room.join("rm", A, "b1", None, T0 + 1, "bound").new
    assert room.find(A, T0 + KEEP + 1).pin.ended == LIVE
    assert room.find(B, T0 + KEEP + 1).pin.backend == "b1"


def test_a_primarys_name_used_again_beside_its_alias_is_the_same_session(room):
    pin = room.bound(A)
    room.alias(B, A)
    room.close(A, pin, NAME_ENDED, T0)
    root = room.find(B, T0 + 1)
    assert room.join("rm", A, "b1", root, T0 + 1, "learned").new
    assert room.find(A, T0 + KEEP + 1).pin.ended == LIVE


def test_a_name_that_is_over_is_bound_anew(room):
    room.bound(A, until=T0 + 10)
    held = room.join("rm", A, "b2", None, T0 + 11, "bound")
    assert (held.new, held.pin.backend) == (True, "b2")


def test_who_loses_the_race_for_an_ended_name_follows_the_winner(room):
    ended = room.bound(A)
    room.close(A, ended, SESSION_ENDED, T0)
    room.join("rm", A, "b1", None, T0, "bound")
    late = room.join("rm", A, "b2", None, T0, "bound")
    assert (late.new, late.pin.backend) == (False, "b1")


def test_an_alias_is_dead_when_its_primary_is_another():
    alias = Pin("shop", "rm", "", A, T0, T0)
    primary = Pin("shop", "rm", "b1", b"", T0, T0)
    assert not dead_alias(alias, primary)
    assert dead_alias(alias, primary._replace(created=T0 + 1))
    assert dead_alias(alias, Pin("shop", "rm", "", B, T0, T0))


def test_what_is_held_is_a_plain_value():
    pin = Pin("shop", "rm", "b1", b"", T0, T0)
    assert Held(pin, A) == (pin, A, False)
