"""What goes the short way, with nobody to tell a story; and what a defect there costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from talk import PROFILE, Talk, envelope, ok, over, post
from twice import ANSWER, COOKIES, ORDINARY, answered, both, drop_idle, warm

from soapgate.core.errors import StoreError
from soapgate.core.shapes import SIGHTINGS
from soapgate.edge import riding
from soapgate.edge.proxy import Exchange
from soapgate.edge.splicing import Pipe
from soapgate.stores.memory import MemoryStore


@pytest.fixture
def no_story(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From when it is called on, nothing may be told as a story."""

    async def story(self: Exchange, upstream: object = None) -> None:
        raise AssertionError("the long way")

    return lambda: monkeypatch.setattr(Exchange, "_story", story)


@pytest.mark.parametrize("cut", [20, len(envelope("mine"))], ids=["in the body", "before it"])
def test_a_request_in_two_pieces_goes_the_short_way(cut: int, no_story: Callable[[], None]) -> None:
    talk = warm()
    no_story()
    talk.client.says(ORDINARY[:-cut])
    talk.reactor.advance(0.25)
    talk.serve(ORDINARY[-cut:], ANSWER)
    assert (talk.last.route, talk.last.status) == ("pinned", 200)
    assert talk.last.decided - talk.last.started == 0.25


def test_the_ordinary_goes_the_short_way(no_story: Callable[[], None]) -> None:
    talk = warm()
    no_story()
    for session in ("mine", "yours"):
        talk.serve(post(envelope(session)), ANSWER)
        assert talk.last.route == "pinned"
        assert talk.last.status == 200


def test_a_reply_that_shows_the_id_again_goes_the_short_way(no_story: Callable[[], None]) -> None:
    talk = warm(profiles={"shop": {**PROFILE, "bind": PROFILE["lookup"]}})
    echo = ok(envelope("mine"))
    for _ in range(SIGHTINGS + 1):
        talk.serve(ORDINARY, echo)
    no_story()
    talk.serve(ORDINARY, echo)
    assert (talk.last.status, talk.last.learned) == (200, 1)


def test_a_cookie_alone_goes_the_short_way(no_story: Callable[[], None]) -> None:
    profiles = {"shop": PROFILE, "cookies": COOKIES}
    talk = warm(profiles=profiles)
    request = post(envelope(), b"Cookie: sid=abc")
    for _ in range(SIGHTINGS + 1):
        talk.serve(request, ok(envelope(), b"Set-Cookie: sid=abc"))
    no_story()
    talk.serve(request, ANSWER)
    assert talk.last.route == "pinned"


def test_a_request_without_ids_goes_the_short_way(no_story: Callable[[], None]) -> None:
    talk = warm()
    for _ in range(2 * (SIGHTINGS + 1)):
        talk.serve(post(envelope()), ANSWER)
    no_story()
    backends = {talk.serve(post(envelope()), ANSWER).name for _ in range(2)}
    assert backends == {"b1", "b2"}
    assert (talk.last.route, talk.last.reason, talk.last.status) == ("balanced", "no-id", 200)


def test_several_ids_of_one_session_go_the_short_way(no_story: Callable[[], None]) -> None:
    talk = warm()
    request = post(envelope("mine"), b"Cookie: sid=abc")
    for _ in range(SIGHTINGS + 1):
        talk.serve(request, ok(envelope(), b"Set-Cookie: sid=abc"))
    no_story()
    talk.serve(request, ANSWER)
    assert (talk.last.route, talk.last.profile, talk.last.status) == ("pinned", "shop", 200)


@pytest.mark.parametrize(
    "policy", ["round_robin", "weighted_round_robin", "least_requests", "hash"]
)
def test_both_ways_ask_a_policy_once(policy: str) -> None:
    def play(talk: Talk) -> None:
        for n in range(8):
            talk.client.says(post(envelope()))
            answered(talk, ANSWER)
            if n == 3:
                drop_idle(talk)

    fast, _ = both(play, policy=policy)
    assert over(fast) == []


@pytest.mark.parametrize("shown", [b"http://10.0.0.1/", b"nothing"])
def test_both_ways_see_a_leak_in_the_answer_to_a_request_without_ids(shown: bytes) -> None:
    def play(talk: Talk) -> None:
        for _ in range(2 * (SIGHTINGS + 1)):
            talk.client.says(post(envelope()))
            answered(talk, ok(envelope("", f"<s:at>{shown.decode()}</s:at>")))

    fast, _ = both(play, addresses={})
    assert bool(fast.metrics.leaks) is (b"http" in shown)


def test_a_store_that_fails_is_met_by_the_story() -> None:
    class Broken(MemoryStore):
        def glance(self, key: bytes) -> Any:
            if self.broken:
                raise StoreError("gone")
            return super().glance(key)

        async def lookup(self, key: bytes) -> Any:
            return self.glance(key)

        broken = False

    talk = warm(store=Broken(secret=b"s" * 32))
    talk.store.broken = True
    talk.client.says(ORDINARY)
    assert b" 503 " in talk.client.heard()
    assert (talk.last.route, talk.last.service) == ("refused", "shop")
    assert over(talk) == []


def broken(*arguments: object) -> None:
    raise ZeroDivisionError


def test_a_defect_before_anything_was_done_costs_nothing(
    monkeypatch: pytest.MonkeyPatch, said: Any
) -> None:
    talk = warm()
    with monkeypatch.context() as patched:
        patched.setattr(talk.front.short, "seconds", broken)
        talk.client.says(ORDINARY)
        answered(talk, ANSWER)
    assert b" 200 " in talk.client.heard()
    assert over(talk) == []


@pytest.mark.parametrize("where", ["up", "head", "down"])
def test_a_defect_on_the_short_way_costs_one_exchange(
    where: str, monkeypatch: pytest.MonkeyPatch, said: Any
) -> None:
    talk = warm()
    for dialer in talk.dialers.values():  # what follows from the heads, but not the heads
        for known in dialer.known._known.values():
            known.watch = None
    with monkeypatch.context() as patched:
        if where == "up":
            for peer in talk._peers:
                patched.setattr(peer.wire, "write", broken)
        elif where == "head":
            patched.setattr(riding, "_calm", broken)
        talk.client.says(ORDINARY)
        if where == "down":
            patched.setattr(talk.client.wire, "write", broken)
        answered(talk, ANSWER)
    if where == "down":  # the answer was on its way
        assert talk.client.wire.ended == "aborted"
    else:
        assert b" 500 " in talk.client.heard()
        assert talk.last.route == "refused"
    talk.serve(ORDINARY, ANSWER, talk.connect())
    assert talk.last.status == 200
    assert over(talk) == []


def test_a_defect_with_a_body_in_the_pipe_empties_it(
    monkeypatch: pytest.MonkeyPatch, said: Any
) -> None:
    class Held(Pipe):
        """Has taken all that was left, and is told when it is closed."""

        def __init__(self) -> None:
            super().__init__()
            self.closed = 0

        def fill(self, source: Any, most: int) -> int:
            return most

        def close(self) -> None:
            self.closed += 1

    talk = warm()
    talk.front.short.pipe = pipe = Held()
    talk.client.protocol.plain = True
    for peer in talk._peers:
        monkeypatch.setattr(peer.wire, "write", broken)
    talk.client.says(ORDINARY[:-5])
    assert pipe.closed == 1
    assert b" 500 " in talk.client.heard()
    assert over(talk) == []
