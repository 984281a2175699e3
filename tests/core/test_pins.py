"""Values of `pins`: what a pin may be, and how long it lives."""

from __future__ import annotations

import pytest

from soapgate.core.pins import NAME_ENDED, SESSION_ENDED, Lifetime, Pin


def make(backend="b1", alias=b"", created=0.0, used=0.0):
    return Pin("shop", "wsrm", backend, alias, created, used)


@pytest.mark.parametrize(("backend", "alias"), [("", b""), ("b1", b"a" * 16)])
def test_a_pin_has_a_backend_or_is_an_alias(backend, alias):
    with pytest.raises(ValueError, match="not both and not neither"):
        make(backend, alias)


def test_what_has_ended_has_a_bound():
    with pytest.raises(ValueError, match="has an until"):
        Pin("shop", "wsrm", "b1", b"", 0.0, 0.0, 0.0, NAME_ENDED)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (make(), True),
        (make(used=5.0), True),
        (make()._replace(until=9.0), True),
        (make()._replace(until=9.0, ended=NAME_ENDED), True),
        (make()._replace(until=9.0, ended=SESSION_ENDED), False),
        (make(created=5.0), False),
        (make("b2"), False),
        (make("", b"a" * 16), False),
    ],
    ids=[
        *("equal", "touched", "bounded", "name ended", "session ended"),
        *("bound anew", "moved", "alias"),
    ],
)
def test_pins_are_the_same_binding_but_for_a_touch(other, same):
    assert make().same(other) is same


@pytest.mark.parametrize(
    ("now", "expired"),
    [(1000.0, False), (1100.0, False), (1100.5, True), (500.0, False)],
    ids=["just used", "idle to the limit", "idle too long", "a clock that stepped back"],
)
def test_a_pin_expires_when_it_was_idle_too_long(now, expired):
    assert Lifetime(100, 10_000).expired(make(created=1000.0, used=1000.0), now) is expired


def test_a_pin_expires_at_its_absolute_age_however_busy():
    lifetime = Lifetime(100, 1000)
    assert not lifetime.expired(make(created=0.0, used=999.0), 1000.0)
    assert lifetime.expired(make(created=0.0, used=1000.0), 1001.0)


@pytest.mark.parametrize(
    ("ended", "now", "over", "expired"),
    [
        (0, 1049.9, False, False),
        (0, 1050.0, True, False),
        (NAME_ENDED, 1049.9, False, False),
        (NAME_ENDED, 1050.0, True, False),
        (SESSION_ENDED, 1049.9, False, False),
        (SESSION_ENDED, 1050.0, True, True),
    ],
)
def test_a_name_is_over_at_its_bound_and_the_pin_only_if_the_session_has_ended(
    ended, now, over, expired
):
    pin = make(created=1000.0, used=1000.0)._replace(until=1050.0, ended=ended)
    lifetime = Lifetime(100, 1000)
    assert (lifetime.over(pin, now), lifetime.expired(pin, now)) == (over, expired)


def test_a_bound_never_outlives_the_services_own():
    pin = make(created=1000.0, used=1000.0)._replace(until=9000.0)
    assert Lifetime(100, 10_000).over(pin, 1101.0)
    assert Lifetime(10_000, 100).over(pin, 1101.0)


def test_a_use_is_worth_noting_after_an_eighth_of_idle():
    lifetime = Lifetime(80, 1000)
    assert not lifetime.stale(make(used=100.0), 109.9)
    assert lifetime.stale(make(used=100.0), 110.0)
