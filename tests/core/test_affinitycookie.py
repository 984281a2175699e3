"""The gateway's own cookie: what it says, who believes it, and what a backend sees of it."""

from __future__ import annotations

from base64 import urlsafe_b64decode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soapgate.core.affinitycookie import PROFILE, AffinityCookie
from soapgate.core.pool import Backend, Pool
from soapgate.core.routing import Route, Terms, route

SECRET = b"s" * 32
NOW = 1_700_000_000.0
COOKIE = AffinityCookie("GATE", SECRET, "shop", 3600.0)
NAMES = ("b1", "b2")


def token(cookie=COOKIE, backend="b1", now=NOW):
    line = cookie.issue(backend, now, secure=False).decode()
    return line.partition("=")[2].partition(";")[0]


def read(value, cookie=COOKIE, name="GATE"):
    return cookie.read([f"{name}={value}".encode()])


def backend_of(value, cookie=COOKIE, now=NOW, names=NAMES):
    identity = cookie.identity(read(value, cookie)[0], names, now)
    return identity.pin.backend if identity else None


@pytest.mark.parametrize("secure", [True, False])
def test_it_is_set_for_the_whole_host_and_out_of_reach_of_scripts(secure):
    line = COOKIE.issue("b1", NOW, secure=secure).decode()
    name, *attributes = line.removesuffix("\r\n").split("; ")
    assert name.startswith("Set-Cookie: GATE=")
    wanted = ["Path=/", "Max-Age=3600", "HttpOnly", "SameSite=Lax"]
    assert attributes == wanted + ["Secure"] * secure


def test_it_leads_to_its_backend_until_it_is_over():
    value = token(backend="b2")
    assert backend_of(value) == "b2"
    assert backend_of(value, now=NOW + 3599) == "b2"
    assert backend_of(value, now=NOW + 3600) is None


def test_it_shows_no_backend_in_clear():
    name = "backend-with-a-long-name"
    value = token(backend=name)
    assert len(value) == 38
    assert name.encode() not in urlsafe_b64decode(value + "==")


@pytest.mark.parametrize(
    "other",
    [
        AffinityCookie("GATE", b"t" * 32, "shop", 3600.0),
        AffinityCookie("GATE", SECRET, "cart", 3600.0),
        AffinityCookie("GATES", SECRET, "hop", 3600.0),
    ],
    ids=["another installation", "another scope", "another cookie"],
)
def test_a_token_of_somebody_else_is_ignored_and_counted(other):
    assert read(token(other)) == (None, 1)


@settings(deadline=None)
@given(st.integers(0, 37), st.sampled_from("AQZaz09_-"))
def test_a_token_that_was_changed_anywhere_is_ignored_and_counted(place, letter):
    value = token()
    forged = value[:place] + letter + value[place + 1 :]
    # the last character has two bits that stand for nothing
    if urlsafe_b64decode(forged + "==") != urlsafe_b64decode(value + "=="):
        assert read(forged) == (None, 1)


@pytest.mark.parametrize("value", ["", "x", "b1", "é", "A" * 37, "A" * 39, "A" * 38])
def test_anything_else_of_its_name_is_ignored_and_counted(value):
    assert read(value) == (None, 1)


def test_the_first_that_is_ours_counts():
    fields = [f"GATE=nonsense; GATE={token()}; GATE={token(backend='b2')}".encode()]
    claim, foreign = COOKIE.read(fields)
    assert COOKIE.identity(claim, NAMES, NOW).pin.backend == "b1"
    assert foreign == 1


def test_it_may_come_in_quotes():
    assert backend_of(f'"{token()}"') == "b1"


def test_a_cookie_of_another_name_is_none_of_ours():
    assert read(token(), name="gate") == (None, 0)


def test_it_stands_in_no_store_and_makes_up_no_id():
    identity = COOKIE.identity(read(token())[0], NAMES, NOW)
    assert (identity.profile, identity.primary, identity.bindable) == (PROFILE, b"", False)


@pytest.mark.parametrize(
    ("lost", "kind"), [("strict", "session-lost"), ("redispatch", "redispatched")]
)
def test_a_backend_that_left_the_pool_is_lost_as_the_service_says(lost, kind):
    pool = Pool("shop", [Backend.parse("b2", "http://b2")])
    identity = COOKIE.identity(read(token(backend="b1"))[0], pool.members, NOW)
    answer = route(Terms(lost=lost), [identity], pool)
    assert (answer.kind if isinstance(answer, Route) else str(answer.reason)) == kind


# What the backend sees

VALUE = token()
HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n%bAccept: */*\r\n"


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("Cookie: GATE={}", ""),
        ("cookie:GATE={}", ""),
        ("Cookie: GATE={}; a=1", "Cookie: a=1"),
        ("Cookie: a=1; GATE={}; b=2", "Cookie: a=1; b=2"),
        ("Cookie: a=1; GATE={};", "Cookie: a=1"),
        ("Cookie: a=1;GATE={};b=2", "Cookie: a=1;b=2"),
        ('Cookie: a="x; GATE=1"; GATE="{}"', 'Cookie: a="x; GATE=1"'),
        ('Cookie: $Version="1"; GATE={}; $Path=/', ""),
        (
            'Cookie: $Version=1; a=1; $Path="/"; GATE={}; $Path=/',
            'Cookie: $Version=1; a=1; $Path="/"',
        ),
        ("Cookie: GATE=forged; a=1", "Cookie: a=1"),
        ("Cookie: GATES={}; XGATE=1", "Cookie: GATES={}; XGATE=1"),
        ("Cookie: a=1; b", "Cookie: a=1; b"),
        ("Cookie:", "Cookie:"),
        ('Cookie: a="open; GATE={}', 'Cookie: a="open'),
        ('Cookie: a=x"y; GATE={}; b="', 'Cookie: a=x"y; b="'),
    ],
)
def test_the_backend_never_sees_it_and_sees_all_others_as_they_were(line, left):
    lines = {text: text.format(VALUE).encode() + b"\r\n" if text else b"" for text in (line, left)}
    assert COOKIE.without(HEAD % lines[line]) == HEAD % lines[left]


def test_every_line_of_cookies_is_looked_at():
    both = b"Cookie: GATE=%b\r\nX: 1\r\nCookie: GATE=1; b=2\r\n" % VALUE.encode()
    assert COOKIE.without(HEAD % both) == HEAD % b"X: 1\r\nCookie: b=2\r\n"


@settings(deadline=None)
@given(st.text(alphabet='GATE=;" $ab\t,'))
def test_what_it_takes_out_cannot_be_read_again(text):
    cleaned = COOKIE.without(HEAD % f"Cookie: {text}\r\n".encode())
    left = [line[7:] for line in cleaned.split(b"\r\n") if line.startswith(b"Cookie:")]
    assert COOKIE.read(left) == (None, 0)
    assert cleaned.startswith(b"POST / HTTP/1.1\r\nHost: a\r\n")
    assert cleaned.endswith(b"Accept: */*\r\n")
    assert COOKIE.without(cleaned) == cleaned
