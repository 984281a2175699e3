"""Where a backend is, as an endpoint to connect to."""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint

from soapgate.core.pool import Backend


def backend_endpoint(reactor: Any, backend: Backend, timeout: float) -> Any:
    """A TCP endpoint of the backend that gives up after `timeout` seconds. A literal address goes
    past the resolver, which would take a thread; a name is resolved anew for every connection."""
    if ":" in backend.host:
        return TCP6ClientEndpoint(reactor, backend.host, backend.port, timeout)
    if backend.host.replace(".", "").isdigit():
        return TCP4ClientEndpoint(reactor, backend.host, backend.port, timeout)
    return HostnameEndpoint(reactor, backend.host, backend.port, timeout)
