"""Near misses: each with the name that is there and the one that was asked for, never a value."""

from __future__ import annotations

import gzip

import pytest

from soapgate.core.explained import Message, View
from soapgate.core.hints import why_nothing
from soapgate.core.profiles import catalogue, read_profile
from soapgate.core.routing import Terms
from soapgate.core.scanner import ScanLimits
from soapgate.core.services import Rule

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
SHOP = {"shop": "urn:example:shop"}
SECRET = "SECRET-4711"
LIMITS = ScanLimits()


def profile(name="shop", **table):
    return read_profile(name, table, SHOP)


def envelope(header="", body="<a/>"):
    return (
        f'<e:Envelope xmlns:e="{SOAP}" xmlns:s="urn:example:shop"><e:Header>{header}</e:Header>'
        f"<e:Body>{body}</e:Body></e:Envelope>"
    ).encode()


def request(body=b"", target=b"/shop", **fields):
    named = {name.replace("_", "-").encode(): [value] for name, value in fields.items()}
    return Message("request", body, "", target, 0, named)


def hints(message, *profiles, direction="request", limits=LIMITS, oversized=0):
    view = View(Rule("shop"), profiles, Terms(), limits)
    said = list(why_nothing(message, view, direction, oversized))
    assert SECRET not in "".join(said)
    return said


def only(message, *profiles, **options):
    (said,) = hints(message, *profiles, **options)
    return said


ID = profile(lookup=["Header/shop:Session/@id"])
TEXT = profile(lookup=["Header/shop:Session/shop:Id"])


def test_the_right_name_in_another_namespace_is_shown_with_both():
    said = only(request(envelope(f'<Session xmlns="urn:other" id="{SECRET}"/>')), ID)
    assert "wants Session in urn:example:shop" in said
    assert "Header/Session is in urn:other" in said


def test_the_right_name_without_a_namespace_is_shown():
    said = only(request(envelope(f'<Session id="{SECRET}"/>')), ID)
    assert said.endswith("Header/Session is in no namespace")


def test_a_name_that_differs_in_case_is_shown():
    assert "Header has session" in only(request(envelope("<s:session/>")), ID)


def test_a_block_that_stands_in_the_body_is_shown():
    said = hints(request(envelope("", f'<s:Session id="{SECRET}"/>')), ID)
    assert said == ["shop: Header/shop:Session/@id: Session stands in the Body, not in the Header"]


@pytest.mark.parametrize(
    ("block", "wanted", "word"),
    [
        (f'<s:Session key="{SECRET}"/>', ID, "its attributes are key"),
        ("<s:Session/>", ID, "its attributes are none"),
        ('<s:Session id=" "/>', ID, "is empty"),
        (f"<s:Session><s:Key>{SECRET}</s:Key></s:Session>", TEXT, "it has Key (urn:example:shop)"),
        ("<s:Session><s:Id/></s:Session>", TEXT, "is there and empty"),
        (f"<s:Session><s:Id><b>{SECRET}</b></s:Id></s:Session>", TEXT, "has elements"),
        (
            f'<s:Session kind="b">{SECRET}</s:Session>',
            profile(lookup=["Header/shop:Session[@kind='a']"]),
            "what stands in [] does not hold",
        ),
    ],
    ids=["attribute", "no attribute", "blank", "child", "empty", "elements", "predicate"],
)
def test_a_path_that_goes_part_of_the_way_says_where_it_ends(block, wanted, word):
    said = [one for one in hints(request(envelope(block)), wanted) if one.startswith("shop: ")]
    assert len(said) == 1
    assert word in said[0]


def test_a_body_that_is_not_read_on_names_its_first_child():
    said = only(request(envelope("", f"<s:add>{SECRET}</s:add>")), profile(bind=["Body/shop:open"]))
    assert "first child is add (urn:example:shop)" in said
    assert said.endswith("begin with shop:open")


