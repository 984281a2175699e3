"""The scanner, whole, byte by byte and at every split; against a full parse; under attack."""

from __future__ import annotations

import gzip
import random
import zlib
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from soapgate.core.errors import Failure, Reason
from soapgate.core.ns import SOAP11, SOAP12, WSA
from soapgate.core.scanner import (
    Found,
    NeedsBody,
    Outcome,
    ScanLimits,
    Scanned,
    Scanner,
    scan,
)

SHOP = "urn:example:shop"
SESSION = f"{{{SHOP}}}Session"
LIMITS = ScanLimits()


class Shop:
    """A Watch: Header/s:Session/@id or its text, and Body/s:login/s:Session likewise. A Session
    with an href is a reference to the element of that id anywhere in the envelope."""

    def wants_body(self, tag: str, action: str, /) -> bool:
        return tag == f"{{{SHOP}}}login" or action == "urn:all"

    def find(self, header, body_child, action, /):
        found, open_references = [], False
        for use, parent in (("lookup", header), ("learn", body_child)):
            for session in () if parent is None else parent.iterchildren(SESSION):
                text = session.get("id") or "".join(session.itertext())
                if session.get("href"):
                    text = self.follow(session)
                    open_references = open_references or text is None
                if text and text.strip():
                    found.append(Found("shop", use, text.strip(), "Session"))
        if open_references:
            raise NeedsBody(found)
        return found

    def follow(self, session):
        wanted = session.get("href")[1:]
        for element in session.getroottree().iter():
            if element.get("id") == wanted and element.get("done"):
                return element.text
        return None


def run(pieces, **options):
    """Scanned without `read`, or the Failure as (reason, detail)."""
    scanner = Scanner(Shop(), options.pop("limits", LIMITS), **options)
    try:
        for piece in pieces:
            answer = scanner.feed(piece)
            if answer is not None:
                break
        else:
            answer = scanner.close()
    except Failure as failure:
        return failure.reason, failure.detail, scanner.soap, scanner.message_id
    return answer._replace(read=0)


