"""Sessions over real sockets: one id, one backend, however many clients race and wherever it is."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from live import Cast, Gateway
from wire import (
    WAIT,
    Backend,
    Client,
    Message,
    Wire,
    ask,
    client_made,
    envelope,
    issued_id,
    lines,
    ok,
    post,
    session,
    wait_for,
)

RACERS = 100


@pytest.fixture(scope="module")
def shops(company: Cast) -> list[Backend]:
    return company.shops("b1", "b2", "b3")


@pytest.fixture(scope="module")
def gateway(company: Cast, shops: list[Backend]) -> Gateway:
    return company.gateway(shops)


def at_once(port: int, requests: list[bytes]) -> list[Message]:
    """The answers to requests on connections of their own, all sent at the same moment."""
    gate = threading.Barrier(len(requests))

    def one(request: bytes) -> Message:
        with Client(port) as client:
            gate.wait(WAIT)
            return client.ask(request)

    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(one, requests))


@pytest.mark.parametrize("round_", range(3))
def test_a_hundred_concurrent_first_requests_with_one_new_id_reach_one_backend(gateway, round_):
    request = post(envelope(client_made(f"race-{round_}")))
    replies = at_once(gateway.port, [request] * RACERS)
    assert {reply.status for reply in replies} == {200}
    assert len({reply.node for reply in replies}) == 1


def test_concurrent_first_requests_of_many_ids_spread_and_stay(gateway):
    requests = [post(envelope(client_made(f"many-{n}"))) for n in range(20)]
    replies = at_once(gateway.port, requests * 5)
    homes = Counter((n % 20, reply.node) for n, reply in enumerate(replies))
    assert len(homes) == 20, "an id had two backends"
    assert {node for _, node in homes} == {"b1", "b2", "b3"}


def test_two_gateways_of_one_store_decide_alike(cast):
    """The race again, through two processes that share their pins."""
    shops = cast.shops("b1", "b2", "b3")
    first = cast.gateway(shops)
    second = cast.gateway(
        shops, name="second", gateway={"pins": f"lmdb:{first.directory / 'pins'}"}
    )
    for number in range(10):
        request = post(envelope(client_made(f"shared-{number}")))
        with ThreadPoolExecutor(2) as pool:
            halves = pool.map(
                lambda port, raw=request: at_once(port, [raw] * 10), (first.port, second.port)
            )
            assert len({reply.node for half in halves for reply in half}) == 1


def test_an_issued_session_stays_whatever_connection_it_comes_on(gateway):
    with Client(gateway.port) as client:
        first = client.ask(post(envelope(body="<s:login/>")))
        identity = issued_id(first)
        for _ in range(5):
            assert client.ask(post(envelope(session(identity)))).node == first.node
            assert ask(gateway.port, post(envelope(session(identity)))).node == first.node


def test_an_unknown_issued_id_is_balanced_and_bound_nowhere(gateway):
    request = post(envelope(session("nobody-issued-it")))
    assert {ask(gateway.port, request).node for _ in range(6)} == {"b1", "b2", "b3"}
    assert gateway.pinned("nobody-issued-it") == ""


def test_a_logout_ends_the_session_after_its_answer(gateway):
    identity = issued_id(ask(gateway.port, post(envelope(body="<s:login/>"))))
    home = gateway.pinned(identity)
    assert home
    out = post(envelope(session(identity), "<s:logout/>"))
    assert ask(gateway.port, out).node == home

    def shown(word):
        status, said = gateway.call(
            "POST", "/api/v1/pins/lookup", {"service": "shop", "id": identity}
        )
        return status == 404 or said["pins"][0][word]

    assert shown("ended")
    late = [ask(gateway.port, post(envelope(session(identity)))).node for _ in range(3)]
    assert late == [home] * 3  # what trails behind still finds it
    wait_for(lambda: shown("expired"), "the end of the session's grace")


def test_an_id_that_is_cut_across_packets_is_found(gateway):
    identity = issued_id(ask(gateway.port, post(envelope(body="<s:login/>"))))
    raw, home = post(envelope(session(identity))), gateway.pinned(identity)
    with Client(gateway.port) as client:
        for at in range(0, len(raw), 7):
            client.send(raw[at : at + 7])
        assert client.message().node == home


def test_the_pin_is_bound_before_its_response_is_seen(cast):
    """The response is held at its first byte's place: head and id come, the rest does not."""
    go = threading.Event()
    body = envelope(session("held-1"), "<s:done/>", padding=500_000)

    def serve(wire: Wire) -> None:
        while True:
            request = wire.message()
            if b"login" not in request.body:
                wire.send(ok(b"", ("X-Node", "b1")))
                continue
            raw = ok(body, ("X-Node", "b1"))
            wire.send(raw[:2000])
            assert go.wait(WAIT)
            wire.send(raw[2000:])

    gateway = cast.gateway([cast.backend("b1", serve=serve)])
    with Client(gateway.port) as client:
        client.send(post(envelope(body="<s:login/>")))
        head = client.head()  # its first bytes are here, its end is not
        assert gateway.pinned("held-1") == "b1"
        go.set()
        assert b"".join(client.body(head)) == body


