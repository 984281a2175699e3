"""Keys: under which a store keeps the pin of an id.

The one rule: an id is never stored in clear. A key is a keyed hash, so that whoever copies a pin
file or reads a log can neither use what it shows nor try guesses against it.
"""

from __future__ import annotations

import hashlib

from soapgate.core.pins import KEY_BYTES


class Keys:
    """Turns (scope, profile, id) into a store key with keyed BLAKE2b-128 (RFC 7693).

    `secret` is 16 to 64 bytes, the installation's own; without it keys cannot be recomputed
    from guessed ids, so a copy of the pin file gives no session away.
    """

    def __init__(self, secret: bytes) -> None:
        if not 16 <= len(secret) <= 64:
            raise ValueError(f"the key secret has {len(secret)} bytes, allowed are 16 to 64")
        self._secret = secret
        self._started: dict[tuple[str, str], hashlib.blake2b] = {}

    def key(self, scope: str, profile: str, session_id: str) -> bytes:
        """The key of one id. The parts are length-delimited, so no two triples share an input."""
        started = self._started.get((scope, profile))
        if started is None:
            # scopes and profiles come from the configuration: a handful, never from a message
            started = hashlib.blake2b(digest_size=KEY_BYTES, key=self._secret)
            for part in (scope, profile):
                raw = part.encode()
                started.update(len(raw).to_bytes(4, "big") + raw)
            self._started[(scope, profile)] = started
        hashed = started.copy()
        hashed.update(session_id.encode("utf-8", "surrogatepass"))
        return hashed.digest()
