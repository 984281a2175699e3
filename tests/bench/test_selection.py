"""What runs when, on a machine that has everything, and on one that lacks this or that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench import options, selection
from bench.cases import CASES, GROUPS, MAIN
from bench.contenders.everybody import CONTENDERS
from bench.selection import Missing, Selection


@pytest.fixture(autouse=True)
def able(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every contender can run, whatever this machine and this soapgate have."""
    those = {name: replace(each, lacks=lambda: "") for name, each in CONTENDERS.items()}
    monkeypatch.setattr(selection, "CONTENDERS", those)


def lacking(*programs: str) -> Missing:
    return lambda packages: {name: each for name, each in packages.items() if name in programs}


def chosen(words: str, *without: str) -> Selection:
    return selection.select(options.read(words.split()), lacking(*without))


def named(found: Selection) -> dict[str, list[str]]:
    return {case.name: [each.name for each in who] for case, who in found.entries}


def test_nothing_said_is_the_main_table_with_everybody() -> None:
    found = chosen("")
    assert list(named(found)) == [case.name for case in GROUPS[MAIN]]
    assert all(who == list(CONTENDERS) for who in named(found).values())
    assert found.waiting == found.weighed == found.left_out == ()


def test_all_is_every_case_and_latency_and_memory() -> None:
    found = chosen("--all")
    assert list(named(found)) == list(CASES)
    assert named(found)["pins-1m"] == ["haproxy", "soapgate"]
    assert named(found)["1m"] == list(CONTENDERS)
    assert [case.name for case in found.waiting] == ["0.5k", "30k"]
    assert [each.name for each in found.weighed] == ["haproxy", "soapgate"]


def test_group_is_all_of_its_cases_beside_the_yardstick() -> None:
    assert named(chosen("--case connection")) == {
        "keep-alive": ["haproxy", "soapgate"],
        "close": ["haproxy", "soapgate"],
    }


def test_named_contender_that_refuses_a_case_is_left_out_with_its_reason() -> None:
    found = chosen("--case learn-new --contender nginx-njs --contender soapgate")
    assert named(found) == {"learn-new": ["soapgate"]}
    assert found.left_out == (
        "learn-new without nginx-njs: it has no table: it hashes the id, binds nothing and learns "
        "nothing",
    )


def test_latency_and_memory_alone_measure_no_case() -> None:
    found = chosen("--latency --memory")
    assert found.entries == ()
    assert found.waiting
    assert [each.name for each in found.waiters] == ["haproxy", "soapgate"]


def test_latency_of_named_cases_leaves_out_what_has_serial_numbers() -> None:
    found = chosen("--latency --case 4k-unique --case 4k-security")
    assert [case.name for case in found.waiting] == ["4k-security"]


def test_without_load_or_backends_nothing_is_measured_and_a_word_says_what_to_install() -> None:
    found = chosen("", "wrk", "nginx")
    assert found.contenders == []
    (word,) = found.left_out
    assert word == "nothing is measured: nginx, wrk not found: apt-get install nginx-light wrk"


def test_without_haproxy_the_others_are_measured() -> None:
    found = chosen("--case 0.5k", "haproxy")
    assert "haproxy" not in named(found)["0.5k"]
    assert "soapgate" in named(found)["0.5k"]
    assert "without haproxy: haproxy not found: apt-get install haproxy" in found.left_out


def test_without_vegeta_there_is_no_latency_and_the_rest_is_measured() -> None:
    found = chosen("--all", "vegeta")
    assert found.waiting == found.waiters == ()
    assert found.weighed
    assert any("go install" in sentence for sentence in found.left_out)


def test_contender_that_cannot_run_here_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    old = replace(CONTENDERS["soapgate-2"], lacks=lambda: "it is too old")
    monkeypatch.setattr(selection, "CONTENDERS", {**CONTENDERS, "soapgate-2": old})
    found = chosen("--case 0.5k --contender soapgate --contender soapgate-2")
    assert named(found) == {"0.5k": ["soapgate"]}
    assert found.left_out == ("without soapgate-2: it is too old",)


def test_contender_named_twice_runs_once_and_in_the_order_of_the_table() -> None:
    words = "--case 0.5k --contender soapgate --contender haproxy --contender soapgate"
    assert named(chosen(words)) == {"0.5k": ["haproxy", "soapgate"]}


def test_everybody_who_takes_part_is_listed_once() -> None:
    names = [each.name for each in chosen("--all").contenders]
    assert names == list(CONTENDERS)
