"""HAProxy, the yardstick: it buffers the body, runs a regex over it and keeps a stick table.

Set up as one who knows it would for speed: one thread, no log, connections to backends kept and
shared. The id is cut out by `map_regm`, which stops at the match and copies nothing but the id;
`regsub` over the whole body measured about the same, dearer with a 4 KB Header.

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

from bench.contenders import Contender, Setting

PACKAGES = {"haproxy": "haproxy"}
KIB = 1024
DEFAULT_BUFFER = 16 * KIB  # HAProxy's own
HEAD_ROOM = 4 * KIB  # for the request head and tune.maxrewrite, which share the buffer

# Any prefix, any attributes: what an operator has to write, as XML does not fix either.
_PATTERN = r"<(?:[A-Za-z_][\w.-]*:)?SessionId(?:\s[^>]*)?>\s*([^<\s]+)\s*</ \1"

_TEXT = """\
global
  nbthread 1
  maxconn 2000
  tune.bufsize {buffer}

defaults
  mode http
  option http-buffer-request
  option http-keep-alive
  http-reuse always
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout http-request 30s

frontend clients
  bind 127.0.0.1:{port}
  default_backend shop

backend shop
  balance roundrobin
  stick-table type string len 64 size 100k expire 30m
  stick on req.body,map_regm({map})
{servers}
"""


def _with_buffer(setting: Setting, buffer: int) -> list[str]:
    patterns = setting.directory / "session-id.map"
    patterns.write_text(_PATTERN + "\n")
    servers = "\n".join(
        f"  server {name} 127.0.0.1:{port} check" for name, port in setting.backends.items()
    )
    text = _TEXT.format(buffer=buffer, port=setting.port, map=patterns, servers=servers)
    path = setting.directory / "haproxy.cfg"
    path.write_text(text)
    return ["haproxy", "-db", "-f", str(path)]


def _whole_body(setting: Setting) -> list[str]:
    return _with_buffer(setting, max(DEFAULT_BUFFER, setting.body_bytes + HEAD_ROOM))


def _first_64k(setting: Setting) -> list[str]:
    return _with_buffer(setting, 64 * KIB)


HAPROXY = Contender(
    name="haproxy",
    about="HAProxy, the whole request in its buffer, a regex on the id, a stick table",
    packages=PACKAGES,
    version=("haproxy", "-v"),
    command=_whole_body,
    yardstick=True,
)
HAPROXY_64K = Contender(
    name="haproxy-64k",
    about="the same with a buffer of 64 KiB at every size: the regex sees no further",
    packages=PACKAGES,
    version=("haproxy", "-v"),
    command=_first_64k,
    yardstick=True,
)
