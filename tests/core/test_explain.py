from __future__ import annotations

import gzip
import json
from dataclasses import replace

import pytest

from soapgate.core.errors import Failure, Reason
from soapgate.core.explain import KEY_SHOWN, Message, View, explain, refused
from soapgate.core.keys import Keys
from soapgate.core.profiles import catalogue, read_profile
from soapgate.core.routing import Terms
from soapgate.core.scanner import ScanLimits
from soapgate.core.services import Rule

KEYS = Keys(b"s" * 32)
TERMS = Terms()
LIMITS = ScanLimits()
RM = "http://docs.oasis-open.org/ws-rx/wsrm/200702"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
SHOP = read_profile(
    "shop",
    {
        "lookup": ["Header/Session"],
        "bind": ["Header/Mine"],
        "learn": ["Header/Session"],
        "end": ["Header/Session", "Body/logout"],
    },
    {},
)
COOKIE = read_profile("jar", {"lookup": ["cookie:sid"], "learn": ["cookie:sid"]}, {})


def view(*profiles, name="shop", terms=TERMS, limits=LIMITS, **rule):
    return View(Rule(name, **rule), profiles, terms, limits)


def envelope(header="", body="<a/>", soap=SOAP12):
    return (
        f'<s:Envelope xmlns:s="{soap}"><s:Header>{header}</s:Header>'
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def request(body=b"", target=b"/shop", **fields):
    named = {name.replace("_", "-").encode(): [value] for name, value in fields.items()}
    return Message("request", body, "", target, 0, {b"host": [b"h:80"], **named})


def shown(profile, session_id, scope="shop"):
    return KEYS.key(scope, profile, session_id).hex()[:KEY_SHOWN]


def told(message, *views, **options):
    return explain(message, views, KEYS, **options)


# -- what is found


def test_every_location_of_every_profile_is_there_with_what_it_found():
    said = told(request(envelope("<Session> 42 </Session>"), cookie=b"sid=7"), view(SHOP, COOKIE))
    (reading,) = said.readings
    shop, jar = reading.profiles
    assert [(place.use, place.location, place.met) for place in shop.places] == [
        ("lookup", "Header/Session", True),
        ("bind", "Header/Mine", False),
        ("end", "Header/Session", True),
        ("end", "Body/logout", False),
    ]
    assert [one.hash for one in shop.places[0].ids] == [shown("shop", "42")]
    assert [one.hash for one in jar.places[0].ids] == [shown("jar", "7")]


def test_ids_are_hashed_as_the_pins_are_and_clear_only_when_asked_for():
    message = request(envelope("<Session>secret-42</Session>"))
    hidden = told(message, view(SHOP))
    assert "secret-42" not in json.dumps(hidden.to_dict())
    assert hidden.readings[0].order[0].id.length == 9
    clear = told(message, view(SHOP), show_ids=True)
    assert clear.readings[0].order[0].id.clear == "secret-42"


def test_another_secret_gives_other_hashes():
    message = request(envelope("<Session>42</Session>"))
    one = explain(message, [view(SHOP)], Keys(b"a" * 32)).readings[0].order[0].id.hash
    other = explain(message, [view(SHOP)], Keys(b"b" * 32)).readings[0].order[0].id.hash
    assert one != other


def test_precedence_is_the_order_of_the_profiles():
    message = request(envelope("<Session>42</Session>"), cookie=b"sid=7")
    assert [one.profile for one in told(message, view(SHOP, COOKIE)).readings[0].order] == [
        "shop",
        "jar",
    ]
    assert [one.profile for one in told(message, view(COOKIE, SHOP)).readings[0].order] == [
        "jar",
        "shop",
    ]


def test_an_id_found_twice_is_looked_up_once():
    message = request(envelope("<Session>42</Session><Session>42</Session><Mine>42</Mine>"))
    (only,) = told(message, view(SHOP)).readings[0].order
    assert only.bindable


def test_bytes_behind_the_decision_are_not_read():
    message = request(envelope("<Session>42</Session>", "<a>" + "x" * 100_000 + "</a>"))
    (reading,) = told(message, view(SHOP)).readings
    assert reading.read < 1000 < reading.size
    assert (reading.outcome, reading.soap) == ("found", "1.2")


def test_a_limit_is_named_and_nothing_is_found_beyond_it():
    limits = ScanLimits(header_bytes=1024)
    message = request(envelope("<Big>" + "x" * 2000 + "</Big><Session>42</Session>"))
    (reading,) = told(message, view(SHOP, limits=limits)).readings
    assert reading.outcome == "limit"
    assert "1024" in reading.detail
    assert reading.order == ()
    assert not told(message, view(SHOP, limits=limits)).refused


def test_an_envelope_that_nobody_looks_into_is_not_read():
    (reading,) = told(request(envelope(), cookie=b"sid=7"), view(COOKIE)).readings
    assert (reading.outcome, reading.read) == ("not-read", 0)
    assert reading.order[0].profile == "jar"


def test_what_is_no_soap_goes_on_with_its_head_only():
    (reading,) = told(request(b'{"a": 1}', cookie=b"sid=7"), view(SHOP, COOKIE)).readings
    assert (reading.outcome, reading.soap) == ("not-soap", None)
    assert [one.profile for one in reading.order] == ["jar"]


# -- what it would do


def would(message, *views):
    (reading,) = told(message, *views).readings
    return list(reading.would)


def test_a_request_without_an_id_is_balanced():
    assert would(request(envelope()), view(SHOP)) == [
        "no id: balanced by round_robin, nothing is bound"
    ]


def test_a_server_issued_id_is_looked_up_and_never_bound():
    a = shown("shop", "42")
    assert would(request(envelope("<Session>42</Session>")), view(COOKIE, SHOP))[:3] == [
        f"look up {a} (shop); the first that is pinned decides",
        'if its backend is gone: fault SessionLost, HTTP 503 (lost = "strict")',
        "if none is pinned: balanced by round_robin, nothing is bound",
    ]


def test_a_client_made_id_is_bound_when_new():
    a = shown("shop", "42")
    steps = would(request(envelope("<Mine>42</Mine>")), view(SHOP))
    assert steps[-1] == (
        f"if none is pinned: balanced by round_robin; {a} (shop) is bound to that backend"
    )


def test_the_terms_of_the_service_are_told():
    terms = Terms(lost="redispatch", unknown="fault", role="worker")
    asked = replace(view(COOKIE, terms=terms), policy="hash")
    balanced = 'balanced by hash among backends with the role "worker"'
    assert would(request(cookie=b"sid=7"), asked)[1:] == [
        f'if its backend is gone: {balanced}, and the pin moves (lost = "redispatch")',
        'if none is pinned: fault SessionUnknown, HTTP 503 (unknown = "fault")',
    ]


def test_a_profile_answers_to_unknown_ids_for_itself():
    asked = view(SHOP, COOKIE, terms=Terms(unknown_of={"jar": "fault"}))
    assert "SessionUnknown" in would(request(cookie=b"sid=7"), asked)[-1]
    steps = would(request(envelope("<Session>42</Session>")), asked)
    assert steps[2] == "if none is pinned: balanced by round_robin, nothing is bound"


def test_an_end_is_told():
    a = shown("shop", "42")
    steps = would(request(envelope("<Session>42</Session>", "<logout/>")), view(SHOP))
    assert steps[-2:] == [
        f"once the reply came without a fault, the session ends, {a} (shop)",
        "once the reply came without a fault, the session ends, that of this exchange (a mark of"
        " shop)",
    ]


def test_a_response_teaches_ids():
    message = Message("response", envelope("<Session>42</Session>"), status=200)
    said = told(message, view(SHOP))
    (reading,) = said.readings
    assert reading.direction == "response"
    assert reading.would[0].startswith(f"learn {shown('shop', '42')} (shop): bound to the backend")
    assert [place.use for place in reading.profiles[0].places] == ["learn", "end", "end"]


def test_a_cookie_that_is_taken_back_ends_a_session():
    fields = {b"set-cookie": [b"sid=; Max-Age=0"]}
    (reading,) = told(Message("response", b"", fields=fields), view(COOKIE)).readings
    assert [(p.use, p.location, p.met) for p in reading.profiles[0].places] == [
        ("learn", "cookie:sid", False),
        ("end", "cookie:sid", True),
    ]


def test_an_end_that_counts_one_way_is_asked_of_that_way_only():
    ends = ["request:Header/bye", "response:Header/gone", "id:Header/dead"]
    profile = read_profile("p", {"lookup": ["Header/a"], "end": ends}, {})
    asked, answered = told(Message("envelope", envelope("<dead>7</dead>")), view(profile)).readings
    assert [p.location for p in asked.profiles[0].places] == [
        "Header/a", "request:Header/bye", "id:Header/dead",
    ]  # fmt: skip
    assert [(p.location, len(p.ids)) for p in answered.profiles[0].places] == [
        ("response:Header/gone", 0), ("id:Header/dead", 1),
    ]  # fmt: skip


def test_a_bare_envelope_is_read_both_ways():
    said = told(Message("envelope", envelope("<Session>42</Session>")), view(SHOP))
    assert [reading.direction for reading in said.readings] == ["request", "response"]
    assert said.service == "shop"


# -- which service


def test_a_request_belongs_to_the_first_service_that_matches():
    admin, rest = view(COOKIE, name="admin", paths=("/admin",)), view(COOKIE, name="rest")
    assert told(request(target=b"/admin/x?y"), admin, rest).service == "admin"
    assert told(request(target=b"/x"), admin, rest).service == "rest"


def test_a_request_that_no_service_matches_is_refused():
    said = told(request(), view(COOKIE, hosts=("other",)))
    assert said.refused
    assert said.refusal == "no service matches: the client gets fault NoService, HTTP 404"


def test_a_service_can_be_asked_for_by_name():
    other = view(COOKIE, name="other", hosts=("other",))
    assert told(request(), view(COOKIE), other, service="other").service == "other"
    with pytest.raises(KeyError):
        told(request(), view(COOKIE), service="nope")


# -- what is refused


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE a [<!ENTITY x "y">]>' + envelope("<Session>42</Session>"),
        envelope("<Session>42</Sesion>"),
        envelope("<Session>42</Session>").replace(b"<s:Body>", b"<s:Header/><s:Body>"),
    ],
    ids=["doctype", "ill-formed", "two headers"],
)
def test_a_request_that_cannot_be_read_is_refused_with_its_fault(body):
    said = told(request(body, cookie=b"sid=7"), view(SHOP, COOKIE))
    (reading,) = said.readings
    assert said.refused
    assert reading.outcome == "refused"
    assert reading.refusal.endswith(": the client gets fault Malformed, HTTP 400")
    assert (reading.order, reading.would) == ((), ())


