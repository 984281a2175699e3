from __future__ import annotations

import re

import pytest

from soapgate.config import parse
from soapgate.core.errors import ConfigError
from soapgate.tables import TABLES, read, remarks

POOL = '[pool.p]\nbackend = [ { name = "b1", url = "http://127.0.0.1:9001" } ]\n'


def problems(text: str, name: str = "FILE") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, name)
    return list(caught.value.problems)


def test_tables_are_read_without_a_file():
    backend = {"name": "b1", "url": "http://127.0.0.1:9001"}
    assert list(read({"pool": {"p": {"backend": [backend]}}}, "here").service) == ["p"]


@pytest.mark.parametrize("name", TABLES)
def test_every_table_must_be_one(name):
    with pytest.raises(ConfigError) as caught:
        read({name: 3}, "here")
    assert f"here: [{name}] = 3: allowed is a table" in caught.value.problems


def test_a_sequence_of_defects_is_told_whole():
    text = (
        '[gateway]\nlisten = ["x"]\nworkers = "two"\n[limits]\nid = "x"\n'
        '[pool.p]\npolicy = "best"\nbackend = [ { name = "b1" } ]\n'
        '[service.s]\npool = "q"\nsessions = ["nope"]\nlost = 1\n[servis.t]\n'
    )
    found = [re.match(r"FILE: (\[[^]]+\](?: [\w\[\].]+)?)", line)[1] for line in problems(text)]
    assert found == [
        "[servis]",
        "[gateway] listen[0]",
        "[gateway] workers",
        "[limits] id",
        "[pool.p] backend[0].url",
        "[pool.p] policy",
        "[service.s] lost",
    ]


def test_several_pools_need_services_that_say_which():
    two = POOL + POOL.replace("[pool.p]", "[pool.q]")
    assert problems(two) == [
        "FILE: [service]: is missing; with several pools at least one [service.NAME] is needed"
    ]
    assert problems(two + "[service.s]\n") == [
        'FILE: [service.s] pool: is missing; allowed are "p", "q"'
    ]


def test_one_slip_in_a_table_hides_no_reference_to_it():
    text = POOL + 'policy = "best"\n[service.s]\npool = "p"\nsessions = ["mine"]\n[profile.mine]\n'
    assert [line.split(": ")[1] for line in problems(text)] == [
        '[pool.p] policy = "best"',
        "[profile.mine]",
    ]


def test_the_same_port_on_two_interfaces_is_no_clash():
    text = POOL + (
        '[gateway]\nlisten = ["tcp:80:interface=10.0.0.1", "tcp:80:interface=10.0.0.2", "tcp:0",'
        ' "tcp:0"]\n'
    )
    assert len(parse(text, "FILE").gateway.listen) == 4


def test_what_is_probably_not_meant_is_remarked():
    text = (
        POOL + '[pool.spare]\nbackend = [ { name = "x", url = "http://h", roles = ["manager"] } ]\n'
        '[service.s]\npool = "p"\nrole = "worker"\n[profile.mine]\nlookup = ["cookie:x"]\n'
    )
    assert remarks(parse(text, "FILE"), "FILE") == [
        'FILE: [service.s] role = "worker": no backend of [pool.p] has this role, so nothing can be'
        " served",
        "FILE: [pool.spare]: no service uses it",
        "FILE: [profile.mine]: no service uses it; name it in sessions",
    ]


def test_a_plain_file_draws_no_remark():
    assert remarks(parse(POOL, "FILE"), "FILE") == []


def test_a_role_that_some_backend_has_draws_no_remark():
    text = (
        '[pool.p]\nbackend = [ { name = "b", url = "http://h", roles = ["worker"] } ]\n'
        '[service.s]\nrole = "worker"\n'
    )
    assert remarks(parse(text, "FILE"), "FILE") == []


def test_addresses_that_lead_round_the_gateway_are_remarked():
    text = POOL + (
        '[service.s]\nsessions = ["wsrm", "salesforce"]\npublic_address = "forwarded"\n'
        'backend_addresses = ["http://node1"]\n'
    )
    assert remarks(parse(text, "FILE"), "FILE") == [
        "FILE: [service.s] public_address: has no meaning without rewrite_addresses = true",
        "FILE: [service.s] backend_addresses: has no meaning without rewrite_addresses = true",
        'FILE: [service.s] sessions[1] = "salesforce": sends clients the address of a backend; with'
        " rewrite_addresses = true it is the gateway's",
    ]
    assert remarks(parse(text + "rewrite_addresses = true\n", "FILE"), "FILE") == []


CERTIFIED = '[gateway]\nlisten = ["ssl:8443", %s]\nclient_ca = "c.pem"\n'


@pytest.mark.parametrize("listen", ["tcp:8080", "haproxy:tcp:8080"])
def test_a_door_beside_the_one_that_asks_for_a_certificate_is_remarked(listen):
    text = CERTIFIED % f'"{listen}"' + POOL
    assert remarks(parse(text, "FILE"), "FILE") == [
        f'FILE: [gateway] listen[1] = "{listen}": clients come in here without a certificate:'
        " client_ca is for TLS"
    ]


@pytest.mark.parametrize("listen", ["haproxy:ssl:8444", "unix:/s", "tcp:80:interface=127.0.0.1"])
def test_a_door_for_this_machine_or_with_tls_draws_no_remark(listen):
    assert remarks(parse(CERTIFIED % f'"{listen}"' + POOL, "FILE"), "FILE") == []


def test_where_a_certificate_is_optional_any_door_will_do():
    text = CERTIFIED % '"tcp:80"' + 'client_certificate = "optional"\n' + POOL
    assert remarks(parse(text, "FILE"), "FILE") == []


@pytest.mark.parametrize(
    "place", ["client:certificate", "client:certificate | lower", "client:certificate + query:a"]
)
def test_a_certificate_that_nobody_is_asked_for_is_remarked(place):
    text = f'[service.s]\nsessions = ["mine"]\n[profile.mine]\nbind = ["{place}"]\n' + POOL
    assert remarks(parse(text, "FILE"), "FILE") == [
        "FILE: [profile.mine]: client:certificate finds nothing: without client_ca in [gateway]"
        " clients are asked for none"
    ]
    asks = '[gateway]\nlisten = "ssl:443"\nclient_ca = "c.pem"\n'
    assert remarks(parse(asks + text, "FILE"), "FILE") == []
