"""The real thing, small: real gateways before real backends, checked, loaded for a second.

Skipped, with the word of the bench itself, where a program is missing. What is proven is that every
configuration does its job, not how fast; no figure is looked at.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench import load, nginx
from bench.cases import CASES, MAIN
from bench.checks import check
from bench.contenders.everybody import BESIDE, CONTENDERS
from bench.processes import BenchError, Cores, missing
from bench.selection import install
from bench.stage import staged

pytestmark = pytest.mark.integration
ROOT = Path(__file__).resolve().parent.parent.parent

# The kinds of job; sizes, shapes and counts of pins change none of it.
KINDS = [
    *("0.5k", "place-body", "place-cookie", "learn-echo", "learn-new"),
    *("tls-close", "pins-1k", "backends-200", "plain-default"),
]


@pytest.fixture
def programs() -> None:
    lacking = missing({**nginx.PACKAGES, **load.PACKAGES})
    if lacking:
        pytest.skip(install(lacking))


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize("name", KINDS)
def test_everybody_does_the_job_of_a_case(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    wanted = CONTENDERS if case.group == MAIN else BESIDE
    able = [
        each
        for each in map(CONTENDERS.__getitem__, wanted)
        if not (missing(each.packages) or each.lacks() or each.refuses(case))
    ]
    assert "soapgate" in [each.name for each in able]
    with staged(case, able, tmp_path / "room", Cores.of_this_machine(), print) as lanes:
        assert [lane.contender for lane in lanes] == able  # checked when started, and again


@pytest.mark.usefixtures("programs")
def test_a_run_leaves_a_result_and_prints_its_table(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    command = [sys.executable, "-m", "bench", "--quick", "--case", "0.5k", "--json", str(path)]
    command += ["--contender", "haproxy", "--contender", "soapgate"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(path.read_text())
    turns = {turn["contender"]: turn for turn in found["turns"]}
    assert turns["soapgate"]["cpu_us"] > 0
    assert turns["soapgate"]["requests"] >= 160
    if "haproxy" in turns:
        (row,) = found["ratio"]
        assert row["median"] == pytest.approx(
            turns["soapgate"]["cpu_us"] / turns["haproxy"]["cpu_us"]
        )
    assert "0.5 KB" in done.stdout
    assert "figures in" in done.stderr


# --- a gateway that does not do its job is found out --------------------------------------------


class Gateway(BaseHTTPRequestHandler):
    """Answers as a backend would; which one, `answers` says."""

    protocol_version = "HTTP/1.1"
    answers: Iterator[tuple[int, str]]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status, name = next(self.answers)
        self.send_response(status)
        self.send_header("X-Backend", name)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        return


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([(200, "b1")], "used b1 only"),
        ([(200, "b1"), (200, "b1"), (200, "b2")], "does not stick"),
        ([(200, "b1"), (502, "b1")], "answered 502"),
        ([(200, "")], "backend ''"),
    ],
)
def test_gateway_that_does_not_stick_is_found_out(
    answers: list[tuple[int, str]], said: str
) -> None:
    def forever() -> Iterator[tuple[int, str]]:
        while True:
            yield from answers

    own = type("Own", (Gateway,), {"answers": forever()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), own)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with pytest.raises(BenchError, match=said):
            check(CONTENDERS["soapgate"], server.server_address[1], CASES["0.5k"])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
