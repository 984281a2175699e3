"""Peers that are too slow: each time-out, as its peer sees it, and what it must not do."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from live import Cast, Gateway
from wire import (
    LOOK,
    WAIT,
    Backend,
    Client,
    Wire,
    ask,
    client_made,
    envelope,
    lines,
    ok,
    post,
    start_of,
    wait_for,
)

SHORT = {
    "head": "1s",
    "idle": "1s",
    "body_rate": "1kB",
    "body_grace": "1s",
    "connect": "1s",
    "response": "1s",
    "response_idle": "1s",
    "upstream_idle": "1s",
}
FLOOD = 50_000_000
SOON = 10.0  # seconds: many times what is configured, for a machine under load


def serve(wire: Wire) -> None:
    """Does what the path of a request says."""
    while True:
        request = wire.message()
        path = request.start.split()[1]
        if path == "/silent":
            wire.rest()
        elif path == "/stops":
            wire.send(lines("HTTP/1.1 200 OK", (("Content-Length", "100"),)) + b"begun")
            wire.rest()
        elif path == "/floods":
            wire.send(ok(bytes(FLOOD)))
        elif path == "/creeps":
            wire.send(lines("HTTP/1.1 200 OK", (("Content-Length", "20"),)))
            for _ in range(20):
                time.sleep(0.1)  # its slowness is the test
                wire.send(b".")
        else:
            wire.send(ok(b"fine"))


@pytest.fixture(scope="module")
def backend(company: Cast) -> Backend:
    return company.backend("b1", serve=serve)


@pytest.fixture(scope="module")
def gateway(company: Cast, backend: Backend) -> Gateway:
    return company.gateway([backend], timeouts=SHORT)


def logged(gateway: Gateway, **fields: object) -> list[dict[str, object]]:
    """The lines of its log that have these fields."""
    lines = [json.loads(line) for line in gateway.log_file.read_text().splitlines()]
    return [line for line in lines if fields.items() <= line.items()]


def drip(client: Client, pieces: Iterator[bytes]) -> None:
    """Send piece after piece, slowly, until something comes back."""
    client.sock.settimeout(LOOK)
    until = time.monotonic() + SOON
    for piece in pieces:
        assert time.monotonic() < until, "nobody stopped it"
        try:
            client.send(piece)
            first = client.sock.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            continue
        except ConnectionError:
            break
        assert first
        break
    client.sock.settimeout(WAIT)


def endless(piece: bytes) -> Iterator[bytes]:
    while True:
        yield piece


Scenario = Callable[[Gateway], None]
SLOW: dict[str, Scenario] = {}


def slow(scenario: Scenario) -> Scenario:
    """One that mostly waits: all of them begin together, and each is a test that awaits its own."""
    SLOW[scenario.__name__] = scenario
    return scenario


@slow
def a_head_that_drips_is_a_408(gateway):
    with Client(gateway.port) as client:
        drip(client, endless(b"X"))
        reply = client.message()
        assert (reply.status, reply.get("Connection")) == (408, "close")
        assert client.peer_closed()


@slow
def a_hundred_slow_heads_disturb_nobody(gateway):
    crowd = [Client(gateway.port) for _ in range(100)]
    for client in crowd:
        client.send(b"POST / HTTP/1.1\r\nX: ")
    assert ask(gateway.port, post(envelope())).body == b"fine"
    for client in crowd:
        assert client.message().status == 408
        client.close()


@slow
def a_connection_without_a_request_is_closed(gateway):
    with Client(gateway.port) as client:
        assert client.peer_closed()


@slow
def an_idle_connection_is_closed(gateway):
    with Client(gateway.port) as client:
        assert client.ask(post(envelope())).status == 200
        began = time.monotonic()
        assert client.peer_closed()
        assert time.monotonic() - began < SOON


@slow
def a_body_that_drips_is_a_408(gateway):
    with Client(gateway.port) as client:
        client.send(start_of(("Content-Length", "100000")))
        drip(client, endless(b"xx"))
        assert client.message().status == 408
        assert client.peer_closed()


@slow
def a_body_that_comes_steadily_is_not_stopped(gateway):
    with Client(gateway.port) as client:
        client.send(start_of(("Content-Length", "20000")))
        for _ in range(20):
            time.sleep(0.1)  # its slowness is the test: 10 kB/s, for longer than any limit
            client.send(bytes(1000))
        assert client.message().body == b"fine"


@slow
def a_silent_backend_is_a_504_and_keeps_backend_and_pin(gateway):
    asked = post(envelope(client_made("patient")), path="/silent")
    reply = ask(gateway.port, asked)
    assert reply.status == 504
    assert b"UpstreamTimeout" in reply.body
    assert gateway.backend("b1")["up"]
    assert gateway.pinned("patient") == "b1"


@slow
def a_response_that_stops_breaks_off(gateway):
    with Client(gateway.port) as client:
        client.send(post(envelope(), path="/stops"))
        assert b"begun" in client.rest()
    assert gateway.backend("b1")["up"]


@slow
def a_response_that_creeps_is_not_stopped(gateway):
    assert ask(gateway.port, post(envelope(), path="/creeps")).body == b"." * 20


@slow
def a_client_that_takes_nothing_is_dropped(gateway):
    """`response_idle` holds for both sides: one who does not read keeps no backend for ever."""
    with Client(gateway.port, window=64 * 1024) as client:
        client.send(post(envelope(), path="/floods"))
        (line,) = wait_for(lambda: logged(gateway, path="/floods"), "its line in the log")
        assert line["left"]
        assert len(client.rest()) < FLOOD
    assert gateway.backend("b1")["up"]


@pytest.fixture(scope="module")
def begun(gateway: Gateway) -> Iterator[dict[str, Future[None]]]:
    """Every scenario, under way."""
    with ThreadPoolExecutor(len(SLOW)) as pool:
        yield {name: pool.submit(one, gateway) for name, one in SLOW.items()}


@pytest.mark.parametrize("scenario", SLOW)
def test_too_slow(begun, scenario):
    begun[scenario].result()


def test_a_timeout_says_so_in_the_log(gateway, begun):
    assert logged(gateway, reason="request-timeout", status=408, backend="b1")  # a body
    assert logged(gateway, reason="request-timeout", status=408, backend=None)  # a head
    assert logged(gateway, reason="upstream-timeout", status=504, backend="b1")
    assert not logged(gateway, reason="request-timeout", status=504)


def test_a_kept_connection_to_a_backend_ages_out(gateway, backend):
    ask(gateway.port, post(envelope()))
    wait_for(
        lambda: all(wire.sock.fileno() < 0 for wire in backend.wires),
        "the end of every connection to the backend",
    )


def test_a_whole_exchange_may_have_a_limit(cast, backend):
    gateway = cast.gateway([backend], timeouts={"exchange": "500ms"})
    with Client(gateway.port) as silent, Client(gateway.port) as stopping:
        silent.send(post(envelope(), path="/silent"))
        stopping.send(post(envelope(), path="/stops"))
        assert silent.message().status == 504
        assert b"begun" in stopping.rest()


def test_a_connect_that_takes_too_long_is_given_up(cast):
    """Somebody listens and never accepts, so that the kernel lets further connects hang."""
    with ExitStack() as stack:
        deaf, *waiting = (stack.enter_context(socket.socket()) for _ in range(3))
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(deaf.getsockname())
        listed = [{"name": "b1", "url": f"http://127.0.0.1:{deaf.getsockname()[1]}"}]
        health = {"interval": "1h", "timeout": "1h", "fall": 100}
        gateway = cast.gateway(
            [],
            timeouts={"connect": "500ms"},
            pool={"backend": listed, "health": health, "attempts": 2},
        )
        reply = ask(gateway.port, post(envelope()))
        assert reply.status == 503
        assert b"NoBackend" in reply.body
        (line,) = gateway.log(1)
        assert line["detail"].startswith("no backend is ready and up; b1: ")
