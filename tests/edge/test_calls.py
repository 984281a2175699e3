"""Asynchronous replies: the answer to what a backend sent out reaches that backend."""

from __future__ import annotations

import dataclasses

import pytest
from talk import Talk, envelope, ok, post
from twisted.internet.address import IPv4Address

from soapgate.core import ns
from soapgate.core.affinity import Affinity
from soapgate.core.keys import Keys
from soapgate.core.pins import Lifetime
from soapgate.core.plan import Plan
from soapgate.core.pool import Backend, Pool
from soapgate.core.profiles import catalogue
from soapgate.edge.calls import Callbacks

ANONYMOUS = f"{ns.WSA10}/anonymous"
ASYNC = catalogue()["wsa-async"]


def message(header):
    return (
        f'<e:Envelope xmlns:e="{ns.SOAP12}" xmlns:a="{ns.WSA10}"><e:Header>{header}</e:Header>'
        "<e:Body><x/></e:Body></e:Envelope>"
    ).encode()


def question(number, reply_to="http://gate.example/callback", more=""):
    return message(
        f"<a:MessageID>urn:q{number}</a:MessageID>"
        f"<a:ReplyTo><a:Address>{reply_to}</a:Address></a:ReplyTo>{more}"
    )


def answer(number):
    return message(f"<a:RelatesTo>urn:q{number}</a:RelatesTo>")


class House:
    """Two services of one gateway: `out`, whose backend is somebody else's, and `back`, whose
    backends c1 and c2 ask and take the answers."""

    def __init__(self):
        self.back = Talk(("c1", "c2"), keep_ended=5.0)
        store = self.back.store
        plan = Plan([ASYNC])
        lifetime = Lifetime(1800.0, 86400.0, 5.0)
        self.affinity = Affinity(
            store, Keys(store.secret), "back", lifetime, plan.order,
            self.back.metrics.pin_events, plan.kinds,
        )  # fmt: skip
        self.back.service = dataclasses.replace(
            self.back.service, plan=plan, affinity=self.affinity
        )
        callers = Pool(
            "callers",
            [Backend.parse("c1", "http://192.0.2.1"), Backend.parse("c2", "http://192.0.2.2")],
        )
        self.callers = callers
        self.out = Talk(("p1",), store=store, callbacks=(Callbacks(self.affinity, callers),))
        self.out.service = dataclasses.replace(
            self.out.service,
            plan=Plan([], None, [ASYNC]),
        )

    def ask(self, caller, body, *fields):
        """What goes out from the machine of c1 or c2, or of a stranger."""
        client = self.out.client = self.out.connect()
        address = {"c1": "192.0.2.1", "c2": "192.0.2.2"}.get(caller, "192.0.2.99")
        client.wire.peerAddr = IPv4Address("TCP", address, 1)
        return self.out.serve(post(body, *fields), ok(status=b"202 Accepted"))

    def comes_back(self, body):
        """The backend that an answer reaches."""
        return self.back.serve(post(body), ok(status=b"202 Accepted")).name


def test_the_answer_reaches_the_one_that_asked():
    house = House()
    for number, caller in enumerate(["c1", "c2", "c2", "c1", "c2"]):
        house.ask(caller, question(number))
    for number, caller in enumerate(["c1", "c2", "c2", "c1", "c2"]):
        assert house.comes_back(answer(number)) == caller
        assert house.back.last.route == "pinned"


def test_it_is_bound_before_the_question_goes_out():
    house = House()
    client = house.out.connect()
    client.wire.peerAddr = IPv4Address("TCP", "192.0.2.2", 1)
    client.says(post(question(1)))
    assert house.comes_back(answer(1)) == "c2"  # before the question was even accepted


@pytest.mark.parametrize("address", [ANONYMOUS, f"{ns.WSA10}/none"])
def test_an_answer_that_comes_on_the_same_connection_is_not_waited_for(address):
    house = House()
    house.ask("c1", question(1, address))
    assert house.out.store._pins == {}


def test_a_fault_address_is_an_address_too():
    house = House()
    more = "<a:FaultTo><a:Address>http://gate.example/faults</a:Address></a:FaultTo>"
    house.ask("c2", question(1, ANONYMOUS, more))
    assert house.comes_back(answer(1)) == "c2"


def test_a_question_of_a_stranger_goes_out_and_is_counted():
    house = House()
    house.ask("somebody", question(1))
    assert house.out.last.status == 202
    assert house.out.store._pins == {}
    assert house.affinity.events["no-caller"] == 1


def test_who_shares_an_address_says_his_name_and_the_world_does_not_hear_it():
    house = House()
    for member in house.callers.members.values():
        member.seen_at = "192.0.2.1"
    house.out.client = house.out.connect()
    house.out.client.wire.peerAddr = IPv4Address("TCP", "192.0.2.1", 1)
    house.out.client.says(post(question(1), b"X-Soapgate-Caller: c2"))
    peer = house.out.asked()
    assert b"soapgate-caller" not in peer.heard().lower()
    assert house.comes_back(answer(1)) == "c2"


def test_after_its_answer_a_question_is_forgotten_but_for_its_grace():
    house = House()
    house.ask("c2", question(1))
    assert house.comes_back(answer(1)) == "c2"
    assert house.comes_back(answer(1)) == "c2"  # sent again
    assert house.back.last.reason == "ended"
    house.back.reactor.advance(5.0)
    house.back.client = house.back.connect()
    house.comes_back(answer(1))
    assert house.back.last.reason == "unknown"


def test_an_answer_that_was_refused_may_come_again():
    house = House()
    house.ask("c2", question(1))
    refused = house.back.serve(post(answer(1)), ok(status=b"500 No"))
    assert refused.name == "c2"
    house.back.reactor.advance(60.0)
    house.back.client = house.back.connect()
    assert house.comes_back(answer(1)) == "c2"
    assert house.back.last.reason == "bound"


def test_a_question_that_nobody_answers_is_forgotten_after_an_hour():
    house = House()
    house.ask("c2", question(1))
    house.back.reactor.advance(3600.0)
    house.back.client = house.back.connect()
    house.comes_back(answer(1))
    assert house.back.last.reason == "unknown"


def test_a_service_that_was_not_told_remembers_nothing():
    talk = Talk(profiles={"shop": {"lookup": ["Header/wsa:RelatesTo"]}})
    talk.serve(post(question(1)), ok())
    talk.serve(post(envelope()), ok())
    assert talk.store._pins == {}
