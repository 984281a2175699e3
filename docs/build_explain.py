"""Writes the tables of docs/explain.rst that say what each letter of the sticky code means.

The one rule: what `soapgate.core.stickiness` knows is written down nowhere else by hand. It does
for that page what build_profiles.py does for its own: what stands between two markers is ours, the
rest is the author's.

    python docs/build_explain.py            write the page anew
    python docs/build_explain.py --check    status 1 if that would change it
"""

from __future__ import annotations

import sys
from pathlib import Path

from soapgate.core.stickiness import LETTERS, Position

PAGE = Path(__file__).with_name("explain.rst")
BEGIN, END = ".. begin letters\n", ".. end letters\n"


def letters() -> str:
    """A paragraph and a table for each of the four positions."""
    return "\n".join(_position(number, one) for number, one in enumerate(LETTERS, 1))


def renewed(page: str) -> str:
    """The page with its tables as they should be. Raises ValueError for a marker that is missing
    or stands twice."""
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise ValueError(f"the page needs one line {BEGIN.strip()!r} and one {END.strip()!r}")
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{letters()}\n{END}{rest.partition(END)[2]}"


def _position(number: int, position: Position) -> str:
    width = max(map(len, position.letters.values()))
    rule = f"===== {'=' * width}"
    lines = [f"{number}. **{position.name}**: {position.about}", "", f"   {rule}"]
    lines += [f"   ``{letter}`` {meaning}" for letter, meaning in position.letters.items()]
    return "\n".join([*lines, f"   {rule}", ""])


def main(arguments: list[str]) -> int:
    """Write the page, or with --check only say whether it is current."""
    page = PAGE.read_text(encoding="utf-8")
    new = renewed(page)
    if "--check" not in arguments:
        PAGE.write_text(new, encoding="utf-8")
        return 0
    if new != page:
        sys.stderr.write("docs/explain.rst is behind the code: run docs/build_explain.py\n")
    return int(new != page)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
