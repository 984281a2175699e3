"""The short way of an ordinary exchange: it does what the story would do, or leaves it to it.

Every conversation here is held twice, with a gateway that may go the short way and with one that
never does, and compared: the bytes on both sides, the connections, the records of the log, the
metrics, the pins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from talk import Talk, envelope, ok, over, post
from twice import ANSWER, ORDINARY, answered, both, drop_idle, waiting

from soapgate.core.routing import Terms
from soapgate.edge.downstream import DownstreamTimes
from soapgate.edge.http11 import HeadLimits

REQUESTS = {
    "ordinary": ORDINARY,
    "another pinned id": post(envelope("yours")),
    "an unknown id": post(envelope("new")),
    "no id": post(envelope()),
    "a long body": post(envelope("mine", "<s:add>" + "<s:item>1</s:item>" * 900 + "</s:add>")),
    "another operation": post(envelope("mine", "<s:list/>")),
    "an end": post(envelope("mine", "<s:logout/>")),
    "a cookie as well": post(envelope("mine"), b"Cookie: sid=abc"),
    "only a cookie": post(envelope(), b"Cookie: sid=abc"),
    "two ids": post(envelope("mine", extra='<s:Session id="yours"/>')),
    "an over-long id": post(envelope("m" * 5000)),
    "an entity": post(envelope("mine&amp;yours")),
    "an ill-formed Header": post(envelope("mine").replace(b"/></e:Header>", b"></e:Header>")),
    "a DOCTYPE": post(b"<!DOCTYPE e>" + envelope("mine")),
    "no body": post(),
    "not XML": post(b"hello"),
    "another media type": post(envelope("mine")).replace(b"text/xml", b"text/csv"),
    "UTF-16": post(envelope("mine").decode().encode("utf-16")).replace(b"utf-8", b"utf-16"),
    "Fast Infoset offered": post(envelope("mine"), b"Accept: text/xml, application/fastinfoset"),
    "Expect": post(envelope("mine"), b"Expect: 100-continue"),
    "Connection: close": post(envelope("mine"), b"Connection: close"),
    "HTTP/1.0": post(envelope("mine")).replace(b"HTTP/1.1", b"HTTP/1.0"),
    "HTTP/1.0, kept": post(envelope("mine"), b"Connection: keep-alive").replace(b"1.1", b"1.0", 1),
    "HEAD": post(envelope("mine")).replace(b"POST", b"HEAD"),
    "PUT": post(envelope("mine")).replace(b"POST", b"PUT"),
    "nobody's": post(envelope("mine"), target=b"/nobody"),
    "two in one read": ORDINARY + post(envelope("yours")),
    "an empty line before": b"\r\n" + ORDINARY,
    "surplus": ORDINARY + b"GET /sho",
}

_CHUNKED = ANSWER.replace(
    b"Content-Length: %d\r\n\r\n%b" % (len(envelope()), envelope()),
    b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(envelope()), envelope()),
)
RESPONSES = {
    "ordinary": ANSWER,
    "an echo of the id": ok(envelope("mine")),
    "a new id": ok(envelope("other")),
    "an id in the Body": ok(
        envelope("", "<s:loginResponse><s:sessionId>n1</s:sessionId></s:loginResponse>")
    ),
    "a cookie": ok(envelope(), b"Set-Cookie: sid=xyz; Path=/"),
    "a cookie taken back": ok(envelope(), b"Set-Cookie: sid=; Max-Age=0"),
    "a fault": ok(
        envelope("", "<e:Fault><faultcode>e:Server</faultcode><faultstring/></e:Fault>"),
        status=b"500 Internal Server Error",
    ),
    "502 in an envelope": ok(envelope(), status=b"502 Bad Gateway"),
    "503 of a proxy": ok(b"sorry", status=b"503 Service Unavailable"),
    "404": ok(b"no", status=b"404 Not Found"),
    "202 and nothing": ok(status=b"202 Accepted"),
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "304": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
    "not XML": ok(b"<<<"),
    "a DOCTYPE": ok(b"<!DOCTYPE e>" + envelope()),
    "another media type": ok(envelope()).replace(b"text/xml", b"image/png"),
    "chunked": _CHUNKED,
    "without a length": ANSWER.replace(b"Content-Length: %d\r\n" % len(envelope()), b""),
    "Connection: close": ok(envelope(), b"Connection: close"),
    "HTTP/1.0": ANSWER.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "HTTP/1.0, kept": ok(envelope(), b"Connection: keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0"),
    "100 before": b"HTTP/1.1 100 Continue\r\n\r\n" + ANSWER,
    "103 before": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ANSWER,
    "surplus": ANSWER + b"more",
    "no HTTP": b"SMTP ready\r\n\r\n",
}


@pytest.mark.parametrize("response", RESPONSES.values(), ids=RESPONSES)
@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_both_ways_say_the_same(request_: bytes, response: bytes) -> None:
    def play(talk: Talk) -> None:
        talk.client.says(request_)
        answered(talk, response)
        if not talk.client.wire.ended:  # and the connection is as good as before
            talk.client.says(ORDINARY)
            answered(talk, ANSWER)
        talk.passes(70)

    fast, _ = both(play)
    assert over(fast) == []


@pytest.mark.parametrize("response", [ANSWER, _CHUNKED], ids=["a length", "chunks"])
def test_both_ways_say_the_same_at_every_split(response: bytes) -> None:
    for cut in range(1, len(ORDINARY), 7):
        at = min(cut, len(response) - 1)

        def play(talk: Talk, cut: int = cut, at: int = at) -> None:
            talk.client.says(ORDINARY[:cut])
            talk.client.says(ORDINARY[cut:])
            (peer,) = waiting(talk)
            peer.heard()
            peer.says(response[:at])
            peer.says(response[at:])
            talk.client.says(ORDINARY)
            answered(talk, ANSWER)

        both(play)


def _client_leaves(talk: Talk) -> None:
    talk.client.closes()


def _backend_closes(talk: Talk) -> None:
    waiting(talk)[0].closes()


def _backend_breaks(talk: Talk) -> None:
    waiting(talk)[0].breaks()


def _half_an_answer(talk: Talk) -> None:
    (peer,) = waiting(talk)
    peer.says(ANSWER[:-5])
    peer.closes()


def _nothing_for_long(talk: Talk) -> None:
    talk.passes(100)


def _maint(talk: Talk) -> None:
    for member in talk.pool.members.values():
        member.admin = "maint"
    answered(talk, ANSWER)


def _the_gateway_ends(talk: Talk) -> None:
    talk.front.drain(lambda: None)
    answered(talk, ANSWER)


def _another_speaks_first(talk: Talk) -> None:
    talk.client.says(ORDINARY)  # ahead of its answer
    answered(talk, ANSWER)


EVENTS = (
    *(_client_leaves, _backend_closes, _backend_breaks, _half_an_answer, _nothing_for_long),
    *(_maint, _the_gateway_ends, _another_speaks_first),
)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__.strip("_"))
@pytest.mark.parametrize("idempotent", [False, True], ids=["once", "idempotent"])
def test_both_ways_meet_the_same_end(event: Callable[[Talk], None], idempotent: bool) -> None:
    def play(talk: Talk) -> None:
        talk.client.says(ORDINARY)
        event(talk)
        answered(talk, ANSWER)
        talk.passes(70)

    fast, _ = both(play, idempotent=frozenset(("",) if idempotent else ()))
    assert over(fast) == []


def _the_rest_comes(talk: Talk) -> None:
    talk.client.says(ORDINARY[-20:])


def _the_rest_comes_late(talk: Talk) -> None:
    talk.passes(5)
    talk.client.says(ORDINARY[-20:])


def _more_than_the_rest_comes(talk: Talk) -> None:
    talk.client.says(ORDINARY[-20:] + post(envelope("yours")))


def _it_comes_bit_by_bit(talk: Talk) -> None:
    for byte in ORDINARY[-20:]:
        talk.client.says(bytes((byte,)))


def _the_client_says_no_more(talk: Talk) -> None:
    talk.client.protocol.readConnectionLost()


def _other_limits(talk: Talk) -> None:
    talk.front.use(DownstreamTimes(), HeadLimits(), 0)
    talk.client.says(ORDINARY[-20:])


def _the_gateway_ends_before(talk: Talk) -> None:
    talk.front.drain(lambda: None)
    talk.client.says(ORDINARY[-20:])


HALVES = (
    *(_the_rest_comes, _the_rest_comes_late, _more_than_the_rest_comes, _it_comes_bit_by_bit),
    *(_the_client_says_no_more, _client_leaves, _nothing_for_long, _other_limits),
    _the_gateway_ends_before,
)


def test_a_client_that_waits_to_be_asked_for_its_body_is_asked_at_once() -> None:
    waits = post(envelope("mine"), b"Expect: 100-continue")
    head = waits[: waits.index(b"\r\n\r\n") + 4]

    def play(talk: Talk) -> None:
        for _ in range(3):
            talk.client.heard()
            talk.client.says(head)
            assert talk.client.heard().startswith(b"HTTP/1.1 100 ")
            talk.client.says(envelope("mine"))
            answered(talk, ANSWER)

    both(play)


@pytest.mark.parametrize("event", HALVES, ids=lambda event: event.__name__.strip("_"))
@pytest.mark.parametrize("times", [DownstreamTimes(), DownstreamTimes(exchange=3.0)])
def test_both_ways_go_on_from_half_a_request(
    event: Callable[[Talk], None], times: DownstreamTimes
) -> None:
    def play(talk: Talk) -> None:
        talk.client.says(ORDINARY[:-20])
        event(talk)
        answered(talk, ANSWER)
        talk.passes(70)
        if event in (_the_rest_comes_late, _nothing_for_long):
            for name in ("decided", "dialled", "connected"):  # it was waited for a moment
                setattr(talk.last, name, 0.0)

    fast, _ = both(play, times=times)
    assert over(fast) == []


def _set(name: str, value: Any) -> Callable[[Talk], None]:
    def change(talk: Talk) -> None:
        for member in talk.pool.members.values():
            setattr(member, name, value)

    change.__name__ = f"{name}={value}"
    return change


def _down(talk: Talk) -> None:
    member = next(iter(talk.pool.members.values()))
    while not member.mark(False):
        pass


def _one_bad_mark(talk: Talk) -> None:
    for member in talk.pool.members.values():
        member.mark(False)


def _an_hour_later(talk: Talk) -> None:
    talk.reactor.advance(3600)


def _some_minutes_later(talk: Talk) -> None:
    talk.reactor.advance(300)


def _forgotten(talk: Talk) -> None:
    talk.store._pins.clear()


def _other_tables(talk: Talk) -> None:
    talk.desk.tables = object()


STATES = (
    *(_set("admin", "drain"), _set("admin", "maint"), _down, _one_bad_mark, drop_idle),
    *(_an_hour_later, _some_minutes_later, _forgotten, _other_tables),
)


@pytest.mark.parametrize("lost", ["strict", "redispatch"])
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__.strip("_"))
def test_both_ways_find_the_same_state(state: Callable[[Talk], None], lost: Any) -> None:
    def play(talk: Talk) -> None:
        state(talk)
        talk.client.says(ORDINARY)
        answered(talk, ANSWER)

    both(play, terms=Terms(lost=lost))


def test_both_ways_wait_for_a_full_backend() -> None:
    def play(talk: Talk) -> None:
        other = talk.connect()
        talk.client.says(ORDINARY)
        other.says(ORDINARY)
        answered(talk, ANSWER)
        talk.passes(1)

    both(play, maxconn=1)


def test_both_ways_hold_a_service_to_its_bound() -> None:
    def play(talk: Talk) -> None:
        talk.client.says(REQUESTS["a long body"])
        answered(talk, ANSWER)

    both(play, max_body=1000)
