"""Latency counts from when a request was due, so that a pause of the generator hides nothing."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from bench.cases import CASES
from bench.open_loop import ENOUGH, prepare, waited
from bench.processes import BenchError

START = 1_700_000_000_000_000_000
RATE = 1000  # one a millisecond
MS = 1_000_000


def line(seq: int, sent_ms: float, took_ms: float, status: int = 200, error: str = "") -> str:
    """One line of vegeta's CSV."""
    sent = START + round(sent_ms * MS)
    return f"{sent},{status},{round(took_ms * MS)},400,0,{error},,name,{seq},POST,http://x/,"


def test_latency_of_requests_sent_in_time_is_theirs() -> None:
    found = waited([line(n, n, 2.0) for n in range(100)], RATE)
    assert (found.p50_us, found.p99_us) == (2000.0, 2000.0)
    assert found.requests == 100
    assert found.rate == pytest.approx(RATE)
    assert found.held(RATE)


def test_time_that_a_request_was_sent_late_counts() -> None:
    """A pause of 50 ms: 50 requests go out together at its end, each of them overdue."""
    lines = [line(n, n, 1.0) for n in range(50)]
    lines += [line(n, 99, 1.0) for n in range(50, 100)]
    found = waited(lines, RATE)
    assert found.p99_us == pytest.approx(1000 + 49_000, abs=1100)
    assert found.p50_us == pytest.approx(1000)


def test_request_sent_early_gains_nothing() -> None:
    assert waited([line(n, n / 2, 3.0) for n in range(10)], RATE).p50_us == 3000.0


def test_order_of_the_lines_means_nothing() -> None:
    lines = [line(n, n + n % 3, n % 7 + 1) for n in range(200)]
    assert waited(lines[::-1], RATE) == waited(lines, RATE)


def test_rate_that_was_not_held_is_seen() -> None:
    found = waited([line(n, 2 * n, 1.0) for n in range(100)], RATE)
    assert found.rate == pytest.approx(500)
    assert not found.held(RATE)


def test_p999_needs_enough_requests() -> None:
    lines = [line(n, n, 1.0) for n in range(ENOUGH)]
    assert waited(lines[:-1], RATE).p999_us is None
    assert waited(lines, RATE).p999_us == 1000.0


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (line(9, 9, 1.0, 503), "1 errors in 10 requests, the first: 503"),
        (line(9, 9, 1.0, 0, "EOF"), "the first: 0 EOF"),
    ],
)
def test_an_error_makes_no_figure(bad: str, said: str) -> None:
    with pytest.raises(BenchError, match=said):
        waited([*(line(n, n, 1.0) for n in range(9)), bad], RATE)


def test_nothing_makes_no_figure() -> None:
    with pytest.raises(BenchError, match="counted 0 replies"):
        waited([], RATE)


def test_targets_are_the_messages_of_the_case(tmp_path: Path) -> None:
    case = CASES["tls-0.5k"]
    path = prepare(case, 8443, tmp_path / "targets")
    targets = [json.loads(text) for text in path.read_text().splitlines()]
    assert [base64.b64decode(each["body"]) for each in targets] == [
        case.message(session).body for session in case.ids
    ]
    assert targets[0]["url"] == "https://127.0.0.1:8443/shop"
    assert targets[0]["header"]["SOAPAction"] == ['"urn:example:shop/add"']
