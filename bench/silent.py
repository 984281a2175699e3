"""Backends that take every request and answer none: what keeps exchanges active.

One thread, one selector, a listening socket for each name. A connection counts when its first byte
comes, so a health probe, which sends nothing, does not. All that arrives is read and thrown away.
"""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Sequence
from types import TracebackType

BACKLOG = 1024
PIECE = 2**16


class Silent:
    """A context manager. `ports`: {name: port}; `taken`: connections that brought a request."""

    def __init__(self, names: Sequence[str]) -> None:
        self.taken = 0
        self._changed = threading.Condition()
        self._selector = selectors.DefaultSelector()
        self._wakes, self._waker = socket.socketpair()
        self._selector.register(self._wakes, selectors.EVENT_READ, None)
        self.ports: dict[str, int] = {}
        for name in names:
            listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
            self.ports[name] = listener.getsockname()[1]
            self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Silent:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._waker.close()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()

    def wait_for(self, taken: int, seconds: float) -> bool:
        """Whether so many connections have brought a request, at last after `seconds`."""
        with self._changed:
            return self._changed.wait_for(lambda: self.taken >= taken, seconds)

    def _serve(self) -> None:
        while True:
            for key, _events in self._selector.select():
                if key.data is None:
                    return
                key.data(key.fileobj)

    def _accept(self, listener: socket.socket) -> None:
        link, _address = listener.accept()
        self._selector.register(link, selectors.EVENT_READ, self._first)

    def _first(self, link: socket.socket) -> None:
        if self._read(link):
            self._selector.modify(link, selectors.EVENT_READ, self._read)
            with self._changed:
                self.taken += 1
                self._changed.notify_all()

    def _read(self, link: socket.socket) -> bool:
        """Whether there was something to read; without, the connection has ended."""
        try:
            piece = link.recv(PIECE)
        except ConnectionError:
            piece = b""
        if not piece:
            self._selector.unregister(link)
            link.close()
        return bool(piece)
