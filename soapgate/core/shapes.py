"""Known shapes: repeated traffic has repeated markup, so read its structure once and cut ids after.

A *shape* is the markup of a message up to its Body's first child, or to the end of that where the
Watch wants to read it: every byte of it but some texts and attribute values, the *holes*. A message
of a known shape is not parsed; its ids are cut out.

Why that is sound. A shape is made from a message that the scanner has parsed strictly. Its mould
(`soapgate.core.markup`) has every other byte literally, namespace declarations included, and lets a
hole hold only printable ASCII without `<`, `&`, `]` and (in an attribute) its quote: bytes that
cannot begin or end anything in XML 1.0. So whatever matches is well-formed as far as it goes and
has the same tree, with other values in the holes. What the Watch makes of that tree may depend on a
value in three ways only: it is an id; a predicate, a role or an action marker compares it; it is a
reference. Values that are compared (`Watch.consulted`) are no holes, and a message with references
makes no shape. So ids alone come from holes, and which id from which hole is not guessed: the
scanner is run once more over the same message with a mark in every hole, and where a mark comes out
is where that hole goes. What words make of a text (`Watch.finishes`) is left out of that run
(`Watch.raw`) and done to the text that was cut out: it depends on nothing but that text. Where an
id is joined of several texts nothing may be a hole. Last, the shape is tried on the message it was
made from, and dropped unless it says what the scanner said. Whatever does not fit (an entity, a
comment, a CDATA section, letters beyond ASCII, an empty or over-long id) is left to the scanner.

The Body's first child may be any that was looked at before under this shape, by its exact start
tag, and none that the Watch wants to read; in a shape that has it whole it is markup like the rest.
A Fault is in none: what it says is compared.

Bounded: shapes a Watch, first children a shape; and making one costs a fixed share of the scans
that were not served, so that a client who varies its markup on purpose gains nothing by it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

from soapgate.core.errors import Failure
from soapgate.core.markup import MARKED, PREFIX_BYTES, Hole, Mould, Unfit, literals, marked, split
from soapgate.core.octets import stands
from soapgate.core.room import Room
from soapgate.core.scanned import Found, Outcome, ScanLimits, Scanned, Use, Watch
from soapgate.core.scanner import Scanner
from soapgate.core.values import Finish, Unreadable

SHAPES = 128  # of one Watch: stacks of its clients times their headers; a large one takes 100 KB
SIBLINGS = 8  # shapes tried for one Envelope start tag
LOOKS = 256  # first children remembered for one shape: the operations of a service
SIGHTINGS = 3  # how often markup is seen before a shape is made of it
CANDIDATES = 1024  # signatures that are counted meanwhile
BARREN = 64  # messages in a row that fit no shape, after which shapes are tried
SELDOM = 8  # only for every so many, until one fits: trying costs as well
PRICE = 32  # scans that earn the making of one shape
REMEMBERED = 4096  # ids of one Watch that are not made anew: some 700 bytes each

_new: Any = tuple.__new__  # a NamedTuple's own constructor is a Python function more

WHOLE = b""  # the look of a shape that has the Body's first child

_VALUES = re.compile(rb"\"[^\"<]*\"|'[^'<]*'|(?<=>)[^<]+")
_MARKED = re.compile(MARKED.pattern.decode())  # in what the scanner says, which is text


class _Wanted(Unfit):
    """The Watch wants to read the Body's first child."""


class _Cut:
    """A text that comes out of a hole: what stands before and behind it is constant. Without a
    hole (group 0) it is constant altogether."""

    __slots__ = ("before", "behind", "group")

    def __init__(self, before: str, group: int, behind: str) -> None:
        self.before = before
        self.group = group
        self.behind = behind


class _Watched:
    """A Watch that remembers what it was asked about the Body."""

    def __init__(self, watch: ShapedWatch) -> None:
        self.watch = watch
        self.wanted: bool | None = None
        self.find = watch.raw.find  # a mark must come out as it went in

    def wants_body(self, tag: str, action: str = "", /) -> bool:
        self.wanted = self.watch.wants_body(tag, action)
        return self.wanted


