"""Several worker processes are one gateway: sessions, counts, logs, every kind of listener."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from live import LOCAL, Cast, Gateway, settings
from many import TWO, alive, all_serve, exchanges, two_workers, workers
from tls import authority
from wire import Client, ask, client_made, envelope, issued_id, ok, post, session, wait_for

LOGIN = post(envelope(body="<s:login/>"))


@pytest.fixture
def two(cast: Cast) -> Callable[..., Gateway]:
    """A gateway with two workers."""
    return two_workers(cast)


# They serve


def test_both_workers_serve_and_one_line_says_when_they_do(two, cast):
    gateway = two(cast.shops("b1", "b2"))
    assert gateway.stderr.count(" ready on ") == 1
    clients = [Client(gateway.port) for _ in range(8)]
    for client in clients:
        assert client.ask(post(envelope())).status == 200
    for client in clients:
        client.close()
    assert all(count >= 2 for count in exchanges(gateway)), exchanges(gateway)
    assert len({one["pid"] for one in workers(gateway)} | {gateway.pid}) == 3
    gateway.log(8)


def test_a_session_is_known_to_every_worker(two, cast):
    gateway = two(cast.shops("b1", "b2", "b3"))
    issued = {}
    for _ in range(12):
        reply = ask(gateway.port, LOGIN)
        issued[issued_id(reply)] = reply.node
    made = {f"own-{n}": ask(gateway.port, post(envelope(client_made(f"own-{n}")))).node
            for n in range(6)}  # fmt: skip
    clients = [Client(gateway.port) for _ in range(4)]
    for client in clients:
        for identity, node in issued.items():
            assert client.ask(post(envelope(session(identity)))).node == node
        for identity, node in made.items():
            assert client.ask(post(envelope(client_made(identity)))).node == node
    for client in clients:
        client.close()
    assert min(exchanges(gateway)) > 18
    assert {gateway.pinned(identity) for identity in issued} == set(issued.values())


def test_concurrent_first_requests_through_both_workers_get_one_decision(two, cast):
    gateway = two(cast.shops("b1", "b2", "b3", "b4"))
    clients = [Client(gateway.port) for _ in range(8)]
    for client in clients:
        client.ask(post(envelope()))
    assert min(exchanges(gateway)) > 0
    for number in range(30):
        request = post(envelope(client_made(f"new-{number}")))
        for client in clients:
            client.send(request)
        assert len({client.message().node for client in clients}) == 1
    for client in clients:
        client.close()
    assert gateway.metric("soapgate_pin_events_total", event="bound") == 30


def test_the_counts_are_those_of_all(two, cast):
    gateway = two(cast.shops("b1", "b2"))
    clients = [Client(gateway.port) for _ in range(6)]
    for client in clients:
        for _ in range(5):
            client.ask(LOGIN)
    assert gateway.metric("soapgate_connections_open", side="downstream") == 6
    assert gateway.metric("soapgate_connections_total", how="accepted") == 6
    for client in clients:
        client.close()
    gateway.at_rest()
    status = gateway.call("GET", "/api/v1/status")[1]
    assert status["exchanges"] == sum(one["exchanges"] for one in status["workers"]) == 30
    assert gateway.metric("soapgate_exchanges_total") == 30
    assert gateway.metric("soapgate_exchange_seconds_count") == 30
    assert gateway.metric("soapgate_router_requests_total") == 30
    assert gateway.metric("soapgate_pin_events_total", event="learned") == 30
    assert gateway.metric("soapgate_workers") == 2
    assert gateway.metric("soapgate_worker_restarts_total") == 0
    assert status["pins"] == 30
    assert len(gateway.log(30)) == 30


def test_lines_of_both_on_one_pipe_stay_whole(cast):
    (shop,) = cast.shops("b1")
    text = settings([shop], gateway={**TWO, "log_to": "stdout", "log": "json"})
    pipe = f"'{sys.executable}' -m soapgate run \"$0\" | cat"
    gateway = cast.run(text, argv=("/bin/sh", "-c", pipe, "{config}"))
    clients = [Client(gateway.port) for _ in range(6)]
    path = "/" + "p" * 280
    for _ in range(40):
        for client in clients:
            client.send(post(envelope(), path=path))
        for client in clients:
            client.message()
    for client in clients:
        client.close()
    gateway.stop()
    lines = [line for line in gateway.stderr.splitlines() if line.startswith("{")]
    assert len(lines) == 240
    assert all(json.loads(line)["path"] == path for line in lines)


# Every kind of listener


def test_every_kind_of_listener_is_shared(two, cast):
    backend = cast.backend("b1", reply=lambda request: ok(request.body, ("X-Node", "b1")))
    ca = authority(cast.directory)
    keys = ca.issue("localhost")
    path = str(cast.directory / "socket")
    listen = [
        LOCAL,
        f"unix:{path}",
        f"ssl:0:interface=127.0.0.1:{keys.endpoint}",
        f"haproxy:{LOCAL}",
        "tcp6:0:interface=\\:\\:1",
    ]
    gateway = two([backend], gateway={"listen": listen})
    assert gateway.listens[1] == path
    ports = [int(gateway.listens[at].rpartition(":")[2]) for at in (0, 2, 3, 4)]
    trust = ssl.create_default_context(cafile=str(ca.file))
    before = exchanges(gateway)
    for to, tls, start in (
        (ports[0], None, b""),
        (path, None, b""),
        (ports[1], trust, b""),
        (ports[2], None, b"PROXY TCP4 203.0.113.9 127.0.0.1 40000 80\r\n"),
    ):
        clients = [Client(to, tls=tls) for _ in range(4)]
        for client in clients:
            client.send(start)
            assert client.ask(post(envelope())).status == 200
        now = exchanges(gateway)
        spread = [b - a for a, b in zip(before, now, strict=True)]
        assert min(spread) > 0, (to, spread)
        before = now
        for client in clients:
            client.close()
        gateway.at_rest()
    seen = {(one.get("X-Forwarded-For"), one.get("X-Forwarded-Proto")) for one in backend.requests}
    assert seen == {
        ("127.0.0.1", "http"), ("unix", "http"), ("127.0.0.1", "https"), ("203.0.113.9", "http"),
    }  # fmt: skip
    os.kill(workers(gateway)[0]["pid"], signal.SIGKILL)
    wait_for(lambda: exchanges(gateway)[0] == 0, "a new worker")
    wait_for(lambda: all_serve(gateway), "all serve")
    assert ask(path, post(envelope())).status == 200  # a worker's end takes no path away
    assert gateway.stop() == 0
    assert not os.path.exists(path)


ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "x.socket"}
os.execv(sys.executable, [sys.executable, "-m", "soapgate", "run", sys.argv[2]])
"""


