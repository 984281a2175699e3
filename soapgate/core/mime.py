"""The root part of a multipart/related message (MTOM/XOP, SOAP with Attachments), piece by piece.

The root is the part whose Content-ID is the `start` parameter of the message's Content-Type; the
first part without `start`, or where `start` names none (RFC 2387 3.2). Parts before it are skipped
and what follows it is never looked at, so of several parts of one Content-ID the first is meant.

The one rule: what readers in use split in different ways is refused as MALFORMED, for a gateway
and a backend that take different parts for the root might read two envelopes. By RFC 2046 5.1.1 a
line that begins with the boundary is a delimiter whatever follows; Metro, Axiom and Python want
nothing but blanks to follow, CXF looks at no line ends at all, and Metro not in front of the
first delimiter. So up to the end of the root a boundary at the beginning of a line is a delimiter
if only blanks follow, the last one if `--` and blanks do, and otherwise refused; inside a line it
is text, but refused before the first delimiter. So are two different boundaries, `start`s, or
fields of a part that matter, and a part's head that is none. A `start` that names a later part is
honoured, although some readers always take the first: that is what the RFC says.

Leniency where all agree or no one could be misled: LF for CRLF, blanks behind a delimiter, a byte
order mark before the first, folded fields, unquoted values, `start` or Content-ID without angle
brackets or with `cid:` before it (old Axis2), a missing last delimiter.

Bounded: `ScanLimits.multipart_bytes` in front of the root, `PARTS` parts, `HEAD_BYTES` of a head.
No more is held than that, and of the root no more than a delimiter's length. It refuses to know
charsets and envelopes. Python's email package was dropped: it wants the whole message.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, NoReturn

from soapgate.core.encodings import Limited, NotSoap
from soapgate.core.errors import Failure, Reason
from soapgate.core.transfer_encodings import Transfer, open_transfer

HEAD_BYTES = 16 * 1024  # of one part's head; mime4j takes 10,000, nobody sends 1,000
PARTS = 100  # up to the root; CXF takes 50 in all
_BLANKS = 1000  # behind a boundary

_KIND = re.compile(rb"\s*multipart/related\s*(?:[;,]|\Z)", re.IGNORECASE)
_PARAMETER = re.compile(r';\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))', re.DOTALL)
_SAYS_BOUNDARY = re.compile(r"boundary[*\d]*\s*=", re.IGNORECASE)
# RFC 2046 allows 70 characters and some make theirs of several URNs; it allows fewer characters
# than these, and Spyne sends <>.
_BOUNDARY = re.compile(r"[!#-\[\]-~ ]{0,255}[!#-\[\]-~]")
_CONTINUED = re.compile(r"(?:boundary|start)\*", re.IGNORECASE)  # RFC 2231

_BEHIND = re.compile(rb"(--)?[ \t]{0,%d}\r?\n" % _BLANKS)
_PART_BEHIND = re.compile(rb"-|(?:--)?[ \t]{0,%d}\r?" % _BLANKS)
_BLANK_LINE = re.compile(rb"(?:\A|\n)\r?\n")
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
_FIELD = re.compile(rb"([!-9;-~]+):[ \t]*([^\r\n\0]*)\r?")
_KNOWN_FIELDS = frozenset(
    {b"content-type", b"content-id", b"content-transfer-encoding", b"content-encoding"}
)
_ON = "a line that begins with the boundary and goes on"

Kind = Literal["", "part", "close"]


class Related(NamedTuple):
    """What the Content-Type of a multipart/related message says. `start` is "" if absent."""

    boundary: bytes
    start: str


def related(content_type: bytes) -> Related | None:
    """What is said of a multipart/related message; None for any other.

    Raises NotSoap without a boundary, Failure MALFORMED for parameters that can be read in more
    than one way.
    """
    if _KIND.match(content_type) is None:
        return None
    text = content_type.decode("latin-1")
    said: dict[str, str] = {}
    for name, quoted, plain in _PARAMETER.findall(text):
        value = re.sub(r"\\(.)", r"\1", quoted) if "\\" in quoted else quoted or plain
        if _CONTINUED.match(name) or said.setdefault(name.lower(), value) != value:
            _refuse(f"an ambiguous {name[:40]} parameter of multipart/related")
    boundary = said.get("boundary", "")
    if text.lower().count("boundary") > 1 and len(_SAYS_BOUNDARY.findall(text)) > 1:
        # one in quotes, or the same twice: some look for the first, some for the last of all
        _refuse("two boundaries of multipart/related")
    if not boundary:
        raise NotSoap("multipart/related without a boundary")
    if not _BOUNDARY.fullmatch(boundary):
        _refuse("a boundary of multipart/related that is none")
    return Related(boundary.encode("ascii"), _bare(said.get("start", "")))


class Place(NamedTuple):
    """Where a part stands: `head` is its head, the empty line included, `begins` the octet of the
    message that its content begins with. `name`: its Content-ID without brackets, "" for none."""

    head: bytes
    begins: int
    name: str


class Root:
    """Reads the root part out of one message. `feed` its pieces, then `close`; `content_type` is
    the root's ("" if it has none) as soon as its head was read, `place` where it stands, and
    `ended` says that no more of it will come. `opens` makes of a Content-Transfer-Encoding what
    undoes it. All raise NotSoap, Limited, and Failure MALFORMED behind what can be read."""

    __slots__ = (
        "_at_line", "_delimiter", "_fed", "_first", "_first_head", "_first_place", "_given",
        "_held", "_most", "_opens", "_parts", "_phase", "_seen", "_start", "_transfer",
        "content_type", "ended", "place",
    )  # fmt: skip

    def __init__(
        self,
        related: Related,
        multipart_bytes: int,
        opens: Callable[[bytes], Transfer] = open_transfer,
    ) -> None:
        self.content_type: bytes | None = None
        self.place: Place | None = None
        self.ended = False
        self._delimiter = b"--" + related.boundary
        self._start = related.start
        self._most = multipart_bytes
        self._opens = opens
        self._fed = 0
        self._given = 0  # octets of the message up to the end of _held
        self._held = b""
        self._at_line = True  # _held begins a line
        self._seen = 0  # of _held, in a head
        self._parts = 0
        self._phase: Literal["preamble", "head", "skip", "first", "root"] = "preamble"
        self._first = bytearray()  # the first part, while nobody is named by `start`
        self._first_head: dict[bytes, bytes] | None = None
        self._first_place: Place | None = None
        self._transfer: Transfer | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The pieces of the root, decoded."""
        if self._transfer is None:
            room = self._most - self._fed
            self._fed += len(data)
            yield from self._read(data[:room], ended=False)
            data = data[room:]
            if data and self._transfer is None:
                raise Limited(f"{self._most} bytes of multipart and no root")
        if data and not self.ended:
            yield from self._read(data, ended=False)

    def close(self) -> Iterator[bytes]:
        """What is left when no more bytes come."""
        if not self.ended:
            yield from self._read(b"", ended=True)
        if not self.ended:
            yield from self._without_close()

    def _read(self, data: bytes, *, ended: bool) -> Iterator[bytes]:
        self._held += data
        self._given += len(data)
        while not self.ended:
            if self._phase == "head":
                if not self._read_head():
                    return
                continue
            end, kind, fault = self._content(ended)
            content, self._held = self._held[:end], self._held[end:]
            self._at_line = self._at_line and not end
            if self._phase == "root":
                assert self._transfer is not None
                yield from self._transfer.feed(content)
            elif self._phase == "first":
                self._first += content
            if fault:
                _refuse(fault)
            if not kind:
                return
            if self._phase == "root":
                self.ended = True
            elif kind == "close":
                yield from self._without_close()
            else:
                self._begin_head()

    def _without_close(self) -> Iterator[bytes]:
        """The multipart is over: take the first part if the root did not come."""
        self.ended = True
        if self._transfer is None:
            if self._first_head is None:
                raise NotSoap("multipart/related without a part")
            self.place = self._first_place
            yield from self._open(self._first_head).feed(bytes(self._first))

    # -- delimiters

    def _content(self, ended: bool) -> tuple[int, Kind, str]:
        """(end, what follows, defect): how much of what is held is surely content, and the
        delimiter or the defect behind it, if one is there."""
        held, delimiter = self._held, self._delimiter
        at = held.find(delimiter)
        while at >= 0:
            before = held[at - 1 : at] if at else b"\n" if self._at_line else b""
            if before == b"\n" or (self._phase == "preamble" and self._behind_mark(at)):
                return self._judge(at, ended)
            if before == b"\r":
                return at - 1, "", "a boundary behind a bare CR"
            if self._phase == "preamble":
                return 0, "", "a boundary inside a line before the first part"
            at = held.find(delimiter, at + 1)
        open_end = 0 if ended else len(delimiter) + len(codecs.BOM_UTF8)
        return max(len(held) - open_end, 0), "", ""

    def _judge(self, at: int, ended: bool) -> tuple[int, Kind, str]:
        """The boundary at `at` begins a line: what is it?"""
        held, behind = self._held, at + len(self._delimiter)
        end = 0  # nothing, or a byte order mark, stands before
        if at and held[at - 1 : at] == b"\n":  # the line end before belongs to the delimiter
            end = at - 2 if at > 1 and held[at - 2 : at - 1] == b"\r" else at - 1
        found = _BEHIND.match(held, behind)
        if found is not None:
            if self._phase != "root":
                self._parts += 1
            return end, "close" if found[1] else "part", ""
        if _PART_BEHIND.fullmatch(held, behind):
            return end, "close" if ended else "", ""
        return end, "", _ON

    def _behind_mark(self, at: int) -> bool:
        """Whether nothing but a byte order mark stands before: Windows tools write one."""
        return self._at_line and at == 3 and self._held.startswith(codecs.BOM_UTF8)

    # -- heads

    def _begin_head(self) -> None:
        """Behind the delimiter that is held, with the line end before it."""
        if self._parts > PARTS:
            raise Limited(f"{PARTS} parts of multipart and no root")
        behind = self._held.index(self._delimiter) + len(self._delimiter)
        self._held = self._held[self._held.index(b"\n", behind) + 1 :]
        self._seen = 0
        self._phase = "head"

    def _read_head(self) -> bool:
        """Whether the head is all there; what begins behind it is then known."""
        held = self._held
        blank = _BLANK_LINE.search(held, self._seen)
        if (blank.end() if blank else len(held)) > HEAD_BYTES:
            _refuse(f"a part with a head over {HEAD_BYTES} bytes")
        if blank is None:
            self._seen = max(len(held) - 2, 0)
            return False
        head = _fields(held[: blank.start()])
        self._held = held[blank.end() :]
        self._at_line = True
        name = _bare(head.get(b"content-id", b"").decode("latin-1"))
        if not self._start or name == self._start:
            self._open(head)
            self.place = Place(held[: blank.end()], self._given - len(self._held), name)
            self._phase = "root"
        elif self._first_head is None:
            self._first_head = head
            self._first_place = Place(held[: blank.end()], self._given - len(self._held), name)
            self._phase = "first"
        else:
            self._phase = "skip"
        return True

    def _open(self, head: dict[bytes, bytes]) -> Transfer:
        self.content_type = head.get(b"content-type", b"")
        coding = head.get(b"content-encoding", b"").lower()
        if coding not in (b"", b"identity"):
            raise NotSoap(f"content encoding {coding[:40].decode('latin-1')} of the root part")
        self._transfer = self._opens(head.get(b"content-transfer-encoding", b""))
        return self._transfer


def _bare(content_id: str) -> str:
    """A Content-ID, or what names one, without its brackets."""
    content_id = content_id.strip()
    if content_id[:1] == "<" and content_id[-1:] == ">":
        content_id = content_id[1:-1].strip()
    return content_id.removeprefix("cid:")


def _fields(head: bytes) -> dict[bytes, bytes]:
    """The fields of a part's head that matter, by names in lower case (RFC 2045 3).

    Raises Failure MALFORMED for a line that is no field, or two that disagree.
    """
    found: dict[bytes, bytes] = {}
    for line in _FOLD.sub(b" ", head).split(b"\n") if head else ():
        field = _FIELD.fullmatch(line)
        if field is None:
            _refuse("a line in a part's head that is no field")
        name, value = field[1].lower(), field[2].strip(b" \t")
        if name in _KNOWN_FIELDS and found.setdefault(name, value) != value:
            _refuse(f"two {name.decode()} of a part")
    return found


def _refuse(detail: str) -> NoReturn:
    raise Failure("downstream", Reason.MALFORMED, detail)
