from __future__ import annotations

import gzip
import zlib

import pytest
from talk import Peer, Talk, body_of, envelope, head_of, ok, one, over, post
from twisted.logger import globalLogPublisher

from soapgate.core.ns import WSA10
from soapgate.edge.rewriting import LOOKED_AT

NODE = b"http://10.0.0.1"
GATE = b"http://gate.example"
WSDL = (
    b'<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/"'
    b' xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/"><w:service><w:port>'
    b'<s:address location="http://10.0.0.1/shop"/></w:port></w:service></w:definitions>'
)
MOVED = WSDL.replace(NODE, GATE)
GET = b"GET /shop?wsdl HTTP/1.1\r\nHost: gate.example\r\n\r\n"
ON = {"rewrites": True}


def epr(address: bytes = NODE + b"/sub", session: str = "") -> bytes:
    return envelope(
        session,
        f'<r:R xmlns:r="urn:r" xmlns:a="{WSA10}"><a:Address>{address.decode()}</a:Address></r:R>',
    )


def answer(talk: Talk, request: bytes, *pieces: bytes) -> bytes:
    """What the client hears of a response that comes in these pieces."""
    talk.client.says(request)
    backend = talk.asked()
    backend.heard()
    for piece in pieces:
        backend.says(piece)
    return talk.client.heard()


def asked(response: bytes, request: bytes = GET, **addresses: object) -> tuple[bytes, bytes]:
    """(head, body) that a client hears of a service that rewrites."""
    talk = one(addresses={**ON, **addresses})
    heard = answer(talk, request, response)
    assert over(talk) == []
    return head_of(heard), body_of(heard)


def counted(talk: Talk) -> dict[str, int]:
    return {word: count for (_, word), count in talk.metrics.rewrites.items()}


# --- rewriting: the body and its framing ---------------------------------------------------------


def test_a_wsdl_names_the_address_that_the_client_used():
    head, body = asked(ok(WSDL, b"Server: x"))
    assert body == MOVED
    said = [b"HTTP/1.1 200 OK", b"Content-Type: text/xml", b"Server: x"]
    assert head == b"\r\n".join([*said, b"Content-Length: %d" % len(MOVED)])


def test_a_reply_to_a_post_is_rewritten_and_learnt_from_as_it_was():
    talk = Talk(addresses=ON)
    talk.client.says(post(envelope()))
    backend = talk.asked()
    backend.says(ok(epr(b"http://10.0.0.2/sub", "s-1")))
    assert body_of(talk.client.heard()) == epr(GATE + b"/sub", "s-1")
    talk.serve(post(envelope("s-1")), ok(epr()))
    assert talk.last.route == "pinned"
    assert body_of(talk.client.heard()) == epr(GATE + b"/sub")


def test_the_connection_is_kept_and_the_next_answer_is_framed_right():
    talk = one(addresses=ON)
    for _ in range(5):
        talk.client.says(GET)
        talk.asked().says(ok(WSDL))
        assert body_of(talk.client.heard()) == MOVED
        talk.client.says(post(envelope()))
        talk.asked().says(ok(envelope()))
        assert body_of(talk.client.heard()) == envelope()
    assert counted(talk) == {"rewritten": 5}
    assert over(talk) == []


@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
def test_a_document_in_pieces_is_rewritten_as_a_whole(size):
    raw = ok(WSDL)
    talk = one(addresses=ON)
    heard = answer(talk, GET, *(raw[at : at + size] for at in range(0, len(raw), size)))
    assert body_of(heard) == MOVED
    assert b"Content-Length: %d\r\n" % len(MOVED) in heard


def test_a_chunked_document_stays_chunked_and_keeps_its_trailers_but_for_digests():
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"%x\r\n%b\r\n%x\r\n%b\r\n" % (50, WSDL[:50], len(WSDL) - 50, WSDL[50:])
    trailers = b"0\r\nX-Took: 3\r\nContent-MD5: abc\r\n\r\n"
    talk = one(addresses=ON)
    heard = answer(talk, GET, head, chunks[:80], chunks[80:], trailers)
    assert heard == head + b"%x\r\n%b\r\n0\r\nX-Took: 3\r\n\r\n" % (len(MOVED), MOVED)
    assert over(talk) == []


