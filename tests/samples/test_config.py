"""The sample configurations, run as the README says but on free ports."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import client
import pytest
import stage
from zeep.exceptions import Fault

from soapgate.config import load

SAMPLES = Path(stage.__file__).parent
ROOT = SAMPLES.parent
FILES = sorted((SAMPLES / "config").glob("*.toml"))
README = (SAMPLES / "README.rst").read_text()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_sample_configuration_loads(file):
    config = load(file)
    assert list(config.service) == ["shop"]
    assert config.profiles_for("shop")


def test_there_is_a_configuration_for_each_carrier_and_one_for_all():
    assert {file.stem for file in FILES} == {*client.CARRIERS, "all"}


@pytest.mark.integration
@pytest.mark.parametrize("carrier", client.CARRIERS)
def test_sessions_stay_with_the_configuration_of_their_carrier(carrier):
    with stage.Stage(config=SAMPLES / "config" / f"{carrier}.toml") as up:
        shoppers = [client.CartClient(carrier, up.url) for _ in range(4)]
        homes = [shopper.login(f"c{number}").node for number, shopper in enumerate(shoppers)]
        assert sorted(homes) == ["b1", "b1", "b2", "b2"]
        for _ in range(3):
            assert [shopper.add("tea", 1).node for shopper in shoppers] == homes
        assert [shopper.checkout().count for shopper in shoppers] == [3, 3, 3, 3]
        for shopper in shoppers:
            shopper.close()


@pytest.mark.integration
def test_sessions_are_torn_without_a_profile(tmp_path):
    torn = tmp_path / "torn.toml"
    text, changed = re.subn(r"(?m)^sessions = .*$", "sessions = []", stage.CONFIG.read_text())
    assert changed == 1
    torn.write_text(text)
    with stage.Stage(config=torn) as up:
        shopper = client.CartClient("header", up.url)
        shopper.login("ann")
        with pytest.raises(Fault, match="no such session"):
            shopper.add("tea", 1)
        shopper.close()


@pytest.mark.integration
def test_the_client_lines_of_the_readme_run_as_written():
    lines = re.findall(r"^    python (samples/client\.py .*)$", README, re.MULTILINE)
    assert len(lines) == len(client.CARRIERS)
    with stage.Stage() as up:
        for line in lines:
            *words, url = shlex.split(line)
            assert url == "http://127.0.0.1:8080/"
            argv = [sys.executable, *words, up.url]
            done = subprocess.run(
                argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr


def test_every_file_that_the_readme_names_is_there():
    named = re.findall(r"(?:samples/|config/|``)([\w/]+\.(?:py|toml))", README)
    places = (SAMPLES, SAMPLES / "config")
    assert {"cart.py", "demo.py", "config/all.toml", "wsa.toml"} <= set(named)
    assert [n for n in named if not any((place / n).exists() for place in places)] == []
