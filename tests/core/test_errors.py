"""The errors say whose fault, why, and whether a retry is safe."""

from __future__ import annotations

import re

import pytest

from soapgate.core import errors
from soapgate.core.errors import ConfigError, Failure, LocationError, Reason, StoreFull


def test_everything_raised_on_purpose_is_a_soapgate_error() -> None:
    ours = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    raised = [kind for kind in ours if issubclass(kind, Exception)]
    assert len(raised) >= 6
    assert all(issubclass(kind, errors.SoapgateError) for kind in raised)


def test_a_full_store_is_a_store_that_cannot_answer() -> None:
    assert issubclass(StoreFull, errors.StoreError)


def test_a_bad_location_is_also_a_value_error() -> None:
    with pytest.raises(ValueError, match="no such axis"):
        raise LocationError("no such axis")


def test_a_config_error_has_a_line_for_each_problem() -> None:
    error = ConfigError(f"problem {number}" for number in (1, 2))
    assert error.problems == ("problem 1", "problem 2")
    assert str(error) == "problem 1\nproblem 2"


def test_a_failure_reads_as_its_reason_and_detail() -> None:
    assert str(Failure("upstream", Reason.UPSTREAM_BROKEN, "no status line")) == (
        "upstream-broken: no status line"
    )
    assert str(Failure("internal", Reason.INTERNAL)) == "internal"


def test_a_failure_is_not_safe_to_retry_unless_said() -> None:
    assert not Failure("upstream", Reason.UPSTREAM_BROKEN).retry_safe
    assert Failure("upstream", Reason.UPSTREAM_BROKEN, retry_safe=True).retry_safe


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_one_word_that_log_and_metric_can_carry(reason: Reason) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", reason)
    assert reason.name == reason.value.upper().replace("-", "_")
