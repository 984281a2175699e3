"""A profile for an id that was found by looking: written as TOML, and proved before it is shown.

The one rule: what is proposed has been read back by the reader of configurations and run, under
the service's own limits, over the very messages it came from, and found the id in them. What cannot
be proved so is left out, and said. The text is what a person would write: the fewest locations,
prefixes of the messages, under the names of the configuration's tables.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from json import dumps

from soapgate.core.candidates import Candidate
from soapgate.core.explained import Message
from soapgate.core.ns import PREFIXES
from soapgate.core.profiles import HttpFacts, Plan, Profile, read_profile
from soapgate.core.scanner import Found, ScanLimits
from soapgate.core.sight import scanned
from soapgate.core.sightings import TARGET, Prefixes, Sighting

PLACES = 4  # locations of one use in a profile; where an id stands more often, the surest count


@dataclass(frozen=True, slots=True)
class Proposal:
    """A profile and its text. `found_in`: in how many (responses, requests) of the conversation it
    finds the id; `others`: different ids besides that it finds in them; `left_out`: locations
    that stand there and do not find it under the limits."""

    profile: Profile
    toml: str
    found_in: tuple[int, int]
    others: int
    left_out: tuple[str, ...]


def propose(
    name: str,
    candidate: Candidate,
    conversation: Sequence[Message],
    prefixes: Prefixes,
    limits: ScanLimits,
) -> Proposal | None:
    """The profile for a candidate; None if no location finds it under the limits."""
    learn = _worth_naming(candidate.responses)
    ask = _worth_naming(candidate.requests, header_first=True)
    use = "bind" if candidate.origin == "client" else "lookup"
    everything = _read(name, {use: ask, "learn": learn}, prefixes)
    hits = _finds(everything, conversation, limits, candidate.value)
    kept = {
        use: [at for at in ask if ("request", at) in hits],
        "learn": [at for at in learn if ("response", at) in hits],
    }
    if not kept[use] or (use == "lookup" and not kept["learn"]):
        return None
    toml = _toml(name, {key: value for key, value in kept.items() if value}, prefixes)
    profile = read_toml(name, toml)
    proved = [(message.kind, found) for message, found in _each(profile, conversation, limits)]
    counts = [
        sum(
            kind == wanted and any(one.id == candidate.value for one in found)
            for kind, found in proved
        )
        for wanted in ("response", "request")
    ]
    others = {one.id for _, found in proved for one in found} - {candidate.value}
    left_out = tuple(at for at in (*learn, *ask) if at not in (*kept[use], *kept["learn"]))
    return Proposal(profile, toml, (counts[0], counts[1]), len(others), left_out)


def finders(
    profiles: Sequence[Profile], conversation: Sequence[Message], limits: ScanLimits
) -> dict[str, list[str]]:
    """Value -> the profiles that find it where they need it: in a response to learn it and in a
    request to look it up, or in a request to bind it."""
    plan = Plan(profiles, limits)
    uses: dict[tuple[str, str], set[str]] = {}
    for message in conversation:
        for one in _found(plan, message, limits):
            uses.setdefault((one.id, one.profile), set()).add(one.use)
    known: dict[str, list[str]] = {}
    for (value, name), how in uses.items():
        if "bind" in how or {"learn", "lookup"} <= how:
            known.setdefault(value, []).append(name)
    return known


def read_toml(name: str, text: str) -> Profile:
    """The profile of a proposed text, read as a configuration would be. Raises ConfigError."""
    tables = tomllib.loads(text)
    return read_profile(name, tables["profile"][name], tables.get("namespaces", {}))


def _worth_naming(places: Sequence[Sighting], *, header_first: bool = False) -> list[str]:
    """The locations to write down. One that finds other values besides is named only if there is
    no other; for requests the Body's are too: to read them costs more."""
    sure = [one for one in places if not one.several] or list(places)
    if header_first:
        sure = [one for one in sure if one.part != "Body"] or sure
    return list(dict.fromkeys(one.location for one in sure))[:PLACES]


def _read(name: str, table: Mapping[str, object], prefixes: Prefixes) -> Profile:
    return read_profile(name, table, {**PREFIXES, **prefixes.declared})


def _finds(
    profile: Profile, conversation: Sequence[Message], limits: ScanLimits, value: str
) -> set[tuple[str, str]]:
    """(kind of message, location) of every find of a value."""
    return {
        (message.kind, one.location)
        for message, found in _each(profile, conversation, limits)
        for one in found
        if one.id == value
    }


def _each(
    profile: Profile, conversation: Sequence[Message], limits: ScanLimits
) -> list[tuple[Message, list[Found]]]:
    plan = Plan([profile], limits)
    return [(message, _found(plan, message, limits)) for message in conversation]


def _found(plan: Plan, message: Message, limits: ScanLimits) -> list[Found]:
    watch = plan.request if message.kind == "request" else plan.response
    found = list(watch.http(HttpFacts(message.target, message.fields)))
    if message.body and watch.needs_envelope:
        seen = scanned(message, watch, limits)
        if seen is None:
            return []
        found += seen.found
    return found


def _toml(name: str, uses: Mapping[str, Sequence[str]], prefixes: Prefixes) -> str:
    lines = []
    written = " ".join(at for places in uses.values() for at in places)
    declared = {p: uri for p, uri in prefixes.declared.items() if _names(p, written)}
    if declared:
        lines += ["[namespaces]", *(f"{_key(p)} = {_text(uri)}" for p, uri in declared.items()), ""]
    lines.append(f"[profile.{_key(name)}]")
    width = max(map(len, uses))
    targets = any(TARGET in places for places in uses.values())
    if targets:
        width = max(width, len("unknown"))
    for use, places in uses.items():
        lines.append(f"{use:{width}} = [{', '.join(map(_text, places))}]")
    if targets:
        lines.append('unknown = "balance"')  # every request has a target
    return "\n".join(lines) + "\n"


def _names(prefix: str, written: str) -> bool:
    return re.search(rf"(?<![\w.-]){re.escape(prefix)}:", written) is not None


def _key(name: str) -> str:
    return name if all(c.isascii() and (c.isalnum() or c in "-_") for c in name) else _text(name)


def _text(value: str) -> str:
    return dumps(value, ensure_ascii=False)  # a basic string of TOML is one of JSON
