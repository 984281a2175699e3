"""Every defect of a file and the one line that tells it: what an operator reads."""

from __future__ import annotations

import pytest

from soapgate.config import parse
from soapgate.core.errors import ConfigError

POOL = '[pool.p]\nbackend = [ { name = "b1", url = "http://127.0.0.1:9001" } ]\n'


def problems(text: str, name: str = "FILE") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, name)
    return list(caught.value.problems)


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
        "[gateway] zzz = 1: unknown key; allowed are listen, client_ca, client_certificate, admin,"
        " pins, max_pins, when_full, workers, fast_path, log, log_to",
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
    "certificates where nothing is encrypted": (
        '[gateway]\nlisten = ["tcp:80", "haproxy:tcp:81"]\nclient_ca = "c.pem"\n',
        '[gateway] client_ca = "c.pem": no listener speaks TLS; listen needs one, as in'
        ' "ssl:8443:privateKey=key.pem:certKey=cert.pem"',
    ),
    "certificates of nobody": (
        '[gateway]\nlisten = "ssl:443"\nclient_certificate = "optional"\n',
        '[gateway] client_certificate = "optional": client_ca is missing, which says whose'
        " certificates are good",
    ),
    "certificates or not": (
        '[gateway]\nlisten = "ssl:443"\nclient_ca = "c.pem"\nclient_certificate = "request"\n',
        '[gateway] client_certificate = "request": allowed are "required", "optional"',
    ),
    "a nameless file of authorities": (
        '[gateway]\nlisten = "ssl:443"\nclient_ca = ""\n',
        '[gateway] client_ca = "": allowed is a text that is not empty',
    ),
    "certificates near": (
        '[gateway]\nlisten = "ssl:443"\nclient_cas = "c.pem"\n',
        '[gateway] client_cas = "c.pem": unknown key; did you mean "client_ca"?',
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
        "[gateway]\nworkers = 65\n",
        '[gateway] workers = 65: allowed are 1 to 64, and "auto", one for each processor',
    ),
    "workers true": (
        "[gateway]\nworkers = true\n",
        '[gateway] workers = true: allowed are 1 to 64, and "auto", one for each processor',
    ),
    "workers with pins in memory": (
        '[gateway]\nworkers = 2\npins = "memory:"\n',
        "[gateway] workers = 2: pins in memory belong to one process; allowed is 1, or workers with"
        ' pins = "lmdb:PATH", which they share',
    ),
    "workers auto with pins in memory": (
        '[gateway]\nworkers = "auto"\npins = "memory:"\n',
        '[gateway] workers = "auto": pins in memory belong to one process; allowed is 1, or workers'
        ' with pins = "lmdb:PATH", which they share',
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
    "health by soap": (
        '[pool.q]\nbackend = [ { name = "a", url = "http://h" } ]\nhealth = { path = "/h" }\n',
        '[pool.q] health.path = "/h": not yet: health is a TCP connect',
    ),
    "a cookie without a name": (
        '[service.s]\naffinity_cookie = "a b"\n',
        '[service.s] affinity_cookie = "a b": allowed is the name of a cookie, at most 64'
        " characters",
    ),
    "an affinity cookie that a profile reads": (
        '[service.s]\nsessions = ["http-cookie"]\naffinity_cookie = "JSESSIONID"\n',
        '[service.s] affinity_cookie = "JSESSIONID": one of its profiles reads it',
    ),
    "one scope, two lifetimes": (
        '[service.a]\npath = "/a"\n[service.b]\nscope = "a"\nidle = "1m"\n',
        '[service.b] scope = "a": is that of [service.a]: idle, max_age and keep_ended must be'
        " equal",
    ),
    "callbacks of nobody": (
        '[service.s]\ncallbacks = "t"\n',
        '[service.s] callbacks[0] = "t": unknown service; allowed are "s"',
    ),
    "callbacks without what was sent": (
        '[service.s]\ncallbacks = "s"\n',
        '[service.s] callbacks[0] = "s": none of its sessions says what was sent; name wsa-async'
        " there",
    ),
    "a life that is none": (
        '[profile.x]\nlookup = ["cookie:A"]\nlife = "ages"\n',
        "[profile.x] life: 'ages' is not allowed; it wants a duration, for example \"60s\"",
    ),
    "a public address that is none": (
        "[service.s]\npublic_address = 'gate'\n",
        '[service.s] public_address = "gate": allowed are "host", "forwarded", or a URL:'
        " http://HOST[:PORT] or https://HOST[:PORT], without user, path and query",
    ),
    "a backend's address with a path": (
        "[service.s]\nbackend_addresses = ['http://node1/shop']\n",
        '[service.s] backend_addresses[0] = "http://node1/shop": allowed are http://HOST[:PORT]'
        " and https://HOST[:PORT], without user, path and query",
    ),
    "a route that is named": (
        '[service.s]\njroute = "n1"\n',
        '[service.s] jroute = "n1": allowed are true, false',
    ),
    "an explaining header": (
        '[service.s]\nexplain_header = "yes"\n',
        '[service.s] explain_header = "yes": allowed are true, false',
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
