"""Client stacks of eight languages and the sample's Spyne services, over every carrier.

A cart lives in the memory of the node where its login was answered, and the other node answers a
stranger's id with the fault Client.SessionUnknown. So two clients that shop to the end on two
nodes prove that each stayed where it was; the same clients without profiles prove that the first
proof can fail.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from explained import ids
from live import Cast, Gateway
from nodes import settings
from recorder import Recorder
from stacks import FAULT, STACKS, Heard, Running, Stack

PROFILES = {"header": "shop", "body": "shop", "wsa": "wsa-refparams", "cookie": "http-cookie"}
PYTHON = {"zeep", "suds"}
MARKS = {stack: () if stack.name in PYTHON else (pytest.mark.foreign,) for stack in STACKS}
PAIRS = [
    pytest.param(stack, carrier, id=f"{stack.name}-{carrier}", marks=MARKS[stack])
    for stack in STACKS
    for carrier in stack.carriers
]


SHOP = {
    "namespaces": {"shop": "urn:example:shop"},
    "profile_shop": {
        "lookup": ["Header/shop:Session/@id"],
        "learn": ["Header/shop:Session/@id", "Body/shop:loginResponse/shop:sessionId"],
        "end": ["Body/shop:checkout"],
    },
}


def shop(argv: list[str], url: str, carrier: str, *customers: str) -> list[Heard]:
    """Clients that shop at the same time."""
    running = [Running([*argv, url, carrier, customer]) for customer in customers]
    return [one.heard() for one in running]


def told(customer: str, node: str) -> list[tuple[str, ...]]:
    """What a client says whose every call was answered by `node`."""
    return [
        ("login", node),
        ("add", node, "1"),
        ("add", node, "3"),
        ("items", node, customer, "tea=1,jam=2"),
        ("checkout", node, "3"),
    ]


@pytest.fixture(scope="module")
def gateway(company: Cast, carts) -> Gateway:
    """With the profiles of the sample."""
    return company.run(
        settings(carts, ["shop", "wsa-refparams", "http-cookie"], **SHOP), name="sticky"
    )


@pytest.fixture(scope="module")
def balancer(company: Cast, carts) -> Gateway:
    """The same without profiles."""
    return company.run(settings(carts, [], **SHOP), name="balancer")


@pytest.mark.parametrize(("stack", "carrier"), PAIRS)
def test_two_clients_shop_to_the_end_each_on_its_own_node(
    stack: Stack, carrier: str, gateway: Gateway, tmp_path: Path
) -> None:
    argv = stack.argv()
    with Recorder(gateway.port) as recorder:
        heard = shop(argv, recorder.url, carrier, "ann", "bob")
        recorder.write(tmp_path)
    log = gateway.log(len(recorder.exchanges()))  # all of it, or the next test would read it
    for one, customer in zip(heard, ("ann", "bob"), strict=True):
        assert one.status == 0, one
        assert list(one.lines) == told(customer, *one.nodes), one
    assert {node for one in heard for node in one.nodes} == {"b1", "b2"}
    assert {line["route"] for line in log} == {"balanced", "pinned"}
    used = {line["profile"] for line in log if line["route"] == "pinned"}
    assert used == {PROFILES[carrier]}
    ids_are_found(gateway, recorder, PROFILES[carrier])


@pytest.mark.parametrize(
    "stack", [pytest.param(stack, id=stack.name, marks=MARKS[stack]) for stack in STACKS]
)
def test_without_profiles_the_same_client_meets_a_node_that_does_not_know_it(
    stack: Stack, balancer: Gateway
) -> None:
    argv = stack.argv()
    (heard,) = shop(argv, f"http://127.0.0.1:{balancer.port}/", stack.carriers[0], "ann")
    assert heard.status == FAULT, heard
    assert "SessionUnknown" in heard.faults[0], heard


def ids_are_found(gateway: Gateway, recorder: Recorder, profile: str) -> None:
    """`soapgate explain` finds in the recorded bytes what the gateway found in the passing ones:
    in every login's reply the id that it issues, and the same one in each later request."""
    both = recorder.exchanges()
    logins = [one.response for one in both if b"loginResponse" in one.response]
    issued = [ids(gateway.config, one, profile, "learn") for one in logins]
    assert [len(each) for each in issued] == [1, 1]
    later = [one.request for one in both if b"loginResponse" not in one.response]
    assert len(later) == 8
    asked = [ids(gateway.config, one, profile, "lookup") for one in later]
    assert {frozenset(each) for each in asked} == {frozenset(each) for each in issued}
