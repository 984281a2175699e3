"""Metro and Axis2 on both sides: sessions that their callers carry in header blocks.

Metro: each caller opens a @Stateful object and is given its endpoint reference, which the node
issues in a Body; the caller sends the reference parameter objectId back as a header block. Axis2:
a service of the scope soapsession issues a ServiceGroupId in the wsa:ReplyTo of its first reply. A
node that did not make the object or session answers with a fault.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Project:
    """One of java/: the profile it needs, how many of a caller's counts carry the id, and the words
    of the fault for a stranger's."""

    name: str
    profile: str
    carried: int
    refused: str


PROJECTS = (
    Project(
        "metro",
        "jaxws-stateful",
        CALLS,
        "Invalid/expired {http://jax-ws.dev.java.net/xml/ns/}objectId header value",
    ),
    Project(
        "axis2",
        "axis2-soapsession",
        CALLS - 1,
        "Unable to find corresponding context for the serviceGroupId",
    ),
)


@pytest.fixture(scope="module", params=PROJECTS, ids=[one.name for one in PROJECTS])
def project(request: pytest.FixtureRequest) -> Project:
    return request.param


@pytest.fixture(scope="module")
def counters(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    """Two nodes."""
    argv = [*java(project.name, "Node"), "{name}"]
    yield from nodes_of(argv, tmp_path_factory.mktemp(project.name))


def called(project: Project, gateway_url: str) -> Heard:
    """Callers of one process, each with a session of its own."""
    return Running([*java(project.name, "Caller"), gateway_url, str(CALLS), *CUSTOMERS]).heard()


def test_callers_in_turn_count_to_the_end_each_on_its_own_node(
    project: Project, counters: list[Node], cast: Cast, tmp_path: Path
) -> None:
    gateway = cast.run(settings(counters, [project.profile]))
    with Recorder(gateway.port) as recorder:
        heard = called(project, recorder.url)
        recorder.write(tmp_path / "recorded")
    log = gateway.log(len(recorder.exchanges()))
    assert heard.status == 0, heard
    for customer in CUSTOMERS:
        own = [line[1:] for line in heard.lines if line[0] == customer]
        assert own == [(own[0][0], str(at + 1)) for at in range(CALLS)], heard
    assert heard.nodes == {"b1", "b2"}
    pinned = [line["profile"] for line in log if line["route"] == "pinned"]
    assert pinned == [project.profile] * project.carried * len(CUSTOMERS)
    ids_are_found(gateway, recorder, project.profile)


def test_without_the_profile_a_caller_meets_a_node_that_does_not_know_it(
    project: Project, counters: list[Node], cast: Cast
) -> None:
    gateway = cast.run(settings(counters, []))
    heard = called(project, f"http://127.0.0.1:{gateway.port}/")
    assert heard.status == FAULT, heard
    assert project.refused in heard.faults[0], heard


def ids_are_found(gateway: Gateway, recorder: Recorder, profile: str) -> None:
    """`soapgate explain` finds each id in the reply that issues it and in the calls that carry
    it."""
    both = recorder.exchanges()
    learnt = [ids(gateway.config, one.response, profile, "learn") for one in both]
    issued = {frozenset(found) for found in learnt if found}
    assert [len(one) for one in issued] == [1] * len(CUSTOMERS)
    asked = [ids(gateway.config, one.request, profile, "lookup") for one in both]
    assert {frozenset(found) for found in asked if found} == issued
