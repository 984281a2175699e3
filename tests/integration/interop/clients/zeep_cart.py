"""zeep: the client of the samples, see ../stacks.py for what it is told and tells.

What zeep needs for the carriers is in samples/client.py: the plugin `SessionEcho` for header
blocks and reference parameters, a default header for an id out of a Body, nothing for cookies.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

warnings.simplefilter("default")  # zeep 4.3 and what it imports are not free of warnings
sys.path.append(str(Path(__file__).parents[4] / "samples"))

from client import CartClient  # noqa: E402
from zeep.exceptions import Fault  # noqa: E402


def main(url: str, carrier: str, customer: str) -> int:
    cart = CartClient(carrier, url, timeout=60)
    try:
        print("login", cart.login(customer).node)
        for article, quantity in (("tea", 1), ("jam", 2)):
            reply = cart.add(article, quantity)
            print("add", reply.node, reply.count)
        reply = cart.items()
        lines = ",".join(f"{line.article}={line.quantity}" for line in reply.line)
        print("items", reply.node, reply.customer, lines)
        reply = cart.checkout()
        print("checkout", reply.node, reply.count)
    except Fault as fault:
        print("fault", fault.code)
        return 3
    finally:
        cart.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
