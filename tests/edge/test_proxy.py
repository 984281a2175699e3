"""Exchanges as conversations: bytes of a client, bytes of backends, and what came of them."""

from __future__ import annotations

import gzip
import zlib

import pytest
from talk import CLIENT_MADE, PROFILE, Talk, envelope, ok, post

from soapgate.core.pool import Health
from soapgate.core.routing import Terms
from soapgate.edge.downstream import DownstreamTimes
from soapgate.edge.upstream import UpstreamTimes


def body_of(message: bytes) -> bytes:
    return message.partition(b"\r\n\r\n")[2]


def head_of(message: bytes) -> bytes:
    return message.partition(b"\r\n\r\n")[0]


def test_a_request_goes_to_a_backend_and_its_response_comes_back() -> None:
    talk = Talk()
    request = post(envelope())
    talk.client.says(request)
    backend = talk.backend("b1")
    heard = backend.heard()
    assert head_of(heard).startswith(b"POST /shop HTTP/1.1\r\nHost: gate.example\r\n")
    assert body_of(heard) == envelope()
    response = ok(envelope())
    backend.says(response)
    assert talk.client.heard() == response
    assert (talk.last.route, talk.last.reason, talk.last.status) == ("balanced", "no-id", 200)


def test_via_and_forwarded_fields_are_added() -> None:
    talk = Talk()
    talk.client.says(post(b"", b"X-Forwarded-For: 198.51.100.1"))
    head = head_of(talk.backend().heard())
    assert b"\r\nX-Forwarded-For: 198.51.100.1\r\n" in head
    assert b"\r\nVia: 1.1 soapgate\r\n" in head
    assert b"\r\nX-Forwarded-For: 192.0.2.7\r\n" in head
    assert b"\r\nX-Forwarded-Proto: http\r\n" in head
    assert head.endswith(b"\r\nX-Forwarded-Host: gate.example")


def test_body_bytes_unchanged() -> None:
    talk = Talk()
    odd = b"\xef\xbb\xbf<?xml version='1.0'?>\r\n" + envelope("x", "<s:a>\t&amp;\xc3\xa9 </s:a>")
    talk.client.says(post(odd))
    backend = talk.backend()
    assert body_of(backend.heard()) == odd
    backend.says(ok(odd))
    assert body_of(talk.client.heard()) == odd


def test_a_session_sticks_to_the_backend_that_issued_it() -> None:
    talk = Talk()
    talk.serve(post(envelope()), ok(envelope("s-1")))
    other = talk.connect()
    served = talk.serve(post(envelope()), ok(envelope("s-2")), other)
    assert served.name == "b2"
    for _ in range(3):
        talk.client.says(post(envelope("s-2")))
        assert served.heard()
        served.says(ok(envelope("s-2")))
        assert (talk.last.route, talk.last.backend) == ("pinned", "b2")
        assert talk.last.profile == "shop"


def test_an_id_issued_in_the_body_is_learnt() -> None:
    talk = Talk()
    login = envelope(body="<s:loginResponse><s:sessionId>abc</s:sessionId></s:loginResponse>")
    talk.serve(post(envelope(body="<s:login/>")), ok(login))
    assert talk.last.learned == 1
    talk.serve(post(envelope("abc")), ok(envelope()))
    assert (talk.last.route, talk.last.backend) == ("pinned", "b1")


def test_pin_is_bound_before_first_byte_goes_downstream() -> None:
    talk = Talk()
    talk.client.says(post(envelope()))
    backend = talk.backend()
    response = ok(envelope("s-1"))
    end_of_header = response.index(b"<e:Body>") + len(b"<e:Body>") + 1
    for n in range(end_of_header):
        backend.says(response[n : n + 1])
        if talk.client.heard():
            pytest.fail("a byte went down before the pin could be bound")
    assert talk.affinity.events["learned"] == 0
    for n in range(end_of_header, len(response)):
        backend.says(response[n : n + 1])
        if talk.client.wire.value():
            break
    assert len(talk.store._pins) == 1
    backend.says(response[n + 1 :])
    assert talk.client.wire.value() == response


