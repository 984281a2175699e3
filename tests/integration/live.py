"""A gateway as a process: its configuration, its life, and what can be seen of it from outside.

Nothing of soapgate is imported: what a test knows of a gateway it knows from its ports, its
stderr, its log, its admin side and /proc. A gateway that wrote a traceback has failed the test,
whatever else happened.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from wire import WAIT, Backend, Wire, shop, wait_for

MiB = 1024 * 1024
LOCAL = "tcp:0:interface=127.0.0.1"
READY = re.compile(r"soapgate \S+ ready on (.*?)(?:; admin on (\S+))?; pid (\d+)$", re.MULTILINE)
# No proxy of the environment stands between a test and 127.0.0.1.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))

PROFILES = {
    "shop": {
        "lookup": ["Header/shop:Session/@id"],
        "learn": ["Header/shop:Session/@id"],
        "end": ["Body/shop:logout"],
    },
    "maker": {"bind": ["Header/shop:Client/@id"]},
}


def toml(tables: Mapping[str, Mapping[str, object]]) -> str:
    """Tables as TOML text."""
    return "\n".join(
        f"[{name}]\n" + "".join(f"{key} = {_value(one)}\n" for key, one in table.items())
        for name, table in tables.items()
    )


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)  # strings, numbers and booleans are written alike


def settings(backends: Iterable[Backend], **tables: Mapping[str, object]) -> str:
    """The configuration of one pool and one service `shop`; `tables` adds to its tables, by the
    first word of their names."""
    listed = [{"name": one.name, "url": one.url} for one in backends]
    usual: dict[str, dict[str, object]] = {
        "gateway": {
            "listen": [LOCAL],
            "admin": LOCAL,
            "pins": "lmdb:pins",
            "log": "json",
            "log_to": "access.log",
        },
        "limits": {},
        "timeouts": {},
        "namespaces": {"shop": "urn:example:shop"},
        "pool.shop": {"backend": listed},
        "service.shop": {"pool": "shop", "sessions": ["shop", "maker", "http-cookie"]},
        **{f"profile.{name}": dict(profile) for name, profile in PROFILES.items()},
    }
    for name in usual:
        usual[name] |= tables.pop(name.partition(".")[0], {}) if "profile" not in name else {}
    assert not tables, f"no such table: {', '.join(tables)}"
    return toml({name: table for name, table in usual.items() if table})


class Gateway:
    """A running gateway. Files of its configuration are relative to `directory`."""

    def __init__(
        self,
        directory: Path,
        text: str,
        *,
        argv: Sequence[str] = (),
        ready: bool = True,
        **popen: Any,
    ) -> None:
        """`argv`: another way to start it; {config} stands for the file. `popen`: of Popen."""
        self.directory = directory
        self.config = directory / "soapgate.toml"
        self.config.write_text(text)
        self.log_file = directory / "access.log"
        self._err = directory / "stderr"
        self._log_read = 0
        self._told = False  # to end
        started = self._err.stat().st_size if self._err.exists() else 0
        argv = argv or (sys.executable, "-m", "soapgate", "run", "{config}")
        with self._err.open("ab") as err:
            self.process = subprocess.Popen(
                [one.replace("{config}", str(self.config)) for one in argv],
                stdin=subprocess.DEVNULL,
                stdout=err,
                stderr=err,
                cwd=directory,
                **popen,
            )
        self.pid = self.process.pid
        self.listens: list[str] = []
        self._admin = ""
        if ready:
            self._read_ready(started)

    def _read_ready(self, started: int) -> None:
        def look() -> re.Match[str] | None:
            ended = self.process.poll() is not None
            found = READY.search(self.stderr[started:])
            assert found or not ended, f"it ended with {self.process.returncode}\n{self.stderr}"
            return found

        found = wait_for(look, "ready")
        self.listens = found[1].split(", ")
        self._admin = found[2] or ""
        self.pid = int(found[3])

    # Where it is

    @property
    def port(self) -> int:
        """Of its first listener."""
        return int(self.listens[0].rpartition(":")[2])

    @property
    def admin_port(self) -> int:
        return int(self._admin.rpartition(":")[2])

    # What it says

    @property
    def stderr(self) -> str:
        return self._err.read_text(errors="replace")

    def says(self, pattern: str) -> re.Match[str]:
        """Wait for a line on stderr."""
        return wait_for(lambda: re.search(pattern, self.stderr), f"{pattern!r} on stderr")

    def log(self, count: int) -> list[dict[str, Any]]:
        """The next `count` lines of its log; no more must be there."""

        def look() -> list[str] | None:
            written = self.log_file.read_text().splitlines() if self.log_file.exists() else []
            return written[self._log_read :] if len(written) >= self._log_read + count else None

        found = wait_for(look, f"{count} lines in the log")
        self._log_read += count
        assert len(found) == count, f"{len(found)} lines, wanted are {count}: {found}"
        return [json.loads(line) for line in found]

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] = {},  # never changed
    ) -> tuple[int, Any]:
        """A call of the admin side: status and what its JSON says."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.admin_port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **headers},
        )
        try:
            with _DIRECT.open(request, timeout=WAIT) as reply:
                return reply.status, json.loads(reply.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def backend(self, name: str) -> dict[str, Any]:
        """A backend as the admin side shows it."""
        listed = self.call("GET", "/api/v1/backends")[1]["backends"]
        return next(one for one in listed if one["name"] == name)

    def pins(self, **query: str) -> list[dict[str, Any]]:
        """The first page of pins."""
        text = "&".join(f"{key}={value}" for key, value in query.items())
        return self.call("GET", f"/api/v1/pins?{text}")[1]["pins"]

    def pinned(self, identity: str) -> str:
        """The backend that a session id of the shop is pinned to, "" for none."""
        status, said = self.call("POST", "/api/v1/pins/lookup", {"service": "shop", "id": identity})
        return said["pins"][0]["leads_to"] if status == 200 else ""

    def scrape(self) -> dict[str, Any]:
        """/metrics, by family, as Prometheus's own parser reads it."""
        with _DIRECT.open(f"http://127.0.0.1:{self.admin_port}/metrics", timeout=WAIT) as reply:
            text = reply.read().decode()
        return {one.name: one for one in text_string_to_metric_families(text)}

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples `name` that have these labels."""
        return sum(
            sample.value
            for family in self.scrape().values()
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    # What the system says of it

    def fds(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def _status(self, name: str) -> int:
        text = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)[1]) * 1024

    def forget_peak(self) -> int:
        """Begin to watch its memory anew; returns what it has now, in bytes."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        return self._status("VmRSS")

    def peak(self) -> int:
        """The most memory it had since `forget_peak`, in bytes."""
        return self._status("VmHWM")

    def at_rest(self) -> None:
        """Wait until no exchange and no client is left."""
        for name, labels in (
            ("soapgate_backend_inflight", {}),
            ("soapgate_connections_open", {"side": "downstream"}),
        ):
            wait_for(lambda n=name, la=labels: self.metric(n, **la) == 0, f"{name} at 0")

    # Its end

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def hang_up(self) -> None:
        """SIGHUP."""
        os.kill(self.pid, signal.SIGHUP)

    def terminate(self) -> None:
        """SIGTERM, once, without waiting."""
        if not self._told:
            self._told = True
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait(WAIT)

    def stop(self) -> int:
        """SIGTERM; its exit status."""
        if self.running:
            self.terminate()
        try:
            return self.process.wait(WAIT)
        finally:
            if self.running:
                self.kill()


class Cast:
    """Who plays in a test: gateways and backends, all of them stopped at its end."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory = directory
        self._stack = stack

    def backend(self, *args, **kwargs) -> Backend:
        """A raw backend, see `Backend`."""
        return self._kept(Backend(*args, **kwargs))

    def shops(self, *names: str) -> list[Backend]:
        """Backends that issue sessions."""
        return [self.backend(name, reply=shop(name)) for name in names]

    def again(self, backend: Backend) -> Backend:
        """A stopped backend, started anew."""
        return self._kept(backend.again())

    def _kept(self, backend: Backend) -> Backend:
        self._stack.callback(lambda: _check_backend(backend))
        return backend

    def gateway(self, backends: list[Backend], *, name: str = "", **tables) -> Gateway:
        """A gateway before these backends, see `settings`."""
        return self.run(settings(backends, **tables), name=name)

    def run(self, text: str, *, name: str = "", **kwargs) -> Gateway:
        """A gateway of a whole configuration, see `Gateway`; the same `name`, the same place."""
        directory = self.directory / (name or "gateway")
        directory.mkdir(exist_ok=True)
        running = Gateway(directory, text, **kwargs)
        self._stack.callback(lambda: _check_gateway(running))
        return running


class Scripted:
    """A gateway before one backend that does what each test says."""

    def __init__(self, cast: Cast, name: str = "scripted", **tables: Mapping[str, object]) -> None:
        self._serve: Callable[[Wire], None] = Wire.message
        self.backend = cast.backend("b1", serve=lambda wire: self._serve(wire))
        tables = {"pool": {"health": {"interval": "1h", "fall": 1_000_000}}, **tables}
        self.gateway = cast.gateway([self.backend], name=name, **tables)

    def play(self, serve: Callable[[Wire], None]) -> int:
        """From now on, on every connection, of which none is left; returns the gateway's port."""
        self._serve = serve
        for wire in self.backend.wires:
            with suppress(OSError):
                wire.sock.shutdown(socket.SHUT_RDWR)
        self.gateway.at_rest()
        wait_for(lambda: not self.kept(), "no connection to the backend")
        return self.gateway.port

    def kept(self) -> float:
        """Connections to the backend."""
        return self.gateway.metric("soapgate_connections_open", side="upstream")


def _check_backend(backend: Backend) -> None:
    backend.stop()
    assert not backend.failed, backend.failed


def _check_gateway(running: Gateway) -> None:
    running.stop()
    for word in ("Traceback", "Unhandled", "Error:"):
        assert word not in running.stderr, running.stderr
