"""Whether a backend's address stands in a response that only passes by.

The one rule: looking changes nothing and holds nothing back. A body is looked at as it streams,
piece by piece, with as much of the last piece kept as a match across the border needs. So a
search is one `in` for the address as it is usually written, and whoever asked has the closer look.

Dropped: a pattern that knows every spelling of every backend. It costs several times as much, and
what a backend calls itself is nearly always what it is called in the configuration, or nothing
that the gateway could know.
"""

from __future__ import annotations

from collections.abc import Callable

from soapgate.core.pool import DEFAULT_PORTS, Backend
from soapgate.edge.flow import Flow
from soapgate.edge.framing import BodyReader

# Bytes around a place that tell what it is: a scheme; the rest of a host name and a port.
BEFORE = 8
BEHIND = 64


def needle(backend: Backend) -> bytes:
    """What a URL of the backend has behind its scheme, as it would be written."""
    host = f"[{backend.host}]" if ":" in backend.host else backend.host
    usual = DEFAULT_PORTS["https" if backend.tls else "http"]
    return f"://{host}{'' if backend.port == usual else f':{backend.port}'}".encode()


class Looking:
    """Looks for bytes in a body on its way, across the borders of its pieces, until `found` says
    of a place, with some bytes around it, that it is what was looked for. To a flow it is the
    reader that it stands before."""

    def __init__(self, needle: bytes, found: Callable[[bytes], bool]) -> None:
        self._needle = needle
        self._found = found
        self._tail = b""
        self._over = False
        self._reader: BodyReader

    def found_in(self, piece: bytes, *, last: bool = False) -> bool:
        """Whether it is found by now, this piece included; the `last` one ends the body."""
        if self._over:
            return True
        part, size = self._tail + piece, len(self._needle)
        at = part.find(self._needle)
        behind = 0  # where the last place that was asked about ends
        while at >= 0 and (last or at + size + BEHIND <= len(part)):
            behind = at + size
            if self._found(part[max(0, at - BEFORE) : behind + BEHIND]):
                self._over = True
                return True
            at = part.find(self._needle, behind)
        # what may still become a place, or lacks what follows it
        keep = BEFORE + size + BEHIND
        self._tail = part[max(behind, len(part) - keep) :]
        return False

    def read_with(self, flow: Flow) -> None:
        """Look at all that comes from now on."""
        self._reader = flow.reader
        flow.reader = self  # type: ignore[assignment]  # all that a flow asks of one

    @property
    def done(self) -> bool:
        return self._reader.done

    @property
    def trailers(self) -> bytes:
        return self._reader.trailers

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """As the reader's."""
        piece, rest = self._reader.take(data)
        self.found_in(piece, last=self._reader.done)
        return piece, rest

    def close(self) -> bool:
        """As the reader's."""
        self.found_in(b"", last=True)
        return self._reader.close()
