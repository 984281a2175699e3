"""Known shapes: whatever they answer, the scanner would have answered the same."""

from __future__ import annotations

import random
import re
from functools import partial

import pytest
import shaped
from hypothesis import given, settings
from hypothesis import strategies as st
from shaped import LIMITS, NAMESPACES, PIECES, WSA, agrees, message

from soapgate.core import shapes as module
from soapgate.core.plan import Plan
from soapgate.core.profiles import DEFAULT, catalogue, read_profile
from soapgate.core.scanned import Scanned
from soapgate.core.scanner import Scanner
from soapgate.core.shapes import Shapes

PROFILES = [
    read_profile(
        "shop",
        {
            "title": "Shop",
            "about": "Of the tests.",
            "lookup": ["Header/shop:Session/@id", "Header/shop:Kind[@of='cart']/shop:Id"],
            "bind": ["Header/shop:Made"],
            "end": ["Header/shop:Bye", "action:urn:end"],
        },
        NAMESPACES,
    ),
    read_profile(
        "named",
        {
            "title": "Named",
            "about": "Of the tests.",
            "lookup": ["Header/shop:Any"],
            "value": "named",
        },
        NAMESPACES,
    ),
]
PLAN = Plan(PROFILES, LIMITS)
asked = partial(shaped.asked, plan=PLAN)
taught = partial(shaped.taught, plan=PLAN)


def whole(data: bytes) -> Scanned:
    scanned = Scanner(PLAN.request, LIMITS).feed(data)
    assert scanned is not None
    return scanned


def test_a_known_shape_gives_the_ids_of_another_message() -> None:
    shapes = taught(message('<s:Session id="one"/>'))
    told = shapes.scan(message('<s:Session id="two"/>'), "")
    assert told is not None
    assert [one.id for one in told.found] == ["two"]
    assert told._replace(read=0) == asked(message('<s:Session id="two"/>'))
    assert shapes.hits == 1


MADE_OF = {
    "an attribute": ('<s:Session id="{}"/>', "a1", "b-2"),
    "an attribute in single quotes": ("<s:Session id='{}'/>", "a1", 'b"2'),
    "a text": ("<s:Made>{}</s:Made>", "a1", "b2"),
    "a text with white space round it": ("<s:Made>\n  {}\n</s:Made>", "a1", "b 2"),
    "a predicate": ('<s:Kind of="cart"><s:Id>{}</s:Id></s:Kind>', "a1", "b2"),
    "a named block": ("<s:Any>{}</s:Any>", "a1", "b2"),
    "two blocks": ('<s:Session id="{0}"/><s:Made>{0}</s:Made>', "a1", "b2"),
    "other blocks beside it": (
        '<w:S xmlns:w="urn:w" w:n="{0}"><w:T>{0}</w:T></w:S><s:Session id="{0}"/>',
        "a1",
        "b2",
    ),
    "a message id": (f"<a:MessageID {WSA}>{{}}</a:MessageID>", "urn:uuid:1", "urn:uuid:2"),
    "an end": ("<s:Bye>{}</s:Bye>", "a1", "b2"),
    "nothing that matters": ('<s:Else x="{}"/>', "a1", "b2"),
}


@pytest.mark.parametrize(("header", "first", "second"), MADE_OF.values(), ids=MADE_OF.keys())
def test_every_kind_of_place_is_cut_as_it_would_be_found(
    header: str, first: str, second: str
) -> None:
    shapes = taught(message(header.format(first)))
    other = message(header.format(second))
    told = shapes.scan(other, "")
    assert told is not None
    assert told._replace(read=0) == asked(other)


DECLINED = {
    "an entity": '<s:Session id="a&amp;b"/>',
    "a character reference": '<s:Session id="a&#65;"/>',
    "a letter beyond ascii": '<s:Session id="é"/>',
    "an empty id": '<s:Session id=""/>',
    "a blank id": '<s:Session id="  "/>',
    "an over-long id": f'<s:Session id="{"x" * 5000}"/>',
    "a control character": '<s:Session id="a\x01b"/>',
    "a tab": '<s:Session id="a\tb"/>',
    "a less-than": '<s:Session id="a<b"/>',
    "another quote": '<s:Session id="a" x="b"/>',
    "another block": '<s:Session id="a"/><s:Made>b</s:Made>',
    "another element": '<s:Sessions id="a"/>',
    "a comment": '<s:Session id="a"/><!-- -->',
    "another namespace": '<s:Session xmlns:s="urn:other" id="a"/>',
}


@pytest.mark.parametrize("header", DECLINED.values(), ids=DECLINED.keys())
def test_what_does_not_fit_is_left_to_the_scanner(header: str) -> None:
    shapes = taught(message('<s:Session id="one"/>'))
    assert shapes.scan(message(header), "") is None


