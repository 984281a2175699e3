"""Locations over real trees: every kind of step, anchoring, values, and what is not a value."""

from __future__ import annotations

import pytest
from lxml import etree

from soapgate.core.locations import parse
from soapgate.core.matching import (
    SOAP12_ENCODING,
    Reference,
    anchors,
    compile_path,
    fault_code_names,
    first_test,
    followed,
    text_of,
)
from soapgate.core.ns import SOAP11, SOAP12

NAMESPACES = {"x": "urn:x", "two": ["urn:x", "urn:y"], "v": "urn:v-*"}


def values(location, block, *, named=False):
    """What a location finds in one block given as XML, with x, y and v bound to namespaces."""
    path = parse(location, NAMESPACES)
    tree = etree.fromstring(
        f'<h xmlns:x="urn:x" xmlns:y="urn:y" xmlns:v1="urn:v-1" xmlns:v2="urn:v-2">{block}</h>'
    )
    out = []
    for child in tree:
        if isinstance(child.tag, str) and first_test(path).matches(child.tag):
            out += compile_path(path, named=named)(child)
    return out


@pytest.mark.parametrize(
    ("location", "block", "found"),
    [
        ("Header/x:s", "<x:s>1</x:s>", ["1"]),
        ("Header/x:s", "<y:s>1</y:s>", []),
        ("Header/two:s", "<y:s>1</y:s><x:s>2</x:s>", ["1", "2"]),
        ("Header/v:s", "<v1:s>1</v1:s><v2:s>2</v2:s><x:s>3</x:s>", ["1", "2"]),
        ("Header/*:s", "<s>1</s><y:s>2</y:s><t>3</t>", ["1", "2"]),
        ("Header/s", "<s>1</s><x:s>2</x:s>", ["1"]),
        ("Header/*", "<s>1</s><x:t>2</x:t>", ["1", "2"]),
        ("Header/x:*", "<s>1</s><x:t>2</x:t>", ["2"]),
        ("Header/x:s/x:i", "<x:s><x:i>1</x:i><y:i>2</y:i><x:i>3</x:i></x:s>", ["1", "3"]),
        ("Header/x:s/v:i", "<x:s><v1:i>1</v1:i><x:i>2</x:i><v2:i>3</v2:i></x:s>", ["1", "3"]),
        ("Header/x:s/*", "<x:s><!-- c --><x:i>1</x:i><?p q?><j>2</j></x:s>", ["1", "2"]),
        ("Header/x:s/x:i", "<x:s><x:j><x:i>deeper</x:i></x:j></x:s>", []),
        ("Header/x:s/@id", '<x:s id="1" x:id="2"/>', ["1"]),
        ("Header/x:s/@x:id", '<x:s id="1" x:id="2"/>', ["2"]),
        ("Header/x:s/@two:id", '<x:s id="1" y:id="2"/>', ["2"]),
        ("Header/x:s/@*:id", '<x:s id="1" y:id="2" other="3"/>', ["1", "2"]),
        ("Header/x:s/@id", "<x:s/>", []),
        ("Header//x:i", "<x:s><x:i>1</x:i></x:s><x:i>2</x:i>", ["1", "2"]),
        ("Header/x:s//x:i", "<x:s><a><x:i>1</x:i></a><x:i>2</x:i></x:s>", ["1", "2"]),
        ("Header/x:s//v:i", "<x:s><a><v1:i>1</v1:i></a><x:i>2</x:i></x:s>", ["1"]),
        ("Header/x:s//a/x:i", "<x:s><b><a><x:i>1</x:i></a></b><x:i>2</x:i></x:s>", ["1"]),
        ("Header/x:s//@id", '<x:s id="1"><a id="2"/><b><c id="3"/></b></x:s>', ["1", "2", "3"]),
        ("Header/x:s/a//@id", '<x:s id="1"><a id="2"><b id="3"/></a></x:s>', ["2", "3"]),
        ("Header/x:s[@k='a']", '<x:s k="a">1</x:s><x:s k="b">2</x:s><x:s>3</x:s>', ["1"]),
        ("Header/x:s/i[@x:k='a']", '<x:s><i k="a">1</i><i x:k=" a ">2</i></x:s>', ["2"]),
        ("Header/x:s/i[@two:k='a']", '<x:s><i k="a">1</i><i y:k="a">2</i></x:s>', ["2"]),
        (
            "Header/x:s/item[key='sid']/value",
            "<x:s><item><key>a</key><value>1</value></item>"
            "<item><key> sid </key><value>2</value></item></x:s>",
            ["2"],
        ),
        ("Header/x:s[@a='1'][b='2']", '<x:s a="1"><b>2</b></x:s>', [""]),
        ("Header/x:s[@a='1'][b='2']/b", '<x:s a="1"><b>2</b></x:s><x:s><b>2</b></x:s>', ["2"]),
        ("Header//x:s[@a='1']", '<q><x:s a="1">1</x:s><x:s>2</x:s></q>', ["1"]),
        ("Header/x:s[@a]", '<x:s a="">1</x:s><x:s>2</x:s>', ["1"]),
        ("Header/x:s[b]/i", "<x:s><b/><i>1</i></x:s><x:s><i>2</i></x:s>", ["1"]),
        ("Header/x:s[not(b)]/i", "<x:s><b/><i>1</i></x:s><x:s><i>2</i></x:s>", ["2"]),
        ("Header/x:s[.='1']", "<x:s> 1 </x:s><x:s>2</x:s>", ["1"]),
        ("Header/x:s[.='']", "<x:s> </x:s><x:s>2</x:s><x:s/><x:s><a/></x:s>", ["", ""]),
        ("Header/x:s[not(.='')]", "<x:s/><x:s>2</x:s>", ["2"]),
        ("Header/x:s[starts-with(., 'ab')]", "<x:s>abc</x:s><x:s>cab</x:s><x:s/>", ["abc"]),
        ("Header/x:s[ends-with(., 'ab')]", "<x:s>abc</x:s><x:s>cab</x:s>", ["cab"]),
        ("Header/x:s[contains(., 'b')]", "<x:s>abc</x:s><x:s>c</x:s>", ["abc"]),
        ("Header/x:s[not(contains(., 'b'))]", "<x:s>abc</x:s><x:s>c</x:s>", ["c"]),
        ("Header/x:s[starts-with(@k, 'a')]", '<x:s k="ab">1</x:s><x:s k="b">2</x:s><x:s/>', ["1"]),
        ("Header/x:s[ends-with(k, 'b')]/i", "<x:s><k>a</k><k>ab</k><i>1</i></x:s>", ["1"]),
        ("Header/x:s[p/*]/i", "<x:s><p/><i>1</i></x:s><x:s><p><q/></p><i>2</i></x:s>", ["2"]),
        ("Header/x:s[not(p/*)]/i", "<x:s><p/><i>1</i></x:s><x:s><p><q/></p><i>2</i></x:s>", ["1"]),
        ("Header/x:s[p/@k='a']/i", '<x:s><p k="b"/><p k="a"/><i>1</i></x:s><x:s k="a"/>', ["1"]),
        (
            "Header/x:s[p/q='7']/i",
            "<x:s><q>7</q><i>1</i></x:s><x:s><p><q>7</q></p><i>2</i></x:s>",
            ["2"],
        ),
        ("Header/x:s[contains(p/*, '7')]/i", "<x:s><p><q/><r>17</r></p><i>1</i></x:s>", ["1"]),
        ("Header/x:s[*]", "<x:s>1</x:s><x:s><i/></x:s>", [""]),
        ("Header/x:s/i[2]", "<x:s><i>1</i><i>2</i><i>3</i></x:s><x:s><i>4</i></x:s>", ["2"]),
        ("Header/x:s/*[1]", "<x:s>t<!-- c --><a>1</a><b>2</b></x:s>", ["1"]),
        ("Header/x:s/p/i[1]", "<x:s><p><i>1</i></p><p><j/><i>2</i><i>3</i></p></x:s>", ["1", "2"]),
        ("Header/x:s/i[@k='a'][2]", '<x:s><i k="a"/><i>0</i><i k="a">2</i></x:s>', ["2"]),
        ("Header/x:s/i[2][@k='a']", '<x:s><i k="a">1</i><i>0</i><i k="a">2</i></x:s>', []),
        ("Header/x:s/i[9]", "<x:s><i>1</i></x:s>", []),
        ("Header/x:s/i[2]/@k", '<x:s><i k="a"/><i k="b"/></x:s>', ["b"]),
        ("Header/x:s[k='']/i", "<x:s><k><a/></k><i>1</i></x:s><x:s><k/><i>2</i></x:s>", ["2"]),
        ("Header/x:s[not(@a='1')]", '<x:s a="1">1</x:s><x:s a="2">2</x:s><x:s>3</x:s>', ["2", "3"]),
    ],
)
def test_a_location_finds_its_places_in_document_order(location, block, found):
    assert values(location, block) == found


