"""suds (suds-community): a client of the cart, see ../stacks.py for what it is told and tells.

suds keeps cookies by itself. Header blocks are set with `soapheaders`; those of a reply are not
handed out, so a plugin reads them.
"""

from __future__ import annotations

import sys
from os import environ
from pathlib import Path

import suds
from suds.client import Client
from suds.plugin import MessagePlugin
from suds.sax.attribute import Attribute
from suds.sax.element import Element
from told import shop

SHOP = ("shop", "urn:example:shop")


class Reader(MessagePlugin):
    """Remembers the last reply's envelope."""

    def parsed(self, context) -> None:
        self.envelope = context.reply


class Cart:
    """The cart over one carrier: what a reply issued goes with each request of the session."""

    def __init__(self, url: str, carrier: str) -> None:
        self._carrier = carrier
        self._reader = Reader()
        contract = Path(environ["CONTRACTS"], f"cart-{carrier}.wsdl").as_uri()
        options = {"plugins": [self._reader], "cache": None, "timeout": 60}
        self._client = Client(contract, location=url + carrier, **options)
        calls = self._client.service
        self.add, self.items, self.checkout = calls.add, calls.items, calls.checkout

    def login(self, customer: str):
        reply = self._client.service.login(customer)
        echoed = self._echo(reply)
        self._client.set_options(soapheaders=[echoed] if echoed is not None else [])
        return reply

    def _echo(self, reply) -> Element | None:
        if self._carrier == "cookie":
            return None
        header = self._reader.envelope.childAtPath("Envelope/Header")
        if self._carrier == "wsa":
            issued = header.childAtPath("ReplyTo/ReferenceParameters/CartKey")
            return Element("CartKey", ns=SHOP).setText(issued.getText())
        body = self._carrier == "body"
        issued = reply.sessionId if body else header.childAtPath("Session").get("id")
        element = Element("Session", ns=SHOP)
        element.append(Attribute("id", issued))
        return element


def main(url: str, carrier: str, customer: str) -> int:
    cart = Cart(url, carrier)
    return shop(cart, customer, fault=suds.WebFault, code=lambda error: error.fault.faultcode)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
