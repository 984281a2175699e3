"""soapgate itself: one process, pins in LMDB, one profile that names the same header block.

As a user would run it, but without the log line of each exchange, as HAProxy writes none here
either. Ids are bound on first sight, which is what a stick table does.
"""

from __future__ import annotations

import sys

from bench.contenders import Contender, Setting

_TEXT = """\
[gateway]
listen = ["tcp:{port}:interface=127.0.0.1"]
pins = "lmdb:{pins}"
log = "none"

[namespaces]
shop = "urn:example:shop"

[pool.shop]
policy = "round_robin"
backend = [
{backends}
]

[service.shop]
pool = "shop"
sessions = ["shop"]

[profile.shop]
lookup = ["Header/shop:SessionId"]
bind = ["Header/shop:SessionId"]
"""


def _command(setting: Setting) -> list[str]:
    backends = "\n".join(
        f'  {{ name = "{name}", url = "http://127.0.0.1:{port}" }},'
        for name, port in setting.backends.items()
    )
    text = _TEXT.format(port=setting.port, pins=setting.directory / "pins", backends=backends)
    path = setting.directory / "soapgate.toml"
    path.write_text(text)
    return [sys.executable, "-m", "soapgate", "run", str(path)]


SOAPGATE = Contender(
    name="soapgate",
    about="soapgate, one process, LMDB pins, one profile on a custom SOAP Header",
    packages={},
    version=(sys.executable, "-m", "soapgate", "--version"),
    command=_command,
)
