from __future__ import annotations

import io

import pytest
from rich.console import Console

from soapgate import show
from soapgate.core.profiles import catalogue


def printed(draw, *arguments, width=80, **options) -> str:
    out = io.StringIO()
    draw(Console(file=out, width=width, highlight=False), *arguments, **options)
    return out.getvalue()


def test_all_profiles_are_listed_with_their_state():
    known = catalogue()
    text = printed(show.profiles, [(one, "on" if one.default else "off") for one in known.values()])
    for name in known:
        assert name in text


@pytest.mark.parametrize("name", list(catalogue()))
def test_a_profile_is_told_with_all_its_locations(name):
    one = catalogue()[name]
    text = printed(show.profile, one, "on", width=200)
    assert one.title in text
    for use in ("lookup", "bind", "learn", "end"):
        for location in getattr(one, use):
            assert location.text in text


def test_where_ids_are_issued_carried_and_ended_begins_a_line_each():
    lines = printed(show.profile, catalogue()["siebel"], "off", width=200).splitlines()
    named = [line.partition(":")[0] for line in lines if ": " in line[:20]]
    assert named == ["default", "Who speaks it", "Issued", "Carried", "Ended", "Sources"]


BACKEND = {
    "pool": "p", "name": "b1", "url": "http://127.0.0.1:9001", "admin": "drain", "up": False,
    "available": False, "inflight": 3, "waiting": 2, "maxconn": 10, "weight": 1,
    "roles": ["worker"], "backup": True,
    "probe": {"ok": False, "detail": "refused", "at": "2026-01-01T00:00:00.000Z", "seconds": 0.1},
}  # fmt: skip
PIN = {
    "service": "shop", "key": "0123456789abcdef0123456789abcdef", "profile": "wsrm",
    "backend": "b1", "alias": None, "created": "2026-01-01T00:00:00.000Z",
    "used": "2026-01-01T00:00:01.000Z", "expired": False,
}  # fmt: skip


def test_the_status_shows_the_gateway_and_each_backend():
    quiet = {**BACKEND, "name": "b2", "up": True, "probe": None, "maxconn": 0, "waiting": 0}
    text = printed(show.status, {"ready": True, "backends": [BACKEND, quiet]}, width=120)
    for word in (
        *("ready", "p/b1", "p/b2", "drain", "down (refused)", "up", "3 of 10, 2 waiting"),
        *("http://127.0.0.1:9001", "backup", "role worker"),
    ):
        assert word in text


def test_the_status_shows_workers_where_there_are_several():
    one = {"number": 0, "pid": 4321, "state": "serving", "exchanges": 17,
           "started": "2026-01-01T00:00:01.000Z"}  # fmt: skip
    gone = {**one, "number": 1, "pid": None, "state": "gone", "exchanges": 0}
    said = {"ready": True, "backends": [BACKEND]}
    text = printed(show.status, {**said, "workers": [one, gone]}, width=120)
    for word in ("up since", "4321", "serving", "17", "2026-01-01 00:00:01", "gone"):
        assert word in text
    assert "4321" not in printed(show.status, {**said, "workers": [one]}, width=120)


def test_pins_show_whole_keys_and_where_they_lead():
    alias = {**PIN, "backend": None, "alias": "f" * 32, "expired": True}
    text = printed(show.pins, [PIN, alias, {**alias, "leads_to": "b7"}])
    assert text.count(PIN["key"]) == 3
    for word in ("b1", "as ffffffff", "b7", "(expired)"):
        assert word in text


def test_no_pins_are_none():
    assert printed(show.pins, []).strip() == "none"


def test_a_record_shows_its_fields():
    said = {"ok": True, "pins": None, "reasons": [], "load": 0.5, "at": {"a": 1, "b": ["c", "d"]}}
    lines = [line.split(None, 1) for line in printed(show.record, said).splitlines()]
    assert [(name, value.strip()) for name, value in lines] == [
        ("ok", "yes"),
        ("pins", "-"),
        ("reasons", "-"),
        ("load", "0.5"),
        ("at", "a 1, b c, d"),
    ]
