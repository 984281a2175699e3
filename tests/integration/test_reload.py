"""SIGHUP: a new file takes over, a bad one does not, and nobody who is being served notices."""

from __future__ import annotations

import threading

from live import settings
from wire import WAIT, Client, Wire, ask, envelope, issued_id, ok, post, session, wait_for

LOGIN = post(envelope(body="<s:login/>"))


def nodes(port: int, request: bytes, count: int = 6) -> set[str]:
    return {ask(port, request).node for _ in range(count)}


def service(gateway) -> dict[str, object]:
    return gateway.call("GET", "/api/v1/services")[1]["services"][0]


def test_a_reload_changes_backends_and_terms_while_an_exchange_runs(cast):
    begun, go = threading.Event(), threading.Event()

    def serve(wire: Wire) -> None:
        while True:
            request = wire.message()
            if b"slow" in request.body:
                begun.set()
                assert go.wait(WAIT)
            identity = session("issued-by-b1") if b"login" in request.body else ""
            wire.send(ok(envelope(identity, padding=200_000), ("X-Node", "b1")))

    b1 = cast.backend("b1", serve=serve)
    (b2,) = cast.shops("b2")
    gateway = cast.gateway([b1])
    identity = issued_id(ask(gateway.port, LOGIN))
    mine = post(envelope(session(identity)))
    with Client(gateway.port) as slow, Client(gateway.port) as kept:
        slow.send(post(envelope(session(identity), "<s:slow/>")))
        assert kept.ask(mine).node == "b1"
        assert begun.wait(WAIT)

        gateway.config.write_text(
            settings([b1, b2], service={"lost": "redispatch", "idle": "10m", "max_age": "1h"})
        )
        gateway.hang_up()
        gateway.says("reloaded")
        said = service(gateway)
        assert (said["lost"], said["idle"], said["max_age"]) == ("redispatch", 600, 3600)
        assert nodes(gateway.port, LOGIN) == {"b1", "b2"}
        assert gateway.pinned(identity) == "b1"
        assert kept.ask(mine).node == "b1"
        assert gateway.backend("b1")["inflight"] == 1

        gateway.config.write_text(settings([b2], service={"lost": "redispatch"}))
        gateway.hang_up()
        wait_for(lambda: gateway.stderr.count("reloaded") == 2, "the second reload")
        assert kept.ask(mine).node == "b2"
        assert gateway.pinned(identity) == "b2"

        go.set()
        reply = slow.message()  # from b1, which is no longer configured
        assert (reply.node, len(reply.body) > 200_000) == ("b1", True)
    wait_for(lambda: all(wire.sock.fileno() < 0 for wire in b1.wires), "no connection to b1")


def test_a_bad_file_changes_nothing_and_says_why(cast):
    b1, b2 = cast.shops("b1", "b2")
    gateway = cast.gateway([b1, b2])
    identity = issued_id(ask(gateway.port, LOGIN))
    home = gateway.pinned(identity)
    before = service(gateway)
    for text, why in (
        ("[pool.shop\n", "soapgate.toml"),
        (settings([b1], service={"lost": "nice"}), 'allowed are "strict", "redispatch"'),
        (settings([b1], pool={"backends": []}), "backends"),
        (
            settings(
                [],
                pool={
                    "backend": [{"name": "b9", "url": "https://127.0.0.1:1"}],
                    "tls": {"ca": "nowhere.pem"},
                },
            ),
            "nowhere.pem",
        ),
    ):
        count = gateway.stderr.count("nothing changed")
        gateway.config.write_text(text)
        gateway.hang_up()
        wait_for(lambda n=count: gateway.stderr.count("nothing changed") > n, "a refusal")
        assert why in gateway.stderr.rpartition("nothing changed")[2]
        assert service(gateway) == before
        assert nodes(gateway.port, LOGIN) == {"b1", "b2"}
        assert nodes(gateway.port, post(envelope(session(identity)))) == {home}
    gateway.config.unlink()
    gateway.hang_up()
    gateway.says("cannot be read")
    assert nodes(gateway.port, LOGIN) == {"b1", "b2"}


def test_an_operators_word_and_health_survive_a_reload(cast):
    b1, b2 = cast.shops("b1", "b2")
    pool = {"health": {"interval": "200ms", "fall": 2}}
    gateway = cast.gateway([b1, b2], pool=pool)
    gateway.call("PATCH", "/api/v1/backends/shop/b1", {"admin": "drain"})
    b2.stop()
    wait_for(lambda: not gateway.backend("b2")["up"], "b2 is down")
    gateway.config.write_text(settings([b1, b2], pool=pool, service={"idle": "1h"}))
    gateway.hang_up()
    gateway.says("reloaded")
    assert (gateway.backend("b1")["admin"], gateway.backend("b2")["up"]) == ("drain", False)


def test_a_log_that_was_rotated_is_opened_anew_and_what_cannot_change_is_said(cast):
    shops = cast.shops("b1")
    gateway = cast.gateway(shops)
    ask(gateway.port, LOGIN)
    gateway.log(1)
    old = gateway.log_file.rename(gateway.directory / "access.log.1")
    gateway.config.write_text(settings(shops, gateway={"pins": "memory:"}))
    gateway.hang_up()
    gateway.says("pins changes at the next start only")
    gateway.says("reloaded")
    ask(gateway.port, LOGIN)
    wait_for(lambda: gateway.log_file.read_text().count("\n") == 1, "a line in the new log")
    assert old.read_text().count("\n") == 1


def test_a_storm_of_reloads_disturbs_no_exchange(cast):
    shops = cast.shops("b1", "b2")
    gateway = cast.gateway(shops)
    identity = issued_id(ask(gateway.port, LOGIN))
    home = gateway.pinned(identity)
    with Client(gateway.port) as client:
        for _ in range(40):
            gateway.hang_up()
            assert client.ask(post(envelope(session(identity)))).node == home
    gateway.says("reloaded")
