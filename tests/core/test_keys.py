"""Keys of ids: one for each, and none without the secret."""

from __future__ import annotations

import hashlib

import pytest

from soapgate.core.keys import Keys
from soapgate.core.pins import KEY_BYTES

SECRET = bytes(range(32))


def test_a_key_has_its_length_and_is_the_same_every_time():
    first = Keys(SECRET).key("shop", "wsrm", "urn:uuid:1")
    assert len(first) == KEY_BYTES
    assert Keys(SECRET).key("shop", "wsrm", "urn:uuid:1") == first


def test_a_key_is_keyed_blake2b_of_the_length_delimited_parts():
    expected = hashlib.blake2b(b"\0\0\0\4shop\0\0\0\4wsrmid", digest_size=16, key=SECRET).digest()
    assert Keys(SECRET).key("shop", "wsrm", "id") == expected


@pytest.mark.parametrize(
    "other",
    [
        ("shop", "wsrm", "ID"),
        ("shop", "axis2", "id"),
        ("cart", "wsrm", "id"),
        ("sho", "pwsrm", "id"),
    ],
    ids=["case of the id", "profile", "scope", "shifted"],
)
def test_keys_differ_in_any_part(other):
    keys = Keys(SECRET)
    assert keys.key(*other) != keys.key("shop", "wsrm", "id")


def test_keys_differ_with_the_secret():
    assert Keys(SECRET).key("s", "p", "id") != Keys(SECRET[::-1]).key("s", "p", "id")


def test_any_text_has_a_key():
    keys = Keys(SECRET)
    assert keys.key("s", "p", "\ud800") != keys.key("s", "p", "�")


@pytest.mark.parametrize("length", [0, 15, 65])
def test_a_secret_of_the_wrong_size_is_refused(length):
    with pytest.raises(ValueError, match=f"{length} bytes"):
        Keys(bytes(length))
