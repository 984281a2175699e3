from __future__ import annotations

import gzip

import pytest

from soapgate.core.explained import Message
from soapgate.core.scanner import Outcome, ScanLimits
from soapgate.core.sight import Sight, scanned

ENVELOPE = (
    b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Header><a/></e:Header>'
    b"<e:Body><b><c>1</c></b><d/></e:Body></e:Envelope>"
)


@pytest.mark.parametrize("coding", [b"", b"gzip"])
def test_header_and_first_child_are_shown_whole(coding):
    body = gzip.compress(ENVELOPE) if coding else ENVELOPE
    sight = Sight()
    seen = scanned(Message("request", body, fields={b"content-encoding": [coding]}), sight, LIMITS)
    assert seen.outcome is Outcome.NONE
    assert [one.tag for one in sight.header] == ["a"]
    assert (sight.child.tag, sight.child[0].text) == ("b", "1")


def test_the_name_of_a_child_that_is_too_long_is_known():
    body = ENVELOPE.replace(b"1", b"1" * 2000)
    sight = Sight()
    scanned(Message("request", body), sight, ScanLimits(body_bytes=1000))
    assert (sight.child_tag, sight.child) == ("b", None)


def test_a_message_that_would_be_refused_shows_nothing():
    sight = Sight()
    assert scanned(Message("request", b"<!DOCTYPE a>" + ENVELOPE), sight, LIMITS) is None
    assert (sight.header, sight.child) == (None, None)


LIMITS = ScanLimits()