def test_a_document_that_the_end_of_the_connection_ends_is_rewritten():
    talk = one(addresses=ON)
    talk.client.says(GET)
    backend = talk.asked()
    backend.says(b"HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\n\r\n" + WSDL)
    assert talk.client.heard() == b""
    backend.closes()
    heard = talk.client.heard()
    assert b"\r\nTransfer-Encoding: chunked\r\n" in heard
    assert MOVED in heard


def test_a_fault_is_rewritten_like_any_answer():
    _, body = asked(ok(epr(), status=b"500 Internal Server Error"), post(envelope()))
    assert body == epr(GATE + b"/sub")


CODINGS = {
    "gzip": (b"gzip", gzip.compress(WSDL)),
    "x-gzip": (b"x-gzip", gzip.compress(WSDL)),
    "deflate": (b"deflate", zlib.compress(WSDL)),
    "two members": (b"gzip", gzip.compress(WSDL[:60]) + gzip.compress(WSDL[60:])),
}


@pytest.mark.parametrize(("coding", "body"), CODINGS.values(), ids=CODINGS)
def test_a_compressed_document_goes_on_uncompressed(coding, body):
    head, heard = asked(ok(body, b"Content-Encoding: " + coding, b"Vary: Accept-Encoding"))
    assert heard == MOVED
    assert b"Content-Encoding" not in head
    assert b"\r\nVary: Accept-Encoding" in head


def test_a_compressed_document_without_addresses_stays_as_it_is():
    packed = gzip.compress(envelope())
    response = ok(packed, b"Content-Encoding: gzip", b'ETag: "a"')
    head, heard = asked(response)
    assert head + b"\r\n\r\n" + heard == response


def test_what_no_longer_holds_of_the_body_is_taken_out_of_the_head():
    said = [b'ETag: "abc"', b"Content-MD5: x", b"Digest: x", b"Content-Digest: x"]
    head, _ = asked(
        ok(WSDL, *said, b"Repr-Digest: x", b"Accept-Ranges: bytes", b"Last-Modified: x")
    )
    assert head.split(b"\r\n")[2:-1] == [b'ETag: W/"abc"', b"Last-Modified: x"]


def test_a_weak_tag_stays_weak():
    assert b'\r\nETag: W/"abc"\r\n' in asked(ok(WSDL, b'ETag: W/"abc"'))[0]


def test_a_response_without_addresses_is_the_same_to_the_byte():
    response = ok(envelope("s-1"), b'ETag: "a"', b"Content-MD5: x", b"Location: /here")
    head, body = asked(response)
    assert head + b"\r\n\r\n" + body == response


# --- rewriting: fields ---------------------------------------------------------------------------


def test_a_redirect_leads_to_the_gateway():
    head, _ = asked(ok(b"", b"Location: http://10.0.0.1/shop/?wsdl", status=b"302 Found"))
    assert b"\r\nLocation: http://gate.example/shop/?wsdl\r\n" in head


def test_fields_and_body_are_rewritten_and_counted_once():
    talk = one(addresses=ON)
    heard = answer(talk, post(envelope()), ok(epr(), b"Content-Location: " + NODE))
    assert NODE not in heard
    assert counted(talk) == {"rewritten": 1}


def test_the_answer_to_head_keeps_its_length_and_has_its_fields_rewritten():
    request = GET.replace(b"GET", b"HEAD")
    response = ok(b"", b"Location: http://10.0.0.1/a").replace(b"Length: 0", b"Length: 99")
    head, body = asked(response, request)
    assert head.endswith(b"\r\nLocation: http://gate.example/a\r\nContent-Length: 99")
    assert body == b""


BODIES_THAT_STAY = {
    "304": b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n',
    "206": ok(WSDL, b"Content-Range: bytes 0-9/99", status=b"206 Partial Content"),
    "text": ok(WSDL).replace(b"text/xml", b"text/plain"),
    "HTML": ok(b"<a href='http://10.0.0.1/'/>").replace(b"text/xml", b"text/html"),
    "nothing": ok(),
}


