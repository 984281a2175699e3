"""Makes `twist soapgate CONFIG` and `twistd soapgate CONFIG` work: a gateway under Twisted's own
runners, which bring their reactor, their log and, with twistd, a daemon.

The one rule: this file is read by every `twist` there is, so it imports nothing that costs, and
nothing of soapgate before a gateway is asked for. The runner's reactor is taken as it is; only
`soapgate run` has the lean one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.application.service import ServiceMaker
from twisted.python.usage import Options as UsageOptions


class Options(UsageOptions):
    """The one argument."""

    synopsis = "CONFIG"

    def parseArgs(self, config: str) -> None:
        """CONFIG: the TOML file."""
        self["config"] = Path(config)


def makeService(options: Options) -> Any:
    """The gateway of a file; a file that is wrong ends the runner with what is wrong with it."""
    from twisted.internet import reactor

    from soapgate import service

    path = options["config"]
    try:
        gateway = service.Gateway(reactor, service.load(path), path)
    except service.SoapgateError as error:
        raise SystemExit(str(error)) from None

    reactor.callWhenRunning(gateway.open)
    return gateway


soapgate = ServiceMaker(
    "soapgate",
    "twisted.plugins.soapgate_plugin",
    "A gateway that keeps every SOAP session on the backend that holds it.",
    "soapgate",
)