def test_a_client_made_id_is_bound_on_its_first_request() -> None:
    talk = Talk(profiles={"shop": CLIENT_MADE})
    talk.client.says(post(envelope("mine")))
    talk.backend("b1")
    other = talk.connect()
    other.says(post(envelope("mine")))
    assert talk.backend().name == "b1"


def test_a_hundred_concurrent_first_requests_with_one_new_id_reach_one_backend() -> None:
    talk = Talk(profiles={"shop": CLIENT_MADE})
    clients = [talk.connect() for _ in range(100)]
    half = post(envelope("mine"))
    for client in clients:
        client.says(half[:150])
    for client in clients:
        client.says(half[150:])
    assert {talk.backend().name for _ in clients} == {"b1"}


def test_an_id_that_only_a_server_makes_is_not_bound_when_a_client_made_it_up() -> None:
    talk = Talk()
    talk.client.says(post(envelope("forged")))
    assert talk.backend().heard()
    assert not talk.store._pins


def test_one_log_line_per_exchange() -> None:
    talk = Talk()
    talk.serve(post(envelope()), ok(envelope()))
    assert len(talk.log.records) == 1
    talk.client.says(b"BAD\r\n\r\n")
    assert [record.status for record in talk.log.records] == [200, 400]
    gone = talk.connect()
    gone.says(post(envelope()))
    gone.closes()
    assert len(talk.log.records) == 3
    assert talk.last.left


def test_an_id_never_stands_in_the_record_of_its_exchange() -> None:
    talk = Talk()
    talk.serve(post(envelope()), ok(envelope("secret-id")))
    talk.serve(post(envelope("secret-id"), target=b"/shop"), ok(envelope("secret-id")))
    assert "secret-id" not in "".join(map(repr, talk.log.records))


def test_pipelined_requests_are_answered_in_order() -> None:
    talk = Talk(backends=("b1",))
    talk.client.says(post(b"one") + post(b"two") + post(b"three"))
    backend = talk.backend()
    for word in (b"one", b"two", b"three"):
        assert body_of(backend.heard()) == word
        backend.says(ok(word.upper()))
    assert talk.client.heard() == ok(b"ONE") + ok(b"TWO") + ok(b"THREE")


def test_what_a_client_sends_ahead_is_bounded() -> None:
    talk = Talk()
    talk.client.says(post(b"one"))
    talk.client.says(post(b"x" * 70_000))
    assert talk.client.paused
    talk.backend().says(ok(b"1"))
    assert not talk.client.paused


@pytest.mark.parametrize("cut", [1, 40, 100, 141, 200])
def test_a_request_in_two_reads_is_one_request(cut: int) -> None:
    talk = Talk()
    request = post(envelope("s", "<s:x>" + "y" * 100 + "</s:x>"))
    talk.client.says(request[:cut])
    talk.client.says(request[cut:])
    assert body_of(talk.backend().heard()) == body_of(request)


def test_a_long_body_streams_while_it_comes() -> None:
    talk = Talk()
    start = envelope("s", "<s:blob>")[: -len(b"</e:Body></e:Envelope>")]
    size = len(start) + 3_000_000
    head = post(b"").replace(b"Content-Length: 0", b"Content-Length: %d" % size)
    talk.client.says(head + start)
    backend = talk.backend()
    assert body_of(backend.heard()) == start
    for _ in range(3):
        talk.client.says(b"x" * 1_000_000)
        assert backend.heard() == b"x" * 1_000_000
    backend.says(ok(b"done"))
    assert body_of(talk.client.heard()) == b"done"


def test_memory_per_exchange_bounded() -> None:
    """What is at hand never exceeds the scan limits and a read: the sender is paused instead."""
    talk = Talk()
    head = post(b"").replace(b"Content-Length: 0", b"Content-Length: 10000000")
    talk.client.says(head + envelope("s")[:-20])
    talk.client.says(b" " * 50_000)  # the backend is still being dialled
    assert talk.client.paused
    backend = talk.backend()
    assert not talk.client.paused
    assert talk.client.protocol.flow.take() == []
    assert len(backend.heard()) > 50_000


