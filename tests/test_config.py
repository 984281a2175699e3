"""The file, from good to bad. Every sentence here is what an operator reads."""

from __future__ import annotations

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


BAD = {
    # gateway
    "unknown value": (
        '[service.shop]\nlost = "nice"\n',
        '[service.shop] lost = "nice": allowed are "strict", "redispatch"',
    ),
    "unknown key, near": (
        '[service.shop]\nlots = "strict"\n',
        '[service.shop] lots = "strict": unknown key; did you mean "lost"?',
    ),
    "unknown key, far": (
        "[gateway]\nzzz = 1\n",
        "[gateway] zzz = 1: unknown key; allowed are listen, admin, pins, max_pins, when_full,"
        " workers, log, log_to",
    ),
    "unknown table, near": ("[gatway]\n", "[gatway]: unknown table; did you mean [gateway]?"),
    "unknown table, far": (
        "[zzz]\n",
        "[zzz]: unknown table; allowed are gateway, limits, timeouts, namespaces, pool, service,"
        " profile",
    ),
    "no table": ("gateway = 3\n", "[gateway] = 3: allowed is a table"),
    "no table below": ("[service]\nshop = 3\n", "[service.shop] = 3: allowed is a table"),
    "no endpoint": (
        '[gateway]\nlisten = ["8080"]\n',
        '[gateway] listen[0] = "8080": allowed are Twisted endpoints: "tcp:8080",'
        ' "ssl:8443:privateKey=key.pem:certKey=cert.pem", "unix:/run/soapgate.sock",'
        ' "systemd:domain=INET:index=0", "haproxy:tcp:8080"',
    ),
    "no listener": (
        "[gateway]\nlisten = []\n",
        "[gateway] listen = []: allowed is a list of at least one",
    ),
    "listener twice": (
        '[gateway]\nlisten = ["tcp:8080", "ssl:8080:privateKey=k"]\n',
        '[gateway] listen[1] = "ssl:8080:privateKey=k": listens where "tcp:8080" does',
    ),
    "admin where clients are": (
        '[gateway]\nlisten = "tcp:8080:interface=127.0.0.1"\n'
        'admin = "tcp:8080:interface=127.0.0.1"\n',
        '[gateway] admin = "tcp:8080:interface=127.0.0.1": listens where'
        ' "tcp:8080:interface=127.0.0.1" does',
    ),
    "admin for all": (
        '[gateway]\nadmin = "tcp:9900"\n',
        '[gateway] admin = "tcp:9900": allowed is loopback, as in'
        ' "tcp:9900:interface=127.0.0.1", or "unix:..."',
    ),
    "no store": (
        '[gateway]\npins = "disk"\n',
        '[gateway] pins = "disk": allowed are "memory:", "lmdb:PATH"',
    ),
    "a number for a word": (
        "[gateway]\nlog = 1\n",
        '[gateway] log = 1: allowed are "text", "json", "none"',
    ),
    "no pins at all": ("[gateway]\nmax_pins = 0\n", "[gateway] max_pins = 0: allowed is 1 or more"),
    # limits and timeouts
    "a size with two meanings": (
        '[limits]\nheader = "64KB"\n',
        '[limits] header = "64KB": allowed are a size such as "64KiB", "1MB", or a number of'
        " bytes; units are B, kB, MB, GB, KiB, MiB, GiB",
    ),
    "a fraction for a count": (
        "[limits]\nfields = 1.5\n",
        "[limits] fields = 1.5: allowed is a whole number",
    ),
    "a string for a count": (
        '[limits]\nfields = "100"\n',
        '[limits] fields = "100": allowed is a whole number',
    ),
    "no duration": (
        '[timeouts]\nhead = "soon"\n',
        '[timeouts] head = "soon": allowed are a duration such as "500ms", "30s", "1h30m", or a'
        " number of seconds",
    ),
    "a duration of nothing": (
        "[service.s]\nidle = 0\n",
        "[service.s] idle = 0: allowed is a duration above 0",
    ),
    # namespaces
    "no prefix": (
        '[namespaces]\n"a b" = "urn:a"\n',
        '[namespaces] "a b" = "urn:a": allowed is an XML prefix',
    ),
    "no namespace": (
        "[namespaces]\na = 3\n",
        '[namespaces] a = 3: allowed are a namespace, "urn:shop", its start, "urn:shop:*", or a'
        " list of them",
    ),
    # pools
    "no url": (
        '[pool.q]\nbackend = [ { name = "a", url = "http://h/path" } ]\n',
        '[pool.q] backend[0].url = "http://h/path": allowed are http://HOST[:PORT] and'
        " https://HOST[:PORT], without user, path and query",
    ),
    "a password in a url is not repeated": (
        '[pool.q]\nbackend = [ { name = "a", url = "http://user:secret@h" } ]\n',
        '[pool.q] backend[0].url = "http://...@h": allowed are http://HOST[:PORT] and'
        " https://HOST[:PORT], without user, path and query",
    ),
    "a missing url": (
        '[pool.q]\nbackend = [ { name = "a" } ]\n',
        "[pool.q] backend[0].url: is missing",
    ),
    "an unknown key of a backend": (
        '[pool.q]\nbackend = [ { name = "a", url = "http://h", wieght = 2 } ]\n',
        '[pool.q] backend[0].wieght = 2: unknown key; did you mean "weight"?',
    ),
    "no weight": (
        '[pool.q]\nbackend = [ { name = "a", url = "http://h", weight = 0 } ]\n',
        "[pool.q] backend[0].weight = 0: allowed is 1 or more",
    ),
    "too much weight": (
        '[pool.q]\nbackend = [ { name = "a", url = "http://h", weight = 1000 } ]\n',
        "[pool.q] backend[0].weight = 1000: allowed is 256 or less",
    ),
    "no backends": (
        "[pool.q]\nbackend = []\n",
        "[pool.q] backend = []: allowed is a list of at least one",
    ),
    "no list of backends": ("[pool.q]\n", "[pool.q] backend: is missing"),
    "backends of one name": (
        '[pool.q]\nbackend = [ { name = "a", url = "http://h" },'
        ' { name = "a", url = "http://i" } ]\n',
        '[pool.q] backend[1].name = "a": used twice; a pin names its backend, so every name is'
        " used once",
    ),
    "only backups": (
        '[pool.q]\nbackend = [ { name = "a", url = "http://h", backup = true } ]\n',
        "[pool.q] backend: all are backup; at least one must not be",
    ),
    "a bad name": (
        '[service."a/b"]\n',
        "[service.\"a/b\"]: allowed are letters, digits, '.', '_' and '-', at most 64 of them, a"
        " letter or digit first",
    ),
    "an unknown key of health": (
        '[pool.q]\nbackend = [ { name = "a", url = "http://h" } ]\nhealth = { rize = 2 }\n',
        '[pool.q] health.rize = 2: unknown key; did you mean "rise"?',
    ),
    "tls for nobody": (
        '[pool.q]\nbackend = [ { name = "a", url = "http://h" } ]\ntls = { verify = false }\n',
        "[pool.q] tls: no backend of the pool has an https:// url",
    ),
    "a key without a certificate": (
        '[pool.q]\nbackend = [ { name = "a", url = "https://h" } ]\ntls = { key = "k" }\n',
        '[pool.q] tls.key = "k": cert is missing, a key needs one',
    ),
    "an authority that nobody asks": (
        '[pool.q]\nbackend = [ { name = "a", url = "https://h" } ]\n'
        'tls = { ca = "c", verify = false }\n',
        '[pool.q] tls.ca = "c": has no meaning with verify = false',
    ),
    # services
    "an unknown pool": (
        '[service.s]\npool = "P"\n',
        '[service.s] pool = "P": unknown pool; allowed are "p"',
    ),
    "an unknown profile, near": (
        '[service.s]\nsessions = ["wsmr"]\n',
        '[service.s] sessions[0] = "wsmr": unknown profile; did you mean "wsrm"?',
    ),
    "a profile twice": (
        '[service.s]\nsessions = ["wsrm", "wsrm"]\n',
        '[service.s] sessions[1] = "wsrm": named twice',
    ),
    "a host with a port": (
        '[service.s]\nhost = "a:80"\n',
        '[service.s] host[0] = "a:80": allowed are a host without port, "shop.example.com", or'
        ' "*.example.com"',
    ),
    "a path without a slash": (
        '[service.s]\npath = ["/a", "b"]\n',
        '[service.s] path[1] = "b": allowed is a path that starts with "/", without query',
    ),
    "a list for a string": (
        '[service.s]\nrole = ["a"]\n',
        "[service.s] role = [\"a\"]: allowed are letters, digits, '.', '_' and '-', at most 64 of"
        " them, a letter or digit first",
    ),
    "a service that is never reached": (
        '[service.all]\n[service.s]\nhost = "a"\n',
        "[service.s]: is never reached: [service.all] above it takes all",
    ),
    # not yet
    "workers": (
        "[gateway]\nworkers = 4\n",
        "[gateway] workers = 4: not yet: this version runs as one process, allowed is 1",
    ),
    "workers auto": (
        '[gateway]\nworkers = "auto"\n',
        '[gateway] workers = "auto": not yet: this version runs as one process, allowed is 1',
    ),
    "a grid of pins": (
        '[gateway]\npins = "hazelcast://h1:5701/c"\n',
        '[gateway] pins = "hazelcast://h1:5701/c": not yet: pins are local, allowed are'
        ' "memory:", "lmdb:PATH"',
    ),
    "a token": (
        '[gateway]\ntoken = "x"\n',
        "[gateway] token: not yet: the admin side answers on loopback only, without a token",
    ),
    "leases": (
        '[pool.q]\nbackend = [ { name = "a", url = "http://h" } ]\nmembers = "leases"\n',
        '[pool.q] members = "leases": not yet: backends are those of the file, allowed is "static"',
    ),
    "drop on restart": (
        '[pool.q]\nbackend = [ { name = "a", url = "http://h" } ]\non_restart = "drop"\n',
        '[pool.q] on_restart = "drop": not yet: a backend that returns serves its pins again,'
        ' allowed is "keep"',
    ),
    "health by soap": (
        '[pool.q]\nbackend = [ { name = "a", url = "http://h" } ]\nhealth = { path = "/h" }\n',
        '[pool.q] health.path = "/h": not yet: health is a TCP connect',
    ),
    "an affinity cookie": (
        '[service.s]\naffinity_cookie = "X"\n',
        '[service.s] affinity_cookie = "X": not yet: the gateway issues no cookie of its own',
    ),
    "rewritten addresses": (
        "[service.s]\nrewrite_addresses = true\n",
        "[service.s] rewrite_addresses = true: not yet: addresses in messages stay as they are",
    ),
    "an explaining header": (
        "[service.s]\nexplain_header = true\n",
        "[service.s] explain_header = true: not yet: the log line says what happened",
    ),
}


@pytest.mark.parametrize(("text", "line"), BAD.values(), ids=BAD)
def test_a_bad_file_is_told_in_one_line(text, line):
    extra = "" if text.startswith("[pool.q]") else POOL
    assert problems(text + extra) == [f"FILE: {line}"]


def test_a_profile_tells_its_own_problems_in_the_same_form():
    text = POOL + (
        '[profile.mine]\nlookup = ["Header/shp:Session/@id", "cookie:a b"]\nlern = []\n'
        '[profile.other]\nlookup = "cookie:x"\n'
    )
    lines = problems(text)
    assert [line.split(": ")[1] for line in lines] == [
        "[profile.mine]",
        "[profile.mine] lookup[0]",
        "[profile.mine] lookup[1]",
        "[profile.other] lookup",
        "[profile.other]",
    ][: len(lines)]
    assert "'shp' is not defined" in lines[1]
    assert "did you mean 'learn'" in lines[0]


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
        "sys.exit(any(name.split('.')[0] == 'twisted' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
