"""zeep: the client of the samples, see ../stacks.py for what it is told and tells.

What zeep needs for the carriers is in samples/client.py: the plugin `SessionEcho` for header
blocks and reference parameters, a default header for an id out of a Body, nothing for cookies.
"""

from __future__ import annotations

import sys
import warnings
from contextlib import closing
from pathlib import Path

warnings.simplefilter("default")  # zeep 4.3 and what it imports are not free of warnings
sys.path.append(str(Path(__file__).parents[4] / "samples"))

from client import CartClient  # noqa: E402
from told import shop  # noqa: E402
from zeep.exceptions import Fault  # noqa: E402


def main(url: str, carrier: str, customer: str) -> int:
    with closing(CartClient(carrier, url, timeout=60)) as cart:
        return shop(cart, customer, fault=Fault, code=lambda fault: fault.code)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