def test_a_response_that_cannot_be_read_passes_and_its_head_still_teaches():
    body = b"<!DOCTYPE a>" + envelope()
    fields = {b"set-cookie": [b"sid=7"]}
    said = told(Message("response", body, fields=fields), view(SHOP, COOKIE))
    (reading,) = said.readings
    assert not said.refused
    assert reading.outcome == "unreadable"
    assert reading.would[0].startswith("the envelope cannot be read (")
    assert [one.profile for one in reading.order] == ["jar"]


def test_a_head_that_is_refused_makes_an_explanation_too():
    said = refused("request", Failure("downstream", Reason.HEAD_TOO_LARGE, "over 100 fields"))
    assert said.refused
    assert said.readings == ()
    assert said.refusal == "over 100 fields: the client gets fault HeadTooLarge, HTTP 431"


# -- container, encoding, shape


@pytest.mark.parametrize(
    ("content_type", "body", "charset"),
    [
        (b"text/xml", b"<a/>", "utf-8"),
        (b"text/xml; charset=ISO-8859-1", b"<a/>", "iso-8859-1"),
        (b'text/xml; charset="utf-16"', b"<a/>", "utf-16"),
        (b"text/xml", b'<?xml version="1.0" encoding="latin1"?><a/>', "latin1"),
        (b"text/xml; charset=latin1", b"\xef\xbb\xbf<a/>", "utf-8"),
        (b"text/xml", "\ufeff<a/>".encode("utf-16-le"), "utf-16-le"),
    ],
    ids=["none", "parameter", "quoted", "declared", "utf-8 mark", "utf-16 mark"],
)
def test_the_charset_is_found_as_the_rfc_says(content_type, body, charset):
    assert told(request(body, content_type=content_type), view(COOKIE)).charset == charset