@pytest.mark.parametrize(
    "block",
    [
        "<!-- <x:s><x:i>1</x:i></x:s> -->",
        "<?s <x:s><x:i>1</x:i></x:s>?>",
        "<t><![CDATA[<x:s><x:i>1</x:i></x:s>]]></t>",
        "<x:s><![CDATA[<x:i>1</x:i>]]></x:s>",
        "<x:s><!--<x:i>1</x:i>--></x:s>",
        "<x:t><x:s><x:i>1</x:i></x:s></x:t>",
        "<x:t><x:i>1</x:i></x:t>",
        "<x:s><x:t><x:i>1</x:i></x:t></x:s>",
        "<x:i>1</x:i>",
        "<s><i>1</i></s>",
    ],
    ids=[
        "comment",
        "processing instruction",
        "CDATA of another block",
        "CDATA in the right block",
        "comment in the right block",
        "nested one too deep",
        "in the wrong parent",
        "child one too deep",
        "without its parent",
        "in no namespace",
    ],
)
def test_an_id_counts_only_where_the_location_says(block):
    assert values("Header/x:s/x:i", block) == []


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ("<a> 1\n </a>", "1"),
        ("<a>1<!-- c -->2<?p?>3</a>", "123"),
        ("<a><!-- c --></a>", ""),
        ("<a><![CDATA[ <b> ]]></a>", "<b>"),
        ("<a>&lt;1&#x20;</a>", "<1"),
        ("<a/>", ""),
        ("<a>  </a>", ""),
        ("<a>1<b>2</b></a>", ""),
        ("<a> <b>2</b> </a>", ""),
    ],
)
def test_the_text_of_an_element_is_its_own_trimmed_and_none_beside_children(block, text):
    assert text_of(etree.fromstring(block)) == text


