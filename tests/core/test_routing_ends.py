"""The decision for what has ended, and for ids that nobody knows."""

from __future__ import annotations

import pytest
from routed import NEW, REDISPATCH, STRICT, UNKNOWN, pinned, pool_of, unpinned

from soapgate.core.errors import Reason
from soapgate.core.pins import SESSION_ENDED, Pin
from soapgate.core.policies import POLICIES, Rendezvous
from soapgate.core.routing import Identity, Refusal, Route, Terms, route

# Ended


def ended(backend: str, key: bytes = b"e") -> Identity:
    pin = Pin("shop", "p", backend, b"", 0.0, 0.0, 9.0, SESSION_ENDED)
    return Identity("p", key, False, pin, key)


@pytest.mark.parametrize("admin", ["ready", "drain"])
def test_what_trails_behind_an_end_goes_where_the_session_was(admin: str) -> None:
    pool = pool_of("b1", "b2")
    pool.members["b2"].admin = admin  # type: ignore[assignment]
    last = ended("b2")
    assert route(STRICT, [UNKNOWN, last], pool) == Route("pinned", "ended", "b2", last, 0, False)


def test_a_live_session_goes_before_one_that_has_ended() -> None:
    pool = pool_of("b1", "b2")
    live = pinned("b1")
    assert route(STRICT, [ended("b2"), live], pool) == Route(
        "pinned", "bound", "b1", live, 0, False
    )


@pytest.mark.parametrize("terms", [STRICT, REDISPATCH], ids=lambda terms: terms.lost)
def test_what_has_ended_is_never_lost_only_unknown(terms: Terms) -> None:
    pool = pool_of("b1")
    answer = route(terms, [ended("gone")], pool)
    assert answer == Route("balanced", "unknown", "b1", None, 0, False)
    assert isinstance(route(terms, [ended("b1")], pool, {"b1"}), Refusal)


def test_a_new_session_begins_beside_one_whose_backend_is_gone() -> None:
    pool = pool_of("b1")
    assert route(STRICT, [ended("gone"), NEW], pool) == Route(
        "balanced", "new", "b1", NEW, 0, False
    )


# Unknown


def test_an_unknown_id_that_hashes_always_gets_the_same_backend() -> None:
    terms = Terms(unknown="hash")
    pool, other = pool_of("b1", "b2", "b3"), pool_of("b3", "b2", "b1", policy=POLICIES["hash"])
    for number in range(20):
        identity = unpinned(b"key %d" % number, bindable=False)
        answers = [route(terms, [identity], one) for one in (pool, pool, other)]
        backend = Rendezvous().select(list(pool.members.values()), identity.key).name
        assert answers == [Route("balanced", "hashed", backend, None, 0, False)] * 3


def test_the_profiles_word_for_unknown_ids_goes_before_the_services() -> None:
    pool = pool_of("b1")
    first = UNKNOWN._replace(profile="first")
    second = UNKNOWN._replace(profile="second")
    hashed = Terms(unknown="fault", unknown_of={"first": "hash", "second": "balance"})
    assert route(hashed, [first, second], pool).reason == "hashed"
    assert route(hashed, [second], pool).reason == "unknown"
    refused = Terms(unknown_of={"first": "hash", "second": "fault"})
    answer = route(refused, [first, second], pool)
    assert answer.reason == Reason.SESSION_UNKNOWN
    assert answer.identity == second
