"""Long bodies from socket to socket through a pipe of the kernel, without a copy in between.

Once an exchange is decided, what is left of a body of known length only passes by. splice(2) moves
it from one socket into a pipe and out into the other; reading and sending would copy every byte
twice and make a buffer for each read.

The one rule: it is a short cut of a read event, never another way. It moves bytes only while all
is plain: two TCP connections of Twisted's own, nothing waiting to be written. What the receiver
does not take at once is read out of the pipe and written to its transport, which pauses the sender
as ever; an end and an error are left to the ordinary read. So the pipe is empty between events, and
one serves all connections of a process.

Where there is no splice (another system than Linux) bodies are read and sent.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable

from soapgate.edge.framing import LengthReader
from soapgate.edge.lines import Line
from soapgate.edge.syscalls import splice

LEAST = 16 * 1024  # octets left below which reading and sending costs no more
PIPE_BYTES = 1024 * 1024  # what an unprivileged process may ask for (/proc/sys/fs/pipe-max-size)


class Pipe:
    """The way through the kernel, made when it is first needed; empty whenever nobody moves."""

    __slots__ = ("_reads", "_writes")

    def __init__(self) -> None:
        self._reads = self._writes = -1

    def fill(self, source: Line, most: int) -> int:
        """Take up to `most` octets from a plain line; how many it were, at most 0 if none."""
        if self._writes < 0:
            self._open()
        return splice(source.fd, self._writes, most)

    def drain(self, target: Line, octets: int) -> None:
        """Send on the octets that it holds."""
        try:
            while octets:
                # asked of the class: nobody overrides it, and compiled that is a direct call
                moved = splice(self._reads, target.fd, octets) if Line.free(target) else 0
                if moved <= 0:  # full, or gone: its transport finds out by itself
                    target.postpone(self.take_back(octets))
                    return
                octets -= moved
        except BaseException:
            self.close()  # what is left must not be anybody else's
            raise

    def take_back(self, octets: int) -> bytes:
        """The octets that it holds, after all."""
        pieces = []
        while octets:
            pieces.append(os.read(self._reads, octets))
            octets -= len(pieces[-1])
        return b"".join(pieces)

    def close(self) -> None:
        """Give it back; the next use makes another."""
        if self._writes >= 0:
            os.close(self._reads)
            os.close(self._writes)
            self._reads = self._writes = -1

    def _open(self) -> None:
        self._reads, self._writes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        with contextlib.suppress(OSError):  # a smaller one does as well
            fcntl.fcntl(self._writes, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


class Splice:
    """What is left of one body on its way from `source` to `target`: takes the read events of the
    source until the body has ended or has no place to go any more."""

    __slots__ = ("_moved", "_pipe", "_reader", "_source", "_target")

    def __init__(
        self,
        pipe: Pipe,
        source: Line,
        target: Line,
        reader: LengthReader,
        moved: Callable[[int], None],
    ) -> None:
        self._pipe = pipe
        self._source = source
        self._target = target
        self._reader = reader
        self._moved = moved
        source.detour = self

    def stop(self) -> None:
        """Read as ever."""
        self._source.detour = None

    def read(self) -> object:
        """A read event of the source."""
        reader, target = self._reader, self._target
        if target.free():
            octets = self._pipe.fill(self._source, min(reader.left, PIPE_BYTES))
            if octets > 0:
                reader.pass_by(octets)
                self._pipe.drain(target, octets)
                if reader.done:
                    self.stop()
                self._moved(octets)
                return None
        return self._source.transport.doRead()


def divert(
    source: Line, target: Line, reader: object, moved: Callable[[int], None]
) -> Splice | None:
    """Move what is left of the body that `reader` takes from `source`, as far as it can be moved;
    `moved` hears how many octets went. None where it cannot: nothing has changed."""
    pipe = getattr(getattr(source.transport, "reactor", None), "pipe", None)
    if (
        pipe is None
        or type(reader) is not LengthReader
        or reader.left < LEAST
        or not hasattr(os, "splice")
        or not source.is_read()
        or not target.plain
    ):
        return None
    return Splice(pipe, source, target, reader, moved)
