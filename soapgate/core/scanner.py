"""The scanner: fed the bytes of a message as they come, it says what ids the envelope holds, as
soon as that can be said.

The one rule: an answer is what a full, strict parse of the message would have shown, and it does
not depend on how the bytes were cut. Every decision is therefore a function of a position in the
message - the end of a tag, a limit, the end - and never of a chunk.

Two ways lead there. The *cut* way finds the Body's start tag in bytes, appends end tags and
parses that prefix at once; a prefix that parses is right (see `cutting`). One that does not parse
- a comment, CDATA section or nested element that looked like the Body, or a broken Header - goes
the *stream* way: a pull parser fed over the same bytes, which decides.

What counts and what does not:
- Envelope, one Header at most, Body, in one SOAP namespace, nothing else before Body: otherwise
  MALFORMED. So is an ill-formed Header, an Envelope without a Body, and any DOCTYPE (SOAP 1.1
  section 3, SOAP 1.2 part 1 section 5). They are refused: two parsers might disagree on them.
- Faults in the Body's own XML are the backend's business: what the Header held still counts.
- What is no envelope at all passes, as NOT_SOAP; what is beyond a limit passes, as LIMIT.

It refuses to know what an id is (that is the Watch's), HTTP, time and pins.
"""

from __future__ import annotations

import re
from typing import NoReturn

from lxml import etree

from soapgate.core import cutting, envelope, strict
from soapgate.core.encodings import Inflate, NotSoap, Recode, expect, open_coding
from soapgate.core.envelope import SoapVersion
from soapgate.core.errors import Failure, Reason
from soapgate.core.scanned import Found, NeedsBody, Outcome, ScanLimits, Scanned, Watch
from soapgate.core.streaming import Stream

__all__ = [
    "Found",
    "NeedsBody",
    "Outcome",
    "ScanLimits",
    "Scanned",
    "Scanner",
    "Watch",
    "scan",
]


class _Limited(Exception):
    """A limit is met and nothing can be found; the text says which."""


_PLAIN_CHARSETS = frozenset({"", "utf_8", "ascii"})
# An XML declaration that says UTF-8 or nothing, and the root's name.
_OPENING = re.compile(
    rb"""(?:<\?xml\s+version=["']1\.0["'](?:\s+encoding=["'][uU][tT][fF]-8["'])?"""
    rb"""(?:\s+standalone=["'](?:yes|no)["'])?\s*\?>)?\s*<((?:%b:)?Envelope)(?=[\s>])"""
    % cutting.NC
)
_ATTRIBUTES = rb"""(?:\s[^<>"'/]*(?:"[^"<]*"[^<>"'/]*|'[^'<]*'[^<>"'/]*)*)?"""
# The Body's start tag and its first child's. A pattern, not a proof: see `cutting`.
_BODY_AND_CHILD = re.compile(
    rb"<((?:%(nc)b:)?Body)(%(attributes)b>)\s*<((?:%(nc)b:)?%(nc)b)%(attributes)b(/?)>"
    % {b"nc": cutting.NC, b"attributes": _ATTRIBUTES}
)
_DOCTYPE = b"<!DOCTYPE"
_SLASH = ord("/")


