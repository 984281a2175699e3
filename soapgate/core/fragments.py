"""What can be made of a value by the words of the location language: each piece with its words.

It is the way back through `values`, as `sightings` is through `matching`: from one text to the
words that cut it, decode it or write it in one case. An id may be all that two values have in
common: the part before a dash of a handle, a cookie without the node behind its dot, a parameter
of an address.

The one rule: what is told shows names and nothing that could be an id, so no word has a text of the
message in it but a separator, the name of a parameter, or the beginning of a URN. It refuses to
judge the pieces: which of them is an id is for `soapgate.core.candidates`.

`before` and `after` look for the first of their text, so only the first separator of a kind is one.
Inside a UUID none is: two of one host and hour (RFC 9562 5.1) differ before their first dash only.
Of an address, and of a text with blanks, no more is cut than parameters. Dropped: `xml`, for an
element in a text has as many pieces as a message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from soapgate.core.values import Transform, Unreadable, chain

LONGEST = 1024  # characters of a text that is cut; ids with something round them are shorter

_SEPARATORS = "-_.!:|/;,@#~*=&?"
_OPEN = _SEPARATORS + "{"
_CLOSE = _SEPARATORS + "}"
_UUID = re.compile(r"(?i)(?<![0-9a-f])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f])")
# what a word may show, as in `sightings`: four digits are too many
_NAMED = re.compile(r"(?:\A|[?&;,|#])((?!(?:[^\d=]*\d){4})[A-Za-z_][\w.-]{0,39})=", re.ASCII)
_URN = re.compile(r"(?i)urn:(?:(?!(?:[^\d:]*\d){4})[a-z][\w.-]{0,39}:)+", re.ASCII)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}", re.ASCII)


class Fragment(NamedTuple):
    """A piece of a text. `words` are to be written behind a location; `name`: the parameter that it
    is the value of, "" for none."""

    words: str
    value: str
    name: str


def fragments(text: str) -> list[Fragment]:
    """The pieces of a text, each by the fewest words that make it; none of one over LONGEST."""
    if len(text) > LONGEST:
        return []
    found: dict[str, Fragment] = {text: Fragment("", text, "")}
    for words, form in _forms(text):
        for one in (Fragment(words, form, ""), *_cuts(words, form)):
            known = found.get(one.value)
            if one.value and (known is None or _length(one) < _length(known)):
                found[one.value] = one
    del found[text]
    return list(found.values())


def _length(one: Fragment) -> int:
    return one.words.count(" | ")


def _forms(text: str) -> Iterator[tuple[str, str]]:
    """The same in other forms: (words, text)."""
    yield "", text
    if len(text) > 2 and text[0] == text[-1] == '"':
        yield " | unquote", text[1:-1].strip()
    if text != text.lower():
        yield " | lower", text.lower()
    if _BASE64.fullmatch(text):
        said = _decoded(text)
        if said.isprintable():
            yield " | base64", said


def _decoded(text: str) -> str:
    """ "" for what is no text in base64."""
    finish = chain([Transform("base64")])
    assert finish is not None
    try:
        return finish(text)
    except Unreadable:
        return ""


def _cuts(words: str, text: str) -> Iterator[Fragment]:
    """Pieces of one form."""
    free = "://" not in text and not re.search(r"\s", text)
    if free:
        yield from _before(words, text, "")
    for mark, name in (*_named(text), *(_opened(text) if free else ())):
        rest = text.partition(mark)[2].strip()
        after = f"{words} | after:'{mark}'"
        yield Fragment(after, rest, name)
        yield from _before(after, rest, name)


def _named(text: str) -> Iterator[tuple[str, str]]:
    """(what stands before a value, its name) for each parameter."""
    for found in _NAMED.finditer(text):
        if text.find(found[0]) == found.start():
            yield found[0], found[1]


def _opened(text: str) -> Iterator[tuple[str, str]]:
    """What a piece may begin behind."""
    urn = _URN.match(text)
    if urn is not None:
        yield urn[0], ""
    for mark in _OPEN:
        if _first(text, mark) >= 0:
            yield mark, ""


def _before(words: str, text: str, name: str) -> Iterator[Fragment]:
    for mark in _CLOSE:
        at = _first(text, mark)
        if at > 0:
            yield Fragment(f"{words} | before:'{mark}'", text[:at].strip(), name)


def _first(text: str, mark: str) -> int:
    """Where the first separator of a kind stands; -1 for nowhere, or inside of a UUID."""
    at = text.find(mark)
    if mark == "-" and at >= 0:
        inside = any(one.start() < at < one.end() for one in _UUID.finditer(text))
        return -1 if inside else at
    return at
