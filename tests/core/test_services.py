from __future__ import annotations

import pytest

from soapgate.core.services import Rule, bare_host, match, shadowed

CATCH_ALL = Rule("all")


def test_a_rule_without_conditions_matches_everything():
    assert match([CATCH_ALL], "", "", "") == "all"
    assert match([CATCH_ALL], "shop.example.com", "/x", "urn:a") == "all"


def test_no_rule_no_service():
    assert match([], "h", "/", "") is None


def test_the_first_rule_that_matches_wins():
    rules = [Rule("cart", paths=("/shop/cart",)), Rule("shop", paths=("/shop",)), CATCH_ALL]
    assert match(rules, "h", "/shop/cart/1", "") == "cart"
    assert match(rules, "h", "/shop/x", "") == "shop"
    assert match(rules, "h", "/other", "") == "all"


def test_every_condition_of_a_rule_must_hold():
    rule = Rule("a", hosts=("h",), paths=("/p",), actions=("urn:a",))
    assert match([rule], "h", "/p", "urn:a") == "a"
    assert match([rule], "x", "/p", "urn:a") is None
    assert match([rule], "h", "/x", "urn:a") is None
    assert match([rule], "h", "/p", "urn:x") is None


@pytest.mark.parametrize(
    ("wanted", "host", "found"),
    [
        ("shop.example.com", "shop.example.com", True),
        ("shop.example.com", "SHOP.Example.com:8080", True),
        ("Shop.Example.COM", "shop.example.com", True),
        ("shop.example.com", "shop.example.com.", True),
        ("shop.example.com", "example.com", False),
        ("shop.example.com", "", False),
        ("*.example.com", "shop.example.com:80", True),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", ".example.com", False),
        ("*.example.com", "shopexample.com", False),
        ("127.0.0.1", "127.0.0.1:8080", True),
        ("[::1]", "[::1]:8080", True),
        ("[::1]", "[::2]", False),
    ],
)
def test_a_host_is_compared_without_case_and_port(wanted, host, found):
    assert (match([Rule("s", hosts=(wanted,))], host, "/", "") == "s") is found


@pytest.mark.parametrize(
    ("prefix", "path", "found"),
    [
        ("/shop", "/shop", True),
        ("/shop", "/shop/", True),
        ("/shop", "/shop/cart", True),
        ("/shop", "/shop;jsessionid=1", True),
        ("/shop", "/shop?wsdl", True),
        ("/shop", "/shopping", False),
        ("/shop", "/Shop", False),
        ("/shop", "/", False),
        ("/shop/", "/shop/cart", True),
        ("/shop/", "/shop", False),
        ("/", "/anything", True),
    ],
)
def test_a_path_prefix_ends_at_a_segment(prefix, path, found):
    assert (match([Rule("s", paths=(prefix,))], "h", path, "") == "s") is found


@pytest.mark.parametrize(
    ("wanted", "action", "found"),
    [
        ("urn:a:Get", "urn:a:Get", True),
        ("urn:a:Get", "urn:a:GetAll", False),
        ("urn:a:*", "urn:a:GetAll", True),
        ("urn:a:*", "urn:b:GetAll", False),
        ("*", "", True),
        ("urn:a", "", False),
    ],
)
def test_an_action_is_exact_or_a_prefix_with_a_star(wanted, action, found):
    assert (match([Rule("s", actions=(wanted,))], "h", "/", action) == "s") is found


def test_any_of_several_values_will_do():
    rule = Rule("s", hosts=("a", "b"), paths=("/1", "/2"), actions=("x", "y"))
    assert match([rule], "b", "/2", "y") == "s"


@pytest.mark.parametrize(
    ("value", "bare"),
    [("H:80", "h"), (" h ", "h"), ("[::1]:80", "[::1]"), ("h.", "h"), ("", "")],
)
def test_the_bare_host_has_no_port_case_or_trailing_dot(value, bare):
    assert bare_host(value) == bare


def test_a_rule_after_a_catch_all_is_shadowed():
    rules = [Rule("a", paths=("/a",)), CATCH_ALL, Rule("b", hosts=("b",))]
    assert shadowed(rules) == [("b", "all")]


def test_a_rule_that_asks_for_less_is_not_shadowed():
    rules = [Rule("a", paths=("/a",), hosts=("h",)), Rule("b", paths=("/a",)), CATCH_ALL]
    assert shadowed(rules) == []


def test_a_rule_that_repeats_an_earlier_one_is_shadowed():
    rules = [Rule("a", paths=("/a", "/b")), Rule("b", paths=("/b",), actions=("urn:x",))]
    assert shadowed(rules) == [("b", "a")]
