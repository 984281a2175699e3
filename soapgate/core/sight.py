"""What a message holds as far as profiles can see it: the Header, and the Body's first child.

It is a Watch that names no place and wants everything, so the Scanner shows it the trees that
profiles are asked about: out of gzip, out of a multipart container, in any charset, within limits.
The one rule: for those who explain a message or look for ids in it, never for an exchange; the
trees hold ids in clear. A reader of its own was dropped: it would see messages that the Scanner
refuses, and miss containers that the Scanner learns to open.
"""

from __future__ import annotations

from collections.abc import Sequence

from lxml import etree

from soapgate.core.errors import Failure
from soapgate.core.explained import Message
from soapgate.core.scanner import Found, ScanLimits, Scanned, Scanner, Watch


class Sight:
    """A Watch that wants everything and keeps what it is shown: the Header and the Body's first
    child as far as they can be read, each None if it is not there."""

    def __init__(self) -> None:
        self.header: etree._Element | None = None
        self.child: etree._Element | None = None
        self.child_tag = ""

    def wants_body(self, tag: str, action: str) -> bool:
        """Yes; and `child_tag` is known even if the Body proves too long."""
        self.child_tag = tag
        return True

    def find(
        self, header: etree._Element | None, body_child: etree._Element | None, action: str
    ) -> Sequence[Found]:
        """Nothing."""
        self.header, self.child = header, body_child
        return ()


def scanned(message: Message, watch: Watch, limits: ScanLimits) -> Scanned | None:
    """What a watch is shown of a message; None if the message would be refused."""
    scanner = Scanner(
        watch,
        limits,
        content_type=message.first(b"content-type"),
        content_encoding=message.first(b"content-encoding"),
        action=message.action,
    )
    try:
        return scanner.feed(message.body) or scanner.close()
    except Failure:
        return None
