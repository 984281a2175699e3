"""What lies beside the pins in the directory of an LMDB store, and what is done before LMDB opens.

    data.mdb  lock.mdb   LMDB's own
    key                  32 random bytes, mode 600: the secret that ids are hashed with
    state                "clean" or "dirty", and the boot of the machine that wrote it
    guard                locked while one process opens, grows or closes the store
    users                locked, shared, by every process that has the store open
    marks                what has changed (`lmdb_marks`), mapped by each of them; worth nothing else
    broken-TIME.mdb      a data file that could not be used, set aside; the newest few are kept

The pins are written without waiting for the disk. That is safe against the death of any process,
since the pages are the kernel's; it is not safe against the death of the kernel, which may have
written some pages and not others. So the state says, before the first write, which boot this is.
A file left dirty by another boot is *mended*: read from end to end and copied record by record,
in a child, because a damaged file can kill the process that maps it. Copied rather than only
checked: the list of free pages may be damaged too, and nothing that reads pins would notice.
A file that cannot be mended is set aside, with a note for the operator. Pins are worth less than
a gateway that starts.

This file knows paths, locks and bytes; it knows no pins.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from soapgate.core.errors import StoreError

SECRET_BYTES = 32
ASIDE = 3  # broken files that are kept: enough to find out why, and they may be large
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_BROKEN = re.compile(r"broken-(\d{8}T\d{6}Z)(?:-(\d+))?\.mdb")
NO_FALLOCATE = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


def boot_id() -> str:
    """Which boot of the machine this is; "" where the system does not say."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""


