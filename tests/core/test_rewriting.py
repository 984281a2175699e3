from __future__ import annotations

import codecs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from soapgate.core import ns
from soapgate.core.addresses import Origins
from soapgate.core.rewriting import Rewritten, Untouched, rewrite

NODE = "http://10.0.0.1:9001"
GATE = "https://gate.example"
ORIGINS = Origins([(False, "10.0.0.1", 9001), (False, "b2.example", 80)])
XML = b"text/xml"

WSDL = f"""<?xml version="1.0" encoding='UTF-8'?>
<!-- {NODE}/a -->
<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/"
   xmlns:s='http://schemas.xmlsoap.org/wsdl/soap/'
   xmlns:s12="http://schemas.xmlsoap.org/wsdl/soap12/" xmlns:h="http://schemas.xmlsoap.org/wsdl/http/"
   xmlns:x="http://www.w3.org/2001/XMLSchema" targetNamespace="{NODE}/names">
  <w:documentation>See {NODE}/docs &amp; {NODE}</w:documentation>
  <w:import namespace="{NODE}/ns" location="{NODE}/shop?wsdl=1&amp;x=2"/>
  <w:types><x:schema><x:import namespace='urn:a' schemaLocation='{NODE}/shop?xsd=1'/>
    <x:include schemaLocation = "{NODE}/a.xsd" /><x:redefine schemaLocation="{NODE}/b.xsd"/>
    <x:import schemaLocation="relative.xsd"/></x:schema></w:types>
  <w:service name="Shop"><w:port name="a"><s:address location="{NODE}/shop"/></w:port>
    <w:port name="b"><s12:address
       location="http://B2.example:80/shop"></s12:address></w:port>
    <w:port name="c"><h:address location="{NODE}"/></w:port>
    <w:port name="d"><s:address location="http://other.example/shop"/></w:port></w:service>
</w:definitions>
"""


def done(text: str | bytes, kind: bytes = XML) -> Rewritten:
    body = text if isinstance(text, bytes) else text.encode()
    return rewrite(body, kind, ORIGINS, GATE.encode())


def after(text: str) -> str:
    return done(text).body.decode()


def test_a_wsdl_names_the_gateway_wherever_clients_look_for_an_address():
    result = done(WSDL)
    text = result.body.decode()
    wanted = WSDL
    for place in ("location=", "schemaLocation=", "schemaLocation = "):
        for quote in "\"'":
            wanted = wanted.replace(f"{place}{quote}{NODE}", f"{place}{quote}{GATE}")
    wanted = wanted.replace("http://B2.example:80/shop", f"{GATE}/shop")
    assert text == wanted
    assert (result.replaced, result.sealed) == (7, 0)
    assert text.count(f"{NODE}") == 5  # comment, documentation and names are not addresses


def envelope(header: str = "", body: str = "", *, wsa: str = ns.WSA10) -> str:
    return (
        f'<e:Envelope xmlns:e="{ns.SOAP12}" xmlns:a="{wsa}" xmlns:u="{ns.WSU}"'
        f' xmlns:d="http://www.w3.org/2000/09/xmldsig#" xmlns:s="{ns.WSSE10}"'
        f' xmlns:x="http://www.w3.org/2001/04/xmlenc#">'
        f"<e:Header>{header}</e:Header><e:Body>{body}</e:Body></e:Envelope>"
    )


@pytest.mark.parametrize("wsa", ns.WSA)
@pytest.mark.parametrize(
    "place",
    ["ReplyTo", "From", "SubscriptionManager", "SubscriptionReference", "PullPoint",
     "ResourceCreated", "RegistrationService", "stateful"],
)  # fmt: skip
def test_the_address_of_an_endpoint_reference_is_replaced_in_header_and_body(wsa, place):
    reference = f"<a:{place}><a:Address>{NODE}/sub?Idx=7</a:Address></a:{place}>"
    moved = reference.replace(NODE, GATE)
    assert after(envelope(reference, wsa=wsa)) == envelope(moved, wsa=wsa)
    assert after(envelope("", reference, wsa=wsa)) == envelope("", moved, wsa=wsa)


