"""Faults in a protocol's own terms, read back by a strict parser and by zeep."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from shop import message

from soapgate.core import ns
from soapgate.core.protocolfaults import PROTOCOLS, TERMS, Dialect, unknown
from soapgate.core.scanner import ScanLimits, Scanner

P = {
    "s11": ns.SOAP11,
    "s12": ns.SOAP12,
    "a10": ns.WSA10,
    "a04": ns.WSA04,
    "rm10": ns.WSRM10,
    "rm11": ns.WSRM11,
    "w": ns.WSMAN,
    "f": "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault",
}
STRICT = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=False)
ASKED = (ns.WSA10, "urn:uuid:q&1")
OLDER = (ns.WSA04, "uuid:q1")


def tree(protocol, namespace="", session_id="urn:s1", *, soap, relates_to=None):
    reply = unknown(protocol, namespace, session_id, soap=soap, relates_to=relates_to)
    assert reply.status == 500
    kind = "application/soap+xml" if soap == "1.2" else "text/xml"
    assert reply.fields == (("Content-Type", f"{kind}; charset=utf-8"),)
    return etree.fromstring(reply.body, STRICT)


def at(root, path):
    """Texts of what the path names, in the document's order."""
    return [node.text for node in root.xpath(path, namespaces=P)]


def qname(root, path):
    """A QName in content, as (namespace, local name)."""
    (node,) = root.xpath(path, namespaces=P)
    prefix, _, local = node.text.partition(":")
    return node.nsmap[prefix], local


def children(root, path):
    (node,) = root.xpath(path, namespaces=P)
    return [child.tag for child in node]


RM = "The value of wsrm:Identifier is not a known Sequence identifier."


@pytest.mark.parametrize("version", ["rm10", "rm11"])
def test_unknown_sequence_in_soap_1_2_has_a_subcode_and_the_identifier(version):
    root = tree("wsrm", P[version], soap="1.2", relates_to=ASKED)
    fault = "/s12:Envelope/s12:Body/s12:Fault"
    assert qname(root, f"{fault}/s12:Code/s12:Value") == (ns.SOAP12, "Sender")
    assert qname(root, f"{fault}/s12:Code/s12:Subcode/s12:Value") == (P[version], "UnknownSequence")
    assert at(root, f"{fault}/s12:Reason/s12:Text") == [RM]
    assert at(root, f"{fault}/s12:Detail/{version}:Identifier") == ["urn:s1"]
    assert not root.xpath("//*[local-name()='SequenceFault']")


@pytest.mark.parametrize(
    ("version", "identifier"),
    [("rm10", "rm10:Identifier"), ("rm11", "rm11:Detail/rm11:Identifier")],
)
def test_unknown_sequence_in_soap_1_1_is_a_sequence_fault_header(version, identifier):
    root = tree("wsrm", P[version], soap="1.1", relates_to=ASKED)
    block = f"/s11:Envelope/s11:Header/{version}:SequenceFault"
    assert qname(root, f"{block}/{version}:FaultCode") == (P[version], "UnknownSequence")
    assert at(root, f"{block}/{identifier}") == ["urn:s1"]
    fault = "/s11:Envelope/s11:Body/s11:Fault"
    assert qname(root, f"{fault}/faultcode") == (ns.SOAP11, "Client")
    assert at(root, f"{fault}/faultstring") == [RM]
    assert children(root, fault) == ["faultcode", "faultstring"]


@pytest.mark.parametrize(
    ("version", "asked", "action"),
    [
        ("rm11", ASKED, f"{ns.WSRM11}/fault"),
        ("rm11", OLDER, f"{ns.WSRM11}/fault"),
        ("rm10", ASKED, f"{ns.WSA10}/soap/fault"),
        ("rm10", OLDER, f"{ns.WSA04}/fault"),
    ],
)
@pytest.mark.parametrize("soap", ["1.1", "1.2"])
def test_the_action_is_the_protocols_and_the_fault_relates_to_its_request(
    version, asked, action, soap
):
    root = tree("wsrm", P[version], soap=soap, relates_to=asked)
    prefix = "a10" if asked is ASKED else "a04"
    assert at(root, f"/*/*[local-name()='Header']/{prefix}:Action") == [action]
    assert at(root, f"/*/*[local-name()='Header']/{prefix}:RelatesTo") == [asked[1]]


def test_a_request_without_a_message_id_is_answered_without_addressing():
    assert tree("wsrm", soap="1.2").xpath("/s12:Envelope/s12:Header", namespaces=P) == []
    header = children(tree("wsrm", soap="1.1"), "/s11:Envelope/s11:Header")
    assert header == [f"{{{ns.WSRM11}}}SequenceFault"]


@pytest.mark.parametrize("namespace", ns.PREFIXES["wsc"])
def test_bad_context_token_is_told_in_the_version_of_the_token(namespace):
    reason = "The requested context elements are insufficient or unsupported."
    root = tree("wsc", namespace, soap="1.2", relates_to=ASKED)
    fault = "/s12:Envelope/s12:Body/s12:Fault"
    assert qname(root, f"{fault}/s12:Code/s12:Value") == (ns.SOAP12, "Sender")
    assert qname(root, f"{fault}/s12:Code/s12:Subcode/s12:Value") == (namespace, "BadContextToken")
    assert at(root, f"{fault}/s12:Reason/s12:Text") == [reason]
    assert at(root, "//a10:Action") == [f"{ns.WSA10}/soap/fault"]
    root = tree("wsc", namespace, soap="1.1")
    assert qname(root, "/s11:Envelope/s11:Body/s11:Fault/faultcode") == (
        namespace,
        "BadContextToken",
    )


