"""The life of workers: started, asked, replaced, ended; on a clock and channels in memory."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from ends import Pair
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from soapgate.core.errors import ConfigError
from soapgate.edge.channel import Last, Refused, WorkerEnd
from soapgate.edge.workers import (
    FIRST_REST,
    LINGERS,
    LONGEST_REST,
    REPORT_SECONDS,
    SILENT,
    STEADY,
    Crew,
    how_it_ended,
    spawner,
)


class Process:
    """A worker's process: does what it is told, or what the test makes it do."""

    def __init__(self, number: int, pid: int, ended: Callable[[str], None]) -> None:
        self.number = number
        self.pid = pid
        self.told: list[Any] = []
        self.signals: list[str] = []
        self.counted = 0
        self.begun: Deferred[None] | None = None
        self.silent: Deferred[Any] | None = None
        self.ended = ended
        self.end = WorkerEnd(self, lambda: self.told.append("cut off"))

    def begin(self, told: Any) -> Deferred[None]:
        self.told.append(told)
        return self.begun or succeed(None)

    def apply(self, told: Any) -> None:
        if told == "bad":
            raise Refused("it has gone")
        self.told.append(told)

    def states(self, pools: Any) -> None:
        self.told.append(pools)

    def reopen(self) -> None:
        self.told.append("reopen")

    def report(self) -> Any:
        return {"exchanges": [[["shop", "pinned", "bound"], self.counted]]}

    def finish(self, grace: float) -> None:
        self.told.append(f"finish {grace:g}")

    def signalProcess(self, signal: str) -> None:
        self.signals.append(signal)
        if signal == "KILL":
            self.dies("was ended by signal 9")

    def dies(self, how: str = "ended with status 1") -> None:
        """The process is no more."""
        self.pair.cut()
        self.ended(how)

    def leaves(self) -> None:
        """It ends well, and says what it counted."""
        self.end.callRemote(Last, counts=self.report())
        self.pair.flow()
        self.dies("ended with status 0")


