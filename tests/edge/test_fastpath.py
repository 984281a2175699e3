"""The short way of an ordinary exchange: it does what the story would do, or leaves it to it.

Every conversation here is held twice, with a gateway that may go the short way and with one that
never does, and compared: the bytes on both sides, the connections, the records of the log, the
metrics, the pins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from talk import CLIENT_MADE, PROFILE, Peer, Talk, envelope, ok, over, post

from soapgate.core.errors import StoreError
from soapgate.core.routing import Terms
from soapgate.core.shapes import PRICE, SIGHTINGS
from soapgate.edge import fastpath
from soapgate.edge.downstream import DownstreamTimes
from soapgate.edge.exchangelog import ExchangeRecord
from soapgate.edge.http11 import HeadLimits
from soapgate.edge.proxy import Exchange
from soapgate.stores.memory import MemoryStore

ORDINARY = post(envelope("mine"))
ANSWER = ok(envelope())
COOKIES = {
    "title": "Cookies",
    "about": "Beside the shop's header.",
    "lookup": ["cookie:sid"],
    "learn": ["cookie:sid"],
}

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


def warm(fast: bool = True, **options: Any) -> Talk:
    """A gateway that has seen all of the ordinary, with a pinned session on each backend."""
    profiles = options.pop("profiles", {"shop": CLIENT_MADE, "cookies": COOKIES})
    talk = Talk(profiles=profiles, fast=fast, **options)
    for shapes in (talk.service.request_shapes, talk.service.response_shapes):
        shapes._credit = 4 * PRICE  # as after a hundred exchanges
    for _ in range(SIGHTINGS + 1):
        for session in ("mine", "yours"):
            talk.serve(post(envelope(session)), ANSWER)
    talk.heard = talk.client.heard()  # type: ignore[attr-defined]
    return talk


def told(talk: Talk) -> dict[str, object]:
    """All that can be seen of a gateway."""
    talk.metrics.settle()
    metrics = {
        name: value
        for name, value in vars(talk.metrics).items()
        if name not in ("_registry", "store", "pools", "durations", "fast", "pids", "settle")
    }
    pins = talk.store._pins
    return {
        "client": (talk.client.wire.value(), talk.client.wire.ended),
        "backends": [(p.name, p.wire.value(), p.wire.ended) for p in talk._peers],
        "dials": talk.dials,
        "records": [_said(record) for record in talk.log.records],
        "metrics": metrics,
        "durations": {k: (d.total, d.counts) for k, d in talk.metrics.durations.items()},
        "events": talk.affinity.events,
        "pins": dict(pins),
        "members": [(m.inflight, m.up, m.admin) for m in talk.pool.members.values()],
        "flips": talk.flips,
        "state": (repr(talk.client.protocol), talk.client.protocol.deadline),
    }


def _said(record: ExchangeRecord) -> dict[str, object]:
    names = ExchangeRecord.__annotations__
    return {**{name: getattr(record, name) for name in names}, "told": record.sticky}


def waiting(talk: Talk) -> list[Peer]:
    """The backends' connections that have something to answer."""
    while talk.dials:
        talk.backend()
    return [p for p in talk._peers if len(p.wire.value()) > p.wire.taken and not p.wire.ended]


def answered(talk: Talk, response: bytes) -> None:
    """Whoever was asked answers, until nobody is asked any more."""
    for _ in range(4):
        for peer in waiting(talk):
            peer.heard()
            peer.says(response)


