"""Heads: what is read, what is refused, what travels on."""

from __future__ import annotations

import pytest

from soapgate.core.errors import Failure, Reason
from soapgate.edge import http11
from soapgate.edge.framing import CHUNKED, EMPTY, UNTIL_CLOSE, Length
from soapgate.edge.http11 import HeadLimits

LIMITS = HeadLimits()


def request(*fields: bytes, line: bytes = b"POST / HTTP/1.1", host: bytes = b"Host: h") -> bytes:
    lines = [line, *([host] if host else []), *fields]
    return b"\r\n".join([*lines, b"", b""])


def response(*fields: bytes, line: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return b"\r\n".join([line, *fields, b"", b""])


def read(raw: bytes) -> http11.RequestHead:
    assert http11.find_head(raw, 0, LIMITS) == len(raw)
    return http11.parse_request_head(raw, LIMITS)


def test_a_request_head_is_read() -> None:
    head = read(request(b'SOAPAction: "urn:x"', b"Accept: a", b"accept: b", b"Content-Length: 5"))
    assert (head.method, head.target, head.minor) == (b"POST", b"/", 1)
    assert head.framing == Length(5)
    assert head.fields[b"accept"] == [b"a", b"b"]
    assert b"content-length" not in head.fields
    assert head.keep_alive


def test_names_case_order_and_values_travel_as_sent() -> None:
    raw = request(b'sOaPaction:  "x" ', b"X-b: 1", b"x-A:2", b"X-B: 3", b"Content-Length: 0")
    assert read(raw).forward == raw[:-2]


def test_a_folded_content_type_travels_on_one_line() -> None:
    folded = b'Content-Type: multipart/related;\r\n\tstart="<a>";\r\n  boundary=b'
    plain = b'Content-Type: multipart/related; start="<a>"; boundary=b'
    head = read(request(b"A: 1", folded, b"Content-Length: 5", b"B: 2"))
    assert head.forward == request(b"A: 1", plain, b"Content-Length: 5", b"B: 2")[:-2]
    assert head.fields[b"content-type"] == [plain[14:]]
    assert head.framing == Length(5)
    answer = http11.parse_response_head(response(folded, b"Content-Length: 5"), b"POST", LIMITS)
    assert answer.forward == response(plain, b"Content-Length: 5")[:-2]


def test_a_fold_hides_no_field() -> None:
    head = read(request(b"Content-Type: a\r\n Transfer-Encoding: chunked", b"Content-Length: 5"))
    assert head.framing == Length(5)
    assert b"Content-Type: a Transfer-Encoding: chunked\r\n" in head.forward


def test_the_same_content_type_twice_is_let_be() -> None:
    assert read(request(b"Content-Type: a/b", b"Content-Type: a/b")).framing == EMPTY


REFUSED = {
    "content-length beside transfer-encoding": request(
        b"Content-Length: 3", b"Transfer-Encoding: chunked"
    ),
    "two equal content-lengths": request(b"Content-Length: 3", b"Content-Length: 3"),
    "two content-lengths": request(b"Content-Length: 3", b"Content-Length: 4"),
    "a content-length list": request(b"Content-Length: 3, 3"),
    "a signed content-length": request(b"Content-Length: +3"),
    "a negative content-length": request(b"Content-Length: -3"),
    "a hexadecimal content-length": request(b"Content-Length: 0x3"),
    "an empty content-length": request(b"Content-Length:"),
    "a huge content-length": request(b"Content-Length: 9999999999999999999999"),
    "gzip before chunked": request(b"Transfer-Encoding: gzip, chunked"),
    "chunked before gzip": request(b"Transfer-Encoding: chunked, gzip"),
    "gzip alone": request(b"Transfer-Encoding: gzip"),
    "identity": request(b"Transfer-Encoding: identity"),
    "chunked twice": request(b"Transfer-Encoding: chunked, chunked"),
    "two transfer-encodings": request(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    "an odd chunked": request(b"Transfer-Encoding: xchunked"),
    "an empty transfer-encoding": request(b"Transfer-Encoding:"),
    "transfer-encoding in 1.0": request(b"Transfer-Encoding: chunked", line=b"POST / HTTP/1.0"),
    "a nul in a value": request(b"A: b\x00c"),
    "a nul in a name": request(b"A\x00: b"),
    "a control character": request(b"A: b\x01"),
    "a bare cr": request(b"A: b\rc"),
    "obs-fold": request(b"A: b\r\n c"),
    "obs-fold behind the request line": request(host=b" Host: h"),
    "obs-fold beside a folded content-type": request(b"Content-Type: a;\r\n b=c", b"A: b\r\n c"),
    "two content-types": request(b"Content-Type: text/xml", b"Content-Type: multipart/related"),
    "a space before the colon": request(b"A : b"),
    "a tab before the colon": request(b"A\t: b"),
    "no name": request(b": b"),
    "no colon": request(b"abc"),
    "a space in a name": request(b"A b: c"),
    "no host": request(host=b""),
    "two hosts": request(b"Host: h"),
    "an empty host": request(host=b"Host:"),
    "a host with a blank": request(host=b"Host: a b"),
    "a host with a slash": request(host=b"Host: a/b"),
    "a host with user information": request(host=b"Host: a@b"),
    "a host list": request(host=b"Host: a,b c"),
    "a lower-case method": request(line=b"post / HTTP/1.1"),
    "an unknown method": request(line=b"FROB / HTTP/1.1"),
    "a method with odd letters": request(line=b"PO(ST / HTTP/1.1"),
    "connect": request(line=b"CONNECT h:80 HTTP/1.1"),
    "trace": request(line=b"TRACE / HTTP/1.1"),
    "the http/2 preface": request(line=b"PRI * HTTP/1.1"),
    "no version": request(line=b"GET /"),
    "two blanks": request(line=b"GET  / HTTP/1.1"),
    "a tab": request(line=b"GET\t/ HTTP/1.1"),
    "a blank behind the version": request(line=b"GET / HTTP/1.1 "),
    "another protocol": request(line=b"GET / ICY/1.1"),
    "absolute-form": request(line=b"GET http://h/ HTTP/1.1"),
    "authority-form": request(line=b"GET h:80 HTTP/1.1"),
    "asterisk-form with post": request(line=b"POST * HTTP/1.1"),
    "a blank in the target": request(line=b"GET /a b HTTP/1.1"),
    "a letter beyond ascii in the target": request(line=b"GET /\xe9 HTTP/1.1"),
    "a fragment in the target": request(line=b"GET /a#b HTTP/1.1"),
    "a control in the target": request(line=b"GET /\x7f HTTP/1.1"),
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED.keys())
def test_what_could_be_read_in_two_ways_is_refused(raw: bytes) -> None:
    with pytest.raises(Failure) as caught:
        http11.parse_request_head(raw, LIMITS)
    assert caught.value.reason is Reason.MALFORMED
    assert caught.value.source == "downstream"


@pytest.mark.parametrize("version", [b"HTTP/2.0", b"HTTP/0.9", b"HTTP/3.1"])
def test_other_versions_are_told_apart(version: bytes) -> None:
    with pytest.raises(Failure) as caught:
        http11.parse_request_head(request(line=b"GET / " + version), LIMITS)
    assert caught.value.reason is Reason.VERSION


def test_asterisk_form_is_for_options() -> None:
    assert read(request(line=b"OPTIONS * HTTP/1.1")).target == b"*"


@pytest.mark.parametrize(
    "host", [b"h", b"h:80", b"h:", b"127.0.0.1:8080", b"[::1]:80", b"a_b.example", b"xn--a.b"]
)
def test_every_usual_host_passes(host: bytes) -> None:
    assert read(request(host=b"Host: " + host)).first(b"host") == host


def test_an_old_request_needs_no_host() -> None:
    head = read(request(line=b"GET / HTTP/1.0", host=b""))
    assert head.minor == 0
    assert not head.keep_alive
    assert head.forward == b"GET / HTTP/1.1\r\n"


@pytest.mark.parametrize(
    ("fields", "old", "new"),
    [
        ([], False, True),
        ([b"Connection: close"], False, False),
        ([b"Connection: keep-alive"], True, True),
        ([b"Connection: Keep-Alive, TE"], True, True),
        ([b"Connection: keep-alive, CLOSE"], False, False),
        ([b"Connection: TE", b"Connection: close"], False, False),
    ],
)
def test_a_connection_lives_on_as_both_versions_have_it(
    fields: list[bytes], old: bool, new: bool
) -> None:
    assert read(request(*fields)).keep_alive is new
    assert read(request(*fields, line=b"GET / HTTP/1.0")).keep_alive is old


def test_hop_by_hop_fields_end_here_with_those_that_connection_names() -> None:
    raw = request(
        b"Connection: close, X-Mine",
        b"A: 1",
        b"Keep-Alive: timeout=5",
        b"Proxy-Connection: x",
        b"TE: deflate,gzip",
        b"Upgrade: h2c",
        b"HTTP2-Settings: AA",
        b"X-mine: 2",
        b"B: 3",
        b"Expect: 100-continue",
    )
    assert read(raw).forward == b"POST / HTTP/1.1\r\nHost: h\r\nA: 1\r\nB: 3\r\n"


def test_framing_host_and_cookies_cannot_be_removed_by_naming_them() -> None:
    named = b"Connection: content-length, host, cookie, content-type, transfer-encoding"
    forward = read(request(named, b"Cookie: a=b", b"Content-Length: 1")).forward
    assert forward == b"POST / HTTP/1.1\r\nHost: h\r\nCookie: a=b\r\nContent-Length: 1\r\n"


@pytest.mark.parametrize("name", [b"Upgrade", b"upgrade", b"UPGRADE", b"uPgRaDe"])
def test_an_upgrade_offer_changes_nothing(name: bytes) -> None:
    head = read(
        request(b"Connection: Upgrade, HTTP2-Settings", name + b": h2c", b"Content-Length: 7")
    )
    assert head.framing == Length(7)
    assert head.keep_alive
    assert b"h2c" not in head.forward


def test_only_100_continue_may_be_expected() -> None:
    assert read(request(b"Expect: 100-Continue")).expects_continue
    assert not read(request(b"Expect: 100-continue", line=b"POST / HTTP/1.0")).expects_continue
    with pytest.raises(Failure) as caught:
        read(request(b"Expect: 200-ok"))
    assert caught.value.reason is Reason.EXPECTATION


def test_heads_have_bounds() -> None:
    with pytest.raises(Failure) as caught:
        http11.find_head(b"GET /" + b"a" * 40_000, 0, LIMITS)
    assert caught.value.reason is Reason.HEAD_TOO_LARGE
    with pytest.raises(Failure) as caught:
        http11.find_head(b"GET /" + b"a" * 10_000, 0, LIMITS)
    assert caught.value.reason is Reason.URI_TOO_LONG
    with pytest.raises(Failure) as caught:
        read(request(line=b"GET /" + b"a" * 9_000 + b" HTTP/1.1"))
    assert caught.value.reason is Reason.URI_TOO_LONG
    with pytest.raises(Failure) as caught:
        http11.find_head(request(b"A: " + b"b" * 40_000), 0, LIMITS)
    assert caught.value.reason is Reason.HEAD_TOO_LARGE
    with pytest.raises(Failure) as caught:
        read(request(*[b"A: b"] * 120))
    assert caught.value.reason is Reason.HEAD_TOO_LARGE


@pytest.mark.parametrize(
    "raw", [b"GET / HTTP/1.1\nHost: h\n\n", b"\n", b"GET / HTTP/1.1\r\nA: b\n"]
)
def test_a_bare_lf_is_refused_at_once_and_not_waited_for(raw: bytes) -> None:
    with pytest.raises(Failure) as caught:
        http11.find_head(raw, 0, LIMITS)
    assert caught.value.reason is Reason.MALFORMED


def test_a_head_is_found_at_every_split() -> None:
    raw = request(b"A: b") + b"body"
    for cut in range(len(raw)):
        searched = 0
        found = http11.find_head(raw[:cut], 0, LIMITS)
        if not found:
            searched = cut
            found = http11.find_head(raw, searched, LIMITS)
        assert found == len(raw) - 4


# Responses


def test_a_response_head_is_read() -> None:
    head = http11.parse_response_head(response(b"Content-Length: 3"), b"POST", LIMITS)
    assert (head.status, head.framing, head.keep_alive) == (200, Length(3), True)


@pytest.mark.parametrize(
    "line",
    [b"HTTP/1.1 200", b"HTTP/1.1 200 ", b"HTTP/1.1 500 Session s-1 unknown", b"HTTP/1.1 200 \xc3"],
)
def test_a_reason_phrase_is_whatever_it_is(line: bytes) -> None:
    raw = response(b"Content-Length: 0", line=line)
    assert http11.parse_response_head(raw, b"POST", LIMITS).forward == raw[:-2]


def test_an_old_response_travels_on_in_our_version() -> None:
    head = http11.parse_response_head(response(line=b"HTTP/1.0 200 Fine"), b"POST", LIMITS)
    assert head.forward == b"HTTP/1.1 200 Fine\r\n"
    assert head.framing is UNTIL_CLOSE
    assert not head.keep_alive


@pytest.mark.parametrize(
    ("line", "method"),
    [
        (b"HTTP/1.1 200 OK", b"HEAD"),
        (b"HTTP/1.1 204 No Content", b"POST"),
        (b"HTTP/1.1 304 Not Modified", b"GET"),
        (b"HTTP/1.1 103 Early Hints", b"POST"),
    ],
)
def test_some_responses_have_no_body_whatever_they_say(line: bytes, method: bytes) -> None:
    head = http11.parse_response_head(response(b"Content-Length: 5", line=line), method, LIMITS)
    assert head.framing is EMPTY
    assert (b"Content-Length" in head.forward) == (method != b"POST")


def test_a_response_without_framing_ends_with_the_connection() -> None:
    assert http11.parse_response_head(response(), b"POST", LIMITS).framing is UNTIL_CLOSE


def test_chunks_are_known_in_any_case() -> None:
    raw = response(b"Transfer-Encoding: Chunked")
    assert http11.parse_response_head(raw, b"POST", LIMITS).framing is CHUNKED


@pytest.mark.parametrize(
    "raw",
    [
        response(b"Content-Length: 3", b"Transfer-Encoding: chunked"),
        response(b"Content-Length: 3", b"Content-Length: 4"),
        response(b"Transfer-Encoding: gzip"),
        response(b"Transfer-Encoding: chunked", line=b"HTTP/1.0 200 OK"),
        response(line=b"HTTP/1.1 99 X"),
        response(line=b"HTTP/1.1 2000 X"),
        response(line=b"HTTP/1.1  200 X"),
        response(line=b"HTTP/2.0 200 X"),
        response(line=b"HTTP/1.1 101 Switching Protocols"),
        response(b"A: b\x00"),
        response(b"A : b"),
        response(b"A: b\r\n c"),
        response(*[b"A: b"] * 120),
    ],
)
def test_responses_are_held_to_the_same_rules(raw: bytes) -> None:
    with pytest.raises(Failure) as caught:
        http11.parse_response_head(raw, b"POST", LIMITS)
    assert (caught.value.source, caught.value.reason) == ("upstream", Reason.UPSTREAM_BROKEN)


def test_an_http_1_0_peer_sees_no_transfer_encoding() -> None:
    forward = b"HTTP/1.1 200 OK\r\ntransfer-ENCODING: chunked\r\nA: b\r\n"
    assert http11.without_coding(forward) == b"HTTP/1.1 200 OK\r\nA: b\r\n"


@pytest.mark.parametrize(
    ("fields", "action"),
    [
        ({b"soapaction": [b'"urn:a"']}, "urn:a"),
        ({b"soapaction": [b"urn:a"]}, "urn:a"),
        ({b"soapaction": [b'""']}, ""),
        ({b"content-type": [b'application/soap+xml; charset=utf-8; action="urn:a"']}, "urn:a"),
        ({b"content-type": [b"application/soap+xml;action=urn:a"]}, "urn:a"),
        ({b"content-type": [b"text/xml"]}, ""),
        ({b"content-type": [b'm/r; start-info="a/s+xml; action=\\"urn:a\\""; b=c']}, "urn:a"),
        ({b"content-type": [b'm/r; type="a/x"; start-info="a/s+xml"; action="urn:a"']}, "urn:a"),
        ({b"soapaction": [b"a"], b"content-type": [b'x/y;action="b"']}, "a"),
        ({}, ""),
    ],
)
def test_the_soap_action_stands_in_either_version_s_place(
    fields: dict[bytes, list[bytes]], action: str
) -> None:
    assert http11.soap_action(fields) == action
