"""The scanner under attack: what it refuses, what it passes unread, and how little it keeps."""

from __future__ import annotations

import gzip
import random
from dataclasses import replace

import pytest
from shop import ID, LIMITS, Shop, each_way, ids, message, run

from soapgate.core.errors import Failure, Reason
from soapgate.core.ns import SOAP11, SOAP12, WSA
from soapgate.core.scanner import Outcome, ScanLimits, Scanned, Scanner

REAL = f"<e:Body><s:login>{ID}</s:login></e:Body>"

MALFORMED = {
    "mismatch in the Header": message("<s:x></s:y>"),
    "undefined prefix": message("<q:x/>"),
    "undefined entity": message("<s:x>&foo;</s:x>"),
    "attribute twice": message("<s:x a='1' a='2'/>"),
    "attribute with <": message("<s:x a='<e:Body>'/>"),
    "comment that never ends": message("<!-- x"),
    "CDATA that never ends": message("<![CDATA["),
    "NUL": message("<s:x>\0</s:x>"),
    "overlong UTF-8": message("<s:x>@</s:x>").replace(b"@", b"\xc0\xaf"),
    "Latin-1 in UTF-8": message("<s:x>@</s:x>").replace(b"@", b"\xe9"),
    "declaration not first": b" " + message(ID, before='<?xml version="1.0"?>'),
    "no Body": f'<e:Envelope xmlns:e="{SOAP11}"><e:Header/></e:Envelope>'.encode(),
    "cut off in the Header": message(ID).split(b"</e:Header>")[0],
    "Body with a broken tag": message(ID).replace(b"<e:Body>", b"<e:Body a=1>"),
    "second Header": message(ID).replace(b"<e:Body>", b"<e:Header/><e:Body>"),
    "Header with another prefix": message(ID).replace(
        b"<e:Body>", b'<f:Header xmlns:f="%b"/><e:Body>' % SOAP11.encode()
    ),
    "element before Body": message(ID).replace(b"<e:Body>", b"<s:x/><e:Body>"),
    "element before Header": message(ID, inside="<s:x/>"),
    "Body of the other version": message(ID)
    .replace(b"<e:Body>", b'<f:Body xmlns:f="%b">' % SOAP12.encode())
    .replace(b"</e:Body>", b"</f:Body>"),
    "foreign Body first": message(ID).replace(b"<e:Body>", b"<s:Body/><e:Body>"),
    "Body in the Header only": f'<e:Envelope xmlns:e="{SOAP11}"><e:Header>{REAL}</e:Header>'
    "</e:Envelope>".encode(),
    "declaration behind an instruction": message(ID, before='<?p?><?xml version="1.0"?>'),
    "standalone of no kind": message(ID, before='<?xml version="1.0" standalone="maybe"?>'),
    "XML 1.1's control characters": message(f"<s:x>&#1;</s:x>{ID}", before='<?xml version="1.1"?>'),
    "XML 1.1's white space": message(
        ID.replace(" ", "\u0085"), before='<?xml version="1.1" encoding="UTF-8"?>'
    ),
    "XML 2.0": message(ID, before='<?xml version="2.0"?>'),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_two_parsers_might_read_in_two_ways_is_refused(data):
    reason, *_ = each_way(data)
    assert reason is Reason.MALFORMED


DOCTYPES = {
    "bare": "<!DOCTYPE Envelope>",
    "external entity": '<!DOCTYPE e [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    "external subset": '<!DOCTYPE e SYSTEM "http://example.com/x.dtd">',
    "billion laughs": '<!DOCTYPE e [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
    "after a comment": "<?xml version='1.0'?><!-- x --><?y?> <!DOCTYPE e>",
}


@pytest.mark.parametrize("before", DOCTYPES.values(), ids=DOCTYPES.keys())
@pytest.mark.parametrize("charset", ["utf-8", "utf-16", "utf-16-be", "iso-8859-1"])
def test_a_doctype_is_refused_in_every_encoding(before, charset):
    data = message(ID, before=before).decode().encode(charset)
    options = {"content_type": f"text/xml; charset={charset}".encode()}
    reason, detail, *_ = each_way(data, **options)
    assert (reason, detail) == (Reason.MALFORMED, "DOCTYPE")


def test_a_refusal_knows_the_version_and_the_message_id():
    block = f'<w:MessageID xmlns:w="{WSA[0]}">m1</w:MessageID>'
    data = message(block, soap=SOAP12).replace(b"<e:Body>", b"<e:Header/><e:Body>")
    scanner = Scanner(Shop(), LIMITS)
    with pytest.raises(Failure) as refusal:
        scanner.feed(data)
    assert refusal.value.source == "downstream"
    known = Scanned.refused(scanner)
    assert (known.soap, known.message_id) == ("1.2", (WSA[0], "m1"))


def test_a_refusal_quotes_nothing_of_the_message():
    _, detail, *_ = run([message('<s:Session xml:id="secret 1"/>')])
    assert "secret" not in detail


SMALL = ScanLimits(header_bytes=400, body_bytes=200, depth=6, attributes=3, blocks=4, tags=30)

LIMITED = {
    "header": (message(ID + "x" * 400), "header over 400 bytes"),
    "prolog": (message(ID, before="<!--" + "x" * 400 + "-->"), "header over 400 bytes"),
    "white space first": (message(ID, before=" " * 500), "header over 400 bytes"),
    "Body's own tag": (
        message(ID).replace(b"<e:Body>", b'<e:Body a="%b">' % (b"x" * 400)),
        "header over 400 bytes",
    ),
    "header with lookalikes": (
        message(ID + "<!--<e:Body>-->" * 30),
        "header over 400 bytes",
    ),
    "depth": (message("<a>" * 5 + "</a>" * 5 + ID), "depth over 6"),
    "depth in the stream": (message("<!--<e:Body>-->" + "<a>" * 5 + "</a>" * 5), "depth over 6"),
    "tags": (message("<b>" + "<a/>" * 40 + "</b>"), "over 30 tags before Body"),
    "blocks": (message("<a/>" * 5), "over 4 header blocks"),
    "attributes": (message('<a b="" c="" d="" e=""/>'), "over 3 attributes"),
    "attributes in the stream": (
        message('<!--<e:Body>--><a b="" c="" d="" e=""/>'),
        "over 3 attributes",
    ),
    "body": (message(None, "<s:login>" + "x" * 300 + "</s:login>"), "body over 200 bytes"),
    "body before the first child": (message(None, " " * 300 + "<s:login/>"), "body over 200 bytes"),
    "body in the first child's tag": (
        message(None, f"<s:get a='{'x' * 200}'/>"),
        "body over 200 bytes",
    ),
    "body in the stream": (
        message("<!--<e:Body>-->", "<s:login>" + "x" * 300 + "</s:login>"),
        "body over 200 bytes",
    ),
}


@pytest.mark.parametrize(("data", "detail"), LIMITED.values(), ids=LIMITED.keys())
def test_what_is_over_a_limit_passes_unpinned_and_says_why(data, detail):
    answer = each_way(data, limits=SMALL)
    assert (answer.outcome, answer.detail, answer.found) == (Outcome.LIMIT, detail, ())


@pytest.mark.parametrize("before", ["", "<!--<e:Body>-->"])
def test_a_body_over_its_limit_leaves_what_the_header_held(before):
    data = message(before + ID, f"<s:login>{ID}{'x' * 300}</s:login>")
    answer = each_way(data, limits=SMALL)
    assert (answer.outcome, ids(answer)) == (Outcome.FOUND, ["a1"])
    assert answer.detail == "body over 200 bytes"


def test_a_reference_beyond_the_limit_is_not_followed():
    data = message(f'<s:Session href="#r"/>{ID}', "<a/>" * 60 + '<m id="r" done="1">ref</m>')
    assert ids(each_way(data, limits=SMALL)) == ["a1"]


def test_a_header_of_exactly_the_limit_is_read():
    data = message(ID)
    size = data.index(b"<e:Body>") + len(b"<e:Body>")
    assert ids(each_way(data, limits=replace(LIMITS, header_bytes=size))) == ["a1"]
    over = each_way(data, limits=replace(LIMITS, header_bytes=size - 1))
    assert over.outcome is Outcome.LIMIT


def test_a_child_of_exactly_the_limit_is_read():
    child = f"<s:login>{ID}</s:login>"
    data = message(None, child + "x")
    assert ids(each_way(data, limits=replace(LIMITS, body_bytes=len(child)))) == ["a1"]
    over = each_way(data, limits=replace(LIMITS, body_bytes=len(child) - 1))
    assert over.outcome is Outcome.LIMIT


def test_a_huge_attribute_is_read_up_to_the_limit():
    for size, outcome in ((200_000, Outcome.FOUND), (300_000, Outcome.LIMIT)):
        data = message(f"<s:x a='{'y' * size}'/>{ID}")
        for way in ([data], [data[i : i + 4096] for i in range(0, len(data), 4096)]):
            assert run(way).outcome is outcome


ATTACKS = {
    "deep": message("<a>" * 40_000),
    "deep and closed": message("<a>" * 5_000 + "</a>" * 5_000),
    "attribute flood": message("<a " + " ".join(f'a{i}=""' for i in range(20_000)) + "/>"),
    "namespace flood": message("<a " + " ".join(f'xmlns:a{i}="u"' for i in range(10_000)) + "/>"),
    "block flood": message("<a/>" * 60_000),
    "huge text": message("<a>" + "x" * 1_000_000 + "</a>"),
    "lookalike flood": message("<!--" + "<e:Body>" * 25_000 + "-->" + ID),
    "comment flood": message(ID, "<!---->" * 9_000),
    "a tag that never ends": message("<" + "a" * 300_000),
}


@pytest.mark.parametrize("data", ATTACKS.values(), ids=ATTACKS.keys())
def test_a_flood_ends_in_an_answer_and_pieces_do_not_change_it(data):
    whole = run([data])
    assert run([data[i : i + 4096] for i in range(0, len(data), 4096)]) == whole
    assert whole.outcome if isinstance(whole, Scanned) else whole[0] is Reason.MALFORMED


def test_a_long_message_is_kept_only_up_to_the_limits():
    scanner = Scanner(Shop(), SMALL)
    head = message(ID, "<s:login>").split(b"</e:Body>")[0]
    assert scanner.feed(head) is None
    answer = scanner.feed(b"x" * 1_000_000)
    assert answer.read <= SMALL.header_bytes + SMALL.body_bytes


def test_corrupt_compression_is_refused_where_it_matters_only():
    noise = random.Random(1).randbytes(3000).hex()
    data = bytearray(gzip.compress(message(ID, f"<s:get>{noise}</s:get>")))
    data[-5] ^= 1  # the checksum, long after the answer
    assert ids(each_way(bytes(data), content_encoding=b"gzip")) == ["a1"]
    reason, *_ = each_way(b"\x1f\x8b\x08" + b"\xff" * 40, content_encoding=b"gzip")
    assert reason is Reason.MALFORMED


@pytest.mark.parametrize(
    ("header", "body"), [(" " * 3_000_000, ""), ("", "<s:login>" + " " * 3_000_000)]
)
def test_an_inflation_bomb_is_refused(header, body):
    data = gzip.compress(message(header, body))
    pieces = [data[i : i + 100] for i in range(0, len(data), 100)]
    for way in ([data], pieces):
        reason, detail, *_ = run(way, content_encoding=b"gzip")
        assert (reason, detail.split(":")[0]) == (Reason.TOO_LARGE, "inflation bomb")


def test_a_compressed_message_over_a_limit_is_no_bomb():
    noise = random.Random(1).randbytes(200_000).hex()
    answer = run([gzip.compress(message(f"<a>{noise}</a>"))], content_encoding=b"gzip")
    assert answer.outcome is Outcome.LIMIT
