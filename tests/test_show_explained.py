from __future__ import annotations

import io

import pytest
from rich.console import Console

from soapgate import show_explained
from soapgate.core.explain import Message, View, explain
from soapgate.core.pins import Keys
from soapgate.core.profiles import read_profile
from soapgate.core.routing import Terms
from soapgate.core.scanner import ScanLimits
from soapgate.core.services import Rule

LIMITS = ScanLimits()
HEADER = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>'
ENVELOPE = f"{HEADER}<Session>[bold]42[/]</Session></s:Header><s:Body><a/></s:Body></s:Envelope>"
PROFILES = (
    read_profile("shop", {"lookup": ["Header/Session"], "learn": ["Header/Session"]}, {}),
    read_profile("other", {"lookup": ["cookie:other"]}, {}),
)


def printed(draw, *arguments, width=80, **options) -> str:
    out = io.StringIO()
    draw(Console(file=out, width=width, highlight=False), *arguments, **options)
    return out.getvalue()


def explained(message=None, *, everything=False, show_ids=False, width=80, limits=LIMITS):
    view = View(Rule("shop"), PROFILES, Terms(), limits)
    message = message or Message("request", ENVELOPE.encode(), target=b"/shop?secret=1")
    said = explain(message, [view], Keys(b"k" * 32), show_ids=show_ids)
    return printed(
        show_explained.explanation, said, everything=everything, hashes="of a test", width=width
    )


def test_an_explanation_tells_what_was_found_where():
    text = explained()
    for word in ("shop", "/shop", "SOAP 1.1", "Header/Session", "look up", "of a test"):
        assert word in text
    assert "secret" not in text
    assert "cookie:other" not in text
    assert "found nothing: other" in text


def test_everything_shows_the_silent_profiles_too():
    assert "cookie:other" in explained(everything=True)


def test_ids_are_shown_only_when_asked_for_and_never_read_as_markup():
    assert "42" not in explained().replace("secret", "")
    assert "[bold]42[/]" in explained(show_ids=True)


@pytest.mark.parametrize("width", [30, 40, 80, 200])
def test_an_explanation_fits_the_terminal(width):
    text = explained(everything=True, width=width)
    assert max(len(line) for line in text.splitlines()) <= width


def test_both_directions_of_an_envelope_are_told():
    text = explained(Message("envelope", ENVELOPE.encode()))
    assert "as a request" in text
    assert "as a response" in text


def test_a_refusal_is_told():
    text = explained(Message("request", b"<!DOCTYPE a>" + ENVELOPE.encode()))
    assert "refused: " in text
    assert "HTTP 400" in text
    assert "what it would do" not in text


def test_a_limit_is_told():
    text = explained(
        Message("request", ENVELOPE.replace("42", "x" * 3000).encode()),
        limits=ScanLimits(header_bytes=1024),
    )
    assert "the message goes on without its ids" in text
