"""Counts of several processes, added up: one worker's as plain values, and the sum of all.

`taken` turns a `Metrics` into what JSON can carry, `add` adds that to another `Metrics`. The one
rule: no count is named here but the few that are no plain sums, so that one that is added to
`Metrics` is in the total without anybody thinking of it. What is a state (connections open now)
counts only while its worker lives: `add(..., gone=True)` leaves it out.

Kept apart from `Metrics`, which one process has for itself and which exchanges write to. Shared
counters in memory were dropped: a scrape every fifteen seconds is not worth a lock, or even a
longer way, for each exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from soapgate.edge.metrics import Metrics

Counts = dict[str, Any]

STATES = frozenset({"connections_downstream", "connections_upstream", "workers"})
# labelled with a service, which a reload may take
BY_SERVICE = frozenset({"exchanges", "leaks", "rewrites", "shapes"})
# not sums: what the supervisor has itself
OWN = frozenset({"pids", "pins", "pools", "scopes", "settle", "store"})


def taken(metrics: Metrics) -> Counts:
    """All counts, as JSON can carry them."""
    metrics.settle()
    counts: Counts = {}
    for name, value in vars(metrics).items():
        if name in OWN or name.startswith("_"):
            continue
        if name == "durations":
            counts[name] = {key: [one.counts, one.total] for key, one in value.items()}
        elif name == "last_failure" or isinstance(value, int | float):
            counts[name] = value
        else:
            counts[name] = [[key, count] for key, count in value.items()]
    events = dict(metrics.pin_events)
    if metrics.store is not None:  # its own counts; the total has no store of a worker
        events["evicted"] += metrics.store.evicted
        events["refused"] += metrics.store.refused
    counts["pin_events"] = [[key, count] for key, count in events.items()]
    return counts


def add(total: Metrics, counts: Mapping[str, Any], *, gone: bool = False) -> None:
    """Add what `taken` took, but of services that `total` does not know; `gone`: of a worker
    that is no more."""
    for name, value in counts.items():
        if name == "durations":
            _add_durations(total, value)
        elif name == "last_failure":
            _add_failure(total, value)
        elif isinstance(value, int | float):
            if not (gone and name in STATES):
                setattr(total, name, getattr(total, name) + value)
        else:
            _add_labelled(total, name, value)


def _add_durations(total: Metrics, durations: Mapping[str, Any]) -> None:
    for service, (counts, seconds) in durations.items():
        held = total.durations.get(service)
        if held is not None:
            held.counts = [a + b for a, b in zip(held.counts, counts, strict=True)]
            held.total += seconds


def _add_failure(total: Metrics, failure: Any) -> None:
    if failure is not None and failure[0] in total.durations:
        known = total.last_failure
        if known is None or failure[2] >= known[2]:
            total.last_failure = tuple(failure)


def _add_labelled(total: Metrics, name: str, pairs: Iterable[Any]) -> None:
    held = getattr(total, name)
    for key, count in pairs:
        if isinstance(key, list):
            key = tuple(key)
        if name in BY_SERVICE and (key if isinstance(key, str) else key[0]) not in total.durations:
            continue
        held[key] = held.get(key, 0) + count
