"""What a head says is worked out once, and anew for other services."""

from __future__ import annotations

from talk import CLIENT_MADE, Talk, envelope, post

from soapgate.core.plan import HttpFacts
from soapgate.edge.desk import asked, plain
from soapgate.edge.http11 import HeadLimits, RequestHead, parse_request_head


def head(*fields: bytes) -> RequestHead:
    request = post(b"", *fields)
    return parse_request_head(request[: request.index(b"\r\n\r\n") + 4], HeadLimits())


def facts(request: RequestHead) -> HttpFacts:
    return HttpFacts(request.target, request.fields, client_address="192.0.2.7")


COOKIE = {"title": "C", "about": "A cookie.", "lookup": ["cookie:S"], "end": ["query:bye"]}
ADDRESS = {"title": "A", "about": "The client.", "bind": ["client:address"]}


def test_a_head_says_its_service_its_action_and_the_ids_outside_the_body() -> None:
    talk = Talk(profiles={"c": COOKIE})
    said = asked(talk.desk, head(b'SOAPAction: "urn:a"', b"Cookie: S=1"), facts)
    assert said.service is talk.service
    assert (said.method, said.action) == ("POST", "urn:a")
    assert [one.id for one in said.found] == ["1"]
    assert not said.envelope


def test_what_was_said_once_is_not_worked_out_again() -> None:
    talk = Talk(profiles={"c": COOKIE})
    request = head(b"Cookie: S=1")
    assert asked(talk.desk, request, facts) is asked(talk.desk, request, facts)


def test_other_services_hear_it_anew() -> None:
    talk = Talk(profiles={"c": COOKIE})
    request = head(b"Cookie: S=1")
    before = asked(talk.desk, request, facts)
    talk.desk.tables = object()
    assert asked(talk.desk, request, facts) is not before


def test_what_depends_on_the_client_is_never_kept() -> None:
    talk = Talk(profiles={"a": ADDRESS})
    request = head()
    first = asked(talk.desk, request, facts)
    other = asked(
        talk.desk, request, lambda one: HttpFacts(b"/", one.fields, client_address="192.0.2.8")
    )
    assert [one.id for one in first.found] == ["192.0.2.7"]
    assert [one.id for one in other.found] == ["192.0.2.8"]


def test_the_traces_of_one_client_are_not_those_of_another() -> None:
    talk = Talk()
    request = head()
    said = asked(talk.desk, request, facts)
    one = said.traces(request, b"192.0.2.7", b"http")
    assert said.traces(request, b"192.0.2.7", b"http") is one
    assert b"192.0.2.8" in said.traces(request, b"192.0.2.8", b"http")
    assert b"Proto: https" in said.traces(request, b"192.0.2.8", b"https")


def test_a_body_is_plain_when_it_is_xml_in_utf_8_without_coding() -> None:
    assert plain(head())
    assert not plain(head(b"Content-Encoding: gzip"))
    request = post(b"").replace(b"charset=utf-8", b"charset=utf-16")
    raw = request[: request.index(b"\r\n\r\n") + 4]
    assert not plain(parse_request_head(raw, HeadLimits()))


def test_two_clients_with_one_head_get_traces_of_their_own() -> None:
    talk = Talk(profiles={"shop": CLIENT_MADE})
    talk.client.says(post(envelope("a")))
    assert b"X-Forwarded-For: 192.0.2.7" in talk.backend().heard()
