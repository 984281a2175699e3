"""What `soapgate explain` finds in bytes that a foreign stack put on the wire.

The command is called in this process, by its own entry point: a process for each of some hundred
messages would take longer than all the rest.
"""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from soapgate.cli import main


def ids(config: Path, message: bytes, profile: str, *uses: str) -> set[str]:
    """The ids, in clear, that the locations of a profile for these uses (lookup, bind, learn) find
    in one HTTP message. An AssertionError if the command refuses the message."""
    argv = ["explain", "--json", "--show-ids", "-c", str(config), "-"]
    done = CliRunner().invoke(main, argv, input=message)
    assert done.exit_code == 0, (message, done.output)
    (reading,) = json.loads(done.stdout)["readings"]
    return {
        found["clear"]
        for each in reading["profiles"]
        for place in each["places"]
        for found in place["ids"]
        if each["profile"] == profile and place["use"] in uses
    }
