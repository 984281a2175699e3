"""What is counted: plain integers while exchanges run, Prometheus families when somebody asks.

A count is an attribute that its owner adds to (`metrics.responses += 1`) or, where it has labels,
one short method. prometheus-client is asked only at a scrape: its own counters take a lock and a
label lookup for each increment, ten times what an exchange may spend here. The registry is ours,
not the global one, so that two gateways in one process (tests) don't mix.

The one rule: the sets of labels are bounded. Services, pools and backends are those of the
configuration, whatever a caller says; reasons are our own words. Nothing of a message is ever a
label. What is a state and not a count (up, in flight) is read from the pools at the scrape and
kept nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from soapgate.core.affinity import EVENTS
from soapgate.core.pins import PinStore
from soapgate.core.pool import ADMIN_WORDS, Pool
from soapgate.edge.durations import Durations
from soapgate.edge.processes import Processes

CONTENT_TYPE = CONTENT_TYPE_LATEST

# what affinities count, what a store does when it is full, and what a restart of a backend costs
PIN_EVENTS = (*EVENTS, "evicted", "refused", "restarted")
Side = Literal["request", "response"]

ROUTES_KEPT = 128  # (route, reason) pairs a service: twice what there are words for
NO_SERVICE = ""  # the service of exchanges that match none; told as NO_SERVICE_LABEL,
NO_SERVICE_LABEL = "-"  # for to Prometheus an empty label is none at all
OTHER = "other"  # the reason of what is counted beyond ROUTES_KEPT

# attribute of Metrics, family, help
COUNTS = (
    ("retries", "soapgate_retries", "Requests sent to a second backend or connection."),
    ("clients_left", "soapgate_clients_left", "Exchanges whose client was gone before the end."),
    ("turned_away", "soapgate_clients_turned_away", "Connections over `connections`, closed."),
    ("oversized_ids", "soapgate_oversized_ids", "Ids over the limit `id`, taken for absent."),
    ("fast", "soapgate_fast_exchanges", "Exchanges that took the short way, up and down."),
    (
        "unreadable_ids",
        "soapgate_unreadable_ids",
        "Texts no id could be made of, such as bad base64.",
    ),
    ("id_conflicts", "soapgate_id_conflicts", "Requests whose ids are pinned to two backends."),
    ("learn_conflicts", "soapgate_learn_conflicts", "Ids learned that another backend has."),
    ("foreign_cookies", "soapgate_foreign_cookies", "Affinity cookies that are not ours, ignored."),
    ("worker_restarts", "soapgate_worker_restarts", "Workers that ended and were replaced."),
    ("log_lost", "soapgate_log_lines_lost", "Exchange log lines that could not be written."),
    # the counters of a SOAP router as WebLogic has them
    ("requests", "soapgate_router_requests", "Requests taken from clients."),
    ("routed_requests", "soapgate_router_routed_requests", "Requests handed to a backend."),
    ("responses", "soapgate_router_responses", "Responses that backends began."),
    ("routed_responses", "soapgate_router_routed_responses", "Responses handed on whole."),
    ("failures", "soapgate_router_failures", "Exchanges that ended in a failure."),
)


class Metrics:
    """All counts of one gateway. Public attributes are there to be added to.

    `connections_*` are how many are open now, `accepted`, `dialled` and `reused` how many there
    ever were; `*_read` and `*_sent` are octets. `pins` is the last count by service, set by whoever
    counts; `store` is asked at a scrape what it evicted and refused. `workers` is how many
    processes serve exchanges, `pids()` all processes of the gateway, this one ("self") first.
    """

    def __init__(
        self, services: Iterable[str] = (), pools: Mapping[str, Pool] | None = None
    ) -> None:
        self.requests = self.routed_requests = 0
        self.responses = self.routed_responses = self.failures = 0
        self.last_failure: tuple[str, str, float] | None = None  # service, reason, epoch seconds
        self.retries = self.clients_left = self.log_lost = 0
        self.id_conflicts = self.learn_conflicts = 0
        self.turned_away = self.oversized_ids = self.unreadable_ids = self.foreign_cookies = 0
        self.connections_downstream = self.connections_upstream = 0
        self.accepted = self.dialled = self.reused = 0
        self.downstream_read = self.downstream_sent = 0
        self.upstream_read = self.upstream_sent = 0
        self.fast = 0
        self.workers = 1
        self.worker_restarts = 0
        self.pids: Callable[[], Iterable[int | str]] = this_process
        self.settle: Callable[[], None] = nothing  # adds what is counted elsewhere meanwhile
        self.pins: Mapping[str, int] = {}
        self.scopes: set[str] = set()
        self.store: PinStore | None = None
        self.pools: Mapping[str, Pool] = {}
        self.exchanges: dict[tuple[str, str, str], int] = {}  # service, route, reason
        self.durations: dict[str, Durations] = {}  # by service
        self.pin_events: dict[str, int] = dict.fromkeys(PIN_EVENTS, 0)
        self.scans: dict[tuple[str, str], int] = {}
        self.leaks: dict[str, int] = {}  # by service
        self.rewrites: dict[tuple[str, str], int] = {}  # service, word
        self.shapes: dict[tuple[str, str, str], int] = {}  # service, side, hit or miss
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(Families(self))
        self._registry.register(Processes(lambda: self.pids()))
        self.reconcile(services, pools or {})

    def reconcile(
        self, services: Iterable[str], pools: Mapping[str, Pool], scopes: Iterable[str] = ()
    ) -> None:
        """Take the names of a new configuration: counts of services that stay go on, those of
        services that left are forgotten. `scopes` of pins, those of the services apart."""
        names = {*services, NO_SERVICE}
        self.scopes = names | {*scopes}
        self.pools = pools
        self.durations = {name: self.durations.get(name) or Durations() for name in names}
        self.exchanges = {key: n for key, n in self.exchanges.items() if key[0] in names}
        self.leaks = {name: n for name, n in self.leaks.items() if name in names}
        self.rewrites = {key: n for key, n in self.rewrites.items() if key[0] in names}
        self.shapes = {key: n for key, n in self.shapes.items() if key[0] in names}

    def exchange(self, service: str, route: str, reason: str, seconds: float) -> None:
        """Count a finished exchange; once for each, whatever became of it."""
        self.durations[self.exchanged(service, route, reason)].add(seconds)

    def exchanged(self, service: str, route: str, reason: str, count: int = 1) -> str:
        """Count so many finished exchanges, but not how long they took; the service they count
        for."""
        key = (service, route, reason)
        if key not in self.exchanges:
            key = self._admit(key)
        self.exchanges[key] += count
        return key[0]

    def failure(self, service: str, reason: str, now: float) -> None:
        """Count an exchange that ended in a failure; `now` is seconds since the epoch."""
        self.failures += 1
        self.last_failure = (service if service in self.durations else NO_SERVICE, reason, now)

    def pin_event(self, event: str, count: int = 1) -> None:
        """Count what happened to pins. KeyError for a word that is none of `PIN_EVENTS`."""
        self.pin_events[event] += count

    def scan(self, side: Side, outcome: str, count: int = 1) -> None:
        """Count scans by their outcome, a word of `soapgate.core.scanner.Outcome`."""
        key = (side, outcome)
        self.scans[key] = self.scans.get(key, 0) + count

    def leak(self, service: str) -> int:
        """Count a response that shows a backend's address; how many there are now."""
        count = self.leaks[service] = self.leaks.get(service, 0) + 1
        return count

    def rewrite(self, service: str, word: str) -> None:
        """Count a response whose addresses were replaced, or the word why they were not."""
        key = (service, word)
        self.rewrites[key] = self.rewrites.get(key, 0) + 1

    def render(self) -> bytes:
        """The Prometheus text exposition; its content type is `CONTENT_TYPE`."""
        return generate_latest(self._registry)

    def _admit(self, key: tuple[str, str, str]) -> tuple[str, str, str]:
        service, route, reason = key
        if service not in self.durations:
            service = NO_SERVICE
        if sum(known[0] == service for known in self.exchanges) >= ROUTES_KEPT:
            route = reason = OTHER
        self.exchanges.setdefault((service, route, reason), 0)
        return service, route, reason


