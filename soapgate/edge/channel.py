"""What supervisor and worker say to each other: AMP over a socketpair that the worker inherits.

    down   Begin      all a worker needs; answered when it accepts
           Apply      a new configuration; answered when it is in force
           Tell       administrative states and health of some backends
           Reopen     open the log file anew
           Report     counts, please
           Finish     take no new connection, end when the exchanges are through
    up     Mark       an exchange says something of a backend's health
           Last       the counts of a worker that is about to end

The one rule: nothing a message carries is code or a secret. Values are JSON; session ids, pins and
keys never go this way (pins are shared through their store). Both ends are processes of one
gateway, and nobody else has the socket.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.protocols import amp

CHUNK = amp.MAX_VALUE_LENGTH


class Refused(Exception):
    """The worker cannot do it; a sentence says why."""


class Json(amp.Argument):
    """A value as JSON; longer than one value of AMP may be (65,535 bytes), in several of them."""

    def toBox(self, name: bytes, strings: Any, objects: Any, proto: object) -> None:
        raw = json.dumps(objects[name.decode()], separators=(",", ":")).encode()
        pieces = [raw[at : at + CHUNK] for at in range(0, len(raw), CHUNK)]
        strings[name] = str(len(pieces)).encode()
        for number, piece in enumerate(pieces):
            strings[b"%b.%d" % (name, number)] = piece

    def fromBox(self, name: bytes, strings: Any, objects: Any, proto: object) -> None:
        pieces = [strings.pop(b"%b.%d" % (name, n)) for n in range(int(strings[name]))]
        objects[name.decode()] = json.loads(b"".join(pieces))


class Begin(amp.Command):
    arguments = [(b"told", Json())]
    response: list[Any] = []
    errors = {Refused: b"REFUSED"}


class Apply(amp.Command):
    arguments = [(b"told", Json())]
    response: list[Any] = []
    errors = {Refused: b"REFUSED"}


class Tell(amp.Command):
    """`pools`: {pool: {backend: [row, admin, up, streak]}}"""

    arguments = [(b"pools", Json())]
    requiresAnswer = False


class Reopen(amp.Command):
    arguments: list[Any] = []
    requiresAnswer = False


class Report(amp.Command):
    arguments: list[Any] = []
    response = [(b"counts", Json())]


class Finish(amp.Command):
    """`grace`: seconds that running exchanges have."""

    arguments = [(b"grace", amp.Float())]
    requiresAnswer = False


class Mark(amp.Command):
    arguments = [
        (b"pool", amp.Unicode()),
        (b"backend", amp.Unicode()),
        (b"row", amp.Integer()),
        (b"ok", amp.Boolean()),
    ]
    requiresAnswer = False


class Last(amp.Command):
    arguments = [(b"counts", Json())]
    requiresAnswer = False


class Channel(amp.AMP):  # type: ignore[misc]  # Twisted's has no types
    """One end. `ended()` is called once when the other end is gone."""

    def __init__(self, ended: Any) -> None:
        super().__init__()
        self._ended = ended

    # past AMP's own two methods, which log each connection

    def makeConnection(self, transport: Any) -> None:
        amp.BinaryBoxProtocol.makeConnection(self, transport)

    def connectionLost(self, reason: Any) -> None:
        amp.BinaryBoxProtocol.connectionLost(self, reason)
        self.transport = None
        self._ended()


class SupervisorEnd(Channel):
    """The supervisor's end of a worker's channel."""

    def __init__(self, marked: Any, last: Any, ended: Any) -> None:
        """`marked(pool, backend, row, ok)` and `last(counts)` hear what comes up."""
        super().__init__(ended)
        self._marked = marked
        self._last = last

    @Mark.responder
    def _mark(self, pool: str, backend: str, row: int, ok: bool) -> dict[str, Any]:
        self._marked(pool, backend, row, ok)
        return {}

    @Last.responder
    def _came_last(self, counts: Any) -> dict[str, Any]:
        self._last(counts)
        return {}


class WorkerEnd(Channel):
    """The worker's end. `does` has a method for each message, named as it."""

    def __init__(self, does: Any, ended: Any) -> None:
        super().__init__(ended)
        self._does = does

    @Begin.responder
    def _begin(self, told: Any) -> Any:
        return self._does.begin(told).addCallback(lambda _: {})

    @Apply.responder
    def _apply(self, told: Any) -> dict[str, Any]:
        self._does.apply(told)
        return {}

    @Tell.responder
    def _states(self, pools: Any) -> dict[str, Any]:
        self._does.states(pools)
        return {}

    @Reopen.responder
    def _reopen(self) -> dict[str, Any]:
        self._does.reopen()
        return {}

    @Report.responder
    def _report(self) -> dict[str, Any]:
        return {"counts": self._does.report()}

    @Finish.responder
    def _finish(self, grace: float) -> dict[str, Any]:
        self._does.finish(grace)
        return {}
