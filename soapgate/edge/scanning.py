"""The scan of a body on its way: the known shapes first, else a scanner fed piece by piece.

The pieces it reads are kept for the caller, who sends them on; no more is read than the answer
needs. What cannot be read raises `Unreadable` with what was seen by then: a request is then refused
in its own SOAP version, a response passes and nothing is learnt. A body that breaks off or is
framed wrongly raises what its flow raises.
"""

from __future__ import annotations

from collections.abc import Callable

from soapgate.core.errors import Failure
from soapgate.core.plan import RequestWatch
from soapgate.core.scanned import Found, ScanLimits, Scanned
from soapgate.core.scanner import Scanner
from soapgate.core.shapes import Shapes
from soapgate.edge.desk import Service, plain
from soapgate.edge.exchangelog import ExchangeRecord
from soapgate.edge.flow import Flow, Whole
from soapgate.edge.http11 import RequestHead, ResponseHead


class Unreadable(Exception):
    """An envelope that must not be passed on as one: why, and what was seen of it."""

    def __init__(self, failure: Failure, scanned: Scanned) -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.scanned = scanned


def _nobody() -> None:
    """Nobody has to be asked for the body."""


async def scan_body(
    shapes: Shapes,
    limits: ScanLimits,
    head: RequestHead | ResponseHead,
    action: str,
    flow: Flow | Whole,
    pieces: list[bytes],
    ask: Callable[[], None] = _nobody,
    *,
    tried: bool = False,
) -> Scanned:
    """What the body behind `head` holds. `pieces` are those at hand; those read meanwhile are
    added to them. `ask` is called before more is waited for. `tried`: no known shape fits. Raises
    Unreadable."""
    shaped = bool(pieces) and plain(head)
    scanned = shapes.scan(pieces[0], action) if shaped and not tried else None
    if scanned is not None:
        return scanned
    scanner = Scanner(
        shapes.watch,
        limits,
        content_type=head.first(b"content-type"),
        content_encoding=head.first(b"content-encoding"),
        action=action,
    )
    fed = 0
    while scanned is None:
        if fed == len(pieces):
            ask()
            piece = await flow.piece()
            if piece:
                pieces.append(piece)
        try:
            scanned = scanner.feed(pieces[fed]) if fed < len(pieces) else scanner.close()
        except Failure as failure:
            raise Unreadable(failure, Scanned.refused(scanner)) from None
        fed += 1
    if shaped and fed == 1:
        shapes.learn(pieces[0], action, scanned)
    return scanned


async def scan_reply(
    service: Service,
    reply: ResponseHead,
    action: str,
    flow: Flow | Whole,
    pieces: list[bytes],
    record: ExchangeRecord,
) -> Scanned | None:
    """What the body of a response holds, None if it cannot be read: an envelope we cannot read is
    still the backend's answer, it passes and nothing is learnt. `record` hears the outcome."""
    try:
        shapes, limits = service.response_shapes, service.scan
        scanned = await scan_body(shapes, limits, reply, action, flow, pieces)
    except Unreadable as error:
        record.reply_scan = str(error.failure.reason)
        return None
    record.reply_scan = scanned.outcome
    return scanned


async def empty_ends(
    watch: RequestWatch, head: RequestHead, flow: Flow | Whole, pieces: list[bytes]
) -> list[Found]:
    """What an empty POST ends, if its answer `flow` is empty as well. Waits for the first piece of
    that, which is added to `pieces`."""
    if head.method != b"POST":
        return []
    if not pieces and not flow.received:
        piece = await flow.piece()
        if piece:
            pieces.append(piece)
    return [] if pieces or flow.received else watch.empty_ends