def test_the_charset_of_a_compressed_envelope_is_found_within_it():
    body = gzip.compress(b'<?xml version="1.0" encoding="latin1"?>' + envelope())
    assert told(request(body, content_encoding=b"gzip"), view(COOKIE)).charset == "latin1"
    assert told(request(b"no gzip", content_encoding=b"gzip"), view(COOKIE)).charset == "utf-8"


def test_the_path_ends_before_what_may_be_an_id():
    for target in (b"/a;jsessionid=SECRET", b"/a?sid=SECRET", b"/a#SECRET"):
        assert told(request(target=target), view(COOKIE)).path == "/a"


def test_container_and_coding_are_told():
    message = request(
        content_type=b'Multipart/Related; boundary="x"; type="text/xml"', content_encoding=b"GZIP"
    )
    said = told(message, view(COOKIE))
    assert (said.container, said.content_coding) == ("multipart/related", "gzip")
    assert said.charset == ""


def test_the_shape_for_machines_is_the_documented_one():
    said = told(request(envelope("<Session>42</Session>")), view(SHOP)).to_dict()
    assert json.loads(json.dumps(said)) == json.loads(json.dumps(said))
    assert list(said) == [
        "kind", "service", "host", "path", "action", "status", "container", "content_coding",
        "charset", "readings", "refusal",
    ]  # fmt: skip
    (reading,) = said["readings"]
    assert list(reading) == [
        "direction", "outcome", "detail", "soap", "fault", "read", "size", "profiles", "order",
        "would", "hints", "verdict", "refusal",
    ]  # fmt: skip
    assert list(reading["profiles"][0]["places"][0]) == ["use", "location", "met", "ids"]
    assert list(reading["order"][0]) == ["profile", "id", "bindable", "pin"]
    assert list(reading["order"][0]["id"]) == ["hash", "length", "clear"]


