"""MTOM for real: zeep clients send and take packages, Spyne nodes read them and answer in them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import requests
from live import settings
from zeep import Client, Transport
from zeep.exceptions import Fault

HERE = Path(__file__).parent
WSDL = HERE.parents[1] / "wsdl" / "cart-header.wsdl"
ROOT = 'Content-Type: application/xop+xml; type="text/xml"\r\nContent-ID: <root>'
SHOP = "{urn:example:shop}"


class Packing(Transport):
    """Sends each envelope as the root of a package, after `before` (a preamble), in `coding`."""

    def __init__(self, coding: str = "binary", before: bytes = b"") -> None:
        session = requests.Session()
        session.trust_env = False  # no proxy of the environment stands before 127.0.0.1
        super().__init__(session=session)
        self.coding = coding
        self.before = before

    def post(self, address, message, headers):
        # Spyne reads a root as text, which must not declare an encoding
        parts = (
            (f"{ROOT}\r\nContent-Transfer-Encoding: {self.coding}", message.partition(b"?>")[2]),
            ("Content-Type: image/png\r\nContent-ID: <blob>", b"\x89PNG\r\n" + b"x" * 100_000),
        )
        body = self.before + b"".join(
            f"--=_b 1\r\n{head}\r\n\r\n".encode() + content + b"\r\n" for head, content in parts
        )
        body += b"--=_b 1--\r\n"
        package = 'multipart/related; type="application/xop+xml"; start="<root>"; boundary="=_b 1"'
        return super().post(address, body, {**headers, "Content-Type": package})


class Shopper:
    """A zeep client of the cart that sends the session's header block back."""

    def __init__(self, port: int, transport: Transport) -> None:
        client = Client(str(WSDL), transport=transport)
        binding = next(iter(client.wsdl.bindings))
        self.cart = client.create_service(binding, f"http://127.0.0.1:{port}/header")
        self.block = client.get_element(f"{SHOP}Session")
        self.session = ""

    def login(self, customer: str) -> str:
        """Start a session; the node that has it."""
        reply = self.cart.login(customer).root
        self.session = reply.header.Session.id
        return reply.body.node

    def add(self, article: str, quantity: int):
        """The reply, whose attachment must have come whole."""
        package = self.cart.add(article, quantity, _soapheaders=[self.block(id=self.session)])
        assert package.attachments[0].content == bytes(range(256))
        return package.root


@pytest.fixture(scope="module")
def port(company, tmp_path_factory):
    """Of a gateway in front of two Spyne nodes that answer in MTOM."""
    processes, backends = [], []
    try:
        for name in ("b1", "b2"):
            argv = [sys.executable, str(HERE / "mtom_node.py"), "--name", name, "--carrier", "all"]
            process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
            processes.append(process)
            url = process.stdout.readline().split()[-1].rstrip("/")
            backends.append({"name": name, "url": url})
        text = settings([]).replace("backend = []", "backend = " + inline(backends))
        yield company.run(text).port
    finally:
        for process in processes:
            process.terminate()
            process.stdout.close()
        for process in processes:
            try:
                assert process.wait(20) == 0
            finally:
                process.kill()


def inline(backends) -> str:
    return (
        "[" + ", ".join('{{ name = "{name}", url = "{url}" }}'.format(**b) for b in backends) + "]"
    )


@pytest.mark.parametrize(
    "transport",
    [Packing(), Packing("8bit"), Packing("7bit", b"\r\n"), Packing(before=b"preamble\r\n")],
    ids=["binary", "8bit", "7bit", "preamble"],
)
def test_sessions_in_mtom_stay_on_their_node(port, transport):
    shoppers = {name: Shopper(port, transport) for name in ("ann", "bob", "cho", "dan")}
    nodes = {name: shopper.login(name) for name, shopper in shoppers.items()}
    assert set(nodes.values()) == {"b1", "b2"}
    for count in (1, 2, 3):
        for name, shopper in shoppers.items():
            answer = shopper.add("tea", 1)
            assert (answer.node, answer.count) == (nodes[name], count)


def test_an_id_that_nobody_issued_in_mtom_is_a_fault_of_the_service(port):
    shopper = Shopper(port, Packing())
    shopper.session = "made-up"
    with pytest.raises(Fault, match="no such session"):
        shopper.add("tea", 1)
