"""Faults in a protocol's own words: what is answered for an id that nobody knows.

A client of a session protocol has code for its own fault and none for ours: WS-ReliableMessaging
begins a new sequence on UnknownSequence, WinRM clients a new shell on InvalidSelectors, a security
channel a new handshake on BadContextToken. So a profile names the protocol in whose terms it wants
to be told (`unknown_fault`), in the SOAP version and in the version of the protocol that the
request speaks; everything else is `soapgate.core.faults`'s.

The HTTP status is 500 in either SOAP version: it is what these stacks send and what their clients
read a fault from; 503 would make some of them throw the body away.

The version of the protocol is found by a second look at the request (`Dialect`): refusals are rare,
and every exchange would pay if the first look kept it.

Sources: WS-ReliableMessaging 1.1 (OASIS) section 4 and of February 2005 section 4, messages of WCF;
WS-SecureConversation 1.3 section 7; WS-Management (DSP0226) 14.6 and MS-WSMV 2.2.4.43, messages of
WinRM; WS-Enumeration (W3C submission) section 4; Axis2's addressing handler.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, get_args
from uuid import UUID

from lxml import etree

from soapgate.core import ns
from soapgate.core.faults import FAULT_ACTIONS, MESSAGE_ID_CHARS, Answer, text
from soapgate.core.scanned import Found

Protocol = Literal["soap", "axis2", "wsrm", "wsc", "wsman", "wsen"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)  # "soap": a fault of soapgate's own

_WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman"
_WSMAN_FAULT = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
_ANONYMOUS = {
    ns.WSA10: f"{ns.WSA10}/anonymous",
    ns.WSA04: f"{ns.WSA04}/role/anonymous",
}


@dataclass(frozen=True, slots=True)
class Terms:
    """One protocol's fault. `namespaces`: its versions, newest first; empty: it has no element of
    its own in a fault. `subcode` is in that namespace. `bare`: SOAP 1.1 gets the general code in
    faultcode; else the subcode, as the protocol's binding to 1.1 says. The callables take the
    protocol's namespace and the id, escaped."""

    namespaces: tuple[str, ...]
    side: Literal["client", "server"]
    subcode: str
    reason: Callable[[str], str]
    detail: Callable[[str, str], str]
    bare: bool = False
    block: Callable[[str, str], str] | None = None  # a header block of SOAP 1.1
    action: Callable[[str], str] | None = None  # None: the default of WS-Addressing
    replies: bool = False  # its replies have wsa:To and wsa:MessageID


def _identifier(namespace: str, session_id: str) -> str:
    return f'<p:Identifier xmlns:p="{namespace}">{session_id}</p:Identifier>'


def _sequence_fault(namespace: str, session_id: str) -> str:
    """Version 1.1 has a Detail; the schema of 2005/02 has none and takes any element instead."""
    detail = f"<p:Identifier>{session_id}</p:Identifier>"
    if namespace == ns.WSRM11:
        detail = f"<p:Detail>{detail}</p:Detail>"
    return (
        f'<p:SequenceFault xmlns:p="{namespace}"><p:FaultCode>p:UnknownSequence</p:FaultCode>'
        f"{detail}</p:SequenceFault>"
    )


def _shell_not_found(namespace: str, session_id: str) -> str:
    """Code 2150858843 is ERROR_WSMAN_UNEXPECTED_SELECTORS, on which clients open a new shell."""
    return (
        f'<p:FaultDetail xmlns:p="{namespace}">{_WSMAN}/faultDetail/UnexpectedSelectors'
        f'</p:FaultDetail><f:WSManFault xmlns:f="{_WSMAN_FAULT}" Code="2150858843"'
        f' Machine="soapgate"><f:Message>The request for the Windows Remote Shell with ShellId'
        f" {session_id} failed because the shell was not found on the server.</f:Message>"
        "</f:WSManFault>"
    )


def _nothing(namespace: str, session_id: str) -> str:
    return ""


TERMS: dict[Protocol, Terms] = {
    "wsrm": Terms(
        (ns.WSRM11, ns.WSRM10),
        "client",
        "UnknownSequence",
        lambda _: "The value of wsrm:Identifier is not a known Sequence identifier.",
        _identifier,
        bare=True,
        block=_sequence_fault,
        # 2005/02 takes WS-Addressing's default
        action=lambda namespace: f"{namespace}/fault" if namespace == ns.WSRM11 else "",
    ),
    "wsc": Terms(
        ns.PREFIXES["wsc"],
        "client",
        "BadContextToken",
        lambda _: "The requested context elements are insufficient or unsupported.",
        _nothing,
    ),
    "wsman": Terms(
        (ns.WSMAN,),
        "client",
        "InvalidSelectors",
        lambda _: (
            "The WS-Management service cannot process the request because the request contained"
            " invalid selectors for the resource."
        ),
        _shell_not_found,
        action=lambda _: f"{_WSMAN}/fault",
        replies=True,
    ),
    "wsen": Terms(
        ns.PREFIXES["wsen"],
        "server",
        "InvalidEnumerationContext",
        lambda _: "The supplied enumeration context is invalid.",
        _nothing,
        action=lambda namespace: f"{namespace}/fault",
    ),
    "axis2": Terms(
        (),
        "server",
        "",
        lambda session_id: f"Invalid Service Group Id.{session_id}",
        _nothing,
        bare=True,
    ),
}


