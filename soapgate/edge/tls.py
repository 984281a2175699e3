"""TLS towards backends: verified by default, and every way to be less strict is spelt out.

OpenSSL through pyOpenSSL, names checked by service_identity, as Twisted does it. What is not
verified is said when the gateway starts, never only in the configuration.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    PrivateCertificate,
    optionsForClientTLS,
    platformTrust,
    trustRootFromCertificates,
)
from zope.interface import implementer

from soapgate.core.errors import ConfigError


def client_options(
    host: str,
    *,
    verify: bool = True,
    ca: Path | None = None,
    cert: Path | None = None,
    key: Path | None = None,
) -> Any:
    """What `wrapClientTLS` wants: verify the backend as `host` against the authorities in `ca`
    (PEM; None: the system's) and show the certificate in `cert` with the key in `key` (None: in
    the same file). Raises ConfigError for a file that is not what it should be."""
    own = _own(cert, key) if cert is not None else None
    if not verify:
        return _Unverified(own, host)
    trust = platformTrust() if ca is None else trustRootFromCertificates(authorities(ca))
    try:
        return optionsForClientTLS(host, trustRoot=trust, clientCertificate=own)
    except UnicodeError as error:
        raise ConfigError([f"{host!r} is no name that a certificate can have: {error}"]) from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None


def authorities(path: Path) -> list[Certificate]:
    """The certificates in a PEM file. Raises ConfigError for a file without any."""
    end = b"-----END CERTIFICATE-----"
    blocks = [block + end for block in _read(path).split(end)[:-1]]
    if not blocks:
        raise ConfigError([f"{path}: holds no certificate in PEM form"])
    try:
        return [Certificate.loadPEM(block) for block in blocks]
    except Exception as error:
        raise ConfigError([f"{path}: holds a broken certificate: {error}"]) from None


def _own(cert: Path, key: Path | None) -> PrivateCertificate:
    pem = _read(cert) + (b"\n" + _read(key) if key is not None else b"")
    try:
        return PrivateCertificate.loadPEM(pem)
    except Exception as error:
        raise ConfigError([f"{cert}: no certificate with its private key: {error}"]) from None


@implementer(IOpenSSLClientConnectionCreator)
class _Unverified:
    """Encrypts, and believes whoever answers: only where the configuration says verify = false."""

    def __init__(self, own: PrivateCertificate | None, host: str) -> None:
        options = own.options() if own is not None else CertificateOptions()
        self._context = options.getContext()
        self._context.set_verify(SSL.VERIFY_NONE, lambda *_: True)
        self._host = host.encode("idna")

    def clientConnectionForTLS(self, tls_protocol: Any) -> SSL.Connection:
        """A connection that names the host it wants (RFC 6066 3), unless that is an address."""
        connection = SSL.Connection(self._context, None)
        if not self._host.replace(b".", b"").isdigit() and b":" not in self._host:
            connection.set_tlsext_host_name(self._host)
        return connection
