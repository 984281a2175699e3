"""The root part of a multipart rewritten: every case whole, byte by byte and at every split."""

from __future__ import annotations

import base64
import email

import pieces
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soapgate.core import ns
from soapgate.core.addresses import Origins
from soapgate.core.reencoding import decoded, encoded
from soapgate.core.rewriting import Untouched
from soapgate.core.rootrewriting import RootPart

NODE = "http://10.0.0.1:9001"
GATE = "https://gateway.example"
ORIGINS = Origins([(False, "10.0.0.1", 9001)])
KIND = b'multipart/related; type="application/xop+xml"; boundary=b'
MOST = 64 * 1024


def epr(attribute: str = "") -> str:
    return f"<a:Address {attribute}>{NODE}/sub?q=1&amp;r</a:Address>"


def envelope(header: str = "", body: str = epr()) -> str:
    return (
        f'<e:Envelope xmlns:e="{ns.SOAP12}" xmlns:a="{ns.WSA10}" xmlns:u="{ns.WSU}"'
        f' xmlns:d="http://www.w3.org/2000/09/xmldsig#"><e:Header>{header}</e:Header>'
        f"<e:Body>{body}</e:Body></e:Envelope>"
    )


PLAIN = envelope()
MOVED = PLAIN.replace(NODE, GATE)
TYPE = b"Content-Type: application/xop+xml; charset=UTF-8\r\n"
HEAD = TYPE + b"Content-Transfer-Encoding: binary\r\nContent-ID: <r@x>\r\n"
# an attachment that holds everything but a boundary, an address of a backend included
BLOB = (b"Content-ID: <blob>\r\n", bytes(range(256)) + PLAIN.encode() + b"\r\n-- b\r\n")


def multi(*parts: tuple[bytes, bytes | str], before: bytes = b"", after: bytes = b"--b--\r\n"):
    """Parts are (head, content)."""
    inside = ((head, one if isinstance(one, bytes) else one.encode()) for head, one in parts)
    return before + b"".join(b"--b\r\n%b\r\n%b\r\n" % part for part in inside) + after


def done(these, kind: bytes = KIND, most: int = MOST, origin: str = GATE):
    """(what becomes of the message, replaced, sealed), or the word why it stays."""
    try:
        root, held, left = RootPart(kind, most), b"", list(these)
        while left and not root.whole:
            held += left[0]
            root.feed(left.pop(0))
        if not root.whole:
            root.close()
        result = root.rewrite(held, ORIGINS, origin.encode())
    except Untouched as why:
        return str(why)
    assert result.replaced or result.body is held
    return result.body + b"".join(left), result.replaced, result.sealed


def each_way(data: bytes, kind: bytes = KIND, most: int = MOST):
    return pieces.each_way(lambda these: done(these, kind, most), data)


STARTED = KIND + b'; start="<r@x>"'
FOUND = {
    "the first": (((HEAD, PLAIN), BLOB), KIND),
    "named": (((HEAD, PLAIN), BLOB), STARTED),
    "named and last": ((BLOB, BLOB, (HEAD, PLAIN)), STARTED),
    "between others": ((BLOB, (HEAD, PLAIN), BLOB), STARTED),
    "the first, since nobody is named": (((HEAD, PLAIN), BLOB), KIND + b"; start=z"),
    "the first of two with its id": (((HEAD, PLAIN), (HEAD, PLAIN)), STARTED),
    "without a head": (((b"", PLAIN), BLOB), KIND),
    "without a transfer encoding": (((TYPE, PLAIN), BLOB), KIND),
    "in 8bit": (((HEAD.replace(b"binary", b"8bit"), PLAIN), BLOB), KIND),
    "in 7bit": (((HEAD.replace(b"binary", b"7Bit"), PLAIN), BLOB), KIND),
}


@pytest.mark.parametrize(("parts", "kind"), FOUND.values(), ids=FOUND)
def test_the_address_in_the_root_is_replaced_and_no_other_byte(parts, kind):
    data = multi(*parts)
    begins = data.index(PLAIN.encode(), data.index(b"+xml") if b"+xml" in data else 0)
    expected = data[:begins] + MOVED.encode() + data[begins + len(PLAIN) :]
    assert each_way(data, kind) == (expected, 1, 0)


