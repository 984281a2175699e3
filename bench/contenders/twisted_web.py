"""twisted.web's ReverseProxyResource: the proxy that comes with Twisted, and the foil.

It does less than the others: it reads no id, keeps no session, has one backend, buffers the whole
request and opens a connection to the backend for each. Its figure says what soapgate would have
started from, had it been built on twisted.web.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.cases import Case
from bench.contenders import Contender, Setting

_PROGRAM = Path(__file__).with_name("reverse_proxy.py")


def _command(setting: Setting) -> list[str]:
    backend = next(iter(setting.backends.values()))
    return [sys.executable, str(_PROGRAM), str(setting.port), str(backend)]


def _refuses(case: Case) -> str:
    if case.tls or case.backends != 2 or case.pins or case.reply != "canned":
        return "it has no TLS here, one backend and no pins"
    return ""


TWISTED_WEB = Contender(
    name="twisted-web",
    about="twisted.web's ReverseProxyResource: plain, reads no id, one backend",
    packages={},
    version=(sys.executable, "-c", "import twisted; print('Twisted', twisted.__version__)"),
    command=_command,
    sticks=False,
    refuses=_refuses,
)
