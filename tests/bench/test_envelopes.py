"""Sizes are exact, ids stand where they should, and the same markup is the same."""

from __future__ import annotations

import re

import pytest
from lxml import etree

from bench.envelopes import SERIAL, Maker, in_body, in_header, secured, without_id

ID = "0123456789abcdef" * 2
SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
SHOP = "{urn:example:shop}"


def parsed(data: bytes) -> etree._Element:
    return etree.fromstring(data)


@pytest.mark.parametrize("maker", [in_header, in_body, without_id])
@pytest.mark.parametrize("size", [512, 600, 30 * 1024])
def test_envelope_is_well_formed_and_as_long_as_said(
    maker: type[Maker] | object, size: int
) -> None:
    data = maker(size)(ID)  # type: ignore[operator]
    assert len(data) == size
    assert parsed(data).tag == f"{SOAP}Envelope"


def test_id_stands_in_a_header_block() -> None:
    tree = parsed(in_header(512)(ID))
    assert tree.findtext(f"{SOAP}Header/{SHOP}SessionId") == ID


def test_id_stands_in_the_body_and_there_is_no_header() -> None:
    tree = parsed(in_body(512)(ID))
    assert tree.findtext(f"{SOAP}Body/{SHOP}add/{SHOP}SessionId") == ID
    assert tree.find(f"{SOAP}Header") is None


def test_message_of_no_protocol_has_the_id_nowhere() -> None:
    assert ID.encode() not in without_id(512)(ID)


def test_secured_header_has_the_size_said_and_the_id_last() -> None:
    data = secured(4096)(ID)
    header = data[data.index(b"<soap:Header>") : data.index(b"</soap:Header>") + 14]
    assert len(header) == 4096
    assert parsed(data).find(f"{SOAP}Header")[-1].text == ID


def markup(data: bytes) -> bytes:
    return re.sub(rb">[^<]*<", b"><", data)


def test_secured_markup_is_the_same_for_every_session() -> None:
    one, other = secured(4096)(ID), secured(4096)(ID[::-1])
    assert one != other
    assert markup(one) == markup(other)


def test_unique_markup_differs_with_each_serial_number_and_is_well_formed() -> None:
    data = secured(4096, unique=True)(ID)
    assert data.count(SERIAL.encode()) == 3
    filled = [data.replace(SERIAL.encode(), digits) for digits in (b"00000001", b"00000002")]
    assert markup(filled[0]) != markup(filled[1])
    for each in filled:
        assert len(each) == len(data)
        assert parsed(each).findtext(f"{SOAP}Header/{SHOP}SessionId") == ID
