"""What a gateway says of exchanges and what it keeps for itself; where it never connects to."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from live import Cast, Gateway
from wire import (
    ask,
    client_made,
    envelope,
    issued_id,
    lines,
    ok,
    post,
    session,
    shop,
)

# as docs/operations.rst lists them
FIELDS = [
    *("time", "client", "service", "method", "path", "action", "profile", "key", "route"),
    *("reason", "backend", "scan", "reply_scan", "sticky", "status", "in", "out", "total"),
    *("decide", "queue", "connect", "head", "tries", "conflicts", "learned", "left", "detail"),
]
SECRET = "s3cr3t-of-the-client"


@pytest.fixture(scope="module")
def gateway(company: Cast) -> Gateway:
    return company.gateway(company.shops("b1", "b2"))


def test_each_exchange_leaves_one_line_with_every_field(gateway):
    port = gateway.port
    action = ("SOAPAction", '"urn:example:Add"')
    identity = issued_id(
        ask(port, post(envelope(body="<s:login/>"), action, path="/shop/cart?q=1"))
    )
    body = envelope(session(identity))
    ask(port, post(body, action))
    ask(port, post(b"<!DOCTYPE x>" + body))
    ask(port, b"GET / HTTP/1.1\r\n\r\n")
    login, use, refused, broken = gateway.log(4)
    for line in (login, use, refused, broken):
        assert list(line) == FIELDS
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
        assert line["client"] == "127.0.0.1"
        assert line["total"] >= 0
    assert (login["route"], login["reason"], login["learned"]) == ("balanced", "no-id", 1)
    assert (login["service"], login["method"], login["path"]) == ("shop", "POST", "/shop/cart")
    assert (login["action"], login["status"]) == ("urn:example:Add", 200)
    assert (use["route"], use["reason"], use["profile"]) == ("pinned", "bound", "shop")
    assert use["backend"] == login["backend"]
    assert re.fullmatch(r"[0-9a-f]{8}", use["key"])
    assert use["in"] >= len(body)
    assert use["out"] > 0
    assert (refused["route"], refused["reason"], refused["status"]) == ("refused", "malformed", 400)
    assert refused["detail"]
    assert (broken["status"], broken["service"]) == (400, None)


def test_a_message_cannot_forge_a_line(gateway):
    nasty = '"x","route":"pinned"} {"a":"'
    ask(gateway.port, post(envelope(), ("SOAPAction", nasty), path='/a"b%0d%0a{}'))
    (line,) = gateway.log(1)
    assert line["route"] == "balanced"
    assert line["action"] in nasty


def test_no_id_is_written_anywhere(cast):
    """Every carrier, on every way an exchange can end; then all that the gateway wrote is read."""
    b1, b2 = (
        cast.backend(name, reply=lambda request, name=name: cookies(shop(name), request))
        for name in ("b1", "b2")
    )
    gateway = cast.gateway([b1, b2], service={"unknown": "fault"})
    port = gateway.port
    issued = issued_id(ask(port, post(envelope(body="<s:login/>"))))
    carried = [
        post(envelope(session(issued))),
        post(envelope(client_made(SECRET))),
        post(envelope(session(SECRET))),  # nobody issued it: a fault
        post(envelope(session(SECRET) + "<a>")),  # ill-formed
        post(envelope(session(SECRET)))[:-10] + b"</broken/>",
        post(envelope(), ("Cookie", f"JSESSIONID={SECRET}")),
        post(envelope(), ("Cookie", "JSESSIONID=cookie-of-b1")),
        post(envelope(), path=f"/shop;jsessionid={SECRET}"),
        post(envelope(), path=f"/shop%3Bjsessionid={SECRET}"),
        post(envelope(), path=f"/shop?session={SECRET}"),
        lines(f"POST /shop;jsessionid={SECRET} HTTP/3.7", (("Host", "h"),)),
        lines(f"BAD;{SECRET} / HTTP/1.1", (("Host", "h"),)),
        lines("POST / HTTP/1.1", (("Host", f"a/{SECRET}"),)),
        lines("POST / HTTP/1.1", (("Host", "h"), ("Cookie", SECRET), ("Cookie ", SECRET))),
        post(envelope(session(issued), "<s:logout/>")),
    ]
    for request in carried:
        ask(port, request)
    b1.stop()
    b2.stop()
    ask(port, post(envelope(client_made(SECRET))))
    for path in ("/api/v1/pins?limit=1000", "/api/v1/backends", "/api/v1/status"):
        assert unseen(json.dumps(gateway.call("GET", path)[1]).encode(), issued)
    assert unseen(str(gateway.scrape()).encode(), issued)
    gateway.stop()
    written = [path for path in gateway.directory.rglob("*") if path.is_file()]
    assert {"access.log", "stderr", "data.mdb"} <= {path.name for path in written}
    for path in written:
        assert unseen(path.read_bytes(), issued), f"{path.name} holds an id"
    assert len(gateway.log_file.read_text().splitlines()) == len(carried) + 2


def cookies(reply, request) -> bytes:
    raw = reply(request)
    return raw.replace(b"\r\n", b"\r\nSet-Cookie: JSESSIONID=cookie-of-b1\r\n", 1)


def unseen(data: bytes, issued: str) -> bool:
    return not any(word.encode() in data for word in (SECRET, issued, "cookie-of-b1"))


def test_the_key_of_the_pins_is_the_owners_alone(gateway):
    (key,) = gateway.directory.rglob("key")
    assert key.stat().st_mode & 0o777 == 0o600


class Canary:
    """A port that nobody must ever connect to."""

    def __init__(self) -> None:
        self.visits = 0
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen()
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                self._socket.accept()[0].close()
            except OSError:
                return
            self.visits += 1

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def canary() -> Iterator[Canary]:
    bird = Canary()
    yield bird
    bird.close()


WSA = 'xmlns:w="http://www.w3.org/2005/08/addressing"'
ADDRESSES = "".join(
    f"<w:{name} {WSA}><w:Address>http://CANARY/</w:Address></w:{name}>"
    for name in ("ReplyTo", "FaultTo", "From")
)
HEADER = (
    f"<w:To {WSA}>http://CANARY/shop</w:To>{ADDRESSES}"
    '<r:AcksTo xmlns:r="http://docs.oasis-open.org/ws-rx/wsrm/200702">http://CANARY/</r:AcksTo>'
)
SCHEMA = (
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns:x="http://www.w3.org/2001/XMLSchema-instance" x:schemaLocation="urn:x http://CANARY/x"'
    "><e:Body/></e:Envelope>"
)
INCLUDE = '<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="http://CANARY/i"/>'
STYLE = '<?xml-stylesheet href="http://CANARY/s"?>'
ENTITY = '<!DOCTYPE e [<!ENTITY x SYSTEM "http://CANARY/e">]>'
EXTERNAL = '<!DOCTYPE e SYSTEM "http://CANARY/d">'


def luring(canary: str) -> dict[str, bytes]:
    """Requests that name the canary wherever an address can stand."""
    plain = envelope()
    text = {
        "addressing": envelope(HEADER),
        "schema location": SCHEMA.encode(),
        "xinclude": envelope(INCLUDE, INCLUDE),
        "stylesheet": STYLE.encode() + plain,
        "entity": ENTITY.encode() + envelope("<a>&x;</a>"),
        "external DTD": EXTERNAL.encode() + plain,
        "parameter entity": b'<!DOCTYPE e [<!ENTITY % p SYSTEM "http://CANARY/p"> %p;]>' + plain,
    }
    named = {
        **{name: post(body) for name, body in text.items()},
        "Host": post(plain).replace(b"shop.example", b"CANARY"),
        "absolute form": post(plain, path="http://CANARY/shop"),
        "authority form": post(plain, path="CANARY"),
        "CONNECT": lines("CONNECT CANARY HTTP/1.1", (("Host", "CANARY"),)),
        "forwarded fields": post(
            plain,
            ("X-Forwarded-Host", "CANARY"),
            ("X-Forwarded-For", "CANARY"),
            ("Forwarded", "host=CANARY"),
            ("Referer", "http://CANARY/"),
            ("Destination", "http://CANARY/"),
        ),
    }
    utf16 = envelope(HEADER.replace("CANARY", canary)).decode().encode("utf-16")
    named = {
        name: length_mended(raw.replace(b"CANARY", canary.encode())) for name, raw in named.items()
    }
    return {**named, "UTF-16": post(utf16).replace(b"; charset=utf-8", b"")}


def length_mended(raw: bytes) -> bytes:
    """A request whose body was changed, with the length it has now."""
    head, blank, body = raw.partition(b"\r\n\r\n")
    return re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % len(body), head) + blank + body


def test_nothing_connects_to_an_address_from_a_message(cast, canary):
    """Neither from a request nor from a response, redirects included."""

    def reply(request) -> bytes:
        location = f"http://{canary.address}/"
        return ok(
            envelope(HEADER.replace("CANARY", canary.address)),
            ("Location", location),
            ("Content-Location", location),
            ("Refresh", f"0; url={location}"),
            ("Link", f"<{location}>; rel=preload"),
            status="307 Temporary Redirect",
        )

    backend = cast.backend("b1", reply=reply)
    sessions = ["shop", "wsa-refparams", "wsrm", "http-cookie"]
    gateway = cast.gateway([backend], service={"sessions": sessions})
    statuses = {}
    for name, request in luring(canary.address).items():
        statuses[name] = ask(gateway.port, request).status
    assert statuses == dict.fromkeys(statuses, 307) | dict.fromkeys(
        (
            "entity",
            "external DTD",
            "parameter entity",
            "absolute form",
            "authority form",
            "CONNECT",
        ),
        400,
    )
    assert ask(gateway.port, post(envelope())).get("Location") == f"http://{canary.address}/"
    gateway.stop()
    assert canary.visits == 0


def test_files_of_the_machine_are_not_read_for_a_message(gateway, tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("the-content-of-a-file")
    body = f'<!DOCTYPE e [<!ENTITY x SYSTEM "file://{secret}">]>'.encode()
    reply = ask(gateway.port, post(body + envelope("<a>&x;</a>")))
    assert reply.status == 400
    assert b"the-content" not in reply.body
