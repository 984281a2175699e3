"""docs/explain.rst: its letters are the code's, its output is real, its JSON has the shape it says.

The tables of the page are read as a schema: what a command prints is held against them, field by
field and type by type, so a field that is added and not told of fails here.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import build_explain
import pytest
from click.testing import CliRunner
from written import renewed

from soapgate.cli import main
from soapgate.core.explained import Conflict, Explanation, Id, Ranked, Reading, Standing, Verdict
from soapgate.core.stickiness import LETTERS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "explain.rst").read_text(encoding="utf-8")
ENVELOPE = (
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header/>'
    b"<s:Body><a/></s:Body></s:Envelope>"
)


# -- the letters


def test_the_page_is_what_the_script_writes() -> None:
    assert renewed(PAGE, build_explain.PARTS) == PAGE, "run docs/build_explain.py"


def test_the_page_has_every_letter_with_its_meaning() -> None:
    for position in LETTERS:
        for letter, meaning in position.letters.items():
            assert f"``{letter}`` {meaning}" in PAGE


# -- what is shown is what is printed


def masked(text: str) -> list[str]:
    lines = re.sub(r"\b[0-9a-f]{8}\b", "########", text).splitlines()
    return [line.rstrip() for line in lines]


def shown() -> list[tuple[str, list[str]]]:
    """(command, the lines shown below it)"""
    command = r"::\n\n    (soapgate explain [^\n]*docs/[^\n]*)\n\n"
    output = r"\.\. code-block:: text\n\n((?:    .*\n|\n)+)"
    return [
        (words, masked(re.sub(r"(?m)^    ", "", text).strip("\n")))
        for words, text in re.findall(command + output, PAGE)
    ]


def test_there_is_output_to_check() -> None:
    assert len(shown()) == 3


@pytest.mark.parametrize(("command", "lines"), shown(), ids=lambda one: str(one)[:40])
def test_the_output_shown_is_the_one_printed(
    command: str, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "80")
    printed = iter(masked(CliRunner().invoke(main, shlex.split(command)[1:]).output))
    assert [line for line in lines if line.strip() != "..." and line not in printed] == []


# -- the shapes


def tables() -> dict[str, dict[str, str]]:
    """title -> field -> type, of the section for machines."""
    section = PAGE.partition("For machines\n")[2]
    found = re.findall(
        r"\n(\w+)\n~+\n\n=+ =+ =+\nfield .*\n=+ =+ =+\n((?:.+\n)+?)=+ =+ =+\n", section
    )
    return {
        title: {
            row[:19].strip("` "): row[20:46].strip()
            for row in text.splitlines()
            if row.startswith("``")
        }
        for title, text in found
    }


SHAPES = tables()
PLAIN: dict[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "flag": lambda value: isinstance(value, bool),
    "number": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "numbers": lambda value: all(isinstance(n, int) for n in value.values()),
}


def mismatch(value: Any, kind: str, at: str = "$") -> str:
    """Where a value differs from a type of the page, "" if nowhere."""
    if kind.endswith(" or null"):
        return "" if value is None else mismatch(value, kind.removesuffix(" or null"), at)
    if kind.startswith("list of "):
        inner = kind.removeprefix("list of ")
        if not isinstance(value, list):
            return f"{at} is no list"
        wrong = (mismatch(one, inner, f"{at}[{n}]") for n, one in enumerate(value))
        return next(filter(None, wrong), "")
    if kind in PLAIN:
        return "" if PLAIN[kind](value) else f"{at} is no {kind}"
    shape = SHAPES[kind.capitalize()]
    if list(value) != list(shape):
        return f"{at} has {list(value)}"
    wrong = (mismatch(value[name], shape[name], f"{at}.{name}") for name in shape)
    return next(filter(None, wrong), "")


def said(*arguments: object) -> Any:
    return json.loads(CliRunner().invoke(main, ["explain", "--json", *map(str, arguments)]).output)


@pytest.fixture
def messages(tmp_path: Path) -> dict[str, Path]:
    files = {
        "rm": (ROOT / "docs" / "wsrm-request.xml").read_bytes(),
        "none": ENVELOPE,
        "refused": b"POST / HTTP/1.1\r\n\r\n",
        "doctype": b"<!DOCTYPE a>" + ENVELOPE,
        "response": b"HTTP/1.1 200 OK\r\nSet-Cookie: JSESSIONID=1234\r\nContent-Length: 0\r\n\r\n",
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    return {name: tmp_path / name for name in files}


@pytest.mark.parametrize("name", ["rm", "none", "refused", "doctype", "response"])
@pytest.mark.parametrize("options", [(), ("--show-ids", "--all")], ids=["hidden", "shown"])
def test_an_explanation_has_the_shape_of_the_page(messages, name, options) -> None:
    assert mismatch(said(messages[name], *options), "explanation") == ""


def test_a_recording_has_the_shape_of_the_page(messages) -> None:
    messages["rm"].with_name("gone").symlink_to("nowhere")
    told = said(messages["rm"].parent)
    assert mismatch(told, "recording") == ""
    assert told["summary"]["errors"] == 1
    assert told["summary"]["ids"]


def test_a_lesson_has_the_shape_of_the_page(messages) -> None:
    files = (ROOT / "docs" / "cart-response.xml", ROOT / "docs" / "cart-request.xml")
    told = said("--learn", *files)
    assert mismatch(told, "lesson") == ""
    assert told["written"]
    nothing = said("--learn", messages["none"], messages["none"])
    assert mismatch(nothing, "lesson") == ""
    assert nothing["written"] is None


def test_what_a_running_gateway_adds_has_the_shape_of_the_page() -> None:
    verdict = Verdict("pinned", "bound", "b1", (), "p", "x", (Conflict("q", "y", "b2"),), None)
    ranked = Ranked("p", Id("x", 1, None), False, Standing("pinned", "b1", False))
    reading = Reading(
        "request", "found", "", "1.1", False, 1, 2, (), (ranked,), (), (), verdict, None
    )
    told = Explanation("request", "s", "", "", "", 0, "plain", "", "utf-8", (reading,), None)
    assert mismatch(told.to_dict(), "explanation") == ""


def test_every_table_of_the_page_is_used() -> None:
    used = {
        kind.removesuffix(" or null").removeprefix("list of ")
        for shape in SHAPES.values()
        for kind in shape.values()
    }
    assert {title.lower() for title in SHAPES} - {"recording", "lesson"} == used - set(PLAIN)


@pytest.mark.parametrize(
    ("value", "kind", "where"),
    [
        ({"profile": "p", "hash": "x"}, "conflict", "$ has ['profile', 'hash']"),
        ({"profile": "p", "hash": 7, "backend": "b"}, "conflict", "$.hash is no text"),
        ([True], "list of number", "$[0] is no number"),
        ("x", "list of text", "$ is no list"),
    ],
)
def test_the_check_of_shapes_can_fail(value, kind, where) -> None:
    assert mismatch(value, kind) == where
