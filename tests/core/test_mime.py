"""The root part of a multipart: every case whole, byte by byte and at every split."""

from __future__ import annotations

import email

import pieces
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soapgate.core.encodings import Limited, NotSoap
from soapgate.core.errors import Failure, Reason
from soapgate.core.mime import HEAD_BYTES, PARTS, Related, Root, related
from soapgate.core.transfer_encodings import AsItIs

MOST = 64 * 1024


@pytest.mark.parametrize(
    ("field", "said"),
    [
        (b"multipart/related; boundary=b", (b"b", "")),
        (b'MulTipart/RelaTed;BOUNDARY="b c";Start="<r@x>"', (b"b c", "r@x")),
        (b"multipart/related; type=text/xml; boundary=----=_P.1:2/3?4; start=<r>",
         (b"----=_P.1:2/3?4", "r")),
        (b"multipart/related;\r\n\tboundary=b;\r\n start=r", (b"b", "r")),
        (b"multipart/related ; boundary = b ; start = cid:r", (b"b", "r")),
        (b"multipart/related; boundary=b; start=r; start=r", (b"b", "r")),
        (b'multipart/related; type="text/xml; start=\\"no\\""; boundary=b; start="< r >"',
         (b"b", "r")),
        (b'multipart/related; start-info="text/xml"; boundary="?//<><>spyne<>"',
         (b"?//<><>spyne<>", "")),
        (b"multipart/related; boundary='b'", (b"'b'", "")),
        (b"multipart/related; boundary=b; start=\"\"", (b"b", "")),
    ],
)  # fmt: skip
def test_a_content_type_says_boundary_and_start(field, said):
    assert related(field) == Related(*said)


@pytest.mark.parametrize(
    "field",
    [b"", b"text/xml", b"multipart/mixed; boundary=b", b'text/xml; x="multipart/related"',
     b'multipart/encrypted; boundary="Encrypted Boundary"', b"multipart/form-data; boundary=b"],
)  # fmt: skip
def test_nothing_else_is_multipart_related(field):
    assert related(field) is None


@pytest.mark.parametrize("field", [b"multipart/related", b'multipart/related; boundary=""'])
def test_without_a_boundary_it_is_not_read(field):
    with pytest.raises(NotSoap, match="without a boundary"):
        related(field)


@pytest.mark.parametrize(
    "parameters",
    [b"boundary=a; boundary=b", b"boundary=a; boundary=a", b'boundary=a; Boundary="b"',
     b"boundary=a; start=a; start=b",
     b'type="text/xml; boundary=a"; boundary=b', b"boundary*=utf-8''a", b"boundary*0=a; boundary=b",
     b"boundary=a; start*=utf-8''b", b'boundary="a', b'boundary="a "', b'boundary="a\\"b"',
     b"boundary=\xe9", b'boundary="a\tb"', b"boundary=" + b"x" * 257, b'boundary="a\\\\b"'],
)  # fmt: skip
def test_what_can_be_read_in_two_ways_is_refused(parameters):
    with pytest.raises(Failure) as failure:
        related(b"multipart/related; " + parameters)
    assert (failure.value.source, failure.value.reason) == ("downstream", Reason.MALFORMED)


# --- the root -----------------------------------------------------------------------------------


def read(pieces, start="", most=MOST):
    """(the root's content type, its bytes, how it ended)."""
    root, out, end = Root(Related(b"b", start), most), [], "end"
    try:
        for piece in pieces:
            out.extend(root.feed(piece))
            if root.ended:
                break
        else:
            out.extend(root.close())
    except Failure as failure:
        end = str(failure)  # which says the reason first
    except (NotSoap, Limited) as why:
        end = f"{type(why).__name__}: {why}"
    return root.content_type, b"".join(out), end


def each_way(data, start="", most=MOST):
    return pieces.each_way(lambda these: read(these, start, most), data)


def multi(*parts, before=b"", after=b"--b--\r\n"):
    """Parts are (head, content); content None: the part is nothing but its head."""
    return before + b"".join(b"--b\r\n%b\r\n%b\r\n" % part for part in parts) + after


ROOT = (b"Content-Type: text/xml\r\nContent-ID: <r>\r\n", b"<root/>")
NOTE = (b"Content-Type: text/plain\r\nContent-ID: <n>\r\n", b"a note")
BARE = (b"Content-Type: text/plain\r\n", b"a note")

