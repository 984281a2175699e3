from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from soapgate import show_explained
from soapgate.core.explain import Message, View, explain
from soapgate.core.explained import Conflict, Standing, Verdict
from soapgate.core.keys import Keys
from soapgate.core.profiles import read_profile
from soapgate.core.routing import Terms
from soapgate.core.scanner import ScanLimits
from soapgate.core.services import Rule
from soapgate.explaining import Told

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


# -- many, and a running gateway


def told(name="m.http", error="", **reading):
    view = View(Rule("shop"), PROFILES, Terms(), LIMITS)
    message = Message("request", ENVELOPE.encode(), target=b"/shop")
    said = explain(message, [view], Keys(b"k" * 32))
    (only,) = said.readings
    said = replace(said, readings=(replace(only, **reading),))
    return Told(name, None if error else said, error)


PINNED = Verdict(
    "pinned", "bound", "b1", (), "shop", "0123abcd", (Conflict("other", "dcba3210", "b2"),), None
)
BALANCED = Verdict("balanced", "no-id", None, ("b1", "b2"), None, None, (), None)
REFUSED = Verdict("refused", "session-lost", None, (), None, None, (), "it is gone: HTTP 503")


def test_one_of_many_is_a_line_however_narrow_the_terminal():
    shown = printed(
        show_explained.messages,
        [told("a" * 50), told("b", "it is no file"), told("c", verdict=PINNED)],
        False,
        everything=False,
        hashes="of a test",
        width=40,
    )
    first, second, third, *rest = shown.splitlines()
    assert first.startswith("a" * 50 + "  request  SOAP 1.1  shop ")
    assert second == "b  it is no file"
    assert third.endswith("-> pinned (bound) to b1, 1 in conflict")
    assert "not read  1" in "\n".join(rest)
    assert "1 pinned" in shown


def test_one_of_many_that_is_refused_says_why():
    text = show_explained.line(told(refusal="DOCTYPE")).plain
    assert text == "m.http  request  refused: DOCTYPE"


def full(**reading):
    return printed(
        show_explained.explanation, told(**reading).said, everything=False, hashes="of a test"
    )


def test_what_a_running_gateway_says_is_told_with_its_conflicts():
    text = full(verdict=PINNED)
    for word in ("just now", "bound", "b1", "0123abcd (shop)", "dcba3210 (other) is pinned to b2"):
        assert word in text
    assert "whose turn it is of b1, b2" in full(verdict=BALANCED)
    assert "it is gone: HTTP 503" in full(verdict=REFUSED)


@pytest.mark.parametrize(
    ("pin", "word"),
    [
        (Standing("pinned", "b1", True), "pinned to b1 as an alias"),
        (Standing("unknown", None, False), "shop  unknown"),
        (Standing("expired", "b1", False), "expired to b1"),
    ],
)
def test_the_standing_of_an_id_is_told_beside_it(pin, word):
    (ranked,) = told().said.readings[0].order
    assert word in full(order=(replace(ranked, pin=pin),))


def test_hints_are_told_with_a_way_on():
    text = full(hints=("the [b]block[/] is elsewhere",))
    assert "1. the [b]block[/] is elsewhere" in text
    assert "soapgate explain --learn" in text
