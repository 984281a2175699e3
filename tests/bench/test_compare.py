"""A change is called one only when the rounds do not overlap, are enough, and differ enough."""

from __future__ import annotations

from typing import Any

import pytest
from results import result

from bench import compare


def of(*ours: float) -> dict[str, Any]:
    """A result whose ratios at 0.5 KB are these."""
    return result(
        {
            ("0.5k", "haproxy"): tuple(20.0 for _ in ours),
            ("0.5k", "soapgate"): tuple(20.0 * ratio for ratio in ours),
        }
    )


@pytest.mark.parametrize(
    ("base", "new", "verdict"),
    [
        ((2.0, 2.1, 2.2), (1.0, 1.1, 1.2), "cheaper"),
        ((1.0, 1.1, 1.2), (2.0, 2.1, 2.2), "dearer"),
        ((1.0, 1.1, 1.2), (1.2, 1.3, 1.4), "within the noise"),  # they touch
        ((1.0, 1.1, 1.2), (0.5, 1.6, 2.0), "within the noise"),  # they overlap
        ((1.00, 1.01, 1.02), (1.03, 1.04, 1.05), "within the noise"),  # 3 % is too little
        ((1.0,), (2.0,), "too few rounds to tell"),
        ((1.0, 1.1, 1.2), (2.0,), "too few rounds to tell"),
        ((1.0, 1.1, 1.2), (2.0, 2.1), "dearer"),
    ],
)
def test_verdict(base: tuple[float, ...], new: tuple[float, ...], verdict: str) -> None:
    (change,) = compare.changes(of(*base), of(*new))
    assert change.verdict == verdict


def test_change_is_that_of_the_medians() -> None:
    (change,) = compare.changes(of(1.0, 2.0, 3.0), of(1.0, 1.5, 9.0))
    assert change.change == pytest.approx(-0.25)


def test_report_has_spreads_change_and_verdict_in_a_line() -> None:
    text = compare.report(of(2.0, 2.1, 2.2), of(1.0, 1.05, 1.1), "a", "b")
    (line,) = [line for line in text.splitlines() if line.startswith("0.5k")]
    for part in ("soapgate : haproxy", "2.00 / 2.10 / 2.20", "1.00 / 1.05 / 1.10", "-50%"):
        assert part in line
    assert line.endswith("cheaper")
    assert "1 cheaper; 1 in all." in text
    assert "10% of equal ones apart" in text


def test_report_names_what_only_one_has_and_another_machine() -> None:
    base = of(1.0, 1.0, 1.0)
    new = result({("1m", "haproxy"): (1.0,), ("1m", "soapgate"): (1.0,)})
    new["machine"] = {**new["machine"], "kernel": "7.0"}
    text = compare.report(base, new, "a", "b")
    assert "note: another kernel: 6.1 -> 7.0" in text
    assert "no case, contender and yardstick in common" in text
    assert "only in base: 0.5k soapgate" in text
    assert "only in new: 1m soapgate" in text


def test_report_says_that_a_message_has_another_size() -> None:
    base, new = of(1.0), of(1.0)
    base["request_bytes"] = {"0.5k": 500}
    assert "note: 0.5k had 500 bytes a request and has 512" in compare.report(base, new, "a", "b")
