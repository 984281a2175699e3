"""Pages of which a part is written by a script: what stands between two markers is the script's.

A part NAME stands between the lines `.. begin NAME` and `.. end NAME`. The one rule: the rest of
the page is the author's, and not a byte of it changes. What a part says is its script's to know;
docs/build_PAGE.py writes docs/PAGE.rst.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

Parts = Mapping[str, Callable[[], str]]


def renewed(page: str, parts: Parts) -> str:
    """The page with its parts as they should be. Raises ValueError for a marker that is missing
    or stands twice."""
    for name, part in parts.items():
        begin, end = f".. begin {name}\n", f".. end {name}\n"
        if page.count(begin) != 1 or page.count(end) != 1:
            raise ValueError(f"the page needs one line {begin.strip()!r} and one {end.strip()!r}")
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{part()}\n{end}{rest.partition(end)[2]}"
    return page


def main(path: Path, parts: Parts, arguments: list[str]) -> int:
    """Write the page, or with --check only say whether it is current; the exit status."""
    page = path.read_text(encoding="utf-8")
    new = renewed(page, parts)
    if "--check" not in arguments:
        path.write_text(new, encoding="utf-8")
        return 0
    if new != page:
        script = f"docs/build_{path.stem}.py"
        sys.stderr.write(f"docs/{path.name} is behind its sources: run {script}\n")
    return int(new != page)
