"""The commands as a person or a script uses them: arguments in, text and status out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from certs import Authority
from commands import ENVELOPE

import soapgate
from soapgate import compiled, remote
from soapgate.cli import main
from soapgate.core.profiles import catalogue

# -- help


def commands() -> list[tuple[str, ...]]:
    nested = [("pins", name) for name in main.commands["pins"].commands]
    return [(), *((name,) for name in main.commands), *nested]


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_shows_an_example_in_its_help(ask, command):
    said = ask(*command, "--help")
    assert said.exit_code == 0
    behind_usage = said.output.partition("Usage:")[2].partition("\n")[2]
    assert " ".join(("soapgate", *command)) in behind_usage


def test_the_commands_are_those_of_the_design():
    assert sorted(main.commands) == sorted(
        ["run", "check", "explain", "profiles", "status", "pins", "backend", "demo"]
    )


def test_every_command_is_documented():
    docs = (Path(__file__).parents[1] / "docs" / "cli.rst").read_text()
    for command in commands():
        assert " ".join(("soapgate", *command)).strip() in docs


def test_the_version_is_told_and_whether_it_runs_compiled(ask):
    told = f"soapgate, version {soapgate.__version__} ({compiled.word()})\n"
    assert ask("--version").output == told


LIGHT = """
import sys
from soapgate.cli import main
try:
    main()
finally:
    print(any(name.partition(".")[0] == "twisted" for name in sys.modules), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments", [["--help"], ["check", "FILE"], ["explain", "-c", "FILE", "-"]], ids=" ".join
)
def test_light_commands_load_no_twisted(arguments, good):
    arguments = [str(good) if one == "FILE" else one for one in arguments]
    done = subprocess.run(
        [sys.executable, "-c", LIGHT, *arguments], input=ENVELOPE, capture_output=True, check=True
    )
    assert done.stderr == b"False\n"


def test_the_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "soapgate", "--version"], capture_output=True, check=True
    )
    assert done.stdout.startswith(b"soapgate, version ")


# -- run


@pytest.fixture
def runs(monkeypatch):
    """What the service was asked to run; it answers with status 7."""
    asked = []
    service = SimpleNamespace(run=lambda config, path: asked.append((config, path)) or 7)
    monkeypatch.setitem(sys.modules, "soapgate.service", service)
    monkeypatch.setattr(soapgate, "service", service, raising=False)
    return asked


def test_run_hands_the_file_to_the_service_and_returns_its_status(ask, runs, good):
    assert ask("run", good).exit_code == 7
    ((config, path),) = runs
    assert list(config.service) == ["shop"]
    assert path == good


def test_run_needs_no_file_for_the_simple_case(ask, runs):
    arguments = ["--listen", "8080", "--backend", "http://a:1", "--backend", "x=http://b:2"]
    options = ["--sessions", "wsrm, http-cookie", "--admin", "9900", "--log", "json"]
    assert ask("run", *arguments, *options, "--pins", "memory:").exit_code == 7
    ((config, path),) = runs
    assert path is None
    assert [backend.name for backend in config.pool["default"].backend] == ["b1", "x"]
    assert [one.name for one in config.profiles_for("default")] == ["wsrm", "http-cookie"]
    assert config.gateway.admin == "tcp:9900:interface=127.0.0.1"
    assert (config.gateway.log, config.gateway.pins) == ("json", "memory:")


def test_empty_sessions_are_none(ask, runs):
    ask("run", "--backend", "http://a:1", "--sessions", "")
    assert runs[0][0].profiles_for("default") == ()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "at least one --backend"),
        (["--listen", "8080"], "at least one --backend"),
        (["FILE", "--backend", "http://a"], "not both"),
        (["FILE", "--log", "json"], "not both"),
        (["--backend", "ftp://a"], "command line: [pool.default] backend[0].url"),
        (["nosuch.toml"], "nosuch.toml: cannot be read"),
    ],
    ids=["nothing", "no backend", "both", "file and log", "bad url", "no file"],
)
def test_run_refuses_what_it_cannot_use(ask, runs, good, arguments, word):
    said = ask("run", *(good if one == "FILE" else one for one in arguments))
    assert said.exit_code == 2
    assert word in said.stderr
    assert runs == []


# -- check


def test_check_says_what_is_configured(ask, good):
    said = ask("check", good)
    assert (said.exit_code, said.stderr) == (0, "")
    assert said.stdout == f"{good}: ok, 1 service, 1 pool, 1 backend\n"


