"""The built-in profiles: each file is whole, and each protocol's conversation is followed.

A conversation is what soapgate would see of it: requests and responses, and at each what the
profile must find. Written after the sources that the files name.
"""

from __future__ import annotations

import random
import re
import tomllib
from importlib import resources

import pytest
from conversations import CONVERSATIONS, envelope
from lxml import etree

from soapgate.core.locations import SoapPath
from soapgate.core.matching import first_test
from soapgate.core.plan import HttpFacts, Plan
from soapgate.core.profiles import DEFAULT, KEYS, catalogue
from soapgate.core.scanner import ScanLimits, Scanner

FILES = {
    entry.name.removesuffix(".toml"): entry.read_text(encoding="utf-8")
    for entry in resources.files("soapgate.catalogue").iterdir()
    if entry.name.endswith(".toml")
}
NEVER_BY_DEFAULT = {
    *("wsa-refparams", "synapse-client", "glassfish-route", "siebel", "avaya"),
    *("sabre", "ebms3", "magento1", "cwmp"),
}


def watched(watch, header, body, action, target, fields):
    """All that a watch finds in one message, asking for the Body as a scanner does."""
    tree = etree.fromstring(envelope(header, body))
    child = tree[1][0] if len(tree[1]) else None
    if child is not None and not watch.wants_body(child.tag, action):
        child = None
    lists = {name.replace("_", "-").encode(): values for name, values in fields.items()}
    return watch.http(HttpFacts(target, lists)) + list(watch.find(tree[0], child, action))


@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.parametrize("among", ["alone", "among all"])
def test_a_conversation_is_followed(name, among):
    profile = name.partition(",")[0]
    known = catalogue()
    names = [profile] if among == "alone" else [*dict.fromkeys((*DEFAULT, profile))]
    plan = Plan([known[one] for one in names])
    for number, (way, header, body, expected, action, target, fields) in enumerate(
        CONVERSATIONS[name]
    ):
        watch = plan.request if way == "request" else plan.response
        found = watched(watch, header, body, action, target, fields)
        ours = [f"{one.use} {one.id}" for one in found if one.profile == profile]
        assert ours == list(expected), (number, way)


def pieces(data, chance):
    """The bytes in up to six pieces."""
    cuts = sorted(chance.sample(range(1, len(data)), 5))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def scanned(watch, data, action, content_type):
    scanner = Scanner(watch, ScanLimits(), content_type=content_type, action=action)
    for piece in data:
        answer = scanner.feed(piece)
        if answer is not None:
            return answer.found
    return scanner.close().found


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_in_pieces_in_utf_16_and_with_other_prefixes_the_same_is_found(name):
    chance = random.Random(name)
    plan = Plan([catalogue()[name.partition(",")[0]]])
    for way, header, body, _, action, _, _ in CONVERSATIONS[name]:
        watch = plan.request if way == "request" else plan.response
        text = envelope(header, body)
        tree = etree.fromstring(text)
        child = tree[1][0] if len(tree[1]) else None
        wanted = child is not None and watch.wants_body(child.tag, action)
        found = tuple(watch.find(tree[0], child if wanted else None, action))
        renamed = with_other_prefixes(text)
        for data, kind in (
            (text.encode(), b"text/xml; charset=utf-8"),
            (text.encode("utf-16"), b"text/xml; charset=utf-16"),
            (renamed.encode(), b"text/xml"),
        ):
            assert scanned(watch, pieces(data, chance), action, kind) == found


def with_other_prefixes(text):
    """The same message, its prefixes with a letter more."""
    text = re.sub(r"xmlns:(\w+)=", r"xmlns:q-\1=", text)
    text = re.sub(r"(</?)(\w+):", r"\1q-\2:", text)
    return re.sub(r"(\s)(?!xmlns)(\w+):(\w+=)", r"\1q-\2:\3", text)


def test_every_profile_has_a_conversation():
    assert {name.partition(",")[0] for name in CONVERSATIONS} == set(catalogue())


@pytest.mark.parametrize("name", FILES)
def test_a_file_explains_its_protocol_and_names_its_sources(name):
    assert FILES[name].startswith("# ")
    profile = catalogue()[name]
    assert profile.title
    assert [
        word
        for word in ("Who speaks it:", "Issued:", "Carried:", "Ended:", "Sources:")
        if word not in profile.about
    ] == []


@pytest.mark.parametrize("name", FILES)
def test_a_file_has_only_keys_that_a_user_may_write(name):
    assert set(tomllib.loads(FILES[name])) <= set(KEYS)


def test_every_file_is_in_the_catalogue_under_its_name():
    assert set(catalogue()) == set(FILES)
    assert all(name == profile.name for name, profile in catalogue().items())


def test_the_default_set_is_what_the_files_say():
    assert {name for name, profile in catalogue().items() if profile.default} == set(DEFAULT)
    assert NEVER_BY_DEFAULT.isdisjoint(DEFAULT)


def test_the_default_set_wants_no_body_of_an_unknown_operation():
    plan = Plan([catalogue()[name] for name in DEFAULT])
    assert not plan.request.wants_body("{urn:example:shop}GetPrice", "urn:example:GetPrice")
    assert not plan.response.wants_body("{urn:example:shop}GetPriceResponse", "")


def test_the_default_set_names_every_header_block_that_it_looks_into():
    blocks = [
        first_test(place)
        for name in DEFAULT
        for place in (*catalogue()[name].lookup, *catalogue()[name].bind, *catalogue()[name].end)
        if isinstance(place, SoapPath) and place.part == "Header"
    ]
    assert blocks
    assert all(test.clark_names for test in blocks)


def test_the_default_set_finds_nothing_in_a_message_of_no_protocol():
    plan = Plan([catalogue()[name] for name in DEFAULT])
    header = (
        "<wsa:To>http://h</wsa:To><wsa:MessageID>urn:1</wsa:MessageID><wsa:RelatesTo>urn:0"
        "</wsa:RelatesTo><wsa:ReplyTo><wsa:Address>http://www.w3.org/2005/08/addressing/anonymous"
        "</wsa:Address></wsa:ReplyTo><wsse:Security><wsse:BinarySecurityToken>QUJD"
        "</wsse:BinarySecurityToken></wsse:Security><x:ConversationId>1</x:ConversationId>"
        '<x:sessionId>1</x:sessionId><wsman:SelectorSet><wsman:Selector Name="Name">w'
        "</wsman:Selector></wsman:SelectorSet>"
    )
    body = "<x:op><x:sessionId>1</x:sessionId></x:op>"
    fields = {"cookie": [b"lang=en; theme=dark"], "host": [b"h"], "set_cookie": [b"lang=en"]}
    for watch in (plan.request, plan.response):
        assert watched(watch, header, body, "urn:example:op", b"/shop?wsdl", fields) == []
