"""What commands print, made for people: tables that fit the terminal they are on.

Each function takes a rich console and plain values and prints; nothing is computed here that a
script could want, for that there is `--json`. Text from messages and from the gateway is never
read as markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from soapgate.core.explain import Explanation, Id, Looked, Reading
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


def explanation(console: Console, said: Explanation, *, everything: bool, hashes: str) -> None:
    """An explanation; with `everything` also the profiles that found nothing. `hashes` says
    what the hashes can be compared with."""
    head = _head(said)
    if len(said.readings) == 1:
        head += _envelope(said.readings[0])
    _facts(console, head)
    if said.refusal is not None:
        _refusal(console, said.refusal)
        return
    for reading in said.readings:
        if len(said.readings) > 1:
            console.print()
            console.rule(Text(f"as a {reading.direction}", style="bold"), align="left")
            _facts(console, _envelope(reading))
        _reading(console, reading, everything)
    if any(reading.order for reading in said.readings):
        console.print(Text(f"\nIds are shown as hashes: {hashes}.", style="dim"))


def _head(said: Explanation) -> list[tuple[str, str]]:
    first = {"response": f"response {said.status or ''}".strip()}.get(said.kind, said.kind)
    container = said.container if said.container != "plain" else ""
    facts = [
        ("message", first),
        ("host", said.host),
        ("path", said.path),
        ("action", said.action),
        ("service", said.service or "none"),
        ("container", ", ".join(part for part in (container, said.content_coding) if part)),
        ("charset", said.charset),
    ]
    return [(name, value) for name, value in facts if value]


def _reading(console: Console, reading: Reading, everything: bool) -> None:
    if reading.refusal is not None:
        _refusal(console, reading.refusal)
        return
    shown = [looked for looked in reading.profiles if everything or looked.met]
    for looked in shown:
        _profile_found(console, looked)
    if len(reading.order) > 1:
        _numbered(
            console,
            "precedence",
            [
                f"{one.id.hash}  {one.profile}" + ("  (may be bound)" if one.bindable else "")
                for one in reading.order
            ],
        )
    _numbered(console, "what it would do", reading.would)
    silent = [looked.profile for looked in reading.profiles if looked not in shown]
    if silent:
        console.print(
            Text("\nfound nothing: ", style="dim")
            + Text(", ".join(silent), style="dim")
            + Text(" (--all shows where they look)", style="dim")
        )


def _envelope(reading: Reading) -> list[tuple[str, str]]:
    scan = {
        "not-soap": "no SOAP envelope",
        "not-read": "not read: it is empty, or no profile looks into it",
    }
    text = scan.get(reading.outcome, f"SOAP {reading.soap}" if reading.soap else "not understood")
    if reading.fault:
        text += ", a fault"
    if reading.detail:
        text += f" ({reading.detail})"
    facts = [("envelope", text)]
    if reading.outcome == "limit":
        facts.append(("limit", f"{reading.detail}: the message goes on without its ids"))
    facts.append(("read", f"{reading.read:,} of {reading.size:,} bytes before the decision"))
    return facts


def _profile_found(console: Console, looked: Looked) -> None:
    table = _table("use", "location", "found")
    for place in looked.places:
        table.add_row(place.use, Text(place.location), _found(place.met, place.ids))
    console.print()
    console.print(Text(looked.profile, style="bold green" if looked.met else "bold"))
    console.print(table)


def _found(met: bool, ids: Sequence[Id]) -> Text:
    if not met:
        return Text("-", style="dim")
    lines = [one.hash + (f"  {one.clear}" if one.clear is not None else "") for one in ids]
    return Text("\n".join(lines) if lines else "yes", style="green")


def _refusal(console: Console, sentence: str) -> None:
    console.print()
    console.print(Text("refused: ", style="bold red") + Text(sentence))


def _facts(console: Console, facts: Iterable[tuple[str, str]]) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(name, Text(value))
    console.print(table)


def _numbered(console: Console, title: str, lines: Sequence[str]) -> None:
    console.print()
    console.print(Text(title, style="bold"))
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for number, line in enumerate(lines, 1):
        table.add_row(f"{number}.", Text(line))
    console.print(Padding(table, (0, 0, 0, 2)))


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def profiles(console: Console, known: Iterable[tuple[Profile, str]]) -> None:
    """All profiles; the second of each pair says whether it is on by default."""
    table = _table("profile", "default", "what it is")
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
            console.print(Text(" ".join(paragraph.split())))
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


def status(console: Console, said: Mapping[str, Any]) -> None:
    """A gateway at a glance, and its backends; `said` is the API's status with a list of
    backends in the place of their number."""
    record(console, {key: value for key, value in said.items() if key != "backends"})
    table = _table("backend", "state", "health", "requests", "url")
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


def pins(console: Console, listed: Sequence[Mapping[str, Any]]) -> None:
    """Pins as the API lists them."""
    if not listed:
        console.print(Text("none", style="dim"))
        return
    table = _table("key", "service", "profile", "backend", "used")
    table.columns[0].no_wrap = True  # it is for copying
    for one in listed:
        backend = one.get("leads_to") or one["backend"] or f"as {one['alias'][:8]}"
        used = one["used"].partition(".")[0].replace("T", " ")
        used += " (expired)" if one["expired"] else ""
        table.add_row(*map(Text, (one["key"], one["service"], one["profile"], backend, used)))
    console.print(table)


def record(console: Console, said: Mapping[str, Any]) -> None:
    """One answer of the API: its fields."""
    _facts(console, [(key, _plain(value)) for key, value in said.items()])


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
