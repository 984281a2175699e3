"""An envelope says the same in every container: the messages of tests/data, any that can be drawn,
and what an attacker may make of them."""

from __future__ import annotations

import base64
import gzip
import random
import tracemalloc
import zlib
from pathlib import Path

import pytest
from drawn import UNHURRIED, envelopes, full_parse
from hypothesis import given
from hypothesis import strategies as st
from pieces import singly
from shop import ID, LIMITS, Shop, each_way, ids, message, run

from soapgate.core.errors import Reason
from soapgate.core.scanner import Outcome, ScanLimits, Scanned, Scanner

MESSAGES = Path(__file__).parent.parent / "data" / "multipart"
RELATED = b'multipart/related; type="text/xml"; boundary=b'


def on_the_wire(path):
    """(body, what its head says of it)."""
    head, _, body = path.read_bytes().partition(b"\r\n\r\n")
    lines = head.replace(b"\r\n\t", b" ").split(b"\r\n")[1:]
    fields = {name.lower(): value for name, _, value in (line.partition(b": ") for line in lines)}
    return body, {
        "content_type": fields[b"content-type"],
        "content_encoding": fields.get(b"content-encoding", b""),
    }


def files(place):
    return pytest.mark.parametrize(
        "path", sorted((MESSAGES / place).glob("*.http")), ids=lambda path: path.stem
    )


@files("read")
def test_a_multipart_as_real_stacks_send_it_is_read(path):
    body, options = on_the_wire(path)
    answer = each_way(body, **options)
    assert ids(answer) == ["mime-7f3a-Caf\u00e9"]


@files("unread")
def test_a_multipart_that_holds_no_readable_soap_passes_unread(path):
    body, options = on_the_wire(path)
    answer = each_way(body, **options)
    assert (answer.outcome, answer.found) == (Outcome.NOT_SOAP, ())
    assert answer.detail


# --- drawn --------------------------------------------------------------------------------------


def quoted(data, chance):
    """Quoted-printable of any bytes, with soft breaks anywhere between its letters."""
    out = bytearray()
    for one in data:
        if chance.random() < 0.05:
            out += chance.choice([b"=\r\n", b"=\n", b"= \t\r\n"])
        plain = (33 <= one <= 126 and one != 61) and chance.random() < 0.9
        out += (
            bytes([one]) if plain else b"=%02x" % one if chance.random() < 0.5 else b"=%02X" % one
        )
    return bytes(out)


def encoded(data, chance):
    """(Content-Transfer-Encoding, data in it)."""
    kind = chance.choice(["", "8bit", "binary", "quoted-printable", "base64"])
    if kind == "base64":
        line = chance.choice([4, 57, 76, 10_000])
        text = base64.b64encode(data)
        data = chance.choice([b"\r\n", b"\n"]).join(
            text[at : at + line] for at in range(0, len(text), line)
        )
    elif kind == "quoted-printable":
        data = quoted(data, chance)
    return kind, data


def part(chance, content, fields, end):
    lines = [
        chance.choice([name, name.lower(), name.upper()])
        + chance.choice([":", ": ", ":\t", f":{end} "])
        + value
        for name, value in fields.items()
        if value
    ]
    chance.shuffle(lines)
    return end.join([*lines, "", ""]).encode() + content


