"""Pins as an operator sees them: in pages, by id, never with an id."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from soapgate.core.keys import Keys
from soapgate.core.pins import Lifetime, Pin
from soapgate.core.routing import Terms
from soapgate.core.services import Rule
from soapgate.edge.adminapi import Call, Refused, Reply, ServiceInfo
from soapgate.edge.adminpins import (
    ID_BYTES,
    PINS_LISTED,
    PINS_SCANNED,
    delete_pin,
    list_pins,
    lookup_pins,
)
from soapgate.stores.memory import MemoryStore

NOW = 1_700_000_000.0  # 2023-11-14T22:13:20Z


def service(name: str, *profiles: str) -> ServiceInfo:
    lifetime = Lifetime(idle=1800, max_age=86400)
    return ServiceInfo(name, "farm", Rule(name), profiles, Terms(), lifetime, name)


class Gateway:
    """The part of a `View` that is asked here: two services and their pins."""

    def __init__(self) -> None:
        self.services = {
            "shop": service("shop", "wsrm", "http-cookie"),
            "bank": service("bank", "wsrm"),
        }
        self.store = MemoryStore()
        self.keys = Keys(b"k" * 32)

    def now(self) -> float:
        return NOW

    def pin(
        self, scope: str, profile: str, session_id: str, to: str | bytes, used: float = NOW
    ) -> bytes:
        """Bind an id to a backend's name or, as an alias, to a key; its key."""
        backend, alias = (to, b"") if isinstance(to, str) else ("", to)
        key = self.keys.key(scope, profile, session_id)
        asyncio.run(self.store.bind(key, Pin(scope, profile, backend, alias, NOW - 5, used)))
        return key

    def ask(self, function: Callable[[Call], Any], **asked: Any) -> Reply:
        reply = asyncio.run(function(Call(self, **asked)))
        assert "SECRET" not in json.dumps(reply.content)
        return reply

    def refusal(self, function: Callable[[Call], Any], **asked: Any) -> tuple[int, Any]:
        """The status of a refusal and what it allows."""
        with pytest.raises(Refused) as refused:
            self.ask(function, **asked)
        assert "SECRET" not in refused.value.error
        return refused.value.status, refused.value.allowed

    def listed(self, **query: str) -> dict[str, Any]:
        return self.ask(list_pins, query=query).content

    def found(self, name: str, session_id: str) -> list[dict[str, Any]]:
        return self.ask(lookup_pins, body={"service": name, "id": session_id}).content["pins"]


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


def pages(gateway: Gateway, **query: str) -> list[list[str]]:
    """The keys of each page of a listing, followed to its end."""
    found, on = [], {}
    while on is not None:
        page = gateway.listed(**query, **on)
        found.append([pin["key"] for pin in page["pins"]])
        on = {"cursor": page["cursor"]} if page["cursor"] is not None else None
    return found


def flat(listing: list[list[str]]) -> list[str]:
    return [key for page in listing for key in page]


def test_a_pin_is_listed_by_its_key_and_never_by_its_id(gateway):
    key = gateway.pin("shop", "wsrm", "SECRET-ID", "b1")
    assert gateway.listed() == {
        "pins": [
            {
                "service": "shop",
                "key": key.hex(),
                "profile": "wsrm",
                "backend": "b1",
                "alias": None,
                "created": "2023-11-14T22:13:15.000Z",
                "used": "2023-11-14T22:13:20.000Z",
                "expired": False,
                "ended": False,
            }
        ],
        "cursor": None,
    }


def test_an_alias_names_its_primary_and_no_backend(gateway):
    primary = gateway.pin("shop", "wsrm", "one", "b1")
    alias = gateway.pin("shop", "http-cookie", "two", primary)
    listed = {pin["key"]: pin for pin in gateway.listed()["pins"]}
    assert (listed[alias.hex()]["alias"], listed[alias.hex()]["backend"]) == (primary.hex(), None)


def test_an_expired_pin_says_so(gateway):
    gateway.pin("shop", "wsrm", "one", "b1", used=1_700_000_000.0 - 1801)
    gateway.pin("gone", "wsrm", "one", "b1")
    listed = gateway.listed()["pins"]
    assert [pin["expired"] for pin in listed] == [True, True]


def test_pages_are_followed_to_the_end_and_show_every_pin_once(gateway):
    keys = {gateway.pin("shop", "wsrm", f"id{n}", "b1").hex() for n in range(25)}
    listing = pages(gateway, limit="10")
    assert [len(page) for page in listing] == [10, 10, 5]
    assert flat(listing) == sorted(keys)


def test_a_last_page_that_is_full_has_no_cursor(gateway):
    for n in range(10):
        gateway.pin("shop", "wsrm", f"id{n}", "b1")
    assert [len(page) for page in pages(gateway, limit="10")] == [10]


def test_no_pins_are_one_empty_page(gateway):
    assert pages(gateway) == [[]]


def test_without_a_limit_a_page_is_a_hundred(gateway):
    for n in range(PINS_LISTED + 1):
        gateway.pin("shop", "wsrm", f"id{n}", "b1")
    assert [len(page) for page in pages(gateway)] == [PINS_LISTED, 1]


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_filters_leave_exactly_the_pins_they_name(gateway, limit):
    wanted = set()
    for n in range(30):
        scope, backend = ("shop", "bank")[n % 2], ("b1", "b2", "b3")[n % 3]
        key = gateway.pin(scope, "wsrm", f"id{n}", backend).hex()
        if (scope, backend) == ("bank", "b3"):
            wanted.add(key)
    assert len(wanted) == 5
    assert flat(pages(gateway, service="bank", backend="b3", limit=str(limit))) == sorted(wanted)


