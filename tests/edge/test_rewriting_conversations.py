"""Whole conversations with services whose endpoint references hold their own addresses.

The client does what the protocols say: it sends to the address that it was given, and nowhere
else. So each conversation comes to its end only if every address is the gateway's, and only if
every message then reaches the node that issued the reference.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

import pytest
from lxml import etree
from talk import Peer, Talk, body_of, ok, over

from soapgate.core import ns

WSE, WSNT = ns.WSE04, ns.WSNT
TEV, TDS = "http://www.onvif.org/ver10/events/wsdl", "http://www.onvif.org/ver10/device/wsdl"
AXIS = "http://www.axis.com/2009/event"


class Bypassed(AssertionError):
    """The client was sent past the gateway."""


def gateway(profile: str, **addresses: Any) -> Talk:
    text = (files("soapgate.catalogue") / f"{profile}.toml").read_text()
    return Talk(profiles={profile: tomllib.loads(text)}, addresses=addresses)


def envelope(header: str, body: str) -> bytes:
    names = {"e": ns.SOAP12, "a": ns.WSA10, "a4": ns.WSA04, "wse": WSE, "tev": TEV, "n": WSNT}
    names |= {"tds": TDS, "axis": AXIS}
    declared = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in names.items())
    return (
        f"<e:Envelope {declared}><e:Header>{header}</e:Header><e:Body>{body}</e:Body></e:Envelope>"
    ).encode()


class Reference:
    """An endpoint reference as a client holds it: where to send, and what to send along."""

    def __init__(self, reply: bytes, name: str) -> None:
        (found,) = etree.fromstring(reply).iter(f"{{*}}{name}")
        (address,) = found.iter("{*}Address")
        self.address = str(address.text)
        inside = [one for part in found.iter("{*}ReferenceParameters") for one in part]
        for one in inside:
            one.tail = None
            if address.tag == f"{{{ns.WSA10}}}Address":
                one.set(f"{{{ns.WSA10}}}IsReferenceParameter", "true")
        self.header = "".join(etree.tostring(one).decode() for one in inside)


class Caller:
    """A client on a connection of its own, and nodes that answer it."""

    def __init__(
        self, talk: Talk, answer: Callable[[str, str, str], str], mtom: bool = False
    ) -> None:
        """`answer(node's address, path, Body of the request)`: the Body of the reply. `mtom`: it
        comes as the root of a package."""
        self._talk = talk
        self._mtom = mtom
        self._client: Peer = talk.connect()
        self._answer = answer

    def send(self, address: str, body: str, header: str = "") -> tuple[str, bytes]:
        """(which node answered, what)."""
        url = urlsplit(address)
        if f"{url.scheme}://{url.netloc}" != "http://gate.example":
            raise Bypassed(address)
        content = envelope(f"<a:To>{address.replace('&', '&amp;')}</a:To>{header}", body)
        target = url.path + (f"?{url.query}" if url.query else "")
        self._client.says(
            f"POST {target} HTTP/1.1\r\nHost: gate.example\r\n"
            "Content-Type: application/soap+xml; charset=utf-8\r\n"
            f"Content-Length: {len(content)}\r\n\r\n".encode()
            + content
        )
        node = self._talk.asked()
        heard = node.heard()
        assert heard.startswith(f"POST {target} ".encode())
        assert body_of(heard) == content  # requests are never changed
        own = f"http://10.0.0.{node.name[1:]}"
        reply = envelope("", self._answer(own, target, body))
        if not self._mtom:
            node.says(ok(reply))
            return node.name, body_of(self._client.heard())
        node.says(ok(packed(reply)).replace(b"text/xml", PACKAGE))
        root, _, rest = body_of(self._client.heard()).removeprefix(ROOT).partition(BLOB)
        assert rest == b""
        return node.name, root


PACKAGE = b'multipart/related; type="application/xop+xml"; boundary=b'
ROOT = b"--b\r\nContent-Type: application/xop+xml\r\n\r\n"
BLOB = b"\r\n--b\r\n\r\nhttp://10.0.0.1/ http://10.0.0.2/\r\n--b--\r\n"


def packed(reply: bytes) -> bytes:
    """A package with an attachment that is nobody's business."""
    return ROOT + reply + BLOB


# --- WS-Eventing --------------------------------------------------------------------------------


