"""What the cases promise: the issue's list is covered, and each sends what it says."""

from __future__ import annotations

import math

import pytest

from bench.cases import (
    CASES,
    ENDLESS,
    GROUPS,
    MAIN,
    Case,
    backend_names,
    pinned_backend,
    pinned_id,
    session_ids,
)
from bench.envelopes import SERIAL
from bench.load import STEP


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_message_of_a_case_has_the_same_length(case: Case) -> None:
    bodies = {len(case.message(session).body) for session in session_ids("length", 3)}
    assert bodies == {case.size}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_serial_numbers_are_in_the_messages_exactly_where_there_are_some(case: Case) -> None:
    message = case.message(case.ids[0])
    written = message.body + repr(message.fields).encode()
    assert (SERIAL.encode() in written) == bool(case.serials)


def test_numbered_fills_in_body_and_fields_without_changing_a_length() -> None:
    case = CASES["pins-1k"]
    message = case.message(case.ids[0])
    numbered = message.numbered(255)
    assert pinned_id("000000ff").encode() in numbered.body
    assert len(numbered.body) == len(message.body)


@pytest.mark.parametrize("count", sorted({case.serials for case in CASES.values()} - {0}))
def test_step_walks_over_all_serial_numbers(count: int) -> None:
    assert math.gcd(STEP, count) == 1


def test_pins_beforehand_use_every_backend_and_follow_no_round_robin() -> None:
    names = backend_names(2)
    followed = [pinned_backend(serial, 2) for serial in range(100)]
    assert set(followed) == set(names)
    assert all(followed.count(name) == 50 for name in names)
    turns = [names[serial % 2] for serial in range(100)]
    assert followed not in (turns, turns[::-1])


def test_cookie_field_and_connection_say_what_the_case_wants() -> None:
    fields = CASES["place-cookie"].message("abc").fields
    assert "SHOPSESSION=abc" in fields["Cookie"]
    assert CASES["close"].message("abc").fields["Connection"] == "close"
    assert CASES["learn-echo"].message("abc").fields["X-Session"] == "abc"
    assert CASES["0.5k"].message("abc").fields.keys() == {"Content-Type", "SOAPAction"}


def test_main_table_covers_the_sizes_and_both_shapes_of_header() -> None:
    sizes = {case.name: case.size for case in GROUPS[MAIN]}
    assert sizes["0.5k"] == 512
    assert sizes["30k"] == 30 * 1024
    assert sizes["1m"] == 1024**2
    assert sizes["4k-security"] > 4096
    assert CASES["4k-unique"].serials == ENDLESS


def test_groups_hold_what_is_compared_side_by_side() -> None:
    named = {group: [case.name for case in cases] for group, cases in GROUPS.items()}
    assert named["pins"] == ["pins-1k", "pins-100k", "pins-1m"]
    assert [case.pins for case in GROUPS["pins"]] == [1000, 100_000, 1_000_000]
    assert [case.backends for case in GROUPS["backends"]] == [2, 200]
    assert [case.keep_alive for case in GROUPS["connection"]] == [True, False]
    assert [case.place for case in GROUPS["place"]] == ["header", "body", "cookie"]
    assert [case.profiles for case in GROUPS["profiles"]] == ["one", "default"]
    assert [case.profiles for case in GROUPS["plain"]] == ["none", "default"]
    assert [case.reply for case in GROUPS["learn"]] == ["canned", "echo", "issue"]
    assert all(case.tls for case in GROUPS["tls"])
