"""Every value of a message at its place, each place written as a location that finds it.

It is the way back through the location language: `matching` goes from a location to its values,
this goes from the values of one message to locations. The one rule: a place that no location can
name is not told, and a location that is told finds the value again (`soapgate.core.proposal`
proves that before anybody sees it). Where one location would find several different values, a
predicate is looked for that tells them apart, as in `p:item[p:key='session']/p:value`.

It refuses to judge values: which of them is an id is for `soapgate.core.candidates`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lxml import etree

from soapgate.core import carriers
from soapgate.core.explained import Message
from soapgate.core.locations import MAX_LENGTH
from soapgate.core.matching import text_of
from soapgate.core.ns import PREFIXES
from soapgate.core.paths import check_namespace
from soapgate.core.scanner import ScanLimits
from soapgate.core.sight import Sight, scanned

# What is read when somebody looks for ids: more than an exchange would, to say that it is there.
LIMITS = ScanLimits(
    header_bytes=4 * 1024 * 1024, body_bytes=16 * 1024 * 1024, depth=200, attributes=1000
)
PLACES = 5000  # values of one message that are looked at; a list of goods may have millions
TARGET = "url:target"
LIKES = 200  # elements of one name beside each other that are told apart

# RFC 9110, RFC 7230 and what stacks send with every message: fields that carry no session
_USUAL_FIELDS = """
    accept accept-charset accept-encoding accept-language accept-ranges age allow cache-control
    connection content-encoding content-language content-length content-location content-type
    content-transfer-encoding content-id cookie cookie2 date etag expect expires forwarded host
    if-modified-since if-none-match keep-alive last-modified location mime-version origin p3p pragma
    proxy-connection proxy-jroute referer server set-cookie set-cookie2 soapaction
    strict-transport-security te trailer transfer-encoding upgrade upgrade-insecure-requests
    user-agent vary via warning www-authenticate x-aspnet-version x-content-type-options
    x-forwarded-for x-forwarded-host x-forwarded-proto x-frame-options x-powered-by x-soapgate
    x-soapgate-redispatched"""
_TELLING = ("name", "key", "type", "kind")  # attributes and children that tell like elements apart
# What a predicate may show: a name, and nothing that could be an id (four digits are too many).
_WORD = re.compile(r"(?!(?:\D*\d){4})[A-Za-z_][\w.:-]{0,39}", re.ASCII)
_PREFIX = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A value at a place. `part`: Header, Body, cookie, http, param, query, cookieless or url;
    `name` the last name of the place, `several` whether its location finds other values in this
    message too."""

    location: str
    part: str
    name: str
    value: str
    several: bool

    @property
    def is_target(self) -> bool:
        """Whether it is the path and query of an address, or of the request."""
        return self.location == TARGET or self.location.endswith(" | target")


class Prefixes:
    """Prefixes for the namespaces of some messages: those that every configuration knows, else
    those that the messages use, made unique. `declared`: prefix -> namespace, of the others;
    `names`: Clark name -> how it is written."""

    def __init__(self) -> None:
        self.declared: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self._of: dict[str, str] = {}
        for prefix, uris in PREFIXES.items():
            for uri in uris:
                self._of.setdefault(uri, prefix)

    def of(self, uri: str, wish: str | None) -> str:
        """The prefix of a namespace; `wish` is what the message calls it."""
        known = self._of.get(uri)
        if known is None:
            known = self._of[uri] = self._new(wish)
            self.declared[known] = uri
        return known

    def _new(self, wish: str | None) -> str:
        taken = {*PREFIXES, *self.declared}
        base = wish or "ns"
        if not _PREFIX.fullmatch(base) or base.lower().startswith("xml"):
            base = "ns"
        if base != "ns" and base not in taken:
            return base
        return next(f"{base}{n}" for n in range(1, len(taken) + 2) if f"{base}{n}" not in taken)


def sightings(message: Message, prefixes: Prefixes) -> list[Sighting]:
    """All values of a request or a response that stand at a place a location can name."""
    raw = [*_of_head(message), *_of_envelope(message, prefixes)]
    values = defaultdict(set)
    for location, _, _, value, _ in raw:
        values[location].add(value)
    seen: dict[tuple[str, str], Sighting] = {}
    for location, part, name, value, apart in raw:
        several = len(values[location]) > 1
        if several and apart and apart != location:
            location, several = apart, False
        if value and len(location) <= MAX_LENGTH:
            seen.setdefault((location, value), Sighting(location, part, name, value, several))
    return list(seen.values())


_Raw = tuple[str, str, str, str, str]  # location, part, name, value, a location that is its own


