"""The command line from end to end, where it starts no gateway: results to tables, picture and
comparison, and what it says of files that are none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from results import result

from bench import __main__, document
from bench.__main__ import main

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "result.json"
    found = result({("1m", "haproxy"): (2.0,) * 3, ("1m", "soapgate"): (1.0,) * 3})
    document.write(found, path)
    return path


def test_tables_of_a_result(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--tables", str(file)]) == 0
    assert "- 0.50 / 0.50 / 0.50" in capsys.readouterr().out


def test_picture_of_a_result(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--picture", str(file)]) == 0
    assert capsys.readouterr().out.startswith("<svg ")


def test_comparison_of_two_results(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--compare", str(file), str(file)]) == 0
    assert "1 within the noise; 1 in all." in capsys.readouterr().out


def test_comparison_with_the_newest_result(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = file.parent / "out"
    document.write(document.read(file), out / "later.json")
    monkeypatch.setattr(__main__, "OUT", out)
    assert main(["--compare", str(file)]) == 0
    assert "new   later.json" in capsys.readouterr().out


@pytest.mark.parametrize("what", ["--tables", "--picture", "--compare"])
def test_file_that_is_no_result_is_an_error_of_one_line(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "some.json"
    path.write_text("{}")
    assert main([what, str(path), *([str(path)] if what == "--compare" else [])]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        f"bench: {path} is no result of a run: it has no `when`, `turns` and `ratio`.\n"
    )


def test_make_bench_compare_asks_for_its_base_and_hands_both_on() -> None:
    def made(*words: str) -> subprocess.CompletedProcess[str]:
        command = ["make", "-n", "bench-compare", *words]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    without = made()
    assert without.returncode != 0
    assert "BASE=" in without.stderr
    assert "--compare a.json b.json" in made("BASE=a.json", "NEW=b.json").stdout
