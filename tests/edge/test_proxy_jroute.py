"""GlassFish and Metro hear which instance a request was sent to, and tell a session that moved.

`Node` does what their servers do with the field (Metro's HttpAdapter and its connections,
GlassFish's connector): the cookie JROUTE names who served last, the field who serves now.
"""

from __future__ import annotations

import pytest
from talk import PROFILE, Peer, Talk, body_of, envelope, head_of, ok, over, post

from soapgate.core.routing import Terms

COOKIE = {"title": "C", "about": "A cookie.", "lookup": ["cookie:S"], "learn": ["cookie:S"]}
MOVES = Terms(lost="redispatch")


def fields(head: bytes, name: bytes) -> list[bytes]:
    lines = [line.partition(b": ") for line in head_of(head).split(b"\r\n")]
    return [value for one, _, value in lines if one.lower() == name]


class Node:
    """The instances: what one says to a request, and whether it takes its session for moved."""

    def __init__(self) -> None:
        self.failed_over: list[bool] = []

    def answer(self, request: bytes) -> bytes:
        (now,) = fields(request, b"proxy-jroute") or [b""]
        said = [
            one.partition(b"=") for line in fields(request, b"cookie") for one in line.split(b"; ")
        ]
        last = next((value for name, _, value in said if name == b"JROUTE"), b"")
        self.failed_over.append(bool(now and last and now != last))
        return (
            ok(envelope(), b"Set-Cookie: JROUTE=" + now) if now and now != last else ok(envelope())
        )


class Browser:
    """A client that keeps cookies, with a session."""

    def __init__(self, talk: Talk, node: Node) -> None:
        self.talk = talk
        self.node = node
        self.cookies = {b"S": b"s-1"}

    def asks(self) -> tuple[str, bytes]:
        """(the backend that answered, the head it was asked with)."""
        said = b"; ".join(b"%b=%b" % pair for pair in self.cookies.items())
        self.talk.client.says(post(envelope(), b"Cookie: " + said))
        peer = self.talk.asked()
        request = peer.heard()
        peer.says(self.node.answer(request))
        for line in fields(self.talk.client.heard(), b"set-cookie"):
            name, _, value = line.partition(b"=")
            self.cookies[name] = value
        return peer.name, request


@pytest.fixture
def talk() -> Talk:
    talk = Talk(profiles={"c": COOKIE}, terms=MOVES, jroute=True)
    talk.serve(post(envelope()), ok(b"", b"Set-Cookie: S=s-1"))
    talk.client.heard()
    return talk


def leave(talk: Talk, name: str) -> None:
    """This backend is gone for the time being."""
    for member in talk.pool.members.values():
        member.admin = "maint" if member.name == name else "ready"


def test_each_backend_is_told_its_own_name(talk: Talk) -> None:
    browser = Browser(talk, Node())
    for _ in range(3):  # on a kept connection too, with all known
        name, request = browser.asks()
        assert (name, fields(request, b"proxy-jroute")) == ("b1", [b"b1"])
    assert browser.cookies[b"JROUTE"] == b"b1"
    talk.client.says(post(envelope()))  # no session: it is the other's turn
    assert fields(talk.asked().heard(), b"proxy-jroute") == [b"b2"]


def test_a_session_that_moves_is_taken_for_moved_and_then_for_at_home(talk: Talk) -> None:
    node = Node()
    browser = Browser(talk, node)
    met = [browser.asks()[0] for _ in range(2)]
    leave(talk, "b1")
    name, request = browser.asks()
    assert (name, talk.last.route) == ("b2", "redispatched")
    assert fields(request, b"x-soapgate-redispatched") == [b"1"]
    met += [browser.asks()[0] for _ in range(2)]
    leave(talk, "b2")
    met += [browser.asks()[0] for _ in range(2)]
    assert met == ["b1", "b1", "b2", "b2", "b1", "b1"]
    assert node.failed_over == [False, False, True, False, False, True, False]
    assert over(talk) == []


def test_a_try_elsewhere_names_the_one_that_is_tried() -> None:
    talk = Talk(jroute=True)
    talk.client.says(post(envelope()))
    assert talk.refuse() == "b1"
    assert fields(talk.backend("b2").heard(), b"proxy-jroute") == [b"b2"]


def test_nobody_is_told_unless_the_service_says_so() -> None:
    talk = Talk(terms=MOVES)
    talk.serve(post(envelope()), ok(envelope("s-1"), b"Connection: close"))
    talk.client.says(post(envelope("s-1"), b"Cookie: JROUTE=b1"))
    assert [talk.refuse(), talk.refuse()] == ["b1", "b1"]
    request = talk.backend("b2").heard()
    assert fields(request, b"x-soapgate-redispatched") == [b"1"]
    assert fields(request, b"proxy-jroute") == []


@pytest.mark.parametrize("jroute", [False, True])
@pytest.mark.parametrize("name", [b"proxy-jroute", b"Proxy-JRoute"])
def test_a_client_cannot_say_where_its_request_was_sent(jroute: bool, name: bytes) -> None:
    talk = Talk(jroute=jroute)
    for _ in range(3):  # the last by a known head, where it may go the short way
        talk.client.says(post(envelope(), name + b": b9", b"X: y"))
        backend: Peer = talk.asked()
        request = backend.heard()
        assert fields(request, b"proxy-jroute") == ([backend.name.encode()] if jroute else [])
        assert fields(request, b"x") == [b"y"]
        backend.says(ok(b"hi"))
        assert body_of(talk.client.heard()) == b"hi"


def test_the_other_lines_of_a_request_are_the_same() -> None:
    heard = []
    for jroute in (False, True):
        talk = Talk(profiles={"shop": PROFILE}, jroute=jroute)
        talk.client.says(post(envelope(), b"SOAPAction: x"))
        heard.append(talk.asked().heard())
    assert heard[1].replace(b"proxy-jroute: b1\r\n", b"", 1) == heard[0]
