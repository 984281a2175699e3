"""What a scanner asks, and what it answers: values, and one seam.

The one rule: the scanner knows where an envelope's parts are and a Watch knows which of them
carry ids; neither knows the other's business. An answer says what was seen and why no more was,
and nothing of what follows from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple, Protocol

from lxml import etree

from soapgate.core.envelope import SoapVersion

Use = Literal["lookup", "bind", "learn", "end", "expires", "sent", "reply_to"]


class Found(NamedTuple):
    """One id at one place. `id` is trimmed, not empty and at most `ScanLimits.id_bytes` long;
    only an "end" that names no id of its own (a marker) has "". Under "expires" it is a time,
    under "reply_to" an address. `location` is the text of the location as its profile writes
    it."""

    profile: str
    use: Use
    id: str
    location: str


class NeedsBody(Exception):
    """Raised by a Watch's `find` that met a reference whose target may stand further on in the
    Body (SOAP 1.1 section 5.4.1 multi-reference values). `found` is what it found without."""

    def __init__(self, found: Iterable[Found] = ()) -> None:
        self.found = tuple(found)
        super().__init__("a reference into the rest of the Body")


class Watch(Protocol):
    """What a scanner asks of those who know where ids are."""

    def wants_body(self, tag: str, action: str, /) -> bool:
        """Whether the Body's first child, of this Clark name, must be read to its end."""

    def find(
        self, header: etree._Element | None, body_child: etree._Element | None, action: str, /
    ) -> Sequence[Found]:
        """The ids of an envelope. `header` is complete, None if there is none. `body_child` is
        the Body's first child, complete, or None when it was not wanted, is not there or could
        not be read. Whatever else the tree holds (`getroottree`) is as far as it was parsed.

        May raise NeedsBody: it is then called again when the Body is complete. If the Body
        cannot be read to its end, or the reference leads nowhere (it is raised again), what
        the exception carries is what was found."""


@dataclass(frozen=True, slots=True)
class ScanLimits:
    """How far a scanner looks. Sizes are bytes of the envelope in UTF-8, inflated.

    header_bytes: to the end of the Body's start tag. SAML tokens and certificates reach 100 KiB.
    body_bytes: from there to the end of what is asked for.
    depth: nesting in the Header, the Envelope being 1. attributes: of one element outside the
    Body's content. blocks: children of the Header. tags: before the Body, for what takes no place
    takes time. id_bytes: a longer id is absent; the Watch's.
    inflate_ratio: a message that meets a limit and was compressed better than this is a bomb.
    multipart_bytes: of a multipart before the content of its root part; they are kept meanwhile.
    """

    header_bytes: int = 256 * 1024
    body_bytes: int = 64 * 1024
    depth: int = 100
    attributes: int = 64
    blocks: int = 128
    tags: int = 8192
    id_bytes: int = 4096
    inflate_ratio: int = 100
    multipart_bytes: int = 256 * 1024


class Outcome(StrEnum):
    """What came of a scan; the same word in log and metric."""

    FOUND = "found"
    NONE = "none"
    LIMIT = "limit"
    NOT_SOAP = "not-soap"


class Refuser(Protocol):
    """A scanner that has raised Failure."""

    soap: SoapVersion | None
    message_id: tuple[str, str] | None
    read: int


class Scanned(NamedTuple):
    """The answer. `fault`: the Body's first child is a soap:Fault; None = not seen. `message_id`:
    (WS-Addressing namespace, text). `read`: bytes of the envelope looked at. `detail`: a word
    why, for a limit (also one met after something was found) and for what is not SOAP."""

    outcome: Outcome
    soap: SoapVersion | None
    found: tuple[Found, ...]
    fault: bool | None
    message_id: tuple[str, str] | None
    read: int
    detail: str

    @classmethod
    def refused(cls, scanner: Refuser) -> Scanned:
        """What a scanner that raised Failure had learnt, for the fault that answers it."""
        return cls(Outcome.NONE, scanner.soap, (), None, scanner.message_id, scanner.read, "")
