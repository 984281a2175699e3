"""Faults: what a client is told when an exchange ends with an answer of ours.

This is the one place that turns a `Reason` into an HTTP status and a SOAP fault; everybody else
speaks of reasons. A fault comes in the SOAP version of the request, or 1.1 where there was none,
and relates to the request's MessageID if it had one (WS-Addressing 1.0, SOAP binding, 5).

It knows nothing of connections: framing, Date and whether the connection stays are the edge's.
The HTTP status says more than SOAP 1.1's "always 500" (6.2) because load balancers, monitors and
clients act on it before they read a body. A details text comes from us, never from a message
that may hold an id; whatever it is, it is escaped, stripped and bounded here. The documents are
written as text: they are small, fixed, and every hole is escaped; a tree would be built to be
torn down.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from soapgate.core import ns
from soapgate.core.errors import Reason

DETAIL_CHARS = 500  # enough for a sentence; a fault is not a log
MESSAGE_ID_CHARS = 2048  # an URI; a longer one is left out, since a part of it relates to nothing

Side = Literal["client", "server"]


@dataclass(frozen=True, slots=True)
class Rule:
    """How a reason is told. `retry`: the answer carries Retry-After."""

    status: int
    phrase: str  # RFC 9110 15, RFC 6585 5
    side: Side
    subcode: str  # local name in urn:soapgate:fault
    sentence: str
    retry: bool = False


RULES: dict[Reason, Rule] = {
    Reason.MALFORMED: Rule(400, "Bad Request", "client", "Malformed", "The request is malformed."),
    Reason.NO_SERVICE: Rule(
        404, "Not Found", "client", "NoService", "No service is configured for this request."
    ),
    Reason.REQUEST_TIMEOUT: Rule(
        408, "Request Timeout", "client", "RequestTimeout", "The request did not arrive in time."
    ),
    Reason.TOO_LARGE: Rule(
        413, "Content Too Large", "client", "TooLarge", "The request is larger than allowed."
    ),
    Reason.URI_TOO_LONG: Rule(
        414, "URI Too Long", "client", "UriTooLong", "The request target is longer than allowed."
    ),
    Reason.EXPECTATION: Rule(
        417, "Expectation Failed", "client", "Expectation", "The expectation cannot be met."
    ),
    Reason.HEAD_TOO_LARGE: Rule(
        431,
        "Request Header Fields Too Large",
        "client",
        "HeadTooLarge",
        "The header of the HTTP request is larger than allowed.",
    ),
    Reason.VERSION: Rule(
        505,
        "HTTP Version Not Supported",
        "client",
        "Version",
        "The HTTP version is not supported.",
    ),
    Reason.SESSION_UNKNOWN: Rule(
        503,
        "Service Unavailable",
        "client",
        "SessionUnknown",
        "The session is not known; start a new one.",
        retry=True,
    ),
    Reason.SESSION_LOST: Rule(
        503,
        "Service Unavailable",
        "server",
        "SessionLost",
        "The session is lost with its backend; start a new one.",
        retry=True,
    ),
    Reason.NO_BACKEND: Rule(
        503,
        "Service Unavailable",
        "server",
        "NoBackend",
        "No backend is available for this service.",
        retry=True,
    ),
    Reason.QUEUE_TIMEOUT: Rule(
        503,
        "Service Unavailable",
        "server",
        "QueueTimeout",
        "The backend was busy for too long.",
        retry=True,
    ),
    Reason.STORE: Rule(
        503,
        "Service Unavailable",
        "server",
        "Store",
        "Sessions cannot be looked up at the moment.",
        retry=True,
    ),
    Reason.UPSTREAM_BROKEN: Rule(
        502,
        "Bad Gateway",
        "server",
        "UpstreamBroken",
        "The backend gave no valid answer.",
    ),
    Reason.UPSTREAM_TIMEOUT: Rule(
        504, "Gateway Timeout", "server", "UpstreamTimeout", "The backend did not answer in time."
    ),
    Reason.INTERNAL: Rule(
        500, "Internal Server Error", "server", "Internal", "The gateway failed."
    ),
}

# The Action of a fault message, by version: WS-Addressing 1.0 SOAP binding 5 ("faults defined
# elsewhere"); member submission of August 2004, 4. Older drafts settle none and get no header.
FAULT_ACTIONS = {ns.WSA10: f"{ns.WSA10}/soap/fault", ns.WSA04: f"{ns.WSA04}/fault"}


@dataclass(frozen=True, slots=True)
class Answer:
    """A response without its framing: the edge adds Content-Length, Date and Connection.
    `phrase` is ASCII and one line; `fields` are names and values as they go on the wire."""

    status: int
    phrase: str
    fields: tuple[tuple[str, str], ...]
    body: bytes


def answer(
    reason: Reason,
    detail: str,
    *,
    soap: Literal["1.1", "1.2"] | None,
    relates_to: tuple[str, str] | None = None,
    retry_after: int = 5,
) -> Answer:
    """The answer for a reason. `soap` is the request's version, None if it was not SOAP or not
    seen; `relates_to` its WS-Addressing namespace and MessageID; `retry_after` in seconds."""
    rule = RULES[reason]
    compose, content_type = _VERSIONS[soap or "1.1"]
    fields = [("Content-Type", content_type)]
    if rule.retry:
        fields.append(("Retry-After", str(retry_after)))
    document = compose(rule, text(_shorten(detail)), _addressing(relates_to))
    return Answer(rule.status, rule.phrase, tuple(fields), document.encode())


def _soap11(rule: Rule, detail: str, header: str) -> str:
    code = "Client" if rule.side == "client" else "Server"
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<soap:Envelope xmlns:soap="{ns.SOAP11}">{header}<soap:Body><soap:Fault>'
        f"<faultcode>soap:{code}</faultcode>"
        f"<faultstring>{text(rule.sentence)}</faultstring>"
        f"<detail>{_detail(rule, detail)}</detail>"
        "</soap:Fault></soap:Body></soap:Envelope>\n"
    )


def _soap12(rule: Rule, detail: str, header: str) -> str:
    code = "Sender" if rule.side == "client" else "Receiver"
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<soap:Envelope xmlns:soap="{ns.SOAP12}">{header}<soap:Body><soap:Fault>'
        f"<soap:Code><soap:Value>soap:{code}</soap:Value><soap:Subcode>"
        f'<soap:Value xmlns:sg="{ns.FAULT}">sg:{rule.subcode}</soap:Value>'
        "</soap:Subcode></soap:Code>"
        f'<soap:Reason><soap:Text xml:lang="en">{text(rule.sentence)}</soap:Text></soap:Reason>'
        f"<soap:Detail>{_detail(rule, detail)}</soap:Detail>"
        "</soap:Fault></soap:Body></soap:Envelope>\n"
    )


_VERSIONS = {
    "1.1": (_soap11, "text/xml; charset=utf-8"),  # SOAP 1.1 6
    "1.2": (_soap12, "application/soap+xml; charset=utf-8"),  # RFC 3902
}


def _detail(rule: Rule, detail: str) -> str:
    return f'<sg:{rule.subcode} xmlns:sg="{ns.FAULT}">{detail}</sg:{rule.subcode}>'


def _addressing(relates_to: tuple[str, str] | None) -> str:
    """The soap:Header of a fault that answers a message with an id, else nothing."""
    if relates_to is None:
        return ""
    namespace, message_id = relates_to
    action = FAULT_ACTIONS.get(namespace)
    if action is None or not message_id or len(message_id) > MESSAGE_ID_CHARS:
        return ""
    return (
        f'<soap:Header xmlns:wsa="{namespace}"><wsa:Action>{action}</wsa:Action>'
        f"<wsa:RelatesTo>{text(message_id)}</wsa:RelatesTo></soap:Header>"
    )


_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0 2.2
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})


def text(value: str) -> str:
    """As element content: what XML forbids is dropped, what it would read otherwise is escaped."""
    return _FORBIDDEN.sub("", value).translate(_ESCAPES)


def _shorten(detail: str) -> str:
    return detail if len(detail) <= DETAIL_CHARS else detail[: DETAIL_CHARS - 3] + "..."
