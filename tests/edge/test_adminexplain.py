"""What a running gateway says of a message: its pins and its pool, and never an id."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from soapgate.core.explained import View
from soapgate.core.keys import Keys
from soapgate.core.pins import Lifetime, Pin
from soapgate.core.pool import Backend, Pool
from soapgate.core.profiles import read_profile
from soapgate.core.routing import Terms
from soapgate.core.scanner import ScanLimits
from soapgate.core.services import Rule
from soapgate.edge.adminapi import Call, Refused, ServiceInfo
from soapgate.edge.adminexplain import explain
from soapgate.edge.http11 import HeadLimits
from soapgate.edge.messages import MESSAGE_BYTES
from soapgate.stores.memory import MemoryStore

NOW = 1_700_000_000.0
PROFILE = read_profile("jar", {"lookup": ["cookie:a", "Header/a"], "end": ["action:urn:end"]}, {})
ENVELOPE = (
    b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Header><a>SECRET</a>'
    b"</e:Header><e:Body><b/></e:Body></e:Envelope>"
)


class Gateway:
    """The part of a `View` that is asked here."""

    def __init__(self) -> None:
        self.pools = {"farm": Pool("farm", [Backend.parse("b1", "http://h:1")])}
        lifetime = Lifetime(1800, 86400)
        self.services = {
            name: ServiceInfo(name, "farm", Rule(name), ("jar",), Terms(), lifetime, f"of-{name}")
            for name in ("shop", "bank")
        }
        self.explained = [
            View(Rule(name), (PROFILE,), Terms(), ScanLimits()) for name in self.services
        ]
        self.head_limits = HeadLimits()
        self.store = MemoryStore()
        self.keys = Keys(b"k" * 32)

    def now(self) -> float:
        return NOW

    def ask(self, message: bytes, **more: object) -> Any:
        body = {"message": base64.b64encode(message).decode(), **more}
        content = asyncio.run(explain(Call(self, body=body))).content
        assert "SECRET" not in json.dumps(content)
        return content

    def refusal(self, **body: object) -> Refused:
        with pytest.raises(Refused) as refused:
            asyncio.run(explain(Call(self, body=body)))
        return refused.value


def test_a_request_is_told_with_its_pin_under_the_services_scope():
    gateway = Gateway()
    key = gateway.keys.key("of-bank", "jar", "SECRET")
    asyncio.run(gateway.store.bind(key, Pin("of-bank", "jar", "b1", b"", NOW, NOW)))
    raw = b"POST / HTTP/1.1\r\nHost: h\r\nCookie: a=SECRET\r\nContent-Length: 0\r\n\r\n"
    (reading,) = gateway.ask(raw, service="bank")["readings"]
    assert reading["order"][0]["id"]["hash"] == key.hex()[:8]
    assert (reading["verdict"]["route"], reading["verdict"]["backend"]) == ("pinned", "b1")
    (reading,) = gateway.ask(raw)["readings"]
    assert reading["verdict"]["reason"] == "unknown"


def test_an_envelope_is_read_both_ways_with_the_action_that_came_with_it():
    told = gateway = Gateway().ask(ENVELOPE, action="urn:end")
    assert [one["direction"] for one in told["readings"]] == ["request", "response"]
    assert gateway["action"] == "urn:end"
    assert "the session ends" in told["readings"][0]["would"][-1]


def test_a_message_that_is_no_http_is_told_to_be_refused():
    told = Gateway().ask(b"POST / HTTP/1.1\r\n\r\n")
    assert "HTTP 400" in told["refusal"]


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({}, 422, "lacks the field"),
        ({"message": "?"}, 422, "no base64"),
        ({"message": 7}, 422, "no text"),
        ({"message": "", "service": "nope"}, 422, "no service"),
        ({"message": "", "show_ids": True}, 422, "unknown field"),
    ],
    ids=["nothing", "no base64", "no text", "no service", "ids in clear"],
)
def test_what_cannot_be_asked_is_refused_with_what_can(body, status, word):
    refused = Gateway().refusal(**body)
    assert refused.status == status
    assert word in refused.error
    assert refused.allowed


def test_a_message_is_bounded():
    text = base64.b64encode(bytes(MESSAGE_BYTES + 1)).decode()
    assert Gateway().refusal(message=text).status == 413
