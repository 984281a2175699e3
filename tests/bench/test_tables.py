"""Tables are valid reStructuredText with a row for each case and a dash for what is not there."""

from __future__ import annotations

import re

from results import result

from bench.latency import Wait
from bench.memory import Weight
from bench.tables import tables


def each(figure: int) -> str:
    return f"{figure} / {figure} / {figure}"


def cells(text: str) -> list[list[str]]:
    """The rows of the only table in a text."""
    rows: list[list[str]] = []
    for line in text.splitlines():
        found = re.fullmatch(r"   (\* -|  -) (.+)", line)
        if found and found[1] == "* -":
            rows.append([found[2]])
        elif found:
            rows[-1].append(found[2])
    return rows


def test_main_table_has_a_column_a_contender_and_the_ratios_of_ours() -> None:
    text = tables(
        result(
            {
                ("0.5k", "haproxy"): (20.0, 22.0, 21.0),
                ("0.5k", "twisted-web"): (900.0, 900.0, 900.0),
                ("0.5k", "soapgate"): (40.0, 44.0, 42.0),
                ("1m", "soapgate"): (400.0, 400.0, 400.0),
            }
        )
    )
    assert cells(text) == [
        ["Request", "haproxy", "twisted-web", "soapgate", "soapgate : haproxy"],
        [
            "0.5 KB",
            "20 / 21 / 22",
            "900 / 900 / 900",
            "40 / 42 / 44",
            "2.00 / 2.00 / 2.00",
        ],
        ["1 MB", r"\-", r"\-", "400 / 400 / 400", r"\-"],
    ]


def test_group_has_what_each_is_against_its_first_case() -> None:
    text = tables(result({("pins-1k", "soapgate"): (40.0,), ("pins-1m", "soapgate"): (50.0,)}))
    assert cells(text)[0] == ["Request", "soapgate", "soapgate : itself"]
    assert [row[-1] for row in cells(text)[1:]] == [r"\-", "1.25 / 1.25 / 1.25"]


def test_latency_has_a_row_a_lane_and_no_p999_of_too_few() -> None:
    waits = (
        Wait("0.5k", "direct", 1, 5000, 4999.6, 0.0, 9000, 100.0, 200.0, None),
        Wait("0.5k", "soapgate", 1, 5000, 4999.6, 0.5, 20000, 300.0, 400.0, 500.0),
    )
    assert cells(tables(result({}, waits=waits)))[1:] == [
        ["0.5 KB", "direct", each(5000), r"\-", each(100), each(200), r"\-"],
        ["0.5 KB", "soapgate", each(5000), "50% / 50% / 50%", each(300), each(400), each(500)],
    ]


def test_memory_has_a_row_a_thing() -> None:
    weights = (
        Weight("pin", "haproxy", 1, 100, 250.0),
        Weight("pin", "soapgate", 1, 100, 100.0),
        Weight("pin", "soapgate", 2, 100, 120.0),
    )
    assert cells(tables(result({}, weights=weights))) == [
        ["One", "haproxy", "soapgate"],
        ["pin", "250 / 250 / 250", "100 / 110 / 120"],
    ]


def test_what_is_left_out_stands_below() -> None:
    assert tables(result({}, failed=("no latency: no vegeta",))) == ".. no latency: no vegeta\n"