def source(own: str, target: str, body: str) -> str:
    """An event source whose subscription manager is another endpoint of the same node."""
    if "<wse:Subscribe>" in body:
        return (
            f"<wse:SubscribeResponse><wse:SubscriptionManager><a4:Address>{own}/manager?a=1&amp;b=2"
            "</a4:Address><a4:ReferenceParameters><wse:Identifier>"
            f"uuid:{own[-1]}</wse:Identifier></a4:ReferenceParameters></wse:SubscriptionManager>"
            "<wse:Expires>PT1H</wse:Expires></wse:SubscribeResponse>"
        )
    assert target == "/manager?a=1&b=2"
    return "<wse:RenewResponse/>" if "Renew" in body else ""


def subscribe_and_renew(talk: Talk, *, mtom: bool = False) -> list[set[str]]:
    """The nodes that two subscribers meet who take turns."""
    callers = [Caller(talk, source, mtom), Caller(talk, source, mtom)]
    met, references = [], []
    for caller in callers:
        node, reply = caller.send("http://gate.example/source", "<wse:Subscribe></wse:Subscribe>")
        met.append({node})
        references.append(Reference(reply, "SubscriptionManager"))
    for body in ["<wse:Renew/>"] * 3 + ["<wse:Unsubscribe/>"]:
        for caller, reference, nodes in zip(callers, references, met, strict=True):
            nodes.add(caller.send(reference.address, body, reference.header)[0])
    return met


@pytest.mark.parametrize("mtom", [False, True])
def test_subscribers_stay_with_the_node_that_manages_their_subscription(mtom):
    talk = gateway("ws-eventing", rewrites=True)
    assert subscribe_and_renew(talk, mtom=mtom) == [{"b1"}, {"b2"}]
    assert [record.route for record in talk.log.records] == ["balanced"] * 2 + ["pinned"] * 8
    assert talk.metrics.rewrites == {("shop", "rewritten"): 2}
    assert over(talk) == []


def test_without_rewriting_they_are_sent_past_the_gateway_and_that_is_counted():
    talk = gateway("ws-eventing")
    with pytest.raises(Bypassed, match=r"http://10\.0\.0\.1/manager"):
        subscribe_and_renew(talk)
    assert talk.metrics.leaks == {"shop": 2}


# --- ONVIF --------------------------------------------------------------------------------------


def camera(own: str, target: str, body: str) -> str:
    """A recorder with an Axis pull point; every service has an address of its own."""
    if "GetServices" in body:
        return (
            f"<tds:GetServicesResponse><tds:Service><tds:Namespace>{TEV}</tds:Namespace>"
            f"<tds:XAddr>{own}:80/onvif/services</tds:XAddr></tds:Service>"
            "</tds:GetServicesResponse>"
        )
    if "CreatePullPoint" in body:
        return (
            "<tev:CreatePullPointSubscriptionResponse><tev:SubscriptionReference>"
            f"<a:Address>{own}/onvif/pullpoint</a:Address><a:ReferenceParameters>"
            f"<axis:SubscriptionId>4{own[-1]}</axis:SubscriptionId></a:ReferenceParameters>"
            "</tev:SubscriptionReference></tev:CreatePullPointSubscriptionResponse>"
        )
    assert target == "/onvif/pullpoint"
    return "<tev:PullMessagesResponse/>" if "Pull" in body else "<n:UnsubscribeResponse/>"


def pull(talk: Talk) -> tuple[str, set[str]]:
    """The node that made a client's pull point, and those that it met from then on."""
    caller = Caller(talk, camera)
    _, reply = caller.send("http://gate.example/onvif/device_service", "<tds:GetServices/>")
    events = str(etree.fromstring(reply).find(".//{*}XAddr").text)
    home, reply = caller.send(events, "<tev:CreatePullPointSubscription/>")
    point = Reference(reply, "SubscriptionReference")
    bodies = ["<tev:PullMessages/>"] * 4 + ["<n:Unsubscribe/>"]
    return home, {caller.send(point.address, body, point.header)[0] for body in bodies}


def test_a_client_pulls_from_the_node_that_has_its_pull_point():
    talk = gateway("onvif-pullpoint", rewrites=True)
    homes = []
    for _ in range(4):
        home, met = pull(talk)
        assert met == {home}
        homes.append(home)
        Caller(talk, camera).send("http://gate.example/onvif/device_service", "<tds:GetServices/>")
    assert {*homes} == {"b1", "b2"}
    assert talk.metrics.rewrites == {("shop", "rewritten"): 12}
    assert over(talk) == []


def test_without_rewriting_the_services_of_a_device_are_past_the_gateway():
    talk = gateway("onvif-pullpoint")
    with pytest.raises(Bypassed, match=r"http://10\.0\.0\.1:80/onvif/services"):
        pull(talk)
    assert talk.metrics.leaks == {"shop": 1}
