"""Exchanges that go wrong: dead backends, clients that leave, time-outs, full backends."""

from __future__ import annotations

import pytest
from talk import CLIENT_MADE, Talk, body_of, envelope, ok, post
from twisted.internet.defer import Deferred

from soapgate.core.errors import StoreError
from soapgate.core.pins import Pin
from soapgate.core.pool import Health
from soapgate.core.routing import Terms
from soapgate.edge.downstream import DownstreamTimes
from soapgate.edge.upstream import UpstreamTimes
from soapgate.stores.memory import MemoryStore


def test_a_client_that_leaves_is_not_a_backend_failure() -> None:
    talk = Talk(health=Health(fall=1))
    talk.client.says(post(envelope()))
    backend = talk.backend("b1")
    talk.client.closes()
    assert talk.pool.members["b1"].up
    assert talk.pool.members["b1"].inflight == 0
    assert backend.wire.ended == "aborted"
    assert talk.metrics.clients_left == 1


def test_a_client_that_leaves_while_its_backend_is_dialled_wastes_no_connection() -> None:
    talk = Talk()
    talk.client.says(post(envelope()))
    talk.client.closes()
    talk.backend("b1")
    assert len(talk.dialers["b1"].idle) == 1


def test_a_pin_survives_the_client_that_left_after_learning() -> None:
    talk = Talk()
    talk.client.says(post(envelope()))
    backend = talk.backend()
    response = ok(envelope("s-1"), b"X: y").replace(b"Content-Length: ", b"Content-Length: 9")
    backend.says(response)
    talk.client.breaks()
    assert len(talk.store._pins) == 1


def test_a_dead_backend_passes_an_unpinned_request_to_another() -> None:
    talk = Talk()
    talk.client.says(post(envelope()))
    assert talk.refuse() == "b1"
    backend = talk.backend("b2")
    assert body_of(backend.heard()) == envelope()
    backend.says(ok(b"hi"))
    assert talk.last.tries == 2


def test_a_first_message_may_move_if_no_byte_of_it_reached_a_backend() -> None:
    talk = Talk(profiles={"shop": CLIENT_MADE})
    talk.client.says(post(envelope("mine")))
    assert talk.refuse() == "b1"
    backend = talk.backend("b2")
    assert b"Redispatched" not in backend.heard()
    backend.says(ok(b"hi"))
    talk.serve(post(envelope("mine")), ok(b"hi"))
    assert (talk.last.route, talk.last.backend) == ("pinned", "b2")


def test_a_strict_service_answers_a_lost_session_with_a_fault() -> None:
    talk = Talk()
    talk.serve(post(envelope()), ok(envelope("s-1"), b"Connection: close"))
    talk.client.says(post(envelope("s-1")))
    assert [talk.refuse(), talk.refuse()] == ["b1", "b1"]
    heard = talk.client.heard()
    assert b"HTTP/1.1 503 " in heard
    assert b"SessionLost" in heard
    assert (talk.last.route, talk.last.reason) == ("refused", "session-lost")
    assert len(talk.store._pins) == 1
    # and a new session works at once
    talk.client.says(post(envelope()))
    assert talk.backend("b2").heard()


def test_a_redispatching_service_moves_a_lost_session_and_tells_the_backend() -> None:
    talk = Talk(terms=Terms(lost="redispatch"))
    talk.serve(post(envelope()), ok(envelope("s-1"), b"Connection: close"))
    talk.client.says(post(envelope("s-1")))
    assert [talk.refuse(), talk.refuse()] == ["b1", "b1"]
    backend = talk.backend("b2")
    assert b"\r\nX-Soapgate-Redispatched: " in backend.heard()
    backend.says(ok(envelope("s-1")))
    assert talk.last.route == "redispatched"
    talk.serve(post(envelope("s-1")), ok(b"hi"))
    assert (talk.last.route, talk.last.backend) == ("pinned", "b2")


