"""The file, from good to bad. Every sentence here is what an operator reads."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from soapgate import config as config_module
from soapgate.config import (
    Config,
    Gateway,
    HealthConfig,
    Limits,
    PoolConfig,
    Timeouts,
    load,
    parse,
    simple,
)
from soapgate.core.errors import ConfigError
from soapgate.core.policies import POLICIES
from soapgate.core.pool import Backend, Health
from soapgate.core.profiles import DEFAULT, catalogue
from soapgate.core.routing import Terms
from soapgate.core.scanner import ScanLimits
from soapgate.core.services import match
from soapgate.stores import url_problem
from soapgate.tables import read

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs" / "configuration.rst"
POOL = '[pool.p]\nbackend = [ { name = "b1", url = "http://127.0.0.1:9001" } ]\n'


def problems(text: str, name: str = "FILE") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, name)
    return list(caught.value.problems)


# -- what is right


def toml_blocks() -> list[str]:
    found = re.findall(
        r"^\.\. code-block:: toml\n\n((?:(?:   .*)?\n)+)", DOCS.read_text(), re.MULTILINE
    )
    return [re.sub(r"^   ", "", block, flags=re.MULTILINE) for block in found]


def test_the_docs_have_examples():
    assert len(toml_blocks()) >= 6


@pytest.mark.parametrize("block", toml_blocks(), ids=lambda block: block.split("\n")[0][:40])
def test_every_example_of_the_docs_is_a_configuration(block):
    config = parse(block if "[pool." in block else block + "\n" + POOL, "docs")
    assert config.service


def every_key() -> list[tuple[str, str]]:
    models = {
        "gateway": Gateway,
        "limits": Limits,
        "timeouts": Timeouts,
        "pool": PoolConfig,
        "backend": config_module.BackendConfig,
        "health": HealthConfig,
        "tls": config_module.TlsConfig,
        "service": config_module.ServiceConfig,
    }
    return [(table, key) for table, model in models.items() for key in model.model_fields]


@pytest.mark.parametrize(("table", "key"), every_key())
def test_every_key_is_documented(table, key):
    assert f"``{key}``" in DOCS.read_text()


def test_the_complete_example_means_what_it_says():
    config = parse(next(block for block in toml_blocks() if "[profile.shop]" in block), "docs")
    assert config.gateway.listen == ("tcp:8080",)
    assert config.gateway.pins == "lmdb:var/pins"
    assert [backend.name for backend in config.pool["shop"].backends()] == ["b1", "b2"]
    assert config.pool["shop"].backends()[1] == Backend.parse(
        "b2", "http://127.0.0.1:9002", weight=2, maxconn=100, roles=["manager"]
    )
    assert config.service["shop"].terms == Terms("strict", "balance", "manager")
    assert config.service["shop"].lifetime.idle == 1800
    assert config.service["shop"].lifetime.max_age == 86400
    assert [one.name for one in config.profiles_for("shop")] == ["shop", "wsrm", "http-cookie"]
    assert match(config.rules, "shop.example.com:80", "/x", "") == "shop"
    assert match(config.rules, "other.example.com", "/x", "") is None


DESIGN = """
[gateway]
listen  = ["tcp:8080"]
admin   = "tcp:9900:interface=127.0.0.1"
pins    = "lmdb:var/pins"
workers = 1

[namespaces]
shop = "urn:example:shop"

[pool.shop]
policy  = "round_robin"
backend = [ { name = "b1", url = "http://127.0.0.1:9001" }, \
{ name = "b2", url = "http://127.0.0.1:9002", weight = 2, maxconn = 100, \
roles = ["manager"], backup = false } ]
health  = { interval = "2s", rise = 2, fall = 3 }
members = "static"

[service.shop]
pool     = "shop"
host     = "shop.example.com"
role     = "worker"
sessions = ["shop", "wsrm", "http-cookie"]
idle     = "30m"
max_age  = "24h"
lost     = "strict"
unknown  = "balance"
idempotent = ["urn:example:GetPrice"]

