from __future__ import annotations

import json
from dataclasses import replace

import pytest

from soapgate.core.explained import (
    Conflict,
    Explanation,
    Id,
    Looked,
    Message,
    Place,
    Ranked,
    Reading,
    Shown,
    Standing,
    Verdict,
)
from soapgate.core.keys import Keys
from soapgate.core.scanned import Found

KEYS = Keys(b"s" * 32)
READING = Reading("request", "none", "", None, None, 0, 0, (), (), (), (), None, None)


def test_a_message_has_the_first_value_of_a_field():
    message = Message("request", b"", fields={b"a": [b"1", b"2"]})
    assert (message.first(b"a"), message.first(b"b")) == (b"1", b"")


def test_an_id_is_shown_as_the_head_of_its_key_and_in_clear_only_when_asked_for():
    found = Found("p", "lookup", "secret", "cookie:a")
    hidden = Shown(KEYS, "shop").id(found)
    assert (hidden.hash, hidden.length, hidden.clear) == (
        KEYS.key("shop", "p", "secret").hex()[:8],
        6,
        None,
    )
    assert Shown(KEYS, "shop", clear=True).id(found).clear == "secret"


def test_an_explanation_is_refused_when_any_part_of_it_is():
    said = Explanation("request", "s", "", "", "", 0, "plain", "", "utf-8", (READING,), None)
    assert not said.refused
    assert replace(said, refusal="why").refused
    assert replace(said, readings=(READING, replace(READING, refusal="why"))).refused
    assert json.loads(json.dumps(said.to_dict()))["readings"][0]["hints"] == []


def test_an_explanation_comes_back_from_json_as_it_was():
    one = Id("0123abcd", 3, None)
    verdict = Verdict("pinned", "bound", "b1", ("b1",), "p", "x", (Conflict("q", "y", "b2"),), None)
    reading = replace(
        READING,
        profiles=(Looked("p", (Place("lookup", "cookie:a", True, (one,)),)),),
        order=(Ranked("p", one, True, Standing("pinned", "b1", False)), Ranked("q", one, False)),
        would=("a", "b"),
        hints=("c",),
        verdict=verdict,
    )
    said = Explanation("request", "s", "h", "/", "", 0, "plain", "", "utf-8", (reading,), None)
    assert Explanation.from_dict(json.loads(json.dumps(said.to_dict()))) == said


@pytest.mark.parametrize("told", [{}, {"readings": [{}]}, {"readings": [], "colour": "red"}])
def test_what_is_no_explanation_is_none(told):
    with pytest.raises((KeyError, TypeError)):
        Explanation.from_dict(told)
