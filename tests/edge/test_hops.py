"""What a message gets and loses on the gateway's way."""

from __future__ import annotations

import pytest

from soapgate.core.faults import Answer
from soapgate.edge.exchangelog import ExchangeRecord
from soapgate.edge.hops import explained, last_hop, own_answer, routed_to, traces
from soapgate.edge.http11 import (
    HeadLimits,
    RequestHead,
    ResponseHead,
    parse_request_head,
    parse_response_head,
)


def request(*lines: bytes, first: bytes = b"POST / HTTP/1.1", host: bytes = b"h:8") -> RequestHead:
    fields = [b"Host: " + host] if host else []
    raw = b"\r\n".join([first, *fields, *lines, b"", b""])
    return parse_request_head(raw, HeadLimits())


def response(*lines: bytes, first: bytes = b"HTTP/1.1 200 OK") -> ResponseHead:
    return parse_response_head(b"\r\n".join([first, *lines, b"", b""]), b"POST", HeadLimits())


OLD = b"POST / HTTP/1.0"


def test_a_request_gets_its_traces_and_the_end_of_its_head() -> None:
    assert traces(request(), b"192.0.2.1", b"https") == (
        b"Via: 1.1 soapgate\r\n"
        b"X-Forwarded-For: 192.0.2.1\r\n"
        b"X-Forwarded-Proto: https\r\n"
        b"X-Forwarded-Host: h:8\r\n"
        b"\r\n"
    )


def test_the_version_in_via_is_the_one_received() -> None:
    assert traces(request(first=OLD), b"x", b"http").startswith(b"Via: 1.0 soapgate\r\n")


def test_scheme_and_host_of_an_outer_gateway_are_left_standing() -> None:
    head = request(b"X-Forwarded-Proto: https", b"X-Forwarded-Host: outer")
    assert traces(head, b"x", b"http") == b"Via: 1.1 soapgate\r\nX-Forwarded-For: x\r\n\r\n"


def test_without_a_host_no_host_is_forwarded() -> None:
    assert b"Forwarded-Host" not in traces(request(first=OLD, host=b""), b"x", b"http")


def test_a_backend_is_named_in_a_line_of_its_own() -> None:
    assert routed_to("b-1.x") == b"proxy-jroute: b-1.x\r\n"


FIXED = (b"Content-Length: 2",)
CHUNKS = (b"Transfer-Encoding: chunked",)


@pytest.mark.parametrize(
    ("asked", "answered", "keep", "added", "chunked", "lives"),
    [
        (request(), response(*FIXED), True, b"", False, True),
        (request(), response(*FIXED), False, b"Connection: close\r\n", False, False),
        (request(), response(*CHUNKS), True, b"", True, True),
        (request(), response(*CHUNKS), False, b"Connection: close\r\n", True, False),
        (request(), response(), True, b"Transfer-Encoding: chunked\r\n", True, True),
        (
            request(b"Connection: close"),
            response(),
            True,
            b"Transfer-Encoding: chunked\r\nConnection: close\r\n",
            True,
            False,
        ),
        (
            request(b"Connection: close"),
            response(*FIXED),
            True,
            b"Connection: close\r\n",
            False,
            False,
        ),
        (
            request(b"Connection: keep-alive", first=OLD),
            response(*FIXED),
            True,
            b"Connection: keep-alive\r\n",
            False,
            True,
        ),
        (request(first=OLD), response(*FIXED), True, b"Connection: close\r\n", False, False),
        (
            request(b"Connection: keep-alive", first=OLD),
            response(),
            True,
            b"Connection: close\r\n",
            False,
            False,
        ),
    ],
    ids=[
        "length",
        "length, we end",
        "chunks",
        "chunks, we end",
        "close becomes chunks",
        "close becomes chunks for a client that ends",
        "length for a client that ends",
        "old client that stays",
        "old client",
        "old client and no length",
    ],
)
def test_a_response_is_framed_for_its_client(
    asked: RequestHead,
    answered: ResponseHead,
    keep: bool,
    added: bytes,
    chunked: bool,
    lives: bool,
) -> None:
    head = last_hop(asked, answered, keep=keep)
    assert head == (answered.forward + added + b"\r\n", chunked, lives)


def test_an_old_client_gets_no_chunks_and_the_close_ends_its_body() -> None:
    asked = request(b"Connection: keep-alive", first=OLD)
    head, chunked, lives = last_hop(asked, response(*CHUNKS, b"A: b"), keep=True)
    assert head == b"HTTP/1.1 200 OK\r\nA: b\r\nConnection: close\r\n\r\n"
    assert not chunked
    assert not lives


def test_the_backends_own_will_to_close_is_not_the_clients_business() -> None:
    head, _, lives = last_hop(request(), response(*FIXED, b"Connection: close"), keep=True)
    assert lives
    assert b"Connection" not in head


FAULT = Answer(503, "Service Unavailable", (("Content-Type", "text/xml"),), b"<f/>")


def test_an_answer_of_ours_is_a_whole_message() -> None:
    assert own_answer(FAULT, body=True, keep=True) == (
        b"HTTP/1.1 503 Service Unavailable\r\n"
        b"Content-Type: text/xml\r\n"
        b"Content-Length: 4\r\n"
        b"\r\n<f/>"
    )


def test_an_answer_of_ours_may_end_the_connection() -> None:
    assert b"\r\nConnection: close\r\n\r\n" in own_answer(FAULT, body=True, keep=False)


def test_an_answer_to_head_has_the_length_and_no_body() -> None:
    answer = own_answer(FAULT, body=False, keep=True)
    assert answer.endswith(b"Content-Length: 4\r\n\r\n")


def test_an_old_client_is_told_of_no_coding_even_where_there_is_no_body() -> None:
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n"
    answered = parse_response_head(raw, b"HEAD", HeadLimits())
    asked = request(b"Connection: keep-alive", first=b"HEAD / HTTP/1.0")
    head, chunked, lives = last_hop(asked, answered, keep=True)
    assert head == b"HTTP/1.1 200 OK\r\nA: b\r\nConnection: keep-alive\r\n\r\n"
    assert not chunked
    assert lives


def test_a_response_can_say_what_happened_to_stickiness_in_a_line_of_its_head() -> None:
    record = ExchangeRecord.of(route="pinned", reason="bound", backend="b1", profile="shop")
    raw = b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody\r\n\r\nmore"
    assert explained(raw, record, None, (), ()) == (
        b"HTTP/1.1 200 OK\r\nA: b\r\n"
        b"X-Soapgate: ----; route=pinned; reason=bound; backend=b1; profile=shop\r\n"
        b"\r\nbody\r\n\r\nmore"
    )


def test_what_is_not_known_is_not_said() -> None:
    record = ExchangeRecord.of(route="refused", reason="malformed")
    assert b"X-Soapgate: --R-; route=refused; reason=malformed\r\n\r\n" in explained(
        b"HTTP/1.1 400 Bad Request\r\n\r\n", record, None, (), ()
    )
