"""The board: what each worker does right now, in memory that all of them see.

A row stands for a backend (row 0 for the clients), a column for a worker: requests in flight,
requests in the queue, and the worker's turn. The one rule: a cell is written by its own worker
alone, and read by all; so a count costs an assignment, and the counts of a worker that died are
wiped by whoever buries it. Only a backend with a `maxconn` needs more: whether there is a place,
and taking it, happen under a lock of the row. It is a record lock, which the kernel lets go when
its holder dies.

Who frees a place rings those that wait for one (an eventfd for each worker). The place goes to the
worker whose turn is the oldest: within a worker it is first come first served, and workers that
wait take turns. A newcomer never overtakes somebody who waits, whichever worker he waits in.

Nothing here knows processes, channels or exchanges. The alternatives dropped: to divide `maxconn`
among the workers (one then makes its clients wait while another has places), and to ask the
supervisor for each place (two messages for each request).
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

ROWS = 4096  # row 0 and as many backends as a configuration may have with several workers
CLIENTS = 0
CELL_BYTES = 16  # in flight and waiting (4 each), turn (8)


class Board:
    """One process's view of the board: as worker `number`, or without one, only to look."""

    def __init__(self, fd: int, workers: int, number: int | None = None) -> None:
        """`fd` is what `make_board` returned for as many `workers`; it is kept open."""
        self.fd = fd
        self.workers = workers
        self.number = number
        memory = memoryview(mmap.mmap(fd, size(workers)))
        self._ints = memory.cast("I")
        self._longs = memory.cast("Q")

    def row(self, number: int) -> Row:
        """The row of that number, 0 to ROWS - 1."""
        if not 0 <= number < ROWS:
            raise ValueError(f"the board has no row {number}")
        return Row(self, self._ints, self._longs, number)

    def wipe(self, worker: int) -> None:
        """Forget a worker that is gone."""
        for start in range(worker, ROWS * (self.workers + 1), self.workers + 1):
            if self._longs[2 * start] or self._longs[2 * start + 1]:
                self._longs[2 * start] = self._longs[2 * start + 1] = 0

    def free_row(self, taken: Iterable[int]) -> int:
        """A row that is not taken and that no exchange counts on any more; 0 if there is none."""
        busy = {CLIENTS, *taken}
        for number in range(ROWS):
            if number not in busy and not self.row(number).inflight:
                return number
        return CLIENTS


class Row:
    """One backend's cells."""

    __slots__ = ("_board", "_drawn", "_longs", "counts", "mine", "number", "turns", "waits")

    def __init__(self, board: Board, ints: memoryview, longs: memoryview, number: int) -> None:
        start = number * (board.workers + 1)
        end = start + board.workers
        self._board = board
        self.number = number
        self._longs = longs
        self._drawn = 2 * end + 1  # where the last turn drawn stands
        self.counts = ints[4 * start : 4 * end : 4]
        self.waits = ints[4 * start + 1 : 4 * end : 4]
        self.turns = longs[2 * start + 1 : 2 * end : 2]
        self.mine = board.number if board.number is not None else -1

    @property
    def inflight(self) -> int:
        """Of all workers."""
        return sum(self.counts)

    @property
    def waiting(self) -> int:
        """Of all workers."""
        return sum(self.waits)

    def take(self, limit: int) -> bool:
        """A place for a newcomer; False if all `limit` are taken, or if somebody waits."""
        with self._locked():
            if sum(self.counts) >= limit or any(self.waits):
                return False
            self.counts[self.mine] += 1
            return True

    def take_turn(self, limit: int) -> bool:
        """A place for the first who waits here; False if there is none, or it is another's turn."""
        with self._locked():
            if sum(self.counts) >= limit or self._next() != self.mine:
                return False
            self.counts[self.mine] += 1
            self.turns[self.mine] = self._draw()
            return True

    def wait(self, count: int) -> None:
        """So many wait here; who begins to wait draws a turn."""
        with self._locked():
            if count and not self.waits[self.mine]:
                self.turns[self.mine] = self._draw()
            self.waits[self.mine] = count

    def others(self, limit: int) -> list[int]:
        """The workers besides this one that should look, since there is a place and they wait."""
        waits = self.waits
        if not any(waits) or sum(self.counts) >= limit:
            return []
        return [one for one, count in enumerate(waits) if count and one != self.mine]

    def _next(self) -> int:
        waiting = [one for one, count in enumerate(self.waits) if count]
        return min(waiting, key=self.turns.__getitem__) if waiting else self.mine

    def _draw(self) -> int:
        drawn = self._longs[self._drawn] + 1
        self._longs[self._drawn] = drawn
        return drawn

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fd, number = self._board.fd, self.number
        fcntl.lockf(fd, fcntl.LOCK_EX, 1, number)
        try:
            yield
        finally:
            fcntl.lockf(fd, fcntl.LOCK_UN, 1, number)


def size(workers: int) -> int:
    """Bytes of a board; the last column of a row holds the turns drawn."""
    return ROWS * (workers + 1) * CELL_BYTES


def make_board(workers: int) -> int:
    """A descriptor of an empty board, closed on exec."""
    fd = os.memfd_create("soapgate-board", os.MFD_CLOEXEC)
    os.ftruncate(fd, size(workers))
    return fd


class Bells:
    """One eventfd for each worker: to ring one is to make it look at its queues."""

    def __init__(self, fds: Sequence[int]) -> None:
        self.fds = list(fds)

    @classmethod
    def make(cls, workers: int) -> Bells:
        """New ones, closed on exec."""
        return cls([os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK) for _ in range(workers)])

    def ring(self, workers: Iterable[int]) -> None:
        """Ring the bells of these workers."""
        for worker in workers:
            with suppress(BlockingIOError):  # rung four thousand million times and never heard
                os.eventfd_write(self.fds[worker], 1)

    def heard(self, worker: int) -> bool:
        """Whether the bell of a worker was rung since it was last asked."""
        try:
            return bool(os.eventfd_read(self.fds[worker]))
        except OSError as error:
            if error.errno != errno.EAGAIN:
                raise
            return False

    def close(self) -> None:
        """Close them."""
        while self.fds:
            os.close(self.fds.pop())