def each_way(data, **options):
    """Whole, byte by byte, and in two at every place: all the same, and that is returned."""
    whole = run([data], **options)
    assert run([data[i : i + 1] for i in range(len(data))], **options) == whole
    for at in range(1, len(data), max(1, len(data) // 400)):
        assert run([data[:at], data[at:]], **options) == whole, at
    return whole


def ids(answer):
    assert isinstance(answer, Scanned), answer
    return [found.id for found in answer.found]


def message(header="", body="", *, soap=SOAP11, before="", inside="", prefix="e:"):
    """An envelope; `header` is what stands in the Header (None: no Header)."""
    p, colon = prefix.rstrip(":"), ":" if prefix else ""
    head = "" if header is None else f"<{prefix}Header>{header}</{prefix}Header>"
    return (
        f'{before}<{prefix}Envelope xmlns{colon}{p}="{soap}" xmlns:s="{SHOP}">{inside}{head}'
        f"<{prefix}Body>{body}</{prefix}Body></{prefix}Envelope>"
    ).encode()


ID = '<s:Session id="a1"/>'
OTHER = message('<s:Session id="b"/>').decode()
REAL = f"<e:Body><s:login>{ID}</s:login></e:Body>"

FOUND_ONE = {
    "plain": message(ID),
    "soap 1.2": message(ID, soap=SOAP12),
    "declaration": message(ID, before='<?xml version="1.0" encoding="utf-8"?>\n'),
    "declaration 1.1": message(ID, before='<?xml version="1.1"?>'),
    "standalone": message(ID, before="<?xml version='1.0' standalone='yes'?>"),
    "comments and instructions first": message(
        ID, before="<?xml version='1.0'?> <!-- <e:Envelope> --> <?p <e:Body>?> "
    ),
    "DOCTYPE in a comment": message(ID, before="<!-- <!DOCTYPE x> -->"),
    "no prefix": message(ID, prefix=""),
    "a child": message(ID, "<s:get/>"),
    "a child with > in an attribute": message(ID, '<s:get a="/>" b=\'">\'>x</s:get>'),
    "a child behind comments": message(ID, " <!-- <s:login> --><?p <s:login>?>\n<s:get>1</s:get>"),
    "text in the Body": message(ID, "text<s:get/>"),
    "CDATA in the Body": message(ID, "<![CDATA[<s:login>]]><s:get/>"),
    "text id": message("<s:Session> a1\n</s:Session>"),
    "CDATA id": message("<s:Session><![CDATA[a1]]></s:Session>"),
    "comment within the id": message("<s:Session>a<!-- x -->1</s:Session>"),
    "lookalike in a comment": message(f"<!-- <e:Body> -->{ID}"),
    "many lookalikes": message("<!--<e:Body>--><![CDATA[<e:Body/>]]><?p <e:Body >?>" + ID),
    "envelope in a comment": message(f"<!-- {OTHER} -->{ID}"),
    "envelope in CDATA": message(f"<s:x><![CDATA[{OTHER}]]></s:x>{ID}"),
    "lookalike before the Header": message(ID, inside="<!-- <e:Body> -->"),
    "lookalike that opens a comment": message(f"<![CDATA[ <e:Body> <!-- ]]>{ID}<!-- -->"),
    "comment that ends in a lookalike's attribute": message(f'<!-- <e:Body a="-->{ID}<!--"/> -->'),
    "comment that ends in a self-closed lookalike": message(f'<!-- <e:Body a="-->" />{ID}'),
    "broken lookalike": message(f'<!-- <e:Body a="x" -->{ID}'),
    "nested Body": message(f"<s:x><e:Body/></s:x>{ID}"),
    "Body of another name in a block": message(f"<s:Body><s:Session id='b'/></s:Body>{ID}"),
    "SomeBody and Bodyguard": message(f"<s:SomeBody/><s:Bodyguard/><s:x> Body </s:x>{ID}"),
    "a session in a session": message(f"<s:x>{ID.replace('a1', 'b')}</s:x>{ID}"),
    "other prefix on Body": message(ID)
    .replace(b"<e:Body>", b'<f:Body xmlns:f="%b">' % SOAP11.encode())
    .replace(b"</e:Body>", b"</f:Body>"),
    "self-closed Body": message(ID).replace(b"<e:Body></e:Body>", b"<e:Body />"),
    "attributes on Body": message(ID, "<s:get/>").replace(
        b"<e:Body>", b"""<e:Body a="/>" b='">' xmlns:q="urn:q" >"""
    ),
    "non-ASCII": message("<s:gr\u00fc\u00dfe a='\u20ac'/>" + ID, "<s:\u00e9/>"),
    "broken Body": message(ID, "<s:get><a></b>"),
    "broken first child": message(ID, "<s:get <"),
    "invalid bytes in the Body": message(ID, "<s:get>").replace(b"<s:get>", b"<s:get>\xff\xfe"),
    "NUL in the Body": message(ID, "<s:get>\0</s:get>"),
    "cut off in the Body": message(ID, "<s:get>").split(b"</e:Body>")[0],
    "wanted child that is broken": message(ID, "<s:login><a></b></s:login>"),
    "wanted child that never ends": message(ID, "<s:login>").split(b"</e:Body>")[0],
    "Header after Body": message(ID).replace(b"</e:Body>", b"</e:Body><e:Header/><e:x/>"),
}


@pytest.mark.parametrize("data", FOUND_ONE.values(), ids=FOUND_ONE.keys())
def test_an_id_in_the_header_is_found_however_the_bytes_come(data):
    assert ids(each_way(data)) == ["a1"]


@pytest.mark.parametrize("content_type", [b"", b"text/xml", b'text/xml; charset="utf8"'])
def test_a_byte_order_mark_is_no_text(content_type):
    assert ids(each_way(b"\xef\xbb\xbf" + message(ID), content_type=content_type)) == ["a1"]


BODY_CASES = {
    "wanted": (message(None, f"<s:login>{ID}</s:login>"), ["a1"]),
    "after the header's": (message('<s:Session id="h"/>', f"<s:login>{ID}</s:login>"), ["h", "a1"]),
    "long end tag": (message(None, f"<s:login>{ID}</s:login \n >"), ["a1"]),
    "name that begins alike": (
        message(None, f"<s:login><s:login2></s:login2>{ID}</s:login>"),
        ["a1"],
    ),
    "nested same name": (message(None, f"<s:login><s:login></s:login>{ID}</s:login>"), ["a1"]),
    "end tag in a comment": (message(None, f"<s:login><!-- </s:login> -->{ID}</s:login>"), ["a1"]),
    "self-closed": (message(None, "<s:login/>"), []),
    "second child": (message(None, f"<s:get/><s:login>{ID}</s:login>"), []),
    "nested deeper": (message(None, f"<s:get><s:login>{ID}</s:login></s:get>"), []),
    "in a comment": (message(None, f"<!-- <s:login>{ID}</s:login> --><s:get/>"), []),
    "behind text": (message(None, f"x<s:login>{ID}</s:login>"), ["a1"]),
    "behind a lookalike": (message("<!-- <e:Body> -->", f"<s:login>{ID}</s:login>"), ["a1"]),
    "broken behind it": (message(None, f"<s:login>{ID}</s:login><a>"), ["a1"]),
    "broken in it": (message('<s:Session id="h"/>', f"<s:login>{ID}<a></s:login>"), ["h"]),
    "reference forward": (
        message('<s:Session href="#r"/>', '<s:get/><multi id="r" done="1">ref</multi>'),
        ["ref"],
    ),
    "reference from the Body": (
        message(None, '<s:login><s:Session href="#r"/></s:login><m id="r" done="1">ref</m>'),
        ["ref"],
    ),
    "reference to nowhere": (message(f'<s:Session href="#r"/>{ID}', "<s:get/><m/>"), ["a1"]),
    "reference and an empty Body": (message(f'<s:Session href="#r"/>{ID}'), ["a1"]),
    "reference and a broken Body": (message(f'<s:Session href="#r"/>{ID}', "<m></n>"), ["a1"]),
}


@pytest.mark.parametrize(("data", "expected"), BODY_CASES.values(), ids=BODY_CASES.keys())
def test_the_first_child_of_the_body_is_read_only_where_it_is_wanted(data, expected):
    assert ids(each_way(data)) == expected


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("<e:Fault><faultcode>e:Server</faultcode></e:Fault>", True),
        ("<e:Fault/>", True),
        ("<s:Fault/>", False),
        ("<s:get/>", False),
        ("", False),
        ("<!-- <e:Fault/> --> ", False),
        ("x<e:Fault/>", True),
    ],
)
def test_a_fault_is_the_bodys_first_child_in_the_envelopes_namespace(body, fault):
    answer = each_way(message(ID, body))
    assert answer.fault is fault


