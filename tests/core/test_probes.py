"""Probes: joined ids, ends said closer, and what profiles are restricted to."""

from __future__ import annotations

import pytest
from lxml import etree

from soapgate.core.locations import ActionMarker
from soapgate.core.ns import SOAP11, SOAP12, WSA10
from soapgate.core.plan import HttpFacts, Plan
from soapgate.core.probes import Guard, probes_of, taken_back
from soapgate.core.profiles import read_profile
from soapgate.core.scanned import ScanLimits

NAMESPACES = {"x": "urn:x"}
NEXT = "http://schemas.xmlsoap.org/soap/actor/next"


def plan(limits=None, **tables):
    return Plan([read_profile(name, one, NAMESPACES) for name, one in tables.items()], limits)


def envelope(header="", body="", soap=SOAP11):
    tree = etree.fromstring(
        f'<s:Envelope xmlns:s="{soap}" xmlns:x="urn:x" xmlns:a="{WSA10}">'
        f"<s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    )
    return tree[0], (tree[1][0] if len(tree[1]) else None)


def brief(found):
    return [(one.profile, one.use, one.id) for one in found]


KEYS = "Header/x:a | lower + Body/x:op/x:b"


@pytest.mark.parametrize(
    ("header", "body", "ids"),
    [
        ("<x:a>K</x:a>", "<x:b>12</x:b>", ["1:k2:12"]),
        ("<x:a>K</x:a><x:a>L</x:a>", "<x:b>1</x:b><x:b>2</x:b>", ["1:k1:1"]),
        ("<x:a/><x:a>L</x:a>", "<x:b>1</x:b>", ["1:l1:1"]),
        ("<x:a>K</x:a>", "", []),
        ("", "<x:b>12</x:b>", []),
        ("<x:a/>", "<x:b>12</x:b>", []),
    ],
)
def test_a_joined_id_needs_all_its_parts_and_takes_the_first_of_each(header, body, ids):
    watch = plan(p={"lookup": [KEYS]}).request
    found = watch.find(*envelope(header, f"<x:op>{body}</x:op>"))
    assert [one.id for one in found] == ids
    assert {one.location for one in found} <= {KEYS}


def test_a_joined_id_has_the_place_of_its_location_in_the_order():
    watch = plan(p={"lookup": ["Header/x:c", KEYS, "Header/x:d"]}).request
    header = "<x:d>4</x:d><x:a>1</x:a><x:c>3</x:c>"
    found = watch.find(*envelope(header, "<x:op><x:b>2</x:b></x:op>"))
    assert [one.id for one in found] == ["3", "1:11:2", "4"]


def test_a_joined_id_may_be_of_http():
    watch = plan(p={"lookup": ["cookie:A + query:b"], "learn": ["cookie:A + http:X-B"]})
    facts = HttpFacts(b"/?b=2", {b"cookie": [b"A=1"]})
    assert brief(watch.request.http(facts)) == [("p", "lookup", "1:11:2")]
    assert brief(watch.request.http(HttpFacts(b"/", {b"cookie": [b"A=1"]}))) == []
    reply = HttpFacts(b"", {b"set-cookie": [b"A=1"], b"x-b": [b"2"]})
    assert brief(watch.response.http(reply)) == [("p", "learn", "1:11:2")]


def test_a_part_of_a_joined_cookie_that_is_taken_back_ends_the_session():
    watch = plan(p={"lookup": ["cookie:A + cookie:B"], "learn": ["cookie:A + cookie:B"]}).response
    reply = HttpFacts(b"", {b"set-cookie": [b"B=; Max-Age=0"]})
    assert brief(watch.http(reply)) == [("p", "end", "")]


def test_a_joined_id_over_the_bound_is_absent_and_counted():
    watch = plan(ScanLimits(id_bytes=8), p={"lookup": ["Header/x:a + Header/x:b"]}).request
    header, _ = envelope("<x:a>1234</x:a><x:b>1234</x:b>")
    assert watch.find(header, None) == []
    assert watch.oversized == 1


def test_an_end_may_be_joined_of_several_marks():
    watch = plan(p={"lookup": ["Header/x:i"], "end": ["Header/x:a + Header/x:b"]}).request
    both, _ = envelope("<x:a/><x:b>1</x:b>")
    one, _ = envelope("<x:a/>")
    assert brief(watch.find(both, None)) == [("p", "end", "")]
    assert watch.find(one, None) == []


def test_a_text_that_a_word_cannot_read_is_no_id_and_is_counted():
    watch = plan(p={"lookup": ["Header/x:a | base64", "cookie:C | base64"]}).request
    header, _ = envelope("<x:a>####</x:a><x:a>YQ==</x:a><x:a/>")
    assert [one.id for one in watch.find(header, None)] == ["a"]
    assert watch.http(HttpFacts(b"/", {b"cookie": [b"C=%%"]})) == []
    assert watch.unreadable == 2


def test_words_of_the_profile_come_after_those_of_the_location():
    table = {"value": ["before:-", "lower"], "lookup": ["Header/x:a | after:-", "cookie:C"]}
    watch = plan(p=table).request
    header, _ = envelope("<x:a>x-A-b</x:a>")
    assert [one.id for one in watch.find(header, None)] == ["a"]
    assert [one.id for one in watch.http(HttpFacts(b"/", {b"cookie": [b"C=D-e"]}))] == ["d"]


def test_an_end_of_one_way_counts_in_that_way_only():
    made = plan(
        p={
            "lookup": ["Header/x:i"],
            "learn": ["Header/x:i"],
            "end": ["request:Header/x:bye", "response:Header/x:i[.='']"],
        }
    )
    header, _ = envelope("<x:bye/><x:i/>")
    assert brief(made.request.find(header, None)) == [("p", "end", "")]
    assert brief(made.response.find(header, None)) == [("p", "end", "")]
    assert [one.location for one in made.response.find(header, None)] == [
        "response:Header/x:i[.='']"
    ]


def test_an_id_may_be_named_by_its_end_alone():
    made = plan(p={"lookup": ["Header/x:i"], "end": ["id:Body/x:dead/x:i"]})
    _, body = envelope(body="<x:dead><x:i>7</x:i><x:i/><x:i>8</x:i></x:dead>")
    assert brief(made.response.find(None, body)) == [("p", "end", "7"), ("p", "end", "8")]


def test_an_end_behind_a_way_names_the_id_of_a_location_of_that_text():
    made = plan(p={"lookup": ["Body/x:bye/x:i"], "end": ["request:Body/x:bye/x:i"]})
    _, body = envelope(body="<x:bye><x:i>7</x:i></x:bye>")
    assert brief(made.request.find(None, body)) == [("p", "lookup", "7"), ("p", "end", "7")]
    assert brief(made.response.find(None, body)) == []


ROLES = {
    "": ["ultimate"],
    's:actor=""': ["ultimate"],
    f's:actor="{NEXT}"': ["next"],
    's:actor=" urn:me "': ["mine"],
    f's:role="{NEXT}"': ["ultimate"],  # SOAP 1.2's attribute in SOAP 1.1: none
}


@pytest.mark.parametrize(("attribute", "profiles"), ROLES.items())
def test_a_header_block_counts_for_the_role_it_is_for(attribute, profiles):
    watch = plan(
        ultimate={"role": "ultimate", "lookup": ["Header/x:i"]},
        next={"role": ["next", "none"], "lookup": ["Header/x:i"]},
        mine={"role": "urn:me", "lookup": ["Header/x:i"]},
    ).request
    header, _ = envelope(f"<x:i {attribute}>7</x:i>")
    assert [one.profile for one in watch.find(header, None)] == profiles


def test_roles_of_soap_1_2_count_as_well():
    watch = plan(p={"role": ["next"], "lookup": ["Header/x:i"]}).request
    header, _ = envelope(f'<x:i s:role="{SOAP12}/role/next">7</x:i>', soap=SOAP12)
    assert [one.id for one in watch.find(header, None)] == ["7"]


def test_a_role_does_not_concern_the_body():
    watch = plan(p={"role": "next", "lookup": ["Header/x:i", "Body/x:i"]}).request
    _, body = envelope(body="<x:i>7</x:i>")
    assert [one.id for one in watch.find(None, body)] == ["7"]


@pytest.mark.parametrize(
    ("action", "header", "counts"),
    [
        ("urn:a", "", True),
        ('"urn:a"', "", True),
        ("urn:b", "", False),
        ("", "<a:Action> urn:a </a:Action>", True),
        ("urn:b", "<a:Action>urn:a</a:Action>", True),
        ("", "<x:Action>urn:a</x:Action>", False),
        ("urn:list/7", "", True),
        ("", "", False),
    ],
)
def test_a_profile_may_count_for_some_actions_only(action, header, counts):
    made = plan(
        p={"action": ["urn:a", "urn:list/*"], "lookup": ["Header/x:i"], "learn": ["Header/x:i"]},
        q={"lookup": ["Header/x:i"], "learn": ["Header/x:i"]},
    )
    blocks, _ = envelope(f"{header}<x:i>7</x:i>")
    expected = ["p"] * counts + ["q"]
    for watch in (made.request, made.response):
        assert [one.profile for one in watch.find(blocks, None, action)] == expected


@pytest.mark.parametrize(("soap", "profiles"), [(SOAP11, ["one"]), (SOAP12, ["two"])])
def test_a_profile_may_count_for_a_version_of_soap_only(soap, profiles):
    watch = plan(
        one={"soap": "1.1", "lookup": ["Header/x:i", "Body/x:i"]},
        two={"soap": "1.2", "lookup": ["Header/x:i", "Body/x:i"]},
    ).request
    header, body = envelope("<x:i>7</x:i>", "<x:i>8</x:i>", soap)
    assert [one.profile for one in watch.find(header, None)] == profiles
    assert [one.profile for one in watch.find(None, body)] == profiles


def test_a_restriction_holds_for_ends_too():
    watch = plan(p={"soap": "1.2", "lookup": ["Header/x:i"], "end": ["Header/x:bye"]}).request
    assert watch.find(*envelope("<x:bye/>")) == []
    assert brief(watch.find(*envelope("<x:bye/>", soap=SOAP12))) == [("p", "end", "")]


def test_a_guard_that_says_nothing_admits_all():
    assert Guard().admits(None, [])
    assert not Guard(soap="1.1").admits(None, [])
    assert Guard(actions=(ActionMarker("action:a", "a"),)).admits("1.1", ["b", "a"])


def test_the_target_of_a_request_is_an_id_where_a_profile_says_so():
    made = plan(p={"lookup": ["url:target"], "learn": ["Body/x:r/x:u | target"]})
    assert brief(made.request.http(HttpFacts(b"/p?q=%7e", {}))) == [("p", "lookup", "/p?q=~")]
    assert made.request.http(HttpFacts(b"/", {})) == []
    _, body = envelope(body="<x:r><x:u>http://b1/p?q=~</x:u></x:r>")
    assert brief(made.response.find(None, body)) == [("p", "learn", "/p?q=~")]


def test_a_response_that_shows_the_requests_own_target_issues_nothing():
    made = plan(p={"lookup": ["url:target"], "learn": ["Body/x:r/x:u | target"]})
    asked = made.request.http(HttpFacts(b"/p", {}))
    _, body = envelope(body="<x:r><x:u>http://b1/p</x:u><x:u>http://b1/p/7</x:u></x:r>")
    learned = made.response.find(None, body)
    assert [one.id for one in made.issued(learned, asked)] == ["/p/7"]


@pytest.mark.parametrize("how", ["word of the location", "word of the profile"])
def test_a_block_of_any_name_that_the_request_had_is_issued_by_no_response(how):
    words = {"value": "named"} if how == "word of the profile" else {}
    place = "Header/*" if words else "Header/* | named"
    made = plan(p={"lookup": [place], "learn": [f"Body/x:r/{place[7:]}"], **words})
    header, body = envelope("<x:Kind>k</x:Kind>", "<x:r><x:Kind>k</x:Kind><x:Id>7</x:Id></x:r>")
    learned = made.response.find(None, body)
    assert [one.id for one in learned] == ["{urn:x}Kind=k", "{urn:x}Id=7"]
    issued = made.issued(learned, made.request.find(header, None))
    assert [one.id for one in issued] == ["{urn:x}Id=7"]


@pytest.mark.parametrize(
    ("target", "location"),
    [
        (b"/a;s=7", b"http://b1/a/;s=7"),
        (b"/a/(S(7))/b", b"/a/(S(7))/c"),
        (b"/a?s=7", b"/b?s=7"),
    ],
)
def test_an_id_that_a_client_is_sent_on_with_is_issued_only_if_it_did_not_come_with_it(
    target, location
):
    kinds = ["param:s", "cookieless:S", "query:s"]
    learn = [f"http:Location | {kind} | lower" for kind in kinds]
    made = plan(p={"lookup": kinds, "learn": learn})
    learned = made.response.http(HttpFacts(b"", {b"location": [location]}))
    assert [one.id for one in learned] == ["7"]
    assert made.issued(learned, made.request.http(HttpFacts(b"/a", {}))) == learned
    assert made.issued(learned, made.request.http(HttpFacts(target, {}))) == []


def test_a_cookie_is_issued_again_by_a_profile_that_learns_from_no_url():
    made = plan(p={"lookup": ["param:s", "cookie:s"], "learn": ["cookie:s"]})
    learned = made.response.http(HttpFacts(b"", {b"set-cookie": [b"s=7"]}))
    assert made.issued(learned, made.request.http(HttpFacts(b"/a;s=7", {}))) == learned


def test_a_block_of_a_known_name_is_issued_by_a_response_that_repeats_it():
    made = plan(p={"lookup": ["Header/x:i"], "learn": ["Body/x:r/x:i"]})
    header, body = envelope("<x:i>7</x:i>", "<x:r><x:i>7</x:i></x:r>")
    learned = made.response.find(None, body)
    assert made.issued(learned, made.request.find(header, None)) == learned


def test_a_probe_of_a_deleted_cookie_marks_an_end():
    profile = read_profile("p", {"bind": ["cookie:a"], "learn": ["cookie:a | lower"]}, {})
    (probe,) = probes_of([profile], "response")
    assert probe.finish is not None
    deleted = taken_back(probe)
    assert (deleted.use, deleted.marker, deleted.finish) == ("end", True, None)
