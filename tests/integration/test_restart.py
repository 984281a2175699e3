"""The gateway ends, well or not, and comes back: sessions stay where they are."""

from __future__ import annotations

import threading

import pytest
from live import Gateway, settings
from wire import (
    WAIT,
    Client,
    ask,
    client_made,
    envelope,
    issued_id,
    post,
    session,
    slow,
    wait_for,
)

LOGIN = post(envelope(body="<s:login/>"))


def logins(gateway: Gateway, count: int) -> dict[str, str]:
    """{session id: the node that issued it}."""
    replies = [ask(gateway.port, LOGIN) for _ in range(count)]
    return {issued_id(reply): reply.node for reply in replies}


def homes(gateway: Gateway, sessions: dict[str, str]) -> dict[str, str]:
    """Where each session is served now."""
    return {one: ask(gateway.port, post(envelope(session(one)))).node for one in sessions}


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_sessions_survive_the_end_of_the_gateway(cast, end):
    """SIGKILL or SIGTERM: a pin is in LMDB before its client has its answer."""
    shops = cast.shops("b1", "b2", "b3")
    first = cast.gateway(shops)
    issued = logins(first, 8)
    made = ask(first.port, post(envelope(client_made("own")))).node
    with Client(first.port) as client:
        last = client.ask(LOGIN)
        assert getattr(first, end)() in (0, None)  # the moment it is answered
        assert client.peer_closed()
    issued[issued_id(last)] = last.node
    assert set(issued.values()) == {"b1", "b2", "b3"}
    second = cast.gateway(shops)
    assert homes(second, issued) == issued
    assert ask(second.port, post(envelope(client_made("own")))).node == made
    second.stop()
    lines = second.log_file.read_text().splitlines()[-len(issued) - 1 :]
    assert all('"route":"pinned"' in line for line in lines)


def test_sigterm_lets_running_exchanges_finish(cast):
    begun, go = threading.Event(), threading.Event()
    gateway = cast.gateway([cast.backend("b1", serve=slow(begun, go))])
    idle, busy = Client(gateway.port), Client(gateway.port)
    busy.send(post(envelope()))
    assert begun.wait(WAIT)
    gateway.terminate()
    assert idle.peer_closed()
    wait_for(lambda: refuses(gateway.port), "new connections are refused")
    status, said = gateway.call("GET", "/health/ready")
    assert (status, said["ready"]) == (503, False)
    assert gateway.call("GET", "/health/live")[0] == 200
    assert gateway.running
    go.set()
    reply = busy.message()
    assert (len(reply.body), reply.get("Connection")) == (1_000_000, "close")
    assert busy.peer_closed()
    assert gateway.stop() == 0
    (line,) = gateway.log(1)
    assert line["status"] == 200
    idle.close()
    busy.close()


def refuses(port: int) -> bool:
    try:
        Client(port).close()
    except ConnectionRefusedError:
        return True
    return False


def test_sigterm_waits_no_longer_than_the_grace(cast):
    begun, go = threading.Event(), threading.Event()
    backend = cast.backend("b1", serve=slow(begun, go))
    gateway = cast.gateway([backend], timeouts={"grace": "1s"})
    with Client(gateway.port) as client:
        client.send(post(envelope()))
        assert begun.wait(WAIT)
        assert gateway.stop() == 0
        assert b"200 OK" not in client.rest()
    go.set()
    (line,) = gateway.log(1)
    assert line["left"] or line["route"] == "refused"


def test_a_gateway_that_cannot_listen_says_so_and_ends(cast):
    shops = cast.shops("b1")
    taken = f"tcp:{shops[0].port}:interface=127.0.0.1"
    text = settings(shops, gateway={"listen": [taken]})
    gateway = cast.run(text, ready=False)
    assert gateway.process.wait(WAIT) == 1
    assert f"listen on '{taken}'" in gateway.stderr
    assert " ready on " not in gateway.stderr