@pytest.mark.parametrize("response", BODIES_THAT_STAY.values(), ids=BODIES_THAT_STAY)
def test_what_is_no_whole_xml_document_passes_and_is_not_counted(response):
    talk = one(addresses=ON)
    assert answer(talk, GET, response) == response
    assert counted(talk) == {}


# --- rewriting: what cannot be -------------------------------------------------------------------

SIGNED = (
    b'<e xmlns="http://www.w3.org/2000/09/xmldsig#"><Signature><SignedInfo><Reference URI=""/>'
    b'</SignedInfo></Signature><Address xmlns="http://www.w3.org/2005/08/addressing">http://10.0.0.1'
    b"</Address></e>"
)
UNTOUCHED = {
    "sealed": ok(SIGNED),
    "sealed by HTTP": ok(WSDL, b"Signature-Input: a=()", b"Signature: a=:x:"),
    "malformed": ok(WSDL[:-1]),
    "malformed gzip": ok(gzip.compress(WSDL)[:-9], b"Content-Encoding: gzip"),
    "malformed deflate": ok(b"\xff" * 40, b"Content-Encoding: deflate"),
    "encoding br": ok(WSDL, b"Content-Encoding: br"),
    "encoding charset": ok(WSDL).replace(b"text/xml", b"text/xml; charset=ebcdic-x"),
    "multipart": ok(WSDL).replace(b"text/xml", b'multipart/related; type="text/xml"'),
    "too-long": ok(WSDL + b" " * 2000),
    "too-long gzip": ok(gzip.compress(WSDL + b" " * 2000), b"Content-Encoding: gzip"),
}


@pytest.mark.parametrize("why", UNTOUCHED)
def test_what_cannot_be_rewritten_passes_as_it_is_and_is_counted(why):
    talk = one(addresses={**ON, "most": 2000})
    assert answer(talk, GET, UNTOUCHED[why]) == UNTOUCHED[why]
    assert counted(talk) == {why.partition(" ")[0]: 1}


def test_a_stream_that_outgrows_the_limit_goes_on_as_it_comes():
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n"
    talk = one(addresses={**ON, "most": 1000})
    talk.client.says(GET)
    backend = talk.asked()
    backend.says(head + b"258\r\n" + b"x" * 600 + b"\r\n")
    assert talk.client.heard() == b""
    backend.says(b"258\r\n" + b"y" * 600 + b"\r\n")
    assert talk.client.heard() == head + b"258\r\n%b\r\n258\r\n%b\r\n" % (b"x" * 600, b"y" * 600)
    backend.says(b"1\r\nz\r\n0\r\n\r\n")
    assert talk.client.heard() == b"1\r\nz\r\n0\r\n\r\n"
    assert counted(talk) == {"too-long": 1}
    assert over(talk) == []


def test_a_long_document_streams_from_its_first_byte():
    profile = {"title": "A", "about": "B", "lookup": ["cookie:a"]}  # no scanner holds the body
    talk = one(profiles={"a": profile}, addresses={**ON, "most": 1000})
    talk.client.says(GET)
    talk.asked().says(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 1001\r\n\r\n<a>"
    )
    assert talk.client.heard().endswith(b"\r\n\r\n<a>")


