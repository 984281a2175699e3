"""A service's profiles at work: what the watches find, ask for and leave alone."""

from __future__ import annotations

import pytest
from lxml import etree

from soapgate.core.ns import SOAP11, SOAP12, WSA10
from soapgate.core.plan import REMEMBERED, HttpFacts, Plan
from soapgate.core.profiles import read_profile
from soapgate.core.scanner import Found, NeedsBody, ScanLimits, scan

NAMESPACES = {"x": "urn:x"}


def plan(limits=None, **tables):
    profiles = [read_profile(name, table, NAMESPACES) for name, table in tables.items()]
    return Plan(profiles, limits)


def envelope(header="", body="", soap=SOAP11):
    """(soap:Header, first child of soap:Body) with x bound to urn:x and wsa to WS-Addressing."""
    tree = etree.fromstring(
        f'<s:Envelope xmlns:s="{soap}" xmlns:x="urn:x" xmlns:wsa="{WSA10}">'
        f"<s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    )
    return tree[0], (tree[1][0] if len(tree[1]) else None)


def facts(target=b"/", client_address="", client_certificate="", client_connection="", **fields):
    lists = {name.replace("_", "-").encode(): values for name, values in fields.items()}
    return HttpFacts(target, lists, client_address, client_certificate, client_connection)


def brief(found):
    return [(one.profile, one.use, one.id) for one in found]


def test_found_ids_come_in_the_order_of_profiles_then_locations_then_document():
    watch = plan(
        a={"lookup": ["Header/x:late", "Header/x:early"]},
        b={"lookup": ["Header/x:first"]},
    ).request
    header, _ = envelope(
        "<x:first>1</x:first><x:early>2</x:early><x:early>3</x:early><x:late>4</x:late>"
    )
    assert brief(watch.find(header, None)) == [
        ("a", "lookup", "4"),
        ("a", "lookup", "2"),
        ("a", "lookup", "3"),
        ("b", "lookup", "1"),
    ]


def test_the_order_of_profiles_is_their_precedence():
    made = plan(a={"lookup": ["Header/a"]}, b={"lookup": ["Header/b"]})
    assert made.order == {"a": 0, "b": 1}


def test_one_place_found_twice_is_one_find():
    watch = plan(p={"lookup": ["Header/x:s"]}).request
    header, _ = envelope("<x:s>1</x:s><x:s>1</x:s><x:s>2</x:s>")
    assert [one.id for one in watch.find(header, None)] == ["1", "2"]


def test_a_find_tells_the_location_as_it_was_written():
    watch = plan(p={"lookup": ["Header/x:s/@id"]}).request
    header, _ = envelope('<x:s id="1"/>')
    assert watch.find(header, None) == [Found("p", "lookup", "1", "Header/x:s/@id")]


def test_an_empty_id_is_absent():
    watch = plan(p={"lookup": ["Header/x:s", "Header/x:s/@id"]}).request
    header, _ = envelope('<x:s id=" "> </x:s>')
    assert watch.find(header, None) == []


@pytest.mark.parametrize(
    ("text", "kept"), [("a" * 8, 1), ("a" * 9, 0), ("éééé", 1), ("ééééa", 0), ("€€€", 0)]
)
def test_an_id_over_the_bound_in_bytes_is_absent_and_counted(text, kept):
    watch = plan(ScanLimits(id_bytes=8), p={"lookup": ["Header/x:s"]}).request
    header, _ = envelope(f"<x:s>{text}</x:s>")
    assert len(watch.find(header, None)) == kept
    assert watch.oversized == 1 - kept


def test_requests_find_lookup_bind_and_end_and_responses_learn_and_end():
    made = plan(
        p={
            "lookup": ["Header/x:s"],
            "bind": ["Header/x:c"],
            "learn": ["Header/x:s"],
            "end": ["Header/x:bye"],
        }
    )
    header, _ = envelope("<x:s>1</x:s><x:c>2</x:c><x:bye/>")
    assert brief(made.request.find(header, None)) == [
        ("p", "lookup", "1"),
        ("p", "bind", "2"),
        ("p", "end", ""),
    ]
    assert brief(made.response.find(header, None)) == [("p", "learn", "1"), ("p", "end", "")]


def test_an_end_that_is_also_an_id_location_names_the_id_that_ends():
    made = plan(p={"lookup": ["Body/x:bye/x:id"], "end": ["Body/x:bye/x:id", "Body/x:quit/x:id"]})
    _, named = envelope(body="<x:bye><x:id>7</x:id></x:bye>")
    _, marked = envelope(body="<x:quit><x:id>7</x:id></x:quit>")
    assert brief(made.request.find(None, named)) == [("p", "lookup", "7"), ("p", "end", "7")]
    assert brief(made.response.find(None, named)) == [("p", "end", "7")]
    assert brief(made.request.find(None, marked)) == [("p", "end", "")]


def test_an_end_that_would_name_an_id_but_is_empty_ends_nothing():
    watch = plan(p={"lookup": ["Header/x:bye/@id"], "end": ["Header/x:bye/@id"]}).request
    header, _ = envelope('<x:bye id=""/>')
    assert watch.find(header, None) == []


def test_a_marker_found_several_times_is_one_end():
    watch = plan(p={"lookup": ["Header/a"], "end": ["Header/x:bye"]}).request
    header, _ = envelope("<x:bye>1</x:bye><x:bye>2</x:bye>")
    assert brief(watch.find(header, None)) == [("p", "end", "")]


@pytest.mark.parametrize(
    ("locations", "tag", "wanted"),
    [
        (["Body/x:a/x:b"], "{urn:x}a", True),
        (["Body/x:a/x:b"], "{urn:x}b", False),
        (["Body/x:a/x:b"], "a", False),
        (["Body/*:a"], "{urn:other}a", True),
        (["Body/*:a"], "{urn:other}b", False),
        (["Body/*/x:b"], "{urn:other}b", True),
        (["Body//x:b"], "{urn:other}c", True),
        (["Header/x:a"], "{urn:x}a", False),
        (["cookie:a"], "a", False),
    ],
)
def test_the_body_is_wanted_only_when_a_location_names_its_first_child(locations, tag, wanted):
    watch = plan(p={"lookup": locations}).request
    assert watch.wants_body(tag, "urn:any") is wanted
    assert watch.wants_body(tag, "urn:any") is wanted  # and again, from memory


@pytest.mark.parametrize("soap", [SOAP11, SOAP12])
def test_a_fault_is_wanted_only_when_a_fault_code_ends_a_session(soap):
    assert plan(p={"lookup": ["Header/a"], "end": ["fault:A"]}).response.wants_body(
        f"{{{soap}}}Fault"
    )
    assert not plan(p={"lookup": ["Header/a"]}).response.wants_body(f"{{{soap}}}Fault")


@pytest.mark.parametrize(
    ("code", "ends"), [("Client.Auth", True), ("p:Auth", True), ("Server", False)]
)
def test_a_fault_code_ends_the_session(code, ends):
    watch = plan(p={"lookup": ["Header/a"], "end": ["fault:Auth"]}).response
    _, fault = envelope(body=f"<s:Fault><faultcode>{code}</faultcode></s:Fault>")
    assert brief(watch.find(None, fault)) == [("p", "end", "")] * ends


@pytest.mark.parametrize(
    ("action", "header", "ends"),
    [
        ("urn:bye", "", True),
        ('"urn:bye"', "", True),
        ("", "<wsa:Action> urn:bye </wsa:Action>", True),
        ("urn:bye", "<wsa:Action>urn:bye</wsa:Action>", True),
        ("urn:hello", "<wsa:Action>urn:hello</wsa:Action>", False),
        ("", "<x:Action>urn:bye</x:Action>", False),
        ("", "", False),
    ],
)
def test_an_action_ends_the_session_once_from_http_or_from_ws_addressing(action, header, ends):
    watch = plan(p={"lookup": ["Header/a"], "end": ["action:urn:bye"]}).request
    blocks, _ = envelope(header)
    for _again in range(2):
        assert brief(watch.find(blocks, None, action)) == [("p", "end", "")] * ends


def test_the_action_that_http_named_in_the_request_ends_nothing_in_its_response():
    watch = plan(p={"lookup": ["Header/a"], "end": ["action:urn:bye"]}).response
    bare, _ = envelope()
    own, _ = envelope("<wsa:Action>urn:bye</wsa:Action>")
    assert watch.find(bare, None, "urn:bye") == []
    assert brief(watch.find(own, None, "urn:bye")) == [("p", "end", "")]


def test_without_header_and_body_nothing_is_found():
    watch = plan(p={"lookup": ["Header/*", "Body/*"]}).request
    assert watch.find(None, None) == []
    assert watch.find(*envelope()) == []


def test_comments_in_the_header_are_no_blocks_even_for_a_wildcard():
    watch = plan(p={"lookup": ["Header/*"]}).request
    header, _ = envelope("<!-- <x:s>1</x:s> --><?x 1?><x:s>2</x:s>")
    assert [one.id for one in watch.find(header, None)] == ["2"]


def test_tags_that_a_sender_makes_up_do_not_fill_the_memory():
    watch = plan(p={"lookup": ["Header/*:s"]}).request
    for number in range(REMEMBERED + 50):
        watch.wants_body(f"t{number}")
        header, _ = envelope(f"<x:t{number}/><s>1</s><{'long' * 200}/>")
        assert [one.id for one in watch.find(header, None, f"urn:{number}")] == ["1"]
    assert len(watch._header._table) <= REMEMBERED


def test_no_envelope_is_needed_when_every_place_is_in_http():
    made = plan(p={"lookup": ["cookie:S"], "learn": ["cookie:S"], "end": ["query:bye"]})
    assert not made.request.needs_envelope
    assert not made.response.needs_envelope
    assert not made.looks_into_xml


@pytest.mark.parametrize(
    ("table", "request_needs", "response_needs"),
    [
        ({"lookup": ["Header/a"]}, True, False),
        ({"lookup": ["Body/a"]}, True, False),
        ({"lookup": ["cookie:S"], "learn": ["Body/a"]}, False, True),
        ({"lookup": ["cookie:S"], "end": ["action:urn:a"]}, True, True),
        ({"lookup": ["cookie:S"], "end": ["fault:A"]}, True, True),
    ],
)
def test_an_envelope_is_needed_where_a_location_is_in_it(table, request_needs, response_needs):
    made = plan(p=table)
    assert made.request.needs_envelope is request_needs
    assert made.response.needs_envelope is response_needs
    assert made.looks_into_xml


def test_every_carrier_of_a_request_is_read():
    watch = plan(
        p={
            "lookup": ["cookie:S", "http:X-S", "param:s", "query:s", "cookieless:S"],
            "bind": ["client:address", "client:certificate", "client:connection"],
        }
    ).request
    found = watch.http(
        facts(
            b"/a;s=3/(S(5))/b?s=4", "6", "7", "8", cookie=[b"a=b; S=1; S=1b"], x_s=[b" 2 ", b"2b"]
        )
    )
    assert [one.id for one in found] == ["1", "1b", "2", "2b", "3", "4", "5", "6", "7", "8"]
    assert [one.use for one in found] == ["lookup"] * 7 + ["bind"] * 3


def test_what_is_not_there_is_not_found():
    watch = plan(
        p={"lookup": ["cookie:S", "http:X-S", "param:s", "query:s", "client:address"]}
    ).request
    assert watch.http(facts(b"/a;t=1?t=1", cookie=[b"T=1", b"S="], x_t=[b"1"])) == []


def test_one_cookie_may_serve_two_profiles():
    watch = plan(a={"lookup": ["cookie:S"]}, b={"bind": ["cookie:S"]}).request
    assert brief(watch.http(facts(cookie=[b"S=1"]))) == [("a", "lookup", "1"), ("b", "bind", "1")]


def test_a_parameter_can_end_a_session():
    watch = plan(p={"lookup": ["cookie:S"], "end": ["query:logout", "http:X-Bye"]}).request
    assert brief(watch.http(facts(b"/?logout", cookie=[b"S=1"]))) == [
        ("p", "lookup", "1"),
        ("p", "end", ""),
    ]
    assert brief(watch.http(facts(x_bye=[b""]))) == [("p", "end", "")]


COOKIE = {"lookup": ["cookie:S"], "learn": ["cookie:S", "http:X-S"]}


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ([b"S=1; Path=/"], [("p", "learn", "1")]),
        ([b"T=1"], []),
        ([b"0", b'S="1"', b"T=2"], [("p", "learn", "1")]),
        ([b"S=1; Path=/a", b"S=2; Path=/b"], [("p", "learn", "1"), ("p", "learn", "2")]),
        ([b"S=1; Max-Age=0"], [("p", "end", "")]),
        ([b"S=; Path=/"], [("p", "end", "")]),
        ([b"S=; Path=/", b"S=; Path=/a"], [("p", "end", "")]),
        ([b"S=1; Expires=Tue, 14 Nov 2023 00:00:00 GMT"], [("p", "end", "")]),
        ([b"S=; Max-Age=0", b"S=2"], [("p", "learn", "2")]),
        ([b"S=2", b"S=1; Max-Age=0; Path=/old"], [("p", "learn", "2")]),
    ],
    ids=[
        "set",
        "another",
        "among junk",
        "twice",
        "max-age 0",
        "no value",
        "deleted twice",
        "expired",
        "deleted, then set: another id",
        "set, then deleted elsewhere",
    ],
)
def test_a_set_cookie_teaches_or_ends(fields, found):
    assert brief(plan(p=COOKIE).response.http(facts(set_cookie=fields), 1.7e9)) == found