def multipart(data, charset, chance):
    """(content type, message): a multipart/related whose root is `data`, in any form."""
    end = chance.choice(["\r\n", "\r\n", "\n"])
    letters = "abcXYZ019'()+_,-./:=?"
    boundary = "".join(chance.choice(letters) for _ in range(chance.randint(8, 70)))
    transfer, content = encoded(data, chance)
    start = chance.choice(["", "<root@example.com>"])
    root = part(
        chance,
        content,
        {
            "Content-Type": f'application/xop+xml; charset="{charset}"; type="text/xml"',
            "Content-Transfer-Encoding": transfer,
            "Content-ID": start or chance.choice(["", "<x>"]),
        },
        end,
    )
    others = [
        part(chance, chance.randbytes(chance.randint(0, 40)), {"Content-ID": f"<{n}>"}, end)
        for n in range(chance.randint(0, 3))
    ]
    at = chance.randint(0, len(others)) if start else 0
    delimiter = f"{end}--{boundary}".encode()
    message = b"".join(
        delimiter + chance.choice(["", " ", "\t "]).encode() + end.encode() + one
        for one in [*others[:at], root, *others[at:]]
    )
    before = chance.choice([b"", b"preamble", b"\xef\xbb\xbf"]) or message[: len(end)] * 0
    message = message[len(end) :] if before != b"preamble" else before + message
    if before == b"\xef\xbb\xbf":
        message = before + message
    message += chance.choice([delimiter + b"--", delimiter + b"--\r\nepilogue"])
    quote = chance.choice(["", '"']) if set(boundary).isdisjoint(",()=?:/") else '"'
    parameters = [f"boundary={quote}{boundary}{quote}", "type=text/xml", 'start-info="text/xml"']
    if start:
        parameters.append(f'start="{start if chance.random() < 0.7 else start[1:-1]}"')
    chance.shuffle(parameters)
    kind = chance.choice(["multipart/related", "Multipart/Related"])
    return chance.choice(["; ", ";", ";\r\n\t"]).join([kind, *parameters]).encode(), message


def raw_deflate(data):
    deflate = zlib.compressobj(wbits=-15)
    return deflate.compress(data) + deflate.flush()


