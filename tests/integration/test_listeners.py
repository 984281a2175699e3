"""Every kind of listener, backends over TLS, and the other ways to start a gateway."""

from __future__ import annotations

import os
import socket
import ssl
import sys
from pathlib import Path

import pytest
from live import LOCAL, Cast, settings
from tls import authority
from wire import (
    Backend,
    Client,
    ask,
    client_made,
    envelope,
    lines,
    ok,
    post,
    start_of,
)

REQUEST = post(envelope(client_made("anywhere"), padding=100_000))
TWIST = Path(sys.executable).with_name("twist")


@pytest.fixture
def backend(cast: Cast) -> Backend:
    return cast.backend("b1", reply=lambda request: ok(request.body, ("X-Node", "b1")))


def test_several_listeners_of_a_gateway_serve_alike(cast, backend):
    ca = authority(cast.directory)
    keys = ca.issue("localhost")
    path = str(cast.directory / "socket")
    gateway = cast.gateway(
        [backend],
        gateway={
            "listen": [
                LOCAL,
                f"unix:{path}",
                f"ssl:0:interface=127.0.0.1:{keys.endpoint}",
                "tcp6:0:interface=\\:\\:1",
            ]
        },
    )
    assert gateway.listens[1] == path
    ports = [int(gateway.listens[at].rpartition(":")[2]) for at in (0, 2, 3)]
    trust = ssl.create_default_context(cafile=str(ca.file))
    seen = []
    for to, tls in ((ports[0], None), (path, None), (ports[1], trust)):
        with Client(to, tls=tls) as client:
            for _ in range(2):
                reply = client.ask(REQUEST)
                assert reply.status == 200
                assert REQUEST.endswith(reply.body)
            request = backend.requests[-1]
            seen.append((request.get("X-Forwarded-For"), request.get("X-Forwarded-Proto")))
    assert seen == [("127.0.0.1", "http"), ("unix", "http"), ("127.0.0.1", "https")]
    with socket.create_connection(("::1", ports[2])) as six:
        six.sendall(lines("GET / HTTP/1.0", ()))
        assert six.recv(12) == b"HTTP/1.1 200"
    assert backend.requests[-1].get("X-Forwarded-For") == "::1"
    assert {line["client"] for line in gateway.log(7)} == {"127.0.0.1", "unix", "::1"}


def test_a_unix_socket_left_by_a_killed_gateway_is_taken_over(cast, backend):
    path = str(cast.directory / "socket")
    listen = {"listen": [f"unix:{path}"]}
    cast.gateway([backend], gateway=listen).kill()
    assert os.path.exists(path)
    cast.gateway([backend], gateway=listen)
    assert ask(path, REQUEST).status == 200


def test_behind_a_proxy_protocol_listener_the_first_address_is_the_clients(cast, backend):
    gateway = cast.gateway([backend], gateway={"listen": [f"haproxy:{LOCAL}"]})
    for number in range(2):
        with Client(gateway.port) as client:
            client.send(b"PROXY TCP4 203.0.113.%d 127.0.0.1 40000 80\r\n" % number)
            for _ in range(2):
                assert client.ask(REQUEST).status == 200
        assert backend.requests[-1].get("X-Forwarded-For") == f"203.0.113.{number}"
    assert [line["client"] for line in gateway.log(4)] == ["203.0.113.0"] * 2 + ["203.0.113.1"] * 2


def test_without_a_proxy_header_such_a_listener_serves_nobody(cast, backend):
    gateway = cast.gateway([backend], gateway={"listen": [f"haproxy:{LOCAL}"]})
    with Client(gateway.port) as client:
        client.send(REQUEST)
        assert b"200" not in client.rest()
    assert not backend.heard


def test_a_socket_of_systemd_is_served(cast, backend):
    text = settings([backend], gateway={"listen": ["systemd:domain=INET:index=0"]})
    with socket.socket() as given:
        given.bind(("127.0.0.1", 0))
        given.listen()
        descriptor = given.fileno()
        argv = (sys.executable, "-c", ACTIVATE, str(descriptor), "{config}")
        gateway = cast.run(text, argv=argv, pass_fds=(descriptor,))
        assert gateway.port == given.getsockname()[1]
    assert ask(gateway.port, REQUEST).status == 200


# What systemd does for a unit with a socket: descriptor 3, and variables meant for that process.
ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "x.socket"}
os.execv(sys.executable, [sys.executable, "-m", "soapgate", "run", sys.argv[2]])
"""


# Other ways to start


def test_the_options_of_a_command_line_make_a_gateway(cast, backend):
    argv = (sys.executable, "-m", "soapgate", "run", "--listen", "127.0.0.1:0")
    argv += ("--backend", f"b1={backend.url}", "--pins", "memory:", "--admin", "0")
    gateway = cast.run("", argv=argv)
    assert ask(gateway.port, REQUEST).status == 200
    assert gateway.backend("b1")["up"]
    assert gateway.stop() == 0


def test_twist_starts_a_gateway(cast, backend):
    argv = (str(TWIST), "--log-format=text", "soapgate", "{config}")
    gateway = cast.run(settings([backend]), argv=argv)
    assert ask(gateway.port, REQUEST).status == 200
    with Client(gateway.port) as client:
        assert client.ask(start_of(("Content-Length", "0"))).status == 200
    assert gateway.call("GET", "/health/ready")[0] == 200
    assert gateway.stop() in (0, -15)
