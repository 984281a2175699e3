"""Listeners that ask clients for a certificate, over loopback with certificates of our own."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from certs import Authority
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL
from spin import loop, spin, turns
from talk import Talk, post
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock

from soapgate.core.errors import ConfigError
from soapgate.edge.downstream import Downstream
from soapgate.edge.mutual import asked, broken_handshake, endpoint

# Twisted itself hands pyOpenSSL what pyOpenSSL no longer likes.
pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")

OURS, THEIRS = Authority(), Authority("Somebody else")
IMPOSTOR = Authority()  # by the name of ours
BRANCH = Authority("A branch of ours", OURS)
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
REQUEST = post(b"x", target=b"/nobody")  # which the gateway answers by itself


class Client(Protocol):
    """TLS by the standard library, so that no side checks itself."""

    def __init__(self, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> None:
        self.heard = b""
        self.ended = False
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self._in, self._out, server_hostname="gate.example", session=session
        )
        self._unsent = b""

    def says(self, data: bytes) -> None:
        self._unsent += data
        self._go()

    def connectionMade(self) -> None:
        self._go()

    def dataReceived(self, data: bytes) -> None:
        self._in.write(data)
        self._go()

    def _go(self) -> None:
        try:
            self.tls.do_handshake()
            if self._unsent:
                self.tls.write(self._unsent)
                self._unsent = b""
            while data := self.tls.read(65536):
                self.heard += data
        except ssl.SSLError:
            pass  # it wants more, or was refused
        if self._out.pending:
            self.transport.write(self._out.read())

    def connectionLost(self, reason: Any = None) -> None:
        self.ended = True


class Room:
    """A gateway's front behind a listener that asks; its backends and clock are in memory."""

    def __init__(self, directory: Path) -> None:
        self.talk = Talk()
        self.talk.client.closes()
        self._directory = directory
        self._ports: list[Any] = []
        self._clients: list[Client] = []

    def listens(self, *trusted: Authority, required: bool = True, around: str = "") -> None:
        """On a new port, for clients of these authorities."""
        pem, ca = self._directory / "gate.pem", self._directory / "ca.pem"
        pem.write_bytes(OURS.issue("gate.example"))
        ca.write_bytes(b"".join(one.pem for one in trusted))
        text = f"{around}ssl:0:interface=127.0.0.1:privateKey={pem}:certKey={pem}"
        asks = asked(ca, required=required)
        endpoint(loop(), text, asks).listen(self.talk.front).addCallback(self._ports.append)

    def context(self, pem: bytes = b"", version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """Of clients that show this certificate, if any."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=OURS.pem.decode())
        if version is not None:
            context.minimum_version = context.maximum_version = version
        if pem:
            file = self._directory / "client.pem"
            file.write_bytes(pem)
            context.load_cert_chain(file)
        return context

    def connect(self, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> Client:
        client = Client(context, session)
        factory = Factory.forProtocol(lambda: client)
        factory.noisy = False
        self._clients.append(client)
        port = self._ports[-1].getHost().port
        TCP4ClientEndpoint(loop(), "127.0.0.1", port).connect(factory)
        spin(lambda: client.transport)
        return client

    def served(self, client: Client, request: bytes = REQUEST) -> Downstream:
        """One exchange; the gateway's end of its connection."""
        before = set(self.talk.front.open)
        client.says(request)
        spin(lambda: b"HTTP/1.1 404" in client.heard or client.ended)
        assert b"HTTP/1.1 404" in client.heard
        return next(iter(before or self.talk.front.open))

    def refuses(self, client: Client) -> None:
        """It gets nothing but the end of its connection."""
        client.says(REQUEST)
        spin(lambda: client.ended and not self.talk.front.open)
        assert not client.heard
        assert not self.talk.log.records

    def leaves(self, client: Client) -> None:
        client.transport.abortConnection()
        spin(lambda: client.ended and not self.talk.front.open)

    def ends(self) -> None:
        for client in self._clients:
            if not client.ended:
                client.transport.abortConnection()
        spin(lambda: all(client.ended for client in self._clients))
        spin(lambda: not self.talk.front.open)
        for port in self._ports:
            port.stopListening()
        turns()


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    room = Room(tmp_path)
    yield room
    room.ends()


def fingerprint(pem: bytes) -> str:
    der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    return hashlib.sha256(der).hexdigest()


def reasons(said: list[str]) -> list[str]:
    """What was said of clients, without who they are."""
    return [line.partition(": ")[2] for line in said if line.startswith("client 127.0.0.1:")]


# Who is served


@pytest.mark.integration
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("required", [True, False])
def test_a_client_whose_certificate_is_good_is_known_by_it(
    room: Room, said: list[str], version: ssl.TLSVersion, required: bool
) -> None:
    room.listens(THEIRS, OURS, required=required)
    pem = OURS.issue("alice")
    downstream = room.served(room.connect(room.context(pem, version)))
    assert downstream.certificate == fingerprint(pem)
    assert downstream.scheme == b"https"
    assert not reasons(said)


@pytest.mark.integration
@pytest.mark.parametrize("version", VERSIONS)
def test_where_a_certificate_is_optional_a_client_without_one_is_served_as_nobody(
    room: Room, said: list[str], version: ssl.TLSVersion
) -> None:
    room.listens(OURS, required=False)
    assert room.served(room.connect(room.context(version=version))).certificate == ""
    assert not reasons(said)


@pytest.mark.integration
def test_a_renewed_certificate_is_another_one(room: Room) -> None:
    room.listens(OURS)
    seen = set()
    for _ in range(2):
        client = room.connect(room.context(OURS.issue("alice")))
        seen.add(room.served(client).certificate)
        room.leaves(client)
    assert len(seen) == 2


@pytest.mark.integration
def test_an_authority_is_believed_that_is_no_root(room: Room) -> None:
    """A bank believes the branch that issues to its clients, and not all of its root."""
    room.listens(BRANCH)
    pem = BRANCH.issue("alice")
    assert room.served(room.connect(room.context(pem))).certificate == fingerprint(pem)


@pytest.mark.integration
def test_a_chain_that_the_client_sends_leads_up_to_an_authority(room: Room) -> None:
    room.listens(OURS)
    pem = BRANCH.issue("alice")
    downstream = room.served(room.connect(room.context(pem + BRANCH.pem)))
    assert downstream.certificate == fingerprint(pem)  # the leaf's


@pytest.mark.integration
def test_behind_a_proxy_header_the_certificate_is_still_the_clients(room: Room) -> None:
    room.listens(OURS, around="haproxy:")
    pem = OURS.issue("alice")
    client = room.connect(room.context(pem))
    header = b"PROXY TCP4 203.0.113.9 127.0.0.1 40000 443\r\n"
    downstream = room.served(client, header + REQUEST)
    assert (downstream.peer, downstream.certificate) == ("203.0.113.9", fingerprint(pem))


@pytest.mark.integration
@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_that_would_resume_a_session_shows_its_certificate_anew(
    room: Room, version: ssl.TLSVersion
) -> None:
    """OpenSSL refuses it outright where a listener that asks has no session id context."""
    room.listens(OURS)
    pem = OURS.issue("alice")
    context = room.context(pem, version)
    first = room.connect(context)
    room.served(first)
    session = first.tls.session
    room.leaves(first)
    again = room.connect(context, session)
    assert room.served(again).certificate == fingerprint(pem)
    assert not again.tls.session_reused


# Who is not


REFUSED = {
    "no certificate": (b"", "no TLS: no certificate was shown"),
    "another authority": (
        THEIRS.issue("mallory"),
        "no TLS: the certificate 'CN=mallory': no authority of client_ca vouches for it",
    ),
    "another authority by the same name": (
        IMPOSTOR.issue("mallory"),
        "no TLS: the certificate 'CN=mallory': no authority of client_ca vouches for it",
    ),
    "an authority in between that is not sent along": (
        BRANCH.issue("bob"),
        "no TLS: the certificate 'CN=bob': no authority of client_ca vouches for it",
    ),
    "expired": (
        OURS.issue("carol", days=-1),
        "no TLS: the certificate 'CN=carol': it has expired",
    ),
    "a server's": (
        OURS.issue("dan", purpose=ExtendedKeyUsageOID.SERVER_AUTH),
        "no TLS: the certificate 'CN=dan': it is not for clients (extended key usage)",
    ),
    "a name as long as one likes": (
        THEIRS.issue("\n" + 60 * "x"),
        "no TLS: the certificate 'CN=\\n"
        + 60 * "x"
        + "': no authority of client_ca vouches for it",
    ),
}


@pytest.mark.integration
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("pem", "why"), REFUSED.values(), ids=REFUSED)
def test_a_client_is_refused_in_the_handshake_and_the_log_says_why_once(
    room: Room, said: list[str], pem: bytes, why: str, version: ssl.TLSVersion
) -> None:
    room.listens(OURS)
    room.refuses(room.connect(room.context(pem, version)))
    assert reasons(said) == [why]
    assert not pem or fingerprint(pem) not in "".join(said)