def test_a_client_cannot_say_that_its_session_moved() -> None:
    talk = Talk()
    talk.client.says(post(envelope(), b"X-Soapgate-Redispatched: 1"))
    assert b"Redispatched" not in talk.backend().heard()


def test_with_no_backend_left_the_answer_is_a_fault() -> None:
    talk = Talk()
    talk.client.says(post(envelope()))
    assert {talk.refuse(), talk.refuse()} == {"b1", "b2"}
    assert b"NoBackend" in talk.client.heard()
    assert talk.client.wire.ended == ""


def test_sent_twice_only_if_no_byte_had_reached_a_backend() -> None:
    talk = Talk()
    idle = talk.serve(post(envelope()), ok(b"hi"))
    talk.pool.members["b2"].admin = "maint"
    talk.client.says(post(envelope()))
    assert idle.heard()
    idle.closes()
    assert not talk.dials
    assert b"HTTP/1.1 502 " in talk.client.heard()
    assert talk.last.reason == "upstream-broken"


def test_an_idempotent_action_is_sent_again_on_a_new_connection() -> None:
    talk = Talk(idempotent=frozenset(["urn:example:GetPrice"]))
    talk.pool.members["b2"].admin = "maint"
    idle = talk.serve(post(envelope()), ok(b"hi"))
    talk.client.heard()
    request = post(envelope(), b'SOAPAction: "urn:example:GetPrice"')
    talk.client.says(request)
    idle.closes()
    again = talk.backend("b1")
    assert body_of(again.heard()) == envelope()
    again.says(ok(b"10"))
    assert body_of(talk.client.heard()) == b"10"


def test_a_body_over_the_keep_limit_is_not_sent_again() -> None:
    talk = Talk(keep=100)
    idle = talk.serve(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", ok(b"hi"))
    talk.pool.members["b2"].admin = "maint"
    body = b"x" * 200
    talk.client.says(b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 200\r\n\r\n" + body)
    idle.closes()
    assert not talk.dials


def test_a_response_that_breaks_off_is_seen_by_the_client() -> None:
    talk = Talk()
    talk.client.says(post(envelope()))
    backend = talk.backend()
    backend.says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    assert talk.client.heard()
    backend.breaks()
    assert talk.client.wire.ended == "aborted"
    assert talk.last.reason == "upstream-broken"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        b"HTTP/1.1 200 OK\nA: b\n\n",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 40_000,
    ],
)
def test_an_ill_framed_response_is_a_502(answer: bytes) -> None:
    talk = Talk()
    talk.client.says(post(envelope()))
    backend = talk.backend()
    backend.says(answer)
    assert talk.client.heard().startswith(b"HTTP/1.1 502 ")
    assert backend.wire.ended == "aborted"


def test_an_upstream_timeout_is_a_504_and_keeps_backend_and_pin() -> None:
    talk = Talk(upstream=UpstreamTimes(response=5.0), health=Health(fall=1))
    talk.serve(post(envelope()), ok(envelope("s-1")))
    talk.client.heard()
    talk.client.says(post(envelope("s-1")))
    talk.passes(6)
    assert talk.client.heard().startswith(b"HTTP/1.1 504 ")
    assert talk.pool.members["b1"].up
    assert len(talk.store._pins) == 1


def test_a_500_with_a_fault_is_an_answer() -> None:
    talk = Talk(health=Health(fall=1))
    fault = envelope(body="<e:Fault><faultcode>e:Server</faultcode></e:Fault>")
    talk.serve(post(envelope()), ok(fault, status=b"500 Internal Server Error"))
    assert talk.pool.members["b1"].up


