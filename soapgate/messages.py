"""A saved message, read as the gateway reads it off the wire: for `soapgate explain`.

What starts like an HTTP request or response is held to the same rules as in an exchange, by the
same readers; anything else is taken for an envelope. A capture that an editor has touched (lines
that end in LF) is refused with the gateway's own words rather than mended: the file would explain
a message that never came.
"""

from __future__ import annotations

import re
from typing import Literal

from soapgate.core.errors import Failure, Reason, Source
from soapgate.core.explain import Message
from soapgate.edge.framing import Framing, body_reader
from soapgate.edge.http11 import (
    HeadLimits,
    find_head,
    parse_request_head,
    parse_response_head,
    soap_action,
)

_REQUEST = re.compile(rb"[A-Za-z][A-Za-z0-9-]{0,31} [^\r\n]{1,65536}? HTTP/[0-9]")


def kind_of(data: bytes) -> Literal["request", "response", "envelope"]:
    """What the first bytes say it is."""
    if data.startswith(b"HTTP/"):
        return "response"
    return "request" if _REQUEST.match(data) else "envelope"


def read_message(data: bytes, limits: HeadLimits) -> Message:
    """One message; bytes behind its end do not count. Raises `Failure` for what the gateway would
    refuse, and for a message that the file holds only in part."""
    kind = kind_of(data)
    if kind == "envelope":
        return Message("envelope", data)
    end = find_head(data, 0, limits)
    if not end:
        raise Failure("downstream", Reason.MALFORMED, "the head has no end (an empty line)")
    if kind == "request":
        request = parse_request_head(data[:end], limits)
        body = _body(data[end:], request.framing, "downstream")
        action = soap_action(request.fields)
        return Message(kind, body, action, request.target, 0, request.fields)
    response = parse_response_head(data[:end], b"POST", limits)
    body = _body(data[end:], response.framing, "upstream")
    return Message(kind, body, status=response.status, fields=response.fields)


def _body(data: bytes, framing: Framing, source: Source) -> bytes:
    reader = body_reader(framing, source)
    body, _ = reader.take(data)
    if not reader.done and not reader.close():
        reason = Reason.MALFORMED if source == "downstream" else Reason.UPSTREAM_BROKEN
        raise Failure(source, reason, f"the body ends early, after {len(body)} bytes")
    return body
