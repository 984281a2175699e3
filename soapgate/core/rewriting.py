"""The addresses of an XML document, replaced where they stand and nowhere else.

    bytes -> the charset's text -> where addresses are (expat) -> what is signed -> the same bytes

The one rule: every byte that is no part of a replaced origin is the byte that came. So nothing is
parsed and written anew; expat says at which byte a tag begins, and the edit is made in the bytes:
quotes, entities, CDATA, prefixes, line ends and the charset stay. A document whose charset does
not give its own bytes back is left alone.

What is signed is left alone too: the parts that an XML Signature refers to, by any attribute that
has the id (a part too many is no harm), everything for URI="" and for what cannot be told, and
everything where a signature may hide in encrypted data. So are wsse:Security, ds:Signature and
xenc:EncryptedData themselves. A document that is itself a part of a multipart may be referred to
by its Content-ID, or by its Content-Location.

Addresses are looked for at known places only, those of `PLACES`: a URL in business data is the
service's own affair. Dropped: replacing the text wherever it stands (it would reach into data and
signatures), and lxml (it does not say where a thing stood, and writes quotes of its own).

Sources: WSDL 1.1 and 2.0, XML Schema 1.1 part 1 4.2, WS-Addressing in four versions, WS-Metadata
Exchange, WS-Discovery, DISCO, ONVIF Core, Salesforce SOAP API; XML Signature 4.4.3, WS-Security
1.1 section 8.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import unquote
from xml.parsers import expat

from soapgate.core import ns
from soapgate.core.addresses import Origins
from soapgate.core.encodings import NotSoap, charset_of, expect

_SEPARATOR = "\x1f"  # no XML document may hold it, so no namespace does
_DS = "http://www.w3.org/2000/09/xmldsig#"
_DS2 = "http://www.w3.org/2010/xmldsig2#"
_XENC = "http://www.w3.org/2001/04/xmlenc#"
_WSDL = "http://schemas.xmlsoap.org/wsdl/"
_WSDL20 = "http://www.w3.org/ns/wsdl"
_XSD = "http://www.w3.org/2001/XMLSchema"
_DISCO = "http://schemas.xmlsoap.org/disco/"
_MEX = ("http://schemas.xmlsoap.org/ws/2004/09/mex", "http://www.w3.org/2011/03/ws-mex")
_DISCOVERY = (
    "http://docs.oasis-open.org/ws-dd/ns/discovery/2009/01",
    "http://schemas.xmlsoap.org/ws/2005/04/discovery",
)
_ONVIF = ("http://www.onvif.org/ver10/schema", "http://www.onvif.org/ver10/device/wsdl")

TEXT = ("",)  # the place is the element's text, which may be a list of addresses


def _name(namespace: str, local: str) -> str:
    return f"{namespace}{_SEPARATOR}{local}"


# element -> attributes that hold an address, or TEXT
PLACES: dict[str, tuple[str, ...]] = {
    **{_name(f"{_WSDL}{binding}/", "address"): ("location",) for binding in ("soap", "soap12")},
    _name(_WSDL + "http/", "address"): ("location",),
    _name(_WSDL, "import"): ("location",),
    _name(_WSDL20, "endpoint"): ("address",),
    _name(_WSDL20, "import"): ("location",),
    _name(_WSDL20, "include"): ("location",),
    **{
        _name(_XSD, way): ("schemaLocation",)
        for way in ("import", "include", "redefine", "override")
    },
    _name(_DISCO, "discoveryRef"): ("ref",),
    _name(_DISCO + "scl/", "contractRef"): ("ref", "docRef"),
    _name(_DISCO + "schema/", "schemaRef"): ("ref",),
    _name(_DISCO + "soap/", "soap"): ("address",),
    **{_name(one, "Address"): TEXT for one in ns.WSA},
    **{_name(one, "Location"): TEXT for one in _MEX},
    **{_name(one, "XAddrs"): TEXT for one in _DISCOVERY},
    **{_name(one, "XAddr"): TEXT for one in _ONVIF},
}
# Salesforce has a namespace for each of its APIs, and others took the names over
ANYWHERE = ("serverUrl", "metadataServerUrl")

_CLOSED = {_name(_DS, "Signature"), _name(_XENC, "EncryptedData"), _name(_XENC, "EncryptedKey")}
# the header block of every version of WS-Security: .../secext, .../...-secext-1.0.xsd
_SECURITY = tuple(_name(one, "Security") for one in ("secext", "secext-1.0.xsd"))
_ENCRYPTED = _name(_XENC, "EncryptedData")
_REFERENCES = {_name(_DS, "Reference"), _name(_DS2, "Reference")}

# in every document with a signature or encrypted data in it: a piece of their namespaces' names
_SEALS = (b"xmldsig", b"xmlenc")

_TAG = re.compile(rb"<[^\s/>]+")
_ATTRIBUTE = re.compile(rb"\s+([^\s=/>]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_TAG_END = re.compile(rb"\s*(/?)>")
_BEFORE_TEXT = re.compile(rb"(?:\s+|<!--.*?-->|<\?.*?\?>|<!\[CDATA\[)*", re.DOTALL)
_AFTER_TEXT = re.compile(rb"<|\]\]>")
_WORD = re.compile(rb"\S+")
_POINTER = re.compile(r"""#xpointer\(id\((['"])(.*)\1\)\)""")


