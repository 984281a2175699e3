"""Which values of a conversation may be session ids: those that come back, best first.

A session id is issued in a response and stands in requests after it, or is made by a client and
stands in all of its requests. So do many other values: namespaces, actions, the user's name, the
goods. Candidates are therefore ranked, by what a value looks like, what its place is called, where
that is, and in how many of the requests that might carry it it does; what can be no id - switches,
small numbers, dates, URIs without anything random in them - is left out.

What two values share may be the id as well: a part of each, or the same in other letters or in
base64 (`fragments`). Many values share a part - hosts, dates, names, the beginning of a counter -
so of parts only such are told as look random, or stand at places that are all called like a
session's, and that no request had before a response did. A part ranks below a whole value like it,
and is not told beside one that it stands in and that is carried as often; it ranks above those only
where more requests carry it, which is what tells a session from the things in it.

The one rule: it proposes, a person decides. No word of a ranking is a promise, and two recorded
sessions tell more than any of these rules.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from soapgate.core.explained import Message
from soapgate.core.fragments import fragments
from soapgate.core.ns import PREFIXES
from soapgate.core.sightings import TARGET, Prefixes, Sighting, sightings

LONGEST = 4096  # characters; a longer text is no id ([limits] id)
WORTH = 3  # a candidate with less is listed, and no profile is written for it unasked

LISTED = 200  # values of a message that are taken to pieces, or compared with parts of others
SHORTEST = 8  # characters of a part; what is shorter is shared by chance
PART = 2  # by so much a part is worth less than a whole value like it

Origin = Literal["server", "client"]
_Seen = dict[str, dict[int, list[Sighting]]]  # value -> message -> places

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
# What many values have a part of, and what counts up.
_COMMON = re.compile(
    r"\d{4}-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01])(?:\D.*)?"  # a date, perhaps with a time
    r"|(?:19|20)\d{6}(?:\d{4,9})?"  # the same in one number
    r"|1[5-9]\d{8}(?:\d{3})?"  # seconds, or thousandths of them, since 1970
    r"|\d*0{4}\d*"  # a counter
    r"|(?:[\w-]+\.){2,}[A-Za-z]{2,}(?::\d+)?",  # a host
    re.ASCII,
)
_HEX = re.compile(r"(?i)[0-9a-f]{16,}")
_RUN = re.compile(r"[A-Za-z0-9]{8,}")
_DIGIT = re.compile(r"\d")
_SHORT = re.compile(r"(?=.*\d)[A-Za-z0-9]+")
_A_UUID = re.compile("(?i)" + _UUID)

_PARTS = {"Header": 2, "cookie": 2, **dict.fromkeys(("param", "query", "cookieless"), 1)}
_PARTS |= {"http": 1, "url": 1, "Body": 0}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A value that may be a session id. `value` is in clear: not to be shown.

    `part`: whether words of the location language make it of what stands at a place.
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
    part: bool = False


@dataclass(frozen=True, slots=True)
class Inside:
    """A value that stands in a request whole and in a response within a longer text, or the
    other way round. Locations only; `cut` is the one that cuts it out of the longer, "" if none
    does."""

    response: str
    request: str
    cut: str


def candidates(conversation: Sequence[Message], prefixes: Prefixes) -> list[Candidate]:
    """The candidates of requests and responses in their order, best first."""
    seen: _Seen = {}
    cut: _Seen = {}
    of: dict[str, set[str]] = defaultdict(set)  # part -> the values in requests that have it
    for at, message in enumerate(conversation):
        sighted = sightings(message, prefixes)
        for one in sighted:
            seen.setdefault(one.value, {}).setdefault(at, []).append(one)
        for whole, one in _in_parts(sighted):
            cut.setdefault(one.value, {}).setdefault(at, []).append(one)
            if message.kind == "request":
                of[one.value].add(whole)
    actions = {message.action for message in conversation}
    found = [
        candidate
        for value, places in seen.items()
        if len(places) > 1 and value not in actions and not is_dull(value)
        if (candidate := _candidate(value, places, conversation)) is not None
    ]
    known = {one.value for one in found} | actions
    parts = [
        replace(candidate, part=True)
        for value, places in cut.items()
        if value not in known and _is_shared(value, places, seen.get(value, {}), conversation)
        if (candidate := _candidate(value, _merged(places, seen.get(value, {})), conversation))
    ]
    found += _worth_telling(parts, found, of)
    return sorted(found, key=lambda one: (-one.score, one.part, one.origin, -len(one.value)))


def _merged(
    one: Mapping[int, Sequence[Sighting]], other: Mapping[int, Sequence[Sighting]]
) -> dict[int, list[Sighting]]:
    return {at: [*one.get(at, ()), *other.get(at, ())] for at in sorted({*one, *other})}


# -- parts


def _in_parts(sighted: Sequence[Sighting]) -> Iterator[tuple[str, Sighting]]:
    """(value, a part of it at a location that cuts it out) of one message."""
    there: dict[str, int] = defaultdict(int)  # location -> values
    cut: dict[str, list[tuple[Sighting, Sighting]]] = defaultdict(list)
    for one in [one for one in sighted if not one.is_target and not is_dull(one.value)][:LISTED]:
        there[one.location] += 1
        other = name_worth(one.name) < 0  # something else for sure, but for a parameter in it
        for piece in fragments(one.value):
            if len(piece.value) < SHORTEST or not _DIGIT.search(piece.value):
                continue
            if name_worth(piece.name) < 0 if piece.name else other:
                continue
            location = one.location + piece.words
            made = replace(one, location=location, name=piece.name or one.name, value=piece.value)
            cut[location].append((one, made))
    for pairs in cut.values():
        several = len({made.value for _, made in pairs}) > 1
        for one, made in pairs:
            # the words leave what they do not fit as it is, so its likes would be found as well
            others = several or len(pairs) < there[one.location]
            yield one.value, replace(made, several=one.several and others)


def _is_shared(
    value: str,
    parts: Mapping[int, Sequence[Sighting]],
    wholes: Mapping[int, Sequence[Sighting]],
    conversation: Sequence[Message],
) -> bool:
    """Whether a part is worth a look: a response had it first, a request has it, it looks random
    or stands at places of sessions alone."""
    if len({*parts, *wholes}) < 2 or conversation[min((*parts, *wholes))].kind == "request":
        return False
    names = {one.name for places in (parts, wholes) for some in places.values() for one in some}
    return is_random(value) or (
        all(name_worth(name) >= WORTH for name in names)
        and not _COMMON.fullmatch(value)
        and _SHORT.fullmatch(value) is not None
    )


def is_random(value: str) -> bool:
    """Whether a part looks like nothing but an id: letters and digits in a mix that no name has."""
    if is_dull(value) or _COMMON.fullmatch(value):
        return False
    if _A_UUID.fullmatch(value):
        return True
    if _HEX.fullmatch(value):
        return _changes(value) >= 2
    run = max(map(_changes, _RUN.findall(value)), default=0)
    return len(value) >= 12 and run >= 2 and _changes(value) >= 3


def _changes(value: str) -> int:
    """How often a letter and a digit stand side by side."""
    return sum(
        one.isalnum() and other.isalnum() and one.isdigit() != other.isdigit()
        for one, other in pairwise(value)
    )


def _worth_telling(
    parts: Iterable[Candidate], wholes: Sequence[Candidate], of: Mapping[str, set[str]]
) -> list[Candidate]:
    """The parts that say more than a value, or a longer part, that they stand in."""
    told: list[Candidate] = []
    for one in sorted(parts, key=lambda one: (-one.score, -one.carried, -len(one.value)))[:LISTED]:
        holding = [
            whole
            for whole in wholes
            if whole.origin == "server"  # no client made up what has a part of a response's
            if one.value in whole.value or whole.value in of[one.value]
        ]
        if not holding or any(h.carried >= one.carried for h in holding):
            one = replace(one, score=one.score - PART)
        holding += [
            part for part in told if one.value in part.value or one.value == part.value.lower()
        ]
        if not any(
            h.carried >= one.carried and h.score >= (one.score if h.part else min(one.score, WORTH))
            for h in holding
        ):
            told.append(one)
    return told


# -- one value


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
                if _within(one.value, text.value):
                    cut = _cut_out(one.value, text)
                elif _within(text.value, one.value):
                    cut = _cut_out(text.value, one)
                else:
                    continue
                found.setdefault(Inside(text.location, one.location, cut))
    return list(found)


def _cut_out(value: str, longer: Sighting) -> str:
    """The location of a value in a longer text, "" if none finds it there."""
    pieces = fragments(longer.value)
    return next((longer.location + one.words for one in pieces if one.value == value), "")


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
