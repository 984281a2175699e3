"""The bytes of a pin in an LMDB file, and the table of labels."""

from __future__ import annotations

import lmdb
import pytest

from soapgate.core.errors import StoreError
from soapgate.core.pins import NAME_ENDED, SESSION_ENDED, Pin
from soapgate.stores.lmdb_format import (
    ALIAS_BYTES,
    BOUND_BYTES,
    PRIMARY_BYTES,
    Labels,
    order,
    ordered_key,
    used_of,
    with_used,
)

A, B = b"a" * 16, b"b" * 16
PRIMARY = Pin("shop", "wsrm", "b1", b"", 1000.0, 2000.5)
ALIAS = Pin("shop", "wsrm", "", B, 1000.0, 2000.5)
BOUNDS = [
    {"until": 3000.25},
    {"until": 3.0, "ended": NAME_ENDED},
    {"until": 3.0, "ended": SESSION_ENDED},
]


@pytest.fixture
def env(tmp_path):
    env = lmdb.open(str(tmp_path), max_dbs=1)
    yield env
    env.close()


@pytest.fixture
def db(env):
    return env.open_db(b"labels")


@pytest.mark.parametrize(("pin", "size"), [(PRIMARY, PRIMARY_BYTES), (ALIAS, ALIAS_BYTES)])
def test_a_pin_reads_back_from_its_bytes(env, db, pin, size):
    labels = Labels(db)
    with env.begin(write=True) as txn:
        value = labels.encode(txn, pin)
    assert len(value) == size
    assert labels.decode(value) == pin


@pytest.mark.parametrize("bound", BOUNDS, ids=["bounded", "name ended", "session ended"])
@pytest.mark.parametrize(("pin", "size"), [(PRIMARY, PRIMARY_BYTES), (ALIAS, ALIAS_BYTES)])
def test_a_bound_costs_eight_bytes_and_is_used_like_any_pin(env, db, pin, size, bound):
    labels = Labels(db)
    bounded = pin._replace(**bound)
    with env.begin(write=True) as txn:
        value = labels.encode(txn, bounded)
    assert len(value) == size + BOUND_BYTES == size + 8
    assert labels.decode(value) == bounded
    assert labels.decode(with_used(value, 4000.0)) == bounded._replace(used=4000.0)


def test_a_primary_is_written_as_documented(env, db):
    with env.begin(write=True) as txn:
        value = Labels(db).encode(txn, PRIMARY)
    assert value.hex() == "01" + "00000001" + "408f400000000000" + "409f420000000000"


def test_a_use_changes_the_time_and_nothing_else(env, db):
    labels = Labels(db)
    with env.begin(write=True) as txn:
        value = with_used(labels.encode(txn, ALIAS), 3000.0)
    assert used_of(value) == 3000.0
    assert labels.decode(value) == Pin("shop", "wsrm", "", B, 1000.0, 3000.0)


def test_the_order_sorts_by_use_then_key():
    uses = [(0.0, B), (1.0, A), (1.0, B), (1.5, A), (255.0, A), (256.0, A), (1.7e9, A), (1e10, A)]
    entries = [order(used, key) for used, key in uses]
    assert sorted(entries) == entries
    assert [ordered_key(entry) for entry in entries] == [key for _, key in uses]


def test_a_name_has_one_number_for_all_who_read_the_table(env, db):
    first, second = Labels(db), Labels(db)
    with env.begin(write=True) as txn:
        one = first.number(txn, ("shop", "wsrm", "b1"))
        two = second.number(txn, ("shop", "wsrm", "b2"))
        assert second.number(txn, ("shop", "wsrm", "b1")) == one
        assert first.number(txn, ("shop", "wsrm", "b2")) == two
    assert one != two


def test_a_number_that_another_gave_out_is_read_when_it_turns_up(env, db):
    late = Labels(db)
    with env.begin(write=True) as txn:
        value = Labels(db).encode(txn, PRIMARY)
    assert late.decode(value) is None
    with env.begin() as txn:
        assert late.decode_in(txn, value) == PRIMARY
    assert late.decode(value) == PRIMARY


def test_a_number_of_a_transaction_that_came_to_nothing_is_given_out_again(env, db):
    labels = Labels(db)
    with env.begin(write=True) as txn:
        number = labels.number(txn, ("shop", "wsrm", "b1"))
        txn.abort()
    labels.forget()
    with env.begin(write=True) as txn:
        assert labels.number(txn, ("shop", "wsrm", "b2")) == number


def test_a_number_that_is_not_in_the_table_is_an_error(env, db):
    with env.begin(write=True) as txn:
        value = Labels(db).encode(txn, PRIMARY)
        txn.abort()
    with env.begin() as txn, pytest.raises(StoreError, match="label"):
        Labels(db).decode_in(txn, value)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda v: b"\x02" + v[1:],
        lambda v: b"\x05" + v[1:],
        lambda v: v + bytes(8),
        lambda v: v[:-1],
        lambda v: v + b"x",
        lambda _: b"",
    ],
    ids=["another kind", "no kind", "a bound too many", "short", "long", "empty"],
)
def test_bytes_that_are_no_pin_are_an_error(env, db, spoil):
    labels = Labels(db)
    with env.begin(write=True) as txn:
        value = labels.encode(txn, PRIMARY)
    with pytest.raises(StoreError, match="a pin of"):
        labels.decode(spoil(value))
