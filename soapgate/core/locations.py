"""The location language: where a session id lives, written as text, parsed into a value.

    Header/p:Name/...  Body/p:Name/...            a path (`paths`) from soap:Header or soap:Body
    cookie:NAME  http:NAME  param:NAME  query:NAME  cookieless:S  url:target
    client:address|connection|certificate
    PLACE | word | word                           the id is made of the text found there (`values`)
    PLACE + PLACE                                 one id of several, all of which must be there

Where a session ends also

    action:URI  fault:CODE                        the message has this SOAP action, this fault code
    empty:exchange                                an empty POST that is answered with nothing
    id:PLACE                                      the id that ends, and no other, is the one found
    request:LOCATION  response:LOCATION           only in a request, only in a response

The one rule: a location is anchored and has no variables, so what it can reach is seen by
reading it. It refuses to know trees and bytes: `matching` walks trees, `carriers` reads bytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn, get_args

from soapgate.core.carriers import names_in_url
from soapgate.core.errors import LocationError
from soapgate.core.matching import fault_codes
from soapgate.core.paths import Namespaces, Path, PathReader
from soapgate.core.values import Transform, read_transform

CarrierKind = Literal["cookie", "http", "param", "query", "cookieless", "url", "client"]
Way = Literal["request", "response"]
FACTS: dict[str, tuple[str, ...]] = {
    "client": ("address", "connection", "certificate"),
    "url": ("target",),
}
MAX_LENGTH = 1024  # characters of one location: far above any real one, below any mischief
MAX_PARTS = 8  # places of one id: correlation sets have two or three

_CARRIERS: tuple[str, ...] = get_args(CarrierKind)
_WAYS: tuple[str, ...] = get_args(Way)
_HTTP_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 5.6.2 token
# ` + ` and ` | ` cut where they do not stand in quotes
_PIECES = re.compile(r"'[^']*'|\"[^\"]*\"|(?P<cut>\s+[+|]\s+)|.", re.DOTALL)
_ALLOWED = (
    "a location is Header/... or Body/... (steps p:Name, *:Name, Name, *, a last @attr,"
    " predicates [@attr='v'] and [p:Child='v'], // for any depth), cookie:NAME, http:NAME,"
    " param:NAME, query:NAME, cookieless:S, url:target, client:address, client:connection or"
    " client:certificate, perhaps with words that make the id (| lower), or several joined by +,"
    " and where a session ends also action:URI, fault:CODE, empty:exchange, id:LOCATION,"
    " request:LOCATION or response:LOCATION; for example Header/shop:Session/@id"
)


@dataclass(frozen=True, slots=True)
class SoapPath(Path):
    """`Header/...` or `Body/...`. `transforms` make the id of the text found."""

    text: str
    part: Literal["Header", "Body"]
    transforms: tuple[Transform, ...] = ()


@dataclass(frozen=True, slots=True)
class Carrier:
    """A place outside the envelope. The `name` of an HTTP field is lower case, a cookie's and a
    parameter's is as written, for `cookieless` it is a capital letter; for `client` and `url` it
    is one of their `FACTS`."""

    text: str
    kind: CarrierKind
    name: str
    transforms: tuple[Transform, ...] = ()


@dataclass(frozen=True, slots=True)
class Joined:
    """One id of several places, all in the envelope or all in HTTP."""

    text: str
    parts: tuple[SoapPath | Carrier, ...]


@dataclass(frozen=True, slots=True)
class ActionMarker:
    """`action:URI`: the SOAP action; a `*` at the start or the end of `pattern` stands for
    anything."""

    text: str
    pattern: str

    def matches(self, action: str) -> bool:
        """Whether this is the action meant. Actions are compared as text (RFC 3986 6.2.1)."""
        pattern = self.pattern
        if pattern[0] == "*" and pattern[-1] == "*":
            return pattern.strip("*") in action
        if pattern[0] == "*":
            return action.endswith(pattern[1:])
        if pattern[-1] == "*":
            return action.startswith(pattern[:-1])
        return action == pattern


@dataclass(frozen=True, slots=True)
class FaultMarker:
    """`fault:CODE`: a fault code by local names, most general first, `.` between them."""

    text: str
    code: str

    def matches(self, codes: Sequence[str]) -> bool:
        """Whether the dotted code occurs in `codes`, the local names of a fault's code and
        subcodes from general to special (SOAP 1.1 4.4.1, SOAP 1.2 part 1 5.4.1)."""
        wanted = fault_codes(self.code.split("."))
        return any(
            codes[at : at + len(wanted)] == wanted for at in range(len(codes) - len(wanted) + 1)
        )


@dataclass(frozen=True, slots=True)
class EmptyMarker:
    """`empty:exchange`: a POST without a body, answered without one and without a fault. So does
    CWMP end a session (TR-069 3.7.1.4 and 3.7.2.4)."""

    text: str


Place = SoapPath | Carrier | Joined
Mark = Place | ActionMarker | FaultMarker | EmptyMarker


@dataclass(frozen=True, slots=True)
class End:
    """What ends a session, said closer: in messages of one `way` only (None: both); `names_id`:
    the value found is the id that ends."""

    text: str
    what: Mark
    way: Way | None
    names_id: bool


Location = Mark | End


def parse(text: str, namespaces: Namespaces) -> Location:
    """The location that `text` writes. `namespaces` maps prefixes to one URI or several and
    overrides the prefixes of `soapgate.core.ns`; a URI may end in `*`.

    Raises `LocationError`: the text, where it goes wrong, what is allowed, an example.
    """
    if len(text) > MAX_LENGTH:
        raise LocationError(
            f"location {text[:40]!r}...: {len(text)} characters, allowed are {MAX_LENGTH}"
        )
    return _Reader(text, namespaces).location()


class _Reader:
    """Reads one text; every place in it is told by its first character."""

    def __init__(self, text: str, namespaces: Namespaces) -> None:
        self._text = text
        self._namespaces = namespaces

    def location(self) -> Location:
        text, at, way, names_id = self._text, 0, None, False
        for one in _WAYS:
            if text.startswith(f"{one}:"):
                way, at = one, len(one) + 1
        if text.startswith("id:", at):
            names_id, at = True, at + 3
        if not at:
            return self._mark(0)
        what = self._mark(at)
        if names_id and isinstance(what, ActionMarker | FaultMarker | EmptyMarker):
            self._refuse(at, "id: wants a place with an id in it")
        return End(text, what, way, names_id)  # type: ignore[arg-type]

    def _mark(self, at: int) -> Mark:
        text = self._text[at:]
        kind, colon, name = text.partition(":")
        if colon and kind == "action":
            return _action(text, name)
        if colon and kind == "fault":
            return _fault(text, name)
        if colon and kind == "empty":
            return _empty(text, name)
        parts = [self._part(pieces, text) for pieces in self._pieces(at)]
        if len(parts) == 1:
            return parts[0]
        if len(parts) > MAX_PARTS:
            self._refuse(at, f"one id of {len(parts)} places; at most {MAX_PARTS} may be joined")
        if len({isinstance(part, SoapPath) for part in parts}) > 1:
            self._refuse(
                at, "joined places are all Header/... and Body/..., or all outside the envelope"
            )
        return Joined(text, tuple(parts))

    def _pieces(self, at: int) -> list[list[tuple[int, int]]]:
        """Where the pieces between `+` begin and end, in each those between `|`."""
        parts: list[list[tuple[int, int]]] = [[]]
        for found in _PIECES.finditer(self._text, at):
            if found["cut"] is None:
                continue
            parts[-1].append((at, found.start()))
            if "+" in found["cut"]:
                parts.append([])
            at = found.end()
        parts[-1].append((at, len(self._text)))
        return parts

    def _part(self, pieces: Sequence[tuple[int, int]], whole: str) -> SoapPath | Carrier:
        (at, end), *words = pieces
        transforms = tuple(
            read_transform(self._text, at, end, self._namespaces) for at, end in words
        )
        place = self._text[at:end]
        text = self._text[at : pieces[-1][1]]
        for number, one in enumerate(transforms):
            if one.name == "named" and (number or not place.startswith(("Header/", "Body/"))):
                self._refuse(words[number][0], "named stands first, behind Header/... or Body/...")
        if place.startswith(("Header/", "Body/")):
            part: Literal["Header", "Body"] = "Header" if place[0] == "H" else "Body"
            reader = PathReader(self._text, at + len(part), end, self._namespaces, _ALLOWED)
            path = reader.read(f"soap:{part}")
            return SoapPath(path.steps, path.attribute, path.attribute_deep, text, part, transforms)
        kind, colon, name = place.partition(":")
        if not colon:
            raise LocationError(f"location {self._text!r}: {place!r} is not understood: {_ALLOWED}")
        if kind not in _CARRIERS:
            raise LocationError(f"location {self._text!r}: no such kind as {kind!r}: {_ALLOWED}")
        _check_carrier(self._text, kind, name)
        return Carrier(text, kind, name.lower() if kind == "http" else name, transforms)  # type: ignore[arg-type]

    def _refuse(self, at: int, what: str) -> NoReturn:
        raise LocationError(f"location {self._text!r}, character {at + 1}: {what}: {_ALLOWED}")


def _check_carrier(text: str, kind: str, name: str) -> None:
    if kind in FACTS:
        if name not in FACTS[kind]:
            raise LocationError(
                f"location {text!r}: no such fact as {name!r}; allowed are"
                f" {', '.join(FACTS[kind])}, for example {kind}:{FACTS[kind][0]}"
            )
    elif kind in ("cookie", "http"):
        if not _HTTP_NAME.fullmatch(name):
            raise LocationError(
                f"location {text!r}: {name!r} is no name of a {kind} field; allowed are letters,"
                f" digits and !#$%&'*+-.^_`|~, for example {kind}:JSESSIONID"
            )
    elif not names_in_url(kind, name):
        if kind == "cookieless":
            raise LocationError(
                f"location {text!r}: {name!r} is nothing that ASP.NET has in its paths; allowed is"
                " a capital letter, for example cookieless:S, the session"
            )
        raise LocationError(
            f"location {text!r}: {name!r} is no name of a parameter; it may not be empty nor hold"
            f" & ; / ? = #, for example {kind}:jsessionid"
        )


def _action(text: str, pattern: str) -> ActionMarker:
    if not pattern.strip("*") or "*" in pattern[1:-1] or pattern != pattern.strip():
        raise LocationError(
            f"location {text!r}: action: wants a URI; '*' is allowed at its start or end only, for"
            " example action:urn:example:Logout or action:*/RST/SCT/Cancel"
        )
    return ActionMarker(text, pattern)


def _empty(text: str, what: str) -> EmptyMarker:
    if what != "exchange":
        raise LocationError(f"location {text!r}: the only one of its kind is empty:exchange")
    return EmptyMarker(text)


def _fault(text: str, code: str) -> FaultMarker:
    if not all(code.split(".")) or any(char in code for char in ":{}/ *"):
        raise LocationError(
            f"location {text!r}: fault: wants the local name of a fault code or subcode, perhaps"
            " dotted, for example fault:UnknownSequence or fault:Client.AuthenticationError"
        )
    return FaultMarker(text, code)