def test_a_message_that_ends_before_the_first_child_leaves_open_whether_it_is_a_fault():
    answer = each_way(message(ID, "<e:Fau").split(b"</e:Body>")[0])
    assert (answer.fault, answer.soap, ids(answer)) == (None, "1.1", ["a1"])


def test_the_answer_comes_with_the_first_childs_start_tag():
    data = message(ID, "<s:get>" + "x" * 1000 + "</s:get>")
    scanner = Scanner(Shop(), LIMITS)
    end = data.index(b"<s:get>") + len(b"<s:get>")
    assert scanner.feed(data[: end - 1]) is None
    assert scanner.feed(data[end - 1 : end]) is not None


@pytest.mark.parametrize("wsa", WSA)
@pytest.mark.parametrize("lookalike", ["", "<!-- <e:Body> -->"])
def test_the_message_id_is_read_in_every_version_of_ws_addressing(wsa, lookalike):
    block = f'<w:MessageID xmlns:w="{wsa}"> urn:uuid:1 </w:MessageID>'
    answer = each_way(message(lookalike + block))
    assert answer.message_id == (wsa, "urn:uuid:1")


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


NOT_SOAP = {
    "empty": (b"", b"text/xml", "empty"),
    "white space": (b" \r\n", b"text/xml", "empty"),
    "JSON": (b'{"a": 1}', b"application/json", "content type application/json"),
    "JSON called XML": (b'{"a": 1}', b"text/xml", "not XML"),
    "binary": (b"\xe0\0\0\1", b"application/fastinfoset", "content type application/fastinfoset"),
    "MIME": (b"--x\r\n", b"multipart/related; x=y", "content type multipart/related"),
    "other root": (b"<wsdl:definitions/>", b"text/xml", "root is wsdl:definitions"),
    "HTML": (b"<!doctype html><html></html>", b"", "not XML"),
    "HTML called so": (b"<!DOCTYPE html><html>", b"text/html", "content type text/html"),
    "foreign Envelope": (
        b'<Envelope xmlns="urn:x"><Header/><Body/></Envelope>',
        b"text/xml",
        "root is {urn:x}Envelope",
    ),
    "foreign Envelope without Body": (b"<Envelope><a/></Envelope>", b"text/xml", "root is Env"),
    "charset": (message(ID), b"text/xml; charset=klingon", "charset klingon"),
    "UTF-7": (message(ID), b"text/xml; charset=utf-7", "charset utf-7"),
    "only a comment": (b"<!-- x -->", b"text/xml", "no root element"),
    "half a tag": (b"<soap", b"text/xml", "not XML"),
}