def test_invalid_selectors_are_told_as_winrm_tells_them():
    root = tree("wsman", session_id="67A7-1", soap="1.2", relates_to=OLDER)
    fault = "/s12:Envelope/s12:Body/s12:Fault"
    assert qname(root, f"{fault}/s12:Code/s12:Value") == (ns.SOAP12, "Sender")
    assert qname(root, f"{fault}/s12:Code/s12:Subcode/s12:Value") == (ns.WSMAN, "InvalidSelectors")
    assert at(root, f"{fault}/s12:Detail/w:FaultDetail") == [
        "http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/UnexpectedSelectors"
    ]
    (told,) = root.xpath(f"{fault}/s12:Detail/f:WSManFault", namespaces=P)
    assert told.get("Code") == "2150858843"
    assert told.get("Machine")
    assert "67A7-1" in told[0].text
    assert at(root, "//a04:Action") == ["http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"]
    assert at(root, "//a04:RelatesTo") == ["uuid:q1"]
    assert at(root, "//a04:To") == [f"{ns.WSA04}/role/anonymous"]
    (message_id,) = at(root, "//a04:MessageID")
    assert UUID(message_id.removeprefix("uuid:")).version == 4


@pytest.mark.parametrize("namespace", ns.PREFIXES["wsen"])
def test_an_invalid_enumeration_context_is_the_receivers(namespace):
    root = tree("wsen", namespace, soap="1.2", relates_to=ASKED)
    fault = "/s12:Envelope/s12:Body/s12:Fault"
    assert qname(root, f"{fault}/s12:Code/s12:Value") == (ns.SOAP12, "Receiver")
    assert qname(root, f"{fault}/s12:Code/s12:Subcode/s12:Value") == (
        namespace,
        "InvalidEnumerationContext",
    )
    assert at(root, "//a10:Action") == [f"{namespace}/fault"]


def test_axis2_is_told_as_axis2_tells():
    root = tree("axis2", session_id="urn:uuid:9", soap="1.1", relates_to=ASKED)
    fault = "/s11:Envelope/s11:Body/s11:Fault"
    assert qname(root, f"{fault}/faultcode") == (ns.SOAP11, "Server")
    assert at(root, f"{fault}/faultstring") == ["Invalid Service Group Id.urn:uuid:9"]
    root = tree("axis2", soap="1.2")
    assert children(root, "/s12:Envelope/s12:Body/s12:Fault/s12:Code") == [f"{{{ns.SOAP12}}}Value"]


@pytest.mark.parametrize("protocol", [one for one in PROTOCOLS if one != "soap"])
def test_a_version_that_was_not_seen_is_the_newest(protocol):
    first = TERMS[protocol].namespaces[:1]
    one = unknown(protocol, "", "i", soap="1.2")
    assert one == unknown(protocol, "urn:none-of-them", "i", soap="1.2")
    assert not first or first[0].encode() in one.body


@settings(deadline=None)
@given(
    st.sampled_from([one for one in PROTOCOLS if one != "soap"]),
    st.text(),
    st.text(min_size=1),
    st.sampled_from(["1.1", "1.2", None]),
)
def test_whatever_the_id_is_the_answer_is_well_formed(protocol, session_id, message_id, soap):
    reply = unknown(protocol, "", session_id, soap=soap, relates_to=(ns.WSA10, message_id))
    root = etree.fromstring(reply.body, STRICT)
    assert etree.QName(root).localname == "Envelope"
    assert len(root.xpath("//*[local-name()='Fault']")) == 1


# Dialect


def seen(protocol, data):
    scanner = Scanner(Dialect(protocol), ScanLimits())
    found = (scanner.feed(data) or scanner.close()).found
    return [one.id for one in found]


@pytest.mark.parametrize("namespace", [ns.WSRM10, ns.WSRM11])
def test_the_version_is_that_of_the_header(namespace):
    block = f'<r:Sequence xmlns:r="{namespace}"><r:Identifier>1</r:Identifier></r:Sequence>'
    assert seen("wsrm", message(block, "<s:op/>")) == [namespace]


def test_the_version_may_stand_deep_in_the_header():
    block = (
        f'<w:Security xmlns:w="{ns.WSSE10}"><c:SecurityContextToken xmlns:c="{ns.WSC05}"/>'
        "</w:Security>"
    )
    assert seen("wsc", message(block, "<s:op/>")) == [ns.WSC05]


def test_without_a_header_it_is_that_of_the_bodys_child():
    body = f'<r:TerminateSequence xmlns:r="{ns.WSRM10}"/>'
    assert seen("wsrm", message(None, body)) == [ns.WSRM10]


def test_a_message_of_another_protocol_has_no_version():
    assert seen("wsrm", message('<s:Session id="1"/>', "<s:op/>")) == []
