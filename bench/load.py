"""The load: wrk posts the envelopes of a case, session after session, over kept-alive connections.

wrk counts; nobody else. A run with an error, a reply over 399 or no reply at all is a BenchError
and never a figure. A closed loop: each connection sends its next request when the reply is there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from bench.cases import ACTION, CONTENT_TYPE, PATH, Case
from bench.processes import BenchError, finished

PACKAGES = {"wrk": "wrk"}

_SCRIPT = """\
local requests, turn = {{}}, 0
function init(args)
  local headers = {{["Content-Type"] = "{content_type}", ["SOAPAction"] = '"{action}"'}}
  for n = 1, {count} do
    local file = assert(io.open("{directory}/envelope-" .. n, "rb"))
    requests[n] = wrk.format("POST", "{path}", headers, file:read("*a"))
    file:close()
  end
end
function request()
  turn = turn % {count} + 1
  return requests[turn]
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\\nBENCH {{"requests":%d,"microseconds":%d,"connect":%d,"read":%d,"write":%d,'
    .. '"timeout":%d,"status":%d,"p50":%d,"p99":%d}}\\n',
    summary.requests, summary.duration, e.connect, e.read, e.write, e.timeout, e.status,
    latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """What wrk saw: replies, seconds, and the latency of a closed loop in microseconds."""

    requests: int
    seconds: float
    p50: int
    p99: int


@dataclass(frozen=True, slots=True)
class Load:
    """One case's requests on disk, ready to be sent as often as one likes."""

    case: Case
    script: Path
    cores: frozenset[int]

    @classmethod
    def prepare(cls, case: Case, ids: list[str], directory: Path, cores: frozenset[int]) -> Load:
        """Write one envelope a session and wrk's script into `directory`."""
        for n, session in enumerate(ids, 1):
            (directory / f"envelope-{n}").write_bytes(case.envelope(session))
        script = directory / "load.lua"
        text = _SCRIPT.format(
            content_type=CONTENT_TYPE, action=ACTION, path=PATH, count=len(ids), directory=directory
        )
        script.write_text(text)
        return cls(case, script, cores)

    def send(self, port: int, seconds: int) -> Counted:
        """Load the gateway on `port` for `seconds`. Raises BenchError unless all went well."""
        command = ["wrk", "-t", "1", "-c", str(self.case.connections), "-d", f"{seconds}s"]
        command += ["--timeout", "10s", "-s", str(self.script), f"http://127.0.0.1:{port}/"]
        output = finished(command, cores=self.cores, seconds=seconds + 60)
        lines = [line for line in output.splitlines() if line.startswith("BENCH ")]
        if not lines:
            raise BenchError(f"wrk gave no summary: {output.strip()!r}.")
        counts = json.loads(lines[-1].removeprefix("BENCH "))
        failed = {
            kind: counts[kind]
            for kind in ("connect", "read", "write", "timeout", "status")
            if counts[kind]
        }
        if failed or not counts["requests"]:
            raise BenchError(f"wrk counted {counts['requests']} replies and errors: {failed}.")
        return Counted(
            counts["requests"], counts["microseconds"] / 1e6, counts["p50"], counts["p99"]
        )
