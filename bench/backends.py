"""Two canned SOAP backends: one nginx process, a port for each, that answers without thinking.

It reads the whole request before it answers, as a SOAP service must. nginx alone would answer at
once and drain the body afterwards, which tests early replies instead; so the body is read by the
mirror module (into a subrequest that returns 204), and the reply comes from the error page of a
handler that refuses POST. Every reply says which backend it came from, in `X-Backend`.
Replies are small (under 0.5 KB); requests carry the size of a case.
"""

from __future__ import annotations

from pathlib import Path

PACKAGES = {"nginx": "nginx-light"}
NAMES = ("b1", "b2")
REPLY = (
    '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
    '<shop:addResponse xmlns:shop="urn:example:shop"><shop:count>2</shop:count>'
    "<shop:total>19.80</shop:total></shop:addResponse></soap:Body></soap:Envelope>"
)

_FRAME = """\
daemon off;
master_process off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr error;
events {{ worker_connections 4096; }}
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
{servers}}}
"""

_SERVER = """\
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      mirror /read-body;
      mirror_request_body on;
      empty_gif;
      error_page 405 =200 @reply;
    }}
    location = /read-body {{ internal; return 204; }}
    location @reply {{
      default_type "text/xml; charset=utf-8";
      add_header X-Backend {name};
      return 200 '{reply}';
    }}
  }}
"""


def command(directory: Path, ports: dict[str, int], body_bytes: int) -> list[str]:
    """Write the configuration into `directory`; the command that serves it in the foreground.

    `body_bytes` is the largest request body: it is kept in memory, never on disk.
    """
    servers = "".join(
        _SERVER.format(port=port, name=name, reply=REPLY) for name, port in ports.items()
    )
    buffer = max(body_bytes + 1024, 16 * 1024)
    text = _FRAME.format(directory=directory, buffer=buffer, servers=servers)
    path = directory / "nginx.conf"
    path.write_text(text)
    return ["nginx", "-e", "stderr", "-p", str(directory), "-c", str(path)]