def test_other_content_streams():
    talk = one(addresses=ON)
    talk.client.says(GET)
    talk.asked().says(b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 9\r\n\r\nx")
    assert talk.client.heard().endswith(b"\r\n\r\nx")


def test_a_backend_that_breaks_off_while_its_document_is_held_is_a_fault():
    talk = one(addresses=ON)
    talk.client.says(GET)
    backend = talk.asked()
    backend.says(ok(WSDL)[:-5])
    backend.breaks()
    assert talk.client.heard().startswith(b"HTTP/1.1 502 ")
    assert over(talk) == []


def test_a_client_that_leaves_while_its_document_is_held_leaves_nothing_behind():
    talk = one(addresses=ON)
    talk.client.says(GET)
    talk.asked().says(ok(WSDL)[:-5])
    talk.client.breaks()
    assert talk.last.left
    assert over(talk) == []


# --- what the gateway is called ------------------------------------------------------------------


def host(value: bytes, *fields: bytes) -> bytes:
    return b"\r\n".join([b"GET /shop?wsdl HTTP/1.1", b"Host: " + value, *fields, b"", b""])


FORWARDED = (b"X-Forwarded-Host: a.example, b", b"X-Forwarded-Proto: https, http")
CALLED = {
    "its port": ("host", host(b"gate:8080"), b"http://gate:8080"),
    "an IPv6 literal": ("host", host(b"[::1]:8080"), b"http://[::1]:8080"),
    "forwarded is not believed": ("host", host(b"gate", *FORWARDED), b"http://gate"),
    "unless told so": ("forwarded", host(b"gate", *FORWARDED), b"https://a.example"),
    "forwarded without fields": ("forwarded", host(b"gate"), b"http://gate"),
    "a fixed one": ("https://shop.example/", host(b"gate", *FORWARDED), b"https://shop.example"),
    "a fixed one for a client without Host": (
        "https://shop.example:8443",
        b"GET / HTTP/1.0\r\n\r\n",
        b"https://shop.example:8443",
    ),
}


@pytest.mark.parametrize(("public", "request_", "origin"), CALLED.values(), ids=CALLED)
def test_the_gateway_is_called(public, request_, origin):
    assert asked(ok(WSDL), request_, public=public)[1] == WSDL.replace(NODE, origin)


@pytest.mark.parametrize(
    ("public", "request_"),
    [
        ("host", b"GET / HTTP/1.1\r\nHost: a&b\r\n\r\n"),
        ("forwarded", host(b"gate", b"X-Forwarded-Host: <x>")),
        ("forwarded", host(b"gate", b"X-Forwarded-Proto: gopher")),
    ],
)
def test_a_name_that_cannot_stand_in_a_url_is_not_used(public, request_):
    talk = one(addresses={**ON, "public": public})
    assert answer(talk, request_, ok(WSDL)) == ok(WSDL)
    assert counted(talk) == {"no-host": 1}


def test_the_scheme_is_that_of_the_listener():
    talk = one(addresses=ON)
    talk.client.says(host(b"gate"))
    talk.client.protocol.scheme = b"https"
    talk.asked().says(ok(WSDL))
    assert body_of(talk.client.heard()) == WSDL.replace(NODE, b"https://gate")


def test_backends_may_be_known_by_other_addresses():
    others = ((True, "node1.example", 8443),)
    other = WSDL.replace(NODE, b"https://Node1.example:8443")
    assert asked(ok(other), others=others)[1] == MOVED
    assert asked(ok(other))[1] == other


def test_backends_that_a_reload_brings_are_known():
    talk = one(addresses=ON)
    other = WSDL.replace(b"10.0.0.1", b"10.0.0.9")
    assert body_of(answer(talk, GET, ok(other))) == other
    backends = [one.backend for one in talk.pool.members.values()]
    talk.pool.replace([*backends, type(backends[0]).parse("b9", "http://10.0.0.9", backup=True)])
    assert body_of(answer(talk, GET, ok(other))) == MOVED


# --- leaks ---------------------------------------------------------------------------------------

LEAKS = {
    "a WSDL": (GET, ok(WSDL)),
    "a redirect": (GET, ok(b"", b"Location: http://10.0.0.1/", status=b"302 Found")),
    "an answer that begins a session": (post(envelope()), ok(epr(session="s-1"))),
    "an answer without a session": (post(envelope()), ok(epr())),
    "a WSDL in the end": (GET, ok(b"<a>" + b" " * 100_000 + WSDL + b"</a>")),
}


@pytest.mark.parametrize(("request_", "response"), LEAKS.values(), ids=LEAKS)
def test_a_response_that_shows_a_backends_address_is_counted_and_passes(request_, response):
    talk = one(addresses={})
    assert answer(talk, request_, response) == response
    assert talk.metrics.leaks == {"shop": 1}


@pytest.mark.parametrize("size", [1, 3, 20])
def test_an_address_that_streams_by_in_pieces_is_seen_once(size):
    raw = ok(WSDL + WSDL)
    talk = one(addresses={})
    heard = answer(talk, GET, *(raw[at : at + size] for at in range(0, len(raw), size)))
    assert heard == raw
    assert talk.metrics.leaks == {"shop": 1}
    assert over(talk) == []


def test_a_chunked_document_that_is_looked_at_passes_with_its_trailers():
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n"
    talk = one(addresses={})
    pieces = (head + b"1\r\n \r\n", b"%x\r\n%b\r\n" % (len(WSDL), WSDL), b"0\r\nX: y\r\n\r\n")
    assert answer(talk, GET, *pieces) == b"".join(pieces)
    assert talk.metrics.leaks == {"shop": 1}
    assert over(talk) == []


def test_a_document_until_the_end_of_the_connection_is_looked_at():
    talk = one(addresses={})
    talk.client.says(GET)
    backend = talk.asked()
    backend.says(b"HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\n\r\n" + WSDL[:200])
    backend.says(WSDL[200:])
    backend.closes()
    assert talk.client.heard().endswith(b"0\r\n\r\n")
    assert talk.metrics.leaks == {"shop": 1}


NO_LEAKS = {
    "the gateway's own address": (GET, ok(MOVED)),
    "a longer name": (GET, ok(WSDL.replace(b"10.0.0.1", b"10.0.0.10"))),
    "another port": (GET, ok(WSDL.replace(b"10.0.0.1", b"10.0.0.1:81"))),
    "no XML to GET": (GET, ok(WSDL).replace(b"text/xml", b"image/png")),
    "far behind in an answer": (post(envelope()), ok(b" " * LOOKED_AT + epr())),
    "a backend called like the gateway": (host(b"10.0.0.1"), ok(WSDL)),
}


@pytest.mark.parametrize(("request_", "response"), NO_LEAKS.values(), ids=NO_LEAKS)
def test_a_response_that_shows_none_is_not_counted(request_, response):
    talk = one(addresses={})
    assert answer(talk, request_, response) == response
    assert talk.metrics.leaks == {}


@pytest.mark.parametrize("cut", range(200, 250))
def test_a_longer_name_or_port_is_none_wherever_a_piece_ends(cut):
    for other in (b"http://10.0.0.1:8080", b"http://10.0.0.1.example", b"http://10.0.0.12"):
        raw = ok(WSDL.replace(NODE, other))
        end = len(raw) - len(WSDL) + cut
        talk = one(addresses={})
        answer(talk, GET, raw[:end], raw[end:])
        assert talk.metrics.leaks == {}


def test_answers_within_a_session_are_not_searched():
    talk = one(addresses={})
    talk.serve(post(envelope()), ok(envelope("s-1")))
    talk.serve(post(envelope("s-1")), ok(epr()))
    assert talk.last.route == "pinned"
    assert talk.metrics.leaks == {}


def test_the_first_leak_of_a_service_is_said_in_the_log_and_no_other():
    said = []
    globalLogPublisher.addObserver(said.append)
    try:
        talk = one(addresses={})
        for _ in range(3):
            answer(talk, GET, ok(WSDL))
    finally:
        globalLogPublisher.removeObserver(said.append)
    (event,) = [event for event in said if "rewrite_addresses" in event.get("log_format", "")]
    assert event["log_level"].name == "warn"
    assert event["service"] == "shop"
    assert talk.metrics.leaks == {"shop": 3}


def test_a_backend_that_a_reload_took_while_it_answered_is_not_looked_for():
    talk = Talk(addresses={})
    talk.client.says(GET)
    backend: Peer = talk.asked()
    talk.pool.replace([talk.pool.members["b2"].backend])
    backend.says(ok(WSDL))
    assert body_of(talk.client.heard()) == WSDL
    assert talk.metrics.leaks == {}
