"""Backends, their live state, and who is a candidate."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from soapgate.core.errors import ConfigError
from soapgate.core.policies import LeastRequests, RoundRobin
from soapgate.core.pool import Backend, Health, Member, Pool


def backend(name: str, **options: object) -> Backend:
    return Backend.parse(name, f"http://{name}.example:9001", **options)  # type: ignore[arg-type]


def names(members: tuple[Member, ...]) -> list[str]:
    return [member.name for member in members]


# Backend.parse


@pytest.mark.parametrize(
    ("url", "tls", "host", "port"),
    [
        pytest.param("http://127.0.0.1:9001", False, "127.0.0.1", 9001, id="ipv4"),
        pytest.param("http://127.0.0.1:9001/", False, "127.0.0.1", 9001, id="root-path"),
        pytest.param("http://b1", False, "b1", 80, id="http-default-port"),
        pytest.param("https://b1", True, "b1", 443, id="https-default-port"),
        pytest.param("HTTPS://B1.Example:8443", True, "b1.example", 8443, id="case"),
        pytest.param("http://[::1]:9001", False, "::1", 9001, id="ipv6"),
        pytest.param("http://[2001:DB8:0::1]", False, "2001:db8::1", 80, id="ipv6-compressed"),
        pytest.param("http://[fe80::1%25eth0]:1", False, "fe80::1%eth0", 1, id="ipv6-zone"),
        pytest.param("http://shop_b1.local.:65535", False, "shop_b1.local.", 65535, id="name"),
    ],
)
def test_a_backend_is_a_scheme_a_host_and_a_port(url: str, tls: bool, host: str, port: int) -> None:
    parsed = Backend.parse("b1", url)
    assert (parsed.tls, parsed.host, parsed.port) == (tls, host, port)
    assert parsed.address == (tls, host, port)
    assert parsed.url == url


@pytest.mark.parametrize(
    ("url", "said"),
    [
        pytest.param("", "is not http://HOST", id="empty"),
        pytest.param("b1:9001", "is not http://HOST", id="no-scheme"),
        pytest.param("ftp://b1", "is not http://HOST", id="other-scheme"),
        pytest.param("http:/b1", "is not http://HOST", id="one-slash"),
        pytest.param("http://", "no valid host name", id="no-host"),
        pytest.param("http://:80", "no valid host name", id="port-only"),
        pytest.param("http://b1/cart", "has a path", id="path"),
        pytest.param("http://b1//", "has a path", id="slashes"),
        pytest.param("http://b1?x=1", "has a query", id="query"),
        pytest.param("http://b1/?", "has a query", id="empty-query"),
        pytest.param("http://b1#x", "has a query or a fragment", id="fragment"),
        pytest.param("http://me:pw@b1", "user information", id="user"),
        pytest.param("http://b1:0", "port '0', allowed are 1 to 65535", id="port-0"),
        pytest.param("http://b1:65536", "allowed are 1 to 65535", id="port-too-big"),
        pytest.param("http://b1:", "allowed are 1 to 65535", id="port-empty"),
        pytest.param("http://b1:+80", "allowed are 1 to 65535", id="port-sign"),
        pytest.param("http://b1:٨٠", "allowed are 1 to 65535", id="port-other-digits"),
        pytest.param("http://b1:80\n", "no valid host", id="newline"),
        pytest.param("http://::1:80", "allowed are 1 to 65535|no valid host", id="ipv6-bare"),
        pytest.param("http://[::g]", "no valid address", id="ipv6-wrong"),
        pytest.param("http://[::1", "no valid host", id="ipv6-open"),
        pytest.param("http://[127.0.0.1]", "no valid address", id="ipv4-in-brackets"),
        pytest.param("http://127.0.0.256", "no valid address", id="ipv4-wrong"),
        pytest.param("http://127.1", "no valid address", id="ipv4-short"),
        pytest.param("http://b 1", "no valid host name", id="space"),
        pytest.param("http://b..1", "no valid host name", id="empty-label"),
        pytest.param("http://-b1", "no valid host name", id="hyphen-first"),
        pytest.param("http://bäcker.example", "no valid host name", id="not-ascii"),
        pytest.param("http://" + "a" * 64, "no valid host name", id="long-label"),
        pytest.param("http://" + "a.b." * 70 + "c", "no valid host name", id="long-name"),
    ],
)
def test_any_other_url_is_refused_with_a_sentence(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        Backend.parse("b1", url)
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith("backend 'b1': ")


def test_a_password_in_a_url_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        Backend.parse("b1", "http://me:s3cret@b1")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "a b", "a/b", "a" * 65, "ä", "b1\n"])
def test_a_name_that_a_url_or_a_log_line_cannot_carry_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="1 to 64 letters"):
        Backend.parse(name, "http://b1")


def test_every_problem_of_a_backend_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Backend.parse("", "ftp://b1", weight=0, maxconn=-1)
    assert len(caught.value.problems) == 4


@pytest.mark.parametrize("weight", [1, 256])
def test_a_weight_is_1_to_256(weight: int) -> None:
    assert backend("b1", weight=weight).weight == weight
    with pytest.raises(ConfigError, match="allowed are 1 to 256"):
        backend("b1", weight=257 if weight == 256 else 0)


def test_what_is_not_said_has_the_documented_default() -> None:
    parsed = Backend.parse("b1", "http://b1")
    assert (parsed.weight, parsed.maxconn, parsed.roles, parsed.backup) == (1, 0, set(), False)
    assert Health() == Health(interval=2.0, rise=2, fall=3, timeout=2.0)


# Member


def test_a_member_starts_ready_and_up() -> None:
    member = Member(backend("b1"))
    assert (member.admin, member.up, member.full) == ("ready", True, False)
    assert member.available(None)
    assert member.accepts_pinned


def test_fall_bad_results_in_a_row_take_a_backend_down_and_rise_good_ones_bring_it_up() -> None:
    member = Member(backend("b1"), Health(rise=2, fall=3))
    assert [member.mark(False) for _ in range(3)] == [False, False, True]
    assert not member.up
    assert [member.mark(True) for _ in range(2)] == [False, True]
    assert member.up


def test_only_results_in_a_row_count() -> None:
    member = Member(backend("b1"), Health(rise=2, fall=2))
    assert [member.mark(ok) for ok in (False, True, False, True, False)] == [False] * 5
    assert member.mark(False)
    assert [member.mark(ok) for ok in (True, False, True, False, True)] == [False] * 5
    assert member.mark(True)


def test_results_that_change_nothing_do_not_flip() -> None:
    member = Member(backend("b1"), Health(rise=1, fall=1))
    assert not member.mark(True)
    assert member.mark(False)
    assert not member.mark(False)


@pytest.mark.parametrize(
    ("admin", "up", "available", "accepts_pinned"),
    [
        ("ready", True, True, True),
        ("ready", False, False, False),
        ("drain", True, False, True),
        ("drain", False, False, False),
        ("maint", True, False, False),
        ("maint", False, False, False),
    ],
)
def test_drain_keeps_bound_sessions_maint_and_down_nothing(
    admin: str, up: bool, available: bool, accepts_pinned: bool
) -> None:
    member = Member(backend("b1"), Health(fall=1))
    member.admin = admin  # type: ignore[assignment]
    member.mark(up)
    assert member.available(None) is available
    assert member.accepts_pinned is accepts_pinned


@pytest.mark.parametrize("word", ["", "enabled", "READY", "up"])
def test_an_illegal_admin_word_raises_and_changes_nothing(word: str) -> None:
    member = Member(backend("b1"))
    member.admin = "drain"
    with pytest.raises(ValueError, match="allowed are ready, drain, maint"):
        member.admin = word  # type: ignore[assignment]
    assert member.admin == "drain"


def test_a_member_is_full_at_its_maxconn_and_still_accepts_pinned_requests() -> None:
    member = Member(backend("b1", maxconn=2))
    member.inflight += 1
    assert member.available(None)
    member.inflight += 1
    assert member.full
    assert not member.available(None)
    assert member.accepts_pinned
    member.inflight -= 1
    assert not member.full


def test_a_member_without_maxconn_is_never_full() -> None:
    member = Member(backend("b1"))
    member.inflight = 1_000_000
    assert not member.full


def test_load_is_what_runs_and_waits_for_the_weight() -> None:
    member = Member(backend("b1", weight=2))
    assert member.load == 0.0
    member.inflight = 3
    assert member.load == 1.5
    member.waiting = 2
    assert member.load == 2.5
    member.configure(backend("b1", weight=5), Health())
    assert member.load == 1.0


def test_counts_below_zero_are_refused() -> None:
    member = Member(backend("b1"))
    with pytest.raises(ValueError, match="in flight"):
        member.inflight -= 1
    with pytest.raises(ValueError, match="waiting"):
        member.waiting -= 1
    assert (member.inflight, member.waiting) == (0, 0)


def test_a_role_is_asked_for_or_not() -> None:
    member = Member(backend("b1", roles=["worker"]))
    assert member.available(None)
    assert member.available("worker")
    assert not member.available("manager")


def test_a_member_cannot_become_another() -> None:
    member = Member(backend("b1"))
    with pytest.raises(ValueError, match="cannot become 'b2'"):
        member.configure(backend("b2"), Health())


def test_a_member_tells_an_operator_what_it_is() -> None:
    member = Member(Backend.parse("b1", "http://127.0.0.1:9001", maxconn=3), Health(fall=1))
    assert repr(member) == "<Member b1 http://127.0.0.1:9001 ready up, 0/3 in flight>"
    member.admin = "drain"
    member.mark(False)
    member.inflight = 3
    member.waiting = 2
    assert repr(member) == (
        "<Member b1 http://127.0.0.1:9001 drain down, 3/3 in flight, 2 waiting>"
    )
    free = Member(Backend.parse("b2", "https://b2"))
    assert repr(free) == "<Member b2 https://b2 ready up, 0 in flight>"


# Pool


def test_candidates_are_the_available_members_in_order() -> None:
    pool = Pool("shop", [backend("b2"), backend("b1"), backend("b3"), backend("b4", maxconn=1)])
    assert names(pool.candidates(None)) == ["b2", "b1", "b3", "b4"]
    pool.members["b1"].admin = "drain"
    pool.members["b4"].inflight = 1
    assert names(pool.candidates(None)) == ["b2", "b3"]
    assert names(pool.candidates(None, {"b2"})) == ["b3"]
    assert names(pool.candidates(None, {"b2", "b3"})) == []


def test_backups_are_candidates_only_when_nobody_else_is() -> None:
    pool = Pool("shop", [backend("b1", backup=True), backend("b2", maxconn=1), backend("b3")])
    assert names(pool.candidates(None)) == ["b2", "b3"]
    assert names(pool.candidates(None, {"b2", "b3"})) == ["b1"]
    pool.members["b3"].admin = "maint"
    assert names(pool.candidates(None)) == ["b2"]
    pool.members["b2"].inflight = 1
    assert names(pool.candidates(None)) == ["b1"]
    assert names(pool.candidates(None, full=True)) == ["b2"]


def test_full_members_are_candidates_when_asked_for() -> None:
    pool = Pool("shop", [backend("b1", maxconn=1), backend("b2", maxconn=1)])
    for member in pool.members.values():
        member.inflight = 1
    assert pool.candidates(None) == ()
    assert names(pool.candidates(None, full=True)) == ["b1", "b2"]
    assert names(pool.candidates(None, {"b1"}, full=True)) == ["b2"]


def test_each_role_has_its_own_candidates_and_its_own_turns() -> None:
    pool = Pool("shop", [backend("b1", roles=["manager"]), backend("b2", roles=["worker"])])
    assert names(pool.candidates("manager")) == ["b1"]
    assert names(pool.candidates("worker")) == ["b2"]
    assert names(pool.candidates("other")) == []
    assert pool.policy("manager") is pool.policy("manager")
    assert pool.policy("manager") is not pool.policy("worker")


def test_candidates_are_the_same_object_while_nothing_changes() -> None:
    pool = Pool("shop", [backend("b1", maxconn=9), backend("b2")])
    before = pool.candidates(None)
    pool.members["b1"].inflight += 1
    pool.members["b2"].mark(False)
    assert pool.candidates(None) is before


def test_a_pool_refuses_two_backends_of_one_name_and_stays_as_it_was() -> None:
    with pytest.raises(ConfigError, match="pool 'shop' has two backends named 'b1'"):
        Pool("shop", [backend("b1"), backend("b1")])
    pool = Pool("shop", [backend("b1")])
    with pytest.raises(ConfigError):
        pool.replace([backend("b2"), backend("b2")], policy=LeastRequests, health=Health(fall=1))
    assert list(pool.members) == ["b1"]
    assert pool.health == Health()
    assert isinstance(pool.policy(None), RoundRobin)


def test_replace_keeps_the_live_state_of_members_that_stay() -> None:
    pool = Pool("shop", [backend("b1"), backend("b2")])
    b1, b2 = pool.members.values()
    b1.admin = "drain"
    b1.inflight = 2
    left = pool.replace([backend("b3"), backend("b1", maxconn=2)])
    assert left == (b2,)
    assert list(pool.members) == ["b3", "b1"]
    assert pool.members["b1"] is b1
    assert (b1.admin, b1.inflight, b1.full) == ("drain", 2, True)
    assert names(pool.candidates(None)) == ["b3"]


def test_replace_starts_anew_where_the_address_changed_but_not_its_spelling() -> None:
    pool = Pool("shop", [Backend.parse("b1", "http://h1"), Backend.parse("b2", "http://h2")])
    b1, b2 = pool.members.values()
    for member in (b1, b2):
        member.admin = "maint"
    left = pool.replace([Backend.parse("b1", "http://H1:80/"), Backend.parse("b2", "http://h3")])
    assert left == (b2,)
    assert pool.members["b1"] is b1
    assert pool.members["b1"].backend.url == "http://H1:80/"
    assert pool.members["b2"].admin == "ready"


def test_replace_takes_new_health_and_a_new_policy() -> None:
    pool = Pool("shop", [backend("b1")])
    pool.replace([backend("b1"), backend("b2")], policy=LeastRequests, health=Health(fall=1))
    assert isinstance(pool.policy(None), LeastRequests)
    assert [member.mark(False) for member in pool.members.values()] == [True, True]
    assert pool.candidates(None) == ()


def test_a_member_that_is_configured_anew_is_a_candidate_by_its_new_terms() -> None:
    pool = Pool("shop", [backend("b1"), backend("b2")])
    assert pool.candidates("worker") == ()
    pool.members["b2"].configure(backend("b2", roles=["worker"]), pool.health)
    assert names(pool.candidates("worker")) == ["b2"]


def test_a_member_that_left_does_not_trouble_the_pool() -> None:
    pool = Pool("shop", [backend("b1", maxconn=1), backend("b2")])
    gone = pool.members["b1"]
    gone.inflight = 1
    pool.replace([backend("b2")])
    gone.inflight = 0
    gone.admin = "maint"
    assert names(pool.candidates(None)) == ["b2"]


def test_a_pool_tells_an_operator_how_many_are_available() -> None:
    pool = Pool("shop", [backend("b1"), backend("b2")])
    pool.members["b1"].admin = "maint"
    assert repr(pool) == "<Pool shop: 1 of 2 available>"


BACKENDS = [
    backend("b1", maxconn=1, roles=["worker"]),
    backend("b2", maxconn=2, roles=["manager", "worker"]),
    backend("b3", backup=True, maxconn=1, roles=["worker"]),
    backend("b4", roles=["manager"]),
]


class CandidatesNeverGoStale(RuleBasedStateMachine):
    """Whatever happens to members, remembered candidates are what asking everybody gives."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = Pool("shop", BACKENDS, health=Health(rise=1, fall=2))

    def member(self, data: st.DataObject) -> Member | None:
        known = list(self.pool.members.values())
        return data.draw(st.sampled_from(known)) if known else None

    @rule(data=st.data(), word=st.sampled_from(["ready", "drain", "maint"]))
    def say(self, data: st.DataObject, word: str) -> None:
        if member := self.member(data):
            member.admin = word  # type: ignore[assignment]

    @rule(data=st.data(), ok=st.booleans())
    def mark(self, data: st.DataObject, ok: bool) -> None:
        if member := self.member(data):
            member.mark(ok)

    @rule(data=st.data(), count=st.integers(0, 3))
    def load(self, data: st.DataObject, count: int) -> None:
        if member := self.member(data):
            member.inflight = count

    @rule(backends=st.lists(st.sampled_from(BACKENDS), unique=True))
    def reload(self, backends: list[Backend]) -> None:
        self.pool.replace(backends)

    @invariant()
    def candidates_are_the_available(self) -> None:
        for role in (None, "worker", "manager"):
            everybody = [m for m in self.pool.members.values() if m.available(role)]
            regular = [m for m in everybody if not m.backend.backup]
            assert list(self.pool.candidates(role)) == (regular or everybody)
            ready = [m for m in self.pool.members.values() if m.accepts_new(role)]
            assert set(self.pool.candidates(role, full=True)) <= set(ready)
            assert bool(self.pool.candidates(role, full=True)) is bool(ready)


