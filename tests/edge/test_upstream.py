"""The backend's side: connections kept and dropped, places taken and given back."""

from __future__ import annotations

import itertools
import socket

import pytest
from talk import envelope, ok, one, over, post
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure as TwistedFailure

from soapgate.core.pool import Health
from soapgate.edge.downstream import DownstreamTimes
from soapgate.edge.upstream import UpstreamTimes

LONG = post(b"").replace(b"Content-Length: 0", b"Content-Length: 1000000")


# Which connections are kept


def test_a_connection_is_used_again() -> None:
    talk = one()
    first = talk.serve(post(envelope()), ok(b"1"))
    assert talk.serve(post(envelope()), ok(b"2")) is first
    assert (talk.metrics.dialled, talk.metrics.reused) == (1, 1)
    assert over(talk) == []


def test_the_youngest_idle_connection_is_taken_so_that_the_rest_can_age_out() -> None:
    talk = one(upstream=UpstreamTimes(keep=20.0))
    clients = [talk.connect() for _ in range(3)]
    for client in clients:
        client.says(post(envelope()))
    peers = [talk.backend() for _ in clients]
    for peer in peers:
        peer.heard()
        peer.says(ok(b"hi"))
    for _ in range(5):
        assert talk.serve(post(envelope()), ok(b"hi")) is peers[2]
        talk.passes(5)
    assert [peer.wire.ended for peer in peers] == ["aborted", "aborted", ""]


UNTIDY = {
    "in one read": [ok(b"hi") + b"x"],
    "behind the body's last read": [ok(b"hi")[:-1], b"ix"],
    "another response in one read": [ok(b"hi") + ok(b"evil")],
    "another response behind a read": [ok(b"hi")[:-1], b"i" + ok(b"evil")],
    "behind chunks": [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
        b"0\r\n\r\n" + ok(b"evil"),
    ],
    "behind no content": [b"HTTP/1.1 204 No Content\r\n\r\n" + ok(b"evil")],
}


@pytest.mark.parametrize("pieces", UNTIDY.values(), ids=UNTIDY)
@pytest.mark.parametrize("waiting", [False, True], ids=["nobody waits", "somebody waits"])
def test_a_connection_that_said_more_than_its_response_is_never_used_again(
    pieces: list[bytes], waiting: bool
) -> None:
    """Else its surplus would be the next client's answer."""
    talk = one(maxconn=1)
    talk.client.says(post(envelope()))
    peer = talk.backend()
    second = talk.connect()
    if waiting:
        second.says(post(envelope()))
    for piece in pieces:
        peer.says(piece)
    assert peer.wire.ended == "aborted"
    assert b"evil" not in talk.client.heard()
    if not waiting:
        second.says(post(envelope()))
    talk.backend().says(ok(b"mine"))
    assert second.heard().endswith(b"\r\n\r\nmine")
    assert over(talk) == []


def test_a_connection_that_speaks_while_idle_is_never_used_again() -> None:
    talk = one()
    peer = talk.serve(post(envelope()), ok(b"hi"))
    peer.says(ok(b"evil"))
    assert peer.wire.ended == "aborted"
    talk.client.says(post(envelope()))
    assert talk.dials == 1


def test_a_connection_that_speaks_between_its_early_answer_and_the_end_of_the_request() -> None:
    talk = one()
    talk.client.says(LONG + envelope("s"))
    peer = talk.backend()
    peer.says(ok(b"early"))
    peer.says(ok(b"evil"))
    talk.client.says(b"x" * (1_000_000 - len(envelope("s"))))
    assert talk.client.heard().endswith(b"early")
    assert peer.wire.ended == "aborted"
    assert over(talk) == []


CLOSING = {
    "says close": ok(b"hi", b"Connection: close"),
    "old": b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
}


@pytest.mark.parametrize("response", CLOSING.values(), ids=CLOSING)
def test_a_backend_that_wants_to_close_is_not_asked_again(response: bytes) -> None:
    talk = one()
    peer = talk.serve(post(envelope()), response)
    assert peer.wire.ended == "aborted"
    assert talk.client.wire.ended == ""
    assert over(talk) == []


def test_an_old_backend_that_keeps_alive_is_asked_again() -> None:
    talk = one()
    kept = b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi"
    assert talk.serve(post(envelope()), kept) is talk.serve(post(envelope()), kept)


