"""Every reason becomes a status and a SOAP fault that clients can read."""

from __future__ import annotations

from http import HTTPStatus
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from zeep.exceptions import Fault
from zeep.wsdl.bindings.soap import Soap11Binding, Soap12Binding

from soapgate.core import ns
from soapgate.core.errors import Reason
from soapgate.core.faults import (
    DETAIL_CHARS,
    MESSAGE_ID_CHARS,
    RULES,
    Answer,
    answer,
)

Version = Literal["1.1", "1.2"]
PREFIXES = {"s11": ns.SOAP11, "s12": ns.SOAP12, "sg": ns.FAULT, "a10": ns.WSA10, "a04": ns.WSA04}
VERSIONS: tuple[Version, ...] = ("1.1", "1.2")


def texts(reply: Answer, path: str) -> list[str]:
    return [str(text) for text in etree.fromstring(reply.body).xpath(path, namespaces=PREFIXES)]


def read_by_zeep(reply: Answer, soap: Version) -> Fault:
    """What a zeep client raises for this answer."""
    binding = (Soap11Binding if soap == "1.1" else Soap12Binding)(None, "b", "p", None, "document")
    with pytest.raises(Fault) as caught:
        binding.process_error(etree.fromstring(reply.body), None)
    return caught.value


def test_every_reason_has_a_rule() -> None:
    assert set(RULES) == set(Reason)


@pytest.mark.parametrize(
    ("reason", "status", "side", "subcode", "retry"),
    [
        (Reason.MALFORMED, 400, "client", "Malformed", False),
        (Reason.NO_SERVICE, 404, "client", "NoService", False),
        (Reason.REQUEST_TIMEOUT, 408, "client", "RequestTimeout", False),
        (Reason.TOO_LARGE, 413, "client", "TooLarge", False),
        (Reason.URI_TOO_LONG, 414, "client", "UriTooLong", False),
        (Reason.EXPECTATION, 417, "client", "Expectation", False),
        (Reason.HEAD_TOO_LARGE, 431, "client", "HeadTooLarge", False),
        (Reason.VERSION, 505, "client", "Version", False),
        (Reason.SESSION_UNKNOWN, 503, "client", "SessionUnknown", True),
        (Reason.SESSION_LOST, 503, "server", "SessionLost", True),
        (Reason.NO_BACKEND, 503, "server", "NoBackend", True),
        (Reason.QUEUE_TIMEOUT, 503, "server", "QueueTimeout", True),
        (Reason.STORE, 503, "server", "Store", True),
        (Reason.UPSTREAM_BROKEN, 502, "server", "UpstreamBroken", False),
        (Reason.UPSTREAM_TIMEOUT, 504, "server", "UpstreamTimeout", False),
        (Reason.INTERNAL, 500, "server", "Internal", False),
    ],
)
def test_a_reason_is_told_as_a_status_and_a_code(
    reason: Reason, status: int, side: str, subcode: str, retry: bool
) -> None:
    reply = answer(reason, "why", soap="1.2", retry_after=7)
    assert reply.status == status
    code = {"client": "soap:Sender", "server": "soap:Receiver"}[side]
    assert texts(reply, "//s12:Code/s12:Value/text()") == [code]
    assert texts(reply, "//s12:Subcode/s12:Value/text()") == [f"sg:{subcode}"]
    assert dict(reply.fields).get("Retry-After") == ("7" if retry else None)


@pytest.mark.parametrize("reason", Reason)
def test_a_phrase_is_the_registered_one_of_its_status(reason: Reason) -> None:
    # 3.11 and 3.12 still know the name 413 had before RFC 9110
    registered = HTTPStatus(RULES[reason].status).phrase.replace("Request Entity", "Content")
    assert RULES[reason].phrase == registered.replace("Request-URI", "URI")


def test_no_two_reasons_share_a_subcode_or_a_sentence() -> None:
    assert len({rule.subcode for rule in RULES.values()}) == len(RULES)
    assert len({rule.sentence for rule in RULES.values()}) == len(RULES)


@pytest.mark.parametrize("reason", Reason)
def test_a_soap_11_fault_has_code_string_and_detail(reason: Reason) -> None:
    rule = RULES[reason]
    reply = answer(reason, "why it was", soap="1.1")
    assert dict(reply.fields)["Content-Type"] == "text/xml; charset=utf-8"
    assert etree.fromstring(reply.body).tag == f"{{{ns.SOAP11}}}Envelope"
    fault = read_by_zeep(reply, "1.1")
    assert fault.code == {"client": "soap:Client", "server": "soap:Server"}[rule.side]
    assert fault.message == rule.sentence
    assert [(child.tag, child.text) for child in fault.detail] == [
        (f"{{{ns.FAULT}}}{rule.subcode}", "why it was")
    ]
    (told,) = etree.fromstring(reply.body).findall("{*}Body/{*}Fault")
    children = [child.tag for child in told]
    assert children == ["faultcode", "faultstring", "detail"]  # SOAP 1.1 4.4: unqualified


