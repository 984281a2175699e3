"""HAProxy, the yardstick: it buffers the body, runs a regex over it and keeps a stick table.

Set up as one who knows it would for speed: one thread, no log, connections to backends kept and
shared; the body is buffered only where the id stands in it. The id is cut out by `map_regm`, which
stops at the match and copies nothing but the id; `regsub` over the whole body measured about the
same, dearer with a 4 KB Header. A reply is read only where an id is learned from it.

HAProxy holds a request in one buffer of `tune.bufsize` bytes and the regex sees no further: with a
longer request `http-buffer-request` waits until the buffer is full, and the rest streams. So there
are two yardsticks, and soapgate is compared with both:

* `haproxy`: a buffer that holds the whole request, so that the id is found wherever it stands.
  With buffers of 256 KiB and more this is dear: they go back to the system each time (`brk` and
  page faults), and the cast from bytes to a string walks the body byte by byte.
* `haproxy-64k`: 64 KiB whatever comes, which measured cheapest at 1 MB (16 KiB and 256 KiB are both
  dearer). It is blind to an id that stands later.
"""

from __future__ import annotations

import socket
from pathlib import Path

from bench.cases import COOKIE, Case, pinned_backend, pinned_id
from bench.contenders import Contender, Setting
from bench.envelopes import SESSION
from bench.processes import BenchError

PACKAGES = {"haproxy": "haproxy"}
KIB = 1024
DEFAULT_BUFFER = 16 * KIB  # HAProxy's own
HEAD_ROOM = 4 * KIB  # for the request head and tune.maxrewrite, which share the buffer
BATCH = 100  # commands in one line to the runtime API; a line has to fit into a buffer
ANSWER_SECONDS = 60.0

# Any prefix, any attributes: what an operator has to write, as XML does not fix either.
_PATTERN = rf"<(?:[A-Za-z_][\w.-]*:)?{SESSION}(?:\s[^>]*)?>\s*([^<\s]+)\s*</ \1"

_TEXT = """\
global
  nbthread 1
  maxconn 8000
  tune.bufsize {buffer}
  stats socket unix@{socket} level admin

defaults
  mode http
{buffered}  option http-keep-alive
  http-reuse always
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout http-request 30s

frontend clients
  bind 127.0.0.1:{port}{tls}
  default_backend shop

backend shop
  balance roundrobin
{stick}{servers}
"""


def _with_buffer(setting: Setting, buffer: int) -> list[str]:
    case = setting.case
    servers = "\n".join(
        f"  server {name} 127.0.0.1:{port} check" for name, port in setting.backends.items()
    )
    text = _TEXT.format(
        buffer=buffer,
        socket=_socket(setting),
        buffered="  option http-buffer-request\n" if _reads_bodies(case) else "",
        port=setting.port,
        tls=f" ssl crt {setting.certificate}" if setting.certificate else "",
        stick="".join(f"  {line}\n" for line in _stick(setting)),
        servers=servers,
    )
    path = setting.directory / "haproxy.cfg"
    path.write_text(text)
    return ["haproxy", "-db", "-f", str(path)]


def _reads_bodies(case: Case) -> bool:
    return case.profiles != "none" and case.place != "cookie"


def _stick(setting: Setting) -> list[str]:
    """The lines of the backend that keep a session; none if nothing is looked for."""
    case = setting.case
    if case.profiles == "none":
        return []
    room = 1_000_000 + case.pins  # the cap that soapgate has, too
    table = f"stick-table type string len 64 size {room} expire 30m"
    if case.place == "cookie":
        return [table, f"stick on req.cook({COOKIE})"]
    patterns = setting.directory / "session-id.map"
    patterns.write_text(_PATTERN + "\n")
    cut = f"map_regm({patterns})"
    if case.reply == "canned":
        return [table, f"stick on req.body,{cut}"]
    return [
        table,
        "http-response wait-for-body time 5s",
        f"stick match req.body,{cut}",
        f"stick store-response res.body,{cut}",
    ]


def _whole_body(setting: Setting) -> list[str]:
    return _with_buffer(setting, max(DEFAULT_BUFFER, setting.case.size + HEAD_ROOM))


def _first_64k(setting: Setting) -> list[str]:
    return _with_buffer(setting, 64 * KIB)


def _socket(setting: Setting) -> Path:
    return setting.directory / "runtime"


def _fill(setting: Setting) -> None:
    """Put the pins of the case into the stick table, through the runtime API."""
    pins, count = setting.case.pins, len(setting.backends)
    if not pins:
        return
    numbers = {name: number for number, name in enumerate(setting.backends, 1)}
    commands = [
        f"set table shop key {pinned_id(f'{serial:08x}')} "
        f"data.server_id {numbers[pinned_backend(serial, count)]}"
        for serial in range(pins)
    ]
    for start in range(0, pins, BATCH):
        answer = _asked(setting, "; ".join(commands[start : start + BATCH]))
        if answer.strip():
            raise BenchError(f"haproxy takes no pin: {answer.strip()[:200]}")
    held = _asked(setting, "show table")
    if f"used:{pins}" not in held:
        raise BenchError(f"haproxy does not hold {pins} pins: {held.strip()[:200]}")


def _asked(setting: Setting, commands: str) -> str:
    """The answer to one line of commands; HAProxy closes the connection after it."""
    pieces = []
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(ANSWER_SECONDS)
            link.connect(str(_socket(setting)))
            link.sendall(commands.encode() + b"\n")
            while piece := link.recv(65536):
                pieces.append(piece)
    except OSError as problem:
        raise BenchError(f"haproxy's runtime API does not answer: {problem}.") from problem
    return b"".join(pieces).decode(errors="replace")


HAPROXY = Contender(
    name="haproxy",
    about="HAProxy, the whole request in its buffer, a regex on the id, a stick table",
    packages=PACKAGES,
    version=("haproxy", "-v"),
    command=_whole_body,
    yardstick=True,
    fill=_fill,
)
HAPROXY_64K = Contender(
    name="haproxy-64k",
    about="the same with a buffer of 64 KiB at every size: the regex sees no further",
    packages=PACKAGES,
    version=("haproxy", "-v"),
    command=_first_64k,
    yardstick=True,
    fill=_fill,
)
