"""Paths through XML: steps, names and predicates, parsed into values.

    p:Name  *:Name  Name  p:*  *              a step: element in a namespace, in any, in none
    @attr  @p:attr  @*:attr                   the last step may be an attribute
    /  //                                     child, descendant (for an attribute: or self)
    [@attr]  [p:Child]  [p:Child/*]           is there
    [not(...)]                                does not hold
    [@attr='v']  [p:Child='v']  [.='v']       the trimmed text equals v
    [starts-with(., 'v')]  [ends-with(@attr, 'v')]  [contains(p:Child, 'v')]
    [2]                                       the second child that passes what stands before

The one rule: a path says what it compares by name, so that a reader, and `consulted`, sees which
values of a message can decide. It refuses to know trees: `matching` walks them. lxml's XPath was
dropped: it would let a profile search the whole envelope, count, and join, and it cannot say that
one prefix stands for several versions of a namespace.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, NoReturn, get_args

from soapgate.core.errors import LocationError
from soapgate.core.ns import PREFIXES

Namespaces = Mapping[str, str | Sequence[str]]
Comparison = Literal["equals", "starts-with", "ends-with", "contains"]

COMPARISONS: tuple[Comparison, ...] = get_args(Comparison)
MAX_POSITION = 999

_NAME = r"[^\W\d][\w.\-]*"
_STEP = re.compile(rf"(//?)\s*(@?)\s*(?:(\*|{_NAME}):)?(\*|{_NAME})")
_BARE_STEP = re.compile(rf"()(@?)\s*(?:(\*|{_NAME}):)?(\*|{_NAME})")
_OPERAND = (
    rf"(?:(?P<self{{0}}>\.)|(?P<through{{0}}>(?:(?:(?:\*|{_NAME}):)?(?:\*|{_NAME})/)*)"
    rf"(?P<at{{0}}>@?)(?:(?P<prefix{{0}}>\*|{_NAME}):)?(?P<name{{0}}>\*|{_NAME}))"
)
_THROUGH = re.compile(rf"(?:(\*|{_NAME}):)?(\*|{_NAME})/")
_QUOTED = r"(?:'(?P<single{0}>[^']*)'|\"(?P<double{0}>[^\"]*)\")"
_PREDICATE = re.compile(
    rf"""\[\s*(?:(?P<position>\d+)|(?P<not>not\s*\(\s*)?
         (?:(?P<how>starts-with|ends-with|contains)\s*\(\s*
              {_OPERAND.format("_in")}\s*,\s*{_QUOTED.format("_in")}\s*\)
           |{_OPERAND.format("")}\s*(?:=\s*{_QUOTED.format("")})?)
         \s*(?(not)\)\s*))\s*\]""",
    re.VERBOSE,
)
_PREDICATES = (
    "a predicate is [@attr], [@attr='v'], [p:Child='v'], [p:Child/*], [.='v'],"
    " [starts-with(., 'v')], [ends-with(...)], [contains(...)], [not(...)] or a position, [1]"
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
    """Whether an element has the attribute or child `name` (None: the element itself), with a
    trimmed text that compares to `value` as `how` says, if `value` is not None; `negated` turns
    the answer round. `through`: not of the element but of children of that name, and so on."""

    name: NameTest | None
    attribute: bool
    value: str | None
    negated: bool
    how: Comparison = "equals"
    through: tuple[NameTest, ...] = ()


@dataclass(frozen=True, slots=True)
class Position:
    """Which of the children of one parent, counted from 1, after the tests before it."""

    number: int


@dataclass(frozen=True, slots=True)
class Step:
    """One element step: a child, or with `deep` a descendant."""

    name: NameTest
    deep: bool
    predicates: tuple[Predicate | Position, ...]

    @property
    def consulted(self) -> Iterator[str]:
        """Local names of the elements and attributes whose values are compared; "*" for any."""
        for one in self.predicates:
            if isinstance(one, Predicate) and one.value is not None:
                yield self.name.local if one.name is None else one.name.local


@dataclass(frozen=True, slots=True)
class Path:
    """At least one element step, then perhaps an attribute."""

    steps: tuple[Step, ...]
    attribute: NameTest | None
    attribute_deep: bool


class PathReader:
    """Reads the steps of one text from left to right, from character `at` up to `end`. `allowed`
    ends its error messages. With `bare` the first step has no slash before it."""

    def __init__(
        self,
        text: str,
        at: int,
        end: int,
        namespaces: Namespaces,
        allowed: str,
        *,
        bare: bool = False,
    ) -> None:
        self._steps: list[Step] = []
        self._text = text
        self._at = at
        self._end = end
        self._namespaces = namespaces
        self._allowed = allowed
        self._pattern = _BARE_STEP if bare else _STEP

    def read(self, part: str) -> Path:
        """The path; `part` is what it starts from, for messages. Raises `LocationError`."""
        attribute: NameTest | None = None
        deep = False
        while self._at < self._end:
            found = self._pattern.match(self._text, self._at, self._end)
            self._pattern = _STEP
            if found is None:
                self._refuse(self._at, "a step was expected here")
            slashes, at_sign, prefix, local = found.groups()
            if at_sign:
                if not self._steps:
                    self._refuse(self._at, f"an attribute of {part} itself carries no id")
                attribute = self._test(found.end(2), prefix, local, attribute=True)
                deep = slashes == "//"
                self._at = found.end()
                if self._at < self._end:
                    self._refuse(self._at, "nothing may follow an attribute")
                break
            test = self._test(found.end(2), prefix, local)
            self._at = found.end()
            self._steps.append(Step(test, slashes == "//", self._predicates(slashes == "//")))
        if not self._steps:
            self._refuse(self._at, "a step was expected here")
        return Path(tuple(self._steps), attribute, deep)

    def _predicates(self, deep: bool) -> tuple[Predicate | Position, ...]:
        out: list[Predicate | Position] = []
        while self._text.startswith("[", self._at, self._end):
            found = _PREDICATE.match(self._text, self._at, self._end)
            if found is None:
                self._refuse(self._at, _PREDICATES)
            if found["position"]:
                out.append(self._position(int(found["position"]), deep))
            else:
                out.append(self._predicate(found))
            self._at = found.end()
        return tuple(out)

    def _position(self, number: int, deep: bool) -> Position:
        if not 1 <= number <= MAX_POSITION:
            self._refuse(self._at, f"positions are 1 to {MAX_POSITION}")
        if deep or not self._steps:
            self._refuse(
                self._at, "a position counts children: not on the first step, nor after //"
            )
        return Position(number)

    def _predicate(self, found: re.Match[str]) -> Predicate:
        how: Comparison = found["how"] or "equals"  # type: ignore[assignment]
        suffix = "_in" if found["how"] else ""
        single, double = found["single" + suffix], found["double" + suffix]
        value = single if single is not None else double
        test: NameTest | None = None
        through: tuple[NameTest, ...] = ()
        if not found["self" + suffix]:
            at = found.end("at" + suffix)
            through = self._through(*found.span("through" + suffix))
            test = self._test(
                at,
                found["prefix" + suffix],
                found["name" + suffix],
                attribute=bool(found["at" + suffix]),
            )
        elif value is None:
            self._refuse(self._at, _PREDICATES)
        if value is not None:
            value = value.strip()
            if how != "equals" and not value:
                self._refuse(self._at, f"{how}() wants a text that is not empty")
        return Predicate(
            test, bool(found["at" + suffix]), value, found["not"] is not None, how, through
        )

    def _through(self, at: int, end: int) -> tuple[NameTest, ...]:
        steps = _THROUGH.finditer(self._text, at, end)
        return tuple(self._test(one.start(), one[1], one[2]) for one in steps)

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
        rest = self._text[at : min(at + 20, self._end)]
        where = f"character {at + 1} ({rest!r})" if rest else "its end"
        raise LocationError(f"location {self._text!r}, {where}: {what}: {self._allowed}")


def check_namespace(uri: str) -> str | None:
    """What is wrong with a namespace URI as a prefix may be given; None if nothing."""
    if not uri or uri == "*":
        return "a namespace may not be empty or '*' alone; write *:Name for any namespace"
    if "*" in uri[:-1]:
        return f"namespace {uri!r}: '*' is allowed only at the end, as in urn:example:shop-*"
    if any(char in uri for char in "{} \t\r\n"):
        return f"namespace {uri!r}: blanks and braces are not allowed"
    return None
