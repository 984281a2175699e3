"""The envelopes of the bench: SOAP 1.1, exact to the byte, with the session id where a case wants.

A maker takes the session id and returns bytes; the same id gives the same bytes, and every id the
same number of them. `SERIAL` in an envelope stands for eight hex digits that the load generator
fills in anew for every request: what never repeats cannot be written down beforehand. Envelopes
know nothing of HTTP and of gateways.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

Maker = Callable[[str], bytes]

SERIAL = "@serial@"  # as long as what replaces it; `@` is in no XML name
SESSION = "SessionId"  # local name of the element that carries the id, in urn:example:shop

_OPEN = '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">'
_BLOCK = f'<shop:{SESSION} xmlns:shop="urn:example:shop">{{id}}</shop:{SESSION}>'
_BODY = '<soap:Body><shop:add xmlns:shop="urn:example:shop">{items}</shop:add></soap:Body>'
_CLOSE = "</soap:Envelope>"
_ITEM = "<shop:item><shop:sku>4711</shop:sku><shop:count>2</shop:count></shop:item>"

_WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
_DS = "http://www.w3.org/2000/09/xmldsig#"


def in_header(size: int) -> Maker:
    """Envelopes of `size` bytes: a short Header with the id, the rest repeated items in the Body.

    Blanks fill what the last whole item leaves free.
    """

    def envelope(session: str) -> bytes:
        header = f"<soap:Header>{_BLOCK.format(id=session)}</soap:Header>"
        return _filled(header, "", size)

    return envelope


def in_body(size: int) -> Maker:
    """The same, the id in the Body: the first child of the operation."""

    def envelope(session: str) -> bytes:
        return _filled("", f"<shop:{SESSION}>{session}</shop:{SESSION}>", size)

    return envelope


def without_id(size: int) -> Maker:
    """The same, no Header and no id: a message of no session protocol."""

    def envelope(_session: str) -> bytes:
        return _filled("", "", size)

    return envelope


def _filled(header: str, first: str, size: int) -> bytes:
    bare = _OPEN + header + _BODY.format(items=first) + _CLOSE
    whole, rest = divmod(size - len(bare), len(_ITEM))
    return (
        _OPEN + header + _BODY.format(items=first + _ITEM * whole + " " * rest) + _CLOSE
    ).encode()


def secured(header_size: int, *, unique: bool = False) -> Maker:
    """Envelopes with a Header of `header_size` bytes: certificate, signature, then the id.

    Shaped like WS-Security 1.0 with an X.509 token. Texts differ from session to session, markup
    does not: what one client library sends on behalf of many users. With `unique` no two requests
    have the same markup: the prefix of the id's block is made anew for each.
    """

    def envelope(session: str) -> bytes:
        block = _BLOCK.format(id=session)
        if unique:
            block = block.replace("shop:", f"p{SERIAL}:").replace(":shop=", f":p{SERIAL}=")
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
