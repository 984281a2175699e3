"""The location language: what is accepted, as which value, and what is refused with which words."""

from __future__ import annotations

import pytest

from soapgate.core.errors import LocationError
from soapgate.core.locations import (
    ActionMarker,
    Carrier,
    FaultMarker,
    SoapPath,
    parse,
)
from soapgate.core.matching import fault_codes
from soapgate.core.ns import PREFIXES, WSA
from soapgate.core.paths import NameTest, Predicate, Step, check_namespace

SHOP = {"shop": "urn:example:shop", "v": ["urn:example:v-*", "urn:example:old"]}


def step(local, *uris, deep=False, predicates=()):
    return Step(NameTest(uris or None, local), deep, tuple(predicates))


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("Header/shop:Session", [step("Session", "urn:example:shop")]),
        ("Header/*:Session", [step("Session")]),
        ("Header/Session", [step("Session", "")]),
        ("Header/*", [step("*")]),
        ("Header/shop:*", [step("*", "urn:example:shop")]),
        ("Header/wsa:To", [step("To", *WSA)]),
        ("Header/v:Id", [step("Id", "urn:example:v-*", "urn:example:old")]),
        ("Body/shop:a/b", [step("a", "urn:example:shop"), step("b", "")]),
        ("Body//shop:a", [step("a", "urn:example:shop", deep=True)]),
        ("Body/a//b", [step("a", ""), step("b", "", deep=True)]),
        ("Header/größe.x-1_2", [step("größe.x-1_2", "")]),
    ],
)
def test_steps_are_read(text, steps):
    path = parse(text, SHOP)
    assert isinstance(path, SoapPath)
    assert (path.text, path.part) == (text, text.split("/")[0])
    assert list(path.steps) == steps
    assert path.attribute is None


@pytest.mark.parametrize(
    ("text", "test", "deep"),
    [
        ("Header/a/@id", NameTest(("",), "id"), False),
        ("Header/a/@shop:id", NameTest(("urn:example:shop",), "id"), False),
        ("Header/a/@*:id", NameTest(None, "id"), False),
        ("Header/a//@id", NameTest(("",), "id"), True),
    ],
)
def test_the_last_step_may_be_an_attribute(text, test, deep):
    path = parse(text, SHOP)
    assert isinstance(path, SoapPath)
    assert (path.attribute, path.attribute_deep) == (test, deep)


@pytest.mark.parametrize(
    ("text", "predicate"),
    [
        ("[@k='v']", Predicate(NameTest(("",), "k"), True, "v", False)),
        ('[@k="it\'s"]', Predicate(NameTest(("",), "k"), True, "it's", False)),
        ("[ @shop:k = ' v ' ]", Predicate(NameTest(("urn:example:shop",), "k"), True, "v", False)),
        ("[shop:k='v']", Predicate(NameTest(("urn:example:shop",), "k"), False, "v", False)),
        ("[*:k='v/]w']", Predicate(NameTest(None, "k"), False, "v/]w", False)),
        ("[k='']", Predicate(NameTest(("",), "k"), False, "", False)),
        ("[@k]", Predicate(NameTest(("",), "k"), True, None, False)),
        ("[k]", Predicate(NameTest(("",), "k"), False, None, False)),
        ("[not(k)]", Predicate(NameTest(("",), "k"), False, None, True)),
        ("[not( @k = 'v' )]", Predicate(NameTest(("",), "k"), True, "v", True)),
    ],
)
def test_predicates_are_read(text, predicate):
    path = parse(f"Header/a{text}/b", SHOP)
    assert isinstance(path, SoapPath)
    assert path.steps == (step("a", "", predicates=[predicate]), step("b", ""))


def test_several_predicates_may_follow_one_step():
    path = parse("Header/a[@x='1'][b='2']", {})
    assert isinstance(path, SoapPath)
    assert [p.value for p in path.steps[0].predicates] == ["1", "2"]


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("cookie:JSESSIONID", Carrier("cookie:JSESSIONID", "cookie", "JSESSIONID")),
        ("http:X-Session", Carrier("http:X-Session", "http", "x-session")),
        ("param:jsessionid", Carrier("param:jsessionid", "param", "jsessionid")),
        ("query:Idx", Carrier("query:Idx", "query", "Idx")),
        ("client:address", Carrier("client:address", "client", "address")),
        ("client:connection", Carrier("client:connection", "client", "connection")),
        ("client:certificate", Carrier("client:certificate", "client", "certificate")),
        ("action:urn:a:b", ActionMarker("action:urn:a:b", "urn:a:b")),
        ("fault:Client.Auth", FaultMarker("fault:Client.Auth", "Client.Auth")),
    ],
)
def test_places_outside_the_envelope_are_read(text, location):
    assert parse(text, {}) == location


def test_a_users_prefix_overrides_a_built_in_one():
    path = parse("Header/wsa:To", {"wsa": "urn:mine"})
    assert isinstance(path, SoapPath)
    assert path.steps[0].name.namespaces == ("urn:mine",)


@pytest.mark.parametrize("prefix", sorted(PREFIXES))
def test_every_built_in_prefix_needs_no_definition(prefix):
    path = parse(f"Header/{prefix}:x", {})
    assert isinstance(path, SoapPath)
    assert path.steps[0].name.namespaces == PREFIXES[prefix]


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
        ("Header/a[1]", ["character 9 ('[1]')", "a position counts children"]),
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
    ("uri", "ok"),
    [
        ("urn:a", True),
        ("urn:a-*", True),
        ("http://x/y#z", True),
        ("", False),
        ("*", False),
        ("urn:*:a", False),
        ("urn:a b", False),
        ("{urn:a}", False),
    ],
)
def test_a_namespace_may_end_in_a_star_and_hold_none_elsewhere(uri, ok):
    assert (check_namespace(uri) is None) is ok


def test_a_bad_namespace_is_refused_where_a_location_uses_it():
    with pytest.raises(LocationError, match="only at the end"):
        parse("Header/x:a", {"x": "urn:*:a"})


@pytest.mark.parametrize(
    ("test", "yes", "no"),
    [
        (NameTest(None, "a"), ["a", "{urn:x}a"], ["b", "{urn:a}b", "{urn:x}ba"]),
        (NameTest(("",), "a"), ["a"], ["{urn:x}a"]),
        (NameTest(None, "*"), ["a", "{urn:x}b"], []),
        (NameTest(("urn:x",), "*"), ["{urn:x}a"], ["a", "{urn:xy}a"]),
        (NameTest(("urn:x-*",), "a"), ["{urn:x-1}a", "{urn:x-}a"], ["{urn:y}a", "{urn:x-1}b", "a"]),
        (NameTest(("urn:x", "urn:y"), "a"), ["{urn:x}a", "{urn:y}a"], ["{urn:z}a", "a"]),
    ],
)
def test_a_name_passes_in_its_namespaces_only(test, yes, no):
    assert [tag for tag in yes if not test.matches(tag)] == []
    assert [tag for tag in no if test.matches(tag)] == []


def test_names_are_listed_only_where_there_is_no_wildcard():
    assert NameTest(("urn:x", ""), "a").clark_names == {"{urn:x}a", "a"}
    assert NameTest(None, "a").clark_names is None
    assert NameTest(("urn:x",), "*").clark_names is None
    assert NameTest(("urn:x*",), "a").clark_names is None


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