FOUND = {
    "the first": (multi(ROOT, NOTE), ""),
    "named": (multi(ROOT, NOTE), "r"),
    "named and last": (multi(NOTE, BARE, NOTE, ROOT), "r"),
    "named, behind one without an id": (multi(BARE, ROOT), "r"),
    "the first, since nobody is named": (multi(ROOT, NOTE), "x"),
    "named after an empty part": (multi((b"", b""), ROOT), "r"),
    "of two with its id the first": (multi(NOTE, ROOT, (ROOT[0], b"<second/>")), "r"),
    "no bracket": (multi((ROOT[0].replace(b"<r>", b" r "), ROOT[1])), "r"),
    "cid:": (multi(NOTE, (ROOT[0].replace(b"<r>", b"<cid:r>"), ROOT[1])), "r"),
    "lower case": (multi(NOTE, (ROOT[0].lower(), ROOT[1])), "r"),
    "no blank behind the colon": (multi(NOTE, (ROOT[0].replace(b": ", b":"), ROOT[1])), "r"),
    "folded fields": (multi(NOTE, (ROOT[0].replace(b": ", b":\r\n\t \r\n  "), ROOT[1])), "r"),
    "folded with a bare LF": (multi(NOTE, (ROOT[0].replace(b": ", b":\n "), ROOT[1])), "r"),
    "other fields": (multi((b"X: y\r\nx-a:\r\n" + ROOT[0] + b"X: z\r\n", ROOT[1])), ""),
    "the same field twice": (multi((ROOT[0] + b"Content-ID: <r>\r\n", ROOT[1])), "r"),
    "preamble": (multi(ROOT, before=b"This is MIME.\r\n-- no boundary\r\n-\r\n--\r\n"), ""),
    "an empty line first": (multi(ROOT, before=b"\r\n"), ""),
    "byte order mark": (multi(ROOT, before=b"\xef\xbb\xbf"), ""),
    "epilogue": (multi(ROOT, after=b"--b--\r\nthe end\r\n--b\r\n"), ""),
    "no line end at the end": (multi(ROOT, after=b"--b--"), ""),
    "the end broken off": (multi(ROOT, after=b"--b-"), ""),
    "blanks at the end": (multi(ROOT, after=b"--b-- \t"), ""),
    "half a line end at the end": (multi(ROOT, after=b"--b--\r"), ""),
    "no last delimiter": (multi(ROOT, after=b"")[:-2], ""),
    "blanks behind boundaries": (multi(ROOT, NOTE).replace(b"--b\r", b"--b \t \r"), ""),
    "bare LF": (multi(ROOT, NOTE).replace(b"\r\n", b"\n"), "r"),
    "behind another boundary": (multi((b"", b"--c\r\n\r\n<x/>\r\n--c--"), ROOT), "r"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "start"), FOUND.values(), ids=FOUND.keys())
def test_the_root_is_the_part_that_start_names_or_else_the_first(data, start):
    kind, content, end = each_way(data, start)
    assert (kind.lower(), content, end) == (b"text/xml", b"<root/>", "end")


CONTENTS = {
    "empty": b"",
    "line ends": b"\r\n\r\n",
    "its last line end is the delimiter's": b"<a/>\r\n",
    "what only looks like a delimiter": b"x --b\r\n -- b\r\n--\r\n-b\r\n--\r\nb --b--",
    "a part's head": b"Content-Type: text/html\r\n\r\n<a/>",
    "beginnings of a delimiter": b"\r\r\n-\r\n\r\n--\r\n-",
    "all bytes": bytes(range(256)) * 3,
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS.keys())
@pytest.mark.parametrize("first", [(), (NOTE,)])
def test_the_roots_bytes_are_all_of_it_and_nothing_else(content, first):
    head = b"Content-ID: <r>\r\n"
    assert each_way(multi(*first, (head, content), NOTE), "r") == (b"", content, "end")
    assert each_way(multi((head, content), after=b"")[:-2]) == (b"", content, "end")


@pytest.mark.parametrize(
    ("head", "content", "expected"),
    [
        (b"Content-Transfer-Encoding: quoted-printable\r\n", b"=3Cx y=\r\n/=3E", b"<xy/>"),
        (b"content-transfer-encoding:BASE64\r\n", b"PHg\r\nvPg==\r\n", b"<x/>"),
        (b"Content-Transfer-Encoding: 8bit\r\n", b"<x/>", b"<x/>"),
    ],
)
def test_the_root_is_handed_out_decoded(head, content, expected):
    expected = expected.replace(b"xy", b"x y")
    assert each_way(multi((head, content)))[1:] == (expected, "end")
    assert each_way(multi(NOTE, (head + b"Content-ID: <r>\r\n", content)), "r")[1] == expected


def stands(pieces, start):
    """(where the root's head begins, its content, its size, its Content-ID) as the reader says it
    when the message is over."""
    root, size = Root(Related(b"b", start), MOST), 0
    for piece in [*pieces, None]:
        size += sum(map(len, root.close() if piece is None else root.feed(piece)))
    place = root.place
    return place.begins - len(place.head), place.begins, size, place.name


