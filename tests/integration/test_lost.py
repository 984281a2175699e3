"""Backends that go and come back: who is served where, and what is said to whom."""

from __future__ import annotations

from live import Gateway
from wire import (
    SOAP11,
    SOAP12,
    Message,
    ask,
    client_made,
    envelope,
    issued_id,
    ok,
    post,
    session,
    wait_for,
)

FAST = {"health": {"interval": "200ms", "timeout": "2s", "rise": 2, "fall": 2}}
QUIET = {"health": {"interval": "1h", "fall": 1000}}
LOGIN = post(envelope(body="<s:login/>"))


def login(gateway: Gateway, node: str) -> str:
    """A session on that node."""
    for _ in range(10):
        reply = ask(gateway.port, LOGIN)
        if reply.node == node:
            return issued_id(reply)
    raise AssertionError(f"no login on {node}")


def use(gateway: Gateway, identity: str, soap: str = SOAP11) -> Message:
    return ask(gateway.port, post(envelope(session(identity), soap=soap)))


def down(gateway: Gateway, name: str) -> None:
    wait_for(lambda: not gateway.backend(name)["up"], f"{name} is down")


def up(gateway: Gateway, name: str) -> None:
    wait_for(lambda: gateway.backend(name)["up"], f"{name} is up")


def test_strict_tells_a_lost_session_and_serves_the_others(cast):
    """In the SOAP version of the request, at once and after the probe has seen it."""
    b1, b2 = cast.shops("b1", "b2")
    gateway = cast.gateway([b1, b2], pool=QUIET)
    lost, kept = login(gateway, "b1"), login(gateway, "b2")
    b1.stop()
    for soap in (SOAP11, SOAP12):
        reply = use(gateway, lost, soap)
        assert reply.status == 503
        assert reply.get("Retry-After")
        assert b"SessionLost" in reply.body
        assert soap.encode() in reply.body
    assert use(gateway, kept).node == "b2"
    assert {ask(gateway.port, LOGIN).node for _ in range(6)} == {"b2"}
    assert gateway.pinned(lost) == "b1"
    gateway.stop()
    assert gateway.log_file.read_text().count('"reason":"session-lost"') == 2


def test_redispatch_moves_a_lost_session_and_tells_the_backend(cast):
    b1, b2 = cast.shops("b1", "b2")
    gateway = cast.gateway([b1, b2], service={"lost": "redispatch"}, pool=QUIET)
    lost = login(gateway, "b1")
    assert not b1.requests[-1].get("X-Soapgate-Redispatched")
    b1.stop()
    assert use(gateway, lost).node == "b2"
    assert b2.requests[-1].get("X-Soapgate-Redispatched") == "1"
    assert gateway.pinned(lost) == "b2"
    cast.again(b1)
    assert use(gateway, lost).node == "b2"
    assert not b2.requests[-1].get("X-Soapgate-Redispatched")


def test_a_backend_that_returns_serves_its_pins_again(cast):
    b1, b2 = cast.shops("b1", "b2")
    gateway = cast.gateway([b1, b2], pool=FAST)
    lost = login(gateway, "b1")
    b1.stop()
    down(gateway, "b1")
    assert b"SessionLost" in use(gateway, lost).body
    cast.again(b1)
    up(gateway, "b1")
    reply = use(gateway, lost)
    assert (reply.status, reply.node) == (200, "b1")


def test_probes_see_backends_go_and_return(cast):
    """Nobody asked the backend anything; it is said in the admin API, the metrics and the log."""
    b1, b2 = cast.shops("b1", "b2")
    gateway = cast.gateway([b1, b2], pool=FAST)

    def seen() -> tuple[bool, bool, float, int]:
        said = gateway.backend("b1")
        metric = gateway.metric("soapgate_backend_up", pool="shop", backend="b1")
        status = gateway.call("GET", "/api/v1/status")[1]
        return said["up"], said["available"], metric, status["backends_up"]

    wait_for(lambda: (gateway.backend("b1")["probe"] or {}).get("ok"), "a first probe")
    assert seen() == (True, True, 1, 2)
    b1.stop()
    down(gateway, "b1")
    assert seen() == (False, False, 0, 1)
    assert gateway.backend("b1")["probe"]["detail"] == "refused"
    assert gateway.call("GET", "/health/ready")[0] == 200
    gateway.says("backend shop/b1 is down")
    cast.again(b1)
    up(gateway, "b1")
    assert seen() == (True, True, 1, 2)
    gateway.says("backend shop/b1 is up")
    assert b1.heard == 0  # a probe says nothing


def test_with_all_backends_down_everybody_is_told(cast):
    b1, b2 = cast.shops("b1", "b2")
    gateway = cast.gateway([b1, b2], pool=FAST)
    for backend in (b1, b2):
        backend.stop()
        down(gateway, backend.name)
    reply = ask(gateway.port, LOGIN)
    assert (reply.status, b"NoBackend" in reply.body) == (503, True)
    status, said = gateway.call("GET", "/health/ready")
    assert (status, said["ready"]) == (503, False)
    assert said["reasons"] == ["pool shop: no backend is up and ready"]
    cast.again(b2)
    up(gateway, "b2")
    assert ask(gateway.port, LOGIN).node == "b2"
    assert gateway.call("GET", "/health/ready")[0] == 200


def test_a_first_message_with_an_own_id_may_move(cast):
    """No byte reached the dead one, so its first choice is not a lost session."""
    b1, b2 = cast.shops("b1", "b2")
    gateway = cast.gateway([b1, b2], pool=QUIET)
    b1.stop()
    for number in range(4):
        first = ask(gateway.port, post(envelope(client_made(f"c{number}"))))
        again = ask(gateway.port, post(envelope(client_made(f"c{number}"))))
        assert (first.node, again.node) == ("b2", "b2")


def test_a_new_address_of_a_name_serves_the_pins_of_that_name(cast):
    """A pin names its backend, not the address: restarted elsewhere, it is still the same."""
    b1, b2 = cast.shops("b1", "b2")
    first = cast.gateway([b1, b2])
    identity = login(first, "b1")
    first.stop()
    b1.stop()
    (moved,) = cast.shops("b1")
    second = cast.gateway([moved, b2])
    assert use(second, identity).node == "b1"
    assert len(moved.requests) == 1


def answers(request: Message) -> bytes:
    """A gateway's excuse, or a service's fault: by the path."""
    if "excuse" in request.start:
        return ok(b"<html>busy</html>", status="503 Service Unavailable")
    return ok(envelope(body="<e:Fault/>"), status="500 Internal Server Error")


def test_a_gateways_excuse_counts_against_a_backend_and_a_fault_does_not(cast):
    backend = cast.backend("b1", reply=answers)
    gateway = cast.gateway([backend], pool={"health": {"interval": "1h", "fall": 3}})
    fault, excuse = (post(envelope(), path=path) for path in ("/fault", "/excuse"))
    assert [ask(gateway.port, fault).status for _ in range(10)] == [500] * 10
    assert gateway.backend("b1")["up"]
    assert [ask(gateway.port, excuse).status for _ in range(3)] == [503] * 3
    assert not gateway.backend("b1")["up"]
