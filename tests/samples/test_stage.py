"""The set-up as processes: what is made of files and ports, and that nothing is left behind."""

from __future__ import annotations

import json
import os
import re
import socket
import sys

import pytest
import stage

NODES = {"b1": "http://127.0.0.1:1/", "b2": "http://127.0.0.1:2/"}
READY = "import sys, time; print('x ready at 7', flush=True); time.sleep(60)"
DEAF = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('ready', flush=True); time.sleep(60)"
)


def child(directory, program: str) -> stage.Child:
    return stage.Child("x", [sys.executable, "-c", program], directory)


def gone(process: stage.Child) -> bool:
    try:
        os.kill(process._process.pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_the_sample_configuration_takes_other_addresses():
    text = stage.configure(stage.CONFIG.read_text(), 18080, 19900, NODES)
    assert '"tcp:18080:interface=127.0.0.1"' in text
    assert '"tcp:19900:interface=127.0.0.1"' in text
    assert [url in text for url in ('"http://127.0.0.1:1"', '"http://127.0.0.1:2"')] == [True, True]
    assert text.count("\n") == stage.CONFIG.read_text().count("\n")


def test_a_configuration_without_the_known_addresses_is_refused():
    with pytest.raises(stage.StageError, match="0 times"):
        stage.configure("", 1, 2, NODES)


def test_a_line_of_the_gateways_log_becomes_an_exchange():
    line = {"service": "shop", "profile": None, "route": "balanced", "reason": "no-id"}
    line |= {"backend": "b1", "status": 200, "key": "8f"}
    read = stage.read_exchange(json.dumps(line))
    assert read == stage.Exchange("shop", "", "balanced", "no-id", "b1", 200)


def test_a_port_that_somebody_has_is_refused():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(stage.StageError, match=f"port {port} cannot be had"):
            stage.refuse_taken(port)
    stage.refuse_taken(port)


def test_a_wait_without_an_answer_ends_with_what_was_waited_for(monkeypatch):
    monkeypatch.setattr(stage, "LOOK", 0)
    with pytest.raises(stage.StageError, match="no rain after 0 s"):
        stage.wait(lambda: None, 0, "no rain")


def test_a_wait_ends_with_the_first_thing_seen(monkeypatch):
    monkeypatch.setattr(stage, "LOOK", 0)
    seen = iter([None, None, 0, 1])
    assert stage.wait(lambda: next(seen), 60, "nothing") == 0


@pytest.mark.integration
def test_a_child_that_says_ready_is_waited_for_and_ends_when_asked(tmp_path):
    x = child(tmp_path, READY)
    assert x.wait_for(r"ready at (\d)", x.out)[1] == "7"
    assert x.running
    assert x.stop() == -15
    assert not x.running
    assert gone(x)


@pytest.mark.integration
def test_a_child_that_ends_before_it_is_ready_is_told_of_with_its_last_words(tmp_path):
    x = child(tmp_path, "import sys; sys.exit('no disk')")
    with pytest.raises(stage.StageError, match="x ended with status 1"):
        x.wait_for("ready", x.out)
    assert "no disk" in x.tail()


@pytest.mark.integration
def test_a_child_that_does_not_end_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "STOP", 0.2)
    x = child(tmp_path, DEAF)
    x.wait_for("ready", x.out)
    assert x.stop() == -9
    assert gone(x)


@pytest.mark.integration
def test_a_stage_that_fails_on_the_way_up_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(stage.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(stage, "configure", lambda *arguments: "not = a [configuration")
    with (
        pytest.raises(stage.StageError, match="gateway ended with status") as raised,
        stage.Stage(),
    ):
        pass
    assert list(tmp_path.iterdir()) == []
    pids = re.findall(r"\(pid (\d+)\)", str(raised.value))
    assert len(pids) == 3
    assert not [pid for pid in pids if os.path.exists(f"/proc/{pid}")]
