"""The whole gateway put together: it listens, serves and ends, on a clock in memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from gate import _SILENT, FILE, House, ok, post
from twisted.internet.defer import Deferred

from soapgate.core.errors import ConfigError, StoreError
from soapgate.edge.deadlines import NEVER

# It serves


def test_it_says_that_it_is_ready_when_every_listener_accepts(
    build: Callable[..., House], capsys: pytest.CaptureFixture[str]
) -> None:
    house = build(FILE.replace('"tcp:8080"', '["tcp:8080", "tcp:8081:interface=127.0.0.1"]'))
    assert house.gateway.ready() == (False, ["not listening yet"])
    house.start()
    (line,) = capsys.readouterr().err.splitlines()
    assert " ready on 0.0.0.0:8080, 127.0.0.1:8081; admin on 127.0.0.1:9900; pid " in line
    assert house.gateway.ready() == (True, [])


def test_an_exchange_goes_through_the_whole_house(house: House) -> None:
    client = house.client()
    backend = house.serve(client, post(), ok("s-1"))
    assert client.heard() == ok("s-1")
    other = house.client()
    other.says(post("s-1"))
    assert b'id="s-1"' in backend.heard()
    backend.says(ok("s-1"))
    house.passes(1)
    first, second = house.log.splitlines()
    assert "route=balanced" in first
    assert "route=pinned" in second
    assert f"backend={backend.name}" in second
    assert "s-1" not in house.log
    counts = house.gateway.metrics
    assert [n for (_, route, _), n in counts.exchanges.items() if route == "pinned"] == [1]
    assert (counts.accepted, counts.connections_downstream) == (2, 2)
    assert counts.downstream_read == len(post()) + len(post("s-1"))
    assert counts.downstream_sent == counts.upstream_read == 2 * len(ok("s-1"))


def test_the_service_is_the_first_that_matches(build: Callable[..., House]) -> None:
    pool = '[pool.bank]\nbackend = [{ name = "b9", url = "http://10.0.0.9:80" }]\n'
    bank = '[service.bank]\npool = "bank"\npath = "/bank"\n'
    house = build(FILE.replace("[service.shop]", bank + "[service.shop]") + pool).start()
    client = house.client()
    client.says(post(path="/bank/account"))
    assert house.backend().name == "b9"


@pytest.mark.parametrize("endpoint", ["tcp:8081", "tcp:9900:interface=127.0.0.1"])
def test_an_endpoint_that_is_taken_is_named(build: Callable[..., House], endpoint: str) -> None:
    house = build(FILE.replace('"tcp:8080"', '["tcp:8080", "tcp:8081"]'))
    house.reactor.taken = {8081 if "8081" in endpoint else 9900}
    house.gateway.startService()
    with pytest.raises(ConfigError, match=endpoint):
        house.listen()
    house.stop()
    assert house.reactor.order[:1] == ["closed 8080"]


def test_no_limit_is_no_limit(build: Callable[..., House]) -> None:
    """In [timeouts], 0 means none."""
    names = ("head", "idle", "connect", "response", "response_idle", "upstream_idle")
    # the probes of this house are never answered: they must not take its backends down
    calm = FILE.replace("[pool.shop]", '[pool.shop]\nhealth = { interval = "1h" }')
    house = build(calm + "[timeouts]\n" + "".join(f"{name} = 0\n" for name in names)).start()
    waits, asks = house.client(), house.client()
    waits.says(post()[:20])
    backend = house.serve(asks, post(), ok("s-1"))
    asks.heard()
    house.passes(500)
    assert (waits.ended, asks.ended, backend.ended) == ("", "", "")
    asks.says(post("s-1"))
    backend.heard()
    house.passes(500)
    assert asks.heard() == b""
    backend.says(ok()[:-1])
    house.passes(500)
    assert (asks.ended, backend.ended) == ("", "")
    assert house.gateway.staff.front.times.stalled == NEVER
    timeouts = [timeout for _, _, factory, timeout, _ in house.reactor.tcpClients
                if getattr(factory, "_wrappedFactory", None) is not _SILENT]  # fmt: skip
    assert timeouts == [None]


# What the admin side asks


def test_it_is_not_ready_while_a_pool_has_nobody(house: House) -> None:
    pool = house.gateway.pools["shop"]
    house.gateway.set_admin(pool, pool.members["b1"], "maint")
    assert house.gateway.ready() == (True, [])
    house.gateway.set_admin(pool, pool.members["b2"], "drain")
    assert house.gateway.ready() == (False, ["pool shop: no backend is up and ready"])


def test_what_an_operator_says_is_logged_once(house: House, said: list[str]) -> None:
    pool = house.gateway.pools["shop"]
    for _ in range(2):
        house.gateway.set_admin(pool, pool.members["b1"], "drain")
    assert said == ["backend shop/b1 is drain, was ready"]


def test_a_backend_that_goes_down_is_logged(house: House, said: list[str]) -> None:
    pool = house.gateway.pools["shop"]
    while not pool.members["b1"].mark(False):
        pass
    house.gateway.flipped(pool, pool.members["b1"])
    assert said == ["backend shop/b1 is down"]


def test_services_say_what_they_are(house: House) -> None:
    info = house.gateway.services["shop"]
    assert (info.name, info.pool, info.profiles) == ("shop", "shop", ("shop",))
    assert house.gateway.now() == house.reactor.seconds()
    assert house.gateway.last_probe("shop", "b1") is None
    assert house.gateway.last_probe("shop", "nobody") is None


# It ends


def test_it_ends_at_once_if_nobody_is_there(house: House) -> None:
    assert house.stop().called
    assert house.reactor.order == ["closed 8080", "closed 9900"]
    assert house.reactor.getDelayedCalls() == []


def test_running_exchanges_finish_and_idle_clients_go(house: House) -> None:
    idle, busy = house.client(), house.client()
    busy.says(post())
    backend = house.backend()
    ended = house.stop()
    assert idle.ended == "closed"
    assert not ended.called
    assert house.gateway.ready()[0] is False
    backend.says(ok("s-1"))
    assert b"\r\nConnection: close\r\n" in busy.heard()
    assert busy.ended == "closed"
    assert ended.called
    assert backend.ended == "aborted"
    assert house.open == set()
    assert "route=balanced" in house.log
    assert house.reactor.getDelayedCalls() == []


def test_the_admin_side_closes_last(house: House) -> None:
    busy = house.client()
    busy.says(post())
    backend = house.backend()
    house.stop()
    assert house.reactor.order == ["closed 8080"]
    backend.says(ok())
    assert house.reactor.order == ["closed 8080", "closed 9900"]


def test_it_waits_for_its_listeners_to_close(house: House) -> None:
    closing: Deferred[None] = Deferred()
    house.reactor.ports[8080].closing = closing
    ended = house.stop()
    assert not ended.called
    closing.callback(None)
    assert ended.called


def test_who_is_still_busy_after_the_grace_time_is_cut_off(
    build: Callable[..., House], said: list[str]
) -> None:
    house = build(FILE + '[timeouts]\ngrace = "5s"\n').start()
    busy = house.client()
    busy.says(post())
    backend = house.backend()
    ended = house.stop()
    house.passes(4)
    assert not ended.called
    house.passes(2)
    assert ended.called
    assert (busy.ended, backend.ended) == ("aborted", "aborted")
    assert "1 connections were still busy after the grace time" in said
    assert house.gateway.metrics.clients_left == 1
    assert house.log.count("\n") == 1
    assert house.reactor.getDelayedCalls() == []


def test_without_grace_nobody_is_waited_for(build: Callable[..., House]) -> None:
    house = build(FILE + "[timeouts]\ngrace = 0\n").start()
    busy = house.client()
    busy.says(post())
    ended = house.stop()
    house.reactor.advance(0)
    assert ended.called
    assert busy.ended == "aborted"


def test_a_client_that_comes_while_it_ends_is_sent_away(house: House) -> None:
    busy = house.client()
    busy.says(post())
    house.stop()
    late = house.client()
    assert late.ended == "closed"


def test_the_store_is_closed_at_the_very_end(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        house.gateway.store, "close", lambda: house.reactor.order.append("store closed")
    )
    house.stop()
    assert house.reactor.order == ["closed 8080", "store closed", "closed 9900"]


def test_a_store_that_cannot_sync_is_reported_and_tried_again(
    house: House, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(house.gateway.store, "sync", fails)
    house.passes(2)
    assert said.count("pins are not synced: the disk is full") == 2


def test_a_broken_loop_does_not_keep_it_from_ending_well(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[bool] = []
    monkeypatch.setattr(house.gateway.store, "close", lambda: closed.append(True))
    house.gateway._syncing.stop()
    house.stop()
    assert closed == [True]
