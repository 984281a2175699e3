"""What the LMDB store promises beyond the contract: other processes, deaths, growth, a full file.

The children are real processes; they are told and heard over their pipes, so nothing waits for a
clock.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys

import lmdb
import pytest

from soapgate.core.errors import StoreError, StoreFull
from soapgate.core.pins import Pin
from soapgate.stores.lmdb import STEP_BYTES, LmdbStore
from soapgate.stores.lmdb_format import FORMAT_KEY

A = b"a" * 16

PRELUDE = """
import sys, hashlib
from soapgate.core.pins import Pin
from soapgate.stores.lmdb import LmdbStore

def run(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value

def key(number):
    return hashlib.blake2b(number.to_bytes(8, "big"), digest_size=16).digest()

def say(*words):
    print(*words, flush=True)

me = sys.argv[2]
store = LmdbStore(sys.argv[1])
say("open")
sys.stdin.readline()
"""


def key(number):
    return hashlib.blake2b(number.to_bytes(8, "big"), digest_size=16).digest()


class Child:
    """A process with the store open that waits for a line before it runs `program`."""

    def __init__(self, path, program, me="child"):
        self.process = subprocess.Popen(
            [sys.executable, "-c", PRELUDE + program, str(path), me],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.hear() == "open"

    def hear(self):
        return self.process.stdout.readline().strip()

    def go(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def rest(self):
        """Everything it still says, and its end."""
        lines = self.process.stdout.read().split("\n")[:-1]
        self.process.wait()
        self.close()
        return lines

    def kill(self):
        self.process.send_signal(signal.SIGKILL)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def child(tmp_path):
    """Starts children of the store in tmp_path / "pins"; none outlives the test."""
    started = []

    def child(program, me="child"):
        started.append(Child(tmp_path / "pins", program, me))
        return started[-1]

    yield child
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()
        each.close()


@pytest.fixture
def store(tmp_path):
    store = LmdbStore(tmp_path / "pins")
    yield store
    store.close()


def bind_many(store, run, start, end):
    for number in range(start, end):
        now = 1.7e9 + number / 1000
        run(store.bind(key(number), Pin("shop", "wsrm", f"b{number % 8}", b"", now, now)))


def test_pins_and_secret_survive_a_restart(tmp_path, run, pin):
    store = LmdbStore(tmp_path / "pins")
    run(store.bind(A, pin()))
    secret = store.secret
    store.close()
    again = LmdbStore(tmp_path / "pins")
    assert run(again.lookup(A)) == pin()
    assert again.secret == secret
    assert again.notes == ()
    again.close()


RACE = """
mine = Pin("shop", "wsrm", me, b"", 1.0, 1.0)
say(" ".join(run(store.bind(key(n), mine)).backend for n in range(3000)))
say(store.secret.hex())
"""


def test_a_file_of_the_first_format_is_opened_with_its_pins(tmp_path, run, pin):
    store = LmdbStore(tmp_path / "pins")
    run(store.bind(key(1), pin("b1")))
    with store._env.begin(write=True, db=store._labels._db) as txn:
        txn.put(FORMAT_KEY, b"soapgate pins 1")
    store.close()
    again = LmdbStore(tmp_path / "pins")
    assert again.notes == ()
    assert run(again.lookup(key(1))) == pin("b1")
    run(again.rebind(key(1), pin("b1"), pin("b1", until=9.0, ended=1)))
    again.close()
    third = LmdbStore(tmp_path / "pins")
    assert run(third.lookup(key(1))) == pin("b1", until=9.0, ended=1)
    third.close()


def test_processes_that_bind_the_same_keys_at_once_agree_on_every_winner(child):
    racers = [child(RACE, me) for me in ("left", "right")]
    for racer in racers:
        racer.go()
    left, right = (racer.rest() for racer in racers)
    assert left == right
    assert len(left[0].split()) == 3000


def test_a_pin_bound_by_another_process_is_seen_with_names_new_to_this_one(store, child, run):
    other = child('say(run(store.bind(key(7), Pin("new", "names", me, b"", 1.0, 2.0))).backend)')
    other.go()
    assert other.rest() == ["child"]
    assert run(store.lookup(key(7))) == Pin("new", "names", "child", b"", 1.0, 2.0)


def test_names_given_out_by_two_processes_do_not_clash(store, child, run):
    program = 'say(run(store.bind(key(1), Pin("theirs", "p", me, b"", 1.0, 1.0))).service)'
    other = child(program)
    run(store.bind(key(2), Pin("ours", "p", "b", b"", 1.0, 1.0)))
    other.go()
    other.rest()
    run(store.bind(key(3), Pin("also ours", "p", "b", b"", 1.0, 1.0)))
    services = [run(store.lookup(key(number))).service for number in (1, 2, 3)]
    assert services == ["theirs", "ours", "also ours"]


ENDLESS = """
import itertools
for n in itertools.count():
    run(store.bind(key(n), Pin("shop", "wsrm", me, b"", 1.0, 1.0)))
    say(n)
"""


def test_kill_9_amid_binding_loses_no_pin_that_was_bound(tmp_path, child, run):
    victim = child(ENDLESS)
    victim.go()
    heard = [int(victim.hear()) for _ in range(12_000)]  # far enough for the file to grow
    victim.kill()
    heard += [int(line) for line in victim.rest()]
    store = LmdbStore(tmp_path / "pins")
    assert store.notes == ()
    assert all(run(store.lookup(key(number))).backend == "child" for number in heard)
    assert run(store.count()) - len(heard) in (0, 1)
    bind_many(store, run, 10**6, 10**6 + 100)
    store.close()


def test_a_reader_that_was_killed_frees_its_slot(store, child):
    victim = child("txn = store._env.begin(); say('reading'); sys.stdin.readline()")
    victim.go()
    assert victim.hear() == "reading"
    victim.kill()
    victim.rest()
    pid = str(victim.process.pid)
    assert pid in store._env.readers()
    store.sync()
    assert pid not in store._env.readers()


def test_the_file_grows_as_needed(store, tmp_path, run):
    data = tmp_path / "pins" / "data.mdb"
    assert data.stat().st_size == STEP_BYTES
    bind_many(store, run, 0, 20_000)
    assert data.stat().st_size > STEP_BYTES
    assert run(store.count()) == 20_000


GROW = """
for n in range(20000):
    run(store.bind(key(n), Pin("shop", "wsrm", me, b"", 1.0, 1.0)))
say("grown")
"""


def test_a_file_grown_by_one_process_is_followed_by_the_other(store, child, run):
    grower = child(GROW)
    before = repr(store)
    grower.go()
    assert grower.hear() == "grown"
    assert run(store.lookup(key(19_999))).backend == "child"
    assert repr(store) != before
    bind_many(store, run, 20_000, 40_000)
    assert run(store.count()) == 40_000


@pytest.mark.parametrize("ask", ["count", "scan"])
def test_whatever_is_asked_first_follows_a_grown_file(store, child, run, ask):
    grower = child(GROW)
    grower.go()
    assert grower.hear() == "grown"
    if ask == "count":
        assert run(store.count()) == 20_000
    else:
        assert len(run(store.scan(None, 50))[0]) == 50


def test_a_file_at_its_bound_evicts(tmp_path, run):
    store = LmdbStore(tmp_path / "pins", map_size=2 * STEP_BYTES)
    bind_many(store, run, 0, 40_000)
    assert run(store.lookup(key(39_999))).backend == "b7"
    assert run(store.lookup(key(0))) is None
    assert store.evicted + run(store.count()) == 40_000
    assert run(store.count()) > 8_000
    assert store.refused == 0
    assert (tmp_path / "pins" / "data.mdb").stat().st_size == 2 * STEP_BYTES
    store.close()


def test_a_file_at_its_bound_refuses_if_told_so_and_still_serves(tmp_path, run):
    store = LmdbStore(tmp_path / "pins", when_full="refuse", map_size=STEP_BYTES)
    with pytest.raises(StoreFull, match="as many pins"):
        bind_many(store, run, 0, 40_000)
    held = run(store.count())
    assert held > 4_000
    assert run(store.lookup(key(0))).backend == "b0"
    assert (store.refused, store.evicted) == (1, 0)
    assert run(store.unbind(key(0)))
    assert run(store.count()) == held - 1
    store.close()


def test_a_full_disk_is_a_full_store_and_room_made_is_found(store, run, monkeypatch):
    with monkeypatch.context() as full:
        full.setattr("soapgate.stores.lmdb.Directory.allocate", lambda *_: False)
        bind_many(store, run, 0, 20_000)
        assert store.evicted > 0
    evicted = store.evicted
    bind_many(store, run, 20_000, 40_000)
    assert store.evicted - evicted < 500  # it evicts until it is out of the reserve


def test_a_cap_that_was_lowered_is_reached_again_step_by_step(tmp_path, run):
    store = LmdbStore(tmp_path / "pins")
    bind_many(store, run, 0, 100)
    store.close()
    store = LmdbStore(tmp_path / "pins", max_pins=10)
    bind_many(store, run, 100, 120)
    assert run(store.count()) == 10
    assert run(store.lookup(key(119))) is not None
    store.close()


def test_the_cap_holds_for_all_processes_together(child):
    program = """
store._max_pins = 1000
start = 10**6 if me == "left" else 0
for n in range(start, start + 2000):
    run(store.bind(key(n), Pin("shop", "wsrm", me, b"", 1.0, 1.0)))
say("done")
sys.stdin.readline()
say(run(store.count()))
"""
    both = [child(program, me) for me in ("left", "right")]
    for each in both:
        each.go()
    assert [each.hear() for each in both] == ["done", "done"]
    for each in both:
        each.go()
    assert [each.rest() for each in both] == [["1000"], ["1000"]]


def test_a_pin_costs_at_most_200_bytes_on_the_disk_order_and_labels_included(store, tmp_path, run):
    bind_many(store, run, 0, 100_000)
    for number in range(0, 100_000, 3):
        run(store.touch(key(number), 1.8e9 + number / 1000))
    for number in range(1, 100_000, 3):  # bounded, as what has ended is
        held = run(store.lookup(key(number)))
        run(store.rebind(key(number), held, held._replace(until=1.9e9, ended=1)))
    allocated = (tmp_path / "pins" / "data.mdb").stat().st_blocks * 512
    assert allocated / 100_000 <= 200


def test_opening_the_same_store_twice_in_a_process_is_an_error_that_names_it(store, tmp_path):
    with pytest.raises(StoreError, match=str(tmp_path / "pins")):
        LmdbStore(tmp_path / "pins")
    assert (tmp_path / "pins" / "data.mdb").exists()


def test_what_lmdb_raises_later_is_a_store_error(tmp_path, run, pin):
    store = LmdbStore(tmp_path / "pins")
    store.close()
    for question in (store.lookup(A), store.bind(A, pin()), store.scan(None, 1), store.count()):
        with pytest.raises(StoreError, match=r"data\.mdb"):
            run(question)
    with pytest.raises(StoreError, match=r"data\.mdb"):
        store.sync()


def spoil_the_head(data):
    data.write_bytes(b"not a database" * 1000)


def cut_it_off(data):
    os.truncate(data, 3 * 4096)


def cut_it_within_the_head(data):
    os.truncate(data, 100)


def claim_another_format(data):
    env = lmdb.open(str(data.parent), max_dbs=3)
    with env.begin(write=True, db=env.open_db(b"labels")) as txn:
        txn.put(b"\0\0\0\0", b"soapgate pins 99")
    env.close()


@pytest.mark.parametrize(
    "spoil", [spoil_the_head, cut_it_off, cut_it_within_the_head, claim_another_format]
)
def test_a_file_that_cannot_be_opened_is_set_aside_with_a_note(tmp_path, run, pin, spoil):
    store = LmdbStore(tmp_path / "pins")
    bind_many(store, run, 0, 1000)
    store.close()
    spoil(tmp_path / "pins" / "data.mdb")
    store = LmdbStore(tmp_path / "pins")
    (aside,) = (tmp_path / "pins").glob("broken-*.mdb")
    (note,) = store.notes
    assert aside.name in note
    assert run(store.count()) == 0
    assert run(store.bind(A, pin())) == pin()
    store.close()


def test_a_file_without_bytes_is_a_new_one(tmp_path, run):
    (tmp_path / "pins").mkdir()
    (tmp_path / "pins" / "key").write_bytes(bytes(32))
    (tmp_path / "pins" / "key").chmod(0o600)
    (tmp_path / "pins" / "data.mdb").touch()
    (tmp_path / "pins" / "state").write_text("clean x\n")
    store = LmdbStore(tmp_path / "pins")
    assert store.notes == ()
    assert run(store.count()) == 0
    store.close()


def test_a_full_disk_at_the_opening_is_an_error_that_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("soapgate.stores.lmdb.Directory.allocate", lambda *_: False)
    with pytest.raises(StoreError, match="no room"):
        LmdbStore(tmp_path / "pins")


def test_a_file_system_without_allocation_is_used_all_the_same(tmp_path, run, monkeypatch):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    store = LmdbStore(tmp_path / "pins")
    bind_many(store, run, 0, 20_000)
    assert run(store.count()) == 20_000
    store.close()