def test_a_slow_backend_pauses_the_client_and_a_slow_client_the_backend() -> None:
    talk = Talk()
    head = post(b"").replace(b"Content-Length: 0", b"Content-Length: 10000000")
    talk.client.says(head + envelope("s"))
    backend = talk.backend()
    backend.wire.producer.pauseProducing()
    assert talk.client.paused
    backend.wire.producer.resumeProducing()
    assert not talk.client.paused
    talk.client.says(b"x" * (10_000_000 - len(envelope("s"))))
    backend.says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Type: image/png\r\n\r\ny")
    talk.client.wire.producer.pauseProducing()
    assert backend.paused
    talk.client.wire.producer.resumeProducing()
    assert not backend.paused


def test_a_chunked_request_arrives_with_its_trailers() -> None:
    talk = Talk()
    lines = (
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n"
    )
    body = envelope("s-1")
    talk.client.says(
        lines + b"\r\n" + b"%x;ext=1\r\n%b\r\n" % (len(body), body) + b"0\r\nX-Sum: 5\r\n\r\n"
    )
    heard = talk.backend().heard()
    assert body_of(heard) == b"%x\r\n%b\r\n0\r\nX-Sum: 5\r\n\r\n" % (len(body), body)


def test_a_response_that_the_close_ends_becomes_chunks_for_a_new_client() -> None:
    talk = Talk()
    talk.client.says(post(envelope()))
    backend = talk.backend()
    backend.says(b"HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\n\r\n" + envelope("s-1"))
    backend.closes()
    heard = talk.client.heard()
    assert b"\r\nTransfer-Encoding: chunked\r\n" in heard
    assert heard.endswith(b"\r\n0\r\n\r\n")
    assert envelope("s-1") in heard
    assert talk.last.learned == 1
    assert talk.client.wire.ended == ""


def test_a_response_that_the_close_ends_stays_so_for_an_old_client() -> None:
    talk = Talk()
    talk.client.says(b"GET / HTTP/1.0\r\n\r\n")
    backend = talk.backend()
    backend.says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")
    assert talk.client.heard() == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhi"
    assert talk.client.wire.ended == "closed"


