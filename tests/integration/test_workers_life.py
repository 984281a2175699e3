"""Workers that die, a gateway that reloads or ends: only exchanges of the dead are lost."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable

import pytest
from live import Cast, Gateway, settings
from many import TWO, alive, all_serve, two_workers, workers
from wire import WAIT, Client, Ended, ask, envelope, issued_id, post, session, slow, wait_for

LOGIN = post(envelope(body="<s:login/>"))


@pytest.fixture
def two(cast: Cast) -> Callable[..., Gateway]:
    """A gateway with two workers."""
    return two_workers(cast)


# A worker dies


def test_a_killed_worker_is_replaced_and_nothing_is_lost_but_its_exchanges(two, cast):
    """Under load, with pinned sessions; a client that was cut off tries again."""
    gateway = two(cast.shops("b1", "b2", "b3"))
    issued = {}
    for _ in range(9):
        reply = ask(gateway.port, LOGIN)
        issued[issued_id(reply)] = reply.node
    stop = threading.Event()
    strayed: list[tuple[str, str]] = []
    cut, served = Counter(), Counter()

    def load(identity: str, node: str) -> None:
        request = post(envelope(session(identity)))
        while not stop.is_set():
            try:
                with Client(gateway.port) as client:
                    while not stop.is_set():
                        reply = client.ask(request)
                        served[identity] += 1
                        if (reply.status, reply.node) != (200, node):
                            strayed.append((identity, reply.start))
            except (Ended, ConnectionError):
                cut[identity] += 1

    threads = [threading.Thread(target=load, args=one) for one in issued.items()]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: all(served[one] > 3 for one in issued), "load")
        for number in (0, 1):
            pid = workers(gateway)[number]["pid"]
            os.kill(pid, signal.SIGKILL)
            wait_for(
                lambda n=number, p=pid: workers(gateway)[n]["pid"] not in (p, None), "a new one"
            )
            wait_for(lambda: all_serve(gateway), "all serve again")
            before = Counter(served)
            wait_for(lambda b=before: all(served[o] > b[o] + 3 for o in issued), "load again")
    finally:
        stop.set()
        for thread in threads:
            thread.join(WAIT)
    assert not strayed
    assert sum(cut.values()) <= 2 * len(issued)
    gateway.at_rest()
    assert gateway.backend("b1")["inflight"] == 0
    assert gateway.metric("soapgate_worker_restarts_total") == 2
    assert gateway.metric("soapgate_connections_open", side="downstream") == 0
    assert "worker 0" in gateway.says(r"worker 0 \(pid \d+\) was ended by signal 9")[0]
    assert gateway.call("GET", "/health/ready")[0] == 200


def test_counts_of_a_killed_worker_stay(two, cast):
    gateway = two(cast.shops("b1"))
    clients = [Client(gateway.port) for _ in range(6)]
    for client in clients:
        client.ask(LOGIN)
    assert gateway.metric("soapgate_exchanges_total") == 6  # asked, and so known
    for one in workers(gateway):
        os.kill(one["pid"], signal.SIGKILL)
    wait_for(lambda: gateway.metric("soapgate_worker_restarts_total") == 2, "two restarts")
    wait_for(lambda: all_serve(gateway), "all serve")
    assert gateway.metric("soapgate_exchanges_total") == 6
    assert gateway.metric("soapgate_connections_total", how="accepted") == 6
    assert gateway.metric("soapgate_connections_open", side="downstream") == 0
    for client in clients:
        client.close()
    ask(gateway.port, LOGIN)
    assert gateway.metric("soapgate_exchanges_total") == 7


def test_a_worker_that_keeps_ending_is_started_later_each_time_and_that_is_said(two, cast):
    gateway = two(cast.shops("b1"))
    for _ in range(4):
        pid = wait_for(lambda: workers(gateway)[0]["pid"], "worker 0 is started")
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda p=pid: workers(gateway)[0]["pid"] != p, "its end is seen")
    found = re.findall(r"worker 0 \(pid \d+\).* started again in (\S+) s", gateway.stderr)
    assert found == ["0", "0.5", "1", "2"]
    status, said = gateway.call("GET", "/health/ready")
    assert status == 200  # the other one serves
    assert said["reasons"] == ["worker 0 ended 4 times in a row soon after its start"]
    assert ask(gateway.port, LOGIN).status == 200
    assert gateway.metric("soapgate_worker_restarts_total") == 4
    wait_for(lambda: all_serve(gateway), "it is tried again")


def test_without_any_worker_the_gateway_is_not_ready(two, cast):
    gateway = two(cast.shops("b1"))
    for one in workers(gateway):
        os.kill(one["pid"], signal.SIGSTOP)
    for one in workers(gateway):
        os.kill(one["pid"], signal.SIGKILL)
    wait_for(lambda: gateway.call("GET", "/health/ready")[0] == 503, "not ready")
    assert gateway.call("GET", "/health/live")[0] == 200
    with Client(gateway.port) as client:  # it waits until somebody accepts
        assert client.ask(LOGIN).status == 200
    assert gateway.call("GET", "/health/ready")[0] == 200


def test_sigterm_to_a_worker_lets_its_exchanges_finish(two, cast):
    begun, go = threading.Event(), threading.Event()
    gateway = two([cast.backend("b1", serve=slow(begun, go))])
    with Client(gateway.port) as client:
        client.send(post(envelope()))
        assert begun.wait(WAIT)
        before = [one["pid"] for one in workers(gateway)]
        for pid in before:
            os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not all(map(alive, before)), "the idle one ends")
        go.set()
        assert len(client.message().body) == 1_000_000
    wait_for(lambda: not any(map(alive, before)), "the busy one ends")
    wait_for(lambda: all_serve(gateway), "all serve")
    assert gateway.metric("soapgate_exchanges_total") == 1


# Reload and end


def test_a_reload_is_in_force_in_every_worker_and_keeps_connections_and_pins(two, cast):
    b1, b2, b3 = cast.shops("b1", "b2", "b3")
    gateway = two([b1, b2])
    pids = [one["pid"] for one in workers(gateway)]
    clients = [Client(gateway.port) for _ in range(4)]
    issued = {}
    for client in clients:
        reply = client.ask(LOGIN)
        issued[issued_id(reply)] = reply.node
    gateway.config.write_text(settings([b1, b2, b3], gateway={"workers": 3}))
    gateway.hang_up()
    gateway.says("reloaded")
    gateway.says("workers changes at the next start only")
    for client in clients:
        assert {client.ask(LOGIN).node for _ in range(6)} == {"b1", "b2", "b3"}
        for identity, node in issued.items():
            assert client.ask(post(envelope(session(identity)))).node == node
    gateway.config.write_text(settings([b1], service={"lost": "nice"}))
    gateway.hang_up()
    gateway.says("nothing changed")
    for client in clients:
        assert {client.ask(LOGIN).node for _ in range(6)} == {"b1", "b2", "b3"}
        client.close()
    assert [one["pid"] for one in workers(gateway)] == pids
    os.kill(pids[0], signal.SIGKILL)  # who comes now begins with the file that was good
    wait_for(lambda: workers(gateway)[0]["pid"] not in (None, pids[0]), "a new one")
    wait_for(lambda: all_serve(gateway), "all serve")
    assert {ask(gateway.port, LOGIN).node for _ in range(12)} == {"b1", "b2", "b3"}


def test_a_rotated_log_is_opened_anew_by_all(two, cast):
    gateway = two(cast.shops("b1"))
    clients = [Client(gateway.port) for _ in range(4)]
    for client in clients:
        client.ask(LOGIN)
    gateway.log(4)
    old = gateway.log_file.rename(gateway.directory / "access.log.1")
    gateway.hang_up()
    gateway.says("reloaded")
    for client in clients:
        client.ask(LOGIN)
        client.close()
    wait_for(lambda: gateway.log_file.read_text().count("\n") == 4, "lines in the new log")
    assert old.read_text().count("\n") == 4


def test_sigterm_lets_the_exchanges_of_all_finish(two, cast):
    begun, go = threading.Event(), threading.Event()
    gateway = two([cast.backend("b1", serve=slow(begun, go))])
    pids = [one["pid"] for one in workers(gateway)]
    idle = [Client(gateway.port) for _ in range(2)]
    busy = [Client(gateway.port) for _ in range(4)]
    for client in busy:
        client.send(post(envelope()))
    wait_for(lambda: gateway.backend("b1")["inflight"] == 4, "all are served")
    gateway.terminate()
    for client in idle:
        assert client.peer_closed()
    assert gateway.call("GET", "/health/ready")[0] == 503
    go.set()
    for client in busy:
        reply = client.message()
        assert (len(reply.body), reply.get("Connection")) == (1_000_000, "close")
    assert gateway.stop() == 0
    assert not any(map(alive, pids))
    assert len(gateway.log(4)) == 4
    for client in (*idle, *busy):
        client.close()


def test_sigterm_waits_no_longer_than_the_grace(two, cast):
    begun, go = threading.Event(), threading.Event()
    gateway = two([cast.backend("b1", serve=slow(begun, go))], timeouts={"grace": "1s"})
    with Client(gateway.port) as client:
        client.send(post(envelope()))
        assert begun.wait(WAIT)
        assert gateway.stop() == 0
        assert b"200 OK" not in client.rest()
    go.set()


def test_workers_end_when_their_supervisor_is_killed(two, cast):
    begun, go = threading.Event(), threading.Event()
    backend = cast.backend("b1", serve=slow(begun, go))
    gateway = two([backend])
    pids = [one["pid"] for one in workers(gateway)]
    port = gateway.port
    with Client(port) as client:
        client.send(post(envelope()))
        assert begun.wait(WAIT)
        gateway.kill()
        wait_for(lambda: not all(map(alive, pids)), "the idle one ends")
        go.set()
        assert len(client.message().body) == 1_000_000
    wait_for(lambda: not any(map(alive, pids)), "both have ended")
    again = cast.gateway([backend], gateway={**TWO, "listen": [f"tcp:{port}:interface=127.0.0.1"]})
    assert ask(again.port, post(envelope())).status == 200


@pytest.mark.parametrize("workers_", [2, "auto"])
def test_pins_in_memory_are_refused_with_the_way_out(cast, workers_):
    text = settings(cast.shops("b1"), gateway={"workers": workers_, "pins": "memory:"})
    gateway = cast.run(text, ready=False)
    assert gateway.process.wait(WAIT) == 2
    assert "lmdb:PATH" in gateway.stderr


def test_a_worker_that_cannot_begin_keeps_the_gateway_from_starting(cast):
    text = settings(cast.shops("b1"), gateway={**TWO, "log_to": "soapgate.toml/access.log"})
    gateway = cast.run(text, ready=False)
    assert gateway.process.wait(WAIT) == 1
    assert "soapgate: log_to: " in gateway.stderr
    assert " ready on " not in gateway.stderr


def test_status_of_the_command_line_shows_the_workers(two, cast):
    gateway = two(cast.shops("b1"))
    url = f"http://127.0.0.1:{gateway.admin_port}"
    argv = [sys.executable, "-m", "soapgate", "status", "--admin", url]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    for one in workers(gateway):
        assert re.search(rf"^{one['number']} +{one['pid']} +serving ", said, re.MULTILINE)
