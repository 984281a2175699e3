"""Mutual TLS: what a listener asks of its clients, and why one of them is turned away.

Twisted's endpoint strings (`ssl:`) have no words for it. So `endpoint` reads such a string with a
reactor that puts into the endpoint's own TLS options whom to believe when it comes to listen;
nothing else of them changes, and what surrounds the endpoint (`haproxy:`, an adopted socket) stays
as it is. To read the options of the string ourselves was dropped: they would be known twice.

The one rule: OpenSSL judges, in the handshake, before a byte of HTTP is read, and does so at every
connection. Twisted's options keep no TLS sessions, so none is resumed, and a certificate that has
expired does not live on in one. There is no revocation list.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from OpenSSL.crypto import X509StoreFlags
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.ssl import Certificate
from zope.interface import implementer

from soapgate.edge.tls import authorities

_CODES = SSL.X509VerificationCodes
_UNVOUCHED = "no authority of client_ca vouches for it"
# X509_verify_cert_error_string(3) says the same of these in the words of a library
_WHY = {
    _CODES.ERR_UNABLE_TO_GET_ISSUER_CERT: _UNVOUCHED,
    _CODES.ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY: _UNVOUCHED,
    _CODES.ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: _UNVOUCHED,
    _CODES.ERR_DEPTH_ZERO_SELF_SIGNED_CERT: _UNVOUCHED,
    _CODES.ERR_SELF_SIGNED_CERT_IN_CHAIN: _UNVOUCHED,
    _CODES.ERR_CERT_SIGNATURE_FAILURE: _UNVOUCHED,  # of another authority by the same name
    _CODES.ERR_CERT_HAS_EXPIRED: "it has expired",
    _CODES.ERR_CERT_NOT_YET_VALID: "it is not valid yet",
    _CODES.ERR_INVALID_PURPOSE: "it is not for clients (extended key usage)",
}
_NAME = 100  # characters of a name in a sentence: it is a stranger's


@dataclass(frozen=True, slots=True)
class Asked:
    """What clients are asked for: a certificate that one of these `authorities` vouches for.
    `required`: a client without one is turned away as well."""

    authorities: tuple[Certificate, ...]
    required: bool = True

    # the one method of what `CertificateOptions` takes for a trustRoot
    def _addCACertsToContext(self, context: SSL.Context) -> None:
        store = context.get_cert_store()
        # an authority is believed because it is in the file, be it a root or not
        store.set_flags(X509StoreFlags.PARTIAL_CHAIN)
        for one in self.authorities:
            store.add_cert(one.original)
            # a client that has several certificates chooses by this (RFC 8446 4.2.4)
            context.add_client_ca(one.original)


def asked(ca: Path, *, required: bool) -> Asked:
    """Ask for a certificate of the authorities in `ca` (PEM). Raises ConfigError for a file that
    is not what it should be."""
    return Asked(tuple(authorities(ca)), required)


def endpoint(reactor: Any, text: str, asks: Asked | None) -> Any:
    """The server endpoint of a string; where it speaks TLS, it asks clients for a certificate.
    Raises whatever Twisted does for a string that it cannot read."""
    return serverFromString(reactor if asks is None else _Asking(reactor, asks), text)


class _Asking:
    """As much of a reactor as a server endpoint asks for."""

    def __init__(self, reactor: Any, asks: Asked) -> None:
        self._reactor = reactor
        self._asks = asks

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenSSL(self, port: int, factory: Any, contextFactory: Any, **others: Any) -> Any:
        options = _Options(contextFactory, self._asks)
        return self._reactor.listenSSL(port, factory, contextFactory=options, **others)


@implementer(IOpenSSLServerConnectionCreator)
class _Options:
    """TLS by an endpoint's own `CertificateOptions`, and with clients that are asked."""

    def __init__(self, options: Any, asks: Asked) -> None:
        # before it makes its context, for a context that has a cipher list takes nothing more
        options.verify, options.requireCertificate = True, asks.required
        options.trustRoot = asks
        self._context: SSL.Context = options.getContext()
        self._mode = self._context.get_verify_mode()

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        connection = _Connection(self._context, None)
        connection.set_verify(self._mode, _judge)
        return connection


class _Connection(SSL.Connection):
    """One that remembers why the client's certificate was refused, for OpenSSL's error does not
    say; "" if it was not."""

    refusal = ""


def _judge(connection: Any, shown: Any, code: int, depth: int, ok: int) -> bool:
    """OpenSSL's own verdict."""
    if not ok:
        whose = "the certificate" if depth == 0 else "an authority above it,"
        why = _WHY.get(code, f"OpenSSL's code is {code}")
        connection.refusal = f"{whose} {_name(shown)}: {why}"
    return bool(ok)


def _name(shown: Any) -> str:
    try:
        text = shown.to_cryptography().subject.rfc4514_string()
    except ValueError:
        return "(its name cannot be read)"
    return ascii(text[:_NAME])


def broken_handshake(transport: Any, error: BaseException) -> str:
    """Why a client's TLS did not come about, by what its connection ended with; "" for any other
    end. No fingerprint of a certificate is in it: that is what `client:certificate` finds."""
    if type(error) is not SSL.Error:
        return ""
    refusal = getattr(transport.getHandle(), "refusal", "")
    if refusal:
        return str(refusal)
    (*_, (*_, reason)) = error.args[0] or (("", "", "TLS failed"),)
    return "no certificate was shown" if "not return a certificate" in reason else str(reason)