class Directory:
    """The directory of one store, made if need be. Raises StoreError if it cannot be used.

    Everything from `alone` on is called with the guard held.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = path / "data.mdb"
        self.notes: list[str] = []
        self._files: list[int] = []
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._guard = self._open("guard")
            self._users = self._open("users")
        except OSError as error:
            self.leave()
            raise StoreError(
                f"pins cannot be kept in {path}: {error.strerror}; give a directory that this user"
                " may write, or make it one"
            ) from error

    def _open(self, name: str) -> int:
        # read access would do for a lock, but the first to come must make the file
        opened = os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._files.append(opened)
        return opened

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Alone in opening, growing and closing, among all processes; waits for its turn."""
        fcntl.flock(self._guard, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._guard, fcntl.LOCK_UN)

    def alone(self) -> bool:
        """Whether no other process has the store open; asked before `join` or after `part`."""
        try:
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        fcntl.flock(self._users, fcntl.LOCK_UN)
        return True

    def join(self) -> None:
        """Count as a user, until `part` or the end of the process."""
        fcntl.flock(self._users, fcntl.LOCK_SH)

    def part(self) -> None:
        """No longer count as a user."""
        fcntl.flock(self._users, fcntl.LOCK_UN)

    def leave(self) -> None:
        """Close what this object holds open."""
        while self._files:
            os.close(self._files.pop())

    # the secret

    def secret(self) -> bytes:
        """The bytes of the key file, made by whoever comes first. Raises StoreError."""
        file = self.path / "key"
        try:
            if not file.exists():
                self._make_secret(file)
            secret = file.read_bytes()
            mode = file.stat().st_mode & 0o777
        except OSError as error:
            raise StoreError(
                f"the key file {file} cannot be used: {error.strerror}; let this user read it"
            ) from error
        if len(secret) != SECRET_BYTES:
            raise StoreError(
                f"the key file {file} has {len(secret)} bytes, a key has {SECRET_BYTES}: put the"
                " right one back, or remove it and data.mdb to start without pins"
            )
        if mode & 0o077:
            self.notes.append(f"the key file {file} has mode {mode:o}: make it 600")
        return secret

    def _make_secret(self, file: Path) -> None:
        if self.data.exists():
            self.notes.append(
                f"the key file {file} was gone, a new one is made: earlier pins are not found again"
            )
        self._write(file, os.urandom(SECRET_BYTES))

    def _write(self, file: Path, content: bytes) -> None:
        """Put a file there whole or not at all, on the disk when this returns."""
        draft = file.with_name(f"{file.name}-new")
        draft.unlink(missing_ok=True)
        opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(opened, content)
            os.fsync(opened)
        finally:
            os.close(opened)
        draft.replace(file)
        self._sync_directory()

    def _sync_directory(self) -> None:
        opened = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)

    # the state

    def mark(self, word: Literal["clean", "dirty"]) -> None:
        """Write the state down, on the disk when this returns."""
        self._write(self.path / "state", f"{word} {boot_id()}\n".encode())

    def torn(self) -> bool:
        """Whether the system may have died over the data file: dirty, and of another boot."""
        if not self.data.exists():
            return False
        try:
            word, _, boot = (self.path / "state").read_text().strip().partition(" ")
        except (OSError, UnicodeDecodeError):
            return True
        return word != "clean" and (boot != boot_id() or not boot)

    # the data file

    def mend(self) -> None:
        """Replace the data file by a copy of every record in it, or set it aside."""
        draft = self.path / "mended.mdb"
        # -P and our own path: the child must find what we found, wherever it is started
        module = "soapgate.stores.lmdb_mend"
        command = [sys.executable, "-P", "-m", module, str(self.data), str(draft)]
        path = os.pathsep.join(map(os.path.abspath, sys.path))
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": path},
            )
            fault = _fault(done)
        except OSError as error:
            fault = f"no child to check it could be started: {error.strerror}"
        (self.path / "mended.mdb-lock").unlink(missing_ok=True)
        if fault:
            draft.unlink(missing_ok=True)
            self.set_aside(fault)
            return
        (self.path / "lock.mdb").unlink(missing_ok=True)
        draft.replace(self.data)
        self.notes.append(
            f"the machine stopped while {self.data} was in use; the file was checked and is sound"
        )

    def set_aside(self, fault: str) -> None:
        """Rename a data file that cannot be used, and note what was wrong with it. Of those that
        were set aside earlier all but the newest are removed: `ASIDE` are left."""
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        earlier = self._broken()
        number = max((number for when, number, _ in earlier if when == now), default=0) + 1
        aside = self.path / (f"broken-{now}-{number}.mdb" if number > 1 else f"broken-{now}.mdb")
        self.data.rename(aside)
        (self.path / "lock.mdb").unlink(missing_ok=True)
        removed = [file.name for *_, file in earlier[: 1 - ASIDE] if _removed(file)]
        older = f"; removed were the older {', '.join(removed)}" if removed else ""
        self.notes.append(
            f"{self.data} could not be used ({fault}): it is set aside as {aside.name}, which may"
            f" be removed, and the store starts without pins{older}"
        )

    def _broken(self) -> list[tuple[str, int, Path]]:
        """(time, number within that second, file) of what was set aside, the oldest first."""
        return sorted(
            (match[1], int(match[2] or 1), file)
            for file in self.path.iterdir()
            if (match := _BROKEN.fullmatch(file.name))
        )

    def size(self) -> int:
        """Bytes of the data file; 0 if there is none."""
        try:
            return self.data.stat().st_size
        except FileNotFoundError:
            return 0

    def shared(self, name: str, size: int) -> int:
        """A file of `size` bytes, open until `leave`, for all users to map. Raises OSError."""
        opened = self._open(name)
        _lengthen(opened, 0, size)
        return opened

    def allocate(self, start: int, end: int) -> bool:
        """Lengthen the data file from `start` to `end` bytes. False if there is no room."""
        opened = os.open(self.data, os.O_RDWR | os.O_CLOEXEC)
        try:
            _lengthen(opened, start, end)
        except OSError:
            return False
        finally:
            os.close(opened)
        return True


def _lengthen(opened: int, start: int, end: int) -> None:
    """Lengthen a file from `start` to `end` bytes, for good: a page that is mapped but that the
    disk has no room for would kill the process that writes it. Raises OSError."""
    try:
        os.posix_fallocate(opened, start, end - start)
    except OSError as error:
        if error.errno not in NO_FALLOCATE:
            raise
        os.ftruncate(opened, max(end, os.fstat(opened).st_size))


def _removed(file: Path) -> bool:
    """Remove it if that can be; it costs room, and is no reason not to start."""
    try:
        file.unlink()
    except OSError:
        return False
    return True


def _fault(done: subprocess.CompletedProcess[bytes]) -> str:
    """What the mending child said was wrong, in one line; "" for nothing."""
    if done.returncode == 0:
        return ""
    if done.returncode < 0:
        return f"reading it ended the reader with signal {-done.returncode}"
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"the reader ended with status {done.returncode}"
