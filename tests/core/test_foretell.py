"""A verdict is what the next exchange would do, and asking for it leaves no trace."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pinned import run

from soapgate.core.errors import StoreError
from soapgate.core.explain import Message, View
from soapgate.core.explained import Conflict, Standing
from soapgate.core.foretell import Live, foretell
from soapgate.core.keys import Keys
from soapgate.core.pins import Lifetime, Pin
from soapgate.core.policies import POLICIES
from soapgate.core.pool import Backend, Pool
from soapgate.core.profiles import read_profile
from soapgate.core.routing import Terms
from soapgate.core.scanner import ScanLimits
from soapgate.core.services import Rule
from soapgate.stores.memory import MemoryStore

KEYS = Keys(b"s" * 32)
NOW = 1_000_000.0
JAR = read_profile("jar", {"lookup": ["cookie:a"], "learn": ["cookie:a"]}, {})
TOKEN = read_profile("token", {"lookup": ["http:Token"]}, {})
MINE = read_profile("mine", {"bind": ["http:Mine"]}, {})


class Gate:
    """A pool of three, its pins and the profiles jar, token, mine in this order."""

    def __init__(self, policy="round_robin", **terms):
        self.store = MemoryStore(secret=b"s" * 32)
        backends = [Backend.parse(name, f"http://{name}:1") for name in ("b1", "b2", "b3")]
        self.pool = Pool("farm", backends, POLICIES[policy])
        self.view = View(Rule("shop"), (JAR, TOKEN, MINE), Terms(**terms), ScanLimits(), policy)
        self.lives = {"shop": Live("scope", Lifetime(100, 1000), self.pool)}

    def pin(self, profile, text, backend="", alias=b"", used=NOW):
        key = KEYS.key("scope", profile, text)
        run(self.store.bind(key, Pin("scope", profile, backend, alias, used, used)))
        return key

    def ask(self, message, **options):
        said = foretell(message, [self.view], self.lives, self.store, KEYS, NOW, **options)
        return run(said)

    def told(self, **fields):
        """The reading of a request with these fields."""
        named = {name.encode(): [value] for name, value in fields.items()}
        (reading,) = self.ask(Message("request", b"", fields=named)).readings
        return reading

    def verdict(self, **fields):
        verdict = self.told(**fields).verdict
        return verdict.route, verdict.reason, verdict.backend


def test_a_pin_names_the_backend():
    gate = Gate()
    key = gate.pin("jar", "x", "b2")
    reading = gate.told(cookie=b"a=x")
    assert reading.order[0].pin == Standing("pinned", "b2", False)
    verdict = reading.verdict
    assert (verdict.route, verdict.reason, verdict.backend) == ("pinned", "bound", "b2")
    assert (verdict.profile, verdict.hash) == ("jar", key.hex()[:8])


def test_an_alias_leads_to_its_sessions_backend():
    gate = Gate()
    gate.pin("token", "t", alias=gate.pin("jar", "x", "b3"))
    reading = gate.told(token=b"t")
    assert reading.order[0].pin == Standing("pinned", "b3", True)
    assert reading.verdict.backend == "b3"


def test_an_expired_pin_counts_for_nothing_and_is_said():
    gate = Gate()
    gate.pin("jar", "x", "b2", used=NOW - 101)
    reading = gate.told(cookie=b"a=x")
    assert reading.order[0].pin == Standing("expired", "b2", False)
    assert (reading.verdict.route, reading.verdict.reason) == ("balanced", "unknown")
    assert run(gate.store.count()) == 1


def test_the_turn_of_a_policy_is_nobodys_to_tell_and_is_not_taken():
    gate = Gate()
    verdict = gate.told().verdict
    assert (verdict.reason, verdict.backend) == ("no-id", None)
    assert verdict.candidates == ("b1", "b2", "b3")
    assert gate.pool.policy(None).select(gate.pool.candidates(None), b"").name == "b1"


def test_an_only_candidate_is_told():
    gate = Gate()
    for name in ("b1", "b3"):
        gate.pool.members[name].admin = "drain"
    assert gate.verdict() == ("balanced", "no-id", "b2")


def test_the_hash_of_an_id_is_told_as_it_will_be_chosen():
    gate = Gate("hash")
    key = KEYS.key("scope", "mine", "m")
    chosen = gate.pool.policy(None).select(gate.pool.candidates(None), key).name
    assert gate.verdict(mine=b"m") == ("balanced", "new", chosen)


def lost(**terms):
    gate = Gate(**terms)
    gate.pin("jar", "x", "b2")
    gate.pool.members["b2"].admin = "maint"
    return gate.told(cookie=b"a=x").verdict


def test_a_lost_session_is_refused_by_a_strict_service():
    verdict = lost()
    assert (verdict.route, verdict.reason, verdict.backend) == ("refused", "session-lost", None)
    assert "in maintenance: fault SessionLost, HTTP 503" in verdict.fault


def test_a_lost_session_that_may_move_names_where_to():
    verdict = lost(lost="redispatch")
    assert (verdict.route, verdict.reason, verdict.fault) == ("redispatched", "maint", None)
    assert verdict.candidates == ("b1", "b3")


def test_an_unknown_id_that_is_to_be_refused_names_its_fault():
    verdict = Gate(unknown="fault").told(cookie=b"a=x").verdict
    assert verdict.reason == "session-unknown"
    assert verdict.fault.endswith("fault SessionUnknown, HTTP 503")


def test_ids_of_two_backends_are_a_conflict_and_the_first_decides():
    gate = Gate()
    gate.pin("jar", "x", "b2")
    key = gate.pin("token", "t", "b3")
    verdict = gate.told(cookie=b"a=x", token=b"t").verdict
    assert verdict.backend == "b2"
    assert verdict.conflicts == (Conflict("token", key.hex()[:8], "b3"),)


def test_ids_that_agree_are_no_conflict():
    gate = Gate()
    gate.pin("jar", "x", "b2")
    gate.pin("token", "t", "b2")
    assert gate.told(cookie=b"a=x", token=b"t").verdict.conflicts == ()


def test_a_response_has_the_standing_of_its_ids_and_no_verdict():
    gate = Gate()
    gate.pin("jar", "x", "b1")
    fields = {b"set-cookie": [b"a=x"]}
    (reading,) = gate.ask(Message("response", b"", fields=fields)).readings
    assert reading.order[0].pin == Standing("pinned", "b1", False)
    assert reading.verdict is None


def test_to_ask_leaves_no_trace():
    gate = Gate()
    gate.pin("token", "t", alias=gate.pin("jar", "x", "b3", used=NOW - 90), used=NOW - 90)
    before = run(gate.store.scan(None, 10))
    gate.told(cookie=b"a=x", token=b"t", mine=b"m")
    assert run(gate.store.scan(None, 10)) == before


def test_what_no_service_matches_is_refused():
    gate = Gate()
    gate.view = replace(gate.view, rule=Rule("shop", hosts=("other",)))
    assert gate.ask(Message("request", b"")).refused
    assert gate.ask(Message("request", b""), service="shop").service == "shop"


def test_a_message_that_is_refused_has_no_verdict():
    gate = Gate()
    gate.view = replace(gate.view, profiles=(read_profile("s", {"lookup": ["Header/a"]}, {}),))
    (reading,) = gate.ask(Message("request", b"<!DOCTYPE a>")).readings
    assert reading.refusal
    assert reading.verdict is None


def test_a_store_that_does_not_answer_is_the_callers_to_tell(monkeypatch):
    gate = Gate()

    async def lookup(key):
        raise StoreError("away")

    monkeypatch.setattr(gate.store, "lookup", lookup)
    with pytest.raises(StoreError):
        gate.told(cookie=b"a=x")
