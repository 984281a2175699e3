"""Turns the process's own reactor by hand, for tests that need real sockets."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

SECONDS = 20.0  # a test that needs them has failed


def loop() -> Any:
    """The reactor; installed by whoever asks first."""
    from twisted.internet import reactor

    return reactor


def spin(until: Callable[[], object]) -> None:
    """Turn until it is so."""
    reactor = loop()
    end = time.monotonic() + SECONDS
    while not until():
        if time.monotonic() > end:
            raise AssertionError("it did not happen")
        reactor.iterate(0.01)


def turns(count: int = 5) -> None:
    """Turn a few times, for what must not happen."""
    for _ in range(count):
        loop().iterate(0.01)
