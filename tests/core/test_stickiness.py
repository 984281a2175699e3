"""Four letters, each one of the table, each one reached."""

from __future__ import annotations

import itertools

import pytest

from soapgate.core.errors import Reason
from soapgate.core.locations import parse
from soapgate.core.pins import Pin
from soapgate.core.routing import WORDS, Identity, Route
from soapgate.core.scanned import Found
from soapgate.core.stickiness import LETTERS, Facts, code

PIN = Pin("s", "p", "b1", b"", 0.0, 0.0)


def identity(profile="p", key=b"k", pin=PIN, bindable=False):
    return Identity(profile, key, bindable, pin, key)


def found(location="Header/a", text="x", profile="p", use="lookup"):
    return Found(profile, use, text, location)


def facts(kind="pinned", reason="bound", **known):
    decision = Route(kind, reason, "b1", None, 0, False) if kind != "refused" else None
    given = {
        "decision": decision, "found": [found()], "identities": [identity()], "key": b"k",
        "refused": decision is None, "reason": reason, "conflicts": 0, "learned": 0, "ended": 0,
    }  # fmt: skip
    return Facts(**{**given, **known})


BOUND = Route("pinned", "bound", "b1", None, 0, False)
NONE = {"found": [], "identities": [], "key": b""}


@pytest.mark.parametrize(
    ("location", "letter"),
    [
        ("Header/a//b/@c", "H"),
        ("Header//a", "H"),
        ("Body/a", "B"),
        ("cookie:JSESSIONID", "C"),
        ("http:X-Session", "F"),
        ("param:jsessionid", "P"),
        ("query:sid", "Q"),
        ("client:address", "A"),
    ],
)
def test_the_carrier_is_where_the_id_stood_that_decided(location, letter):
    assert parse(location, {})
    assert code(facts(found=[found(location)]))[0] == letter


def test_an_id_of_the_same_profile_is_told_from_the_one_that_decided():
    finds = [
        found("cookie:a", "1"),
        found("cookie:a", "1"),
        found("Body/a", "2"),
        found("http:x", "3", "q"),
    ]
    ids = [identity(key=b"1"), identity(key=b"2"), identity("q", b"3")]
    letters = [code(facts(found=finds, identities=ids, key=key))[0] for key in (b"1", b"2", b"3")]
    assert letters == ["C", "B", "F"]


def test_an_id_that_nobody_pinned_is_told_by_the_first():
    ids = [identity(key=b"1", pin=None), identity(key=b"2", pin=None)]
    finds = [found("cookie:a", "1"), found("Body/a", "2")]
    assert code(facts("balanced", "unknown", found=finds, identities=ids, key=b"")) == "CUB-"


def test_an_identity_that_no_profile_found_is_the_gateways_own():
    assert code(facts(found=[]))[0] == "O"
    assert code(facts(found=[found("whatever, else")]))[0] == "O"


@pytest.mark.parametrize(
    ("kind", "reason", "letters"),
    [
        ("pinned", "bound", "VP"),
        ("pinned", "draining", "DP"),
        ("balanced", "new", "NB"),
        ("balanced", "unknown", "UB"),
        ("redispatched", "removed", "LM"),
        ("redispatched", "maint", "LM"),
        ("redispatched", "down", "LM"),
        ("redispatched", "unreachable", "LM"),
        ("refused", "session-lost", "LR"),
        ("refused", "session-unknown", "UR"),
        ("refused", "no-backend", "LR"),
    ],
)
def test_what_was_known_and_done_follows_from_route_and_reason(kind, reason, letters):
    assert code(facts(kind, reason)) == f"H{letters}-"


def test_every_route_there_is_has_its_letters():
    for kind, reasons in WORDS.items():
        for reason in reasons:
            assert code(facts(kind, reason))[2] in "PBM"


def test_a_request_without_an_id_has_none():
    assert code(facts("balanced", "no-id", **NONE)) == "--B-"
    assert code(facts("refused", "malformed", **NONE)) == "--R-"
    assert code(facts("refused", "client-left", **NONE)) == "----"


def test_a_new_id_that_nobody_could_take_is_unknown():
    assert code(facts("refused", "no-backend", identities=[identity(pin=None)])) == "HUR-"


def test_a_backend_that_failed_after_it_was_chosen_leaves_the_id_what_it_was():
    assert code(facts(decision=BOUND, refused=True, reason="upstream-timeout")) == "HVF-"


def test_a_pinned_backend_that_proved_unreachable_is_a_lost_session():
    assert code(facts(decision=BOUND, refused=True, reason="session-lost")) == "HLF-"


@pytest.mark.parametrize(
    ("known", "letter"),
    [
        ({}, "-"),
        ({"learned": 1}, "L"),
        ({"learned": 1, "ended": 1}, "E"),
        ({"learned": 1, "ended": 1, "conflicts": 1}, "C"),
    ],
)
def test_what_became_of_sessions_is_the_weightiest(known, letter):
    assert code(facts(**known))[3] == letter


def test_every_code_is_made_of_letters_of_the_table():
    decisions = [(kind, reason) for kind, reasons in WORDS.items() for reason in reasons]
    decisions += [("refused", str(reason)) for reason in Reason]
    for (kind, reason), none, late in itertools.product(decisions, (True, False), (True, False)):
        known = {**(NONE if none else {}), **({"refused": True} if late else {})}
        letters = code(facts(kind, reason, **known))
        assert len(letters) == len(LETTERS)
        for letter, position in zip(letters, LETTERS, strict=True):
            assert letter in position.letters
