"""Known shapes with a first child of the Body that a profile reads."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shaped import LIMITS, NAMESPACES, PIECES, agrees, message, taught

from soapgate.core import shapes as module
from soapgate.core.plan import Plan
from soapgate.core.profiles import read_profile
from soapgate.core.scanner import Scanner
from soapgate.core.shapes import Shapes

BODY = Plan(
    [
        read_profile(
            "body",
            {
                "bind": ["Body/shop:call/shop:id", "Body/shop:call/@handle", "Header/shop:Made"],
                "lookup": [
                    "Body/shop:pair/shop:item[shop:key='sid']/shop:value",
                    "Body/shop:deep//shop:id",
                    'Body/shop:words/shop:id | before:"-"',
                    "Body/shop:list/shop:Item[2]",
                    "Body/*/shop:any",
                ],
                "end": ["Body/shop:logout"],
            },
            NAMESPACES,
        )
    ],
    LIMITS,
)
BODY_SEEDS = [
    message("<s:Made>m</s:Made>" if number % 2 else "", child, f' number="{number}"')
    for number, child in enumerate(
        (
            "<s:call><s:id>a1</s:id><s:x y='1'>text</s:x></s:call>",
            "<s:call handle='h1'/>",
            "<s:pair><s:item><s:key>sid</s:key><s:value>v1</s:value></s:item></s:pair>",
            "<s:deep><s:a><s:id>d1</s:id></s:a>\n<s:id> d2 </s:id></s:deep>",
            "<s:words><s:id>AB-1</s:id></s:words>",
            "<s:list><s:Item>1</s:Item><s:Item>2</s:Item></s:list>",
            "<s:other xmlns='urn:o'><s:any>o1</s:any><any/></s:other>",
            "<s:logout><s:id>a1</s:id></s:logout>",
            "<s:plain>text</s:plain>",
        )
    )
]
BODY_SHAPES = taught(*BODY_SEEDS, plan=BODY)


@pytest.mark.parametrize("seed", BODY_SEEDS)
def test_a_first_child_that_a_profile_reads_is_part_of_the_shape(seed: bytes) -> None:
    assert agrees(BODY_SHAPES, seed, BODY)


BODY_OTHERS = {
    "another id": (b">a1<", b">b-2<", True),
    "another text beside it": (b">text</s:x>", b">else</s:x>", True),
    "another attribute": (b"h1", b"h2", True),
    "another value beside the same key": (b"v1", b"v2", True),
    "another key": (b"sid", b"uid", False),
    "another that is two levels down": (b"d1", b"d3", True),
    "other white space round it": (b"> d2 <", b">d2\n<", True),
    "other words": (b"AB-1", b"CD-2", True),
    "no word before the dash": (b"AB-1", b"-2", False),
    "another second": (b"2</s:Item>", b"7</s:Item>", True),
    "one more": (b"<s:Item>1<", b"<s:Item>0</s:Item><s:Item>1<", False),
    "no text": (b">a1<", b"><", False),
    "a comment": (b">a1<", b">a<!-- -->1<", False),
    "a CDATA section": (b">a1<", b"><![CDATA[a1]]><", False),
    "a reference": (b"<s:id>a1</s:id>", b'<s:id href="#x"/>', False),
    "an element in it": (b">a1<", b"><b/><", False),
    "another end": (b"</s:call>", b"<s:z/></s:call>", False),
}


@pytest.mark.parametrize(("old", "new", "told"), BODY_OTHERS.values(), ids=BODY_OTHERS.keys())
def test_ids_in_the_body_are_cut_as_they_would_be_found(old: bytes, new: bytes, told: bool) -> None:
    seed = next(one for one in BODY_SEEDS if old in one)
    assert agrees(BODY_SHAPES, seed.replace(old, new), BODY) is told


@pytest.mark.parametrize("seed", BODY_SEEDS[:4])
def test_a_first_child_that_is_not_all_there_is_left_to_the_scanner(seed: bytes) -> None:
    end = seed.index(b"</e:Body>")
    for size in range(end):
        BODY_SHAPES._barren = 0
        assert BODY_SHAPES.scan(seed[:size], "") is None
    assert agrees(BODY_SHAPES, seed[:end], BODY)


def test_a_fault_that_a_profile_reads_makes_no_shape() -> None:
    table = {"bind": ["Body/shop:call/shop:id"], "end": ["fault:gone"]}
    plan = Plan([read_profile("p", table, NAMESPACES)], LIMITS)
    data = message(child="<e:Fault><faultcode>e:Server</faultcode></e:Fault>")
    shapes = Shapes(plan.response, LIMITS)
    for _ in range(module.PRICE + module.SIGHTINGS):
        scanned = Scanner(plan.response, LIMITS).feed(data)
        assert scanned is not None
        shapes.learn(data, "", scanned)
    assert shapes.scan(data, "") is None


def test_where_anything_in_the_body_is_compared_only_headers_have_shapes() -> None:
    table = {"lookup": ["Header/shop:Made", "Body/shop:x//*[contains(., 'gone')]"]}
    plan = Plan([read_profile("p", table, NAMESPACES)], LIMITS)
    assert plan.request.consulted_with_body is None
    data = message("<s:Made>a</s:Made>", "<s:x><s:y>gone</s:y></s:x>")
    assert taught(data, plan=plan).scan(data, "") is None


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(BODY_SEEDS), st.lists(st.tuples(st.integers(90, 400),
       st.sampled_from([*PIECES, b"-", b"sid", b"<s:id>", b"</s:id>", b" href='#a'"]),
       st.integers(0, 12)), max_size=4))  # fmt: skip
def test_of_the_body_too_it_says_what_the_scanner_says_or_declines(
    seed: bytes, changes: list[tuple[int, bytes, int]]
) -> None:
    data = seed
    for at, piece, drop in changes:
        data = data[:at] + piece + data[at + drop :]
    agrees(BODY_SHAPES, data, BODY)
