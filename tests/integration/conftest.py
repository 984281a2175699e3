"""Real processes on free loopback ports; whatever a test does, all of them end with it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from live import Cast  # noqa: E402  # it lies beside this file


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture
def cast(tmp_path: Path) -> Iterator[Cast]:
    """For one test."""
    with ExitStack() as stack:
        yield Cast(tmp_path, stack)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cast]:
    """For the tests of one file."""
    with ExitStack() as stack:
        yield Cast(tmp_path_factory.mktemp("company"), stack)
