"""Counts of several processes, added up."""

from __future__ import annotations

import json

import pytest

from soapgate.edge.metrics import COUNTS, PIN_EVENTS, Metrics
from soapgate.edge.totals import OWN, STATES, add, taken
from soapgate.stores.memory import MemoryStore


def sent(metrics: Metrics) -> dict:
    """As it comes over the channel."""
    return json.loads(json.dumps(taken(metrics)))


def counted(times: int) -> Metrics:
    metrics = Metrics(["shop"])
    for _ in range(times):
        metrics.exchange("shop", "pinned", "bound", 0.02)
        metrics.scan("request", "found")
        metrics.pin_event("bound")
        metrics.leak("shop")
        metrics.rewrite("shop", "done")
    for name, value in vars(metrics).items():
        if isinstance(value, int) and name not in STATES:
            setattr(metrics, name, times)
    metrics.connections_downstream = times
    return metrics


def test_sums_are_sums():
    total = Metrics(["shop"])
    total.workers = 0
    for times in (2, 3):
        add(total, sent(counted(times)))
    assert total.exchanges == {("shop", "pinned", "bound"): 5}
    assert sum(total.durations["shop"].counts) == 5
    assert total.durations["shop"].total == pytest.approx(0.1)
    assert total.scans == {("request", "found"): 5}
    assert (total.leaks, total.rewrites) == ({"shop": 5}, {("shop", "done"): 5})
    assert total.pin_events["bound"] == 5
    assert total.workers == 2
    assert total.connections_downstream == 5
    assert {getattr(total, name) for name, *_ in COUNTS} == {5}
    assert (total.accepted, total.upstream_read) == (5, 5)


def test_no_count_is_forgotten():
    """Whatever is added to Metrics is in the total, or is named as what is not to be added."""
    metrics = Metrics()
    names = {name for name in vars(metrics) if not name.startswith("_")} - OWN
    assert taken(metrics).keys() == names


def test_states_of_a_worker_that_is_gone_do_not_count():
    total = Metrics(["shop"])
    add(total, sent(counted(2)), gone=True)
    assert (total.connections_downstream, total.workers) == (0, 1)
    assert total.accepted == 2


def test_services_that_left_are_forgotten():
    total = Metrics(["bank"])
    one = counted(2)
    one.failure("shop", "store", 9.0)
    add(total, sent(one))
    assert (total.exchanges, total.leaks, total.rewrites) == ({}, {}, {})
    assert total.durations.keys() == {"bank", ""}
    assert total.last_failure is None
    assert total.accepted == 2


def test_the_last_failure_is_the_latest():
    total = Metrics(["shop"])
    for at in (5.0, 9.0, 7.0):
        one = Metrics(["shop"])
        one.failure("shop", f"at-{at:g}", at)
        add(total, sent(one))
    assert total.last_failure == ("shop", "at-9", 9.0)
    assert total.failures == 3


def test_what_a_full_store_did_in_each_worker_is_counted():
    total = Metrics()
    for evicted in (3, 4):
        one = Metrics()
        one.store = MemoryStore()
        one.store.evicted, one.store.refused = evicted, 1
        add(total, sent(one))
    assert (total.pin_events["evicted"], total.pin_events["refused"]) == (7, 2)
    assert total.pin_events.keys() == set(PIN_EVENTS)
