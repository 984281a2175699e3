from __future__ import annotations

import io

import pytest
from rich.console import Console

from soapgate.core.explained import Id
from soapgate.learning import Guess, Learned, Written
from soapgate.show_learned import count, learned

LONG = "Body/shop:" + "/shop:".join(["aRatherLongName"] * 8)


def guess(number=1, *, clear=None, **more):
    known = {"origin": "server", "asked": 1, "found_by": (), **more}
    return Guess(
        number, Id("0123abcd", 9, clear), "a UUID, 36 characters", known["origin"], 9, (LONG,),
        ("cookie:[b]sid[/]",), 1, known["asked"], known["found_by"],
    )  # fmt: skip


def printed(said: Learned, width: int = 80) -> str:
    out = io.StringIO()
    learned(Console(file=out, width=width, highlight=False), said)
    return out.getvalue()


def test_a_guess_is_told_with_its_places_unfolded():
    text = printed(Learned(2, 1, (guess(asked=2, found_by=("wsrm",)),), None, ("a note",)))
    for word in ("1 response, 2 requests", "0123abcd", "made by the server", "in 1 of 2 requests"):
        assert word in text
    assert f"response  {LONG}\n" in text
    assert "request   cookie:[b]sid[/]" in text
    assert "found by  wsrm" in text
    assert "1. a note" in text
    assert "a profile for" not in text


def test_ids_are_hashes_unless_they_came_in_clear():
    assert "--show-ids" in printed(Learned(1, 1, (guess(),), None, ()))
    text = printed(Learned(1, 1, (guess(clear="[i]secret"),), None, ()))
    assert "[i]secret" in text
    assert "--show-ids" not in text


def test_a_client_made_guess_is_said_to_be_perhaps_a_constant():
    assert "or a constant" in printed(Learned(1, 1, (guess(origin="client"),), None, ()))


def test_a_profile_is_announced_with_what_it_was_tried_on():
    text = printed(Learned(2, 1, (guess(),), Written(1, "cart", "[x]", 1, 2, 0, ()), ()), 200)
    assert "it finds the id in 1 response and 2 requests" in text
    assert 'Add "cart" to the sessions' in text


@pytest.mark.parametrize(("number", "said"), [(0, "0 cats"), (1, "1 cat"), (2, "2 cats")])
def test_numbers_agree(number, said):
    assert count(number, "cat") == said
