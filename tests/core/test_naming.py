"""Names of ids: which keys a message names, in which order, what it ends and what it bounds."""

from __future__ import annotations

import pytest
from pinned import KEYS, ORDER, T0, bind, end, expires, key, learn, lookup, sent

from soapgate.core.naming import ORDINARY, Ended, IdKind, Naming

NAMES = Naming(KEYS, "shop", ORDER, {"rm": IdKind(life=60.0)})


def test_every_id_is_named_once_in_order_of_precedence():
    found = [lookup("cookie", "c"), learn("rm", "1"), bind("rm", "1"), lookup("header", "h")]
    assert NAMES.named(found) == [
        ("header", key("header", "h")),
        ("rm", key("rm", "1")),
        ("cookie", key("cookie", "c")),
    ]


def test_only_the_uses_asked_for_are_named():
    found = [lookup("rm", "1"), learn("rm", "2")]
    assert NAMES.named(found, ("learn",)) == [("rm", key("rm", "2"))]


def test_a_time_and_an_id_that_went_out_name_nobody():
    assert (
        NAMES.named([expires("rm", "2024-01-01T00:00:00Z"), sent("rm", "urn:1"), end("rm")]) == []
    )


def test_a_key_is_of_the_scope():
    assert NAMES.key("rm", "1") == key("rm", "1") != Naming(KEYS, "cart", ORDER).key("rm", "1")


def test_what_is_not_said_of_a_profile_is_ordinary():
    assert NAMES.kind("rm").life == 60.0
    assert NAMES.kind("cookie") is ORDINARY
    assert Naming(KEYS, "shop", ORDER).kind("rm") is ORDINARY


def test_markers_end_profiles_and_keys():
    ended = NAMES.ended([end("rm"), end("cookie", "c"), lookup("header", "h")])
    assert ended == Ended(frozenset({"rm"}), frozenset({key("cookie", "c")}))
    named = NAMES.named([lookup("rm", "1"), lookup("header", "h"), lookup("cookie", "c")])
    assert [profile for profile, _ in ended.among(named)] == ["rm", "cookie"]
    assert ended
    assert not NAMES.ended([lookup("rm", "1")])


def test_the_earliest_expiry_of_a_profile_bounds_it():
    found = [
        expires("rm", "1970-01-12T13:50:00Z"),
        expires("rm", "1970-01-12T13:48:20Z"),
        expires("cookie", "PT5S"),
    ]
    assert NAMES.bounds(found, T0) == ({"rm": T0 + 100, "cookie": T0 + 5}, 0)


@pytest.mark.parametrize("text", ["tomorrow", "1970-01-01T00:00:00Z", "PT0S"])
def test_an_expiry_that_is_no_date_to_come_is_counted_and_bounds_nothing(text):
    assert NAMES.bounds([expires("rm", text), expires("cookie", "PT5S")], T0) == (
        {"cookie": T0 + 5},
        1,
    )
