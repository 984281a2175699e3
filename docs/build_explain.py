"""Writes the tables of docs/explain.rst that say what each letter of the sticky code means.

The one rule: what `soapgate.core.stickiness` knows is written down nowhere else by hand. How a page
is written in part is in written.py.

    python docs/build_explain.py            write the page anew
    python docs/build_explain.py --check    status 1 if that would change it
"""

from __future__ import annotations

import sys
from pathlib import Path

from written import main

from soapgate.core.stickiness import LETTERS, Position

PAGE = Path(__file__).with_name("explain.rst")


def letters() -> str:
    """A paragraph and a table for each of the four positions."""
    return "\n".join(_position(number, one) for number, one in enumerate(LETTERS, 1))


def _position(number: int, position: Position) -> str:
    width = max(map(len, position.letters.values()))
    rule = f"===== {'=' * width}"
    lines = [f"{number}. **{position.name}**: {position.about}", "", f"   {rule}"]
    lines += [f"   ``{letter}`` {meaning}" for letter, meaning in position.letters.items()]
    return "\n".join([*lines, f"   {rule}", ""])


PARTS = {"letters": letters}


if __name__ == "__main__":
    sys.exit(main(PAGE, PARTS, sys.argv[1:]))
