"""Paths: which steps, names and predicates are read, as which values."""

from __future__ import annotations

import pytest

from soapgate.core.errors import LocationError
from soapgate.core.locations import SoapPath, parse
from soapgate.core.ns import PREFIXES, WSA
from soapgate.core.paths import (
    MAX_POSITION,
    NameTest,
    Path,
    PathReader,
    Position,
    Predicate,
    Step,
    check_namespace,
)

SHOP = {"shop": "urn:example:shop", "v": ["urn:example:v-*", "urn:example:old"]}


def step(local, *uris, deep=False, predicates=()):
    return Step(NameTest(uris or None, local), deep, tuple(predicates))


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("Header/shop:Session", [step("Session", "urn:example:shop")]),
        ("Header/*:Session", [step("Session")]),
        ("Header/Session", [step("Session", "")]),
        ("Header/*", [step("*")]),
        ("Header/shop:*", [step("*", "urn:example:shop")]),
        ("Header/wsa:To", [step("To", *WSA)]),
        ("Header/v:Id", [step("Id", "urn:example:v-*", "urn:example:old")]),
        ("Body/shop:a/b", [step("a", "urn:example:shop"), step("b", "")]),
        ("Body//shop:a", [step("a", "urn:example:shop", deep=True)]),
        ("Body/a//b", [step("a", ""), step("b", "", deep=True)]),
        ("Header/größe.x-1_2", [step("größe.x-1_2", "")]),
    ],
)
def test_steps_are_read(text, steps):
    path = parse(text, SHOP)
    assert isinstance(path, SoapPath)
    assert (path.text, path.part) == (text, text.split("/")[0])
    assert list(path.steps) == steps
    assert path.attribute is None


@pytest.mark.parametrize(
    ("text", "test", "deep"),
    [
        ("Header/a/@id", NameTest(("",), "id"), False),
        ("Header/a/@shop:id", NameTest(("urn:example:shop",), "id"), False),
        ("Header/a/@*:id", NameTest(None, "id"), False),
        ("Header/a//@id", NameTest(("",), "id"), True),
    ],
)
def test_the_last_step_may_be_an_attribute(text, test, deep):
    path = parse(text, SHOP)
    assert isinstance(path, SoapPath)
    assert (path.attribute, path.attribute_deep) == (test, deep)


@pytest.mark.parametrize(
    ("text", "predicate"),
    [
        ("[@k='v']", Predicate(NameTest(("",), "k"), True, "v", False)),
        ('[@k="it\'s"]', Predicate(NameTest(("",), "k"), True, "it's", False)),
        ("[ @shop:k = ' v ' ]", Predicate(NameTest(("urn:example:shop",), "k"), True, "v", False)),
        ("[shop:k='v']", Predicate(NameTest(("urn:example:shop",), "k"), False, "v", False)),
        ("[*:k='v/]w']", Predicate(NameTest(None, "k"), False, "v/]w", False)),
        ("[k='']", Predicate(NameTest(("",), "k"), False, "", False)),
        ("[@k]", Predicate(NameTest(("",), "k"), True, None, False)),
        ("[k]", Predicate(NameTest(("",), "k"), False, None, False)),
        ("[not(k)]", Predicate(NameTest(("",), "k"), False, None, True)),
        ("[not( @k = 'v' )]", Predicate(NameTest(("",), "k"), True, "v", True)),
    ],
)
def test_predicates_are_read(text, predicate):
    path = parse(f"Header/a{text}/b", SHOP)
    assert isinstance(path, SoapPath)
    assert path.steps == (step("a", "", predicates=[predicate]), step("b", ""))


def test_several_predicates_may_follow_one_step():
    path = parse("Header/a[@x='1'][b='2']", {})
    assert isinstance(path, SoapPath)
    assert [p.value for p in path.steps[0].predicates] == ["1", "2"]


def test_a_users_prefix_overrides_a_built_in_one():
    path = parse("Header/wsa:To", {"wsa": "urn:mine"})
    assert isinstance(path, SoapPath)
    assert path.steps[0].name.namespaces == ("urn:mine",)


@pytest.mark.parametrize("prefix", sorted(PREFIXES))
def test_every_built_in_prefix_needs_no_definition(prefix):
    path = parse(f"Header/{prefix}:x", {})
    assert isinstance(path, SoapPath)
    assert path.steps[0].name.namespaces == PREFIXES[prefix]


@pytest.mark.parametrize(
    ("uri", "ok"),
    [
        ("urn:a", True),
        ("urn:a-*", True),
        ("http://x/y#z", True),
        ("", False),
        ("*", False),
        ("urn:*:a", False),
        ("urn:a b", False),
        ("{urn:a}", False),
    ],
)
def test_a_namespace_may_end_in_a_star_and_hold_none_elsewhere(uri, ok):
    assert (check_namespace(uri) is None) is ok


def test_a_bad_namespace_is_refused_where_a_location_uses_it():
    with pytest.raises(LocationError, match="only at the end"):
        parse("Header/x:a", {"x": "urn:*:a"})


