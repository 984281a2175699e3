"""The admin side of a running gateway, as an operator and as Prometheus use it."""

from __future__ import annotations

import json
import socket

import pytest
from live import Cast, Gateway, settings
from wire import (
    WAIT,
    Backend,
    Client,
    ask,
    client_made,
    envelope,
    issued_id,
    lines,
    post,
    session,
    wait_for,
)

LOGIN = post(envelope(body="<s:login/>"))


@pytest.fixture(scope="module")
def shops(company: Cast) -> list[Backend]:
    return company.shops("b1", "b2")


@pytest.fixture(scope="module")
def gateway(company: Cast, shops: list[Backend]) -> Gateway:
    return company.gateway(shops)


@pytest.fixture
def ready(gateway: Gateway) -> Gateway:
    """With both backends ready, before and after."""
    yield gateway
    for name in ("b1", "b2"):
        say(gateway, name, "ready")


def say(gateway: Gateway, name: str, word: str) -> None:
    status, said = gateway.call("PATCH", f"/api/v1/backends/shop/{name}", {"admin": word})
    assert (status, said["admin"]) == (200, word)


def logins(gateway: Gateway) -> dict[str, str]:
    """{node: a session of it}."""
    replies = [ask(gateway.port, LOGIN) for _ in range(4)]
    return {reply.node: issued_id(reply) for reply in replies}


def nodes(gateway: Gateway, request: bytes, count: int = 6) -> set[str]:
    return {ask(gateway.port, request).node for _ in range(count)}


def test_drain_takes_bound_sessions_only(ready):
    issued = logins(ready)
    say(ready, "b1", "drain")
    assert nodes(ready, LOGIN) == {"b2"}
    assert nodes(ready, post(envelope(client_made("new-in-drain")))) == {"b2"}
    assert nodes(ready, post(envelope(session(issued["b1"])))) == {"b1"}
    reasons = {line["reason"] for line in map(json.loads, log_lines(ready))}
    assert "draining" in reasons
    say(ready, "b1", "ready")
    assert nodes(ready, LOGIN) == {"b1", "b2"}


def log_lines(gateway: Gateway) -> list[str]:
    count = gateway.metric("soapgate_exchanges_total")

    def look() -> list[str] | None:
        found = gateway.log_file.read_text().splitlines()
        return found if len(found) >= count else None

    return wait_for(look, "the log's lines")


def test_maint_takes_nothing_and_ready_serves_the_pins_again(ready):
    issued = logins(ready)
    say(ready, "b1", "maint")
    assert nodes(ready, LOGIN) == {"b2"}
    reply = ask(ready.port, post(envelope(session(issued["b1"]))))
    assert (reply.status, b"SessionLost" in reply.body) == (503, True)
    assert nodes(ready, post(envelope(session(issued["b2"])))) == {"b2"}
    say(ready, "b1", "ready")
    assert nodes(ready, post(envelope(session(issued["b1"])))) == {"b1"}


def test_with_all_in_maint_the_gateway_is_not_ready(ready):
    for name in ("b1", "b2"):
        say(ready, name, "maint")
    assert ready.call("GET", "/health/ready")[0] == 503
    assert ready.call("GET", "/health/live") == (200, {"live": True})
    assert ask(ready.port, LOGIN).status == 503


def test_pins_are_listed_looked_up_and_forgotten_without_their_ids(gateway):
    identity = issued_id(ask(gateway.port, LOGIN))
    home = gateway.pinned(identity)
    listed = gateway.pins(service="shop", backend=home, limit="1000")
    assert all(pin["backend"] == home for pin in listed)
    question = {"service": "shop", "id": identity}
    status, said = gateway.call("POST", "/api/v1/pins/lookup", question)
    (pin,) = said["pins"]
    assert (status, pin["profile"], pin["leads_to"]) == (200, "shop", home)
    assert pin["key"] in {one["key"] for one in listed}
    assert identity not in json.dumps([said, listed])
    assert gateway.call("DELETE", f"/api/v1/pins/shop/{pin['key']}")[0] == 200
    assert gateway.pinned(identity) == ""
    assert gateway.call("DELETE", f"/api/v1/pins/shop/{pin['key']}")[0] == 404
    # nobody knows it any more, so it is balanced
    assert nodes(gateway, post(envelope(session(identity)))) == {"b1", "b2"}


