"""The load: wrk posts the messages of a case, session after session, in a closed loop.

wrk counts; nobody else. A run with an error, a reply over 399 or no reply at all is a BenchError
and never a figure. A closed loop: each connection sends its next request when the reply is there,
on the same connection or, where the case wants that, on a new one.

Where a message has a serial number, the script of wrk puts a new one into each request: it walks
over all numbers there are in steps that have no divisor in common with their count, from a place
that chance chooses for each turn. So all of a million pins are used, evenly, and an endless series
does not repeat itself in the next turn.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from bench.cases import PATH, Case
from bench.envelopes import SERIAL
from bench.processes import BenchError, finished

PACKAGES = {"wrk": "wrk"}
STEP = 611_953  # a prime: coprime to powers of 2 and of 10, which the counts of serials are

_SCRIPT = """\
local requests, turn = {{}}, 0
local serials, serial = {serials}, 0
local function whole(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end
local function parts(text)
  local found, from = {{}}, 1
  while true do
    local first, last = text:find("{mark}", from, true)
    if not first then break end
    found[#found + 1] = text:sub(from, first - 1)
    from = last + 1
  end
  found[#found + 1] = text:sub(from)
  return found
end
function init(args)
  math.randomseed({seed})
  serial = serials > 0 and math.random(0, serials - 1) or 0
  for n = 1, {count} do
    local fields = {{}}
    for line in io.lines("{directory}/fields-" .. n) do
      local name, value = line:match("^([^:]+): (.*)$")
      fields[name] = value
    end
    local text = wrk.format("POST", "{path}", fields, whole("{directory}/envelope-" .. n))
    requests[n] = serials > 0 and parts(text) or text
  end
end
function request()
  turn = turn % {count} + 1
  if serials == 0 then return requests[turn] end
  serial = (serial + {step}) % serials
  return table.concat(requests[turn], string.format("%08x", serial))
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
_ERRORS = ("connect", "read", "write", "timeout", "status")


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
    def prepare(cls, case: Case, directory: Path, cores: frozenset[int]) -> Load:
        """Write the messages of the case and wrk's script into `directory`."""
        for n, session in enumerate(case.ids, 1):
            message = case.message(session)
            (directory / f"envelope-{n}").write_bytes(message.body)
            fields = "".join(f"{name}: {value}\n" for name, value in message.fields.items())
            (directory / f"fields-{n}").write_text(fields)
        path = directory / "load.lua"
        path.write_text(script(case, directory))
        return cls(case, path, cores)

    def send(self, port: int, seconds: int) -> Counted:
        """Load the gateway on `port` for `seconds`. Raises BenchError unless all went well."""
        scheme = "https" if self.case.tls else "http"
        command = ["wrk", "-t", "1", "-c", str(self.case.connections), "-d", f"{seconds}s"]
        command += ["--timeout", "10s", "-s", str(self.script), f"{scheme}://127.0.0.1:{port}/"]
        return counted(finished(command, cores=self.cores, seconds=seconds + 60))


def script(case: Case, directory: Path) -> str:
    """What wrk runs, in Lua."""
    return _SCRIPT.format(
        serials=case.serials,
        mark=SERIAL,
        seed="os.time() * 1000 + os.clock() * 1e6 % 1000",
        count=len(case.ids),
        directory=directory,
        path=PATH,
        step=STEP,
    )


def counted(output: str) -> Counted:
    """What wrk has said. Raises BenchError for errors, bad replies, or no reply at all."""
    lines = [line for line in output.splitlines() if line.startswith("BENCH ")]
    if not lines:
        raise BenchError(f"wrk gave no summary: {output.strip()!r}.")
    counts = json.loads(lines[-1].removeprefix("BENCH "))
    failed = {kind: counts[kind] for kind in _ERRORS if counts[kind]}
    if failed or not counts["requests"]:
        raise BenchError(f"wrk counted {counts['requests']} replies and errors: {failed}.")
    return Counted(counts["requests"], counts["microseconds"] / 1e6, counts["p50"], counts["p99"])
