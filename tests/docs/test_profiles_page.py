"""docs/profiles.rst says what the catalogue says, and the profile it teaches works."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import build_profiles
import pytest
from click.testing import CliRunner
from written import renewed

from soapgate.cli import main
from soapgate.core.ns import PREFIXES
from soapgate.core.paths import COMPARISONS
from soapgate.core.profiles import catalogue, read_profile
from soapgate.core.values import WORDS

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_what_the_script_writes() -> None:
    text = (ROOT / "docs" / "profiles.rst").read_text(encoding="utf-8")
    assert text == renewed(text, build_profiles.PARTS), "run docs/build_profiles.py"


def test_the_table_has_every_profile_and_every_location_of_it() -> None:
    rows = dict(
        re.findall(
            r"\* - ``([\w-]+)``\n(.*?)(?=\n   \* - |\Z)", build_profiles.profile_table(), re.S
        )
    )
    assert rows.keys() == catalogue().keys()
    for name, profile in catalogue().items():
        assert f"- {'on' if profile.default else 'off'}\n" in rows[name]
        for use in ("lookup", "bind", "learn", "end"):
            said = re.findall(rf"\| {use} ``(.+)``$", rows[name], re.M)
            assert said == [location.text for location in getattr(profile, use)]


def test_the_table_has_every_prefix() -> None:
    for prefix, uris in PREFIXES.items():
        assert f"``{prefix}``\n     - | ``{uris[0]}``" in build_profiles.prefix_table()


def test_a_new_profile_makes_the_page_old() -> None:
    table = {"title": "New", "lookup": ["cookie:new"], "learn": ["cookie:new"]}
    more = {**catalogue(), "new": read_profile("new", table, {})}
    assert build_profiles.profile_table(more) != build_profiles.profile_table()


@pytest.fixture
def lesson(page: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the three files of "Writing one"."""
    taught = page("docs/profiles.rst")
    for kind, name in (("xml", "login-response.xml"), ("xml", "add-request.xml")):
        (tmp_path / name).write_text(taught.only(kind, name))
    (tmp_path / "shop.toml").write_text(taught.only("toml", "[profile.shop]"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def explained(name: str) -> dict[str, Any]:
    done = CliRunner().invoke(main, ["explain", "-c", "shop.toml", "--show-ids", "--json", name])
    assert done.exit_code == 0, done.output
    return {reading["direction"]: reading for reading in json.loads(done.output)["readings"]}


def ids(reading: dict[str, Any], use: str) -> list[str]:
    places = [place for each in reading["profiles"] for place in each["places"]]
    return [one["clear"] for place in places if place["use"] == use for one in place["ids"]]


def test_the_profile_that_the_page_teaches_passes_check(lesson: Path) -> None:
    done = CliRunner().invoke(main, ["check", str(lesson / "shop.toml")])
    assert (done.exit_code, done.stderr) == (0, "")


def test_the_profile_that_the_page_teaches_finds_the_id_it_learnt(lesson: Path) -> None:
    learnt = ids(explained("login-response.xml")["response"], "learn")
    asked = ids(explained("add-request.xml")["request"], "lookup")
    assert learnt == asked == ["8f2c-77"]


def test_namespaces_of_the_page_are_allowed(page: Callable[[str], Any], tmp_path: Path) -> None:
    pool = '\n[pool.p]\nbackend = [ { name = "b1", url = "http://127.0.0.1:9001" } ]\n'
    config = tmp_path / "gateway.toml"
    config.write_text(page("docs/profiles.rst").only("toml", "cwmp") + pool)
    done = CliRunner().invoke(main, ["check", str(config)])
    assert (done.exit_code, done.stderr) == (0, "")


PREFIXED = {name: f"urn:{name}" for name in ("shop", "vbox", "x", "sb", "av", "common", "da")}


def test_profiles_in_parts_on_the_page_are_understood(page: Callable[[str], Any]) -> None:
    parts = [
        text
        for kind, text in page("docs/profiles.rst").blocks
        if not kind and re.match(r"(lookup|bind|end) *= ", text)
    ]
    assert len(parts) == 5
    for text in parts:
        read_profile("part", {"lookup": ["Header/x:id"], **tomllib.loads(text)}, PREFIXED)


def test_every_word_and_comparison_is_on_the_page(page: Callable[[str], Any]) -> None:
    literals = page("docs/profiles.rst").literals
    for word in WORDS:
        assert any(literal.startswith(word.partition(":")[0]) for literal in literals), word
    for how in COMPARISONS[1:]:
        assert any(literal.startswith(f"[{how}(") for literal in literals), how


def test_locations_of_the_page_are_understood(page: Callable[[str], Any]) -> None:
    namespaces = {"shop": "urn:example:shop"}
    text = page("docs/profiles.rst").only("", "Header/shop:Session/@id\nHeader/wsa")
    profile = read_profile("all", {"lookup": text.splitlines()}, namespaces)
    assert [location.text for location in profile.lookup] == text.splitlines()
