"""`python -m bench`: reads the command line, runs, writes.

Figures go to a JSON file and, as tables, to standard output; progress goes to standard error. Exit
status: 0 measured, or nothing to measure with (a word says what to install); 1 a check, a program
or a file failed, and that part gives no figure; 2 a wrong command line; 130 interrupted.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench import compare, document, latency, memory, options, picture, rounds
from bench.options import Asked
from bench.processes import BenchError, Cores, version
from bench.selection import Selection, select
from bench.tables import tables

OUT = Path(__file__).parent / "out"
START_SECONDS = 3  # a gateway takes about that long to start and to be checked, twice


def main(arguments: Sequence[str] | None = None) -> int:
    asked = options.read(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        if asked.compare or asked.tables or asked.picture:
            print(_from_file(asked), end="")
            return 0
        return _measure(asked)
    except BenchError as problem:
        _say(f"bench: {problem}")
        return 1
    except KeyboardInterrupt:
        _say("bench: interrupted; everything started is ended")
        return 130


def _from_file(asked: Asked) -> str:
    """What is asked instead of a measurement, from results there are."""
    if asked.compare:
        base, new = asked.compare
        new = new or document.latest(OUT, but=base)
        return compare.report(document.read(base), document.read(new), base.name, new.name)
    if asked.tables:
        return tables(document.read(asked.tables))
    assert asked.picture is not None
    return picture.svg(document.read(asked.picture))


def _measure(asked: Asked) -> int:
    selection = select(asked)
    for sentence in selection.left_out:
        _say(f"bench: {sentence}")
    if not selection.contenders:
        _say("bench: nothing to measure")
        return 0
    cores = Cores.of_this_machine(max(each.cores for each in selection.contenders))
    if not cores.apart:
        _say("bench: one CPU only; gateway, load and backends share it")
    _say(f"bench: about {_minutes(asked, selection)} min")
    started = time.monotonic()
    frame = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": document.machine(),
    }
    versions = {each.name: version(each.version) for each in selection.contenders}
    findings = _find(asked, selection, cores)
    found = document.build(
        findings, selection.entries, asked.pace, cores, versions, selection.left_out
    )
    took = round(time.monotonic() - started)
    path = asked.json or OUT / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    document.write({**frame, "seconds_taken": took, **found}, path)
    _say(f"bench: done in {took} s; figures in {path}\n")
    print(tables(document.read(path)), end="")
    return 1 if findings.failed else 0


def _find(asked: Asked, selection: Selection, cores: Cores) -> document.Findings:
    pace = asked.pace
    with tempfile.TemporaryDirectory(prefix="soapgate-bench-") as name:
        room = Path(name)
        turns, failed = rounds.run(selection.entries, pace, room, cores, _say)
        waits, missed = latency.run(selection.waiting, selection.waiters, pace, room, cores, _say)
        weights, lost = memory.run(selection.weighed, pace, room, cores, _say)
    return document.Findings(turns, waits, weights, [*failed, *missed, *lost])


def _minutes(asked: Asked, selection: Selection) -> int:
    lanes = sum(len(contenders) for _case, contenders in selection.entries)
    lanes += len(selection.waiting) * (len(selection.waiters) + 2)
    lanes += 2 * len(selection.weighed)
    return 1 + (asked.pace.of(lanes) + START_SECONDS * lanes) // 60


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
