"""Coroutines driven by hand: one source at a time, each answer once, no error into the loop."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from soapgate.edge.steps import Steps


class Story(Steps):
    """Runs a coroutine and notes how it ended."""

    def __init__(self) -> None:
        self.said: list[object] = []
        self.errors: list[Exception] = []

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._run(coroutine)

    def _broke(self, error: Exception) -> None:
        self.errors.append(error)


def test_it_runs_at_once_to_its_end_if_nothing_is_awaited() -> None:
    story = Story()

    async def tell() -> None:
        story.said.append("all")

    story.run(tell())
    assert story.said == ["all"]


def test_what_a_source_brings_is_what_the_wait_returns() -> None:
    story = Story()

    async def tell() -> None:
        story.said.append(await story.wait("a"))
        story.said.append(await story.wait("b"))

    story.run(tell())
    assert story.resume("a", 1)
    assert story.resume("b", 2)
    assert story.said == [1, 2]


def test_who_is_not_waited_for_finds_nobody() -> None:
    story = Story()

    async def tell() -> None:
        story.said.append(await story.wait("a"))

    assert not story.resume("a", 0)
    story.run(tell())
    assert not story.resume("b", 1)
    assert story.said == []
    assert story.resume("a", 2)
    assert story.said == [2]


def test_a_second_answer_of_one_source_is_ignored() -> None:
    story = Story()

    async def tell() -> None:
        story.said.append(await story.wait("a"))
        story.said.append(await story.wait("b"))

    story.run(tell())
    assert story.resume("a", 1)
    assert not story.resume("a", 2)
    assert story.resume("b", 3)
    assert not story.resume("b", 4)
    assert story.said == [1, 3]


def test_a_source_may_answer_from_inside_the_answer_of_another() -> None:
    """As a place that is given back wakes the next exchange while the first one still runs."""
    first, second = Story(), Story()

    async def one() -> None:
        await first.wait("go")
        second.resume("place", "mine")
        first.said.append("done")

    async def two() -> None:
        second.said.append(await second.wait("place"))

    first.run(one())
    second.run(two())
    assert first.resume("go", None)
    assert (first.said, second.said) == (["done"], ["mine"])


def test_a_failure_is_raised_where_it_waits() -> None:
    story = Story()

    async def tell() -> None:
        try:
            await story.wait("a")
        except ValueError as error:
            story.said.append(str(error))
        story.said.append(await story.wait("b"))

    story.run(tell())
    story.fail(ValueError("gone"))
    assert not story.resume("a", 1)
    assert story.resume("b", 2)
    assert story.said == ["gone", 2]


def test_what_it_raises_ends_it_and_is_told_once() -> None:
    story = Story()

    async def tell() -> None:
        await story.wait("a")
        raise KeyError("x")

    story.run(tell())
    story.resume("a", None)
    assert [type(error) for error in story.errors] == [KeyError]
    assert not story.resume("a", None)
    story.fail(ValueError())
    assert len(story.errors) == 1


def test_a_failure_nobody_catches_is_told_as_it_is() -> None:
    story = Story()
    gone = ValueError("gone")

    async def tell() -> None:
        await story.wait("a")

    story.run(tell())
    story.fail(gone)
    assert story.errors == [gone]


def test_a_failure_before_the_beginning_is_nobodys() -> None:
    story = Story()
    story.fail(ValueError())
    assert story.errors == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_deferred_is_awaited_like_anything_else(when: str) -> None:
    story = Story()
    deferred: Deferred[int] = succeed(7) if when == "before" else Deferred()

    async def tell() -> None:
        story.said.append(await deferred)
        story.said.append(await story.wait("a"))

    story.run(tell())
    if when == "after":
        assert story.said == []
        deferred.callback(7)
    assert story.resume("a", 8)
    assert story.said == [7, 8]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_deferred_that_fails_raises_its_error(when: str) -> None:
    story = Story()
    deferred: Deferred[int] = fail(ValueError("no")) if when == "before" else Deferred()

    async def tell() -> None:
        try:
            await deferred
        except ValueError as error:
            story.said.append(str(error))
        story.said.append(await story.wait("a"))

    story.run(tell())
    if when == "after":
        deferred.errback(ValueError("no"))
    assert story.resume("a", 8)
    assert story.said == ["no", 8]


def test_a_deferreds_own_failure_that_nobody_catches_is_told() -> None:
    story = Story()
    deferred: Deferred[int] = Deferred()

    async def tell() -> None:
        await deferred

    story.run(tell())
    deferred.errback(ValueError("no"))
    assert [str(error) for error in story.errors] == ["no"]


@pytest.mark.parametrize("late", ["result", "failure"])
def test_what_a_deferred_brings_too_late_is_ignored(late: str) -> None:
    story = Story()
    deferred: Deferred[int] = Deferred()

    async def tell() -> None:
        try:
            await deferred
        except TimeoutError:
            story.said.append("left")
        story.said.append(await story.wait("a"))

    story.run(tell())
    story.fail(TimeoutError())
    if late == "result":
        deferred.callback(1)
    else:
        deferred.errback(ValueError("nobody looks at this"))
    assert story.said == ["left"]
    assert story.resume("a", 2)
    assert story.errors == []


def test_nobody_else_may_answer_while_a_deferred_is_awaited() -> None:
    story = Story()
    deferred: Deferred[int] = Deferred()

    async def tell() -> None:
        story.said.append(await deferred)

    story.run(tell())
    assert not story.resume("a", 1)
    deferred.callback(2)
    assert story.said == [2]


def test_a_thousand_deferreds_that_have_fired_need_no_stack() -> None:
    story = Story()

    async def tell() -> None:
        for n in range(5000):
            await succeed(n)
        story.said.append("end")

    story.run(tell())
    assert story.said == ["end"]
