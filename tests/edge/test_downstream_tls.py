"""A client behind TLS, over loopback: what was answered arrives whole, and the end is clean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from certs import Authority
from spin import loop, spin, turns
from talk import Talk, ok, post
from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    PrivateCertificate,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from twisted.python.failure import Failure

# Twisted itself hands pyOpenSSL what pyOpenSSL no longer likes.
pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning"),
]

OURS = Authority()
TRUST = trustRootFromCertificates([Certificate.loadPEM(OURS.pem)])


class Client(Protocol):
    """Says something, hears all."""

    def __init__(self) -> None:
        self.heard = b""
        self.lost: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.lost = reason


class Room:
    """A gateway's front behind a TLS listener; its backends and clock are in memory."""

    def __init__(self) -> None:
        self.talk = Talk(backends=("b1",))
        own = PrivateCertificate.loadPEM(OURS.issue("gate.example"))
        options = CertificateOptions(
            privateKey=own.privateKey.original, certificate=own.original, trustRoot=TRUST
        )
        self.talk.client.closes()
        self.listening = loop().listenSSL(0, self.talk.front, options, interface="127.0.0.1")
        self.clients: list[Client] = []

    def connect(self) -> Client:
        shown = PrivateCertificate.loadPEM(OURS.issue("client.example"))
        trust = optionsForClientTLS("gate.example", trustRoot=TRUST, clientCertificate=shown)
        endpoint = TCP4ClientEndpoint(loop(), "127.0.0.1", self.listening.getHost().port)
        factory = Factory.forProtocol(Client)
        factory.noisy = False
        made: list[Any] = []
        wrapClientTLS(trust, endpoint).connect(factory).addCallback(made.append)
        spin(lambda: made)
        self.clients += made
        client: Client = made[0]
        return client

    def ends(self) -> None:
        for client in self.clients:
            if client.lost is None:
                client.transport.abortConnection()
        spin(lambda: all(client.lost for client in self.clients))
        spin(lambda: not self.talk.front.open)
        self.listening.stopListening()
        turns()


@pytest.fixture
def room() -> Iterator[Room]:
    room = Room()
    yield room
    room.ends()


def test_a_long_answer_that_ends_the_connection_arrives_whole(room: Room) -> None:
    client = room.connect()
    client.transport.write(post(b"x", b"Connection: close"))
    spin(lambda: room.talk.dials)
    body = b"y" * 3_000_000
    room.talk.backend().says(ok(body))
    spin(lambda: client.lost)
    assert client.heard.endswith(body)
    assert client.lost is not None
    assert client.lost.check(ConnectionDone)


def test_a_refusal_reaches_a_client_that_is_still_sending(room: Room) -> None:
    client = room.connect()
    head = post(b"", target=b"/nobody").replace(b"Length: 0", b"Length: 9000000")
    client.transport.write(head + b"x" * 3_000_000)
    spin(lambda: client.lost)
    assert client.heard.startswith(b"HTTP/1.1 404 ")
    head, _, body = client.heard.partition(b"\r\n\r\n")
    assert b"\r\nContent-Length: %d\r\n" % len(body) in head + b"\r\n"
    assert client.lost is not None
    assert client.lost.check(ConnectionDone)


def test_the_certificate_that_was_shown_is_a_fact_of_the_connection(room: Room) -> None:
    client = room.connect()
    client.transport.write(post(b"x"))
    spin(lambda: room.talk.dials)
    (downstream,) = room.talk.front.open
    assert len(downstream.certificate) == 64
    assert int(downstream.certificate, 16)
    assert downstream.connection.startswith("127.0.0.1:")
    assert downstream.scheme == b"https"
    room.talk.backend().says(ok(b"hi"))
    spin(lambda: client.heard.endswith(b"hi"))
