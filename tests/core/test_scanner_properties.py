"""The scanner against a full parse: any envelope, any cut of it, any spoilt byte."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from shop import SHOP, Shop, ids, run

from soapgate.core.ns import SOAP11, SOAP12
from soapgate.core.scanner import Outcome, ScanLimits, Scanned


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
        "cdata": f"<s:x><![CDATA[{text}]]></s:x>",
        "pi": f"<?p {text}?>",
        "attribute": f'<s:x a="{escaped(text)}"/>',
        "text": f"<s:x>{escaped(text)}</s:x>",
        "nested": '<s:Body><s:Header><s:Session id="trap"/></s:Header></s:Body>',
    }[kind]


@st.composite
def blocks(draw):
    parts = []
    for _ in range(draw(st.integers(0, 3))):
        parts.append(draw(junk()))
        identity = draw(st.text("ab\u00e9 ", min_size=1, max_size=6))
        parts.append(
            draw(
                st.sampled_from(
                    ["", f'<s:Session id="{identity}"/>', f"<s:Session>{identity}</s:Session>"]
                )
            )
        )
    return "".join(parts)


@st.composite
def envelopes(draw):
    soap = draw(st.sampled_from([SOAP11, SOAP12]))
    outer, inner = draw(st.sampled_from([("e", "e"), ("SOAP-ENV", "ns1"), ("", ""), ("", "q")]))
    o, i = (f"{p}:" if p else "" for p in (outer, inner))
    bound = "".join(
        f' xmlns{":" if p else ""}{p}="{soap}"' for p in dict.fromkeys(["e", outer, inner])
    )
    misc = st.sampled_from(["", "\n", "<!-- <e:Body> -->", "<?p <e:Body> ?>", "<!-- x -->"])
    declaration = draw(st.sampled_from(["", '<?xml version="1.0"?>', "<?xml version='1.1' ?>\n"]))
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
        f'{declaration}{draw(misc)}<{o}Envelope{bound} xmlns:s="{SHOP}">'
        f"{draw(st.sampled_from(['', header]))}{draw(misc)}{body}</{o}Envelope>{draw(misc)}"
    )


UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=150)
CHARSETS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1"])


@UNHURRIED
@given(envelopes(), CHARSETS, st.randoms(use_true_random=False))
def test_any_cut_of_any_envelope_answers_as_a_full_parse(text, charset, chance):
    data = text.encode(charset)
    options = {"content_type": f"text/xml; charset={charset}".encode()}
    whole = run([data], **options)
    expected, fault = full_parse(text.encode())
    assert (ids(whole), whole.fault) == (expected, fault)
    assert whole.outcome is (Outcome.FOUND if expected else Outcome.NONE)
    for _ in range(5):
        cuts = sorted(chance.sample(range(len(data) + 1), min(len(data), chance.randint(1, 20))))
        pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        assert run(pieces, **options) == whole
    assert run([data[i : i + 1] for i in range(len(data))], **options) == whole


@UNHURRIED
@given(envelopes(), st.integers(20, 400), st.integers(1, 200), st.integers(1, 40))
def test_limits_do_not_depend_on_the_pieces(text, header_bytes, body_bytes, size):
    data = text.encode()
    limits = ScanLimits(header_bytes, body_bytes, depth=4, attributes=2, blocks=2)
    pieces = [data[i : i + size] for i in range(0, len(data), size)]
    assert run(pieces, limits=limits) == run([data], limits=limits)


SPOILERS = st.sampled_from(
    [b"", b"<", b">", b'"', b"Body", b"\0", b"\xff", b"&", b"<e:Body>", b"-->", b"]]>", b"/", b" "]
)


@UNHURRIED
@given(envelopes(), st.data())
def test_a_spoilt_message_is_refused_or_read_as_a_full_parse_reads_it(text, data_of):
    data = bytearray(text.encode())
    for _ in range(data_of.draw(st.integers(1, 4))):
        at = data_of.draw(st.integers(0, len(data) - 1))
        piece = data_of.draw(SPOILERS)
        data[at : at + data_of.draw(st.integers(0, 3))] = piece
    data = bytes(data)
    answer = run([data])
    for size in (1, 7):
        assert run([data[i : i + size] for i in range(0, len(data), size)]) == answer
    try:
        expected, _ = full_parse(data)
    except (etree.XMLSyntaxError, TypeError, AttributeError):
        return  # not well-formed, or no envelope: nothing to agree with
    if isinstance(answer, Scanned) and answer.outcome is not Outcome.NOT_SOAP:
        assert ids(answer) == expected
