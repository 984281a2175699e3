"""What every nginx has in common: its paths are in its directory, its bodies in memory."""

from __future__ import annotations

import re
from pathlib import Path

from bench import nginx


def test_every_path_lies_in_its_directory_and_nothing_is_logged(tmp_path: Path) -> None:
    text = nginx.text(tmp_path, 512, "")
    paths = re.findall(r"(?:pid|_path) (\S+);", text)
    assert len(paths) == 6
    assert all(Path(path).parent == tmp_path for path in paths)
    assert "access_log off;" in text


def test_a_body_fits_into_one_buffer(tmp_path: Path) -> None:
    def buffer(body_bytes: int) -> int:
        found = re.search(r"client_body_buffer_size (\d+);", nginx.text(tmp_path, body_bytes, ""))
        assert found is not None
        return int(found[1])

    assert buffer(0) == nginx.LEAST_BUFFER
    assert buffer(1024**2) > 1024**2


def test_what_is_given_stands_first_and_inside_of_http(tmp_path: Path) -> None:
    lines = nginx.text(tmp_path, 512, "  server {}\n", first="load_module a.so;\n").splitlines()
    assert lines[0] == "load_module a.so;"
    assert lines[-2:] == ["  server {}", "}"]


def test_the_command_serves_the_file_that_was_written(tmp_path: Path) -> None:
    words = nginx.command(tmp_path, "daemon off;\n")
    assert words[0] in nginx.PACKAGES
    assert Path(words[words.index("-c") + 1]).read_text() == "daemon off;\n"
