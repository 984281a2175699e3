"""Profiles: what a table becomes, and that every mistake in one is named."""

from __future__ import annotations

import tomllib

import pytest

from soapgate.core.errors import ConfigError
from soapgate.core.locations import parse
from soapgate.core.naming import IdKind
from soapgate.core.probes import Guard
from soapgate.core.profiles import DEFAULT, Profile, catalogue, catalogue_text, read_profile
from soapgate.core.values import Transform

SHOP = {"shop": "urn:example:shop"}


def test_a_table_becomes_a_profile():
    table = {
        "title": "Shop",
        "about": "\nWhat it is.\n",
        "default": True,
        "lookup": ["Header/shop:Session/@id", "cookie:S"],
        "bind": ["Header/shop:Client"],
        "learn": ["Body/shop:loginResponse/shop:id"],
        "end": ["Body/shop:logout", "action:urn:bye", "fault:Expired"],
        "value": "text",
        "unknown": "fault",
    }
    assert read_profile("shop", table, SHOP) == Profile(
        "shop",
        "Shop",
        "What it is.",
        True,
        tuple(parse(text, SHOP) for text in table["lookup"]),
        tuple(parse(text, SHOP) for text in table["bind"]),
        tuple(parse(text, SHOP) for text in table["learn"]),
        tuple(parse(text, SHOP) for text in table["end"]),
        (),
        "fault",
    )


def test_what_is_left_out_has_a_default():
    profile = read_profile("p", {"lookup": ["cookie:S"]}, {})
    assert (profile.title, profile.about, profile.default) == ("", "", False)
    assert (profile.bind, profile.learn, profile.end) == ((), (), ())
    assert (profile.value, profile.unknown) == ((), None)


def test_a_location_to_bind_is_not_looked_up_twice():
    table = {"lookup": ["Header/a", "Header/b"], "bind": ["Header/a"]}
    profile = read_profile("p", table, {})
    assert [at.text for at in profile.lookup] == ["Header/b"]


def test_a_location_written_twice_counts_once():
    profile = read_profile("p", {"lookup": ["Header/a", "Header/a"]}, {})
    assert [at.text for at in profile.lookup] == ["Header/a"]


