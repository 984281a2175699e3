"""HTTP/1.1 heads as values: read strictly, and what of them may travel on. No sockets.

The one rule: a message is either understood exactly as every other strict reader would understand
it, or it is refused before a byte of it reaches anybody. llhttp (through httptools) reads each
head; the short list of what it lets pass, and we must not, stands at the branches of
`parse_request_head`, `_check_line` and `_framing`. What frames a body, and the readers that take
bodies out of a stream, are in `soapgate.edge.framing`.

A head is forwarded as the bytes that came, less the lines that must go: names keep their case,
fields their order. Rebuilding it from parsed fields was dropped: slower, and it loses both.

Sources: RFC 9112 (message syntax), RFC 9110 (semantics); sections at the branch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httptools

from soapgate.core.errors import Failure, Reason, Source
from soapgate.edge.framing import (
    CHUNKED,
    EMPTY,
    HOP_BY_HOP,
    UNTIL_CLOSE,
    Framing,
    Length,
)

# The bounds of a head: nginx allows 4 x 8k, Apache 100 fields of 8k, HAProxy 16k and 101 fields.
HEAD_BYTES = 32 * 1024
HEAD_FIELDS = 100
TARGET_BYTES = 8 * 1024

_REQUEST_LINE = re.compile(rb"([A-Z][A-Z0-9-]*) ([\x21\x22\x24-\x7e]+) HTTP/([0-9])\.([0-9])")
_STATUS_LINE = re.compile(rb"HTTP/([0-9])\.([0-9]) ([1-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?")
_HOST = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]+(?:%25[A-Za-z0-9._~-]+)?\]|[A-Za-z0-9._~!$&'()*+,;=%-]+)(?::[0-9]{0,5})?"
)
_LENGTH = re.compile(rb"[0-9]{1,18}")
_BARE_LF = re.compile(rb"(?:^|[^\r])\n")

# Also inside a start-info (Metro): there its quotes are escaped.
_ACTION = re.compile(rb'(?i);\s*action=(?:\\?"([^"\\]*)\\?"|([^\s;"\\]+))')
# Old SAAJ, JavaMail and Axis 1 fold the Content-Type of a multipart.
_FOLDED_TYPE = re.compile(rb"(?i)(?<=\r\n)content-type:[^\r\n]*(?:\r\n[ \t]+[^\r\n]*)+")
_FOLD = re.compile(rb"\r\n[ \t]+")
_NO_BODY = frozenset((204, 304))
_FRAMING = frozenset((b"content-length", b"transfer-encoding"))
# The expectation is met here: the gateway asks for the body itself (as nginx does).
# What we say of moved sessions nobody else may say; what callers say of themselves is for us.
_SAID_BY_US = frozenset((b"x-soapgate-redispatched", b"proxy-jroute"))
_NOT_TO_UPSTREAM = HOP_BY_HOP | _SAID_BY_US | {b"expect", b"x-soapgate-caller"}
_CODING_LINE = re.compile(rb"(?i)(?<=\r\n)transfer-encoding:[^\r\n]*\r\n")
# What Connection must not remove by naming it: framing, and what tells sessions apart.
_NEVER_NAMED = frozenset(
    (b"content-length", b"transfer-encoding", b"host", b"content-type", b"cookie", b"close")
)


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """Bounds of a message head: bytes in all, number of fields, bytes of the request target."""

    bytes: int = HEAD_BYTES
    fields: int = HEAD_FIELDS
    target: int = TARGET_BYTES


@dataclass(slots=True)
class Head:
    """What both kinds of head have. Content-Length is read into `framing` and is not in `fields`.

    `fields`: values by lower-case name, in order. `forward`: the lines that may travel on, each
    ended by CRLF, the first line in HTTP/1.1, without the empty line at the end. `keep_alive`:
    the sender lets the connection live on. Heads may be shared: nobody changes one, but what
    follows from a head alone may be kept in its `notes`.
    """

    fields: dict[bytes, list[bytes]]
    minor: int
    framing: Framing
    keep_alive: bool
    forward: bytes
    notes: dict[str, Any]

    def first(self, name: bytes) -> bytes:
        """The first value of a field, b"" where there is none."""
        values = self.fields.get(name)
        return values[0] if values else b""


@dataclass(slots=True)
class RequestHead(Head):
    """A request head (RFC 9112 3)."""

    method: bytes
    target: bytes
    expects_continue: bool

    def resized(self, size: int, forward: bytes) -> RequestHead:
        """The same head with another Content-Length."""
        return RequestHead(
            self.fields,
            self.minor,
            Length(size),
            self.keep_alive,
            forward,
            self.notes,
            self.method,
            self.target,
            self.expects_continue,
        )


@dataclass(slots=True)
class ResponseHead(Head):
    """A response head (RFC 9112 4)."""

    status: int

    def resized(self, size: int, forward: bytes) -> ResponseHead:
        """The same head with another Content-Length."""
        return ResponseHead(
            self.fields, self.minor, Length(size), self.keep_alive, forward, self.notes, self.status
        )


class _Fields:
    """llhttp's events for one head: the fields, in order."""

    __slots__ = ("fields", "names")

    def __init__(self) -> None:
        self.names: list[bytes] = []
        self.fields: dict[bytes, list[bytes]] = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        self.names.append(name)
        if name in self.fields:
            self.fields[name].append(value)
        else:
            self.fields[name] = [value]


