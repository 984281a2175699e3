"""`soapgate explain` as a person or a script uses it, on real files."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from commands import ENVELOPE, REQUEST

from soapgate.core.keys import Keys

# -- explain


def test_explain_tells_of_a_raw_request(ask, good, message):
    said = ask("explain", "-c", good, message)
    assert said.exit_code == 0
    for word in ("shop.example.com", "/shop", "SOAP 1.1", "Header/Session", "look up"):
        assert word in said.output
    assert "id-42" not in said.output


def test_explain_shows_ids_when_asked_to(ask, good, message):
    assert "id-42" in ask("explain", "-c", good, "--show-ids", message).output


def test_explain_reads_an_envelope_from_stdin(ask):
    said = ask("explain", "-", input=ENVELOPE)
    assert said.exit_code == 0
    assert "as a response" in said.output


def test_explain_speaks_json(ask, good, message):
    said = json.loads(ask("explain", "-c", good, "--json", message).output)
    assert (said["kind"], said["service"]) == ("request", "shop")
    (found,) = said["readings"][0]["order"]
    assert (found["profile"], found["id"]["length"]) == ("shop", 5)


def test_hashes_are_those_of_the_pin_store_when_its_secret_is_there(ask, good, message, tmp_path):
    (tmp_path / "pins").mkdir()
    (tmp_path / "pins" / "key").write_bytes(b"s" * 32)
    said = json.loads(ask("explain", "-c", good, "--json", message).output)
    key = Keys(b"s" * 32).key("shop", "shop", "id-42").hex()
    assert said["readings"][0]["order"][0]["id"]["hash"] == key[:8]
    assert "the gateway's log" in ask("explain", "-c", good, message).output


def test_hashes_are_of_the_moment_without_the_secret(ask, good, message):
    one, other = (json.loads(ask("explain", "-c", good, "--json", message).output) for _ in "ab")
    assert one["readings"][0]["order"] != other["readings"][0]["order"]
    assert "in this output only" in ask("explain", "-c", good, message).output


@pytest.mark.parametrize(
    "data",
    [
        REQUEST.replace(b"\r\n", b"\n"),
        b"<!DOCTYPE a>" + ENVELOPE,
        REQUEST.replace(b"Host", b"Hast"),
    ],
    ids=["LF", "doctype", "no host"],
)
def test_a_message_that_would_be_refused_is_status_1(ask, data):
    said = ask("explain", "-", input=data)
    assert said.exit_code == 1
    assert "refused: " in said.output


def test_an_unknown_service_is_bad_usage(ask, good, message):
    said = ask("explain", "-c", good, "--service", "shp", message)
    assert said.exit_code == 2
    assert 'did you mean "shop"?' in said.stderr


def test_a_message_that_is_not_there_is_bad_usage(ask):
    assert ask("explain", "nosuch.xml").exit_code == 2


# -- many


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A conversation in three files."""
    directory = tmp_path / "recording"
    directory.mkdir()
    reply = ENVELOPE.replace(b"<a/>", b"<loginResponse><sid>0f4b7a1c99d2e355</sid></loginResponse>")
    call = REQUEST.replace(b"id-42", b"0f4b7a1c99d2e355").replace(
        b"Content-Length: %d" % len(ENVELOPE), b"Content-Length: %d" % (len(ENVELOPE) + 11)
    )
    (directory / "1-login.http").write_bytes(REQUEST)
    (directory / "2-login.http").write_bytes(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Encoding: gzip\r\n\r\n"
        + gzip.compress(reply.replace(b"<Session>id-42</Session>", b""))
    )
    (directory / "3-add.http").write_bytes(call)
    return directory


def test_a_directory_is_told_a_line_for_each_message_and_summed_up(ask, good, recording):
    said = ask("explain", "-c", good, recording)
    assert said.exit_code == 0
    lines = said.output.splitlines()
    assert [Path(line.split()[0]).name for line in lines[:3]] == [
        "1-login.http",
        "2-login.http",
        "3-add.http",
    ]
    assert re.search(r"request  SOAP 1.1  shop [0-9a-f]{8}$", lines[0])
    assert lines[1].endswith("response 200  -")
    assert "3: 2 requests, 1 response" in said.output
    assert "in 2 of them, 2 different ids" in said.output


