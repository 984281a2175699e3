"""The scanner against a full parse: any envelope, any cut of it, any spoilt byte."""

from __future__ import annotations

from drawn import UNHURRIED, envelopes, full_parse
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from pieces import singly
from shop import ids, run

from soapgate.core.scanner import Outcome, ScanLimits, Scanned

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
    assert run(singly(data), **options) == whole


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