class ShapedWatch(Watch, Protocol):
    """A Watch that says on which values its finds depend, ids apart."""

    @property
    def consulted(self) -> frozenset[str] | None:
        """Local names of elements and attributes whose values are compared; None: any."""

    @property
    def consulted_with_body(self) -> frozenset[str] | None:
        """The same with the Body's first child, if that is no Fault."""

    @property
    def raw(self) -> Watch:
        """The same without what is done to texts to make them ids."""

    @property
    def finishes(self) -> Mapping[tuple[str, str, str], Finish]:
        """What is done to them, by profile, use and location. It may raise Unreadable."""


class Ids:
    """The ids that a message of known shape carries: the same object for the same ids, as long as
    they are remembered. `session`: what follows from them, kept by who works it out
    (`soapgate.core.settled`)."""

    __slots__ = ("found", "session")

    found: tuple[Found, ...]
    session: Any


# What is made for a message is made without __init__: compiled, that would be a call of Python's.


def ids_of(found: tuple[Found, ...]) -> Ids:
    """These, of which nothing is worked out yet."""
    ids = Ids.__new__(Ids)
    ids.found = found
    ids.session = None
    return ids


class Told:
    """What is said of one message of known shape."""

    __slots__ = ("_bare", "_read", "_shape", "_values", "ids")

    ids: Ids
    _bare: Scanned
    _read: int
    _shape: _Shape
    _values: tuple[bytes, ...]

    @property
    def scanned(self) -> Scanned:
        """The same as a scanner would say it."""
        found, bare = self.ids.found, self._bare
        message_id = self._shape.message_id
        if not found and message_id is None:
            return bare
        outcome = Outcome.FOUND if found else Outcome.NONE
        said = None
        if message_id is not None:
            namespace, cut = message_id
            said = (namespace, _text(cut, self._values))
        return Scanned(outcome, bare.soap, found, bare.fault, said, self._read, "")


class _Shape:
    """What is known of one markup. `looks`, one to begin with: the bytes from the Body's start tag
    to the end of its first child's (or of the Body's end tag) -> what is to be said but for ids.
    `asked`: which of the mould's values ids come from; `known`: ids by these values."""

    __slots__ = (
        "asked", "ids", "known", "latest", "looks", "message_id", "mould", "said", "segments",
    )  # fmt: skip

    def __init__(
        self,
        mould: Mould,
        segments: list[bytes | Hole],
        ids: tuple[tuple[str, Use, str, _Cut, Finish | None], ...],
        message_id: tuple[str, _Cut] | None,
        looks: dict[bytes, Scanned],
    ) -> None:
        self.mould = mould
        self.segments = segments
        self.ids = ids
        self.message_id = message_id
        self.asked = tuple(sorted({cut.group for _, _, _, cut, _ in ids if cut.group}))
        self.known: dict[tuple[bytes, ...], Ids] = {}
        self.looks = looks
        # the look that came last, and what is said then: most often the next is like it
        ((self.latest, self.said),) = looks.items()


