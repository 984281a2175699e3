"""Tags in bytes: found once, at the right place, however the bytes come."""

from __future__ import annotations

import pytest

from soapgate.core import cutting
from soapgate.core.cutting import MORE


def tokens(data, size=None):
    """(kind, level, empty, text) of every tag, the buffer growing by `size` bytes."""
    lexer, out = cutting.Lexer(0), []
    for end in range(size or len(data), len(data) + (size or 1), size or 1):
        buffer = data[:end]
        while lexer.find(buffer):
            text = buffer[lexer.start : lexer.end].decode()
            out.append((lexer.kind, lexer.level, lexer.empty, text))
            if lexer.kind == "bad":
                return out
    return out


DOCUMENTS = {
    "nested": (
        b"<a><b x='1'>t</b ><c/></a>",
        [
            ("start", 1, False, "<a>"),
            ("start", 2, False, "<b x='1'>"),
            ("end", 2, False, "</b >"),
            ("start", 2, True, "<c/>"),
            ("end", 1, False, "</a>"),
        ],
    ),
    "empty root": (b"<a/>", [("start", 1, True, "<a/>")]),
    "quotes": (
        b"""<a b=">" c='/>"'></a>""",
        [("start", 1, False, """<a b=">" c='/>"'>"""), ("end", 1, False, "</a>")],
    ),
    "what is no tag": (
        b"<a><!-- <b> -- > --><![CDATA[<c> ]> ]]><?p <d> ?></a>",
        [("start", 1, False, "<a>"), ("end", 1, False, "</a>")],
    ),
    "declaration": (b"<a><!ELEMENT x></a>", [("start", 1, False, "<a>"), ("bad", 1, False, "<!E")]),
    "nearly CDATA": (
        b"<a><![CDATE[</a>",
        [("start", 1, False, "<a>"), ("bad", 1, False, "<![CDATE")],
    ),
    "tag in a tag": (b"<a <b>", [("bad", 0, False, "<a <")]),
    "never closed": (b"<a><!-- </a>", [("start", 1, False, "<a>")]),
}


@pytest.mark.parametrize(("data", "expected"), DOCUMENTS.values(), ids=DOCUMENTS.keys())
@pytest.mark.parametrize("size", [None, 1, 2, 3, 5])
def test_tags_are_told_from_what_looks_like_them(data, expected, size):
    found = tokens(data, size)
    assert [token for token in found if token[0] != "bad"] == [
        token for token in expected if token[0] != "bad"
    ]
    assert [token[0] for token in found] == [token[0] for token in expected]


@pytest.mark.parametrize(("data", "expected"), DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_a_bad_tag_ends_at_the_byte_that_makes_it_bad(data, expected):
    assert tokens(data, 1)[-1] == tokens(data)[-1] == expected[-1]


@pytest.mark.parametrize(
    ("data", "at"),
    [
        (b"<a", 0),
        (b" \r\n\t<a", 4),
        (b"<?xml version='1.0'?>\n<a", 22),
        (b"<!-- <x> --><?p <y>?> <a", 22),
        (b"text", 0),
        (b"<!DOCTYPE", 0),
        (b"</a", 0),
        (b"<!-- x", MORE),
        (b"<?x ?", MORE),
        (b"  ", MORE),
        (b"<", MORE),
        (b"<!-", MORE),
        (b"", MORE),
    ],
)
def test_misc_is_skipped(data, at):
    assert cutting.Misc(0).find(data) == at
    reader = cutting.Misc(0)
    found = [reader.find(data[:end]) for end in range(len(data) + 1)]
    assert found[-1] == at


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"<a>", (b"a", b"a")),
        (b"<p:a/>", (b"p:a", b"a")),
        (b"<p:a.b-c_1 x>", (b"p:a.b-c_1", b"a.b-c_1")),
        ("<\u00e9:\u20ac>".encode(), ("\u00e9:\u20ac".encode(), "\u20ac".encode())),
        (b"<a", None),
        (b"</a>", None),
        (b"< a>", None),
        (b"<a:b:c>", None),
        (b"<>", None),
    ],
)
def test_a_tag_name_is_a_prefix_and_a_local_name(data, name):
    assert cutting.tag_name(data, 0) == name


@pytest.mark.parametrize(("data", "may"), [(b"<", True), (b"<a:b", True), (b"<a ", False)])
def test_a_name_that_is_not_all_there_may_still_come(data, may):
    assert cutting.may_be_name(data, 0) is may


@pytest.mark.parametrize("times", [0, 1, cutting.SPOKEN_OF - 1, cutting.SPOKEN_OF])
def test_a_header_may_speak_of_a_body_before_there_is_one(times: int) -> None:
    header = b'<ds:Reference URI="#Body-1"/>' * times
    data = b"<e:Envelope><e:Header>" + header + b"</e:Header><e:Body><a/></e:Body></e:Envelope>"
    tags = cutting.body_and_child(data, 12, len(data))
    if times == cutting.SPOKEN_OF:
        assert tags is None  # for the long way
    else:
        assert tags is not None
        assert (tags[1], tags[3]) == (b"e:Body", b"a")