class Dialect:
    """A `Watch` that finds which version of a protocol a request speaks: one find, whose id is the
    namespace of the first element of that protocol in the Header, else of the Body's child."""

    def __init__(self, protocol: Protocol) -> None:
        self._namespaces = TERMS[protocol].namespaces

    def wants_body(self, tag: str, action: str, /) -> bool:
        return etree.QName(tag).namespace in self._namespaces

    def find(
        self, header: etree._Element | None, body_child: etree._Element | None, action: str, /
    ) -> Sequence[Found]:
        elements = [] if header is None else list(header.iter("*"))
        elements += [] if body_child is None else [body_child]
        for element in elements:
            namespace = etree.QName(element).namespace
            if namespace in self._namespaces:
                return (Found("", "lookup", namespace, ""),)
        return ()


def unknown(
    protocol: Protocol,
    namespace: str,
    session_id: str,
    *,
    soap: Literal["1.1", "1.2"] | None,
    relates_to: tuple[str, str] | None = None,
) -> Answer:
    """The answer for `session_id`, an id that nobody knows, as `protocol` (not "soap") tells it.

    namespace: the version that the request speaks, "" for the newest. `soap` and `relates_to` are
    as in `faults.answer`. The id is the client's own and goes back to nobody else."""
    terms = TERMS[protocol]
    known = namespace if namespace in terms.namespaces else next(iter(terms.namespaces), "")
    shown = text(session_id)
    header = _addressing(terms, known, relates_to)
    if soap == "1.2":
        body, content_type = _soap12(terms, known, shown, header), "application/soap+xml"
    else:
        if terms.block is not None:
            header += terms.block(known, shown)
        body, content_type = _soap11(terms, known, shown, header), "text/xml"
    fields = (("Content-Type", f"{content_type}; charset=utf-8"),)
    return Answer(500, "Internal Server Error", fields, body.encode())


def _soap11(terms: Terms, namespace: str, session_id: str, header: str) -> str:
    code = "soap:Client" if terms.side == "client" else "soap:Server"
    declared = ""
    if not terms.bare:
        code, declared = f"p:{terms.subcode}", f' xmlns:p="{namespace}"'
    # SOAP 1.1 4.4: detail speaks of the Body; what a header block was about goes into a header
    detail = "" if terms.block is not None else terms.detail(namespace, session_id)
    return _envelope(
        ns.SOAP11,
        header,
        f"<faultcode{declared}>{code}</faultcode>"
        f"<faultstring>{terms.reason(session_id)}</faultstring>"
        + (f"<detail>{detail}</detail>" if detail else ""),
    )


def _soap12(terms: Terms, namespace: str, session_id: str, header: str) -> str:
    code = "soap:Sender" if terms.side == "client" else "soap:Receiver"
    subcode = ""
    if terms.subcode:
        subcode = (
            f'<soap:Subcode><soap:Value xmlns:p="{namespace}">p:{terms.subcode}</soap:Value>'
            "</soap:Subcode>"
        )
    detail = terms.detail(namespace, session_id)
    return _envelope(
        ns.SOAP12,
        header,
        f"<soap:Code><soap:Value>{code}</soap:Value>{subcode}</soap:Code>"
        f'<soap:Reason><soap:Text xml:lang="en">{terms.reason(session_id)}</soap:Text>'
        "</soap:Reason>" + (f"<soap:Detail>{detail}</soap:Detail>" if detail else ""),
    )


def _envelope(soap: str, header: str, fault: str) -> str:
    header = f"<soap:Header>{header}</soap:Header>" if header else ""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<soap:Envelope xmlns:soap="{soap}">{header}<soap:Body><soap:Fault>{fault}'
        "</soap:Fault></soap:Body></soap:Envelope>\n"
    )


def _addressing(terms: Terms, namespace: str, relates_to: tuple[str, str] | None) -> str:
    """WS-Addressing's blocks of an answer to a message with an id, else nothing."""
    if relates_to is None:
        return ""
    wsa, message_id = relates_to
    action = (terms.action(namespace) if terms.action else "") or FAULT_ACTIONS.get(wsa)
    if action is None or not message_id or len(message_id) > MESSAGE_ID_CHARS:
        return ""
    blocks = [("Action", action), ("RelatesTo", text(message_id))]
    if terms.replies:
        # one request has one answer, so its id may be made of the request's
        made = UUID(bytes=blake2b(message_id.encode(), digest_size=16).digest(), version=4)
        blocks += [("MessageID", f"uuid:{made}"), ("To", _ANONYMOUS.get(wsa, _ANONYMOUS[ns.WSA10]))]
    return "".join(f'<wsa:{name} xmlns:wsa="{wsa}">{value}</wsa:{name}>' for name, value in blocks)
