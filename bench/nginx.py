"""What every nginx of the benchmark has in common: one process, no log, bodies in memory.

The one rule: an nginx is set up for speed and writes nothing of a request anywhere; its paths lie
in its own directory. What it does with requests is its author's, who gives the rest of `http`.
"""

from __future__ import annotations

from pathlib import Path

PACKAGES = {"nginx": "nginx-light"}
LEAST_BUFFER = 16 * 1024  # bytes

_TEXT = """\
{first}daemon off;
master_process off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr error;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  tcp_nodelay on;
  keepalive_timeout 600s;
  keepalive_requests 1000000000;
  client_max_body_size 0;
  client_body_buffer_size {buffer};
  client_body_temp_path {directory}/nginx-body;
  proxy_temp_path {directory}/nginx-proxy;
  fastcgi_temp_path {directory}/nginx-fastcgi;
  uwsgi_temp_path {directory}/nginx-uwsgi;
  scgi_temp_path {directory}/nginx-scgi;
{rest}}}
"""


def text(directory: Path, body_bytes: int, rest: str, *, first: str = "") -> str:
    """nginx.conf: `first` stands before all else, `rest` at the end of `http`, both whole lines.
    Bodies of up to `body_bytes` are kept in one buffer."""
    buffer = max(body_bytes + 1024, LEAST_BUFFER)
    return _TEXT.format(first=first, directory=directory, buffer=buffer, rest=rest)


def command(directory: Path, conf: str) -> list[str]:
    """Write the configuration into `directory`; the command that serves it in the foreground."""
    path = directory / "nginx.conf"
    path.write_text(conf)
    return ["nginx", "-e", "stderr", "-p", str(directory), "-c", str(path)]
