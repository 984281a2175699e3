"""Requests that backends send out: which ids to remember, and whose they are."""

from __future__ import annotations

import pytest
from pinned import lookup, sent

from soapgate.core import ns
from soapgate.core.calls import caller, is_address, sent_out
from soapgate.core.pool import Backend, Pool
from soapgate.core.scanned import Found

URLS = {"a": "http://10.0.0.1:80", "b": "http://10.0.0.2:80", "c": "http://app-c:80"}


def to(profile, address):
    return Found(profile, "reply_to", address, "")


@pytest.fixture
def pool():
    return Pool("callers", [Backend.parse(name, url) for name, url in URLS.items()])


@pytest.mark.parametrize(
    "address",
    [
        "",
        f"{ns.WSA10}/anonymous",
        f"{ns.WSA10}/none",
        f"{ns.WSA04}/role/anonymous",
        f"{ns.WSA0403}/role/anonymous",
        f"{ns.WSMC}/anonymous?id=5b3c",
        "http://schemas.microsoft.com/2005/12/ServiceModel/Addressing/Anonymous",
    ],
)
def test_an_answer_on_the_same_connection_or_polled_for_or_never_is_no_call(address):
    assert not is_address(address)
    assert sent_out([sent("async", "urn:1"), to("async", address)]) == []


def test_one_real_address_is_enough():
    found = [
        sent("async", "urn:1"),
        sent("other", "urn:2"),
        lookup("async", "urn:3"),
        to("async", f"{ns.WSA10}/anonymous"),
        to("async", "http://gate/callbacks"),
    ]
    assert sent_out(found) == [sent("async", "urn:1")]


def test_without_an_address_nothing_is_remembered():
    assert sent_out([sent("async", "urn:1")]) == []


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("10.0.0.1", "a"),
        ("10.0.0.2", "b"),
        ("::ffff:10.0.0.2", "b"),
        ("10.0.0.9", None),
        ("", None),
    ],
)
def test_a_caller_is_known_by_its_address(pool, address, name):
    assert caller(pool, address) == name


def test_a_backend_with_a_name_is_known_by_where_the_last_probe_met_it(pool):
    assert caller(pool, "10.0.0.3") is None
    pool.members["c"].seen_at = "10.0.0.3"
    assert caller(pool, "10.0.0.3") == "c"


def test_where_several_share_an_address_they_must_say_who_they_are(pool):
    pool.members["c"].seen_at = "10.0.0.1"
    assert caller(pool, "10.0.0.1") is None
    assert caller(pool, "10.0.0.1", "c") == "c"
    assert caller(pool, "10.0.0.1", "a") == "a"


def test_nobody_is_believed_from_an_address_that_is_not_his(pool):
    assert caller(pool, "10.0.0.9", "a") is None
    assert caller(pool, "10.0.0.1", "b") is None
