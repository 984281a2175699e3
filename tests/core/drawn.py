"""Envelopes drawn by hypothesis, full of what looks as if it meant something, and a full parse.

text = envelopes().example(); full_parse(text.encode())  # what a scanner of `Shop` must say
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from lxml import etree
from shop import SHOP, Shop

from soapgate.core.ns import SOAP11, SOAP12

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=150)


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
        "cdata": f"<s:x><![CDATA[{text.replace(']]', '')}]]></s:x>",
        "pi": f"<?p {text}?>",
        "attribute": f'<s:x a="{escaped(text)}"/>',
        "text": f"<s:x>{escaped(text)}</s:x>",
        "nested": '<s:Body><s:Header><s:Session id="trap"/></s:Header></s:Body>',
    }[kind]


@st.composite
def sessions(draw):
    """A session of the shop, written in one of many ways."""
    identity = draw(st.text("ab\u00e9 ", min_size=1, max_size=6))
    start, declared = draw(
        st.sampled_from(
            [
                ("s:Session", ""),
                ("Session", f' xmlns="{SHOP}"'),
                ("q:Session", f" xmlns:q='{SHOP}'"),
            ]
        )
    )
    quote = draw(st.sampled_from("\"'"))
    attributes = [" a='id=\"no\"'", f" id = {quote}{identity}{quote}", ' xml:space="preserve"']
    others = "".join(draw(st.permutations([declared, attributes[0], attributes[2]])))
    return draw(
        st.sampled_from(
            [
                f"<{start}{declared}{attributes[1]}/>",
                f"<{start}{''.join(draw(st.permutations([declared, *attributes])))}></{start} >",
                f"<{start}{others}>{identity}</{start}>",
                f"<{start}{declared}\n>\t{identity}<!-- no --></{start}>",
                f"<{start}{declared}><![CDATA[{identity}]]></{start}>",
            ]
        )
    )


@st.composite
def blocks(draw):
    parts = []
    for _ in range(draw(st.integers(0, 3))):
        parts.append(draw(junk()))
        parts.append(draw(st.just("") | sessions()))
    return "".join(parts)


@st.composite
def envelopes(draw, encoding=""):
    soap = draw(st.sampled_from([SOAP11, SOAP12]))
    outer, inner = draw(st.sampled_from([("e", "e"), ("SOAP-ENV", "ns1"), ("", ""), ("", "q")]))
    o, i = (f"{p}:" if p else "" for p in (outer, inner))
    spaces = [f' xmlns{":" if p else ""}{p}="{soap}"' for p in dict.fromkeys(["e", outer, inner])]
    bound = "".join(draw(st.permutations([*spaces, f" xmlns:s='{SHOP}'", ' xml:lang="en"'])))
    misc = st.sampled_from(["", "\n", "<!-- <e:Body> -->", "<?p <e:Body> ?>", "<!-- x -->"])
    declaration = draw(
        st.sampled_from(
            [
                "",
                f'<?xml version="1.0"{encoding}?>',
                f"<?xml version='1.1'{encoding} ?>\n",
                f"<?xml version='1.0'{encoding} standalone=\"yes\"?>\r\n",
            ]
        )
    )
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
        f"{declaration}{draw(misc)}<{o}Envelope{bound}>"
        f"{draw(st.sampled_from(['', header]))}{draw(misc)}{body}</{o}Envelope>{draw(misc)}"
    )
