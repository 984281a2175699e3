"""Makes what lies beside this file (`drawn`, `pieces`, `pinned`, `routed`, `shop`) importable for
the tests of the core, and opens a desk."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
pytest.register_assert_rewrite("drawn", "pieces", "pinned", "routed", "shop")

from pinned import Desk  # noqa: E402 - it lies beside this file


@pytest.fixture
def desk() -> Desk:
    return Desk()