@pytest.mark.integration
@pytest.mark.parametrize("version", VERSIONS)
def test_where_a_certificate_is_optional_a_bad_one_is_refused_all_the_same(
    room: Room, said: list[str], version: ssl.TLSVersion
) -> None:
    room.listens(OURS, required=False)
    room.refuses(room.connect(room.context(THEIRS.issue("mallory"), version)))
    assert len(reasons(said)) == 1


@pytest.mark.integration
def test_bytes_that_are_no_tls_are_refused_in_the_words_of_openssl(
    room: Room, said: list[str]
) -> None:
    room.listens(OURS)
    client = room.connect(room.context())
    client.transport.write(REQUEST)
    spin(lambda: client.ended and not room.talk.front.open)
    (why,) = reasons(said)
    assert why.startswith("no TLS: ")


@pytest.mark.integration
def test_of_a_client_that_leaves_in_the_handshake_nothing_is_said(
    room: Room, said: list[str]
) -> None:
    room.listens(OURS)
    client = room.connect(room.context(OURS.issue("alice")))
    spin(lambda: room.talk.front.open)
    room.leaves(client)
    assert not reasons(said)


class Handle:
    """As the transport of a listener that asks nothing, as far as one asks it why."""

    def getHandle(self) -> object:
        return self


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (SSL.Error([("SSL routines", "", "no shared cipher")]), "no shared cipher"),
        (SSL.Error([("a", "", "first"), ("b", "", "last")]), "last"),
        (SSL.Error([]), "TLS failed"),
        (SSL.SysCallError(-1, "Unexpected EOF"), ""),
        (ConnectionDone(), ""),
    ],
)
def test_only_tls_that_failed_is_a_broken_handshake(error: Exception, why: str) -> None:
    assert broken_handshake(Handle(), error) == why