class Works:
    """A crew, its clock, and every process there ever was."""

    def __init__(self, count: int = 2) -> None:
        self.clock = Clock()
        self.processes: list[Process] = []
        self.buried: list[tuple[int, Any]] = []
        self.marks: list[Any] = []
        self.begun: Deferred[None] | None = None
        self.refuses: type[Exception] | None = None
        self.crew = Crew(
            self.clock, count, self.spawn, lambda number: {"number": number},
            lambda *mark: self.marks.append(mark), lambda *about: self.buried.append(about),
        )  # fmt: skip

    def spawn(self, number: int, end: Any, ended: Callable[[str], None]) -> Process:
        if self.refuses is not None:
            raise self.refuses("no memory")
        process = Process(number, 100 + len(self.processes), ended)
        process.begun = self.begun
        process.pair = Pair(end, process.end)
        self.processes.append(process)
        return process

    def flow(self) -> None:
        for process in self.processes:
            process.pair.flow()

    def start(self) -> Works:
        self.started: list[Any] = []
        self.crew.start().addBoth(self.started.append)
        self.flow()
        return self

    def passes(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.flow()

    def states(self) -> list[str]:
        return [info.state for info in self.crew.infos()]


@pytest.fixture
def works() -> Works:
    return Works().start()


# They begin


def test_it_has_started_when_every_worker_serves() -> None:
    works = Works()
    works.begun = Deferred()
    works.start()
    assert (works.started, works.states()) == ([], ["starting", "starting"])
    assert [process.told for process in works.processes] == [[{"number": 0}], [{"number": 1}]]
    works.begun.callback(None)
    works.flow()
    assert (works.started, works.states()) == ([None], ["serving", "serving"])
    assert works.crew.pids == [100, 101]
    assert works.crew.serving == 2


def test_one_that_cannot_begin_says_why() -> None:
    works = Works()
    works.begun = Deferred()
    works.start()
    works.begun.errback(Refused("log_to: no"))
    works.flow()
    assert works.started[0].check(ConfigError)
    assert works.started[0].value.problems == ("log_to: no",)


def test_one_that_ends_before_it_serves_keeps_the_whole_from_starting() -> None:
    works = Works()
    works.begun = Deferred()
    works.start()
    works.processes[1].dies()
    assert works.started[0].value.problems == (
        "worker 1 ended with status 1 before it could serve",
    )


def test_one_that_cannot_be_started_is_told() -> None:
    works = Works()
    works.refuses = OSError
    works.start()
    assert "could not be started: no memory" in str(works.started[0].value)


def test_one_that_breaks_at_its_beginning_is_killed(works: Works, said: list[str]) -> None:
    works.begun = Deferred()
    works.processes[0].dies()
    works.passes(0)
    works.begun.errback(KeyError("told"))
    works.flow()
    assert works.processes[2].signals == ["KILL"]
    assert any("worker 0 did not begin" in line for line in said)


# They die


def test_one_that_dies_is_replaced_at_once(works: Works, said: list[str]) -> None:
    works.processes[0].dies("was ended by signal 9")
    assert works.states() == ["gone", "serving"]
    assert works.buried == [(0, None)]
    works.passes(0)
    assert works.states() == ["serving", "serving"]
    assert works.processes[2].told == [{"number": 0}]
    assert works.crew.restarts == 1
    assert works.crew.reasons() == []
    assert any("worker 0 (pid 100) was ended by signal 9" in line for line in said)


def test_one_that_keeps_dying_is_started_later_each_time(works: Works) -> None:
    rests = []
    for _ in range(10):
        next(one for one in reversed(works.processes) if one.number == 0).dies()
        before, waited = len(works.processes), 0.0
        while len(works.processes) == before:
            works.passes(FIRST_REST / 2 if waited else 0)
            waited += FIRST_REST / 2
        rests.append(waited - FIRST_REST / 2)
    assert rests[:4] == [0, FIRST_REST, 2 * FIRST_REST, 4 * FIRST_REST]
    assert rests[-1] == LONGEST_REST
    assert works.crew.restarts == 10


def test_a_series_is_told_until_it_serves_steadily(works: Works) -> None:
    for rest in (0.0, FIRST_REST, 2 * FIRST_REST):
        assert works.crew.reasons() == []
        next(one for one in reversed(works.processes) if one.number == 1).dies()
        works.passes(rest)
    assert works.states() == ["serving", "serving"]
    works.passes(STEADY - 0.1)
    assert works.crew.reasons() == ["worker 1 ended 3 times in a row soon after its start"]
    works.passes(0.2)
    assert works.crew.reasons() == []


def test_who_served_steadily_begins_a_new_series(works: Works) -> None:
    for _ in range(4):
        works.passes(STEADY)
        works.processes[-1].dies()
        before = len(works.processes)
        works.passes(0)
        assert len(works.processes) == before + 1
    assert works.crew.reasons() == []


def test_what_it_last_counted_is_handed_over(works: Works) -> None:
    works.processes[1].counted = 7
    works.crew.gather()
    works.flow()
    assert [info.exchanges for info in works.crew.infos()] == [0, 7]
    works.processes[1].dies()
    ((number, counts),) = works.buried
    assert (number, counts["exchanges"]) == (1, [[["shop", "pinned", "bound"], 7]])
    assert len(works.crew.counts) == 1


def test_one_whose_channel_closes_but_that_lives_on_is_killed(works: Works) -> None:
    works.processes[0].pair.cut()
    works.passes(LINGERS - 0.1)
    assert works.processes[0].signals == []
    works.passes(0.2)
    assert works.processes[0].signals == ["KILL"]
    assert works.states() == ["serving", "serving"]


def test_one_that_was_asked_by_somebody_else_to_end_is_replaced(works: Works) -> None:
    works.processes[0].leaves()
    works.passes(0)
    assert works.states() == ["serving", "serving"]
    assert works.buried[0][1] is not None


# They are told and asked


def test_words_reach_all(works: Works) -> None:
    works.crew.tell({"p": {"b1": [1, "drain", True, 0]}})
    works.crew.reopen()
    works.flow()
    for process in works.processes:
        assert process.told[1:] == [{"p": {"b1": [1, "drain", True, 0]}}, "reopen"]


def test_a_new_configuration_is_in_force_when_all_have_it(works: Works) -> None:
    done: list[Any] = []
    works.crew.apply(lambda number: f"new {number}").addCallback(done.append)
    assert not done
    works.flow()
    assert done
    assert [process.told[-1] for process in works.processes] == ["new 0", "new 1"]


def test_one_that_cannot_take_it_is_replaced(works: Works, said: list[str]) -> None:
    works.crew.apply(lambda number: "bad" if number else "new")
    works.flow()
    works.flow()
    assert works.processes[1].told[-1] == "finish 0"
    assert works.states() == ["serving", "finishing"]
    assert "worker 1: it has gone" in "\n".join(said)
    works.processes[1].leaves()
    works.passes(0)
    assert works.states() == ["serving", "serving"]


def test_one_that_does_not_answer_is_told_of_as_it_last_was(works: Works) -> None:
    works.processes[0].counted = works.processes[1].counted = 3
    works.crew.gather()
    works.flow()
    works.processes[1].counted = 5
    done: list[Any] = []
    works.crew.gather().addCallback(done.append)
    works.processes[1].pair.flow()
    assert not done
    works.clock.advance(REPORT_SECONDS)
    assert done
    assert [info.exchanges for info in works.crew.infos()] == [3, 5]
    works.clock.advance(SILENT)
    assert works.crew.reasons() == [
        f"worker 0 has not answered for {REPORT_SECONDS + SILENT:.0f} s"
    ]
    again: list[Any] = []
    works.crew.gather().addCallback(again.append)  # it is neither asked again nor waited for
    works.processes[1].pair.flow()
    assert again
    works.processes[0].counted = 4
    works.flow()
    assert [info.exchanges for info in works.crew.infos()] == [4, 5]
    assert works.crew.reasons() == []


def answers(works: Works) -> None:
    """The workers answer; their answers are still on the way."""
    for process in works.processes:
        question = process.pair.wires[0]
        process.end.dataReceived(question.value())
        question.clear()


def test_counts_are_no_older_than_the_question(works: Works) -> None:
    fired: list[int] = []
    works.crew.gather().addCallback(lambda _: fired.append(1))
    answers(works)
    works.processes[0].counted = works.processes[1].counted = 5
    for number in (2, 3):
        works.crew.gather().addCallback(lambda _, n=number: fired.append(n))
    assert fired == []
    works.flow()
    assert fired == [1, 2, 3]
    assert [info.exchanges for info in works.crew.infos()] == [5, 5]


def test_who_asks_meanwhile_waits_no_longer_than_the_others(works: Works) -> None:
    works.crew.gather()
    works.clock.advance(REPORT_SECONDS - 0.1)
    done: list[Any] = []
    works.crew.gather().addCallback(done.append)
    works.clock.advance(REPORT_SECONDS - 0.1)
    assert not done
    works.clock.advance(0.1)
    assert done
    works.flow()  # what comes too late is taken all the same
    assert works.crew.reasons() == []


@pytest.mark.parametrize("cut_first", [False, True])
def test_who_waits_for_a_worker_that_dies_hears_of_it(works: Works, cut_first: bool) -> None:
    done: list[int] = []
    works.crew.gather()
    # of the dead it hears when its last counts were handed over
    works.crew.gather().addCallback(lambda _: done.append(len(works.buried)))
    works.processes[1].pair.flow()
    if cut_first:
        works.processes[0].pair.cut()
    works.processes[0].ended("was ended by signal 9")
    works.processes[0].pair.cut()
    assert done == [0 if cut_first else 1]


def test_a_mark_of_any_worker_is_heard(works: Works) -> None:
    from soapgate.edge.channel import Mark

    works.processes[1].end.callRemote(Mark, pool="p", backend="b1", row=2, ok=False)
    works.flow()
    assert works.marks == [("p", "b1", 2, False)]


# They end


def finish(works: Works, grace: float = 30.0) -> list[Any]:
    done: list[Any] = []
    works.crew.finish(grace).addCallback(done.append)
    works.flow()
    return done


def test_all_finish_and_none_is_replaced(works: Works) -> None:
    done = finish(works)
    assert [process.told[-1] for process in works.processes] == ["finish 30", "finish 30"]
    works.processes[0].leaves()
    assert not done
    works.processes[1].leaves()
    assert done
    assert len(works.buried) == 2
    assert works.clock.getDelayedCalls() == []
    assert len(works.processes) == 2


def test_who_does_not_finish_is_killed_in_the_end(works: Works) -> None:
    done = finish(works, 5.0)
    works.processes[0].leaves()
    works.passes(5.0 + LINGERS)
    assert works.processes[1].signals == ["KILL"]
    assert done


def test_one_that_waits_to_be_started_again_is_not(works: Works) -> None:
    works.processes[0].dies()
    done = finish(works)
    works.processes[1].leaves()
    works.passes(LONGEST_REST)
    assert (len(works.processes), len(done)) == (2, 1)


def test_one_that_has_not_begun_is_killed(works: Works) -> None:
    works.begun = Deferred()
    works.processes[0].dies()
    works.passes(0)
    assert works.states() == ["starting", "serving"]
    finish(works)
    assert works.processes[2].signals == ["KILL"]


def test_a_process_that_ended_already_cannot_be_killed(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(signal: str) -> None:
        raise ProcessExitedAlready

    monkeypatch.setattr(works.processes[0], "signalProcess", gone)
    works.processes[0].pair.cut()
    works.passes(LINGERS)


# Real processes, but none is started


class Spawning:
    """As much of a reactor as starts a process."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def spawnProcess(self, protocol: Any, *arguments: Any, **others: Any) -> Any:
        self.asked.append((protocol, arguments, others))
        return "process"

    def adoptStreamConnection(self, fd: int, family: int, factory: Any) -> None:
        self.end = factory.buildProtocol(None)


def test_a_worker_is_a_fresh_interpreter_with_the_channel_and_what_it_inherits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LISTEN_FDS", "1")
    reactor = Spawning()
    ended: list[str] = []
    end: Any = object()
    assert spawner(reactor, "soapgate.worker", [40, 41])(3, end, ended.append) == "process"
    protocol, (program, arguments, environment), others = reactor.asked[0]
    assert program == sys.executable
    assert arguments == [sys.executable, "-P", "-m", "soapgate.worker", "3"]
    assert "LISTEN_FDS" not in environment
    fds = others["childFDs"]
    assert (fds[1], fds[2], fds[4], fds[5], sorted(fds)) == (1, 2, 40, 41, [0, 1, 2, 3, 4, 5])
    assert reactor.end is end
    protocol.processEnded(Failure(ProcessDone(0)))
    assert ended == ["ended with status 0"]


@pytest.mark.parametrize(
    ("error", "how"),
    [
        (ProcessDone(0), "ended with status 0"),
        (ProcessTerminated(exitCode=3), "ended with status 3"),
        (ProcessTerminated(signal=9), "was ended by signal 9"),
    ],
)
def test_how_it_ended_is_a_sentence(error: Exception, how: str) -> None:
    assert how_it_ended(Failure(error)) == how
