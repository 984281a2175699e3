"""Long bodies through a running gateway: every byte as it was, in memory that does not grow.

The data is one random block over and over, made and compared on the fly. `SIZE` is 1 GiB, what the
project promises; SOAPGATE_TEST_MIB in the environment makes it another number of MiB.
"""

from __future__ import annotations

import os
import random
import ssl
import threading
import zlib
from collections.abc import Iterable, Iterator

import pytest
from live import Cast, Gateway, MiB
from tls import authority
from wire import (
    WAIT,
    Backend,
    Client,
    Message,
    Wire,
    chunked,
    client_made,
    envelope,
    lines,
    ok,
    post,
    settled,
    start_of,
)

SIZE = int(os.environ.get("SOAPGATE_TEST_MIB", "1024")) * MiB
GROWTH = 40 * MiB  # of the gateway, for one body of any length
CROWD, EACH, CROWD_GROWTH = 20, 50 * MiB, 64 * MiB  # slow clients, what each reads, what all cost

BLOCK = random.Random(3).randbytes(MiB)
TWICE = BLOCK + BLOCK
CHUNKED = ("Transfer-Encoding", "chunked")
CHUNK = b"%x\r\n%b\r\n" % (MiB, BLOCK)
SENT: list[Wire] = []  # an entry for each block that a backend sent


def unchanged(pieces: Iterable[bytes]) -> int:
    """The size of a body that is the block again and again; an AssertionError where it is not."""
    size = 0
    for piece in pieces:
        for at in range(0, len(piece), MiB):
            part = piece[at : at + MiB]
            begin = (size + at) % MiB
            assert part == TWICE[begin : begin + len(part)], f"changed behind byte {size + at}"
        size += len(piece)
    return size


