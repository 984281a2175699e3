"""Where an envelope may be cut: tags in bytes, found once and never looked for twice.

The one rule: nothing here is believed. A cut that is proposed is only right if the bytes before
it, with end tags for what should be open there, parse strictly: then the parser stood in content
at the cut, with just those elements open, and the tree is the message's own up to there. So a
reader that takes a comment for a tag costs time and never an answer.

Every reader keeps its place: given a buffer that grows byte by byte it looks at each byte a
bounded number of times. It refuses to know namespaces; they are the tree's. A pull parser was
dropped: its answers depend on how it is fed, it takes an undeclared prefix, and it cannot be
moved to the thread that keeps strangers' names apart (see `strict`).
"""

from __future__ import annotations

import re
from typing import Literal

Buffer = bytes | bytearray

# A superset of the bytes of an NCName (Namespaces in XML 1.0, 3) in UTF-8.
NC = rb"[\w.\-\x80-\xff]{1,500}"
# An XML declaration that says UTF-8 or nothing, and the root's name.
OPENING = re.compile(
    rb"""(?:<\?xml\s+version=["']1\.0["'](?:\s+encoding=["'][uU][tT][fF]-8["'])?"""
    rb"""(?:\s+standalone=["'](?:yes|no)["'])?\s*\?>)?\s*<((?:%b:)?Envelope)(?=[\s>])""" % NC
)
_ATTRIBUTES = rb"""(?:\s[^<>"'/]*(?:"[^"<]*"[^<>"'/]*|'[^'<]*'[^<>"'/]*)*)?"""
# The Body's start tag and its first child's, or the Body's end. A pattern, not a proof.
BODY_AND_CHILD = re.compile(
    rb"<((?:%(nc)b:)?Body)(%(attributes)b>)\s*<(?:/|((?:%(nc)b:)?%(nc)b)%(attributes)b(/?)>)"
    % {b"nc": NC, b"attributes": _ATTRIBUTES}
)
# Places that speak of a Body and are none (signatures name it) before the search is left.
SPOKEN_OF = 16
_SPACE = re.compile(rb"[ \t\r\n]*")
_STOP = re.compile(rb"""["'<>]""")
_TAG_NAME = re.compile(rb"<((?:" + NC + rb":)?(" + NC + rb"))(?=[\s/>])")
_PART_NAME = re.compile(rb"<[\w.\-:\x80-\xff]{0,1001}\Z")

MORE = -1


def body_and_child(data: bytes, start: int, end: int) -> re.Match[bytes] | None:
    """What looks like the Body's start tag and its first child's, between `start` and `end`."""
    at = start
    for _ in range(SPOKEN_OF):
        at = data.find(b"Body", at, end)
        if at < 0:
            return None
        tags = BODY_AND_CHILD.match(data, data.rfind(b"<", 0, at))
        if tags is not None:
            return tags
        at += 4
    return None


def tag_name(buffer: Buffer, at: int) -> tuple[bytes, bytes] | None:
    """(qualified name, local name) of the start tag at `at`; None when there is none (yet)."""
    match = _TAG_NAME.match(buffer, at)
    return (match[1], match[2]) if match else None


def may_be_name(buffer: Buffer, at: int) -> bool:
    """Whether what stands at `at` may still become the beginning of a start tag."""
    return _PART_NAME.match(buffer, at) is not None


class Misc:
    """Skips white space, comments and processing instructions (XML 1.0, production 27)."""

    __slots__ = ("_at", "_closer", "_seen")

    def __init__(self, at: int) -> None:
        self._at = at
        self._closer = b""  # of the comment or instruction that we are in
        self._seen = at

    def find(self, buffer: Buffer) -> int:
        """Where the first thing that is neither begins; MORE while that is open."""
        while True:
            if self._closer:
                end = buffer.find(self._closer, self._seen)
                if end < 0:
                    self._seen = max(self._seen, len(buffer) - len(self._closer) + 1)
                    return MORE
                self._at = end + len(self._closer)
                self._closer = b""
            space = _SPACE.match(buffer, self._at)
            assert space is not None
            at = self._at = space.end()
            head = buffer[at : at + 4]
            if head[:2] == b"<?":
                self._closer, self._seen = b"?>", at + 2
            elif head == b"<!--":
                self._closer, self._seen = b"-->", at + 4
            elif head in (b"", b"<", b"<!", b"<!-"):
                return MORE
            else:
                return at


