"""The gateway's own cookie: affinity where nothing else can be read, and only if asked for.

Where bodies are encrypted or binary and a backend sets no cookie, a service may tell the gateway
to set one (`affinity_cookie = "NAME"`). It is the last resort: it counts after every session id,
is set only where an exchange had none, and the backend never sees it, for some services break on
a cookie they did not set.

    token = base64url(expiry (4) | tag (8) | mac (16)), unpadded: 38 characters
    tag   = keyed BLAKE2b-64 of the backend's name; mac = keyed BLAKE2b-128 of cookie, scope, rest

Nothing is stored: the cookie carries its decision, so a client that never sends it back costs
nothing. A random id with a pin, like any other session, was dropped for that: most SOAP clients
keep no cookies, and each of their requests would leave a pin. The price: it ends at a fixed time
and cannot be moved, only replaced when the backend is gone.

The rule: a token that is not ours, or not for this service, is as if it were not there. The mac is
compared in constant time. Times are seconds since the epoch, an argument as everywhere in core.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

from soapgate.core.carriers import cookies
from soapgate.core.pins import Pin
from soapgate.core.routing import Identity

PROFILE = "affinity-cookie"  # what log lines call it
TAG_BYTES = 8
MAC_BYTES = 16
_EXPIRY_BYTES = 4
_TOKEN = re.compile(r"[A-Za-z0-9_-]{38}")  # 28 bytes in base64 without its padding
_REMOVED = "-"  # no backend can be called this: the tag of one that is in the pool no more

_COOKIE_LINE = re.compile(rb"(?i)(?<=\r\n)(cookie:[ \t]*)([^\r\n]*)\r\n")
# As `carriers` reads them: quotes hold a value together where they open and close it.
_PIECE = re.compile(rb"""[^;=]*(?:=[ \t]*(?:"(?:[^"\\]|\\.)*"[ \t]*(?=;|$)|[^;]*))?""")


class Claim(NamedTuple):
    """What a valid token says: of which backend the `tag` is, until when; `key` is for logs."""

    tag: bytes
    until: float
    key: bytes


class AffinityCookie:
    """The cookie `name` of the services that share `scope`, good for `max_age` seconds; `secret`
    is the installation's."""

    def __init__(self, name: str, secret: bytes, scope: str, max_age: float) -> None:
        self.name = name
        self._secret = secret
        self._scope = scope
        self._max_age = int(max_age)
        self._context = f"{len(name)}:{name}{scope}".encode()
        self._tags: dict[str, bytes] = {}

    def issue(self, backend: str, now: float, *, secure: bool) -> bytes:
        """The line that sets the cookie, its CRLF included."""
        until = int(now) + self._max_age
        body = until.to_bytes(_EXPIRY_BYTES, "big") + self._tag(backend)
        token = urlsafe_b64encode(body + self._mac(body)).rstrip(b"=").decode()
        more = "; Secure" if secure else ""
        return (
            f"Set-Cookie: {self.name}={token}; Path=/; Max-Age={self._max_age}; HttpOnly;"
            f" SameSite=Lax{more}\r\n"
        ).encode()

    def read(self, fields: Iterable[bytes]) -> tuple[Claim | None, int]:
        """(the first token of ours in Cookie fields, how many values of its name are not ours)."""
        claim, foreign = None, 0
        for name, value in cookies(fields):
            if name == self.name:
                read = self._read(value)
                foreign += read is None
                claim = claim or read
        return claim, foreign

    def _read(self, token: str) -> Claim | None:
        if _TOKEN.fullmatch(token) is None:
            return None
        raw = urlsafe_b64decode(token + "==")
        body, mac = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(body)):
            return None
        until = int.from_bytes(body[:_EXPIRY_BYTES], "big")
        return Claim(body[_EXPIRY_BYTES:], float(until), mac)

    def identity(self, claim: Claim | None, names: Iterable[str], now: float) -> Identity | None:
        """The identity that a claim makes at `now` among the backends `names`; None for none, and
        for one that is over. It stands in no store, so its `primary` is empty."""
        if claim is None or claim.until <= now:
            return None
        backend = next((name for name in names if self._tag(name) == claim.tag), _REMOVED)
        pin = Pin(self._scope, PROFILE, backend, b"", now, now)
        return Identity(PROFILE, claim.key, False, pin, b"")

    def without(self, forward: bytes) -> bytes:
        """The lines of a head without this cookie, and without a Cookie line that held no other."""
        return _COOKIE_LINE.sub(self._line, forward)

    def _line(self, line: re.Match[bytes]) -> bytes:
        ours = self.name.encode()
        kept: list[bytes] = []
        leaving = False
        pieces = [found[0] for found in _PIECE.finditer(line[2])]
        for piece in pieces:
            name = piece.partition(b"=")[0].strip(b" \t")
            if not name:
                continue
            # `$Path` and the like belong to the cookie before them (RFC 2965 3.3.4)
            leaving = name == ours or (leaving and name[:1] == b"$")
            if not leaving:
                kept.append(piece)
        if len(kept) == sum(bool(piece.strip(b" \t")) for piece in pieces):
            return line[0]
        if all(piece.strip(b" \t")[:1] == b"$" for piece in kept):
            return b""
        return line[1] + b";".join(kept).strip(b" \t") + b"\r\n"

    def _tag(self, backend: str) -> bytes:
        tag = self._tags.get(backend)
        if tag is None:
            # names come from the configuration: a handful, never from a message
            tag = blake2b(
                backend.encode(), digest_size=TAG_BYTES, key=self._secret, person=b"soapgate-tag"
            ).digest()
            self._tags[backend] = tag
        return tag

    def _mac(self, body: bytes) -> bytes:
        return blake2b(
            self._context + b"\0" + body,
            digest_size=MAC_BYTES,
            key=self._secret,
            person=b"soapgate-cookie",
        ).digest()
