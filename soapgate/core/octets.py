"""Questions about octets that every message is asked, in plain Python; `_octets.pyx` answers the
same, compiled. Tests hold both against each other."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

# What nearly every text is made of. Compiled code compares sixteen octets with it at a time.
COMMON = bytes(set(range(0x28, 0x7F)) - set(b"<]"))


def table(octets: bytes) -> bytes:
    """A set of octets as `run` takes it: for each of the 256 whether it is in the set, and at last
    whether all of `COMMON` are."""
    return bytes([octet in octets for octet in range(256)] + [set(COMMON) <= set(octets)])


# stands(data, piece, start): whether `piece` stands in `data` at `start`.
stands: Callable[[bytes, bytes, int], bool] = bytes.startswith


def run(data: bytes, start: int, most: int, allowed: bytes) -> int:
    """Where octets of a set end in `data`, from `start` on and after at most so many."""
    match = _pattern(allowed).match(data, start, start + most)
    assert match is not None
    return match.end()


@cache  # of a handful of sets
def _pattern(allowed: bytes) -> re.Pattern[bytes]:
    escaped = b"".join(re.escape(bytes([octet])) for octet in range(256) if allowed[octet])
    return re.compile(b"[%b]*" % escaped if escaped else b"")
