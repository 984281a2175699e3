"""Canned SOAP backends: one nginx process, a port for each, that answers without thinking.

It reads the whole request before it answers, as a SOAP service must. nginx alone would answer at
once and drain the body afterwards, which tests early replies instead; so the body is read by the
mirror module (into a subrequest that returns 204), and the reply comes from the error page of a
handler that refuses POST. Every reply says which backend it came from, in `X-Backend`, and, where
it issues an id, which, in `X-Issued`: the checks read these. Replies are small (under 0.5 KB).
"""

from __future__ import annotations

from pathlib import Path

from bench import nginx
from bench.cases import CONTENT_TYPE, ECHOED, Reply
from bench.envelopes import SESSION

_REPLY = (
    '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">{header}<soap:Body>'
    '<shop:addResponse xmlns:shop="urn:example:shop"><shop:count>2</shop:count>'
    "<shop:total>19.80</shop:total></shop:addResponse></soap:Body></soap:Envelope>"
)
_HEADER = (
    f'<soap:Header><shop:{SESSION} xmlns:shop="urn:example:shop">{{id}}</shop:{SESSION}>'
    "</soap:Header>"
)
# What nginx puts in place of the id: a field of the request; 32 hex digits, new in each request.
_VARIABLE: dict[Reply, str] = {
    "canned": "",
    "echo": f"$http_{ECHOED.lower().replace('-', '_')}",
    "issue": "$request_id",
}

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
      default_type "{content_type}";
      add_header X-Backend {name};
{issued}      return 200 '{reply}';
    }}
  }}
"""


def command(
    directory: Path, ports: dict[str, int], body_bytes: int, reply: Reply = "canned"
) -> list[str]:
    """Write the configuration into `directory`; the command that serves it in the foreground.

    `body_bytes` is the largest request body: it is kept in memory, never on disk.
    """
    variable = _VARIABLE[reply]
    header = _HEADER.format(id=variable) if variable else ""
    servers = "".join(
        _SERVER.format(
            port=port,
            name=name,
            content_type=CONTENT_TYPE,
            issued="      add_header X-Issued $request_id;\n" if reply == "issue" else "",
            reply=_REPLY.format(header=header),
        )
        for name, port in ports.items()
    )
    return nginx.command(directory, nginx.text(directory, body_bytes, servers))
