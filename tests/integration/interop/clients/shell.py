"""pypsrp and pywinrm: one remote shell, from Create to Delete.

    shell.py URL KIND

KIND is `winrs` (pypsrp, the server makes the id), `winrs-own` (the client proposes it), `pwsh`
(PowerShell over pypsrp, which always proposes it) or `pywinrm`. Three commands are run. Prints
`run NODE COUNT` for each, or `fault CODE` and exits with 3.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

RUNS = 3
LOGIN = {"username": "nobody", "password": "nothing"}


def connection(url: str):
    from pypsrp.wsman import WSMan

    at = urlsplit(url)
    options = {"ssl": False, "auth": "basic", "encryption": "never", "no_proxy": True}
    return WSMan(at.hostname, port=at.port, **options, **LOGIN)


def winrs(url: str, identity: str | None = None) -> Iterator[str]:
    from pypsrp.shell import Process, SignalCode, WinRS

    with connection(url) as wsman, WinRS(wsman, id=identity) as shell:
        for _ in range(RUNS):
            process = Process(shell, "count")
            process.begin_invoke()
            process.send(b"", end=True)
            process.end_invoke()
            process.signal(SignalCode.TERMINATE)
            yield process.stdout.decode()


def powershell(url: str) -> Iterator[str]:
    from pypsrp.powershell import PowerShell, RunspacePool

    with connection(url) as wsman, RunspacePool(wsman) as pool:
        for _ in range(RUNS):
            said = PowerShell(pool).add_script("count").invoke()
            yield str(said[0])


def pywinrm(url: str) -> Iterator[str]:
    from winrm.protocol import Protocol

    direct = {"proxy": None, "ca_trust_path": None}
    protocol = Protocol(f"{url}wsman", transport="plaintext", **direct, **LOGIN)
    try:
        shell = protocol.open_shell()
        for _ in range(RUNS):
            command = protocol.run_command(shell, "count")
            out, _err, _status = protocol.get_command_output(shell, command)
            protocol.cleanup_command(shell, command)
            yield out.decode()
        protocol.close_shell(shell)
    finally:
        protocol.transport.close_session()


KINDS = {
    "winrs": winrs,
    "winrs-own": lambda url: winrs(url, str(uuid.uuid4()).upper()),
    "pwsh": powershell,
    "pywinrm": pywinrm,
}


def main(url: str, kind: str) -> int:
    try:
        for said in KINDS[kind](url):
            print("run", *said.split()[:2])
    except Exception as error:  # each library has faults of its own
        code = getattr(error, "wsman_fault_code", None) or getattr(error, "code", None)
        if code is None:
            raise
        print("fault", code)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
