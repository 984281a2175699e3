"""What must not pass: every ambiguous or broken request is refused before a byte of it goes up.

The backend of this file counts all bytes that it hears, on all connections; behind each request
stands a second one, which a gateway that misread the first would send on.
"""

from __future__ import annotations

import pytest
from live import Cast, Gateway
from wire import Backend, Client, ask, client_made, envelope, post, start_of, wait_for

HOST = b"Host: shop.example\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: shop.example\r\n\r\n"


@pytest.fixture(scope="module")
def backend(company: Cast) -> Backend:
    return company.backend("b1")


@pytest.fixture(scope="module")
def gateway(company: Cast, backend: Backend) -> Gateway:
    limits = {"max_body": "1MiB", "head": "16KiB", "fields": 50, "target": "4KiB"}
    return company.gateway([backend], limits=limits)


def raw(*fields: bytes, start: bytes = b"POST /shop HTTP/1.1", host: bytes = HOST) -> bytes:
    return start + b"\r\n" + host + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


CHUNKED = b"Transfer-Encoding: chunked"
FIVE = b"Content-Length: 5"


def coded(*pieces: bytes) -> bytes:
    """A chunked body, as broken as it is written."""
    return raw(CHUNKED, b"Content-Type: text/xml") + b"".join(pieces)


