"""The location language: what is accepted, as which value, and what is refused with which words."""

from __future__ import annotations

import pytest

from soapgate.core.errors import LocationError
from soapgate.core.locations import (
    MAX_PARTS,
    ActionMarker,
    Carrier,
    EmptyMarker,
    End,
    FaultMarker,
    Joined,
    SoapPath,
    parse,
)
from soapgate.core.matching import fault_codes
from soapgate.core.values import Transform

SHOP = {"shop": "urn:example:shop", "v": ["urn:example:v-*", "urn:example:old"]}


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("cookie:JSESSIONID", Carrier("cookie:JSESSIONID", "cookie", "JSESSIONID")),
        ("http:X-Session", Carrier("http:X-Session", "http", "x-session")),
        ("param:jsessionid", Carrier("param:jsessionid", "param", "jsessionid")),
        ("query:Idx", Carrier("query:Idx", "query", "Idx")),
        ("cookieless:S", Carrier("cookieless:S", "cookieless", "S")),
        ("client:address", Carrier("client:address", "client", "address")),
        ("client:connection", Carrier("client:connection", "client", "connection")),
        ("client:certificate", Carrier("client:certificate", "client", "certificate")),
        ("url:target", Carrier("url:target", "url", "target")),
        ("action:urn:a:b", ActionMarker("action:urn:a:b", "urn:a:b")),
        ("fault:Client.Auth", FaultMarker("fault:Client.Auth", "Client.Auth")),
    ],
)
def test_places_outside_the_envelope_are_read(text, location):
    assert parse(text, {}) == location


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["not understood", "Header/..."]),
        ("Header", ["not understood"]),
        ("Header/", ["character 7", "a step was expected"]),
        ("Footer/x", ["not understood", "Header/..."]),
        ("header/x", ["not understood"]),
        ("/Envelope/Header/x", ["not understood"]),
        ("Header/a/", ["character 9", "a step was expected"]),
        ("Header///a", ["a step was expected"]),
        ("Header/a/..", ["a step was expected"]),
        ("Header/a/text()", ["character 14 ('()')", "a step was expected"]),
        ("Header/a|b", ["character 9 ('|b')"]),
        ("Header/a b", ["character 9"]),
        ("Header/1a", ["character 7"]),
        ("Header/@id", ["an attribute of soap:Header itself"]),
        ("Header/a/@*", ["an attribute needs a name"]),
        ("Header/a/@id/b", ["nothing may follow an attribute"]),
        ("Header/a/@id[@b='c']", ["nothing may follow an attribute"]),
        ("Header/a[@b='c]", ["a predicate is"]),
        ("Header/a[@b=c]", ["a predicate is"]),
        ("Header/a[not(@b]", ["a predicate is"]),
        ("Header/shpo:a", ["prefix 'shpo' is not defined", "did you mean 'shop'", "[namespaces]"]),
        ("Header/a[zz:b='c']", ["character 10", "prefix 'zz' is not defined"]),
        ("cookies:A", ["no such kind as 'cookies'", "cookie:NAME"]),
        ("cookie:", ["no name of a cookie field", "cookie:JSESSIONID"]),
        ("cookie:a b", ["no name of a cookie field"]),
        ("http:X Y", ["no name of a http field"]),
        ("param:", ["no name of a parameter"]),
        ("query:a&b", ["no name of a parameter"]),
        ("cookieless:session", ["'session' is nothing that ASP.NET", "cookieless:S"]),
        ("http:Location | param:a b/c", ["character 17", "no such word", "param:NAME"]),
        ("url:host", ["no such fact as 'host'", "allowed are target"]),
        ("Header/a | shout", ["character 12 ('shout')", "no such word", "before:"]),
        ("Header/a |lower", ["character 9 (' |lower')", "a step was expected"]),
        ("Header/a | before:", ["character 12", "no such word"]),
        ("Header/a | before:''", ["character 12", "no such word"]),
        ("Header/a | lower:x", ["no such word"]),
        ("Header/a | xml:", ["no such word"]),
        ("Header/a | xml:b[", ["character 17 ('[')", "a predicate is"]),
        ("Header/a | xml:no:b", ["character 16", "prefix 'no' is not defined"]),
        ("Header/a | lower | named", ["character 20", "named stands first"]),
        ("cookie:a | named", ["character 12", "named stands first"]),
        ("Header/a + cookie:b", ["character 1", "joined places are all"]),
        (" + ".join(["Header/a"] * (MAX_PARTS + 1)), [f"at most {MAX_PARTS}"]),
        ("Header/a + action:b", ["no such kind as 'action'"]),
        ("id:action:a", ["character 4", "id: wants a place"]),
        ("id:request:Header/a", ["no such kind as 'request'"]),
        ("request:", ["is not understood"]),
        ("client:port", ["no such fact as 'port'", "address, connection, certificate"]),
        ("action:", ["action: wants a URI"]),
        ("action:*", ["action: wants a URI"]),
        ("action:urn:*:b", ["at its start or end only"]),
        ("fault:", ["fault: wants"]),
        ("fault:soap:Client", ["fault: wants"]),
        ("fault:Client..A", ["fault: wants"]),
        ("Header/" + "a" * 2000, ["2007 characters, allowed are 1024"]),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_is_allowed(text, words):
    with pytest.raises(LocationError) as caught:
        parse(text, SHOP)
    message = str(caught.value)
    assert "location" in message
    assert text[:40] in message
    assert [word for word in words if word not in message] == []
    assert "for example" in message or "allowed are" in message


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("urn:a", ["urn:a"], ["urn:ab", "URN:A", ""]),
        ("*/Cancel", ["http://x/Cancel"], ["http://x/Cancel2"]),
        ("urn:a*", ["urn:a", "urn:ab"], ["urn:b"]),
        ("*RST*", ["x/RST/y", "RST"], ["x"]),
    ],
)
def test_an_action_is_compared_whole_or_by_its_start_or_end(pattern, yes, no):
    marker = ActionMarker(f"action:{pattern}", pattern)
    assert [action for action in yes if not marker.matches(action)] == []
    assert [action for action in no if marker.matches(action)] == []


