"""The demonstration: its checks as rules, and the whole with real processes."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace

import demo
import pytest
from demo import Call
from lxml import etree
from rich.console import Console
from stage import Exchange

ANN = [Call("ann", "header", "login", "b1"), Call("ann", "header", "items", "b1")]
BOB = [Call("bob", "wsa", "login", "b2"), Call("bob", "wsa", "items", "b2")]
CALLS = ANN + BOB
LOG = [
    Exchange("shop", "", "balanced", "no-id", "b1", 200),
    Exchange("shop", "shop", "pinned", "pinned", "b1", 200),
    Exchange("shop", "", "balanced", "no-id", "b2", 200),
    Exchange("shop", "wsa-refparams", "pinned", "pinned", "b2", 200),
]


def failures(judged) -> list[str]:
    return [sentence for sentence, held in judged if not held]


def test_sessions_that_stay_pass():
    assert failures(demo.judge_sessions(CALLS)) == []


@pytest.mark.parametrize(
    ("calls", "who"),
    [
        ([ANN[0], replace(ANN[1], node="b2"), *BOB], "ann"),
        ([*ANN, BOB[0], replace(BOB[1], node="", fault="SessionLost")], "bob"),
        ([*ANN, *(replace(call, node="", fault="Server") for call in BOB)], "bob"),
    ],
    ids=["moved", "one fault", "faults only"],
)
def test_a_session_that_does_not_stay_is_named(calls, who):
    (sentence, *_) = failures(demo.judge_sessions(calls))
    assert sentence.startswith(f"{who}'s")


def test_sessions_that_are_all_on_one_node_prove_nothing():
    calls = ANN + [replace(call, node="b1") for call in BOB]
    (sentence,) = failures(demo.judge_sessions(calls))
    assert "spread" in sentence


def test_a_log_that_says_what_the_nodes_said_passes():
    assert failures(demo.judge_log(CALLS, LOG)) == []


@pytest.mark.parametrize(
    ("at", "change", "said"),
    [
        (1, {"backend": "b2"}, "names the node"),
        (0, {"route": "pinned"}, "login"),
        (1, {"route": "balanced"}, "header"),
        (1, {"profile": "http-cookie"}, "header"),
        (3, {"profile": ""}, "wsa"),
    ],
    ids=["other backend", "pinned login", "balanced call", "other profile", "no profile"],
)
def test_a_log_that_disagrees_is_told_of(at, change, said):
    log = [*LOG]
    log[at] = replace(log[at], **change)
    (sentence,) = failures(demo.judge_log(CALLS, log))
    assert said in sentence


def test_a_log_of_another_length_is_an_error():
    with pytest.raises(ValueError, match="zip"):
        failures(demo.judge_log(CALLS, LOG[:-1]))


HOMES = {"ann": "b1", "bob": "b2"}


@pytest.mark.parametrize(
    ("ann", "bob", "failed"),
    [
        ({"fault": "SessionLost"}, {"node": "b2"}, 0),
        ({"node": "b2"}, {"node": "b2"}, 1),
        ({"fault": "Client.SessionUnknown"}, {"node": "b2"}, 1),
        ({"fault": "SessionLost"}, {"fault": "SessionLost"}, 1),
    ],
    ids=["as it should be", "answered by another", "other fault", "the other lost too"],
)
def test_only_the_dead_nodes_sessions_may_and_must_get_session_lost(ann, bob, failed):
    calls = [Call("ann", "header", "items", **ann), Call("bob", "wsa", "items", **bob)]
    assert len(failures(demo.judge_lost(calls, "b1", HOMES))) == failed


@pytest.mark.parametrize(
    ("nodes", "failed"),
    [(("b2", "b2"), 0), (("b1", "b1"), 1), (("b2", ""), 1), (("b2", "b3"), 1)],
    ids=["on the living", "on the dead", "a fault", "torn"],
)
def test_newcomers_must_work_on_a_living_node(nodes, failed):
    calls = [Call("eve", "header", "add", node=node, fault="" if node else "F") for node in nodes]
    assert len(failures(demo.judge_newcomers(calls, "b1"))) == failed


def test_checks_print_each_verdict_and_count_the_failed():
    out = io.StringIO()
    checks = demo.Checks(Console(file=out))
    checks.make([("one", True), ("two", False)])
    checks.make([("three", True)])
    assert [line.split() for line in out.getvalue().splitlines()] == [
        ["ok", "one"],
        ["FAILED", "two"],
        ["ok", "three"],
    ]
    assert (checks.made, checks.failed) == (3, 1)


class Said(Exception):
    def __init__(self, code=None, detail=None) -> None:
        self.code = code
        self.detail = detail


DETAIL = etree.fromstring('<detail><g:SessionLost xmlns:g="urn:soapgate:fault"/></detail>')
OTHER = etree.fromstring('<detail><g:SessionLost xmlns:g="urn:other"/></detail>')


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (Said("soap:Server", DETAIL), "SessionLost"),
        (Said("soap11env:Client.SessionUnknown", OTHER), "Client.SessionUnknown"),
        (Said("Server"), "Server"),
        (TimeoutError(), "TimeoutError"),
    ],
    ids=["gateway", "service", "no prefix", "no fault"],
)
def test_a_fault_is_called_by_its_subcode_or_its_code(error, name):
    assert demo.fault_name(error) == name


def left_over(text: str) -> list[str]:
    """Which processes a stage that ended had told of are still there."""
    return [pid for pid in re.findall(r"\(pid (\d+)\)", text) if os.path.exists(f"/proc/{pid}")]


@pytest.mark.integration
def test_the_demonstration_holds_and_leaves_nothing_behind(tmp_path):
    environ = {**os.environ, "TMPDIR": str(tmp_path), "COLUMNS": "100"}
    argv = [sys.executable, demo.__file__]
    done = subprocess.run(
        argv, capture_output=True, text=True, env=environ, timeout=180, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\d\d checks, all held$", done.stdout, re.MULTILINE)
    assert "FAILED" not in done.stdout
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.integration
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_an_interrupted_demonstration_leaves_nothing_behind(tmp_path, number):
    environ = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    argv = [sys.executable, demo.__file__]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ
    ) as process:
        for line in process.stdout:
            if "->" in line:  # the first call was made
                break
        (directory,) = tmp_path.iterdir()
        children = [pid for pid in os.listdir("/proc") if pid.isdigit() and _in(pid, directory)]
        assert len(children) == 3
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (1, "interrupted\n")
    assert list(tmp_path.iterdir()) == []
    assert not [pid for pid in children if os.path.exists(f"/proc/{pid}")]


def _in(pid: str, directory) -> bool:
    """Whether the process runs in that directory."""
    try:
        return os.readlink(f"/proc/{pid}/cwd") == str(directory)
    except OSError:
        return False
