"""SessionEcho, driven as zeep drives it: bare envelopes, and a zeep client over an in-memory
transport that calls the sample cart in this process."""

from __future__ import annotations

import importlib
import io
import threading
from pathlib import Path
from urllib.parse import urlsplit
from wsgiref.util import setup_testing_defaults

import pytest
import requests
import zeep
from lxml import etree
from zeep.transports import Transport

from soapgate.backend.zeep import SessionEcho
from soapgate.core.ns import SOAP11, SOAP12, WSA04, WSA10

ROOT = Path(__file__).parents[2]
SHOP = "urn:example:shop"
SESSION = f"{{{SHOP}}}Session"
ECHO = f"{{{WSA10}}}IsReferenceParameter"


def envelope(header: str = "", soap: str = SOAP11) -> etree._Element:
    block = f"<s:Header>{header}</s:Header>" if header else ""
    return etree.fromstring(
        f'<s:Envelope xmlns:s="{soap}" xmlns:shop="{SHOP}" xmlns:x="urn:x">{block}'
        "<s:Body/></s:Envelope>"
    )


def reply_to(version: str, parameters: str, kind: str = "ReferenceParameters") -> str:
    return (
        f'<w:ReplyTo xmlns:w="{version}"><w:Address>http://node:1/</w:Address>'
        f"<w:{kind}>{parameters}</w:{kind}></w:ReplyTo>"
    )


def receive(echo: SessionEcho, header: str = "", soap: str = SOAP11) -> None:
    echo.ingress(envelope(header, soap), {}, None)


def sent(echo: SessionEcho, header: str = "", soap: str = SOAP11) -> list[etree._Element]:
    """The header blocks of the next request, after a trip over the wire."""
    request, _ = echo.egress(envelope(header, soap), {}, None, {})
    again = etree.fromstring(etree.tostring(request))
    assert etree.QName(again[-1]).localname == "Body"
    return list(again[0]) if len(again) == 2 else []


@pytest.mark.parametrize("soap", [SOAP11, SOAP12], ids=["soap11", "soap12"])
def test_a_named_block_is_sent_back_with_every_later_request(soap):
    echo = SessionEcho(SESSION)
    assert sent(echo, soap=soap) == []
    receive(echo, '<shop:Session id="a"/><shop:Other/>', soap)
    for _ in range(2):
        (block,) = sent(echo, soap=soap)
        assert (block.tag, dict(block.attrib)) == (SESSION, {"id": "a"})
        assert block.getparent().tag == f"{{{soap}}}Header"


def test_a_later_block_of_the_same_name_replaces_the_earlier_one():
    echo = SessionEcho(SESSION)
    receive(echo, '<shop:Session id="a"/>')
    receive(echo)
    receive(echo, '<shop:Session id="b"/>')
    assert [block.get("id") for block in sent(echo)] == ["b"]


def test_soap_attributes_of_a_block_stay_behind():
    echo = SessionEcho(SESSION)
    receive(echo, '<shop:Session s:mustUnderstand="1" s:actor="urn:me" id="a"/>')
    (block,) = sent(echo)
    assert dict(block.attrib) == {"id": "a"}


def test_a_block_keeps_its_content_and_the_prefixes_that_values_use():
    echo = SessionEcho(SESSION)
    receive(echo, "<shop:Session>one<x:b t='x:y'>two</x:b>three</shop:Session>tail")
    (block,) = sent(echo)
    assert "".join(block.itertext()) == "onetwothree"
    assert block.nsmap["x"] == "urn:x"
    assert block.tail is None


@pytest.mark.parametrize(
    ("version", "kind", "mark"),
    [
        (WSA10, "ReferenceParameters", "true"),
        (WSA04, "ReferenceParameters", None),
        (WSA04, "ReferenceProperties", None),
    ],
    ids=["1.0", "2004-08 parameters", "2004-08 properties"],
)
def test_reference_parameters_become_header_blocks_as_their_version_says(version, kind, mark):
    echo = SessionEcho()
    receive(echo, reply_to(version, "<shop:CartKey>k</shop:CartKey><x:b/>", kind))
    first, second = sent(echo)
    assert (first.tag, first.text, first.get(ECHO)) == (f"{{{SHOP}}}CartKey", "k", mark)
    assert (second.tag, second.get(ECHO)) == ("{urn:x}b", mark)


def test_a_reply_to_with_parameters_replaces_all_earlier_ones_and_one_without_changes_nothing():
    echo = SessionEcho()
    receive(echo, reply_to(WSA10, "<x:a/><x:b/>"))
    receive(echo, reply_to(WSA10, "<x:c/>"))
    receive(echo, reply_to(WSA10, ""))
    assert [block.tag for block in sent(echo)] == ["{urn:x}c"]


def test_reference_parameters_can_be_left_alone():
    echo = SessionEcho(SESSION, reference_parameters=False)
    receive(echo, reply_to(WSA10, "<x:a/>"))
    assert sent(echo) == []


