"""A shopping cart that lives in the memory of one node: the service whose sessions must stick.

The one rule: a session exists where `login` was answered and nowhere else, so a call that reaches
another node gets the fault `Client.SessionUnknown`. Every reply names the node it came from.

How the session id travels is not the cart's business but a `Carrier`'s, one of:

    header   login's reply has the header block  shop:Session/@id; clients send the block back
    wsa      login's reply has a wsa:ReplyTo with the reference parameter  shop:CartKey; clients
             send it back as a header block of its own (WS-Addressing 1.0 SOAP Binding, 3.4)
    body     login's reply has  shop:loginResponse/shop:sessionId; clients send shop:Session/@id
    cookie   login's HTTP response sets the cookie  session-id, and checkout's deletes it

Each is served at the path of its name. The alternative, a service class for each carrier, was
dropped: they would differ in nothing a reader wants to compare.

    python samples/cart.py --name b1 --port 9001 --carrier all
    python samples/cart.py --contracts wsdl
"""

from __future__ import annotations

import argparse
import secrets
import sys
import threading
import time
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Protocol

import spyne_compat
from lxml import etree
from spyne import Application, ComplexModel, Fault, Integer, Service, Unicode, XmlAttribute, rpc
from spyne.protocol.soap import Soap11

SHOP = "urn:example:shop"
WSA = "http://www.w3.org/2005/08/addressing"
ANONYMOUS = WSA + "/anonymous"
COOKIE = "session-id"  # the name in Spyne's own example
CART_KEY = f"{{{SHOP}}}CartKey"
LONGEST_WAIT = 30  # seconds; a call that is held longer would outlive a test's patience


@dataclass(slots=True)
class Cart:
    """One session: whose it is and article -> quantity, in the order they were added."""

    customer: str
    lines: dict[str, int] = field(default_factory=dict)


class Carts:
    """The sessions of one node: id -> cart. Safe to use from several threads."""

    def __init__(self) -> None:
        self._carts: dict[str, Cart] = {}
        self._lock = threading.Lock()

    def start(self, customer: str) -> str:
        """Put a new cart up and return the id it is known by."""
        session = secrets.token_urlsafe(16)
        with self._lock:
            self._carts[session] = Cart(customer)
        return session

    def find(self, session: str | None) -> Cart:
        """The cart of a session. Raises the fault `Client.SessionUnknown` when there is none."""
        cart = self._carts.get(session or "")
        if cart is None:
            raise Fault("Client.SessionUnknown", "This node has no such session")
        return cart

    def add(self, session: str | None, article: str, quantity: int) -> int:
        """Put articles into the cart; the number of articles in it then."""
        with self._lock:
            lines = self.find(session).lines
            lines[article] = lines.get(article, 0) + quantity
            return sum(lines.values())

    def end(self, session: str | None) -> Cart:
        """Take the cart away: its session is over."""
        with self._lock:
            cart = self.find(session)
            self._carts.pop(session or "")
            return cart


class Session(ComplexModel):
    """The header block that names a session: `<shop:Session id="..."/>`."""

    __namespace__ = SHOP
    id = XmlAttribute(Unicode, use="required")


class Line(ComplexModel):
    """One line of a cart."""

    __namespace__ = SHOP
    article = Unicode(min_occurs=1, nillable=False)
    quantity = Integer(min_occurs=1, nillable=False)


class Carrier(Protocol):
    """How a session id leaves with a reply and comes back with a request.

    `in_header` and `out_header` hold the Spyne classes the WSDL declares, or are None. `in_body`
    says whether login's reply has the id as its `sessionId`.
    """

    in_header: tuple[type, ...] | None
    out_header: tuple[type, ...] | None
    in_body: bool

    def issue(self, context, session: str) -> None:
        """Let the reply carry the id."""

    def read(self, context) -> str | None:
        """The id that the request carries, if it does."""

    def revoke(self, context) -> None:
        """Let the reply say that the session is over, where the carrier has a way to."""


class HeaderCarrier:
    """A header block of the service's own, both ways."""

    in_header = out_header = (Session,)
    in_body = False

    def issue(self, context, session: str) -> None:
        context.out_header = Session(id=session)

    def read(self, context) -> str | None:
        return None if context.in_header is None else context.in_header.id

    def revoke(self, context) -> None:
        """No way: the call itself, shop:checkout, is the sign."""


class BodyCarrier(HeaderCarrier):
    """The id comes as a value of login's reply; the caller puts it into the header block."""

    out_header = None
    in_body = True

    def issue(self, context, session: str) -> None:
        """Nothing to add: `login` returns the id."""


class WsaCarrier:
    """A WS-Addressing reference parameter. WS-Addressing stays out of the WSDL, as it mostly does,
    and Spyne knows nothing of it, so the blocks are written and read as plain elements."""

    in_header = out_header = None
    in_body = False

    def issue(self, context, session: str) -> None:
        reply_to = etree.Element(f"{{{WSA}}}ReplyTo", nsmap={"wsa": WSA, "shop": SHOP})
        etree.SubElement(reply_to, f"{{{WSA}}}Address").text = ANONYMOUS
        parameters = etree.SubElement(reply_to, f"{{{WSA}}}ReferenceParameters")
        etree.SubElement(parameters, CART_KEY).text = session
        context.udc = reply_to

    def read(self, context) -> str | None:
        blocks = context.in_header_doc or ()
        return next((block.text for block in blocks if block.tag == CART_KEY), None)

    def revoke(self, context) -> None:
        """No way: WS-Addressing has no end."""


