"""The messages under test: one small value for each shape of envelope.

A case knows its envelope for a given session id and nothing of gateways. The id stands in a custom
SOAP Header block, `shop:SessionId`, the place where most home-made session protocols put it.
Sizes are bytes of the whole envelope, exact to the byte, so that a table may name them.
Add a case by adding a value to `CASES`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

KIB = 1024
PATH = "/shop"
ACTION = "urn:example:shop/add"
CONTENT_TYPE = "text/xml; charset=utf-8"
SESSIONS = 64  # ids in rotation: enough for both backends, few enough for a short warm-up

_OPEN = '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">'
_SESSION = '<shop:SessionId xmlns:shop="urn:example:shop">{id}</shop:SessionId>'
_BODY = '<soap:Body><shop:add xmlns:shop="urn:example:shop">{items}</shop:add></soap:Body>'
_CLOSE = "</soap:Envelope>"
_ITEM = "<shop:item><shop:sku>4711</shop:sku><shop:count>2</shop:count></shop:item>"

_WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
_DS = "http://www.w3.org/2000/09/xmldsig#"


@dataclass(frozen=True, slots=True)
class Case:
    """One envelope shape. `envelope(id)` is what a client with that session posts."""

    name: str
    title: str
    about: str
    envelope: Callable[[str], bytes]
    connections: int = 16

    @property
    def size(self) -> int:
        """Bytes of one envelope; the same for every id that `session_ids` gives."""
        return len(self.envelope(session_ids("size", 1)[0]))


def session_ids(purpose: str, count: int) -> list[str]:
    """`count` opaque ids of 32 hex digits, other ones for each `purpose`, the same in every run."""
    return [hashlib.sha256(f"{purpose} {n}".encode()).hexdigest()[:32] for n in range(count)]


def plain(size: int) -> Callable[[str], bytes]:
    """Envelopes of `size` bytes: a short Header with the id, the rest repeated items in the Body.

    Blanks fill what the last whole item leaves free.
    """

    def envelope(session: str) -> bytes:
        header = f"<soap:Header>{_SESSION.format(id=session)}</soap:Header>"
        room = size - len(_OPEN) - len(header) - len(_BODY.format(items="")) - len(_CLOSE)
        whole, rest = divmod(room, len(_ITEM))
        items = _ITEM * whole + " " * rest
        return (_OPEN + header + _BODY.format(items=items) + _CLOSE).encode()

    return envelope


def secured(header_size: int) -> Callable[[str], bytes]:
    """Envelopes with a Header of `header_size` bytes: certificate, signature, then the id.

    Shaped like WS-Security 1.0 with an X.509 token. Texts differ from session to session, markup
    does not: what one client library sends on behalf of many users.
    """

    def envelope(session: str) -> bytes:
        block = _SESSION.format(id=session)
        bare = len(f"<soap:Header>{_security(session, '')}{block}</soap:Header>")
        token = _base64(session, header_size - bare)
        header = f"<soap:Header>{_security(session, token)}{block}</soap:Header>"
        return (_OPEN + header + _BODY.format(items=_ITEM) + _CLOSE).encode()

    return envelope


def _base64(seed: str, length: int) -> str:
    """`length` characters that look like base64 of a certificate and differ for each seed."""
    blocks = (hashlib.sha512(f"{seed} {n}".encode()).digest() for n in range(length // 64 + 1))
    return base64.b64encode(b"".join(blocks)).decode()[:length]


def _security(session: str, token: str) -> str:
    reference = "".join(
        f'<ds:Reference URI="#{name}"><ds:Transforms>'
        '<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{_DS}sha1"/>'
        f"<ds:DigestValue>{_base64(session + name, 28)}</ds:DigestValue></ds:Reference>"
        for name in ("Timestamp-1", "Body-1")
    )
    return (
        f'<wsse:Security xmlns:wsse="{_WSS}wssecurity-secext-1.0.xsd"'
        f' xmlns:wsu="{_WSS}wssecurity-utility-1.0.xsd" soap:mustUnderstand="1">'
        '<wsu:Timestamp wsu:Id="Timestamp-1"><wsu:Created>2024-05-01T12:00:00Z</wsu:Created>'
        "<wsu:Expires>2024-05-01T12:05:00Z</wsu:Expires></wsu:Timestamp>"
        f'<wsse:BinarySecurityToken wsu:Id="X509-1" EncodingType="{_WSS}soap-message-security-1.0'
        f'#Base64Binary" ValueType="{_WSS}x509-token-profile-1.0#X509v3">{token}'
        f'</wsse:BinarySecurityToken><ds:Signature xmlns:ds="{_DS}"><ds:SignedInfo>'
        '<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>'
        f'<ds:SignatureMethod Algorithm="{_DS}rsa-sha1"/>{reference}</ds:SignedInfo>'
        f"<ds:SignatureValue>{_base64(session + 'signature', 344)}</ds:SignatureValue>"
        '<ds:KeyInfo><wsse:SecurityTokenReference><wsse:Reference URI="#X509-1"/>'
        "</wsse:SecurityTokenReference></ds:KeyInfo></ds:Signature></wsse:Security>"
    )


CASES: dict[str, Case] = {
    case.name: case
    for case in (
        Case("0.5k", "0.5 KB", "512 bytes; what a chatty service sends", plain(512)),
        Case(
            "4k-security",
            "4 KB Header",
            "a 4 KiB WS-Security-like Header before the id, a short Body",
            secured(4 * KIB),
        ),
        Case("30k", "30 KB", "30 KiB, nearly all of it Body", plain(30 * KIB)),
        Case("1m", "1 MB", "1 MiB, nearly all of it Body", plain(KIB * KIB), connections=8),
    )
}
