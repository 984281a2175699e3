"""What README.rst tells a reader to type works, and what it shows is what comes out."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from soapgate.cli import main

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["README.rst", "NEWS.rst", *sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.rst"))]
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
PATIENCE = 60.0  # seconds for a process on a busy machine


@pytest.fixture
def readme(page: Callable[[str], Any]) -> Any:
    return page("README.rst")


# --- what can be read without running -------------------------------------------------------------


def test_the_example_has_ten_lines(readme: Any) -> None:
    assert len(readme.only("toml").splitlines()) == 10


@pytest.mark.parametrize("name", PAGES)
def test_links_of_a_page_lead_somewhere(page: Callable[[str], Any], name: str) -> None:
    one = page(name)
    assert [link for link in one.links if not (one.path.parent / link).exists()] == []


def test_every_page_is_in_the_index(page: Callable[[str], Any]) -> None:
    listed = {link for link in page("docs/index.rst").links if "/" not in link}
    assert listed == {path.name for path in (ROOT / "docs").glob("*.rst")} - {"index.rst"}


def test_directories_of_the_layout_are_there(readme: Any) -> None:
    layout = readme.text.partition("what is in it\n")[2].partition("The house rules")[0]
    named = re.findall(r"``([a-z/]+)``", "\n".join(row[:26] for row in layout.splitlines()))
    assert len(named) > 7
    assert [place for place in named if not (ROOT / place).is_dir()] == []


def test_make_targets_exist(readme: Any) -> None:
    targets = {line.split()[1] for line in readme.commands("make")}
    assert {"demo", "test", "run", "lint", "bench"} <= targets
    for target in sorted(targets):
        done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", PAGES)
def test_commands_of_a_page_are_understood(
    page: Callable[[str], Any], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(click.Command, "invoke", lambda *_: None)  # read to the end, do nothing
    for line in page(name).commands("soapgate"):
        files = re.sub(r"\b(message|login-response|add-request)\.xml|\brequest\.http", "-", line)
        words = shlex.split(files.partition(" < ")[0])[1:]
        done = CliRunner().invoke(main, words, standalone_mode=False)
        if isinstance(done.exception, click.MissingParameter) and line in page(name).literals:
            continue  # the name of a command, not a line to type
        assert done.exception is None, f"{line}: {done.exception}"


# --- what is run ----------------------------------------------------------------------------------


def soapgate(*words: str, where: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "soapgate", *words]
    return subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=PATIENCE)


def without_hashes(text: str) -> list[str]:
    lines = re.sub(r"\b[0-9a-f]{8}\b", "########", text).splitlines()
    return [line.rstrip() for line in lines]


def is_excerpt(shown: list[str], whole: list[str]) -> bool:
    """Whether `shown` is `whole` with lines left out where it says `...`, and at both ends."""
    at = 0
    loose = True
    for line in shown:
        if line.strip() == "...":
            loose = True
            continue
        try:
            found = whole.index(line, at)
        except ValueError:
            return False
        if not loose and found != at:
            return False
        at, loose = found + 1, False
    return True


@pytest.mark.parametrize(
    ("shown", "held"),
    [
        (["b", "c"], True),
        (["a", "...", "d"], True),
        (["a", "c"], False),
        (["c", "...", "b"], False),
        (["x"], False),
    ],
    ids=["a part", "with a gap", "a gap not said", "another order", "made up"],
)
def test_an_excerpt_is_known_from_what_is_none(shown: list[str], held: bool) -> None:
    assert is_excerpt(shown, ["a", "b", "c", "d"]) is held


def test_the_explanation_shown_is_the_one_printed(readme: Any) -> None:
    (line,) = [one for one in readme.commands("soapgate") if "docs/wsrm-request.xml" in one]
    done = soapgate(*shlex.split(line)[1:])
    assert done.returncode == 0, done.stderr
    shown = without_hashes(readme.only("text", "wsrm:Sequence"))
    assert is_excerpt(shown, without_hashes(done.stdout))


def test_the_example_passes_check_without_a_remark(readme: Any, tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(readme.only("toml"))
    done = soapgate("check", "gateway.toml", where=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 service, 1 pool, 2 backends" in done.stdout


@pytest.mark.integration
def test_the_demonstration_shown_is_the_one_printed(readme: Any) -> None:
    done = soapgate("demo")
    assert done.returncode == 0, done.stdout + done.stderr
    shown = [line.rstrip() for line in readme.only("text", "ann login").splitlines()]
    printed = iter([line.rstrip() for line in done.stdout.splitlines()])
    # in this order, frames and blank lines left out
    assert [line for line in shown if line.strip() != "..." and line not in printed] == []


class Shop(BaseHTTPRequestHandler):
    """A service of a few lines: `login` issues an id in a header block and as a cookie; every
    reply says who gave it."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = self.rfile.read(int(self.headers["Content-Length"]))
        name = self.server.name  # type: ignore[attr-defined]
        issues = b"login" in request
        block = f'<Session xmlns="urn:example:shop" id="id-of-{name}"/>' if issues else ""
        reply = (
            f'<s:Envelope xmlns:s="{SOAP}"><s:Header>{block}</s:Header>'
            f"<s:Body><node>{name}</node></s:Body></s:Envelope>"
        ).encode()
        self.send_response(200)
        if issues:
            self.send_header("Set-Cookie", f"JSESSIONID=cookie-of-{name}")
        self.send_header("Content-Type", "text/xml; charset=utf-8")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture
