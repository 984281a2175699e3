"""The command line in a test: run it, on a configuration and a message that are there.

ask("explain", message)          # click's result: output, exit code
"""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from soapgate.cli import main

GOOD = """
[gateway]
pins = "lmdb:{pins}"
[pool.shop]
backend = [ {{ name = "b1", url = "http://127.0.0.1:9001" }} ]
[service.shop]
sessions = ["shop"]
[profile.shop]
title  = "The shop"
lookup = ["Header/Session"]
"""
ENVELOPE = (
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>'
    b"<Session>id-42</Session></s:Header><s:Body><a/></s:Body></s:Envelope>"
)
REQUEST = (
    b"POST /shop HTTP/1.1\r\nHost: shop.example.com\r\nContent-Type: text/xml\r\n"
    b"Content-Length: %d\r\n\r\n" % len(ENVELOPE)
) + ENVELOPE


@pytest.fixture
def ask():
    def run(*arguments: object, **options: object):
        return CliRunner().invoke(main, [str(one) for one in arguments], **options)

    return run


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text(GOOD.format(pins=tmp_path / "pins"))
    return path


@pytest.fixture
def message(tmp_path: Path) -> Path:
    path = tmp_path / "message.http"
    path.write_bytes(REQUEST)
    return path