def test_an_idle_connection_ages_out() -> None:
    talk = one(upstream=UpstreamTimes(keep=10.0))
    peer = talk.serve(post(envelope()), ok(b"hi"))
    talk.passes(9)
    assert peer.wire.ended == ""
    talk.passes(2)
    assert peer.wire.ended == "aborted"
    assert over(talk) == []


def test_a_backend_may_close_an_idle_connection() -> None:
    talk = one()
    talk.serve(post(envelope()), ok(b"hi")).closes()
    talk.client.says(post(envelope()))
    assert talk.dials == 1
    talk.backend().says(ok(b"hi"))
    assert talk.last.status == 200
    assert over(talk) == []


@pytest.mark.parametrize("sign", ["closed", "spoke", "reset"])
def test_an_idle_connection_is_asked_whether_it_lives(sign: str) -> None:
    """The loop has not heard of it yet; the socket has."""
    talk = one()
    peer = talk.serve(post(envelope()), ok(b"hi"))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        peer.wire.socket = ours
        peer.wire.protocol.plug()
        talk.client.says(post(envelope()))
        assert peer.heard(), "it lives"
        peer.says(ok(b"hi"))
        if sign == "spoke":
            theirs.send(b"x")
        elif sign == "closed":
            theirs.close()
        else:
            ours.close()
        talk.client.says(post(envelope()))
        assert peer.wire.ended == "aborted"
        assert talk.dials == 1


def test_a_connection_nobody_waits_for_any_more_is_kept_for_the_next() -> None:
    talk = one()
    talk.client.says(post(envelope()))
    talk.client.closes()
    peer = talk.backend()
    other = talk.connect()
    other.says(post(envelope()))
    assert peer.heard()
    assert not talk.dials
    peer.says(ok(b"hi"))
    assert over(talk) == []


# The head of a response


def test_a_head_may_come_byte_by_byte() -> None:
    talk = one()
    talk.client.says(post(envelope()))
    peer = talk.backend()
    for byte in ok(b"hi"):
        peer.says(bytes([byte]))
    assert talk.client.heard() == ok(b"hi")
    assert talk.dialers["b1"].idle


INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"


@pytest.mark.parametrize("size", [1, 7, 10_000_000])
def test_any_number_of_interim_responses_may_come_in_reads_of_any_size(size: int) -> None:
    talk = one()
    talk.client.says(post(envelope()))
    peer = talk.backend()
    stream = INTERIM * (3 if size == 1 else 3000) + ok(b"hi")
    for at in range(0, len(stream), size):
        peer.says(stream[at : at + size])
    assert talk.client.heard() == stream
    assert talk.dialers["b1"].idle
    assert over(talk) == []


def test_a_client_that_leaves_between_interim_responses_is_left_alone() -> None:
    talk = one()
    talk.client.says(post(envelope()))
    peer = talk.backend()
    downstream = talk.client.wire
    once = itertools.count()
    write = downstream.write

    def leaves(data: bytes) -> None:
        write(data)
        if next(once) == 0:
            talk.client.breaks()

    downstream.write = leaves
    peer.says(INTERIM * 5 + ok(b"hi"))
    assert talk.client.heard() == INTERIM
    assert peer.wire.ended == "aborted"
    assert talk.leaks() == []


def test_interim_responses_win_no_time() -> None:
    talk = one(upstream=UpstreamTimes(response=10.0))
    talk.client.says(post(envelope()))
    peer = talk.backend()
    for _ in range(24):
        peer.says(b"HTTP/1.1 100 Continue\r\n\r\n")
        talk.reactor.advance(0.5)
    assert talk.client.heard().startswith(b"HTTP/1.1 504 ")


