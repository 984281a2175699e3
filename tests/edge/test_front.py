"""All clients of a listener: who they are, how many, and how they are let go."""

from __future__ import annotations

from typing import Any

import pytest
from talk import Peer, Talk, Wire, envelope, ok, post
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

from soapgate.edge.downstream import LINGER_SECONDS, DownstreamTimes
from soapgate.edge.http11 import HeadLimits

LONG = post(b"").replace(b"Content-Length: 0", b"Content-Length: 1000000")


class TlsWire(Wire):
    """As a TLS transport, as far as a client's connection asks."""

    certificate: Any = None

    def getPeerCertificate(self) -> Any:
        return self.certificate

    def loseWriteConnection(self) -> None:
        raise AssertionError("a half-close below TLS cuts off what it has not sent")

    def loseConnection(self) -> None:
        self.ended = "closing"


def over(talk: Talk, wire: Wire) -> Peer:
    """A client of `talk` on a wire of another kind."""
    peer = Peer.__new__(Peer)
    peer.name = ""
    peer.wire = wire
    peer.protocol = wire.protocol = talk.front.buildProtocol(None)
    peer.protocol.makeConnection(wire)
    return peer


def test_below_tls_nothing_is_half_closed() -> None:
    talk = Talk()
    client = over(talk, TlsWire(IPv4Address("TCP", "192.0.2.7", 1)))
    client.says(LONG.replace(b"/shop", b"/nobody"))
    assert client.heard().startswith(b"HTTP/1.1 404 ")
    assert client.wire.ended == "closing"
    talk.passes(LINGER_SECONDS + 1)
    assert client.wire.ended == "aborted"


# Who the client is


class Certificate:
    def digest(self, name: str) -> bytes:
        assert name == "sha256"
        return b"AB:CD:01"


@pytest.mark.parametrize(
    ("address", "peer", "connection", "known"),
    [
        (IPv4Address("TCP", "192.0.2.7", 5), "192.0.2.7", "192.0.2.7:5", "192.0.2.7"),
        (IPv6Address("TCP", "2001:db8::1", 5), "2001:db8::1", "[2001:db8::1]:5", "2001:db8::1"),
        (UNIXAddress(b""), "unix", "", ""),
    ],
    ids=["ipv4", "ipv6", "unix"],
)
def test_a_connection_has_its_facts(address: Any, peer: str, connection: str, known: str) -> None:
    talk = Talk()
    client = over(talk, Wire(address))
    client.says(post(envelope()))
    facts = client.protocol.facts(client.protocol.exchange._head)
    assert client.protocol.peer == peer
    assert (facts.client_address, facts.client_connection) == (known, connection)
    assert facts.client_certificate == ""
    assert client.protocol.scheme == b"http"
    talk.backend().says(ok(b""))
    assert talk.last.client == peer


@pytest.mark.parametrize(("shown", "told"), [(Certificate(), "abcd01"), (None, "")])
def test_a_certificate_is_known_by_its_fingerprint(shown: Any, told: str) -> None:
    talk = Talk()
    wire = TlsWire(IPv4Address("TCP", "192.0.2.7", 5))
    client = over(talk, wire)
    wire.certificate = shown  # it is known when the handshake is through
    client.says(post(envelope()))
    head = client.protocol.exchange._head
    assert client.protocol.facts(head).client_certificate == told
    assert b"\r\nX-Forwarded-Proto: https\r\n" in talk.backend().heard()


def test_the_peer_is_asked_for_when_it_speaks_and_not_when_it_connects() -> None:
    """A PROXY header (`haproxy:`) comes before the first byte and changes the peer."""
    talk = Talk()
    wire = Wire(IPv4Address("TCP", "10.0.0.1", 1))
    client = over(talk, wire)
    wire.peerAddr = IPv4Address("TCP", "198.51.100.9", 7)
    client.says(post(envelope()))
    assert b"\r\nX-Forwarded-For: 198.51.100.9\r\n" in talk.backend().heard()


# The front


def test_too_many_clients_are_turned_away() -> None:
    talk = Talk(most=2)
    second, third = talk.connect(), talk.connect()
    assert (second.wire.ended, third.wire.ended) == ("", "closed")
    assert talk.metrics.turned_away == 1
    second.closes()
    assert talk.connect().wire.ended == ""


def test_clients_are_counted() -> None:
    talk = Talk()
    second = talk.connect()
    assert (talk.metrics.accepted, talk.metrics.connections_downstream) == (2, 2)
    second.closes()
    assert (talk.metrics.accepted, talk.metrics.connections_downstream) == (2, 1)


def test_octets_are_counted_heads_included() -> None:
    talk = Talk(backends=("b1",))
    request, response = post(envelope()), ok(b"x" * 500)
    talk.client.says(request)
    backend = talk.backend()
    sent = len(backend.heard())
    backend.says(response)
    counts = talk.metrics
    assert (counts.downstream_read, counts.downstream_sent) == (len(request), len(response))
    assert (counts.upstream_sent, counts.upstream_read) == (sent, len(response))
    assert (talk.last.read, talk.last.sent) == (len(request), len(response))
    # and of a body that streams
    talk.client.says(LONG + envelope("s"))
    talk.client.says(b"y" * (1_000_000 - len(envelope("s"))))
    sent += len(backend.heard())
    for n in range(0, len(response), 100):
        backend.says(response[n : n + 100])
    assert counts.downstream_read == len(request) + len(LONG) + 1_000_000
    assert counts.downstream_sent == counts.upstream_read == 2 * len(response)
    assert counts.upstream_sent == sent


def test_a_front_that_drains_waits_for_running_exchanges_only() -> None:
    talk = Talk()
    idle, half, busy = (talk.connect() for _ in range(3))
    talk.serve(post(envelope()), ok(b"hi"), idle)
    half.says(post()[:30])
    busy.says(post(envelope()))
    emptied: list[bool] = []
    talk.front.drain(lambda: emptied.append(True))
    assert [one.wire.ended for one in (talk.client, idle, half, busy)] == ["closed"] * 3 + [""]
    assert talk.connect().wire.ended == "closed"
    assert emptied == []
    talk.asked().says(ok(b"hi"))
    heard = busy.heard()
    assert heard.endswith(b"hi")
    assert b"\r\nConnection: close\r\n" in heard
    assert busy.wire.ended == "closed"
    assert emptied == [True]


def test_a_front_without_clients_drains_at_once() -> None:
    talk = Talk()
    talk.client.closes()
    emptied: list[bool] = []
    talk.front.drain(lambda: emptied.append(True))
    assert emptied == [True]


def test_a_refusal_while_draining_says_that_the_connection_ends() -> None:
    talk = Talk()
    talk.client.says(post(envelope()))
    talk.front.drain(lambda: None)
    talk.refuse()
    talk.refuse()
    heard = talk.client.heard()
    assert heard.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nConnection: close\r\n" in heard


def test_new_limits_hold_from_the_next_request_on() -> None:
    talk = Talk()
    request = post(envelope(), b"X: " + b"y" * 100)
    talk.serve(request, ok(b"hi"))
    talk.client.heard()
    talk.front.use(DownstreamTimes(), HeadLimits(fields=3), 0)
    talk.client.says(request)
    assert talk.client.heard().startswith(b"HTTP/1.1 431 ")
