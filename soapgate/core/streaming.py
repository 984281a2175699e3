"""A pull parser that knows where in an envelope it is: for messages that could not be cut.

The one rule: what it says of the bytes fed so far is theirs alone, and an error comes after
everything that stands before it. It refuses to judge the shape of the envelope or to know
limits of size; whoever feeds it decides how far, and must feed up to positions of the message,
not of its pieces, where the answer is to depend on nothing else.
"""

from __future__ import annotations

from lxml import etree

from soapgate.core import strict
from soapgate.core.cutting import Buffer


class Stream:
    """Depths: 1 the Envelope, 2 Header and Body, 3 their children.

    `root`, `child` (the first of `body`) are None until their start tags are complete;
    `child_done` and `body_done` say that their end tags are. `broken` says where the XML ended
    to be well-formed, "" while it is. `depth_reached` is the deepest outside the Body.
    """

    __slots__ = (
        "_body_open", "_depth", "_parser", "body", "body_done", "broken", "child", "child_done",
        "depth_reached", "fed", "root",
    )  # fmt: skip

    def __init__(self) -> None:
        self._parser: etree.XMLPullParser | None = None
        self._depth = 0
        self._body_open = False
        self.fed = 0
        self.broken = ""
        self.depth_reached = 0
        self.root: etree._Element | None = None
        self.body: etree._Element | None = None
        self.body_done = False
        self.child: etree._Element | None = None
        self.child_done = False

    def feed(self, buffer: Buffer, end: int) -> None:
        """Read on, up to position `end` of the message, which `buffer` begins with."""
        if end <= self.fed or self.broken:
            return
        data = bytes(buffer[self.fed : end])
        self.fed = end
        self._read(data)

    def look_ahead(self) -> None:
        """Make the parser report what it has read but held back for want of the next byte: a
        space completes no token that was open. Nothing can be fed afterwards."""
        if not self.broken:
            self._read(b" ")

    def enter_body(self, body: etree._Element) -> None:
        """Said by the feeder: `body`, whose start tag was the last thing fed, is the Body."""
        self.body = body
        self._body_open = True

    def _read(self, data: bytes) -> None:
        try:
            if self._parser is None:
                self._parser = strict.pull(data[:1])
                data = data[1:]
            if data:
                self._parser.feed(data)
        except etree.XMLSyntaxError as error:
            # the parser's own words may quote the message, and with it an id
            line, column = error.position
            self.broken = f"line {line}, column {column}"
        if self._parser is not None:
            for event, element in self._parser.read_events():
                assert isinstance(element, etree._Element)  # these events bring nothing else
                if event == "start":
                    self._started(element)
                else:
                    self._ended(element)

    def _started(self, element: etree._Element) -> None:
        self._depth += 1
        if self.root is None:
            self.root = element
        if self.body is None:
            self.depth_reached = max(self.depth_reached, self._depth)
        elif self._body_open and self._depth == 3 and self.child is None:
            self.child = element

    def _ended(self, element: etree._Element) -> None:
        self._depth -= 1
        if element is self.body:
            self.body_done = True
            self._body_open = False
        elif element is self.child:
            self.child_done = True
