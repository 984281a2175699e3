"""What exchanges say of themselves: the code in their records, the field in their answers."""

from __future__ import annotations

import re

from talk import CLIENT_MADE, PROFILE, Talk, body_of, envelope, head_of, ok, post

from soapgate.core.routing import Terms

LOGOUT = envelope("s-1", body="<s:logout/>")


def told(head: bytes) -> bytes:
    (line,) = re.findall(rb"\r\nX-Soapgate: ([^\r]*)", head)
    return line


def test_a_session_from_its_login_to_its_end_is_told_in_four_codes() -> None:
    talk = Talk()
    talk.serve(post(envelope()), ok(envelope("s-1")))
    assert talk.last.sticky == "--BL"
    talk.serve(post(envelope("s-1")), ok(envelope()))
    assert talk.last.sticky == "HVP-"
    talk.serve(post(envelope("s-1")), ok(envelope("s-1")))
    assert talk.last.sticky == "HVPL"
    talk.serve(post(LOGOUT), ok(envelope()))
    assert talk.last.sticky == "HVPE"
    talk.serve(post(envelope("s-1")), ok(envelope()))
    assert talk.last.sticky == "HUB-"


def test_a_client_made_id_is_new_once() -> None:
    talk = Talk(profiles={"shop": CLIENT_MADE})
    for code in ("HNB-", "HVP-"):
        talk.serve(post(envelope("mine")), ok(envelope()))
        assert talk.last.sticky == code


def test_a_learnt_id_of_another_backend_is_a_conflict() -> None:
    talk = Talk()
    talk.serve(post(envelope()), ok(envelope("s-1")))
    talk.serve(post(envelope()), ok(envelope("s-1")))
    assert talk.last.sticky == "--BC"


def test_ids_of_two_backends_in_one_request_are_a_conflict() -> None:
    jar = {"lookup": ["cookie:a"], "learn": ["cookie:a"]}
    talk = Talk(profiles={"shop": PROFILE, "jar": jar})
    talk.serve(post(envelope()), ok(envelope("s-1")))
    talk.serve(post(envelope()), ok(envelope(), b"Set-Cookie: a=1"))
    talk.serve(post(envelope("s-1"), b"Cookie: a=1"), ok(envelope()))
    assert (talk.last.sticky, talk.last.backend) == ("HVPC", "b1")
    talk.serve(post(envelope(), b"Cookie: a=1"), ok(envelope()))
    assert talk.last.sticky == "CVP-"


def test_a_lost_session_is_told_when_it_is_refused_and_when_it_moves() -> None:
    for terms, code in ((Terms(), "HLR-"), (Terms(lost="redispatch"), "HLM-")):
        talk = Talk(terms=terms)
        talk.serve(post(envelope()), ok(envelope("s-1")))
        talk.pool.members["b1"].admin = "maint"
        talk.client.says(post(envelope("s-1")))
        if code == "HLM-":
            talk.backend("b2").says(ok(envelope()))
        assert talk.last.sticky == code


def test_a_backend_that_breaks_off_is_told() -> None:
    talk = Talk()
    talk.serve(post(envelope()), ok(envelope("s-1")))
    talk.client.says(post(envelope("s-1")))
    talk._peers[-1].closes()
    assert (talk.last.sticky, talk.last.status) == ("HVF-", 502)


def test_responses_say_it_only_where_the_service_wants_that() -> None:
    quiet, talk = Talk(), Talk(explain=True)
    for one in (quiet, talk):
        one.serve(post(envelope()), ok(envelope("s-1"), b"X-Own: 1"))
    assert b"X-Soapgate" not in quiet.client.heard()
    answer = talk.client.heard()
    assert told(head_of(answer)) == b"--BL; route=balanced; reason=no-id; backend=b1"
    assert b"\r\nX-Own: 1\r\n" in answer
    assert body_of(answer) == envelope("s-1")
    talk.serve(post(envelope("s-1")), ok(envelope()))
    assert (
        told(talk.client.heard()) == b"HVP-; route=pinned; reason=bound; backend=b1; profile=shop"
    )


def test_answers_of_the_gateway_say_it_too() -> None:
    talk = Talk(explain=True)
    talk.client.says(post(b"<!DOCTYPE a>" + envelope()))
    answer = talk.client.heard()
    assert told(answer) == b"--R-; route=refused; reason=malformed"
    assert b"Malformed" in body_of(answer)


def test_an_answer_in_chunks_says_it_in_its_head() -> None:
    talk = Talk(explain=True)
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    talk.serve(post(envelope()), chunked)
    answer = talk.client.heard()
    assert told(head_of(answer)).startswith(b"--B-")
    assert body_of(answer) == b"3\r\nabc\r\n0\r\n\r\n"


def test_a_request_that_no_service_matches_is_told_nothing_of_one() -> None:
    talk = Talk(explain=True)
    talk.client.says(post(envelope(), target=b"/nobody"))
    assert b"X-Soapgate" not in talk.client.heard()
    assert talk.last.sticky == "--R-"