def test_a_header_field_of_a_response_teaches():
    assert brief(plan(p=COOKIE).response.http(facts(x_s=[b"1"]))) == [("p", "learn", "1")]


def test_a_location_teaches_what_stands_in_its_url():
    learn = ["http:Location | param:s", "http:Content-Location | cookieless:S"]
    watch = plan(p={"lookup": ["param:s"], "learn": learn}).response
    fields = {"location": [b"http://b1/a;s=1?s=2"], "content_location": [b"/(S(3))/a"]}
    assert watch.may_look_at(facts(**fields).fields)
    assert brief(watch.http(facts(**fields))) == [("p", "learn", "1"), ("p", "learn", "3")]
    assert watch.http(facts(location=[b"/a"])) == []
    assert watch.unreadable == 0


def test_a_deleted_cookie_tells_the_location_it_was_learnt_from():
    (found,) = plan(p=COOKIE).response.http(facts(set_cookie=[b"S="]))
    assert found == Found("p", "end", "", "cookie:S")


def test_a_cookie_under_end_means_its_deletion_and_not_its_presence():
    made = plan(p={"bind": ["cookie:S"], "end": ["cookie:S"]})
    assert brief(made.request.http(facts(cookie=[b"S=1"]))) == [("p", "bind", "1")]
    assert brief(made.response.http(facts(set_cookie=[b"S=1"]))) == []
    assert brief(made.response.http(facts(set_cookie=[b"S="]))) == [("p", "end", "")]