def test_a_walk_over_the_pins_sees_each_once(gateway):
    for number in range(30):
        ask(gateway.port, post(envelope(client_made(f"walk-{number}"))))
    keys, cursor = [], ""
    while True:
        text = f"/api/v1/pins?limit=7{f'&cursor={cursor}' if cursor else ''}"
        page = gateway.call("GET", text)[1]
        keys += [pin["key"] for pin in page["pins"]]
        if page["cursor"] is None:
            break
        cursor = page["cursor"]
    assert len(keys) == len(set(keys)) == gateway.call("GET", "/api/v1/status")[1]["pins"] >= 30


def test_prometheus_can_read_the_metrics_and_they_add_up(gateway):
    ask(gateway.port, lines("GET /nowhere HTTP/1.1", (("Host", "h"), ("Bad Name", "x"))))
    ask(gateway.port, LOGIN)
    families = gateway.scrape()
    assert {
        *("soapgate_exchanges", "soapgate_exchange_seconds", "soapgate_scans", "soapgate_pins"),
        *("soapgate_pin_events", "soapgate_backend_up", "soapgate_backend_admin"),
        *("soapgate_connections", "soapgate_connections_open", "soapgate_bytes"),
        *("soapgate_router_requests", "soapgate_router_failures", "process_open_fds"),
    } <= families.keys()
    status = gateway.call("GET", "/api/v1/status")[1]
    assert gateway.metric("soapgate_exchanges_total") == status["exchanges"]
    count = gateway.metric("soapgate_exchange_seconds_count")
    assert count == status["exchanges"]
    assert gateway.metric("soapgate_exchanges_total", reason="malformed") >= 1
    assert gateway.metric("soapgate_backend_inflight") == 0
    how = {h: gateway.metric("soapgate_connections_total", how=h) for h in ("accepted", "dialled")}
    assert how["accepted"] > 0
    assert how["dialled"] > 0
    for side in ("downstream", "upstream"):
        for direction in ("read", "sent"):
            assert gateway.metric("soapgate_bytes_total", side=side, direction=direction) > 0


def test_metrics_count_open_connections(gateway):
    gateway.at_rest()
    clients = [Client(gateway.port) for _ in range(5)]
    open_ = {"side": "downstream"}
    wait_for(lambda: gateway.metric("soapgate_connections_open", **open_) == 5, "5 clients")
    for client in clients:
        client.close()
    gateway.at_rest()


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example"]
)
def test_a_foreign_host_name_is_refused(gateway, host):
    assert gateway.call("GET", "/api/v1/status", headers={"Host": host})[0] == 403


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
def test_what_a_web_page_can_send_changes_nothing(gateway, kind):
    path, body = "/api/v1/backends/shop/b1", {"admin": "maint"}
    assert gateway.call("PATCH", path, body, headers={"Content-Type": kind})[0] == 415
    assert gateway.backend("b1")["admin"] == "ready"


@pytest.mark.parametrize(
    "endpoint", ["tcp:0", "tcp:0:interface=0.0.0.0", "tcp:0:interface=192.0.2.1"]
)
def test_an_admin_side_that_others_could_reach_is_refused(cast, endpoint):
    text = settings(cast.shops("b1"), gateway={"admin": endpoint})
    gateway = cast.run(text, ready=False)
    assert gateway.process.wait(WAIT) == 2
    assert "loopback" in gateway.stderr


def test_only_the_loopback_interface_listens(gateway):
    """Linux answers for all of 127/8 on this machine; the admin side took one address of it."""
    with socket.socket() as other:
        other.settimeout(WAIT)
        with pytest.raises(ConnectionRefusedError):
            other.connect(("127.0.0.2", gateway.admin_port))