def test_a_profiles_own_prefix_overrides_the_configurations():
    table = {"namespaces": {"shop": ["urn:mine", "urn:mine-*"]}, "lookup": ["Header/shop:a"]}
    profile = read_profile("p", table, SHOP)
    assert profile.lookup == (parse("Header/shop:a", {"shop": ["urn:mine", "urn:mine-*"]}),)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"lokup": ["Header/a"]}, ["unknown key 'lokup'", "did you mean 'lookup'", "learn, end"]),
        ({"lookup": "Header/a"}, ["key 'lookup'", "'Header/a'", "a list of locations"]),
        ({"lookup": [7]}, ["key 'lookup[0]'", "7", "wants a location"]),
        ({"lookup": ["Header/a", "Header/"]}, ["key 'lookup[1]'", "'Header/'", "character 7"]),
        ({"learn": ["Header/no:a"]}, ["key 'learn[0]'", "prefix 'no' is not defined"]),
        ({"learn": ["query:a"]}, ["key 'learn[0]'", "'query:a'", "cookie: and http: only"]),
        ({"learn": ["param:a | lower"]}, ["key 'learn[0]'", "http:Location | param:a | lower"]),
        ({"learn": ["client:address"]}, ["key 'learn[0]'", "cookie: and http: only"]),
        ({"lookup": ["action:urn:a"]}, ["key 'lookup[0]'", "only under 'end'"]),
        ({"bind": ["fault:A"]}, ["key 'bind[0]'", "only under 'end'"]),
        ({"end": ["client:address"]}, ["key 'end[0]'", "'client:address'", "action:"]),
        ({"default": "yes"}, ["key 'default'", "'yes'", "true or false"]),
        ({"title": 3}, ["key 'title'", "3", "a text"]),
        ({"about": ["a"]}, ["key 'about'", "a text"]),
        ({"value": "hash"}, ["key 'value'", "'hash'", "no such word", "named"]),
        ({"value": 1}, ["key 'value'", "1"]),
        ({"value": ["lower", "shout"]}, ["key 'value[1]'", "'shout'", "no such word", "base64"]),
        ({"value": ["lower", "named"]}, ["key 'value[1]'", "named stands first"]),
        ({"role": []}, ["key 'role'", "ultimate, next, none, a URI"]),
        ({"role": "mine"}, ["key 'role'", "'mine'", "ultimate, next, none or a URI"]),
        ({"role": "next", "lookup": ["Body/a"]}, ["key 'role'", "only Header locations"]),
        ({"action": 7}, ["key 'action'", "7", "an action or a list"]),
        ({"action": "urn:*:a"}, ["key 'action'", "at its start or end only"]),
        ({"soap": "1.3"}, ["key 'soap'", "'1.3'", '"1.1"', '"1.2"']),
        (
            {"soap": "1.1", "lookup": ["cookie:A"]},
            ["key 'lookup'", "'cookie:A'", "soap = allows only Header and Body", "[service.NAME]"],
        ),
        (
            {
                "action": "urn:a",
                "learn": ["Header/a"],
                "lookup": ["Header/a + Header/b"],
                "end": ["request:query:bye"],
            },
            ["key 'end'", "'query:bye'", "action = allows only"],
        ),
        ({"learn": ["url:target"]}, ["key 'learn[0]'", "cookie: and http: only"]),
        ({"learn": ["cookie:A + query:b"]}, ["key 'learn[0]'", "cookie: and http: only"]),
        ({"lookup": ["id:Header/a"]}, ["key 'lookup[0]'", "only under 'end'"]),
        ({"end": ["request:url:target"]}, ["key 'end[0]'", "an end is"]),
        ({"unknown": "retry"}, ["key 'unknown'", "'retry'", '"balance" or "fault" or "hash"']),
        ({"namespaces": ["a"]}, ["key 'namespaces'", "a table of prefixes"]),
        ({"namespaces": {"a": 1}}, ["key 'namespaces.a'", "1", "a namespace or a list"]),
        ({"namespaces": {"a": ["urn:*x"]}}, ["key 'namespaces.a'", "only at the end"]),
        ({"namespaces": {"a": []}}, ["key 'namespaces.a'", "names no namespace"]),
        ({}, ["'lookup' or 'bind'"]),
        ({"learn": ["Header/a"]}, ["'lookup' or 'bind'"]),
        ({"value": "named", "lookup": ["cookie:A"]}, ["key 'lookup'", "cookie:A", "only Header"]),
    ],
)
def test_a_mistake_is_named_with_its_profile_key_value_and_what_is_allowed(table, words):
    with pytest.raises(ConfigError) as caught:
        read_profile("shop", table, {}, where="gate.toml")
    (problem,) = caught.value.problems
    assert problem.startswith("gate.toml: profile 'shop': ")
    assert [word for word in words if word not in problem] == []


def test_every_mistake_is_named_at_once():
    table = {"lookup": ["Header/", "cookie:"], "ends": [], "default": 1}
    with pytest.raises(ConfigError) as caught:
        read_profile("shop", table, {})
    assert len(caught.value.problems) == 4


def test_the_catalogue_begins_with_the_default_set_in_its_order():
    names = list(catalogue())
    assert tuple(names[: len(DEFAULT)]) == DEFAULT
    assert names[len(DEFAULT) :] == sorted(names[len(DEFAULT) :])


def test_a_changed_catalogue_is_the_callers_own():
    catalogue().clear()
    assert catalogue()


def test_a_profile_may_say_what_holds_for_all_its_ids():
    table = {
        "lookup": ["Header/a"],
        "value": ["unquote", 'before:"-"'],
        "role": ["next", "urn:me"],
        "action": "urn:a*",
        "soap": "1.2",
    }
    profile = read_profile("p", table, {})
    assert profile.value == (Transform("unquote"), Transform("before", "-"))
    assert profile.guard == Guard(
        frozenset({"next", "urn:me"}), (parse("action:urn:a*", {}),), "1.2"
    )
    assert profile.rules == (
        ("value", 'unquote | before:"-"'),
        ("role", "next, urn:me"),
        ("action", "urn:a*"),
        ("soap", "1.2"),
    )


