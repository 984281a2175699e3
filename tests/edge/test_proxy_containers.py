"""Exchanges whose envelopes come in containers: they are pinned, and their bytes are unchanged."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import pytest
from talk import PROFILE, Talk, body_of, envelope, head_of, ok, over, post

MESSAGES = Path(__file__).parent.parent / "data" / "multipart"
ID = "mime-7f3a-Caf\u00e9"  # of every message in data/multipart/read
COOKIE = {"lookup": ["cookie:S"], "learn": ["cookie:S"], "title": "Cookie", "about": "A cookie."}
RELATED = b'multipart/related; type="text/xml"; start="<r>"; boundary=b'


def files(place: str) -> pytest.MarkDecorator:
    paths = sorted((MESSAGES / place).glob("*.http"))
    assert paths
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)


def related(data: bytes) -> bytes:
    """A multipart/related message whose root, the second part, is `data`."""
    parts = (b"Content-ID: <a>\r\n\r\n\0\1\xff", b"Content-ID: <r>\r\n\r\n" + data)
    return b"".join(b"--b\r\n%b\r\n" % part for part in parts) + b"--b--\r\n"


def raw_deflate(data: bytes) -> bytes:
    deflate = zlib.compressobj(wbits=-15)
    return deflate.compress(data) + deflate.flush()


@files("read")
@pytest.mark.parametrize("size", [1, 100, 100_000])
def test_a_multipart_request_is_pinned_and_its_bytes_are_unchanged(path: Path, size: int) -> None:
    talk = Talk()
    issue = envelope(ID)
    owner = talk.serve(post(envelope()), ok(issue))
    talk.serve(post(envelope()), ok())  # it is the other's turn, so only a pin leads back
    request = path.read_bytes()
    for at in range(0, len(request), size):
        talk.client.says(request[at : at + size])
    backend = talk.asked()
    assert backend.name == owner.name
    assert body_of(backend.heard()) == body_of(request)
    backend.says(ok())
    assert (talk.last.route, talk.last.scan) == ("pinned", "found")
    assert over(talk) == []


@files("unread")
def test_a_multipart_that_cannot_be_read_goes_by_http_carriers_only(path: Path) -> None:
    talk = Talk(profiles={"shop": PROFILE, "cookie": COOKIE})
    owner = talk.serve(post(envelope()), ok(b"", b"Set-Cookie: S=c1"))
    talk.serve(post(envelope()), ok())
    head, _, body = path.read_bytes().partition(b"\r\n\r\n")
    talk.client.says(head + b"\r\nCookie: S=c1\r\n\r\n" + body)
    backend = talk.asked()
    assert backend.name == owner.name
    assert body_of(backend.heard()) == body
    backend.says(ok())
    assert (talk.last.route, talk.last.profile, talk.last.scan) == ("pinned", "cookie", "not-soap")
    assert talk.metrics.scans["request", "not-soap"] == 1


REPLIES = {
    "gzip": (gzip.compress(envelope("r1")), b"Content-Encoding: gzip"),
    "deflate": (zlib.compress(envelope("r1")), b"Content-Encoding: deflate"),
    "raw deflate": (raw_deflate(envelope("r1")), b"Content-Encoding: deflate"),
    "UTF-16": (envelope("r1").decode().encode("utf-16"), b"X: y"),
    "MIME": (related(envelope("r1")), b"Content-Type: " + RELATED),
    "MIME in gzip": (
        gzip.compress(related(envelope("r1"))),
        b"Content-Encoding: gzip\r\nContent-Type: " + RELATED,
    ),
}


@pytest.mark.parametrize(("body", "field"), REPLIES.values(), ids=REPLIES.keys())
def test_an_id_issued_inside_a_container_is_learnt_and_the_original_goes_on(
    body: bytes, field: bytes
) -> None:
    talk = Talk()
    response = ok(body, field)
    if b"Content-Type" in field:
        response = response.replace(b"Content-Type: text/xml\r\n", b"", 1)
    owner = talk.serve(post(envelope()), response)
    assert talk.client.heard().endswith(body)
    assert talk.last.learned == 1
    talk.serve(post(envelope()), ok())
    assert talk.serve(post(envelope("r1")), ok()).name == owner.name


def test_an_ambiguous_multipart_request_is_refused_before_a_byte_reaches_a_backend() -> None:
    talk = Talk()
    request = post(related(envelope("a"))).replace(
        b"text/xml; charset=utf-8", RELATED + b"; start=x"
    )
    talk.client.says(request)
    answer = talk.client.heard()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"start" in body_of(answer)
    assert talk.dials == 0
    assert (talk.last.reason, talk.last.scan) == ("malformed", "malformed")


def test_an_ambiguous_multipart_response_passes_and_nothing_is_learnt() -> None:
    talk = Talk()
    body = related(envelope("r1"))
    response = ok(body).replace(b"text/xml", RELATED + b"; boundary=c")
    talk.serve(post(envelope()), response)
    answer = talk.client.heard()
    assert (body_of(answer), talk.last.learned) == (body, 0)
    assert RELATED + b"; boundary=c" in head_of(answer)


@pytest.mark.parametrize("coding", [b"br", b"zstd", b"compress", b"gzip, gzip"])
def test_an_unknown_content_coding_passes_unpinned_and_is_counted(coding: bytes) -> None:
    talk = Talk()
    owner = talk.serve(post(envelope()), ok(envelope("s")))
    body = gzip.compress(gzip.compress(envelope("s")))
    peer = talk.serve(post(body, b"Content-Encoding: " + coding), ok())
    assert peer.name != owner.name
    assert (talk.last.route, talk.last.scan) == ("balanced", "not-soap")
    assert talk.metrics.scans["request", "not-soap"] == 1


@pytest.mark.parametrize(
    "kind",
    [b"application/fastinfoset", b"application/soap+fastinfoset", b"application/soap+msbin1"],
)
def test_binary_xml_passes_by_with_http_carriers_only(kind: bytes) -> None:
    talk = Talk(profiles={"shop": PROFILE, "cookie": COOKIE})
    owner = talk.serve(post(envelope()), ok(b"", b"Set-Cookie: S=c1"))
    talk.serve(post(envelope()), ok())
    body = b"\xe0\0\0\1\0" + envelope("s")
    request = post(body, b"Cookie: S=c1").replace(b"text/xml; charset=utf-8", kind)
    talk.client.says(request)
    backend = talk.asked()
    assert backend.name == owner.name
    assert body_of(backend.heard()) == body
    backend.says(ok(body).replace(b"text/xml", kind))
    assert body_of(talk.client.heard())[-len(body) :] == body
    assert (talk.last.scan, talk.last.reply_scan) == ("not-soap", "not-soap")


def test_a_long_attachment_streams_behind_a_decision_and_is_not_kept() -> None:
    talk = Talk()
    start = related(envelope("s"))[: -len(b"--b--\r\n")] + b"--b\r\n\r\n"
    size = len(start) + 3_000_000
    head = post(b"").replace(b"Content-Length: 0", b"Content-Length: %d" % size)
    talk.client.says(head.replace(b"text/xml; charset=utf-8", RELATED) + start)
    backend = talk.backend()
    assert body_of(backend.heard()) == start
    for _ in range(3):
        talk.client.says(b"x" * 1_000_000)
        assert backend.heard() == b"x" * 1_000_000


def test_attachments_before_the_root_are_kept_up_to_the_limit_and_then_pass() -> None:
    talk = Talk()
    body = b"--b\r\n\r\n" + b"x" * 1_000_000 + b"\r\n" + related(envelope("s"))
    request = post(body).replace(b"text/xml; charset=utf-8", RELATED)
    heard = b""
    for at in range(0, len(request), 65536):
        talk.client.says(request[at : at + 65536])
        if talk.dials:
            backend = talk.backend()
            assert at < 6 * 65536
    heard += backend.heard()
    assert body_of(heard) == body
    backend.says(ok())
    assert (talk.last.route, talk.last.scan) == ("balanced", "limit")
