"""Exchanges byte by byte: framing, early answers, expectations, back-pressure."""

from __future__ import annotations

import pytest
from talk import Talk, body_of, envelope, head_of, ok, post


def test_via_and_forwarded_fields_are_added() -> None:
    talk = Talk()
    talk.client.says(post(b"", b"X-Forwarded-For: 198.51.100.1"))
    head = head_of(talk.backend().heard())
    assert b"\r\nX-Forwarded-For: 198.51.100.1\r\n" in head
    assert b"\r\nVia: 1.1 soapgate\r\n" in head
    assert b"\r\nX-Forwarded-For: 192.0.2.7\r\n" in head
    assert b"\r\nX-Forwarded-Proto: http\r\n" in head
    assert head.endswith(b"\r\nX-Forwarded-Host: gate.example")


def test_body_bytes_unchanged() -> None:
    talk = Talk()
    odd = b"\xef\xbb\xbf<?xml version='1.0'?>\r\n" + envelope("x", "<s:a>\t&amp;\xc3\xa9 </s:a>")
    talk.client.says(post(odd))
    backend = talk.backend()
    assert body_of(backend.heard()) == odd
    backend.says(ok(odd))
    assert body_of(talk.client.heard()) == odd


def test_pipelined_requests_are_answered_in_order() -> None:
    talk = Talk(backends=("b1",))
    talk.client.says(post(b"one") + post(b"two") + post(b"three"))
    backend = talk.backend()
    for word in (b"one", b"two", b"three"):
        assert body_of(backend.heard()) == word
        backend.says(ok(word.upper()))
    assert talk.client.heard() == ok(b"ONE") + ok(b"TWO") + ok(b"THREE")


def test_what_a_client_sends_ahead_is_bounded() -> None:
    talk = Talk()
    talk.client.says(post(b"one"))
    talk.client.says(post(b"x" * 70_000))
    assert talk.client.paused
    talk.backend().says(ok(b"1"))
    assert not talk.client.paused


@pytest.mark.parametrize("cut", [1, 40, 100, 141, 200])
def test_a_request_in_two_reads_is_one_request(cut: int) -> None:
    talk = Talk()
    request = post(envelope("s", "<s:x>" + "y" * 100 + "</s:x>"))
    talk.client.says(request[:cut])
    talk.client.says(request[cut:])
    assert body_of(talk.backend().heard()) == body_of(request)


def test_a_long_body_streams_while_it_comes() -> None:
    talk = Talk()
    start = envelope("s", "<s:blob>")[: -len(b"</e:Body></e:Envelope>")]
    size = len(start) + 3_000_000
    head = post(b"").replace(b"Content-Length: 0", b"Content-Length: %d" % size)
    talk.client.says(head + start)
    backend = talk.backend()
    assert body_of(backend.heard()) == start
    for _ in range(3):
        talk.client.says(b"x" * 1_000_000)
        assert backend.heard() == b"x" * 1_000_000
    backend.says(ok(b"done"))
    assert body_of(talk.client.heard()) == b"done"


def test_memory_per_exchange_bounded() -> None:
    """What is at hand never exceeds the scan limits and a read: the sender is paused instead."""
    talk = Talk()
    head = post(b"").replace(b"Content-Length: 0", b"Content-Length: 10000000")
    talk.client.says(head + envelope("s")[:-20])
    talk.client.says(b" " * 50_000)  # the backend is still being dialled
    assert talk.client.paused
    backend = talk.backend()
    assert not talk.client.paused
    assert talk.client.protocol.flow.take() == []
    assert len(backend.heard()) > 50_000


def test_a_slow_backend_pauses_the_client_and_a_slow_client_the_backend() -> None:
    talk = Talk()
    head = post(b"").replace(b"Content-Length: 0", b"Content-Length: 10000000")
    talk.client.says(head + envelope("s"))
    backend = talk.backend()
    backend.wire.producer.pauseProducing()
    assert talk.client.paused
    backend.wire.producer.resumeProducing()
    assert not talk.client.paused
    talk.client.says(b"x" * (10_000_000 - len(envelope("s"))))
    backend.says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Type: image/png\r\n\r\ny")
    talk.client.wire.producer.pauseProducing()
    assert backend.paused
    talk.client.wire.producer.resumeProducing()
    assert not backend.paused


def test_a_chunked_request_arrives_with_its_trailers() -> None:
    talk = Talk()
    lines = (
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n"
    )
    body = envelope("s-1")
    talk.client.says(
        lines + b"\r\n" + b"%x;ext=1\r\n%b\r\n" % (len(body), body) + b"0\r\nX-Sum: 5\r\n\r\n"
    )
    heard = talk.backend().heard()
    assert body_of(heard) == b"%x\r\n%b\r\n0\r\nX-Sum: 5\r\n\r\n" % (len(body), body)


def test_a_response_that_the_close_ends_becomes_chunks_for_a_new_client() -> None:
    talk = Talk()
    talk.client.says(post(envelope()))
    backend = talk.backend()
    backend.says(b"HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\n\r\n" + envelope("s-1"))
    backend.closes()
    heard = talk.client.heard()
    assert b"\r\nTransfer-Encoding: chunked\r\n" in heard
    assert heard.endswith(b"\r\n0\r\n\r\n")
    assert envelope("s-1") in heard
    assert talk.last.learned == 1
    assert talk.client.wire.ended == ""


