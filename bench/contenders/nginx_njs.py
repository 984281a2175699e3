"""nginx with njs: the body buffered in memory, a script that finds the id, a hash of it.

It does less than HAProxy and soapgate: the backend is a function of the id (`hash ... consistent`),
so there is no table, nothing is bound and nothing can be learned from a reply; a backend that comes
or goes moves sessions. A table would need the shared dictionary that njs has from 0.8.0 on; Debian
12 has 0.7.9. Set up for speed: one process, no log, connections to backends kept, the body never on
disk. The script looks for the name in the bytes and runs the regex only there; a regex over
`requestText` makes a string of the whole body first.
"""

from __future__ import annotations

from pathlib import Path

from bench import nginx
from bench.cases import COOKIE, Case
from bench.contenders import Contender, Setting
from bench.envelopes import SESSION

MODULE = "ngx_http_js_module.so"
# Where distributions keep the modules of nginx.
_PLACES = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/etc/nginx/modules")

_SCRIPT = f"""\
const pattern = /<(?:[A-Za-z_][\\w.-]*:)?{SESSION}(?:\\s[^>]*)?>\\s*([^<\\s]+)\\s*<\\//;

function pick(r) {{
    const body = r.requestBuffer;
    let at = body ? body.indexOf('{SESSION}') : -1;
    while (at >= 0) {{
        const found = pattern.exec(body.toString('utf8', Math.max(0, at - 64), at + 4096));
        if (found) {{
            r.variables.session = found[1];
            break;
        }}
        at = body.indexOf('{SESSION}', at + {len(SESSION)});
    }}
    r.internalRedirect('@shop');
}}

export default {{ pick }};
"""

_REST = """\
  client_body_in_single_buffer on;
  js_path {directory};
  js_import bench from session.js;
  js_var $session;
  upstream shop {{
    {balance}
{servers}
    keepalive 64;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
  }}
  server {{
    listen 127.0.0.1:{port}{tls} backlog=1024;
{certificate}    location / {{ {handler} }}
    location @shop {{ {forward} }}
  }}
"""

_FORWARD = 'proxy_pass http://shop; proxy_http_version 1.1; proxy_set_header Connection "";'


def module() -> Path | None:
    """The njs module of nginx; None if it is not installed."""
    found = (Path(place) / MODULE for place in _PLACES)
    return next((path for path in found if path.exists()), None)


def text(setting: Setting, njs: Path) -> str:
    """nginx.conf for a setting."""
    case = setting.case
    scripted = case.place in {"header", "body"} or case.profiles == "default"
    balance = {"cookie": f"hash $cookie_{COOKIE} consistent;", "nowhere": ""}
    pem = setting.certificate
    rest = _REST.format(
        directory=setting.directory,
        balance=balance.get(case.place, "hash $session consistent;"),
        servers="\n".join(f"    server 127.0.0.1:{port};" for port in setting.backends.values()),
        port=setting.port,
        tls=" ssl" if pem else "",
        certificate=f"    ssl_certificate {pem};\n    ssl_certificate_key {pem};\n" if pem else "",
        handler="js_content bench.pick;" if scripted else _FORWARD,
        forward=_FORWARD,
    )
    return nginx.text(setting.directory, case.size, rest, first=f"load_module {njs};\n")


def _command(setting: Setting) -> list[str]:
    njs = module()
    assert njs is not None  # `lacks` has said so before
    (setting.directory / "session.js").write_text(_SCRIPT)
    return nginx.command(setting.directory, text(setting, njs))


def _refuses(case: Case) -> str:
    if case.pins or case.reply != "canned":
        return "it has no table: it hashes the id, binds nothing and learns nothing"
    return ""


def _lacks() -> str:
    if module() is None:
        return f"{MODULE} not found: apt-get install libnginx-mod-http-js"
    return ""


NGINX_NJS = Contender(
    name="nginx-njs",
    about="nginx, the body in memory, an njs script finds the id; a hash of it, no table",
    packages=nginx.PACKAGES,
    version=("nginx", "-v"),
    command=_command,
    refuses=_refuses,
    lacks=_lacks,
)
