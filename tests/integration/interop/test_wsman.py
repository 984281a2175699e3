"""Remote shells: pypsrp (WinRS and PowerShell) and pywinrm against two WS-Management nodes.

The nodes, see wsman.py, know only the shells they created, and every command says where it ran
and which one of its shell it was: 1, 2, 3 on one node is a shell that stayed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from explained import ids
from live import Cast, Gateway
from nodes import Node, nodes_of, settings
from recorder import Recorder
from stacks import CLIENTS, FAULT, HERE, Running, need_module
from wire import wait_for

KINDS = ("winrs", "winrs-own", "pwsh", "pywinrm")
OWN = ("winrs-own", "pwsh")  # the client proposes the shell's id
INVALID_SELECTORS = "2150858843"


@pytest.fixture(scope="module")
def shells(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    """Two WS-Management nodes."""
    argv = [sys.executable, str(HERE / "wsman.py"), "--name", "{name}"]
    yield from nodes_of(argv, tmp_path_factory.mktemp("shells"))


@pytest.fixture(scope="module")
def gateway(company: Cast, shells: list[Node]) -> Gateway:
    return company.run(settings(shells, ["wsman"]), name="sticky")


@pytest.fixture(scope="module")
def balancer(company: Cast, shells: list[Node]) -> Gateway:
    """The same without profiles."""
    return company.run(settings(shells, []), name="balancer")


def client(kind: str, url: str) -> Running:
    need_module("winrm" if kind == "pywinrm" else "pypsrp", kind if kind == "pywinrm" else "pypsrp")
    if kind == "pwsh":
        need_module("psrpcore", "psrpcore")
    return Running([sys.executable, "-W", "error", str(CLIENTS / "shell.py"), url, kind])


def live_shells(gateway: Gateway) -> list[str]:
    """Shells that a request would still find; a client's SessionId outlives them."""
    pins = gateway.pins()
    return [one["key"] for one in pins if one["profile"] == "wsman" and not one["expired"]]


@pytest.mark.parametrize("kind", KINDS)
def test_two_shells_live_from_create_to_delete_each_on_its_own_node(
    kind: str, gateway: Gateway, tmp_path: Path
) -> None:
    with Recorder(gateway.port) as recorder:
        running = [client(kind, recorder.url) for _ in range(2)]
        heard = [one.heard() for one in running]
        recorder.write(tmp_path)
    log = gateway.log(len(recorder.exchanges()))
    for one in heard:
        assert one.status == 0, one
        (node,) = one.nodes
        assert list(one.lines) == [("run", node, str(number)) for number in (1, 2, 3)], one
    assert {node for one in heard for node in one.nodes} == {"b1", "b2"}
    assert [line["profile"] for line in log if line["route"] == "pinned"].count("wsman") >= 20
    assert 500 in {line["status"] for line in log}  # TimedOut came, and ended nothing
    shells_are_found(gateway.config, recorder, own=kind in OWN)
    wait_for(lambda: not live_shells(gateway), "no shell left after Delete")


@pytest.mark.parametrize("kind", KINDS)
def test_without_the_profile_a_shell_meets_a_node_that_does_not_know_it(
    kind: str, balancer: Gateway
) -> None:
    heard = client(kind, f"http://127.0.0.1:{balancer.port}/").heard()
    assert (heard.status, heard.faults) == (FAULT, [INVALID_SELECTORS]), heard


def shells_are_found(config: Path, recorder: Recorder, *, own: bool) -> None:
    """`soapgate explain` finds the id in each reply to Create, in each later request, and in the
    Create itself where the client proposes it."""
    both = recorder.exchanges()
    creates = [one for one in both if b"ResourceCreated" in one.response]
    issued = {frozenset(ids(config, one.response, "wsman", "learn")) for one in creates}
    assert [len(each) for each in issued] == [1, 1]
    later = [one.request for one in both if one not in creates]
    assert {frozenset(ids(config, one, "wsman", "lookup")) for one in later} == issued
    proposed = {frozenset(ids(config, one.request, "wsman", "bind")) for one in creates}
    assert proposed == (issued if own else {frozenset()})
