"""Where log lines go, and that they stay whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from soapgate.core.errors import ConfigError
from soapgate.edge.logfile import STANDARD, LogFile, pieces


def test_a_file_is_made_and_appended_to(tmp_path: Path) -> None:
    for _ in range(2):
        log = LogFile("deep/access.log", tmp_path)
        log.write(b"a\n")
        log.close()
    assert (tmp_path / "deep/access.log").read_bytes() == b"a\na\n"


def test_a_rotated_file_is_opened_anew(tmp_path: Path) -> None:
    log = LogFile("access.log", tmp_path)
    log.write(b"a\n")
    (tmp_path / "access.log").rename(tmp_path / "old")
    log.reopen()
    log.write(b"b\n")
    log.close()
    assert (tmp_path / "old").read_bytes() == b"a\n"
    assert (tmp_path / "access.log").read_bytes() == b"b\n"


def test_what_cannot_be_opened_leaves_the_old_file_in_use(tmp_path: Path) -> None:
    log = LogFile("access.log", tmp_path)
    (tmp_path / "access.log").rename(tmp_path / "old")
    (tmp_path / "access.log").mkdir()
    with pytest.raises(ConfigError, match="cannot be opened: Is a directory"):
        log.reopen()
    log.write(b"b\n")
    log.close()
    assert (tmp_path / "old").read_bytes() == b"b\n"


def test_a_standard_target_is_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    reads, writes = os.pipe()
    monkeypatch.setitem(STANDARD, "stdout", writes)
    log = LogFile("stdout", shared=True)
    log.reopen()
    log.write(b"a\nb\n")
    log.close()
    assert os.read(reads, 100) == b"a\nb\n"
    os.close(reads)
    os.close(writes)


@pytest.mark.parametrize("most", range(1, 14))
def test_pieces_end_with_a_line_and_nothing_is_lost(most: int) -> None:
    lines = b"one\ntwo\nthree\n\nfour\n"
    cut = list(pieces(lines, most))
    assert b"".join(cut) == lines
    assert all(one.endswith(b"\n") for one in cut)
    assert all(len(one) <= most or one.count(b"\n") == 1 for one in cut)


def test_a_last_line_without_an_end_is_kept() -> None:
    assert list(pieces(b"one\ntwotwotwo", 5)) == [b"one\n", b"twotwotwo"]