@pytest.mark.parametrize(
    ("code", "codes", "matches"),
    [
        ("UnknownSequence", ["UnknownSequence"], True),
        ("UnknownSequence", ["Sender", "UnknownSequence"], True),
        ("Client.Auth", ["Client", "Auth"], True),
        ("Client.Auth", ["Sender", "Auth"], True),
        ("Sender.Auth", ["Client", "Auth", "Expired"], True),
        ("Client", ["Client", "Auth"], True),
        ("Auth", ["Client", "Other"], False),
        ("Auth.Client", ["Client", "Auth"], False),
        ("Client.Expired", ["Client", "Auth", "Expired"], False),
        ("5", ["5"], True),
        ("Auth", [], False),
    ],
)
def test_a_fault_code_is_compared_by_its_parts_in_either_soap_version(code, codes, matches):
    assert FaultMarker(f"fault:{code}", code).matches(fault_codes(codes)) is matches


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Header/a | lower", [Transform("lower")]),
        ("Header/a  |  trim | unquote", [Transform("trim"), Transform("unquote")]),
        ('cookie:a | before:"-"', [Transform("before", "-")]),
        ("cookie:a | before:- | after:::", [Transform("before", "-"), Transform("after", "::")]),
        ("cookie:a | before:' | '", [Transform("before", " | ")]),
        ("Header/a | named", [Transform("named")]),
    ],
)
def test_words_stand_behind_the_place(text, words):
    location = parse(text, SHOP)
    assert isinstance(location, SoapPath | Carrier)
    assert list(location.transforms) == words
    assert location.text == text


def test_what_stands_in_quotes_is_no_cut():
    location = parse("Body/a[b=' | x + y'] | lower", SHOP)
    assert isinstance(location, SoapPath)
    assert location.transforms == (Transform("lower"),)


def test_an_id_may_be_joined_of_several_places_each_with_words_of_its_own():
    location = parse("Header/a | lower + Body/shop:b/@c", SHOP)
    assert isinstance(location, Joined)
    assert location.text == "Header/a | lower + Body/shop:b/@c"
    assert location.parts == (parse("Header/a | lower", SHOP), parse("Body/shop:b/@c", SHOP))


@pytest.mark.parametrize(
    ("text", "way", "names_id", "what"),
    [
        ("id:Body/shop:a", None, True, "Body/shop:a"),
        ("request:Body/shop:a", "request", False, "Body/shop:a"),
        ("response:id:Body/shop:a", "response", True, "Body/shop:a"),
        ("response:action:urn:a", "response", False, "action:urn:a"),
        ("request:query:bye", "request", False, "query:bye"),
    ],
)
def test_an_end_may_be_said_closer(text, way, names_id, what):
    assert parse(text, SHOP) == End(text, parse(what, SHOP), way, names_id)


def test_an_empty_exchange_is_a_place_where_a_session_ends():
    assert parse("empty:exchange", {}) == EmptyMarker("empty:exchange")
    with pytest.raises(LocationError, match="the only one of its kind is empty:exchange"):
        parse("empty:request", {})
    with pytest.raises(LocationError, match="id: wants a place"):
        parse("id:empty:exchange", {})
