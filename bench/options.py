"""The command line of `python -m bench`: what may be asked, and the text of --help.

It knows the names of cases and contenders, and nothing of how they run. A wrong word ends with
status 2 and a line that says what is allowed.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.cases import CASES, GROUPS, MAIN
from bench.contenders.everybody import BESIDE, CONTENDERS
from bench.rounds import Pace

ABOUT = """\
CPU a request of soapgate beside HAProxy and others, doing the same job in the same minute.

Each gateway stands before the same canned nginx backends and keeps the session of every request on
one of them. wrk posts SOAP envelopes; the gateways take turns. A figure is CPU time of the gateway,
from the kernel, over replies that wrk counted. Before and after, a check proves that it sticks.
"""

READING = """\
cases, by group; --case takes either:
{cases}

contenders (in groups other than {main}: {beside}, unless named):
{contenders}

reading the tables:
  "20 / 21 / 23" is the least, median and most of the rounds. A ratio is taken within each round;
  under 1 soapgate is cheaper. Differences under a tenth are noise on a shared machine; more rounds
  or a quieter machine help, longer turns do little. "soapgate : itself" is against the first row.

examples:
  make bench                                         the main table, about eight minutes
  make bench ARGS=--quick                            the same, one short round, two minutes
  make bench ARGS=--all                              every case, latency, memory: half an hour
  python -m bench -n 5 --case 0.5k --case 30k        five rounds of two cases
  python -m bench --case pins                        a whole group
  python -m bench --contender soapgate --case 1m     alone, while working on it
  python -m bench --latency --memory                 only these
  make bench-compare BASE=earlier.json               the newest result against an earlier one
  python -m bench --tables FILE.json                 its tables again, for the docs
  python -m bench --picture FILE.json > docs/ratio.svg

needs the Debian packages haproxy, nginx-light and wrk; for all of it libnginx-mod-http-js and, for
latency, vegeta, which comes through Go. What is missing is named, the rest is measured.
  apt-get install haproxy nginx-light wrk libnginx-mod-http-js golang-go
  go install github.com/tsenart/vegeta/v12@v12.8.4
"""

QUICK = Pace(rounds=1, seconds=1, warm_up=1)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says. Names are as typed; None = not said. `compare` is (base, new),
    new None for the newest result."""

    pace: Pace
    everything: bool
    cases: tuple[str, ...] | None
    contenders: tuple[str, ...] | None
    latency: bool
    memory: bool
    json: Path | None
    compare: tuple[Path, Path | None] | None
    tables: Path | None
    picture: Path | None


def read(arguments: Sequence[str] | None) -> Asked:
    """Raises SystemExit(2), after a line on stderr, for a wrong command line."""
    parser = _parser()
    found = parser.parse_args(arguments)
    if found.rounds < 1 or found.seconds < 1:
        parser.error("--rounds and --seconds are at least 1")
    if found.everything and found.case:
        parser.error("--all is every case; leave out --case")
    instead = [found.compare, found.tables, found.picture]
    if sum(each is not None for each in instead) > 1:
        parser.error("--compare, --tables and --picture: one at a time")
    if found.compare and len(found.compare) > 2:
        parser.error("--compare takes an earlier result and, if wanted, a later one")
    pace = Pace(found.rounds, found.seconds)
    return Asked(
        pace=QUICK if found.quick else pace,
        everything=found.everything,
        cases=tuple(found.case) if found.case else None,
        contenders=tuple(found.contender) if found.contender else None,
        latency=found.latency,
        memory=found.memory,
        json=found.json,
        compare=(found.compare[0], (found.compare[1:] or [None])[0]) if found.compare else None,
        tables=found.tables,
        picture=found.picture,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=ABOUT,
        epilog=READING.format(
            cases=_cases(), contenders=_contenders(), main=MAIN, beside=", ".join(BESIDE)
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    what = parser.add_argument_group("what to measure (nothing said: the main table)")
    what.add_argument("-a", "--all", dest="everything", action="store_true", help="everything")
    what.add_argument(
        "--case",
        action="append",
        choices=[*CASES, *GROUPS],
        metavar="NAME",
        help="a case or a group, see below; may be repeated",
    )
    what.add_argument(
        "--contender",
        action="append",
        choices=CONTENDERS,
        metavar="NAME",
        help="see below; may be repeated",
    )
    what.add_argument("--latency", action="store_true", help="latency at half load")
    what.add_argument("--memory", action="store_true", help="bytes of connection, exchange, pin")
    how = parser.add_argument_group("how")
    how.add_argument("-q", "--quick", action="store_true", help="one round of one second each")
    how.add_argument("-n", "--rounds", type=int, default=3, help="turns each (default: 3)")
    how.add_argument("-s", "--seconds", type=int, default=4, help="a turn's length (default: 4)")
    how.add_argument(
        "--json", type=Path, help="where to write the figures (default: bench/out/, by date)"
    )
    instead = parser.add_argument_group("instead of measuring")
    instead.add_argument(
        "--compare",
        nargs="+",
        type=Path,
        metavar=("BASE", "NEW"),
        help="how the ratios changed; NEW left out: the newest result in bench/out/",
    )
    instead.add_argument("--tables", type=Path, metavar="FILE", help="the tables of a result")
    instead.add_argument(
        "--picture", type=Path, metavar="FILE", help="ratio over size, as SVG, to standard output"
    )
    return parser


def _cases() -> str:
    lines = []
    for group, cases in GROUPS.items():
        lines.append(f"  {group}")
        lines += [f"    {case.name:16} {case.title}: {case.about}" for case in cases]
    return "\n".join(lines)


def _contenders() -> str:
    return "\n".join(f"  {each.name:12} {each.about}" for each in CONTENDERS.values())
