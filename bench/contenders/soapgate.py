"""soapgate itself: pins in LMDB, a profile that names the place where the case has its id.

As a user would run it, but without the log line of each exchange, as HAProxy writes none here
either. Ids are bound on first sight, which is what a stick table does, or learned from replies
where the case wants that. Pins that are to be there beforehand are bound in the store before the
gateway starts, under the keys that the gateway will look up.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from bench.cases import COOKIE, Case, pinned_backend, pinned_id
from bench.contenders import Contender, Setting
from bench.envelopes import SESSION
from soapgate.core.keys import Keys
from soapgate.core.pins import Pin
from soapgate.stores.lmdb import LmdbStore

ROOM = 1_000_000  # pins that may come in during a run, besides those beforehand
CHECK_SECONDS = 60.0

_TEXT = """\
[gateway]
listen = ["{listen}"]
pins = "lmdb:{pins}"
max_pins = {max_pins}
log = "none"
{workers}
[limits]
connections = 0

[namespaces]
shop = "urn:example:shop"

[pool.shop]
policy = "round_robin"
backend = [
{backends}
]

[service.shop]
pool = "shop"
{sessions}{profile}"""

_PROFILE = """
[profile.shop]
default = true
lookup = ["{place}"]
bind = [{bind}]
learn = [{learn}]
"""

_HEADER = f"Header/shop:{SESSION}"
_PLACES = {
    "header": _HEADER,
    "body": f"Body/shop:add/shop:{SESSION}",
    "cookie": f"cookie:{COOKIE}",
}
_SESSIONS = {"one": 'sessions = ["shop"]\n', "default": "", "none": "sessions = []\n"}


def text(setting: Setting, workers: int = 1) -> str:
    """The configuration for a setting."""
    backends = "\n".join(
        f'  {{ name = "{name}", url = "http://127.0.0.1:{port}" }},'
        for name, port in setting.backends.items()
    )
    return _TEXT.format(
        listen=_listen(setting),
        pins=setting.directory / "pins",
        max_pins=ROOM + setting.case.pins,
        workers=f"workers = {workers}\n" if workers > 1 else "",
        backends=backends,
        sessions=_SESSIONS[setting.case.profiles],
        profile=_profile(setting.case),
    )


def _listen(setting: Setting) -> str:
    if not setting.certificate:
        return f"tcp:{setting.port}:interface=127.0.0.1"
    pem = str(setting.certificate).replace(":", r"\\:")  # once for TOML, once for the endpoint
    return f"ssl:{setting.port}:privateKey={pem}:certKey={pem}:interface=127.0.0.1"


def _profile(case: Case) -> str:
    if case.place == "nowhere":
        return ""
    place = _PLACES[case.place]
    on_sight = case.reply == "canned"
    return _PROFILE.format(
        place=place,
        bind=f'"{place}"' if on_sight else "",
        learn="" if on_sight else f'"{_HEADER}"',
    )


def _run(setting: Setting, workers: int) -> list[str]:
    path = setting.directory / "soapgate.toml"
    path.write_text(text(setting, workers))
    bind_beforehand(setting)
    return [sys.executable, "-m", "soapgate", "run", str(path)]


def bind_beforehand(setting: Setting) -> None:
    """Bind the pins of the case, as an earlier run of the gateway would have left them."""
    if not setting.case.pins:
        return
    store = LmdbStore(setting.directory / "pins", ROOM + setting.case.pins)
    try:
        keys, now = Keys(store.secret), time.time()
        for serial in range(setting.case.pins):
            backend = pinned_backend(serial, len(setting.backends))
            key = keys.key("shop", "shop", pinned_id(f"{serial:08x}"))
            then = now - serial * 1e-6  # no two are bound at once, or one might stand for others
            _at_once(store.bind(key, Pin("shop", "shop", backend, b"", then, then)))
    finally:
        store.close()


def _at_once(call: Coroutine[Any, Any, object]) -> None:
    """Run a coroutine of a store that never suspends."""
    try:
        call.send(None)
    except StopIteration:
        return
    raise RuntimeError("the store has suspended")


def _one(setting: Setting) -> list[str]:
    return _run(setting, 1)


def _two(setting: Setting) -> list[str]:
    return _run(setting, 2)


def _lacks_workers() -> str:
    """Ask `soapgate check` whether this soapgate takes two workers."""
    with tempfile.TemporaryDirectory(prefix="soapgate-bench-") as directory:
        path = Path(directory) / "workers.toml"
        path.write_text(
            "[gateway]\nworkers = 2\n"
            '[pool.shop]\nbackend = [ { name = "b1", url = "http://127.0.0.1:9001" } ]\n'
        )
        command = [sys.executable, "-m", "soapgate", "check", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=CHECK_SECONDS)
    if done.returncode == 0:
        return ""
    said = (done.stderr + done.stdout).strip().splitlines()
    why = said[-1].removeprefix(f"{path}: ") if said else "no reason given"
    return f"this soapgate takes no workers = 2 ({why})"


SOAPGATE = Contender(
    name="soapgate",
    about="soapgate, one process, LMDB pins, one profile on a custom SOAP Header",
    packages={},
    version=(sys.executable, "-m", "soapgate", "--version"),
    command=_one,
)
SOAPGATE_2 = Contender(
    name="soapgate-2",
    about="the same with workers = 2; its CPU is that of all its processes",
    packages={},
    version=(sys.executable, "-m", "soapgate", "--version"),
    command=_two,
    cores=2,
    lacks=_lacks_workers,
)
