"""The sample clients against real carts."""

from __future__ import annotations

import socket

import client
import pytest
from zeep.exceptions import Fault

CARRIERS = pytest.mark.parametrize("carrier", client.CARRIERS)


@pytest.mark.integration
@CARRIERS
def test_a_client_keeps_its_state_over_the_carrier(nodes, carrier):
    shopper = client.CartClient(carrier, nodes[0].url)
    assert shopper.login("ann").node == "b1"
    assert [shopper.add("tea", 2).count, shopper.add("jam", 1).count] == [2, 3]
    cart = shopper.items()
    assert (cart.node, cart.customer) == ("b1", "ann")
    assert [(line.article, line.quantity) for line in cart.line] == [("tea", 2), ("jam", 1)]
    assert shopper.wait(0).node == "b1"
    assert shopper.checkout().count == 3
    with pytest.raises(Fault, match="no such session"):
        shopper.items()
    shopper.close()


@pytest.mark.integration
@CARRIERS
def test_two_clients_of_one_node_are_two_sessions(nodes, carrier):
    ann, bob = (client.CartClient(carrier, nodes[0].url) for _ in range(2))
    for shopper, name in ((ann, "ann"), (bob, "bob")):
        shopper.login(name)
    assert [ann.add("tea", 1).count, bob.add("jam", 5).count] == [1, 5]
    assert [ann.items().customer, bob.items().customer] == ["ann", "bob"]
    ann.close()
    bob.close()


@pytest.mark.integration
@CARRIERS
def test_another_node_does_not_know_the_session(nodes, carrier, monkeypatch):
    shopper = client.CartClient(carrier, nodes[0].url)
    shopper.login("ann")
    address = f"{nodes[1].url}{carrier}"
    shopper._service._binding_options["address"] = address  # what a gateway must prevent
    with pytest.raises(Fault) as raised:
        shopper.items()
    assert raised.value.code.endswith(":Client.SessionUnknown")
    shopper.close()


def test_an_unknown_carrier_is_refused():
    with pytest.raises(ValueError, match="none of header, wsa, body, cookie"):
        client.CartClient("pigeon", "http://127.0.0.1:1/")


@pytest.mark.integration
@CARRIERS
def test_the_command_line_says_which_node_answered(nodes, carrier, capsys):
    assert client.main(["--carrier", carrier, nodes[1].url]) == 0
    *calls, verdict = capsys.readouterr().out.splitlines()
    assert calls[0] == "login('ann',): answered by b2"
    assert len(calls) == 5
    assert verdict == "the session stayed on one node"


@pytest.mark.integration
def test_the_command_line_fails_in_one_line_when_nobody_answers(capsys):
    with socket.socket() as nobody:  # bound, not listening: a connection is refused
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
        assert client.main([url]) == 1
    assert capsys.readouterr().err.startswith(url)


class TornClient:
    """Answers each call from the other node."""

    def __init__(self) -> None:
        self.calls = 0

    def __getattr__(self, name):
        def answer(*arguments):
            self.calls += 1
            return type("Reply", (), {"node": f"b{self.calls % 2}"})

        return answer


def test_a_session_that_changed_its_node_is_said_to_be_torn():
    assert client.shop(TornClient(), "ann") is False
