"""Where pins are kept: one contract (soapgate.core.pins.PinStore), several stores.

    memory:        memory.py         one process, forgets at its end
    lmdb:PATH      lmdb.py           the processes of one machine, over restarts
                   lmdb_format.py    how a pin is written there
                   lmdb_directory.py key, state, locks, and what to do with a damaged file
                   lmdb_mend.py      the child that reads a damaged file

`open_store` turns the configuration's `pins = "..."` into one of them; nothing else outside this
package knows which there are.
"""

from __future__ import annotations

from pathlib import Path

from soapgate.core.errors import ConfigError
from soapgate.core.pins import PinStore
from soapgate.stores.memory import MAX_PINS, MemoryStore, WhenFull

ALLOWED = 'allowed are "memory:" and "lmdb:PATH", PATH a directory'
LATER = ("hazelcast", "redis")


def open_store(
    url: str,
    *,
    max_pins: int = MAX_PINS,
    when_full: WhenFull = "evict",
    base: Path = Path(),
) -> PinStore:
    """The store that `url` names; a relative path starts at `base`. Raises ConfigError for a url
    that names none, StoreError for a store that cannot be opened."""
    problem = url_problem(url)
    if problem:
        raise ConfigError([problem])
    if url == "memory:":
        return MemoryStore(max_pins, when_full)
    # LMDB is loaded where it is used: a gateway with pins in memory starts without it
    from soapgate.stores.lmdb import LmdbStore

    return LmdbStore(base / url.removeprefix("lmdb:"), max_pins, when_full)


def url_problem(url: str) -> str:
    """What is wrong with a store's url, as a sentence, without opening anything; "" for nothing."""
    scheme, colon, rest = url.partition(":")
    if (scheme == "memory" and colon and not rest) or (scheme == "lmdb" and rest):
        return ""
    if scheme in LATER and colon:
        return f'a pin store in {scheme} is not yet there: "{url}"; {ALLOWED}'
    return f'"{url}" names no pin store; {ALLOWED}'
