"""The scanner: fed the bytes of a message as they come, it says what ids the envelope holds, as
soon as that can be said.

The one rule: an answer is what a full, strict parse of the message would have shown, and it does
not depend on how the bytes were cut. Every decision is therefore a function of a position in the
message - the end of a tag, a limit, the end - and never of a chunk.

So the message is cut at the end of a tag, end tags are appended for what is open there, and that
is parsed at once: strictly, by lxml, a few microseconds. What parses is right (see `cutting`).
The short way finds the place with one pattern; nearly every message is done with it. The long way
reads tag by tag, over any number of pieces, for all others: those in many pieces, and those with
something that only looks like a Body.

What counts and what does not:
- Envelope, one Header at most, Body, in one SOAP namespace, nothing else before Body: otherwise
  MALFORMED. So is an ill-formed Header, an Envelope without a Body, and any DOCTYPE (SOAP 1.1
  section 3, SOAP 1.2 part 1 section 5). They are refused: two parsers might disagree on them.
- Faults in the Body's own XML are the backend's business: what the Header held still counts.
- What is no envelope at all passes, as NOT_SOAP; what is beyond a limit passes, as LIMIT.

It refuses to know what an id is (that is the Watch's), HTTP, time and pins.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

from lxml import etree

from soapgate.core import cutting, envelope, strict
from soapgate.core.encodings import Limited, NotSoap, expect
from soapgate.core.envelope import SoapVersion
from soapgate.core.errors import Failure, Reason
from soapgate.core.scanned import Found, NeedsBody, Outcome, ScanLimits, Scanned, Watch
from soapgate.core.unwrap import Unwrap

__all__ = [
    "Found", "NeedsBody", "Outcome", "ScanLimits", "Scanned", "Scanner", "Watch", "scan",
]  # fmt: skip


_TRIES = 4  # pieces a plain header may come in: 4 KiB of it are three TCP segments
_PLAIN_CHARSETS = frozenset({"", "utf_8", "ascii"})
_DOCTYPE = b"<!DOCTYPE"


class Scanner:
    """Scans one message. `feed` pieces until it answers, `close` when there are no more; after
    an answer it is not used again. Both raise Failure MALFORMED or TOO_LARGE (source
    "downstream"); `soap`, `message_id` and `read` then say what was known by that time."""

    __slots__ = (
        "_action", "_body_closers", "_buffer", "_child_given", "_closer", "_content_encoding",
        "_content_type", "_cut", "_fault", "_found", "_head", "_lexer", "_limit", "_limits",
        "_misc", "_names", "_phase", "_root_end", "_tags", "_tries", "_unwrap", "_watch",
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
        self._fault: bool | None = None
        self._buffer: bytes | bytearray = b""
        self._unwrap: Unwrap | None = None
        self._tries = 0

    # -- in

    def feed(self, data: bytes) -> Scanned | None:
        """The answer, or None: it needs more."""
        try:
            unwrap = self._unwrap
            if unwrap is None:
                if self._buffer:
                    data = bytes(self._buffer) + data
                if self._is_plain():
                    answer = self._short_way(data)
                    if answer is not None:
                        return answer
                    if self._may_wait(data):
                        self._buffer = data
                        return None
                unwrap = self._begin()
            answer = self._through(unwrap.feed(data))
            return answer or (self._end(unwrap) if unwrap.ended else None)
        except NotSoap as why:
            return self._empty(Outcome.NOT_SOAP, str(why))
        except Limited as why:
            return self._stop(str(why))

    def close(self) -> Scanned:
        """The answer, now that the message has ended."""
        try:
            kept, unwrap = self._buffer, self._unwrap
            if unwrap is None:
                unwrap = self._begin()
                answer = self._through(unwrap.feed(bytes(kept)))
                if answer is not None:
                    return answer
            return self._end(unwrap)
        except NotSoap as why:
            return self._empty(Outcome.NOT_SOAP, str(why))
        except Limited as why:
            return self._stop(str(why))

    def _end(self, unwrap: Unwrap) -> Scanned:
        answer = self._through(unwrap.close()) or self._phase(True)
        assert answer is not None
        return answer

    def _through(self, pieces: Iterator[bytes]) -> Scanned | None:
        for piece in pieces:
            answer = self._take(piece)
            if answer is not None:
                return answer
        return None

    def _is_plain(self) -> bool:
        """Whether the bytes that come are the envelope's own, unless its first ones object."""
        charset, why_not = expect(self._content_type)
        return charset in _PLAIN_CHARSETS and not (why_not or self._content_encoding)

    def _may_wait(self, data: bytes) -> bool:
        """Whether the short way may do with one more piece: it has met an Envelope and no Body.
        Not for many: pieces are joined anew each time."""
        self._tries += 1
        return (
            self._tries < _TRIES
            and len(data) < self._limits.header_bytes
            and data.find(b"Body") < 0
            and cutting.OPENING.match(data) is not None
        )

    def _short_way(self, data: bytes) -> Scanned | None:
        """For what nearly every client sends: UTF-8, plain markup, all that matters there at
        once. None: not such a message, or not so much of it."""
        opening = cutting.OPENING.match(data)
        if opening is None:
            return None
        limits = self._limits
        tags = cutting.body_and_child(data, opening.end(), limits.header_bytes)
        if tags is None:
            return None
        body_name, cut, child, slash = tags[1], tags.end(2), tags[3], tags[4]
        end = tags.end() if child else cut
        if cut > limits.header_bytes or tags.end() - cut > limits.body_bytes:
            return None
        self._buffer = data
        closers = b"</%b></%b>" % (body_name, opening[1])
        is_open = child and not slash
        root = self._parse(end, b"</%b>%b" % (child, closers) if is_open else closers)
        if root is None:
            return None
        marks = data.count(b"<", 0, end)
        if marks > limits.tags or (
            marks > 2 * limits.depth and envelope.deeper(root, limits.depth)
        ):
            return None  # which defect comes first is for the long way to say
        self._head, body = self._parts(root, end)
        if body is None or bool(len(body)) is not bool(child):
            return None
        self._check_markup(self._head, body, end)
        if not child:
            return self._answer(False, None, fault=False, final=True)
        first: etree._Element | None = body[0]
        tag = body[0].tag
        if not self._watch.wants_body(tag, self._action):
            first = None
        elif is_open:
            most = cut + limits.body_bytes
            end = data.find(b"</%b>" % child, end, most) + len(child) + 3
            root = self._parse(end, closers) if end > cut else None
            if root is None:
                return None
            self._head, body = self._parts(root, end)
            assert body is not None
            first = body[0]
        return self._answer(False, first, fault=tag == self._names.fault, short=True)

    def _begin(self) -> Unwrap:
        """Set out on the long way."""
        unwrap = self._unwrap = Unwrap(self._content_type, self._content_encoding, self._limits)
        self._buffer = b""
        self._misc = cutting.Misc(0)
        self._phase = self._prolog
        return unwrap

    def _take(self, data: bytes) -> Scanned | None:
        if not data:
            return None
        if not self._buffer:
            self._tries += 1
            if self._tries == 1:  # plain ones have been there
                answer = self._short_way(data)
                if answer is not None:
                    return answer
            self._buffer = data  # most messages need no second piece: no copy
        else:
            buffer = self._buffer
            if not isinstance(buffer, bytearray):
                self._buffer = buffer = bytearray(buffer)
            # nothing beyond both limits is ever looked at
            room = self._limits.header_bytes + self._limits.body_bytes - len(buffer)
            buffer += data[: max(room, 0)]
        return self._phase(False)

    # -- the long way. Each phase is told whether the message has ended, goes on to the next when
    #    it can, and returns None when it needs more.

    def _prolog(self, ended: bool) -> Scanned | None:
        buffer = self._buffer
        at = self._misc.find(buffer)
        if at == cutting.MORE:
            self._no_root_yet(ended, "no root element" if ended and buffer.strip() else "empty")
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
        self._closer = b"</" + qualified + b">"
        self._root_end = 0
        self._lexer = cutting.Lexer(at)
        self._tags = 0
        self._phase = self._before_body
        return self._before_body(ended)

    def _no_root_yet(self, ended: bool, why: str) -> None:
        if ended:
            raise NotSoap(why)
        if len(self._buffer) >= self._limits.header_bytes:
            raise Limited(f"header over {self._limits.header_bytes} bytes")

    def _before_body(self, ended: bool) -> Scanned | None:
        lexer, buffer, limits = self._lexer, self._buffer, self._limits
        while lexer.find(buffer) and lexer.end <= limits.header_bytes:
            if lexer.kind == "bad":
                self._no_body(f"ill-formed at byte {lexer.start}")
            self._tags += 1
            if self._tags > limits.tags:
                self._over(f"over {limits.tags} tags before Body")
            if lexer.level > limits.depth:
                self._over(f"depth over {limits.depth}")
            if lexer.level == 1:
                if lexer.kind == "end" or lexer.empty:
                    self._no_body("no Body")
                self._root_end = lexer.end
            elif lexer.level == 2 and lexer.kind == "start":
                name = cutting.tag_name(buffer, lexer.start)
                if name is not None and name[1] == b"Body":
                    return self._at_body(ended, name[0])
        if len(buffer) >= limits.header_bytes:
            self._over(f"header over {limits.header_bytes} bytes")
        if ended:
            self._no_body("no Body")
        return None

    def _at_body(self, ended: bool, name: bytes) -> Scanned | None:
        """At the end of what should be the Body's start tag: what is before it must be right."""
        lexer = self._lexer
        self._cut = lexer.end
        self._limit = lexer.end + self._limits.body_bytes
        self._body_closers = b"</" + name + b">" + self._closer
        root = self._parse(lexer.end, self._closer if lexer.empty else self._body_closers)
        if root is None:
            self._no_body("ill-formed before Body")
        self._head, body = self._parts(root, lexer.end)
        if body is None:
            self._refuse("ill-formed before Body")
        self._check_markup(self._head, body, lexer.end)
        if lexer.empty:
            return self._answer(ended, None, fault=False, final=True)
        self._phase = self._before_child
        return self._before_child(ended)

    def _before_child(self, ended: bool) -> Scanned | None:
        """Between the Body's start tag and the end of its first child's."""
        lexer = self._lexer
        if not self._next_in_body():
            return self._without_child(ended)
        if lexer.kind == "end":
            return self._answer(ended, None, fault=False, final=True)
        name = cutting.tag_name(self._buffer, lexer.start)
        if lexer.kind == "bad" or name is None:
            return self._answer(ended, None, final=True)
        child = self._first_child(b"" if lexer.empty else b"</" + name[0] + b">")
        if child is None:
            return self._answer(ended, None, final=True)
        fault = child.tag == self._names.fault
        self._fault = fault
        if not self._watch.wants_body(child.tag, self._action):
            return self._answer(ended, None, fault=fault)
        if lexer.empty:
            return self._answer(ended, child, fault=fault)
        self._phase = self._in_child
        return self._in_child(ended)

    def _in_child(self, ended: bool) -> Scanned | None:
        """Inside a first child that is wanted, to its end."""
        lexer = self._lexer
        while self._next_in_body():
            if lexer.kind == "bad":
                return self._answer(ended, None, fault=self._fault, final=True)
            if lexer.kind == "end" and lexer.level == 3:
                child = self._first_child(b"")
                final = child is None
                return self._answer(ended, child, fault=self._fault, final=final)
        return self._without_child(ended)

    def _to_body_end(self, ended: bool) -> Scanned | None:
        """Through the rest of the Body, where a reference may lead. Without a complete Body it
        is not followed: what it leads to might be half there."""
        lexer = self._lexer
        while self._next_in_body() and lexer.kind != "bad":
            if lexer.kind == "end" and lexer.level == 2:
                root = self._parse(lexer.end, self._closer)
                if root is None:
                    return self._say(self._found, self._fault)
                self._head, body = self._parts(root, self._cut)
                child = body[0] if body is not None and self._child_given else None
                return self._answer(ended, child, fault=self._fault, final=True)
        full = len(self._buffer) >= self._limit
        if full or ended or lexer.kind == "bad":
            return self._say(self._found, self._fault, self._over_body() if full else "")
        return None

    def _next_in_body(self) -> bool:
        """Whether there is a next tag, within what may be read of the Body."""
        return self._lexer.find(self._buffer) and self._lexer.end <= self._limit

    def _without_child(self, ended: bool) -> Scanned | None:
        """No next tag: at the limit and at the end, answer from the Header."""
        if len(self._buffer) >= self._limit:
            return self._answer(
                ended, None, fault=self._fault, final=True, detail=self._over_body()
            )
        if ended:
            return self._answer(ended, None, fault=self._fault, final=True)
        return None

    def _first_child(self, closer: bytes) -> etree._Element | None:
        """The Body's first child in what is before the lexer's place; None if that is broken."""
        root = self._parse(self._lexer.end, closer + self._body_closers)
        if root is None:
            return None
        self._head, body = self._parts(root, self._cut)
        return body[0] if body is not None and len(body) else None

    def _parse(self, end: int, closers: bytes) -> etree._Element | None:
        self.read = end
        try:
            return strict.parse(bytes(self._buffer[:end]) + closers)
        except etree.XMLSyntaxError:
            return None

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
        """Blocks and attributes; each attribute has its `=`, which are quick to count."""
        limits, buffer = self._limits, self._buffer
        if header is not None and len(header) > limits.blocks:
            raise Limited(f"over {limits.blocks} header blocks")
        if buffer.count(b"=", 0, end) > limits.attributes and envelope.over_attributes(
            header, body, limits.attributes
        ):
            raise Limited(f"over {limits.attributes} attributes")

    def _answer(
        self,
        ended: bool,
        child: etree._Element | None,
        *,
        fault: bool | None = None,
        final: bool = False,
        short: bool = False,
        detail: str = "",
    ) -> Scanned | None:
        """Ask the Watch. `final`: no more of the Body can be had, or need be."""
        try:
            found = tuple(self._watch.find(self._head, child, self._action))
        except NeedsBody as needs:
            if short:
                return None  # the long way will ask again
            found = needs.found
            if not final:
                self._found = found
                self._fault = fault
                self._child_given = child is not None
                self._phase = self._to_body_end
                return self._to_body_end(ended)
        return self._say(found, fault, detail)

    def _say(self, found: tuple[Found, ...], fault: bool | None, detail: str = "") -> Scanned:
        outcome = Outcome.FOUND if found else Outcome.NONE
        if detail:
            self._refuse_bomb(detail)
            outcome = Outcome.FOUND if found else Outcome.LIMIT
        return Scanned(outcome, self.soap, found, fault, self.message_id, self.read, detail)

    def _no_body(self, defect: str) -> NoReturn:
        """Refuse, if this is a SOAP envelope at all."""
        self._see_root()
        self._refuse(defect)

    def _over(self, limit: str) -> NoReturn:
        """Give up on a header that is too big, if this is a SOAP envelope at all."""
        self._see_root()
        raise Limited(limit)

    def _see_root(self) -> None:
        end = self._root_end
        root = self._parse(end, self._closer) if end else None
        if root is not None:
            self._parts(root, end)

    def _stop(self, limit: str) -> Scanned:
        """A limit is met: in the Body, what the Header held still counts."""
        phase = self._phase if self._unwrap is not None else None
        if phase in (self._before_child, self._in_child):
            answer = self._answer(True, None, fault=self._fault, final=True, detail=limit)
            assert answer is not None
            return answer
        if phase == self._to_body_end:
            return self._say(self._found, self._fault, limit)
        return self._empty(Outcome.LIMIT, limit)

    def _empty(self, outcome: Outcome, detail: str) -> Scanned:
        if outcome is Outcome.LIMIT:
            self._refuse_bomb(detail)
        return Scanned(outcome, self.soap, (), None, self.message_id, self.read, detail)

    def _over_body(self) -> str:
        return f"body over {self._limits.body_bytes} bytes"

    def _refuse_bomb(self, detail: str) -> None:
        if self._unwrap is not None and self._unwrap.is_bomb:
            raise Failure("downstream", Reason.TOO_LARGE, f"inflation bomb: {detail}")

    def _refuse(self, detail: str) -> NoReturn:
        raise Failure("downstream", Reason.MALFORMED, detail)


def scan(data: bytes, watch: Watch, limits: ScanLimits, **options: Any) -> Scanned:
    """Scan a message that is all there; `options` are those of `Scanner`."""
    scanner = Scanner(watch, limits, **options)
    return scanner.feed(data) or scanner.close()