MULTIREF = (
    f'<s:Envelope xmlns:s="{SOAP11}" xmlns:x="urn:x"><s:Header><x:a>1</x:a><x:s href="#id0"/>'
    '</s:Header><s:Body><op/><m id="id1">5</m><m id="id0"> 7 </m></s:Body></s:Envelope>'
)


def test_a_reference_is_followed_into_the_rest_of_the_body():
    watch = plan(p={"lookup": ["Header/x:s", "Header/x:a"]}).request
    header = etree.fromstring(MULTIREF)[0]
    assert [one.id for one in watch.find(header, None)] == ["7", "1"]


BEAN = (
    f'<s:Envelope xmlns:s="{SOAP11}" xmlns:x="urn:x"><s:Header>{{}}</s:Header><s:Body>'
    '<x:loginResponse><return href="#id0"/></x:loginResponse><m id="id1"><id>5</id></m>'
    '<m id="id0"><user>u</user><id href="#id2"/></m><m id="id2">7</m></s:Body></s:Envelope>'
)


def test_a_struct_that_stands_elsewhere_is_followed_by_the_steps_below_it():
    made = plan(
        p={
            "lookup": ["Header/x:s/id"],
            "learn": ["Body/x:loginResponse/return/id", "Body/x:loginResponse/return/other"],
            "end": ["Body/x:loginResponse/return/user", "Body/x:loginResponse/return/gone"],
        }
    )
    scanned = scan(BEAN.format("").encode(), made.response, ScanLimits())
    assert [(one.use, one.id) for one in scanned.found] == [("learn", "7"), ("end", "")]
    assert [one.location for one in scanned.found if one.use == "end"] == [
        "Body/x:loginResponse/return/user"
    ]
    request = BEAN.format('<x:s href="#id1"/>')
    assert [one.id for one in scan(request.encode(), made.request, ScanLimits()).found][:1] == ["5"]


def test_a_reference_to_what_is_not_read_yet_asks_for_the_body_and_keeps_what_was_found():
    watch = plan(p={"lookup": ["Header/x:s", "Header/x:a"]}).request
    header, _ = envelope('<x:s href="#id0"/><x:a>1</x:a>')
    with pytest.raises(NeedsBody) as caught:
        watch.find(header, None)
    assert [one.id for one in caught.value.found] == ["1"]


def test_a_marker_needs_no_reference():
    watch = plan(p={"lookup": ["Header/x:a"], "end": ["Header/x:bye"]}).request
    header, _ = envelope('<x:bye href="#id0"/>')
    assert brief(watch.find(header, None)) == [("p", "end", "")]


@pytest.mark.parametrize(
    ("message", "ids"),
    [(MULTIREF, ["7", "1"]), (MULTIREF.replace("id0", "id9", 1), ["1"])],
    ids=["leads to the end of the Body", "leads nowhere"],
)
def test_the_scanner_and_the_watch_follow_a_reference_together(message, ids):
    watch = plan(p={"lookup": ["Header/x:s", "Header/x:a"]}).request
    scanned = scan(message.encode(), watch, ScanLimits())
    assert [one.id for one in scanned.found] == ids
