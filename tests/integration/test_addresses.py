"""Clients that go where a WSDL sends them: round the gateway, or through it.

Real zeep clients, and real Spyne services that keep, for good, the address of whoever asked first
for their WSDL: here somebody who asked on their own port, as a health check does.
"""

from __future__ import annotations

import base64
import email
import email.policy
import gzip
import quopri
import re
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
import requests
import zeep
from live import Cast, Gateway, MiB, Scripted, toml
from wire import WAIT, Client, Message, Wire, chunked, envelope, lines, ok, post
from zeep.transports import Transport

from soapgate.backend.zeep import SessionEcho

SHOP = "urn:example:shop"
SCRIPT = Path(__file__).with_name("plain_spyne.py")


class Node:
    """A Spyne process that has said once what it is called."""

    def __init__(self, name: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.name = name
        self.url = self.process.stdout.readline().strip()
        with direct() as session:
            assert self.url in session.get(f"{self.url}/?wsdl", timeout=WAIT).text

    def stop(self) -> int:
        self.process.communicate(timeout=WAIT)
        return self.process.returncode


def direct() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # a proxy from the environment is not for 127.0.0.1
    return session


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[Node]]:
    both = [Node("b1"), Node("b2")]
    yield both
    assert [node.stop() for node in both] == [0, 0]


def gateway(cast: Cast, nodes: list[Node], **service: object) -> Gateway:
    return cast.run(
        toml(
            {
                "gateway": {
                    "listen": ["tcp:0:interface=127.0.0.1"],
                    "admin": "tcp:0:interface=127.0.0.1",
                    "pins": "memory:",
                    "log": "json",
                    "log_to": "access.log",
                },
                "namespaces": {"shop": SHOP},
                "pool.shop": {"backend": [{"name": one.name, "url": one.url} for one in nodes]},
                "service.shop": {"sessions": ["shop"], **service},
                "profile.shop": {
                    "lookup": ["Header/shop:Session/@id"],
                    "learn": ["Header/shop:Session/@id"],
                },
            }
        )
    )


def shopping(gateway: Gateway) -> list[str]:
    """The nodes that serve a session of a client made of the WSDL at the gateway."""
    with direct() as session:
        client = zeep.Client(
            f"http://127.0.0.1:{gateway.port}/?wsdl",
            transport=Transport(session=session, timeout=WAIT, operation_timeout=WAIT),
            plugins=[SessionEcho(f"{{{SHOP}}}Session")],
        )
        replies = [client.service.login("ann")]
        replies += [client.service.add("tea", 1) for _ in range(4)]
    return [getattr(reply, "body", reply).node for reply in replies]


def test_a_client_goes_where_the_wsdl_says_past_the_gateway(cast, nodes):
    running = gateway(cast, nodes)
    assert len(set(shopping(running))) == 1  # one node, but not by the gateway's doing
    assert [line["method"] for line in running.log(1)] == ["GET"]
    assert running.metric("soapgate_address_leaks_total", service="shop") == 1
    running.says(r"service shop shows its clients the address of a backend")


def test_with_rewritten_addresses_a_client_stays_with_the_gateway(cast, nodes):
    running = gateway(cast, nodes, rewrite_addresses=True)
    for _ in range(2):  # the second begins at the other node
        assert len(set(shopping(running))) == 1
    lines = running.log(12)
    assert [line["method"] for line in lines] == ["GET", *["POST"] * 5] * 2
    assert [line["route"] for line in lines[1:6]] == ["balanced", *["pinned"] * 4]
    assert running.metric("soapgate_rewrites_total", service="shop", outcome="rewritten") == 2
    assert running.metric("soapgate_address_leaks_total") == 0


# --- a contract in several documents ------------------------------------------------------------

MAIN = """<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:t="urn:t"
 xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/" targetNamespace="urn:t">
 <w:import namespace="urn:t" location="%(node)s/t?wsdl=port&amp;x=1"/>
 <w:binding name="B" type="t:P"><s:binding transport="http://schemas.xmlsoap.org/soap/http"/>
  <w:operation name="ping"><s:operation soapAction="ping"/>
   <w:input><s:body use="literal"/></w:input><w:output><s:body use="literal"/></w:output>
  </w:operation></w:binding>
 <w:service name="S"><w:port name="P" binding="t:B"><s:address location="%(node)s/t"/></w:port>
 </w:service></w:definitions>"""
PORT = """<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:t="urn:t"
 targetNamespace="urn:t"><w:types><x:schema xmlns:x="http://www.w3.org/2001/XMLSchema">
  <x:import namespace="urn:t" schemaLocation="%(node)s/t?xsd=1"/></x:schema></w:types>
 <w:message name="in"><w:part name="p" element="t:ping"/></w:message>
 <w:message name="out"><w:part name="p" element="t:pong"/></w:message>
 <w:portType name="P"><w:operation name="ping"><w:input message="t:in"/>
  <w:output message="t:out"/></w:operation></w:portType></w:definitions>"""
SCHEMA = """<x:schema xmlns:x="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:t">
 <x:element name="ping" type="x:string"/><x:element name="pong" type="x:string"/></x:schema>"""
PONG = """<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>
 <t:pong xmlns:t="urn:t">%(node)s</t:pong></e:Body></e:Envelope>"""


