"""The client's side, state by state: idle, head, exchange, lingering, closed."""

from __future__ import annotations

import gc
import weakref

import pytest
from talk import Peer, Talk, envelope, ok, post

from soapgate.edge.downstream import AHEAD_BYTES, LINGER_SECONDS, DownstreamTimes

LONG = post(b"").replace(b"Content-Length: 0", b"Content-Length: 1000000")


def answered(talk: Talk, *, early: bool = False) -> Peer:
    """A client whose first exchange is over, or whose answer came before its request's end."""
    client = talk.connect()
    client.says(LONG + envelope("s") if early else post(envelope()))
    backend = talk.asked()
    backend.heard()
    backend.says(ok(b"hi"))
    assert client.heard().endswith(b"hi")
    return client


# idle


def test_a_client_that_says_nothing_is_sent_away() -> None:
    talk = Talk(times=DownstreamTimes(head=10.0))
    talk.passes(9)
    assert talk.client.wire.ended == ""
    talk.passes(2)
    assert talk.client.wire.ended == "closed"
    assert talk.client.heard() == b""
    assert talk.log.records == []
    assert talk.leaks() == []


def test_a_connection_between_two_requests_is_kept_for_the_idle_time() -> None:
    talk = Talk(times=DownstreamTimes(idle=10.0))
    client = answered(talk)
    talk.passes(9)
    assert client.wire.ended == ""
    talk.passes(2)
    assert client.wire.ended == "closed"


def test_a_connection_is_idle_after_an_answer_that_came_before_its_requests_end() -> None:
    talk = Talk(times=DownstreamTimes(idle=10.0))
    client = answered(talk, early=True)
    client.says(b"x" * (1_000_000 - len(envelope("s"))))
    assert client.protocol.state == "idle"
    talk.passes(11)
    assert client.wire.ended == "closed"


@pytest.mark.parametrize("before", [b"\r\n", b"\r\n\r\n\r\n", b"\r\n" * 30_000])
def test_empty_lines_before_a_request_are_skipped(before: bytes) -> None:
    talk = Talk()
    talk.client.says(before + post(envelope()))
    assert talk.backend().heard().startswith(b"POST ")


def test_an_empty_line_may_come_in_two_reads() -> None:
    talk = Talk()
    for piece in (b"\r", b"\n\r", b"\n", post(envelope())):
        talk.client.says(piece)
    assert talk.backend().heard().startswith(b"POST ")


def test_empty_lines_alone_are_no_request() -> None:
    talk = Talk(times=DownstreamTimes(head=10.0))
    for _ in range(24):
        talk.client.says(b"\r\n")
        talk.reactor.advance(0.5)
    assert talk.client.wire.ended == "closed"
    assert talk.log.records == []


# head


def test_a_head_that_does_not_end_is_a_408() -> None:
    talk = Talk(times=DownstreamTimes(head=10.0))
    talk.client.says(post()[:30])
    talk.passes(11)
    assert talk.client.heard().startswith(b"HTTP/1.1 408 ")
    assert talk.last.status == 408
    assert talk.client.wire.ended == "half-closed"


def test_a_head_that_trickles_gets_no_more_time() -> None:
    talk = Talk(times=DownstreamTimes(head=10.0))
    for byte in post(b"", b"X: " + b"y" * 100)[:22]:
        talk.client.says(bytes([byte]))
        talk.reactor.advance(0.5)
    assert talk.client.heard().startswith(b"HTTP/1.1 408 ")


def test_a_head_past_its_bounds_is_refused_while_it_comes() -> None:
    talk = Talk()
    talk.client.says(b"POST / HTTP/1.1\r\nHost: h\r\n")
    for _ in range(40):
        talk.client.says(b"A: " + b"b" * 1000 + b"\r\n")
    assert talk.client.heard().startswith(b"HTTP/1.1 431 ")
    assert len(talk.client.protocol.buffer) == 0


