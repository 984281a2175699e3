"""A watch for the sessions of a shop, messages that hold them, and a scan of one in pieces.

each_way(message('<s:Session id="a1"/>'))  # scanned whole and cut at every place: one answer
"""

from __future__ import annotations

import pieces

from soapgate.core.errors import Failure
from soapgate.core.ns import SOAP11
from soapgate.core.scanner import Found, NeedsBody, ScanLimits, Scanned, Scanner

SHOP = "urn:example:shop"
SESSION = f"{{{SHOP}}}Session"
LIMITS = ScanLimits()
ID = '<s:Session id="a1"/>'


class Shop:
    """A Watch: Header/s:Session/@id or its text, and Body/s:login/s:Session likewise. A Session
    with an href is a reference to the element of that id anywhere in the envelope."""

    def wants_body(self, tag: str, action: str, /) -> bool:
        return tag == f"{{{SHOP}}}login" or action == "urn:all"

    def find(self, header, body_child, action, /):
        found, open_references = [], False
        for use, parent in (("lookup", header), ("learn", body_child)):
            for session in () if parent is None else parent.iterchildren(SESSION):
                text = session.get("id") or "".join(session.itertext())
                if session.get("href"):
                    text = self.follow(session)
                    open_references = open_references or text is None
                if text and text.strip():
                    found.append(Found("shop", use, text.strip(), "Session"))
        if open_references:
            raise NeedsBody(found)
        return found

    def follow(self, session):
        wanted = session.get("href")[1:]
        for element in session.getroottree().iter():
            if element.get("id") == wanted and element.get("done"):
                return element.text
        return None


def run(pieces, **options):
    """Scanned without `read`, or the Failure as (reason, detail)."""
    scanner = Scanner(Shop(), options.pop("limits", LIMITS), **options)
    try:
        for piece in pieces:
            answer = scanner.feed(piece)
            if answer is not None:
                break
        else:
            answer = scanner.close()
    except Failure as failure:
        return failure.reason, failure.detail, scanner.soap, scanner.message_id
    return answer._replace(read=0)


def each_way(data, **options):
    """Whole, byte by byte, and in two at every place: all the same, and that is returned."""
    return pieces.each_way(lambda these: run(these, **options), data)


def ids(answer):
    assert isinstance(answer, Scanned), answer
    return [found.id for found in answer.found]


def message(header="", body="", *, soap=SOAP11, before="", inside="", prefix="e:"):
    """An envelope; `header` is what stands in the Header (None: no Header)."""
    p, colon = prefix.rstrip(":"), ":" if prefix else ""
    head = "" if header is None else f"<{prefix}Header>{header}</{prefix}Header>"
    return (
        f'{before}<{prefix}Envelope xmlns{colon}{p}="{soap}" xmlns:s="{SHOP}">{inside}{head}'
        f"<{prefix}Body>{body}</{prefix}Body></{prefix}Envelope>"
    ).encode()
