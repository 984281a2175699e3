from __future__ import annotations

import pytest

from soapgate.core.addresses import Origins, Public, fields_with
from soapgate.core.pool import Backend


def origins(*urls: str) -> Origins:
    return Origins(Backend.parse("b", url).address for url in urls)


OWN = origins("http://10.0.0.1:9001", "http://b2.example", "https://b3.example", "http://[::1]:80")

BACKENDS = {
    "as configured": "http://10.0.0.1:9001",
    "with a path": "http://10.0.0.1:9001/shop",
    "with a query at once": "http://10.0.0.1:9001?wsdl",
    "with a fragment": "http://10.0.0.1:9001#x",
    "scheme and host in capitals": "HTTP://B2.Example/shop",
    "the default port left out": "http://b2.example/",
    "the default port written": "http://b2.example:80/",
    "a port with nothing": "http://b2.example:/",
    "a dot at the end": "http://b2.example./",
    "https and its port": "https://b3.example:443/x",
    "a short IPv6 literal": "http://[::1]/x",
    "a long IPv6 literal": "http://[0:0:0:0:0:0:0:1]:80/x",
    "an at in the path": "http://b2.example/a@b",
}


@pytest.mark.parametrize("url", BACKENDS.values(), ids=BACKENDS)
def test_a_url_of_a_backend_is_known_however_it_is_spelt(url):
    end = OWN.end(url.encode(), 0, len(url))
    assert end
    assert url[end : end + 1] in ("", "/", "?", "#")
    assert OWN.shown(f'<a b="{url}">'.encode(), None)


STRANGERS = {
    "another port": "http://10.0.0.1:9002/",
    "another scheme": "https://10.0.0.1:9001/",
    "https on the port of http": "https://b2.example:80/",
    "a longer name": "http://b2.example.org/",
    "a name before it": "http://x.b2.example/",
    "a longer port": "http://10.0.0.1:90011/",
    "a user": "http://me@b2.example/",
    "a user that looks like it": "http://b2.example@evil.example/",
    "a user and a port that look like it": "http://b2.example:80@evil.example/",
    "a backslash behind it": "http://b2.example\\.evil.example/",
    "a blank before the host": "http:// b2.example/",
    "no scheme": "//b2.example/",
    "no slashes": "http:b2.example",
    "another protocol": "ftp://b2.example/",
    "a scheme that ends so": "xhttp://b2.example/",
    "in a query": "http://elsewhere/?u=http://b2.example/",
    "port 0": "http://b2.example:0/",
    "no port there is": "http://b2.example:99999/",
    "a broken literal": "http://[::1::]/",
    "nothing": "",
}


@pytest.mark.parametrize("url", STRANGERS.values(), ids=STRANGERS)
def test_a_url_of_somebody_else_is_not(url):
    assert OWN.end(url.encode(), 0, len(url)) == 0


def test_a_url_is_looked_at_within_its_bounds_only():
    data = b"http://b2.example/ http://b2.example.org/"
    assert OWN.end(data, 0, 17) == 17
    assert OWN.end(data, 0, 10) == 0
    assert OWN.end(data, 19, len(data)) == 0


def test_suspects_spares_a_look_at_what_names_no_backend():
    assert OWN.suspects(b"<a>HTTP://B2.EXAMPLE</a>")
    assert not OWN.suspects(b"<a>http://schemas.xmlsoap.org/ b2.example</a>")
    assert not Origins(()).suspects(b"http://b2.example/")
    # every literal may be the one in another spelling
    assert OWN.suspects(b"http://[2001:db8::1]/")


def test_an_address_amid_a_text_is_shown_unless_it_is_the_gateways_own():
    own = Public.of(b"http", b"b2.example")
    assert own
    for text in (b"(http://b2.example)", b"x http://b2.example:80/y,", b'"http://b2.example"'):
        assert OWN.shown(text, None)
        assert not OWN.shown(text, own.address)
    assert not OWN.shown(b"http://b2.example.org/", None)


