"""Addresses of backends on their way to a client: replaced where a service says so, else noticed.

The one rule: a service that does not rewrite pays nothing for it on a request that is pinned, and
nothing is ever held back for it. A service that does holds the XML documents of its responses, up
to a limit, because an address may stand at the end (in a WSDL it does) and the length stands at
the beginning; all other responses stream. So does a multipart from the end of its root on, however
long its attachments are; but a compressed one, all of which would have to be inflated, is held to
its end like a document, to the same limit.

What cannot be rewritten passes as it came and is counted by a word: `too-long`, `multipart` (one
without a root that is read), `encoding` (a charset or a content coding that is not read),
`malformed`, `sealed` (signed, or perhaps), `no-host` (the client named none that can stand in a
URL). Where something was replaced
the document goes on uncompressed: such replies are few, and a client that takes gzip takes that.

Without rewriting, one thing is looked for: the origin of the backend that answers, in the head, in
all of a reply to GET (a WSDL), and in the beginning of replies that issue an id or whose request
no pin decided. That is where addresses are handed out; what a long session says is not searched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from twisted.logger import Logger

from soapgate.core.addresses import Address, Origins, Public, fields_with
from soapgate.core.encodings import Inflate, NotSoap, expect, media, open_coding
from soapgate.core.errors import Failure
from soapgate.core.pool import Member, Pool
from soapgate.core.rewriting import Rewritten, Untouched, rewrite
from soapgate.core.rootrewriting import RootPart
from soapgate.edge.flow import Flow, Whole
from soapgate.edge.framing import BodyReader, Chunked, Length
from soapgate.edge.http11 import RequestHead, ResponseHead
from soapgate.edge.leaks import Looking, needle
from soapgate.edge.metrics import Metrics

_log = Logger()

# Where an endpoint reference stands in a reply: in the Header, or in a Body that says little else.
LOOKED_AT = 4 * 1024

# What a field says of a body that is another one now: digests (RFC 9530, RFC 3230, RFC 1864), and
# that parts of it may be asked for. Its coding is gone as well.
_STALE = rb"content-md5|digest|content-digest|repr-digest"
_STALE_LINES = re.compile(rb"(?im)^(?:%b|accept-ranges|content-encoding):[^\r\n]*\r\n" % _STALE)
_STALE_TRAILERS = re.compile(rb"(?im)^(?:%b):[^\r\n]*\r\n" % _STALE)
# RFC 9110 8.8.1: weak, for the bytes are not those that the backend named; 304 still works
_STRONG_TAG = re.compile(rb"(?im)^(etag:[ \t]*)(?=\")")
_LENGTH = re.compile(rb"(?im)^(content-length:)[^\r\n]*")

Named = Callable[[RequestHead, bytes], Public | None]


def by_host(head: RequestHead, scheme: bytes) -> Public | None:
    """The gateway as the client called it: the listener's scheme and the Host field."""
    return Public.of(scheme, head.first(b"host"))


def by_forwarded(head: RequestHead, scheme: bytes) -> Public | None:
    """As the outermost proxy was called, by X-Forwarded-Proto and -Host; by Host without them. For
    gateways behind a proxy that sets these fields and lets no client do so."""

    def outermost(name: bytes, default: bytes) -> bytes:
        return head.first(name).partition(b",")[0].strip() or default

    host = outermost(b"x-forwarded-host", head.first(b"host"))
    return Public.of(outermost(b"x-forwarded-proto", scheme), host)


def named(public: str) -> Named:
    """How a service says what the gateway is called: "host", "forwarded" or a URL."""
    if public in ("host", "forwarded"):
        return by_host if public == "host" else by_forwarded
    scheme, _, host = public.rstrip("/").encode().partition(b"://")
    fixed = Public.of(scheme, host)
    return lambda head, scheme: fixed


class Caller(Protocol):
    """A client's connection; `scheme` is that of the listener."""

    scheme: bytes


class Answerer(Protocol):
    """A backend's connection, and the body that is coming from it."""

    member: Member
    flow: Flow | Whole | None


