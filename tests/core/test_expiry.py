"""Times as messages write them: dates, durations, and what is neither."""

from __future__ import annotations

import pytest

from soapgate.core.expiry import LENGTH, moment

NOW = 1_700_000_000.0  # 2023-11-14T22:13:20Z


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2023-11-14T22:13:20Z", NOW),
        ("2023-11-14T22:13:20", NOW),
        (" \n2023-11-14T22:13:20Z\t", NOW),
        ("2023-11-14T22:13:20.25Z", NOW + 0.25),
        ("2023-11-14T22:13:20.123456789123Z", NOW + 0.123456789123),
        ("2023-11-15T00:13:20+02:00", NOW),
        ("2023-11-14T14:13:20-08:00", NOW),
        ("2023-11-14T24:00:00Z", NOW + 6400),
        ("2024-02-29T00:00:00Z", 1_709_164_800.0),
        ("PT60S", NOW + 60),
        ("PT1.5S", NOW + 1.5),
        ("P1DT1H1M1S", NOW + 86400 + 3661),
        ("P1Y2M", NOW + (365 + 60) * 86400),
        ("PT0S", NOW),
    ],
)
def test_a_date_or_a_duration_is_a_moment(text, at):
    assert moment(text, NOW) == pytest.approx(at, abs=1e-5)


@pytest.mark.parametrize(
    "text",
    [
        *("", "never", "1700000000", "2023-11-14", "22:13:20", "2023-11-14 22:13:20Z"),
        *("2023-13-14T22:13:20Z", "2023-02-29T00:00:00Z", "2023-11-31T00:00:00Z"),
        *("2023-11-14T25:00:00Z", "2023-11-14T24:00:01Z", "2023-11-14T22:60:00Z"),
        *("0000-01-01T00:00:00Z", "-2023-11-14T22:13:20Z", "2023-11-14T22:13:20+15:00"),
        *("P", "PT", "-PT5S", "P5", "PT5", "P1H", "PT1S2", "PT" + "9" * 40 + "S"),
        "\u0662\u0660\u0662\u0663-11-14T22:13:20Z",
        "2023-11-14T22:13:20." + "1" * LENGTH + "Z",
    ],
)
def test_what_cannot_be_read_is_none(text):
    assert moment(text, NOW) is None