def shops() -> Iterator[dict[str, int]]:
    """Two of them: name -> port."""
    servers = {}
    for name in ("b1", "b2"):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
        server.name = name  # type: ignore[attr-defined]
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers[name] = server
    yield {name: server.server_port for name, server in servers.items()}
    for server in servers.values():
        server.shutdown()
        server.server_close()


@contextmanager
def running(words: list[str], where: Path) -> Iterator[tuple[str, list[str]]]:
    """A gateway: (its address, the lines of its log, which are there when it has ended)."""
    out = where / "out"
    lines: list[str] = []
    with out.open("wb") as stdout:
        gateway = subprocess.Popen(
            [sys.executable, "-m", "soapgate", *words],
            cwd=where, stdout=stdout, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    assert gateway.stderr is not None
    try:
        said = ""
        for line in gateway.stderr:
            said += line
            if ready := re.search(r"ready on (\S+?)[;,]", line):
                yield f"http://{ready[1]}/shop", lines
                break
        else:
            raise AssertionError(f"the gateway did not start:\n{said}")
        gateway.send_signal(signal.SIGTERM)
        assert gateway.wait(PATIENCE) == 0
        lines += out.read_text().splitlines()
    finally:
        gateway.kill()
        gateway.stderr.close()
        gateway.wait()


def post(url: str, header: str, body: str, cookie: str = "") -> str:
    """The node that answered."""
    envelope = (
        f'<s:Envelope xmlns:s="{SOAP}"><s:Header>{header}</s:Header>'
        f"<s:Body><{body}/></s:Body></s:Envelope>"
    )
    fields = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
    request = urllib.request.Request(url, envelope.encode(), fields)
    if cookie:
        request.add_header("Cookie", cookie)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=PATIENCE) as reply:
        (node,) = re.findall("<node>(.*)</node>", reply.read().decode())
    return str(node)


def with_ports(text: str, shops: dict[str, int]) -> str:
    """A text of the README with the ports of the stand-ins."""
    return text.replace(":9001", f":{shops['b1']}").replace(":9002", f":{shops['b2']}")


@pytest.mark.integration
def test_the_example_keeps_sessions_and_logs_what_is_shown(
    readme: Any, shops: dict[str, int], tmp_path: Path
) -> None:
    listen = '[gateway]\nlisten = ["tcp:0:interface=127.0.0.1"]\n'
    (tmp_path / "gateway.toml").write_text(listen + with_ports(readme.only("toml"), shops))
    block = '<Session xmlns="urn:example:shop" id="id-of-b1"/>'
    with running(["run", "gateway.toml"], tmp_path) as (url, log):
        assert post(url, "", "login") == "b1"
        # each call without an id moves the turn on, so that chance alone would tear this apart
        answers = [(post(url, block, "add"), post(url, "", "look")) for _ in range(4)]
    assert [node for node, _ in answers] == ["b1"] * 4
    assert {node for _, node in answers} == {"b1", "b2"}
    ours = [line for line in log if "reason=bound" in line or "reply_scan=found" in line]
    shown = readme.only("text", "route=balanced").splitlines()
    assert len(shown) == 3
    for line, real in zip(shown, ours[:3], strict=True):
        want = [field for field in without_hashes(line)[0].split() if "learned" not in field]
        assert [field for field in want if field not in without_hashes(real)[0].split()] == []
    assert not [line for line in log if "id-of-b1" in line]
    assert (tmp_path / "var/pins/key").stat().st_mode & 0o777 == 0o600


@pytest.mark.integration
def test_the_command_without_a_file_keeps_sessions_by_cookie(
    readme: Any, shops: dict[str, int], tmp_path: Path
) -> None:
    (line,) = [one for one in readme.commands("soapgate") if "--backend" in one]
    words = shlex.split(with_ports(line, shops).replace("--listen 8080", "--listen 127.0.0.1:0"))
    with running(words[1:], tmp_path) as (url, _):
        assert post(url, "", "login") == "b1"
        cookie = "JSESSIONID=cookie-of-b1"
        answers = [(post(url, "", "add", cookie), post(url, "", "look")) for _ in range(4)]
    assert [node for node, _ in answers] == ["b1"] * 4
    assert {node for _, node in answers} == {"b1", "b2"}
