"""The location language: where a session id lives, written as a path, parsed into a value.

    Header/p:Name/...        Body/p:Name/...      anchored: children of soap:Header or soap:Body
        p:Name  *:Name  Name  p:*  *              a step: element in a namespace, in any, in none
        @attr  @p:attr  @*:attr                   the last step may be an attribute
        /  //                                     child, descendant (for an attribute: or self)
        [@attr='v']  [p:Child='v']                predicates: the trimmed text equals v
        [@attr]  [p:Child]  [not(...)]            ... is there; ... does not hold
    cookie:NAME  http:NAME  param:NAME  query:NAME  client:address|connection|certificate
    action:URI  fault:CODE  empty:exchange        only where a session ends

The one rule: a location is anchored and has no variables, so what it can reach is seen by
reading it. It refuses to know trees and bytes: `matching` walks trees, `carriers` reads bytes.
lxml's XPath was dropped: it would let a profile search the whole envelope, count, and join, and
it cannot say that one prefix stands for several versions of a namespace.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, NoReturn, get_args

from soapgate.core.errors import LocationError
from soapgate.core.ns import PREFIXES

Namespaces = Mapping[str, str | Sequence[str]]
CarrierKind = Literal["cookie", "http", "param", "query", "client"]
CLIENT_FACTS = ("address", "connection", "certificate")
MAX_LENGTH = 1024  # characters of one location: far above any real one, below any mischief

_CARRIERS: tuple[str, ...] = get_args(CarrierKind)
_NAME = r"[^\W\d][\w.\-]*"
_STEP = re.compile(rf"(//?)\s*(@?)\s*(?:(\*|{_NAME}):)?(\*|{_NAME})")
_PREDICATE = re.compile(
    rf"""\[\s*(?P<not>not\s*\(\s*)?(?P<at>@?)(?:(?P<prefix>\*|{_NAME}):)?(?P<name>{_NAME})\s*
         (?:=\s*(?:'(?P<single>[^']*)'|"(?P<double>[^"]*)")\s*)?(?(not)\)\s*)\]""",
    re.VERBOSE,
)
_HTTP_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 5.6.2 token
_ALLOWED = (
    "a location is Header/... or Body/... (steps p:Name, *:Name, Name, *, a last @attr,"
    " predicates [@attr='v'] and [p:Child='v'], // for any depth), cookie:NAME, http:NAME,"
    " param:NAME, query:NAME, client:address, client:connection or client:certificate, and where"
    " a session ends also action:URI, fault:CODE or empty:exchange; for example"
    " Header/shop:Session/@id"
)


@dataclass(frozen=True, slots=True)
class NameTest:
    """One name with the namespaces it may be in. `namespaces` None = any; "" = none; a URI that
    ends in `*` = any that starts so. `local` "*" = any local name."""

    namespaces: tuple[str, ...] | None
    local: str

    @property
    def clark_names(self) -> frozenset[str] | None:
        """Every tag that passes, in Clark notation; None when they cannot be listed."""
        if self.namespaces is None or self.local == "*":
            return None
        if any(uri.endswith("*") for uri in self.namespaces):
            return None
        return frozenset(f"{{{uri}}}{self.local}" if uri else self.local for uri in self.namespaces)

    def matches(self, tag: str) -> bool:
        """Whether an element or attribute of this Clark name passes."""
        uri, _, local = tag[1:].rpartition("}") if tag[:1] == "{" else ("", "", tag)
        if self.local not in ("*", local):
            return False
        if self.namespaces is None:
            return True
        return any(
            uri.startswith(known[:-1]) if known.endswith("*") else uri == known
            for known in self.namespaces
        )


@dataclass(frozen=True, slots=True)
class Predicate:
    """Whether an element has the attribute or child `name`, with the trimmed text `value` if
    that is not None; `negated` turns the answer round."""

    name: NameTest
    attribute: bool
    value: str | None
    negated: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One element step: a child, or with `deep` a descendant."""

    name: NameTest
    deep: bool
    predicates: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class SoapPath:
    """`Header/...` or `Body/...`: at least one element step, then perhaps an attribute."""

    text: str
    part: Literal["Header", "Body"]
    steps: tuple[Step, ...]
    attribute: NameTest | None
    attribute_deep: bool


@dataclass(frozen=True, slots=True)
class Carrier:
    """A place outside the envelope. The `name` of an HTTP field is lower case, a cookie's and a
    parameter's is as written; for `client` it is one of `CLIENT_FACTS`."""

    text: str
    kind: CarrierKind
    name: str


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


Location = SoapPath | Carrier | ActionMarker | FaultMarker | EmptyMarker


def fault_codes(codes: Sequence[str]) -> list[str]:
    """The codes with SOAP 1.2's Sender and Receiver called by their SOAP 1.1 names, so that one
    marker serves both versions."""
    return [{"Sender": "Client", "Receiver": "Server"}.get(code, code) for code in codes]


def parse(text: str, namespaces: Namespaces) -> Location:
    """The location that `text` writes. `namespaces` maps prefixes to one URI or several and
    overrides the prefixes of `soapgate.core.ns`; a URI may end in `*`.

    Raises `LocationError`: the text, where it goes wrong, what is allowed, an example.
    """
    if len(text) > MAX_LENGTH:
        raise LocationError(
            f"location {text[:40]!r}...: {len(text)} characters, allowed are {MAX_LENGTH}"
        )
    if text.startswith(("Header/", "Body/")):
        return _Reader(text, namespaces).path()
    kind, colon, name = text.partition(":")
    if not colon:
        raise LocationError(f"location {text!r}: not understood: {_ALLOWED}")
    if kind == "action":
        return _action(text, name)
    if kind == "fault":
        return _fault(text, name)
    if kind == "empty":
        return _empty(text, name)
    if kind in _CARRIERS:
        return _carrier(text, kind, name)  # type: ignore[arg-type]
    raise LocationError(f"location {text!r}: no such kind as {kind!r}: {_ALLOWED}")


def check_namespace(uri: str) -> str | None:
    """What is wrong with a namespace URI as a prefix may be given; None if nothing."""
    if not uri or uri == "*":
        return "a namespace may not be empty or '*' alone; write *:Name for any namespace"
    if "*" in uri[:-1]:
        return f"namespace {uri!r}: '*' is allowed only at the end, as in urn:example:shop-*"
    if any(char in uri for char in "{} \t\r\n"):
        return f"namespace {uri!r}: blanks and braces are not allowed"
    return None


class _Reader:
    """Reads one `Header/...` or `Body/...` text from left to right."""

    def __init__(self, text: str, namespaces: Namespaces) -> None:
        self._text = text
        self._namespaces = namespaces
        self._at = text.index("/")

    def path(self) -> SoapPath:
        part: Literal["Header", "Body"] = "Header" if self._text[0] == "H" else "Body"
        steps: list[Step] = []
        attribute: NameTest | None = None
        deep = False
        while self._at < len(self._text):
            found = _STEP.match(self._text, self._at)
            if found is None:
                self._refuse(self._at, "a step was expected here")
            slashes, at_sign, prefix, local = found.groups()
            if at_sign:
                if not steps:
                    self._refuse(self._at, f"an attribute of soap:{part} itself carries no id")
                attribute = self._test(found.end(2), prefix, local, attribute=True)
                deep = slashes == "//"
                self._at = found.end()
                if self._at < len(self._text):
                    self._refuse(self._at, "nothing may follow an attribute")
                break
            test = self._test(found.end(2), prefix, local)
            self._at = found.end()
            steps.append(Step(test, slashes == "//", self._predicates()))
        return SoapPath(self._text, part, tuple(steps), attribute, deep)

    def _predicates(self) -> tuple[Predicate, ...]:
        out: list[Predicate] = []
        while self._text.startswith("[", self._at):
            found = _PREDICATE.match(self._text, self._at)
            if found is None:
                self._refuse(self._at, "a predicate is [@attr='v'] or [p:Child='v']")
            is_attribute = bool(found["at"])
            test = self._test(
                found.end("at"), found["prefix"], found["name"], attribute=is_attribute
            )
            value = found["single"] if found["single"] is not None else found["double"]
            out.append(
                Predicate(test, is_attribute, value and value.strip(), found["not"] is not None)
            )
            self._at = found.end()
        return tuple(out)

    def _test(
        self, at: int, prefix: str | None, local: str, *, attribute: bool = False
    ) -> NameTest:
        if local == "*" and attribute:
            self._refuse(at, "an attribute needs a name")
        if prefix is None:
            # `*` alone is any element, as in XPath; a bare name is in no namespace
            return NameTest(None if local == "*" else ("",), local)
        if prefix == "*":
            return NameTest(None, local)
        known = self._namespaces.get(prefix) or PREFIXES.get(prefix)
        if known is None:
            self._undefined(at, prefix)
        uris = (known,) if isinstance(known, str) else tuple(known)
        for uri in uris:
            if problem := check_namespace(uri):
                self._refuse(at, f"prefix {prefix!r}: {problem}")
        return NameTest(uris, local)

    def _undefined(self, at: int, prefix: str) -> NoReturn:
        names = sorted({*PREFIXES, *self._namespaces})
        near = get_close_matches(prefix, names, 1)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        raise LocationError(
            f"location {self._text!r}, character {at + 1}: prefix {prefix!r} is not defined{meant};"
            f' define it under [namespaces], for example {prefix} = "urn:example:{prefix}";'
            f" defined are {', '.join(names)}"
        )

    def _refuse(self, at: int, what: str) -> NoReturn:
        rest = self._text[at : at + 20]
        where = f"character {at + 1} ({rest!r})" if rest else "its end"
        raise LocationError(f"location {self._text!r}, {where}: {what}: {_ALLOWED}")


def _carrier(text: str, kind: CarrierKind, name: str) -> Carrier:
    if kind == "client":
        if name not in CLIENT_FACTS:
            raise LocationError(
                f"location {text!r}: no such fact as {name!r}; allowed are"
                f" {', '.join(CLIENT_FACTS)}, for example client:address"
            )
        return Carrier(text, kind, name)
    if kind in ("cookie", "http") and not _HTTP_NAME.fullmatch(name):
        raise LocationError(
            f"location {text!r}: {name!r} is no name of a {kind} field; allowed are letters,"
            f" digits and !#$%&'*+-.^_`|~, for example {kind}:JSESSIONID"
        )
    if not name or any(char in name for char in "&;/?=#") or name != name.strip():
        raise LocationError(
            f"location {text!r}: {name!r} is no name of a parameter; it may not be empty nor hold"
            f" & ; / ? = #, for example {kind}:jsessionid"
        )
    return Carrier(text, kind, name.lower() if kind == "http" else name)


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
