"""What serves exchanges, put together; what it does in a whole gateway is in test_service."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from certs import Authority
from gate import FILE, House, ok, post

from soapgate.config import load
from soapgate.core.errors import ConfigError
from soapgate.core.policies import LeastRequests
from soapgate.core.pool import Pool
from soapgate.core.shapes import PRICE, SIGHTINGS
from soapgate.serving import asked_of_clients, make_store, prepare, renew


def written(tmp_path: Path, text: str = FILE) -> Path:
    path = tmp_path / "gate.toml"
    path.write_text(text)
    return path


def test_what_can_fail_fails_before_anything_changes(tmp_path: Path) -> None:
    text = FILE.replace("http://10.0.0.2", "https://10.0.0.2")
    config = load(written(tmp_path, text + '[pool.shop.tls]\nca = "missing.pem"\n'))
    with pytest.raises(ConfigError, match=r"missing.pem"):
        prepare(config)


def test_a_configuration_prepared_has_a_plan_for_each_service(tmp_path: Path) -> None:
    prepared = prepare(load(written(tmp_path)))
    assert prepared.plans.keys() == {"shop"}
    assert prepared.tls == {"shop": {}}


ASKS = FILE.replace('"tcp:8080"', '"ssl:8443"\nclient_ca = "clients.pem"')


def test_nothing_is_asked_of_clients_unless_the_file_says_so(tmp_path: Path) -> None:
    assert asked_of_clients(load(written(tmp_path))) is None


@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")
@pytest.mark.parametrize(("word", "required"), [("required", True), ("optional", False)])
def test_what_is_asked_of_clients_lies_beside_the_file(
    tmp_path: Path, word: str, required: bool
) -> None:
    (tmp_path / "clients.pem").write_bytes(Authority().pem)
    text = ASKS.replace("[namespaces]", f'client_certificate = "{word}"\n[namespaces]')
    asks = asked_of_clients(load(written(tmp_path, text)))
    assert asks is not None
    assert (len(asks.authorities), asks.required) == (1, required)


def test_a_certificate_is_required_where_the_file_does_not_say(tmp_path: Path) -> None:
    (tmp_path / "clients.pem").write_bytes(Authority().pem)
    asks = asked_of_clients(load(written(tmp_path, ASKS)))
    assert asks is not None
    assert asks.required


def test_a_missing_file_of_authorities_is_named_with_its_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        asked_of_clients(load(written(tmp_path, ASKS)))
    assert str(caught.value) == (
        f"[gateway] client_ca: {tmp_path / 'clients.pem'}: cannot be read: No such file or"
        " directory"
    )


def test_the_store_lies_beside_the_file(tmp_path: Path) -> None:
    text = FILE.replace('"memory:"', '"lmdb:var/pins"')
    store = make_store(load(written(tmp_path, text)))
    assert (tmp_path / "var/pins/key").exists()
    store.close()


def test_pools_follow_the_configuration(tmp_path: Path) -> None:
    pools: dict[str, Pool] = {}
    renew(pools, load(written(tmp_path)), Pool)
    shop, b1 = pools["shop"], pools["shop"].members["b1"]
    b1.admin = "drain"
    bank = '[pool.bank]\nbackend = [{ name = "b9", url = "http://10.0.0.9" }]\n'
    more = FILE.replace("[pool.shop]", f'{bank}[pool.shop]\npolicy = "least_requests"')
    renew(pools, load(written(tmp_path, more)), Pool)
    assert (pools["shop"], pools["shop"].members["b1"], b1.admin) == (shop, b1, "drain")
    assert isinstance(shop.policy(None), LeastRequests)
    assert pools["bank"].members.keys() == {"b9"}
    renew(pools, load(written(tmp_path)), Pool)
    assert pools.keys() == {"shop"}


def test_a_look_lets_in_who_waits(build: Callable[..., House]) -> None:
    """Where places are shared, another process may have freed one."""
    bound = 'url = "http://10.0.0.1:80", maxconn = 1'
    text = FILE.replace('url = "http://10.0.0.1:80"', bound)
    text = text.replace('{ name = "b2", url = "http://10.0.0.2:80" },', "")
    house = build(text).start()
    member = house.gateway.pools["shop"].members["b1"]
    assert member.enter()  # by whomever
    client = house.client()
    client.says(post())
    assert member.waiting == 1
    house.gateway.staff.look()
    assert member.waiting == 1
    member.leave()
    house.gateway.staff.look()
    assert (member.waiting, member.inflight) == (0, 1)
    house.backend().says(ok("s-1"))
    assert client.heard() == ok("s-1")


@pytest.mark.parametrize("said", [True, False])
def test_backends_hear_where_a_request_was_sent_if_the_file_says_so(
    build: Callable[..., House], said: bool
) -> None:
    text = FILE.replace('sessions = ["shop"]', f'sessions = ["shop"]\njroute = {str(said).lower()}')
    house = build(text).start()
    house.client().says(post())
    heard = house.backend().heard()
    assert heard.startswith(b"POST ")
    assert (b"\r\nproxy-jroute: b1\r\n" in heard) is said


def test_one_process_is_its_own_worker(house: House) -> None:
    client = house.client()
    house.serve(client, post(), ok())
    (worker,) = house.gateway.workers()
    assert (worker.number, worker.state, worker.exchanges) == (0, "serving", 1)
    assert worker.started == house.gateway.started


@pytest.mark.parametrize("on", [True, False], ids=["on", "off"])
def test_the_short_way_is_counted_and_can_be_switched_off(
    build: Callable[..., House], on: bool
) -> None:
    house = build(FILE.replace("[gateway]", f"[gateway]\nfast_path = {str(on).lower()}")).start()
    client = house.client()
    wire = house.serve(client, post(), ok("s-1"))
    for _ in range(PRICE + 2 * SIGHTINGS):
        client.says(post("s-1"))
        wire.says(ok())
    house.passes(1)
    house.gateway.staff.metrics.settle()
    metrics = house.gateway.staff.metrics
    hits = sum(n for (_, _, word), n in metrics.shapes.items() if word == "hit")
    assert (metrics.fast > 0) is on
    assert (hits >= 2 * metrics.fast > 0) is on  # on either side of the exchange