@pytest.mark.parametrize("reason", Reason)
def test_a_soap_12_fault_has_code_subcode_reason_and_detail(reason: Reason) -> None:
    rule = RULES[reason]
    reply = answer(reason, "why it was", soap="1.2")
    assert dict(reply.fields)["Content-Type"] == "application/soap+xml; charset=utf-8"
    assert etree.fromstring(reply.body).tag == f"{{{ns.SOAP12}}}Envelope"
    fault = read_by_zeep(reply, "1.2")
    assert fault.code == {"client": "soap:Sender", "server": "soap:Receiver"}[rule.side]
    assert [code.text for code in fault.subcodes] == [f"{{{ns.FAULT}}}{rule.subcode}"]
    assert fault.message == rule.sentence
    assert [(child.tag, child.text) for child in fault.detail] == [
        (f"{{{ns.FAULT}}}{rule.subcode}", "why it was")
    ]
    assert texts(reply, "//s12:Text/@xml:lang") == ["en"]


def test_a_request_that_is_not_soap_gets_soap_11() -> None:
    reason = Reason.NO_BACKEND
    assert answer(reason, "x", soap=None) == answer(reason, "x", soap="1.1")


@pytest.mark.parametrize("soap", VERSIONS)
def test_without_a_message_id_there_is_no_header(soap: Version) -> None:
    assert texts(answer(Reason.MALFORMED, "x", soap=soap), "//s11:Header | //s12:Header") == []


@pytest.mark.parametrize("soap", VERSIONS)
@pytest.mark.parametrize(
    ("prefix", "action"),
    [
        ("a10", "http://www.w3.org/2005/08/addressing/soap/fault"),
        ("a04", "http://schemas.xmlsoap.org/ws/2004/08/addressing/fault"),
    ],
)
def test_a_fault_relates_to_the_message_it_answers(soap: Version, prefix: str, action: str) -> None:
    message = (PREFIXES[prefix], "uuid:1?a=1&b=<2>")
    reply = answer(Reason.SESSION_LOST, "x", soap=soap, relates_to=message)
    header = f"/*/*[1][local-name()='Header']/{prefix}"
    assert texts(reply, f"{header}:RelatesTo/text()") == ["uuid:1?a=1&b=<2>"]
    assert texts(reply, f"{header}:Action/text()") == [action]
    assert len(etree.fromstring(reply.body)) == 2


@pytest.mark.parametrize(
    "relates_to",
    [
        pytest.param((ns.WSA10, ""), id="empty"),
        pytest.param((ns.WSA10, "x" * (MESSAGE_ID_CHARS + 1)), id="too-long"),
        pytest.param((ns.WSA0303, "uuid:1"), id="a-draft-without-a-fault-action"),
        pytest.param(("", "uuid:1"), id="no-namespace"),
        pytest.param(('x"><evil/>', "uuid:1"), id="no-addressing-namespace"),
    ],
)
def test_a_message_id_that_cannot_be_told_is_left_out(relates_to: tuple[str, str]) -> None:
    without = answer(Reason.MALFORMED, "x", soap="1.1")
    assert answer(Reason.MALFORMED, "x", soap="1.1", relates_to=relates_to) == without


def test_the_longest_message_id_is_told_whole() -> None:
    message_id = "&" * MESSAGE_ID_CHARS
    reply = answer(Reason.MALFORMED, "x", soap="1.1", relates_to=(ns.WSA10, message_id))
    assert texts(reply, "//a10:RelatesTo/text()") == [message_id]


def test_a_long_detail_is_shortened() -> None:
    longest = "<" * DETAIL_CHARS
    assert texts(answer(Reason.MALFORMED, longest, soap="1.1"), "//sg:Malformed/text()") == [
        longest
    ]
    (told,) = texts(answer(Reason.MALFORMED, "<" * 5000, soap="1.1"), "//sg:Malformed/text()")
    assert told == "<" * (DETAIL_CHARS - 3) + "..."


@pytest.mark.parametrize("soap", VERSIONS)
def test_what_xml_forbids_is_dropped_and_the_rest_escaped(soap: Version) -> None:
    nasty = "a\x00b\x1b\x7f\ud800\ufffe]]>&amp;<x/>\r\n\U0001f600"
    reply = answer(Reason.MALFORMED, nasty, soap=soap, relates_to=(ns.WSA10, nasty))
    told = "ab\x7f]]>&amp;<x/>\r\n\U0001f600"
    assert texts(reply, "//sg:Malformed/text()") == [told]
    assert texts(reply, "//a10:RelatesTo/text()") == [told]


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=80)


@settings(deadline=None)
@given(
    st.sampled_from(Reason),
    ANY_TEXT,
    st.sampled_from([None, *VERSIONS]),
    st.none() | st.tuples(st.sampled_from(ns.WSA) | ANY_TEXT, ANY_TEXT),
)
def test_whatever_it_is_told_the_answer_is_one_well_formed_fault(
    reason: Reason, detail: str, soap: Version | None, relates_to: tuple[str, str] | None
) -> None:
    reply = answer(reason, detail, soap=soap, relates_to=relates_to)
    tree = etree.fromstring(reply.body)
    assert len(tree.findall("{*}Body/{*}Fault")) == 1
    (told,) = tree.findall(f".//{{{ns.FAULT}}}{RULES[reason].subcode}")
    assert len(told) == 0


@pytest.mark.parametrize("reason", Reason)
def test_fields_and_phrase_are_safe_on_the_wire(reason: Reason) -> None:
    reply = answer(reason, "a\r\nSet-Cookie: x=1", soap="1.1", relates_to=(ns.WSA10, "a\r\nb"))
    for text in (reply.phrase, *(part for field in reply.fields for part in field)):
        assert text.isascii()
        assert text.isprintable()
