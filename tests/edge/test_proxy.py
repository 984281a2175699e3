"""Exchanges as conversations: bytes of a client, bytes of backends, and what came of them."""

from __future__ import annotations

import gzip
import zlib

import pytest
from talk import CLIENT_MADE, PROFILE, Talk, body_of, envelope, head_of, ok, post


def test_a_request_goes_to_a_backend_and_its_response_comes_back() -> None:
    talk = Talk()
    request = post(envelope())
    talk.client.says(request)
    backend = talk.backend("b1")
    heard = backend.heard()
    assert head_of(heard).startswith(b"POST /shop HTTP/1.1\r\nHost: gate.example\r\n")
    assert body_of(heard) == envelope()
    response = ok(envelope())
    backend.says(response)
    assert talk.client.heard() == response
    assert (talk.last.route, talk.last.reason, talk.last.status) == ("balanced", "no-id", 200)


def test_a_session_sticks_to_the_backend_that_issued_it() -> None:
    talk = Talk()
    talk.serve(post(envelope()), ok(envelope("s-1")))
    other = talk.connect()
    served = talk.serve(post(envelope()), ok(envelope("s-2")), other)
    assert served.name == "b2"
    for _ in range(3):
        talk.client.says(post(envelope("s-2")))
        assert served.heard()
        served.says(ok(envelope("s-2")))
        assert (talk.last.route, talk.last.backend) == ("pinned", "b2")
        assert talk.last.profile == "shop"


def test_an_id_issued_in_the_body_is_learnt() -> None:
    talk = Talk()
    login = envelope(body="<s:loginResponse><s:sessionId>abc</s:sessionId></s:loginResponse>")
    talk.serve(post(envelope(body="<s:login/>")), ok(login))
    assert talk.last.learned == 1
    talk.serve(post(envelope("abc")), ok(envelope()))
    assert (talk.last.route, talk.last.backend) == ("pinned", "b1")


def test_pin_is_bound_before_first_byte_goes_downstream() -> None:
    talk = Talk()
    talk.client.says(post(envelope()))
    backend = talk.backend()
    response = ok(envelope("s-1"))
    end_of_header = response.index(b"<e:Body>") + len(b"<e:Body>") + 1
    for n in range(end_of_header):
        backend.says(response[n : n + 1])
        if talk.client.heard():
            pytest.fail("a byte went down before the pin could be bound")
    assert talk.affinity.events["learned"] == 0
    for n in range(end_of_header, len(response)):
        backend.says(response[n : n + 1])
        if talk.client.wire.value():
            break
    assert len(talk.store._pins) == 1
    backend.says(response[n + 1 :])
    assert talk.client.wire.value() == response


def test_a_client_made_id_is_bound_on_its_first_request() -> None:
    talk = Talk(profiles={"shop": CLIENT_MADE})
    talk.client.says(post(envelope("mine")))
    talk.backend("b1")
    other = talk.connect()
    other.says(post(envelope("mine")))
    assert talk.backend().name == "b1"


def test_a_hundred_concurrent_first_requests_with_one_new_id_reach_one_backend() -> None:
    talk = Talk(profiles={"shop": CLIENT_MADE})
    clients = [talk.connect() for _ in range(100)]
    half = post(envelope("mine"))
    for client in clients:
        client.says(half[:150])
    for client in clients:
        client.says(half[150:])
    assert {talk.backend().name for _ in clients} == {"b1"}


def test_an_id_that_only_a_server_makes_is_not_bound_when_a_client_made_it_up() -> None:
    talk = Talk()
    talk.client.says(post(envelope("forged")))
    assert talk.backend().heard()
    assert not talk.store._pins


def test_one_log_line_per_exchange() -> None:
    talk = Talk()
    talk.serve(post(envelope()), ok(envelope()))
    assert len(talk.log.records) == 1
    talk.client.says(b"BAD\r\n\r\n")
    assert [record.status for record in talk.log.records] == [200, 400]
    gone = talk.connect()
    gone.says(post(envelope()))
    gone.closes()
    assert len(talk.log.records) == 3
    assert talk.last.left


def test_an_id_never_stands_in_the_record_of_its_exchange() -> None:
    talk = Talk()
    talk.serve(post(envelope()), ok(envelope("secret-id")))
    talk.serve(post(envelope("secret-id"), target=b"/shop"), ok(envelope("secret-id")))
    assert "secret-id" not in "".join(map(repr, talk.log.records))


def test_a_refusal_is_a_fault_in_the_version_of_the_request() -> None:
    talk = Talk()
    twelve = envelope("s").replace(
        b"http://schemas.xmlsoap.org/soap/envelope/", b"http://www.w3.org/2003/05/soap-envelope"
    )
    for member in talk.pool.members.values():
        member.admin = "maint"
    talk.client.says(post(envelope("s")))
    assert b"http://schemas.xmlsoap.org/soap/envelope/" in talk.client.heard()
    talk.client.says(post(twelve))
    heard = talk.client.heard()
    assert b"application/soap+xml" in heard
    assert b"http://www.w3.org/2003/05/soap-envelope" in heard


