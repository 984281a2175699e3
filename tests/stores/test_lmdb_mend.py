"""Mending a data file: what is sound is kept, what is not is said."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import lmdb
import pytest

from soapgate.core.errors import StoreError
from soapgate.core.pins import Pin
from soapgate.stores.lmdb import LmdbStore
from soapgate.stores.lmdb_mend import mend


def key(number):
    return hashlib.blake2b(number.to_bytes(8, "big"), digest_size=16).digest()


@pytest.fixture
def data(tmp_path, run):
    """The data file of a store with 2000 pins that were used in the order of their numbers."""
    store = LmdbStore(tmp_path / "pins")
    for number in range(2000):
        pin = Pin("shop", "wsrm", f"b{number % 3}", b"", 1.0, 1000.0 + number)
        run(store.bind(key(number), pin))
    store.close()
    return tmp_path / "pins" / "data.mdb"


def rewrite(data, change):
    """Do something to the tables behind the store's back."""
    env = lmdb.open(str(data.parent), max_dbs=3)
    with env.begin(write=True) as txn:
        change(txn, env.open_db(b"pins", txn=txn), env.open_db(b"labels", txn=txn))
    env.close()


def test_every_pin_is_kept_and_so_is_the_order_of_use(data, run):
    copy = data.with_name("copy.mdb")
    assert mend(data, copy) == 2000
    copy.replace(data)
    store = LmdbStore(data.parent, max_pins=2000)
    assert store.notes == ()
    assert run(store.lookup(key(7))) == Pin("shop", "wsrm", "b1", b"", 1.0, 1007.0)
    run(store.bind(key(2000), Pin("shop", "wsrm", "b9", b"", 1.0, 5000.0)))
    assert run(store.lookup(key(0))) is None
    assert run(store.lookup(key(1))) is not None
    assert run(store.count()) == 2000
    store.close()


def test_a_mended_store_grows_like_any_other(data, run):
    copy = data.with_name("copy.mdb")
    mend(data, copy)
    copy.replace(data)
    store = LmdbStore(data.parent)
    for number in range(2000, 12_000):
        run(store.bind(key(number), Pin("shop", "wsrm", "b1", b"", 1.0, 9000.0 + number)))
    assert run(store.count()) == 12_000
    store.close()


def test_an_empty_store_is_mended_too(tmp_path):
    LmdbStore(tmp_path / "pins").close()
    assert mend(tmp_path / "pins" / "data.mdb", tmp_path / "copy.mdb") == 0


def other_format(txn, pins, labels):
    txn.put(b"\0\0\0\0", b"another", db=labels)


def lost_labels(txn, pins, labels):
    txn.delete(b"\0\0\0\1", db=labels)


def no_pin(txn, pins, labels):
    txn.put(key(1), b"not a pin", db=pins)


def no_key(txn, pins, labels):
    txn.put(b"short", txn.get(key(1), db=pins), db=pins)


@pytest.mark.parametrize("change", [other_format, lost_labels, no_pin, no_key])
def test_a_file_whose_records_make_no_sense_is_not_mended(data, change):
    rewrite(data, change)
    with pytest.raises(StoreError):
        mend(data, data.with_name("copy.mdb"))


def test_a_file_that_was_cut_off_is_not_mended(data):
    with data.open("r+b") as file:
        file.truncate(8 * 4096)
    with pytest.raises(StoreError, match="shorter"):
        mend(data, data.with_name("copy.mdb"))


def test_run_as_a_program_it_says_on_stderr_what_is_wrong(data):
    data.write_bytes(b"x" * 10_000)
    command = [sys.executable, "-m", "soapgate.stores.lmdb_mend", data, data.with_name("copy.mdb")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "MDB_INVALID" in done.stderr
