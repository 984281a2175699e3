"""HTTP/1.1 through a running gateway, both sides raw: what old, odd and impatient peers do."""

from __future__ import annotations

import gzip
import socket
import threading

import pytest
from live import Cast, Gateway, Scripted
from wire import (
    WAIT,
    Backend,
    Client,
    Ended,
    Wire,
    ask,
    chunked,
    client_made,
    envelope,
    lines,
    ok,
    post,
    start_of,
)


@pytest.fixture(scope="module")
def echo(company: Cast) -> Backend:
    """A backend that answers with the body it got."""
    return company.backend("b1", reply=lambda request: ok(request.body, ("X-Node", "b1")))


@pytest.fixture(scope="module")
def gateway(company: Cast, echo: Backend) -> Gateway:
    return company.gateway([echo])


@pytest.fixture(scope="module")
def scripted(company: Cast) -> Scripted:
    return Scripted(company)


def test_a_request_and_its_response_travel_as_they_were_sent(gateway, echo):
    body = envelope(client_made("c1"), padding=1000)
    fields = (("SOAPAction", '"urn:x"'), ("x-ODD-Case", "a  b"), ("X-Twice", "1"), ("X-Twice", "2"))
    gone = (("Connection", "TE, X-Hop"), ("TE", "deflate"), ("X-Hop", "h"))
    reply = ask(gateway.port, post(body, *fields, *gone))
    assert reply.body == body
    seen = echo.requests[-1]
    assert seen.body == body
    names = [name for name, _ in seen.fields]
    assert names[:7] == [
        *("Host", "Content-Type", "Content-Length", "SOAPAction", "x-ODD-Case"),
        *("X-Twice", "X-Twice"),
    ]
    assert seen.get("Host") == "shop.example"
    assert seen.all("X-Twice") == ["1", "2"]
    assert not {"connection", "te", "x-hop"} & {name.lower() for name in names}
    assert seen.get("Via") == "1.1 soapgate"
    assert seen.get("X-Forwarded-For") == "127.0.0.1"
    assert seen.get("X-Forwarded-Proto") == "http"
    assert seen.get("X-Forwarded-Host") == "shop.example"


def test_connections_are_kept_on_both_sides(gateway, echo):
    with Client(gateway.port) as client:
        client.ask(post(envelope()))
        served = echo.served
        for _ in range(5):
            assert client.ask(post(envelope())).status == 200
    assert echo.served == served


def test_pipelined_requests_are_answered_in_order(gateway):
    bodies = [envelope(client_made("p"), f"<s:n{n}/>") for n in range(50)]
    with Client(gateway.port) as client:
        client.send(b"".join(map(post, bodies)))
        assert [client.message().body for _ in bodies] == bodies


def test_requests_cut_anywhere_are_the_same_requests(gateway):
    body = envelope(client_made("cut"))
    raw = post(body) + start_of(("Transfer-Encoding", "chunked")) + chunked(b"ab", b"cde")
    with Client(gateway.port) as client:
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(raw)):
            client.send(raw[at : at + 1])
        assert client.message().body == body
        assert client.message().body == b"abcde"


def test_a_chunked_body_arrives_with_its_trailers(gateway, echo):
    trailers = b"X-Sum: 12\r\nContent-Length: 3\r\n"
    fields = (("Transfer-Encoding", "chunked"), ("Trailer", "X-Sum"))
    reply = ask(gateway.port, start_of(*fields) + chunked(b"one", b"two", trailers=trailers))
    assert reply.body == b"onetwo"
    assert echo.requests[-1].trailers == [("X-Sum", "12")]


def test_a_gzip_body_is_read_for_its_id_and_passes_unchanged(gateway, echo):
    body = gzip.compress(envelope(client_made("zipped")))
    reply = ask(gateway.port, post(body, ("Content-Encoding", "gzip")))
    assert reply.body == echo.requests[-1].body == body
    assert (
        gateway.call("POST", "/api/v1/pins/lookup", {"service": "shop", "id": "zipped"})[0] == 200
    )


def test_an_expecting_client_is_asked_for_its_body(gateway):
    body = envelope(client_made("w"))
    with Client(gateway.port) as client:
        client.send(post(body, ("Expect", "100-continue"))[: -len(body)])
        assert client.head().start == "HTTP/1.1 100 Continue"
        client.send(body)
        assert client.message().body == body