AROUND = {
    "preamble": multi((HEAD, PLAIN), before=b"This is MIME.\r\n"),
    "a byte order mark": multi((HEAD, PLAIN), before=b"\xef\xbb\xbf"),
    "an empty line first": multi((HEAD, PLAIN), before=b"\r\n"),
    "epilogue": multi((HEAD, PLAIN), after=b"--b--\r\nthe end " + PLAIN.encode()[:9]),
    "no last delimiter": multi((HEAD, PLAIN), after=b"")[:-2],
    "half a last delimiter": multi((HEAD, PLAIN), after=b"--b-"),
    "blanks behind the boundary": multi((HEAD, PLAIN), BLOB).replace(b"--b\r\n", b"--b \t\r\n"),
    "bare LF": multi((HEAD, PLAIN), BLOB).replace(b"\r\n", b"\n"),
    "a root in lines": multi((HEAD, PLAIN.replace("><", ">\r\n--\r\n<") + "\r\n\r\n")),
}  # fmt: skip


@pytest.mark.parametrize("data", AROUND.values(), ids=AROUND)
def test_what_is_around_the_root_may_be_what_a_reader_takes(data):
    assert each_way(data) == (data.replace(NODE.encode(), GATE.encode(), 1), 1, 0)


@pytest.mark.parametrize("charset", ["utf-8", "utf-16", "utf-16-be", "iso-8859-1"])
def test_a_root_has_a_charset_of_its_own(charset):
    head = TYPE.replace(b"UTF-8", charset.encode())
    told = f"<?xml version='1.0'?>\r\n{envelope('<b>Grüße</b>')}"
    data = multi((head, told.encode(charset)), BLOB)
    expected = multi((head, told.replace(NODE, GATE).encode(charset)), BLOB)
    assert each_way(data, KIND + b"; charset=utf-16") == (expected, 1, 0)


MORE = len(MOVED) - len(PLAIN)
LENGTHS = {
    "a length": (b"Content-Length: %d\r\n", b"Content-Length: %d\r\n"),
    "in other letters": (b"content-length:%d \r\n", b"content-length:%d \r\n"),
    "folded": (b"Content-Length:\r\n\t%d\r\nX: 1\r\n", b"Content-Length:\r\n\t%d\r\nX: 1\r\n"),
    "bare LF": (b"Content-Length: %d\n", b"Content-Length: %d\n"),
    "and a digest": (b"Content-MD5: a=\r\nContent-Length: %d\r\n", b"Content-Length: %d\r\n"),
    "a folded digest last": (b"A: b\r\ncontent-md5:\r\n a=\r\n \tb\r\n", b"A: b\r\n"),
    "a length that is none": (b"Content-Length: 1,2\r\n", b"Content-Length: 1,2\r\n"),
    "another's length": (b"X-Content-Length: 5\r\n", b"X-Content-Length: 5\r\n"),
}