TEXTS = {
    "white space": f"<a:Address>\r\n  {NODE}/x\n</a:Address>",
    "a CDATA section": f"<a:Address><![CDATA[{NODE}/x?a=1&b=2]]></a:Address>",
    "white space around CDATA": f"<a:Address> <![CDATA[ {NODE}/x]]> </a:Address>",
    "a comment before it": f"<a:Address><!-- {0}http:// -->{NODE}/x</a:Address>",
    "an instruction before it": f"<a:Address><?p {0}?>{NODE}/x</a:Address>",
    "entities": f"<a:Address>{NODE}/x?a=1&amp;b=&#50;&lt;</a:Address>",
    "attributes on the element": f"<a:Address b=\"1>2\" c = '/>'>{NODE}/x</a:Address>",
    "nothing behind it": f"<a:Address>{NODE}</a:Address>",
    "ONVIF": f'<XAddr xmlns="http://www.onvif.org/ver10/schema">{NODE}/onvif/event</XAddr>',
    "Salesforce": f"<r:serverUrl xmlns:r='urn:partner.soap.sforce.com'>{NODE}/s/u/1</r:serverUrl>",
    "its metadata": f"<r:metadataServerUrl xmlns:r='urn:e'>{NODE}/s/m</r:metadataServerUrl>",
    "without a namespace": f"<serverUrl>{NODE}/s</serverUrl>",
    "an exchange of metadata": (
        f'<Location xmlns="http://schemas.xmlsoap.org/ws/2004/09/mex">{NODE}/?wsdl</Location>'
    ),
    "WSDL 2.0": f'<endpoint xmlns="http://www.w3.org/ns/wsdl" address="{NODE}/a"/>',
    "DISCO": (
        f'<contractRef xmlns="http://schemas.xmlsoap.org/disco/scl/" ref="{NODE}/a?wsdl"'
        f' docRef="{NODE}/a"/>'
    ),
    "several in one list": (
        '<XAddrs xmlns="http://schemas.xmlsoap.org/ws/2005/04/discovery">'
        f"{NODE}/a http://10.0.0.1:9001/b</XAddrs>"
    ),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_an_address_is_replaced_as_it_is_written(text):
    assert after(envelope("", text)) == envelope("", text.replace(NODE, GATE))


STAYING = {
    "an address of another": "<a:Address>http://elsewhere/</a:Address>",
    "the anonymous address": f"<a:Address>{ns.WSA10}/anonymous</a:Address>",
    "an element of the service's own": f"<Address>{NODE}/x</Address>",
    "an attribute of it": f'<link href="{NODE}/x" location="{NODE}/x"/>',
    "an empty element": "<a:Address/>",
    "a child before it": f"<a:Address><b/>{NODE}</a:Address>",
    "a longer local name": f"<r:myserverUrl xmlns:r='urn:e'>{NODE}/s</r:myserverUrl>",
    "not at the start": f"<a:Address>see:{NODE}</a:Address>",
    "an attribute in a namespace": (
        f'<address xmlns="http://schemas.xmlsoap.org/wsdl/soap/" a:location="{NODE}"/>'
    ),
    "markup in a comment": f"<!-- <a:Address>{NODE}</a:Address> -->",
    "markup in CDATA": f"<b><![CDATA[<a:Address>{NODE}</a:Address>]]></b>",
    "a parameter": f"<a:ReferenceParameters><k>{NODE}</k></a:ReferenceParameters>",
}


@pytest.mark.parametrize("text", STAYING.values(), ids=STAYING)
def test_what_is_no_address_of_a_backend_stays(text):
    body = envelope("", f"<b>{NODE}</b>{text}").encode()
    result = done(body)
    assert result.body is body
    assert (result.replaced, result.sealed) == (0, 0)


# --- what is signed ------------------------------------------------------------------------------


def signature(*uris: str) -> str:
    told = "".join(f'<d:Reference URI="{uri}"/>' for uri in uris)
    return (
        f"<s:Security><d:Signature><d:SignedInfo>{told}</d:SignedInfo></d:Signature></s:Security>"
    )


def epr(attribute: str = "", path: str = "x") -> str:
    return f"<a:ReplyTo {attribute}><a:Address>{NODE}/{path}</a:Address></a:ReplyTo>"


SEALED = {
    "wsu:Id": ("u:Id='r-1'", "#r-1"),
    "Id": ("Id='r-1'", "#r-1"),
    "ID": ("ID='r-1'", "#r-1"),
    "xml:id": ("xml:id='r-1'", "#r-1"),
    "AssertionID": ("AssertionID='r-1'", "#r-1"),
    "an XPointer": ("u:Id='r-1'", "#xpointer(id('r-1'))"),
    "an escaped id": ("u:Id='r 1'", "#r%201"),
}


@pytest.mark.parametrize(("attribute", "uri"), SEALED.values(), ids=SEALED)
@pytest.mark.parametrize("first", [True, False])
def test_a_signed_part_stays_and_the_rest_is_rewritten(attribute, uri, first):
    seal = signature(uri)
    parts = [seal, epr(attribute)] if first else [epr(attribute), seal]
    text = envelope("".join(parts), epr("u:Id='r-2'", "free"))
    result = done(text)
    assert result.body.decode() == text.replace(f"{NODE}/free", f"{GATE}/free")
    assert (result.replaced, result.sealed) == (1, 1)


def test_a_part_inside_a_signed_part_stays():
    text = envelope(signature("#all"), f"<b><c u:Id='all'><e>{epr()}</e></c></b>")
    assert done(text) == Rewritten(text.encode(), 0, 1)


def test_the_address_itself_may_be_the_signed_part():
    text = envelope(signature("#me"), f"<a:Address u:Id='me'>{NODE}</a:Address>{epr()}")
    assert (done(text).replaced, done(text).sealed) == (1, 1)


EVERYTHING = {
    "the whole document": signature(""),
    "its root": signature("#xpointer(/)"),
    "what only the application knows": signature("#x").replace(' URI="#x"', ""),
    "a signature that is encrypted": "<s:Security><x:EncryptedData/></s:Security>",
    "a signature outside of the security header": (
        '<d:Signature><d:SignedInfo><d:Reference URI=""/></d:SignedInfo></d:Signature>'
    ),
}


@pytest.mark.parametrize("header", EVERYTHING.values(), ids=EVERYTHING)
def test_nothing_is_rewritten_where_everything_is_signed_or_may_be(header):
    text = envelope(header + epr(), epr())
    assert done(text) == Rewritten(text.encode(), 0, 2)


HARMLESS = {
    "an attachment": signature("cid:part"),
    "another document": signature("http://elsewhere/doc"),
    "another part": signature("#other"),
    "an encrypted Body": "",
    "an encrypted key": "<s:Security><x:EncryptedKey/></s:Security>",
}


@pytest.mark.parametrize("header", HARMLESS.values(), ids=HARMLESS)
def test_a_signature_over_something_else_seals_nothing(header):
    text = envelope(header + epr(), "<x:EncryptedData><x:CipherData/></x:EncryptedData>")
    assert done(text).body.decode() == text.replace(NODE, GATE)


@pytest.mark.parametrize("uri", ["cid:root@x", "CID:root%40x", "http://elsewhere/doc", "doc.xml"])
def test_a_document_that_is_a_part_may_be_signed_by_its_name(uri):
    body = envelope(signature("cid:blob", uri), epr()).encode()
    given = (body, XML, ORIGINS, GATE.encode())
    assert rewrite(*given, "root@x") == Rewritten(body, 0, 1)
    assert rewrite(*given).replaced == 1
    others = envelope(signature("cid:blob", "cid:root", "#other"), epr()).encode()
    assert rewrite(others, XML, ORIGINS, GATE.encode(), "root@x").replaced == 1


@pytest.mark.parametrize("shell", ["s:Security", "d:Signature", "x:EncryptedData"])
def test_nothing_inside_security_signatures_and_encrypted_data_is_touched(shell):
    text = envelope(f"<{shell}><q>{epr()}</q></{shell}>", epr("", "free"))
    result = done(text)
    assert result.body.decode() == text.replace(f"{NODE}/free", f"{GATE}/free")
    assert (result.replaced, result.sealed) == (1, 1)


# --- encodings -----------------------------------------------------------------------------------

DECLARED = '<?xml version="1.0" encoding="%s"?>\n'
CHARSETS = {
    "UTF-8": (b"text/xml; charset=utf-8", "utf-8", b""),
    "UTF-8 with BOM": (XML, "utf-8", codecs.BOM_UTF8),
    "UTF-16 LE with BOM": (XML, "utf-16-le", codecs.BOM_UTF16_LE),
    "UTF-16 BE with BOM": (b"application/soap+xml", "utf-16-be", codecs.BOM_UTF16_BE),
    "UTF-16 BE without": (XML, "utf-16-be", b""),
    "UTF-16 by HTTP": (b'text/xml; charset="UTF-16"', "utf-16-le", codecs.BOM_UTF16_LE),
    "UTF-32": (XML, "utf-32-le", codecs.BOM_UTF32_LE),
    "Latin-1 declared": (XML, "iso-8859-1", b""),
    "Latin-1 by HTTP over UTF-8 declared": (b"text/xml; charset=latin1", "latin-1", b""),
    "windows-1252": (XML, "windows-1252", b""),
}


@pytest.mark.parametrize(("kind", "charset", "bom"), CHARSETS.values(), ids=CHARSETS)
def test_a_document_keeps_its_charset_and_every_other_byte(kind, charset, bom):
    declared = "utf-8" if b"latin1" in kind else charset.removesuffix("-le").removesuffix("-be")
    text = DECLARED % declared + envelope("", f"<b>Grüße</b>{epr()}<b>é</b>\r\n")
    body = bom + text.encode(charset)
    assert done(body, kind).body == bom + text.replace(NODE, GATE).encode(charset)


UNREAD = {
    "a charset that nobody knows": (b"text/xml; charset=x-none", envelope("", epr()).encode()),
    "one declared that nobody knows": (XML, (DECLARED % "x-none" + envelope()).encode()),
    "bytes that are none of the charset": (XML, "<a>é</a>".encode("utf-16-le")[:-1] + b""),
    "no XML by its type": (b"text/plain", envelope("", epr()).encode()),
    "a charset whose bytes do not come back": (
        b"text/xml; charset=shift_jis",
        b"<a>\x81\xe3 http://b2.example/ \x5c</a>".replace(b"\x81\xe3", b"\xfc\xfc"),
    ),
}


@pytest.mark.parametrize(("kind", "body"), UNREAD.values(), ids=UNREAD)
def test_a_charset_that_is_not_read_is_left_alone(kind, body):
    with pytest.raises(Untouched, match="encoding"):
        done(body, kind)


MALFORMED = {
    "an open element": f"<a:Address xmlns:a='{ns.WSA10}'>{NODE}",
    "a DOCTYPE": f"<!DOCTYPE a [<!ENTITY e 'x'>]><a>{NODE}</a>",
    "an undefined entity": f"<a>&x;{NODE}</a>",
    "two roots": f"<a>{NODE}</a><b/>",
    "an undeclared prefix": f"<p:a>{NODE}</p:a>",
    "no UTF-8": b"<a>\xff" + NODE.encode() + b"</a>",
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_well_formed_xml_is_left_alone(text):
    with pytest.raises(Untouched, match="malformed"):
        done(text)


def test_what_names_no_backend_is_not_even_parsed():
    body = b"<a><b>"
    assert done(body) == Rewritten(body, 0, 0)
    assert done(body).body is body


def test_an_address_that_is_the_gateways_already_is_nothing_to_replace():
    body = envelope("", epr()).encode()
    assert rewrite(body, XML, ORIGINS, NODE.encode()).body is body


# --- properties ----------------------------------------------------------------------------------

LEAVES = st.sampled_from(
    [
        f"<a:Address>{NODE}/p?q=1&amp;r</a:Address>",
        f"<a:Address q='&lt;'> <![CDATA[{NODE}/p?q=1&r]]> </a:Address>",
        "<a:Address>http://elsewhere/</a:Address>",
        f'<w:address xmlns:w="http://schemas.xmlsoap.org/wsdl/soap/" location="{NODE}"/>',
        f"<b c='{NODE}'>{NODE}</b>",
        "text &amp; more é \U0001f600",
        "<!-- <a:Address> -->",
        "<?target data?>",
        "<![CDATA[<a:Address>]]>",
        "\r\n\t",
    ]
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        lambda many, id_: f"<n u:Id='{id_}'>{''.join(many)}</n>",
        st.lists(inner, max_size=4),
        st.sampled_from(["i1", "i2", "i3"]),
    ),
    max_leaves=12,
)


def addresses(root: etree._Element) -> list[etree._Element]:
    tags = {f"{{{ns.WSA10}}}Address", "{http://schemas.xmlsoap.org/wsdl/soap/}address"}
    return [one for one in root.iter() if one.tag in tags]


def cleared(body: bytes) -> bytes:
    """The canonical document without what its addresses say."""
    root = etree.fromstring(body)
    for one in addresses(root):
        one.text = None
        one.attrib.pop("location", None)
    return etree.tostring(root, method="c14n")


@settings(deadline=None)
@given(
    tree=TREES,
    signed=st.lists(st.sampled_from(["i1", "i2"]), max_size=2),
    charset=st.sampled_from(["utf-8", "utf-16"]),
)
def test_a_reader_sees_another_document_in_its_addresses_only(tree, signed, charset):
    text = envelope(signature(*(f"#{one}" for one in signed)), tree)
    if not signed:  # most documents know nothing of signatures
        text = text.replace("xmldsig", "none").replace("xmlenc", "none")
    body = text.encode(charset)
    result = done(body)
    assert cleared(result.body) == cleared(body)
    before, now = addresses(etree.fromstring(body)), addresses(etree.fromstring(result.body))
    replaced = sealed = 0
    for old, new in zip(before, now, strict=True):
        told, tells = (str(one.text or one.get("location")) for one in (old, new))
        over = {one.get(f"{{{ns.WSU}}}Id") for one in old.iterancestors()}
        backends = told.strip().startswith(NODE)
        free = backends and over.isdisjoint(signed)
        replaced += free
        sealed += backends and not free
        assert tells == (told.replace(NODE, GATE) if free else told)
    assert (result.replaced, result.sealed) == (replaced, sealed)
    assert replaced or result.body is body


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"text/xml", b"text/xml; charset=utf-16"]))
def test_whatever_comes_it_is_rewritten_or_left_alone(data, kind):
    body = data + NODE.encode()
    try:
        outcome = done(body, kind).body
    except Untouched as why:
        outcome = str(why)
    assert outcome in (body, "encoding", "malformed")