def test_a_client_that_expects_and_sends_at_once_gets_one_final_answer(gateway):
    body = envelope()
    with Client(gateway.port) as client:
        assert client.ask(post(body, ("Expect", "100-continue"))).body == body
        assert client.ask(post(body)).body == body


def test_an_old_client_gets_what_it_understands(gateway):
    with Client(gateway.port) as client:
        client.send(lines("POST /shop HTTP/1.0", (("Content-Length", "3"),)) + b"abc")
        reply = client.message()
        assert (reply.body, reply.get("Connection")) == (b"abc", "close")
        assert client.peer_closed()


def test_an_old_client_may_keep_its_connection(gateway):
    fields = (("Content-Length", "3"), ("Connection", "keep-alive"))
    with Client(gateway.port) as client:
        for _ in range(2):
            reply = client.ask(lines("POST /shop HTTP/1.0", fields) + b"abc")
            assert (reply.body, reply.get("Connection")) == (b"abc", "keep-alive")


def test_a_half_closed_client_gets_its_answer(gateway):
    body = envelope(padding=100_000)
    with Client(gateway.port) as client:
        client.send(post(body))
        client.half_close()
        assert client.message().body == body
        assert client.peer_closed()


def test_a_client_that_half_closes_within_its_request_is_not_answered_by_a_backend(gateway, echo):
    count = len(echo.requests)
    with Client(gateway.port) as client:
        client.send(post(envelope())[:-5])
        client.half_close()
        assert b" 200 " not in client.rest()
    assert len(echo.requests) == count


def test_an_upgrade_offer_is_ignored_and_the_body_arrives(gateway, echo):
    body = envelope(client_made("java"))
    offer = (
        ("Connection", "Upgrade, HTTP2-Settings"),
        ("Upgrade", "h2c"),
        ("HTTP2-Settings", "AAMAAABkAAQBAAAAAAIAAAAA"),
    )
    with Client(gateway.port) as client:
        for _ in range(2):
            reply = client.ask(post(body, *offer))
            assert (reply.status, reply.body) == (200, body)
    assert not {"Upgrade", "HTTP2-Settings"} & {name for name, _ in echo.requests[-1].fields}


def test_a_head_request_gets_the_length_and_the_connection_lives_on(scripted):
    def serve(wire: Wire) -> None:
        while True:
            request = wire.message()
            body = b"<wsdl/>"
            wire.send(ok(body)[: None if request.start.startswith("GET") else -len(body)])

    with Client(scripted.play(serve)) as client:
        reply = client.ask(start_of(method="HEAD", path="/shop?wsdl"))
        assert (reply.status, reply.get("Content-Length"), reply.body) == (200, "7", b"")
        assert client.ask(start_of(method="GET", path="/shop?wsdl")).body == b"<wsdl/>"


def test_responses_without_a_body_end_with_their_heads(scripted):
    """Whatever length they claim (RFC 9112 6.3, case 1)."""
    script = [
        *(("204 No Content", size) for size in ("", "0", "7")),
        *(("304 Not Modified", size) for size in ("", "0", "7", "0")),
        *(("202 Accepted", "0"),) * 2,
    ]

    def serve(wire: Wire) -> None:
        for status, size in script:
            wire.message()
            wire.send(lines(f"HTTP/1.1 {status}", (("Content-Length", size),) if size else ()))

    with Client(scripted.play(serve)) as client:
        for status, _ in script:
            reply = client.ask(post(envelope()))
            assert (reply.status, reply.body) == (int(status[:3]), b"")


def test_interim_responses_pass_to_who_knows_them(scripted):
    def serve(wire: Wire) -> None:
        wire.message()
        wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        wire.send(b"HTTP/1.1 103 Early Hints\r\nLink: </s>\r\n\r\n" + ok(b"done"))

    with Client(scripted.play(serve)) as client:
        client.send(post(envelope()))
        hint = client.head()
        assert (hint.status, hint.get("Link")) == (103, "</s>")
        assert client.message().body == b"done"


def old(body: bytes) -> bytes:
    return b"HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\n\r\n" + body


