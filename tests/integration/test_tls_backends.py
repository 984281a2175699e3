"""Backends over TLS: whom the gateway believes, what it shows, and what it says when it does not.

One gateway, with a pool and a service by the path for each case: its backend, and what the pool's
`tls` says. A case that fails must have told the backend nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from live import LOCAL, Cast, Gateway, toml
from tls import Authority, Keys, authority
from wire import Backend, Client, ask, envelope, post, shop, wait_for


@dataclass(frozen=True)
class Case:
    """The names in a backend's certificate, who signed it, and the options of its pool."""

    names: tuple[str, ...] = ("localhost",)
    signer: str = "ca"
    tls: Mapping[str, object] = field(default_factory=dict)
    asks: bool = False  # for a certificate of ours
    plain: bool = False  # does not speak TLS at all


NAME = {"server_name": "localhost"}
TRUST = {"ca": "ca.pem", **NAME}
OWN = {"cert": "ca.gateway.crt", "key": "ca.gateway.key"}
GOOD = {
    "own-authority": Case(tls=TRUST),
    "own-certificate": Case(asks=True, tls={**TRUST, **OWN}),
    "address": Case(("127.0.0.1",), tls={"ca": "ca.pem"}),
    "unverified": Case(("elsewhere",), "other", {"verify": False}),
}
BAD = {
    "other-authority": Case(signer="other", tls=TRUST),
    "other-name": Case(tls={**TRUST, "server_name": "elsewhere.example"}),
    "name-for-address": Case(tls={"ca": "ca.pem"}),
    "systems-authorities": Case(tls=NAME),
    "no-certificate": Case(asks=True, tls=TRUST),
    "no-tls": Case(plain=True, tls=TRUST),
}


def serving(cast: Cast, case: Case, ca: Authority, keys: Keys) -> Backend:
    context = None if case.plain else keys.server(ca.file if case.asks else None)
    return cast.backend("b1", reply=shop("b1"), tls=context)


@pytest.fixture(scope="module")
def backends(company: Cast) -> dict[str, Backend]:
    signers = {name: authority(company.directory, name) for name in ("ca", "other")}
    signers["ca"].issue("gateway")
    return {
        name: serving(company, case, signers["ca"], signers[case.signer].issue(*case.names))
        for name, case in (GOOD | BAD).items()
    }


@pytest.fixture(scope="module")
def gateway(company: Cast, backends: dict[str, Backend]) -> Gateway:
    tables: dict[str, dict[str, object]] = {
        "gateway": {
            "listen": [LOCAL], "admin": LOCAL, "pins": "memory:",
            "log": "json", "log_to": "access.log",
        },
        "timeouts": {"connect": "1s"},
    }  # fmt: skip
    for name, case in (GOOD | BAD).items():
        files = {
            key: str(company.directory / value) if key in ("ca", "cert", "key") else value
            for key, value in case.tls.items()
        }
        tables[f"pool.{name}"] = {
            "backend": [{"name": "b1", "url": f"https://127.0.0.1:{backends[name].port}"}],
            "attempts": 2,
            "health": {"interval": "1h", "fall": 100},
            "tls": files,
        }
        tables[f"service.{name}"] = {"pool": name, "path": f"/{name}", "sessions": []}
    return company.run(toml(tables))


@pytest.mark.parametrize("name", GOOD)
def test_a_backend_that_shows_what_it_should_is_served(gateway, backends, name):
    with Client(gateway.port) as client:
        for _ in range(3):
            assert client.ask(post(envelope(padding=100_000), path=f"/{name}")).node == "b1"
    assert backends[name].served == 1  # kept, like any other connection


@pytest.mark.parametrize("name", BAD)
def test_a_backend_that_cannot_be_verified_hears_nothing(gateway, backends, name):
    reply = ask(gateway.port, post(envelope(), path=f"/{name}"))
    assert reply.status in (502, 503)
    assert b"Fault" in reply.body
    assert not backends[name].requests
    if not BAD[name].plain:
        assert not backends[name].heard

    def line() -> dict[str, object] | None:
        lines = map(json.loads, gateway.log_file.read_text().splitlines())
        return next((one for one in lines if one["service"] == name), None)

    said = wait_for(line, "its line in the log")
    assert said["route"] == "refused"
    if name != "no-certificate":  # which TLS 1.3 tells behind the handshake, as a broken connection
        assert "b1: " in said["detail"]


def test_that_a_backend_is_not_verified_is_said_when_the_gateway_starts(gateway):
    assert gateway.stderr.count("is not verified") == 1


def test_a_file_that_is_no_certificate_is_refused(cast, tmp_path: Path):
    (tmp_path / "empty.pem").write_text("nothing")
    tls = {"ca": str(tmp_path / "empty.pem")}
    backend = [{"name": "b1", "url": "https://127.0.0.1:1"}]
    text = toml({"gateway": {"pins": "memory:"}, "pool.p": {"backend": backend, "tls": tls}})
    gateway = cast.run(text, ready=False)
    assert gateway.process.wait(30) in (1, 2)
    assert "empty.pem" in gateway.stderr
