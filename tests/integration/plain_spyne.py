"""A node of the sample cart as Spyne alone serves it: its WSDL keeps the address that was asked
for first, where the samples mend that. Prints where it listens; ends when its stdin does.

    python tests/integration/plain_spyne.py NAME
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

sys.path.append(str(Path(__file__).parents[2] / "samples"))

import spyne_compat
from cart import application


class Quiet(WSGIRequestHandler):
    """Writes no log."""

    protocol_version = "HTTP/1.0"

    def log_message(self, *_: object) -> None:
        pass


def main(name: str) -> None:
    service = spyne_compat.spyne.server.wsgi.WsgiApplication(application("header", name))
    server = make_server("127.0.0.1", 0, service, handler_class=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