class Addresses:
    """What one service does about the addresses in its responses."""

    def __init__(
        self,
        service: str,
        pool: Pool,
        metrics: Metrics,
        *,
        rewrites: bool = False,
        public: str = "host",
        others: tuple[Address, ...] = (),
        most: int = 1024 * 1024,
    ) -> None:
        """`rewrites`: whether addresses are replaced. `public`: see `named`. `others`: addresses
        that the backends are known by besides those of the pool. `most`: octets of a document,
        inflated, that is held."""
        self.rewrites = rewrites
        self._service = service
        self._pool = pool
        self._metrics = metrics
        self._public = named(public)
        self._others = others
        self._most = most
        self._of: Mapping[str, object] | None = None  # the members that `_known` is made of
        self._known = Origins(())
        self._needles: dict[str, bytes] = {}  # by the name of the backend

    async def settle(
        self,
        head: RequestHead,
        client: Caller,
        reply: ResponseHead,
        upstream: Answerer,
        pieces: list[bytes],
    ) -> tuple[ResponseHead, list[bytes]]:
        """The response as it goes down: its head, and what of its body is at hand (`pieces` when
        it comes in); the rest is still to come from the flow of `upstream`."""
        if not self.rewrites:
            self._look(head, client, reply, upstream, pieces)
            return reply, pieces
        flow = upstream.flow
        assert flow is not None  # a head came, so there is a body, were it empty
        public = self._public(head, client.scheme)
        if public is None:
            return self._counted("no-host", reply, pieces)
        if b"signature-input" in reply.fields:  # RFC 9421: fields, and a digest of the body
            return self._counted("sealed", reply, pieces)
        origins = self._origins()
        forward = fields_with(reply.forward, reply.fields, origins, public.origin)
        moved = forward is not reply.forward
        if moved:
            reply = replace(reply, forward=forward, notes={})
        try:
            body, word = await self._rewritten(head, public, reply, flow, pieces, origins)
        except Untouched as why:
            return self._counted(str(why), reply, pieces)
        if body is None:
            return self._counted(word or ("rewritten" if moved else ""), reply, pieces)
        if isinstance(flow, Flow) and type(reply.framing) is Chunked:
            flow.reader = _Undigested(flow.reader)  # type: ignore[assignment]  # as in `Looking`
        return self._counted("rewritten", _resized(reply, len(body) - _size(pieces)), [body])

    async def _rewritten(
        self,
        head: RequestHead,
        public: Public,
        reply: ResponseHead,
        flow: Flow | Whole,
        pieces: list[bytes],
        origins: Origins,
    ) -> tuple[bytes | None, str]:
        """(what goes down for `pieces`, None if they do; the word why they do, "" for no reason).
        `pieces` are then all of the body, or all that was read of it."""
        kind = reply.first(b"content-type")
        if head.method == b"HEAD" or reply.status == 206 or (flow.done and not flow.received):
            return None, ""
        if media(kind)[0].startswith("multipart/"):
            done = await self._root_rewritten(public, reply, flow, pieces, origins)
        elif expect(kind)[1]:
            return None, _unread(kind)
        else:
            document = await self._document(reply, flow, pieces)
            done = rewrite(document, kind, origins, public.origin)
        if done.replaced:
            return done.body, ""
        return None, "sealed" if done.sealed else ""

    async def _root_rewritten(
        self,
        public: Public,
        reply: ResponseHead,
        flow: Flow | Whole,
        pieces: list[bytes],
        origins: Origins,
    ) -> Rewritten:
        """Of a multipart all that was read: up to the end of its root and perhaps some more; of a
        compressed one all of it."""
        root = RootPart(reply.first(b"content-type"), self._most)
        if _opened(reply) is not None:
            held = await self._document(reply, flow, pieces)
            root.feed(held)
        else:
            for piece in pieces:
                root.feed(piece)
            while not root.whole and (piece := await flow.piece()):
                pieces.append(piece)
                root.feed(piece)
            held = b"".join(pieces)
        if not root.whole:
            root.close()
        return root.rewrite(held, origins, public.origin)

    async def _document(
        self, reply: ResponseHead, flow: Flow | Whole, pieces: list[bytes]
    ) -> bytes:
        """The whole body, uncompressed. Raises Untouched."""
        framing, inflate = reply.framing, _opened(reply)
        if type(framing) is Length and framing.size > self._most:
            raise Untouched("too-long")
        if not await _gathered(flow, pieces, self._most):
            raise Untouched("too-long")
        body = b"".join(pieces)
        return body if inflate is None else _inflated(body, inflate, self._most)

    def _origins(self) -> Origins:
        """Of the pool as it is; made anew when members came or went."""
        members = self._pool.members
        if self._of is not members:
            addresses = [one.backend.address for one in members.values()]
            self._of = members
            self._known = Origins([*addresses, *self._others])
            self._needles = {name: needle(one.backend) for name, one in members.items()}
        return self._known

    def _counted(
        self, word: str, reply: ResponseHead, pieces: list[bytes]
    ) -> tuple[ResponseHead, list[bytes]]:
        if word:
            self._metrics.rewrite(self._service, word)
        return reply, pieces

    # Without rewriting

    def may_show(
        self, backend: str, method: bytes, forward: bytes, body: bytes, start: int = 0
    ) -> bool:
        """Whether a response of `backend` may show its address and deserves a closer look;
        `body`: the first piece of it, from `start` on."""
        if self._of is not self._pool.members:
            self._origins()
        sought = self._needles.get(backend)
        if sought is None:
            return False  # a reload took it while it answered
        if method == b"GET" or sought in forward:
            return True
        return body.find(sought, start, start + LOOKED_AT) >= 0

    def _look(
        self,
        head: RequestHead,
        client: Caller,
        reply: ResponseHead,
        upstream: Answerer,
        pieces: list[bytes],
    ) -> None:
        name, first = upstream.member.name, pieces[0] if pieces else b""
        if not self.may_show(name, head.method, reply.forward, first):
            return  # nearly always
        sought, asked = self._needles[name], head.method == b"GET"
        named = sought in reply.forward

        def shown(part: bytes) -> bool:
            public = self._public(head, client.scheme)
            return self._shown(part, public.address if public is not None else None)

        if named and shown(reply.forward):
            return
        flow = upstream.flow
        looking = Looking(sought, shown)
        if not asked:
            looking.found_in(b"".join(pieces[:1]), last=True)
        elif not expect(reply.first(b"content-type"))[1]:
            for piece in pieces:
                looking.found_in(piece)
            if isinstance(flow, Flow) and not flow.done:
                looking.read_with(flow)
            else:
                looking.found_in(b"", last=True)

    def _shown(self, part: bytes, own: Address | None) -> bool:
        """Whether a client is shown a backend's address; counted, and said once."""
        if not self._origins().shown(part, own):
            return False
        if self._metrics.leak(self._service) == 1:
            _log.warn(
                "service {service} shows its clients the address of a backend: those who use it go"
                " round the gateway. Let the backend take its address from the Host field, or set"
                " rewrite_addresses = true",
                service=self._service,
            )
        return True