def nothing() -> None:
    """There is nothing to add."""


def this_process() -> tuple[str, ...]:
    """The processes of a gateway that is one."""
    return ("self",)


class Families(Collector):
    """The view of Prometheus on a `Metrics`: reads it, keeps nothing."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """Every family, whether or not anything was counted in it."""
        self._metrics.settle()
        yield from self._exchanges()
        yield from self._pins()
        yield from self._backends()
        yield from self._traffic()
        yield GaugeMetricFamily(
            "soapgate_workers", "Processes that serve exchanges.", value=self._metrics.workers
        )
        for attribute, name, about in COUNTS:
            yield CounterMetricFamily(name, about, value=getattr(self._metrics, attribute))
        yield from self._last_failure()

    def _exchanges(self) -> Iterator[Metric]:
        metrics = self._metrics
        total = CounterMetricFamily(
            "soapgate_exchanges",
            "Exchanges by service, route (pinned, balanced, redispatched, refused) and reason.",
            labels=("service", "route", "reason"),
        )
        for (service, route, reason), count in metrics.exchanges.items():
            total.add_metric((service or NO_SERVICE_LABEL, route, reason), count)
        yield total
        seconds = HistogramMetricFamily(
            "soapgate_exchange_seconds",
            "From the first byte of the request to the end of the exchange.",
            labels=("service",),
        )
        for service, durations in metrics.durations.items():
            label = service or NO_SERVICE_LABEL
            seconds.add_metric((label,), durations.cumulated(), durations.total)
        yield seconds
        scans = CounterMetricFamily(
            "soapgate_scans", "Scans by message and outcome.", labels=("side", "outcome")
        )
        for key, count in metrics.scans.items():
            scans.add_metric(key, count)
        yield scans
        leaks = CounterMetricFamily(
            "soapgate_address_leaks",
            "Responses seen to show a backend's address to a client.",
            labels=("service",),
        )
        for service, count in metrics.leaks.items():
            leaks.add_metric((service,), count)
        yield leaks
        rewrites = CounterMetricFamily(
            "soapgate_rewrites",
            "Responses whose addresses were replaced, or why they were not.",
            labels=("service", "outcome"),
        )
        for key, count in metrics.rewrites.items():
            rewrites.add_metric(key, count)
        yield rewrites
        shapes = CounterMetricFamily(
            "soapgate_shapes",
            "Envelopes whose markup was known, and those that were scanned.",
            labels=["service", "side", "outcome"],
        )
        for key, count in metrics.shapes.items():
            shapes.add_metric(key, count)
        yield shapes

    def _pins(self) -> Iterator[Metric]:
        pins = GaugeMetricFamily(
            "soapgate_pins", "Pins at the last count, aliases included.", labels=("service",)
        )
        for service, count in self._metrics.pins.items():
            if service in self._metrics.scopes:
                pins.add_metric((service,), count)
        yield pins
        events = CounterMetricFamily(
            "soapgate_pin_events", "What happened to pins.", labels=("event",)
        )
        store = self._metrics.store
        for event, count in self._metrics.pin_events.items():
            if store is not None and event in ("evicted", "refused"):
                count += getattr(store, event)
            events.add_metric((event,), count)
        yield events

    def _backends(self) -> Iterator[Metric]:
        labels = ("pool", "backend")
        up = GaugeMetricFamily("soapgate_backend_up", "1 = up, 0 = down.", labels=labels)
        inflight = GaugeMetricFamily(
            "soapgate_backend_inflight", "Requests that a backend is serving.", labels=labels
        )
        waiting = GaugeMetricFamily(
            "soapgate_backend_waiting", "Requests in a backend's queue.", labels=labels
        )
        admin = GaugeMetricFamily(
            "soapgate_backend_admin",
            "1 for the administrative state that holds.",
            labels=(*labels, "state"),
        )
        for pool_name, pool in self._metrics.pools.items():
            for name, member in pool.members.items():
                at = (pool_name, name)
                up.add_metric(at, member.up)
                inflight.add_metric(at, member.inflight)
                waiting.add_metric(at, member.waiting)
                for word in ADMIN_WORDS:
                    admin.add_metric((*at, word), member.admin == word)
        yield from (up, inflight, waiting, admin)

    def _traffic(self) -> Iterator[Metric]:
        metrics = self._metrics
        is_open = GaugeMetricFamily(
            "soapgate_connections_open", "Connections open now.", labels=("side",)
        )
        is_open.add_metric(("downstream",), metrics.connections_downstream)
        is_open.add_metric(("upstream",), metrics.connections_upstream)
        yield is_open
        total = CounterMetricFamily(
            "soapgate_connections",
            "Connections accepted from clients, dialled to backends, and reused.",
            labels=("how",),
        )
        octets = CounterMetricFamily(
            "soapgate_bytes", "Octets read and sent.", labels=("side", "direction")
        )
        for how in ("accepted", "dialled", "reused"):
            total.add_metric((how,), getattr(metrics, how))
        for side in ("downstream", "upstream"):
            for direction in ("read", "sent"):
                octets.add_metric((side, direction), getattr(metrics, f"{side}_{direction}"))
        yield from (total, octets)

    def _last_failure(self) -> Iterator[Metric]:
        info = InfoMetricFamily("soapgate_router_last_failure", "The last failure.")
        when = GaugeMetricFamily(
            "soapgate_router_last_failure_timestamp_seconds",
            "When the last failure was, since the epoch.",
        )
        if self._metrics.last_failure is not None:
            service, reason, at = self._metrics.last_failure
            info.add_metric((), {"service": service or NO_SERVICE_LABEL, "reason": reason})
            when.add_metric((), at)
        yield from (info, when)