class Shapes:
    """The known shapes of one Watch."""

    def __init__(self, watch: ShapedWatch, limits: ScanLimits, *, learns: bool = True) -> None:
        """`hits` and `misses` count messages since whoever counts took them; with `learns` off
        there will never be a shape."""
        self.hits = 0
        self.misses = 0
        self.watch = watch
        self._consulted = watch.consulted if learns else None
        self._limits = limits
        self._header_bytes = limits.header_bytes
        self._known: dict[tuple[str, bytes], list[_Shape]] = {}
        self._last: dict[str, _Shape] = {}  # by action: the shape that matched last
        self._count = 0
        self._room = Room(REMEMBERED, self._forget)  # for ids that shapes remember
        self._barren = 0  # messages in a row that no shape fitted
        self._sightings: dict[object, int] = {}
        self._credit = 0

    def tell(self, data: bytes, action: str, start: int = 0) -> Told | None:
        """What a scanner would say of a UTF-8 message that begins at `start`; None: ask one.
        The message's content type must be one of XML in UTF-8, without content coding. Its end may
        be missing: whatever fits is told from what is there."""
        if self._barren > BARREN and self._barren % SELDOM:
            self._barren += 1
            return None
        last = self._last.get(action)
        told = self._cut(last, data, start) if last is not None else None
        if told is None:
            tag = data.find(b">", data.find(b"nvelope", start)) + 1
            for shape in self._known.get((action, data[start:tag]), ()):
                told = self._cut(shape, data, start) if shape is not last else None
                if told is not None:
                    self._last[action] = shape
                    break
            else:
                self._barren += 1
                return None
        self._barren = 0
        self.hits += 1
        return told

    def scan(self, data: bytes, action: str) -> Scanned | None:
        """The same, as a scanner says it."""
        told = self.tell(data, action)
        return told.scanned if told is not None else None

    def learn(self, data: bytes, action: str, scanned: Scanned) -> None:
        """Hear what a scanner said of a message that `scan` could not tell."""
        self.misses += 1
        self._credit = min(self._credit + 1, PRICE * SHAPES)
        if scanned.outcome not in (Outcome.FOUND, Outcome.NONE) or scanned.soap is None:
            return
        if self._consulted is None or self._credit < PRICE:
            return
        if (self._barren > BARREN and self._barren % SELDOM) or not self._often(data, action):
            return
        self._credit -= PRICE
        try:
            self._make(data, action, scanned)
        except Unfit:
            return

    # One message

    def _cut(self, shape: _Shape, data: bytes, start: int) -> Told | None:
        """What is told of a message, if it is of this shape."""
        end = shape.mould.fit(data, start)
        if end < 0 or end - start > self._header_bytes:
            return None
        look = shape.latest
        if stands(data, look, end):
            stop = end + len(look)
        else:
            stop = data.find(b">", end) + 1
            look = data[end:stop]
            said = shape.looks.get(look)
            if said is None:
                return None
            shape.latest, shape.said = look, said
        values = shape.mould.values()
        if shape.message_id is not None and not _text(shape.message_id[1], values):
            return None
        asked = shape.asked
        key = values if len(asked) == len(values) else tuple([values[at - 1] for at in asked])
        ids = shape.known.get(key)
        if ids is None:
            ids = self._ids(shape, values)
            if ids is None:
                return None
            if self._room.takes():
                shape.known[key] = ids
        told = Told.__new__(Told)
        told.ids = ids
        told._shape = shape
        told._bare = shape.said
        told._values = values
        told._read = stop - start
        return told

    def _ids(self, shape: _Shape, values: tuple[bytes, ...]) -> Ids | None:
        """What is cut out of these values; None where only the scanner may judge."""
        most = self._limits.id_bytes
        found = []
        for profile, use, location, cut, finish in shape.ids:
            text = _text(cut, values)
            if (cut.group and not text) or len(text) > most:
                return None  # a marker has no text; a hole without one is an absent id
            if finish is not None:
                text = _finished(finish, text, most)
                if not text:
                    return None
            found.append(_new(Found, (profile, use, text, location)))
        if len(found) > 1:
            found = list(dict.fromkeys(found))  # as a Watch tells an id once
        return ids_of(tuple(found))

    def _forget(self) -> None:
        for siblings in self._known.values():
            for one in siblings:
                one.known.clear()

    # Making shapes

    def _often(self, data: bytes, action: str) -> bool:
        tag = data.find(b">", data.find(b"nvelope")) + 1
        # of the markup alone: messages whose markup is never the same are no shape's
        signature = hash((action, data[:tag], _VALUES.sub(b"", data[tag:PREFIX_BYTES])))
        seen = self._sightings.get(signature, 0) + 1
        if len(self._sightings) >= CANDIDATES:
            self._sightings.clear()
        self._sightings[signature] = seen
        return seen >= SIGHTINGS

    def _make(self, data: bytes, action: str, scanned: Scanned) -> None:
        assert self._consulted is not None
        segments, end = split(data, self._consulted)
        stop = data.find(b">", end) + 1
        if not stop:
            raise Unfit
        try:
            self._add(segments, data[end:stop], data, action, scanned)
        except _Wanted:
            consulted = self.watch.consulted_with_body
            if consulted is None or scanned.fault:
                raise Unfit from None
            segments, _ = split(data, consulted, child=True)
            self._add(segments, WHOLE, data, action, scanned)

    def _add(
        self,
        segments: list[bytes | Hole],
        look: bytes,
        data: bytes,
        action: str,
        scanned: Scanned,
    ) -> None:
        """A shape of these segments, or another look of the one there is."""
        tag = data.find(b">", data.find(b"nvelope")) + 1
        key = (action, data[:tag])
        siblings = self._known.setdefault(key, [])
        shape = next((one for one in siblings if one.segments == literals(segments)), None)
        if shape is not None:
            self._look(shape, segments, look, action)
            return
        shape = self._shape(segments, look, action)
        told = self._cut(shape, data, 0)
        if told is None or told.scanned._replace(read=0) != scanned._replace(read=0):
            raise Unfit
        if self._count >= SHAPES:  # perhaps somebody filled it up on purpose: start afresh
            self._known = {key: (siblings := [])}
            self._last.clear()
            self._count = 0
        if len(siblings) >= SIBLINGS:
            del siblings[0]
            self._count -= 1
        siblings.append(shape)
        self._count += 1

    def _look(self, shape: _Shape, segments: list[bytes | Hole], look: bytes, action: str) -> None:
        """Another first child under a known shape."""
        if len(shape.looks) < LOOKS and len(look) < PREFIX_BYTES:
            shape.looks[look] = _bare(self._marked(segments, look, action))

    def _marked(self, segments: list[bytes | Hole], look: bytes, action: str) -> Scanned:
        """What the scanner says of the message with a mark in every hole."""
        watched = _Watched(self.watch)
        try:
            scanned = Scanner(watched, self._limits, action=action).feed(marked(segments) + look)
        except Failure:
            raise Unfit from None
        if watched.wanted and look is not WHOLE:
            raise _Wanted
        if scanned is None or scanned.fault is None or scanned.detail:
            raise Unfit
        return scanned

    def _shape(self, segments: list[bytes | Hole], look: bytes, action: str) -> _Shape:
        scanned = self._marked(segments, look, action)
        groups: dict[int, int] = {}
        finishes = self.watch.finishes
        ids = tuple(
            (p, u, at, _cut(text, groups), finishes.get((p, u, at)))
            for p, u, text, at in scanned.found
        )
        message_id = None
        if scanned.message_id is not None:
            namespace, text = scanned.message_id
            message_id = (namespace, _cut(text, groups))
        # groups are numbered as they come out; the mould has their values as they stand
        order = {hole: place for place, hole in enumerate(sorted(groups), 1)}
        renumber = {number: order[hole] for hole, number in groups.items()}
        ids = tuple((p, u, at, _renumbered(cut, renumber), fin) for p, u, at, cut, fin in ids)
        if message_id is not None:
            message_id = (message_id[0], _renumbered(message_id[1], renumber))
        return _Shape(
            Mould(segments, groups),
            literals(segments),
            ids,
            message_id,
            {look: _bare(scanned)},
        )


