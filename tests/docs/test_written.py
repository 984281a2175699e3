"""A page with parts that a script writes: they are renewed, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest
from written import main, renewed

PARTS = {"one": lambda: "new one\n", "two": lambda: "new two\n"}
OLD = "before\n" + "".join(f".. begin {n}\nold\n.. end {n}\nafter {n}\n" for n in PARTS)
NEW = renewed(OLD, PARTS)


def test_what_the_author_wrote_stays() -> None:
    assert OLD.replace("old\n", "\nnew one\n\n", 1).replace("old\n", "\nnew two\n\n") == NEW
    assert renewed(NEW, PARTS) == NEW


@pytest.mark.parametrize(
    "page",
    ["", OLD * 2, OLD.replace(".. end two\n", ""), OLD.replace(".. begin one\n", "")],
    ids=["missing", "twice", "no end", "no beginning"],
)
def test_a_page_without_its_markers_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="needs one line"):
        renewed(page, PARTS)


def test_the_script_writes_the_page_or_says_that_it_is_old(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "some.rst"
    page.write_text(OLD)
    assert main(page, PARTS, ["--check"]) == 1
    assert "docs/some.rst is behind its sources: run docs/build_some.py" in capsys.readouterr().err
    assert page.read_text() == OLD
    assert main(page, PARTS, []) == 0
    assert page.read_text() == NEW
    assert main(page, PARTS, ["--check"]) == 0
    assert capsys.readouterr().err == ""