PUBLIC = {
    "a name": (b"gate.example", b"http://gate.example", (False, "gate.example", 80)),
    "a port": (b"Gate:8080", b"http://Gate:8080", (False, "gate", 8080)),
    "an empty port": (b"gate:", b"http://gate", (False, "gate", 80)),
    "an IPv6 literal": (b"[::1]:8080", b"http://[::1]:8080", (False, "::1", 8080)),
}


@pytest.mark.parametrize(("host", "origin", "address"), PUBLIC.values(), ids=PUBLIC)
def test_the_gateway_is_called_as_its_client_called_it(host, origin, address):
    assert Public.of(b"http", host) == Public(origin, address)


NAMELESS = [b"", b"a&b", b"a'b", b"a b", b"a/b", b"u@a", b"a:1:2", b"a:99999", b'a"', b"[::1"]


@pytest.mark.parametrize("host", NAMELESS)
def test_a_host_that_could_do_harm_in_a_message_is_no_name(host):
    assert Public.of(b"http", host) is None


def test_the_scheme_is_http_or_https():
    assert Public.of(b"HTTPS", b"gate") == Public(b"https://gate", (True, "gate", 443))
    assert Public.of(b"gopher", b"gate") is None


def moved(*lines: bytes) -> list[bytes]:
    forward = b"".join(line + b"\r\n" for line in (b"HTTP/1.1 201 Created", *lines))
    names = {line.partition(b":")[0].lower(): [b""] for line in lines}
    return fields_with(forward, names, OWN, b"https://gate").split(b"\r\n")[1:-1]


FIELDS = {
    "Location": (b"Location: http://10.0.0.1:9001/x?y", b"Location: https://gate/x?y"),
    "in another case": (b"LOCATION:\thttp://b2.example", b"LOCATION:\thttps://gate"),
    "blanks behind": (b"Location: http://b2.example/ ", b"Location: https://gate/ "),
    "Content-Location": (
        b"Content-Location: http://b2.example/a",
        b"Content-Location: https://gate/a",
    ),
    "Refresh": (b"Refresh: 5; url=http://b2.example/a", b"Refresh: 5; url=https://gate/a"),
    "Refresh in quotes": (b'Refresh: 0;URL="http://b2.example"', b'Refresh: 0;URL="https://gate"'),
}


@pytest.mark.parametrize(("line", "wanted"), FIELDS.values(), ids=FIELDS)
def test_a_field_that_leads_to_a_backend_leads_to_the_gateway(line, wanted):
    assert moved(b"Server: x", line, b"Date: y") == [b"Server: x", wanted, b"Date: y"]


def test_a_field_keeps_its_long_runs_of_blanks():
    for name in (b"Location: http://b2.example/", b"Refresh: 0;url=http://b2.example/"):
        line = name + b" a" + b" " * 30_000 + b"url" + b" " * 30_000 + b"b"
        assert moved(line) == [line.replace(b"http://b2.example", b"https://gate")]


KEPT = [
    b"Location: /shop",
    b"Location: http://elsewhere/?http://b2.example/",
    b"Refresh: 5",
    b"X-Location: http://b2.example/",
    b"Link: <http://b2.example/>",
]


@pytest.mark.parametrize("line", KEPT)
def test_other_fields_stay(line):
    assert moved(line) == [line]


def test_all_lines_of_a_name_are_replaced():
    lines = moved(b"Location: /a", b"Location: http://b2.example/", b"Content-Location: /c")
    assert lines == [b"Location: /a", b"Location: https://gate/", b"Content-Location: /c"]


def test_a_head_with_nothing_to_replace_is_the_same_object():
    forward = b"HTTP/1.1 200 OK\r\nLocation: /a\r\n"
    assert fields_with(forward, {b"location": []}, OWN, b"http://gate") is forward
    assert fields_with(forward, {}, OWN, b"http://gate") is forward
