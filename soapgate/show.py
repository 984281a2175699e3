"""What commands print, made for people: tables that fit the terminal they are on.

Each function takes a rich console and plain values and prints; nothing is computed here that a
script could want, for that there is `--json`. Text from messages and from the gateway is never
read as markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from soapgate.core.profiles import Profile

USES = {
    "lookup": "looked up in requests",
    "bind": "looked up in requests, bound when new",
    "learn": "learnt from responses",
    "end": "ends the session",
    "expires": "says when it expires",
    "sent": "ids of messages that backends send out",
    "reply_to": "where the answers to those go",
}
_NAMED = re.compile(r"(Who speaks it|Issued|Carried|Ended|Sources): ")
RULES = {
    "value": "makes an id of what is found",
    "role": "only header blocks for these",
    "action": "only in messages with this action",
    "soap": "only in this version of SOAP",
    "unknown": "whatever the service says of unknown ids",
    "unknown_fault": "in whose terms a fault for one is told",
    "ends": "what an end of one ends",
    "life": "how long one is known at most",
}


def facts(console: Console, named: Iterable[tuple[str, str]]) -> None:
    """Names and what they are, a line each."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in named:
        grid.add_row(name, Text(value))
    console.print(grid)


def numbered(console: Console, title: str, lines: Sequence[str]) -> None:
    """A title and its lines, numbered."""
    console.print()
    console.print(Text(title, style="bold"))
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for number, line in enumerate(lines, 1):
        table.add_row(f"{number}.", Text(line))
    console.print(Padding(table, (0, 0, 0, 2)))


def columns(*names: str) -> Table:
    """A table with these heads, which folds what is too wide."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def profiles(console: Console, known: Iterable[tuple[Profile, str]]) -> None:
    """All profiles; the second of each pair says whether it is on by default."""
    table = columns("profile", "default", "what it is")
    for profile, state in known:
        style = "green" if state == "on" else "cyan" if state == "file" else "dim"
        table.add_row(profile.name, Text(state, style=style), Text(profile.title))
    console.print(table)
    console.print(Text("soapgate profiles NAME explains one.", style="dim"))


def profile(console: Console, one: Profile, state: str) -> None:
    """One profile: what it is and where it looks."""
    console.print(Text(one.name, style="bold") + Text(f"  {one.title}" if one.title else ""))
    console.print(Text(f"default: {state}", style="dim"))
    for paragraph in one.about.split("\n\n"):
        if paragraph.strip():
            console.print()
            for line in _said(paragraph):
                console.print(Text(line))
    for use, meaning in USES.items():
        locations = getattr(one, use)
        if locations:
            console.print()
            console.print(Text(use, style="bold") + Text(f"  {meaning}", style="dim"))
            for location in locations:
                console.print(Padding(Text(location.text, overflow="fold"), (0, 0, 0, 2)))
    for key, text in one.rules:
        console.print()
        console.print(Text(key, style="bold") + Text(f"  {RULES[key]}", style="dim"))
        console.print(Padding(Text(text, overflow="fold"), (0, 0, 0, 2)))


def _said(paragraph: str) -> list[str]:
    """The lines of a paragraph, one for each thing that it names ("Issued: ...")."""
    lines: list[str] = []
    for line in paragraph.split("\n"):
        if lines and not _NAMED.match(line):
            lines[-1] += f" {line.strip()}"
        else:
            lines.append(line.strip())
    return lines


def status(console: Console, said: Mapping[str, Any]) -> None:
    """A gateway at a glance, and its backends; `said` is the API's status with a list of
    backends in the place of their number."""
    record(
        console, {key: value for key, value in said.items() if key not in ("backends", "workers")}
    )
    workers = said.get("workers", ())
    if len(workers) > 1:
        console.print()
        console.print(_workers(workers))
    table = columns("backend", "state", "health", "requests", "url")
    for one in said["backends"]:
        probe = one.get("probe") or {}
        health = "up" if one["up"] else f"down ({probe.get('detail') or 'no probe yet'})"
        most = f" of {one['maxconn']}" if one["maxconn"] else ""
        waiting = f", {one['waiting']} waiting" if one["waiting"] else ""
        marks = ["backup"] * one["backup"] + [f"role {role}" for role in one["roles"]]
        table.add_row(
            Text(f"{one['pool']}/{one['name']}"),
            Text(one["admin"], style="" if one["admin"] == "ready" else "yellow"),
            Text(health, style="green" if one["up"] else "red"),
            Text(f"{one['inflight']}{most}{waiting}"),
            Text("  ".join((one["url"], *marks))),
        )
    console.print()
    console.print(table)


def _workers(workers: Sequence[Mapping[str, Any]]) -> Table:
    table = columns("worker", "pid", "state", "up since", "exchanges")
    for one in workers:
        since = one["started"].partition(".")[0].replace("T", " ")
        well = one["state"] == "serving"
        table.add_row(
            str(one["number"]),
            _plain(one["pid"]),
            Text(one["state"], style="green" if well else "red"),
            since if one["pid"] is not None else "-",
            str(one["exchanges"]),
        )
    return table


def pins(console: Console, listed: Sequence[Mapping[str, Any]]) -> None:
    """Pins as the API lists them."""
    if not listed:
        console.print(Text("none", style="dim"))
        return
    table = columns("key", "service", "profile", "backend", "used")
    table.columns[0].no_wrap = True  # it is for copying
    for one in listed:
        backend = one.get("leads_to") or one["backend"] or f"as {one['alias'][:8]}"
        used = one["used"].partition(".")[0].replace("T", " ")
        used += " (expired)" if one["expired"] else ""
        table.add_row(*map(Text, (one["key"], one["service"], one["profile"], backend, used)))
    console.print(table)


def record(console: Console, said: Mapping[str, Any]) -> None:
    """One answer of the API: its fields."""
    facts(console, [(key, _plain(value)) for key, value in said.items()])


def _plain(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(item)}" for name, item in value.items()) or "-"
    if isinstance(value, list):
        return ", ".join(_plain(item) for item in value) or "-"
    return str(value)
