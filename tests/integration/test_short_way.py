"""The short way over real sockets: what is left of a body in the socket goes past, byte for byte.

A request's first read is a few kilobytes. Whether its rest is spliced behind it, gathered, or told
as a story depends on its size and on what had come by then; what the backend gets must not.
"""

from __future__ import annotations

import hashlib
import time

import pytest
from live import Cast, Gateway
from wire import WAIT, Backend, Client, Message, Wire, client_made, envelope, ok, post, wait_for

FIRST = 4 * 1024  # octets of a first read, at first
SIZES = (0, 100, FIRST - 700, FIRST, FIRST + 1, 9_000, 30_000, 60_000, 66_000, 200_000, 1_500_000)
BLOCK = "<s:Token>" + "A1b2+/=" * 1400 + "</s:Token>"  # longer than a first read


def digest(request: Message) -> bytes:
    said = f"<s:got>{hashlib.sha256(request.body).hexdigest()}</s:got>"
    return ok(envelope(body=said))


def got(reply: Message) -> str:
    """What the backend says it got."""
    assert reply.status == 200
    return reply.body.decode().partition("<s:got>")[2].partition("</s:got>")[0]


@pytest.fixture(scope="module")
def backends(company: Cast) -> list[Backend]:
    return [company.backend(name, reply=digest) for name in ("b1", "b2")]


@pytest.fixture(scope="module")
def gateway(company: Cast, backends: list[Backend]) -> Gateway:
    running = company.gateway(backends, service={"idempotent": ["urn:example:again"]})
    with Client(running.port) as client:
        for header in (client_made("warm"), BLOCK + client_made("warm")):
            for _ in range(120):  # markup that is repeated is known
                assert client.ask(post(envelope(header))).status == 200
    return running


def asked(client: Client, *pieces: bytes) -> str:
    """What the backend got of a request that comes in these pieces."""
    for piece in pieces[:-1]:
        client.send(piece)
        time.sleep(0.05)  # so that they are two reads
    return got(client.ask(pieces[-1]))


@pytest.mark.parametrize("block", ["", BLOCK], ids=["short header", "long header"])
@pytest.mark.parametrize("size", SIZES)
def test_a_body_of_any_size_arrives_as_it_was_sent(gateway: Gateway, size: int, block: str) -> None:
    body = envelope(block + client_made(f"size-{size}"), padding=size)
    expected = hashlib.sha256(body).hexdigest()
    request = post(body)
    with Client(gateway.port) as client:
        for _ in range(3):
            assert asked(client, request) == expected
        for cut in (200, len(request) - len(body), FIRST, len(request) // 2, len(request) - 1):
            if cut < len(request):
                assert asked(client, request[:cut], request[cut:]) == expected
    with Client(gateway.port) as client:  # and what is sent ahead is the next request
        assert asked(client, request + request) == expected
        assert got(client.message()) == expected


@pytest.mark.parametrize("block", ["", BLOCK], ids=["short header", "long header"])
def test_bodies_up_to_a_bound_go_the_short_way_whole(gateway: Gateway, block: str) -> None:
    with Client(gateway.port) as client:
        for size in (100, 9_000, 30_000):
            request = post(envelope(block + client_made("whole"), padding=size))
            for _ in range(3):  # the pin is bound, and the first read has become long enough
                client.ask(request)
            before = gateway.metric("soapgate_fast_exchanges_total")
            for _ in range(20):
                client.ask(request)
            gone = gateway.metric("soapgate_fast_exchanges_total") - before
            assert gone >= 10  # what the kernel had not all together is told


def test_what_is_read_and_sent_is_counted_with_what_went_past(gateway: Gateway) -> None:
    request = post(envelope(client_made("counted"), padding=30_000))
    with Client(gateway.port) as client:
        client.ask(request)
        before = {side: _octets(gateway, *side) for side in SIDES}
        for _ in range(10):
            client.ask(request)
        came = {side: _octets(gateway, *side) - before[side] for side in SIDES}
    assert came["downstream", "read"] == 10 * len(request)
    assert came["upstream", "sent"] >= 10 * len(request)


SIDES = (("downstream", "read"), ("upstream", "sent"))


def _octets(gateway: Gateway, side: str, direction: str) -> float:
    return gateway.metric("soapgate_bytes_total", side=side, direction=direction)


def test_a_backend_that_reads_slowly_gets_every_byte(cast: Cast) -> None:
    """Its socket takes a part; the rest is read out of the pipe and waits in the transport."""
    digests: list[str] = []

    def serve(wire: Wire) -> None:
        while True:
            head = wire.head()
            time.sleep(0.02)
            body = b""
            for piece in wire.body(head):
                body += piece
            digests.append(hashlib.sha256(body).hexdigest())
            wire.send(ok(b"<ok/>"))

    backend = cast.backend("b1", serve=serve, window=2048)
    gateway = cast.gateway([backend], name="slow")
    body = envelope(client_made("slow"), padding=60_000)
    with Client(gateway.port) as client:
        for _ in range(100):
            client.ask(post(envelope(client_made("slow"))))
        digests.clear()
        for _ in range(20):
            assert client.ask(post(body)).status == 200
    assert set(digests) == {hashlib.sha256(body).hexdigest()}
    assert len(digests) == 20


def test_a_backend_that_dies_with_half_a_request_costs_that_request_alone(cast: Cast) -> None:
    seen: list[Wire] = []

    def serve(wire: Wire) -> None:
        while True:
            request = wire.message()
            if len(request.body) > 20_000:
                seen.append(wire)
                wire.reset()
                return
            wire.send(ok(b"<ok/>"))

    backend = cast.backend("b1", serve=serve)
    gateway = cast.gateway([backend], name="dies")
    with Client(gateway.port) as client:
        for _ in range(100):
            client.ask(post(envelope(client_made("dies"))))
        long = post(envelope(client_made("dies"), padding=30_000))
        assert client.ask(long).status == 502
        assert len(seen) == 1  # bytes had been sent: never a second time
    with Client(gateway.port) as client:
        assert client.ask(post(envelope(client_made("dies")))).status == 200
    gateway.at_rest()


def test_an_idempotent_request_is_kept_and_tried_again(cast: Cast) -> None:
    heard: list[str] = []

    def serve(wire: Wire) -> None:
        served = 0
        while True:
            request = wire.message()
            served += 1
            if len(request.body) > 20_000:
                heard.append(hashlib.sha256(request.body).hexdigest())
                if len(heard) == 1:
                    wire.close()
                    return
            wire.send(ok(b"<ok/>"))

    backend = cast.backend("b1", serve=serve)
    gateway = cast.gateway([backend], name="again", service={"idempotent": ["urn:example:again"]})
    field = ("SOAPAction", '"urn:example:again"')
    body = envelope(client_made("again"), padding=30_000)
    with Client(gateway.port) as client:
        for _ in range(100):
            client.ask(post(envelope(client_made("again")), field))
        assert client.ask(post(body, field)).status == 200
    assert heard == [hashlib.sha256(body).hexdigest()] * 2


def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(
    gateway: Gateway, backends: list[Backend]
) -> None:
    request = post(envelope(client_made("leaves"), padding=60_000))
    for cut in (100, FIRST + 100, 30_000):
        for _ in range(5):
            client = Client(gateway.port)
            client.send(request[:cut])
            client.reset() if cut % 2 else client.close()
    gateway.at_rest()
    with Client(gateway.port) as client:
        assert client.ask(request).status == 200
    wait_for(lambda: gateway.metric("soapgate_backend_inflight") == 0, "nothing in flight", WAIT)
