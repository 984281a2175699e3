"""Makes `talk`, the in-memory data path, importable for the tests of the edge."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from sockets import pair, reactor  # fixtures of all tests here

__all__ = ["pair", "reactor"]
