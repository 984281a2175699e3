"""An explanation on a terminal: one message in full, or one of many in a line, and their sum.

Like `soapgate.show` it prints plain values and computes nothing that a script could want; for
that there is `--json`. Text from messages is never read as markup.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from soapgate.core.explained import (
    Explanation,
    Id,
    Looked,
    Reading,
    Standing,
    Verdict,
)
from soapgate.explaining import Summary, Told, summary
from soapgate.show import columns, facts, numbered

LEARN = "An id of your own service: soapgate explain --learn RESPONSE REQUEST writes a profile."


def messages(
    console: Console, told: Sequence[Told], full: bool, *, everything: bool, hashes: str
) -> None:
    """All that was explained: `full`, each as a block, else in a line; the sum of several."""
    for one in told:
        if not full or one.said is None:
            console.print(line(one), soft_wrap=True)
            continue
        if len(told) > 1:
            console.print()
            console.print(Text(one.name, style="bold underline"), soft_wrap=True)
        explanation(console, one.said, everything=everything, hashes=hashes)
    if len(told) > 1:
        summed(console, summary(told))
        if not full:
            console.print(Text(f"\nIds are shown as hashes: {hashes}.", style="dim"))


def explanation(console: Console, said: Explanation, *, everything: bool, hashes: str) -> None:
    """An explanation; with `everything` also the profiles that found nothing. `hashes` says
    what the hashes can be compared with."""
    head = _head(said)
    if len(said.readings) == 1:
        head += _envelope(said.readings[0])
    facts(console, head)
    if said.refusal is not None:
        _refusal(console, said.refusal)
        return
    for reading in said.readings:
        if len(said.readings) > 1:
            console.print()
            console.rule(Text(f"as a {reading.direction}", style="bold"), align="left")
            facts(console, _envelope(reading))
        _reading(console, reading, everything)
    if any(reading.order for reading in said.readings):
        console.print(Text(f"\nIds are shown as hashes: {hashes}.", style="dim"))


def line(told: Told) -> Text:
    """One message of many in one line: its kind, what was found in it, where it goes."""
    name = Text(f"{told.name}  ", style="bold")
    said = told.said
    if said is None:
        return name + Text(told.error, style="red")
    kind = f"response {said.status}" if said.status else said.kind
    if said.refusal is not None:
        return name + Text(f"{kind}  ") + Text(f"refused: {said.refusal}", style="red")
    text = name + Text(kind)
    telling = [one for one in said.readings if one.order or one.refusal] or said.readings[:1]
    for reading in telling:
        which = f"  as a {reading.direction}:" if len(said.readings) > 1 else ""
        text += Text(which if reading.order or reading.refusal else "") + _brief(reading)
    return text


def _brief(reading: Reading) -> Text:
    if reading.refusal is not None:
        return Text(f"  refused: {reading.refusal}", style="red")
    soap = f"  SOAP {reading.soap}" if reading.soap else ""
    soap += " fault" if reading.fault else ""
    ids = ", ".join(f"{one.profile} {one.id.hash}" for one in reading.order)
    text = Text(soap) + (Text(f"  {ids}", style="green") if ids else Text("  -", style="dim"))
    return text + Text(f"  -> {verdict_of(reading.verdict)}" if reading.verdict else "")


def verdict_of(verdict: Verdict) -> str:
    """Where a request would go, and why."""
    goal = verdict.backend or " or ".join(verdict.candidates)
    text = f"{verdict.route} ({verdict.reason})" + (f" to {goal}" if goal else "")
    if verdict.conflicts:
        text += f", {len(verdict.conflicts)} in conflict"
    return text


def summed(console: Console, all_: Summary) -> None:
    """A whole recording."""
    kinds = ", ".join(f"{count} {kind}{'s' * (count != 1)}" for kind, count in all_.kinds.items())
    named = [("messages", f"{all_.messages}" + (f": {kinds}" if kinds else ""))]
    for name, (messages, different) in all_.ids.items():
        ids = "id" if different == 1 else "different ids"
        named.append((name, f"in {messages} of them, {different} {ids}"))
    named.append(("no id", f"in {all_.nothing}"))
    if all_.routes:
        routes = ", ".join(f"{count} {route}" for route, count in all_.routes.items())
        named.append(("routes", routes))
    if all_.refused:
        named.append(("refused", f"{all_.refused}"))
    if all_.errors:
        named.append(("not read", f"{all_.errors}"))
    console.print()
    facts(console, named)


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
    if len(reading.order) > 1 or any(one.pin is not None for one in reading.order):
        numbered(
            console,
            "precedence",
            [
                f"{one.id.hash}  {one.profile}"
                + ("  (may be bound)" if one.bindable else "")
                + _standing(one.pin)
                for one in reading.order
            ],
        )
    numbered(console, "what it would do", reading.would)
    if reading.verdict is not None:
        _verdict(console, reading.verdict)
    if reading.hints:
        numbered(console, "why nothing was found", reading.hints)
        console.print(Text(f"\n{LEARN}", style="dim"))
    silent = [looked.profile for looked in reading.profiles if looked not in shown]
    if silent:
        console.print(
            Text("\nfound nothing: ", style="dim")
            + Text(", ".join(silent), style="dim")
            + Text(" (--all shows where they look)", style="dim")
        )


def _standing(pin: Standing | None) -> str:
    if pin is None:
        return ""
    if pin.backend is None:
        return f"  {pin.state}"
    return f"  {pin.state} to {pin.backend}" + (" as an alias" if pin.alias else "")


def _verdict(console: Console, verdict: Verdict) -> None:
    console.print()
    console.print(Text("just now", style="bold"))
    told = [("route", verdict.route), ("reason", verdict.reason)]
    if verdict.backend is not None:
        told.append(("backend", verdict.backend))
    if verdict.candidates:
        told.append(("backend", f"whose turn it is of {', '.join(verdict.candidates)}"))
    if verdict.hash is not None:
        told.append(("by", f"{verdict.hash} ({verdict.profile})"))
    if verdict.fault is not None:
        told.append(("answer", verdict.fault))
    told += [
        ("conflict", f"{one.hash} ({one.profile}) is pinned to {one.backend}")
        for one in verdict.conflicts
    ]
    facts(console, told)


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
    table = columns("use", "location", "found")
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