def test_a_profile_that_says_nothing_more_has_no_rules():
    profile = read_profile("p", {"lookup": ["Header/a"], "value": "text"}, {})
    assert (profile.value, profile.guard, profile.rules) == ((), None, ())


def test_named_may_be_said_alone_and_followed_by_words():
    assert read_profile("p", {"lookup": ["Header/a"], "value": "named"}, {}).named
    assert read_profile("p", {"lookup": ["Header/a"], "value": ["named", "lower"]}, {}).named


@pytest.mark.parametrize("name", catalogue())
def test_the_text_of_a_built_in_profile_is_a_table_for_a_configuration(name):
    tables = tomllib.loads(catalogue_text(name))
    assert list(tables) == ["profile"]
    assert list(tables["profile"]) == [name]
    assert read_profile(name, tables["profile"][name], {}) == catalogue()[name]


def test_a_profile_says_what_is_special_about_its_ids():
    table = {
        "lookup": ["Header/wsa:RelatesTo"],
        "ends": "id",
        "life": "1h30m",
        "unknown": "hash",
        "unknown_fault": "wsc",
        "expires": ["Body/a/b"],
        "sent": ["Header/wsa:MessageID"],
        "reply_to": ["Header/wsa:ReplyTo/wsa:Address"],
    }
    profile = read_profile("shop", table, {})
    assert profile.kind == IdKind(life=5400.0, ends_alone=True, passing=True)
    assert (profile.unknown, profile.unknown_fault) == ("hash", "wsc")
    assert [one.text for one in (*profile.expires, *profile.sent, *profile.reply_to)] == [
        "Body/a/b",
        "Header/wsa:MessageID",
        "Header/wsa:ReplyTo/wsa:Address",
    ]


def test_a_profile_that_says_nothing_of_its_ids_has_ordinary_ones():
    profile = read_profile("shop", {"lookup": ["cookie:A"]}, {})
    assert (profile.kind, profile.unknown, profile.unknown_fault) == (IdKind(), None, "soap")


@pytest.mark.parametrize(
    ("life", "seconds"), [(90, 90.0), (1.5, 1.5), ("90s", 90.0), ("1d", 86400.0), ("2h1m", 7260.0)]
)
def test_a_life_is_a_duration(life, seconds):
    assert read_profile("shop", {"lookup": ["cookie:A"], "life": life}, {}).kind.life == seconds


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"life": ""}, ["key 'life'", "a duration"]),
        ({"life": 0}, ["key 'life'", "0"]),
        ({"life": True}, ["key 'life'", "True"]),
        ({"life": "367d"}, ["key 'life'", "367d"]),
        ({"life": "1h 30m"}, ["key 'life'", "1h 30m"]),
        ({"ends": "all"}, ["key 'ends'", '"session" or "id"']),
        ({"unknown_fault": "wsrm11"}, ["key 'unknown_fault'", "wsrm11", '"wsrm"']),
        ({"expires": ["cookie:A"]}, ["key 'expires[0]'", "Header or Body"]),
        ({"sent": ["http:A"]}, ["key 'sent[0]'", "Header or Body"]),
        ({"reply_to": ["Header/a"]}, ["'reply_to'", "'sent'", "only together"]),
        ({"sent": ["Header/a"]}, ["'reply_to'", "'sent'", "only together"]),
        ({"learn": ["empty:exchange"]}, ["key 'learn[0]'", "empty:", "only under 'end'"]),
        ({"end": ["empty:post"]}, ["key 'end[0]'", "empty:exchange"]),
    ],
)
def test_a_mistake_about_ids_is_named(more, words):
    with pytest.raises(ConfigError) as caught:
        read_profile("shop", {"lookup": ["cookie:A"], **more}, {})
    (problem,) = caught.value.problems
    assert [word for word in words if word not in problem] == []
