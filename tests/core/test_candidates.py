"""Ids come first, constants not at all, and what cannot be told is ranked below."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from talked import ID, request, response

from soapgate.core.candidates import (
    WORTH,
    Inside,
    candidates,
    insides,
    is_dull,
    is_random,
    looks_like,
)
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
    reply = response("", f"<c:r><c:note>session {ID} is open</c:note></c:r>")
    call = request(x_session=ID)
    assert ranked(reply, call) == []
    assert insides([reply, call], Prefixes()) == [Inside("Body/c:r/c:note", "http:x-session", "")]


def test_a_value_within_a_longer_text_is_noted_with_the_words_that_cut_it_out():
    cut = "Body/c:r/c:t | before:'/'"
    reply = response("", "<c:r><c:t>annika1/2</c:t></c:r>")
    call = request(x_user="annika1")
    assert ranked(reply, call) == []
    assert insides([reply, call], Prefixes()) == [Inside("Body/c:r/c:t", "http:x-user", cut)]
    turned = response("", "<c:r><c:t>annika1</c:t></c:r>"), request(x_user="annika1/2")
    cut = "http:x-user | before:'/'"
    assert insides(turned, Prefixes()) == [Inside("Body/c:r/c:t", "http:x-user", cut)]


def test_short_values_are_within_too_many_texts_to_be_noted():
    reply = response("", "<c:r><c:t>order ann1</c:t></c:r>")
    assert insides([reply, request(x_user="ann1")], Prefixes()) == []


# --- what two values share -----------------------------------------------------------------------

UUID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
OTHER = "a7b1c5d9e3f7a1b5c9d3e7"


def issued(text, name="returnval"):
    return response("", f"<c:r><c:{name}>{text}</c:{name}></c:r>")


def called(text, name="_this"):
    return request("", f"<c:q><c:{name}>{text}</c:{name}></c:q>")


def b64(text):
    return base64.b64encode(text.encode()).decode()


ISSUED, CALLED = "Body/c:r/c:returnval", "Body/c:q/c:_this"
SHARED = {
    "before a dash": (f"{ID}-0001", f"{ID}-0002", ID, " | before:'-'", " | before:'-'"),
    "before a dot, of one": (ID, f"{ID}.node1", ID, "", " | before:'.'"),
    "before a dot, of the other": (f"{ID}.node1", ID, ID, " | before:'.'", ""),
    "before a dot, of both": (f"{ID}.n1", f"{ID}.n2", ID, " | before:'.'", " | before:'.'"),
    "before !": (f"{ID}!-17!42", f"{ID}!9", ID, " | before:'!'", " | before:'!'"),
    "after a colon": (f"n1:{ID}", f"n2:{ID}", ID, " | after:':'", " | after:':'"),
    "between two": (f"n1:{ID}:1", ID, ID, " | after:':' | before:':'", ""),
    "without quotes": (f"&quot;{ID}&quot;", ID, ID, " | unquote", ""),
    "in lower case": (ID.upper(), ID, ID, " | lower", ""),
    "in two cases": (ID.title(), ID.swapcase(), ID, " | lower", " | lower"),
    "in base64": (b64(ID), ID, ID, " | base64", ""),
    "a part of what base64 says": (ID, b64(f"u:{ID}"), ID, "", " | base64 | after:':'"),
    "a parameter": (f"http://h/?s={ID}&amp;t=1", ID, ID, " | after:'?s=' | before:'&'", ""),
    "behind a URN": (f"urn:ex:s:{UUID}", UUID, UUID, " | after:'urn:ex:s:'", ""),
    "in braces": ("{" + UUID + "}", UUID, UUID, " | after:'{' | before:'}'", ""),
}


@pytest.mark.parametrize(("one", "other", "value", "made", "came"), SHARED.values(), ids=SHARED)
def test_what_two_values_share_is_found_with_the_words_that_make_it(one, other, value, made, came):
    (only,) = ranked(issued(one), called(other))
    assert (only.value, only.origin, only.part, only.carried) == (value, "server", True, 1)
    assert [at.location for at in only.responses] == [ISSUED + made]
    assert [at.location for at in only.requests] == [CALLED + came]
    assert only.score >= WORTH


def test_a_part_of_a_cookie_and_of_the_path_is_found():
    found = ranked(
        response(set_cookie=f"SID={ID}.node1; Path=/"), request(target=f"/a;sid={ID}".encode())
    )
    assert [(one.value, one.part) for one in found] == [(ID, True)]
    assert found[0].responses[0].location == "cookie:SID | before:'.'"


def test_a_parameter_is_called_what_it_is_called_in_the_text():
    reply = response("", f"<c:r><c:address>http://h/c;jsessionid={ID}</c:address></c:r>")
    (only,) = ranked(reply, request(target=f"/other;jsessionid={ID}".encode()))
    assert only.responses[0].location == "Body/c:r/c:address | after:';jsessionid='"
    assert only.responses[0].name == "jsessionid"


COMMON = {
    "namespaces": ("urn:example:cart2:v1b2c3:items", "urn:example:cart2:v1b2c3:users"),
    "hosts": ("shop7f3a9c.eu1.example.com:8080", "shop7f3a9c.eu1.example.com:9090"),
    "addresses": (f"http://{ID}.example.com/a1b2c3", f"http://{ID}.example.com/d4e5f6"),
    "paths": (f"http://h/{ID}/1", f"http://h/{ID}/2"),
    "times of one day": ("2026-01-02T10:30:00Z/1", "2026-01-02T10:30:00Z/2"),
    "times in digits": ("20260102T103000Z-1", "20260102T103000Z-2"),
    "seconds": ("1767349800-1", "1767349800-2"),
    "long counters": ("000000000012345678-1", "000000000012345678-2"),
    "short counters": ("4711-a1b2", "4711-c3d4"),
    "UUIDs of one clock": (UUID, "6ba7b812" + UUID[8:]),
    "one UUID of a place that is no separator": (f"{UUID}-1", f"{UUID}-2"),
    "versions": ("Win32-x64-v2.1-b12/1", "Win32-x64-v2.1-b12/2"),
    "names of operations": ("getUserByIdV2Response/a1", "getUserByIdV2Response/b2"),
    "goods": ("SKU1234567-1", "SKU1234567-2"),
    "persons": ("annika123@a", "annika123@b"),
    "words": ("application-server-node1", "application-server-node2"),
    "prose": (f"cart {ID} of ann", f"cart {ID} of bob"),
}


@pytest.mark.parametrize(("one", "other"), COMMON.values(), ids=COMMON)
def test_what_many_values_have_a_part_of_is_no_part_to_tell(one, other):
    assert ranked(issued(one), called(other)) == []


@pytest.mark.parametrize("text", ["01G3BZ7B", "48151623"])
def test_at_places_that_are_all_called_like_a_sessions_a_part_may_be_short(text):
    (only,) = ranked(issued(f"{text}|1", "sessionId"), called(f"{text}|2", "Session"))
    assert (only.value, only.part) == (text, True)
    assert ranked(issued(f"{text}|1", "sessionId"), called(f"{text}|2")) == []


@pytest.mark.parametrize("text", ["1767349800", "20260102", "00000001", "a1b2c3", "eightchr"])
def test_what_is_common_is_no_part_there_either(text):
    assert ranked(issued(f"{text}|1", "sessionId"), called(f"{text}|2", "sessionId")) == []


@pytest.mark.parametrize("name", ["MessageID", "userName", "timestamp", "digest", "To"])
def test_a_part_of_what_is_something_else_for_sure_is_none(name):
    assert ranked(issued(f"{ID}-1", name), called(f"{ID}-2", name)) == []


def test_a_part_that_a_request_had_first_is_the_clients_own():
    assert ranked(called(f"{ID}-1"), issued(f"{ID}-2"), called(f"{ID}-3")) == []
    assert ranked(request(x_key=ID), issued(f"{ID}-2"), called(f"{ID}-3")) == []


def test_a_part_ranks_below_a_whole_value_like_it():
    reply = response("", f"<c:r><c:a>{ID}-1</c:a><c:b>{OTHER}</c:b></c:r>")
    found = ranked(reply, request("", f"<c:q><c:a>{ID}-2</c:a><c:b>{OTHER}</c:b></c:q>"))
    assert [(one.value, one.part) for one in found] == [(OTHER, False), (ID, True)]


def test_a_part_of_what_comes_back_whole_is_not_told_again():
    for text in (f"{ID}-1", f"{ID}.node1", f"http://h/;sid={ID}", ID.upper(), b64(ID)):
        (only,) = ranked(issued(text), called(text))
        assert (only.value, only.part) == (text, False)


def test_a_part_of_a_part_is_not_told():
    (only,) = ranked(issued(f"{ID}.{OTHER}-1"), called(f"{ID}.{OTHER}-2"))
    assert only.value == f"{ID}.{OTHER}"


def test_a_part_that_more_requests_carry_than_any_value_it_stands_in_ranks_above_them():
    handles = [f"{ID}-000{n}" for n in range(4)]
    talk = [part for one in handles for part in (issued(one), called(one))]
    found = ranked(*talk)
    assert [(one.value, one.part, one.carried) for one in found[:1]] == [(ID, True, 4)]
    assert {(one.value, one.part, one.carried) for one in found[1:]} == {
        (handle, False, 1) for handle in handles
    }


def test_of_several_values_at_one_place_a_part_may_be_the_same():
    reply = response("", f"<c:r><c:v>{ID}-1</c:v><c:v>{ID}-2</c:v></c:r>")
    (only,) = ranked(reply, called(f"{ID}-3"))
    assert not only.responses[0].several
    reply = response("", f"<c:r><c:v>{ID}-1</c:v><c:v>{OTHER}-2</c:v></c:r>")
    (only,) = ranked(reply, called(f"{ID}-3"))
    assert only.responses[0].several


WORDS = st.from_regex(r"[A-Z]?[a-z]{2,9}|\d{1,5}|v\d", fullmatch=True)


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS, max_size=5), st.sampled_from("-._:/"))
def test_words_and_short_numbers_are_never_random(words, mark):
    assert not is_random(mark.join(words))


@pytest.mark.parametrize(
    "value",
    [ID, ID.upper(), UUID, "634f0d8fd6ef0e49", "4q2bmn7c9dk1s8gv5xt0hj3wyz",
     "node01n7q4zk2v9x8f1c0bd", "hV3kPz8QwLm2RtX9cYb4NdJs6GfA", "x7Q-aPbz81_LmRtX9cYb4Nd"],
)  # fmt: skip
def test_what_is_random_looks_so(value):
    assert is_random(value)
