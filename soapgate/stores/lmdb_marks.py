"""Marks: whether a pin may have changed since it was read, told between processes without LMDB.

A file of numbers that is mapped by every process that has the store open. A key has one of them,
and shares it with others: the number of the last transaction that wrote a pin of theirs. LMDB
numbers its write transactions one by one, and a reader knows up to which one it sees. So what was
read when all up to `at` were seen is still true as long as the mark is not above `at`.

Why that is sound. A writer sets the mark while it alone may write (LMDB has one writer at a time)
and before it commits; so nobody can take an old pin for a new one once the write is done, and one
who does so meanwhile has merely asked first. A writer that dies, or gives up, leaves a mark too
high: what is read until the next commit is read again each time, and is never wrong. A file of
pins that begins anew begins with lower numbers, and while one process has it for itself it clears
the marks; had it not, they would be too high, which is safe. They need not survive anything.
"""

from __future__ import annotations

import mmap

MARKS = 2**16  # a million pins: some fifteen to a mark, and a write spoils what is known of these
NUMBER = 8  # octets of one
SIZE = MARKS * NUMBER


class Marks:
    """The marks in an open file of `SIZE` octets, which may be closed then."""

    def __init__(self, file: int) -> None:
        self.numbers = memoryview(mmap.mmap(file, SIZE)).cast("Q")

    def clear(self) -> None:
        """Begin anew: only while nobody else has the store open."""
        self.numbers.cast("B")[:] = bytes(SIZE)

    def set(self, key: bytes, number: int) -> None:
        """Before the write transaction `number` writes the pin under `key`, or removes it."""
        self.numbers[key[0] << 8 | key[1]] = number
