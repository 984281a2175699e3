"""What a file says about addresses reaches the exchanges, and a reload changes it."""

from __future__ import annotations

from gate import FILE, House

REWRITES = FILE.replace(
    'sessions = ["shop"]\n',
    'sessions = ["shop"]\nrewrite_addresses = true\npublic_address = "https://shop.example"\n'
    'backend_addresses = ["http://node1:9001"]\n',
)
GET = b"GET /?wsdl HTTP/1.1\r\nHost: gate\r\n\r\n"


def document(origin: str, padding: int = 0) -> bytes:
    body = (
        '<s:address xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/"'
        f' location="{origin}/shop"/>{" " * padding}'
    ).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n" % len(body)
    return head + body


def answered(house: House, response: bytes) -> bytes:
    client = house.client()
    backend = house.serve(client, GET, response)
    heard = client.heard()
    client.loseConnection()
    backend.loseConnection()
    return heard


def test_the_keys_of_a_service_are_heeded(build):
    house = build(REWRITES).start()
    moved = document("https://shop.example")
    for origin in ("http://10.0.0.1", "http://10.0.0.2:80", "http://node1:9001"):
        assert answered(house, document(origin)) == moved


def test_the_limit_is_heeded(build):
    house = build(REWRITES + '[limits]\nrewrite = "200B"\n').start()
    assert answered(house, document("http://10.0.0.1", 200)) == document("http://10.0.0.1", 200)
    assert house.gateway.metrics.rewrites == {("shop", "too-long"): 1}


def test_a_reload_turns_rewriting_on_and_keeps_the_counts(build):
    house = build().start()
    leak = document("http://10.0.0.1")
    for response in (leak, document("http://gate"), document("http://10.0.0.2")):
        assert answered(house, response) == response
    leaks = house.gateway.metrics.leaks
    assert leaks == {"shop": 1}  # of two: the last names a backend that did not answer
    assert house.reload(REWRITES)
    assert answered(house, leak) == document("https://shop.example")
    assert house.gateway.metrics.leaks == {"shop": 1}
    assert house.gateway.metrics.rewrites == {("shop", "rewritten"): 1}
