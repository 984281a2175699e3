"""Conversations to learn from: requests and responses of a shop, made of text."""

from __future__ import annotations

from soapgate.core.explained import Message

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
ID = "f3a9c2d17b604e5880aa1d"


def envelope(header="", body="<c:a/>"):
    return (
        f'<e:Envelope xmlns:e="{SOAP}" xmlns:c="urn:example:cart"><e:Header>{header}</e:Header>'
        f"<e:Body>{body}</e:Body></e:Envelope>"
    ).encode()


def fields(named):
    return {
        name.replace("_", "-").encode(): [
            v.encode() for v in ([value] if isinstance(value, str) else value)
        ]
        for name, value in named.items()
    }


def request(header="", body="<c:a/>", *, target=b"/", action="", **named):
    return Message("request", envelope(header, body), action, target, 0, fields(named))


def response(header="", body="<c:b/>", **named):
    return Message("response", envelope(header, body), status=200, fields=fields(named))