def test_a_refusal_relates_to_its_request() -> None:
    talk = Talk()
    for member in talk.pool.members.values():
        member.admin = "maint"
    wsa = '<a:MessageID xmlns:a="http://www.w3.org/2005/08/addressing">urn:uuid:1</a:MessageID>'
    talk.client.says(post(envelope("s", extra=wsa)))
    assert b"urn:uuid:1" in talk.client.heard()


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE x [<!ENTITY a "b">]>' + envelope("s"),
        envelope("s").replace(b"<e:Body>", b"<e:Header/><e:Body>"),
        envelope("s").replace(b"</e:Header>", b"</e:Heder>"),
    ],
    ids=["doctype", "second header", "ill-formed header"],
)
def test_a_dangerous_envelope_reaches_no_backend(body: bytes) -> None:
    talk = Talk()
    talk.client.says(post(body))
    heard = talk.client.heard()
    assert heard.startswith(b"HTTP/1.1 400 ")
    assert b"Malformed" in heard
    assert not talk.dials


def test_a_refused_body_that_still_comes_is_dropped_and_the_connection_closed() -> None:
    talk = Talk()
    body = b"<!DOCTYPE x>" + envelope("s")
    head = post(b"").replace(b"Content-Length: 0", b"Content-Length: 1000000")
    talk.client.says(head + body)
    heard = talk.client.heard()
    assert heard.startswith(b"HTTP/1.1 400 ")
    assert b"\r\nConnection: close\r\n" in heard
    assert talk.client.wire.ended == "half-closed"
    talk.client.says(b"x" * 100_000)
    assert not talk.dials


def test_a_request_that_no_service_matches_is_a_404() -> None:
    talk = Talk()
    talk.client.says(post(envelope(), target=b"/nobody"))
    assert talk.client.heard().startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_an_id_in_a_compressed_request_is_read_and_the_bytes_go_on_as_they_came(
    coding: str,
) -> None:
    talk = Talk(profiles={"shop": CLIENT_MADE})
    squeeze = gzip.compress if coding == "gzip" else zlib.compress
    body = squeeze(envelope("mine"))
    talk.client.says(post(body, b"Content-Encoding: " + coding.encode()))
    assert body_of(talk.backend("b1").heard()) == body
    other = talk.connect()
    other.says(post(envelope("mine")))
    assert talk.backend("b1").heard()


def test_what_is_not_soap_is_forwarded_and_balanced() -> None:
    talk = Talk()
    talk.client.says(post(b'{"a": 1}').replace(b"text/xml; charset=utf-8", b"application/json"))
    assert body_of(talk.backend().heard()) == b'{"a": 1}'


def test_an_end_unbinds_once_the_reply_came_without_a_fault() -> None:
    talk = Talk()
    talk.serve(post(envelope()), ok(envelope("s-1")))
    fault = envelope(body="<e:Fault><faultcode>e:Server</faultcode></e:Fault>")
    logout = post(envelope("s-1", "<s:logout/>"))
    talk.serve(logout, ok(fault))
    assert len(talk.store._pins) == 1
    talk.serve(logout, ok(envelope()))
    assert len(talk.store._pins) == 0


def test_fast_infoset_is_not_offered_where_ids_are_read_from_xml() -> None:
    offer = b"Accept: application/fastinfoset, text/xml, */*;q=0.1"
    talk = Talk()
    talk.client.says(post(envelope(), offer))
    assert b"\r\nAccept: text/xml, */*;q=0.1\r\n" in talk.backend().heard()
    talk = Talk()
    talk.client.says(post(envelope(), b"Accept: application/fastinfoset"))
    assert b"\r\nAccept: application/fastinfoset\r\n" in talk.backend().heard()
    talk = Talk(hide_fast_infoset=False)
    talk.client.says(post(envelope(), offer))
    assert offer in talk.backend().heard()


def test_a_fault_that_a_profile_names_ends_the_session() -> None:
    profile = {**PROFILE, "end": ["fault:UnknownSession"]}
    talk = Talk(profiles={"shop": profile})
    talk.serve(post(envelope()), ok(envelope("s-1")))
    other = envelope(body="<e:Fault><faultcode>e:Server</faultcode></e:Fault>")
    talk.serve(post(envelope("s-1")), ok(other, status=b"500 Internal Server Error"))
    assert len(talk.store._pins) == 1
    gone = envelope(body="<e:Fault><faultcode>s:UnknownSession</faultcode></e:Fault>")
    talk.serve(post(envelope("s-1")), ok(gone, status=b"500 Internal Server Error"))
    assert len(talk.store._pins) == 0


def test_a_cookie_sticks_too() -> None:
    cookie = {
        "title": "Cookie",
        "about": "A cookie.",
        "lookup": ["cookie:JSESSIONID"],
        "learn": ["cookie:JSESSIONID"],
    }
    talk = Talk(profiles={"shop": PROFILE, "http-cookie": cookie})
    talk.serve(post(envelope()), ok(envelope(), b"Set-Cookie: JSESSIONID=abc; Path=/"))
    talk.client.heard()
    talk.serve(post(envelope(), b"Cookie: a=b; JSESSIONID=abc"), ok(envelope()))
    assert (talk.last.route, talk.last.profile) == ("pinned", "http-cookie")
