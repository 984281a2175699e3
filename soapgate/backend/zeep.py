"""A zeep plugin that sends back the session headers a service issued.

zeep keeps cookies by itself, but no general SOAP client returns a header block it was given, and
zeep's own WS-Addressing plugin returns no reference parameters. `SessionEcho` does both:

    from soapgate.backend.zeep import SessionEcho

    echo = SessionEcho("{urn:example:shop}Session")
    client = zeep.Client(wsdl, plugins=[echo])
    client.service.login("ann")           # the reply's shop:Session and reference parameters ...
    client.service.add("tea", 2)          # ... go with every later request

The one rule: one plugin is one session, shared by all threads that use its client; two sessions
need two clients. It adds header blocks and does nothing else: an *address* found in a message
is never called, since a client behind a gateway must stay with the gateway's.

zeep is not imported, because a zeep plugin is any object with these two methods; so this module
imports wherever soapgate does (zeep itself comes with the extra `soapgate[demo]`).
"""

from __future__ import annotations

import threading
from copy import deepcopy
from typing import Any

from lxml import etree

from soapgate.core.ns import PREFIXES, SOAP_VERSIONS, WSA10


class SessionEcho:
    """Remembers the session header blocks of responses and adds them to requests. Thread-safe.

    `names` are the Clark names (`{namespace}local`) of header blocks to send back as they came;
    a later block of the same name replaces the earlier one. `reference_parameters` says whether
    the reference parameters of a response's wsa:ReplyTo are sent back too, as header blocks of
    their own: marked `wsa:IsReferenceParameter="true"` for WS-Addressing 1.0 (SOAP Binding,
    section 3.4), plain for the earlier versions, which have no such mark. A ReplyTo with
    parameters replaces all those of an earlier one; a ReplyTo without any changes nothing.

    Raises ValueError for a name that is not a Clark name.
    """

    def __init__(self, *names: str, reference_parameters: bool = True) -> None:
        for name in names:
            if not name.startswith("{") or not etree.QName(name).namespace:
                raise ValueError(f"{name!r} is no Clark name: write {{namespace}}local")
        self._names = frozenset(names)
        self._reference_parameters = reference_parameters
        self._blocks: dict[str, etree._Element] = {}
        self._parameters: tuple[etree._Element, ...] = ()
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Start anew: the next request carries no session."""
        with self._lock:
            self._blocks = {}
            self._parameters = ()

    def held(self) -> tuple[etree._Element, ...]:
        """Copies of the blocks that the next request gets, in the order it gets them."""
        with self._lock:
            return tuple(deepcopy(block) for block in (*self._blocks.values(), *self._parameters))

    def ingress(
        self, envelope: etree._Element, http_headers: Any, operation: Any
    ) -> tuple[etree._Element, Any]:
        """zeep calls this with each response, faults included; the response is left as it is."""
        header = _header(envelope)
        if header is not None:
            named = {str(block.tag): _bare(block) for block in header if block.tag in self._names}
            parameters = _parameters(header) if self._reference_parameters else ()
            with self._lock:
                self._blocks |= named
                self._parameters = parameters or self._parameters
        return envelope, http_headers

    def egress(
        self, envelope: etree._Element, http_headers: Any, operation: Any, binding_options: Any
    ) -> tuple[etree._Element, Any]:
        """zeep calls this with each request. A block that the caller set goes before ours: what
        is remembered under the same name is then left out."""
        held = self.held()
        if not held:
            return envelope, http_headers
        header = _header(envelope)
        if header is None:
            header = etree.Element(etree.QName(envelope, "Header"))
            envelope.insert(0, header)
        present = {block.tag for block in header}
        header.extend(block for block in held if block.tag not in present)
        return envelope, http_headers


def _header(envelope: etree._Element) -> etree._Element | None:
    """The soap:Header of an envelope of either version."""
    namespace = etree.QName(envelope).namespace
    return envelope.find(f"{{{namespace}}}Header") if namespace in SOAP_VERSIONS else None


def _bare(block: etree._Element) -> etree._Element:
    """A copy without the attributes of the SOAP namespaces: mustUnderstand and role were meant
    for us, not for the service the block goes back to."""
    copy = _free(block)
    for name in [str(name) for name in copy.attrib]:
        if etree.QName(name).namespace in SOAP_VERSIONS:
            del copy.attrib[name]
    return copy


def _parameters(header: etree._Element) -> tuple[etree._Element, ...]:
    """The reference parameters of the header's wsa:ReplyTo, ready to be sent as header blocks."""
    found: list[etree._Element] = []
    for wsa in PREFIXES["wsa"]:
        for kind in ("ReferenceProperties", "ReferenceParameters"):
            for parameter in header.iterfind(f"{{{wsa}}}ReplyTo/{{{wsa}}}{kind}/*"):
                block = _free(parameter)
                if wsa == WSA10:
                    block.set(f"{{{WSA10}}}IsReferenceParameter", "true")
                found.append(block)
    return tuple(found)


def _free(element: etree._Element) -> etree._Element:
    """A copy with no tie to its message: without its tail, and with every prefix that was in
    scope, since a value may use one (a plain copy keeps only those that names use)."""
    nsmap: Any = element.nsmap  # the stubs forget that the default namespace's prefix is None
    copy = etree.Element(element.tag, nsmap=nsmap)
    copy.attrib.update(element.attrib)
    copy.text = element.text
    copy.extend(deepcopy(child) for child in element)
    return copy