def test_each_of_many_can_be_told_in_full(ask, good, recording):
    said = ask("explain", "-c", good, "--full", recording)
    assert said.output.count("what it would do") == 3
    assert "3-add.http" in said.output


def test_many_speak_json_with_names_and_a_sum(ask, good, recording):
    said = json.loads(ask("explain", "-c", good, "--json", recording).output)
    assert Path(said["messages"][0]["name"]).name == "1-login.http"
    assert said["summary"]["kinds"] == {"request": 2, "response": 1}


def test_a_file_that_is_none_is_told_and_the_rest_goes_on(ask, good, recording):
    (recording / "0-gone.http").symlink_to("nowhere")
    said = ask("explain", "-c", good, recording)
    assert said.exit_code == 2
    assert "0-gone.http  it is no file" in said.output
    assert "not read  1" in said.output


def test_a_message_that_would_be_refused_among_many_is_status_1(ask, good, recording):
    (recording / "4.xml").write_bytes(b"<!DOCTYPE a>" + ENVELOPE)
    assert ask("explain", "-c", good, recording).exit_code == 1


# -- containers


def test_a_mime_message_without_http_is_read_as_a_container(ask, tmp_path):
    path = tmp_path / "message.mime"
    head = b'MIME-Version: 1.0\nContent-Type: multipart/related; type="text/xml"; boundary=b\n\n'
    part = b"Content-Type: text/xml\r\n\r\n" + ENVELOPE
    path.write_bytes(head + b"--b\r\n" + part + b"\r\n--b--\r\n")
    assert json.loads(ask("explain", "--json", path).output)["container"] == "multipart/related"


# -- nothing found


def test_why_nothing_was_found_is_told(ask, good, tmp_path):
    path = tmp_path / "m.xml"
    path.write_bytes(ENVELOPE.replace(b"<Session>", b'<Session xmlns="urn:other">'))
    said = " ".join(ask("explain", "-c", good, path).output.split())
    assert "why nothing was found" in said
    assert "Header/Session is in urn:other" in said
    assert "soapgate explain --learn" in said


# -- learn


def test_a_profile_is_written_for_an_id_that_comes_back(ask, recording):
    said = ask("explain", "--learn", recording)
    assert said.exit_code == 0
    toml = said.output.partition("[profile.session]\n")[2]
    assert toml == 'lookup = ["Header/Session"]\nlearn  = ["Body/loginResponse/sid"]\n'
    assert "0f4b7a1c99d2e355" not in said.output
    assert "0f4b7a1c99d2e355" in ask("explain", "--learn", "--show-ids", recording).output


def test_the_profile_has_the_name_it_is_given_and_speaks_json(ask, recording):
    said = json.loads(ask("explain", "--learn", "--name", "mine", "--json", recording).output)
    assert said["written"]["toml"].startswith("[profile.mine]\n")
    assert said["guesses"][0]["id"]["clear"] is None


def test_a_conversation_that_teaches_nothing_is_status_1(ask, tmp_path):
    for name in ("a.xml", "b.xml"):
        (tmp_path / name).write_bytes(ENVELOPE.replace(b"id-42", name.encode()))
    said = ask("explain", "--learn", tmp_path / "a.xml", tmp_path / "b.xml")
    assert said.exit_code == 1
    assert "no value of a response comes back" in said.output


# -- usage


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["nosuch.xml"], "nosuch.xml: there is no such file"),
        ([], "Missing argument"),
        (["--ask", "http://127.0.0.1:1", "FILE"], "no gateway answers"),
        (["--ask", "127.0.0.1", "FILE"], "is no admin URL"),
        (["--ask", "http://h:1", "-c", "x", "FILE"], "leave -c out"),
        (["--ask", "http://h:1", "--show-ids", "FILE"], "never says an id in clear"),
        (["--learn", "FILE"], "--learn wants a response and the request after it"),
        (["--learn", "--action", "x", "FILE"], "--learn goes without"),
        (["--learn", "--ask", "http://h:1", "FILE"], "--learn goes without"),
        (["--learn", "--pick", "7", "FILE", "FILE"], "--pick 7: there is no such candidate"),
        (["-c", "nosuch.toml", "FILE"], "nosuch.toml: cannot be read"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_bad_usage_with_a_sentence(ask, message, arguments, word):
    said = ask("explain", *(message if one == "FILE" else one for one in arguments))
    assert said.exit_code == 2
    assert word in said.stderr
    assert "Traceback" not in said.output