def test_a_page_looks_at_a_bounded_number_of_pins(gateway):
    for n in range(PINS_SCANNED + 10):
        gateway.pin("shop", "wsrm", f"id{n}", "b1")
    rare = gateway.pin("bank", "wsrm", "rare", "b2").hex()
    looked = []
    scan = gateway.store.scan

    async def counted(cursor, limit):
        found, after = await scan(cursor, limit)
        looked.append(len(found))
        return found, after

    gateway.store.scan = counted
    first = gateway.listed(service="bank")
    assert sum(looked) == PINS_SCANNED
    assert first["cursor"] is not None
    assert flat(pages(gateway, service="bank")) == [rare]


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "ten", "1.5", "", "١", "9" * 5000])
def test_a_limit_out_of_bounds_is_refused_with_its_bounds(gateway, limit):
    assert gateway.refusal(list_pins, query={"limit": limit}) == (400, ["1 to 1000"])


@pytest.mark.parametrize("cursor", ["", "xyz", "0", "00 11", "00" * 65])
def test_a_cursor_that_is_none_is_refused(gateway, cursor):
    status, _ = gateway.refusal(list_pins, query={"cursor": cursor})
    assert status == 400


def test_an_unknown_service_is_refused_with_the_known_ones(gateway):
    known = (422, ["shop", "bank"])
    assert gateway.refusal(list_pins, query={"service": "post"}) == known
    assert gateway.refusal(lookup_pins, body={"service": "post", "id": "x"}) == known


def test_an_id_is_looked_up_under_every_profile_of_its_service(gateway):
    primary = gateway.pin("shop", "wsrm", "one", "b1")
    alias = gateway.pin("shop", "http-cookie", "SECRET", primary)
    gateway.pin("bank", "wsrm", "SECRET", "b2")
    (found,) = gateway.found("shop", " SECRET\n")
    assert found["key"] == alias.hex()
    assert found["leads_to"] == "b1"


def test_an_id_of_two_profiles_has_two_pins_in_their_order(gateway):
    gateway.pin("shop", "http-cookie", "same", "b2")
    gateway.pin("shop", "wsrm", "same", "b1")
    found = gateway.found("shop", "same")
    assert [(pin["profile"], pin["leads_to"]) for pin in found] == [
        ("wsrm", "b1"),
        ("http-cookie", "b2"),
    ]


@pytest.mark.parametrize("loop", [False, True], ids=["dangling", "loop"])
def test_an_alias_that_ends_nowhere_leads_nowhere(gateway, loop):
    other = gateway.keys.key("shop", "wsrm", "other")
    key = gateway.pin("shop", "wsrm", "one", other)
    if loop:
        gateway.pin("shop", "wsrm", "other", key)
    (found,) = gateway.found("shop", "one")
    assert found["leads_to"] is None


def test_an_id_without_a_pin_is_404_and_not_repeated(gateway):
    body = {"service": "shop", "id": "SECRET"}
    assert gateway.refusal(lookup_pins, body=body) == (404, None)


@pytest.mark.parametrize(
    "body",
    [
        {"service": "shop"},
        {"id": "x"},
        {"service": "shop", "id": "x", "profile": "wsrm"},
        {"service": "shop", "id": 5},
        {"service": ["shop"], "id": "x"},
        {"service": "shop", "id": ""},
        {"service": "shop", "id": " \n"},
        {"service": "shop", "id": "x" * (ID_BYTES + 1)},
    ],
    ids=lambda body: str(body)[:40],
)
def test_a_question_that_is_none_is_refused(gateway, body):
    status, allowed = gateway.refusal(lookup_pins, body=body)
    assert status == 422
    assert allowed


def test_any_text_may_be_an_id(gateway):
    gateway.pin("shop", "wsrm", "\udc80\U0001f600", "b1")
    assert gateway.found("shop", "\udc80\U0001f600")[0]["leads_to"] == "b1"


def test_a_pin_is_forgotten_once(gateway):
    key = gateway.pin("shop", "wsrm", "one", "b1").hex()
    kept = gateway.pin("shop", "wsrm", "two", "b1").hex()
    reply = gateway.ask(delete_pin, path={"service": "shop", "key": key.upper()})
    assert reply.content["key"] == key
    path = {"service": "shop", "key": key}
    assert gateway.refusal(delete_pin, path=path) == (404, None)
    assert flat(pages(gateway)) == [kept]


def test_a_pin_is_forgotten_under_its_own_service_only(gateway):
    key = gateway.pin("shop", "wsrm", "one", "b1").hex()
    for name, allowed in (("bank", None), ("post", ["shop", "bank"])):
        path = {"service": name, "key": key}
        assert gateway.refusal(delete_pin, path=path) == (404, allowed)
    assert flat(pages(gateway)) == [key]


@pytest.mark.parametrize("key", ["", "00", "0" * 31, "0" * 33, "g" * 32, "0" * 30 + " 0"])
def test_a_key_that_is_none_is_refused_with_what_a_key_is(gateway, key):
    path = {"service": "shop", "key": key}
    assert gateway.refusal(delete_pin, path=path) == (400, ["32 hex digits"])