def test_a_response_that_the_close_ends_stays_so_for_an_old_client() -> None:
    talk = Talk()
    talk.client.says(b"GET / HTTP/1.0\r\n\r\n")
    backend = talk.backend()
    backend.says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")
    assert talk.client.heard() == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhi"
    assert talk.client.wire.ended == "closed"


def test_an_old_client_may_keep_its_connection() -> None:
    talk = Talk()
    talk.client.says(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    talk.backend().says(ok(b"hi"))
    assert b"\r\nConnection: keep-alive\r\n" in talk.client.heard()
    assert talk.client.wire.ended == ""


def test_a_head_request_gets_the_length_and_no_body() -> None:
    talk = Talk()
    talk.client.says(b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
    backend = talk.backend()
    backend.says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    assert talk.client.heard() == b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
    assert talk.last.status == 200
    assert talk.dialers["b1"].idle


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_a_status_without_a_body_ends_with_its_head(status: bytes) -> None:
    talk = Talk()
    talk.client.says(post(envelope()))
    backend = talk.backend()
    backend.says(b"HTTP/1.1 " + status + b"\r\n\r\n")
    assert talk.client.heard() == b"HTTP/1.1 " + status + b"\r\n\r\n"


def test_an_expectation_is_answered_when_the_body_is_wanted() -> None:
    talk = Talk()
    request = post(envelope("s"), b"Expect: 100-continue")
    head = head_of(request) + b"\r\n\r\n"
    talk.client.says(head)
    assert talk.client.heard() == b"HTTP/1.1 100 Continue\r\n\r\n"
    talk.client.says(body_of(request))
    backend = talk.backend()
    heard = backend.heard()
    assert b"Expect" not in heard
    assert body_of(heard) == body_of(request)


def test_a_body_that_is_refused_is_never_asked_for() -> None:
    talk = Talk(max_body=1000)
    request = post(b"x" * 2000, b"Expect: 100-continue")
    talk.client.says(head_of(request) + b"\r\n\r\n")
    heard = talk.client.heard()
    assert heard.startswith(b"HTTP/1.1 413 ")
    assert b"100 Continue" not in heard
    assert not talk.dials


def test_a_chunked_body_over_the_bound_is_refused() -> None:
    talk = Talk(max_body=1000)
    talk.client.says(
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: text/xml\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n" + b"7d0\r\n" + b"x" * 2000
    )
    assert talk.client.heard().startswith(b"HTTP/1.1 413 ")


def test_an_interim_response_goes_to_who_understands_it() -> None:
    talk = Talk()
    talk.client.says(post(envelope()))
    backend = talk.backend()
    backend.says(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
    assert talk.client.heard() == b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    backend.says(ok(b"hi"))
    assert talk.client.heard() == ok(b"hi")


def test_an_answer_before_the_end_of_its_request_goes_down_and_the_rest_goes_up() -> None:
    talk = Talk()
    head = post(b"").replace(b"Content-Length: 0", b"Content-Length: 1000000")
    talk.client.says(head + envelope("s"))
    backend = talk.backend()
    backend.says(ok(b"early"))
    assert body_of(talk.client.heard()) == b"early"
    assert not talk.log.records
    talk.client.says(b"x" * (1_000_000 - len(envelope("s"))))
    assert talk.last.status == 200
    assert talk.client.wire.ended == ""
    assert talk.dialers["b1"].idle


def test_a_backend_that_answers_early_and_closes_ends_the_clients_connection_politely() -> None:
    talk = Talk()
    head = post(b"").replace(b"Content-Length: 0", b"Content-Length: 1000000")
    talk.client.says(head + envelope("s"))
    backend = talk.backend()
    backend.says(ok(b"early", b"Connection: close"))
    backend.closes()
    assert b"\r\nConnection: close\r\n" in talk.client.heard()
    assert talk.client.wire.ended == "half-closed"
    talk.client.says(b"x" * 1000)
    talk.passes(10)
    assert talk.client.wire.ended == "aborted"
    assert not talk.front.open
    assert not talk.dialers["b1"].open


def test_many_early_answers_leak_nothing() -> None:
    talk = Talk(backends=("b1",))
    head = post(b"").replace(b"Content-Length: 0", b"Content-Length: 1000000")
    clients = [talk.connect() for _ in range(300)]
    for client in clients:
        client.says(head + envelope("s"))
    for client in clients:
        backend = talk.backend()
        backend.says(ok(b"early", b"Connection: close"))
        backend.closes()
        client.closes()
    assert talk.pool.members["b1"].inflight == 0
    assert not talk.dialers["b1"].open
    assert len(talk.front.open) == 1
    assert len(talk.log.records) == 300


def test_an_upgrade_offer_is_ignored_and_the_body_arrives() -> None:
    talk = Talk()
    body = envelope("s")
    talk.client.says(
        post(body, b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AA")
    )
    heard = talk.backend().heard()
    assert body_of(heard) == body
    assert b"pgrade" not in heard
    assert b"HTTP2" not in heard


def test_a_half_closed_client_still_gets_its_answer() -> None:
    talk = Talk()
    talk.client.says(post(envelope()))
    talk.client.protocol.readConnectionLost()
    backend = talk.backend()
    backend.says(ok(b"hi"))
    assert body_of(talk.client.heard()) == b"hi"
    assert talk.client.wire.ended == "closed"