def test_a_response_to_head_frames_nothing_and_is_not_remembered_for_others() -> None:
    talk = one()
    response = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    talk.client.says(b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
    peer = talk.backend()
    peer.says(response)
    assert talk.client.heard() == response
    talk.client.says(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    peer.says(response)
    peer.says(b"hi")
    assert talk.client.heard() == response + b"hi"
    talk.client.says(b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
    peer.says(response)
    assert talk.last.status == 200
    assert over(talk) == []


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_a_length_without_a_body_does_not_spoil_the_connection(status: bytes) -> None:
    """Many servers send `Content-Length: 0` with 204, and 304 with the length of what it is not."""
    talk = one()
    for size in (b"0", b"7", b"0"):
        peer = talk.serve(
            post(envelope()), b"HTTP/1.1 " + status + b"\r\nContent-Length: " + size + b"\r\n\r\n"
        )
        assert talk.last.status == int(status[:3])
        assert peer.wire.ended == ""
    assert over(talk) == []


# When the backend goes


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 20", b"HTTP/1.1 100 Continue\r\n\r\n"])
@pytest.mark.parametrize("how", ["closes", "breaks"])
def test_a_backend_that_goes_before_its_head_is_whole_is_a_502(said: bytes, how: str) -> None:
    talk = one()
    talk.client.says(post(envelope()))
    peer = talk.backend()
    peer.says(said) if said else None
    getattr(peer, how)()
    assert talk.client.heard().startswith(b"HTTP/1.1 502 ")
    assert talk.client.wire.ended == ""
    assert over(talk) == []


@pytest.mark.parametrize("framing", [b"Content-Length: 100", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize("how", ["closes", "breaks"])
def test_a_framed_response_that_is_cut_off_is_seen_as_such(framing: bytes, how: str) -> None:
    talk = one()
    talk.client.says(post(envelope()))
    peer = talk.backend()
    peer.says(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n" + framing + b"\r\n\r\n")
    peer.says(b"5\r\nhello\r\n")
    getattr(peer, how)()
    assert talk.client.wire.ended == "aborted"
    assert talk.leaks() == []


def test_a_response_that_a_clean_close_ends_is_whole_and_one_that_a_reset_ends_is_not() -> None:
    for how, ended in (("closes", ""), ("breaks", "aborted")):
        talk = one()
        talk.client.says(post(envelope()))
        peer = talk.backend()
        peer.says(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\npicture")
        getattr(peer, how)()
        assert talk.client.heard().endswith(b"0\r\n\r\n") is (how == "closes")
        assert talk.client.wire.ended == ended
        assert over(talk) == []


@pytest.mark.parametrize("paused", [False, True])
def test_a_backend_that_answers_early_and_goes_holds_up_no_client(paused: bool) -> None:
    talk = one()
    talk.client.says(LONG + envelope("s"))
    peer = talk.backend()
    if paused:
        peer.wire.producer.pauseProducing()
        assert talk.client.paused
    peer.says(ok(b"early"))
    peer.closes()
    assert not talk.client.paused
    assert talk.client.heard().endswith(b"early")
    talk.client.says(b"x" * (1_000_000 - len(envelope("s"))))
    assert talk.last.status == 200
    assert talk.client.protocol.state == "idle"
    assert over(talk) == []


def test_a_backend_that_goes_while_it_is_sent_to_lets_go_of_its_client() -> None:
    talk = one()
    talk.client.says(LONG + envelope("s"))
    peer = talk.backend()
    peer.wire.producer.pauseProducing()
    peer.breaks()
    assert talk.client.heard().startswith(b"HTTP/1.1 502 ")
    assert not talk.client.paused
    assert talk.client.wire.ended == "half-closed"
    assert over(talk) == []


# Time


def test_a_long_upload_has_all_the_time_that_its_client_needs() -> None:
    talk = one(upstream=UpstreamTimes(response=10.0))
    talk.client.says(LONG + envelope("s"))
    peer = talk.backend()
    size = 1_000_000 - len(envelope("s"))
    for _ in range(100):
        talk.client.says(b"x" * 6000)
        talk.reactor.advance(0.5)
    assert talk.client.heard() == b""
    talk.client.says(b"x" * (size - 600_000))
    talk.passes(9)
    peer.says(ok(b"hi"))
    assert talk.client.heard().endswith(b"hi")


def test_a_client_that_pauses_its_upload_is_judged_on_its_own_side() -> None:
    talk = one(upstream=UpstreamTimes(response=10.0), times=DownstreamTimes(body_rate=0))
    talk.client.says(LONG + envelope("s"))
    talk.backend()
    talk.passes(100)
    assert talk.client.heard() == b""
    assert talk.client.wire.ended == ""


def test_from_the_end_of_its_request_a_backend_has_its_time_to_answer() -> None:
    talk = one(upstream=UpstreamTimes(response=10.0))
    talk.client.says(LONG + envelope("s"))
    talk.backend()
    talk.passes(9.5)
    talk.client.says(b"x" * (1_000_000 - len(envelope("s"))))
    talk.passes(9)
    assert talk.client.heard() == b""
    talk.passes(12)
    assert talk.client.heard().startswith(b"HTTP/1.1 504 ")
    assert over(talk) == []


def test_a_backend_that_does_not_read_its_request_is_late() -> None:
    talk = one(upstream=UpstreamTimes(response=10.0))
    talk.client.says(LONG + envelope("s"))
    talk.backend().wire.producer.pauseProducing()
    talk.passes(11)
    assert talk.client.heard().startswith(b"HTTP/1.1 504 ")
    assert talk.last.reason == "upstream-timeout"
    assert over(talk) == []


def test_a_response_that_stops_is_cut_off() -> None:
    talk = one(upstream=UpstreamTimes(response_idle=10.0))
    talk.client.says(post(envelope()))
    peer = talk.backend()
    peer.says(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 9\r\n\r\n")
    for byte in b"pictu":
        talk.passes(9)
        peer.says(bytes([byte]))
    assert talk.client.wire.ended == ""
    talk.passes(11)
    assert talk.client.wire.ended == "aborted"
    assert talk.last.reason == "upstream-timeout"
    assert talk.leaks() == []


def test_a_response_that_is_whole_has_no_more_deadline() -> None:
    """Its request may still take its time."""
    talk = one(upstream=UpstreamTimes(response_idle=10.0))
    for response in ([ok(b"early")], [ok(b"early")[:-1], b"y"]):
        talk.client.says(LONG + envelope("s"))
        peer = talk.asked()
        peer.heard()
        for piece in response:
            peer.says(piece)
        for _ in range(60):
            talk.client.says(b"x" * 6000)
            talk.reactor.advance(0.5)
        talk.client.says(b"x" * (1_000_000 - 360_000 - len(envelope("s"))))
        assert talk.client.wire.ended == ""
        assert talk.last.status == 200
    assert over(talk) == []


def test_a_client_that_takes_nothing_is_let_go_and_no_backend_blamed() -> None:
    talk = one(
        times=DownstreamTimes(stalled=20.0),
        upstream=UpstreamTimes(response_idle=10.0),
        health=Health(fall=1),
    )
    talk.client.says(post(envelope()))
    peer = talk.backend()
    peer.says(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 99\r\n\r\nx")
    talk.client.wire.producer.pauseProducing()
    talk.client.wire.dataBuffer = b"x"
    talk.passes(19)
    assert talk.client.wire.ended == ""
    talk.passes(20)
    assert talk.client.wire.ended == "aborted"
    assert talk.last.left
    assert talk.pool.members["b1"].up
    assert talk.leaks() == []


def test_a_client_that_takes_a_little_now_and_then_is_waited_for() -> None:
    talk = one(times=DownstreamTimes(stalled=20.0), upstream=UpstreamTimes(response_idle=10.0))
    talk.client.says(post(envelope()))
    talk.backend().says(
        b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 99\r\n\r\nx"
    )
    talk.client.wire.producer.pauseProducing()
    for left in range(30, 0, -1):
        talk.client.wire.dataBuffer = b"x" * left
        talk.passes(10)
    assert talk.client.wire.ended == ""


# Names for the operator


def test_connections_and_dialers_say_what_they_are() -> None:
    talk = one()
    dialer = talk.dialers["b1"]
    talk.client.says(post(envelope()))
    peer = talk.backend()
    (connection,) = dialer.open
    assert repr(connection) == "<UpstreamConnection to b1, busy>"
    assert repr(dialer) == "<Dialer b1: 1 open, 0 idle>"
    peer.says(ok(b"hi"))
    assert repr(connection) == "<UpstreamConnection to b1, idle>"
    peer.closes()
    assert repr(connection) == "<UpstreamConnection to b1, lost>"


def test_a_lost_connection_may_be_told_so_again() -> None:
    talk = one()
    peer = talk.serve(post(envelope()), ok(b"hi"))
    peer.closes()
    peer.protocol.connectionLost(TwistedFailure(ConnectionLost()))
    assert over(talk) == []
