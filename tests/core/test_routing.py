"""One decision: where an exchange goes, and the word for why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import pytest
from hypothesis import given, settings
from routed import (
    ANY_IDENTITIES,
    EXCLUDED,
    IDENTITIES,
    NEW,
    REDISPATCH,
    STRICT,
    TERMS,
    UNKNOWN,
    fill,
    pinned,
    pool_of,
    pools,
    unpinned,
)

from soapgate.core import routing
from soapgate.core.errors import Reason
from soapgate.core.pins import Pin
from soapgate.core.policies import Rendezvous
from soapgate.core.pool import Backend, Health, Pool
from soapgate.core.routing import (
    WORDS,
    Identity,
    Refusal,
    Route,
    Terms,
    Why,
    route,
)

# Pinned


@pytest.mark.parametrize("terms", [STRICT, REDISPATCH], ids=lambda terms: terms.lost)
@pytest.mark.parametrize(("admin", "reason"), [("ready", "bound"), ("drain", "draining")])
def test_a_pinned_request_goes_to_its_backend_ready_or_draining(
    terms: Terms, admin: str, reason: str
) -> None:
    pool = pool_of("b1", "b2")
    pool.members["b2"].admin = admin  # type: ignore[assignment]
    identity = pinned("b2")
    expected = Route("pinned", reason, "b2", identity, 0, False)  # type: ignore[arg-type]
    assert route(terms, [identity], pool) == expected


def test_the_first_pin_in_precedence_decides_and_further_ones_elsewhere_are_conflicts() -> None:
    pool = pool_of("b1", "b2")
    decides = pinned("b2", b"1")
    ids = [NEW, decides, pinned("b1", b"2"), pinned("b2", b"3"), pinned("gone", b"4"), UNKNOWN]
    assert route(STRICT, ids, pool) == Route("pinned", "bound", "b2", decides, 2, False)


def test_a_pinned_request_waits_at_its_full_backend_and_never_overflows() -> None:
    pool = pool_of("b1", "b2", maxconn=1)
    pool.members["b1"].inflight = 1
    identity = pinned("b1")
    for terms in (STRICT, REDISPATCH):
        assert route(terms, [identity], pool) == Route("pinned", "bound", "b1", identity, 0, True)


def test_a_pin_holds_on_a_backend_that_lost_its_role() -> None:
    pool = pool_of("b1", "b2")
    answer = route(Terms(role="worker"), [pinned("b1")], pool)
    assert isinstance(answer, Route)
    assert (answer.kind, answer.backend) == ("pinned", "b1")


def test_a_pin_holds_on_a_backup_while_others_are_available() -> None:
    backup = Backend.parse("b2", "http://b2", backup=True)
    pool = Pool("shop", [Backend.parse("b1", "http://b1"), backup])
    answer = route(STRICT, [pinned("b2")], pool)
    assert isinstance(answer, Route)
    assert answer.backend == "b2"


def test_a_pin_that_is_still_an_alias_counts_as_none() -> None:
    dangling = NEW._replace(pin=Pin("shop", "p", "", b"primary", 0.0, 0.0))
    answer = route(STRICT, [dangling, pinned("b2")], pool_of("b1", "b2"))
    assert isinstance(answer, Route)
    assert (answer.backend, answer.conflicts) == ("b2", 0)
    answer = route(STRICT, [pinned("b2"), dangling], pool_of("b1", "b2"))
    assert isinstance(answer, Route)
    assert answer.conflicts == 0


# Lost


def lost_pool(how: str) -> tuple[Pool, tuple[str, ...]]:
    """A pool where b1 is lost, and the excluded names."""
    pool = pool_of("b2", "b3") if how == "removed" else pool_of("b1", "b2", "b3")
    if how == "maint":
        pool.members["b1"].admin = "maint"
        pool.members["b1"].mark(False)  # the operator's word comes before what was observed
    if how == "down":
        pool.members["b1"].mark(False)
    return pool, ("b1",) if how in ("unreachable", "down") else ()


@pytest.mark.parametrize("how", WORDS["redispatched"])
def test_strict_refuses_a_session_whose_backend_is_lost(how: str) -> None:
    pool, excluded = lost_pool(how)
    identity = pinned("b1")
    answer = route(STRICT, [identity, pinned("b2", b"2")], pool, excluded)
    assert isinstance(answer, Refusal)
    assert answer.reason == Reason.SESSION_LOST
    assert answer.identity == identity
    assert answer.detail


def test_each_way_to_be_lost_has_its_own_sentence() -> None:
    details = set()
    for how in WORDS["redispatched"]:
        pool, excluded = lost_pool(how)
        answer = route(STRICT, [pinned("b1")], pool, excluded)
        assert isinstance(answer, Refusal)
        details.add(answer.detail)
    assert len(details) == len(WORDS["redispatched"])


@pytest.mark.parametrize("how", WORDS["redispatched"])
def test_redispatch_moves_a_session_whose_backend_is_lost_and_says_why(how: str) -> None:
    pool, excluded = lost_pool(how)
    identity = pinned("b1")
    answer = route(REDISPATCH, [identity, pinned("b3", b"2")], pool, excluded)
    assert answer == Route("redispatched", how, "b2", identity, 1, False)  # type: ignore[arg-type]


def test_redispatch_waits_when_all_others_are_full_and_gives_up_when_there_are_none() -> None:
    pool = pool_of("b1", "b2", maxconn=1)
    fill(pool)
    pool.members["b1"].admin = "maint"
    identity = pinned("b1")
    assert route(REDISPATCH, [identity], pool) == Route(
        "redispatched", "maint", "b2", identity, 0, True
    )
    pool.members["b2"].mark(False)
    answer = route(REDISPATCH, [identity], pool)
    assert isinstance(answer, Refusal)
    assert (answer.reason, answer.identity) == (Reason.NO_BACKEND, identity)


def test_redispatch_asks_for_the_role() -> None:
    worker = Backend.parse("b2", "http://b2", roles=["worker"])
    pool = Pool("shop", [Backend.parse("b1", "http://b1"), worker])
    for _ in range(3):
        answer = route(Terms("redispatch", role="worker"), [pinned("gone")], pool)
        assert isinstance(answer, Route)
        assert answer.backend == "b2"


def test_every_alias_of_a_lost_session_is_redispatched_to_the_same_place_by_hash() -> None:
    pool = pool_of("b1", "b2", "b3", policy=Rendezvous)
    places = set()
    for alias in range(40):
        identity = pinned("gone", b"alias %d" % alias, primary=b"primary")
        answer = route(REDISPATCH, [identity], pool)
        assert isinstance(answer, Route)
        places.add(answer.backend)
    assert len(places) == 1


# Unpinned


@pytest.mark.parametrize("unknown", ["balance", "fault"])
def test_an_id_that_a_client_may_make_up_is_new_even_beside_an_unknown_one(unknown: str) -> None:
    terms = Terms(unknown=unknown)  # type: ignore[arg-type]
    later = unpinned(b"later", bindable=True)
    assert route(terms, [UNKNOWN, NEW, later], pool_of("b1")) == Route(
        "balanced", "new", "b1", NEW, 0, False
    )


def test_an_unknown_server_id_is_balanced_and_never_bound() -> None:
    assert route(STRICT, [UNKNOWN], pool_of("b1")) == Route(
        "balanced", "unknown", "b1", None, 0, False
    )


def test_an_unknown_server_id_is_refused_when_the_service_says_fault() -> None:
    answer = route(Terms(unknown="fault"), [UNKNOWN], pool_of("b1"))
    assert isinstance(answer, Refusal)
    assert (answer.reason, answer.identity) == (Reason.SESSION_UNKNOWN, UNKNOWN)


@pytest.mark.parametrize("unknown", ["balance", "fault"])
def test_a_request_without_an_id_is_balanced(unknown: str) -> None:
    terms = Terms(unknown=unknown)  # type: ignore[arg-type]
    assert route(terms, [], pool_of("b1")) == Route("balanced", "no-id", "b1", None, 0, False)


@pytest.mark.parametrize("ids", [[], [NEW], [UNKNOWN]], ids=["no-id", "new", "unknown"])
def test_an_unpinned_request_goes_to_available_backends_of_its_role_only(
    ids: Sequence[Identity],
) -> None:
    backends = [Backend.parse(f"b{n}", f"http://b{n}", roles=["worker"]) for n in range(5)]
    backends.append(Backend.parse("full", "http://full", roles=["worker"], maxconn=1))
    backends.append(Backend.parse("other", "http://other", roles=["manager"]))
    pool = Pool("shop", backends, health=Health(fall=1))
    pool.members["b0"].admin = "drain"
    pool.members["b1"].admin = "maint"
    pool.members["b2"].mark(False)
    pool.members["full"].inflight = 1
    answers = [route(Terms(role="worker"), ids, pool, {"b3"}) for _ in range(10)]
    assert {(answer.backend, answer.queue) for answer in answers if isinstance(answer, Route)} == {
        ("b4", False)
    }
    assert not any(isinstance(answer, Refusal) for answer in answers)


def test_an_unpinned_request_waits_where_the_policy_says_when_all_are_full() -> None:
    pool = pool_of("b1", "b2", maxconn=1)
    fill(pool)
    answers = [route(STRICT, [], pool) for _ in range(4)]
    assert [(a.backend, a.queue) for a in answers if isinstance(a, Route)] == [
        ("b1", True),
        ("b2", True),
    ] * 2


def test_without_any_backend_the_answer_is_a_refusal() -> None:
    pool = pool_of("b1")
    for answer in (
        route(STRICT, [NEW], pool_of()),
        route(STRICT, [NEW], pool, {"b1"}),
        route(Terms(role="worker"), [NEW], pool),
    ):
        assert isinstance(answer, Refusal)
        assert (answer.reason, answer.identity) == (Reason.NO_BACKEND, NEW)


def test_the_hash_policy_gets_the_first_id() -> None:
    pool = pool_of("b1", "b2", "b3", policy=Rendezvous)
    for number in range(40):
        first = unpinned(b"%d" % number, bindable=False)
        alone = route(STRICT, [first], pool)
        with_another = route(STRICT, [first, NEW], pool)
        assert isinstance(alone, Route)
        assert isinstance(with_another, Route)
        assert alone.backend == with_another.backend


def test_each_role_has_turns_of_its_own() -> None:
    roles = ("manager", "worker")
    backends = [Backend.parse(f"b{n}", f"http://b{n}", roles=roles) for n in range(2)]
    pool = Pool("shop", backends)
    seen = [route(Terms(role=role), [], pool) for _ in range(2) for role in roles]
    chosen = [answer.backend for answer in seen if isinstance(answer, Route)]
    assert chosen == ["b0", "b0", "b1", "b1"]


# Whatever it is given


@settings(deadline=None)
@given(TERMS, ANY_IDENTITIES, pools(), EXCLUDED)
def test_it_always_answers_in_documented_words_and_never_chooses_who_cannot_serve(
    terms: Terms, identities: list[Identity], pool: Pool, excluded: set[str]
) -> None:
    answer = route(terms, identities, pool, excluded)
    if isinstance(answer, Refusal):
        assert answer.reason in {Reason.SESSION_LOST, Reason.SESSION_UNKNOWN, Reason.NO_BACKEND}
        return
    assert answer.reason in WORDS[answer.kind]
    member = pool.members[answer.backend]
    assert answer.backend not in excluded
    assert member.up
    assert member.admin != "maint"
    assert answer.queue is member.full
    if answer.kind != "pinned":
        assert member.accepts_new(terms.role)
        everybody = pool.members.values()
        free = [m for m in everybody if m.available(terms.role) and m.name not in excluded]
        assert not (answer.queue and free)


@settings(deadline=None)
@given(TERMS, IDENTITIES, pools(), EXCLUDED)
def test_a_pinned_identity_is_honoured_or_lost_by_the_terms(
    terms: Terms, identities: list[Identity], pool: Pool, excluded: set[str]
) -> None:
    answer = route(terms, identities, pool, excluded)
    first = next((identity for identity in identities if identity.pin is not None), None)
    if first is None or first.pin is None:
        assert not isinstance(answer, Route) or answer.kind == "balanced"
        return
    assert answer.identity == first
    if isinstance(answer, Route):
        backends = [identity.pin.backend for identity in identities if identity.pin is not None]
        assert answer.conflicts == len(backends) - backends.count(first.pin.backend)
    member = pool.members.get(first.pin.backend)
    if member is not None and member.accepts_pinned and member.name not in excluded:
        assert isinstance(answer, Route)
        assert (answer.kind, answer.backend) == ("pinned", member.name)
    elif terms.lost == "strict":
        assert isinstance(answer, Refusal)
        assert answer.reason == Reason.SESSION_LOST
    elif isinstance(answer, Route):
        assert answer.kind == "redispatched"
        assert answer.backend != first.pin.backend
    else:
        assert answer.reason == Reason.NO_BACKEND


@given(TERMS, IDENTITIES, pools(), EXCLUDED)
def test_only_a_client_made_id_that_nobody_knows_is_to_be_bound(
    terms: Terms, identities: list[Identity], pool: Pool, excluded: set[str]
) -> None:
    answer = route(terms, identities, pool, excluded)
    if isinstance(answer, Route) and answer.kind == "balanced" and answer.identity:
        assert answer.reason == "new"
        assert answer.identity.bindable
        assert answer.identity.pin is None


def test_the_words_are_one_for_each_reason_and_all_in_the_table_of_the_file() -> None:
    words = [word for kind in WORDS.values() for word in kind]
    assert len(words) == len(set(words))
    assert {word for group in get_args(Why) for word in (get_args(group) or (group,))} == set(words)
    table = routing.__doc__ or ""
    for kind, reasons in WORDS.items():
        for word in reasons:
            assert any(line.split()[:2] == [kind, word] for line in table.splitlines())


def test_no_detail_names_an_id_a_key_or_a_backend() -> None:
    secret = Identity("p", b"topsecretkey", False, None, b"topsecretkey")
    bound = pinned("hidden-backend")._replace(key=b"topsecretkey")
    for answer in (
        route(STRICT, [bound], pool_of("b1")),
        route(REDISPATCH, [bound], pool_of()),
        route(Terms(unknown="fault"), [secret], pool_of("b1")),
        route(STRICT, [], pool_of()),
    ):
        assert isinstance(answer, Refusal)
        assert "secret" not in answer.detail
        assert "hidden" not in answer.detail