def test_an_old_client_may_keep_its_connection() -> None:
    talk = Talk()
    talk.client.says(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    talk.backend().says(ok(b"hi"))
    assert b"\r\nConnection: keep-alive\r\n" in talk.client.heard()
    assert talk.client.wire.ended == ""


def test_a_head_request_gets_the_length_and_no_body() -> None:
    talk = Talk()
    talk.client.says(b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
    backend = talk.backend()
    backend.says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    assert talk.client.heard() == b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
    assert talk.last.status == 200
    assert talk.dialers["b1"].idle


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_a_status_without_a_body_ends_with_its_head(status: bytes) -> None:
    talk = Talk()
    talk.client.says(post(envelope()))
    backend = talk.backend()
    backend.says(b"HTTP/1.1 " + status + b"\r\n\r\n")
    assert talk.client.heard() == b"HTTP/1.1 " + status + b"\r\n\r\n"


def test_an_expectation_is_answered_when_the_body_is_wanted() -> None:
    talk = Talk()
    request = post(envelope("s"), b"Expect: 100-continue")
    head = head_of(request) + b"\r\n\r\n"
    talk.client.says(head)
    assert talk.client.heard() == b"HTTP/1.1 100 Continue\r\n\r\n"
    talk.client.says(body_of(request))
    backend = talk.backend()
    heard = backend.heard()
    assert b"Expect" not in heard
    assert body_of(heard) == body_of(request)


def test_a_body_that_is_refused_is_never_asked_for() -> None:
    talk = Talk(max_body=1000)
    request = post(b"x" * 2000, b"Expect: 100-continue")
    talk.client.says(head_of(request) + b"\r\n\r\n")
    heard = talk.client.heard()
    assert heard.startswith(b"HTTP/1.1 413 ")
    assert b"100 Continue" not in heard
    assert not talk.dials


def test_a_chunked_body_over_the_bound_is_refused() -> None:
    talk = Talk(max_body=1000)
    talk.client.says(
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: text/xml\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n" + b"7d0\r\n" + b"x" * 2000
    )
    assert talk.client.heard().startswith(b"HTTP/1.1 413 ")


def test_an_interim_response_goes_to_who_understands_it() -> None:
    talk = Talk()
    talk.client.says(post(envelope()))
    backend = talk.backend()
    backend.says(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
    assert talk.client.heard() == b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    backend.says(ok(b"hi"))
    assert talk.client.heard() == ok(b"hi")


def test_an_answer_before_the_end_of_its_request_goes_down_and_the_rest_goes_up() -> None:
    talk = Talk()
    head = post(b"").replace(b"Content-Length: 0", b"Content-Length: 1000000")
    talk.client.says(head + envelope("s"))
    backend = talk.backend()
    backend.says(ok(b"early"))
    assert body_of(talk.client.heard()) == b"early"
    assert not talk.log.records
    talk.client.says(b"x" * (1_000_000 - len(envelope("s"))))
    assert talk.last.status == 200
    assert talk.client.wire.ended == ""
    assert talk.dialers["b1"].idle


def test_a_backend_that_answers_early_and_closes_ends_the_clients_connection_politely() -> None:
    talk = Talk()
    head = post(b"").replace(b"Content-Length: 0", b"Content-Length: 1000000")
    talk.client.says(head + envelope("s"))
    backend = talk.backend()
    backend.says(ok(b"early", b"Connection: close"))
    backend.closes()
    assert b"\r\nConnection: close\r\n" in talk.client.heard()
    assert talk.client.wire.ended == "half-closed"
    talk.client.says(b"x" * 1000)
    talk.passes(10)
    assert talk.client.wire.ended == "aborted"
    assert not talk.front.open
    assert not talk.dialers["b1"].open


def test_many_early_answers_leak_nothing() -> None:
    talk = Talk(backends=("b1",))
    head = post(b"").replace(b"Content-Length: 0", b"Content-Length: 1000000")
    clients = [talk.connect() for _ in range(300)]
    for client in clients:
        client.says(head + envelope("s"))
    for client in clients:
        backend = talk.backend()
        backend.says(ok(b"early", b"Connection: close"))
        backend.closes()
        client.closes()
    assert talk.pool.members["b1"].inflight == 0
    assert not talk.dialers["b1"].open
    assert len(talk.front.open) == 1
    assert len(talk.log.records) == 300


def test_an_upgrade_offer_is_ignored_and_the_body_arrives() -> None:
    talk = Talk()
    body = envelope("s")
    talk.client.says(
        post(body, b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AA")
    )
    heard = talk.backend().heard()
    assert body_of(heard) == body
    assert b"pgrade" not in heard
    assert b"HTTP2" not in heard


def test_a_half_closed_client_still_gets_its_answer() -> None:
    talk = Talk()
    talk.client.says(post(envelope()))
    talk.client.protocol.readConnectionLost()
    backend = talk.backend()
    backend.says(ok(b"hi"))
    assert body_of(talk.client.heard()) == b"hi"
    assert talk.client.wire.ended == "closed"


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


# When things fail


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


# What is refused


def test_a_refusal_is_a_fault_in_the_version_of_the_request() -> None:
    talk = Talk()
    twelve = envelope("s").replace(
        b"http://schemas.xmlsoap.org/soap/envelope/", b"http://www.w3.org/2003/05/soap-envelope"
    )
    for member in talk.pool.members.values():
        member.admin = "maint"
    talk.client.says(post(envelope("s")))
    assert b"http://schemas.xmlsoap.org/soap/envelope/" in talk.client.heard()
    talk.client.says(post(twelve))
    heard = talk.client.heard()
    assert b"application/soap+xml" in heard
    assert b"http://www.w3.org/2003/05/soap-envelope" in heard


def test_a_refusal_relates_to_its_request() -> None:
    talk = Talk()
    for member in talk.pool.members.values():
        member.admin = "maint"
    wsa = '<a:MessageID xmlns:a="http://www.w3.org/2005/08/addressing">urn:uuid:1</a:MessageID>'
    talk.client.says(post(envelope("s", extra=wsa)))
    assert b"urn:uuid:1" in talk.client.heard()


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE x [<!ENTITY a "b">]>' + envelope("s"),
        envelope("s").replace(b"<e:Body>", b"<e:Header/><e:Body>"),
        envelope("s").replace(b"</e:Header>", b"</e:Heder>"),
    ],
    ids=["doctype", "second header", "ill-formed header"],
)
def test_a_dangerous_envelope_reaches_no_backend(body: bytes) -> None:
    talk = Talk()
    talk.client.says(post(body))
    heard = talk.client.heard()
    assert heard.startswith(b"HTTP/1.1 400 ")
    assert b"Malformed" in heard
    assert not talk.dials


def test_a_refused_body_that_still_comes_is_dropped_and_the_connection_closed() -> None:
    talk = Talk()
    body = b"<!DOCTYPE x>" + envelope("s")
    head = post(b"").replace(b"Content-Length: 0", b"Content-Length: 1000000")
    talk.client.says(head + body)
    heard = talk.client.heard()
    assert heard.startswith(b"HTTP/1.1 400 ")
    assert b"\r\nConnection: close\r\n" in heard
    assert talk.client.wire.ended == "half-closed"
    talk.client.says(b"x" * 100_000)
    assert not talk.dials


def test_a_request_that_no_service_matches_is_a_404() -> None:
    talk = Talk()
    talk.client.says(post(envelope(), target=b"/nobody"))
    assert talk.client.heard().startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_an_id_in_a_compressed_request_is_read_and_the_bytes_go_on_as_they_came(
    coding: str,
) -> None:
    talk = Talk(profiles={"shop": CLIENT_MADE})
    squeeze = gzip.compress if coding == "gzip" else zlib.compress
    body = squeeze(envelope("mine"))
    talk.client.says(post(body, b"Content-Encoding: " + coding.encode()))
    assert body_of(talk.backend("b1").heard()) == body
    other = talk.connect()
    other.says(post(envelope("mine")))
    assert talk.backend("b1").heard()


def test_what_is_not_soap_is_forwarded_and_balanced() -> None:
    talk = Talk()
    talk.client.says(post(b'{"a": 1}').replace(b"text/xml; charset=utf-8", b"application/json"))
    assert body_of(talk.backend().heard()) == b'{"a": 1}'


def test_an_end_unbinds_once_the_reply_came_without_a_fault() -> None:
    talk = Talk()
    talk.serve(post(envelope()), ok(envelope("s-1")))
    fault = envelope(body="<e:Fault><faultcode>e:Server</faultcode></e:Fault>")
    logout = post(envelope("s-1", "<s:logout/>"))
    talk.serve(logout, ok(fault))
    assert len(talk.store._pins) == 1
    talk.serve(logout, ok(envelope()))
    assert len(talk.store._pins) == 0


def test_a_cookie_sticks_too() -> None:
    cookie = {
        "title": "Cookie",
        "about": "A cookie.",
        "lookup": ["cookie:JSESSIONID"],
        "learn": ["cookie:JSESSIONID"],
    }
    talk = Talk(profiles={"shop": PROFILE, "http-cookie": cookie})
    talk.serve(post(envelope()), ok(envelope(), b"Set-Cookie: JSESSIONID=abc; Path=/"))
    talk.client.heard()
    talk.serve(post(envelope(), b"Cookie: a=b; JSESSIONID=abc"), ok(envelope()))
    assert (talk.last.route, talk.last.profile) == ("pinned", "http-cookie")


# Time


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