def test_check_says_every_defect_on_a_line_of_its_own(ask, tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text('[gateway]\nlog = "xml"\nworkers = 0\n[service.s]\nlost = "nice"\n')
    said = ask("check", path)
    assert said.exit_code == 2
    assert said.stdout == ""
    assert said.stderr.splitlines() == [
        f'{path}: [gateway] workers = 0: allowed are 1 to 64, and "auto", one for each processor',
        f'{path}: [gateway] log = "xml": allowed are "text", "json", "none"',
        f'{path}: [service.s] lost = "nice": allowed are "strict", "redispatch"',
        f"{path}: [pool]: is missing; at least one [pool.NAME] is needed",
    ]


@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")
def test_check_reads_whose_certificates_clients_must_show(ask, good):
    ca = good.with_name("clients.pem")
    asks = '[gateway]\nlisten = "ssl:8443"\nclient_ca = "clients.pem"'
    good.write_text(good.read_text().replace("[gateway]", asks))
    missing = ask("check", good)
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert missing.stderr == (
        f"{good}: [gateway] client_ca: {ca}: cannot be read: No such file or directory\n"
    )
    ca.write_bytes(Authority().pem)
    assert ask("check", good).exit_code == 0


def test_check_remarks_on_what_is_probably_not_meant(ask, good):
    good.write_text(good.read_text() + '[profile.spare]\nlookup = ["cookie:x"]\n')
    said = ask("check", good)
    assert said.exit_code == 0
    assert "[profile.spare]: no service uses it" in said.stderr


# -- profiles

USES = ("lookup", "bind", "learn", "end", "expires", "sent", "reply_to")


def test_a_profile_is_printed_for_a_configuration_to_be_changed(ask, tmp_path):
    said = ask("profiles", "spyne-header", "--toml").output
    pool = '[pool.p]\nbackend = [ { name = "b1", url = "http://127.0.0.1:9001" } ]\n'
    config = tmp_path / "gateway.toml"
    config.write_text(f'{pool}[service.s]\nsessions = ["spyne-header"]\n{said}')
    assert ask("check", config).exit_code == 0


def test_every_profile_is_explained_with_all_its_locations(ask):
    for name, profile in catalogue().items():
        said = ask("profiles", name)
        assert said.exit_code == 0, name
        shown = "".join(said.output.split())
        for use in USES:
            assert use in said.output or not getattr(profile, use)
            for location in getattr(profile, use):
                assert "".join(location.text.split()) in shown
        for key, text in profile.rules:
            assert key in said.output
            assert "".join(text.split()) in shown


def test_what_holds_for_all_ids_of_a_profile_is_said(ask):
    assert 'before:"-"' in ask("profiles", "virtualbox").output
    assert "wsrm/200702/CreateSequence" in ask("profiles", "wsrm-create").output


def test_profiles_are_listed_with_their_state(ask, good):
    lines = ask("profiles").output.splitlines()
    assert any(line.split()[:2] == ["wsrm", "on"] for line in lines)
    assert any(line.split()[:2] == ["wsa-refparams", "off"] for line in lines)
    own = ask("profiles", "-c", good).output.splitlines()
    assert any(line.split()[:2] == ["shop", "file"] for line in own)


def test_a_profile_is_explained(ask, good):
    assert "Header/wsrm:Sequence/wsrm:Identifier" in ask("profiles", "wsrm").output
    assert "The shop" in ask("profiles", "-c", good, "shop").output


def test_an_unknown_profile_is_bad_usage(ask):
    said = ask("profiles", "wsmr")
    assert said.exit_code == 2
    assert said.stderr == 'wsmr: unknown profile; did you mean "wsrm"?\n'


# -- demo


def test_demo_is_replaced_by_the_script_with_its_options(ask, monkeypatch):
    calls = []
    monkeypatch.setattr(os, "execv", lambda program, arguments: calls.append(arguments))
    assert ask("demo", "--stay").exit_code == 0
    ((interpreter, script, option),) = calls
    assert (interpreter, Path(script).name, option) == (sys.executable, "demo.py", "--stay")


def test_demo_says_what_it_needs(ask, monkeypatch):
    from soapgate import demo

    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    said = ask("demo")
    assert said.exit_code == 2
    assert "pip install 'soapgate[demo]'" in said.stderr


# -- a running gateway


class Gateway:
    """Stands in for `soapgate.remote.Remote`: answers by method and path."""

    answers: dict[tuple[str, ...], object] = {}
    asked: list[tuple[object, ...]] = []

    def __init__(self, url: str) -> None:
        type(self).asked.append(("url", url))

    def get(self, *path, **query):
        return self._answer("GET", *path)

    def pins(self, limit, **filters):
        type(self).asked.append(("pins", limit, filters))
        return self._answer("GET", "pins")

    def send(self, method, *path, body=None):
        type(self).asked.append((method, *path, body))
        return self._answer(method, *path)

    def _answer(self, *key):
        answer = self.answers[key]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def gateway(monkeypatch):
    Gateway.answers, Gateway.asked = {}, []
    monkeypatch.setattr(remote, "Remote", Gateway)
    return Gateway


BACKEND = {
    "pool": "shop", "name": "b1", "url": "http://h", "admin": "ready", "up": True, "inflight": 0,
    "waiting": 0, "maxconn": 0, "roles": [], "backup": False, "probe": None,
}  # fmt: skip
PIN = {
    "service": "shop", "key": "9f3a", "profile": "wsrm", "backend": "b1", "alias": None,
    "used": "2026-01-01T00:00:01.000Z", "expired": False,
}  # fmt: skip
STATUS = {
    ("GET", "status"): {"version": "1", "ready": True, "backends": 1},
    ("GET", "backends"): {"backends": [BACKEND]},
}


def test_status_shows_the_gateway_and_its_backends(ask, gateway):
    gateway.answers = STATUS
    said = ask("status")
    assert said.exit_code == 0
    assert "ready" in said.output
    assert "b1" in said.output
    assert gateway.asked == [("url", "http://127.0.0.1:9900")]


def test_the_admin_side_is_an_option_or_a_variable(ask, gateway):
    gateway.answers = STATUS
    ask("status", "--admin", "http://a:1")
    ask("status", env={"SOAPGATE_ADMIN": "http://b:2"})
    assert gateway.asked == [("url", "http://a:1"), ("url", "http://b:2")]


def test_answers_can_be_had_as_json(ask, gateway):
    gateway.answers = STATUS
    assert json.loads(ask("status", "--json").output)["ready"] is True


def test_pins_are_listed_with_filters(ask, gateway):
    gateway.answers = {("GET", "pins"): ([PIN], True)}
    said = ask("pins", "--service", "shop", "--backend", "b1", "--limit", 1)
    assert "9f3a" in said.stdout
    assert said.stderr == "there are more than 1\n"
    assert gateway.asked[1] == ("pins", 1, {"service": "shop", "backend": "b1"})


def test_an_id_is_read_from_stdin_and_never_from_the_command_line(ask, gateway):
    gateway.answers = {("POST", "pins", "lookup"): {"pins": [{**PIN, "leads_to": "b1"}]}}
    said = ask("pins", "lookup", "shop", input="  secret-42 \n")
    assert said.exit_code == 0
    assert "b1" in said.output
    assert "secret-42" not in said.output
    body = {"service": "shop", "id": "secret-42"}
    assert gateway.asked[1] == ("POST", "pins", "lookup", body)
    assert ask("pins", "lookup", "shop", "secret-42").exit_code == 2


def test_an_id_that_nobody_knows_is_status_1(ask, gateway):
    gateway.answers = {("POST", "pins", "lookup"): remote.RemoteError("no pin for this id", 404)}
    said = ask("pins", "lookup", "shop", input="x\n")
    assert (said.exit_code, said.stderr) == (1, "no pin for this id\n")


def test_no_id_is_bad_usage(ask, gateway):
    assert ask("pins", "lookup", "shop", input="\n").exit_code == 2


def test_a_pin_is_deleted_by_its_key(ask, gateway):
    gateway.answers = {("DELETE", "pins", "shop", "9f3a"): {"key": "9f3a"}}
    assert ask("pins", "delete", "shop", "9f3a").output == "shop/9f3a: forgotten\n"


def test_a_backend_is_set_to_drain(ask, gateway):
    gateway.answers = {("PATCH", "backends", "shop", "b1"): {"name": "b1", "admin": "drain"}}
    assert "drain" in ask("backend", "shop/b1", "drain").output
    assert gateway.asked[1] == ("PATCH", "backends", "shop", "b1", {"admin": "drain"})


@pytest.mark.parametrize("arguments", [["shop", "drain"], ["shop/b1", "off"], ["/b1", "ready"]])
def test_a_backend_is_named_and_set_as_the_help_says(ask, gateway, arguments):
    assert ask("backend", *arguments).exit_code == 2
    assert gateway.asked == []


def test_a_gateway_that_is_not_there_is_status_2(ask, gateway):
    gateway.answers = {("GET", "status"): remote.RemoteError("no gateway answers at x")}
    said = ask("status")
    assert (said.exit_code, said.stderr) == (2, "no gateway answers at x\n")
