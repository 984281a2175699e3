"""What is the memory store's own; the rest is in test_contract.py and test_model.py."""

from __future__ import annotations

from soapgate.stores.memory import SECRET_BYTES, MemoryStore


def test_each_store_makes_up_a_secret_of_its_own():
    first, second = MemoryStore(), MemoryStore()
    assert len(first.secret) == SECRET_BYTES
    assert first.secret != second.secret


def test_a_secret_that_is_given_is_used():
    assert MemoryStore(secret=bytes(32)).secret == bytes(32)


def test_nothing_is_left_after_the_close(run, pin):
    store = MemoryStore()
    run(store.bind(b"a" * 16, pin()))
    store.close()
    assert run(store.count()) == 0


def test_its_repr_says_how_full_it_is(run, pin):
    store = MemoryStore(5)
    run(store.bind(b"a" * 16, pin()))
    assert repr(store) == "<MemoryStore 1 of 5 pins, evict>"