def find_head(buffer: bytes | bytearray, start: int, limits: HeadLimits) -> int:
    """Where the head in `buffer` ends (behind CRLF CRLF), or 0 if more bytes are needed; `start`
    says how much was searched before. Raises `Failure` for a head past its bounds, or one whose
    lines end in a bare LF: such a reader would wait for an end that never comes."""
    end = buffer.find(b"\r\n\r\n", max(0, start - 3))
    if 0 <= end <= limits.bytes - 4:
        return end + 4
    if end < 0 and _BARE_LF.search(buffer, max(0, start - 1)):
        raise Failure("downstream", Reason.MALFORMED, "a line of the head ends in a bare LF")
    if end < 0 and len(buffer) <= limits.bytes:
        if b"\r" not in buffer and len(buffer) > limits.target + 64:
            raise Failure("downstream", Reason.URI_TOO_LONG, f"over {limits.target} bytes")
        return 0
    raise Failure("downstream", Reason.HEAD_TOO_LARGE, f"head over {limits.bytes} bytes")


def parse_request_head(raw: bytes, limits: HeadLimits) -> RequestHead:
    """Read one request head, `raw` from the method to the final CRLF CRLF.

    Raises `Failure("downstream", ...)`: MALFORMED, VERSION, URI_TOO_LONG, HEAD_TOO_LARGE or
    EXPECTATION."""
    raw = _unfolded(raw)
    end = raw.index(b"\r\n")
    line = _REQUEST_LINE.fullmatch(raw, 0, end)
    if line is None:
        raise Failure("downstream", Reason.MALFORMED, "request line")
    method, target, major, minor = line.groups()
    _check_line(method, target, major, limits)
    seen = _read_fields(raw, httptools.HttpRequestParser, "downstream", limits)
    fields = seen.fields
    hosts = fields.get(b"host", ())
    if len(hosts) > 1 or (not hosts and minor != b"0"):
        raise Failure("downstream", Reason.MALFORMED, f"{len(hosts)} Host fields, allowed is 1")
    if hosts and _HOST.fullmatch(hosts[0]) is None:
        raise Failure("downstream", Reason.MALFORMED, "Host")
    if len(set(fields.get(b"content-type", ()))) > 1:  # which of them says what is in the body?
        raise Failure("downstream", Reason.MALFORMED, "two Content-Types")
    version = 0 if minor == b"0" else 1
    framing = _framing(fields, version, "downstream")
    expects = False
    if b"expect" in fields:
        # RFC 9110 10.1.1: an HTTP/1.0 client cannot mean it
        if [value.lower() for value in fields[b"expect"]] != [b"100-continue"]:
            raise Failure("downstream", Reason.EXPECTATION, "only 100-continue is allowed")
        expects = version == 1
    forward = _forward(raw, seen, b"%b %b HTTP/1.1" % (method, target), _NOT_TO_UPSTREAM)
    keep_alive = _keeps_alive(fields, version)
    return RequestHead(
        fields, version, framing or EMPTY, keep_alive, forward, {}, method, target, expects
    )


def parse_response_head(raw: bytes, method: bytes, limits: HeadLimits) -> ResponseHead:
    """Read one response head to a request of `method`. Raises `Failure("upstream", ...)` with
    UPSTREAM_BROKEN."""
    raw = _unfolded(raw)
    end = raw.index(b"\r\n")
    line = _STATUS_LINE.fullmatch(raw, 0, end)
    if line is None or line[1] != b"1":
        raise Failure("upstream", Reason.UPSTREAM_BROKEN, "status line")
    status = int(line[3])
    version = 0 if line[2] == b"0" else 1
    if status == 101:
        raise Failure("upstream", Reason.UPSTREAM_BROKEN, "101 to a request without Upgrade")
    seen = _read_fields(raw, httptools.HttpResponseParser, "upstream", limits)
    framing = _framing(seen.fields, version, "upstream")
    keep_alive = _keeps_alive(seen.fields, version)
    drop = HOP_BY_HOP
    if method == b"HEAD" or status in _NO_BODY or status < 200:
        framing = EMPTY  # RFC 9112 6.3, case 1: whatever the fields say
        if method != b"HEAD" and status != 304:
            drop = HOP_BY_HOP | _FRAMING  # RFC 9110 8.6, 9112 6.1: must not have been sent
    elif framing is None:
        framing, keep_alive = UNTIL_CLOSE, False
    forward = _forward(raw, seen, b"HTTP/1.1" + raw[8:end], drop)
    return ResponseHead(seen.fields, version, framing, keep_alive, forward, {}, status)


