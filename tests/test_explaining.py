"""Which files, explained by whom, and what they come to."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from soapgate import explaining
from soapgate.config import simple
from soapgate.edge.messages import read_messages
from soapgate.explaining import (
    FILE_BYTES,
    Here,
    There,
    Unusable,
    files_of,
    read_file,
    shape,
    status,
    summary,
    tell,
)
from soapgate.remote import RemoteError


def http(cookie: str = "", method: str = "POST") -> bytes:
    field = f"Cookie: JSESSIONID={cookie}\r\n" if cookie else ""
    return f"{method} / HTTP/1.1\r\nHost: h\r\n{field}Content-Length: 0\r\n\r\n".encode()


BROKEN = b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"


def here(**options: object) -> Here:
    return Here(simple(backends=["http://b:1"]), own=False, **options)


def told(*files: Path) -> list[explaining.Told]:
    return list(tell(files, here(), ""))


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two sessions, one of which comes twice, and a message without one, in two levels."""
    (tmp_path / "b").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("x")
    (tmp_path / "m10.http").write_bytes(http("two"))
    (tmp_path / "m9.http").write_bytes(http("one") + http("one"))
    (tmp_path / "b" / "m1.http").write_bytes(http())
    return tmp_path


def test_files_of_a_directory_come_by_number_and_without_hidden_ones(recording):
    names = [str(path.relative_to(recording)) for path in files_of([recording])]
    assert names == ["b/m1.http", "m9.http", "m10.http"]


def test_files_come_in_the_order_they_are_named(recording):
    named = [recording / "m9.http", Path("-"), recording / "b"]
    assert files_of(named) == [*named[:2], recording / "b" / "m1.http"]


def test_what_is_not_there_and_what_is_empty_is_said(tmp_path):
    with pytest.raises(Unusable, match="there is no such file"):
        files_of([tmp_path / "x"])
    with pytest.raises(Unusable, match="has no files"):
        files_of([tmp_path])


def test_a_file_that_cannot_be_read_is_told_and_ends_nothing(recording, monkeypatch):
    monkeypatch.setattr(explaining, "FILE_BYTES", 1000)
    (recording / "m1.http").write_bytes(b"x" * 1001)
    (recording / "m2.http").symlink_to("nowhere")
    said = told(*files_of([recording]))
    assert [(Path(one.name).name, one.error) for one in said if one.said is None] == [
        ("m1.http", "it is over 1000 bytes"),
        ("m2.http", "it is no file"),
    ]
    assert status(said) == 2


def test_the_bound_of_a_file_is_far_above_any_message():
    assert FILE_BYTES > 10 * 1024 * 1024


def test_messages_of_one_file_are_numbered(recording):
    said = told(recording / "m9.http")
    assert [one.name.rpartition("/")[2] for one in said] == ["m9.http#1", "m9.http#2"]


def test_a_recording_is_summed_up(recording):
    (recording / "m11.http").write_bytes(BROKEN)
    total = summary(told(*files_of([recording])))
    assert total.to_dict() == {
        "messages": 5,
        "kinds": {"request": 5},
        "ids": [{"profile": "http-cookie", "messages": 3, "different": 2}],
        "nothing": 2,
        "routes": {},
        "refused": 1,
        "errors": 0,
    }


def test_the_status_is_that_of_the_worst_message(recording):
    assert status(told(recording / "m9.http")) == 0
    (recording / "m11.http").write_bytes(BROKEN)
    assert status(told(recording / "m9.http", recording / "m11.http")) == 1


def test_one_message_has_its_own_shape_and_several_have_names(recording):
    (one,) = told(recording / "m10.http")
    assert shape([one], True) == one.said.to_dict()
    many = shape(told(recording / "m9.http"), False)
    assert list(many) == ["messages", "summary"]
    assert [list(each) for each in many["messages"]] == [["name", "explanation", "error"]] * 2


def test_stdin_is_a_file(monkeypatch):
    import io
    import sys
    from types import SimpleNamespace

    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(http())))
    (saved,) = read_file(Path("-"), here().limits)
    assert saved.kind == "request"


def test_a_service_that_is_not_there_is_said_with_those_that_are():
    with pytest.raises(Unusable, match=r"--service nope: .*default"):
        here(service="nope")


def test_the_action_is_that_of_a_bare_envelope(tmp_path):
    path = tmp_path / "a.xml"
    path.write_bytes(b"<a/>")
    (one,) = tell([path], here(), "urn:x")
    assert one.said.action == "urn:x"


# -- a running gateway


class Gateway:
    """A Remote that notes what it is asked and answers as `here` would, or as it is told."""

    def __init__(self, answer: object = None) -> None:
        self.asked: list[dict[str, object]] = []
        self._answer = answer

    def send(self, method: str, *path: str, body: dict[str, object]) -> object:
        assert (method, path) == ("POST", ("explain",))
        self.asked.append(body)
        if isinstance(self._answer, Exception):
            raise self._answer
        if self._answer is not None:
            return self._answer
        (saved,) = read_messages(base64.b64decode(str(body["message"])), here().limits)
        return json.loads(json.dumps(here().explain(saved, "").to_dict()))


def test_a_gateway_is_asked_about_each_message_as_it_is(recording):
    gateway = Gateway()
    said = list(tell([recording / "m9.http"], There(gateway, "shop"), "urn:a"))
    text = base64.b64encode(http("one")).decode()
    assert gateway.asked == [{"message": text, "service": "shop", "action": "urn:a"}] * 2
    assert said[0].said.readings[0].order[0].profile == "http-cookie"


def test_a_gateway_that_cannot_be_asked_ends_it(recording):
    with pytest.raises(RemoteError, match="away"):
        list(tell([recording / "m9.http"], There(Gateway(RemoteError("away"))), ""))


def test_a_message_that_is_too_long_for_it_is_told(recording):
    too_long = Gateway(RemoteError("the message is over 7 bytes", 413))
    said = list(tell([recording / "m9.http"], There(too_long), ""))
    assert [one.error for one in said] == ["the message is over 7 bytes"] * 2


def test_what_it_will_not_read_is_not_sent(tmp_path):
    path = tmp_path / "long.xml"
    path.write_bytes(b"x" * (1024 * 1024 + 1))
    gateway = Gateway()
    (one,) = tell([path], There(gateway), "")
    assert "up to 1048576 bytes" in one.error
    assert gateway.asked == []


@pytest.mark.parametrize("answer", [{}, {"readings": 7}, "text"])
def test_an_answer_of_another_version_is_known(recording, answer):
    with pytest.raises(RemoteError, match="another version"):
        list(tell([recording / "m10.http"], There(Gateway(answer)), ""))
