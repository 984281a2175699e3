"""A running gateway explains: by its pins, without touching them, and in its answers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from live import Cast, Gateway
from wire import Backend, ask, envelope, issued_id, post, session

LOGIN = post(envelope(body="<s:login/>"))


@pytest.fixture(scope="module")
def shops(company: Cast) -> list[Backend]:
    return company.shops("b1", "b2")


@pytest.fixture(scope="module")
def gateway(company: Cast, shops: list[Backend]) -> Gateway:
    return company.gateway(shops, name="explains", service={"explain_header": True})


def explain(gateway: Gateway, path: Path, *options: str, status: int = 0) -> Any:
    url = f"http://127.0.0.1:{gateway.admin_port}"
    command = [sys.executable, "-m", "soapgate", "explain", "--ask", url, "--json", *options]
    done = subprocess.run([*command, str(path)], capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout)


def verdict(gateway: Gateway, path: Path) -> dict[str, Any]:
    return explain(gateway, path)["readings"][0]["verdict"]


def test_the_backend_that_a_pin_names_is_told_and_is_where_the_request_goes(gateway, tmp_path):
    path = tmp_path / "request.http"
    for _ in range(4):
        identity = issued_id(ask(gateway.port, LOGIN))
        path.write_bytes(post(envelope(session(identity))))
        told = explain(gateway, path)
        assert identity not in json.dumps(told)
        foretold = told["readings"][0]["verdict"]
        assert (foretold["route"], foretold["reason"]) == ("pinned", "bound")
        assert foretold["backend"] == ask(gateway.port, path.read_bytes()).node
        question = {"service": "shop", "id": identity}
        (pin,) = gateway.call("POST", "/api/v1/pins/lookup", question)[1]["pins"]
        assert pin["key"].startswith(foretold["hash"])


def test_to_ask_takes_no_turn_and_touches_no_pin(gateway, tmp_path):
    identity = issued_id(ask(gateway.port, LOGIN))
    path = tmp_path / "request.http"
    path.write_bytes(LOGIN)
    before = gateway.pins(limit="1000"), ask(gateway.port, LOGIN).node
    told = verdict(gateway, path)
    assert (told["backend"], set(told["candidates"])) == (None, {"b1", "b2"})
    path.write_bytes(post(envelope(session(identity))))
    verdict(gateway, path)
    after = ask(gateway.port, LOGIN).node
    assert after != before[1], "the next in turn"
    kept = {pin["key"]: pin for pin in gateway.pins(limit="1000")}
    assert [kept[pin["key"]] for pin in before[0]] == before[0]


def test_a_session_whose_backend_is_in_maint_is_told_with_its_fault(gateway, tmp_path):
    reply = ask(gateway.port, LOGIN)
    path = tmp_path / "request.http"
    path.write_bytes(post(envelope(session(issued_id(reply)))))
    gateway.call("PATCH", f"/api/v1/backends/shop/{reply.node}", {"admin": "maint"})
    try:
        told = verdict(gateway, path)
    finally:
        gateway.call("PATCH", f"/api/v1/backends/shop/{reply.node}", {"admin": "ready"})
    assert (told["route"], told["reason"], told["backend"]) == ("refused", "session-lost", None)
    assert "HTTP 503" in told["fault"]


def test_ids_of_two_backends_are_told_as_a_conflict(gateway, tmp_path):
    first, other = (ask(gateway.port, LOGIN) for _ in "ab")
    assert first.node != other.node
    path = tmp_path / "request.http"
    both = session(issued_id(first)) + session(issued_id(other))
    path.write_bytes(post(envelope(both)))
    told = verdict(gateway, path)
    assert told["backend"] == first.node
    assert [one["backend"] for one in told["conflicts"]] == [other.node]


def test_a_message_that_is_too_long_to_ask_for_is_told(gateway, tmp_path):
    (tmp_path / "request.http").write_bytes(post(envelope(padding=2_000_000)))
    (tmp_path / "b.http").write_bytes(LOGIN)
    told = explain(gateway, tmp_path, status=2)
    errors = {Path(one["name"]).name: one["error"] for one in told["messages"]}
    assert errors["b.http"] is None
    assert "up to 1048576 bytes" in errors["request.http"]


def test_the_answer_and_the_log_say_the_same_of_an_exchange(company, shops):
    gateway = company.gateway(shops, name="says", service={"explain_header": True})
    reply = ask(gateway.port, LOGIN)
    again = ask(gateway.port, post(envelope(session(issued_id(reply)))))
    refused = ask(gateway.port, post(envelope(session("never-issued"))))
    codes = []
    for one in (reply, again, refused):
        codes.append(one.get("X-Soapgate").partition(";")[0])
    assert codes[:2] == ["--BL", "HVP-"]
    assert codes[2] == "HUB-"
    assert [line["sticky"] for line in gateway.log(3)] == codes
