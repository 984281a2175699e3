"""A reload of the whole gateway: what changes, what stays, and what a bad file does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from gate import FILE, House, ok, post

from soapgate.core.errors import ConfigError

# It reloads

BAD = {
    "not TOML": "[gateway",
    "an unknown key": FILE.replace("[gateway]", "[gateway]\nlisten_to = 1"),
    "no pool": FILE.replace('pool = "shop"', 'pool = "ship"'),
    "a file of certificates that is missing": FILE.replace("http://10.0.0.2", "https://10.0.0.2")
    + '[pool.shop.tls]\nca = "missing.pem"\n',
    "a location that does not compile": FILE.replace("Header/shop:Session/@id", "Header/shop:["),
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_a_bad_file_changes_nothing_and_says_why(house: House, said: list[str], text: str) -> None:
    client = house.client()
    backend = house.serve(client, post(), ok("s-1"))
    before = (
        house.gateway.staff.table, house.gateway.staff.rules, house.gateway.services,
        house.gateway._config, house.gateway.staff.front.known,
    )  # fmt: skip
    members = dict(house.gateway.pools["shop"].members)
    assert not house.reload(text)
    after = (
        house.gateway.staff.table, house.gateway.staff.rules, house.gateway.services,
        house.gateway._config, house.gateway.staff.front.known,
    )  # fmt: skip
    assert all(one is other for one, other in zip(before, after, strict=True))
    assert house.gateway.pools["shop"].members == members
    assert any("not reloaded, nothing changed" in line for line in said)
    client.says(post("s-1"))
    assert backend.heard()


def test_a_file_that_is_gone_changes_nothing(house: House) -> None:
    house.path.unlink()
    assert not house.reload()
    client = house.client()
    house.serve(client, post(), ok())


def test_a_gateway_without_a_file_has_nothing_to_reload(build: Callable[..., House]) -> None:
    house = build()
    house.gateway._path = None
    assert not house.reload()


def test_a_reload_keeps_pins_and_connections(house: House) -> None:
    client = house.client()
    backend = house.serve(client, post(), ok("s-1"))
    assert house.reload(FILE.replace("10.0.0.2", "10.0.0.3"))
    client.says(post("s-1"))
    assert backend.heard()


def test_over_long_ids_are_counted_across_reloads(house: House) -> None:
    client = house.client()
    house.serve(client, post("x" * 5000), ok())
    house.passes(1)
    assert house.gateway.metrics.oversized_ids == 1
    assert house.reload()
    client.says(post("y" * 5000))
    house.passes(1)
    assert house.gateway.metrics.oversized_ids == 2


def test_texts_no_id_could_be_made_of_are_counted(house: House) -> None:
    assert house.reload(FILE.replace("Header/shop:Session/@id", "Header/shop:Session/@id | base64"))
    client = house.client()
    house.serve(client, post("####"), ok())
    house.passes(1)
    assert house.gateway.metrics.unreadable_ids == 1
    assert house.reload()
    house.passes(1)
    assert house.gateway.metrics.unreadable_ids == 1


def test_members_that_stay_keep_their_state(house: House) -> None:
    pool = house.gateway.pools["shop"]
    stays = pool.members["b1"]
    stays.admin = "drain"
    client = house.client()
    pool.members["b2"].admin = "maint"
    stays.admin = "ready"
    client.says(post())
    backend = house.backend()
    stays.admin = "drain"
    more = FILE.replace(
        '{ name = "b2", url = "http://10.0.0.2:80" }',
        '{ name = "b3", url = "http://10.0.0.3:80" }',
    ).replace("10.0.0.1:80", "10.0.0.1:80/")
    assert house.reload(more)
    assert house.gateway.pools["shop"] is pool
    assert list(pool.members) == ["b1", "b3"]
    assert pool.members["b1"] is stays
    assert (stays.admin, stays.inflight) == ("drain", 1)
    backend.says(ok())
    assert client.heard() == ok()
    assert stays.inflight == 0


def test_idle_connections_of_members_that_leave_are_closed(house: House) -> None:
    clients = [house.client(), house.client()]
    backends = [house.serve(client, post(), ok()) for client in clients]
    assert sorted(one.name for one in backends) == ["b1", "b2"]
    assert house.reload(FILE.replace('{ name = "b2", url = "http://10.0.0.2:80" },', ""))
    assert {one.name: one.ended for one in backends} == {"b1": "", "b2": "aborted"}
    assert len(house.open) == 1


def test_a_running_exchange_of_a_member_that_leaves_finishes(house: House) -> None:
    clients = [house.client(), house.client()]
    for client in clients:
        client.says(post())
    backends = [house.backend() for _ in clients]
    assert house.reload(FILE.replace('{ name = "b2", url = "http://10.0.0.2:80" },', ""))
    for client, backend in zip(clients, backends, strict=True):
        assert backend.heard()
        backend.says(ok())
        assert client.heard() == ok()
    assert {one.name: one.ended for one in backends} == {"b1": "", "b2": "aborted"}
    assert house.gateway.metrics.connections_upstream == 1


def test_a_pool_that_leaves_lets_its_exchanges_finish(house: House) -> None:
    client = house.client()
    client.says(post())
    backend = house.backend()
    other = FILE.replace("pool.shop", "pool.bank").replace('pool = "shop"', 'pool = "bank"')
    assert house.reload(other.replace("service.shop", "service.bank"))
    assert list(house.gateway.pools) == ["bank"]
    assert backend.heard()
    backend.says(ok("s-1"))
    assert client.heard() == ok("s-1")
    assert backend.ended == "aborted"
    assert house.open == set()


def test_a_name_at_another_address_is_another_server(house: House) -> None:
    pool = house.gateway.pools["shop"]
    before = pool.members["b1"]
    clients = [house.client(), house.client()]
    backends = {one.name: one for one in (house.serve(each, post(), ok()) for each in clients)}
    assert house.reload(FILE.replace("10.0.0.1:80", "10.0.0.7:80"))
    assert pool.members["b1"] is not before
    assert backends["b1"].ended == "aborted"
    assert backends["b2"].ended == ""


def test_new_services_are_in_force_for_the_next_request(house: House) -> None:
    client = house.client()
    house.serve(client, post(), ok())
    client.heard()
    assert house.reload(FILE.replace("[service.shop]", '[service.shop]\npath = "/other"'))
    client.says(post())
    assert client.heard().startswith(b"HTTP/1.1 404 ")


def test_new_times_and_limits_are_in_force(house: House) -> None:
    client = house.client()
    limits = '[limits]\nhead = 60\n[timeouts]\nhead = "2s"\n'
    assert house.reload(FILE + limits)
    client.says(post())
    assert client.heard().startswith(b"HTTP/1.1 431 ")
    late = house.client()
    late.says(post()[:20])
    house.passes(3)
    assert late.heard().startswith(b"HTTP/1.1 408 ")


def test_what_changes_at_the_next_start_only_is_said(house: House, said: list[str]) -> None:
    changed = FILE.replace("tcp:8080", "tcp:8090").replace("exchanges.log", "other.log")
    assert house.reload(changed)
    warned = [line for line in said if "next start only" in line]
    assert warned == [
        "[gateway] listen changes at the next start only",
        "[gateway] log_to changes at the next start only",
    ]
    assert list(house.reactor.ports) == [8080, 9900]
    assert not (house.path.parent / "other.log").exists()


def test_whose_certificates_clients_must_show_changes_at_the_next_start(
    house: House, said: list[str]
) -> None:
    asks = '"ssl:8080"\nclient_ca = "missing.pem"\nclient_certificate = "optional"'
    assert house.reload(FILE.replace('"tcp:8080"', asks))
    assert [line for line in said if "next start only" in line] == [
        f"[gateway] {key} changes at the next start only"
        for key in ("listen", "client_ca", "client_certificate")
    ]


@pytest.mark.parametrize("text", [FILE, BAD["not TOML"]], ids=["good file", "bad file"])
def test_a_rotated_log_is_opened_anew(house: House, text: str) -> None:
    """Whoever rotates it must not wait for a good configuration."""
    client = house.client()
    backend = house.serve(client, post(), ok("s-1"))
    old = house.path.parent / "exchanges.log.1"
    (house.path.parent / "exchanges.log").rename(old)
    house.reload(text)
    client.says(post("s-1"))
    backend.says(ok("s-1"))
    house.passes(1)
    assert "route=balanced" in old.read_text()
    assert old.read_text().count("\n") == 1
    assert "route=pinned" in house.log
    assert house.log.count("\n") == 1


def test_a_log_that_cannot_be_opened_anew_goes_on_where_it_was(
    house: House, said: list[str]
) -> None:
    log = house.path.parent / "exchanges.log"
    old = house.path.parent / "exchanges.log.1"
    log.rename(old)
    log.mkdir()
    assert house.reload()
    client = house.client()
    house.serve(client, post(), ok())
    house.passes(1)
    assert "route=balanced" in old.read_text()
    assert any("the log stays where it was" in line for line in said)


def test_a_log_that_cannot_be_opened_keeps_the_gateway_from_starting(
    build: Callable[..., House], tmp_path: Path
) -> None:
    (tmp_path / "exchanges.log").mkdir()
    with pytest.raises(ConfigError, match="log_to"):
        build()


def test_a_member_that_left_may_still_fail(house: House) -> None:
    """Its last exchange ends as any other, although nobody can be told of it."""
    assert house.reload(FILE.replace("[pool.shop]", "[pool.shop]\nhealth = { fall = 1 }"))
    clients = [house.client(), house.client()]
    for client in clients:
        client.says(post())
    backends = [house.backend() for _ in clients]
    assert house.reload(FILE.replace('{ name = "b2", url = "http://10.0.0.2:80" },', ""))
    busy = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"
    for client, backend in zip(clients, backends, strict=True):
        backend.says(busy)
        assert client.heard() == busy