CODINGS = {b"": bytes, b"gzip": gzip.compress, b"deflate": zlib.compress, b"Deflate": raw_deflate}
CHARSETS = ["utf-8", "utf8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "iso-8859-1"]


@st.composite
def contained(draw):
    """(the envelope as UTF-8, a message that holds it, the options of its scan)."""
    charset = draw(st.sampled_from(CHARSETS))
    declared = draw(st.sampled_from(["", charset, "utf-8"]))
    text = draw(envelopes(f' encoding="{declared}"' if declared else ""))
    chance = draw(st.randoms(use_true_random=False))
    data = text.encode(charset)
    kind = f"text/xml; charset={charset}".encode()
    if draw(st.booleans()):
        kind, data = multipart(data, charset, chance)
    coding = draw(st.sampled_from(sorted(CODINGS)))
    data = CODINGS[coding](data)
    expected = full_parse(text.replace(f' encoding="{declared}"', "", 1).encode())
    return expected, data, {"content_type": kind, "content_encoding": coding}


def pieces_of(data, chance):
    cuts = sorted(chance.sample(range(len(data) + 1), min(len(data), chance.randint(1, 20))))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@UNHURRIED
@given(contained(), st.randoms(use_true_random=False))
def test_any_container_and_any_cut_give_the_ids_of_a_full_parse(drawn, chance):
    (expected, fault), data, options = drawn
    whole = run([data], **options)
    assert (ids(whole), whole.fault) == (expected, fault)
    for _ in range(3):
        assert run(pieces_of(data, chance), **options) == whole
    assert run(singly(data), **options) == whole


@UNHURRIED
@given(contained(), st.integers(20, 400), st.integers(1, 200), st.integers(50, 600), st.randoms())
def test_limits_do_not_depend_on_the_pieces(drawn, header, body, multipart_bytes, chance):
    _, data, options = drawn
    limits = ScanLimits(header, body, depth=4, attributes=2, multipart_bytes=multipart_bytes)
    whole = run([data], limits=limits, **options)
    assert run(pieces_of(data, chance), limits=limits, **options) == whole
    assert run(singly(data), limits=limits, **options) == whole


@UNHURRIED
@given(contained(), st.randoms(use_true_random=False))
def test_a_spoilt_container_is_answered_or_refused_and_never_a_crash(drawn, chance):
    _, data, options = drawn
    data = bytearray(data)
    for _ in range(chance.randint(1, 5)):
        at = chance.randrange(len(data) + 1)
        spoiler = chance.choice([b"", b"\r", b"\n", b"--", b"=", b":", b" ", chance.randbytes(2)])
        data[at : at + chance.randint(0, 3)] = spoiler
    data = bytes(data)
    whole = run([data], **options)
    if not isinstance(whole, Scanned):
        assert whole[0] in (Reason.MALFORMED, Reason.TOO_LARGE)
    assert run(pieces_of(data, chance), **options) == whole
    assert run(singly(data), **options) == whole


# --- attacked -----------------------------------------------------------------------------------


def related(*parts):
    return b"".join(b"--b\r\n%b\r\n%b\r\n" % one for one in parts) + b"--b--\r\n"


ROOT = (b"Content-ID: <r>\r\n", message(ID, "<s:get/>"))
OTHER = (b"Content-ID: <r>\r\n", message('<s:Session id="b"/>', "<s:get/>"))
NAMED = RELATED + b'; start="<r>"'

REFUSED = {
    "two boundaries": (related(ROOT), RELATED + b"; boundary=c"),
    "two starts": (related(ROOT), NAMED + b"; start=x"),
    "a boundary in a quoted parameter": (related(ROOT), RELATED + b'; x="; boundary=c"'),
    "a boundary that goes on": (related(ROOT).replace(b"s:get/>", b"s:get\r\n--bc/>"), RELATED),
    "a boundary in the preamble": (b"see --b\r\n" + related(ROOT), RELATED),
    "a bare CR": (b"--b\r\n\r\nx\r--b\r\n\r\n" + related(ROOT), NAMED),
    "two transfer encodings": (
        related((b"content-transfer-encoding: base64\r\nContent-Transfer-Encoding: 8bit\r\n", b"")),
        RELATED,
    ),
    "a head of 100 KB": (related((b"a: " + b"x" * 100_000 + b"\r\n", b"")), RELATED),
    "an escape that is none": (
        related((b"Content-Transfer-Encoding: quoted-printable\r\n", ROOT[1])),
        RELATED,
    ),
    "letters that are none": (
        related((b"Content-Transfer-Encoding: base64\r\n", b"PGEv*"), ROOT),
        RELATED,
    ),
    "a DOCTYPE": (related((b"", b"<!DOCTYPE e>" + ROOT[1])), RELATED),
    "a second Header": (
        related((b"", ROOT[1].replace(b"<e:Body>", b"<e:Header/><e:Body>"))),
        RELATED,
    ),
    "broken off in the Header": (related((b"", ROOT[1][:120])), RELATED),
}  # fmt: skip


@pytest.mark.parametrize(("data", "kind"), REFUSED.values(), ids=REFUSED.keys())
def test_a_multipart_that_two_readers_may_read_in_two_ways_is_refused(data, kind):
    reason, *_ = each_way(data, content_type=kind)
    assert reason is Reason.MALFORMED


def test_of_two_parts_with_the_roots_content_id_the_first_is_read():
    assert ids(each_way(related(ROOT, OTHER), content_type=NAMED)) == ["a1"]
    assert ids(each_way(related(OTHER, ROOT), content_type=NAMED)) == ["b"]


def test_a_soft_break_inside_a_tag_changes_nothing():
    content = ROOT[1].replace(b"=", b"=3D").replace(b"Session", b"Ses=\r\nsion")
    head = b"Content-Transfer-Encoding: quoted-printable\r\n"
    assert ids(each_way(related((head, content)), content_type=RELATED)) == ["a1"]


LIMITED = {
    "a preamble of 10 MB": b"x" * 10_000_000 + b"\r\n" + related(ROOT),
    "a preamble of line ends": b"\r\n" * 5_000_000 + related(ROOT),
    "a first part of 10 MB": related((b"", b"x" * 10_000_000), ROOT),
    "a million parts": related(*[(b"", b"")] * 1_000_000, ROOT),
    "a thousand parts of one Content-ID": related(*[(b"Content-ID: <x>\r\n", b"")] * 1000, ROOT),
}


@pytest.mark.parametrize("data", LIMITED.values(), ids=LIMITED.keys())
@pytest.mark.parametrize("size", [1460, 65536])
def test_what_stands_before_the_root_without_bound_passes_unpinned(data, size):
    scanner, fed, answer = Scanner(Shop(), LIMITS, content_type=NAMED), 0, None
    tracemalloc.start()
    try:
        while answer is None:
            answer = scanner.feed(data[fed : fed + size])
            fed += size
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
    assert (answer.outcome, answer.found) == (Outcome.LIMIT, ())
    assert "multipart and no root" in answer.detail
    assert fed <= LIMITS.multipart_bytes + 2 * size


def test_an_attachment_behind_the_root_is_not_waited_for():
    data = related(ROOT, (b"", b"x" * 1_000_000))
    scanner = Scanner(Shop(), LIMITS, content_type=NAMED)
    assert ids(scanner.feed(data[: data.index(b"--b", 10) + 3])) == ["a1"]


def test_a_header_that_was_read_counts_when_the_rest_never_says_anything():
    head = b"Content-Transfer-Encoding: base64\r\n"
    begin = base64.b64encode(message(ID, "<s:login>").split(b"</e:Body>")[0])
    begin = begin[: len(begin) // 4 * 4].rstrip(b"=")
    data = related((head, begin + b"\r\n" * 2_000_000))
    for way in ([data], [data[i : i + 4000] for i in range(0, len(data), 4000)]):
        answer = run(way, content_type=RELATED)
        assert (answer.outcome, ids(answer)) == (Outcome.FOUND, ["a1"])
        assert "no answer" in answer.detail


def test_a_bomb_in_a_multipart_is_refused():
    bomb = gzip.compress(related((b"", message(" " * 3_000_000))))
    reason, detail, *_ = run([bomb], content_type=RELATED, content_encoding=b"gzip")
    assert (reason, detail.split(":")[0]) == (Reason.TOO_LARGE, "inflation bomb")
    bomb = gzip.compress(b"x" * 3_000_000 + related(ROOT))
    reason, *_ = run([bomb], content_type=RELATED, content_encoding=b"gzip")
    assert reason is Reason.TOO_LARGE


def test_references_lead_through_the_root_and_not_into_an_attachment():
    target = '<m id="r" done="1">ref</m>'
    header = f'<s:Session href="#r"/>{ID}'
    inside = related((b"", message(header, f"<s:get/>{target}")))
    assert ids(each_way(inside, content_type=RELATED)) == ["ref", "a1"]
    outside = related((b"", message(header, "<s:get/>")), (b"Content-ID: <r>\r\n", target.encode()))
    assert ids(each_way(outside, content_type=RELATED)) == ["a1"]
    cid = message(f'<s:Session href="cid:r"/>{ID}', "<s:get/>")
    assert ids(each_way(related((b"", cid)), content_type=RELATED)) == ["a1"]


@pytest.mark.parametrize(
    "kind",
    [b"application/fastinfoset", b"application/soap+fastinfoset", b"application/soap+msbin1",
     b"application/soap+msbinsession1", b"application/octet-stream",
     b"application/dime",
     b'multipart/encrypted; protocol="application/HTTP-Kerberos-session-encrypted"; boundary=b'],
)  # fmt: skip
def test_binary_and_encrypted_envelopes_pass_unread(kind):
    answer = each_way(random.Random(1).randbytes(300), content_type=kind)
    assert (answer.outcome, answer.detail[:12]) == (Outcome.NOT_SOAP, "content type")


@pytest.mark.parametrize("coding", [b"br", b"zstd", b"compress", b"gzip, br", b"aws-chunked"])
@pytest.mark.parametrize("kind", [b"text/xml", RELATED])
def test_content_codings_that_are_not_undone_pass_unread(coding, kind):
    answer = each_way(b"\x28\xb5\x2f\xfd" * 20, content_type=kind, content_encoding=coding)
    assert (answer.outcome, answer.found) == (Outcome.NOT_SOAP, ())
