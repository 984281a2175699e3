"""A program of its own: twisted.web's ReverseProxyResource, as its documentation sets it up.

    python reverse_proxy.py PORT BACKEND_PORT

Without an access log, as the other contenders write none; all else is as Twisted has it.
"""

from __future__ import annotations

import sys


def main(port: int, backend: int) -> None:
    from twisted.internet import reactor
    from twisted.web.proxy import ReverseProxyResource
    from twisted.web.server import Site

    site = Site(ReverseProxyResource("127.0.0.1", backend, b""))
    site.noisy = False
    site.log = lambda _request: None  # no line for each request
    reactor.listenTCP(port, site, backlog=1024, interface="127.0.0.1")
    reactor.run()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