def _unfolded(raw: bytes) -> bytes:
    """A folded Content-Type on one line (RFC 9112 5.2: refuse folds, or replace them by blanks).
    Any other fold is left to be refused."""
    if b"\r\n " not in raw and b"\r\n\t" not in raw:
        return raw
    return _FOLDED_TYPE.sub(lambda field: _FOLD.sub(b" ", field[0]), raw)


def _check_line(method: bytes, target: bytes, major: bytes, limits: HeadLimits) -> None:
    if major != b"1":
        raise Failure("downstream", Reason.VERSION, "allowed are HTTP/1.0 and HTTP/1.1")
    if len(target) > limits.target:
        raise Failure("downstream", Reason.URI_TOO_LONG, f"over {limits.target} bytes")
    # RFC 9112 3.2: only origin-form, and asterisk-form with OPTIONS, are for a gateway
    if target[0] != 0x2F and (target != b"*" or method != b"OPTIONS"):
        raise Failure("downstream", Reason.MALFORMED, "request target: allowed is a path")
    if method in (b"CONNECT", b"TRACE", b"PRI", b"SOURCE"):
        raise Failure("downstream", Reason.MALFORMED, "method")


def _read_fields(
    raw: bytes,
    parser: type[httptools.HttpRequestParser] | type[httptools.HttpResponseParser],
    source: Source,
    limits: HeadLimits,
) -> _Fields:
    seen = _Fields()
    try:
        parser(seen).feed_data(raw)
    except httptools.HttpParserUpgrade:
        # An offer (Java's HttpClient makes one with every POST) that RFC 9110 7.8 lets us ignore.
        # llhttp says so behind the last field, and the body was never its business here.
        pass
    except httptools.HttpParserError as error:
        reason = Reason.MALFORMED if source == "downstream" else Reason.UPSTREAM_BROKEN
        raise Failure(source, reason, str(error)) from None
    if len(seen.names) > limits.fields:
        reason = Reason.HEAD_TOO_LARGE if source == "downstream" else Reason.UPSTREAM_BROKEN
        raise Failure(source, reason, f"over {limits.fields} fields")
    return seen


def _framing(fields: Mapping[bytes, list[bytes]], version: int, source: Source) -> Framing | None:
    """RFC 9112 6.3, strictly: what could be read in two ways is refused (6.1, 11.2). None: the
    fields frame nothing."""
    codings = fields.get(b"transfer-encoding")
    lengths = fields.get(b"content-length")
    problem = ""
    if codings is not None:
        if lengths is not None:
            problem = "Content-Length beside Transfer-Encoding"
        elif version == 0:
            problem = "Transfer-Encoding in HTTP/1.0"
        elif len(codings) != 1 or codings[0].lower() != b"chunked":
            problem = "Transfer-Encoding: allowed is chunked alone"
        else:
            return CHUNKED
    elif lengths is None:
        return None
    elif len(lengths) == 1 and _LENGTH.fullmatch(lengths[0]):
        return Length(int(lengths[0]))
    else:
        problem = "Content-Length: allowed is one number"
    reason = Reason.MALFORMED if source == "downstream" else Reason.UPSTREAM_BROKEN
    raise Failure(source, reason, problem)


def _keeps_alive(fields: Mapping[bytes, list[bytes]], version: int) -> bool:
    """RFC 9112 9.3."""
    listed = fields.get(b"connection")
    if listed is None:
        return version == 1
    tokens = {token.strip().lower() for value in listed for token in value.split(b",")}
    return b"close" not in tokens and (version == 1 or b"keep-alive" in tokens)


def _forward(raw: bytes, seen: _Fields, start: bytes, drop: frozenset[bytes]) -> bytes:
    """The lines that may travel on: all but those in `drop` and those that Connection names."""
    fields = seen.fields
    listed = fields.get(b"connection")
    if listed is not None:
        named = {token.strip().lower() for value in listed for token in value.split(b",")}
        drop = drop | (named - _NEVER_NAMED)
    fields.pop(b"content-length", None)
    if drop.isdisjoint(seen.names) and raw.startswith(start):
        return raw[:-2]
    # folds are refused or gone, so names and lines stand one to one
    lines = raw.split(b"\r\n")
    kept = [line for name, line in zip(seen.names, lines[1:], strict=False) if name not in drop]
    return b"\r\n".join((start, *kept, b""))


def without_coding(forward: bytes) -> bytes:
    """Forward lines for an HTTP/1.0 peer, who knows no Transfer-Encoding (RFC 9112 6.1)."""
    return _CODING_LINE.sub(b"", forward)


def soap_action(fields: Mapping[bytes, list[bytes]]) -> str:
    """The SOAP action: the SOAPAction field (SOAP 1.1 6.1.1) or the `action` parameter of the
    content type (RFC 3902 1), without quotes; "" where there is none."""
    values = fields.get(b"soapaction")
    if values is not None:
        return values[0].strip(b' \t"').decode("latin-1")
    values = fields.get(b"content-type")
    found = _ACTION.search(values[0]) if values else None
    return (found[1] or found[2]).decode("latin-1") if found else ""
