"""How the tests of the pages read a page: its code blocks, its inline literals, its links.

The pages are read as text, not rendered: what a reader copies is what stands there.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "docs"))  # the scripts that write pages

_OPENS = re.compile(r"(?:(?P<bare>.*)::|\s*\.\. code-block:: (?P<kind>\S+))$")


@dataclass(frozen=True, slots=True)
class Page:
    """One page. `blocks` are (kind, text) of its code blocks, the kind "" for a plain `::`;
    `literals` what stands in double backquotes; `links` the targets in the same tree."""

    path: Path
    text: str
    blocks: tuple[tuple[str, str], ...]
    literals: tuple[str, ...]
    links: tuple[str, ...]

    def only(self, kind: str, holding: str = "") -> str:
        """The one block of this kind that holds a text."""
        (found,) = [text for each, text in self.blocks if each == kind and holding in text]
        return found

    def commands(self, program: str) -> list[str]:
        """Every command line of `program` in a plain block or an inline literal."""
        lines = [line for kind, text in self.blocks if not kind for line in text.splitlines()]
        lines += [" ".join(literal.split()) for literal in self.literals]
        bare = [line.split(" #")[0].strip() for line in lines]
        return [line for line in bare if line.startswith(f"{program} ")]


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    lines = text.splitlines()
    for number, line in enumerate(lines):
        opens = _OPENS.match(line)
        if opens is None or (line.lstrip().startswith("..") and opens["kind"] is None):
            continue
        depth = len(line) - len(line.lstrip())
        body = []
        for inner in lines[number + 1 :]:
            if inner.strip() and len(inner) - len(inner.lstrip()) <= depth:
                break
            body.append(inner)
        yield opens["kind"] or "", textwrap.dedent("\n".join(body)).strip("\n")


@pytest.fixture
def page() -> Callable[[str], Page]:
    """Reads the page at a path of the project."""

    def read(name: str) -> Page:
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        targets = re.findall(r"^ *\.\. _[^:]+: (\S+)$", text, re.M)
        targets += re.findall(r"`[^`<]*<([^>`]+)>`_", text)
        here = [target.partition("#")[0] for target in targets if "://" not in target]
        literals = re.findall(r"``([^`]+)``", text)
        return Page(path, text, tuple(_blocks(text)), tuple(literals), tuple(filter(None, here)))

    return read