@pytest.fixture
def no_story(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From when it is called on, nothing may be told as a story."""

    async def story(self: Exchange, upstream: object = None) -> None:
        raise AssertionError("the long way")

    return lambda: monkeypatch.setattr(Exchange, "_story", story)


def both(play: Callable[[Talk], None], **options: Any) -> Iterator[Talk]:
    """Hold the conversation with either gateway; all that can be seen must be the same."""
    talks = []
    for fast in (True, False):
        talk = warm(fast, **options)
        play(talk)
        talks.append(talk)
    assert told(talks[0]) == told(talks[1])
    return iter(talks)


def drop_idle(talk: Talk) -> None:
    """The backends close what is idle."""
    for peer in talk._peers:
        if not peer.wire.ended:
            peer.closes()


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


@pytest.mark.parametrize("cut", [20, len(envelope("mine"))], ids=["in the body", "before it"])
def test_a_request_in_two_pieces_goes_the_short_way(cut: int, no_story: Callable[[], None]) -> None:
    talk = warm()
    no_story()
    talk.client.says(ORDINARY[:-cut])
    talk.reactor.advance(0.25)
    talk.serve(ORDINARY[-cut:], ANSWER)
    assert (talk.last.route, talk.last.status) == ("pinned", 200)
    assert talk.last.decided - talk.last.started == 0.25


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


def test_the_ordinary_goes_the_short_way(no_story: Callable[[], None]) -> None:
    talk = warm()
    no_story()
    for session in ("mine", "yours"):
        talk.serve(post(envelope(session)), ANSWER)
        assert talk.last.route == "pinned"
        assert talk.last.status == 200


def test_a_reply_that_shows_the_id_again_goes_the_short_way(no_story: Callable[[], None]) -> None:
    talk = warm(profiles={"shop": {**PROFILE, "bind": PROFILE["lookup"]}})
    echo = ok(envelope("mine"))
    for _ in range(SIGHTINGS + 1):
        talk.serve(ORDINARY, echo)
    no_story()
    talk.serve(ORDINARY, echo)
    assert (talk.last.status, talk.last.learned) == (200, 1)


def test_a_cookie_alone_goes_the_short_way(no_story: Callable[[], None]) -> None:
    profiles = {"shop": PROFILE, "cookies": COOKIES}
    talk = warm(profiles=profiles)
    request = post(envelope(), b"Cookie: sid=abc")
    for _ in range(SIGHTINGS + 1):
        talk.serve(request, ok(envelope(), b"Set-Cookie: sid=abc"))
    no_story()
    talk.serve(request, ANSWER)
    assert talk.last.route == "pinned"


def test_a_request_without_ids_goes_the_short_way(no_story: Callable[[], None]) -> None:
    talk = warm()
    for _ in range(2 * (SIGHTINGS + 1)):
        talk.serve(post(envelope()), ANSWER)
    no_story()
    backends = {talk.serve(post(envelope()), ANSWER).name for _ in range(2)}
    assert backends == {"b1", "b2"}
    assert (talk.last.route, talk.last.reason, talk.last.status) == ("balanced", "no-id", 200)


def test_several_ids_of_one_session_go_the_short_way(no_story: Callable[[], None]) -> None:
    talk = warm()
    request = post(envelope("mine"), b"Cookie: sid=abc")
    for _ in range(SIGHTINGS + 1):
        talk.serve(request, ok(envelope(), b"Set-Cookie: sid=abc"))
    no_story()
    talk.serve(request, ANSWER)
    assert (talk.last.route, talk.last.profile, talk.last.status) == ("pinned", "shop", 200)


@pytest.mark.parametrize(
    "policy", ["round_robin", "weighted_round_robin", "least_requests", "hash"]
)
def test_both_ways_ask_a_policy_once(policy: str) -> None:
    def play(talk: Talk) -> None:
        for n in range(8):
            talk.client.says(post(envelope()))
            answered(talk, ANSWER)
            if n == 3:
                drop_idle(talk)

    fast, _ = both(play, policy=policy)
    assert over(fast) == []


@pytest.mark.parametrize("shown", [b"http://10.0.0.1/", b"nothing"])
def test_both_ways_see_a_leak_in_the_answer_to_a_request_without_ids(shown: bytes) -> None:
    def play(talk: Talk) -> None:
        for _ in range(2 * (SIGHTINGS + 1)):
            talk.client.says(post(envelope()))
            answered(talk, ok(envelope("", f"<s:at>{shown.decode()}</s:at>")))

    fast, _ = both(play, addresses={})
    assert bool(fast.metrics.leaks) is (b"http" in shown)


def test_a_store_that_fails_is_met_by_the_story() -> None:
    class Broken(MemoryStore):
        def glance(self, key: bytes) -> Any:
            if self.broken:
                raise StoreError("gone")
            return super().glance(key)

        async def lookup(self, key: bytes) -> Any:
            return self.glance(key)

        broken = False

    talk = warm(store=Broken(secret=b"s" * 32))
    talk.store.broken = True
    talk.client.says(ORDINARY)
    assert b" 503 " in talk.client.heard()
    assert (talk.last.route, talk.last.service) == ("refused", "shop")
    assert over(talk) == []


def broken(*arguments: object) -> None:
    raise ZeroDivisionError


def test_a_defect_before_anything_was_done_costs_nothing(
    monkeypatch: pytest.MonkeyPatch, said: Any
) -> None:
    talk = warm()
    with monkeypatch.context() as patched:
        patched.setattr(talk.front.short, "seconds", broken)
        talk.client.says(ORDINARY)
        answered(talk, ANSWER)
    assert b" 200 " in talk.client.heard()
    assert over(talk) == []


@pytest.mark.parametrize("name", ["send_message", "_calm", "send"])
def test_a_defect_on_the_short_way_costs_one_exchange(
    name: str, monkeypatch: pytest.MonkeyPatch, said: Any
) -> None:
    talk = warm()
    for dialer in talk.dialers.values():  # what is known of the heads, but not the heads
        for known in dialer.known._known.values():
            known.head.notes.clear()
    with monkeypatch.context() as patched:
        patched.setattr(fastpath, name, broken)
        talk.client.says(ORDINARY)
        answered(talk, ANSWER)
    if name == "send":  # the answer was on its way
        assert talk.client.wire.ended == "aborted"
    else:
        assert b" 500 " in talk.client.heard()
        assert talk.last.route == "refused"
    talk.serve(ORDINARY, ANSWER, talk.connect())
    assert talk.last.status == 200
    assert over(talk) == []