@pytest.mark.parametrize("around", ["", "haproxy:"])
def test_a_socket_of_systemd_is_shared(cast, around):
    shops = cast.shops("b1")
    listen = [f"{around}systemd:domain=INET:index=0"]
    with socket.socket() as given:
        given.bind(("127.0.0.1", 0))
        given.listen()
        descriptor = given.fileno()
        argv = (sys.executable, "-c", ACTIVATE, str(descriptor), "{config}")
        text = settings(shops, gateway={**TWO, "listen": listen})
        gateway = cast.run(text, argv=argv, pass_fds=(descriptor,))
        assert gateway.port == given.getsockname()[1]
    clients = [Client(gateway.port) for _ in range(4)]
    for client in clients:
        client.send(b"PROXY TCP4 203.0.113.9 127.0.0.1 40000 80\r\n" if around else b"")
        assert client.ask(post(envelope())).status == 200
        client.close()


def test_twist_starts_workers_too(cast):
    twist = Path(sys.executable).with_name("twist")
    argv = (str(twist), "--log-format=text", "soapgate", "{config}")
    gateway = cast.run(settings(cast.shops("b1"), gateway=TWO), argv=argv)
    pids = [one["pid"] for one in workers(gateway)]
    assert ask(gateway.port, post(envelope())).status == 200
    assert gateway.stop() in (0, -15)
    wait_for(lambda: not any(map(alive, pids)), "the workers end")


def test_the_option_takes_the_place_of_what_the_file_says(cast):
    argv = (sys.executable, "-m", "soapgate", "run", "{config}", "--workers", "2")
    gateway = cast.run(settings(cast.shops("b1")), argv=argv)
    assert len(workers(gateway)) == 2
    gateway.hang_up()
    gateway.says("reloaded")
    assert "workers changes" not in gateway.stderr