UNFIT = {
    "a comment": message('<!-- --><s:Session id="a"/>'),
    "a cdata section": message("<s:Made><![CDATA[a]]></s:Made>"),
    "a processing instruction": message('<?x y?><s:Session id="a"/>'),
    "an entity": message('<s:Session id="a&amp;b"/>'),
    "a reference": message('<s:Made href="#id0"/>'),
    "a self-closed body": message().replace(b"<e:Body><s:add/></e:Body>", b"<e:Body/>"),
}


@pytest.mark.parametrize("data", UNFIT.values(), ids=UNFIT.keys())
def test_some_messages_make_no_shape(data: bytes) -> None:
    shapes = Shapes(PLAN.request, LIMITS)
    for _ in range(module.PRICE + module.SIGHTINGS):
        scanned = Scanner(PLAN.request, LIMITS).feed(data)
        if scanned is not None:
            shapes.learn(data, "", scanned)
    assert shapes.scan(data, "") is None


def test_a_value_that_a_predicate_compares_is_part_of_the_shape() -> None:
    shapes = taught(message('<s:Kind of="cart"><s:Id>a</s:Id></s:Kind>'))
    assert shapes.scan(message('<s:Kind of="tree"><s:Id>b</s:Id></s:Kind>'), "") is None


def test_another_action_is_another_shape() -> None:
    shapes = taught(message('<s:Session id="a"/>'))
    assert shapes.scan(message('<s:Session id="b"/>'), "urn:end") is None


def test_a_first_child_that_was_never_looked_at_is_left_to_the_scanner() -> None:
    shapes = taught(message('<s:Session id="a"/>'))
    assert shapes.scan(message('<s:Session id="b"/>', "<s:remove/>"), "") is None
    both = taught(
        message('<s:Session id="a"/>'), message('<s:Session id="a"/>', '<s:remove x="1>2"/>')
    )
    assert both.scan(message('<s:Session id="b"/>', "<s:add/>"), "") is not None


def test_a_fault_is_told_from_an_answer() -> None:
    fault = message(child="<e:Fault><faultcode>e:Server</faultcode></e:Fault>")
    told = taught(fault).scan(fault, "")
    assert told is not None
    assert told.fault is True


def test_a_message_that_has_not_come_as_far_as_its_body_is_left_to_the_scanner() -> None:
    data = message('<s:Session id="a"/>')
    shapes = taught(data)
    child = data.index(b"<s:add/>")
    for end in range(child + len(b"<s:add/>")):
        shapes._barren = 0  # they are to be tried
        assert shapes.scan(data[:end], "") is None
    assert shapes.scan(data[: child + len(b"<s:add/>")], "") is not None


def test_shapes_and_what_making_them_costs_are_bounded() -> None:
    shapes = Shapes(PLAN.request, LIMITS)
    for number in range(3000):
        data = message(f'<s:B{number} x="1"/>', envelope=f' n="{number % 7}"')
        for _ in range(2):
            scanned = Scanner(PLAN.request, LIMITS).feed(data)
            assert scanned is not None
            shapes.learn(data, "", scanned)
    assert sum(map(len, shapes._known.values())) <= 6000 / module.PRICE
    assert len(shapes._sightings) <= module.CANDIDATES


def test_the_default_set_has_shapes_too() -> None:
    plan = Plan([catalogue()[name] for name in DEFAULT], LIMITS)
    rm = (
        '<r:Sequence xmlns:r="http://docs.oasis-open.org/ws-rx/wsrm/200702">'
        "<r:Identifier>{}</r:Identifier><r:MessageNumber>{}</r:MessageNumber></r:Sequence>"
    )
    told = taught(message(rm.format("urn:a", 1)), plan=plan).scan(
        message(rm.format("urn:b", 22)), ""
    )
    assert told is not None
    assert [(one.profile, one.id) for one in told.found] == [("wsrm", "urn:b")]


SEEDS = [message(header.format(first)) for header, first, _ in MADE_OF.values()]
KNOWN = taught(*SEEDS)


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 400), st.sampled_from(PIECES),
       st.integers(0, 12)), max_size=4))  # fmt: skip
def test_for_mutated_bytes_it_says_what_the_scanner_says_or_declines(
    seed: bytes, changes: list[tuple[int, bytes, int]]
) -> None:
    data = seed
    for at, piece, drop in changes:
        data = data[:at] + piece + data[at + drop :]
    told = KNOWN.scan(data, "")
    if told is not None:
        assert told._replace(read=0) == asked(data)