def test_an_attribute_is_trimmed():
    assert values("Header/x:s/@id", '<x:s id=" a&#10;"/>') == ["a"]


@pytest.mark.parametrize(
    ("block", "found"),
    [
        ("<x:s>1</x:s>", ["{urn:x}s=1"]),
        ("<s> 1 </s>", ["s=1"]),
        ("<x:s/>", [""]),
        ("<x:s><a> 1 </a>\n<b><c>2</c></b></x:s>", ["{urn:x}s=1 2"]),
        ("<!-- c --><s>1<!-- c --></s>", ["s=1"]),
    ],
)
def test_a_named_value_has_the_name_and_the_text_at_any_depth(block, found):
    assert values("Header/*", block, named=True) == found


def test_a_named_attribute_has_the_name_of_its_element_too():
    assert values("Header/x:s/@id", '<x:s id="1"/><x:s id=""/>', named=True) == [
        "{urn:x}s/@id=1",
        "",
    ]


def test_descendants_of_descendants_are_visited_once():
    nested = "<a>" * 40 + "<i>1</i>" + "</a>" * 40
    assert values("Header/x:s//a//a//i", f"<x:s>{nested}</x:s>") == ["1"]
    assert values("Header//a//@id", '<a id="1"><a id="2"><a id="3"/></a></a>') == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("block", "target"),
    [
        ('<x:s href="#id0"/>', "id0"),
        (f'<x:s xmlns:e="{SOAP12_ENCODING}" e:ref="id0"/>', "id0"),
        ('<x:s href="http://h/#id0"/>', None),
        ('<x:s href="#"/>', None),
        ('<x:s href="#id0">1</x:s>', None),
        ('<x:s x:href="#id0"/>', None),
    ],
)
def test_an_empty_element_may_refer_to_another(block, target):
    (found,) = values("Header/x:s", block)
    assert (found if type(found) is Reference else None) == target


