"""Mutual TLS: clients with no other id than their certificate stay at their backends, through one
process and through several, and who has no good one is turned away."""

from __future__ import annotations

import hashlib
import os
import signal
import ssl
from contextlib import ExitStack
from pathlib import Path

import pytest
from live import Cast, Gateway, settings
from many import all_serve, exchanges, workers
from tls import Authority, Keys, authority
from wire import WAIT, Client, Ended, envelope, post, wait_for

REQUEST = post(envelope())  # there is no id in it
BY_CERTIFICATE = '[profile.certificate]\nbind = ["client:certificate"]\n'
NONE_SHOWN = r"client 127\.0\.0\.1:\d+: no TLS: no certificate was shown"


class Bank:
    """A gateway that asks for certificates, its authority, and how to come in."""

    def __init__(self, cast: Cast, name: str, **gateway: object) -> None:
        self.directory = cast.directory / name
        self.directory.mkdir()
        self.ca = authority(self.directory)
        keys = self.ca.issue("localhost")
        text = settings(
            cast.shops("b1", "b2"),
            gateway={
                "listen": [f"ssl:0:interface=127.0.0.1:{keys.endpoint}"],
                "client_ca": str(self.ca.file),
                **gateway,
            },
            service={"sessions": ["certificate"]},
        )
        self.gateway: Gateway = cast.run(text + BY_CERTIFICATE, name=name)

    def shows(self, name: str, signer: Authority | None = None) -> ssl.SSLContext:
        """A client with a new certificate."""
        return (signer or self.ca).issue(name).client(self.ca.file)

    @property
    def stranger(self) -> ssl.SSLContext:
        """A client without one."""
        return ssl.create_default_context(cafile=str(self.ca.file))

    def ask(self, tls: ssl.SSLContext) -> str:
        """One request on a connection of its own; which backend answered."""
        with Client(self.gateway.port, tls=tls) as client:
            return client.ask(REQUEST).node

    def refuses(self, tls: ssl.SSLContext) -> None:
        # in TLS 1.3 a client has finished its part when it is refused
        with pytest.raises((OSError, Ended)):
            self.ask(tls)


@pytest.fixture(scope="module", params=[1, 2], ids=["one process", "two workers"])
def bank(company: Cast, request: pytest.FixtureRequest) -> Bank:
    return Bank(company, f"bank{request.param}", workers=request.param)


def test_clients_stay_where_their_certificates_were_first_served(bank: Bank):
    # each worker chooses in turn, so of three clients two are at different backends
    clients = {name: bank.shows(name) for name in ("alice", "bob", "carol")}
    pinned = {name: bank.ask(tls) for name, tls in clients.items()}
    assert set(pinned.values()) == {"b1", "b2"}
    with ExitStack() as stack:
        for _ in range(4):  # connections of each, all open at a time
            for name, tls in clients.items():
                wire = stack.enter_context(Client(bank.gateway.port, tls=tls))
                assert [wire.ask(REQUEST).node for _ in range(3)] == [pinned[name]] * 3
    lines = bank.gateway.log(3 + 4 * 3 * 3)
    assert [line["route"] for line in lines].count("pinned") == 36
    assert {line["sticky"][0] for line in lines} == {"A"}
    assert len(bank.gateway.pins()) == 3
    assert all(exchanges(bank.gateway))


def test_a_renewed_certificate_is_a_new_id(bank: Bank):
    before = len(bank.gateway.pins())
    for _ in range(2):
        tls = bank.shows("dan")
        assert bank.ask(tls) == bank.ask(tls)
    assert len(bank.gateway.pins()) == before + 2


def test_no_fingerprint_is_written_anywhere(bank: Bank):
    keys: Keys = bank.ca.issue("erin")
    assert bank.ask(keys.client(bank.ca.file))
    der = ssl.PEM_cert_to_DER_cert(keys.cert.read_text())
    fingerprint = hashlib.sha256(der).hexdigest()
    gateway = bank.gateway
    written = gateway.stderr + gateway.log_file.read_text() + str(gateway.pins())
    assert fingerprint not in written.lower()


def test_a_client_without_a_certificate_is_turned_away_and_the_log_says_so(bank: Bank):
    before = len(bank.gateway.log_file.read_text().splitlines())
    bank.refuses(bank.stranger)
    bank.gateway.says(NONE_SHOWN)
    assert len(bank.gateway.log_file.read_text().splitlines()) == before


def test_a_certificate_of_another_authority_is_turned_away(bank: Bank):
    other = authority(bank.directory, "other")
    bank.refuses(bank.shows("mallory", other))
    bank.gateway.says("no TLS: the certificate 'CN=mallory': no authority of client_ca vouches")


def test_a_worker_that_starts_later_asks_as_well(cast: Cast):
    """Also when the file says otherwise by then, which changes at the next start only."""
    bank = Bank(cast, "crew", workers=2)
    gateway = bank.gateway
    lines = gateway.config.read_text().splitlines()
    gateway.config.write_text("\n".join(one for one in lines if not one.startswith("client_ca")))
    gateway.hang_up()
    gateway.says("client_ca changes at the next start only")
    gateway.says("reloaded")
    killed = {one["pid"] for one in workers(gateway)}
    for pid in killed:
        os.kill(pid, signal.SIGKILL)

    def others() -> bool:
        return not killed & {one["pid"] for one in all_serve(gateway) or [{"pid": min(killed)}]}

    wait_for(others, "other workers")
    for _ in range(4):
        bank.refuses(bank.stranger)
    assert bank.ask(bank.shows("alice"))


def test_where_it_is_optional_who_shows_none_is_balanced(cast: Cast):
    bank = Bank(cast, "open", client_certificate="optional")
    assert {bank.ask(bank.stranger) for _ in range(4)} == {"b1", "b2"}
    assert {line["reason"] for line in bank.gateway.log(4)} == {"no-id"}
    alice = bank.shows("alice")
    assert len({bank.ask(alice) for _ in range(4)}) == 1
    bank.refuses(bank.shows("mallory", authority(bank.directory, "other")))
    assert len(bank.gateway.pins()) == 1


@pytest.mark.parametrize("count", [1, 2])
def test_it_does_not_start_without_the_authorities(cast: Cast, tmp_path: Path, count: int):
    keys = authority(tmp_path).issue("localhost")
    listen = f"ssl:0:interface=127.0.0.1:{keys.endpoint}"
    asks = {"listen": [listen], "client_ca": "gone.pem", "workers": count}
    gateway = cast.run(settings(cast.shops("b1"), gateway=asks), ready=False)
    assert gateway.process.wait(WAIT) == 1
    (line,) = [one for one in gateway.stderr.splitlines() if one.startswith("soapgate: [")]
    assert line.startswith("soapgate: [gateway] client_ca: ")
    assert line.endswith("gone.pem: cannot be read: No such file or directory")
