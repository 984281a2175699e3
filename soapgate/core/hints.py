"""Why nothing was found: near misses, each with its evidence.

An operator who reads "nothing found" has a message that he knows to carry an id. So the message
is looked at once more, by what it holds instead of by what the profiles ask for: a block of the
right name in another namespace, a body in a coding that nobody undoes, a first child that no
location names, a built-in profile that would have found an id and is off.

The one rule: a hint says what is there and what was asked for, and nothing of values - names of
elements, attributes, cookies and fields are shown, what stands in them never is. It reads with the
same Scanner as everybody, so it sees what profiles can see and no more. Nothing of this runs in an
exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from lxml import etree

from soapgate.core import carriers
from soapgate.core.encodings import expect
from soapgate.core.explained import Direction, Message, View
from soapgate.core.locations import Carrier, SoapPath
from soapgate.core.matching import holds, text_of
from soapgate.core.paths import NameTest, Predicate, Step
from soapgate.core.probes import URL_TARGET
from soapgate.core.profiles import HttpFacts, Plan, Profile, catalogue
from soapgate.core.scanned import Outcome, Scanned
from soapgate.core.sight import Sight, scanned

XENC = "http://www.w3.org/2001/04/xmlenc#"
WSSE11 = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"
SHOWN = 6  # names listed of many

# media type -> what it is; none of them can be read
_BINARY = {
    "application/fastinfoset": "Fast Infoset, a binary XML",
    "application/soap+fastinfoset": "Fast Infoset, a binary XML",
    "application/soap+msbin1": "WCF's binary XML",
    "application/soap+msbinsession1": "WCF's binary XML",
    "multipart/encrypted": "encrypted as a whole (multipart/encrypted)",
    "application/pkcs7-mime": "encrypted or signed as a whole (S/MIME)",
}


def why_nothing(
    message: Message, view: View, direction: Direction, oversized: int = 0
) -> Iterator[str]:
    """The hints for a message in which the service's profiles found no id. `oversized`: ids that
    were found and too long."""
    if not view.profiles:
        yield "the service has no profiles (sessions = []): nothing is looked for"
        return
    if oversized:
        yield f"an id of more than {view.limits.id_bytes} bytes counts as absent ([limits] id)"
    yield from _outside(message, view.profiles, direction)
    sight = Sight()
    seen = scanned(message, sight, view.limits) if message.body else None
    if seen is not None:
        yield from _unread(message, seen, view)
        yield from _encrypted(sight)
        yield from _inside(sight, view.profiles, direction)
    yield from _others(message, view, direction)


# -- outside the envelope


def _outside(message: Message, profiles: Iterable[Profile], direction: Direction) -> Iterator[str]:
    wanted: dict[str, list[str]] = {}
    for at in _locations(profiles, direction):
        if isinstance(at, Carrier):
            wanted.setdefault(at.kind, []).append(at.name)
    of_client = wanted.pop("client", [])
    if of_client:
        whose = _some(f"client:{name}" for name in dict.fromkeys(of_client))
        yield f"{whose}: known of the client's connection, which no message shows"
    if message.kind == "envelope":
        if wanted:
            kinds = " and ".join(sorted(wanted))
            yield f"profiles look at {kinds} too, and this message came without its HTTP head"
        return
    for kind, there in _there(message, direction).items():
        asked = wanted.get(kind, [])
        for name in there:
            near = next((one for one in asked if one.lower() == name.lower() and one != name), "")
            if near:
                yield f"{kind}:{name} is there, {kind}:{near} is looked for: names count with case"
        if there and kind != "http":
            looked = f"looked for are {_some(asked)}" if asked else "no profile looks at any"
            yield f"{kind} names that are there: {_some(there)}; {looked}"


def _there(message: Message, direction: Direction) -> dict[str, list[str]]:
    """The names of a head by the kind of location that would read them."""
    fields = message.fields
    if direction == "response":
        set_there = carriers.set_cookies(fields.get(b"set-cookie", ()), 0.0)
        return {"cookie": _names(cookie.name for cookie in set_there if not cookie.deleted)}
    return {
        "cookie": _names(name for name, _ in carriers.cookies(fields.get(b"cookie", ()))),
        "param": _names(name for name, _ in carriers.path_params(message.target)),
        "query": _names(name for name, _ in carriers.query(message.target)),
        "cookieless": _names(name for name, _ in carriers.cookieless(message.target)),
    }


# -- the envelope as a whole


def _unread(message: Message, seen: Scanned, view: View) -> Iterator[str]:
    kind = message.first(b"content-type").partition(b";")[0].strip().decode("latin-1").lower()
    if kind in _BINARY:
        yield f"the body is {_BINARY[kind]}: only cookies, fields and the URL can be read"
        if "fastinfoset" in kind:
            yield (
                'the gateway takes it out of Accept unless fast_infoset = "pass"; who sends it'
                " all the same was told to by another way"
            )
        return
    if seen.outcome is Outcome.NOT_SOAP:
        why = f" ({seen.detail})" if seen.detail else ""
        yield f"the body is no SOAP envelope that can be read{why}: only its head counts"
        if seen.detail.startswith("content encoding"):
            yield "undone are gzip and deflate only; let clients and backends use these or none"
        elif expect(message.first(b"content-type"))[1]:
            yield f"an envelope comes as text/xml, application/soap+xml or any +xml, not as {kind}"
    if seen.outcome is Outcome.LIMIT:
        limits = view.limits
        yield (
            f"a limit was met ({seen.detail}); allowed are {limits.header_bytes} bytes of Header"
            f" ([limits] header) and {limits.body_bytes} of the Body ([limits] body)"
        )


def _encrypted(sight: Sight) -> Iterator[str]:
    if sight.child_tag == f"{{{XENC}}}EncryptedData":
        yield "the Body is encrypted (xenc:EncryptedData): no location under Body/ can match"
    for block in _blocks(sight.header):
        if block.tag == f"{{{WSSE11}}}EncryptedHeader":
            yield "a header block is encrypted (wsse11:EncryptedHeader): its name is hidden too"
            return


# -- blocks and the Body's first child


def _inside(sight: Sight, profiles: Iterable[Profile], direction: Direction) -> Iterator[str]:
    blocks = _blocks(sight.header)
    first = [sight.child] if sight.child is not None else []
    said: set[str] = set()
    starts: list[str] = []
    for profile in profiles:
        for at in _locations([profile], direction):
            if not isinstance(at, SoapPath):
                continue
            there, elsewhere = (blocks, first) if at.part == "Header" else (first, blocks)
            if at.part == "Body":
                starts.append(_first(at))
            for hint in _near(at, there, elsewhere):
                said.add(hint)
                yield f"{profile.name}: {hint}"
    if starts and sight.child_tag and not any("Body/" in hint for hint in said):
        names = _some(dict.fromkeys(starts))
        yield (
            f"the Body's first child is {_clark(sight.child_tag)}, and it is not read on:"
            f" locations under Body/ begin with {names}"
        )


def _near(
    at: SoapPath, there: Sequence[etree._Element], elsewhere: Sequence[etree._Element]
) -> Iterator[str]:
    """What comes near to a location: the same name with another namespace, case or place, or a
    beginning that matches."""
    wanted = at.steps[0].name
    if at.steps[0].deep or wanted.local == "*":
        return
    matching = [block for block in there if wanted.matches(str(block.tag))]
    for block in matching:
        yield from _further(at, block)
    if matching:
        return
    for block in there:
        name = etree.QName(block)
        if name.localname == wanted.local:
            yield (
                f"{at.text} wants {_test(wanted)}, but {at.part}/{name.localname} is in"
                f" {_namespace(name.namespace)}"
            )
        elif name.localname.lower() == wanted.local.lower():
            yield f"{at.text} wants {wanted.local}, but {at.part} has {name.localname}"
    other = "Body" if at.part == "Header" else "Header"
    for block in elsewhere:
        if wanted.matches(str(block.tag)):
            yield f"{at.text}: {wanted.local} stands in the {other}, not in the {at.part}"


def _further(at: SoapPath, block: etree._Element) -> Iterator[str]:
    """How far a location gets behind its first step, which matches `block`."""
    element = block
    path = f"{at.part}/{etree.QName(block).localname}"
    if not _holds(at.steps[0], block):
        yield f"{at.text}: {path} is there, and what stands in [] does not hold"
        return
    for step in at.steps[1:]:
        if step.deep or step.name.local == "*":
            return
        children = _blocks(element)
        next_one = next((child for child in children if step.name.matches(str(child.tag))), None)
        if next_one is None:
            names = _some(_clark(str(child.tag)) for child in children) or "no elements"
            yield f"{at.text}: {path} is there, but {_test(step.name)} is not in it; it has {names}"
            return
        element = next_one
        path += f"/{etree.QName(element).localname}"
        if not _holds(step, element):
            yield f"{at.text}: {path} is there, and what stands in [] does not hold"
            return
    if at.attribute is not None and not at.attribute_deep:
        if not any(at.attribute.matches(str(name)) for name in element.attrib):
            names = _some(_clark(str(name)) for name in element.attrib) or "none"
            yield f"{at.text}: {path} is there without that attribute; its attributes are {names}"
        else:
            yield f"{at.text}: that attribute of {path} is empty"
    elif at.attribute is None:
        if _blocks(element):
            names = _some(_clark(str(child.tag)) for child in _blocks(element))
            yield f"{at.text}: {path} has elements and so no text of its own: {names}"
        elif not text_of(element):
            yield f"{at.text}: {path} is there and empty"


def _holds(step: Step, element: etree._Element) -> bool:
    """Whether what a step wants besides its name is so; its place among others is not looked at."""
    return all(holds(one)(element) for one in step.predicates if isinstance(one, Predicate))


# -- profiles that the service does not have


def _others(message: Message, view: View, direction: Direction) -> Iterator[str]:
    """Built-in profiles that would have found something."""
    own = {profile.name for profile in view.profiles}
    others = [one for name, one in catalogue().items() if name not in own]
    plan = Plan(others, view.limits)
    watch = plan.request if direction == "request" else plan.response
    found = list(watch.http(HttpFacts(message.target, message.fields)))
    found = [one for one in found if one.location != URL_TARGET]  # every request has one
    if message.body and watch.needs_envelope:
        seen = scanned(message, watch, view.limits)
        found += seen.found if seen is not None else ()
    states = {one.name: one.default for one in others}
    by_places: dict[str, list[str]] = {}
    for name in dict.fromkeys(one.profile for one in found if one.id and one.use != "end"):
        places = _some(one.location for one in found if one.profile == name and one.id)
        by_places.setdefault(places, []).append(name)
    for places, (first, *more) in by_places.items():
        state = "is not among this service's sessions" if states[first] else "is off by default"
        also = f" (so would {_some(more)})" if more else ""
        yield f"the profile {first}, which {state}, finds an id at {places}{also}"


# -- words


def _locations(profiles: Iterable[Profile], direction: Direction) -> Iterator[object]:
    for profile in profiles:
        uses = (profile.lookup, profile.bind) if direction == "request" else (profile.learn,)
        for use in uses:
            yield from use


def _blocks(parent: etree._Element | None) -> list[etree._Element]:
    return [] if parent is None else [one for one in parent if isinstance(one.tag, str)]


def _names(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _some(names: Iterable[str]) -> str:
    listed = list(dict.fromkeys(names))
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return ", ".join(listed[:SHOWN]) + more


def _first(at: SoapPath) -> str:
    """The first step of a location, as it is written."""
    return at.text.partition("/")[2].lstrip("/").partition("/")[0]


def _test(name: NameTest) -> str:
    """A name test in words."""
    if name.namespaces is None:
        return f"{name.local} of any namespace"
    if name.namespaces == ("",):
        return f"{name.local} without a namespace"
    return f"{name.local} in {' or '.join(name.namespaces)}"


def _clark(tag: str) -> str:
    name = etree.QName(tag)
    return f"{name.localname} ({name.namespace})" if name.namespace else name.localname


def _namespace(uri: str | None) -> str:
    return uri or "no namespace"
