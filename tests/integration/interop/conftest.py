"""Foreign SOAP stacks through a gateway: the nodes behind it, the relay before it.

The nodes live as long as the session, gateways as long as a test: which node a gateway chooses
first is its own affair, and what it has pinned belongs to one test.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from nodes import Node, nodes_of  # noqa: E402  # it lies beside this file
from stacks import ROOT  # noqa: E402


@pytest.fixture(scope="session")
def carts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    """Two of the sample's Spyne nodes."""
    argv = [sys.executable, str(ROOT / "samples" / "cart.py"), "--name", "{name}"]
    yield from nodes_of(argv, tmp_path_factory.mktemp("carts"))
