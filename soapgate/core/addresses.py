"""Which URLs are a backend's own, and what they become: the address at which the client came in.

A service that writes its own address into a WSDL, an endpoint reference or a Location sends its
clients round the gateway, and their sessions with them. An *origin* is what such a URL begins
with: scheme, host and port (RFC 6454 4). A request keeps its path on its way to a backend, so
the origin is all that has to be replaced; the path, and an id that stands in it, stay.

The one rule: a URL counts only as a whole, an origin followed by `/`, `?`, `#` or nothing, and
only if the origin is a backend's of the service. A name that merely begins like one
(`http://b1.example` in `http://b1.example.org/`), one with a user before an `@`, and a backend of
another service are somebody else's and stay.

Refused: addresses that a message claims for itself. What the gateway is called comes from the
request's Host, from a proxy that the configuration trusts, or from the configuration.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from ipaddress import AddressValueError, IPv6Address
from typing import NamedTuple

Address = tuple[bool, str, int]  # tls, host in lower case without brackets, port

_PORTS = {b"http": 80, b"https": 443}
_AUTHORITY = rb"(\[[0-9a-f:.]+(?:%%25[a-z0-9._~-]+)?\]|[a-z0-9._~-]+)(?::([0-9]{0,5}))?%b"
_URL = re.compile(rb"(?i)(https?)://" + _AUTHORITY % rb"(?=[/?#]|\Z)")
# the same amid other text: what follows may be markup or punctuation as well
_AMID = re.compile(rb"(?i)(https?)://" + _AUTHORITY % rb"(?=[/?#\s<>\"'&,;)\]]|\Z)")
# Host may hold `&` and `'` (RFC 3986 3.2.2), which would not stay text in a message
_HOST = re.compile(rb"(?i)" + _AUTHORITY % rb"\Z")
_LOCATED = re.compile(rb"(?im)^(?:location|content-location):[ \t]*([^\r\n]*)")
# RFC has none; the HTML standard 4.2.5.3 calls it a pragma: `5; url=http://...`, maybe in quotes
_REFRESH = re.compile(rb"(?im)^refresh:[^\r\n]*?url[ \t]*=[ \t]*[\"']?([^\r\n\"']*)")
_FIELDS = ((b"location", _LOCATED), (b"content-location", _LOCATED), (b"refresh", _REFRESH))


class Public(NamedTuple):
    """What the gateway is called: `origin` as it is written, `address` to compare by."""

    origin: bytes
    address: Address

    @classmethod
    def of(cls, scheme: bytes, host: bytes) -> Public | None:
        """That of a scheme and the value of a Host field. None for a host that is no name, IPv4
        address or IPv6 literal, or for another scheme than http and https."""
        scheme = scheme.lower()
        found = _HOST.match(host)
        if found is None or scheme not in _PORTS:
            return None
        address = _address(scheme, found[1], found[2])
        if address is None:
            return None
        return cls(b"%b://%b" % (scheme, host.removesuffix(b":")), address)


class Origins:
    """The origins of a service's backends."""

    def __init__(self, addresses: Iterable[Address]) -> None:
        self.known = frozenset((tls, _bare(host), port) for tls, host, port in addresses)
        hosts = sorted({host for _, host, _ in self.known})
        # an IPv6 address may be written in many ways, so all literals are looked at
        names = [re.escape(host.encode()) if ":" not in host else rb"\[" for host in hosts]
        self._suspect = re.compile(rb"(?i)://(?:%b)" % b"|".join(names) if names else rb"(?!)")

    def suspects(self, data: bytes) -> bool:
        """Whether a backend's host stands anywhere: False spares a closer look."""
        return self._suspect.search(data) is not None

    def end(self, data: bytes, start: int, stop: int) -> int:
        """Where the origin of the URL in data[start:stop] ends; 0 if it is no backend's."""
        found = _URL.match(data, start, stop)
        return found.end() if found is not None and self._is_known(found) else 0

    def shown(self, data: bytes, own: Address | None) -> bool:
        """Whether a URL of a backend stands anywhere in `data`. `own`: the gateway's address, which
        is none of a backend's even if it is spelt like one."""
        return self.suspects(data) and any(
            self._is_known(found) and _address(*found.groups()) != own
            for found in _AMID.finditer(data)
        )

    def _is_known(self, found: re.Match[bytes]) -> bool:
        return _address(*found.groups()) in self.known


def fields_with(
    forward: bytes, fields: Mapping[bytes, object], origins: Origins, origin: bytes
) -> bytes:
    """The lines of a head with `origin` for a backend's in Location, Content-Location and
    Refresh: the same object if there is nothing to replace. `fields`: the names that it has, in
    lower case."""
    for name, pattern in _FIELDS:
        if name in fields:
            at = 0
            while (found := pattern.search(forward, at)) is not None:
                start = found.start(1)
                end = origins.end(forward, start, start + len(found[1].rstrip(b" \t")))
                if end and forward[start:end] != origin:
                    forward = forward[:start] + origin + forward[end:]
                at = start + 1
    return forward


def _address(scheme: bytes, host: bytes, port: bytes | None) -> Address | None:
    """None for a port that is none or an address that is broken."""
    number = int(port) if port else _PORTS[scheme.lower()]
    name = host.decode("ascii").lower()
    if name.startswith("["):
        try:
            name = str(IPv6Address(name[1:-1].replace("%25", "%", 1)))
        except AddressValueError:
            return None
    return (scheme.lower() == b"https", _bare(name), number) if 0 < number < 65536 else None


def _bare(host: str) -> str:
    """A host as it is compared: lower case, no dot at the end, an IPv6 address in one spelling."""
    if ":" in host:
        with suppress(AddressValueError):
            return str(IPv6Address(host))
    return host.lower().removesuffix(".")