@pytest.mark.parametrize(("data", "kind", "detail"), NOT_SOAP.values(), ids=NOT_SOAP.keys())
def test_what_is_no_envelope_passes_and_says_why(data, kind, detail):
    answer = each_way(data, content_type=kind)
    assert (answer.outcome, answer.found) == (Outcome.NOT_SOAP, ())
    assert answer.detail.startswith(detail)


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


ENCODED = {
    "latin-1 by HTTP": ("iso-8859-1", "", b"text/xml; charset=ISO-8859-1"),
    "latin-1 declared": ("iso-8859-1", "iso-8859-1", b"text/xml"),
    "HTTP over declaration": ("iso-8859-1", "utf-8", b'text/xml;charset="iso-8859-1"'),
    "UTF-8 by HTTP over declaration": ("utf-8", "iso-8859-1", b"text/xml; charset=UTF8"),
    "UTF-8 that declares UTF-16": ("utf-8", "utf-16", b"text/xml"),
    "UTF-16 with a mark": ("utf-16", "utf-16", b"text/xml"),
    "UTF-16 by HTTP, no mark": ("utf-16-be", "", b"text/xml; charset=utf-16"),
    "UTF-16 by HTTP, little": ("utf-16-le", "", b"text/xml; charset=utf-16"),
    "UTF-16 guessed": ("utf-16-le", "utf-16", b""),
    "UTF-32 with a mark": ("utf-32", "", b"text/xml"),
    "mark over HTTP": ("utf-16", "", b"text/xml; charset=utf-8"),
    "windows-1252": ("windows-1252", "", b"text/xml; charset='Windows-1252'"),
}


@pytest.mark.parametrize(("codec", "declared", "kind"), ENCODED.values(), ids=ENCODED.keys())
def test_an_id_is_the_same_text_in_every_encoding(codec, declared, kind):
    before = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    data = message('<s:Session id="gr\u00fc\u00df"/>', before=before).decode().encode(codec)
    assert ids(each_way(data, content_type=kind)) == ["gr\u00fc\u00df"]


@pytest.mark.parametrize(
    ("kind", "spoil"),
    [
        (b"text/xml; charset=utf-16", lambda text: text.encode("utf-16-le")),
        (b"text/xml; charset=gb18030", lambda text: text.encode("gb18030")),
    ],
)
@pytest.mark.parametrize("in_body", [False, True])
def test_bytes_outside_the_charset_are_a_fault_where_they_stand(kind, spoil, in_body):
    data = spoil(message(ID + "@", "<s:get>#</s:get>").decode())
    unit = b"\x00\xd8" if b"16" in kind else b"\xff"
    old = spoil("#" if in_body else "@")
    answer = each_way(data.replace(old, unit), content_type=kind)
    assert ids(answer) == ["a1"] if in_body else answer[0] is Reason.MALFORMED


