"""The first look at what comes in: who is asked, and who gets it otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from soapgate.edge.lines import DownstreamLine, UpstreamLine


class Asked:
    """A short way, or an exchange on it, that takes what it is told to take."""

    short = True

    def __init__(self, *, takes: bool) -> None:
        self.takes = takes
        self.seen: list[bytes] = []

    def go(self, line: object, data: bytes) -> bool:
        return self.answer(data)

    def answer(self, data: bytes) -> bool:
        self.seen.append(data)
        return self.takes


class Long(Asked):
    short = False


def downstream(short: Asked | None, **state: Any) -> Any:
    class Line(DownstreamLine):
        def received(self, data: bytes) -> None:
            self.rest = data

    line = Line()
    line.front = type("Front", (), {"short": short})()
    line.state, line.buffer, line.peer = "idle", b"", "192.0.2.7"
    line.rest = None
    for name, value in state.items():
        setattr(line, name, value)
    return line


def upstream(exchange: Asked | None, **state: Any) -> Any:
    class Line(UpstreamLine):
        def received(self, data: bytes) -> None:
            self.rest = data

    line = Line()
    line.exchange, line.buffer, line.flow = exchange, b"", None
    line.rest = None
    for name, value in state.items():
        setattr(line, name, value)
    return line


@pytest.mark.parametrize("make", [downstream, upstream])
@pytest.mark.parametrize("takes", [True, False])
def test_what_begins_a_message_is_shown_to_the_short_way(make: Any, takes: bool) -> None:
    asked = Asked(takes=takes)
    line = make(asked)
    line.dataReceived(b"data")
    assert asked.seen == [b"data"]
    assert line.rest == (None if takes else b"data")


@pytest.mark.parametrize(
    "state",
    [{"state": "exchange"}, {"buffer": b"half"}, {"peer": ""}],
    ids=lambda one: next(iter(one)),
)
def test_of_a_client_nothing_else_is_shown(state: dict[str, Any]) -> None:
    asked = Asked(takes=True)
    line = downstream(asked, **state)
    line.dataReceived(b"data")
    assert (asked.seen, line.rest) == ([], b"data")


@pytest.mark.parametrize("state", [{"buffer": b"half"}, {"flow": object()}], ids=["half", "flow"])
def test_of_a_backend_nothing_else_is_shown(state: dict[str, Any]) -> None:
    asked = Asked(takes=True)
    line = upstream(asked, **state)
    line.dataReceived(b"data")
    assert (asked.seen, line.rest) == ([], b"data")


def test_where_there_is_no_short_way_nobody_is_asked() -> None:
    for line in (downstream(None), upstream(None), upstream(Long(takes=True))):
        line.dataReceived(b"data")
        assert line.rest == b"data"