test_candidates_never_go_stale = CandidatesNeverGoStale.TestCase


# Told by another process


def test_a_member_settles_on_what_another_process_came_to() -> None:
    pool = Pool("p", [backend("b1"), backend("b2")])
    member = pool.members["b1"]
    assert names(pool.candidates(None)) == ["b1", "b2"]
    member.settle(up=False, streak=1)
    assert (member.up, member.streak, member.accepts_pinned) == (False, 1, False)
    assert names(pool.candidates(None)) == ["b2"]
    assert member.mark(True)  # the second in a row
    assert (member.up, member.streak) == (True, 0)


def test_who_waits_is_admitted_to_a_free_place_only() -> None:
    member = Member(backend("b1", maxconn=1))
    assert member.admit()
    assert not member.admit()
    assert member.inflight == 1


def test_another_policy_may_be_asked_without_taking_a_turn() -> None:
    pool = Pool("farm", [backend("b1"), backend("b2")])

    class Last:
        def select(self, candidates: tuple[Member, ...], key: bytes) -> Member:
            return candidates[-1]

    other = pool.with_policy(Last())
    for _ in range(3):
        assert other.policy(None).select(other.candidates(None), b"").name == "b2"
    assert pool.policy(None).select(pool.candidates(None), b"").name == "b1"
    pool.members["b1"].admin = "maint"
    assert names(other.candidates(None)) == ["b2"]
