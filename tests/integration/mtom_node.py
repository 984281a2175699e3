"""A cart of the samples whose replies are MTOM: the envelope Spyne wrote, as the root of a package.

The one rule: Spyne reads and writes every envelope, and only the package around its replies is
made here, for Spyne 2.14.0 makes one on Python 2 alone (`apply_mtom` joins bytes with ''). Requests
in MTOM or SwA it reads by itself.

    python tests/integration/mtom_node.py --name b1
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "samples"))

import cart
import spyne_compat

PACKAGE = 'multipart/related; type="application/xop+xml"; start="<root>"; boundary="{}"'
ROOT = 'Content-Type: application/xop+xml; charset=UTF-8; type="text/xml"'
plain = spyne_compat.wsgi


def pack(context) -> None:
    """Put the reply into a package with an attachment."""
    envelope = b"".join(context.out_string)
    boundary = f"uuid:{len(envelope)}-b1e2"
    parts = (
        (f"{ROOT}\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <root>", envelope),
        ("Content-Type: application/octet-stream\r\nContent-ID: <blob>", bytes(range(256))),
    )
    body = b"".join(
        f"\r\n--{boundary}\r\n{head}\r\n\r\n".encode() + content for head, content in parts
    )
    context.out_string = [body + f"\r\n--{boundary}--\r\n".encode()]
    headers = context.transport.resp_headers
    headers["Content-Type"] = PACKAGE.format(boundary)
    headers.pop("Content-Length", None)


def wsgi(application):
    """As the samples serve it, packed."""
    service = plain(application)
    service.event_manager.add_listener("wsgi_return", pack)
    return service


spyne_compat.wsgi = wsgi

if __name__ == "__main__":
    sys.exit(cart.main())
