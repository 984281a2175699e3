"""Finds the demonstration: `samples/demo.py` of a checkout, or where the wheel put the samples.

The samples are programs beside the package, not modules of it: they stand for other people's
services and clients. So the demonstration is a script to run, never an import, and this file
only knows where it may lie and what it needs.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

NEEDS = ("spyne", "zeep")
INSTALLED = Path("share", "soapgate", "samples", "demo.py")  # below sys.prefix


class Missing(Exception):
    """The demonstration cannot run; the text says what to install."""


def script(package: Path = Path(__file__).parent, prefix: Path = Path(sys.prefix)) -> Path:
    """Where it lies. Raises `Missing`."""
    for place in (package.parent / "samples" / "demo.py", prefix / INSTALLED):
        if place.is_file():
            return place
    raise Missing(f"the samples are not installed: no {prefix / INSTALLED}")


def check_needs(needs: tuple[str, ...] = NEEDS) -> None:
    """Raises `Missing` if what the samples import is not there."""
    absent = [name for name in needs if find_spec(name) is None]
    if absent:
        raise Missing(
            f"the demonstration needs {' and '.join(absent)}: pip install 'soapgate[demo]'"
        )
