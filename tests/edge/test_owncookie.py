"""The gateway's own cookie in exchanges: when it is set, where it leads, what a backend sees."""

from __future__ import annotations

import pytest
from talk import CLIENT_MADE, PROFILE, Talk, envelope, head_of, ok, over, post

from soapgate.core.affinitycookie import AffinityCookie
from soapgate.core.routing import Terms

SECRET = b"s" * 32


def gate(**options):
    return Talk(cookie=AffinityCookie("GATE", SECRET, "shop", 3600.0), **options)


def set_cookie(heard):
    lines = [one for one in head_of(heard).split(b"\r\n") if one.startswith(b"Set-Cookie: GATE=")]
    return lines[0].partition(b": ")[2].partition(b";")[0] if lines else None


def first(talk, request=None):
    """The cookie that a first exchange sets, and the backend it went to."""
    peer = talk.serve(request or post(envelope()), ok(envelope()))
    return set_cookie(talk.client.heard()), peer.name


def test_an_exchange_without_any_id_gets_it_and_it_leads_back():
    talk = gate()
    cookie, name = first(talk)
    for _ in range(4):
        assert talk.serve(post(envelope(), b"Cookie: " + cookie), ok(envelope())).name == name
        assert talk.last.route == "pinned"
        assert talk.last.profile == "affinity-cookie"
        assert set_cookie(talk.client.heard()) is None
    other, elsewhere = first(talk)
    assert elsewhere != name
    assert other != cookie
    assert talk.store._pins == {}


def test_the_backend_never_sees_it():
    talk = gate()
    cookie, _ = first(talk)
    for fields, left in (
        (b"Cookie: " + cookie, None),
        (b"Cookie: a=1; " + cookie + b"; b=2", b"Cookie: a=1; b=2"),
    ):
        talk.client.says(post(envelope(), fields))
        peer = talk.asked()
        lines = head_of(peer.heard()).split(b"\r\n")
        assert [one for one in lines if one.startswith(b"Cookie")] == ([left] if left else [])
        peer.says(ok())


@pytest.mark.parametrize("what", ["known", "unknown", "learnt"])
def test_an_exchange_with_any_other_id_gets_none(what):
    talk = gate()
    if what == "learnt":
        talk.serve(post(envelope()), ok(envelope("s1")))
    if what == "known":
        talk.serve(post(envelope()), ok(envelope("s1")))
        talk.client.heard()
        talk.serve(post(envelope("s1")), ok())
    if what == "unknown":
        talk.serve(post(envelope("nobody")), ok())
    assert set_cookie(talk.client.heard()) is None


def test_every_session_id_goes_before_it():
    talk = gate()
    cookie, name = first(talk)
    other = talk.serve(post(envelope()), ok(envelope("s1"))).name
    assert other != name
    assert talk.serve(post(envelope("s1"), b"Cookie: " + cookie), ok()).name == other
    assert talk.last.conflicts == 1


def test_a_new_client_made_id_is_bound_where_the_cookie_leads():
    talk = gate(profiles={"shop": CLIENT_MADE})
    cookie, name = first(talk)
    assert talk.serve(post(envelope("mine"), b"Cookie: " + cookie), ok()).name == name
    assert talk.serve(post(envelope("mine")), ok()).name == name
    assert talk.last.profile == "shop"


def test_an_id_learnt_under_the_cookie_is_a_session_of_its_own():
    talk = gate()
    cookie, name = first(talk)
    talk.serve(post(envelope(), b"Cookie: " + cookie), ok(envelope("s1")))
    assert talk.serve(post(envelope("s1")), ok()).name == name


@pytest.mark.parametrize("value", [b"forged", b"A" * 38])
def test_a_forged_one_is_ignored_counted_and_replaced(value):
    talk = gate()
    talk.serve(post(envelope(), b"Cookie: GATE=" + value), ok())
    assert talk.last.reason == "no-id"
    assert talk.metrics.foreign_cookies == 1
    assert set_cookie(talk.client.heard()) is not None


def test_when_its_time_is_over_a_new_one_is_set():
    talk = gate()
    cookie, _ = first(talk)
    talk.reactor.advance(3601.0)
    talk.client = talk.connect()
    talk.serve(post(envelope(), b"Cookie: " + cookie), ok())
    assert talk.last.reason == "no-id"
    assert set_cookie(talk.client.heard()) not in (None, cookie)


def test_strict_refuses_when_its_backend_is_gone():
    talk = gate()
    cookie, name = first(talk)
    talk.pool.members[name].admin = "maint"
    talk.client.says(post(envelope(), b"Cookie: " + cookie))
    assert b"SessionLost" in talk.client.heard()
    assert talk.last.reason == "session-lost"


def test_redispatch_sets_one_for_the_new_backend():
    talk = gate(terms=Terms(lost="redispatch"))
    cookie, name = first(talk)
    talk.pool.members[name].admin = "maint"
    other = talk.serve(post(envelope(), b"Cookie: " + cookie), ok()).name
    assert other != name
    assert (talk.last.route, talk.last.reason) == ("redispatched", "maint")
    renewed = set_cookie(talk.client.heard())
    talk.pool.members[name].admin = "ready"
    assert talk.serve(post(envelope(), b"Cookie: " + renewed), ok()).name == other
    assert talk.store._pins == {}


def test_without_being_told_so_a_gateway_sets_no_cookie():
    talk = Talk(profiles={"shop": PROFILE})
    talk.serve(post(envelope()), ok(envelope()))
    assert b"Set-Cookie" not in talk.client.heard()
    assert over(talk) == []
