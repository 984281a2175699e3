"""Every value is seen at a place that a location names, and that location finds it again."""

from __future__ import annotations

import gzip
from dataclasses import replace

import pytest
from talked import envelope, request, response

from soapgate.core.explained import Message
from soapgate.core.ns import WSA10
from soapgate.core.profiles import HttpFacts, Plan, read_profile
from soapgate.core.scanner import Scanner
from soapgate.core.sightings import LIMITS, PLACES, Prefixes, sightings


def places(message, prefixes=None):
    """location -> values"""
    found = {}
    for one in sightings(message, prefixes or Prefixes()):
        found.setdefault(one.location, []).append(one.value)
    return found


def found_again(message, location, prefixes):
    """The values that a profile with this location finds."""
    use = "lookup" if message.kind == "request" else "learn"
    table = {use: [location], **({} if use == "lookup" else {"lookup": ["cookie:x"]})}
    plan = Plan([read_profile("p", table, prefixes.declared)], LIMITS)
    watch = plan.request if use == "lookup" else plan.response
    finds = list(watch.http(HttpFacts(message.target, message.fields)))
    if watch.needs_envelope:
        scanner = Scanner(watch, LIMITS)
        finds += (scanner.feed(message.body) or scanner.close()).found
    return [one.id for one in finds]


RICH = request(
    f'<c:S id="1" c:q="2"><c:T> 3 </c:T><plain>4</plain></c:S><a:To xmlns:a="{WSA10}">5</a:To>',
    "<c:do><x:deep xmlns:x='urn:x'><c:leaf>6</c:leaf></x:deep></c:do><c:second>7</c:second>",
    target=b"/cart;p=8/(S(14))/x?q=9",
    cookie='a=10; b="11"',
    x_token="12",
    host="13",
)


def test_each_place_of_a_request_has_its_location():
    prefixes = Prefixes()
    assert places(RICH, prefixes) == {
        "cookie:a": ["10"],
        "cookie:b": ["11"],
        "param:p": ["8"],
        "query:q": ["9"],
        "cookieless:S": ["14"],
        "url:target": ["/cart;p=8/(S(14))/x?q=9"],
        "http:x-token": ["12"],
        "Header/c:S/@id": ["1"],
        "Header/c:S/@c:q": ["2"],
        "Header/c:S/c:T": ["3"],
        "Header/c:S/plain": ["4"],
        "Header/wsa:To": ["5"],
        "Body/c:do/x:deep/c:leaf": ["6"],
    }
    assert prefixes.declared == {"c": "urn:example:cart", "x": "urn:x"}


def test_every_location_finds_its_value_again():
    prefixes = Prefixes()
    for location, values in places(RICH, prefixes).items():
        assert found_again(RICH, location, prefixes) == values


def test_an_address_in_a_response_is_told_by_its_target_too():
    message = response("", "<c:r><c:at>http://h:9/sub/7?a=b</c:at><c:to>http://h/</c:to></c:r>")
    assert places(message)["Body/c:r/c:at | target"] == ["/sub/7?a=b"]
    assert "Body/c:r/c:to | target" not in places(message)
    assert "Body/c:r/c:at | target" not in places(request("", "<c:r><c:at>http://h/a</c:at></c:r>"))


def test_a_response_has_cookies_that_it_sets_and_keeps():
    message = response(set_cookie=["a=1; Path=/", "b=; Max-Age=0"], x_session="2", server="3")
    assert places(message) == {"cookie:a": ["1"], "http:x-session": ["2"]}


def test_a_response_that_sends_the_client_on_has_what_stands_in_the_url():
    message = response(
        location="http://h:1/a;p=1;a b=0/(X(1)S(2))/b?q=3#f", content_location="/a;p=4"
    )
    found = {
        "http:location | param:p": ["1"],
        "http:location | query:q": ["3"],
        "http:location | cookieless:X": ["1"],
        "http:location | cookieless:S": ["2"],
        "http:content-location | param:p": ["4"],
    }
    assert places(message) == found
    for location, values in found.items():
        assert found_again(message, location, Prefixes()) == values


