"""Long bodies from socket to socket through a pipe of the kernel, without a copy in between.

Once an exchange is decided, what is left of a body of known length only passes by. splice(2) moves
it from one socket into a pipe and out into the other; reading and sending would copy every byte
twice and make a buffer for each read.

The one rule: it is a short cut of a read event, never another way. It moves bytes only while all
is plain: two TCP connections of Twisted's own, nothing waiting to be written, more than `LEAST`
left. What the receiver does not take at once is read out of the pipe and written to its transport,
which pauses the sender as ever; an end, an error and the rest of the body are left to the ordinary
read, so that nobody but the flow ever finds out where a body ended. So the pipe is empty between
events, and one serves all connections of a process.

Where there is no splice (another system than Linux) bodies are read and sent.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable
from typing import Any

from twisted.internet import tcp

from soapgate.edge.framing import LengthReader

LEAST = 64 * 1024  # octets left below which a body is read: one ordinary read of Twisted's
PIPE_BYTES = 1024 * 1024  # what an unprivileged process may ask for (/proc/sys/fs/pipe-max-size)
_FLAGS = getattr(os, "SPLICE_F_MOVE", 0) | getattr(os, "SPLICE_F_NONBLOCK", 0)


PLAIN_TCP = (tcp.Server, tcp.Client)


def is_plain(transport: Any) -> bool:
    """Whether a transport is TCP of Twisted's own with nothing to be written before: what is sent
    now may go to its socket."""
    return (
        type(transport) in PLAIN_TCP
        and not transport.dataBuffer
        and not transport._tempDataBuffer
        and not transport.TLS
        and bool(transport.connected)
        and not transport._writeDisconnected
    )


class Pipe:
    """The way through the kernel, made when it is first needed; empty whenever nobody moves."""

    def __init__(self) -> None:
        self._ends: tuple[int, int] | None = None

    def move(self, source: Any, target: Any, most: int) -> int:
        """Move up to `most` octets from one plain transport to another; how many it were. Raises
        OSError where nothing could be moved, BlockingIOError where there was nothing."""
        if self._ends is None:
            self._ends = _pipe()
        reads, writes = self._ends
        moved = os.splice(source.fileno(), writes, most, flags=_FLAGS)
        left = moved
        out = target.fileno()
        try:
            while left:
                left -= os.splice(reads, out, left, flags=_FLAGS)
        except OSError:
            # full, or gone: its transport finds out by itself
            while left:
                piece = os.read(reads, left)
                left -= len(piece)
                target.write(piece)
        return moved

    def close(self) -> None:
        """Give it back; the next use makes another."""
        ends, self._ends = self._ends, None
        for end in ends or ():
            os.close(end)


def _pipe() -> tuple[int, int]:
    ends = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    with contextlib.suppress(OSError):  # a smaller one does as well
        fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return ends


class Splice:
    """What is left of one body on its way from `source` to `target`."""

    __slots__ = ("_moved", "_on", "_pipe", "_read", "_reader", "_source", "_target")

    def __init__(
        self,
        pipe: Pipe,
        source: Any,
        target: Any,
        reader: LengthReader,
        moved: Callable[[int], None],
    ) -> None:
        self._pipe = pipe
        self._source = source
        self._target = target
        self._reader = reader
        self._moved = moved
        self._on = True
        self._read = source.doRead
        source.doRead = self._do_read

    def stop(self) -> None:
        """The body has no place to go any more: read it as ever."""
        self._on = False

    def _do_read(self) -> object:
        """A read event of the source."""
        reader = self._reader
        room = reader.left - LEAST
        if room <= 0 or not self._on:
            del self._source.doRead
        elif is_plain(self._target):
            try:
                octets = self._pipe.move(self._source, self._target, min(room, PIPE_BYTES))
            except BlockingIOError:
                return None
            except OSError:
                octets = 0  # a kernel that cannot, or a connection that is gone
            if octets:
                reader.left -= octets
                self._moved(octets)
                return None
        return self._read()


def splice(source: Any, target: Any, reader: object, moved: Callable[[int], None]) -> Splice | None:
    """Move what is left of the body that `reader` takes from `source`, as far as it can be moved;
    `moved` hears how many octets went. None where it cannot: nothing has changed."""
    pipe = getattr(getattr(source, "reactor", None), "pipe", None)
    if (
        pipe is None
        or type(reader) is not LengthReader
        or reader.left <= 2 * LEAST
        or not hasattr(os, "splice")
        or not is_plain(source)
        or not is_plain(target)
    ):
        return None
    return Splice(pipe, source, target, reader, moved)