def packed(data, coding):
    raw = zlib.compressobj(wbits=-15)
    return {
        b"gzip": gzip.compress(data),
        b"x-gzip": gzip.compress(data[:50]) + gzip.compress(data[50:]),
        b"deflate": zlib.compress(data),
        b"Deflate": raw.compress(data) + raw.flush(),
        b"identity": data,
    }[coding]


@pytest.mark.parametrize("coding", [b"gzip", b"x-gzip", b"deflate", b"Deflate", b"identity"])
@pytest.mark.parametrize("charset", ["utf-8", "utf-16"])
def test_an_id_is_found_in_a_compressed_message(coding, charset):
    data = packed(message(ID, "<s:get/>").decode().encode(charset), coding)
    assert ids(each_way(data, content_encoding=coding)) == ["a1"]


def test_a_coding_that_is_not_undone_passes_unread():
    answer = each_way(message(ID), content_encoding=b"br")
    assert (answer.outcome, answer.detail) == (Outcome.NOT_SOAP, "content encoding br")


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


# -- against a full parse


def full_parse(data):
    """(header ids, body ids, fault) by a strict parse of everything."""
    parser = etree.XMLParser(resolve_entities=False, remove_comments=True, remove_pis=True)
    root = etree.fromstring(data, parser)
    space = root.tag[1:].partition("}")[0]
    header, body = root.find(f"{{{space}}}Header"), root.find(f"{{{space}}}Body")
    child = body[0] if len(body) else None
    wanted = child if child is not None and Shop().wants_body(child.tag, "") else None
    found = Shop().find(header, wanted, "")
    return [one.id for one in found], child is not None and child.tag == f"{{{space}}}Fault"


TRAPS = st.sampled_from(
    [
        "<e:Body>", "<Body>", "</e:Body>", "<e:Header>", "</e:Header>", "<e:Envelope>", "<!--x",
        "]]", "Body", '<e:Body a="', "<s:login>", "</s:login>", '<s:Session id="trap"/>', "&amp;",
        " ", "\u00e9", "<x:Body/>", "'", '"', ">", "/>",
    ]
)  # fmt: skip
NOISE = st.lists(TRAPS, max_size=5).map("".join)


def escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "'")


@st.composite
def junk(draw):
    """Something that means nothing, full of what looks as if it did."""
    text = draw(NOISE)
    kind = draw(st.sampled_from(["comment", "cdata", "pi", "attribute", "text", "nested"]))
    return {
        "comment": f"<!-- {text.replace('--', '')} -->",
        "cdata": f"<s:x><![CDATA[{text}]]></s:x>",
        "pi": f"<?p {text}?>",
        "attribute": f'<s:x a="{escaped(text)}"/>',
        "text": f"<s:x>{escaped(text)}</s:x>",
        "nested": '<s:Body><s:Header><s:Session id="trap"/></s:Header></s:Body>',
    }[kind]


@st.composite
def blocks(draw):
    parts = []
    for _ in range(draw(st.integers(0, 3))):
        parts.append(draw(junk()))
        identity = draw(st.text("ab\u00e9 ", min_size=1, max_size=6))
        parts.append(
            draw(
                st.sampled_from(
                    ["", f'<s:Session id="{identity}"/>', f"<s:Session>{identity}</s:Session>"]
                )
            )
        )
    return "".join(parts)