FRAMING = {
    "length then coding": raw(FIVE, CHUNKED) + b"0\r\n\r\n",
    "coding then length": raw(CHUNKED, FIVE) + b"0\r\n\r\n",
    "two lengths": raw(FIVE, b"Content-Length: 6") + b"hello",
    "two equal lengths": raw(FIVE, FIVE) + b"hello",
    "a list of lengths": raw(b"Content-Length: 5, 5") + b"hello",
    "a signed length": raw(b"Content-Length: +5") + b"hello",
    "a negative length": raw(b"Content-Length: -5") + b"hello",
    "a hex length": raw(b"Content-Length: 0x5") + b"hello",
    "a length with a blank": raw(b"Content-Length: 5 5") + b"hello",
    "a length with an underscore": raw(b"Content-Length: 1_0") + b"hello",
    "an empty length": raw(b"Content-Length:") + b"hello",
    "a length past all bounds": raw(b"Content-Length: 99999999999999999999999") + b"hello",
    "gzip coding": raw(b"Transfer-Encoding: gzip") + b"0\r\n\r\n",
    "identity coding": raw(b"Transfer-Encoding: identity") + b"0\r\n\r\n",
    "chunked twice": raw(CHUNKED, CHUNKED) + b"0\r\n\r\n",
    "chunked, chunked": raw(b"Transfer-Encoding: chunked, chunked") + b"0\r\n\r\n",
    "gzip, chunked": raw(b"Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n",
    "chunked, gzip": raw(b"Transfer-Encoding: chunked, gzip") + b"0\r\n\r\n",
    "chunked, identity": raw(CHUNKED, b"Transfer-Encoding: identity") + b"0\r\n\r\n",
    "coding with a parameter": raw(b"Transfer-Encoding: chunked;x=1") + b"0\r\n\r\n",
    "quoted coding": raw(b'Transfer-Encoding: "chunked"') + b"0\r\n\r\n",
    "xchunked": raw(b"Transfer-Encoding: xchunked") + b"0\r\n\r\n",
    "coding behind a vertical tab": raw(b"Transfer-Encoding: \x0bchunked") + b"0\r\n\r\n",
    "an empty coding": raw(b"Transfer-Encoding:") + b"0\r\n\r\n",
    "coding in 1.0": raw(CHUNKED, start=b"POST /shop HTTP/1.0") + b"0\r\n\r\n",
    "an underlined coding beside": raw(FIVE, b"Transfer-Encoding : chunked") + b"0\r\n\r\n",
}
CHUNKS = {
    "a chunk size with a sign": coded(b"+5\r\nhello\r\n0\r\n\r\n"),
    "a negative chunk size": coded(b"-5\r\nhello\r\n0\r\n\r\n"),
    "a chunk size with 0x": coded(b"0x5\r\nhello\r\n0\r\n\r\n"),
    "a blank before a chunk size": coded(b" 5\r\nhello\r\n0\r\n\r\n"),
    "a blank behind a chunk size": coded(b"5 \r\nhello\r\n0\r\n\r\n"),
    "a chunk size of 17 digits": coded(b"00000000000000005\r\nhello\r\n0\r\n\r\n"),
    "a chunk size that wraps": coded(b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
    "no chunk size": coded(b"\r\nhello\r\n0\r\n\r\n"),
    "letters for a chunk size": coded(b"five\r\nhello\r\n0\r\n\r\n"),
    "a chunk that is longer than its size": coded(b"5\r\nhello!\r\n0\r\n\r\n"),
    "a chunk that is shorter than its size": coded(b"7\r\nhello\r\n0\r\n\r\n"),
    "a chunk line ended by LF": coded(b"5\nhello\n0\n\n"),
    "a chunk ended by LF": coded(b"5\r\nhello\n0\r\n\r\n"),
    "a bare CR in a chunk line": coded(b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
    "an LF in a chunk extension": coded(b"5;a=\nb\r\nhello\r\n0\r\n\r\n"),
    "a NUL in a chunk extension": coded(b"5;a=\x00\r\nhello\r\n0\r\n\r\n"),
    "an endless chunk extension": coded(b"5;" + b"a" * 9000),
    "a trailer without colon": coded(b"5\r\nhello\r\n0\r\nX\r\n\r\n"),
    "a trailer with a blank before its colon": coded(b"5\r\nhello\r\n0\r\nX : y\r\n\r\n"),
    "endless trailers": coded(b"5\r\nhello\r\n0\r\n", b"X: y\r\n" * 9000),
}
LINES = {
    "LF for CRLF": raw(FIVE).replace(b"\r\n", b"\n") + b"hello",
    "one bare LF": raw(b"X: a\nY: b"),
    "one bare CR": raw(b"X: a\rY: b"),
    "CR before CRLF": raw(b"X: a\r"),
    "CR in a name": raw(b"X\rY: b"),
    "a NUL in a value": raw(b"X: a\x00b"),
    "a NUL in a name": raw(b"X\x00: b"),
    "a control character in a value": raw(b"X: a\x01b"),
    "obs-fold by a blank": raw(b"X: a", b" b"),
    "obs-fold by a tab": raw(b"X: a", b"\tTransfer-Encoding: chunked"),
    "a blank before the first field": raw(host=b" " + HOST),
    "a blank before a colon": raw(b"X : a"),
    "a tab before a colon": raw(b"X\t: a"),
    "a blank in a name": raw(b"X Y: a"),
    "no colon": raw(b"Xa"),
    "no name": raw(b": a"),
    "a bracket in a name": raw(b"X(: a"),
    "a name that is not ASCII": raw("Schlüssel: a".encode()),
}
HOSTS = {
    "no Host": raw(host=b""),
    "two Hosts": raw(host=HOST + b"Host: other\r\n"),
    "two equal Hosts": raw(host=HOST + HOST),
    "an empty Host": raw(host=b"Host:\r\n"),
    "a Host with a blank": raw(host=b"Host: a b\r\n"),
    "a Host with a path": raw(host=b"Host: a/b\r\n"),
    "a Host with a user": raw(host=b"Host: u@a\r\n"),
    "a Host that is a list": raw(host=b"Host: a, b\r\n"),
    "a Host with a bad port": raw(host=b"Host: a:b\r\n"),
    "two Hosts in 1.0": raw(start=b"POST / HTTP/1.0", host=HOST + HOST),
}
STARTS = {
    "a lower-case method": raw(start=b"post / HTTP/1.1"),
    "a method with a bracket": raw(start=b"PO(ST / HTTP/1.1"),
    "an unknown method": raw(start=b"FROBNICATE / HTTP/1.1"),
    "CONNECT": raw(start=b"CONNECT other:443 HTTP/1.1"),
    "CONNECT to a path": raw(start=b"CONNECT / HTTP/1.1"),
    "TRACE": raw(start=b"TRACE / HTTP/1.1"),
    "absolute form": raw(start=b"POST http://shop.example/shop HTTP/1.1"),
    "authority form": raw(start=b"POST shop.example:80 HTTP/1.1"),
    "asterisk form for POST": raw(start=b"POST * HTTP/1.1"),
    "a relative target": raw(start=b"POST shop HTTP/1.1"),
    "a blank in the target": raw(start=b"POST /a b HTTP/1.1"),
    "a tab in the target": raw(start=b"POST /a\tb HTTP/1.1"),
    "a NUL in the target": raw(start=b"POST /a\x00b HTTP/1.1"),
    "a fragment": raw(start=b"POST /a#b HTTP/1.1"),
    "a target that is not ASCII": raw(start="POST /ä HTTP/1.1".encode()),
    "two blanks": raw(start=b"POST  / HTTP/1.1"),
    "a blank first": raw(start=b" POST / HTTP/1.1"),
    "a blank last": raw(start=b"POST / HTTP/1.1 "),
    "tabs for blanks": raw(start=b"POST\t/\tHTTP/1.1"),
    "no version": raw(start=b"POST /"),
    "lower-case http": raw(start=b"POST / http/1.1"),
    "a version of one number": raw(start=b"POST / HTTP/1"),
    "a version of three numbers": raw(start=b"POST / HTTP/1.1.1"),
    "a version with two digits": raw(start=b"POST / HTTP/1.10"),
    "TLS to a plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    + bytes(64)
    + b"\r\n\r\n",
}
BROKEN = {**FRAMING, **CHUNKS, **LINES, **HOSTS, **STARTS}
OTHERS = {
    "a long target": (414, raw(start=b"POST /" + b"a" * 5000 + b" HTTP/1.1")),
    "a long head": (431, raw(b"X: " + b"a" * 20_000)),
    "an endless head": (431, raw(b"X: " + b"a" * 40_000)[:-2]),
    "many fields": (431, raw(*(b"X: a",) * 60)),
    "a long body": (413, raw(b"Content-Length: 2000000")),
    "HTTP/2.0": (505, raw(start=b"POST / HTTP/2.0")),
    "the preface of HTTP/2": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTTP/0.9": (505, raw(start=b"POST / HTTP/0.9")),
    "another expectation": (417, raw(b"Expect: 200-ok", FIVE) + b"hello"),
}


def refused(gateway: Gateway, request: bytes) -> int:
    """The status of a refusal, whose connection is closed behind it."""
    with Client(gateway.port) as client:
        client.send(request + SMUGGLED)
        reply = client.message()
        assert client.peer_closed(), "something came behind the refusal"
    assert reply.get("Connection") == "close"
    return reply.status


@pytest.mark.parametrize("request_", BROKEN.values(), ids=BROKEN)
def test_an_ambiguous_request_is_refused_and_nothing_reaches_a_backend(gateway, backend, request_):
    heard = backend.heard
    assert refused(gateway, request_) == 400
    assert backend.heard == heard


@pytest.mark.parametrize(("status", "request_"), OTHERS.values(), ids=OTHERS)
def test_a_request_past_a_bound_is_refused_and_nothing_reaches_a_backend(
    gateway, backend, status, request_
):
    heard = backend.heard
    assert refused(gateway, request_) == status
    assert backend.heard == heard


ENVELOPES = {
    "a DOCTYPE": b"<!DOCTYPE e [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" + envelope("<a>&x;</a>"),
    "two Headers": envelope("</e:Header><e:Header>"),
    "an ill-formed Header": envelope("<a><b></a>"),
    "an undeclared prefix": envelope("<nobody:a/>"),
}


def test_a_target_without_end_is_refused_and_nothing_reaches_a_backend(gateway, backend):
    heard = backend.heard
    # by the bound of a target or that of a head: whichever is seen first
    assert refused(gateway, b"POST /" + b"a" * 50_000) in (414, 431)
    assert backend.heard == heard


@pytest.mark.parametrize("body", ENVELOPES.values(), ids=ENVELOPES)
def test_a_dangerous_envelope_is_refused_and_nothing_reaches_a_backend(gateway, backend, body):
    heard = backend.heard
    reply = ask(gateway.port, post(body))
    assert reply.status == 400
    assert b"Malformed" in reply.body
    assert backend.heard == heard


def test_a_chunked_body_over_the_bound_is_refused(gateway, backend):
    with Client(gateway.port) as client:
        client.send(start_of(("Transfer-Encoding", "chunked")))
        piece = b"%x\r\n%b\r\n" % (100_000, bytes(100_000))
        for _ in range(11):
            client.send(piece)
        assert client.message().status == 413


def test_a_chunk_that_breaks_later_never_becomes_a_whole_request(gateway, backend):
    """The head has gone up by then: the backend must see that its request broke off."""
    whole, heard = len(backend.requests), backend.heard
    with Client(gateway.port) as client:
        client.send(start_of(("Transfer-Encoding", "chunked")) + b"5\r\nhello\r\n")
        wait_for(lambda: backend.heard > heard, "the head at the backend")
        client.send(b"zz\r\n" + SMUGGLED)
        assert client.message().status == 400
        assert client.peer_closed()
    wire = backend.wires[-1]
    wait_for(lambda: wire.sock.fileno() < 0, "the end of the connection to the backend")
    assert len(backend.requests) == whole


def test_a_good_request_still_passes(gateway, backend):
    assert ask(gateway.port, post(envelope(client_made("c")))).status == 200
    assert backend.requests[-1].start == "POST /shop HTTP/1.1"
    assert not [one.start for one in backend.requests if "smuggled" in one.start]


def test_nothing_smuggled_follows_a_body(gateway, backend):
    """A body that looks like a request is a body, however it is framed and cut."""
    with Client(gateway.port) as client:
        for _ in range(3):
            assert client.ask(post(SMUGGLED)).status == 200
            head = start_of(("Transfer-Encoding", "Chunked"))
            assert client.ask(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)).status
            assert backend.requests[-1].body == SMUGGLED
        client.half_close()
        assert client.rest() == b""