def blocks(size: int) -> Iterator[bytes]:
    for _ in range(size // MiB):
        yield BLOCK


def serve(wire: Wire) -> None:
    """POST: how much came, and that it was right. GET /FRAMING/SIZE: a body of that kind."""
    while True:
        request = wire.head()
        if request.start.startswith("POST"):
            wire.send(ok(b"%d" % unchanged(wire.body(request))))
            continue
        _, framing, size = request.start.split()[1].split("/")
        if framing == "close":
            wire.send(lines("HTTP/1.1 200 OK", (("Connection", "close"),)))
        elif framing == "chunked":
            wire.send(lines("HTTP/1.1 200 OK", (CHUNKED,)))
        else:
            wire.send(lines("HTTP/1.1 200 OK", (("Content-Length", size),)))
        for block in blocks(int(size)):
            wire.send(CHUNK if framing == "chunked" else block)
            SENT.append(wire)
        if framing == "close":
            return
        if framing == "chunked":
            wire.send(chunked())


@pytest.fixture(scope="module")
def backend(company: Cast) -> Backend:
    return company.backend("b1", serve=serve)


@pytest.fixture(scope="module")
def gateway(company: Cast, backend: Backend) -> Gateway:
    running = company.gateway([backend])
    with Client(running.port) as client:  # so that what is made once is made
        upload(client, 8 * MiB, chunks=True)
        download(client, "length", 8 * MiB)
    return running


def upload(client: Client, size: int, *, chunks: bool) -> Message:
    client.send(start_of(CHUNKED if chunks else ("Content-Length", str(size))))
    for block in blocks(size):
        client.send(CHUNK if chunks else block)
    if chunks:
        client.send(chunked())
    return client.message()


def download(client: Client, framing: str, size: int) -> int:
    client.send(start_of(method="GET", path=f"/{framing}/{size}"))
    head = client.head()
    assert head.status == 200
    return unchanged(client.body(head))


@pytest.mark.large
@pytest.mark.parametrize("chunks", [False, True], ids=["length", "chunked"])
def test_an_upload_runs_in_constant_memory(gateway, chunks):
    before = gateway.forget_peak()
    with Client(gateway.port) as client:
        assert upload(client, SIZE, chunks=chunks).body == b"%d" % SIZE
    assert gateway.peak() - before < GROWTH


@pytest.mark.large
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_a_download_runs_in_constant_memory(gateway, framing):
    before = gateway.forget_peak()
    with Client(gateway.port) as client:
        assert download(client, framing, SIZE) == SIZE
    assert gateway.peak() - before < GROWTH


def crowd(port: int, size: int, count: int, **kwargs) -> list[Client]:
    """Clients that asked for a long body and read nothing of it, until nothing moves any more."""
    clients = [Client(port, window=64 * 1024, **kwargs) for _ in range(count)]
    for client in clients:
        client.send(start_of(method="GET", path=f"/length/{size}"))
    settled(lambda: len(SENT))
    return clients


def read_in_turns(clients: list[Client], size: int) -> None:
    """Each reads a little, then the next, so that all are slow; they close behind the last."""
    left = {client: client.body(client.head()) for client in clients}
    sizes = dict.fromkeys(clients, 0)
    while left:
        for client, body in list(left.items()):
            piece = next(body, None)
            if piece is None:
                del left[client]
                client.close()
            else:
                sizes[client] += len(piece)
    assert set(sizes.values()) == {size}


@pytest.mark.large
def test_twenty_clients_that_read_50_mb_slowly_cost_little_memory(gateway):
    before = gateway.forget_peak()
    clients = crowd(gateway.port, EACH, CROWD)
    assert gateway.peak() - before < CROWD_GROWTH
    read_in_turns(clients, EACH)
    assert gateway.peak() - before < CROWD_GROWTH
    gateway.at_rest()


def test_a_connection_behind_a_slow_reader_serves_the_next(gateway, backend):
    """The last piece of a body may find the client's side full; that must pause nobody for ever."""
    served = backend.served
    for _ in range(3):
        read_in_turns(crowd(gateway.port, 3 * MiB, 16), 3 * MiB)
        gateway.at_rest()
    assert backend.served <= served + 16, "connections were not kept"


def test_a_backend_that_does_not_read_pauses_its_client(cast):
    """All of what a client can send is held by it, but for buffers of a bounded size."""
    go = threading.Event()

    def slow(wire: Wire) -> None:
        request = wire.head()
        assert go.wait(WAIT)
        wire.send(ok(b"%d" % sum(map(len, wire.body(request)))))

    gateway = cast.gateway([cast.backend("b1", serve=slow, window=64 * 1024)])
    before = gateway.forget_peak()
    size, sent = 64 * MiB, [0]
    with Client(gateway.port) as client:

        def push() -> None:
            client.send(start_of(("Content-Length", str(size))))
            for block in blocks(size):
                client.send(block)
                sent[0] += len(block)

        pushing = threading.Thread(target=push, daemon=True)
        pushing.start()
        try:
            assert settled(lambda: sent[0]) < 32 * MiB
            assert gateway.peak() - before < 16 * MiB
        finally:
            go.set()
        assert client.message().body == b"%d" % size
        pushing.join(WAIT)


def test_a_long_envelope_is_pinned_by_its_head_and_streams(cast):
    """The id decides as soon as it is there; the body behind it is not waited for."""
    heard = threading.Event()

    def eager(wire: Wire) -> None:
        request = wire.head()
        heard.set()
        wire.send(ok(b"%08x" % zlib.crc32(b"".join(wire.body(request)))))

    gateway = cast.gateway([cast.backend("b1", serve=eager)])
    body = envelope(client_made("long"), padding=4 * MiB)
    raw = post(body)
    with Client(gateway.port) as client:
        client.send(raw[:2000])
        assert heard.wait(WAIT)
        client.send(raw[2000:])
        assert client.message().body == b"%08x" % zlib.crc32(body)
    assert gateway.pinned("long") == "b1"


def test_tls_on_both_sides_holds_back_as_well(cast):
    ca = authority(cast.directory)
    keys = ca.issue("localhost", "127.0.0.1")
    gateway = cast.gateway(
        [cast.backend("b1", serve=serve, tls=keys.server())],
        gateway={"listen": [f"ssl:0:interface=127.0.0.1:{keys.endpoint}"]},
        pool={"tls": {"ca": str(ca.file), "server_name": "localhost"}},
    )
    context = ssl.create_default_context(cafile=str(ca.file))
    with Client(gateway.port, tls=context) as client:
        assert download(client, "length", 8 * MiB) == 8 * MiB
    before = gateway.forget_peak()
    for _ in range(2):
        read_in_turns(crowd(gateway.port, 16 * MiB, 8, tls=context), 16 * MiB)
    assert gateway.peak() - before < GROWTH
    gateway.at_rest()
