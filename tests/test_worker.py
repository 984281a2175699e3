"""A worker by itself: what it does when it cannot begin, and when its supervisor is gone."""

from __future__ import annotations

import os
from typing import Any

import pytest
from crew import House2
from gate import ok, post
from twisted.internet.defer import Deferred

from soapgate.edge.channel import Refused
from soapgate.worker import Worker


def test_without_its_supervisor_it_ends_at_once_if_nobody_is_there(crewed: House2) -> None:
    crewed.processes[1].pair.cut()
    worker, loop = crewed.workers[1], crewed.loops[1]
    loop.advance(0)
    assert (worker._through, loop.ended) == (True, True)


def test_without_its_supervisor_it_lets_its_exchanges_finish(
    crewed: House2, said: list[str]
) -> None:
    client = crewed.client(0)
    client.says(post())
    backend = crewed.backend(0)
    crewed.processes[0].pair.cut()
    worker = crewed.workers[0]
    assert all(port.closed for port in worker._ports)
    assert not worker._through
    backend.says(ok("s-1"))
    assert b"\r\nConnection: close\r\n" in client.heard()
    assert worker._through
    assert "the supervisor is gone: finishing" in said


def test_told_to_end_it_finishes_says_what_it_counted_and_is_replaced(crewed: House2) -> None:
    crewed.serve(1, post(), ok())
    crewed.workers[1].told_to_end()
    crewed.flow()
    crewed.reactor.advance(0)
    crewed.flow()
    crewed.gather()
    assert sum(crewed.gateway.metrics.exchanges.values()) == 1
    assert [one.state for one in crewed.gateway.workers()] == ["serving", "serving"]


def test_it_finishes_once(crewed: House2) -> None:
    worker = crewed.workers[0]
    worker.finish(5.0)
    worker.finish(5.0)
    worker.told_to_end()
    crewed.flow()


def test_what_it_cannot_begin_with_it_refuses_and_ends(crewed: House2) -> None:
    ended: list[str] = []
    worker = Worker(crewed.loops[0], lambda: ended.append("ended"))
    told = crewed.gateway.staff._told(0)
    bad = {**told, "tables": {**told["tables"], "pool": {}}}
    refused: list[Any] = []
    begun: Deferred[None] = worker.begin(bad)
    begun.addErrback(refused.append)
    assert refused[0].check(Refused)
    assert "at least one [pool.NAME] is needed" in str(refused[0].value)
    assert ended == []
    crewed.loops[0].advance(0)
    assert ended == ["ended"]


def test_it_ends_too_when_what_it_is_told_cannot_be_made_real(
    crewed: House2, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []
    loop = crewed.loops[0]
    worker = Worker(loop, lambda: ended.append("ended"))
    told = crewed.gateway.staff._told(0)
    pool = {"backend": [{"name": "b1", "url": "https://10.0.0.1"}], "tls": {"ca": "gone.pem"}}
    bells = [os.dup(fd) for fd in crewed.gateway.staff._bells.fds]
    bad = {
        **told,
        "tables": {**told["tables"], "pool": {"shop": pool}},
        "board": os.dup(crewed.gateway.staff._board.fd),
        "bells": bells,
    }
    refused: list[Any] = []
    worker.begin(bad).addErrback(refused.append)
    assert refused[0].check(Refused)
    loop.advance(0)
    assert ended == ["ended"]
    worker._serving.end()
    for fd in (bad["board"], *bells):
        os.close(fd)


def test_before_it_has_begun_it_has_counted_nothing_and_ends_at_once() -> None:
    ended: list[str] = []
    worker = Worker(None, lambda: ended.append("ended"))
    worker.apply({})
    worker.states({"p": {}})
    worker.reopen()
    assert worker.report() == {}
    worker.finish(9.0)
    assert ended == ["ended"]


def test_a_configuration_that_it_cannot_make_real_is_refused(crewed: House2) -> None:
    told = crewed.gateway.staff._told(0)
    pool = {"backend": [{"name": "b1", "url": "https://10.0.0.1"}], "tls": {"ca": "gone.pem"}}
    with pytest.raises(Refused, match=r"gone.pem"):
        crewed.workers[0].apply({**told, "tables": {**told["tables"], "pool": {"shop": pool}}})
    crewed.serve(0, post(), ok())
