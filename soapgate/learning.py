"""`soapgate explain --learn` without its arguments and its output: recorded files in, ids that come
back and a profile for one of them out.

The files are a conversation in order. An HTTP message says which way it went; an envelope is what
its file's name says (`request`, `response` ...), else they take turns and the last is a request.
The one rule: what is told shows no id but by its hash, unless `show_ids` was asked for.

It refuses to judge values (`soapgate.core.candidates`) and to write profiles
(`soapgate.core.proposal`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from soapgate.config import Config
from soapgate.core.candidates import WORTH, Candidate, candidates, insides
from soapgate.core.explained import KEY_SHOWN, Id, Message
from soapgate.core.keys import Keys
from soapgate.core.profiles import Profile, catalogue
from soapgate.core.proposal import Proposal, finders, propose
from soapgate.core.sightings import Prefixes, Sighting
from soapgate.explaining import Unusable, read_file

LISTED = 20  # candidates that are told; what is behind is worth nothing
PLACES = 3  # places of one that are told

_REQUEST = re.compile(r"req|query|call", re.IGNORECASE)
_RESPONSE = re.compile(r"resp|reply|answer|result", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Guess:
    """A candidate as it may be shown. `origin`: server or client made it up; `responses` and
    `requests` are locations; `carried` of `asked` requests have it; `found_by` are profiles that
    find it already."""

    number: int
    id: Id
    looks: str
    origin: str
    score: int
    responses: tuple[str, ...]
    requests: tuple[str, ...]
    carried: int
    asked: int
    found_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """A profile that was proved on the conversation: its text, for which guess it is, in how many
    responses and requests it finds the id, how many other ids it finds there, and the locations
    that were left out because they do not find it."""

    number: int
    name: str
    toml: str
    responses: int
    requests: int
    others: int
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Learned:
    """What a conversation teaches. `written` is None where no guess is worth a profile, or one
    that is there finds the best already; `notes` are sentences."""

    requests: int
    responses: int
    guesses: tuple[Guess, ...]
    written: Written | None
    notes: tuple[str, ...]

    @property
    def useful(self) -> bool:
        """Whether there is a profile now, written or known."""
        return self.written is not None or bool(self.guesses and self.guesses[0].found_by)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def learn(
    paths: Sequence[Path],
    config: Config,
    keys: Keys,
    *,
    name: str = "session",
    pick: int | None = None,
    show_ids: bool = False,
) -> Learned:
    """What the conversation in these files teaches, under the limits and with the profiles of a
    configuration. `name` is for the profile, `pick` the number of the guess to write one for.
    Raises Unusable with what is wrong with the files, or if there is no such guess."""
    conversation = _conversation(paths, config)
    prefixes = Prefixes()
    limits = config.limits.scan
    known = {**catalogue(), **config.profile}
    ranked = candidates(conversation, prefixes)[:LISTED]
    finding = finders(list(known.values()), conversation, limits)
    found_by = [finding.get(each.value, []) for each in ranked]
    guesses = [
        _guess(at, each, found, keys, show_ids)
        for at, (each, found) in enumerate(zip(ranked, found_by, strict=True), 1)
    ]
    number, notes = _chosen(ranked, found_by, known, pick)
    written = None
    if number is not None:
        proposal = propose(name, ranked[number - 1], conversation, prefixes, limits)
        if proposal is None:
            notes.append(
                f"no profile can be written for {number}: no location finds it within the limits"
            )
        else:
            written = _written(number, name, proposal)
            notes += _remarks(ranked[number - 1], proposal)
    kinds = [message.kind for message in conversation]
    for one in insides(conversation, prefixes) if written is None else ():
        cut = f"{one.cut} cuts it out" if one.cut else "no location cuts it out"
        notes.append(
            f"what {one.request} carries stands within a longer text at {one.response} (or the"
            f" other way round): {cut}"
        )
    return Learned(
        kinds.count("request"), kinds.count("response"), tuple(guesses), written, tuple(notes)
    )


def _chosen(
    ranked: Sequence[Candidate],
    found_by: Sequence[Sequence[str]],
    known: dict[str, Profile],
    pick: int | None,
) -> tuple[int | None, list[str]]:
    """The number of the guess to write a profile for, and what is to be said about that."""
    if pick is not None:
        if not 1 <= pick <= len(ranked):
            have = f"1 to {len(ranked)}" if ranked else "none, nothing comes back"
            raise Unusable(f"--pick {pick}: there is no such candidate, allowed are {have}")
        return pick, []
    if not ranked:
        return None, ["no value of a response comes back in a request after it"]
    if ranked[0].score < WORTH:
        return None, [
            "nothing here looks like a session id; --pick N writes a profile all the same"
        ]
    if found_by[0]:
        first = found_by[0][0]
        state = "on by default" if known[first].default else "off by default: name it in sessions"
        return None, [
            f"1 needs no profile of its own: {first} finds it ({state}); --pick 1 writes one all"
            " the same"
        ]
    return 1, []


def _remarks(candidate: Candidate, proposal: Proposal) -> list[str]:
    said = []
    if candidate.origin == "client":
        said.append(
            "it stands in a request before any response has it, so a client made it and it is"
            " bound; a constant (a key, a user) would look the same: record a second session and"
            " see whether it has another one"
        )
    if candidate.part:
        said.append(
            "it is made of what stands there by the words behind |: record a second session and see"
            " whether it has another one, and whether all of the first has this"
        )
    if proposal.others:
        said.append(
            f"the profile finds {proposal.others} other values here as well: if they are no session"
            " ids, name the place more closely"
        )
    said += [f"left out, not found within the limits: {at}" for at in proposal.left_out]
    return said


def _guess(
    number: int, candidate: Candidate, found_by: Sequence[str], keys: Keys, show_ids: bool
) -> Guess:
    value = candidate.value
    # no profile has found it yet, so this is not the hash of any pin
    short = keys.key("", "", value).hex()[:KEY_SHOWN]
    return Guess(
        number,
        Id(short, len(value), value if show_ids else None),
        candidate.looks,
        candidate.origin,
        candidate.score,
        _places(candidate.responses),
        _places(candidate.requests),
        candidate.carried,
        candidate.asked,
        tuple(found_by),
    )


def _places(sightings: Sequence[Sighting]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.location for one in sightings))[:PLACES]


def _written(number: int, name: str, proposal: Proposal) -> Written:
    responses, requests = proposal.found_in
    return Written(
        number, name, proposal.toml, responses, requests, proposal.others, proposal.left_out
    )


# -- the conversation


def _conversation(paths: Sequence[Path], config: Config) -> list[Message]:
    """The messages in order, each a request or a response."""
    messages: list[tuple[Path, Message]] = []
    for path in paths:
        try:
            saved = read_file(path, config.limits.heads)
        except Unusable as why:
            raise Unusable(f"{path}: {why}") from None
        for one in saved:
            if one.message is None:
                raise Unusable(f"{path}: the gateway would refuse this message: {one.failure}")
            messages.append((path, one.message))
    conversation: list[Message] = []
    after: Literal["request", "response"] = "response"
    for path, message in reversed(messages):
        after = _way(path, message, "request" if after == "response" else "response")
        conversation.insert(0, replace(message, kind=after))
    kinds = [message.kind for message in conversation]
    if kinds.count("request") < 2 and ("response", "request") not in pairwise(kinds):
        raise Unusable(
            "--learn wants a response and the request after it, in this order, or a recording of"
            f" several; given were {', '.join(kinds) or 'no messages'}"
        )
    return conversation


def _way(
    path: Path, message: Message, otherwise: Literal["request", "response"]
) -> Literal["request", "response"]:
    """Which way a message went; `otherwise` if neither it nor its file's name says."""
    if message.kind != "envelope":
        return message.kind
    hits = [
        (found.start(), way)
        for way, pattern in (("request", _REQUEST), ("response", _RESPONSE))
        for found in pattern.finditer(path.name)
    ]
    if not hits:
        return otherwise
    return "request" if max(hits)[1] == "request" else "response"
