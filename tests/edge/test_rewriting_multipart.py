"""Multipart responses of a service that rewrites: their roots like documents, the rest streams."""

from __future__ import annotations

import base64
import gzip
import re
import zlib

import pytest
from talk import Talk, body_of, envelope, head_of, ok, one, over, post

from soapgate.core.ns import WSA10

NODE = b"http://10.0.0.1"
GATE = b"http://gate.example"
ON = {"rewrites": True}
KIND = b'multipart/related; type="application/xop+xml"; start="<r>"; boundary=b'
HEAD = b"Content-Type: application/xop+xml; charset=UTF-8\r\nContent-ID: <r>\r\n"


def epr(session: str = "") -> bytes:
    return envelope(
        session,
        f'<r:R xmlns:r="urn:r" xmlns:a="{WSA10}"><a:Address>http://10.0.0.1/sub</a:Address></r:R>',
    )


MOVED = epr().replace(NODE, GATE)
MORE = len(MOVED) - len(epr())
BLOB = bytes(range(256)) * 8 + b"\r\n" + epr()


def multi(root: bytes, *, head: bytes = HEAD, first: bytes = b"", blob: bytes = BLOB) -> bytes:
    parts = [(b"A: b\r\n", first)] * bool(first) + [(head, root), (b"Content-ID: <a>\r\n", blob)]
    return b"".join(b"--b\r\n%b\r\n%b\r\n" % part for part in parts) + b"--b--\r\n"


def response(body: bytes, *fields: bytes) -> bytes:
    return ok(body, *fields).replace(b"text/xml", KIND)


CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nTransfer-Encoding: chunked\r\n\r\n" % KIND


def chunked(body: bytes, size: int, trailers: bytes = b"") -> bytes:
    cut = (body[at : at + size] for at in range(0, len(body), size))
    return CHUNKED + b"".join(map(chunk, cut)) + b"0\r\n%b\r\n" % trailers


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def dechunked(body: bytes) -> tuple[bytes, bytes]:
    """(content, trailers)."""
    content = b""
    while (size := int(body[: body.index(b"\r\n")], 16)) > 0:
        at = body.index(b"\r\n") + 2
        content += body[at : at + size]
        body = body[at + size + 2 :]
    return content, body[3:-2]


def answer(talk: Talk, *said: bytes) -> bytes:
    """What the client hears of a response that comes in these pieces."""
    talk.client.says(post(envelope()))
    backend = talk.asked()
    backend.heard()
    for piece in said:
        backend.says(piece)
    return talk.client.heard()


def counted(talk: Talk) -> dict[str, int]:
    return {word: count for (_, word), count in talk.metrics.rewrites.items()}


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 7, 500, 100_000])
@pytest.mark.parametrize("first", [b"", b"an attachment before it"])
def test_a_root_names_the_gateway_and_the_attachments_are_the_same(size: int, first: bytes) -> None:
    talk = one(addresses=ON)
    heard = answer(talk, *cut(response(multi(epr(), first=first)), size))
    assert heard == response(multi(MOVED, first=first))
    assert counted(talk) == {"rewritten": 1}
    assert over(talk) == []


@pytest.mark.parametrize("size", [1, 50, 100_000])
def test_one_in_chunks_stays_in_chunks_and_keeps_its_trailers_but_for_digests(size: int) -> None:
    talk = one(addresses=ON)
    raw = chunked(multi(epr()), 100, b"X-Took: 3\r\nContent-MD5: abc\r\nDigest: x\r\n")
    heard = answer(talk, *cut(raw, size))
    assert heard.startswith(CHUNKED)
    assert dechunked(body_of(heard)) == (multi(MOVED), b"X-Took: 3\r\n")
    assert counted(talk) == {"rewritten": 1}
    assert over(talk) == []


def test_one_in_chunks_whose_root_stays_keeps_all_of_its_trailers() -> None:
    talk = one(addresses=ON)
    raw = chunked(multi(envelope()), 100, b"Content-MD5: abc\r\n")
    assert dechunked(body_of(answer(talk, raw))) == (multi(envelope()), b"Content-MD5: abc\r\n")
    assert counted(talk) == {}


def test_one_that_the_end_of_the_connection_ends_is_rewritten() -> None:
    talk = one(addresses=ON)
    talk.client.says(post(envelope()))
    backend = talk.asked()
    raw = b"HTTP/1.0 200 OK\r\nContent-Type: %b\r\n\r\n" % KIND + multi(epr())
    backend.says(raw[:-20])
    backend.says(raw[-20:])
    backend.closes()
    assert dechunked(body_of(talk.client.heard())) == (multi(MOVED), b"")