class Scanner:
    """Scans one message. `feed` pieces until it answers, `close` when there are no more; after
    an answer it is not used again. Both raise Failure MALFORMED or TOO_LARGE (source
    "downstream"); `soap`, `message_id` and `read` then say what was known by that time."""

    __slots__ = (
        "_action", "_bodies", "_buffer", "_child_at", "_child_tag", "_closers",
        "_content_encoding", "_content_type", "_ends", "_envelope", "_inflate", "_limit",
        "_limits", "_misc", "_names", "_phase", "_recode", "_stream", "_watch", "_whole",
        "message_id", "read", "soap",
    )  # fmt: skip

    def __init__(
        self,
        watch: Watch,
        limits: ScanLimits,
        *,
        content_type: bytes = b"",
        content_encoding: bytes = b"",
        action: str = "",
    ) -> None:
        self.soap: SoapVersion | None = None
        self.message_id: tuple[str, str] | None = None
        self.read = 0
        self._watch = watch
        self._limits = limits
        self._content_type = content_type
        self._content_encoding = content_encoding
        self._action = action
        self._whole = False  # the Watch needs the Body to its end
        self._buffer: bytes | bytearray = b""
        self._inflate: Inflate | None = None
        self._recode: Recode | None = None

    # -- in

    def feed(self, data: bytes) -> Scanned | None:
        """The answer, or None: it needs more."""
        try:
            recode = self._recode
            if recode is None:
                answer = self._at_once(data)
                if answer is not None:
                    return answer
                recode = self._begin()
            if self._inflate is None:
                return self._take(recode.feed(data))
            for piece in self._inflate.feed(data):
                answer = self._take(recode.feed(piece))
                if answer is not None:
                    return answer
            return None
        except NotSoap as why:
            return self._empty(Outcome.NOT_SOAP, str(why))
        except _Limited as why:
            return self._empty(Outcome.LIMIT, str(why))

    def close(self) -> Scanned:
        """The answer, now that the message has ended."""
        try:
            recode = self._recode or self._begin()
            answer = self._take(recode.close()) or self._phase(True)
        except NotSoap as why:
            return self._empty(Outcome.NOT_SOAP, str(why))
        except _Limited as why:
            return self._empty(Outcome.LIMIT, str(why))
        assert answer is not None
        return answer

    def _at_once(self, data: bytes) -> Scanned | None:
        """The cut way in one step, for the message that nearly every client sends: UTF-8, plain
        markup, all that matters in the first piece. None: not such a one."""
        charset, why_not = expect(self._content_type)
        if charset not in _PLAIN_CHARSETS or why_not or self._content_encoding:
            return None
        opening = _OPENING.match(data)
        if opening is None:
            return None
        limits = self._limits
        at = data.find(b"Body", opening.end(), limits.header_bytes)
        tags = _BODY_AND_CHILD.match(data, data.rfind(b"<", 0, at)) if at > 0 else None
        if tags is None:
            return None
        body_name, cut, child, slash = tags[1], tags.end(2), tags[3], tags[4]
        end = tags.end()
        if cut > limits.header_bytes or end - cut > limits.body_bytes:
            return None
        self._buffer = data
        closers = b"</%b></%b>" % (body_name, opening[1])
        root = self._parse(end, closers if slash else b"</%b>%b" % (child, closers))
        if root is None:
            return None
        header, body = self._parts(root, end)
        if body is None or not len(body):
            return None
        self._check_markup(header, body, end)
        first: etree._Element | None = body[0]
        tag = body[0].tag
        if not self._watch.wants_body(tag, self._action):
            first = None
        elif not slash:
            most = cut + limits.body_bytes
            end = data.find(b"</%b>" % child, end, most) + len(child) + 3
            root = self._parse(end, closers) if end > cut else None
            if root is None:
                return None
            header, body = self._parts(root, end)
            assert body is not None
            first = body[0]
        return self._answer(False, end, header, first, tag == self._names.fault)

    def _begin(self) -> Recode:
        """Set out on the long way."""
        charset, why_not = expect(self._content_type)
        if why_not:
            raise NotSoap(why_not)
        self._inflate = open_coding(self._content_encoding)
        self._buffer = b""
        self._misc = cutting.Misc(0)
        self._phase = self._prolog
        self._recode = Recode(charset)
        return self._recode

    def _take(self, data: bytes) -> Scanned | None:
        if not data:
            return None
        if not self._buffer:
            self._buffer = data  # most messages need no second piece: no copy
        else:
            buffer = self._buffer
            if not isinstance(buffer, bytearray):
                self._buffer = buffer = bytearray(buffer)
            # nothing beyond both limits is ever looked at
            room = self._limits.header_bytes + self._limits.body_bytes - len(buffer)
            buffer += data[: max(room, 0)]
        return self._phase(False)

    # -- the cut way. Each phase is told whether the message has ended, goes on to the next when
    #    it can, and returns None when it needs more.

    def _prolog(self, ended: bool) -> Scanned | None:
        buffer = self._buffer
        at = self._misc.find(buffer)
        if at == cutting.MORE:
            self._no_root_yet(ended, "no root element" if buffer.strip() else "empty")
            return None
        name = cutting.tag_name(buffer, at)
        if name is None:
            token = buffer[at : at + len(_DOCTYPE)]
            if token == _DOCTYPE:
                self._refuse("DOCTYPE")
            if _DOCTYPE.startswith(token) or cutting.may_be_name(buffer, at):
                self._no_root_yet(ended, "not XML")
                return None
            raise NotSoap("not XML")
        qualified, local = name
        if local != b"Envelope":
            raise NotSoap("root is " + qualified[:100].decode("utf-8", "replace"))
        self._envelope = b"</" + qualified + b">"
        self._bodies = cutting.Bodies(at + len(qualified) + 1)
        self._phase = self._header
        return self._header(ended)

    def _no_root_yet(self, ended: bool, why: str) -> None:
        if ended:
            raise NotSoap(why)
        if len(self._buffer) >= self._limits.header_bytes:
            self._over_header()

    def _header(self, ended: bool) -> Scanned | None:
        bodies, most = self._bodies, self._limits.header_bytes
        if not bodies.find(self._buffer) or bodies.end > most:
            if ended or len(self._buffer) >= most:
                return self._turn_to_stream(ended)
            return None
        self._limit = bodies.end + self._limits.body_bytes
        if self._buffer[bodies.end - 2] == _SLASH:
            return self._judge(ended, bodies.end, self._envelope, fault=False)
        self._closers = b"</" + bodies.name + b">" + self._envelope
        self._misc = cutting.Misc(bodies.end)
        self._child_tag: cutting.TagEnd | None = None
        self._phase = self._body
        return self._body(ended)

    def _body(self, ended: bool) -> Scanned | None:
        """Between the Body's start tag and the end of its first child's."""
        buffer = self._buffer
        if self._child_tag is None:
            at = self._misc.find(buffer)
            name = cutting.tag_name(buffer, at) if at != cutting.MORE else None
            if at == cutting.MORE or at + 2 > self._limit:
                return self._no_child_yet(ended)
            if name is None:
                if buffer[at : at + 2] == b"</":
                    return self._judge(ended, self._bodies.end, self._closers, fault=False)
                if cutting.may_be_name(buffer, at):
                    return self._no_child_yet(ended)
                return self._turn_to_stream(ended)  # text, CDATA, or no XML
            self._child_at = at
            self._child_tag = cutting.TagEnd(at + len(name[0]) + 1)
        end = self._child_tag.find(buffer)
        if end == cutting.MORE or end > self._limit:
            return self._no_child_yet(ended)
        if buffer[end - 2] == _SLASH:
            return self._judge(ended, end, self._closers)
        name = cutting.tag_name(buffer, self._child_at)
        assert name is not None
        self._ends = cutting.EndTags(name[0], end)
        return self._judge(ended, end, b"</" + name[0] + b">" + self._closers, child_open=True)

    def _no_child_yet(self, ended: bool) -> Scanned | None:
        """Wait, or answer from the Header."""
        if len(self._buffer) >= self._limit:
            detail = self._over_body()
            return self._judge(ended, self._bodies.end, self._closers, detail=detail)
        if ended:
            return self._judge(ended, self._bodies.end, self._closers)
        return None

    def _judge(
        self,
        ended: bool,
        end: int,
        closers: bytes,
        *,
        fault: bool | None = None,
        child_open: bool = False,
        detail: str = "",
    ) -> Scanned | None:
        """Parse up to `end` and answer, or go on: into a first child that is wanted, or to the
        stream if this was no place to cut. `fault` is for a Body that has no child there."""
        root = self._parse(end, closers)
        if root is None:
            return self._turn_to_stream(ended)
        header, body = self._parts(root, end)
        if body is None:
            return self._turn_to_stream(ended)
        self._check_markup(header, body, end)
        child: etree._Element | None = body[0] if len(body) else None
        if child is not None:
            fault = child.tag == self._names.fault
            if not self._watch.wants_body(child.tag, self._action):
                child = None
            elif child_open:
                self._phase = self._child
                return self._child(ended)
        return self._answer(ended, end, header, child, fault, final=bool(detail), detail=detail)

    def _child(self, ended: bool) -> Scanned | None:
        """Inside a first child that is wanted."""
        end = self._ends.find(self._buffer)
        if end == cutting.MORE or end > self._limit:
            if ended or len(self._buffer) >= self._limit:
                return self._turn_to_stream(ended)
            return None
        root = self._parse(end, self._closers)
        if root is None:
            return self._turn_to_stream(ended)
        header, body = self._parts(root, end)
        assert body is not None
        return self._answer(ended, end, header, body[0], body[0].tag == self._names.fault)

    def _parse(self, end: int, closers: bytes) -> etree._Element | None:
        try:
            return strict.parse(bytes(self._buffer[:end]) + closers)
        except etree.XMLSyntaxError:
            return None

    # -- the stream way

    def _turn_to_stream(self, ended: bool) -> Scanned | None:
        self._stream = Stream()
        self._phase = self._stream_header
        return self._stream_header(ended)

    def _stream_header(self, ended: bool) -> Scanned | None:
        """Feed up to one place after the other that looks like the Body's start tag."""
        stream, bodies, most = self._stream, self._bodies, self._limits.header_bytes
        while True:
            if stream.fed < bodies.end <= most:
                stream.feed(self._buffer, bodies.end)
                header, body = self._streamed()
                if body is not None:
                    break
            elif not bodies.find(self._buffer) or bodies.end > most:
                if len(self._buffer) >= most:
                    stream.feed(self._buffer, most)
                    self._streamed()
                    self._over_header()
                if not ended:
                    return None
                stream.feed(self._buffer, len(self._buffer))
                self._streamed()
                self._refuse("no Body")
        self._check_markup(header, body, bodies.end)
        stream.enter_body(body)
        self._limit = bodies.end + self._limits.body_bytes
        self._phase = self._stream_body
        return self._stream_body(ended)

    def _streamed(self) -> tuple[etree._Element | None, etree._Element | None]:
        """Header and Body as far as they were fed."""
        stream = self._stream
        self.read = stream.fed
        parts = (None, None) if stream.root is None else self._parts(stream.root, stream.fed)
        if stream.depth_reached > self._limits.depth:
            raise _Limited(f"depth over {self._limits.depth}")
        if stream.broken:
            self._refuse(f"ill-formed at {stream.broken}")
        return parts

    def _stream_body(self, ended: bool) -> Scanned | None:
        stream = self._stream
        full = len(self._buffer) >= self._limit
        stream.feed(self._buffer, self._limit if full else len(self._buffer))
        if full:
            stream.look_ahead()
        child = stream.child
        fault = False if stream.body_done else None
        wanted = False
        if child is not None:
            fault = child.tag == self._names.fault
            wanted = self._watch.wants_body(child.tag, self._action)
        settled = stream.body_done or (
            not self._whole and child is not None and (stream.child_done or not wanted)
        )
        final = full or ended or stream.body_done or bool(stream.broken)
        if not settled and not final:
            return None
        assert stream.root is not None
        header, _ = self._parts(stream.root, stream.fed)
        detail = "" if settled or stream.broken or not full else self._over_body()
        given = child if wanted and stream.child_done else None
        return self._answer(ended, stream.fed, header, given, fault, final=final, detail=detail)

    # -- out

    def _parts(
        self, root: etree._Element, end: int
    ) -> tuple[etree._Element | None, etree._Element | None]:
        """Header and Body, None for what is not (yet) there, of what was parsed up to `end`."""
        names = envelope.ENVELOPES.get(root.tag)
        if names is None:
            raise NotSoap(f"root is {root.tag[:200]}")
        self._names = names
        self.soap = names.version
        header, body, defect = envelope.parts(root, names)
        if header is not None and self._buffer.find(b"MessageID", 0, end) >= 0:
            self.message_id = envelope.message_id(header)
        if defect:
            self._refuse(defect)
        return header, body

    def _check_markup(self, header: etree._Element | None, body: etree._Element, end: int) -> None:
        """Depth, blocks, attributes. Counting bytes settles it for nearly every message: each
        element has its `<`, each attribute its `=`."""
        limits, buffer = self._limits, self._buffer
        if buffer.count(b"<", 0, end) > min(limits.depth, limits.blocks) and header is not None:
            if len(header) > limits.blocks:
                raise _Limited(f"over {limits.blocks} header blocks")
            if envelope.over_depth(header, limits.depth):
                raise _Limited(f"depth over {limits.depth}")
        if buffer.count(b"=", 0, end) > limits.attributes and envelope.over_attributes(
            header, body, limits.attributes
        ):
            raise _Limited(f"over {limits.attributes} attributes")

    def _answer(
        self,
        ended: bool,
        read: int,
        header: etree._Element | None,
        child: etree._Element | None,
        fault: bool | None,
        *,
        final: bool = False,
        detail: str = "",
    ) -> Scanned | None:
        """Ask the Watch. `final`: no more of the Body can be had."""
        self.read = read
        try:
            found = tuple(self._watch.find(header, child, self._action))
        except NeedsBody as needs:
            if not final and not self._whole:
                if self._recode is None:
                    return None  # the long way will ask again
                self._whole = True
                again = self._phase == self._stream_body
                return self._stream_body(ended) if again else self._turn_to_stream(ended)
            found = needs.found
        outcome = Outcome.FOUND if found else Outcome.NONE
        if detail:
            self._refuse_bomb(detail)
            outcome = Outcome.FOUND if found else Outcome.LIMIT
        return Scanned(outcome, self.soap, found, fault, self.message_id, read, detail)

    def _empty(self, outcome: Outcome, detail: str) -> Scanned:
        if outcome is Outcome.LIMIT:
            self._refuse_bomb(detail)
        return Scanned(outcome, self.soap, (), None, self.message_id, self.read, detail)

    def _over_header(self) -> NoReturn:
        self.read = self._limits.header_bytes
        raise _Limited(f"header over {self._limits.header_bytes} bytes")

    def _over_body(self) -> str:
        return f"body over {self._limits.body_bytes} bytes"

    def _refuse_bomb(self, detail: str) -> None:
        inflate = self._inflate
        if inflate is not None and inflate.made > inflate.read * self._limits.inflate_ratio:
            raise Failure("downstream", Reason.TOO_LARGE, f"inflation bomb: {detail}")

    def _refuse(self, detail: str) -> NoReturn:
        raise Failure("downstream", Reason.MALFORMED, detail)


def scan(
    data: bytes,
    watch: Watch,
    limits: ScanLimits,
    *,
    content_type: bytes = b"",
    content_encoding: bytes = b"",
    action: str = "",
) -> Scanned:
    """Scan a message that is all there."""
    scanner = Scanner(
        watch,
        limits,
        content_type=content_type,
        content_encoding=content_encoding,
        action=action,
    )
    return scanner.feed(data) or scanner.close()