# What is asked


@pytest.mark.integration
def test_clients_are_told_whose_certificates_are_good(room: Room) -> None:
    """By that they choose among those they have."""
    room.listens(OURS, THEIRS)
    client = room.connect(room.context(OURS.issue("alice")))
    (handle,) = [room.served(client).transport.getHandle()]
    assert [name.CN for name in handle.get_client_ca_list()] == [
        "Authority of the tests", "Somebody else",
    ]  # fmt: skip


def test_nothing_is_asked_where_nothing_is_configured(tmp_path: Path) -> None:
    pem = tmp_path / "gate.pem"
    pem.write_bytes(OURS.issue("gate.example"))
    reactor = MemoryReactorClock()
    endpoint(reactor, f"ssl:8443:privateKey={pem}", None).listen(Factory())
    ((_, _, options, _, _),) = reactor.sslServers
    assert options.getContext().get_verify_mode() == SSL.VERIFY_NONE


def test_what_the_endpoint_says_of_its_listener_stays(tmp_path: Path) -> None:
    pem, ca = tmp_path / "gate.pem", tmp_path / "ca.pem"
    pem.write_bytes(OURS.issue("gate.example"))
    ca.write_bytes(OURS.pem)
    reactor = MemoryReactorClock()
    text = f"ssl:8443:interface=192.0.2.1:backlog=7:privateKey={pem}"
    endpoint(reactor, text, asked(ca, required=True)).listen(Factory())
    ((port, _, _, backlog, interface),) = reactor.sslServers
    assert (port, backlog, interface) == (8443, 7, "192.0.2.1")


@pytest.mark.parametrize("text", ["tcp:8080:interface=192.0.2.1", "haproxy:tcp:8080"])
def test_a_listener_without_tls_is_as_it_was(text: str, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(OURS.pem)
    plain, asking = MemoryReactorClock(), MemoryReactorClock()
    for reactor, asks in ((plain, None), (asking, asked(ca, required=True))):
        endpoint(reactor, text, asks).listen(Factory())
    ((port, _, backlog, interface),) = asking.tcpServers
    assert plain.tcpServers[0][::2] == (port, backlog)
    assert plain.tcpServers[0][3] == interface


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "holds no certificate in PEM form"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "a broken certificate"),
    ],
)
def test_a_file_without_authorities_is_refused(
    content: bytes | None, why: str, tmp_path: Path
) -> None:
    ca = tmp_path / "ca.pem"
    if content is not None:
        ca.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        asked(ca, required=True)
    assert str(caught.value).startswith(f"{ca}: ")
    assert why in str(caught.value)