@pytest.mark.parametrize(
    ("test", "yes", "no"),
    [
        (NameTest(None, "a"), ["a", "{urn:x}a"], ["b", "{urn:a}b", "{urn:x}ba"]),
        (NameTest(("",), "a"), ["a"], ["{urn:x}a"]),
        (NameTest(None, "*"), ["a", "{urn:x}b"], []),
        (NameTest(("urn:x",), "*"), ["{urn:x}a"], ["a", "{urn:xy}a"]),
        (NameTest(("urn:x-*",), "a"), ["{urn:x-1}a", "{urn:x-}a"], ["{urn:y}a", "{urn:x-1}b", "a"]),
        (NameTest(("urn:x", "urn:y"), "a"), ["{urn:x}a", "{urn:y}a"], ["{urn:z}a", "a"]),
    ],
)
def test_a_name_passes_in_its_namespaces_only(test, yes, no):
    assert [tag for tag in yes if not test.matches(tag)] == []
    assert [tag for tag in no if test.matches(tag)] == []


def test_names_are_listed_only_where_there_is_no_wildcard():
    assert NameTest(("urn:x", ""), "a").clark_names == {"{urn:x}a", "a"}
    assert NameTest(None, "a").clark_names is None
    assert NameTest(("urn:x",), "*").clark_names is None
    assert NameTest(("urn:x*",), "a").clark_names is None


K = NameTest(("",), "k")


@pytest.mark.parametrize(
    ("text", "predicate"),
    [
        ("[.='v']", Predicate(None, False, "v", False)),
        ("[ . = '' ]", Predicate(None, False, "", False)),
        ("[not(.='v')]", Predicate(None, False, "v", True)),
        ("[starts-with(., 'v')]", Predicate(None, False, "v", False, "starts-with")),
        ("[starts-with(@k,'v')]", Predicate(K, True, "v", False, "starts-with")),
        ("[ends-with( k , 'v' )]", Predicate(K, False, "v", False, "ends-with")),
        ('[contains(., "it\'s")]', Predicate(None, False, "it's", False, "contains")),
        ("[not(contains(@k, ')]'))]", Predicate(K, True, ")]", True, "contains")),
        ("[k/*]", Predicate(NameTest(None, "*"), False, None, False, "equals", (K,))),
        (
            "[not(*:k/@k='v')]",
            Predicate(K, True, "v", True, "equals", (NameTest(None, "k"),)),
        ),
        (
            "[contains(k/*/k, 'v')]",
            Predicate(K, False, "v", False, "contains", (K, NameTest(None, "*"))),
        ),
        ("[contains]", Predicate(NameTest(("",), "contains"), False, None, False)),
        ("[2]", Position(2)),
        ("[ 12 ]", Position(12)),
    ],
)
def test_texts_are_compared_and_children_counted(text, predicate):
    path = parse(f"Header/a/b{text}", SHOP)
    assert isinstance(path, SoapPath)
    assert path.steps == (step("a", ""), step("b", "", predicates=[predicate]))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Header/a[1]", ["character 9 ('[1]')", "a position counts children"]),
        ("Header/a//b[1]", ["character 12", "nor after //"]),
        ("Header/a/b[0]", [f"1 to {MAX_POSITION}"]),
        ("Header/a/b[1000]", [f"1 to {MAX_POSITION}"]),
        ("Header/a/b[-1]", ["a predicate is"]),
        ("Header/a/b[not(1)]", ["a predicate is"]),
        ("Header/a/b[.]", ["a predicate is"]),
        ("Header/a/b[text()='x']", ["a predicate is"]),
        ("Header/a/b[starts-with(.)]", ["a predicate is"]),
        ("Header/a/b[starts-with(., ' ')]", ["starts-with() wants a text that is not empty"]),
        ("Header/a/b[matches(., 'x')]", ["a predicate is", "contains(...)"]),
        ("Header/a/b[contains(zz:c, 'x')]", ["character 21", "prefix 'zz' is not defined"]),
        ("Header/a[b/@*]", ["character 13", "an attribute needs a name"]),
        ("Header/a[b/]", ["a predicate is"]),
        ("Header/a[b//c]", ["a predicate is"]),
        ("Header/a[./b]", ["a predicate is"]),
        ("Header/a[zz:b/c]", ["character 10", "prefix 'zz' is not defined"]),
        ("Header/a/b['x'=.]", ["a predicate is"]),
    ],
)
def test_a_mistake_in_a_predicate_is_named_with_its_place(text, words):
    with pytest.raises(LocationError) as caught:
        parse(text, SHOP)
    assert [word for word in words if word not in str(caught.value)] == []


def test_a_path_may_begin_without_a_slash_and_end_before_the_text_does():
    text = "xml:shop:a/b[@c='d']/@e | lower"
    end = text.index(" |")
    path = PathReader(text, 4, end, SHOP, "allowed", bare=True).read("the text")
    assert path == Path(
        (
            step("a", "urn:example:shop"),
            step("b", "", predicates=[Predicate(NameTest(("",), "c"), True, "d", False)]),
        ),
        NameTest(("",), "e"),
        False,
    )


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Header/a[b='1']", ["b"]),
        ("Header/a[@shop:b='1'][c][2]", None),
        ("Header/x/a[@shop:b='1'][c][2]", ["b"]),
        ("Header/a[.='1'][starts-with(@d, 'x')]", ["a", "d"]),
        ("Header/*[.='1']", ["*"]),
        ("Header/a[*='1']", ["*"]),
        ("Header/a[b/c/@d='1']", ["d"]),
        ("Header/a[b][not(@c)]", []),
    ],
)
def test_a_step_tells_whose_values_it_compares(text, names):
    if names is None:
        with pytest.raises(LocationError):
            parse(text, SHOP)
        return
    path = parse(text, SHOP)
    assert isinstance(path, SoapPath)
    assert [name for one in path.steps for name in one.consulted] == names
