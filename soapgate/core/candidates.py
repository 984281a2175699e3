"""Which values of a conversation may be session ids: those that come back, best first.

A session id is issued in a response and stands in requests after it, or is made by a client and
stands in all of its requests. So do many other values: namespaces, actions, the user's name, the
goods. Candidates are therefore ranked, by what a value looks like, what its place is called, where
that is, and in how many of the requests that might carry it it does; what can be no id - switches,
small numbers, dates, URIs without anything random in them - is left out.

The one rule: it proposes, a person decides. No word of a ranking is a promise, and two recorded
sessions tell more than any of these rules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from soapgate.core.explained import Message
from soapgate.core.ns import PREFIXES
from soapgate.core.sightings import TARGET, Prefixes, Sighting, sightings

LONGEST = 4096  # characters; a longer text is no id ([limits] id)
WORTH = 3  # a candidate with less is listed, and no profile is written for it unasked

LISTED = 200  # values of a message that are compared with parts of others

Origin = Literal["server", "client"]

# What a value looks like, the first that fits, with what that is worth.
_UUID = r"(?:urn:uuid:|uuid[:-]?)?\{?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?"
_LOOKS = tuple(
    (words, worth, re.compile(pattern, re.DOTALL))
    for words, worth, pattern in (
        ("a UUID", 6, "(?i)" + _UUID),
        ("hex digits", 5, r"(?i)(?=.*\d)[0-9a-f]{16,}"),
        ("random text", 5, r"(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9+/=_.~!:-]{20,}"),
        ("letters and digits", 3, r"(?=.*\d)(?=.*[A-Za-z])[^\s]{6,}"),
        ("a long number", 2, r"\d{6,}"),
        ("a word", 0, r"\S+"),
        ("a text with blanks", -4, r".*"),
    )
)
_RANDOM = re.compile(r"(?i)[0-9a-f]{8}-[0-9a-f]{4}|(?=[a-z]*\d)[0-9a-z]{12,}|\d{8,}")

_DULL: tuple[re.Pattern[str], ...] = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?i)true|false|yes|no|on|off|ok|null|nil|none|success|unbounded|anonymous",
        r"[+-]?\d{1,5}",
        r"[+-]?\d*[.,]\d+(?:[eE][+-]?\d+)?|[+-]\d+",
        r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d.*)?|\d\d:\d\d(?::\d\d.*)?",  # XML Schema dates and times
        r"\w{3}, \d\d[ -]\w{3}[ -]\d{2,4} .*",  # HTTP dates
        r"-?P(?=.*\d)[0-9YMWDTHS.]+",  # durations
        r"(?:[a-z]+/[\w.+-]+)(?:\s*;.*)?",  # media types
        r"[a-z]{2,3}(?:[-_][A-Za-z]{2,4})?|[A-Z]{2,3}",  # languages, countries, currencies
        r"[A-Za-z_][\w.-]*:[A-Za-z_]+",  # QNames
        r"v?\d+(?:\.\d+){1,3}(?::\d+)?",  # versions, IPv4 addresses
        r".",
    )
)
_URI = re.compile(r"(?i)[a-z][a-z0-9+.-]*:\S*")
_STANDARD = re.compile(
    r"(?i)https?://(?:[a-z0-9-]+\.)*(?:w3\.org|xmlsoap\.org|oasis-open\.org|dmtf\.org)(?:[:/]|\Z)"
    r"|https?://schemas\."
)
_KNOWN = frozenset(uri for uris in PREFIXES.values() for uri in uris)

# What a place is called: something else for sure, a session's, or something with an id.
_NAMES = tuple(
    (worth, re.compile("|".join(words.split()), re.IGNORECASE))
    for worth, words in (
        (-6, "messageid relatesto ^action$ ^to$ ^from$ address timestamp created expires nonce"),
        (-6, "digest signature certificate password passwd binarysecuritytoken"),
        (-4, "^user user_?name ^login$ e?mail ^name$ lang locale version agent licen[cs]e"),
        (-4, "api[-_]?key trace request[-_]?id"),
        (4, "sess ^sid$ conversation sequence cookie ticket token handle context affinity sticky"),
        (3, "^identifier$ instance correlation connection shell enumeration"),
        (1, "id$ key$ ref$"),
    )
)
_PARTS = {"Header": 2, "cookie": 2, **dict.fromkeys(("param", "query", "cookieless"), 1)}
_PARTS |= {"http": 1, "url": 1, "Body": 0}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A value that may be a session id. `value` is in clear: not to be shown.

    `origin`: server (first seen in a response) or client (in a request before any response had
    it). `responses` and `requests` are its places in those that have it; `carried` of `asked`
    requests after it was first seen had it. `looks` is what it looks like, in words.
    """

    value: str
    origin: Origin
    score: int
    looks: str
    responses: tuple[Sighting, ...]
    requests: tuple[Sighting, ...]
    carried: int
    asked: int