def test_every_printable_value_is_cut_as_the_scanner_finds_it() -> None:
    chance = random.Random(7)
    for header, first, _ in MADE_OF.values():
        shapes = taught(message(header.format(first)))
        for _ in range(60):
            value = "".join(chr(chance.randrange(32, 127)) for _ in range(chance.randrange(1, 9)))
            data = message(header.format(value.replace("{", "").replace("}", "")))
            told = shapes.scan(data, "")
            if told is not None:
                assert told._replace(read=0) == asked(data)


def test_markup_that_is_never_the_same_makes_no_shape() -> None:
    shapes = Shapes(PLAN.request, LIMITS)
    for number in range(20 * module.PRICE):
        data = message(f'<s:B{number} x="1"/>')
        shapes.learn(data, "", whole(data))
    assert shapes._known == {}


def test_a_table_that_somebody_filled_starts_afresh() -> None:
    shapes = Shapes(PLAN.request, LIMITS)
    for number in range(module.SHAPES + 1):
        data = message('<s:Session id="1"/>', envelope=f' n="{number}"')
        shapes._credit = module.PRICE
        for _ in range(module.SIGHTINGS):
            shapes.learn(data, "", whole(data))
    assert sum(map(len, shapes._known.values())) == shapes._count == 1
    assert shapes.scan(data, "") is not None


def test_a_new_shape_takes_the_place_of_its_oldest_sibling() -> None:
    shapes = Shapes(PLAN.request, LIMITS)
    messages = [
        message('<s:Session id="1"/>' + "<s:x/>" * number) for number in range(module.SIBLINGS + 1)
    ]
    for data in messages:
        shapes._credit = module.PRICE
        for _ in range(module.SIGHTINGS):
            shapes.learn(data, "", whole(data))
    assert [shapes.scan(data, "") is not None for data in messages] == [
        False,
        *[True] * module.SIBLINGS,
    ]


def test_shapes_that_never_fit_are_tried_seldom_until_one_does() -> None:
    known, strange = message('<s:Session id="1"/>'), message("<s:a/><s:b/>")
    shapes = taught(known)
    for _ in range(module.BARREN + 1):
        assert shapes.scan(strange, "") is None
    tries = [shapes.scan(known, "") is not None for _ in range(2 * module.SELDOM)]
    assert True in tries
    assert all(tries[tries.index(True) :])


def test_where_it_is_switched_off_there_are_no_shapes() -> None:
    shapes = Shapes(PLAN.request, LIMITS, learns=False)
    data = message('<s:Session id="1"/>')
    for _ in range(2 * module.PRICE):
        shapes.learn(data, "", whole(data))
        assert shapes.scan(data, "") is None
    assert (shapes.hits, shapes.misses) == (0, 2 * module.PRICE)


ODD = Plan(
    [
        read_profile(
            "words",
            {
                "lookup": [
                    'Header/shop:Handle | before:"-" | lower',
                    "Header/shop:Coded | base64",
                    "Header/shop:Quoted/@id | unquote",
                    "Header/shop:Inner | base64 | xml:a/b",
                    "Header/shop:Url | target",
                    "Header/shop:List/shop:Item[2]",
                    "Header/shop:To[starts-with(., 'urn:me')]",
                    "Header/shop:Head/shop:Id + Body/shop:Tail",
                ],
                "end": ["Header/shop:Kind[.='None']", "Header/shop:Gone[.='']"],
            },
            NAMESPACES,
        ),
        read_profile(
            "roles", {"role": ["next", "urn:me"], "lookup": ["Header/shop:Handle"]}, NAMESPACES
        ),
        read_profile(
            "actions",
            {
                "action": ["urn:go"],
                "soap": "1.1",
                "lookup": ["Header/shop:Handle", "Header/shop:To"],
            },
            NAMESPACES,
        ),
    ],
    LIMITS,
)
ACTOR = "http://schemas.xmlsoap.org/soap/actor/next"
ODD_SEEDS = [
    message(header, envelope=f' number="{number}"')  # a shape has few siblings
    for number, header in enumerate(
        (
            "<s:Handle>AB-1</s:Handle>",
            "<s:Gone></s:Gone><s:Kind>None</s:Kind>",
            f'<s:Handle e:actor="{ACTOR}">A</s:Handle>',
            f"<s:Handle>B</s:Handle><a:Action {WSA}>urn:go</a:Action>",
            "<s:Coded>YWJj</s:Coded>",
            "<s:Quoted id='\"q\"'/>",
            "<s:Inner>PGE+PGI+NzwvYj48L2E+</s:Inner>",
            "<s:Url>http://h/p?x=%7e</s:Url>",
            "<s:List><s:Item>1</s:Item><s:Item>2</s:Item></s:List>",
            "<s:To>urn:me:1</s:To>",
            "<s:To>urn:you</s:To><s:Kind>Stateful</s:Kind>",
            "<s:Head><s:Id>1</s:Id></s:Head>",
        )
    )
]
ODD_SHAPES = taught(*ODD_SEEDS, plan=ODD)


