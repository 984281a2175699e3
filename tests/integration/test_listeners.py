"""Every kind of listener, backends over TLS, and the other ways to start a gateway."""

from __future__ import annotations

import os
import socket
import ssl
import sys
from pathlib import Path

import pytest
from live import LOCAL, Cast, Gateway, settings
from tls import Authority, authority
from wire import (
    Backend,
    Client,
    ask,
    client_made,
    envelope,
    lines,
    ok,
    post,
    shop,
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


# TLS to backends


@pytest.fixture(scope="module")
def ca(company: Cast) -> Authority:
    return authority(company.directory)


def https(cast: Cast, trusted: Authority, backend: Backend, **tls: object) -> Gateway:
    """A gateway before one backend; None takes an option away."""
    tls = {"ca": str(trusted.file), "server_name": "localhost", **tls}
    tls = {key: value for key, value in tls.items() if value is not None}
    pool = {"tls": tls, "attempts": 2, "health": {"interval": "1h", "fall": 100}}
    return cast.gateway([backend], pool=pool)


def test_a_backend_is_verified_by_its_own_authority_and_name(cast, ca):
    backend = cast.backend("b1", reply=shop("b1"), tls=ca.issue("localhost").server())
    gateway = https(cast, ca, backend)
    with Client(gateway.port) as client:
        for _ in range(3):
            assert client.ask(REQUEST).node == "b1"
    assert backend.served == 1
    assert gateway.metric("soapgate_connections_total", how="reused") == 2


def test_an_address_can_be_verified_too(cast, ca):
    backend = cast.backend("b1", reply=shop("b1"), tls=ca.issue("127.0.0.1").server())
    assert ask(https(cast, ca, backend, server_name=None).port, REQUEST).node == "b1"


def test_our_certificate_is_shown_to_a_backend_that_asks(cast, ca):
    own = ca.issue("gateway")
    server = ca.issue("localhost").server(clients=ca.file)
    backend = cast.backend("b1", reply=shop("b1"), tls=server)
    gateway = https(cast, ca, backend, cert=str(own.cert), key=str(own.key))
    assert ask(gateway.port, REQUEST).node == "b1"


UNVERIFIED = {
    "another authority": ("other", {}),
    "another name": ("ca", {"server_name": "elsewhere.example"}),
    "the system's authorities": ("ca", {"ca": None}),
}


@pytest.mark.parametrize(("signer", "tls"), UNVERIFIED.values(), ids=UNVERIFIED)
def test_a_backend_that_cannot_be_verified_hears_nothing(cast, ca, signer, tls):
    signing = ca if signer == "ca" else authority(cast.directory, "other")
    backend = cast.backend("b1", tls=signing.issue("localhost").server())
    gateway = https(cast, ca, backend, **tls)
    reply = ask(gateway.port, REQUEST)
    assert reply.status in (502, 503)
    assert b"Fault" in reply.body
    assert not backend.heard
    (line,) = gateway.log(1)
    assert line["route"] == "refused"
    assert "b1: TLS" in line["detail"], line  # which backend, and why


def test_a_backend_that_wants_a_certificate_we_have_not_is_an_error(cast, ca):
    backend = cast.backend("b1", tls=ca.issue("localhost").server(clients=ca.file))
    reply = ask(https(cast, ca, backend).port, REQUEST)
    assert reply.status in (502, 503)
    assert not backend.heard


def test_a_backend_that_does_not_speak_tls_is_an_error(cast, ca):
    plain = cast.backend("b1")
    listed = [{"name": "b1", "url": plain.url.replace("http:", "https:")}]
    pool = {"backend": listed, "attempts": 2, "health": {"interval": "1h", "fall": 100}}
    gateway = cast.gateway([], pool=pool, timeouts={"connect": "2s"})
    assert ask(gateway.port, REQUEST).status in (502, 503)
    assert not plain.requests


def test_verification_can_be_switched_off_and_that_is_said(cast, ca):
    other = authority(cast.directory, "other").issue("elsewhere")
    backend = cast.backend("b1", reply=shop("b1"), tls=other.server())
    gateway = https(cast, ca, backend, verify=False, ca=None, server_name=None)
    assert ask(gateway.port, REQUEST).node == "b1"
    gateway.says("b1 is not verified")


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
