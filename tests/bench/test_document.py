"""What is written can be read again, and what is no result is refused with a sentence."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from results import result

from bench import document
from bench.processes import BenchError

CPU = {
    ("pins-1k", "haproxy"): (20.0, 25.0, 20.0),
    ("pins-1k", "soapgate"): (30.0, 30.0, 40.0),
    ("pins-100k", "haproxy"): (20.0, 20.0, 20.0),
    ("pins-100k", "soapgate"): (33.0, 30.0, 44.0),
}


def test_result_reads_back_as_it_was_written(tmp_path: Path) -> None:
    found = result(CPU)
    path = tmp_path / "deep" / "result.json"
    document.write(found, path)
    assert document.read(path) == found


def test_ratio_is_to_every_yardstick_and_flatness_to_the_first_of_the_group() -> None:
    found = result(CPU)
    (first, second) = found["ratio"]
    assert (first["case"], first["contender"], first["yardstick"]) == (
        "pins-1k",
        "soapgate",
        "haproxy",
    )
    assert second["most"] == pytest.approx(2.2)
    flat = {(row["case"], row["contender"]): row for row in found["flat"]}
    assert flat.keys() == {("pins-100k", "haproxy"), ("pins-100k", "soapgate")}
    ours = flat["pins-100k", "soapgate"]
    assert ours["base"] == "pins-1k"
    assert (ours["least"], ours["most"]) == (1.0, pytest.approx(1.1))


def test_flatness_is_to_the_first_case_that_was_run() -> None:
    found = result(
        {("pins-100k", "soapgate"): (30.0,), ("pins-1m", "soapgate"): (33.0,)},
    )
    assert [row["base"] for row in found["flat"]] == ["pins-100k"]


def test_main_cases_are_not_held_against_each_other() -> None:
    found = result({("0.5k", "soapgate"): (30.0,), ("1m", "soapgate"): (300.0,)})
    assert found["flat"] == []


def test_what_failed_is_named() -> None:
    assert result(CPU, failed=("no figure for 1m: it broke",))["left_out"] == [
        "no figure for 1m: it broke"
    ]


def test_earlier_format_is_read_with_what_it_lacks_left_empty(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text('{"when": "then", "turns": [], "ratio": [], "request_bytes": {"0.5k": 512}}')
    found = document.read(path)
    assert found["cases"] == [{"name": "0.5k", "title": "0.5k", "group": "size"}]
    assert found["latency"] == found["memory"] == found["flat"] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no JSON"),
        ("[1]", "is no result of a run"),
        ('{"when": "x"}', "is no result of a run"),
        ('{"when": "x", "turns": [], "ratio": [], "format": 3}', "has format 3"),
        ('{"when": "x", "turns": [], "ratio": [], "format": "2"}', "has format 2"),
        ("\udcff", "is no JSON"),
    ],
)
def test_what_is_no_result_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "some.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(BenchError, match=f"some.json {said}"):
        document.read(path)


def test_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"gone.json cannot be read: No such file"):
        document.read(tmp_path / "gone.json")


def test_newest_result_is_found_and_the_base_is_not_it(tmp_path: Path) -> None:
    for age, name in enumerate(("newest", "middle", "oldest")):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({}))
        os.utime(path, (1000 - age, 1000 - age))
    assert document.latest(tmp_path).name == "newest.json"
    assert document.latest(tmp_path, but=tmp_path / "newest.json").name == "middle.json"


def test_no_result_is_a_word(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no result in"):
        document.latest(tmp_path)


def test_machine_names_what_figures_depend_on() -> None:
    assert document.machine().keys() == {"processor", "cores", "kernel", "python", "load_before"}
