"""Spyne on this Python, in processes of their own: imports leave traces."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import spyne_compat
from lxml import etree

SAMPLES = Path(spyne_compat.__file__).parent


def python(program: str) -> str:
    argv = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(argv, cwd=SAMPLES, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.integration
def test_spyne_imports_without_a_warning_when_the_module_was_imported_first():
    program = "import spyne_compat, spyne, spyne.server.wsgi; print(spyne.__version__)"
    assert python(program) == "2.14.0"


@pytest.mark.integration
def test_no_hook_of_spynes_old_six_is_left_to_warn_at_later_imports():
    program = (
        "import spyne_compat, sys, importlib.util;"
        "assert importlib.util.find_spec('no_such_module_here') is None;"
        "print([type(hook).__module__ for hook in sys.meta_path])"
    )
    assert "spyne" not in python(program)


@pytest.mark.integration
def test_without_spyne_the_error_names_the_extra():
    program = (
        "import sys; sys.modules['spyne'] = None\n"
        "try:\n import spyne_compat\nexcept ImportError as error:\n print(error)"
    )
    assert "pip install 'soapgate[demo]'" in python(program)


def test_spyne_asks_for_no_other_names_of_six_moves():
    package = Path(importlib.util.find_spec("spyne").origin).parent
    texts = [p.read_text(errors="replace") for p in package.rglob("*.py") if p.name != "six.py"]
    asked = {
        line.split("six.moves.")[1].split()[0]
        for text in texts
        for line in text.splitlines()
        if line.strip().startswith("from spyne.util.six.moves.")
    }
    assert asked
    assert asked <= set(spyne_compat._MOVES)


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("shop.example:8080", "http://shop.example:8080/header"),
        ("other.example", "http://other.example/header"),
        ('"<&', 'http://"<&/header'),
    ],
    ids=["first", "second", "hostile"],
)
def test_the_wsdl_names_the_address_that_this_client_asked(host, told):
    import cart

    wsgi = spyne_compat.wsgi(cart.application("header"))
    for asked in ("first.example", host):  # Spyne alone would keep the first for ever
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/header",
            "QUERY_STRING": "wsdl",
            "HTTP_HOST": asked,
            "SERVER_NAME": "x",
            "SERVER_PORT": "1",
            "wsgi.url_scheme": "http",
        }
        text = b"".join(wsgi(environ, lambda status, fields: None))
    (address,) = etree.fromstring(text).iter("{http://schemas.xmlsoap.org/wsdl/soap/}address")
    assert address.get("location") == told