def test_the_connection_is_kept_and_the_next_answer_is_framed_right() -> None:
    talk = one(addresses=ON)
    for _ in range(4):
        assert body_of(answer(talk, *cut(response(multi(epr())), 900))) == multi(MOVED)
        assert body_of(answer(talk, ok(envelope()))) == envelope()
    assert len(talk.reactor.tcpClients) == 1
    assert over(talk) == []


def test_an_id_in_a_root_that_is_rewritten_is_learnt_as_it_was() -> None:
    talk = Talk(addresses=ON)
    moved = multi(epr("s-1").replace(NODE, GATE))
    assert body_of(answer(talk, response(multi(epr("s-1"))))) == moved
    talk.serve(post(envelope("s-1")), response(multi(epr("s-1"))))
    assert talk.last.route == "pinned"
    assert body_of(talk.client.heard()) == moved
    assert over(talk) == []


def test_what_no_longer_holds_is_taken_out_of_both_heads() -> None:
    talk = one(addresses=ON)
    head = HEAD + b"Content-MD5: p\r\nContent-Length: %d\r\n" % len(epr())
    said = [b'ETag: "a"', b"Content-MD5: x", b"Accept-Ranges: bytes"]
    heard = answer(talk, response(multi(epr(), head=head), *said))
    told = HEAD + b"Content-Length: %d\r\n" % len(MOVED)
    assert heard == response(multi(MOVED, head=told), b'ETag: W/"a"')


# --- attachments stream --------------------------------------------------------------------------

COOKIE = {"c": {"title": "C", "about": "A cookie.", "lookup": ["cookie:c"]}}  # nothing scans


def test_the_client_hears_of_a_root_as_soon_as_it_is_whole_and_of_the_rest_as_it_comes() -> None:
    talk = one(addresses={**ON, "most": 1000}, profiles=COOKIE)
    talk.client.says(post(envelope()))
    backend = talk.asked()
    raw = response(multi(epr(), blob=b"x" * 1_000_000))
    whole = raw.index(b"--b\r\n", raw.index(epr())) + 5
    backend.says(raw[: whole - 1])
    assert talk.client.heard() == b""
    backend.says(raw[whole - 1 : whole])
    heard = talk.client.heard()
    size = len(body_of(raw)) + MORE
    assert b"\r\nContent-Length: %d\r\n" % size in heard
    assert body_of(heard) == body_of(raw[:whole]).replace(NODE, GATE)
    for piece in cut(raw[whole:], 100_000):
        backend.says(piece)
        assert talk.client.heard() == piece
    assert counted(talk) == {"rewritten": 1}
    assert over(talk) == []


def test_a_client_that_takes_nothing_pauses_the_attachment() -> None:
    talk = one(addresses=ON, profiles=COOKIE)
    raw = response(multi(epr(), blob=b"x" * 1_000_000))
    answer(talk, raw[:2000])
    (backend,) = talk._peers
    assert not backend.paused
    talk.client.wire.producer.pauseProducing()
    assert backend.paused
    talk.client.wire.producer.resumeProducing()
    assert not backend.paused


def test_a_root_over_the_limit_streams_on_with_what_was_held() -> None:
    talk = one(addresses={**ON, "most": 1000}, profiles=COOKIE)
    talk.client.says(post(envelope()))
    backend = talk.asked()
    raw = response(multi(epr() + b" " * 2000, blob=b"x" * 10_000))
    backend.says(raw[:900])
    assert talk.client.heard() == b""
    backend.says(raw[900:1400])
    assert talk.client.heard() == raw[:1400]
    backend.says(raw[1400:])
    assert talk.client.heard() == raw[1400:]
    assert counted(talk) == {"too-long": 1}
    assert over(talk) == []


def test_one_that_cannot_be_rewritten_streams_from_its_first_byte() -> None:
    talk = one(addresses=ON, profiles=COOKIE)
    raw = response(multi(epr())).replace(b"/related", b"/mixed")
    assert answer(talk, raw[:400]) == raw[:400]


def test_a_backend_that_breaks_off_in_an_attachment_is_seen_by_the_client() -> None:
    talk = one(addresses=ON)
    answer(talk, response(multi(epr()))[:-300])
    (backend,) = talk._peers
    backend.breaks()
    assert talk.client.wire.ended
    assert over(talk) == []


def test_a_backend_that_breaks_off_in_the_root_is_a_fault() -> None:
    talk = one(addresses=ON)
    raw = response(multi(epr()))
    assert answer(talk, raw[: raw.index(epr()) + 100]) == b""
    (backend,) = talk._peers
    backend.breaks()
    assert talk.client.heard().startswith(b"HTTP/1.1 502 ")
    assert over(talk) == []


