"""What a parsed SOAP envelope is made of, as far as a gateway cares.

The one rule: an Envelope holds at most one Header, then the Body, both in its own namespace, and
nothing before the Body besides (SOAP 1.1 section 4, SOAP 1.2 part 1 section 5). What deviates is
named and not guessed at: two readers that guess differently are a hole. What follows the Body is
not looked at.

It refuses to know bytes and profiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lxml import etree

from soapgate.core.ns import SOAP11, SOAP12, WSA

SoapVersion = Literal["1.1", "1.2"]


@dataclass(frozen=True, slots=True)
class Names:
    """The Clark names of one SOAP version."""

    version: SoapVersion
    header: str
    body: str
    fault: str


def _names(namespace: str, version: SoapVersion) -> Names:
    return Names(version, *(f"{{{namespace}}}{name}" for name in ("Header", "Body", "Fault")))


ENVELOPES = {
    f"{{{SOAP11}}}Envelope": _names(SOAP11, "1.1"),
    f"{{{SOAP12}}}Envelope": _names(SOAP12, "1.2"),
}
_MESSAGE_IDS = {f"{{{namespace}}}MessageID": namespace for namespace in WSA}

Parts = tuple[etree._Element | None, etree._Element | None, str]


def parts(root: etree._Element, names: Names) -> Parts:
    """(Header, Body, defect) of a tree that may end anywhere: None for what is not there, and a
    sentence for what may not be there, "" if there is nothing such."""
    header: etree._Element | None = None
    for part in root:
        tag = part.tag
        if tag == names.body:
            return header, part, ""
        if tag != names.header:
            return header, None, "an element before Body that is not Header"
        if header is not None:
            return header, None, "a second Header"
        header = part
    return header, None, ""


def message_id(header: etree._Element) -> tuple[str, str] | None:
    """(namespace, text) of the first wsa:MessageID, in any version of WS-Addressing."""
    for block in header:
        namespace = _MESSAGE_IDS.get(block.tag)
        if namespace:
            text = (block.text or "").strip()
            return (namespace, text) if text else None
    return None


def deeper(root: etree._Element, most: int) -> bool:
    """Whether elements are nested deeper than `most`; the root is at 1."""
    level = [root]
    for _ in range(most):
        level = [child for element in level for child in element]
        if not level:
            return False
    return True


def over_attributes(header: etree._Element | None, body: etree._Element, most: int) -> bool:
    """Whether an element of the Header, the Body's start tag or the Envelope's has more
    attributes than `most`; namespace declarations are none."""
    elements = [body, *body.iterancestors()]
    if header is not None:
        elements += header.iter()
    return any(len(element.attrib) > most for element in elements)
