"""Messages of known shape, and the scanner that says what shapes must say.

shapes = taught(message('<s:Session id="a"/>'), plan=PLAN)
agrees(shapes, message('<s:Session id="b"/>'), PLAN)    # told, and as the scanner does
"""

from __future__ import annotations

from soapgate.core import shapes as module
from soapgate.core.errors import Failure
from soapgate.core.plan import Plan
from soapgate.core.scanned import ScanLimits, Scanned
from soapgate.core.scanner import Scanner
from soapgate.core.shapes import Shapes

LIMITS = ScanLimits()
NAMESPACES = {"shop": "urn:example:shop"}
WSA = 'xmlns:a="http://www.w3.org/2005/08/addressing"'


def message(header: str = "", child: str = "<s:add/>", envelope: str = "") -> bytes:
    return (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"'
        f' xmlns:s="urn:example:shop"{envelope}><e:Header>{header}</e:Header>'
        f"<e:Body>{child}</e:Body></e:Envelope>"
    ).encode()


def asked(data: bytes, action: str = "", *, plan: Plan) -> Scanned | str:
    """What the scanner says, without `read`; "refused" for a Failure, "more" for no answer."""
    scanner = Scanner(plan.request, LIMITS, action=action)
    try:
        scanned = scanner.feed(data)
    except Failure:
        return "refused"
    return "more" if scanned is None else scanned._replace(read=0)


def taught(*messages: bytes, action: str = "", plan: Plan) -> Shapes:
    """Shapes that have seen each of the messages as often as it takes."""
    shapes = Shapes(plan.request, LIMITS)
    for data in messages:
        for _ in range(module.PRICE + module.SIGHTINGS):
            scanned = Scanner(plan.request, LIMITS, action=action).feed(data)
            assert scanned is not None
            shapes.learn(data, action, scanned)
    return shapes


def agrees(shapes: Shapes, data: bytes, plan: Plan) -> bool:
    """Whether the shapes told it; then as the scanner does."""
    shapes._barren = 0  # they are to be tried, whatever came before
    told = shapes.scan(data, "")
    if told is not None:
        assert told._replace(read=0) == asked(data, plan=plan)
    return told is not None


PIECES = [
    *(b"<", b">", b"&", b'"', b"'", b"/", b"]]>", b"<!--", b"-->", b"<![CDATA[", b"&lt;", b"\x00"),
    *(b"a", b" ", b"\xc3\xa9", b"\n", b"s:", b"e:", b"Session", b"Body", b'id="x"', b"xmlns:s='u'"),
    *(b"<e:Body>", b"</e:Header>", b"<s:Made>", b"<?p?>", b"urn:example:shop", b"cart"),
]
