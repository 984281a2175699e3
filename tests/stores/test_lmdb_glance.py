"""A look at one pin: read once, and again when its mark says that it may have changed."""

from __future__ import annotations

from array import array
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lmdb
import pytest

from soapgate.core.errors import StoreError
from soapgate.core.pins import Pin
from soapgate.stores import lmdb_glance
from soapgate.stores.lmdb_glance import Glance
from soapgate.stores.lmdb_marks import SIZE

KEY = b"k" * 16
PIN = Pin("shop", "rm", "b1", b"", 1.0, 2.0)


class File:
    """An LMDB file of values, and what is done about what LMDB says of it."""

    def __init__(self, path: Path) -> None:
        self.env = lmdb.open(str(path), max_dbs=1)
        self.table = self.env.open_db(b"pins")
        self.decoded: list[bytes] = []
        self.mended: list[lmdb.Error] = []
        self.broken = 0
        self.asked = 0
        self.marks = SimpleNamespace(numbers=array("Q", bytes(SIZE)))
        self.glance = Glance(self, self.table, self.marks, self.decode, self.mend).look

    def begin(self, table: Any) -> Any:
        if self.broken:
            self.broken -= 1
            raise lmdb.MapResizedError("said LMDB")
        self.asked += 1
        return self.env.begin(table)

    def put(self, key: bytes, value: bytes) -> None:
        with self.env.begin(self.table, write=True) as txn:
            self.mark(key, txn.id())
            txn.put(key, value)

    def mark(self, key: bytes, number: int) -> None:
        self.marks.numbers[key[0] << 8 | key[1]] = number

    def decode(self, value: bytes) -> Pin:
        self.decoded.append(value)
        return PIN._replace(backend=value.decode())

    def mend(self, error: lmdb.Error) -> None:
        self.mended.append(error)
        if len(self.mended) > 2:
            raise StoreError("it cannot be mended")


@pytest.fixture
def file(tmp_path: Path) -> Any:
    file = File(tmp_path)
    yield file
    file.env.close()


def test_what_is_not_there_is_none(file: File) -> None:
    assert file.glance(KEY) is None


def test_a_pin_is_read_once_and_again_when_it_was_written(file: File) -> None:
    file.put(KEY, b"b1")
    first = file.glance(KEY)
    assert first is not None
    assert file.glance(KEY) is first
    assert file.asked == 1
    file.put(KEY, b"b2")
    second = file.glance(KEY)
    assert second is not None
    assert (first.backend, second.backend) == ("b1", "b2")
    assert file.glance(KEY) is second
    assert file.asked == 2


def test_a_key_of_the_same_mark_has_it_read_again(file: File) -> None:
    file.put(KEY, b"b1")
    assert file.glance(KEY) is not None
    file.put(KEY[:2] + b"other" * 3, b"b2")
    assert [file.glance(KEY).backend for _ in range(3)] == ["b1"] * 3
    assert file.asked == 2


def test_a_pin_whose_mark_is_ahead_of_what_was_seen_is_read_each_time(file: File) -> None:
    file.put(KEY, b"b1")
    file.mark(KEY, 1000)
    assert [file.glance(KEY).backend for _ in range(3)] == ["b1"] * 3
    assert file.asked == 3


def test_a_pin_that_is_gone_is_gone(file: File) -> None:
    file.put(KEY, b"b1")
    assert file.glance(KEY) is not None
    with file.env.begin(file.table, write=True) as txn:
        file.mark(KEY, txn.id())
        txn.delete(KEY)
    assert file.glance(KEY) is None
    assert file.glance(KEY) is None


def test_a_look_that_failed_is_tried_again_when_the_file_was_mended(file: File) -> None:
    file.put(KEY, b"b1")
    file.broken = 2
    assert file.glance(KEY) is not None
    assert len(file.mended) == 2


def test_a_file_that_cannot_be_mended_is_an_error(file: File) -> None:
    file.broken = 3
    with pytest.raises(StoreError):
        file.glance(KEY)


def test_what_is_remembered_is_bounded(file: File) -> None:
    most = lmdb_glance.REMEMBERED
    with file.env.begin(file.table, write=True) as txn:
        for number in range(most + 10):
            txn.put(b"%016d" % number, b"b%d" % number)
    for number in range(most + 10):
        pin = file.glance(b"%016d" % number)
        assert pin is not None
        assert pin.backend == f"b{number}"
    file.glance(b"%016d" % 0)
    assert len(file.decoded) == most + 10
    file.glance(b"%016d" % (most + 9))  # there was no room for it any more
    assert len(file.decoded) == most + 11
