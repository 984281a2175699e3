"""The shape of an envelope."""

from __future__ import annotations

import pytest
from lxml import etree

from soapgate.core import envelope
from soapgate.core.ns import SOAP11, SOAP12, WSA


def tree(inside, soap=SOAP11):
    root = etree.fromstring(
        f'<e:Envelope xmlns:e="{soap}" xmlns:f="{SOAP12}">{inside}</e:Envelope>'
    )
    return root, envelope.ENVELOPES[root.tag]


@pytest.mark.parametrize(("soap", "version"), [(SOAP11, "1.1"), (SOAP12, "1.2")])
def test_a_version_is_known_by_the_envelopes_name(soap, version):
    _, names = tree("<e:Body/>", soap)
    assert (names.version, names.fault) == (version, f"{{{soap}}}Fault")


@pytest.mark.parametrize(
    ("inside", "header", "body", "defect"),
    [
        ("", False, False, ""),
        ("<e:Header/>", True, False, ""),
        ("<e:Body/>", False, True, ""),
        ("<e:Header/><e:Body/>", True, True, ""),
        ("<e:Header/><e:Body/><e:Header/><x/>", True, True, ""),
        ("<e:Header/><e:Header/><e:Body/>", True, False, "a second Header"),
        ("<e:Header/><x/>", True, False, "an element before Body that is not Header"),
        ("<x/>", False, False, "an element before Body that is not Header"),
        ("<f:Body/>", False, False, "an element before Body that is not Header"),
        ("<Body/>", False, False, "an element before Body that is not Header"),
    ],
)
def test_an_envelope_has_one_header_at_most_then_a_body(inside, header, body, defect):
    found = envelope.parts(*tree(inside))
    assert (found[0] is not None, found[1] is not None, found[2]) == (header, body, defect)


@pytest.mark.parametrize("wsa", WSA)
def test_a_message_id_is_trimmed_and_the_first_counts(wsa):
    header = etree.fromstring(
        f'<h xmlns:w="{wsa}"><w:To>x</w:To><w:MessageID> a </w:MessageID>'
        "<w:MessageID>b</w:MessageID></h>"
    )
    assert envelope.message_id(header) == (wsa, "a")


@pytest.mark.parametrize(
    "inside", ["", "<MessageID>a</MessageID>", f'<MessageID xmlns="{WSA[0]}"/>']
)
def test_no_message_id_is_none(inside):
    assert envelope.message_id(etree.fromstring(f"<h>{inside}</h>")) is None


@pytest.mark.parametrize(("most", "over"), [(1, True), (2, True), (3, False), (4, False)])
def test_depth_counts_the_root(most, over):
    assert envelope.deeper(etree.fromstring("<a><b/><b><c/></b></a>"), most) is over


@pytest.mark.parametrize(
    ("inside", "over"),
    [
        ("<e:Header><x a='' b=''/></e:Header><e:Body/>", False),
        ("<e:Header><x><y a='' b='' c=''/></x></e:Header><e:Body/>", True),
        ("<e:Header a='' b='' c=''/><e:Body/>", True),
        ("<e:Body a='' b='' c=''/>", True),
        ("<e:Body><x a='' b='' c=''/></e:Body>", False),
        ("<e:Body xmlns:p='p' xmlns:q='q' xmlns:r='r'/>", False),
    ],
)
def test_attributes_are_counted_outside_the_bodys_content(inside, over):
    header, body, _ = envelope.parts(*tree(inside))
    assert envelope.over_attributes(header, body, 2) is over