class CookieCarrier:
    """An HTTP cookie: SOAP knows nothing of the session."""

    in_header = out_header = None
    in_body = False

    def issue(self, context, session: str) -> None:
        context.transport.resp_headers["Set-Cookie"] = f"{COOKIE}={session}; Path=/; HttpOnly"

    def read(self, context) -> str | None:
        try:
            cookies = SimpleCookie(context.transport.req_env.get("HTTP_COOKIE", ""))
        except CookieError:
            return None
        return cookies[COOKIE].value if COOKIE in cookies else None

    def revoke(self, context) -> None:
        context.transport.resp_headers["Set-Cookie"] = f"{COOKIE}=; Path=/; Max-Age=0"


CARRIERS: dict[str, Carrier] = {
    "header": HeaderCarrier(),
    "wsa": WsaCarrier(),
    "body": BodyCarrier(),
    "cookie": CookieCarrier(),
}

Text = Unicode(min_occurs=1, nillable=False)
Number = Integer(min_occurs=1, nillable=False)


def cart_service(carrier: Carrier, node: str, carts: Carts) -> type[Service]:
    """The Spyne service of one node for one carrier, over the carts of that node."""

    class CartService(Service):
        __service_name__ = "Cart"

        @rpc(
            Text,
            _returns=(Text, Unicode),
            _out_variable_names=("node", "sessionId"),
            _out_header=carrier.out_header,
        )
        def login(ctx, customer):
            """Start a session."""
            session = carts.start(customer)
            carrier.issue(ctx, session)
            return node, session if carrier.in_body else None

        @rpc(
            Text,
            Number,
            _returns=(Text, Number),
            _out_variable_names=("node", "count"),
            _in_header=carrier.in_header,
        )
        def add(ctx, article, quantity):
            """Put articles into the cart; how many it then holds."""
            return node, carts.add(carrier.read(ctx), article, quantity)

        @rpc(
            _returns=(Text, Text, Line.customize(max_occurs="unbounded")),
            _out_variable_names=("node", "customer", "line"),
            _in_header=carrier.in_header,
        )
        def items(ctx):
            """What is in the cart, and whose it is."""
            cart = carts.find(carrier.read(ctx))
            lines = list(cart.lines.items())
            return node, cart.customer, [Line(article=a, quantity=q) for a, q in lines]

        @rpc(
            Number,
            _returns=(Text, Number),
            _out_variable_names=("node", "seconds"),
            _in_header=carrier.in_header,
        )
        def wait(ctx, seconds):
            """Hold the reply for so many seconds, at most 30: a call that is under way."""
            carts.find(carrier.read(ctx))
            held = max(0, min(seconds, LONGEST_WAIT))
            time.sleep(held)
            return node, held

        @rpc(
            _returns=(Text, Number),
            _out_variable_names=("node", "count"),
            _in_header=carrier.in_header,
        )
        def checkout(ctx):
            """Buy what is in the cart and end the session."""
            cart = carts.end(carrier.read(ctx))
            carrier.revoke(ctx)
            return node, sum(cart.lines.values())

    CartService.event_manager.add_listener("method_return_document", _add_block)
    return CartService


def _add_block(context) -> None:
    """Put the header block that a carrier left in `context.udc` into the reply."""
    if context.udc is None:
        return
    envelope = context.out_document
    header = etree.Element(f"{{{Soap11.ns_soap_env}}}Header")
    header.append(context.udc)
    envelope.insert(0, header)


def application(carrier: str, node: str = "b1", carts: Carts | None = None) -> Application:
    """The Spyne application for the carrier of that name. Raises KeyError for another."""
    service = cart_service(CARRIERS[carrier], node, Carts() if carts is None else carts)
    protocols = {"in_protocol": Soap11(validator="soft"), "out_protocol": Soap11()}
    return Application([service], SHOP, name="Cart", **protocols)


def write_contracts(directory: Path) -> None:
    """Write `cart-CARRIER.wsdl` for each carrier, readable and with a stand-in address."""
    for name in CARRIERS:
        tree = etree.fromstring(spyne_compat.contract(application(name)))
        etree.indent(tree)
        text = etree.tostring(tree, xml_declaration=True, encoding="UTF-8")
        (directory / f"cart-{name}.wsdl").write_bytes(text + b"\n")


def main(argv: list[str] | None = None) -> int:
    """Serve, or write the contracts; 1 when the port is taken."""
    parser = argparse.ArgumentParser(description="A stateful SOAP shopping cart on 127.0.0.1.")
    parser.add_argument("--name", default="b1", help="what the node calls itself in replies")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--carrier", choices=[*CARRIERS, "all"], default="all")
    parser.add_argument("--contracts", metavar="DIR", type=Path, help="write the WSDL files, end")
    options = parser.parse_args(argv)
    if options.contracts is not None:
        write_contracts(options.contracts)
        return 0
    names = list(CARRIERS) if options.carrier == "all" else [options.carrier]
    carts = Carts()
    try:
        applications = {name: application(name, options.name, carts) for name in names}
        spyne_compat.serve(applications, options.port, options.name)
    except OSError as error:
        print(f"{options.name}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