@dataclass(frozen=True, slots=True)
class Inside:
    """A value that stands in a request whole and in a response within a longer text, or the
    other way round: no location cuts it out. Locations only."""

    response: str
    request: str


def candidates(conversation: Sequence[Message], prefixes: Prefixes) -> list[Candidate]:
    """The candidates of requests and responses in their order, best first."""
    seen: dict[str, dict[int, list[Sighting]]] = {}  # value -> message -> places
    for at, message in enumerate(conversation):
        for one in sightings(message, prefixes):
            seen.setdefault(one.value, {}).setdefault(at, []).append(one)
    actions = {message.action for message in conversation}
    found = [
        candidate
        for value, places in seen.items()
        if len(places) > 1 and value not in actions and not is_dull(value)
        if (candidate := _candidate(value, places, conversation)) is not None
    ]
    return sorted(found, key=lambda one: (-one.score, one.origin, -len(one.value)))


def _candidate(
    value: str, seen: Mapping[int, Sequence[Sighting]], conversation: Sequence[Message]
) -> Candidate | None:
    first = min(seen)
    origin: Origin = "server" if conversation[first].kind == "response" else "client"
    responses: dict[str, Sighting] = {}
    requests: dict[str, Sighting] = {}
    carried = 0
    for at, sighted in seen.items():
        own = requests if conversation[at].kind == "request" else responses
        own |= {one.location: one for one in sighted}
        carried += own is requests
    if origin == "client" and set(requests) == {TARGET}:
        return None  # where the service is: it was asked there before it said so
    asked = sum(message.kind == "request" for message in conversation[first:])
    if carried < (1 if origin == "server" else 2):
        return None
    looks, score = looks_like(value)
    places = [*requests.values(), *responses.values()]
    score += max(name_worth(one.name) for one in places)
    score += min(0, *(name_worth(one.name) for one in places))
    score += max(_PARTS[one.part] for one in requests.values())
    score -= 3 * all(one.several for one in places)
    if asked > 1:
        score += round(4 * carried / asked) - 2
    if origin == "client":
        score -= 2 + 2 * (not responses)
    return Candidate(value, origin, score, looks, _best(responses), _best(requests), carried, asked)


def _best(places: Mapping[str, Sighting]) -> tuple[Sighting, ...]:
    """The places that are worth naming, the surest first."""
    return tuple(
        sorted(
            places.values(),
            key=lambda one: (one.several, -name_worth(one.name), -_PARTS[one.part]),
        )
    )


def insides(conversation: Sequence[Message], prefixes: Prefixes) -> list[Inside]:
    """Values of requests that stand within a text of a response before, or round one of it."""
    found: dict[Inside, None] = {}
    texts: list[Sighting] = []
    for message in conversation:
        sighted = [
            one
            for one in sightings(message, prefixes)
            if not one.is_target and not is_dull(one.value)  # what is in one is told by itself
        ][:LISTED]
        if message.kind == "response":
            texts = [*sighted, *texts][: 4 * LISTED]
            continue
        for one in sighted:
            for text in texts:
                if _within(one.value, text.value) or _within(text.value, one.value):
                    found.setdefault(Inside(text.location, one.location))
    return list(found)


def _within(value: str, text: str) -> bool:
    return len(value) < len(text) and value in text and looks_like(value)[1] >= WORTH


def is_dull(value: str) -> bool:
    """Whether a value can be no session id."""
    if not 0 < len(value) <= LONGEST or value in _KNOWN:
        return True
    if any(pattern.fullmatch(value) for pattern in _DULL):
        return True
    if _STANDARD.match(value):
        return True
    return bool(_URI.fullmatch(value)) and not _RANDOM.search(value)


def looks_like(value: str) -> tuple[str, int]:
    """What a value looks like in words that do not show it, and what that is worth."""
    words, worth = next((words, n) for words, n, pattern in _LOOKS if pattern.fullmatch(value))
    return f"{words}, {len(value)} characters", worth


def name_worth(name: str) -> int:
    """What the name of a place is worth."""
    return next((worth for worth, pattern in _NAMES if pattern.search(name)), 0)
