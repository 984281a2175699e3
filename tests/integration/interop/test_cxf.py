"""Apache CXF on both sides: WS-ReliableMessaging, WS-SecureConversation, HTTP sessions.

CXF keeps sequences and tokens in memory. A message of a sequence that another node created is
answered with the fault UnknownSequence, one under another node's token with a security error, and
CXF's callers begin once and never again. So a caller that counts to the end on one node proves
that all of it, from create to terminate, went there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from explained import ids
from javabuild import java
from live import Cast, Gateway
from nodes import Node, nodes_of, settings
from recorder import Recorder
from stacks import FAULT, Heard, Running, need, run

pytestmark = pytest.mark.foreign

SCT = "ws-secureconversation"
WAYS = {"rm1.0": "wsrm", "rm1.1": "wsrm", "sct": SCT, "cookie": "http-cookie"}
CALLERS = ("ann", "bob", "cho", "dan")
CALLS = 3
RM10 = "http://schemas.xmlsoap.org/ws/2005/02/rm"
# CXF's last acknowledgement in WS-RM 1.0: the action alone, an empty Body and no sequence
WITHOUT_ID = {f"{RM10}/SequenceAcknowledgement"}
UNKNOWN = {
    "wsrm": "The value of wsrm:Identifier is not a known Sequence identifier",
    SCT: "A security error was encountered when verifying the message",
    "http-cookie": "This node has no such session",
}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key store with the key pair of all nodes and callers."""
    store = tmp_path_factory.mktemp("keys") / "keys.p12"
    pair = ["-alias", "all", "-keyalg", "RSA", "-dname", "CN=interop"]
    where = ["-keystore", str(store), "-storetype", "pkcs12", "-storepass", "changeit"]
    run([need("keytool", "default-jre-headless"), "-genkeypair", *pair, *where], "keytool")
    return store


@pytest.fixture(scope="module")
def counters(keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    """Two CXF nodes."""
    argv = [*java("cxf", "Node"), "{name}", str(keys)]
    yield from nodes_of(argv, tmp_path_factory.mktemp("cxf"))


@pytest.fixture(scope="module")
def gateway(company: Cast, counters: list[Node]) -> Gateway:
    return company.run(settings(counters, ["wsrm", SCT, "http-cookie"]), name="sticky")


@pytest.fixture(scope="module")
def balancer(company: Cast, counters: list[Node]) -> Gateway:
    """The same without profiles."""
    return company.run(settings(counters, []), name="balancer")


def called(url: str, way: str, keys: Path, *customers: str) -> Heard:
    """Callers of one process, each with a session of its own."""
    argv = [*java("cxf", "Caller"), url, way, str(CALLS), str(keys), *customers]
    return Running(argv).heard()


@pytest.mark.parametrize("way", WAYS)
def test_callers_at_the_same_time_count_to_the_end_each_on_its_own_node(
    way: str, gateway: Gateway, keys: Path, tmp_path: Path
) -> None:
    customers = [f"{name}-{way}" for name in CALLERS]
    with Recorder(gateway.port) as recorder:
        heard = called(recorder.url, way, keys, *customers)
        recorder.write(tmp_path)
    log = gateway.log(len(recorder.exchanges()))
    assert heard.status == 0, heard
    for customer in customers:
        own = [line[1:] for line in heard.lines if line[0] == customer]
        assert own == [(own[0][0], str(at + 1)) for at in range(CALLS)], heard
    assert heard.nodes == {"b1", "b2"}
    pinned = [line for line in log if line["route"] == "pinned"]
    assert {line["profile"] for line in pinned} == {WAYS[way]}
    assert {line["status"] for line in log} <= {200, 202}
    balanced = [line["action"] for line in log if line["route"] == "balanced"]
    assert len([one for one in balanced if one not in WITHOUT_ID]) == len(CALLERS)
    if WAYS[way] == "wsrm":
        sequences_are_found(gateway.config, recorder)
    else:
        ids_are_found(gateway.config, recorder, WAYS[way])


@pytest.mark.parametrize("way", WAYS)
def test_without_profiles_the_same_caller_meets_a_node_that_does_not_know_it(
    way: str, balancer: Gateway, keys: Path
) -> None:
    heard = called(f"http://127.0.0.1:{balancer.port}/", way, keys, "eve")
    assert heard.status == FAULT, heard
    assert UNKNOWN[WAYS[way]] in heard.faults[0]


def sequences_are_found(config: Path, recorder: Recorder) -> None:
    """`soapgate explain` finds both sequences of each caller where they begin, the offered and the
    created one, and in every later request that carries an id one of these."""
    both = recorder.exchanges()
    creates = [one for one in both if b"CreateSequenceResponse" in one.response]
    offered = {frozenset(ids(config, one.request, "wsrm", "bind")) for one in creates}
    issued = {frozenset(ids(config, one.response, "wsrm", "learn")) for one in creates}
    assert [len(one) for one in offered | issued] == [1] * 2 * len(CALLERS)
    later = [one.request for one in both if one not in creates]
    asked = {one: ids(config, one, "wsrm", "lookup") for one in later}
    assert set().union(*asked.values()) == set().union(*offered, *issued)
    without = [one for one, found in asked.items() if not found]
    assert all(b"SequenceAcknowledgement" in one and b"<soap:Body/>" in one for one in without)


def ids_are_found(config: Path, recorder: Recorder, profile: str) -> None:
    """`soapgate explain` finds each session's id in the reply that issues it and in each later
    request."""
    both = recorder.exchanges()
    learnt = [ids(config, one.response, profile, "learn") for one in both]
    issued = {frozenset(found) for found in learnt if found}
    assert [len(one) for one in issued] == [1] * len(CALLERS)
    asked = [frozenset(ids(config, one.request, profile, "lookup")) for one in both]
    assert set(asked) - {frozenset()} == issued
    assert asked.count(frozenset()) == len(CALLERS)  # each caller's first, which brings none