def test_a_contract_in_several_compressed_documents_is_loaded_through_the_gateway(cast):
    def reply(request: Message) -> bytes:
        target = request.start.split()[1]
        document = {"/t?wsdl": MAIN, "/t?wsdl=port&x=1": PORT, "/t?xsd=1": SCHEMA, "/t": PONG}[
            target
        ]
        body = (document % {"node": backend.url}).encode("utf-16")
        return ok(gzip.compress(body), ("Content-Encoding", "gzip"))

    backend = cast.backend("b1", reply=reply)
    running = cast.gateway([backend], service={"rewrite_addresses": True})
    with direct() as session:
        client = zeep.Client(
            f"http://127.0.0.1:{running.port}/t?wsdl", transport=Transport(session=session)
        )
        assert client.service.ping("x") == backend.url  # data, and no address
    assert [line["path"] for line in running.log(4)] == ["/t"] * 4
    assert backend.served
    assert {request.get("Host") for request in backend.requests} == {f"127.0.0.1:{running.port}"}
    assert running.metric("soapgate_rewrites_total", outcome="rewritten") == 2


# --- a root in a transfer encoding ---------------------------------------------------------------

REFERENCE = """<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>
 <t:opened xmlns:t="urn:t"><a:Address xmlns:a="http://www.w3.org/2005/08/addressing"
 >%s/sub/7</a:Address></t:opened></e:Body></e:Envelope>"""
RELATED = b"multipart/related; boundary=b"
WRITERS = {"base64": base64.encodebytes, "quoted-printable": quopri.encodestring}


@pytest.mark.parametrize("coding", WRITERS)
def test_a_client_follows_the_reference_in_an_encoded_root_through_the_gateway(cast, coding):
    photo = bytes(range(256)) * 64

    def reply(request: Message) -> bytes:
        if request.start.split()[1] != "/open":
            return ok(b"<ok/>")
        root = WRITERS[coding]((REFERENCE % backend.url).encode())
        parts = (
            f"Content-Type: text/xml\r\nContent-Transfer-Encoding: {coding}\r\n\r\n".encode()
            + root,
            b"Content-Type: image/x\r\nContent-Transfer-Encoding: binary\r\n\r\n" + photo,
        )
        body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"
        return ok(body).replace(b"Content-Type: text/xml", b"Content-Type: " + RELATED, 1)

    backend = cast.backend("b1", reply=reply)
    running = cast.gateway([backend], service={"rewrite_addresses": True})
    here = f"http://127.0.0.1:{running.port}"
    with direct() as session:
        opened = session.post(f"{here}/open", data=envelope(), timeout=WAIT)
        assert int(opened.headers["Content-Length"]) == len(opened.content)
        message = email.message_from_bytes(
            b"Content-Type: " + RELATED + b"\r\n\r\n" + opened.content, policy=email.policy.HTTP
        )
        root, _ = message.get_payload()
        assert root["Content-Transfer-Encoding"] == coding
        (address,) = re.findall(rb">(http[^<]*)<", root.get_payload(decode=True))
        assert address.decode() == f"{here}/sub/7"
        assert b"\r\n\r\n" + photo + b"\r\n--b--" in opened.content
        assert session.post(address.decode(), data=envelope(), timeout=WAIT).ok
    assert [line["path"] for line in running.log(2)] == ["/open", "/sub/7"]
    assert running.metric("soapgate_rewrites_total", outcome="rewritten") == 1


# --- a reply with a long attachment -------------------------------------------------------------

SIZE = 96  # MiB of the attachment
GROWTH = 16  # MiB: a root, buffers of sockets, reads of 256 KiB
BLOCK = bytes(range(256)) * 4096
AFTER = b"\r\n--b--\r\n"
ROOT = """<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>
 <a:Address xmlns:a="http://www.w3.org/2005/08/addressing">%s/x</a:Address></e:Body></e:Envelope>"""


def before(origin: str) -> bytes:
    """What stands before the attachment."""
    head = "--b\r\nContent-Type: application/xop+xml\r\n\r\n"
    return f"{head}{ROOT % origin}\r\n--b\r\n\r\n".encode()


@pytest.mark.parametrize("chunks", [False, True], ids=["length", "chunked"])
def test_an_attachment_behind_a_rewritten_root_runs_in_constant_memory(cast, chunks):
    running = Scripted(cast, service={"rewrite_addresses": True})

    def serve(wire: Wire) -> None:
        wire.message()
        start, size = before(running.backend.url), SIZE * MiB + len(AFTER)
        framing = ("Content-Length", str(len(start) + size))
        kind = ("Content-Type", "multipart/related; boundary=b")
        wire.send(
            lines(
                "HTTP/1.1 200 OK", (kind, ("Transfer-Encoding", "chunked") if chunks else framing)
            )
        )
        for piece in (start, *[BLOCK] * SIZE, AFTER):
            wire.send(b"%x\r\n%b\r\n" % (len(piece), piece) if chunks else piece)
        wire.send(chunked() if chunks else b"")

    port, used = running.play(serve), running.gateway.forget_peak()
    came = sha256()
    with Client(port) as client:
        client.send(post(envelope()))
        for piece in client.body(client.head()):
            came.update(piece)
    assert running.gateway.peak() - used < GROWTH * MiB
    sent = sha256(before("http://shop.example"))
    for piece in (*[BLOCK] * SIZE, AFTER):
        sent.update(piece)
    assert came.digest() == sent.digest()
    assert running.gateway.metric("soapgate_rewrites_total", outcome="rewritten") == 1
