"""Nothing is left behind: answers that come too early, clients that leave, backends that break.

After each storm the gateway must have the file descriptors it had before, no exchange in flight,
no open connection, and serve the next request as if nothing had been.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from live import Cast, Scripted
from wire import WAIT, Client, Ended, Wire, ask, envelope, ok, post, start_of, wait_for

CLIENTS, TURNS, BODY = 100, 10, 300_000


def storm(one: Callable[[int], object], count: int = CLIENTS) -> list[object]:
    """What `count` clients return who do the same at once; the first error is raised."""
    gate = threading.Barrier(count)

    def start(number: int) -> object:
        gate.wait(WAIT)
        return one(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(start, range(count)))


class Stand(Scripted):
    """A scripted gateway, and what it had at first."""

    def __init__(self, cast: Cast) -> None:
        super().__init__(cast, timeouts={"upstream_idle": "1s"})
        # a long one, so that the pipe for such is there: it is made once and kept
        ask(self.play(polite), post(b"x" * BODY))
        self.fds = self._fds_at_rest()

    def _fds_at_rest(self) -> int:
        """Open files when no connection is left, to clients or to the backend."""
        self.gateway.at_rest()
        return wait_for(lambda: 0 if self.kept() else self.gateway.fds(), "no connection upstream")

    def check(self) -> None:
        """As before, and of use."""
        # the connection that asked for the metrics may not be closed yet on the gateway's side
        wait_for(lambda: self._fds_at_rest() <= self.fds + 1, f"{self.fds} files open as before")
        assert ask(self.play(polite), post(envelope())).body == b"fine"


def polite(wire: Wire) -> None:
    while True:
        wire.message()
        wire.send(ok(b"fine"))


def hasty(wire: Wire) -> None:
    """Answers each request before it reads the body, and reads it then."""
    while True:
        request = wire.head()
        wire.send(ok(b"early"))
        assert sum(map(len, wire.body(request))) == BODY


def hasty_and_gone(wire: Wire) -> None:
    """Answers before the body, says that it closes, and takes no more than it must."""
    wire.head()
    wire.send(ok(b"early", ("Connection", "close")))
    wire.half_close()
    wire.rest()


def rude(wire: Wire) -> None:
    """Answers before the body and is gone: the kernel resets the connection."""
    wire.head()
    wire.send(ok(b"early"))
    wire.reset()


@pytest.fixture(scope="module")
def stand(company: Cast) -> Stand:
    return Stand(company)


def early(port: int, *, keep: bool) -> Counter[bytes]:
    """The answers one client gets who sends long bodies, on one connection or on a new one each."""
    answers: Counter[bytes] = Counter()
    client: Client | None = None
    for _ in range(TURNS):
        client = client or Client(port)
        reply = b"none"
        with suppress(ConnectionError, Ended):
            client.send(start_of(("Content-Length", str(BODY))))
            with suppress(ConnectionError):  # an answer may be there though the rest was refused
                client.send(bytes(BODY))
            reply = client.message().body
        answers[reply if len(reply) < 10 else b"fault"] += 1
        if not keep:
            client.close()
            client = None
    if client is not None:
        client.close()
    return answers


def total(counters: list[Counter[bytes]]) -> Counter[bytes]:
    return sum(counters, Counter())


def test_a_thousand_early_answers_leak_nothing(stand):
    port = stand.play(hasty)
    assert total(storm(lambda _: early(port, keep=True))) == {b"early": CLIENTS * TURNS}
    stand.check()


def test_a_thousand_early_answers_that_end_their_connections_leak_nothing(stand):
    port = stand.play(hasty_and_gone)
    assert total(storm(lambda _: early(port, keep=False))) == {b"early": CLIENTS * TURNS}
    stand.check()


def test_a_thousand_early_answers_behind_which_the_backend_resets_leak_nothing(stand):
    """Some are lost with the connection; each client is told something, or is closed."""
    port = stand.play(rude)
    answers = total(storm(lambda _: early(port, keep=False)))
    assert answers.total() == CLIENTS * TURNS
    assert set(answers) <= {b"early", b"fault", b"none"}
    stand.check()


def test_clients_that_leave_at_any_moment_leak_nothing_and_blame_nobody(stand):
    port = stand.play(polite)
    raw = post(envelope(padding=50_000))

    def leave(number: int) -> None:
        chance = random.Random(number)
        for _ in range(TURNS):
            client = Client(port)
            with suppress(ConnectionError):
                client.send(raw[: chance.randrange(1, len(raw) + 1)])
                if chance.random() < 0.5:
                    client.half_close()
                    if chance.random() < 0.5:
                        client.some()
            client.reset()

    storm(leave, 30)
    stand.check()
    assert stand.gateway.backend("b1")["up"]


def test_clients_that_leave_while_the_backend_thinks_leak_nothing(stand):
    thinking, go = threading.Semaphore(0), threading.Event()

    def slow(wire: Wire) -> None:
        wire.message()
        thinking.release()
        go.wait(WAIT)

    port = stand.play(slow)
    clients = [Client(port) for _ in range(CLIENTS)]
    for client in clients:
        client.send(post(envelope()))
    for _ in clients:
        assert thinking.acquire(timeout=WAIT)
    assert stand.gateway.backend("b1")["inflight"] == CLIENTS
    for client in clients:
        client.reset()  # a mere close may be a half-close, whose answer is still wanted
    wait_for(lambda: not stand.gateway.backend("b1")["inflight"], "nothing in flight")
    go.set()
    stand.check()
    assert stand.gateway.backend("b1")["up"]


def test_backends_that_break_off_leak_nothing(stand):
    answer = ok(b"x" * 50_000)

    def break_off(wire: Wire) -> None:
        chance = random.Random(wire.sock.getpeername()[1])
        wire.message()
        wire.send(answer[: chance.randrange(len(answer))])
        if chance.random() < 0.5:
            wire.reset()

    port = stand.play(break_off)

    def meet(_: int) -> None:
        for _ in range(TURNS):
            with Client(port) as client:
                client.send(post(envelope(), ("Connection", "close")))
                assert len(client.rest()) < len(answer) + 200  # a whole one never comes

    storm(meet, 30)
    stand.check()


def test_every_exchange_left_a_line(stand):
    """One for each that the gateway counted, whatever became of it."""
    gateway = stand.gateway
    gateway.at_rest()

    def same() -> bool:
        lines = gateway.log_file.read_text().count("\n")
        return lines == gateway.metric("soapgate_exchanges_total") > 2000

    wait_for(same, "as many lines as exchanges")
