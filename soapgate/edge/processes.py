"""What Prometheus tells of a process, for one process or for several together.

With worker processes, memory, CPU time and open files are of interest for all of them. So each is
asked as prometheus_client asks the one it runs in, and the answers are added up. The rule: a
counter never falls. The CPU time of a worker that ended stays in the sum, from what the system
keeps of children that were waited for.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

CPU = "process_cpu_seconds"
OF_THE_FIRST = ("process_start_time_seconds", "process_max_fds")


class Processes(Collector):
    """The families of `ProcessCollector`, added up."""

    def __init__(self, pids: Callable[[], Iterable[int | str]]) -> None:
        """`pids()`: the processes of now, this one ("self") first; what cannot be added up is
        told of the first."""
        self._pids = pids

    def collect(self) -> Iterator[Metric]:
        """Each family once; of a process that is gone, nothing."""
        families: dict[str, Metric] = {}
        for pid in self._pids():
            for family in ProcessCollector(pid=lambda pid=pid: pid, registry=None).collect():
                known = families.setdefault(family.name, family)
                if known is not family and family.name not in OF_THE_FIRST:
                    _more(known, family.samples[0].value)
        if CPU in families:
            ended = resource.getrusage(resource.RUSAGE_CHILDREN)
            _more(families[CPU], ended.ru_utime + ended.ru_stime)
        yield from families.values()


def _more(family: Metric, value: float) -> None:
    sample = family.samples[0]
    family.samples[0] = sample._replace(value=sample.value + value)
