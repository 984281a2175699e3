"""Conversations replayed through the data path against two backends that share nothing.

A backend knows the ids that it has issued, and those a client showed it first; told one of the
other's, it would answer a fault, and here that fails. Before each message of the conversation other
clients are served until the next turn is the *wrong* backend's: only stickiness makes it pass.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib import resources
from typing import Any, NamedTuple

import pytest
import together
from conversations import CONVERSATIONS, envelope
from speech import rq, rs
from talk import Peer, Talk

from soapgate.core.profiles import DEFAULT, catalogue
from soapgate.core.protocolfaults import TERMS
from soapgate.core.routing import Terms

TABLES = {
    name: tomllib.loads((resources.files("soapgate.catalogue") / f"{name}.toml").read_text())
    for name in catalogue()
}
STRANGE = {"none": {"lookup": ["cookie:no-profile-of-the-catalogue"]}}
FAULT = "Fault"


class Stranger(AssertionError):
    """A backend was told an id of the other's."""


class Turn(NamedTuple):
    """A request and its response, both as `speech` writes them."""

    request: Any
    response: Any


def turns(messages: list[Any]) -> Iterator[Turn]:
    """The conversation in pairs: a request that nobody answers is answered, a response that nobody
    asked for is asked for."""
    asked = None
    for message in messages:
        if message[0] == "request":
            if asked is not None:
                yield Turn(asked, rs("", "<x:ok/>"))
            asked = message
        else:
            yield Turn(asked or rq("", "<x:open/>"), message)
            asked = None
    if asked is not None:
        yield Turn(asked, rs("", "<x:ok/>"))


def wire(message: Any) -> bytes:
    """The message as HTTP."""
    way, header, body, _, action, target, fields = message
    if header is None:
        return b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
    content = envelope(header, body).encode()
    kind = "application/soap+xml; charset=utf-8" + (f'; action="{action}"' if action else "")
    status = b"500 Oops" if FAULT in body else b"200 OK"
    lines = [b"POST %b HTTP/1.1" % target, b"Host: gate.example"]
    if way == "response":
        lines = [b"HTTP/1.1 " + status]
    lines += [b"Content-Type: " + kind.encode(), b"Content-Length: %d" % len(content)]
    for name, values in fields.items():
        lines += [name.replace("_", "-").encode() + b": " + value for value in values]
    return b"\r\n".join([*lines, b"", content])


def ids(message: Any, *uses: str) -> list[str]:
    """What the message carries, as the author of the conversation says."""
    split = [one.partition(" ") for one in message[3]]
    return [text for use, _, text in split if use in uses and text]


class Stage:
    """A gateway, two backends and what they know."""

    def __init__(self, tables: dict[str, Any], **options: Any) -> None:
        self.talk = Talk(profiles=tables, **options)
        self.owner: dict[str, str] = {}
        self.others = self.talk.connect()

    def play(self, messages: list[Any]) -> int:
        """The whole conversation; how many requests named an id that a backend knew."""
        return sum(self._turn(turn) for turn in turns(messages))

    def _turn(self, turn: Turn) -> bool:
        carried = ids(turn.request, "lookup", "bind", "end")
        owners = {self.owner[one] for one in carried if one in self.owner}
        if owners:
            self._let_the_wrong_one_be_next(owners)
        self.talk.client.says(wire(turn.request))
        backend = self.talk.asked()
        backend.heard()
        if owners and backend.name not in owners:
            raise Stranger(f"{backend.name} is told {carried}, of {owners}: {turn.request}")
        for one in (*ids(turn.request, "bind"), *ids(turn.response, "learn")):
            self.owner.setdefault(one, backend.name)
        backend.says(wire(turn.response))
        assert self.talk.client.heard() == wire(turn.response)
        self._forget(turn)
        return bool(owners)

    def _let_the_wrong_one_be_next(self, right: set[str]) -> None:
        for _ in range(2):
            self.others.says(wire(rq("", "<x:else/>")))
            served: Peer = self.talk.asked()
            served.heard()
            served.says(wire(rs("", "<x:elseResponse/>")))
            if served.name in right:
                return  # and the turn is the other's

    def _forget(self, turn: Turn) -> None:
        """The backends know an id no longer that was ended."""
        for message in turn:
            if message is turn.request and FAULT in turn.response[2]:
                continue
            named = ids(message, "end")
            marked = "end " in message[3]
            whole = [*ids(turn.request, "lookup", "bind"), *ids(turn.response, "learn")]
            for one in [*named, *(whole if marked else [])]:
                self.owner.pop(one, None)


def profile_of(name: str) -> str:
    return name.partition(",")[0]


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_conversation_stays_on_its_backend(name: str) -> None:
    profile = profile_of(name)
    Stage({profile: TABLES[profile]}).play(CONVERSATIONS[name])


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_conversation_stays_on_its_backend_with_the_default_set(name: str) -> None:
    names = dict.fromkeys((*DEFAULT, profile_of(name)))
    Stage({one: TABLES[one] for one in names}).play(CONVERSATIONS[name])


@pytest.mark.parametrize("name", together.CONVERSATIONS)
def test_a_session_of_several_protocols_stays_on_its_backend(name: str) -> None:
    stage = Stage({one: TABLES[one] for one in DEFAULT})
    assert stage.play(together.CONVERSATIONS[name]) >= 3
    assert stage.talk.metrics.id_conflicts == 0
    with pytest.raises(Stranger):
        Stage(STRANGE).play(together.CONVERSATIONS[name])