class TagEnd:
    """Finds the `>` of a start tag; one inside quotes is none."""

    __slots__ = ("_at", "_quote")

    def __init__(self, at: int) -> None:
        """`at`: behind the tag's name."""
        self._at = at
        self._quote = b""

    def find(self, buffer: Buffer) -> int:
        """The position behind the `>`, or behind a `<` that is there first; MORE while open."""
        at = self._at
        while True:
            if self._quote:
                end = buffer.find(self._quote, at)
                if end < 0:
                    break
                at = end + 1
                self._quote = b""
            stop = _STOP.search(buffer, at)
            if stop is None:
                break
            if stop[0] in b"<>":
                return stop.end()
            self._quote, at = stop[0], stop.end()
        self._at = len(buffer)
        return MORE


Kind = Literal["start", "end", "bad"]


class Lexer:
    """Tells tags from what only looks like them, and how deep they stand: exact for well-formed
    XML, and for anything else a guess that the parse will find out.

    After `find` said True: `kind` of the tag, its `start` and `end` (behind it), its element's
    `level` (the root is at 1), and whether it is `empty` (`<x/>`). A "bad" one is no tag at all,
    and nothing comes after it.
    """

    __slots__ = ("_at", "_closer", "_depth", "_tag", "empty", "end", "kind", "level", "start")

    def __init__(self, at: int) -> None:
        """`at`: the `<` of the root's start tag."""
        self._at = at
        self._closer = b""  # of what we are in, unless it is a start tag
        self._tag: TagEnd | None = None
        self.kind: Kind = "start"
        self.start = self.end = at
        self.level = 0
        self.empty = False
        self._depth = 0  # elements that are open

    def find(self, buffer: Buffer) -> bool:
        """Whether there is a next tag that is complete."""
        while self.kind != "bad":
            if self._tag is not None:
                end = self._tag.find(buffer)
                if end == MORE:
                    return False
                self._tag = None
                return self._close("start" if buffer[end - 1 : end] == b">" else "bad", end, buffer)
            if self._closer:
                end = buffer.find(self._closer, self._at)
                if end < 0:
                    self._at = max(self._at, len(buffer) - len(self._closer) + 1)
                    return False
                end = self._at = end + len(self._closer)
                if self._closer == b">":
                    return self._close("end", end, buffer)
                self._closer = b""
            if not self._open(buffer):
                return False
        return True

    def _open(self, buffer: Buffer) -> bool:
        """Find out what begins at the next `<`; False while that cannot be told."""
        at = buffer.find(b"<", self._at)
        self._at = at if at >= 0 else len(buffer)
        head = buffer[at : at + 9] if at >= 0 else b""
        if len(head) < 2:
            return False
        if head[:2] == b"</":
            self._closer, self._at = b">", at + 2
        elif head[:2] == b"<?":
            self._closer, self._at = b"?>", at + 2
        elif head[:4] == b"<!--":
            self._closer, self._at = b"-->", at + 4
        elif head == b"<![CDATA[":
            self._closer, self._at = b"]]>", at + 9
        elif head[:2] != b"<!":
            self._tag = TagEnd(at + 1)
        elif _may_open(head):
            return False
        else:
            self.kind = "bad"
            self.end = at + next(n for n in range(3, 10) if not _may_open(head[:n]))
        self.start = at
        return True

    def _close(self, kind: Kind, end: int, buffer: Buffer) -> bool:
        self._closer = b""
        self.empty = kind == "start" and buffer[end - 2 : end - 1] == b"/"
        self.level = self._depth + (kind == "start")
        self._depth = self.level - (kind == "end" or self.empty)
        self.kind = kind
        self._at = self.end = end
        return True


def _may_open(head: Buffer) -> bool:
    return b"<!--".startswith(head) or b"<![CDATA[".startswith(head)