def test_an_encrypted_body_and_header_are_said():
    block = '<x:EncryptedHeader xmlns:x="http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"/>'
    child = (
        f'<x:EncryptedData xmlns:x="http://www.w3.org/2001/04/xmlenc#">{SECRET}</x:EncryptedData>'
    )
    said = hints(request(envelope(block, child)), ID)
    assert said[0].startswith("the Body is encrypted")
    assert said[1].startswith("a header block is encrypted")


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (b"application/fastinfoset", "Fast Infoset"),
        (b"application/soap+msbin1", "WCF's binary XML"),
        (b"multipart/encrypted; boundary=x", "encrypted as a whole"),
        (b"application/json", "an envelope comes as text/xml"),
    ],
)
def test_a_body_that_cannot_be_read_says_what_it_is(kind, word):
    assert any(word in said for said in hints(request(b"\x00\x01", content_type=kind), ID))


def test_a_coding_that_nobody_undoes_is_named():
    message = request(envelope(), content_encoding=b"br", content_type=b"text/xml")
    said = hints(message, ID)
    assert "content encoding br" in said[0]
    assert "gzip and deflate only" in said[1]


def test_a_compressed_envelope_is_looked_into():
    message = request(gzip.compress(envelope("<Session/>")), content_encoding=b"gzip")
    assert "no namespace" in only(message, ID)


def test_a_limit_names_the_keys_that_lift_it():
    body = envelope("<b>" + "x" * 2000 + "</b>")
    said = only(request(body), ID, limits=ScanLimits(header_bytes=1024))
    assert "1024 bytes of Header ([limits] header)" in said


def test_an_id_that_was_too_long_is_said():
    assert "more than 4096 bytes" in hints(request(envelope()), ID, oversized=1)[0]


def test_a_service_without_profiles_says_so():
    assert "sessions = []" in only(request(envelope()))


def test_names_in_the_head_are_listed_beside_those_looked_for():
    message = request(target=b"/a;sid=1?tok=2", cookie=f"JSessionId={SECRET}; b=c".encode())
    said = hints(message, profile(lookup=["cookie:JSESSIONID", "query:token"]))
    assert "cookie:JSessionId is there, cookie:JSESSIONID is looked for" in said[0]
    assert said[1] == "cookie names that are there: JSessionId, b; looked for are JSESSIONID"
    assert said[2] == "param names that are there: sid; no profile looks at any"
    assert said[3] == "query names that are there: tok; looked for are token"


def test_cookies_that_a_response_sets_are_listed():
    message = Message("response", b"", fields={b"set-cookie": [f"a={SECRET}".encode()]})
    said = only(message, profile(lookup=["cookie:b"], learn=["cookie:b"]), direction="response")
    assert said == "cookie names that are there: a; looked for are b"


def test_what_is_known_of_the_connection_stands_in_no_message():
    places = ["client:certificate", "client:address", "client:certificate"]
    said = only(Message("envelope", b""), profile(bind=places))
    assert said == (
        "client:certificate, client:address: known of the client's connection, which no message"
        " shows"
    )


def test_an_envelope_without_its_head_is_known_to_lack_it():
    said = only(Message("envelope", b""), profile(lookup=["cookie:a", "http:X"]))
    assert (
        said == "profiles look at cookie and http too, and this message came without its HTTP head"
    )


def test_a_built_in_profile_that_would_find_it_is_named():
    message = request(cookie=f"JSESSIONID={SECRET}".encode())
    said = hints(message, ID)
    name = "the profile http-cookie, which is not among this service's sessions, finds an id"
    assert any(one.startswith(f"{name} at cookie:JSESSIONID") for one in said)


def test_a_profile_that_is_off_by_default_says_so():
    block = (
        '<a:Any xmlns:a="urn:a" xmlns:w="http://www.w3.org/2005/08/addressing"'
        f' w:IsReferenceParameter="true">{SECRET}</a:Any>'
    )
    default = [one for one in catalogue().values() if one.default]
    said = hints(request(envelope(block)), *default)
    assert any("wsa-refparams, which is off by default" in one for one in said)


def test_a_message_that_is_refused_has_no_hints_of_its_inside():
    assert hints(request(b"<!DOCTYPE a>" + envelope("<Session/>")), ID) == []