# a session that travels with its messages needs nobody
STATELESS = {"ws-secureconversation, a token that carries its state"}
# asynchronous replies need two services: tests/edge/test_calls.py plays them
ELSEWHERE = {"wsa-async"}


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_without_its_profile_it_would_not(name: str) -> None:
    if name in STATELESS | ELSEWHERE:
        assert Stage(STRANGE).play(CONVERSATIONS[name]) == 0
        return
    with pytest.raises(Stranger):
        Stage(STRANGE).play(CONVERSATIONS[name])


def test_every_profile_has_a_conversation_that_only_it_keeps_together() -> None:
    played = {profile_of(name) for name in CONVERSATIONS if name not in STATELESS}
    assert played == set(catalogue())


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_an_end_of_the_conversation_ends_its_pins(name: str) -> None:
    stage = Stage({profile_of(name): TABLES[profile_of(name)]})
    known, ended = False, False
    for turn in turns(CONVERSATIONS[name]):
        before = {*stage.owner}
        stage._turn(turn)
        known = known or bool(before - {*stage.owner})
        ended = ended or stage.talk.affinity.events["ended"] > 0
    assert ended == known


def unknown_to_all(name: str) -> list[Any]:
    """Requests with ids that a server issues and no others."""
    return [
        message
        for message in CONVERSATIONS[name]
        if message[0] == "request" and ids(message, "lookup") and not ids(message, "bind")
    ]


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in CONVERSATIONS
        if unknown_to_all(name) and catalogue()[profile_of(name)].unknown is None
    ],
)
def test_an_id_that_nobody_issued_gets_a_fault_where_the_service_says_so(name: str) -> None:
    stage = Stage({profile_of(name): TABLES[profile_of(name)]}, terms=Terms(unknown="fault"))
    protocol = catalogue()[profile_of(name)].unknown_fault
    told = {"soap": "SessionUnknown", "axis2": "Invalid Service Group Id"}
    for message in unknown_to_all(name):
        stage.talk.client.says(wire(message))
        answer = stage.talk.client.heard()
        assert (told.get(protocol) or TERMS[protocol].subcode).encode() in answer
        assert stage.talk.dials == 0


def test_the_common_address_of_a_service_is_no_id_even_if_a_reference_says_it() -> None:
    stage = Stage({"onvif-pullpoint": TABLES["onvif-pullpoint"]})
    inside = (
        '<tev:SubscriptionReference xmlns:tev="http://www.onvif.org/ver10/events/wsdl"><wsa:Address>'
        "http://node-1/onvif/events</wsa:Address></tev:SubscriptionReference>"
    )
    name = "onvif:CreatePullPointSubscriptionResponse"
    made = f"<{name}>{inside}</{name}>"
    names = set()
    for _ in range(4):
        stage.talk.client.says(wire(rq("", "<x:op/>", target=b"/onvif/events")))
        backend = stage.talk.asked()
        names.add(backend.name)
        backend.heard()
        backend.says(wire(rs("", made)))
    assert names == {"b1", "b2"}


@pytest.mark.parametrize(
    ("target", "location"),
    [(b"/a;jsessionid=S7", b"/a/;jsessionid=S7"), (b"/(S(S7))/a", b"/(S(S7))/login?back=a")],
)
def test_an_id_that_a_client_made_up_is_not_learnt_from_where_it_is_sent_on_to(
    target: bytes, location: bytes
) -> None:
    stage = Stage({"http-cookie": TABLES["http-cookie"]})
    names = []
    for _ in range(4):
        stage.talk.client.says(wire(rq("", "<x:op/>", target=target)))
        backend = stage.talk.asked()
        names.append(backend.name)
        backend.heard()
        backend.says(wire(rs("", "", location=[location])))
        stage.talk.client.heard()
    assert {*names} == {"b1", "b2"}
    assert stage.talk.affinity.events["learned"] == 0


def test_the_server_behind_an_id_may_change_and_the_session_is_one() -> None:
    stage = Stage({"http-cookie": TABLES["http-cookie"]})
    stage.play(CONVERSATIONS["http-cookie, Tomcat after a failover"])
    events = stage.talk.affinity.events
    assert (events["learned"], events["aliased"]) == (1, 1)


@pytest.mark.parametrize("version", ["2004/08", "CXF"])
def test_a_subscription_is_known_until_it_expires_and_a_renewal_says_so_anew(version: str) -> None:
    talk = Stage({"ws-eventing": TABLES["ws-eventing"]}).talk
    subscribe, subscribed, status, _, renew, *_ = CONVERSATIONS[f"ws-eventing, {version}"]

    def served(asked: Any, answered: bytes = wire(rs("", "<x:ok/>"))) -> str:
        talk.client = talk.connect()
        talk.serve(wire(asked), answered)
        return talk.last.reason

    body = subscribed[2].replace("PT1H", "PT2M")
    served(subscribe, wire(rs("", body)))
    talk.reactor.advance(119.0)
    body = body.replace("SubscribeResponse", "RenewResponse").replace("PT2M", "PT5M")
    assert served(renew, wire(rs("", body))) == "bound"
    talk.reactor.advance(299.0)
    assert served(status) == "bound"
    talk.reactor.advance(2.0)
    assert served(status) == "unknown"
