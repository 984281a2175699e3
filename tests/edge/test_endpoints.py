"""Which way leads to a backend, by what its host is."""

from __future__ import annotations

import pytest
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock

from soapgate.core.pool import Backend
from soapgate.edge.endpoints import backend_endpoint


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("http://127.0.0.1:81", TCP4ClientEndpoint),
        ("http://[::1]:81", TCP6ClientEndpoint),
        ("http://[fe80::1%25eth0]:81", TCP6ClientEndpoint),
        ("http://b1.example:81", HostnameEndpoint),
        ("http://b1:81", HostnameEndpoint),
        ("http://shop_b1:81", TCP4ClientEndpoint),
    ],
)
def test_a_literal_address_goes_past_the_resolver(url: str, kind: type) -> None:
    endpoint = backend_endpoint(MemoryReactorClock(), Backend.parse("b", url), 3.0)
    assert type(endpoint) is kind


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://127.0.0.1:81", "127.0.0.1"),
        ("http://[::1]:81", "::1"),
        ("http://shop_b1:81", "shop_b1"),
    ],
)
@pytest.mark.parametrize(("seconds", "told"), [(3.0, 3.0), (float("inf"), None)])
def test_it_dials_the_host_and_port_with_the_time_out(
    url: str, host: str, seconds: float, told: float | None
) -> None:
    reactor = MemoryReactorClock()
    endpoint = backend_endpoint(reactor, Backend.parse("b", url), seconds)
    endpoint.connect(Factory())
    ((dialled, port, _factory, timeout, _bind),) = reactor.tcpClients
    assert (dialled, port, timeout) == (host, 81, told)


def test_a_name_with_an_underscore_is_dialled_and_not_refused() -> None:
    """`HostnameEndpoint` fails at once for such a name, though containers have them."""
    reactor = MemoryReactorClock()
    result = backend_endpoint(reactor, Backend.parse("b", "http://a_b"), 3.0).connect(Factory())
    assert not result.called
