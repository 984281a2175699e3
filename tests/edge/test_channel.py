"""The channel between supervisor and worker, over bytes in memory."""

from __future__ import annotations

from typing import Any

import pytest
from ends import Pair
from twisted.internet.defer import Deferred

from soapgate.edge.channel import (
    CHUNK,
    Apply,
    Begin,
    Finish,
    Last,
    Mark,
    Refused,
    Reopen,
    Report,
    SupervisorEnd,
    Tell,
    WorkerEnd,
)


class Does:
    """A worker that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.begun: Deferred[None] = Deferred()

    def begin(self, told: Any) -> Deferred[None]:
        self.told.append(("begin", told))
        return self.begun

    def apply(self, told: Any) -> None:
        if told == "bad":
            raise Refused("no such file")
        self.told.append(("apply", told))

    def states(self, pools: Any) -> None:
        self.told.append(("states", pools))

    def reopen(self) -> None:
        self.told.append(("reopen",))

    def report(self) -> Any:
        return {"requests": 7}

    def finish(self, grace: float) -> None:
        self.told.append(("finish", grace))


class Talk:
    """Both ends."""

    def __init__(self) -> None:
        self.does = Does()
        self.up: list[Any] = []
        self.ended: list[str] = []
        supervisor = SupervisorEnd(
            lambda *mark: self.up.append(mark), self.up.append, lambda: self.ended.append("above")
        )
        worker = WorkerEnd(self.does, lambda: self.ended.append("below"))
        self.pair = Pair(supervisor, worker)

    def down(self, command: Any, **arguments: Any) -> Any:
        answer = self.pair.one.callRemote(command, **arguments)
        got: list[Any] | None = None
        if answer is not None:
            got = []
            answer.addBoth(got.append)
        self.pair.flow()
        return got


@pytest.fixture
def talk() -> Talk:
    return Talk()


def test_begin_is_answered_when_the_worker_accepts(talk: Talk) -> None:
    answer = talk.down(Begin, told={"number": 1})
    assert talk.does.told == [("begin", {"number": 1})]
    assert answer == []
    talk.does.begun.callback(None)
    talk.pair.flow()
    assert answer == [{}]


def test_a_refusal_brings_its_sentence(talk: Talk) -> None:
    answer = talk.down(Begin, told={})
    talk.does.begun.errback(Refused("log_to: no"))
    talk.pair.flow()
    (failure,) = answer
    assert failure.check(Refused)
    assert "log_to: no" in str(failure.value)
    (failure,) = talk.down(Apply, told="bad")
    assert failure.check(Refused)
    assert talk.down(Apply, told="good") == [{}]


@pytest.mark.parametrize("size", [0, 1, CHUNK - 2, CHUNK - 1, CHUNK, 10 * CHUNK])
def test_a_value_may_have_any_length(talk: Talk, size: int) -> None:
    told = {"text": "x" * size, "deep": [1, 2.5, None, True, {"ü": []}]}
    assert talk.down(Apply, told=told) == [{}]
    assert talk.does.told == [("apply", told)]


def test_words_without_an_answer_arrive_in_order(talk: Talk) -> None:
    for command, arguments in (
        (Tell, {"pools": {"p": {"b1": [1, "drain", True, 0]}}}),
        (Reopen, {}),
        (Finish, {"grace": 2.5}),
    ):
        assert talk.down(command, **arguments) is None
    assert talk.does.told == [
        ("states", {"p": {"b1": [1, "drain", True, 0]}}),
        ("reopen",),
        ("finish", 2.5),
    ]


def test_counts_come_when_they_are_asked_for_and_at_the_end(talk: Talk) -> None:
    assert talk.down(Report) == [{"counts": {"requests": 7}}]
    talk.pair.other.callRemote(Last, counts={"requests": 9})
    talk.pair.flow()
    assert talk.up == [{"requests": 9}]


def test_a_mark_goes_up(talk: Talk) -> None:
    talk.pair.other.callRemote(Mark, pool="p", backend="b1", row=3, ok=False)
    talk.pair.flow()
    assert talk.up == [("p", "b1", 3, False)]


def test_each_end_hears_once_that_the_other_is_gone(talk: Talk) -> None:
    answer = talk.down(Begin, told={})
    talk.pair.cut()
    assert talk.ended == ["above", "below"]
    assert len(answer) == 1
    assert talk.down(Reopen) is None  # into the void