def _bare(scanned: Scanned) -> Scanned:
    """What a message of that markup says when it says no ids."""
    return scanned._replace(outcome=Outcome.NONE, found=(), message_id=None)


def _text(cut: _Cut, values: tuple[bytes, ...]) -> str:
    """The text of a cut; "" if its hole holds blanks only."""
    if not cut.group:
        return cut.before
    text = values[cut.group - 1].decode("ascii").strip()
    return f"{cut.before}{text}{cut.behind}" if text else ""


def _finished(finish: Finish, text: str, most: int) -> str:
    """The id that is made of a text; "" for none, and for one that only the scanner may judge."""
    try:
        text = finish(text)
    except Unreadable:
        return ""
    return text if len(text.encode("utf-8", "replace")) <= most else ""


def _cut(text: str, groups: dict[int, int]) -> _Cut:
    """Where a text with a mark in it comes from; `groups` numbers the holes that are used."""
    marks = list(_MARKED.finditer(text))
    if not marks:
        return _Cut(text, 0, "")
    if len(marks) > 1:
        raise Unfit
    number = groups.setdefault(int(marks[0][1]), len(groups) + 1)
    return _Cut(text[: marks[0].start()], number, text[marks[0].end() :])


def _renumbered(cut: _Cut, numbers: dict[int, int]) -> _Cut:
    return _Cut(cut.before, numbers[cut.group], cut.behind) if cut.group else cut
