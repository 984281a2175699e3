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

SHOP = ("shop", "urn:example:shop")


class Reader(MessagePlugin):
    """Remembers the last reply's envelope."""

    def parsed(self, context) -> None:
        self.envelope = context.reply


def block(reader: Reader, carrier: str, reply) -> Element | None:
    """What to send with each request of the session."""
    if carrier == "cookie":
        return None
    if carrier == "wsa":
        issued = reader.envelope.childAtPath("Envelope/Header/ReplyTo/ReferenceParameters/CartKey")
        return Element("CartKey", ns=SHOP).setText(issued.getText())
    if carrier == "header":
        issued = reader.envelope.childAtPath("Envelope/Header/Session").get("id")
    else:
        issued = reply.sessionId
    element = Element("Session", ns=SHOP)
    element.append(Attribute("id", issued))
    return element


def main(url: str, carrier: str, customer: str) -> int:
    reader = Reader()
    contract = Path(environ["CONTRACTS"], f"cart-{carrier}.wsdl").as_uri()
    client = Client(contract, location=url + carrier, plugins=[reader], cache=None, timeout=60)
    call = client.service
    try:
        reply = call.login(customer)
        print("login", reply.node)
        echoed = block(reader, carrier, reply)
        client.set_options(soapheaders=[echoed] if echoed is not None else [])
        for article, quantity in (("tea", 1), ("jam", 2)):
            reply = call.add(article, quantity)
            print("add", reply.node, reply.count)
        reply = call.items()
        lines = ",".join(f"{line.article}={line.quantity}" for line in reply.line)
        print("items", reply.node, reply.customer, lines)
        reply = call.checkout()
        print("checkout", reply.node, reply.count)
    except suds.WebFault as fault:
        print("fault", fault.fault.faultcode)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
