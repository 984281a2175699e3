"""`python -m bench`: reads the command line, runs, writes.

Exit status: 0 measured, or nothing to measure with (a word says what to install); 1 a check or a
program failed; 2 a wrong command line; 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench import backends, load, report, rounds
from bench.cases import CASES
from bench.contenders import Contender
from bench.contenders.haproxy import HAPROXY, HAPROXY_64K
from bench.contenders.soapgate import SOAPGATE
from bench.processes import BenchError, Cores, finished, missing

CONTENDERS = {each.name: each for each in (HAPROXY, HAPROXY_64K, SOAPGATE)}
DEFAULT = (HAPROXY.name, HAPROXY_64K.name, SOAPGATE.name)
OUT = Path(__file__).parent / "out"

ABOUT = """\
CPU a request of soapgate beside HAProxy, doing the same job in the same minute.

Each gateway stands before the same two canned nginx backends and keeps a session id of the SOAP
Header on one of them. wrk posts envelopes of 64 sessions in turn over kept-alive connections; the
gateways take turns. A figure is CPU time of the gateway, from the kernel, over replies that wrk
counted. Before and after, a check proves that the gateway sticks.
"""

READING = """\
cases:
{cases}

contenders:
{contenders}

reading the table:
  "20 / 21 / 23" is the least, median and most of the rounds. The ratio is taken within each round;
  under 1 soapgate is cheaper. Differences under a tenth are noise on a shared machine; more rounds
  or a quieter machine help, longer turns do little.

examples:
  make bench                                         everything, about four minutes
  python -m bench --quick                            one short round of each, half a minute
  python -m bench -n 5 --case 0.5k --case 30k        five rounds of two cases
  python -m bench --contender soapgate --case 1m     alone, while working on it
  python -m bench --contender haproxy-64k --contender soapgate

needs the Debian packages haproxy, nginx-light and wrk:
  apt-get install haproxy nginx-light wrk
"""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        plan = _plan(options)
        if plan is None:
            return 0
        return _run(plan, options.json)
    except BenchError as problem:
        _say(f"bench: {problem}")
        return 1
    except KeyboardInterrupt:
        _say("bench: interrupted; everything started is ended")
        return 130


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    listing = {
        "cases": "\n".join(f"  {case.name:12} {case.about}" for case in CASES.values()),
        "contenders": "\n".join(f"  {each.name:12} {each.about}" for each in CONTENDERS.values()),
    }
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=ABOUT,
        epilog=READING.format(**listing),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-q", "--quick", action="store_true", help="one round of one second each")
    parser.add_argument("-n", "--rounds", type=int, default=3, help="turns each (default: 3)")
    parser.add_argument("-s", "--seconds", type=int, default=4, help="a turn's length (default: 4)")
    parser.add_argument(
        "--case", action="append", choices=CASES, help="only this one; may be repeated"
    )
    parser.add_argument(
        "--contender",
        action="append",
        choices=CONTENDERS,
        help=f"may be repeated (default: {', '.join(DEFAULT)})",
    )
    parser.add_argument(
        "--json", type=Path, help="where to write the figures (default: bench/out/, by date)"
    )
    options = parser.parse_args(arguments)
    if options.rounds < 1 or options.seconds < 1:
        parser.error("--rounds and --seconds are at least 1")
    return options


def _plan(options: argparse.Namespace) -> rounds.Plan | None:
    """What to run with what is installed; None, after a word, when that is not enough."""
    lacking = missing({**backends.PACKAGES, **load.PACKAGES})
    if lacking:
        _say(f"bench: skipped, {_install(lacking)}")
        return None
    contenders: list[Contender] = []
    for name in options.contender or DEFAULT:
        lacking = missing(CONTENDERS[name].packages)
        if lacking:
            _say(f"bench: without {name}, {_install(lacking)}")
        else:
            contenders.append(CONTENDERS[name])
    if not contenders:
        return None
    return rounds.Plan(
        cases=tuple(CASES[name] for name in options.case or CASES),
        contenders=tuple(contenders),
        rounds=1 if options.quick else options.rounds,
        seconds=1 if options.quick else options.seconds,
        warm_up=1 if options.quick else 2,
    )


def _run(plan: rounds.Plan, wanted: Path | None) -> int:
    cores = Cores.of_this_machine()
    if not cores.apart:
        _say("bench: one CPU only; gateway, load and backends share it")
    started = time.monotonic()
    programs = {each.name: each.version for each in plan.contenders}
    versions = {name: _version(command) for name, command in programs.items()}
    with tempfile.TemporaryDirectory(prefix="soapgate-bench-") as directory:
        turns = rounds.run(plan, Path(directory), cores, _say)
    found = report.document(turns, plan, cores, versions)
    path = wanted or OUT / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n")
    _say(f"bench: done in {time.monotonic() - started:.0f} s; figures in {path}\n")
    print(report.table(turns, plan))
    return 0


def _version(command: tuple[str, ...]) -> str:
    return finished(command, cores=Cores.of_this_machine().others, seconds=20).split("\n", 1)[0]


def _install(lacking: dict[str, str]) -> str:
    programs, packages = ", ".join(lacking), " ".join(lacking.values())
    return f"{programs} not found: apt-get install {packages}"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
