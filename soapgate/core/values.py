"""What is made of a text before it is an id: the words after `|` in a location.

    trim                     without the blanks and line ends around it
    lower                    in lower case
    unquote                  without the double quotes around it
    before:"-"  after:":"    what stands before (after) the first of these; all of it without one
    base64                   what it says in base64 (RFC 4648 4 and 5), as UTF-8
    xml:p:A/p:B[@c='d']      it is an element: the first text at this path, which starts with it
    target                   it is an absolute URL: its path and query, as `url:target` writes them
    param:N query:N          it is a URL: what the location of that name finds in it
    cookieless:S
    named                    {namespace}name=text; only first, and only of elements and attributes

The one rule: a word is a pure function from text to text, so a value that comes out of a scanner's
tree and the same value cut out of bytes end as the same id. A text that a word cannot read raises
`Unreadable`: it is no id, and whoever asked counts it. "" is no id either, and nobody's fault.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lxml import etree

from soapgate.core import carriers, strict
from soapgate.core.errors import LocationError
from soapgate.core.matching import Reference, compile_path, first_test
from soapgate.core.paths import Namespaces, Path, PathReader

Finish = Callable[[str], str]

WORDS = (
    *("trim", "lower", "unquote", 'before:"TEXT"', 'after:"TEXT"'),
    *("base64", "xml:PATH", "target", "param:NAME", "query:NAME", "cookieless:S", "named"),
)
_ALLOWED = f'a value is made of {", ".join(WORDS)}; for example cookie:S | unquote | before:"."'
_PLAIN = ("trim", "lower", "unquote", "base64", "target", "named")
_BLANKS = re.compile(r"\s+")
_URL_SAFE = str.maketrans("-_", "+/")


class Unreadable(ValueError):
    """A text is not what a word takes it for; the message shows nothing of it."""


@dataclass(frozen=True, slots=True)
class Transform:
    """One word: `name`, with the text behind its colon, and for `xml` the path that it writes."""

    name: str
    argument: str = ""
    path: Path | None = None

    def __str__(self) -> str:
        quoted = f'"{self.argument}"' if self.name in ("before", "after") else self.argument
        return f"{self.name}:{quoted}" if quoted else self.name


def read_transform(text: str, at: int, end: int, namespaces: Namespaces) -> Transform:
    """The word that stands from `at` to `end` in `text`. Raises `LocationError`."""
    name, colon, argument = text[at:end].partition(":")
    if name in _PLAIN and not colon:
        return Transform(name)
    if name == "xml" and argument:
        reader = PathReader(text, at + len("xml:"), end, namespaces, _ALLOWED, bare=True)
        return Transform(name, argument, reader.read("the text"))
    if name in carriers.IN_URL and carriers.names_in_url(name, argument):
        return Transform(name, argument)
    if name in ("before", "after"):
        bare = argument[1:-1] if _is_quoted(argument) else argument
        if bare:
            return Transform(name, bare)
    raise LocationError(
        f"location {text!r}, character {at + 1} ({text[at : min(at + 20, end)]!r}):"
        f" no such word: {_ALLOWED}"
    )


def chain(transforms: Sequence[Transform]) -> Finish | None:
    """One function for all of them; None if there is nothing to do. It trims what comes out, and
    raises `Unreadable`."""
    # an id is trimmed by whoever finds it, and named where it stands
    steps = [_FUNCTIONS[one.name](one) for one in transforms if one.name not in ("trim", "named")]
    if not steps:
        return None
    if len(steps) == 1:
        (only,) = steps
        return lambda text: only(text).strip()

    def finish(text: str) -> str:
        for step in steps:
            text = step(text).strip()
            if not text:
                break
        return text

    return finish


def joined(parts: Sequence[str]) -> str:
    """Several values as one id: each behind its length in characters, so that no two sequences
    make the same one whatever the values hold."""
    return "".join(f"{len(part)}:{part}" for part in parts)


def _is_quoted(text: str) -> bool:
    return len(text) > 1 and text[0] == text[-1] and text[0] in "'\""


def _unquote(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _before(transform: Transform) -> Finish:
    mark = transform.argument
    return lambda text: text.partition(mark)[0]


def _after(transform: Transform) -> Finish:
    mark = transform.argument

    def after(text: str) -> str:
        before, found, behind = text.partition(mark)
        return behind if found else before

    return after


def _base64(text: str) -> str:
    bare = _BLANKS.sub("", text).translate(_URL_SAFE).rstrip("=")
    try:
        raw = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
        return raw.decode("utf-8-sig")  # WCF begins with a byte order mark
    except (binascii.Error, ValueError):
        raise Unreadable("not base64 of a text in UTF-8") from None


def _in_url(transform: Transform) -> Finish:
    read, name = carriers.IN_URL[transform.name], transform.argument
    return lambda text: carriers.of_address(read, name, text)


def _xml(transform: Transform) -> Finish:
    path = transform.path
    assert path is not None
    test, values = first_test(path), compile_path(path)

    def read(text: str) -> str:
        if "<!DOCTYPE" in text:
            raise Unreadable("not an element")
        try:
            root = strict.parse(text.encode("utf-8", "replace"))
        except etree.XMLSyntaxError:
            raise Unreadable("not an element") from None
        found = values(root) if test.matches(root.tag) else []
        return next((one for one in found if one and type(one) is not Reference), "")

    return read


_FUNCTIONS: dict[str, Callable[[Transform], Finish]] = {
    "lower": lambda transform: str.lower,
    "unquote": lambda transform: _unquote,
    "before": _before,
    "after": _after,
    "base64": lambda transform: _base64,
    "xml": _xml,
    "target": lambda transform: carriers.target_of_address,
    **dict.fromkeys(carriers.IN_URL, _in_url),
}
