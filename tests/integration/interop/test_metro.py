"""Metro, the JAX-WS reference implementation, on both sides: @Stateful objects on two nodes.

Each caller opens a counter and is given its endpoint reference, which the node issues in a Body;
Metro's caller sends the reference parameter objectId back as a header block. A node that did not
make the object answers with a fault. The two services of a node share their objects, so the id
learnt from the one is looked up in requests for the other.
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
from stacks import FAULT, Heard, Running

pytestmark = pytest.mark.foreign

CALLS = 3
CUSTOMERS = ("ann", "bob", "cho")
PROFILE = "jaxws-stateful"
REFUSED = "Invalid/expired {http://jax-ws.dev.java.net/xml/ns/}objectId header value"


@pytest.fixture(scope="module")
def counters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    """Two Metro nodes."""
    yield from nodes_of([*java("metro", "Node"), "{name}"], tmp_path_factory.mktemp("metro"))


@pytest.fixture(scope="module")
def gateway(company: Cast, counters: list[Node]) -> Gateway:
    return company.run(settings(counters, [PROFILE]), name="sticky")


def called(url: str, *customers: str) -> Heard:
    """Callers of one process, each with an object of its own."""
    return Running([*java("metro", "Caller"), url, str(CALLS), *customers]).heard()


def test_each_stateful_object_is_called_on_the_node_that_made_it(
    gateway: Gateway, tmp_path: Path
) -> None:
    with Recorder(gateway.port) as recorder:
        heard = called(recorder.url, *CUSTOMERS)
        recorder.write(tmp_path)
    log = gateway.log(len(recorder.exchanges()))
    assert heard.status == 0, heard
    for customer in CUSTOMERS:
        own = [line[1:] for line in heard.lines if line[0] == customer]
        assert own == [(own[0][0], str(at + 1)) for at in range(CALLS)], heard
    assert heard.nodes == {"b1", "b2"}
    pinned = [line["profile"] for line in log if line["route"] == "pinned"]
    assert pinned == [PROFILE] * CALLS * len(CUSTOMERS)
    objects_are_found(gateway.config, recorder)


def test_without_the_profile_an_object_is_called_on_a_node_that_does_not_know_it(
    company: Cast, counters: list[Node]
) -> None:
    gateway = company.run(settings(counters, []), name="balancer")
    heard = called(f"http://127.0.0.1:{gateway.port}/", *CUSTOMERS)
    assert heard.status == FAULT, heard
    assert REFUSED in heard.faults[0], heard


def objects_are_found(config: Path, recorder: Recorder) -> None:
    """`soapgate explain` finds each object in the reply that issues it and in the calls of it."""
    both = recorder.exchanges()
    opened = [ids(config, one.response, PROFILE, "learn") for one in both]
    issued = {frozenset(found) for found in opened if found}
    assert [len(one) for one in issued] == [1] * len(CUSTOMERS)
    called = [ids(config, one.request, PROFILE, "lookup") for one in both]
    assert {frozenset(found) for found in called if found} == issued