@pytest.mark.parametrize(("data", "start"), FOUND.values(), ids=FOUND.keys())
def test_the_root_stands_where_its_bytes_are_in_the_message(data, start):
    head, begins, size, name = pieces.each_way(lambda these: stands(these, start), data)
    assert data[begins : begins + size] == b"<root/>"
    assert data[:head].endswith((b"\n", b"\xef\xbb\xbf"))
    assert data[:head].rstrip(b" \t\r\n").endswith(b"--b")
    assert data[head:begins].lower().startswith((b"content-type:", b"x: y"))
    assert name == "r"


def test_a_root_without_a_head_stands_behind_its_empty_line():
    data = multi((b"", b"<root/>"))
    assert pieces.each_way(lambda these: stands(these, ""), data) == (5, 7, 7, "")


@pytest.mark.parametrize("named", ["r", "nobody"])
def test_a_root_may_be_handed_out_in_its_transfer_encoding(named):
    def read(these):
        told = []
        root = Root(Related(b"b", named), MOST, lambda coding: told.append(coding) or AsItIs())
        out = [piece for one in these for piece in root.feed(one)]
        return b"".join([*out, *root.close()]), told

    data = multi((b"Content-ID: <r>\r\nContent-Transfer-Encoding: Base64\r\n", b"PH?\r\nJv"))
    assert pieces.each_way(read, data) == (b"PH?\r\nJv", [b"Base64"])


