"""The budgets of test_proxy_cost.py where the modules are compiled: the sources keep them.

A compiled function is no call that Python counts, so the count is of the plain build, in a process
of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from soapgate import compiled

COUNTING = Path(__file__).with_name("test_proxy_cost.py")


@pytest.mark.skipif(not compiled.extensions(), reason="test_proxy_cost.py counts here already")
def test_the_sources_stay_within_their_budgets() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(COUNTING)]
    sources = {**os.environ, compiled.SWITCH: "1"}
    done = subprocess.run(
        command, cwd=compiled.ROOT, env=sources, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