def test_a_client_that_leaves_amid_an_attachment_leaves_nothing_behind() -> None:
    talk = one(addresses=ON)
    answer(talk, response(multi(epr()))[:-300])
    talk.client.breaks()
    assert talk.last.left
    assert over(talk) == []


# --- compressed ----------------------------------------------------------------------------------

CODINGS = {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress}


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("size", [10, 100_000])
def test_a_compressed_one_goes_on_uncompressed(coding: str, size: int) -> None:
    talk = one(addresses=ON)
    said = b"Content-Encoding: " + coding.encode()
    heard = answer(talk, *cut(response(CODINGS[coding](multi(epr())), said), size))
    assert heard == response(multi(MOVED))
    assert counted(talk) == {"rewritten": 1}
    assert over(talk) == []


@pytest.mark.parametrize("coding", ["", *CODINGS])
@pytest.mark.parametrize("size", [10, 100_000])
def test_a_root_in_base64_is_base64_afterwards(coding: str, size: int) -> None:
    def message(root: bytes) -> bytes:
        lines = base64.encodebytes(root).strip().replace(b"\n", b"\r\n")
        return multi(lines, head=ROOT64 + b"Content-Length: %d\r\n" % len(lines))

    talk, raw = one(addresses=ON), response(message(epr()))
    if coding:
        said = b"Content-Encoding: " + coding.encode()
        raw = response(CODINGS[coding](message(epr())), said)
    assert answer(talk, *cut(raw, size)) == response(message(MOVED))
    assert counted(talk) == {"rewritten": 1}
    assert over(talk) == []


def test_a_compressed_one_without_addresses_stays_as_it_is() -> None:
    talk = one(addresses=ON)
    raw = response(gzip.compress(multi(envelope())), b"Content-Encoding: gzip")
    assert answer(talk, raw) == raw
    assert counted(talk) == {}


GZIP = b"Content-Encoding: gzip"
LONG = multi(epr(), blob=bytes(4000))
ROOT64 = HEAD + b"Content-Transfer-Encoding: base64\r\n"
SIGNED = epr().replace(
    b"<e:Body>",
    b'<e:Body><d:Signature xmlns:d="http://www.w3.org/2000/09/xmldsig#"><d:SignedInfo>'
    b'<d:Reference URI="cid:r"/></d:SignedInfo></d:Signature>',
)
UNTOUCHED = {
    "too-long: inflated": response(gzip.compress(LONG), GZIP),
    "too-long: a bomb": response(gzip.compress(LONG + bytes(10_000_000)), GZIP),
    "too-long: compressed": response(bytes(5000), GZIP),
    "too-long: what is before the root": response(multi(epr(), first=b"x" * 4000)),
    "malformed: broken gzip": response(gzip.compress(multi(epr()))[:-9], GZIP),
    "malformed: broken XML": response(multi(epr()[:-1])),
    "malformed: a boundary that goes on": response(multi(epr() + b"\r\n--bc")),
    "encoding: br": response(multi(epr()), b"Content-Encoding: br"),
    "multipart: broken base64": response(multi(b"PGEv?", head=ROOT64)),
    "multipart: no root": response(b"no part"),
    "sealed: signed": response(multi(SIGNED)),
    "sealed: by HTTP": response(multi(epr()), b"Signature-Input: a=()"),
}


@pytest.mark.parametrize("why", UNTOUCHED)
@pytest.mark.parametrize("size", [200, 1_000_000])
def test_what_cannot_be_rewritten_passes_as_it_is_and_is_counted(why: str, size: int) -> None:
    talk = one(addresses={**ON, "most": 4000})
    assert answer(talk, *cut(UNTOUCHED[why], size)) == UNTOUCHED[why]
    assert counted(talk) == {why.partition(":")[0]: 1}
    assert over(talk) == []


def test_part_of_a_multipart_and_the_answer_to_head_stay() -> None:
    talk = one(addresses=ON)
    raw = response(multi(epr())).replace(b"200 OK", b"206 Partial Content")
    assert answer(talk, raw) == raw
    talk.client.says(b"HEAD / HTTP/1.1\r\nHost: gate.example\r\n\r\n")
    head = head_of(response(multi(epr()))) + b"\r\n\r\n"
    talk.asked().says(head)
    assert talk.client.heard() == head
    assert counted(talk) == {}


def test_an_old_client_gets_the_new_root_too() -> None:
    talk = one(addresses=ON)
    talk.client.says(re.sub(rb"HTTP/1.1", b"HTTP/1.0", post(envelope()), count=1))
    talk.asked().says(chunked(multi(epr()), 100))
    assert body_of(talk.client.heard()) == multi(MOVED)
    assert talk.client.wire.ended == "closed"
