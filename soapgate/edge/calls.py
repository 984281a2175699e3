"""What goes out: who of a pool behind the gateway has sent this request, noted before it is sent.

`soapgate.core.calls` says which ids and whose; this asks the connection and binds them, so that the
answer, which comes as a request to another service, finds its way back. It is asked only by
services that were told to (`callbacks`), and what it cannot tell it leaves alone: the request goes
out in any case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from soapgate.core.affinity import Affinity
from soapgate.core.calls import CALLER, caller, sent_out
from soapgate.core.pool import Pool
from soapgate.core.scanned import Found
from soapgate.edge.http11 import RequestHead


@dataclass(frozen=True, slots=True)
class Callbacks:
    """A service that takes the answers: its pins and its pool, whose backends are the callers."""

    affinity: Affinity
    pool: Pool


async def note(
    services: Sequence[Callbacks],
    found: Sequence[Found],
    head: RequestHead,
    address: str,
    now: float,
) -> None:
    """Bind what a caller sends out to that caller, for the first of `services` whose pool it is
    of. `address` is the client's. Raises StoreError."""
    sent = sent_out(found)
    if not sent:
        return
    says = head.first(CALLER).decode("latin-1").strip()
    for each in services:
        backend = caller(each.pool, address, says)
        if backend is not None:
            await each.affinity.call(sent, backend, now)
            return
    services[0].affinity.events["no-caller"] += 1