def test_an_old_backend_ends_its_body_by_closing(scripted):
    body = envelope(padding=300_000)

    def serve(wire: Wire) -> None:
        wire.message()
        wire.send(old(body))

    port = scripted.play(serve)
    with Client(port) as client:
        for _ in range(2):
            reply = client.ask(post(envelope()))
            assert reply.start.startswith("HTTP/1.1 200")
            assert (reply.body, reply.get("Transfer-Encoding")) == (body, "chunked")
    reply = ask(port, lines("POST / HTTP/1.0", (("Content-Length", "0"),)))
    assert (reply.body, reply.get("Transfer-Encoding")) == (body, "")


def test_a_chunked_response_with_trailers_reaches_new_and_old_clients(scripted):
    def serve(wire: Wire) -> None:
        while True:
            wire.message()
            head = lines("HTTP/1.1 200 OK", (("Transfer-Encoding", "chunked"),))
            wire.send(head + chunked(b"one;", b"two", trailers=b"X-Sum: 7\r\n"))

    port = scripted.play(serve)
    reply = ask(port, post(envelope()))
    assert (reply.body, reply.trailers) == (b"one;two", [("X-Sum", "7")])
    reply = ask(port, lines("POST / HTTP/1.0", (("Content-Length", "0"),)))
    assert (reply.body, reply.get("Transfer-Encoding")) == (b"one;two", "")


def test_a_response_that_breaks_off_breaks_off_for_the_client_too(scripted):
    def serve(wire: Wire) -> None:
        request = wire.message()
        framing = ("Content-Length", "100") if "cl" in request.start else CHUNKS
        wire.send(lines("HTTP/1.1 200 OK", (framing,)) + b"5\r\nhello")

    port = scripted.play(serve)
    for path in ("/cl", "/chunks"):
        with Client(port) as client:
            client.send(post(envelope(), path=path))
            head = client.head()
            assert head.status == 200
            with pytest.raises((Ended, ConnectionError)):
                b"".join(client.body(head))


CHUNKS = ("Transfer-Encoding", "chunked")


def test_an_answer_may_come_before_its_question_ends(scripted):
    answered, whole = threading.Event(), threading.Event()

    def serve(wire: Wire) -> None:
        while True:
            request = wire.head()
            wire.send(ok(b"early"))
            size = sum(map(len, wire.body(request)))
            assert size == 1_000_000
            whole.set()

    with Client(scripted.play(serve)) as client:
        for _ in range(3):
            client.send(start_of(("Content-Length", "1000000")) + bytes(1000))
            assert client.message().body == b"early"  # the rest is still to be sent
            answered.set()
            client.send(bytes(999_000))
            assert whole.wait(WAIT)
            whole.clear()


def test_a_backend_that_closed_its_idle_connection_costs_no_request(scripted):
    """The next request goes out on a new connection, though POST cannot be repeated."""
    closed = threading.Semaphore(0)

    def serve(wire: Wire) -> None:
        wire.message()
        wire.send(ok(b"bye"))
        wire.close()  # without having said so
        closed.release()

    with Client(scripted.play(serve)) as client:
        for _ in range(50):
            assert client.ask(post(envelope())).body == b"bye"
            assert closed.acquire(timeout=WAIT)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"",
    ],
    ids=[
        *("length and coding", "two lengths", "negative length", "space before colon"),
        *("gzip coding", "coding in 1.0", "bare LF", "obs-fold", "NUL", "bad chunk size"),
        *("other version", "switching", "another protocol", "silence"),
    ],
)
def test_an_ill_framed_response_is_a_502(scripted, answer):
    def serve(wire: Wire) -> None:
        wire.message()
        wire.send(answer)
        wire.half_close()
        wire.rest()

    reply = ask(scripted.play(serve), post(envelope()))
    assert reply.status == 502
    assert b"UpstreamBroken" in reply.body


def test_what_is_not_soap_passes(gateway, echo):
    for kind, body in (("application/json", b'{"a": 1}'), ("text/plain", b"<e:Envelope")):
        raw = lines(
            "PUT /x?y=1 HTTP/1.1",
            (("Host", "h"), ("Content-Type", kind), ("Content-Length", str(len(body)))),
        )
        reply = ask(gateway.port, raw + body)
        assert (reply.status, reply.body) == (200, body)
        assert echo.requests[-1].start == "PUT /x?y=1 HTTP/1.1"
