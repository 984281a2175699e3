"""zeep clients of the sample cart: what a caller does so that its session id travels.

The one rule: a client is one session. What differs between the carriers is here, in `CartClient`:
`header` and `wsa` need the plugin `SessionEcho`, `body` puts the id that login returned into a
default header, and `cookie` needs nothing since zeep keeps cookies. The contract comes from
`wsdl/`, so a client can be made before the service runs.

    python samples/client.py --carrier wsa http://127.0.0.1:8080/
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import requests
import zeep
from zeep.exceptions import Error, Fault
from zeep.transports import Transport

from soapgate.backend.zeep import SessionEcho

SHOP = "urn:example:shop"
SESSION = f"{{{SHOP}}}Session"
CARRIERS = ("header", "wsa", "body", "cookie")
CONTRACTS = Path(__file__).resolve().parents[1] / "wsdl"


class CartClient:
    """One customer's session with the cart at `url` + carrier.

    Every call returns zeep's reply object, whose `node` says which node answered. Raises zeep's
    `Fault` for a SOAP fault and `requests.RequestException` when nobody answers within `timeout`
    seconds; ValueError for a carrier not in `CARRIERS`.
    """

    def __init__(self, carrier: str, url: str, *, timeout: float = 10.0) -> None:
        if carrier not in CARRIERS:
            raise ValueError(f"carrier {carrier!r} is none of {', '.join(CARRIERS)}")
        self.carrier = carrier
        self.echo = SessionEcho(SESSION)
        plugins = [self.echo] if carrier in ("header", "wsa") else []
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy from the environment is not for 127.0.0.1
        transport = Transport(session=self._session, timeout=timeout, operation_timeout=timeout)
        contract = str(CONTRACTS / f"cart-{carrier}.wsdl")
        self._client = zeep.Client(contract, transport=transport, plugins=plugins)
        address = f"{url.rstrip('/')}/{carrier}"
        self._service = self._client.create_service(f"{{{SHOP}}}Cart", address)

    def login(self, customer: str):
        """Start a session: `node`, and for the carrier body `sessionId`."""
        reply = self._service.login(customer)
        if self.carrier == "header":
            return reply.body  # the contract declares a header here, so zeep returns both
        if self.carrier == "body":
            block = self._client.get_element(SESSION)(id=reply.sessionId)
            self._client.set_default_soapheaders([block])
        return reply

    def add(self, article: str, quantity: int):
        """Put articles into the cart: `node` and `count`, how many it then holds."""
        return self._service.add(article, quantity)

    def items(self):
        """The cart: `node`, `customer` and `line`, a list of `article` and `quantity`."""
        return self._service.items()

    def wait(self, seconds: int):
        """A call whose reply takes so long, at most 30 seconds: `node`."""
        return self._service.wait(seconds)

    def checkout(self):
        """End the session: `node` and `count`, how many articles were bought."""
        return self._service.checkout()

    def close(self) -> None:
        """Close the connections; the session stays as it is."""
        self._session.close()


def shop(client: CartClient, customer: str) -> bool:
    """Shop for a customer, a line for each call; whether one node answered every call."""
    calls = (
        ("login", (customer,)),
        ("add", ("tea", 2)),
        ("add", ("jam", 1)),
        ("items", ()),
        ("checkout", ()),
    )
    nodes = []
    for name, arguments in calls:
        reply = getattr(client, name)(*arguments)
        nodes.append(reply.node)
        print(f"{name}{arguments!r}: answered by {reply.node}")
    return len(set(nodes)) == 1


def main(argv: list[str] | None = None) -> int:
    """0 when the session stayed on one node, 1 when it did not or a call failed."""
    parser = argparse.ArgumentParser(description="Shop in the sample cart.")
    parser.add_argument("url", help="the gateway's or a node's address: http://127.0.0.1:8080/")
    parser.add_argument("--carrier", choices=CARRIERS, default="header")
    parser.add_argument("--customer", default="ann")
    options = parser.parse_args(argv)
    client = CartClient(options.carrier, options.url)
    try:
        stayed = shop(client, options.customer)
    except Fault as fault:
        print(f"fault {fault.code}: {fault.message}", file=sys.stderr)
        return 1
    except (Error, requests.RequestException) as error:
        print(f"{options.url}: {error}", file=sys.stderr)
        return 1
    finally:
        client.close()
    print("the session stayed on one node" if stayed else "the session was torn apart")
    return 0 if stayed else 1


if __name__ == "__main__":
    sys.exit(main())
