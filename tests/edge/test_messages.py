from __future__ import annotations

import gzip

import pytest

from soapgate.core.errors import Failure, Reason
from soapgate.edge.http11 import HeadLimits
from soapgate.edge.messages import kind_of, read_message, read_messages

LIMITS = HeadLimits()


def http(*lines: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"POST /x HTTP/1.1\r\n", "request"),
        (b"post /x HTTP/2.0\r\n", "request"),
        (b"HTTP/1.1 200 OK\r\n", "response"),
        (b"<a/>", "envelope"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>", "envelope"),
        (b"", "envelope"),
        (b"POST is not all of a request line", "envelope"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_the_first_bytes_say_what_a_message_is(data, kind):
    assert kind_of(data) == kind


def test_an_envelope_is_taken_as_it_is():
    message = read_message(b" <a/> ", LIMITS)
    assert (message.kind, message.body) == ("envelope", b" <a/> ")


def test_a_request_is_read_as_off_the_wire():
    data = http(
        *(b"POST /shop;a=b?c HTTP/1.1", b"Host: h", b'SOAPAction: "urn:x"', b"Content-Length: 3"),
        body=b"abcGET / HTTP/1.1",
    )
    message = read_message(data, LIMITS)
    assert (message.kind, message.target, message.action) == ("request", b"/shop;a=b?c", "urn:x")
    assert message.body == b"abc"
    assert message.first(b"host") == b"h"


def test_a_chunked_body_is_put_together():
    data = http(
        *(b"POST / HTTP/1.1", b"Host: h", b"Transfer-Encoding: chunked"),
        body=b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
    )
    assert read_message(data, LIMITS).body == b"abcde"


def test_a_content_coding_stays():
    body = gzip.compress(b"<a/>")
    data = http(
        *(b"HTTP/1.1 200 OK", b"Content-Encoding: gzip", b"Content-Length: %d" % len(body)),
        body=body,
    )
    message = read_message(data, LIMITS)
    assert (message.kind, message.status, message.body) == ("response", 200, body)


def test_a_response_may_end_with_its_connection():
    assert read_message(http(b"HTTP/1.0 500 No", body=b"<a/>"), LIMITS).body == b"<a/>"


@pytest.mark.parametrize(
    ("data", "reason", "word"),
    [
        (b"POST / HTTP/1.1\r\nHost: h\r\n", Reason.MALFORMED, "no end"),
        (b"POST / HTTP/1.1\nHost: h\n\n", Reason.MALFORMED, "bare LF"),
        (http(b"POST / HTTP/1.1"), Reason.MALFORMED, "Host"),
        (http(b"POST / HTTP/2.0", b"Host: h"), Reason.VERSION, "HTTP/1.1"),
        (
            http(b"POST / HTTP/1.1", b"Host: h", b"Content-Length: 9", body=b"abc"),
            Reason.MALFORMED,
            "ends early, after 3 bytes",
        ),
        (
            http(b"HTTP/1.1 200 OK", b"Content-Length: 9", body=b"abc"),
            Reason.UPSTREAM_BROKEN,
            "ends early",
        ),
        (
            http(b"POST / HTTP/1.1", b"Host: h", b"X: " + b"y" * 40000),
            Reason.HEAD_TOO_LARGE,
            "over",
        ),
    ],
    ids=["no end", "LF", "no host", "version", "short", "short response", "long"],
)
def test_what_the_gateway_would_refuse_is_refused(data, reason, word):
    with pytest.raises(Failure, match=word) as caught:
        read_message(data, LIMITS)
    assert caught.value.reason is reason


# -- several in one file


def test_the_messages_of_a_kept_connection_are_read_one_by_one():
    one = http(b"POST /a HTTP/1.1", b"Host: h", b"Content-Length: 3", body=b"abc")
    two = http(b"GET /b HTTP/1.1", b"Host: h")
    saved = read_messages(one + two + b"\r\n", LIMITS)
    assert [(each.kind, each.message.target, each.message.body) for each in saved] == [
        ("request", b"/a", b"abc"),
        ("request", b"/b", b""),
    ]
    assert [each.raw for each in saved] == [one, two]


def test_an_interim_response_is_none_of_the_messages():
    data = b"HTTP/1.1 100 Continue\r\n\r\n" + http(b"HTTP/1.1 202 Accepted", b"Content-Length: 0")
    assert [one.message.status for one in read_messages(data, LIMITS)] == [202]


def test_what_came_before_a_broken_message_is_kept():
    whole = http(b"POST / HTTP/1.1", b"Host: h", b"Content-Length: 1", body=b"x")
    saved = read_messages(whole + whole[:-1], LIMITS)
    assert [one.message is not None for one in saved] == [True, False]
    assert saved[1].failure.reason is Reason.MALFORMED


# -- MIME without HTTP

PART = b"Content-Type: text/xml\r\n\r\n<a/>\r\n--b--\r\n"


@pytest.mark.parametrize("end", [b"\r\n", b"\n"], ids=["CRLF", "LF"])
def test_a_mime_head_says_how_to_read_the_body(end):
    head = [
        b"MIME-Version: 1.0",
        b'Content-Type: multipart/related; type="text/xml";',
        b'\tboundary=b; action="urn:x"',
        b"X-Other: 1",
    ]
    data = end.join([*head, b"", b"--b"]) + b"\r\n" + PART
    message = read_message(data, LIMITS)
    assert (message.kind, message.action) == ("envelope", "urn:x")
    assert message.body == b"--b\r\n" + PART
    assert message.fields == {
        b"content-type": [b'multipart/related; type="text/xml"; boundary=b; action="urn:x"']
    }


def test_a_file_that_begins_with_a_boundary_is_a_container():
    data = b"--uuid:1=_x\r\n" + PART
    message = read_message(data, LIMITS)
    assert message.first(b"content-type") == b'multipart/related; boundary="uuid:1=_x"'
    assert message.body == data


@pytest.mark.parametrize(
    "data",
    [b"--\n", b"-- a comment --\r\n<a/>", b"Subject: x\r\n\r\n<a/>", b"a: b"],
    ids=["dashes", "no part", "no type", "no end"],
)
def test_what_is_no_mime_message_is_taken_as_it_is(data):
    message = read_message(data, LIMITS)
    assert (message.kind, message.body, message.fields) == ("envelope", data, {})
