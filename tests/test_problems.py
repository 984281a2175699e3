from __future__ import annotations

import pytest

from soapgate.config import PoolConfig, ServiceConfig, parse
from soapgate.core.errors import ConfigError
from soapgate.problems import (
    LATER,
    Problems,
    among,
    keys_at,
    place,
    show,
    unknown_key,
    unknown_name,
)

POOL = '[pool.p]\nbackend = [ { name = "b1", url = "http://127.0.0.1:9001" } ]\n'


def problems(text: str, name: str = "FILE") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, name)
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("gateway",), "[gateway]"),
        (("gateway", "listen"), "[gateway] listen"),
        (("gateway", "listen", 1), "[gateway] listen[1]"),
        (("pool", "shop"), "[pool.shop]"),
        (("pool", "a b", "policy"), '[pool."a b"] policy'),
        (("pool", "shop", "backend", 0, "url"), "[pool.shop] backend[0].url"),
        (("service", "s", "a\nb"), '[service.s] "a\\nb"'),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_place_reads_as_one_finds_it_in_the_file(path, text):
    assert place(path) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (3, "3"),
        (1.5, "1.5"),
        ('a\n"b', '"a\\n\\"b"'),
        ("é", '"é"'),
        ([1, "a"], '[1, "a"]'),
        ({"a": 1, "b c": []}, '{ a = 1, "b c" = [] }'),
        ({}, "{}"),
        ("http://me:pw@h", '"http://...@h"'),
        ("x" * 100, '"' + "x" * 68 + "..."),
    ],
    ids=str,
)
def test_a_value_is_shown_as_toml_writes_it(value, text):
    assert show(value) == text


def test_words_are_listed_in_quotes():
    assert among(["a", "b"]) == '"a", "b"'


def test_problems_are_raised_together_or_not_at_all():
    said = Problems("FILE")
    said.raise_any()
    said.say(("gateway",), "is bad")
    said.say(("gateway", "log"), "is worse", 3)
    with pytest.raises(ConfigError) as caught:
        said.raise_any()
    assert caught.value.problems == ("FILE: [gateway]: is bad", "FILE: [gateway] log = 3: is worse")


def test_the_keys_of_a_nested_table_are_found():
    assert "policy" in keys_at(PoolConfig, ())
    assert keys_at(PoolConfig, ("backend", 0))[:2] == ["name", "url"]
    assert "rise" in keys_at(PoolConfig, ("health",))
    assert "lost" in keys_at(ServiceConfig, ())


@pytest.mark.parametrize("path", LATER, ids=".".join)
def test_what_comes_later_says_not_yet(path):
    named = tuple("x" if part == "*" else part for part in path)
    assert unknown_key(named, ["listen"]).startswith("not yet: ")


def test_an_unknown_name_is_guessed_or_listed():
    assert unknown_name("pool", "shp", ["shop", "bank"]) == 'unknown pool; did you mean "shop"?'
    assert unknown_name("pool", "x", ["shop", "bank"]) == (
        'unknown pool; allowed are "bank", "shop"'
    )
    assert unknown_name("pool", "x", []) == "unknown pool; there is none"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[gateway\n", "FILE: line 1, column 9: not TOML: Expected ']' at the end of a table"),
        ('a = 1\nb = "x\n', "FILE: line 2, column 7: not TOML: Illegal character '\\n'"),
        ("a = ", "FILE: end of document: not TOML: Invalid value"),
        ("a = 1\na = 2\n", "FILE: line 2, column 6: not TOML: Cannot overwrite a value"),
    ],
    ids=["table", "string", "end", "twice"],
)
def test_what_is_no_toml_is_told_with_its_place(text, line):
    (said,) = problems(text)
    assert said.startswith(line[:45])


def test_every_problem_is_one_line():
    text = POOL + '[service.s]\n"a\\nb" = "c\\nd"\nrole = """x\ny"""\n'
    for line in problems(text):
        assert "\n" not in line


def test_a_long_value_is_shortened():
    (line,) = problems(POOL + f'[service.s]\nlost = "{"x" * 500}"\n')
    assert len(line) < 160
