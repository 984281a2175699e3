"""A coroutine driven by hand: whoever brings what it waits for sends it in.

`ensureDeferred` makes a Deferred and its callbacks for every await; with three awaits that costs a
third of the whole budget of an exchange. Here an await yields to the loop and the connections call
`resume` with what arrived, a tenth of the cost. One thing is waited for at a time, and named: what
comes from elsewhere finds nobody and does nothing. A Deferred (a remote store's answer) may be
awaited as well.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure as TwistedFailure

WAIT = object()  # what the coroutine yields when one of our own sources will resume it


class ClientLeft(Exception):
    """The client closed its connection before its answer was whole."""


class Steps:
    """The base of what runs as a coroutine. A subclass calls `_run` and says in `_broke` what an
    exception means; nothing is ever raised into the loop."""

    short = False  # no short way: see `soapgate.edge.fastpath`
    _coroutine: Coroutine[Any, Any, None] | None = None
    _waits_for: object = None

    @coroutine
    def wait(self, source: object) -> Generator[object, Any, Any]:
        """Awaited: until `source` resumes, and with what it brings."""
        self._waits_for = source
        value = yield WAIT
        self._waits_for = None
        return value

    def resume(self, source: object, value: object) -> bool:
        """Go on with what `source` brought; False if nobody waits for it."""
        steps = self._coroutine
        if self._waits_for is not source or steps is None:
            return False
        self._drive(steps.send, value)
        return True

    def fail(self, error: BaseException) -> None:
        """Whatever is waited for will not come."""
        if self._coroutine is not None:
            self._waits_for = None
            self._drive(self._coroutine.throw, error)

    def _run(self, steps: Coroutine[Any, Any, None]) -> None:
        self._coroutine = steps
        self._drive(steps.send, None)

    def _drive(self, go: Callable[[Any], object], value: object) -> None:
        try:
            waited = go(value)
        except StopIteration:
            return
        except Exception as error:
            self._coroutine = None
            self._broke(error)
            return
        if waited is not WAIT:
            self._await(waited)

    def _await(self, deferred: Any) -> None:
        assert isinstance(deferred, Deferred)
        self._waits_for = deferred

        def came(result: object) -> None:
            if not isinstance(result, TwistedFailure):
                self.resume(deferred, result)
            elif self._waits_for is deferred:
                self.fail(result.value)

        deferred.addBoth(came)

    def _broke(self, error: Exception) -> None:
        """The coroutine ended with `error`."""
        raise NotImplementedError
