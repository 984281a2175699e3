"""What changes in a message because a gateway stands on its way: head lines, and our own answers.

The rule: what a sender wrote travels as it is; we only add what says that we were there, and what
the next hop's framing needs. (What must not travel at all was taken out in `soapgate.edge.http11`.)
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from soapgate.core.faults import Answer
from soapgate.core.routing import Identity, Route
from soapgate.core.scanned import Found
from soapgate.edge.exchangelog import ExchangeRecord
from soapgate.edge.framing import CHUNKED, UNTIL_CLOSE
from soapgate.edge.http11 import RequestHead, ResponseHead, without_coding

_ACCEPT = re.compile(rb"(?i)(?<=\r\n)(accept:)([^\r\n]*)")


def traces(head: RequestHead, peer: bytes, scheme: bytes) -> bytes:
    """The lines a request gets on its way up, the empty line included: Via (RFC 9110 7.6.3) and
    the customary X-Forwarded fields. An outer gateway's scheme and host are left standing."""
    fields = head.fields
    lines = b"Via: 1.%d soapgate\r\nX-Forwarded-For: %b\r\n" % (head.minor, peer)
    if b"x-forwarded-proto" not in fields:
        lines += b"X-Forwarded-Proto: %b\r\n" % scheme
    if b"x-forwarded-host" not in fields and b"host" in fields:
        lines += b"X-Forwarded-Host: %b\r\n" % fields[b"host"][0]
    return lines + b"\r\n"


def without_fast_infoset(forward: bytes) -> bytes:
    """Forward lines whose Accept no longer offers Fast Infoset (ITU-T X.891): Metro's clients do
    by default, and an id issued in binary XML could not be learnt. An Accept that offers nothing
    else stays as it is."""
    return _ACCEPT.sub(_accept_less, forward)


def _accept_less(line: re.Match[bytes]) -> bytes:
    offered = line[2].split(b",")
    kept = [one for one in offered if b"fastinfoset" not in one.lower()]
    return line[1] + b",".join(kept) if kept else line[0]


# Tells a backend that understands it that the session came from one that is gone.
REDISPATCHED = b"X-Soapgate-Redispatched: 1\r\n"


def routed_to(backend: str) -> bytes:
    """The line that names to GlassFish and Metro the instance that a request was sent to.

    They hand the name to the client in a cookie JROUTE, compare that with this line from then on,
    and take what differs for a session that moved: then it is read from its replica. The name is
    the sender's own, nobody compares it with anything else. So it must be said from the beginning,
    and not only of a session that moves, whose cookie would then name nobody.
    """
    return b"proxy-jroute: %b\r\n" % backend.encode("ascii")


def last_hop(
    request: RequestHead, response: ResponseHead, *, keep: bool
) -> tuple[bytes, bool, bool]:
    """(the response's head as it goes down, whether its body goes in chunks, whether the client's
    connection lives on). `keep`: nothing on our side speaks against that."""
    forward, framing = response.forward, response.framing
    keep = keep and request.keep_alive
    unbounded = framing is CHUNKED or framing is UNTIL_CLOSE
    if keep and request.minor and not unbounded:
        return forward + b"\r\n", False, True
    extra = b""
    if request.minor == 0:
        # the answer to a HEAD may name a coding although it frames nothing
        forward, keep = without_coding(forward), keep and not unbounded
    elif framing is UNTIL_CLOSE:
        extra = b"Transfer-Encoding: chunked\r\n"
    extra += last_hop_lines(request, keep=keep)
    return b"%b%b\r\n" % (forward, extra), unbounded and request.minor > 0, keep


def last_hop_lines(request: RequestHead, *, keep: bool) -> bytes:
    """What a client is told of its connection."""
    if not keep:
        return b"Connection: close\r\n"
    return b"" if request.minor else b"Connection: keep-alive\r\n"


def explained(
    message: bytes,
    record: ExchangeRecord,
    decision: Route | None,
    found: Sequence[Found],
    identities: Sequence[Identity],
) -> bytes:
    """A response's head, perhaps with its body, and in it the line that says what happened to
    stickiness: the code, and the words of the log. Names of the configuration, and nothing of an
    id, not even its key. The last three are what the code is made from (`ExchangeRecord.told`)."""
    record.told = decision, found, identities
    said = (("route", record.route), ("reason", record.reason))
    named = (("backend", record.backend), ("profile", record.profile))
    words = "".join(f"; {name}={value}" for name, value in (*said, *named) if value)
    line = f"X-Soapgate: {record.sticky}{words}\r\n".encode("ascii", "replace")
    head, end, body = message.partition(b"\r\n\r\n")
    return b"%b\r\n%b%b%b" % (head, line, end[2:], body)


def own_answer(answer: Answer, *, body: bool, keep: bool) -> bytes:
    """An answer of ours on the wire; without `body` for a HEAD."""
    lines = [f"HTTP/1.1 {answer.status} {answer.phrase}"]
    lines += [f"{name}: {value}" for name, value in answer.fields]
    lines.append(f"Content-Length: {len(answer.body)}")
    if not keep:
        lines.append("Connection: close")
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    return head + answer.body if body else head
