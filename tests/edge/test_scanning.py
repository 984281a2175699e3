"""The scan of a body on its way: no more is read than the answer needs, and all of it is kept."""

from __future__ import annotations

from sockets import line_of
from talk import CLIENT_MADE, SHOP, envelope, post

from soapgate.core.errors import Reason
from soapgate.core.plan import Plan
from soapgate.core.profiles import read_profile
from soapgate.core.scanned import Outcome, ScanLimits, Scanned
from soapgate.core.shapes import PRICE, SIGHTINGS, Shapes
from soapgate.edge.flow import Flow, Whole
from soapgate.edge.framing import LengthReader
from soapgate.edge.http11 import HeadLimits, RequestHead, parse_request_head
from soapgate.edge.scanning import Unreadable, scan_body
from soapgate.edge.steps import Steps

LIMITS = ScanLimits()
PLAN = Plan([read_profile("shop", CLIENT_MADE, SHOP)], LIMITS)


def head(*fields: bytes) -> RequestHead:
    request = post(b"", *fields)
    return parse_request_head(request[: request.index(b"\r\n\r\n") + 4], HeadLimits())


class Scan(Steps):
    """One scan, driven as an exchange drives it."""

    def __init__(self, shapes: Shapes | None = None) -> None:
        self.shapes = shapes or Shapes(PLAN.request, LIMITS)
        self.scanned: Scanned | None = None
        self.error: Exception | None = None
        self.pieces: list[bytes] = []
        self.asked = 0

    def begin(self, flow: Flow | Whole, *fields: bytes) -> Scan:
        self.pieces = flow.take()
        self._run(self.story(flow, head(*fields)))
        return self

    async def story(self, flow: Flow | Whole, request: RequestHead) -> None:
        self.scanned = await scan_body(
            self.shapes, LIMITS, request, "", flow, self.pieces, self.ask
        )

    def ask(self) -> None:
        self.asked += 1

    def _broke(self, error: Exception) -> None:
        self.error = error


class Paused:
    """A transport that can be paused."""

    bufferSize = 0

    def pauseProducing(self) -> None:
        pass

    def resumeProducing(self) -> None:
        pass


def test_a_body_at_hand_is_answered_at_once_and_nobody_is_asked_for_more() -> None:
    scan = Scan().begin(Whole(envelope("a"), 100, surplus=False))
    assert scan.scanned is not None
    assert [one.id for one in scan.scanned.found] == ["a"]
    assert (scan.pieces, scan.asked) == ([envelope("a")], 0)


def test_no_more_is_read_than_the_answer_needs() -> None:
    scan = Scan()
    data = envelope("a", "<s:add>" + "x" * 1000)
    flow = Flow(LengthReader(10_000), line_of(Paused()), scan)
    scan.begin(flow)
    assert (scan.scanned, scan.asked) == (None, 1)
    flow.feed(data[:100])
    assert scan.scanned is None
    flow.feed(data[100:300])
    assert scan.scanned is not None
    assert b"".join(scan.pieces) == data[:300]


def test_repeated_markup_becomes_a_known_shape() -> None:
    shapes = Shapes(PLAN.request, LIMITS)
    for number in range(PRICE + SIGHTINGS):
        Scan(shapes).begin(Whole(envelope(f"s{number}"), 100, surplus=False))
    scan = Scan(shapes).begin(Whole(envelope("new"), 100, surplus=False))
    assert shapes.hits > 0
    assert scan.scanned is not None
    assert [one.id for one in scan.scanned.found] == ["new"]


def test_a_known_shape_is_not_tried_on_compressed_bytes() -> None:
    shapes = Shapes(PLAN.request, LIMITS)
    for _ in range(PRICE + SIGHTINGS):
        Scan(shapes).begin(Whole(envelope("a"), 100, surplus=False))
    before = shapes.hits
    scan = Scan(shapes).begin(Whole(envelope("a"), 100, surplus=False), b"Content-Encoding: gzip")
    assert isinstance(scan.error, Unreadable)
    assert shapes.hits == before


def test_what_cannot_be_read_tells_what_was_seen() -> None:
    broken = envelope("a").replace(b"<e:Body>", b"<e:Header/><e:Body>")
    scan = Scan().begin(Whole(broken, 100, surplus=False))
    assert isinstance(scan.error, Unreadable)
    assert scan.error.failure.reason is Reason.MALFORMED
    assert scan.error.scanned.soap == "1.1"


def test_a_body_that_ends_early_is_judged_by_what_came() -> None:
    scan = Scan()
    flow = Flow(LengthReader(5), line_of(Paused()), scan)
    scan.begin(flow)
    flow.feed(b"hello")
    assert scan.scanned is not None
    assert scan.scanned.outcome is Outcome.NOT_SOAP