@st.composite
def envelopes(draw):
    soap = draw(st.sampled_from([SOAP11, SOAP12]))
    outer, inner = draw(st.sampled_from([("e", "e"), ("SOAP-ENV", "ns1"), ("", ""), ("", "q")]))
    o, i = (f"{p}:" if p else "" for p in (outer, inner))
    bound = "".join(
        f' xmlns{":" if p else ""}{p}="{soap}"' for p in dict.fromkeys(["e", outer, inner])
    )
    misc = st.sampled_from(["", "\n", "<!-- <e:Body> -->", "<?p <e:Body> ?>", "<!-- x -->"])
    declaration = draw(st.sampled_from(["", '<?xml version="1.0"?>', "<?xml version='1.1' ?>\n"]))
    attribute = draw(st.sampled_from(["", " ", ' a=">"']))
    header = f"{draw(misc)}<{o}Header{attribute}>"
    header += f"{draw(blocks())}</{o}Header>" if draw(st.booleans()) else f"</{o}Header>"
    child = draw(
        st.sampled_from(["", "<s:get>1</s:get>", f"<{o}Fault/>", "<s:login/>", "text"])
        | blocks().map(lambda inside: f"<s:login>{inside}</s:login>")
    )
    body_tag = draw(st.sampled_from(["", " ", """ a='>' b="/>" """, ' xmlns:z="u"']))
    body = f"<{i}Body{body_tag}>{draw(misc)}{child}{draw(junk())}</{i}Body>"
    if draw(st.integers(0, 9)) == 0:
        body = f"<{i}Body{body_tag}/>"
    return (
        f'{declaration}{draw(misc)}<{o}Envelope{bound} xmlns:s="{SHOP}">'
        f"{draw(st.sampled_from(['', header]))}{draw(misc)}{body}</{o}Envelope>{draw(misc)}"
    )


UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=150)
CHARSETS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1"])


@UNHURRIED
@given(envelopes(), CHARSETS, st.randoms(use_true_random=False))
def test_any_cut_of_any_envelope_answers_as_a_full_parse(text, charset, chance):
    data = text.encode(charset)
    options = {"content_type": f"text/xml; charset={charset}".encode()}
    whole = run([data], **options)
    expected, fault = full_parse(text.encode())
    assert (ids(whole), whole.fault) == (expected, fault)
    assert whole.outcome is (Outcome.FOUND if expected else Outcome.NONE)
    for _ in range(5):
        cuts = sorted(chance.sample(range(len(data) + 1), min(len(data), chance.randint(1, 20))))
        pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        assert run(pieces, **options) == whole
    assert run([data[i : i + 1] for i in range(len(data))], **options) == whole


@UNHURRIED
@given(envelopes(), st.integers(20, 400), st.integers(1, 200), st.integers(1, 40))
def test_limits_do_not_depend_on_the_pieces(text, header_bytes, body_bytes, size):
    data = text.encode()
    limits = ScanLimits(header_bytes, body_bytes, depth=4, attributes=2, blocks=2)
    pieces = [data[i : i + size] for i in range(0, len(data), size)]
    assert run(pieces, limits=limits) == run([data], limits=limits)


SPOILERS = st.sampled_from(
    [b"", b"<", b">", b'"', b"Body", b"\0", b"\xff", b"&", b"<e:Body>", b"-->", b"]]>", b"/", b" "]
)


@UNHURRIED
@given(envelopes(), st.data())
def test_a_spoilt_message_is_refused_or_read_as_a_full_parse_reads_it(text, data_of):
    data = bytearray(text.encode())
    for _ in range(data_of.draw(st.integers(1, 4))):
        at = data_of.draw(st.integers(0, len(data) - 1))
        piece = data_of.draw(SPOILERS)
        data[at : at + data_of.draw(st.integers(0, 3))] = piece
    data = bytes(data)
    answer = run([data])
    for size in (1, 7):
        assert run([data[i : i + size] for i in range(0, len(data), size)]) == answer
    try:
        expected, _ = full_parse(data)
    except (etree.XMLSyntaxError, TypeError, AttributeError):
        return  # not well-formed, or no envelope: nothing to agree with
    if isinstance(answer, Scanned) and answer.outcome is not Outcome.NOT_SOAP:
        assert ids(answer) == expected


def test_scan_is_feed_and_close():
    assert ids(scan(message(ID), Shop(), LIMITS)) == ["a1"]
    assert scan(b"", Shop(), LIMITS).detail == "empty"