[profile.shop]
lookup = ["Header/shop:Session/@id"]
bind   = []
learn  = ["Header/shop:Session/@id", "Body/shop:loginResponse/shop:sessionId"]
end    = ["Body/shop:logout"]
"""


def test_the_settled_interface_is_a_configuration():
    config = parse(DESIGN, "FILE")
    assert config.service["shop"].terms == Terms("strict", "balance", "worker")


def test_the_defaults_are_those_of_the_core():
    config = parse(POOL, "FILE")
    assert config.limits.scan == ScanLimits()
    assert config.pool["p"].probe == Health()
    assert config.service["p"].terms == Terms()
    assert config.gateway == Gateway()
    assert config.timeouts == Timeouts()


def test_every_limit_of_the_scan_can_be_set():
    keys = ("header", "body", "depth", "attributes", "blocks", "tags", "id", "inflate_ratio")
    table = "".join(f"{key} = {n}\n" for n, key in enumerate((*keys, "multipart"), 1000))
    config = parse(f"{POOL}[limits]\n{table}", "FILE")
    assert config.limits.scan == ScanLimits(*range(1000, 1009))


def test_one_pool_and_no_service_make_a_service_that_takes_all():
    config = parse(POOL, "FILE")
    assert list(config.service) == ["p"]
    assert config.service["p"].pool == "p"
    assert match(config.rules, "any", "/any", "any") == "p"


def test_a_service_without_a_pool_takes_the_only_one():
    config = parse(POOL + "[service.s]\n", "FILE")
    assert config.pool_of("s") is config.pool["p"]


def test_services_keep_the_order_of_the_file():
    text = POOL + '[service.b]\npath = "/b"\n[service.a]\npath = "/a"\n[service.c]\n'
    assert [rule.name for rule in parse(text, "FILE").rules] == ["b", "a", "c"]


def test_sessions_left_out_are_the_default_set_in_its_order():
    names = [profile.name for profile in parse(POOL, "FILE").profiles_for("p")]
    assert names == [name for name in DEFAULT if name in catalogue()]


def test_no_sessions_are_no_profiles():
    assert parse(POOL + "[service.s]\nsessions = []\n", "FILE").profiles_for("s") == ()


def test_an_own_profile_that_is_on_by_default_stands_before_the_catalogue():
    text = POOL + '[profile.mine]\ndefault = true\nlookup = ["cookie:mine"]\n'
    names = [profile.name for profile in parse(text, "FILE").profiles_for("p")]
    assert names[0] == "mine"
    assert names[1:] == [name for name in DEFAULT if name in catalogue()]


def test_an_own_profile_that_is_not_on_by_default_is_used_where_it_is_named():
    text = POOL + '[profile.mine]\nlookup = ["cookie:mine"]\n'
    assert "mine" not in [one.name for one in parse(text, "FILE").profiles_for("p")]
    config = parse(text + '[service.s]\nsessions = ["mine"]\n', "FILE")
    assert [one.name for one in config.profiles_for("s")] == ["mine"]


def test_an_own_profile_takes_the_place_of_the_catalogues_of_that_name():
    text = POOL + '[profile.http-cookie]\nlookup = ["cookie:only-this"]\n'
    profiles = parse(text, "FILE").profiles_for("p")
    assert [one.name for one in profiles] == [name for name in DEFAULT if name in catalogue()]
    own = next(one for one in profiles if one.name == "http-cookie")
    assert [location.text for location in own.lookup] == ["cookie:only-this"]


def test_a_profile_may_answer_to_unknown_ids_for_itself():
    text = POOL + (
        '[profile.mine]\nlookup = ["cookie:mine"]\nunknown = "fault"\n'
        '[service.s]\nsessions = ["mine", "http-cookie"]\n'
    )
    config = parse(text, "FILE")
    assert config.terms_for("s") == Terms(unknown_of={"mine": "fault"})
    assert config.views[0].terms == config.terms_for("s")


def test_own_namespaces_serve_own_profiles():
    text = POOL + (
        '[namespaces]\nshop = ["urn:a", "urn:b:*"]\n'
        '[profile.mine]\nlookup = ["Header/shop:Session"]\n'
    )
    config = parse(text, "FILE")
    assert config.namespaces == {"shop": ("urn:a", "urn:b:*")}
    assert config.profile["mine"].lookup[0].steps[0].name.namespaces == ("urn:a", "urn:b:*")


def test_one_host_path_or_action_may_stand_without_a_list():
    text = POOL + '[service.s]\nhost = "a"\npath = ["/a", "/b"]\naction = "urn:*"\n'
    service = parse(text, "FILE").service["s"]
    assert (service.host, service.path, service.action) == (("a",), ("/a", "/b"), ("urn:*",))


def test_every_policy_of_the_core_can_be_configured():
    for policy in POLICIES:
        assert parse(POOL + f'policy = "{policy}"\n', "FILE").pool["p"].policy == policy


def test_https_backends_take_tls_options():
    text = (
        '[pool.p]\nbackend = [ { name = "b1", url = "https://b1.example.com" } ]\n'
        'tls = { ca = "ca.pem", cert = "c.pem", key = "k.pem", server_name = "x" }\n'
    )
    pool = parse(text, "FILE").pool["p"]
    assert pool.tls.verify
    assert (pool.tls.ca, pool.tls.cert, pool.tls.key, pool.tls.server_name) == (
        "ca.pem", "c.pem", "k.pem", "x",
    )  # fmt: skip
    assert pool.backends()[0].tls


def test_a_config_is_not_changed_by_accident():
    config = parse(POOL, "FILE")
    with pytest.raises(ValueError, match="frozen"):
        config.gateway.log = "json"
    with pytest.raises(AttributeError):
        config.gateway = Gateway()


def test_the_key_file_lies_beside_the_pins():
    assert parse('[gateway]\npins = "lmdb:/var/pins"\n' + POOL, "F").key_file == Path(
        "/var/pins/key"
    )
    assert parse('[gateway]\npins = "memory:"\n' + POOL, "F").key_file is None


def test_the_views_of_an_explanation_are_the_services_in_order():
    text = POOL + 'policy = "hash"\n[service.b]\npath = "/b"\n[service.a]\nsessions = ["wsrm"]\n'
    views = parse(text, "FILE").views
    assert [view.rule.name for view in views] == ["b", "a"]
    assert [one.name for one in views[1].profiles] == ["wsrm"]
    assert views[1].policy == "hash"


# -- without a file


def test_a_command_line_makes_one_pool_and_one_service():
    config = simple(
        ["8080", "127.0.0.1:8081"],
        ["http://127.0.0.1:9001", "two=http://127.0.0.1:9002"],
        sessions=["wsrm"],
        admin="9900",
        pins="memory:",
        log="json",
    )
    assert config.gateway.listen == ("tcp:8080", "tcp:8081:interface=127.0.0.1")
    assert config.gateway.admin == "tcp:9900:interface=127.0.0.1"
    assert [backend.name for backend in config.pool["default"].backends()] == ["b1", "two"]
    assert [one.name for one in config.profiles_for("default")] == ["wsrm"]
    assert (config.gateway.pins, config.gateway.log) == ("memory:", "json")


def test_a_command_line_without_options_has_the_defaults():
    config = simple(backends=["http://127.0.0.1:9001"])
    assert config.gateway == Gateway()
    assert config.profiles_for("default") == parse(POOL, "F").profiles_for("p")


def test_a_bad_command_line_is_told_like_a_bad_file():
    with pytest.raises(ConfigError) as caught:
        simple(["tcp:x"], ["ftp://a"])
    assert caught.value.problems == (
        'command line: [gateway] listen[0] = "tcp:x": allowed is a port from 0 to 65535,'
        ' as in "tcp:8080"',
        'command line: [pool.default] backend[0].url = "ftp://a": allowed are http://HOST[:PORT]'
        " and https://HOST[:PORT], without user, path and query",
    )


# -- what is wrong


def test_a_file_without_pools_is_refused():
    assert problems("") == ["FILE: [pool]: is missing; at least one [pool.NAME] is needed"]


def test_a_file_is_read_from_disk(tmp_path):
    path = tmp_path / "gateway.toml"
    path.write_bytes(b"\xef\xbb\xbf" + POOL.encode())
    assert isinstance(load(path), Config)


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read: No such file"), (b"a = '\xff'", "not UTF-8 at byte 5")],
    ids=["absent", "latin-1"],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path, content, said):
    path = tmp_path / "gateway.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert f"{path}: {said}" in caught.value.problems[0]


def test_the_stores_agree_on_what_pins_may_be():
    for url in ("memory:", "lmdb:x", "memory:x", "lmdb:", "disk", "hazelcast://h", "redis://h"):
        text = f'[gateway]\npins = "{url}"\n' + POOL
        if url_problem(url):
            assert len(problems(text)) == 1
        else:
            assert parse(text, "FILE").gateway.pins == url


def test_reading_a_configuration_loads_no_twisted():
    program = (
        "import sys; from soapgate.config import simple; simple(backends=['http://h']);"
        "print(any(name.partition('.')[0] == 'twisted' for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"False\n"


# Workers


def test_workers_are_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = '[pool.p]\nbackend = [{ name = "b1", url = "http://h" }]\n'
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5})
    assert parse(pool, "here").processes == 1
    assert parse("[gateway]\nworkers = 4\n" + pool, "here").processes == 4
    assert parse('[gateway]\nworkers = "auto"\n' + pool, "here").processes == 3


def test_the_command_line_takes_the_place_of_keys_of_the_gateway(tmp_path: Path) -> None:
    path = tmp_path / "gate.toml"
    path.write_text('[pool.p]\nbackend = [{ name = "b1", url = "http://h" }]\n')
    config = load(path, {"workers": 3})
    assert (config.processes, config.overrides) == (3, {"workers": 3})
    assert load(path).overrides == {}
    with pytest.raises(ConfigError, match="workers = 0"):
        load(path, {"workers": 0})


def test_a_configuration_can_be_read_again_from_its_tables(tmp_path: Path) -> None:
    path = tmp_path / "gate.toml"
    path.write_text('[pool.p]\nbackend = [{ name = "b1", url = "http://h" }]\n')
    config = load(path, {"workers": 2})
    tables = json.loads(json.dumps(config.tables))
    assert tables["gateway"] == {"workers": 2}
    assert read(tables, "again").gateway == config.gateway
    simply = simple(backends=["http://h"], workers=2, pins="lmdb:p")
    assert read(json.loads(json.dumps(simply.tables)), "again") == simply


@pytest.mark.parametrize("value", ["host", "forwarded", "https://gate.example", "http://[::1]:80/"])
def test_a_service_says_what_the_gateway_is_called(value):
    config = parse(f'{POOL}[service.s]\npublic_address = "{value}"\n', "FILE")
    assert config.service["s"].public_address == value


def test_a_service_says_what_its_backends_call_themselves():
    text = f'{POOL}[service.s]\nbackend_addresses = ["http://Node1:90", "https://[0::1]"]\n'
    service = parse(text, "FILE").service["s"]
    assert service.known_addresses == ((False, "node1", 90), (True, "::1", 443))
    assert not service.rewrite_addresses
