"""What the tests of the stores share: how a coroutine is driven, and how a store is made."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from soapgate.core.pins import Pin, PinStore
from soapgate.stores.lmdb import LmdbStore
from soapgate.stores.memory import MemoryStore


def drive(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that must not suspend."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError(f"{coroutine} suspends")


@pytest.fixture(name="run")
def run_fixture() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    return drive


@pytest.fixture(params=["memory", "lmdb"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., PinStore]]:
    """Makes one store of either kind: make(max_pins, when_full)."""
    made: list[PinStore] = []

    def make(max_pins: int = 1000, when_full: Any = "evict") -> PinStore:
        if request.param == "memory":
            made.append(MemoryStore(max_pins, when_full))
        else:
            made.append(LmdbStore(tmp_path / "pins", max_pins, when_full))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture
def pin() -> Callable[..., Pin]:
    """Makes a pin, with what the test does not care about filled in."""

    def pin(backend: str = "b1", used: float = 1000.0, *, alias: bytes = b"", **more: Any) -> Pin:
        facts: dict[str, Any] = {"service": "shop", "profile": "wsrm", "created": used} | more
        return Pin(backend="" if alias else backend, alias=alias, used=used, **facts)

    return pin
