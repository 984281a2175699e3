"""A relay between a client and a gateway that keeps every byte: what a stack really sent.

The one rule: it changes nothing, not even the size of a piece, so a stack that works through it
works without it. Bytes are cut into messages only afterwards, by the few rules of framing that
the stacks here use (Content-Length, chunked, a response without a body, a close). A proxy that
reads messages as they pass was dropped: it would normalise what is to be seen.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from wire import WAIT

_READ = 65536
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d+)", re.IGNORECASE | re.MULTILINE)
_CHUNKED = re.compile(rb"^transfer-encoding:[^\r]*chunked", re.IGNORECASE | re.MULTILINE)


@dataclass(slots=True)
class Connection:
    """The bytes of one connection, each way."""

    up: bytearray = field(default_factory=bytearray)
    down: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its final response as they were on the wire, heads included."""

    request: bytes
    response: bytes


def messages(data: bytes) -> Iterator[bytes]:
    """The messages of one direction of a connection, whole; the last may end with the data."""
    while data:
        end = _end(data)
        yield data[:end]
        data = data[end:]


def _end(data: bytes) -> int:
    head = data.find(b"\r\n\r\n") + 4
    if head < 4:
        return len(data)
    fields = data[:head]
    if _CHUNKED.search(fields):
        return _end_of_chunks(data, head)
    if length := _LENGTH.search(fields):
        return head + int(length[1])
    bodiless = not data.startswith(b"HTTP/") or re.match(rb"HTTP/1\.\d (1\d\d|204|304)", data)
    return head if bodiless else len(data)


def _end_of_chunks(data: bytes, at: int) -> int:
    while size := int(data[at : data.index(b"\r\n", at)].partition(b";")[0], 16):
        at = data.index(b"\r\n", at) + 2 + size + 2
    return data.index(b"\r\n\r\n", at) + 4  # the trailers end with an empty line


def exchanges(connection: Connection) -> list[Exchange]:
    """What passed on one connection; an interim response belongs to no exchange."""
    final = (
        one for one in messages(bytes(connection.down)) if not re.match(rb"HTTP/1\.\d 1\d\d", one)
    )
    return list(map(Exchange, messages(bytes(connection.up)), final))


class Recorder:
    """Listens on a free port of 127.0.0.1 and relays to `port`; a context manager."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._connections: list[Connection] = []
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"

    def __enter__(self) -> Recorder:
        self._start(self._accept)
        return self

    def __exit__(self, *raised: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._listener.close()
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(WAIT)
        for one in self._sockets:
            one.close()

    def exchanges(self) -> list[Exchange]:
        """Everything so far, connection by connection."""
        return [one for connection in self._connections for one in exchanges(connection)]

    def write(self, directory: Path) -> None:
        """A file for each message, for people who want to look."""
        directory.mkdir(parents=True, exist_ok=True)
        for number, one in enumerate(self.exchanges()):
            (directory / f"{number:02}-request.http").write_bytes(one.request)
            (directory / f"{number:02}-response.http").write_bytes(one.response)

    def _start(self, run, *args: object) -> None:
        thread = threading.Thread(target=run, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target, WAIT)
                far.settimeout(None)
                self._sockets += near, far
                kept = Connection()
                self._connections.append(kept)
                self._start(_pump, near, far, kept.up)
                self._start(_pump, far, near, kept.down)


def _pump(source: socket.socket, target: socket.socket, kept: bytearray) -> None:
    with suppress(OSError):  # whoever closed first, the other side hears of it below
        while data := source.recv(_READ):
            kept += data
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
