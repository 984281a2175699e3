"""What holds for all workers together: health, an operator's word, maxconn, connections."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

import pytest
from live import Cast, Gateway
from many import all_serve, apart, exchanges, holding, two_workers, workers
from wire import WAIT, Client, Wire, ask, envelope, ok, post, slow, wait_for

LOGIN = post(envelope(body="<s:login/>"))


@pytest.fixture
def two(cast: Cast) -> Callable[..., Gateway]:
    """A gateway with two workers."""
    return two_workers(cast)


# Health, states, places


def test_a_word_of_the_operator_reaches_every_worker_and_those_to_come(two, cast):
    gateway = two(cast.shops("b1", "b2"))
    clients = [Client(gateway.port) for _ in range(4)]
    said = gateway.call("PATCH", "/api/v1/backends/shop/b1", {"admin": "maint"})[1]
    assert said["admin"] == "maint"
    wait_for(lambda: {client.ask(LOGIN).node for client in clients * 2} == {"b2"}, "b2 alone")
    for one in workers(gateway):
        os.kill(one["pid"], signal.SIGKILL)
    wait_for(lambda: gateway.metric("soapgate_worker_restarts_total") == 2, "two restarts")
    wait_for(lambda: all_serve(gateway), "all serve")
    assert {ask(gateway.port, LOGIN).node for _ in range(6)} == {"b2"}
    for client in clients:
        client.close()


def test_health_is_probed_once_and_a_flip_is_said_once(two, cast):
    b1, b2 = cast.shops("b1", "b2")
    gateway = two([b1, b2], pool={"health": {"interval": "200ms", "fall": 2, "rise": 1}})
    b1.stop()
    wait_for(lambda: not gateway.backend("b1")["up"], "b1 is down")
    wait_for(lambda: {ask(gateway.port, LOGIN).node for _ in range(6)} == {"b2"}, "b2 alone")
    assert gateway.stderr.count("backend shop/b1 is down") == 1
    count = len(b2.wires) - b2.served
    until = time.monotonic() + 2.0
    wait_for(lambda: time.monotonic() > until, "two seconds")
    probes = len(b2.wires) - b2.served - count
    assert 1 <= probes <= 13, probes  # ten of one prober, twenty of two
    cast.again(b1)
    wait_for(lambda: gateway.backend("b1")["up"], "b1 is up")
    wait_for(lambda: {ask(gateway.port, LOGIN).node for _ in range(6)} == {"b1", "b2"}, "both")
    assert gateway.stderr.count("backend shop/b1 is up") == 1


def test_failures_of_exchanges_in_all_workers_add_up(two, cast):
    """Three in a row, of whichever worker, take a backend down."""
    sorry = ok(b"sorry", status="503 Service Unavailable")
    backend = cast.backend("b1", reply=lambda request: sorry)
    gateway = two([backend], pool={"health": {"interval": "1h", "fall": 3}})
    clients = [Client(gateway.port) for _ in range(2)]
    for client in clients:
        assert client.ask(post(envelope())).body == b"sorry"
    assert exchanges(gateway) == [1, 1]
    assert gateway.backend("b1")["up"]
    assert clients[0].ask(post(envelope())).body == b"sorry"
    wait_for(lambda: not gateway.backend("b1")["up"], "b1 is down")
    wait_for(lambda: b"NoBackend" in clients[1].ask(post(envelope())).body, "told to both")
    for client in clients:
        client.close()


def test_maxconn_holds_across_workers_and_nobody_waits_for_free_places(two, cast):
    now, most, lock = [0], [0], threading.Lock()

    def serve(wire: Wire) -> None:
        while True:
            wire.message()
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            time.sleep(0.005)
            with lock:
                now[0] -= 1
            wire.send(ok(envelope(), ("X-Node", "b1")))

    backend = cast.backend("b1", serve=serve)
    listed = [{"name": "b1", "url": backend.url, "maxconn": 3}]
    gateway = two([backend], pool={"backend": listed, "policy": "least_requests"},
                  timeouts={"queue": "30s"})  # fmt: skip
    failed: list[str] = []

    def load() -> None:
        with Client(gateway.port) as client:
            for _ in range(40):
                reply = client.ask(post(envelope()))
                if reply.status != 200:
                    failed.append(reply.start)

    threads = [threading.Thread(target=load) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert not failed
    assert most[0] == 3
    assert min(exchanges(gateway)) > 100
    gateway.at_rest()
    assert gateway.backend("b1")["waiting"] == 0


def test_a_place_of_a_killed_worker_goes_to_who_waits_in_the_other(two, cast):
    begun, go = threading.Event(), threading.Event()
    backend = cast.backend("b1", serve=slow(begun, go))
    listed = [{"name": "b1", "url": backend.url, "maxconn": 1}]
    gateway = two([backend], pool={"backend": listed})
    one, other, *more = apart(gateway)
    one.send(post(envelope()))
    wait_for(lambda: gateway.backend("b1")["inflight"] == 1, "one is served")
    other.send(post(envelope()))
    wait_for(lambda: gateway.backend("b1")["waiting"] == 1, "one waits")
    os.kill(holding(gateway, one), signal.SIGKILL)
    go.set()
    assert other.message().status == 200
    assert one.peer_closed()
    for client in (one, other, *more):
        client.close()


def test_connections_bounds_the_clients_of_all_workers(two, cast):
    gateway = two(cast.shops("b1"), limits={"connections": 4})
    clients = [Client(gateway.port) for _ in range(4)]
    for client in clients:
        assert client.ask(post(envelope())).status == 200
    with Client(gateway.port) as fifth:
        assert fifth.peer_closed()
    assert gateway.metric("soapgate_clients_turned_away_total") == 1
    for client in clients:
        client.close()
