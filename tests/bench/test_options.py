"""Every word of the command line, and a clear refusal of the wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import options
from bench.cases import CASES
from bench.contenders.everybody import CONTENDERS
from bench.rounds import Pace


def test_nothing_said_is_the_usual_pace() -> None:
    asked = options.read([])
    assert asked.pace == Pace(rounds=3, seconds=4, warm_up=2)
    assert not asked.everything
    assert asked.cases is asked.contenders is asked.compare is None


def test_what_is_said_is_taken() -> None:
    words = "-n 5 -s 2 --case pins --case 1m --contender soapgate --latency --memory --json x.json"
    asked = options.read(words.split())
    assert asked.pace == Pace(rounds=5, seconds=2)
    assert asked.cases == ("pins", "1m")
    assert asked.contenders == ("soapgate",)
    assert asked.latency
    assert asked.memory
    assert asked.json == Path("x.json")


def test_quick_is_one_short_round() -> None:
    assert options.read(["--quick"]).pace == options.QUICK


def test_compare_takes_one_result_or_two() -> None:
    assert options.read(["--compare", "a"]).compare == (Path("a"), None)
    assert options.read(["--compare", "a", "b"]).compare == (Path("a"), Path("b"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--case nine", "'0.5k'"),
        ("--contender squid", "'haproxy'"),
        ("-n 0", "at least 1"),
        ("-s -3", "at least 1"),
        ("-n many", "invalid int"),
        ("--all --case 1m", "leave out --case"),
        ("--compare a b c", "an earlier result and"),
        ("--compare a --tables b", "one at a time"),
        ("--tables a --picture b", "one at a time"),
        ("--fast", "unrecognized"),
        ("--cas 1m", "unrecognized"),
    ],
)
def test_wrong_words_end_with_2_and_say_what_is_allowed(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        options.read(words.split())
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_help_names_every_case_contender_and_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        options.read(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for word in [*CASES, *CONTENDERS, "nginx-light", "libnginx-mod-http-js", "vegeta", "BASE="]:
        assert word in text
