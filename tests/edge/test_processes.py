"""Memory, CPU time and files of several processes, as Prometheus reads them."""

from __future__ import annotations

import os
import resource

import pytest

from soapgate.edge.processes import CPU, OF_THE_FIRST, Processes


def told(*pids: int | str) -> dict[str, float]:
    return {one.name: one.samples[0].value for one in Processes(lambda: pids).collect()}


def test_processes_are_added_up():
    one, two = told("self"), told("self", os.getpid())
    assert two["process_open_fds"] == pytest.approx(2 * one["process_open_fds"], abs=4)
    assert two["process_resident_memory_bytes"] > 1.9 * one["process_resident_memory_bytes"]


def test_what_cannot_be_added_is_that_of_the_first():
    one, two = told("self"), told("self", 1)
    assert {name: one[name] for name in OF_THE_FIRST} == {name: two[name] for name in OF_THE_FIRST}


def test_a_process_that_is_gone_has_nothing():
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(pid, 0)
    assert told("self", pid).keys() == told("self").keys()
    assert told(pid) == {}


def test_time_of_processes_that_ended_stays():
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = sum(os.times()[:2])
    assert told("self")[CPU] == pytest.approx(own + ended.ru_utime + ended.ru_stime, abs=0.5)
