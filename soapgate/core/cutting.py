"""Where an envelope may be cut: positions of tags in bytes, found once and never looked for twice.

The one rule: nothing here is believed. What these readers find in comments, CDATA sections or
attribute values is as good to them as a tag; a cut that they propose is only right if the bytes
before it, with end tags for what should be open there, parse strictly - then the parser stood in
content at the cut, with just those elements open, and the tree is the message's own up to there.

Every reader keeps its place: given a buffer that grows byte by byte it looks at each byte a
bounded number of times. It refuses to know namespaces; that is for the tree.
"""

from __future__ import annotations

import re

Buffer = bytes | bytearray

# A superset of the bytes of an NCName (Namespaces in XML 1.0, 3) in UTF-8.
NC = rb"[\w.\-\x80-\xff]{1,500}"
_SPACE = re.compile(rb"[ \t\r\n]*")
_STOP = re.compile(rb"""["'<>]""")
_TAG_NAME = re.compile(rb"<((?:" + NC + rb":)?(" + NC + rb"))(?=[\s/>])")
_PART_NAME = re.compile(rb"<[\w.\-:\x80-\xff]{0,1001}\Z")
_PREFIX = re.compile(rb"<(?:" + NC + rb":)?\Z")

MORE = -1


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
        """The position behind the `>`, or of a `<` that stands in its way; MORE while open."""
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
            if stop[0] == b">":
                return stop.end()
            if stop[0] == b"<":
                return stop.start()
            self._quote, at = stop[0], stop.end()
        self._at = len(buffer)
        return MORE


class Bodies:
    """Finds, one after the other, whatever looks like a start tag with the local name Body."""

    __slots__ = ("_at", "_behind", "_tag", "end", "name")

    def __init__(self, at: int) -> None:
        self._at = at  # where to look for the next
        self._behind = at  # no `<` before this belongs to it
        self._tag: TagEnd | None = None
        self.name = b""  # qualified, of the last one found
        self.end = 0  # behind its tag

    def find(self, buffer: Buffer) -> bool:
        """Whether there is a next one that is complete: `name` and `end` are its."""
        while self._tag is None:
            at = buffer.find(b"Body", self._at)
            if at < 0:
                self._at = max(self._at, len(buffer) - 3)
                return False
            after = buffer[at + 4 : at + 5]
            if not after:
                self._at = at
                return False
            start = buffer.rfind(b"<", self._behind, at)
            self._at = self._behind = at + 4
            # at most a prefix and its colon, so a bounded match
            if after in b" \t\r\n/>" and start >= 0 and _is_prefix(buffer, start, at):
                self._tag = TagEnd(at + 4)
                self.name = bytes(buffer[start + 1 : at + 4])
        end = self._tag.find(buffer)
        if end < 0:
            return False
        self._tag = None
        self._at = self._behind = self.end = end
        return True


def _is_prefix(buffer: Buffer, start: int, end: int) -> bool:
    return end == start + 1 or _PREFIX.match(buffer, start, end) is not None


class EndTags:
    """Finds end tags of one qualified name."""

    __slots__ = ("_at", "_inside", "_name")

    def __init__(self, name: bytes, at: int) -> None:
        self._name = b"</" + name
        self._at = at
        self._inside = False  # of an end tag, before its `>`

    def find(self, buffer: Buffer) -> int:
        """Behind the next one; MORE when there is none (yet)."""
        while not self._inside:
            at = buffer.find(self._name, self._at)
            if at < 0:
                self._at = max(self._at, len(buffer) - len(self._name) + 1)
                return MORE
            end = at + len(self._name)
            if end == len(buffer):
                self._at = at
                return MORE
            self._at = end
            self._inside = buffer[end] in b" \t\r\n>"
        end = buffer.find(b">", self._at)
        if end < 0:
            self._at = len(buffer)
            return MORE
        self._inside = False
        self._at = end + 1
        return end + 1