COOKIES = {
    "b1": (("Set-Cookie", "JSESSIONID=jar-b1; Path=/; HttpOnly"),),
    "b2": (("Set-Cookie", "lang=en"), ("Set-Cookie", 'JSESSIONID="jar-b2"')),
}


def jar(name: str):
    def reply(request: Message) -> bytes:
        new = COOKIES[name] if request.start.startswith("GET /login") else ()
        return ok(b"", ("X-Node", name), *new)

    return reply


def test_cookies_and_path_parameters_hold_a_session_that_is_not_soap(cast):
    gateway = cast.gateway([cast.backend(name, reply=jar(name)) for name in COOKIES])
    login = lines("GET /login HTTP/1.1", (("Host", "h"),))
    assert {ask(gateway.port, login).node for _ in range(2)} == {"b1", "b2"}
    for name in COOKIES:
        for start, fields in (
            ("GET /x HTTP/1.1", (("Host", "h"), ("Cookie", f"a=b; JSESSIONID=jar-{name}"))),
            (f"GET /x;jsessionid=jar-{name}?q=1 HTTP/1.1", (("Host", "h"),)),
        ):
            nodes = {ask(gateway.port, lines(start, fields)).node for _ in range(3)}
            assert nodes == {name}


def test_pinned_requests_wait_for_their_full_backend(cast):
    """Never elsewhere: in their own order, up to `queue`; others go where there is room."""
    begun, go = threading.Semaphore(0), threading.Event()

    def serve(wire: Wire) -> None:
        while True:
            request = wire.message()
            if b"slow" in request.body:
                begun.release()
                assert go.wait(WAIT)
            wire.send(ok(b"", ("X-Node", "b1")))

    full = cast.backend("b1", serve=serve)
    (other,) = cast.shops("b2")
    listed = [
        {"name": "b1", "url": full.url, "maxconn": 1},
        {"name": "b2", "url": other.url},
    ]
    gateway = cast.gateway([], pool={"backend": listed}, timeouts={"queue": "1s"})
    mine = next(
        made
        for made in (client_made(f"q{n}") for n in range(4))
        if ask(gateway.port, post(envelope(made))).node == "b1"
    )
    with Client(gateway.port) as busy, Client(gateway.port) as waiting:
        busy.send(post(envelope(mine, "<s:slow/>")))
        assert begun.acquire(timeout=WAIT)
        assert {ask(gateway.port, post(envelope())).node for _ in range(4)} == {"b2"}
        reply = ask(gateway.port, post(envelope(mine)))
        assert (reply.status, b"QueueTimeout" in reply.body) == (503, True)
        waiting.send(post(envelope(mine)))
        go.set()
        assert (busy.message().node, waiting.message().node) == ("b1", "b1")