def test_a_block_that_the_caller_set_goes_before_the_remembered_one():
    echo = SessionEcho(SESSION)
    receive(echo, '<shop:Session id="a"/>' + reply_to(WSA10, "<x:a/>"))
    blocks = sent(echo, '<shop:Session id="mine"/>')
    assert [(block.tag, block.get("id")) for block in blocks] == [
        (SESSION, "mine"),
        ("{urn:x}a", None),
    ]


def test_forget_ends_the_echo():
    echo = SessionEcho(SESSION)
    receive(echo, '<shop:Session id="a"/>' + reply_to(WSA10, "<x:a/>"))
    assert len(echo.held()) == 2
    echo.forget()
    assert echo.held() == ()
    assert sent(echo) == []


def test_a_response_is_left_as_it_is_and_so_is_what_was_remembered_of_it():
    echo = SessionEcho(SESSION)
    response = envelope('<shop:Session s:mustUnderstand="1" id="a"/>')
    before = etree.tostring(response)
    fields = {"Server": "x"}
    assert echo.ingress(response, fields, None) == (response, fields)
    assert etree.tostring(response) == before
    request, _ = echo.egress(envelope(), {}, None, {})
    request[0][0].set("id", "changed")
    assert [block.get("id") for block in sent(echo)] == ["a"]


def test_an_envelope_of_no_known_soap_version_teaches_nothing():
    echo = SessionEcho(SESSION)
    receive(echo, '<shop:Session id="a"/>', soap="urn:not-soap")
    assert echo.held() == ()


@pytest.mark.parametrize("name", ["Session", "shop:Session", "{}Session"])
def test_a_name_that_is_no_clark_name_is_refused(name):
    with pytest.raises(ValueError, match=r"Clark name|tag name"):
        SessionEcho(name)


def test_threads_that_share_an_echo_always_send_one_whole_session():
    echo = SessionEcho(SESSION)
    receive(echo, '<shop:Session id="0"/>' + reply_to(WSA10, '<x:k n="0"/>'))
    wrong: list[object] = []

    def converse(number: int) -> None:
        for turn in range(100):
            key = f"{number}-{turn}"
            receive(echo, f'<shop:Session id="{key}"/>' + reply_to(WSA10, f'<x:k n="{key}"/>'))
            block, parameter = echo.held()
            if block.get("id") != parameter.get("n"):
                wrong.append((block.get("id"), parameter.get("n")))

    threads = [threading.Thread(target=converse, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# With a real zeep client


class InMemoryTransport(Transport):
    """Answers from a WSGI callable; keeps the envelopes it was given."""

    def __init__(self, wsgi) -> None:
        super().__init__()
        self.wsgi = wsgi
        self.requests: list[bytes] = []

    def post(self, address, message, headers):
        self.requests.append(message)
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": urlsplit(address).path,
            "CONTENT_TYPE": headers["Content-Type"],
            "CONTENT_LENGTH": str(len(message)),
            "wsgi.input": io.BytesIO(message),
        }
        setup_testing_defaults(environ)
        response = requests.Response()

        def start_response(status, fields, exc_info=None):
            response.status_code = int(status.split()[0])
            response.headers.update(fields)

        response._content = b"".join(self.wsgi(environ, start_response))
        return response


@pytest.fixture
def cart_client(monkeypatch):
    """Makes (client, transport) for a carrier of the sample cart and plugins."""
    monkeypatch.syspath_prepend(str(ROOT / "samples"))
    cart = importlib.import_module("cart")
    spyne_compat = importlib.import_module("spyne_compat")

    def make(carrier: str, *plugins: object):
        transport = InMemoryTransport(spyne_compat.wsgi(cart.application(carrier)))
        contract = str(ROOT / "wsdl" / f"cart-{carrier}.wsdl")
        return zeep.Client(contract, transport=transport, plugins=list(plugins)), transport

    return make


@pytest.mark.parametrize(
    ("carrier", "echo"),
    [("header", SessionEcho(SESSION)), ("wsa", SessionEcho())],
    ids=["header", "wsa"],
)
def test_a_zeep_client_with_the_echo_keeps_its_session(cart_client, carrier, echo):
    client, transport = cart_client(carrier, echo)
    client.service.login("ann")
    client.service.add("tea", 2)
    assert client.service.add("jam", 1).count == 3
    assert b"Header" not in transport.requests[0]
    echo.forget()
    with pytest.raises(zeep.exceptions.Fault, match="no such session"):
        client.service.items()


def test_a_zeep_client_without_the_echo_loses_its_session(cart_client):
    client, _ = cart_client("wsa")
    client.service.login("ann")
    with pytest.raises(zeep.exceptions.Fault) as raised:
        client.service.items()
    assert raised.value.code.endswith("Client.SessionUnknown")
