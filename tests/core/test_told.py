"""Conditions of the sentences; whole messages are told in test_explain."""

from __future__ import annotations

from soapgate.core.errors import Reason
from soapgate.core.explained import Id, Ranked, View
from soapgate.core.routing import Terms
from soapgate.core.scanner import ScanLimits
from soapgate.core.services import Rule
from soapgate.core.told import answered, fault, request_steps, response_steps

VIEW = View(Rule("shop"), (), Terms(), ScanLimits())
ONE = Ranked("a", Id("11111111", 3, None), False)
TWO = Ranked("b", Id("22222222", 3, None), False)


def test_a_conflict_is_told_where_there_can_be_one():
    assert not [said for said in request_steps(VIEW, [ONE], []) if "conflict" in said]
    (said,) = [said for said in request_steps(VIEW, [ONE, TWO], []) if "conflict" in said]
    assert "another backend than the first" in said


def test_what_a_response_teaches_does_not_take_an_id_from_another_backend():
    assert "stays there" in list(response_steps([ONE], []))[-1]
    assert list(response_steps([], [])) == ["no id: nothing is learnt"]


def test_an_answer_is_told_with_its_fault_and_status():
    assert fault(Reason.NO_BACKEND) == "fault NoBackend, HTTP 503"
    assert answered(Reason.MALFORMED, "why") == "why: the client gets fault Malformed, HTTP 400"
