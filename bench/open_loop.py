"""A load of constant rate, for latency: vegeta sends on a schedule, whether replies come or not.

A closed loop sends nothing while the gateway is slow and so never sees how long others would have
waited (coordinated omission). Here every request has a moment when it is due, and its latency
counts from that moment: what the generator itself sent late is in the figure, for every contender
alike. vegeta opens one more connection whenever all are waiting; its CSV has a line a request, and
the percentiles are of all of them, by nearest rank, none of a histogram. Dropped: wrk2, which
Debian does not have, and hey and bombardier, which it has and which are closed loops with a brake.
"""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.cases import PATH, Case
from bench.figures import percentile
from bench.processes import BenchError, finished

PACKAGES = {"vegeta": "golang-go"}
INSTALL = "apt-get install golang-go; go install github.com/tsenart/vegeta/v12@v12.8.4"
HELD = 0.99  # of the wanted rate: with less the generator was the bottleneck
ENOUGH = 10_000  # requests for a p99.9: ten lie above it
NANO = 1e-9


@dataclass(frozen=True, slots=True)
class Waited:
    """Latencies of one turn in microseconds, from when a request was due to the end of its reply.
    p999_us is None where too few requests were sent to say. `rate`: requests a second, as sent."""

    requests: int
    rate: float
    p50_us: float
    p99_us: float
    p999_us: float | None

    def held(self, wanted: float) -> bool:
        return self.rate >= HELD * wanted


def prepare(case: Case, port: int, path: Path) -> Path:
    """Write the case's messages as vegeta's targets, one a line, in JSON."""
    scheme = "https" if case.tls else "http"
    lines = []
    for session in case.ids:
        message = case.message(session)
        target = {
            "method": "POST",
            "url": f"{scheme}://127.0.0.1:{port}{PATH}",
            "header": {name: [value] for name, value in message.fields.items()},
            "body": base64.b64encode(message.body).decode(),
        }
        lines.append(json.dumps(target))
    path.write_text("\n".join(lines) + "\n")
    return path


def send(targets: Path, rate: int, seconds: int, cores: frozenset[int]) -> Waited:
    """Send `rate` requests a second. Raises BenchError for any error or status over 399."""
    results = targets.with_suffix(".bin")
    attack = ["vegeta", "attack", "-format=json", f"-targets={targets}", f"-rate={rate}/1s"]
    attack += [f"-duration={seconds}s", "-timeout=10s", "-max-body=0", "-redirects=-1"]
    attack += ["-insecure", "-http2=false", f"-output={results}"]
    finished(attack, cores=cores, seconds=seconds + 60)
    lines = finished(
        ["vegeta", "encode", "-to=csv", str(results)], cores=cores, seconds=seconds + 120
    )
    results.unlink()
    return waited(lines.splitlines(), rate)


def waited(lines: Iterable[str], rate: float) -> Waited:
    """What vegeta's CSV says: columns timestamp and latency in nanoseconds, status, error, seq.

    Raises BenchError if there is an error, a bad status, or nothing.
    """
    found = [
        (int(row[8]), int(row[0]), int(row[2]), row[1], row[5])
        for row in csv.reader(lines)
        if len(row) > 8
    ]
    if len(found) < 2:
        raise BenchError(f"vegeta counted {len(found)} replies.")
    failed = [
        (status, error) for *_, status, error in found if error or not "200" <= status < "400"
    ]
    if failed:
        status, error = failed[0]
        raise BenchError(
            f"vegeta counted {len(failed)} errors in {len(found)} requests, the first: "
            f"{status} {error}."
        )
    found.sort()
    first = found[0][1]
    late = [
        sent + latency - min(sent, first + round(number / rate / NANO))
        for number, sent, latency, *_ in found
    ]
    late.sort()
    span = (max(sent for _, sent, *_ in found) - first) * NANO
    return Waited(
        requests=len(found),
        rate=(len(found) - 1) / span if span else 0.0,
        p50_us=percentile(late, 0.5) / 1000,
        p99_us=percentile(late, 0.99) / 1000,
        p999_us=percentile(late, 0.999) / 1000 if len(found) >= ENOUGH else None,
    )
