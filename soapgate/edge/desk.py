"""What exchanges share, and what a head says to it: worked out once for each distinct head.

A `Service` is everything an exchange needs to know of the service it belongs to, a `Desk` what all
exchanges share. Heads repeat (`soapgate.edge.known`), and so does what follows from them: the
service, the action, ids in cookies and fields, whether the body can be an envelope. That is kept
with the head, for as long as the same services are in force: a reload makes new ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from soapgate.core.affinity import Affinity
from soapgate.core.affinitycookie import AffinityCookie, Claim
from soapgate.core.encodings import readable_as_it_is
from soapgate.core.plan import HttpFacts, Plan, RequestWatch, ResponseWatch
from soapgate.core.pool import Member, Pool
from soapgate.core.routing import Terms
from soapgate.core.scanned import Found, ScanLimits
from soapgate.core.shapes import Shapes
from soapgate.edge.calls import Callbacks
from soapgate.edge.exchangelog import ExchangeLog
from soapgate.edge.hops import traces, without_fast_infoset
from soapgate.edge.http11 import RequestHead, ResponseHead, soap_action
from soapgate.edge.metrics import Metrics
from soapgate.edge.rewriting import Addresses
from soapgate.edge.upstream import Dialer


@dataclass(frozen=True, slots=True)
class Service:
    """What an exchange needs to know of the service it belongs to.

    `queue`: seconds a request waits for a place of a full backend; `tries`: how many connections
    are attempted for one request; `max_body`: most octets of a request body, 0 for no bound;
    `keep`: most octets of a body that is kept for another try once bytes of it were sent;
    `hide_fast_infoset`: take it out of Accept where profiles look into XML; `callbacks`: who
    takes the answers to what backends send out by this service; `cookie`: the gateway's own;
    `addresses`: what is done about those of backends in responses; `explain`: responses say what
    happened to stickiness; `jroute`: backends are told which of them a request was sent to;
    `fast`: shapes of messages may be known.
    """

    name: str
    plan: Plan
    affinity: Affinity
    pool: Pool
    dialers: Mapping[str, Dialer]
    terms: Terms
    scan: ScanLimits
    idempotent: frozenset[str] = frozenset()
    queue: float = 10.0
    tries: int = 3
    max_body: int = 0
    keep: int = 64 * 1024
    hide_fast_infoset: bool = True
    callbacks: tuple[Callbacks, ...] = ()
    cookie: AffinityCookie | None = None
    explain: bool = False
    jroute: bool = False
    addresses: Addresses | None = None
    fast: bool = True
    request_shapes: Shapes = field(init=False)
    response_shapes: Shapes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "request_shapes", self._shapes(self.plan.request))
        object.__setattr__(self, "response_shapes", self._shapes(self.plan.response))

    def _shapes(self, watch: RequestWatch | ResponseWatch) -> Shapes:
        return Shapes(watch, self.scan, learns=self.fast)


@dataclass(slots=True)
class Desk:
    """What all exchanges share: `find(host, path, action)` chooses a service among `tables` (any
    object that is another one after a reload), `seconds` is the clock (since the epoch),
    `flipped(pool, member)` hears of backends that went up or down."""

    find: Callable[[str, str, str], Service | None]
    seconds: Callable[[], float]
    log: ExchangeLog
    metrics: Metrics
    flipped: Callable[[Pool, Member], None]
    tables: object = None


class Asked:
    """What a request head says.

    `found` and `ends` are ids and markers outside the body; `envelope`: the service's profiles
    look into bodies; `plain`: a body can be an envelope in UTF-8 as it is; `less`: what takes out
    of the lines that go on what a backend should not see, None for nothing. `cookie`: our own,
    `claim`: what it says, `foreign`: how many of its name are not ours; `explain`: the answer says
    what happened to stickiness; `fast`: it may go the short way.
    """

    __slots__ = (
        "_peer", "_scheme", "_traces", "action", "claim", "cookie", "ends", "envelope", "explain",
        "fast", "foreign", "found", "less", "method", "plain", "service", "tables",
    )  # fmt: skip

    def __init__(self, desk: Desk, head: RequestHead, facts: HttpFacts) -> None:
        self.tables = desk.tables
        self.method = head.method.decode("latin-1")
        self.action = soap_action(head.fields)
        path = head.target.partition(b"?")[0].decode("latin-1")
        self.service = desk.find(head.first(b"host").decode("latin-1"), path, self.action)
        self.found: list[Found] = []
        self.ends: list[Found] = []
        self.envelope = False
        self.explain = self.service is not None and self.service.explain
        self.less: Callable[[bytes], bytes] | None = None
        self.cookie = self.service.cookie if self.service is not None else None
        self.claim: Claim | None = None
        self.foreign = 0
        self.plain = plain(head)
        self._peer = self._scheme = b""
        self._traces = b""
        if self.service is not None:
            watch = self.service.plan.request
            self.envelope = watch.needs_envelope
            if self.service.hide_fast_infoset and self.service.plan.looks_into_xml:
                offers = head.fields.get(b"accept", ())
                if any(b"fastinfoset" in one.lower() for one in offers):
                    self.less = without_fast_infoset
            if self.service.cookie is not None and b"cookie" in head.fields:
                self._own_cookie(self.service.cookie, head)
            for one in watch.http(facts):
                (self.ends if one.use == "end" else self.found).append(one)
        # nothing about the head asks for the long way (see `soapgate.edge.fastpath`)
        self.fast = not (
            self.service is None
            or self.ends
            or self.less
            or self.explain
            or self.service.jroute
            or (self.envelope and not self.plain)
            or head.method == b"HEAD"
            or self.service.plan.request.empty_ends
            or (self.service.addresses is not None and self.service.addresses.rewrites)
        )

    def _own_cookie(self, cookie: AffinityCookie, head: RequestHead) -> None:
        self.claim, self.foreign = cookie.read(head.fields[b"cookie"])
        if self.claim or self.foreign:
            before = self.less
            self.less = lambda lines: cookie.without(before(lines) if before else lines)

    def traces(self, head: RequestHead, peer: bytes, scheme: bytes) -> bytes:
        """The lines the request gets on its way; kept for the client that asked last."""
        if self._peer != peer or self._scheme != scheme:
            self._traces = traces(head, peer, scheme)
            self._peer, self._scheme = peer, scheme
        return self._traces


def asked(desk: Desk, head: RequestHead, facts: Callable[[RequestHead], HttpFacts]) -> Asked:
    """What `head` says, read again only if nobody read it under these tables. `facts` adds what
    the connection knows; where profiles look at that, every request is read anew."""
    known: Asked | None = head.notes.get("asked")
    if known is not None and known.tables is desk.tables:
        return known
    known = Asked(desk, head, facts(head))
    if known.service is None or not known.service.plan.request.looks_at_client:
        head.notes["asked"] = known
    return known


def silent(head: ResponseHead, watch: ResponseWatch) -> bool:
    """Whether a response head has nothing that `watch` looks at."""
    if not watch.looks_at_head or head.notes.get("silent") is watch:
        return True
    if watch.may_look_at(head.fields):
        return False
    head.notes["silent"] = watch
    return True


def plain(head: RequestHead | ResponseHead) -> bool:
    """Whether a body with this head can be an envelope in UTF-8 as it is."""
    known: bool | None = head.notes.get("plain")
    if known is None:
        known = head.notes["plain"] = readable_as_it_is(
            head.first(b"content-type"), head.first(b"content-encoding")
        )
    return known