def test_what_follows_a_refused_head_is_not_read_as_a_request() -> None:
    talk = Talk()
    talk.client.says(b"BAD\r\n\r\n" + post(envelope()))
    assert talk.client.heard().count(b"HTTP/1.1 ") == 1
    assert not talk.dials
    assert [record.status for record in talk.log.records] == [400]


def test_a_broken_body_in_the_read_of_its_head_is_refused_once() -> None:
    talk = Talk()
    lines = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    talk.client.says(lines + b"zz\r\n" + post(envelope()))
    assert talk.client.heard().startswith(b"HTTP/1.1 400 ")
    assert len(talk.log.records) == 1
    assert not talk.dials
    assert talk.client.wire.ended == "half-closed"


def test_a_body_that_breaks_while_it_is_poured_ends_both_sides() -> None:
    talk = Talk()
    lines = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = envelope("s")
    talk.client.says(lines + b"%x\r\n%b\r\n" % (len(body), body))
    backend = talk.backend()
    assert backend.heard()
    talk.client.says(b"zz\r\n")
    assert backend.wire.ended == "aborted"
    assert talk.client.heard().startswith(b"HTTP/1.1 400 ")
    talk.client.closes()
    assert talk.leaks() == []


# exchange


def test_a_client_that_is_slow_to_read_is_not_judged_by_its_body_rate() -> None:
    """The backend takes nothing, so the client cannot send."""
    talk = Talk(times=DownstreamTimes(body_rate=1000, body_grace=5.0))
    talk.client.says(LONG + envelope("s"))
    backend = talk.backend()
    backend.wire.producer.pauseProducing()
    talk.passes(20)
    assert talk.client.heard() == b""
    backend.wire.producer.resumeProducing()
    talk.passes(6)
    assert talk.client.heard().startswith(b"HTTP/1.1 408 ")


def test_a_body_at_its_rate_may_take_as_long_as_it_wants() -> None:
    talk = Talk(times=DownstreamTimes(body_rate=1000, body_grace=5.0))
    talk.client.says(LONG + envelope("s"))
    backend = talk.backend()
    for _ in range(400):
        talk.client.says(b"x" * 1000)
        talk.reactor.advance(0.5)
    assert len(backend.heard()) > 400_000
    assert talk.client.heard() == b""


@pytest.mark.parametrize("size", [AHEAD_BYTES, AHEAD_BYTES + 1])
def test_one_read_of_impatience_is_kept_and_no_more(size: int) -> None:
    talk = Talk()
    talk.client.says(post(b"one"))
    talk.client.says(b"x" * size)
    assert talk.client.paused is (size > AHEAD_BYTES)


def test_a_limit_of_the_whole_exchange_ends_with_it() -> None:
    talk = Talk(times=DownstreamTimes(exchange=10.0, idle=1000.0))
    client = answered(talk)
    talk.passes(30)
    assert client.wire.ended == ""


def test_a_request_that_is_answered_in_the_same_turn_leaves_no_stack() -> None:
    talk = Talk()
    talk.client.says(post(target=b"/nobody") * 2000)
    assert talk.client.heard().count(b"HTTP/1.1 404 ") == 2000
    assert talk.client.protocol.state == "idle"


# half-closed


def test_a_half_closed_client_between_requests_is_gone() -> None:
    talk = Talk()
    client = answered(talk)
    client.protocol.readConnectionLost()
    assert client.wire.ended == "closed"


def test_half_a_head_and_half_a_close_is_nothing() -> None:
    talk = Talk()
    talk.client.says(post()[:20])
    talk.client.protocol.readConnectionLost()
    assert talk.client.wire.ended == "closed"
    assert talk.log.records == []


def test_a_client_that_closes_before_its_body_is_whole_has_left() -> None:
    talk = Talk()
    talk.client.says(LONG + envelope("s"))
    backend = talk.backend()
    talk.client.protocol.readConnectionLost()
    assert talk.last.left
    assert backend.wire.ended == "aborted"
    assert talk.client.wire.ended == "closed"
    assert talk.leaks() == []


