"""Marks are shared by all who map the file, and a pin that may have changed is read anew."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from soapgate.core.pins import Pin
from soapgate.stores.lmdb import LmdbStore
from soapgate.stores.lmdb_marks import MARKS, SIZE, Marks

KEY, NEAR, FAR = b"k" * 16, b"kk" + b"n" * 14, b"f" * 16
PIN = Pin("shop", "rm", "b1", b"", 1000.0, 1000.0)


@pytest.fixture
def file(tmp_path: Path) -> Any:
    opened = os.open(tmp_path / "marks", os.O_RDWR | os.O_CREAT)
    os.ftruncate(opened, SIZE)
    yield opened
    os.close(opened)


def test_what_one_sets_another_sees(file: int) -> None:
    one, other = Marks(file), Marks(file)
    one.set(KEY, 7)
    at = KEY[0] << 8 | KEY[1]
    assert [other.numbers[at], sum(other.numbers)] == [7, 7]
    other.set(NEAR, 9)
    assert one.numbers[at] == 9


def test_the_first_and_the_last_key_have_marks(file: int) -> None:
    marks = Marks(file)
    marks.set(b"\0" * 16, 1)
    marks.set(b"\xff" * 16, 2)
    assert (marks.numbers[0], marks.numbers[MARKS - 1], sum(marks.numbers)) == (1, 2, 3)


def test_they_begin_anew(file: int) -> None:
    marks = Marks(file)
    marks.set(KEY, 2**63)
    marks.clear()
    assert not any(marks.numbers)


# in a store

CHILD = """
import os, signal, sys
from soapgate.core.pins import Pin
from soapgate.stores.lmdb import LmdbStore

def run(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value

store, key, far = LmdbStore(sys.argv[1]), b"k" * 16, b"f" * 16
pin = Pin("shop", "rm", "b1", b"", 1000.0, 1000.0)
"""
WRITES = {
    "touch": ("run(store.touch(key, 2000.0))", PIN._replace(used=2000.0)),
    "rebind": (
        'run(store.rebind(key, pin, pin._replace(backend="b2")))',
        PIN._replace(backend="b2"),
    ),
    "unbind": ("run(store.unbind(key))", None),
    "bind again": (
        'run(store.unbind(key)); run(store.bind(key, pin._replace(backend="b3")))',
        PIN._replace(backend="b3"),
    ),
    "evict": (
        "store._max_pins = 1; store._room = 0; run(store.bind(far, pin._replace(used=3000.0)))",
        None,
    ),
}


@pytest.fixture
def store(tmp_path: Path) -> Any:
    store = LmdbStore(tmp_path / "pins")
    yield store
    store.close()


def elsewhere(store: LmdbStore, code: str) -> int:
    """The status of a process of its own that does this with the pins of the store."""
    command = [sys.executable, "-c", CHILD + code, str(store._directory.path)]
    return subprocess.run(command, check=False).returncode


@pytest.mark.parametrize("way", WRITES)
def test_what_another_process_writes_is_seen(store: LmdbStore, run: Any, way: str) -> None:
    code, wanted = WRITES[way]
    run(store.bind(KEY, PIN))
    assert store.glance(KEY) == PIN
    assert elsewhere(store, code) == 0
    assert store.glance(KEY) == wanted


@pytest.mark.parametrize("way", WRITES)
def test_what_a_process_writes_itself_is_seen(store: LmdbStore, run: Any, way: str) -> None:
    code, wanted = WRITES[way]
    run(store.bind(KEY, PIN))
    assert store.glance(KEY) == PIN
    exec(code, {"run": run, "store": store, "key": KEY, "far": FAR, "pin": PIN})
    assert store.glance(KEY) == wanted


def test_what_is_written_of_others_spoils_nothing(store: LmdbStore, run: Any) -> None:
    run(store.bind(KEY, PIN))
    first = store.glance(KEY)
    run(store.bind(FAR, PIN))
    assert store.glance(KEY) is first


def test_a_write_that_came_to_nothing_costs_looks_and_changes_nothing(
    store: LmdbStore, run: Any
) -> None:
    run(store.bind(KEY, PIN))
    assert store.glance(KEY) == PIN

    def give_up(txn: Any) -> None:
        store._touch(txn, KEY, 5000.0)
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        store._write(give_up)
    assert store.glance(KEY) == PIN
    assert store.glance(KEY) is not store.glance(KEY)
    run(store.touch(KEY, 6000.0))
    assert store.glance(KEY) == PIN._replace(used=6000.0)
    assert store.glance(KEY) is store.glance(KEY)


DIES = """
def write(txn):
    store._touch(txn, key, 5000.0)
    os.kill(os.getpid(), signal.SIGKILL)

store._write(write)
"""


def test_a_writer_killed_before_its_commit_changes_nothing(store: LmdbStore, run: Any) -> None:
    run(store.bind(KEY, PIN))
    assert store.glance(KEY) == PIN
    assert elsewhere(store, DIES) == -signal.SIGKILL
    assert store.glance(KEY) == PIN
    run(store.touch(KEY, 6000.0))
    assert store.glance(KEY) == PIN._replace(used=6000.0)


def test_a_file_of_pins_that_begins_anew_is_not_taken_for_the_old(tmp_path: Path, run: Any) -> None:
    path = tmp_path / "pins"
    first = LmdbStore(path)
    for number in range(50):
        run(first.touch(KEY, float(number)))
        run(first.bind(bytes([number]) * 16, PIN))
    first.close()
    (path / "data.mdb").unlink()
    second = LmdbStore(path)
    assert not any(second._marks.numbers)
    run(second.bind(KEY, PIN))
    assert second.glance(KEY) == PIN
    run(second.touch(KEY, 7000.0))
    assert second.glance(KEY) == PIN._replace(used=7000.0)
    second.close()
