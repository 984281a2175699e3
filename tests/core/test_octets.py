"""Octets: the plain answers and the compiled ones are the same."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soapgate.core import octets

SETS = {
    "of a text": bytes(set(range(0x20, 0x7F)) - set(b"<&]")) + b"\t\n",
    "in quotes": bytes(set(range(0x20, 0x7F)) - set(b'<&]"')),
    "a few": b"abc-]^\\",
    "none": b"",
    "all": bytes(range(256)),
}


def compiled() -> Any:
    try:
        return import_module("soapgate.core._octets")
    except ImportError:
        pytest.skip("not compiled here")


@pytest.mark.parametrize(
    ("data", "piece", "start", "there"),
    [
        (b"abc", b"bc", 1, True),
        (b"abc", b"bc", 0, False),
        (b"abc", b"", 3, True),
        (b"abc", b"cd", 2, False),
        (b"abc", b"", 4, False),
        (b"", b"", 0, True),
    ],
)
@pytest.mark.parametrize("which", ["octets", "_octets"])
def test_a_piece_stands_where_it_stands(
    which: str, data: bytes, piece: bytes, start: int, there: bool
) -> None:
    stands = octets.stands if which == "octets" else compiled().stands
    assert stands(data, piece, start) is there


@pytest.mark.parametrize("which", ["octets", "_octets"])
@pytest.mark.parametrize("name", SETS)
def test_a_run_ends_at_the_first_octet_that_is_not_allowed(which: str, name: str) -> None:
    """At every place around the blocks of sixteen that compiled code looks at."""
    run = octets.run if which == "octets" else compiled().run
    allowed = octets.table(SETS[name])
    for octet in range(256):
        for before in (0, 1, 15, 16, 17, 31, 32, 40) if SETS[name] else (0,):
            data = b"x" + SETS[name][:1] * before + bytes([octet]) + SETS[name][:1] * 20
            end = len(data) if octet in SETS[name] else 1 + before
            assert run(data, 1, len(data), allowed) == end


@pytest.mark.parametrize("which", ["octets", "_octets"])
def test_a_run_is_no_longer_than_it_may_be_and_ends_with_the_data(which: str) -> None:
    run = octets.run if which == "octets" else compiled().run
    allowed = octets.table(b"a")
    assert [run(b"aaaa", 1, most, allowed) for most in (0, 1, 3, 9)] == [1, 2, 4, 4]
    assert run(b"", 0, 5, allowed) == 0


@given(
    st.sampled_from(sorted(SETS)),
    st.lists(st.one_of(st.binary(max_size=40), st.just(b"A" * 33)), max_size=4).map(b"".join),
    st.integers(0, 50),
    st.integers(0, 100),
)
def test_both_runs_end_alike(name: str, data: bytes, start: int, most: int) -> None:
    allowed = octets.table(SETS[name])
    start = min(start, len(data))
    assert compiled().run(data, start, most, allowed) == octets.run(data, start, most, allowed)


def test_what_is_common_is_in_every_set_that_says_so() -> None:
    for name, members in SETS.items():
        assert octets.table(members)[256] == (name in ("of a text", "in quotes", "all"))