async def _gathered(flow: Flow | Whole, pieces: list[bytes], most: int) -> bool:
    """Read the whole body into `pieces`; False if it is over `most` octets and streams on."""
    size = _size(pieces)
    while size <= most:
        piece = await flow.piece()
        if not piece:
            return True
        pieces.append(piece)
        size += len(piece)
    return False


def _size(pieces: list[bytes]) -> int:
    return sum(map(len, pieces))


def _opened(reply: ResponseHead) -> Inflate | None:
    """What undoes its content coding. Raises Untouched."""
    try:
        return open_coding(reply.first(b"content-encoding"))
    except NotSoap:
        raise Untouched("encoding") from None


def _inflated(body: bytes, inflate: Inflate, most: int) -> bytes:
    """The document itself. Raises Untouched."""
    made = []
    try:
        for piece in inflate.feed(body):
            made.append(piece)
            if inflate.made > most:
                raise Untouched("too-long")
    except Failure:
        raise Untouched("malformed") from None
    if not inflate.ended:
        raise Untouched("malformed")
    return b"".join(made)


def _unread(content_type: bytes) -> str:
    """`encoding` for XML in a charset that is not read, "" for what is no XML."""
    kind = media(content_type)[0]
    return "encoding" if kind.endswith(("/xml", "+xml")) else ""


def _resized(reply: ResponseHead, more: int) -> ResponseHead:
    """The head for a body of `more` octets on the wire, uncompressed."""
    forward = _STRONG_TAG.sub(rb"\1W/", _STALE_LINES.sub(b"", reply.forward))
    framing = reply.framing
    if type(framing) is Length:
        framing = Length(framing.size + more)
        forward = _LENGTH.sub(b"\\1 %d" % framing.size, forward)
    return replace(reply, forward=forward, framing=framing, notes={})


class _Undigested:
    """Stands before a body's reader: its trailers say nothing of what the body was. To a flow it is
    the reader."""

    def __init__(self, reader: BodyReader) -> None:
        self._reader = reader
        self.take = reader.take
        self.close = reader.close

    @property
    def done(self) -> bool:
        return self._reader.done

    @property
    def trailers(self) -> bytes:
        return _STALE_TRAILERS.sub(b"", self._reader.trailers)