@pytest.mark.parametrize("seed", ODD_SEEDS)
def test_every_seed_with_words_has_a_shape(seed: bytes) -> None:
    assert agrees(ODD_SHAPES, seed, ODD)


OTHERS = {
    "another handle": (b"AB-1", b"Zz-2-3", True),
    "a handle without an id before the dash": (b"AB-1", b"-1", False),
    "other base64": (b"YWJj", b"ZGVm", True),
    "no base64": (b"YWJj", b"####", False),
    "base64 of no text": (b"YWJj", b"/w==", False),
    "another element": (b"PGE+PGI+NzwvYj48L2E+", b"PGE+PGI+ODwvYj48L2E+", True),
    "another address": (b"x=%7e", b"y=%7E", True),
    "an address that is too long as an id": (b"x=%7e", b"x=" + b'"' * 1500, False),
    "no address": (b"http://h/p?x=%7e", b"urn:x", False),
    "another item": (b"2</s:Item>", b"3</s:Item>", True),
    "another place to answer to": (b"urn:me:1", b"urn:me:2", False),
    "another kind": (b"Stateful", b"None", False),
    "another role": (ACTOR.encode(), b"urn:me", False),
    "another action": (b"urn:go", b"urn:stop", False),
}


@pytest.mark.parametrize(("old", "new", "told"), OTHERS.values(), ids=OTHERS.keys())
def test_words_and_comparisons_hold_for_what_is_cut(old: bytes, new: bytes, told: bool) -> None:
    (seed,) = [one for one in ODD_SEEDS if old in one]
    assert agrees(ODD_SHAPES, seed.replace(old, new), ODD) is told


def test_what_is_compared_in_the_body_alone_costs_no_holes() -> None:
    table = {"lookup": ["Header/shop:Made"], "end": ["Body/shop:x//*[contains(., 'gone')]"]}
    plan = Plan([read_profile("p", table, NAMESPACES)], LIMITS)
    assert plan.request.consulted == frozenset()
    shapes = taught(message("<s:Made>a</s:Made>"), plan=plan)
    assert agrees(shapes, message("<s:Made>b</s:Made>"), plan)


def test_where_an_id_is_joined_in_the_header_there_are_no_shapes() -> None:
    table = {"lookup": ["Header/shop:A + Header/shop:B"]}
    plan = Plan([read_profile("p", table, NAMESPACES)], LIMITS)
    data = message("<s:A>1</s:A><s:B>2</s:B>")
    assert plan.request.consulted is None
    assert taught(data, plan=plan).scan(data, "") is None


def test_where_it_needs_the_body_the_header_has_shapes() -> None:
    data = ODD_SEEDS[-1]
    assert agrees(ODD_SHAPES, data.replace(b">1<", b">77<"), ODD)
    whole = data.replace(b"<s:add/>", b"<s:Tail>2</s:Tail>")
    assert ODD_SHAPES.scan(whole, "") is None
    scanned = asked(whole, plan=ODD)
    assert isinstance(scanned, Scanned)
    assert [one.id for one in scanned.found] == ["1:11:2"]


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(ODD_SEEDS), st.lists(st.tuples(st.integers(90, 400),
       st.sampled_from([*PIECES, b"-", b"=", b"YQ==", b"None", b"urn:me", b"%7e", b"+"]),
       st.integers(0, 12)), max_size=4))  # fmt: skip
def test_with_words_too_it_says_what_the_scanner_says_or_declines(
    seed: bytes, changes: list[tuple[int, bytes, int]]
) -> None:
    data = seed
    for at, piece, drop in changes:
        data = data[:at] + piece + data[at + drop :]
    agrees(ODD_SHAPES, data, ODD)


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(["Handle", "Coded", "Inner", "Url", "To", "Kind"]), st.text(max_size=12))
def test_with_words_every_text_is_cut_as_the_scanner_finds_it(name: str, text: str) -> None:
    safe = text.translate({ord("<"): None, ord("&"): None}).replace("]]>", "")
    data = next(one for one in ODD_SEEDS if f"<s:{name}>".encode() in one)
    old = re.search(f"<s:{name}>(.*?)<".encode(), data)
    assert old is not None
    agrees(
        ODD_SHAPES, data[: old.start(1)] + safe.encode("utf-8", "replace") + data[old.end(1) :], ODD
    )
