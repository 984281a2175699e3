"""Who runs where, what is missing, and what the kernel says of a process."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import pytest

from bench import processes
from bench.processes import Cores


@pytest.mark.parametrize(
    ("cpus", "wanted", "gateway", "others"),
    [
        ([0], 1, {0}, {0}),
        ([0, 1], 1, {0}, {1}),
        ([0, 1], 2, {0}, {1}),
        ([4, 5, 6], 2, {4}, {5, 6}),
        ([0, 1, 2, 3], 2, {0, 1}, {2, 3}),
        ([0, 1, 2, 3], 1, {0}, {1, 2, 3}),
    ],
)
def test_gateway_is_alone_on_its_cpus(
    cpus: list[int], wanted: int, gateway: set[int], others: set[int]
) -> None:
    cores = Cores.among(cpus, wanted)
    assert (cores.gateway, cores.others) == (gateway, others)
    assert cores.apart == (len(cpus) > 1)


def test_process_that_can_use_one_cpu_gets_one() -> None:
    cores = Cores.among([0, 1, 2, 3], 2)
    assert cores.first(1) == {0}
    assert cores.first(2) == {0, 1}


def test_missing_names_programs_with_their_packages() -> None:
    wanted = {"sh": "dash", "no-such-program": "some-package"}
    assert processes.missing(wanted) == {"no-such-program": "some-package"}


def test_memory_of_a_process_grows_with_what_it_holds() -> None:
    size = 16 * 1024 * 1024
    before = processes.memory_bytes(os.getpid())
    with mmap.mmap(-1, size) as held:  # not of the heap, which may have room from before
        held.write(b"x" * size)
        grown = processes.memory_bytes(os.getpid()) - before
    assert 0.8 * size < grown < 3 * size


def test_cpu_of_a_process_counts_on() -> None:
    before = processes.cpu_seconds(os.getpid())
    sum(range(200_000))
    assert processes.cpu_seconds(os.getpid()) > before


def test_tail_is_the_end_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert processes.tail(log) == ""
    log.write_text("".join(f"line {number}\n" for number in range(9)))
    assert processes.tail(log, 2) == "\n    line 7\n    line 8"
