"""A result as reStructuredText tables, to read in a terminal and to paste into the docs.

Everything comes from the document, so an earlier run gives the same tables again. A cell is least
/ median / most; what was not measured is a dash.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.cases import MAIN
from bench.document import Document
from bench.figures import Spread

GROUP_TITLES = {
    MAIN: "CPU microseconds a request, by size",
    "place": "CPU microseconds a request, by the place of the id",
    "learn": "CPU microseconds a request, by how an id is learned",
    "connection": "CPU microseconds a request, connections kept or not",
    "tls": "CPU microseconds a request, TLS towards clients",
    "pins": "CPU microseconds a request, by pins in the store",
    "backends": "CPU microseconds a request, by backends",
    "profiles": "CPU microseconds a request, by profiles that are on",
    "plain": "CPU microseconds a request, messages of no protocol",
}
OURS = ("soapgate", "soapgate-2")  # whose ratios are columns; the document has those of all
NONE = "\\-"
Row = list[str]


def tables(found: Document) -> str:
    """All tables that the document has figures for, and a line for what was left out."""
    groups = dict.fromkeys(case["group"] for case in found["cases"])
    parts = [_group(found, group) for group in groups] + [_latency(found), _memory(found)]
    parts += [f".. {sentence}\n" for sentence in found["left_out"]]
    return "\n".join(part for part in parts if part)


def list_table(title: str, rows: Sequence[Row]) -> str:
    """A list-table; the first row is the head. No cell may be empty."""
    lines = [f".. list-table:: {title}: least / median / most", "   :header-rows: 1", ""]
    for cells in rows:
        lines += [f"   {'* -' if n == 0 else '  -'} {cell}" for n, cell in enumerate(cells)]
    return "\n".join(lines) + "\n"


def _group(found: Document, group: str) -> str:
    cases = [case for case in found["cases"] if case["group"] == group]
    names = {case["name"] for case in cases}
    cpu = {(row["case"], row["contender"]): row for row in found["cpu_us"]}
    contenders = list(dict.fromkeys(who for case, who in cpu if case in names))
    if not contenders:
        return ""
    ratio = {
        (row["case"], f"{row['contender']} : {row['yardstick']}"): row
        for row in found["ratio"]
        if row["case"] in names and row["contender"] in OURS
    }
    flat = {
        (row["case"], f"{row['contender']} : itself"): row
        for row in found["flat"]
        if row["case"] in names
    }
    ratios = {**ratio, **flat}
    pairs = list(dict.fromkeys(pair for _case, pair in ratios))
    rows: list[Row] = [["Request", *contenders, *pairs]]
    for case in cases:
        row = [case["title"]]
        row += [_cell(cpu.get((case["name"], each)), ".0f") for each in contenders]
        row += [_cell(ratios.get((case["name"], pair)), ".2f") for pair in pairs]
        rows.append(row)
    return list_table(GROUP_TITLES.get(group, f"CPU microseconds a request, {group}"), rows)


def _cell(row: dict[str, float] | None, form: str) -> str:
    return Spread.read(row).written(form) if row else NONE


def _latency(found: Document) -> str:
    turns = found["latency"]
    if not turns:
        return ""
    lanes = dict.fromkeys((turn["case"], turn["contender"]) for turn in turns)
    titles = {case["name"]: case["title"] for case in found["cases"]}
    rows = [["Request", "contender", "requests a second", "of a core", "p50", "p99", "p99.9"]]
    for case, contender in lanes:
        mine = [t for t in turns if (t["case"], t["contender"]) == (case, contender)]
        rows.append(
            [
                titles.get(case, case),
                contender,
                _spread(mine, "rate", ".0f"),
                _spread(mine, "busy", ".0%") if contender != "direct" else NONE,
                *(_spread(mine, f"{each}_us", ".0f") for each in ("p50", "p99", "p999")),
            ]
        )
    return list_table("Microseconds of latency at half load", rows)


def _memory(found: Document) -> str:
    weights = found["memory"]
    if not weights:
        return ""
    contenders = list(dict.fromkeys(weight["contender"] for weight in weights))
    rows: list[Row] = [["One", *contenders]]
    for thing in dict.fromkeys(weight["thing"] for weight in weights):
        mine = {
            who: [each for each in weights if (each["thing"], each["contender"]) == (thing, who)]
            for who in contenders
        }
        rows.append([thing, *(_spread(mine[who], "bytes", ".0f") for who in contenders)])
    return list_table("Bytes of memory", rows)


def _spread(rows: Sequence[dict[str, float]], key: str, form: str) -> str:
    figures = [row[key] for row in rows if row[key] is not None]
    return Spread.of(figures).written(form) if figures else NONE