@pytest.mark.parametrize(("old", "new"), LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("first", [True, False])
def test_what_the_roots_head_says_of_its_size_stays_true(old, new, first):
    size = len(PLAIN)
    head = HEAD + (old % size if b"%d" in old else old)
    told = HEAD + (new % (size + MORE) if b"%d" in new else new)
    blob = (BLOB[0] + b"Content-Length: 7\r\nContent-MD5: x\r\n", BLOB[1])

    def parts(head: bytes, root: str):
        return [(head, root), blob] if first else [blob, (head, root)]

    assert each_way(multi(*parts(head, PLAIN)), STARTED) == (multi(*parts(told, MOVED)), 1, 0)


def test_the_head_of_a_root_that_stays_stays():
    data = multi((HEAD + b"Content-Length: 7\r\nContent-MD5: x\r\n", envelope(body="")), BLOB)
    assert each_way(data) == (data, 0, 0)


def test_the_fields_of_a_part_are_no_place_of_an_address():
    data = multi((HEAD + f"Content-Location: {NODE}/x\r\n".encode(), PLAIN))
    assert f"Content-Location: {NODE}/x".encode() in each_way(data)[0]


def test_an_attachment_is_never_looked_at():
    data = multi((HEAD, envelope(body="")), (TYPE, PLAIN))
    assert each_way(data) == (data, 0, 0)


def test_nothing_behind_the_root_is_waited_for():
    root = RootPart(KIND, MOST)
    root.feed(multi((HEAD, PLAIN), after=b"--b\r"))
    assert not root.whole
    root.feed(b"\n")
    assert root.whole


# --- a root in a transfer encoding ---------------------------------------------------------------

QUOTED, BASE64 = b"quoted-printable", b"base64"


def b64(text: str | bytes) -> bytes:
    return base64.b64encode(text if isinstance(text, bytes) else text.encode())


def wrapped(coding: bytes, content: bytes) -> bytes:
    """A message whose root has this content, in this transfer encoding."""
    return multi((HEAD.replace(b"binary", coding), content), BLOB)


# PLAIN as others write it: in lines of another length, with escapes that nobody needs
LINES = {
    QUOTED: PLAIN.replace("=", "=3d").replace("9001", "9=\r\n0=30=31").encode() + b"=\r\n",
    BASE64: b"\r\n".join(b64(PLAIN)[at : at + 61] for at in range(0, len(b64(PLAIN)), 61)),
}
ENCODED = {
    "quoted-printable": (QUOTED, LINES[QUOTED]),
    "in other letters": (b"Quoted-Printable", LINES[QUOTED]),
    "with bare LF": (QUOTED, LINES[QUOTED].replace(b"\r\n", b"\n")),
    "with a soft line end at its end": (QUOTED, LINES[QUOTED][:-2]),
    "base64": (BASE64, LINES[BASE64]),
    "base64 in one line": (b"BASE64", b64(PLAIN)),
    "base64 with line ends behind": (BASE64, b64(PLAIN) + b"\r\n\r\n"),
}


@pytest.mark.parametrize(("coding", "content"), ENCODED.values(), ids=ENCODED)
def test_an_encoded_root_is_rewritten_within_its_encoding(coding, content):
    body, *counts = each_way(wrapped(coding, content))
    assert counts == [1, 0]
    assert body == wrapped(coding, encoded(coding, MOVED.encode()))
    assert [one for one in read(body) if one[0] == "r@x"] == [("r@x", MOVED.encode())]


@pytest.mark.parametrize("coding", [QUOTED, BASE64])
@pytest.mark.parametrize("kind", [STARTED, KIND + b"; start=z"])
def test_an_encoded_root_stands_where_any_other_may(coding, kind):
    head = HEAD.replace(b"binary", coding)
    around = ([BLOB] if kind is STARTED else []), [BLOB, BLOB]

    def message(content: bytes) -> bytes:
        return multi(*around[0], (head, content), *around[1])

    moved = encoded(coding, MOVED.encode())
    assert each_way(message(LINES[coding]), kind) == (message(moved), 1, 0)


@pytest.mark.parametrize("coding", [QUOTED, BASE64])
def test_the_length_in_the_head_is_that_of_the_encoded_root(coding):
    def message(content: bytes) -> bytes:
        head = HEAD.replace(b"binary", coding) + b"Content-Length: %d\r\n" % len(content)
        return multi((head, content), BLOB)

    moved = encoded(coding, MOVED.encode())
    assert each_way(message(LINES[coding])) == (message(moved), 1, 0)


@pytest.mark.parametrize("charset", ["utf-16", "iso-8859-1"])
@pytest.mark.parametrize("coding", [QUOTED, BASE64])
def test_an_encoded_root_has_a_charset_of_its_own(coding, charset):
    head = TYPE.replace(b"UTF-8", charset.encode()) + b"Content-Transfer-Encoding: " + coding
    told = f"<?xml version='1.0'?>\r\n{envelope('<b>Grüße --b</b>')}"

    def message(told: str) -> bytes:
        return multi((head + b"\r\n", encoded(coding, told.encode(charset))))

    assert done([message(told)]) == (message(told.replace(NODE, GATE)), 1, 0)


@pytest.mark.parametrize("coding", [QUOTED, BASE64])
def test_an_encoded_root_in_which_nothing_is_replaced_is_the_bytes_that_came(coding):
    none = encoded(coding, envelope(body="<b/>").encode()).replace(b"\r\n", b"\n")
    assert each_way(wrapped(coding, none)) == (wrapped(coding, none), 0, 0)
    sealed = encoded(coding, envelope(signature("")).encode()) + b"\r\n"
    assert each_way(wrapped(coding, sealed)) == (wrapped(coding, sealed), 0, 1)


@pytest.mark.parametrize("coding", [QUOTED, BASE64])
def test_an_encoded_root_is_bounded_as_it_stands_in_the_message(coding):
    data = wrapped(coding, LINES[coding])
    end = data.index(LINES[coding]) + len(LINES[coding])
    assert each_way(data, KIND, end)[1] == 1
    assert each_way(data, KIND, end - 1) == "too-long"
    broken = wrapped(coding, b"=?" + LINES[coding])
    assert each_way(broken, KIND, end) == "too-long"
    assert each_way(broken, KIND, end + 2) == "multipart"


# --- what is signed ------------------------------------------------------------------------------


def signature(*uris: str) -> str:
    told = "".join(f'<d:Reference URI="{uri}"/>' for uri in uris)
    return f"<d:Signature><d:SignedInfo>{told}</d:SignedInfo></d:Signature>"


SEALING = ["", "#me", "cid:r@x", "CID:r%40x", "http://elsewhere/root.xml", "root.xml"]


@pytest.mark.parametrize("uri", SEALING)
def test_a_root_that_is_signed_or_may_be_stays(uri):
    data = multi((HEAD, envelope(signature("cid:blob", uri), epr("u:Id='me'"))), BLOB)
    assert each_way(data, STARTED) == (data, 0, 1)


def test_a_signature_over_attachments_and_other_parts_seals_nothing():
    told = envelope(signature("cid:blob", "#other", "cid:r@xy"))
    data = multi((HEAD, told), BLOB)
    assert each_way(data) == (multi((HEAD, told.replace(NODE, GATE)), BLOB), 1, 0)


# --- what stays ----------------------------------------------------------------------------------


STAYING = {
    "mixed": (multi((HEAD, PLAIN)), b"multipart/mixed; boundary=b", "multipart"),
    "without a boundary": (multi((HEAD, PLAIN)), b"multipart/related", "multipart"),
    "broken quoted-printable": (wrapped(QUOTED, PLAIN.encode()), KIND, "multipart"),
    "open quoted-printable": (wrapped(QUOTED, LINES[QUOTED] + b"=0"), KIND, "multipart"),
    "broken base64": (wrapped(BASE64, b"?" + LINES[BASE64]), KIND, "multipart"),
    "open base64": (wrapped(BASE64, LINES[BASE64].rstrip() + b"Cg"), KIND, "multipart"),
    "an unknown encoding": (wrapped(b"x-uu", PLAIN.encode()), KIND, "multipart"),
    "encoded, no XML": (wrapped(BASE64, b64(PLAIN[:-1])), KIND, "malformed"),
    "encoded, and a boundary that goes on": (
        multi((HEAD.replace(b"binary", BASE64), LINES[BASE64]), after=b"--bc\r\n"),
        KIND, "malformed",
    ),
    "a compressed root": (multi((b"Content-Encoding: gzip\r\n", b"x")), KIND, "multipart"),
    "no part": (b"--b--\r\n", KIND, "multipart"),
    "nothing": (b"", KIND, "multipart"),
    "no XML well formed": (multi((HEAD, PLAIN[:-1]), BLOB), KIND, "malformed"),
    "a DOCTYPE": (multi((HEAD, "<!DOCTYPE a>" + PLAIN)), KIND, "malformed"),
    "two boundaries": (multi((HEAD, PLAIN)), KIND + b"; boundary=c", "malformed"),
    "a boundary that goes on": (multi((HEAD, PLAIN), after=b"--bc\r\n"), KIND, "malformed"),
    "a head that is none": (multi((b"no field\r\n", PLAIN)), KIND, "malformed"),
    "an unknown charset": (multi((TYPE.replace(b"UTF-8", b"x-no"), PLAIN)), KIND, "encoding"),
    "no charset's bytes": (multi((TYPE.replace(b"UTF-8", b"utf-16"), b"<a>xy")), KIND, "encoding"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "kind", "word"), STAYING.values(), ids=STAYING)
def test_what_cannot_be_rewritten_is_told_by_a_word(data, kind, word):
    assert each_way(data, kind) == word


def test_a_root_that_is_no_xml_has_no_addresses():
    data = multi((b"Content-Type: text/html; charset=x-no\r\n", PLAIN), BLOB)
    assert each_way(data) == (data, 0, 0)


def test_an_address_that_is_the_gateways_already_is_nothing_to_replace():
    data = multi((HEAD, PLAIN))
    assert done([data], origin=NODE) == (data, 0, 0)


# --- bounds --------------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [[(HEAD, PLAIN), BLOB], [BLOB, (HEAD, PLAIN), BLOB]])
def test_what_is_up_to_the_end_of_the_root_is_bounded(parts):
    data = multi(*parts)
    end = data.index(PLAIN.encode(), data.index(HEAD)) + len(PLAIN)
    assert each_way(data, STARTED, end)[1] == 1
    assert each_way(data, STARTED, end - 1) == "too-long"
    assert each_way(data, STARTED, end - len(PLAIN) - 1) == "too-long"


def test_a_root_that_nobody_named_needs_all_of_the_message_within_the_bound():
    data = multi((HEAD, PLAIN), BLOB)
    assert each_way(data, KIND + b"; start=z", len(data))[1] == 1
    assert each_way(data, KIND + b"; start=z", 2 * len(PLAIN)) == "too-long"


def test_no_more_is_held_than_the_bound_however_long_the_root_is():
    root = RootPart(KIND, 1000)
    root.feed(b"--b\r\n\r\n")
    for _ in range(9):
        root.feed(b"x" * 100)
    with pytest.raises(Untouched, match="too-long"):
        root.feed(b"x" * 200)


# --- properties ----------------------------------------------------------------------------------

NOISE = st.lists(
    st.sampled_from(
        [b"--b", b"\r\n", b"\n", b"\r", b"-", b"b", b"--", b"\0", b"\xff", b"<a/>", PLAIN.encode()]
    ),
    max_size=8,
).map(lambda some: b"x" + b"x".join(some))  # no line begins with the boundary
BODIES = st.lists(
    st.sampled_from([epr(), "text é\r\n", f"<b>{NODE}</b>", "<!-- b -->\r\n", "--b", "\r\n-"]),
    max_size=6,
).map(lambda some: envelope(body="<c/>".join(some)))
FIELDS = st.lists(
    st.sampled_from([b"X-A: b\r\n", b"Content-Length: 0\r\n", b"x-f:\r\n c\r\n"]),
    max_size=3,
    unique=True,
)


@settings(deadline=None, max_examples=200)
@given(
    root=BODIES,
    fields=FIELDS,
    first=st.lists(NOISE, max_size=2),
    last=st.lists(NOISE, max_size=2),
    line_end=st.sampled_from([b"\r\n", b"\n"]),
    sizes=st.lists(st.integers(0, 300), max_size=6),
)
def test_any_message_is_the_same_but_for_its_roots_addresses(
    root, fields, first, last, line_end, sizes
):
    def message(root: str, length: int) -> bytes:
        own = b"".join(fields).replace(b"Length: 0", b"Length: %d" % length)
        parts = [(b"A: b\r\n", one) for one in first]
        parts += [(HEAD + own, root.encode())] + [(b"", one) for one in last]
        out = b""
        for head, content in parts:
            out += b"--b\r\n%b\r\n".replace(b"\r\n", line_end) % head.replace(b"\r\n", line_end)
            out += content + line_end
        return out + b"--b--"

    moved = root.replace(epr(), epr().replace(NODE, GATE))
    data = message(root, len(root.encode()))
    result = done(pieces.cut(data, sizes), STARTED)
    assert result == (message(moved, len(moved.encode())), root.count(epr()), 0)
    assert [part for part in read(result[0]) if part[0] != "r@x"] == [
        part for part in read(data) if part[0] != "r@x"
    ]


def read(data: bytes):
    """(Content-ID, content) of the parts, as Python's email package has them."""
    whole = email.message_from_bytes(b"Content-Type: " + KIND + b"\n\n" + data)
    return [
        (str(part.get("Content-ID", "")).strip(" <>"), part.get_payload(decode=True))
        for part in whole.get_payload()
    ]


@settings(deadline=None, max_examples=200)
@given(
    coding=st.sampled_from([QUOTED, BASE64]),
    root=BODIES,
    width=st.integers(1, 70),
    line_end=st.sampled_from([b"\r\n", b"\n"]),
    noise=NOISE,
    sizes=st.lists(st.integers(0, 300), max_size=6),
)
def test_any_encoded_root_says_afterwards_what_the_rewritten_one_says(
    coding, root, width, line_end, noise, sizes
):
    raw = root.encode()
    if coding == QUOTED:  # all of it in escapes, in lines of any length
        units = [b"=%02x" % byte for byte in raw]
        cut = [b"".join(units[at : at + width]) for at in range(0, len(units), width)]
        content = (b"=" + line_end).join(cut)
    else:
        plain = b64(raw)
        content = line_end.join(plain[at : at + width] for at in range(0, len(plain), width))
    head, blob = HEAD.replace(b"binary", coding), (b"Content-ID: <n>\r\n", noise)
    data = multi(blob, (head, content), blob, after=b"--b--")
    assert decoded(coding, content) == raw
    plain = done([multi(blob, (HEAD, raw), blob, after=b"--b--")], STARTED)
    body, replaced, _ = done(pieces.cut(data, sizes), STARTED)
    assert replaced == plain[1] == root.count(epr())
    assert read(body) == read(plain[0])
    begins, ends = data.index(content), len(data) - data.index(content) - len(content)
    assert body[:begins] == data[:begins]
    assert body[len(body) - ends :] == data[len(data) - ends :]
    now = body[begins : len(body) - ends]
    if not replaced:
        assert now == content
    assert decoded(coding, now) == raw.replace(epr().encode(), epr().replace(NODE, GATE).encode())


PIECES = st.lists(
    st.sampled_from(
        [b"--b", b"--b\r\n", b"\r\n--b\r\n", b"\n--b--\n", b"\r\n", b"\n", b"\r", b"-", b"--", b" ",
         b"Content-ID: <r@x>\r\n", b"Content-ID: <n>\r\n\r\n", b"\r\n\r\n", PLAIN.encode(), b"b",
         b":", b"\xef\xbb\xbf", b"Content-Transfer-Encoding: base64\r\n", b"PGEv", b"=", b"\0",
         b"Content-Length: 9\r\n", b64(PLAIN), b"Content-Transfer-Encoding: quoted-printable\r\n",
         LINES[QUOTED]]
    ),
    max_size=20,
).map(b"".join)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(
    PIECES,
    st.sampled_from([KIND, STARTED]),
    st.integers(0, 900),
    st.lists(st.integers(0, 99)),
)
def test_any_bytes_end_alike_however_they_are_cut(data, kind, most, sizes):
    whole = done([data], kind, most)
    assert done(pieces.cut(data, sizes), kind, most) == whole
    assert done(pieces.singly(data), kind, most) == whole
    if not isinstance(whole, str):
        assert len(whole[0]) - len(data) in range(whole[1] * MORE, whole[1] * MORE + 3)
