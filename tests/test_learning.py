"""Recorded files in, a profile out; no id in either unless it was asked for."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from soapgate.config import load, simple
from soapgate.core.keys import Keys
from soapgate.explaining import Unusable, files_of
from soapgate.learning import learn

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
ID = "f3a9c2d17b604e5880aa1d"
KEYS = Keys(b"k" * 32)


def envelope(header: str = "", body: str = "<c:a/>") -> str:
    return (
        f'<e:Envelope xmlns:e="{SOAP}" xmlns:c="urn:example:cart"><e:Header>{header}</e:Header>'
        f"<e:Body>{body}</e:Body></e:Envelope>"
    )


LOGIN = envelope("", f"<c:loginResponse><c:sessionId>{ID}</c:sessionId></c:loginResponse>")
ADD = envelope(f'<c:Session id="{ID}"/>', "<c:add/>")


def http(first: str, body: str, *fields: str) -> str:
    lines = [first, "Host: h", "Content-Type: text/xml", *fields, f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", body])


@pytest.fixture
def record(tmp_path: Path):
    """Write files of these names and learn from them."""

    def run(files: dict[str, str], *, config=None, **options: object):
        for name, text in files.items():
            (tmp_path / name).write_bytes(text.encode())
        paths = [tmp_path / name for name in files]
        return learn(paths, config or simple(backends=["http://b:1"]), KEYS, **options)

    return run


def test_a_response_and_the_next_request_give_a_profile(record):
    said = record({"a.xml": LOGIN, "b.xml": ADD})
    assert (said.responses, said.requests, said.useful) == (1, 1, True)
    (guess,) = said.guesses
    assert (guess.number, guess.origin, guess.looks) == (1, "server", "hex digits, 22 characters")
    assert (said.written.name, said.written.responses, said.written.requests) == ("session", 1, 1)


def test_the_profile_is_one_that_a_configuration_takes(record, tmp_path):
    said = record({"a.xml": LOGIN, "b.xml": ADD}, name="cart")
    path = tmp_path / "gateway.toml"
    path.write_text(
        '[pool.p]\nbackend = [{ name = "b1", url = "http://b:1" }]\n'
        '[service.s]\nsessions = ["cart"]\n' + said.written.toml
    )
    (profile,) = load(path).profiles_for("s")
    assert [at.text for at in profile.lookup] == ["Header/c:Session/@id"]


def test_no_id_is_told_unless_it_was_asked_for(record):
    files = {"a.xml": LOGIN, "b.xml": ADD}
    assert ID not in json.dumps(record(files).to_dict())
    assert record(files, show_ids=True).guesses[0].id.clear == ID


def test_envelopes_are_what_their_names_say(record):
    said = record({"1-request.xml": ADD, "2-add-response.xml": LOGIN, "3-request.xml": ADD})
    assert (said.requests, said.responses) == (2, 1)
    assert said.guesses[0].origin == "client"
    assert "bind" in said.written.toml
    assert "record a second session" in said.notes[0]


def test_envelopes_without_a_telling_name_take_turns_and_the_last_is_a_request(record):
    said = record({"1.xml": envelope(), "2.xml": LOGIN, "3.xml": ADD})
    assert (said.requests, said.responses) == (2, 1)
    assert said.guesses[0].origin == "server"


def test_a_whole_connection_may_be_one_file(record):
    said = record({"all": http("HTTP/1.1 200 OK", LOGIN) + http("POST / HTTP/1.1", ADD)})
    assert said.written is not None


@pytest.mark.parametrize(
    ("files", "word"),
    [
        ({"a.xml": LOGIN}, "given were request"),
        ({"a.http": http("POST / HTTP/1.1", ADD), "b": http("HTTP/1.1 200 OK", LOGIN)}, "response"),
        ({"a.http": "POST / HTTP/1.1\r\n\r\n"}, "would refuse"),
    ],
    ids=["one", "the wrong order", "refused"],
)
def test_files_that_teach_nothing_are_refused_with_what_is_wanted(record, files, word):
    with pytest.raises(Unusable, match=word):
        record(files)


def test_an_id_that_a_built_in_profile_finds_needs_no_other(record):
    files = {
        "a.http": http("HTTP/1.1 200 OK", envelope(), f"Set-Cookie: JSESSIONID={ID}"),
        "b.http": http("POST / HTTP/1.1", envelope(), f"Cookie: JSESSIONID={ID}"),
    }
    said = record(files)
    assert said.written is None
    assert said.useful
    assert "http-cookie finds it (on by default)" in said.notes[0]
    assert "cookie:JSESSIONID" in record(files, pick=1).written.toml


@pytest.mark.parametrize(
    ("text", "carried", "cut"),
    [
        (f"session {ID} is open", ID, "no location cuts it out"),
        ("annika1/2", "annika1", "Body/c:r/c:note | before:'/' cuts it out"),
    ],
)
def test_nothing_that_comes_back_is_said_and_what_is_within_is_shown(record, text, carried, cut):
    reply = envelope("", f"<c:r><c:note>{text}</c:note></c:r>")
    asked = http(f"POST /shop?s={carried} HTTP/1.1", envelope())
    said = record({"a": http("HTTP/1.1 200 OK", reply), "b": asked})
    assert not said.useful
    assert said.notes == (
        "no value of a response comes back in a request after it",
        "what query:s carries stands within a longer text at Body/c:r/c:note (or the other way"
        f" round): {cut}",
    )


HANDLE = "8f2a634f0d8fd6ef"


def test_a_handle_that_begins_with_the_session_gives_a_profile_for_what_is_before_its_dash(record):
    issued = envelope(
        "", f"<c:logonResponse><returnval>{HANDLE}-0001</returnval></c:logonResponse>"
    )
    called = envelope("", f"<c:find><_this>{HANDLE}-0002</_this></c:find>")
    said = record({"a.xml": issued, "b.xml": called})
    (guess,) = said.guesses
    assert guess.looks == "hex digits, 16 characters"
    assert guess.responses == ("Body/c:logonResponse/returnval | before:'-'",)
    assert guess.requests == ("Body/c:find/_this | before:'-'",)
    assert "Body/c:find/_this | before:'-'" in said.written.toml
    assert "record a second session" in said.notes[0]
    assert HANDLE not in json.dumps(said.to_dict())


def test_a_part_that_a_built_in_profile_finds_needs_no_other(record):
    box = 'xmlns:v="http://www.virtualbox.org/"'
    issued = f"<returnval>{HANDLE}-0001</returnval>"
    called = f"<_this>{HANDLE}-0002</_this>"
    logon, find = "IWebsessionManager_logonResponse", "IVirtualBox_findMachine"
    said = record(
        {
            "a.xml": envelope("", f"<v:{logon} {box}>{issued}</v:{logon}>"),
            "b.xml": envelope("", f"<v:{find} {box}>{called}</v:{find}>"),
        }
    )
    assert said.useful
    assert said.guesses[0].found_by == ("virtualbox",)
    assert said.written is None


def test_a_subscription_that_only_its_address_tells_is_known(record):
    nt, wsa = "http://docs.oasis-open.org/wsn/b-2", "http://www.w3.org/2005/08/addressing"
    reference = f'<a:Address xmlns:a="{wsa}">http://n:9/sub/{ID}</a:Address>'
    issued = f"<n:SubscriptionReference>{reference}</n:SubscriptionReference>"
    reply = envelope("", f'<n:SubscribeResponse xmlns:n="{nt}">{issued}</n:SubscribeResponse>')
    asked = http(f"POST /sub/{ID} HTTP/1.1", envelope())
    said = record({"a": http("HTTP/1.1 200 OK", reply), "b": asked})
    assert said.useful
    assert "ws-notification" in said.guesses[0].found_by


def test_a_poor_guess_is_listed_and_gets_a_profile_only_when_picked(record):
    files = {
        "a.xml": envelope("", "<c:r><c:colour>purple</c:colour></c:r>"),
        "b.xml": envelope("", "<c:q><c:colour>purple</c:colour></c:q>"),
    }
    said = record(files)
    assert (len(said.guesses), said.written, said.useful) == (1, None, False)
    assert "--pick N" in said.notes[0]
    assert record(files, pick=1).written is not None


@pytest.mark.parametrize("pick", [0, 2])
def test_a_pick_that_is_not_there_is_refused_with_those_that_are(record, pick):
    with pytest.raises(Unusable, match="1 to 1"):
        record({"a.xml": LOGIN, "b.xml": ADD}, pick=pick)


def test_what_the_limits_hide_is_said(record, tmp_path):
    config = tmp_path / "gateway.toml"
    config.write_text(
        '[limits]\nbody = 1000\n[pool.p]\nbackend = [{ name = "b1", url = "http://b:1" }]\n'
    )
    far = envelope("", f"<c:r><c:pad>{'x' * 2000}</c:pad><c:sessionId>{ID}</c:sessionId></c:r>")
    said = record({"a.xml": far, "b.xml": ADD}, config=load(config))
    assert said.written is None
    assert "no location finds it within the limits" in said.notes[0]


def test_a_recording_of_many_messages_is_learnt_from_in_time(record, tmp_path):
    """No time is measured: what grows with the square would not end."""
    items = "".join(f"<c:i><c:sku>SKU-{n:07}</c:sku></c:i>" for n in range(400))
    for n in range(40):
        (tmp_path / f"{n}-response.xml").write_text(envelope("", f"<c:r>{items}</c:r>"))
    os.rename(tmp_path / "39-response.xml", tmp_path / "39-request.xml")
    config = simple(backends=["http://b:1"])
    assert len(learn(files_of([tmp_path]), config, KEYS).guesses) == 20
