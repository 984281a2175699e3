"""Copy every pin of a data file that may be damaged into a new one: `python -m ... OLD NEW`.

Run as a child of the store that opens the file, since a damaged file can kill its reader. Exit
status 0: NEW is whole and on the disk. Anything else: OLD is not to be used; the last line on
stderr says why. The order of use is not read but made anew from the pins. What cannot be seen
here is a page that is sound but old: a pin may come back as it stood some seconds earlier.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import lmdb

from soapgate.core.errors import StoreError
from soapgate.core.pins import KEY_BYTES
from soapgate.stores.lmdb_format import FORMAT, FORMAT_KEY, OLDER, Labels, order, used_of

DATABASES = (b"pins", b"order", b"labels")


def mend(old: Path, new: Path) -> int:
    """Copy; return how many pins there are. Raises lmdb.Error or StoreError for a damaged file."""
    new.unlink(missing_ok=True)
    whole = old.stat().st_size
    source = lmdb.open(str(old), subdir=False, readonly=True, lock=False, max_dbs=3, map_size=whole)
    if (source.info()["last_pgno"] + 1) * source.stat()["psize"] > whole:
        raise StoreError("it is shorter than it says")
    # twice the old size: a sequential copy fills its pages better than any file that was in use
    target = lmdb.open(
        str(new), subdir=False, mode=0o600, sync=False, max_dbs=3, map_size=2 * whole + 2**20
    )
    with source.begin() as reading, target.begin(write=True) as writing:
        pins = _copy(source, target, reading, writing)
    target.sync(True)
    # a page that was taken and given back at the end counts, though nobody wrote it
    end = (target.info()["last_pgno"] + 1) * target.stat()["psize"]
    target.close()
    os.truncate(new, max(end, new.stat().st_size))
    source.close()
    return pins


def _copy(
    source: lmdb.Environment,
    target: lmdb.Environment,
    reading: lmdb.Transaction[bytes],
    writing: lmdb.Transaction[bytes],
) -> int:
    pins, _, labels = (source.open_db(name, txn=reading, create=False) for name in DATABASES)
    new_pins, new_order, new_labels = (target.open_db(name, txn=writing) for name in DATABASES)
    if reading.get(FORMAT_KEY, db=labels) not in (FORMAT, *OLDER):
        raise StoreError("its format is another one")
    table = Labels(labels)
    for number, triple in reading.cursor(labels):
        if not writing.put(number, triple, append=True, db=new_labels):
            raise StoreError("its labels are out of order")
    count = 0
    last = b""
    for key, value in reading.cursor(pins):
        if len(key) != KEY_BYTES or key <= last:
            raise StoreError("its keys are out of order")
        last = key
        table.decode_in(reading, value)
        writing.put(key, value, append=True, db=new_pins)
        writing.put(order(used_of(value), key), b"", db=new_order)
        count += 1
    if count != reading.stat(pins)["entries"]:
        raise StoreError("it holds another number of pins than it says")
    return count


if __name__ == "__main__":
    try:
        mend(Path(sys.argv[1]), Path(sys.argv[2]))
    except Exception as error:
        sys.exit(str(error) or type(error).__name__)
