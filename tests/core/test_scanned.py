"""What a scanner answers."""

from __future__ import annotations

from types import SimpleNamespace

from soapgate.core.scanned import Found, NeedsBody, Outcome, ScanLimits, Scanned


def test_outcomes_are_the_words_of_logs_and_metrics():
    assert [str(outcome) for outcome in Outcome] == ["found", "none", "limit", "not-soap"]


def test_the_limits_are_those_of_the_design():
    limits = ScanLimits()
    assert (limits.header_bytes, limits.body_bytes, limits.id_bytes) == (262144, 65536, 4096)


def test_a_reference_carries_what_was_found_without_it():
    found = Found("p", "lookup", "1", "Header/a")
    assert NeedsBody([found]).found == (found,)
    assert NeedsBody().found == ()


def test_a_refusal_keeps_what_a_fault_is_answered_with():
    scanner = SimpleNamespace(soap="1.2", message_id=("urn:wsa", "m"), read=9)
    known = Scanned.refused(scanner)
    assert (known.soap, known.message_id, known.read) == ("1.2", ("urn:wsa", "m"), 9)
    assert (known.found, known.fault) == ((), None)
