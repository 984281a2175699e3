"""Evaluates Header and Body locations over parsed trees, without compiling anything per message.

A location becomes one function from the block it starts at (a child of soap:Header or soap:Body)
to its values in document order. Steps work on lists of elements: one comprehension a step is as
fast as lxml's own `iterchildren` here, and where `//` follows `//` it lets each element be visited
once, so no path costs more than its steps times the elements.

The one rule: a value is what the sender wrote as *the content of that place* - an attribute's
text, or the text of an element that has no child elements, trimmed. An element with child
elements has no text of its own ("" = absent); it can mark an end, but is no id. Comments and
processing instructions are neither names nor text. An empty element that refers to another
(SOAP encoding, as Axis 1 writes it) gives a `Reference`, at the end of a path or where a step
finds nothing further; the caller follows it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

from lxml import etree

from soapgate.core.ns import SOAP11, SOAP12
from soapgate.core.paths import Comparison, NameTest, Path, Position, Predicate, Step

Elements = list[etree._Element]
Values = Callable[[etree._Element], list[str]]
_Walk = Callable[[Elements], Elements]

SOAP12_ENCODING = "http://www.w3.org/2003/05/soap-encoding"
FAULT_TAGS = frozenset((f"{{{SOAP11}}}Fault", f"{{{SOAP12}}}Fault"))


class Reference(str):
    """In place of a value: the id of the element of the same envelope that holds it
    (SOAP 1.1 5.4.1 `href="#id"`, SOAP 1.2 part 2 3.1.5 `enc:ref`). `rest` reads what the path
    says of steps below that element; None if the element itself is meant."""

    __slots__ = ("rest",)

    def __new__(cls, anchor: str, rest: Values | None = None) -> Reference:
        made = super().__new__(cls, anchor)
        made.rest = rest
        return made

    rest: Values | None


def compile_path(path: Path, *, named: bool = False) -> Values:
    """The function that reads `path` from a block whose name already passed the first step.

    It returns one string for each place found, "" for a place without text. With `named` a value
    is "{namespace}name=text", and the text of an element with children is that of its leaves,
    joined by a blank: an id may then hide at any depth of an opaque block.
    """
    walks = _walks(path)
    leaf = _leaf(path, named)
    if not walks:  # the commonest: the block itself
        return lambda block: leaf([block])
    readers: list[Values] = []
    readers += [_reader(walks, at, leaf, readers) for at in range(len(walks))]
    return readers[0]


def _reader(
    walks: Sequence[_Walk], at: int, leaf: Callable[[Elements], list[str]], all_: Sequence[Values]
) -> Values:
    """The function that walks from step `at` on. `all_` are those of every step: what stands
    elsewhere is read by the one of the step that was not found here."""

    def values(block: etree._Element) -> list[str]:
        elements = [block]
        for number in range(at, len(walks)):
            further = walks[number](elements)
            if not further:
                return [
                    Reference(anchor, all_[number])
                    for element in elements
                    if not len(element) and (anchor := _anchor(element))
                ]
            elements = further
        return leaf(elements)

    return values


def first_test(path: Path) -> NameTest:
    """What the name of a block must pass for `path` to be worth evaluating."""
    first = path.steps[0]
    return NameTest(None, "*") if first.deep else first.name


def text_of(element: etree._Element) -> str:
    """The trimmed text of an element without child elements, else ""."""
    if len(element):
        pieces = [element.text or ""]
        for child in element:  # comments and processing instructions cut a text into pieces
            if isinstance(child.tag, str):
                return ""
            pieces.append(child.tail or "")
        return "".join(pieces).strip()
    text = element.text
    return text.strip() if text else ""


def anchors(inside: etree._Element) -> dict[str, etree._Element]:
    """The elements that references may mean, by id: the children of Header and Body, as far as
    the envelope around `inside` was parsed. The first of one id counts."""
    found: dict[str, etree._Element] = {}
    for part in inside.getroottree().getroot():
        for element in part:
            for name in ("id", f"{{{SOAP12_ENCODING}}}id"):
                if (anchor := element.get(name)) is not None:
                    found.setdefault(str(anchor), element)
    return found


def followed(
    references: Iterable[Reference],
    among: Mapping[str, etree._Element],
    seen: set[tuple[str, Values | None]],
) -> tuple[list[str], bool]:
    """The values that references of one path mean, and whether each element they lead to is among
    these. What is in `seen` is not read again, and all that is read is put there: circles end, and
    no message makes more work than its elements times the steps of the path."""
    values: list[str] = []
    complete = True
    waiting = deque(references)
    while waiting:
        reference = waiting.popleft()
        if (reference, reference.rest) in seen:
            continue
        seen.add((reference, reference.rest))
        element = among.get(reference)
        if element is None:
            complete = False
            continue
        read = reference.rest or _leaf_text
        for value in read(element):
            if type(value) is Reference:
                waiting.append(value)
            else:
                values.append(value)
    return values, complete


def fault_code_names(fault: etree._Element) -> list[str]:
    """The local names of a soap:Fault's code and subcodes, general first, a dotted code taken
    apart (SOAP 1.1 4.4.1: `Client.Authentication`; SOAP 1.2 part 1 5.4.1: nested Subcode)."""
    codes: list[str] = []
    for child in fault:
        if child.tag in ("faultcode", f"{{{SOAP11}}}faultcode"):
            codes += _local(text_of(child)).split(".")
        elif child.tag == f"{{{SOAP12}}}Code":
            for value in child.iter(f"{{{SOAP12}}}Value"):
                codes += _local(text_of(value)).split(".")
    return fault_codes(codes)


def fault_codes(codes: Sequence[str]) -> list[str]:
    """The codes with SOAP 1.2's Sender and Receiver called by their SOAP 1.1 names, so that one
    marker serves both versions."""
    return [{"Sender": "Client", "Receiver": "Server"}.get(code, code) for code in codes]


def _local(qname: str) -> str:
    return qname.rpartition(":")[2]


def _walks(path: Path) -> list[_Walk]:
    first, *rest = path.steps
    walks: list[_Walk] = []
    if first.deep:
        walks.append(_descend(first, or_self=True))
    elif first.predicates:
        walks.append(_filter(first.predicates))
    walks += [_descend(step) if step.deep else _children(step) for step in rest]
    if path.attribute is not None and path.attribute_deep:
        walks.append(_descend(Step(NameTest(None, "*"), True, ()), or_self=True))
    return walks


def _children(step: Step) -> _Walk:
    if any(isinstance(one, Position) for one in step.predicates):
        return _counted_children(step)
    tags, name = step.name.clark_names, step.name
    if tags is not None and not step.predicates:
        return lambda elements: [c for e in elements for c in e if c.tag in tags]
    keep = _filter(step.predicates)
    if tags is not None:
        return lambda elements: keep([c for e in elements for c in e if c.tag in tags])
    return lambda elements: keep(
        [c for e in elements for c in e if isinstance(c.tag, str) and name.matches(c.tag)]
    )


def _counted_children(step: Step) -> _Walk:
    """Positions count within one parent, so each parent is done by itself."""
    named = _children(Step(step.name, False, ()))
    keeps = [_pick(p) if isinstance(p, Position) else _filter((p,)) for p in step.predicates]

    def walk(elements: Elements) -> Elements:
        found: Elements = []
        for element in elements:
            children = named([element])
            for keep in keeps:
                children = keep(children)
            found += children
        return found

    return walk


def _pick(position: Position) -> _Walk:
    at = position.number - 1
    return lambda elements: elements[at : at + 1]


def _descend(step: Step, *, or_self: bool = False) -> _Walk:
    tags, name = step.name.clark_names, step.name
    keep = _filter(step.predicates)

    def below(element: etree._Element) -> Iterable[etree._Element]:
        wanted = tags or ("*",)
        return element.iter(*wanted) if or_self else element.iterdescendants(*wanted)

    def walk(elements: Elements) -> Elements:
        found: Elements = []
        searched: set[etree._Element] = set()
        for element in elements:
            if element in searched:
                continue
            found += [e for e in below(element) if e not in searched]
            if len(elements) > 1:  # the next may lie inside this one: each is visited once
                searched.update(element.iter("*"))
        if tags is None:
            found = [e for e in found if isinstance(e.tag, str) and name.matches(e.tag)]
        return keep(found)

    return walk


def _filter(predicates: Iterable[Predicate | Position]) -> _Walk:
    tests = tuple(holds(one) for one in predicates if isinstance(one, Predicate))
    if not tests:
        return lambda elements: elements
    if len(tests) == 1:
        (only,) = tests
        return lambda elements: [e for e in elements if only(e)]
    return lambda elements: [e for e in elements if all(test(e) for test in tests)]


def holds(predicate: Predicate) -> Callable[[etree._Element], bool]:
    """The function that says whether an element is as the predicate wants it."""
    wanted, negated = predicate.value, predicate.negated
    read: Values
    if predicate.name is None:
        read = _own_text
    elif predicate.attribute:
        read = _attributes(predicate.name)
    else:
        below = _children(Step(predicate.name, False, ()))
        if wanted is None:
            read = lambda element: ["" for _ in below([element])]
        else:
            read = lambda element: [text for child in below([element]) for text in _own_text(child)]
    if predicate.through:
        read = _through(predicate.through, read)
    if wanted is None:
        return lambda element: bool(read(element)) != negated
    if predicate.how == "equals":
        return lambda element: (wanted in read(element)) != negated
    compare = _COMPARE[predicate.how]
    return lambda element: any(compare(text, wanted) for text in read(element)) != negated


def _through(names: Iterable[NameTest], read: Values) -> Values:
    """`read`, of the children of these names instead."""
    walks = [_children(Step(name, False, ())) for name in names]

    def values(element: etree._Element) -> list[str]:
        elements = [element]
        for walk in walks:
            elements = walk(elements)
        return [text for each in elements for text in read(each)]

    return values


_COMPARE: dict[Comparison, Callable[[str, str], bool]] = {
    "starts-with": str.startswith,
    "ends-with": str.endswith,
    "contains": str.__contains__,
}


def _own_text(element: etree._Element) -> list[str]:
    """Its text, "" if it is empty; nothing if it has child elements."""
    if len(element) and any(isinstance(child.tag, str) for child in element):
        return []
    return [text_of(element)]


def _leaf(path: Path, named: bool) -> Callable[[Elements], list[str]]:
    if path.attribute is not None:
        read = _attributes(path.attribute)
        if named:
            label = path.attribute.local
            return lambda elements: [
                v and f"{e.tag}/@{label}={v}" for e in elements for v in read(e)
            ]
        return lambda elements: [value for element in elements for value in read(element)]
    if named:
        return lambda elements: [_named(element) for element in elements]
    return lambda elements: [text_of(e) or (_reference(e) if e.keys() else "") for e in elements]


def _leaf_text(element: etree._Element) -> list[str]:
    return [text_of(element) or _reference(element)]


def _reference(element: etree._Element) -> str:
    anchor = _anchor(element)
    return Reference(anchor) if anchor else ""


def _anchor(element: etree._Element) -> str:
    """The id of the element that is meant instead of this one, or ""."""
    href = element.get("href", "")
    return href[1:] if href[:1] == "#" else element.get(f"{{{SOAP12_ENCODING}}}ref", "")


def _named(element: etree._Element) -> str:
    leaves = filter(None, (text_of(e) for e in element.iter("*")))
    text = " ".join(leaves)
    return text and f"{element.tag}={text}"


def _attributes(name: NameTest) -> Callable[[etree._Element], list[str]]:
    tags = name.clark_names
    if tags is None:
        return lambda element: [
            str(value).strip() for tag, value in element.items() if name.matches(str(tag))
        ]

    def values(element: etree._Element) -> list[str]:
        return [value.strip() for tag in tags if (value := element.get(tag)) is not None]

    return values