def test_references_mean_children_of_header_and_body_and_the_first_of_an_id():
    tree = etree.fromstring(
        f'<e xmlns:n="{SOAP12_ENCODING}"><h><a id="1">x</a></h>'
        '<b><c/><m id="1">y</m><!-- c --><m n:id="2"> z </m><m><d id="3">deep</d></m></b></e>'
    )
    assert {key: text_of(each) for key, each in anchors(tree[1][0]).items()} == {"1": "x", "2": "z"}


def read_on(location, elements):
    """What a location finds from the first of some elements on, with the others to refer to."""
    tree = etree.fromstring(f"<e><b>{elements}</b></e>")
    found = compile_path(parse(location, NAMESPACES))(tree[0][0])
    assert all(type(one) is Reference for one in found)
    return followed(found, anchors(tree[0][0]), set())


def test_a_struct_that_stands_elsewhere_is_read_on_there():
    bean = '<m id="1"><i>7</i><k href="#2"/></m><m id="2"><deep><i>8</i></deep></m><m id="3">9</m>'
    assert read_on("Body/r/i", f'<r href="#1"/>{bean}') == (["7"], True)
    assert read_on("Body/r/return/i", f'<r><return href="#1"/></r>{bean}') == (["7"], True)
    assert read_on("Body/r/k/deep/i", f'<r href="#1"/>{bean}') == (["8"], True)
    assert read_on("Body/r/return/j", f'<r><return href="#1"/></r>{bean}') == ([], True)
    assert read_on("Body/r/return/@a", '<r href="#1"/><m id="1"><return a="5"/></m>') == (
        ["5"],
        True,
    )
    assert read_on("Body/r/i", f'<r href="#9"/>{bean}') == ([], False)


def test_a_reference_may_lead_to_a_reference_and_a_circle_ends():
    chain = '<m id="1"><i href="#2"/></m><m id="2" href="#3"/><m id="3">9</m>'
    assert read_on("Body/r/i", f'<r href="#1"/>{chain}') == (["9"], True)
    assert read_on("Body/r/i", '<r href="#1"/><m id="1" href="#2"/><m id="2" href="#1"/>') == (
        [],
        True,
    )


def test_references_that_fan_out_are_read_once_each():
    count = 60
    every = "".join(f'<a href="#{n}"/>' for n in range(count))
    fan = "".join(f'<m id="{n}">{every}</m>' for n in range(count))
    values, complete = read_on("Body/r" + "/a" * 9, f'<r href="#0"/>{fan}')
    assert complete
    assert not any(values)
    assert len(values) <= 9 * count


@pytest.mark.parametrize(
    ("fault", "codes"),
    [
        (
            f'<Fault xmlns="{SOAP11}"><faultcode xmlns="">p:Client.A.B</faultcode></Fault>',
            "Client.A.B",
        ),
        ("<Fault><faultcode>5</faultcode><faultstring>x</faultstring></Fault>", "5"),
        (
            f'<e:Fault xmlns:e="{SOAP12}"><e:Code><e:Value>e:Sender</e:Value><e:Subcode>'
            "<e:Value>p:A</e:Value><e:Subcode><e:Value>B</e:Value></e:Subcode></e:Subcode>"
            "</e:Code><e:Detail><e:Value>No</e:Value></e:Detail></e:Fault>",
            "Client.A.B",
        ),
        ("<Fault/>", ""),
    ],
    ids=["1.1 dotted", "1.1 bare", "1.2 nested", "none"],
)
def test_a_faults_codes_are_local_names_from_general_to_special(fault, codes):
    assert ".".join(fault_code_names(etree.fromstring(fault))) == codes
