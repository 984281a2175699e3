"""The ratio over the size of a message, as an SVG: a line a pair, a bar from least to most.

Drawn by hand, in few elements, from a document alone: a plotting library would be the largest
dependency of the project, for one picture. Sizes are on a logarithmic axis; a line at 1.0 says
where soapgate costs as much as its yardstick, one at 0.5 where it costs half. Only cases of the
main group that differ in nothing but size stand in it. White lies behind it, so that it reads on a
dark page too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape

from bench.document import Document
from bench.figures import Spread
from bench.processes import BenchError

SIZES = ("0.5k", "30k", "1m")  # the same message, longer and longer
CONTENDERS = ("soapgate", "soapgate-2")
WIDTH, HEIGHT = 700, 400
LEFT, RIGHT, TOP, BOTTOM = 60, 190, 40, 50
COLOURS = ("#1f5fa8", "#c2571a", "#3a8a3f", "#8a3a7d")
GOALS = (1.0, 0.5)
KIB = 1024


@dataclass(frozen=True, slots=True)
class Point:
    """`size` in bytes."""

    size: int
    ratio: Spread


Lines = dict[str, list[Point]]


def lines(found: Document) -> Lines:
    """{"soapgate : haproxy": points by size}. Raises BenchError if there are none."""
    drawn: Lines = {}
    for row in found["ratio"]:
        if row["case"] in SIZES and row["contender"] in CONTENDERS:
            point = Point(found["request_bytes"][row["case"]], Spread.read(row))
            drawn.setdefault(f"{row['contender']} : {row['yardstick']}", []).append(point)
    if not drawn:
        raise BenchError(
            f"nothing to draw: the result has no ratio of {' or '.join(CONTENDERS)} at "
            f"{', '.join(SIZES)}."
        )
    return {name: sorted(points, key=lambda each: each.size) for name, points in drawn.items()}


def svg(found: Document) -> str:
    """The picture. Raises BenchError if the document has nothing for it."""
    drawn = lines(found)
    points = [point for line in drawn.values() for point in line]
    across = _across(min(p.size for p in points), max(p.size for p in points))
    top = max(max(p.ratio.most for p in points), *GOALS) * 1.08
    up: Callable[[float], float] = lambda ratio: HEIGHT - BOTTOM - ratio / top * _INNER_HEIGHT
    parts = [*_frame(found), *_rules(up, top), *_sizes(points, across)]
    for n, (name, line) in enumerate(drawn.items()):
        parts += _line(name, line, COLOURS[n % len(COLOURS)], across, up, n)
    return "\n".join([*parts, "</svg>"]) + "\n"


_INNER_HEIGHT = HEIGHT - TOP - BOTTOM
_INNER_WIDTH = WIDTH - LEFT - RIGHT


def _across(least: int, most: int) -> Callable[[int], float]:
    """Where a size stands, from the left. One size alone stands in the middle."""
    if least == most:
        return lambda _size: LEFT + _INNER_WIDTH / 2
    span = math.log(most / least)
    return lambda size: LEFT + 20 + math.log(size / least) / span * (_INNER_WIDTH - 40)


def _frame(found: Document) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12">'
    )
    yield "<title>CPU of soapgate over that of HAProxy, by size of the request</title>"
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
    yield _text(LEFT, 20, "CPU a request, as a ratio: least, median, most", size=13)
    machine = found.get("machine", {})
    where = f"{machine.get('processor', '?')}, Python {machine.get('python', '?')}"
    source = f"{found['when'][:10]}, {where}, {found.get('rounds', '?')} rounds"
    yield _text(LEFT, HEIGHT - 8, source, colour="#777", size=10)


def _rules(up: Callable[[float], float], top: float) -> Iterator[str]:
    yield _stroke(LEFT, TOP, LEFT, HEIGHT - BOTTOM, "#333")
    yield _stroke(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "#333")
    step = next(step for step in (0.25, 0.5, 1, 2, 5, 10, 100, 1000) if top / step <= 10)
    for n in range(int(top / step) + 1):
        yield _stroke(LEFT - 4, up(n * step), LEFT, up(n * step), "#333")
        yield _text(LEFT - 8, up(n * step) + 4, f"{n * step:g}", anchor="end")
    for goal in GOALS:
        yield _stroke(LEFT, up(goal), WIDTH - RIGHT, up(goal), "#999", dashes="4 4")
        yield _text(WIDTH - RIGHT + 4, up(goal) + 4, f"{goal:g}", colour="#777", size=10)


def _sizes(points: list[Point], across: Callable[[int], float]) -> Iterator[str]:
    for size in sorted({point.size for point in points}):
        x = across(size)
        yield _stroke(x, HEIGHT - BOTTOM, x, HEIGHT - BOTTOM + 4, "#333")
        yield _text(x, HEIGHT - BOTTOM + 18, _size(size), anchor="middle")


def _size(size: int) -> str:
    return f"{size / KIB**2:g} MB" if size >= KIB**2 else f"{size / KIB:g} KB"


def _line(
    name: str,
    points: list[Point],
    colour: str,
    across: Callable[[int], float],
    up: Callable[[float], float],
    number: int,
) -> Iterator[str]:
    path = " ".join(f"{across(p.size):.1f},{up(p.ratio.median):.1f}" for p in points)
    yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for p in points:
        x = across(p.size) + 3 * number  # bars of two lines beside each other
        yield _stroke(x, up(p.ratio.least), x, up(p.ratio.most), colour)
        yield (
            f'<circle cx="{across(p.size):.1f}" cy="{up(p.ratio.median):.1f}" r="3.5" '
            f'fill="{colour}"><title>{escape(name)}, {_size(p.size)}: '
            f"{p.ratio.written('.2f')}</title></circle>"
        )
    x, y = WIDTH - RIGHT + 12, TOP + 10 + 20 * number
    yield _stroke(x, y, x + 18, y, colour, width=2)
    yield _text(x + 24, y + 4, name, size=11)


def _stroke(
    x1: float, y1: float, x2: float, y2: float, colour: str, width: int = 1, dashes: str = ""
) -> str:
    extra = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        f'stroke-width="{width}"{extra}/>'
    )


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", colour: str = "#222", size: int = 12
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" '
        f'font-size="{size}">{escape(text)}</text>'
    )
