"""Saved messages, read as the gateway reads them off the wire: for `soapgate explain`.

What starts like an HTTP request or response is held to the same rules as in an exchange, by the
same readers; several may follow each other, as on a kept connection. What starts like a MIME
message (a head with Content-Type, or a boundary) is an envelope in a container; anything else is
taken for an envelope. A capture that an editor has touched (lines that end in LF) is refused with
the gateway's own words rather than mended: the file would explain a message that never came. Only
a MIME head may end in LF, for no gateway sees one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from soapgate.core.errors import Failure, Reason, Source
from soapgate.core.explained import Kind, Message
from soapgate.edge.framing import Framing, body_reader
from soapgate.edge.http11 import (
    HeadLimits,
    find_head,
    parse_request_head,
    parse_response_head,
    soap_action,
)

MESSAGE_BYTES = 1024 * 1024  # of one that a gateway is asked about; a scan looks at far less

_REQUEST = re.compile(rb"[A-Za-z][A-Za-z0-9-]{0,31} [^\r\n]{1,65536}? HTTP/[0-9]")
_RESPONSE = re.compile(rb"HTTP/[0-9]")
_MIME_HEAD = re.compile(
    rb"(?:[A-Za-z][A-Za-z0-9-]{0,63}:[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*\r?\n)+\r?\n"
)
_MIME_FIELD = re.compile(rb"([A-Za-z][A-Za-z0-9-]*):((?:[^\r\n]|\r?\n[ \t])*)\r?\n")
# RFC 2046 5.1.1: a boundary has up to 70 of these and ends in none of the blanks behind it
_BOUNDARY = re.compile(rb"--([0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-])[ \t]*\r?\n")
_PART = re.compile(rb"[A-Za-z][A-Za-z0-9-]{0,63}:|\r?\n")
_HEAD_KEPT = frozenset((b"content-type", b"content-encoding", b"soapaction"))


@dataclass(frozen=True, slots=True)
class Saved:
    """One message of a file, or why the gateway would refuse it (then `message` is None). `raw`:
    the bytes of the file that it is, all that are left for the last."""

    kind: Kind
    raw: bytes
    message: Message | None
    failure: Failure | None = None


def kind_of(data: bytes) -> Kind:
    """What the first bytes say it is."""
    if _RESPONSE.match(data):
        return "response"
    return "request" if _REQUEST.match(data) else "envelope"


def read_messages(data: bytes, limits: HeadLimits) -> list[Saved]:
    """Every message of a file, at least one; the last has the failure if it cannot be read.
    Bytes behind the end of an HTTP message that start no other one do not count, and neither do
    interim responses (1xx) before a final one."""
    saved: list[Saved] = []
    while True:
        kind = kind_of(data)
        try:
            message, rest = _next(data, kind, limits)
        except Failure as failure:
            return [*saved, Saved(kind, data, None, failure)]
        more = kind_of(rest) != "envelope"
        if not (more and 100 <= message.status < 200):
            saved.append(Saved(kind, data[: len(data) - len(rest)], message))
        data = rest
        if not more:
            return saved


def read_message(data: bytes, limits: HeadLimits) -> Message:
    """The first message. Raises `Failure` for what the gateway would refuse, and for a message
    that the file holds only in part."""
    first = read_messages(data, limits)[0]
    if first.message is None:
        assert first.failure is not None
        raise first.failure
    return first.message


def _next(data: bytes, kind: Kind, limits: HeadLimits) -> tuple[Message, bytes]:
    if kind == "envelope":
        return _mime(data) or Message("envelope", data), b""
    end = find_head(data, 0, limits)
    if not end:
        raise Failure("downstream", Reason.MALFORMED, "the head has no end (an empty line)")
    if kind == "request":
        request = parse_request_head(data[:end], limits)
        body, rest = _body(data[end:], request.framing, "downstream")
        action = soap_action(request.fields)
        return Message(kind, body, action, request.target, 0, request.fields), rest
    response = parse_response_head(data[:end], b"POST", limits)
    body, rest = _body(data[end:], response.framing, "upstream")
    return Message(kind, body, status=response.status, fields=response.fields), rest


def _body(data: bytes, framing: Framing, source: Source) -> tuple[bytes, bytes]:
    reader = body_reader(framing, source)
    body, rest = reader.take(data)
    if not reader.done and not reader.close():
        reason = Reason.MALFORMED if source == "downstream" else Reason.UPSTREAM_BROKEN
        raise Failure(source, reason, f"the body ends early, after {len(body)} bytes")
    return body, rest


def _mime(data: bytes) -> Message | None:
    """A MIME message without its HTTP head: with a head of its own, or from its first boundary
    on. Of a head only what says how to read the body is taken."""
    if (boundary := _BOUNDARY.match(data)) and _PART.match(data, boundary.end()):
        content_type = b'multipart/related; boundary="%b"' % boundary[1]
        return Message("envelope", data, fields={b"content-type": [content_type]})
    head = _MIME_HEAD.match(data)
    if head is None:
        return None
    fields: dict[bytes, list[bytes]] = {}
    for name, value in _MIME_FIELD.findall(head[0]):
        if name.lower() in _HEAD_KEPT:
            fields.setdefault(name.lower(), []).append(b" ".join(value.split()))
    if b"content-type" not in fields:
        return None
    return Message("envelope", data[head.end() :], soap_action(fields), fields=fields)
