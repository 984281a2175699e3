"""The relay's way of cutting bytes into messages, and that it changes none of them."""

from __future__ import annotations

import pytest
from live import Cast
from recorder import Connection, Exchange, Recorder, exchanges, messages
from wire import Client, ok

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
CHUNKS = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;x=1\r\nab\r\n0\r\nT: 1\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
EMPTY = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
UNTIL_CLOSE = b"HTTP/1.0 200 OK\r\n\r\nabc\r\n\r\ndef"


@pytest.mark.parametrize("order", [(GET, POST, CHUNKS), (CHUNKS, GET, POST), (POST, CHUNKS, GET)])
def test_requests_are_cut_where_each_ends(order: tuple[bytes, ...]) -> None:
    assert list(messages(b"".join(order))) == list(order)


def test_a_response_without_a_length_lasts_until_the_close() -> None:
    assert list(messages(EMPTY + UNTIL_CLOSE)) == [EMPTY, UNTIL_CLOSE]


def test_an_interim_response_belongs_to_no_exchange() -> None:
    kept = Connection(bytearray(POST + POST), bytearray(CONTINUE + EMPTY + CONTINUE + EMPTY))
    assert exchanges(kept) == [Exchange(POST, EMPTY)] * 2


def test_the_relay_keeps_every_byte_and_changes_none(cast: Cast) -> None:
    backend = cast.backend(reply=lambda request: ok(request.body * 2))
    with Recorder(backend.port) as recorder:
        with Client(int(recorder.url.rstrip("/").rpartition(":")[2])) as client:
            assert client.ask(POST).body == b"abcabc"
        (seen,) = recorder.exchanges()
    assert seen.request == POST
    assert seen.response == ok(b"abcabc")