class Untouched(Exception):
    """A document that stays as it is; the text is the word for it: `encoding` (its charset is not
    read, or would not give its bytes back) or `malformed` (no well-formed XML, or a DOCTYPE)."""


class Rewritten(NamedTuple):
    """`body` is the same object if nothing was replaced. `replaced` counts the addresses that
    were, `sealed` those that were not, because they are signed or may be."""

    body: bytes
    replaced: int
    sealed: int


def rewrite(
    body: bytes, content_type: bytes, origins: Origins, origin: bytes, part: str | None = None
) -> Rewritten:
    """A whole document with `origin` (ASCII) wherever a place of it has a backend's. `content_type`
    is the value of the field; `part`: the Content-ID of a document that is a part of a multipart,
    without brackets, "" for none. Raises Untouched."""
    text, codec = _as_utf8(body, content_type)
    if not origins.suspects(text):
        return Rewritten(body, 0, 0)
    reading = _Reading(text, origins, part)
    edits, sealed = reading.edits()
    edits = [(start, end) for start, end in edits if text[start:end] != origin]
    if not edits:
        return Rewritten(body, 0, sealed)
    pieces: list[bytes] = []
    at = 0
    for start, end in edits:
        pieces += (text[at:start], origin)
        at = end
    edited = b"".join((*pieces, text[at:]))
    return Rewritten(_recoded(edited, codec), len(edits), sealed)


def _as_utf8(body: bytes, content_type: bytes) -> tuple[bytes, str]:
    """The document in UTF-8, a BOM included, and its codec."""
    http, why = expect(content_type)
    if why:
        raise Untouched("encoding")
    try:
        codec = charset_of(body, http)
        if codec in ("utf_8", "ascii"):
            return body, ""
        text = body.decode(codec)
        if text.encode(codec) != body:
            raise Untouched("encoding")
        return text.encode(), codec
    except (NotSoap, UnicodeError):
        raise Untouched("encoding") from None


def _recoded(text: bytes, codec: str) -> bytes:
    return text.decode().encode(codec) if codec else text


class _Place(NamedTuple):
    """An origin at data[start:end], below elements with these attribute values."""

    start: int
    end: int
    values: frozenset[str]


