"""Session profiles: where a protocol carries its ids, and how a file that says so is read.

A profile answers four questions with locations: which ids of a request to look up (`lookup`),
which of them a client may make up (`bind`: looked up as well, and bound on the first request
when unknown), what to learn from a response (`learn`), and what ends a session (`end`, seen in
requests and responses). An `end` location that is also written under lookup, bind or learn
or behind `id:` names the id that ends; any other is a marker that ends the ids of the exchange.
What is found may be made into an id by words (`value`), and a profile may be restricted to header
blocks for some roles, to some actions, to a version of SOAP. Its ids may have an end of their own
(`expires`, `life`, `ends`), an answer when nobody knows one (`unknown`, `unknown_fault`), and for
answers that come by another way, ids of messages that were `sent`. The built-in profiles are files
in the language a user writes; a user's profile of the same name takes the place of ours as a
whole.

The one rule: a profile is data, checked when it is read, with every mistake named at once. It
knows no message; `soapgate.core.plan` runs it.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Literal, get_args

from soapgate.core.carriers import IN_URL
from soapgate.core.envelope import SoapVersion
from soapgate.core.errors import ConfigError, LocationError
from soapgate.core.locations import (
    ActionMarker,
    Carrier,
    EmptyMarker,
    End,
    FaultMarker,
    Joined,
    Location,
    SoapPath,
    parse,
)
from soapgate.core.naming import ORDINARY, IdKind
from soapgate.core.ns import SOAP_VERSIONS
from soapgate.core.paths import Namespaces, check_namespace
from soapgate.core.plan import HttpFacts, Plan, RequestWatch, ResponseWatch
from soapgate.core.probes import ROLES, Guard
from soapgate.core.protocolfaults import PROTOCOLS, Protocol
from soapgate.core.values import Transform, read_transform

__all__ = [
    "DEFAULT",
    "HttpFacts",
    "Plan",
    "Profile",
    "RequestWatch",
    "ResponseWatch",
    "catalogue",
    "catalogue_text",
    "read_profile",
]

Unknown = Literal["balance", "fault", "hash"]
UNKNOWN: tuple[Unknown, ...] = get_args(Unknown)

KEYS = (
    "title",
    "about",
    "default",
    "namespaces",
    "lookup",
    "bind",
    "learn",
    "end",
    "ends",
    "expires",
    "life",
    "sent",
    "reply_to",
    "value",
    "role",
    "action",
    "soap",
    "unknown",
    "unknown_fault",
)
LIFE_MOST = 366 * 86400.0  # seconds; more is a slip of the pen

# Order is precedence: session headers, security tokens, sequences, body tokens, cookies.
DEFAULT: tuple[str, ...] = (
    "axis2-soapsession",
    "axis1-session",
    "xmla",
    "wcf-context",
    "weblogic-conversation",
    "ode-session",
    "amadeus",
    "zimbra",
    "ws-secureconversation",
    "wsrm",
    "wsrm-create",
    "ws-makeconnection",
    "wsman",
    "wsman-session",
    "ws-enumeration",
    "http-cookie",
)


@dataclass(frozen=True, slots=True)
class Profile:
    """One protocol's places. `lookup` never repeats a location of `bind`; the order of each
    tuple is its precedence. `value` are the words that make an id of each text found, after
    those of its location. `guard` is what the profile is restricted to, None: nothing. `unknown`
    overrides the service's answer to an id that nobody knows; None leaves it to the service; a
    fault is told in the terms of `unknown_fault`.

    `expires`: times in a response at which its ids expire. `sent`: ids of messages that a backend
    itself sends out by another service; `reply_to`: addresses of theirs, one of which must be a
    real one. `kind`: what is special about the ids."""

    name: str
    title: str = ""
    about: str = ""
    default: bool = False
    lookup: tuple[Location, ...] = ()
    bind: tuple[Location, ...] = ()
    learn: tuple[Location, ...] = ()
    end: tuple[Location, ...] = ()
    value: tuple[Transform, ...] = ()
    unknown: Unknown | None = None
    guard: Guard | None = None
    unknown_fault: Protocol = "soap"
    expires: tuple[Location, ...] = ()
    sent: tuple[Location, ...] = ()
    reply_to: tuple[Location, ...] = ()
    kind: IdKind = ORDINARY

    @property
    def named(self) -> bool:
        """Whether its ids are "{namespace}name=text", for blocks of names not known before."""
        return bool(self.value) and self.value[0].name == "named"

    @property
    def rules(self) -> tuple[tuple[str, str], ...]:
        """What holds for all its ids: keys of its file and what they say."""
        guard = self.guard or Guard()
        said = (
            ("value", " | ".join(map(str, self.value))),
            ("role", ", ".join(sorted(guard.roles))),
            ("action", ", ".join(one.pattern for one in guard.actions)),
            ("soap", guard.soap or ""),
            ("unknown", self.unknown or ""),
            ("unknown_fault", self.unknown_fault if self.unknown_fault != "soap" else ""),
            ("ends", "id" if self.kind.ends_alone else ""),
            ("life", f"{self.kind.life:g}s" if self.kind.life else ""),
        )
        return tuple((key, text) for key, text in said if text)


def read_profile(
    name: str, table: Mapping[str, object], namespaces: Namespaces, *, where: str = ""
) -> Profile:
    """The profile that the TOML `table` describes. `namespaces` are the configuration's; the
    table's own `namespaces` override them. `where` names the file, for messages.

    Raises `ConfigError` with a sentence for every mistake.
    """
    reader = _Reader(f"{where}: profile {name!r}" if where else f"profile {name!r}", table)
    profile = reader.profile(name, namespaces)
    if reader.problems:
        raise ConfigError(reader.problems)
    return profile


def catalogue_text(name: str) -> str:
    """The file of the built-in profile `name` as a table of a configuration, to be changed."""
    text = _files()[name].read_text(encoding="utf-8")
    head = next(line for line in text.splitlines() if not line.startswith("#"))
    text = text.replace(head, f"[profile.{name}]\n{head}", 1)
    return text.replace("\n[namespaces]\n", f"\n[profile.{name}.namespaces]\n")


def catalogue() -> dict[str, Profile]:
    """The built-in profiles by name: the default set in its order, then the others by name."""
    return dict(_catalogue())


def _files() -> dict[str, Traversable]:
    return {
        entry.name.removesuffix(".toml"): entry
        for entry in resources.files("soapgate.catalogue").iterdir()
        if entry.name.endswith(".toml")
    }


@functools.cache
def _catalogue() -> dict[str, Profile]:
    files = _files()
    order = [name for name in DEFAULT if name in files]
    order += sorted(files.keys() - set(order))
    return {
        name: read_profile(
            name,
            tomllib.loads(files[name].read_text(encoding="utf-8")),
            {},
            where=files[name].name,
        )
        for name in order
    }


class _Reader:
    """Reads one table and collects what is wrong with it."""

    def __init__(self, where: str, table: Mapping[str, object]) -> None:
        self.problems: list[str] = []
        self._where = where
        self._table = table

    def profile(self, name: str, namespaces: Namespaces) -> Profile:
        for key in self._table:
            if key not in KEYS:
                near = get_close_matches(key, KEYS, 1)
                meant = f" (did you mean {near[0]!r}?)" if near else ""
                self._say(f"unknown key {key!r}{meant}; allowed are {', '.join(KEYS)}")
        known = {**namespaces, **self._namespaces()}
        chosen = self._choice("unknown", UNKNOWN)
        told = self._choice("unknown_fault", PROTOCOLS)
        sent = self._locations("sent", known)
        bind = self._locations("bind", known)
        bound = {location.text for location in bind}
        lookup = self._locations("lookup", known)
        profile = Profile(
            name,
            self._text("title"),
            self._text("about"),
            self._default(),
            tuple(location for location in lookup if location.text not in bound),
            bind,
            self._locations("learn", known),
            self._locations("end", known),
            self._value(known),
            next((word for word in UNKNOWN if word == chosen), None),
            self._guard(),
            next((word for word in PROTOCOLS if word == told), "soap"),
            self._locations("expires", known),
            sent,
            self._locations("reply_to", known),
            IdKind(self._life(), self._choice("ends", ("session", "id")) == "id", bool(sent)),
        )
        if not self.problems:
            self._check(profile)
        return profile

    def _check(self, profile: Profile) -> None:
        if not (profile.lookup or profile.bind):
            self._say("no id of a request is ever looked up; give 'lookup' or 'bind' a location")
        if bool(profile.reply_to) is not bool(profile.sent):
            self._say("keys 'sent' and 'reply_to' have a meaning only together")
        places = [
            (key, place)
            for key in ("lookup", "bind", "learn", "end")
            for location in getattr(profile, key)
            for place in _places(location)
        ]
        inside = [place for _, place in places if isinstance(place, SoapPath)]
        guard = profile.guard
        if guard is not None and guard.roles and all(place.part == "Body" for place in inside):
            self._say("key 'role': only Header locations have one, and there is none")
        wrong = []
        if profile.named:
            wrong.append('value = "named"')
        wrong += [f"{key} =" for key in ("action", "soap") if key in self._table]
        for key, place in places:
            if isinstance(place, Carrier) and wrong and not (key == "end" and profile.named):
                hint = (
                    "; [service.NAME] has host, path and action" if "named" not in wrong[0] else ""
                )
                self._say(
                    f"key {key!r}: {place.text!r}: {wrong[0]} allows only Header and Body"
                    f" locations{hint}"
                )

    def _value(self, namespaces: Namespaces) -> tuple[Transform, ...]:
        value = self._table.get("value", "text")
        texts = [value] if isinstance(value, str) else value
        if value == "text":
            return ()
        if not isinstance(texts, list | tuple) or not all(isinstance(t, str) for t in texts):
            self._say(f"key 'value': {value!r} is not allowed; it wants a word or a list of them")
            return ()
        words = []
        for at, text in enumerate(texts):
            key = "key 'value'" if isinstance(value, str) else f"key 'value[{at}]'"
            try:
                words.append(read_transform(text, 0, len(text), namespaces))
            except LocationError as error:
                self._say(f"{key}: {str(error).removeprefix('location ')}")
                continue
            if at and words[-1].name == "named":
                self._say(f"{key}: named stands first")
        return tuple(words)

    def _guard(self) -> Guard | None:
        actions = []
        for pattern in self._words("action", "an action or a list of them"):
            try:
                marker = parse(f"action:{pattern}", {})
            except LocationError as error:
                self._say(f"key 'action': {error}")
                continue
            assert isinstance(marker, ActionMarker)
            actions.append(marker)
        roles = self._words("role", f"{', '.join(ROLES)}, a URI, or a list of them")
        for role in roles:
            if role not in ROLES and ":" not in role:
                self._say(
                    f"key 'role': {role!r} is not allowed; it wants {', '.join(ROLES)} or a URI"
                )
        soap = self._choice("soap", tuple(SOAP_VERSIONS.values()))
        version: SoapVersion | None = "1.1" if soap == "1.1" else "1.2" if soap else None
        if not (actions or roles or version):
            return None
        return Guard(frozenset(roles), tuple(actions), version)

    def _words(self, key: str, wanted: str) -> list[str]:
        if key not in self._table:
            return []
        value = self._table[key]
        texts = [value] if isinstance(value, str) else value
        if isinstance(texts, list | tuple) and texts and all(isinstance(t, str) for t in texts):
            return list(texts)
        self._say(f"key {key!r}: {value!r} is not allowed; it wants {wanted}")
        return []

    def _say(self, what: str) -> None:
        self.problems.append(f"{self._where}: {what}")

    def _text(self, key: str) -> str:
        value = self._table.get(key, "")
        if isinstance(value, str):
            return value.strip()
        self._say(f"key {key!r}: {value!r} is not allowed; it wants a text")
        return ""

    def _default(self) -> bool:
        value = self._table.get("default", False)
        if isinstance(value, bool):
            return value
        self._say(f"key 'default': {value!r} is not allowed; it wants true or false")
        return False

    def _life(self) -> float:
        if "life" not in self._table:
            return 0.0
        value = self._table["life"]
        seconds = _seconds(value)
        if seconds is not None and 0 < seconds <= LIFE_MOST:
            return seconds
        self._say(f"key 'life': {value!r} is not allowed; it wants a duration, for example \"60s\"")
        return 0.0

    def _choice(self, key: str, allowed: tuple[str, ...]) -> str:
        value = self._table.get(key, "")
        if key not in self._table or value in allowed:
            return str(value)
        words = " or ".join(f'"{word}"' for word in allowed)
        self._say(f"key {key!r}: {value!r} is not allowed; it wants {words}")
        return ""

    def _namespaces(self) -> dict[str, tuple[str, ...]]:
        table = self._table.get("namespaces", {})
        if not isinstance(table, Mapping):
            self._say(f"key 'namespaces': {table!r} is not allowed; it wants a table of prefixes")
            return {}
        out = {}
        for prefix, value in table.items():
            uris = (value,) if isinstance(value, str) else value
            if not isinstance(uris, list | tuple) or not all(isinstance(u, str) for u in uris):
                self._say(
                    f"key 'namespaces.{prefix}': {value!r} is not allowed; it wants a namespace or"
                    " a list of them"
                )
                continue
            problems = [problem for uri in uris if (problem := check_namespace(uri))]
            for problem in problems or ([] if uris else ["an empty list names no namespace"]):
                self._say(f"key 'namespaces.{prefix}': {problem}")
            out[prefix] = tuple(uris)
        return out

    def _locations(self, key: str, namespaces: Namespaces) -> tuple[Location, ...]:
        values = self._table.get(key, [])
        if not isinstance(values, list | tuple):
            self._say(f"key {key!r}: {values!r} is not allowed; it wants a list of locations")
            return ()
        return tuple(dict.fromkeys(self._each(key, values, namespaces)))

    def _each(
        self, key: str, values: list[object] | tuple[object, ...], namespaces: Namespaces
    ) -> Iterator[Location]:
        for at, text in enumerate(values):
            if not isinstance(text, str):
                self._say(f"key '{key}[{at}]': {text!r} is not allowed; it wants a location")
                continue
            try:
                location = parse(text, namespaces)
            except LocationError as error:
                self._say(f"key '{key}[{at}]': {error}")
                continue
            if allowed := _misplaced(key, location):
                self._say(f"key '{key}[{at}]': {text!r} is not allowed; {allowed}")
            else:
                yield location


def _places(location: Location) -> tuple[Location, ...]:
    """The single places that a location is made of."""
    if isinstance(location, End):
        location = location.what
    return location.parts if isinstance(location, Joined) else (location,)


_LIFE = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?", re.ASCII)


def _seconds(value: object) -> float | None:
    """A duration as the configuration writes it: a number of seconds, or "1h30m"."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    found = _LIFE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    worths = (86400, 3600, 60, 1)
    return float(sum(int(n or 0) * worth for n, worth in zip(found.groups(), worths, strict=True)))


def _misplaced(key: str, location: Location) -> str:
    """What `key` allows instead, if a location of this kind may not stand under it; else ""."""
    if isinstance(location, ActionMarker | FaultMarker | EmptyMarker) and key != "end":
        return "action:, fault: and empty: mark an end and are allowed only under 'end'"
    if isinstance(location, End) and key != "end":
        return "id:, request: and response: are said of an end and are allowed only under 'end'"
    for place in _places(location):
        if not isinstance(place, Carrier):
            continue
        if key in ("expires", "sent", "reply_to"):
            return "a Header or Body location is wanted"
        if key == "learn" and place.kind not in ("cookie", "http"):
            allowed = "a response has Header and Body locations, cookie: and http: only"
            url = f"; what stands in its Location is http:Location | {place.text}"
            return allowed + (url if place.kind in IN_URL else "")
        if key == "end" and place.kind in ("client", "url"):
            return (
                "an end is a Header or Body location, cookie:, http:, param:, query:,"
                " cookieless:, action:, fault:"
            )
    return ""