def test_all_that_a_half_closed_client_asked_for_is_answered() -> None:
    talk = Talk(backends=("b1",))
    talk.client.says(post(b"one") + post(b"two") + post(b"three"))
    talk.client.protocol.readConnectionLost()
    backend = talk.backend()
    for word in (b"1", b"2", b"3"):
        assert talk.client.wire.ended == ""
        backend.says(ok(word))
    assert talk.client.heard() == ok(b"1") + ok(b"2") + ok(b"3")
    assert talk.client.wire.ended == "closed"
    assert talk.leaks() == []


@pytest.mark.parametrize("half", [post(b"")[:30], LONG, LONG + b"x"])
def test_what_a_half_closed_client_did_not_finish_is_not_waited_for(half: bytes) -> None:
    talk = Talk(backends=("b1",))
    talk.client.says(post(b"one") + half)
    talk.client.protocol.readConnectionLost()
    talk.backend().says(ok(b"1"))
    assert talk.client.heard() == ok(b"1")
    assert talk.client.wire.ended == "closed"
    assert talk.leaks() == []


# lingering


def refused(talk: Talk) -> Peer:
    talk.client.says(LONG.replace(b"/shop", b"/nobody"))
    assert talk.client.heard().startswith(b"HTTP/1.1 404 ")
    assert talk.client.protocol.state == "lingering"
    return talk.client


def test_what_comes_behind_the_last_answer_is_dropped() -> None:
    talk = Talk()
    client = refused(talk)
    assert client.wire.ended == "half-closed"
    assert not client.paused
    client.says(post(envelope()))
    assert not talk.dials
    assert client.heard() == b""
    client.protocol.readConnectionLost()
    assert client.wire.ended == "closed"
    assert talk.leaks() == []


def test_lingering_ends() -> None:
    talk = Talk()
    client = refused(talk)
    talk.passes(LINGER_SECONDS + 1)
    assert client.wire.ended == "aborted"
    assert talk.leaks() == []


def test_a_slow_reader_still_gets_all_of_its_last_answer() -> None:
    talk = Talk(times=DownstreamTimes(stalled=20.0))
    client = refused(talk)
    for left in range(40, 0, -1):
        client.wire.dataBuffer = b"x" * left
        talk.passes(3)
        assert client.wire.ended == "half-closed"
    client.wire.dataBuffer = b""
    talk.passes(LINGER_SECONDS + 1)
    assert client.wire.ended == "aborted"


def test_a_reader_that_has_stopped_is_not_waited_for() -> None:
    talk = Talk(times=DownstreamTimes(stalled=20.0))
    client = refused(talk)
    client.wire.dataBuffer = b"x"
    talk.passes(20)
    assert client.wire.ended == "half-closed"
    talk.passes(3 * LINGER_SECONDS)
    assert client.wire.ended == "aborted"


# closed


@pytest.mark.parametrize(
    "said",
    [b"", post()[:20], LONG, LONG + envelope("s"), post(envelope()), b"BAD\r\n\r\n"],
    ids=["idle", "head", "body", "body goes up", "asked", "refused"],
)
@pytest.mark.parametrize("dialled", ["dialled", "not dialled"])
def test_a_client_may_leave_at_any_time(said: bytes, dialled: str) -> None:
    talk = Talk()
    if said:
        talk.client.says(said)
    if dialled == "dialled" and talk.dials:
        talk.backend()
    talk.client.breaks()
    assert talk.client.protocol.state == "closed"
    while talk.dials:
        talk.backend()
    assert talk.leaks() == []
    talk.passes(100)
    assert talk.leaks() == []
    assert len(talk.log.records) <= 1


def test_what_is_over_is_garbage() -> None:
    """Nothing holds an exchange or a connection of a client that left."""
    talk = Talk()
    client = talk.connect()
    client.says(post(envelope()))
    seen = [weakref.ref(client.protocol), weakref.ref(client.protocol.exchange)]
    talk.backend().says(ok(b"hi"))
    client.closes()
    del client
    gc.collect()
    assert [one() for one in seen] == [None, None]
