"""What a refused request is answered: in the terms of its protocol where its profile says so.

The exchange knows why it failed and what it has read; `soapgate.core` knows the words. This brings
the two together, once for each refusal, and remembers nothing. Only an id that nobody knows has
words of its own; every other reason is told by `soapgate.core.faults`, whatever the protocol.
"""

from __future__ import annotations

from collections.abc import Sequence

from soapgate.core.errors import Failure, Reason
from soapgate.core.faults import Answer, answer
from soapgate.core.protocolfaults import Dialect, Protocol, unknown
from soapgate.core.routing import Identity
from soapgate.core.scanned import ScanLimits, Scanned
from soapgate.core.scanner import Scanner
from soapgate.edge.desk import Asked
from soapgate.edge.http11 import RequestHead


def refusal(
    failure: Failure,
    said: Asked | None,
    identity: Identity | None,
    head: RequestHead | None,
    scanned: Scanned | None,
    pieces: Sequence[bytes],
) -> Answer:
    """The answer to a request that failed. `said`: what its head says, with its service;
    `identity`: the id that decided; `pieces`: what was read of the body, for a second look.
    None: not known."""
    soap = scanned.soap if scanned else None
    relates_to = scanned.message_id if scanned else None
    service = said.service if said else None
    if failure.reason is Reason.SESSION_UNKNOWN and service and said and identity and head:
        protocol = service.plan.protocols.get(identity.profile, "soap")
        if protocol != "soap":
            namespace = _dialect(protocol, service.scan, head, pieces)
            found = [*said.found, *(scanned.found if scanned else ())]
            named = service.affinity.text_of(found, identity)
            return unknown(protocol, namespace, named, soap=soap, relates_to=relates_to)
    detail = failure.detail if failure.source != "upstream" else ""
    return answer(failure.reason, detail, soap=soap, relates_to=relates_to)


def _dialect(
    protocol: Protocol, limits: ScanLimits, head: RequestHead, pieces: Sequence[bytes]
) -> str:
    """The namespace that the request uses of a protocol, "" if it cannot be seen."""
    scanner = Scanner(
        Dialect(protocol),
        limits,
        content_type=head.first(b"content-type"),
        content_encoding=head.first(b"content-encoding"),
    )
    try:
        scanned = scanner.feed(b"".join(pieces)) or scanner.close()
    except Failure:
        return ""
    return scanned.found[0].id if scanned.found else ""
