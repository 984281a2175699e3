"""What a refused request is answered: the protocol's fault where its profile says so."""

from __future__ import annotations

import pytest
from lxml import etree
from talk import Talk, body_of, envelope, head_of, post

from soapgate.core import ns
from soapgate.core.profiles import catalogue
from soapgate.core.routing import Terms

RM = {
    "lookup": ["Header/wsrm:Sequence/wsrm:Identifier"],
    "unknown_fault": "wsrm",
}
FAULT = Terms(unknown="fault")


def sequence(session, *, soap=ns.SOAP11, rm=ns.WSRM11, header=""):
    return (
        f'<e:Envelope xmlns:e="{soap}" xmlns:r="{rm}" xmlns:a="{ns.WSA10}"><e:Header>'
        f"<a:MessageID>urn:q1</a:MessageID><r:Sequence><r:Identifier>{session}</r:Identifier>"
        f"</r:Sequence>{header}</e:Header><e:Body><x/></e:Body></e:Envelope>"
    ).encode()


def told(talk, request):
    talk.client.says(request)
    heard = talk.client.heard()
    return head_of(heard), etree.fromstring(body_of(heard))


def texts(root, namespace, name):
    return [element.text for element in root.iter(f"{{{namespace}}}{name}")]


@pytest.mark.parametrize("rm", [ns.WSRM11, ns.WSRM10])
@pytest.mark.parametrize("soap", [ns.SOAP11, ns.SOAP12])
def test_an_unknown_sequence_is_told_in_the_versions_of_the_request(soap, rm):
    talk = Talk(profiles={"rm": RM}, terms=FAULT)
    head, root = told(talk, post(sequence("urn:s9", soap=soap, rm=rm)))
    assert head.startswith(b"HTTP/1.1 500 ")
    assert root.tag == f"{{{soap}}}Envelope"
    assert texts(root, rm, "Identifier") == ["urn:s9"]
    assert texts(root, ns.WSA10, "RelatesTo") == ["urn:q1"]
    assert talk.last.reason == "session-unknown"
    assert talk.last.status == 500
    assert talk.dials == 0


def test_it_names_the_id_that_was_not_known():
    both = {"shop": {"lookup": ["Header/shop:Session/@id"]}, "rm": RM}
    talk = Talk(profiles=both, terms=Terms(unknown_of={"rm": "fault"}))
    body = sequence("urn:s9", header='<s:Session xmlns:s="urn:example:shop" id="mine"/>')
    _, root = told(talk, post(body))
    assert texts(root, ns.WSRM11, "Identifier") == ["urn:s9"]
    assert b"mine" not in etree.tostring(root)


def test_without_a_protocol_of_its_own_the_fault_is_ours():
    talk = Talk(terms=FAULT)
    head, root = told(talk, post(envelope("mine")))
    assert head.startswith(b"HTTP/1.1 503 ")
    assert len(list(root.iter(f"{{{ns.FAULT}}}SessionUnknown"))) == 1


def test_an_id_outside_the_envelope_is_told_in_the_protocols_newest_version():
    talk = Talk(profiles={"rm": RM | {"lookup": ["cookie:rm"]}}, terms=FAULT)
    _, root = told(talk, post(envelope(), b"Cookie: rm=urn:s9"))
    assert texts(root, ns.WSRM11, "Identifier") == ["urn:s9"]


def test_other_refusals_are_soapgates_own_whatever_the_protocol():
    talk = Talk(profiles={"rm": RM})
    for member in talk.pool.members.values():
        member.admin = "maint"
    head, root = told(talk, post(sequence("urn:s9")))
    assert head.startswith(b"HTTP/1.1 503 ")
    assert len(list(root.iter(f"{{{ns.FAULT}}}NoBackend"))) == 1


@pytest.mark.parametrize(
    ("name", "protocol"),
    [
        ("wsrm", "wsrm"),
        ("ws-secureconversation", "wsc"),
        ("wsman", "wsman"),
        ("ws-enumeration", "wsen"),
        ("axis2-soapsession", "axis2"),
        ("http-cookie", "soap"),
    ],
)
def test_the_built_in_profiles_name_their_protocols(name, protocol):
    assert catalogue()[name].unknown_fault == protocol