REFUSED = {
    "a boundary that goes on": (multi(ROOT, after=b"--bc\r\n"), "goes on"),
    "a last boundary that goes on": (multi(ROOT, after=b"--b--x\r\n"), "goes on"),
    "an inner boundary that begins with the last": (multi((b"", b"--b--x")), "goes on"),
    "a last boundary cut short": (multi(ROOT, after=b"--b-\r\n"), "goes on"),
    "blanks, then more": (multi(ROOT, after=b"--b  x\r\n"), "goes on"),
    "too many blanks": (multi(ROOT, after=b"--b" + b" " * 1001 + b"\r\n"), "goes on"),
    "a boundary that goes on, at once": (multi((b"", b"--bc"), ROOT), "goes on"),
    "a bare CR before the boundary": (multi((b"", b"x\r--b"), ROOT), "bare CR"),
    "a line that is no field": (multi((b"Content-Type text/xml\r\n", b"")), "no field"),
    "a blank before the colon": (multi((b"Content-Type : text/xml\r\n", b"")), "no field"),
    "a field without a name": (multi((b": text/xml\r\n", b"")), "no field"),
    "a fold first": (multi((b" a: b\r\n", b"")), "no field"),
    "a bare CR in a field": (multi((b"a: b\rContent-ID: <r>\r\n", b"")), "no field"),
    "NUL in a field": (multi((b"a: \0\r\n", b"")), "no field"),
    "a boundary in a head": (multi((b"a: b\r\n--b\r\n", b"")), "no field"),
    "two types": (multi((ROOT[0] + b"Content-Type: a/b\r\n", b"")), "two content-type"),
    "two ids": (multi((ROOT[0] + b"content-id: <s>\r\n", b"")), "two content-id"),
    "a head without bound": (multi((b"a: " + b"x" * HEAD_BYTES + b"\r\n", b"")), "head over"),
    "many fields": (multi((b"a: b\r\n" * (HEAD_BYTES // 6 + 1), b"")), "head over"),
}


@pytest.mark.parametrize(("data", "detail"), REFUSED.values(), ids=REFUSED.keys())
def test_what_readers_split_in_different_ways_is_refused(data, detail):
    end = each_way(data)[2]
    assert end.startswith(Reason.MALFORMED)
    assert detail in end
    skipped = multi(NOTE, BARE, after=b"") + data
    assert detail in each_way(skipped, "x")[2]


@pytest.mark.parametrize("before", [b"x", b"see --b\r\n", b"\xef\xbb\xbfx", b"\n\xef\xbb\xbf"])
def test_a_boundary_inside_a_line_before_the_first_is_refused(before):
    assert "inside a line" in each_way(multi(ROOT, before=before))[2]


def test_what_stands_before_a_refusal_is_handed_out_first():
    data = multi((b"", b"<root>\r\n--bc"))
    assert each_way(data)[1] == b"<root>"


NOTHING = {
    "empty": b"",
    "no delimiter": b"<root/>",
    "closed at once": b"--b--\r\n" + multi(ROOT),
    "broken off in the first head": b"--b\r\nContent-Type: text/xml\r\n",
}


@pytest.mark.parametrize("data", NOTHING.values(), ids=NOTHING.keys())
@pytest.mark.parametrize("start", ["", "r"])
def test_a_multipart_without_a_part_is_not_read(data, start):
    assert each_way(data, start) == (None, b"", "NotSoap: multipart/related without a part")


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (b"Content-Encoding: gzip\r\n", "NotSoap: content encoding gzip of the root part"),
        (b"Content-Transfer-Encoding: x-uu\r\n", "NotSoap: transfer encoding x-uu"),
    ],
)
def test_a_root_in_an_unknown_encoding_is_not_read(head, why):
    assert each_way(multi((head, b"x")))[2] == why
    assert each_way(multi(NOTE, (head, b"x")), "n")[2] == "end"


# --- bounds -------------------------------------------------------------------------------------


def test_what_stands_before_the_root_is_bounded():
    data = multi(NOTE, ROOT)
    begins = data.index(b"<root/>")
    assert each_way(data, "r", begins)[1:] == (b"<root/>", "end")
    over = (None, b"", f"Limited: {begins - 1} bytes of multipart and no root")
    assert each_way(data, "r", begins - 1) == over
    assert read([b"x" * 10_000_000], "r")[2].startswith("Limited")


def test_an_unnamed_first_part_is_the_root_only_if_the_rest_was_seen():
    data = multi(ROOT, (b"", b"x" * 1000))
    assert each_way(data, "x", len(data))[1:] == (b"<root/>", "end")
    assert each_way(data, "x", 500)[2].startswith("Limited")


def test_the_root_itself_is_not_bounded_here():
    content = b"x" * (3 * MOST)
    assert read([multi((b"", content))]) == (b"", content, "end")


def test_parts_before_the_root_are_counted():
    assert read([multi(*[NOTE] * (PARTS - 1), ROOT)], "r")[1] == b"<root/>"
    assert each_way(multi(*[(b"", b"")] * PARTS, ROOT), "r")[2].startswith(
        f"Limited: {PARTS} parts"
    )


@pytest.mark.parametrize("start", ["", "r"])
def test_little_is_held(start):
    root = Root(Related(b"b" * 70, start), 10**9)
    for piece in [b"preamble\n" * 1000, b"\n--" + b"b" * 70 + b"\n\n"]:
        assert not b"".join(root.feed(piece))
    for _ in range(100):
        list(root.feed(b"content\r\n--bb\r\n" * 1000))
        assert len(root._held) < 80
    assert len(root._first) == (1_500_000 - len(root._held) if start else 0)


PIECES = st.lists(
    st.sampled_from(
        [b"--b", b"--b\r\n", b"\r\n--b\r\n", b"\n--b--\n", b"\r\n", b"\n", b"\r", b"-", b"--", b" ",
         b"Content-ID: <r>\r\n", b"Content-ID: <n>\r\n\r\n", b"\r\n\r\n", b"<root/>", b"b", b":",
         b"\xef\xbb\xbf", b"Content-Transfer-Encoding: base64\r\n", b"PGEv", b"=", b"\0"]
    ),
    max_size=25,
).map(b"".join)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(PIECES, st.sampled_from(["", "r"]), st.integers(0, 120), st.lists(st.integers(0, 9)))
def test_any_bytes_end_alike_however_they_are_cut(data, start, most, sizes):
    whole = read([data], start, most)
    assert read(pieces.cut(data, sizes), start, most) == whole
    assert read(pieces.singly(data), start, most) == whole


PARTS_AND_NOISE = st.lists(
    st.sampled_from(
        [b"\r\n--b\r\nContent-ID: <r>\r\n\r\n<root/>", b"\n--b\ncontent-id:<n>\n\n<note/>",
         b"\r\n--b\r\n\r\n", b"--b", b"--b\r\n", b"\r\n--b--\r\n", b"\r\n\r\n", b"\r\n", b"\n",
         b"Content-ID: <r>\r\n", b"Content-ID: <n>\r\n\r\n", b"X: y\n z\r\n", b"-", b"--", b"b",
         b" ", b"\xff"]
    ),
    max_size=14,
).map(b"".join)  # fmt: skip


def read_by_email(data, start):
    """The root's bytes as Python's email package, a reader of the whole message, has them."""
    parts = email.message_from_bytes(b"Content-Type: multipart/related; boundary=b\n\n" + data)
    parts = parts.get_payload()
    named = [one for one in parts if start and one.get("Content-ID", "").strip(" <>") == start]
    return [*named, *parts][0].get_payload(decode=True)


@settings(deadline=None, max_examples=300)
@given(PARTS_AND_NOISE, st.sampled_from(["", "r"]))
def test_what_is_read_another_reader_reads_alike(data, start):
    data += b"\r\n--b--\r\n"
    _, content, end = read([data], start)
    if end == "end":
        assert read_by_email(data, start) == content