def _of_head(message: Message) -> Iterator[_Raw]:
    fields = message.fields
    if message.kind == "response":
        for cookie in carriers.set_cookies(fields.get(b"set-cookie", ()), 0.0):
            if not cookie.deleted:
                yield f"cookie:{cookie.name}", "cookie", cookie.name, cookie.value, ""
        for field in ("location", "content-location"):
            for raw in fields.get(field.encode(), ()):
                for kind, name, value in _of_url(raw.partition(b"#")[0]):
                    yield f"http:{field} | {kind}:{name}", "http", name, value, ""
    else:
        for name, value in carriers.cookies(fields.get(b"cookie", ())):
            if not any(char in name for char in "&;/?=# "):
                yield f"cookie:{name}", "cookie", name, value, ""
        for kind, name, value in _of_url(message.target):
            yield f"{kind}:{name}", kind, name, value, ""
        yield TARGET, "url", "target", carriers.target(message.target), ""
    usual = _USUAL_FIELDS.split()
    for raw, values in fields.items():
        name = raw.decode("latin-1")
        if name not in usual:
            for each in values:
                yield f"http:{name}", "http", name, carriers.text(each).strip(), ""


def _of_url(target: bytes) -> Iterator[tuple[str, str, str]]:
    """Kind, name and value of what a location names in a URL. A name with a blank is none: what
    stands between blanks in a location may be a word."""
    for kind, read in carriers.IN_URL.items():
        for name, value in read(target):
            if carriers.names_in_url(kind, name) and " " not in name:
                yield kind, name, value


def _of_envelope(message: Message, prefixes: Prefixes) -> Iterator[_Raw]:
    sight = Sight()
    if not message.body or scanned(message, sight, LIMITS) is None:
        return
    blocks = [("Header", block) for block in _elements(sight.header)]
    if sight.child is not None:
        blocks.append(("Body", sight.child))
    left = PLACES
    for part, block in blocks:
        waiting = [(block, f"{part}/", f"{part}/")]
        while waiting:
            element, plain, apart = waiting.pop()
            step = _name(str(element.tag), element, prefixes)
            plain += step
            apart += step + _telling(element, prefixes)
            for name, value in _values(element):
                at = f"/@{_name(name, element, prefixes)}" if name is not None else ""
                last = etree.QName(element.tag if name is None else name).localname
                yield plain + at, part, last, value, apart + at
                if part == "Body" and message.kind == "response":
                    # where to go on: an address may be all that tells a resource (ONVIF, CXF)
                    target = carriers.target_of_address(value)
                    yield f"{plain}{at} | target", part, "target", target, f"{apart}{at} | target"
                left -= 1
                if not left:
                    return
            children = _elements(element)
            waiting += [(one, f"{plain}/", f"{apart}/") for one in reversed(children)]


def _values(element: etree._Element) -> Iterator[tuple[str | None, str]]:
    """(attribute or None for the text, value) of an element, trimmed."""
    text = text_of(element)
    if text:
        yield None, text
    for name, value in element.items():
        if value.strip():
            yield str(name), str(value).strip()


def _name(tag: str, element: etree._Element, prefixes: Prefixes) -> str:
    known = prefixes.names.get(tag)
    if known is None:
        name = etree.QName(tag)
        known = name.localname
        if name.namespace and check_namespace(name.namespace):
            known = f"*:{known}"
        elif name.namespace:
            wish = next(
                (p for p, uri in element.nsmap.items() if p and uri == name.namespace), None
            )
            known = f"{prefixes.of(name.namespace, wish)}:{known}"
        prefixes.names[tag] = known
    return known


def _telling(element: etree._Element, prefixes: Prefixes) -> str:
    """A predicate that only this one of its likes passes, "" if there is none or no need."""
    parent = element.getparent()
    if parent is None or not 1 < len(parent) <= LIKES:
        return ""
    likes = [one for one in parent if one.tag == element.tag]
    if len(likes) < 2:
        return ""
    for name in element.attrib:
        if etree.QName(str(name)).localname.lower() in _TELLING:
            value = str(element.get(name)).strip()
            if _tells(value, [str(one.get(name, "")).strip() for one in likes]):
                return f"[@{_name(str(name), element, prefixes)}='{value}']"
    for child in _elements(element):
        if etree.QName(child).localname.lower() in _TELLING:
            value = text_of(child)
            if _tells(value, [text_of(each) for one in likes for each in one.iter(child.tag)]):
                return f"[{_name(str(child.tag), child, prefixes)}='{value}']"
    return ""


def _tells(value: str, among: Iterable[str]) -> bool:
    return _WORD.fullmatch(value) is not None and list(among).count(value) == 1


def _elements(parent: etree._Element | None) -> list[etree._Element]:
    return [] if parent is None else [one for one in parent if isinstance(one.tag, str)]
