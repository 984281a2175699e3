"""Pins in an LMDB file: shared by the processes of one machine, kept over a restart and kill -9.

The one rule: whatever decides - put if absent, compare and set, who is evicted - happens inside
one write transaction, and LMDB lets one process of the machine write at a time. A commit does not
wait for the disk (`sync` is for that), so it costs microseconds and survives any process; what a
crash of the whole machine may do is the business of `lmdb_directory`.

Three tables: pins by key; the order of use, (time, key) pairs, so that the least recently used
pin is the first; labels, the names that pins are written with (`lmdb_format`). The order costs
40 bytes a pin and two microseconds a bind; sampling a few pins and evicting the oldest would cost
neither, but it evicts sessions in use when a flood of new ones comes.

The file grows in steps up to a bound. Each step is allocated before it is mapped, so a full disk
is a full store, not a SIGBUS. Every process notices that the file has grown the next time LMDB
refuses to look at it with the old map. Open the store after forking, never before.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeAlias, TypeVar

import lmdb

from soapgate.core.errors import StoreError, StoreFull
from soapgate.core.pins import Pin
from soapgate.stores.lmdb_directory import Directory
from soapgate.stores.lmdb_format import (
    FORMAT,
    FORMAT_KEY,
    OLDER,
    Labels,
    order,
    ordered_key,
    used_of,
    with_used,
)
from soapgate.stores.lmdb_glance import Glance
from soapgate.stores.lmdb_marks import SIZE as MARKS_SIZE
from soapgate.stores.lmdb_marks import Marks
from soapgate.stores.memory import MAX_PINS, WhenFull

STEP_BYTES = 2**20  # the file grows by this or by a quarter, whichever is more
PIN_BYTES = 512  # room in the file for a pin; measured are 105, after much use up to 200
SHARE = 64  # processes that may bind between two counts without passing the cap
EVICT = 8  # pins evicted at most for one that is bound, when the cap was lowered
RESERVE = 64  # pages kept free: LMDB writes on free pages only, even to delete; or an eighth

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Writing: TypeAlias = "lmdb.Transaction[bytes]"  # generic in the stubs only


# what LMDB says of a file, not of the machine or of another process
BROKEN = (
    lmdb.BadTxnError,
    lmdb.CorruptedError,
    lmdb.IncompatibleError,
    lmdb.InvalidError,
    lmdb.PageNotFoundError,
    lmdb.PanicError,
    lmdb.VersionMismatchError,
)


class Unusable(StoreError):
    """The data file is not one that can be worked with."""


class _Tight(StoreError):
    """The reserve of pages is reached; grow, or evict."""


class LmdbStore:
    """A `PinStore` in the directory `path`, which is made if need be.

    map_size: bound of the data file in bytes; 0 = ample for `max_pins`.
    Raises StoreError, naming the path and the way out, if the directory cannot be used; a data
    file that cannot be used is set aside and `notes` says so.
    """

    def __init__(
        self,
        path: Path | str,
        max_pins: int = MAX_PINS,
        when_full: WhenFull = "evict",
        *,
        map_size: int = 0,
    ) -> None:
        if max_pins < 1:
            raise ValueError(f"max_pins is {max_pins}, it must be at least 1")
        self.evicted = 0
        self.refused = 0
        self._max_pins = max_pins
        self._when_full = when_full
        self._bound = map_size or max_pins * PIN_BYTES + 16 * STEP_BYTES
        self._room = 0  # binds that need no count
        self._tight = False  # the reserve is reached and the file did not grow
        self._mapping = threading.Lock()  # sync may run in a thread; it must not lose its map
        self._directory = Directory(Path(path))
        try:
            with self._directory.guarded():
                self._open_guarded()
        except StoreError:
            self._directory.leave()
            raise
        except (OSError, lmdb.Error) as error:
            self._directory.leave()
            raise StoreError(f"the pins in {path} cannot be opened: {error}") from error
        self.notes = tuple(self._directory.notes)

    def __repr__(self) -> str:
        mapped = self._mapped // 2**20
        return f"<LmdbStore {self._directory.path} {mapped} MiB, {self._when_full}>"

    # opening, growing, closing

    def _open_guarded(self) -> None:
        self.secret = self._directory.secret()
        alone = self._directory.alone()
        if alone and self._directory.torn():
            self._directory.mend()
        if alone:
            self._directory.mark("dirty")
        self._marks = Marks(self._directory.shared("marks", MARKS_SIZE))
        if alone:
            self._marks.clear()
        try:
            self._open_file()
        except (*BROKEN, Unusable) as error:
            if not alone:
                raise
            self._directory.set_aside(str(error))
            self._open_file()
        self._directory.join()

    def _open_file(self) -> None:
        before = self._directory.size()
        self._mapped = before or STEP_BYTES
        env = lmdb.open(
            str(self._directory.path),
            map_size=self._mapped,
            mode=0o600,
            sync=False,
            metasync=False,
            writemap=True,
            max_dbs=3,
            max_spare_txns=1,
        )
        try:
            self._check(env, before)
            env.reader_check()
            self._pins = env.open_db(b"pins")
            self._order = env.open_db(b"order")
            labels = env.open_db(b"labels")
            with env.begin(write=True, db=labels) as txn:
                found = txn.get(FORMAT_KEY)
                if found is None or found in OLDER:
                    txn.put(FORMAT_KEY, FORMAT)
                elif found != FORMAT:
                    raise Unusable("its format is another one")
        except BaseException:
            env.close()
            raise
        self._env = env
        self._labels = Labels(labels)
        self.glance = Glance(env, self._pins, self._marks, self._decode, self._recover).look

    def _check(self, env: lmdb.Environment, before: int) -> None:
        """Refuse a file that was cut off; give a new one its first pages for good."""
        used = (env.info()["last_pgno"] + 1) * env.stat()["psize"]
        if before and used > before:
            raise Unusable("it is shorter than it says")
        if not before and not self._directory.allocate(0, self._mapped):
            raise StoreError(f"the disk has no room for {self._directory.data}: make some")

    def _grow(self) -> bool:
        """Map more of the file, lengthening it if no other process has; False at the bound, or if
        the disk is full."""
        with self._directory.guarded():
            size = self._directory.size()
            if size <= self._mapped:
                more = max(STEP_BYTES, size // 4 // STEP_BYTES * STEP_BYTES)
                size = min(self._mapped + more, self._bound)
                if size <= self._mapped or not self._directory.allocate(self._mapped, size):
                    return False
            with self._mapping:
                self._env.set_mapsize(size)
            self._mapped = size
        return True

    def sync(self) -> None:
        """Write to the disk what is not there yet; may take as long as the disk does, and may run
        in another thread."""
        try:
            with self._mapping:
                self._env.sync(True)
                self._env.reader_check()
        except lmdb.Error as error:
            raise StoreError(f"{self._directory.data}: {error}") from error

    def close(self) -> None:
        try:
            with self._directory.guarded():
                self._close_guarded()
        finally:
            self._env.close()
            self._directory.leave()

    def _close_guarded(self) -> None:
        self.sync()
        self._directory.part()
        if self._directory.alone():
            self._directory.mark("clean")

    # transactions

    def _write(
        self, step: Callable[Concatenate[_Writing, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run `step(txn, ...)` in a write transaction, as often as it takes to map enough."""
        evicted = self.evicted
        while True:
            try:
                with self._env.begin(write=True) as txn:
                    return step(txn, *args, **kwargs)
            except (StoreError, lmdb.Error) as error:
                self._labels.forget()
                self.evicted = evicted
                if isinstance(error, StoreError):
                    raise
                self._recover(error)

    def _put(self, txn: _Writing, key: bytes, value: bytes, *, overwrite: bool = True) -> bool:
        """Write a pin, and that it was written; False if there is one that is not to be."""
        done = txn.put(key, value, overwrite=overwrite, db=self._pins)
        if done:
            self._marks.set(key, txn.id())
        return done

    def _delete(self, txn: _Writing, key: bytes) -> bool:
        """Remove a pin, and say so; False if there was none."""
        self._marks.set(key, txn.id())
        return txn.delete(key, db=self._pins)

    def _recover(self, error: lmdb.Error) -> None:
        """Do what lets the transaction be tried again, or raise StoreError."""
        if isinstance(error, lmdb.MapFullError | lmdb.MapResizedError):
            if self._grow():
                return
            raise StoreFull(f"{self._directory.data} cannot grow over {self._mapped} bytes")
        if isinstance(error, lmdb.ReadersFullError) and self._env.reader_check():
            return
        raise StoreError(f"{self._directory.data}: {error}") from error

    # the contract

    async def lookup(self, key: bytes) -> Pin | None:
        return self.glance(key)

    def _decode(self, value: bytes) -> Pin:
        return self._labels.decode(value) or self._decode_anew(value)

    def _decode_anew(self, value: bytes) -> Pin:
        """Decode a pin that was bound by another process, under names it was first to use."""
        with self._env.begin() as txn:
            return self._labels.decode_in(txn, value)

    async def bind(self, key: bytes, pin: Pin) -> Pin:
        try:
            return self._bind_somewhere(key, pin)
        except StoreFull:
            self.refused += 1
            raise

    def _bind_somewhere(self, key: bytes, pin: Pin) -> Pin:
        while True:
            try:
                return self._write(self._bind, key, pin)
            except _Tight:
                self._tight = not self._grow()

    def _bind(self, txn: _Writing, key: bytes, pin: Pin) -> Pin:
        value = self._labels.encode(txn, pin)
        if not self._put(txn, key, value, overwrite=False):
            return self._labels.decode_in(txn, txn.get(key, b"", db=self._pins))
        if self._room:
            self._room -= 1
        else:
            self._count_room(txn)
        txn.put(order(pin.used, key), b"", db=self._order)
        return pin

    def _count_room(self, txn: _Writing) -> None:
        """Count, and take this process's share of what is left under the cap and in the file, or
        make room. The pin just put is counted but not yet in the order, so it is not the one to
        go. Raises _Tight for a file that might grow."""
        left, pages = self._left(txn)
        if left >= 0 and pages > 0:
            self._tight = False
            self._room = min(left, pages) // SHARE
        elif left >= 0 and not self._tight:
            raise _Tight
        elif self._when_full == "refuse":
            raise StoreFull(f"{self._directory.path} holds as many pins as it may, or has room for")
        else:
            self._evict(txn, min(max(-left, 2 * (pages <= 0)), EVICT))

    def _left(self, txn: _Writing) -> tuple[int, int]:
        """Pins left under the cap, pages left in the file before the reserve; negative: over."""
        pins = txn.stat(self._pins)
        order = txn.stat(self._order)
        used = sum(each["leaf_pages"] + each["branch_pages"] for each in (pins, order))
        pages = self._mapped // pins["psize"]
        return self._max_pins - pins["entries"], pages - max(pages // 8, RESERVE) - used

    def _evict(self, txn: _Writing, number: int) -> None:
        with txn.cursor(self._order) as cursor:
            while number and cursor.first():
                key = ordered_key(cursor.key())
                self._delete(txn, key)
                cursor.delete()
                self.evicted += 1
                number -= 1

    async def rebind(self, key: bytes, old: Pin, new: Pin) -> bool:
        return self._write(self._rebind, key, old, new)

    def _rebind(self, txn: _Writing, key: bytes, old: Pin, new: Pin) -> bool:
        value = txn.get(key, db=self._pins)
        if value is None or not self._labels.decode_in(txn, value).same(old):
            return False
        self._put(txn, key, self._labels.encode(txn, new))
        self._reorder(txn, key, value, new.used)
        return True

    async def touch(self, key: bytes, used: float) -> None:
        self._write(self._touch, key, used)

    def _touch(self, txn: _Writing, key: bytes, used: float) -> None:
        value = txn.get(key, db=self._pins)
        if value is not None:
            self._put(txn, key, with_used(value, used))
            self._reorder(txn, key, value, used)

    def _reorder(self, txn: _Writing, key: bytes, value: bytes, used: float) -> None:
        txn.delete(order(used_of(value), key), db=self._order)
        txn.put(order(used, key), b"", db=self._order)

    async def unbind(self, key: bytes, old: Pin | None = None) -> bool:
        return self._write(self._unbind, key, old)

    def _unbind(self, txn: _Writing, key: bytes, old: Pin | None) -> bool:
        value = txn.get(key, db=self._pins)
        if value is None or (old is not None and not self._labels.decode_in(txn, value).same(old)):
            return False
        txn.delete(order(used_of(value), key), db=self._order)
        return self._delete(txn, key)

    async def scan(
        self, cursor: bytes | None, limit: int
    ) -> tuple[list[tuple[bytes, Pin]], bytes | None]:
        try:
            with self._env.begin() as txn:
                return self._scan(txn, cursor, limit)
        except lmdb.Error as error:
            self._recover(error)
            return await self.scan(cursor, limit)

    def _scan(
        self, txn: _Writing, after: bytes | None, limit: int
    ) -> tuple[list[tuple[bytes, Pin]], bytes | None]:
        batch: list[tuple[bytes, Pin]] = []
        with txn.cursor(self._pins) as cursor:
            found = cursor.first() if after is None else cursor.set_range(after)
            if found and after is not None and cursor.key() == after:
                found = cursor.next()
            while found and len(batch) < limit:
                key, value = cursor.item()
                batch.append((key, self._labels.decode_in(txn, value)))
                found = cursor.next()
        return batch, batch[-1][0] if found and batch else None

    async def count(self) -> int:
        try:
            with self._env.begin() as txn:
                return txn.stat(self._pins)["entries"]
        except lmdb.Error as error:
            self._recover(error)
            return await self.count()