def test_a_503_without_an_envelope_counts_against_the_backend() -> None:
    talk = Talk(health=Health(fall=1))
    talk.serve(post(envelope()), b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy")
    assert not talk.pool.members["b1"].up
    assert talk.flips == ["b1"]


def test_a_full_backend_makes_its_pinned_requests_wait_their_turn() -> None:
    talk = Talk(maxconn=1)
    backend = talk.serve(post(envelope()), ok(envelope("s-1")))
    talk.client.heard()
    talk.client.says(post(envelope("s-1")))
    assert backend.heard()
    second, third = talk.connect(), talk.connect()
    second.says(post(envelope("s-1", "<s:two/>")))
    third.says(post(envelope("s-1", "<s:three/>")))
    assert not talk.dials
    assert talk.pool.members["b1"].waiting == 2
    backend.says(ok(b"1"))
    assert b"<s:two/>" in backend.heard()
    backend.says(ok(b"2"))
    assert b"<s:three/>" in backend.heard()
    backend.says(ok(b"3"))
    assert body_of(third.heard()) == b"3"
    assert talk.pool.members["b1"].inflight == 0
    assert talk.pool.members["b1"].waiting == 0


def test_a_turn_that_does_not_come_is_a_queue_timeout() -> None:
    talk = Talk(maxconn=1, queue=3.0)
    talk.serve(post(envelope()), ok(envelope("s-1")))
    talk.client.says(post(envelope("s-1")))
    second = talk.connect()
    second.says(post(envelope("s-1")))
    talk.passes(4)
    heard = second.heard()
    assert b"HTTP/1.1 503 " in heard
    assert b"QueueTimeout" in heard
    assert b"Retry-After" in heard
    assert talk.pool.members["b1"].inflight == 1


def test_a_waiting_client_that_leaves_gives_up_its_turn() -> None:
    talk = Talk(maxconn=1)
    backend = talk.serve(post(envelope()), ok(envelope("s-1")))
    talk.client.says(post(envelope("s-1")))
    second = talk.connect()
    second.says(post(envelope("s-1")))
    second.closes()
    assert talk.pool.members["b1"].waiting == 0
    backend.says(ok(b"1"))
    assert talk.pool.members["b1"].inflight == 0


def test_a_body_that_trickles_is_a_408() -> None:
    talk = Talk(times=DownstreamTimes(body_rate=100, body_grace=5.0))
    head = post(b"").replace(b"Content-Length: 0", b"Content-Length: 1000000")
    talk.client.says(head + envelope("s")[:20])
    talk.passes(4)
    assert talk.client.heard() == b""
    talk.client.says(b" ")
    talk.passes(8)
    assert talk.client.heard().startswith(b"HTTP/1.1 408 ")


def test_a_whole_exchange_may_have_a_limit() -> None:
    talk = Talk(times=DownstreamTimes(exchange=10.0))
    talk.client.says(post(envelope()))
    talk.backend()
    talk.passes(11)
    assert talk.client.heard().startswith(b"HTTP/1.1 504 ")


class Failing(MemoryStore):
    """A store whose disk is gone."""

    async def lookup(self, key: bytes) -> Pin | None:
        raise StoreError("/var/lib/pins: cannot be read")


def test_a_store_that_fails_is_a_fault_that_shows_nothing_of_it() -> None:
    talk = Talk(store=Failing())
    talk.client.says(post(envelope("s-1")))
    heard = talk.client.heard()
    assert heard.startswith(b"HTTP/1.1 503 ")
    assert b":Store " in heard
    assert b"/var/lib" not in heard
    assert (talk.last.route, talk.last.reason) == ("refused", "store")
    assert not talk.dials


class Slow(MemoryStore):
    """A store on another machine: its answers come later."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Deferred[None]] = []

    async def lookup(self, key: bytes) -> Pin | None:
        self.asked.append(Deferred())
        await self.asked[-1]
        return await super().lookup(key)


def test_a_store_that_answers_later_suspends_the_exchange_and_no_other() -> None:
    store = Slow()
    talk = Talk(store=store)
    talk.client.says(post(envelope("s-1")))
    other = talk.connect()
    talk.serve(post(envelope()), ok(b"hi"), other)
    assert other.heard() == ok(b"hi")
    assert not talk.dials
    store.asked.pop().callback(None)
    talk.backend().says(ok(b"late"))
    assert talk.client.heard() == ok(b"late")
