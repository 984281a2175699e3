"""Backends that do not answer count requests, not probes."""

from __future__ import annotations

import socket

import pytest

from bench.silent import Silent

pytestmark = pytest.mark.integration


def test_requests_are_taken_and_counted_and_probes_are_not() -> None:
    with Silent(["b1", "b2"]) as silent:
        links = []
        for name in ("b1", "b2", "b1"):
            probe = socket.create_connection(("127.0.0.1", silent.ports[name]))
            probe.close()
            link = socket.create_connection(("127.0.0.1", silent.ports[name]))
            link.sendall(b"POST / HTTP/1.1\r\n")
            link.sendall(b"x" * 100_000)
            links.append(link)
        assert silent.wait_for(3, 30)
        assert not silent.wait_for(4, 0)
        for link in links:
            link.setblocking(False)
            with pytest.raises(BlockingIOError):
                link.recv(1)
            link.close()


def test_everything_is_closed_at_the_end() -> None:
    with Silent(["b1"]) as silent:
        port = silent.ports["b1"]
        link = socket.create_connection(("127.0.0.1", port))
        link.sendall(b"x")
        assert silent.wait_for(1, 30)
    link.settimeout(30)
    assert link.recv(1) == b""
    link.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