def test_an_rm_message_is_explained_with_the_catalogue():
    header = (
        f'<r:Sequence xmlns:r="{RM}"><r:Identifier>urn:one</r:Identifier>'
        "<r:MessageNumber>3</r:MessageNumber></r:Sequence>"
        f'<r:SequenceAcknowledgement xmlns:r="{RM}"><r:Identifier>urn:two</r:Identifier>'
        "</r:SequenceAcknowledgement>"
    )
    profiles = [one for one in catalogue().values() if one.default]
    (reading,) = told(request(envelope(header)), view(*profiles)).readings
    assert [(one.profile, one.id.hash) for one in reading.order] == [
        ("wsrm", shown("wsrm", "urn:one")),
        ("wsrm", shown("wsrm", "urn:two")),
    ]
    assert [looked.profile for looked in reading.profiles if looked.met] == ["wsrm"]


@pytest.mark.parametrize(
    ("unknown", "told"),
    [
        ("hash", 'balanced by the id\'s own hash, nothing is bound (unknown = "hash")'),
        ("fault", 'wsrm\'s fault, HTTP 500 (unknown = "fault")'),
    ],
)
def test_what_a_profile_says_of_unknown_ids_is_told(unknown: str, told: str) -> None:
    table = {"lookup": ["cookie:S"], "unknown": unknown, "unknown_fault": "wsrm"}
    profile = read_profile("p", table, {})
    view = View(Rule("a"), (profile,), Terms(unknown_of={"p": unknown}), ScanLimits())
    request = Message("request", b"", target=b"/", fields={b"host": [b"h"], b"cookie": [b"S=1"]})
    (reading,) = explain(request, [view], Keys(b"s" * 32)).readings
    assert f"if none is pinned: {told}" in reading.would


def test_ids_are_hashed_in_the_scope_of_their_service() -> None:
    profile = read_profile("p", {"lookup": ["cookie:S"]}, {})
    request = Message("request", b"", target=b"/", fields={b"host": [b"h"], b"cookie": [b"S=1"]})
    keys = Keys(b"s" * 32)
    view = View(Rule("a"), (profile,), Terms(), ScanLimits(), scope="both")
    (reading,) = explain(request, [view], keys).readings
    assert reading.order[0].id.hash == keys.key("both", "p", "1").hex()[:8]


@pytest.mark.parametrize("coding", [b"", b"gzip"])
def test_the_charset_of_a_multipart_is_that_of_its_root(coding):
    body = (
        b"--x\r\nContent-Type: image/png\r\nContent-ID: <p>\r\n\r\nPNG\r\n"
        b"--x\r\nContent-Type: text/xml; charset=ISO-8859-1\r\nContent-ID: <r>\r\n\r\n<a/>\r\n--x--"
    )
    message = request(
        gzip.compress(body) if coding else body,
        content_type=b'multipart/related; boundary=x; start="<r>"; type="text/xml"',
        content_encoding=coding,
    )
    assert told(message, view(COOKIE)).charset == "iso-8859-1"
