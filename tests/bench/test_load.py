"""wrk's summary is believed only when nothing failed; its script has what the case says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.cases import CASES
from bench.load import Counted, Load, counted, script
from bench.processes import BenchError

GOOD = {
    **dict.fromkeys(("connect", "read", "write", "timeout", "status"), 0),
    "requests": 500,
    "microseconds": 2_000_000,
    "p50": 10,
    "p99": 20,
}


def said(**changed: int) -> str:
    return f"Running 2s test\n\nBENCH {json.dumps({**GOOD, **changed})}\n"


def test_summary_of_a_good_run_is_read() -> None:
    assert counted(said()) == Counted(requests=500, seconds=2.0, p50=10, p99=20)


@pytest.mark.parametrize("kind", ["connect", "read", "write", "timeout", "status"])
def test_any_error_makes_no_figure(kind: str) -> None:
    with pytest.raises(BenchError, match=f"errors: .*{kind}.*3"):
        counted(said(**{kind: 3}))


def test_no_reply_makes_no_figure() -> None:
    with pytest.raises(BenchError, match="counted 0 replies"):
        counted(said(requests=0))


def test_no_summary_makes_no_figure() -> None:
    with pytest.raises(BenchError, match="no summary: 'unable to connect'"):
        counted("unable to connect\n")


def test_messages_lie_on_the_disk_one_a_session(tmp_path: Path) -> None:
    case = CASES["place-cookie"]
    Load.prepare(case, tmp_path, frozenset())
    assert (tmp_path / "envelope-64").read_bytes() == case.message(case.ids[63]).body
    fields = (tmp_path / "fields-64").read_text()
    assert f"Cookie: theme=dark; SHOPSESSION={case.ids[63]}; lang=en\n" in fields
    assert not (tmp_path / "envelope-65").exists()


def test_script_walks_over_the_serial_numbers_of_the_case(tmp_path: Path) -> None:
    assert "local serials, serial = 1000, 0" in script(CASES["pins-1k"], tmp_path)
    assert "local serials, serial = 0, 0" in script(CASES["0.5k"], tmp_path)
