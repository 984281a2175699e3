"""The cart in this process, and the contracts it must keep."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import cart
import pytest
import spyne_compat
from lxml import etree
from spyne import Fault

CONTRACTS = Path(__file__).parents[2] / "wsdl"
NAMES = sorted(cart.CARRIERS)
ADDRESS = re.compile(rb'(<wsdlsoap11:address location=")[^"]*')


def canonical(wsdl: bytes) -> bytes:
    """The contract without its address and its white space between elements."""
    parser = etree.XMLParser(remove_blank_text=True)
    text, found = ADDRESS.subn(rb"\1", wsdl)
    assert found == 1
    return etree.tostring(etree.fromstring(text, parser), method="c14n2")


def stored(carrier: str) -> bytes:
    return (CONTRACTS / f"cart-{carrier}.wsdl").read_bytes()


def call(wsgi, body: str, header: str = "", **fields: str) -> tuple[str, dict, etree._Element]:
    """Status, fields and envelope of the answer to a SOAP 1.1 request."""
    message = (
        f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:shop="{cart.SHOP}">'
        f"<s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "CONTENT_TYPE": "text/xml",
        "CONTENT_LENGTH": str(len(message)),
        "SERVER_NAME": "x",
        "SERVER_PORT": "1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(message),
        **fields,
    }
    seen: list = []
    text = b"".join(wsgi(environ, lambda status, fields: seen.extend((status, dict(fields)))))
    return seen[0], seen[1], etree.fromstring(text)


UNKNOWN = '<shop:Session id="x"/><shop:CartKey>x</shop:CartKey>'
LOGIN = "<shop:login><shop:customer>ann</shop:customer></shop:login>"
ITEMS = "<shop:items/>"
CHECKOUT = "<shop:checkout/>"


@pytest.mark.parametrize("carrier", NAMES)
def test_the_stored_contract_is_what_the_service_says(carrier):
    assert canonical(spyne_compat.contract(cart.application(carrier))) == canonical(stored(carrier))


@pytest.mark.integration
@pytest.mark.parametrize("carrier", NAMES)
def test_the_live_wsdl_equals_the_stored_one_but_for_the_address(nodes, carrier):
    url = f"{nodes[0].url}{carrier}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{url}?wsdl", timeout=20) as response:
        live = response.read()
    assert canonical(live) == canonical(stored(carrier))
    assert f'location="{url}"'.encode() in live


def test_writing_the_contracts_changes_nothing(tmp_path):
    assert cart.main(["--contracts", str(tmp_path)]) == 0
    written = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert written == {f"cart-{name}.wsdl": stored(name) for name in NAMES}


def test_the_header_carrier_issues_the_id_as_an_attribute_of_a_header_block():
    wsgi = spyne_compat.wsgi(cart.application("header"))
    _, _, reply = call(wsgi, LOGIN)
    (block,) = reply[0]
    assert block.tag == f"{{{cart.SHOP}}}Session"
    again = f'<shop:Session id="{block.get("id")}"/>'
    assert call(wsgi, ITEMS, again)[0].startswith("200")
    assert len(call(wsgi, ITEMS, again)[2]) == 1  # no header in later replies


def test_the_wsa_carrier_issues_a_reference_parameter_and_takes_it_as_a_header_block():
    wsgi = spyne_compat.wsgi(cart.application("wsa"))
    _, _, reply = call(wsgi, LOGIN)
    (key,) = (block.text for block in reply.iterfind("{*}Header/{*}ReplyTo/{*}*/{*}CartKey"))
    assert key
    assert call(wsgi, ITEMS, f"<shop:CartKey>{key}</shop:CartKey>")[0].startswith("200")


def test_the_body_carrier_returns_the_id_and_takes_it_in_the_header():
    wsgi = spyne_compat.wsgi(cart.application("body"))
    _, _, reply = call(wsgi, LOGIN)
    session = reply.findtext(f"{{*}}Body/*/{{{cart.SHOP}}}sessionId")
    assert session
    assert call(wsgi, ITEMS, f'<shop:Session id="{session}"/>')[0].startswith("200")


def test_the_cookie_carrier_sets_a_cookie_and_deletes_it_at_the_end():
    wsgi = spyne_compat.wsgi(cart.application("cookie"))
    _, fields, reply = call(wsgi, LOGIN)
    pair = fields["Set-Cookie"].partition(";")[0]
    assert pair.startswith("session-id=")
    assert reply.find("{*}Header") is None
    assert call(wsgi, ITEMS, HTTP_COOKIE=f"a=b; {pair}")[0].startswith("200")
    _, fields, _ = call(wsgi, CHECKOUT, HTTP_COOKIE=pair)
    assert "Max-Age=0" in fields["Set-Cookie"]


@pytest.mark.parametrize("carrier", NAMES)
@pytest.mark.parametrize("operation", [ITEMS, CHECKOUT], ids=["items", "checkout"])
@pytest.mark.parametrize(
    "carried",
    [
        {},
        {
            "header": '<shop:Session id="x"/><shop:CartKey>x</shop:CartKey>',
            "HTTP_COOKIE": "session-id=x",
        },
        {"header": "<shop:CartKey/>", "HTTP_COOKIE": "session-id="},
    ],
    ids=["nothing", "unknown", "empty"],
)
def test_without_a_known_session_there_is_the_fault_session_unknown(carrier, operation, carried):
    wsgi = spyne_compat.wsgi(cart.application(carrier))
    status, _, reply = call(wsgi, operation, **carried)
    assert status.startswith("500")
    assert reply.findtext("{*}Body/{*}Fault/faultcode").endswith(":Client.SessionUnknown")


def test_sessions_of_one_node_are_unknown_to_another():
    nodes = [spyne_compat.wsgi(cart.application("cookie", name)) for name in ("b1", "b2")]
    pair = call(nodes[0], LOGIN)[1]["Set-Cookie"].partition(";")[0]
    statuses = [call(node, ITEMS, HTTP_COOKIE=pair)[0][:3] for node in nodes]
    assert statuses == ["200", "500"]


def test_all_carriers_of_a_node_share_its_carts():
    carts = cart.Carts()
    session = carts.start("ann")
    wsgi = spyne_compat.wsgi(cart.application("cookie", "b1", carts))
    reply = call(wsgi, ITEMS, HTTP_COOKIE=f"session-id={session}")[2]
    assert reply.findtext(f"{{*}}Body/*/{{{cart.SHOP}}}customer") == "ann"


def test_carts_count_add_and_end():
    carts = cart.Carts()
    session = carts.start("ann")
    assert carts.add(session, "tea", 2) == 2
    assert carts.add(session, "tea", 1) == 3
    assert carts.add(session, "jam", 4) == 7
    assert carts.end(session) == cart.Cart("ann", {"tea": 3, "jam": 4})
    with pytest.raises(Fault, match="no such session"):
        carts.find(session)


def test_a_call_is_held_no_longer_than_the_longest_wait(monkeypatch):
    held: list[float] = []
    monkeypatch.setattr(cart.time, "sleep", held.append)
    wsgi = spyne_compat.wsgi(cart.application("cookie"))
    pair = call(wsgi, LOGIN)[1]["Set-Cookie"].partition(";")[0]
    for seconds in (3, 10**9, -1):
        call(
            wsgi, f"<shop:wait><shop:seconds>{seconds}</shop:seconds></shop:wait>", HTTP_COOKIE=pair
        )
    assert held == [3, cart.LONGEST_WAIT, 0]


@pytest.mark.integration
def test_a_taken_port_is_said_in_one_line(nodes):
    port = nodes[0].url.rstrip("/").rpartition(":")[2]
    argv = [sys.executable, cart.__file__, "--port", port, "--name", "late"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"late: cannot listen on 127.0.0.1:{port}")
    assert done.stderr.count("\n") == 1
