"""What a configuration makes of a service: scopes, lifetimes, callbacks, the gateway's cookie."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from gate import FILE, House, ok, post

from soapgate.assembly import (
    affinity_of,
    callbacks_of,
    cookie_of,
    lifetimes_of,
    plans_of,
    scopes_of,
)  # fmt: skip
from soapgate.config import parse
from soapgate.core.keys import Keys
from soapgate.core.pins import Lifetime
from soapgate.core.pool import Pool
from soapgate.stores.memory import MemoryStore

TEXT = """
[pool.shop]
backend = [ { name = "b1", url = "http://10.0.0.1" } ]
on_restart = "drop"

[pool.partner]
backend = [ { name = "p1", url = "http://10.0.9.1" } ]

[service.back]
pool = "shop"
path = "/callback"
sessions = ["wsa-async"]
scope = "house"

[service.shop]
pool = "shop"
path = "/shop"
scope = "house"
affinity_cookie = "GATE"

[service.out]
pool = "partner"
sessions = []
keep_ended = "1s"
callbacks = "back"
"""
CONFIG = parse(TEXT, "FILE")
PINNING = (MemoryStore(), Keys(b"s" * 32), dict[str, int]())


def test_a_service_that_sends_out_looks_for_what_was_sent() -> None:
    plans = plans_of(CONFIG)
    assert plans["out"].request.needs_envelope
    assert not plans["out"].response.needs_envelope
    assert list(plans["back"].kinds) == ["wsa-async"]


def test_services_of_one_scope_have_one_name_for_their_pins() -> None:
    plans = plans_of(CONFIG)
    names = [affinity_of(CONFIG, one, plans[one], *PINNING).names.scope for one in plans]
    assert names == ["house", "house", "out"]
    assert lifetimes_of(CONFIG) == {
        "house": Lifetime(1800.0, 86400.0, 5.0),
        "out": Lifetime(1800.0, 86400.0, 1.0),
    }


def test_callbacks_are_pins_and_pool_of_the_service_that_takes_the_answers() -> None:
    pools = {name: Pool(name, one.backends()) for name, one in CONFIG.pool.items()}
    (one,) = callbacks_of(CONFIG, "out", plans_of(CONFIG), pools, *PINNING)
    assert (one.pool.name, one.affinity.names.scope) == ("shop", "house")
    assert callbacks_of(CONFIG, "shop", plans_of(CONFIG), pools, *PINNING) == ()


def test_only_a_service_that_asks_for_it_has_a_cookie() -> None:
    cookie = cookie_of(CONFIG, "shop", b"s" * 32)
    assert cookie is not None
    assert cookie.name == "GATE"
    assert cookie_of(CONFIG, "back", b"s" * 32) is None


def test_the_scopes_of_a_pool_are_those_whose_pins_a_restart_drops() -> None:
    assert scopes_of(CONFIG, "shop") == {"house"}
    assert scopes_of(CONFIG, "partner") == scopes_of(CONFIG, "gone") == frozenset()


# In the whole house


def flip(house: House, name: str, *, up: bool) -> None:
    pool = house.gateway.pools["shop"]
    member = pool.members[name]
    while member.up is not up:
        if member.mark(up):
            house.gateway.flipped(pool, member)


@pytest.mark.parametrize(("word", "reason"), [("keep", "bound"), ("drop", "unknown")])
def test_a_backend_that_returns_serves_its_pins_again_unless_told_otherwise(
    build: Callable[[str], House], word: str, reason: str
) -> None:
    house = build(FILE.replace("[pool.shop]\n", f'[pool.shop]\non_restart = "{word}"\n')).start()
    client = house.client()
    for session in ("s1", "s2"):
        house.serve(client, post(), ok(session))
    flip(house, "b1", up=False)
    flip(house, "b1", up=True)
    house.passes(2)
    for one in house.open:
        one.transport.heard()
    told = []
    for session in ("s1", "s2"):
        client = house.client()
        client.says(post(session))
        asked = [one.transport for one in house.open if one.transport.heard()] or [house.backend()]
        asked[0].says(ok())
        house.passes(1)
        told.append(house.log.splitlines()[-1].partition("reason=")[2].split()[0])
    assert told == [reason, "bound"]


SHARING = """
[service.a]
path = "/a"
sessions = ["shop"]
scope = "both"

[service.b]
path = "/b"
sessions = ["shop"]
{}

[profile.shop]
"""


@pytest.mark.parametrize(("scope", "reason"), [('scope = "both"', "bound"), ("", "unknown")])
def test_services_share_the_ids_of_one_scope_and_no_others(
    build: Callable[..., House], scope: str, reason: str
) -> None:
    front, _, rest = FILE.partition("[service.shop]")
    profile = rest.partition("[profile.shop]\n")[2]
    house = build(front + SHARING.format(scope) + profile).start()
    client = house.client()
    backend = house.serve(client, post(path="/a"), ok("s1"))
    house.passes(1)
    backend.heard()
    other = house.client()
    other.says(post("s1", path="/b"))
    asked = backend if backend.heard() else house.backend()
    asked.says(ok("s1"))
    house.passes(1)
    line = house.log.splitlines()[-1]
    assert "service=b" in line
    assert f"reason={reason}" in line
    assert (asked is backend) is (reason == "bound")
