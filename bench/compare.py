"""Two results held against each other: by their ratios to a yardstick, never by microseconds.

The ratio is what survives another day or another machine. A change is called one only if the rounds
of the two runs do not overlap at all and the medians differ by LEAST or more; everything else is
within the noise. How often chance alone keeps so many rounds apart is said at the end: with three
rounds on either side it is one comparison in ten, so a surprise deserves more rounds. Where it
would be more often than MOST_CHANCE nothing is called a change: one round against another tells
nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from bench.document import Document
from bench.figures import Spread, by_chance

MOST_CHANCE = 0.2
LEAST = 0.05  # medians nearer than this are the same: what a shared machine does from run to run

Verdict = Literal["cheaper", "dearer", "within the noise", "too few rounds to tell"]
Key = tuple[str, str, str]  # case, contender, yardstick


@dataclass(frozen=True, slots=True)
class Change:
    """How one ratio changed. `change` is that of the medians: -0.1 is a tenth cheaper. `chance`:
    how often the rounds would not overlap if nothing had changed."""

    key: Key
    before: Spread
    after: Spread
    chance: float

    @property
    def change(self) -> float:
        return self.after.median / self.before.median - 1

    @property
    def verdict(self) -> Verdict:
        if self.chance > MOST_CHANCE:
            return "too few rounds to tell"
        if abs(self.change) >= LEAST:
            if self.after.most < self.before.least:
                return "cheaper"
            if self.after.least > self.before.most:
                return "dearer"
        return "within the noise"


def changes(base: Document, new: Document) -> list[Change]:
    """What both have, in the order of the new one."""
    before = _ratios(base)
    chance = _chance(base, new)
    return [
        Change(key, before[key], after, chance)
        for key, after in _ratios(new).items()
        if key in before
    ]


def _chance(base: Document, new: Document) -> float:
    """A document without a number of rounds is taken to have one."""
    return by_chance(base.get("rounds", 1), new.get("rounds", 1))


def _ratios(found: Document) -> dict[Key, Spread]:
    return {
        (row["case"], row["contender"], row["yardstick"]): Spread.read(row)
        for row in found["ratio"]
    }


def report(base: Document, new: Document, base_name: str, new_name: str) -> str:
    """The comparison, for a terminal."""
    lines = [
        f"base  {base_name}  {base['when']}, {base.get('rounds', '?')} rounds",
        f"new   {new_name}  {new['when']}, {new.get('rounds', '?')} rounds",
        *_warnings(base, new),
        "",
    ]
    found = changes(base, new)
    if found:
        lines += _table(found)
        lines += ["", *_footer(found, base, new)]
    else:
        lines.append("They have no case, contender and yardstick in common.")
    for title, these, those in (("base", base, new), ("new", new, base)):
        alone = _ratios(these).keys() - _ratios(those).keys()
        names = sorted({f"{case} {who}" for case, who, _than in alone})
        lines += [f"only in {title}: {', '.join(names)}"] if names else []
    return "\n".join(lines) + "\n"


def _warnings(base: Document, new: Document) -> Iterator[str]:
    for key in ("processor", "cores", "kernel", "python"):
        before, after = (found.get("machine", {}).get(key) for found in (base, new))
        if before != after:
            yield f"note: another {key}: {before} -> {after}"
    for key in sorted(base.get("request_bytes", {}).keys() & new.get("request_bytes", {}).keys()):
        before, after = base["request_bytes"][key], new["request_bytes"][key]
        if before != after:
            yield f"note: {key} had {before} bytes a request and has {after}"


def _table(found: list[Change]) -> Iterator[str]:
    rows = [("case", "contender : yardstick", "base", "new", "change", "")]
    for each in found:
        case, contender, yardstick = each.key
        rows.append(
            (
                case,
                f"{contender} : {yardstick}",
                each.before.written(".2f"),
                each.after.written(".2f"),
                f"{each.change:+.0%}",
                each.verdict,
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _footer(found: list[Change], base: Document, new: Document) -> Iterator[str]:
    words = Counter(each.verdict for each in found)
    yield f"{', '.join(f'{number} {word}' for word, number in words.items())}; {len(found)} in all."
    yield (
        "A ratio is least / median / most of its rounds; a change exceeds the noise if the rounds "
        f"of the two runs do not overlap and the medians differ by {LEAST:.0%} or more."
    )
    yield (
        f"With {base.get('rounds', '?')} and {new.get('rounds', '?')} rounds chance alone keeps "
        f"{_chance(base, new):.0%} of equal ones apart."
    )
