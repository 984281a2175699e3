"""Ids come first, constants not at all, and what cannot be told is ranked below."""

from __future__ import annotations

import pytest
from talked import ID, request, response

from soapgate.core.candidates import Inside, candidates, insides, is_dull, looks_like
from soapgate.core.sightings import Prefixes


def ranked(*conversation):
    return candidates(conversation, Prefixes())


LOGIN = response("", f"<c:loginResponse><c:sessionId>{ID}</c:sessionId></c:loginResponse>")
USE = request(f'<c:Session id="{ID}"/>')


def test_an_id_of_a_response_that_comes_back_is_found_with_both_places():
    (only,) = ranked(LOGIN, USE)
    assert (only.value, only.origin) == (ID, "server")
    assert [one.location for one in only.responses] == ["Body/c:loginResponse/c:sessionId"]
    assert [one.location for one in only.requests] == ["Header/c:Session/@id"]


@pytest.mark.parametrize(
    "value",
    [
        "", "x", "true", "YES", "ok", "12345", "-7", "19.99", "2026-01-02", "10:30:00",
        "2026-01-02T10:30:00.5Z", "Mon, 01 Jan 2026 00:00:00 GMT", "PT30M", "-P1Y2M",
        "text/xml; charset=utf-8", "en-US", "de", "EUR", "xsd:string", "1.10.2", "127.0.0.1:80",
        "http://www.w3.org/2005/08/addressing/anonymous", "urn:example:cart/Add",
        "http://docs.oasis-open.org/ws-rx/wsrm/200702/CreateSequence",
        "http://schemas.example.com/2026/01/x", "https://shop.example.com/cart", "a" * 5000,
    ],
)  # fmt: skip
def test_what_can_be_no_id_is_dull(value):
    assert is_dull(value)


@pytest.mark.parametrize(
    "value",
    [
        ID, "4711-0815", "123456", "ABCDEF", "urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "http://shop.example.com/s/6ba7b810-9dad-11d1", "P1Y-no", "ann-7f3a", "a b c 1",
    ],
)  # fmt: skip
def test_what_may_be_an_id_is_not(value):
    assert not is_dull(value)


def test_what_a_value_looks_like_is_said_without_showing_it():
    words, worth = looks_like(ID)
    assert words == "hex digits, 22 characters"
    assert worth > looks_like("SKU-0001")[1] > looks_like("somebody")[1]


def test_goods_and_users_rank_below_the_session():
    body = "<c:r><c:sku>SKU-0001234</c:sku><c:userName>ann-1234567</c:userName></c:r>"
    found = ranked(
        response(f"<c:Session>{ID}</c:Session>", body),
        request(f"<c:Session>{ID}</c:Session>", body),
    )
    assert [one.value for one in found] == [ID, "SKU-0001234", "ann-1234567"]


def test_what_every_request_carries_ranks_above_what_one_does():
    other = "a7b1c5d9e3f7a1b5c9d3e7"
    reply = response("", f"<c:r><c:aId>{ID}</c:aId><c:bId>{other}</c:bId></c:r>")
    calls = [request(f"<c:bId>{other}</c:bId>", f"<c:x><c:aId>{ID}</c:aId></c:x>")]
    calls += [request(f"<c:bId>{other}</c:bId>") for _ in range(3)]
    found = ranked(reply, *calls)
    assert [(one.value, one.carried, one.asked) for one in found] == [
        (other, 4, 4),
        (ID, 1, 4),
    ]


def test_an_id_of_the_first_request_is_the_clients():
    mine = request(f"<c:Client>{ID}</c:Client>")
    (only,) = ranked(mine, response(), mine)
    assert (only.origin, only.responses) == ("client", ())


def test_a_value_of_one_request_alone_is_none():
    assert ranked(request(f"<c:Client>{ID}</c:Client>"), response()) == []


def test_a_value_that_only_a_request_before_had_is_none():
    assert ranked(request(f"<c:S>{ID}</c:S>"), response(f"<c:S>{ID}</c:S>")) == []


def test_the_action_is_none():
    call = request("<c:x>AddItem12345</c:x>", action="AddItem12345")
    assert ranked(call, response("<c:x>AddItem12345</c:x>"), call) == []


def test_message_ids_rank_below_zero():
    found = ranked(
        response(f"<c:MessageID>{ID}</c:MessageID>"), request(f"<c:RelatesTo>{ID}</c:RelatesTo>")
    )
    assert found[0].score <= 0


def test_a_value_within_a_longer_text_is_noted_with_its_places():
    reply = response("", f"<c:r><c:address>http://h/c;jsessionid={ID}</c:address></c:r>")
    call = request(target=f"/other;jsessionid={ID}".encode())
    assert ranked(reply, call) == []
    assert insides([reply, call], Prefixes()) == [Inside("Body/c:r/c:address", "param:jsessionid")]


def test_short_values_are_within_too_many_texts_to_be_noted():
    reply = response("", "<c:r><c:t>order ann1</c:t></c:r>")
    assert insides([reply, request(x_user="ann1")], Prefixes()) == []
