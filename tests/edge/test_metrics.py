"""The counts and what Prometheus is told of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from soapgate.core.pool import Backend, Pool
from soapgate.edge.durations import BUCKETS
from soapgate.edge.metrics import COUNTS, PIN_EVENTS, ROUTES_KEPT, Metrics
from soapgate.stores.memory import MemoryStore


def told(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of the exposition, read by Prometheus' own parser."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def value(metrics: Metrics, sample: str, **labels: str) -> float | None:
    return told(metrics).get((sample, frozenset(labels.items())))


def shop_pool() -> Pool:
    return Pool("farm", [Backend.parse("b1", "http://h:1"), Backend.parse("b2", "http://h:2")])


def test_an_exchange_is_counted_by_service_route_and_reason():
    metrics = Metrics(["shop", "bank"])
    for _ in range(3):
        metrics.exchange("shop", "pinned", "pin", 0.02)
    metrics.exchange("shop", "refused", "no-backend", 0.001)
    metrics.exchange("bank", "pinned", "pin", 0.02)
    name = "soapgate_exchanges_total"
    assert value(metrics, name, service="shop", route="pinned", reason="pin") == 3
    assert value(metrics, name, service="shop", route="refused", reason="no-backend") == 1
    assert value(metrics, name, service="bank", route="pinned", reason="pin") == 1


@pytest.mark.parametrize(
    ("seconds", "first"),
    [(0.0, "0.001"), (0.001, "0.001"), (0.0011, "0.0025"), (60, "60.0"), (61, "+Inf")],
)
def test_a_duration_falls_into_the_bucket_that_holds_it_and_all_above(seconds, first):
    metrics = Metrics(["shop"])
    metrics.exchange("shop", "pinned", "pin", seconds)
    bounds = [*(str(float(bound)) for bound in BUCKETS), "+Inf"]
    counts = [
        value(metrics, "soapgate_exchange_seconds_bucket", service="shop", le=bound)
        for bound in bounds
    ]
    split = bounds.index(first)
    assert counts == [0.0] * split + [1.0] * (len(bounds) - split)
    assert value(metrics, "soapgate_exchange_seconds_count", service="shop") == 1
    assert value(metrics, "soapgate_exchange_seconds_sum", service="shop") == seconds


def test_a_service_that_is_not_configured_is_no_label():
    metrics = Metrics(["shop"])
    metrics.exchange("", "refused", "no-service", 0.001)
    metrics.exchange("made-up", "refused", "no-service", 0.001)
    metrics.pins = {"made-up": 5, "shop": 2}
    metrics.failure("made-up", "no-service", 7.0)
    assert b"made-up" not in metrics.render()
    labels = {"service": "-", "route": "refused", "reason": "no-service"}
    assert value(metrics, "soapgate_exchanges_total", **labels) == 2
    assert value(metrics, "soapgate_exchange_seconds_count", service="-") == 2
    assert value(metrics, "soapgate_pins", service="shop") == 2


def test_reasons_without_end_make_labels_with_an_end():
    metrics = Metrics(["shop"])
    for number in range(ROUTES_KEPT + 50):
        metrics.exchange("shop", "refused", f"r{number}", 0.001)
    assert len(metrics.exchanges) == ROUTES_KEPT + 1
    labels = {"service": "shop", "route": "other", "reason": "other"}
    assert value(metrics, "soapgate_exchanges_total", **labels) == 50


def test_the_label_of_a_name_is_escaped_by_the_exposition():
    metrics = Metrics(['sh"op\n'])
    metrics.exchange('sh"op\n', "pinned", "pin", 0.001)
    labels = {"service": 'sh"op\n', "route": "pinned", "reason": "pin"}
    assert value(metrics, "soapgate_exchanges_total", **labels) == 1


def test_pin_events_are_all_there_from_the_start():
    metrics = Metrics()
    metrics.pin_event("bound")
    metrics.pin_event("evicted", 4)
    counted = {e: value(metrics, "soapgate_pin_events_total", event=e) for e in PIN_EVENTS}
    assert counted == {**dict.fromkeys(PIN_EVENTS, 0.0), "bound": 1.0, "evicted": 4.0}


def test_a_pin_event_without_a_word_is_a_defect():
    with pytest.raises(KeyError):
        Metrics().pin_event("lost")  # type: ignore[arg-type]


def test_what_a_full_store_did_is_asked_of_the_store():
    metrics = Metrics()
    metrics.store = MemoryStore()
    metrics.store.evicted, metrics.store.refused = 3, 2
    assert value(metrics, "soapgate_pin_events_total", event="evicted") == 3
    assert value(metrics, "soapgate_pin_events_total", event="refused") == 2


def test_scans_are_counted_by_side_and_outcome():
    metrics = Metrics()
    metrics.scan("request", "found")
    metrics.scan("request", "found")
    metrics.scan("response", "limit")
    assert value(metrics, "soapgate_scans_total", side="request", outcome="found") == 2
    assert value(metrics, "soapgate_scans_total", side="response", outcome="limit") == 1


def test_backends_are_told_as_they_are_at_the_scrape():
    pool = shop_pool()
    metrics = Metrics(["shop"], {"farm": pool})
    at = {"pool": "farm", "backend": "b1"}
    assert value(metrics, "soapgate_backend_up", **at) == 1
    member = pool.members["b1"]
    member.inflight, member.waiting, member.admin = 3, 2, "drain"
    for _ in range(3):
        member.mark(False)
    assert value(metrics, "soapgate_backend_up", **at) == 0
    assert value(metrics, "soapgate_backend_inflight", **at) == 3
    assert value(metrics, "soapgate_backend_waiting", **at) == 2
    states = {
        state: value(metrics, "soapgate_backend_admin", **at, state=state)
        for state in ("ready", "drain", "maint")
    }
    assert states == {"ready": 0, "drain": 1, "maint": 0}
    assert value(metrics, "soapgate_backend_up", pool="farm", backend="b2") == 1


@pytest.mark.parametrize(("attribute", "family", "about"), COUNTS, ids=lambda x: x)
def test_a_plain_count_is_told_under_its_name(attribute, family, about):
    metrics = Metrics()
    assert value(metrics, f"{family}_total") == 0
    setattr(metrics, attribute, 7)
    assert value(metrics, f"{family}_total") == 7
    assert f"# HELP {family}_total {about}".encode() in metrics.render()


def test_connections_and_bytes_are_told_by_side():
    metrics = Metrics()
    metrics.connections_downstream, metrics.accepted = 2, 9
    metrics.connections_upstream, metrics.dialled, metrics.reused = 1, 4, 5
    metrics.downstream_read, metrics.upstream_sent = 100, 90
    assert value(metrics, "soapgate_connections_open", side="downstream") == 2
    assert value(metrics, "soapgate_connections_open", side="upstream") == 1
    assert value(metrics, "soapgate_connections_total", how="accepted") == 9
    assert value(metrics, "soapgate_connections_total", how="dialled") == 4
    assert value(metrics, "soapgate_connections_total", how="reused") == 5
    assert value(metrics, "soapgate_bytes_total", side="downstream", direction="read") == 100
    assert value(metrics, "soapgate_bytes_total", side="upstream", direction="sent") == 90
    assert value(metrics, "soapgate_bytes_total", side="upstream", direction="read") == 0


def test_the_last_failure_has_a_reason_and_a_time_once_there_is_one():
    metrics = Metrics(["shop"])
    when = "soapgate_router_last_failure_timestamp_seconds"
    assert value(metrics, when) is None
    metrics.failure("shop", "upstream-broken", 1234.5)
    info = {"service": "shop", "reason": "upstream-broken"}
    assert value(metrics, "soapgate_router_last_failure_info", **info) == 1
    assert value(metrics, when) == 1234.5
    assert value(metrics, "soapgate_router_failures_total") == 1


def test_counts_of_services_that_stay_survive_a_reload_and_others_go():
    metrics = Metrics(["shop", "bank"])
    for service in ("shop", "bank"):
        metrics.exchange(service, "pinned", "pin", 0.02)
    metrics.reconcile(["shop", "post"], {"farm": shop_pool()})
    labels = {"route": "pinned", "reason": "pin"}
    assert value(metrics, "soapgate_exchanges_total", service="shop", **labels) == 1
    assert value(metrics, "soapgate_exchange_seconds_count", service="shop") == 1
    assert b"bank" not in metrics.render()
    metrics.exchange("post", "pinned", "pin", 0.02)
    assert value(metrics, "soapgate_exchanges_total", service="post", **labels) == 1
    assert value(metrics, "soapgate_backend_up", pool="farm", backend="b2") == 1


def test_two_gateways_in_one_process_count_apart():
    one, two = Metrics(["shop"]), Metrics(["shop"])
    one.requests += 1
    assert value(one, "soapgate_router_requests_total") == 1
    assert value(two, "soapgate_router_requests_total") == 0


def test_the_process_is_told_too():
    assert value(Metrics(), "process_open_fds") > 0


def test_operations_name_every_family():
    text = (Path(__file__).parents[2] / "docs" / "operations.rst").read_text()
    families = set(
        re.findall(r"^# TYPE (soapgate_\w+) ", Metrics().render().decode(), re.MULTILINE)
    )
    assert families == set(re.findall(r"``(soapgate_\w+)``", text))


def test_leaks_and_rewrites_are_counted_by_service_and_forgotten_with_it():
    metrics = Metrics(["shop", "bank"])
    assert [metrics.leak("shop"), metrics.leak("shop"), metrics.leak("bank")] == [1, 2, 1]
    metrics.rewrite("shop", "rewritten")
    metrics.rewrite("bank", "sealed")
    metrics.reconcile(["shop"], {})
    assert value(metrics, "soapgate_address_leaks_total", service="shop") == 2
    assert value(metrics, "soapgate_address_leaks_total", service="bank") is None
    name = "soapgate_rewrites_total"
    assert value(metrics, name, service="shop", outcome="rewritten") == 1
    assert value(metrics, name, service="bank", outcome="sealed") is None


def test_shapes_are_counted_by_service_and_forgotten_with_it():
    metrics = Metrics(["shop", "bank"])
    metrics.shapes = {("shop", "request", "hit"): 5, ("bank", "response", "miss"): 2}
    metrics.reconcile(["shop"], {})
    name = "soapgate_shapes_total"
    assert value(metrics, name, service="shop", side="request", outcome="hit") == 5
    assert value(metrics, name, service="bank", side="response", outcome="miss") is None
