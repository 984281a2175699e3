"""From what was asked to what will run: which cases, before whom, and what is left out and why.

The one rule: whatever cannot be measured here is named, with what would help, and the rest is
measured. A contender that cannot run on this machine is asked once; one that a case is nothing for
is left out of that case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench import latency, load, nginx, open_loop
from bench.cases import CASES, MAIN, Case
from bench.contenders import Contender
from bench.contenders.everybody import BESIDE, CONTENDERS
from bench.options import Asked
from bench.processes import missing
from bench.rounds import Entry

Missing = Callable[[dict[str, str]], dict[str, str]]


@dataclass(frozen=True, slots=True)
class Selection:
    """What will run. `left_out`: sentences. With nothing to run everything is empty."""

    entries: tuple[Entry, ...] = ()
    waiting: tuple[Case, ...] = ()
    waiters: tuple[Contender, ...] = ()
    weighed: tuple[Contender, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def contenders(self) -> list[Contender]:
        """Everybody who takes part, each once."""
        those = [each for _case, who in self.entries for each in who]
        return list({each.name: each for each in [*those, *self.waiters, *self.weighed]}.values())


def select(asked: Asked, missing: Missing = missing) -> Selection:
    """What of that can be done on this machine."""
    lacking = missing({**nginx.PACKAGES, **load.PACKAGES})
    if lacking:
        return Selection(left_out=(f"nothing is measured: {install(lacking)}",))
    left_out: list[str] = []
    able = _able(asked, missing, left_out)
    only = asked.latency or asked.memory
    entries = () if only and not asked.everything else _entries(asked, able, left_out)
    waiting: tuple[Case, ...] = ()
    if asked.latency or asked.everything:
        if missing(open_loop.PACKAGES):
            left_out.append(f"no latency: vegeta not found: {open_loop.INSTALL}")
        else:
            waiting = _waiting(asked)
    beside = _beside(asked, able)
    return Selection(
        entries=entries,
        waiting=waiting if beside else (),
        waiters=beside if waiting else (),
        weighed=beside if asked.memory or asked.everything else (),
        left_out=tuple(left_out),
    )


def install(lacking: dict[str, str]) -> str:
    """What to say of missing programs: {program: Debian package}."""
    programs, packages = ", ".join(lacking), " ".join(lacking.values())
    return f"{programs} not found: apt-get install {packages}"


def _able(asked: Asked, missing: Missing, left_out: list[str]) -> list[Contender]:
    """Those of the contenders in question that can run here."""
    able = []
    for name in _names(asked):
        contender = CONTENDERS[name]
        lacking = missing(contender.packages)
        why = install(lacking) if lacking else contender.lacks()
        if why:
            left_out.append(f"without {name}: {why}")
        else:
            able.append(contender)
    return able


def _names(asked: Asked) -> Sequence[str]:
    if asked.contenders:
        return tuple(name for name in CONTENDERS if name in asked.contenders)
    chosen = _chosen(asked)
    main = any(case.group == MAIN for case in chosen) and not (asked.latency or asked.memory)
    return tuple(CONTENDERS) if main or asked.everything else BESIDE


def _chosen(asked: Asked) -> list[Case]:
    """The cases by name, in the order of the tables; a group stands for its cases."""
    if asked.everything:
        return list(CASES.values())
    named = set(asked.cases or (MAIN,))
    return [case for case in CASES.values() if case.name in named or case.group in named]


def _entries(asked: Asked, able: list[Contender], left_out: list[str]) -> tuple[Entry, ...]:
    entries = []
    for case in _chosen(asked):
        wanted = [
            each for each in able if asked.contenders or case.group == MAIN or each.name in BESIDE
        ]
        for each in wanted:
            if each.refuses(case):
                left_out.append(f"{case.name} without {each.name}: {each.refuses(case)}")
        takers = tuple(each for each in wanted if not each.refuses(case))
        if takers:
            entries.append((case, takers))
    return tuple(entries)


def _waiting(asked: Asked) -> tuple[Case, ...]:
    """The cases of the latency; those with serial numbers are none, vegeta cannot count."""
    names = latency.CASES if asked.everything or not asked.cases else asked.cases
    chosen = [case for case in CASES.values() if case.name in names or case.group in names]
    return tuple(case for case in chosen if not case.serials)


def _beside(asked: Asked, able: list[Contender]) -> tuple[Contender, ...]:
    """Who is measured for latency and memory: they need a table and one port."""
    names = asked.contenders or BESIDE
    return tuple(each for each in able if each.name in names and each.sticks)
