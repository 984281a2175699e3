"""The scanner's answers, whole, byte by byte and at every split, in every encoding and coding."""

from __future__ import annotations

import gzip
import zlib

import pytest
from shop import ID, LIMITS, Shop, each_way, ids, message

from soapgate.core.errors import Reason
from soapgate.core.ns import SOAP11, SOAP12, WSA
from soapgate.core.scanner import Outcome, Scanner, scan

OTHER = message('<s:Session id="b"/>').decode()

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
    "white space first": message(ID, before=" \t\r\n"),
    "encoding and standalone": message(
        ID, before='<?xml version="1.0" encoding="utf-8" standalone="no" ?>'
    ),
    "declaration 1.1 with an encoding": message(
        ID, before='<?xml version="1.1" encoding="UTF-8"?>'
    ),
    "instructions first": message(ID, before='<?xml-stylesheet href="x"?><?php echo "<a>" ?>'),
    "xml:space": message('<s:Session xml:space="preserve"> a1 </s:Session>'),
    "xml:lang and xml:base on the Header": message(ID).replace(
        b"<e:Header", b"<e:Header xml:lang='de' xml:base='urn:x'"
    ),
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


NOT_SOAP = {
    "empty": (b"", b"text/xml", "empty"),
    "white space": (b" \r\n", b"text/xml", "empty"),
    "JSON": (b'{"a": 1}', b"application/json", "content type application/json"),
    "JSON called XML": (b'{"a": 1}', b"text/xml", "not XML"),
    "binary": (b"\xe0\0\0\1", b"application/fastinfoset", "content type application/fastinfoset"),
    "MIME": (b"--x\r\n", b"multipart/mixed; boundary=x", "content type multipart/mixed"),
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


def test_scan_is_feed_and_close():
    assert ids(scan(message(ID), Shop(), LIMITS)) == ["a1"]
    assert scan(b"", Shop(), LIMITS).detail == "empty"
