"""Where a backend is, as an endpoint to connect to.

Exchanges and probes dial alike. Whether TLS follows is their business, not the address's.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint

from soapgate.core.pool import Backend


def backend_endpoint(reactor: Any, backend: Backend, timeout: float) -> Any:
    """A TCP endpoint of the backend that gives up after `timeout` seconds (infinity: when the
    system does). A literal address goes past the resolver, which would take a thread; a name is
    resolved anew for every connection."""
    host, port = backend.host, backend.port
    seconds = None if timeout == float("inf") else timeout
    if ":" in host:
        return TCP6ClientEndpoint(reactor, host, port, seconds)
    # HostnameEndpoint refuses a name with an underscore, as containers have them (IDNA 2008)
    if host.replace(".", "").isdigit() or "_" in host:
        return TCP4ClientEndpoint(reactor, host, port, seconds)
    return HostnameEndpoint(reactor, host, port, seconds)
