"""TLS towards backends, over loopback with certificates of our own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from certs import Authority
from spin import loop, spin, turns
from talk import ok, post
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    PrivateCertificate,
    trustRootFromCertificates,
)

from soapgate.core.errors import ConfigError, Failure
from soapgate.core.pool import Backend, Member
from soapgate.edge.deadlines import Deadlines
from soapgate.edge.flow import Whole
from soapgate.edge.http11 import HeadLimits
from soapgate.edge.metrics import Metrics
from soapgate.edge.tls import client_options
from soapgate.edge.upstream import Dialer, UpstreamConnection, UpstreamTimes

# Twisted itself hands pyOpenSSL what pyOpenSSL no longer likes.
pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")

OURS, THEIRS = Authority(), Authority("Somebody else")


class Shop(Protocol):
    """Answers every head, and notes what it saw of its client."""

    def __init__(self, seen: list[tuple[bytes, str]], open_: set[Shop]) -> None:
        self.seen = seen
        self.open = open_

    def connectionMade(self) -> None:
        self.open.add(self)

    def dataReceived(self, data: bytes) -> None:
        shown = self.transport.getPeerCertificate()
        name = shown.to_cryptography().subject.rfc4514_string() if shown is not None else ""
        self.seen.append((data, name))
        self.transport.write(ok(b"hi"))

    def connectionLost(self, reason: Any = None) -> None:
        self.open.discard(self)


class Server:
    """A TLS server on a loopback port. `names` are the server names that clients asked for."""

    def __init__(self, pem: bytes, clients: Authority | None = None) -> None:
        own = PrivateCertificate.loadPEM(pem)
        trust = None
        if clients is not None:
            trust = trustRootFromCertificates([Certificate.loadPEM(clients.pem)])
        options = CertificateOptions(
            privateKey=own.privateKey.original, certificate=own.original, trustRoot=trust
        )
        self.names: list[bytes | None] = []
        options.getContext().set_tlsext_servername_callback(
            lambda connection: self.names.append(connection.get_servername())
        )
        self.seen: list[tuple[bytes, str]] = []
        self.open: set[Shop] = set()
        factory = Factory.forProtocol(lambda: Shop(self.seen, self.open))
        factory.noisy = False
        self.listening = loop().listenSSL(0, factory, options, interface="127.0.0.1")
        self.port = self.listening.getHost().port


class Asker:
    """An exchange, as far as a connection knows it."""

    short = False

    def __init__(self) -> None:
        self.connection: UpstreamConnection | None = None
        self.why = ""
        self.heads: list[Any] = []
        self.failures: list[Any] = []

    def ready(self, connection: UpstreamConnection | None, why: str) -> bool:
        self.connection, self.why = connection, why
        return True

    @property
    def settled(self) -> bool:
        return bool(self.connection or self.why)

    def resume(self, source: object, head: Any) -> bool:
        self.heads.append(head)
        return True

    def fail(self, failure: Failure) -> None:
        self.failures.append(failure)

    def upstream_lost(self, connection: UpstreamConnection, why: str) -> None:
        self.failures.append(why)


Dial = Callable[..., tuple[Dialer, Asker]]


@pytest.fixture
def server() -> Iterator[Callable[..., Server]]:
    made: list[Server] = []

    def make(pem: bytes, clients: Authority | None = None) -> Server:
        made.append(Server(pem, clients))
        return made[-1]

    yield make
    for one in made:
        one.listening.stopListening()
        for shop in list(one.open):
            shop.transport.abortConnection()
    spin(lambda: not any(one.open for one in made))
    turns()


@pytest.fixture
def dial() -> Iterator[Dial]:
    dialers: list[Dialer] = []

    def make(port: int, options: Any, connect: float = 15.0) -> tuple[Dialer, Asker]:
        deadlines = Deadlines(loop())
        backend = Backend.parse("b1", f"https://127.0.0.1:{port}")
        dialer = Dialer(
            loop(), Member(backend), deadlines, UpstreamTimes(connect=connect), HeadLimits(),
            Metrics(), options,
        )  # fmt: skip
        dialers.append(dialer)
        asker = Asker()
        dialer.dial(asker.ready)
        spin(lambda: asker.settled)
        return dialer, asker

    yield make
    for dialer in dialers:
        for connection in list(dialer.open):
            connection.abort()
    spin(lambda: not any(dialer.open for dialer in dialers))
    assert not any(dialer._deadlines._watched for dialer in dialers)


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    path.write_bytes(THEIRS.pem + OURS.pem)
    return path


def ask(asker: Asker) -> Any:
    """One exchange on the dialled connection; the head of its response."""
    connection = asker.connection
    assert connection is not None
    request = Whole(b"hello", 0, surplus=False)
    connection.begin(asker, b"POST", request, loop().seconds())
    connection.write(post(b"hello"))
    heads, asker.heads = asker.heads, []
    assert len(heads) <= 1
    spin(lambda: asker.heads or asker.failures)
    return asker.heads[0] if asker.heads else None


@pytest.mark.integration
@pytest.mark.parametrize("host", ["b1.example", "127.0.0.1"])
def test_a_backend_that_is_who_it_should_be_is_spoken_to(
    server: Callable[..., Server], dial: Dial, ca: Path, host: str
) -> None:
    shop = server(OURS.issue("b1.example", "127.0.0.1"))
    dialer, asker = dial(shop.port, client_options(host, ca=ca))
    head = ask(asker)
    assert head.status == 200
    (seen,) = shop.seen
    assert seen == (post(b"hello"), "")
    assert shop.names == [b"b1.example" if host == "b1.example" else None]
    # and it is kept and used again like any other
    asker.connection.release(keep=True)
    assert dialer.take() is asker.connection
    assert ask(asker).status == 200
    assert len(shop.seen) == 2


@pytest.mark.integration
def test_a_backend_under_another_name_is_refused_before_a_byte_is_sent(
    server: Callable[..., Server], dial: Dial, ca: Path
) -> None:
    shop = server(OURS.issue("other.example"))
    dialer, asker = dial(shop.port, client_options("b1.example", ca=ca))
    assert asker.connection is None
    assert asker.why.startswith("TLS handshake: ")
    turns()
    assert shop.seen == []
    assert not dialer.open


@pytest.mark.integration
@pytest.mark.parametrize("fault", ["unknown authority", "expired"])
def test_a_certificate_that_nobody_vouches_for_is_refused(
    server: Callable[..., Server], dial: Dial, ca: Path, tmp_path: Path, fault: str
) -> None:
    shop = server(OURS.issue("b1.example", days=-1 if fault == "expired" else 1))
    if fault == "unknown authority":
        ca.write_bytes(THEIRS.pem)
    _, asker = dial(shop.port, client_options("b1.example", ca=ca))
    assert asker.connection is None
    assert "certificate" in asker.why
    assert shop.seen == []


@pytest.mark.integration
def test_the_systems_authorities_do_not_vouch_for_ours(
    server: Callable[..., Server], dial: Dial
) -> None:
    shop = server(OURS.issue("b1.example"))
    _, asker = dial(shop.port, client_options("b1.example"))
    assert asker.connection is None


@pytest.mark.integration
@pytest.mark.parametrize("host", ["b1.example", "127.0.0.1", "::1"])
def test_unverified_is_encrypted_and_believes_whoever_answers(
    server: Callable[..., Server], dial: Dial, host: str
) -> None:
    shop = server(THEIRS.issue("other.example", days=-1))
    _, asker = dial(shop.port, client_options(host, verify=False))
    assert ask(asker).status == 200
    assert shop.names == [host.encode() if host == "b1.example" else None]


@pytest.mark.integration
@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("files", ["one file", "two files"])
def test_our_own_certificate_is_shown(
    server: Callable[..., Server],
    dial: Dial,
    ca: Path,
    tmp_path: Path,
    verify: bool,
    files: str,
) -> None:
    shop = server(OURS.issue("b1.example"), OURS)
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    pem = OURS.issue("gateway.example")
    cut = pem.index(b"-----BEGIN PRIVATE KEY-----")
    cert.write_bytes(pem if files == "one file" else pem[:cut])
    key.write_bytes(pem[cut:])
    options = client_options(
        "b1.example",
        verify=verify,
        ca=ca if verify else None,
        cert=cert,
        key=None if files == "one file" else key,
    )
    _, asker = dial(shop.port, options)
    assert ask(asker).status == 200
    assert shop.seen[0][1] == "CN=gateway.example"


@pytest.mark.integration
def test_a_backend_that_asks_for_a_certificate_gets_no_request_without_one(
    server: Callable[..., Server], dial: Dial, ca: Path
) -> None:
    """In TLS 1.3 the backend judges after our side of the handshake is through."""
    shop = server(OURS.issue("b1.example"), OURS)
    _, asker = dial(shop.port, client_options("b1.example", ca=ca))
    if asker.connection is not None:
        assert ask(asker) is None
        assert asker.failures
    assert shop.seen == []


@pytest.mark.integration
def test_a_handshake_that_does_not_end_is_a_connection_that_failed(ca: Path) -> None:
    silent = Factory.forProtocol(Protocol)
    silent.noisy = False
    listening = loop().listenTCP(0, silent, interface="127.0.0.1")
    deadlines = Deadlines(loop(), 0.02)
    deadlines.start()
    port = listening.getHost().port
    dialer = Dialer(
        loop(), Member(Backend.parse("b1", f"https://127.0.0.1:{port}")), deadlines,
        UpstreamTimes(connect=0.2), HeadLimits(), Metrics(), client_options("b1.example", ca=ca),
    )  # fmt: skip
    asker = Asker()
    dialer.dial(asker.ready)
    spin(lambda: asker.settled)
    assert asker.connection is None
    assert asker.why.startswith("TLS handshake: ")
    assert not dialer.open
    assert not deadlines._watched
    deadlines.stop()
    listening.stopListening()
    turns()


@pytest.mark.integration
def test_a_server_without_tls_is_a_connection_that_failed(dial: Dial, ca: Path) -> None:
    class Plain(Protocol):
        def dataReceived(self, data: bytes) -> None:
            self.transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            self.transport.loseConnection()

    plain = Factory.forProtocol(Plain)
    plain.noisy = False
    listening = loop().listenTCP(0, plain, interface="127.0.0.1")
    _, asker = dial(listening.getHost().port, client_options("b1.example", ca=ca))
    assert asker.connection is None
    listening.stopListening()
    turns()


# Files


def test_files_that_are_not_what_they_should_be_are_named(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.pem"
    empty = tmp_path / "empty.pem"
    empty.write_bytes(b"")
    broken = tmp_path / "broken.pem"
    broken.write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    alone = tmp_path / "alone.pem"
    pem = OURS.issue("gateway.example")
    alone.write_bytes(pem[: pem.index(b"-----BEGIN PRIVATE KEY-----")])
    for options in (
        {"ca": nothing},
        {"ca": empty},
        {"ca": broken},
        {"cert": nothing},
        {"cert": empty},
        {"cert": alone},
        {"cert": alone, "key": nothing},
        {"cert": nothing, "verify": False},
    ):
        with pytest.raises(ConfigError) as caught:
            client_options("b1.example", **options)
        named = options.get("key") or next(iter(options.values()))
        assert str(named) in str(caught.value)


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_bytes(OURS.issue("a.example").split(b"-----BEGIN PRIVATE KEY-----")[0])
    pem = OURS.issue("b.example")
    key.write_bytes(pem[pem.index(b"-----BEGIN PRIVATE KEY-----") :])
    with pytest.raises(ConfigError):
        client_options("b1.example", cert=cert, key=key)


def test_a_name_that_no_certificate_can_have_is_refused_as_such() -> None:
    with pytest.raises(ConfigError, match="b_1"):
        client_options("b_1")
    assert client_options("b_1", verify=False)