class _Reading:
    """One reading of one document: where its addresses are, and what of it is signed."""

    def __init__(self, data: bytes, origins: Origins, part: str | None) -> None:
        self._data = data
        self._origins = origins
        self._part = part
        self._open: list[list[str]] = []  # the attributes of the open elements, names and values
        self._closed = 0  # depth inside what is never touched
        self._security = 0  # depth inside wsse:Security
        self._places: list[_Place] = []
        self._sealed = 0
        self._ids: set[str] = set()  # of signed parts
        self._all = False  # everything is signed, or may be
        self._parser = parser = expat.ParserCreate("UTF-8", _SEPARATOR)
        parser.ordered_attributes = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._find
        if any(mark in data for mark in _SEALS):  # most documents have none of it
            parser.StartElementHandler = self._start
            parser.EndElementHandler = self._end

    def edits(self) -> tuple[list[tuple[int, int]], int]:
        """(where origins are to be replaced, how many must stay)."""
        try:
            self._parser.Parse(self._data, True)
        except expat.ExpatError:
            raise Untouched("malformed") from None
        if self._all:
            return [], self._sealed + len(self._places)
        free = [(one.start, one.end) for one in self._places if self._ids.isdisjoint(one.values)]
        return free, self._sealed + len(self._places) - len(free)

    # From expat

    def _doctype(self, *_: object) -> None:
        raise Untouched("malformed")

    def _start(self, name: str, attributes: list[str]) -> None:
        self._open.append(attributes)
        if self._closed or name in _CLOSED or name.endswith(_SECURITY):
            self._start_closed(name, attributes)
        self._find(name, attributes)

    def _find(self, name: str, attributes: list[str]) -> None:
        if name in PLACES:
            self._read(PLACES[name])
        elif name.endswith(ANYWHERE) and name.rpartition(_SEPARATOR)[2] in ANYWHERE:
            self._read(TEXT)

    def _start_closed(self, name: str, attributes: list[str]) -> None:
        self._closed += 1
        if self._security or name.endswith(_SECURITY):
            self._security += 1
        if name == _ENCRYPTED and self._security:
            self._all = True  # it may be a signature: nobody can tell what that covers
        elif name in _REFERENCES:
            self._sign(dict(zip(attributes[::2], attributes[1::2], strict=True)).get("URI"))

    def _end(self, name: str) -> None:
        self._open.pop()
        self._closed -= self._closed > 0
        self._security -= self._security > 0

    def _sign(self, uri: str | None) -> None:
        """What a reference refers to (XML Signature 4.4.3.2, 4.4.3.3)."""
        if not uri:  # absent: only the application knows; "": the whole document
            self._all = True
        elif uri.startswith("#"):
            pointer = _POINTER.fullmatch(uri)
            if pointer is not None:
                self._ids.add(pointer[2])
            elif uri.startswith("#xpointer("):
                self._all = True
            else:
                self._ids |= {uri[1:], unquote(uri[1:])}
        elif self._part is not None:  # SwA Profile 1.1 section 5.2: cid: names another part
            other = uri[:4].lower() == "cid:" and unquote(uri[4:]) != self._part
            self._all = self._all or not other

    # In the bytes

    def _read(self, places: tuple[str, ...]) -> None:
        data = self._data
        spans = _text_spans if places is TEXT else _attribute_spans(places)
        for start, stop in spans(data, self._parser.CurrentByteIndex):
            end = self._origins.end(data, start, stop)
            if end and self._closed:
                self._sealed += 1
            elif end:
                values = (value for one in self._open for value in one[1::2])
                self._places.append(_Place(start, end, frozenset(values)))


def _attribute_spans(wanted: tuple[str, ...]) -> Callable[[bytes, int], Iterator[tuple[int, int]]]:
    names = {one.encode() for one in wanted}

    def spans(data: bytes, at: int) -> Iterator[tuple[int, int]]:
        tag = _TAG.match(data, at)
        at = tag.end() if tag is not None else at
        while (found := _ATTRIBUTE.match(data, at)) is not None:
            at = found.end()
            if found[1] in names:
                yield from _words(data, *found.span(2 if found[2] is not None else 3))

    return spans


def _text_spans(data: bytes, at: int) -> Iterator[tuple[int, int]]:
    """The words of the text that the tag at `at` is followed by."""
    tag = _TAG.match(data, at)
    at = tag.end() if tag is not None else at
    while (found := _ATTRIBUTE.match(data, at)) is not None:
        at = found.end()
    closed = _TAG_END.match(data, at)
    if closed is None or closed[1]:
        return
    before = _BEFORE_TEXT.match(data, closed.end())
    assert before is not None  # it matches nothing as well
    after = _AFTER_TEXT.search(data, before.end())
    if after is not None:
        yield from _words(data, before.end(), after.start())


def _words(data: bytes, start: int, stop: int) -> Iterator[tuple[int, int]]:
    for word in _WORD.finditer(data, start, stop):
        yield word.span()
