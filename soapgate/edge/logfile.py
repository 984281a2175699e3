"""Where the lines of the exchange log go: standard output or error, or a file that may be rotated.

The one rule: a line stays whole. A file is opened to append and written without a buffer, so what
one write carries stands together, whichever process wrote it. A pipe promises that only up to
`PIPE_BUF` bytes (POSIX, write(2)); where several processes share one, lines are written in pieces
no longer than that, cut between lines. What the lines say is the business of `exchangelog`.
"""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from soapgate.core.errors import ConfigError

STANDARD = {"stdout": 1, "stderr": 2}


class LogFile:
    """One target; `write` raises OSError when it cannot."""

    def __init__(self, target: str, base: Path = Path(), *, shared: bool = False) -> None:
        """`target`: "stdout", "stderr" or a path from `base`; `shared`: other processes write there
        too. Raises ConfigError for a file that cannot be opened."""
        self._standard = STANDARD.get(target)
        self._path = base / target
        self._shared = shared
        self._file: Any = None
        self.reopen()

    def reopen(self) -> None:
        """Open anew, after a rotation; raises ConfigError, and the old file stays in use."""
        if self._standard is not None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            opened = self._path.open("ab", buffering=0)
        except OSError as error:
            raise ConfigError(
                [f"log_to: {self._path} cannot be opened: {error.strerror}"]
            ) from None
        self.close()
        self._file = opened

    def write(self, lines: bytes) -> None:
        """Write whole lines."""
        if self._standard is None:
            self._file.write(lines)
            return
        for piece in pieces(lines) if self._shared else (lines,):
            left = memoryview(piece)
            while left:
                left = left[os.write(self._standard, left) :]

    def close(self) -> None:
        """Close a file of ours."""
        if self._file is not None:
            self._file.close()


def pieces(lines: bytes, most: int = select.PIPE_BUF) -> Iterator[bytes]:
    """The lines in pieces of up to `most` bytes; a line that is longer is a piece of its own."""
    start = 0
    while len(lines) - start > most:
        end = lines.rfind(b"\n", start, start + most) + 1 or lines.find(b"\n", start) + 1
        if not end:
            break
        yield lines[start:end]
        start = end
    if start < len(lines):
        yield lines[start:]
