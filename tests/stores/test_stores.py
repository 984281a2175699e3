"""open_store: from the configuration's url to a store, or to a sentence that says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from soapgate.core.errors import ConfigError, StoreError
from soapgate.stores import open_store, url_problem
from soapgate.stores.lmdb import LmdbStore
from soapgate.stores.memory import MemoryStore


def test_memory_is_a_store_in_memory():
    assert isinstance(open_store("memory:"), MemoryStore)


@pytest.mark.parametrize("where", ["relative", "absolute"])
def test_lmdb_is_a_store_in_a_directory_that_starts_at_the_base(tmp_path, where):
    path = "var/pins" if where == "relative" else str(tmp_path / "var" / "pins")
    base = tmp_path if where == "relative" else Path("elsewhere")
    store = open_store(f"lmdb:{path}", base=base)
    assert isinstance(store, LmdbStore)
    assert (tmp_path / "var" / "pins" / "data.mdb").exists()
    store.close()


def test_the_cap_and_its_rule_reach_the_store(run, pin):
    store = open_store("memory:", max_pins=1, when_full="evict")
    run(store.bind(b"a" * 16, pin()))
    run(store.bind(b"b" * 16, pin()))
    assert store.evicted == 1


@pytest.mark.parametrize("url", ["hazelcast://h1:5701,h2:5701/cluster", "redis://h", "redis:"])
def test_a_store_that_comes_later_is_refused_as_not_yet(url):
    with pytest.raises(ConfigError, match="not yet") as caught:
        open_store(url)
    assert '"memory:"' in str(caught.value)
    assert '"lmdb:PATH"' in str(caught.value)


@pytest.mark.parametrize(
    "url", ["", "memory", "memory:x", "lmdb:", "lmdb", "sqlite:x", "hazelcast"]
)
def test_anything_else_names_no_store(url):
    with pytest.raises(ConfigError, match="names no pin store; allowed are"):
        open_store(url)


@pytest.mark.parametrize("url", ["memory:", "lmdb:var/pins"])
def test_a_url_is_checked_without_opening_anything(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert url_problem(url) == ""
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_made_is_a_store_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=str(tmp_path / "file")):
        open_store("lmdb:file", base=tmp_path)