def test_what_gateways_say_of_a_request_is_no_place_of_an_id():
    told = {"via": "1", "x_forwarded_for": "2", "x_soapgate_redispatched": "3", "proxy_jroute": "4"}
    assert places(request("", "", x_token="5", **told)) == {"http:x-token": ["5"]}


def test_what_is_compressed_is_read_and_what_is_refused_is_not():
    message = request("<c:S>1</c:S>", content_encoding="gzip")
    assert places(replace(message, body=gzip.compress(message.body))) == {"Header/c:S": ["1"]}
    assert places(Message("request", b"<!DOCTYPE a>" + envelope("<c:S>1</c:S>"))) == {}


@pytest.mark.parametrize(
    ("items", "location"),
    [
        (
            '<c:i name="a">1</c:i><c:i name="session">2</c:i>',
            "Header/c:p/c:i[@name='session']",
        ),
        (
            "<c:i><c:key>a</c:key><c:v>1</c:v></c:i><c:i><c:key>s</c:key><c:v>2</c:v></c:i>",
            "Header/c:p/c:i[c:key='s']/c:v",
        ),
    ],
    ids=["attribute", "child"],
)
def test_likes_are_told_apart_by_what_names_them(items, location):
    message, prefixes = request(f"<c:p>{items}</c:p>"), Prefixes()
    assert places(message, prefixes)[location] == ["2"]
    assert found_again(message, location, prefixes) == ["2"]


def test_likes_that_nothing_tells_apart_are_known_to_be_several():
    found = sightings(request("<c:p><c:i>1</c:i><c:i>2</c:i></c:p>"), Prefixes())
    assert [(one.location, one.value, one.several) for one in found] == [
        ("Header/c:p/c:i", "1", True),
        ("Header/c:p/c:i", "2", True),
    ]


@pytest.mark.parametrize("key", ["f3a9c2d17b60", "a'b", "two words", "x" * 50])
def test_a_predicate_shows_names_and_nothing_that_could_be_an_id(key):
    found = sightings(request(f'<c:i key="{key}">1</c:i><c:i key="other">2</c:i>'), Prefixes())
    assert not [one for one in found if key in one.location]


def test_one_value_at_likes_is_not_several():
    (only,) = sightings(request("<c:p><c:i>1</c:i><c:i>1</c:i></c:p>"), Prefixes())
    assert not only.several


def test_a_prefix_means_one_namespace_in_all_messages_and_takes_no_known_one():
    prefixes = Prefixes()
    one = request('<s:S xmlns:s="urn:one">1</s:S>')
    other = request('<s:S xmlns:s="urn:two">1</s:S><wsa:S xmlns:wsa="urn:3">2</wsa:S>')
    default = request('<S xmlns="urn:four">3</S>')
    assert [*places(one, prefixes), *places(other, prefixes), *places(default, prefixes)] == [
        "Header/s:S",
        "Header/s1:S",
        "Header/wsa1:S",
        "Header/ns1:S",
    ]
    assert prefixes.declared == {
        "c": "urn:example:cart",
        "s": "urn:one",
        "s1": "urn:two",
        "wsa1": "urn:3",
        "ns1": "urn:four",
    }


def test_work_is_bounded_in_a_message_with_many_values():
    items = "".join(f"<c:i>{n}</c:i>" for n in range(2 * PLACES))
    assert len(sightings(request("", f"<c:list>{items}</c:list>"), Prefixes())) == PLACES


def test_a_namespace_that_no_configuration_may_name_is_any():
    message, prefixes = request('<S xmlns="urn:a*b">1</S>'), Prefixes()
    assert places(message, prefixes) == {"Header/*:S": ["1"]}
    assert found_again(message, "Header/*:S", prefixes) == ["1"]
