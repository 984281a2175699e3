from __future__ import annotations

import io
import json
from email.message import Message
from urllib.error import HTTPError, URLError

import pytest

from soapgate import remote
from soapgate.remote import Remote, RemoteError


class Gateway:
    """Answers in place of urllib's opener; remembers what it was asked."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, bytes | None, str | None]] = []

    def open(self, request, timeout):
        self.asked.append(
            (
                request.get_method(),
                request.full_url,
                request.data,
                request.get_header("Content-type"),
            )
        )
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return io.BytesIO(answer if isinstance(answer, bytes) else json.dumps(answer).encode())


def said_no(status: int, body: bytes) -> HTTPError:
    return HTTPError("http://gw", status, "No", Message(), io.BytesIO(body))


@pytest.fixture
def gateway(monkeypatch):
    made = Gateway()
    monkeypatch.setattr(remote, "build_opener", lambda *handlers: made)
    return made


def test_a_call_goes_to_the_api_of_that_url(gateway):
    gateway.answers = [{"ready": True}]
    assert Remote("http://gw:9900/").get("status") == {"ready": True}
    assert gateway.asked == [("GET", "http://gw:9900/api/v1/status", None, None)]


def test_names_are_quoted_and_absent_parameters_left_out(gateway):
    gateway.answers = [{}]
    Remote("http://gw").get("pins", "a/b", service="x y", backend=None)
    assert gateway.asked[0][1] == "http://gw/api/v1/pins/a%2Fb?service=x+y"


def test_a_change_is_sent_as_json(gateway):
    gateway.answers = [{}]
    Remote("http://gw").send("PATCH", "backends", "p", "b", body={"admin": "drain"})
    assert gateway.asked == [
        ("PATCH", "http://gw/api/v1/backends/p/b", b'{"admin": "drain"}', "application/json")
    ]


def test_a_change_without_a_body_still_says_json(gateway):
    gateway.answers = [b""]
    assert Remote("http://gw").send("DELETE", "pins", "s", "k") is None
    assert gateway.asked[0][2:] == (None, "application/json")


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (404, b'{"error": "no pin"}', "no pin"),
        (422, b'{"error": "bad", "allowed": ["a", "b"]}', "bad; allowed are a, b"),
        (500, b"<html>", "the gateway answered 500 No"),
    ],
)
def test_a_no_is_told_in_the_words_of_the_gateway(gateway, status, body, sentence):
    gateway.answers = [said_no(status, body)]
    with pytest.raises(RemoteError) as caught:
        Remote("http://gw").get("status")
    assert (str(caught.value), caught.value.status) == (sentence, status)


@pytest.mark.parametrize("error", [URLError(ConnectionRefusedError("refused")), TimeoutError()])
def test_nobody_there_is_told(gateway, error):
    gateway.answers = [error]
    with pytest.raises(RemoteError, match="no gateway answers at http://gw: "):
        Remote("http://gw").get("status")


def test_somebody_else_there_is_told(gateway):
    gateway.answers = [b"<html>"]
    with pytest.raises(RemoteError, match="no gateway: no JSON"):
        Remote("http://gw").get("status")


@pytest.mark.parametrize("url", ["", "127.0.0.1:9900", "file:///etc/passwd"])
def test_only_http_is_asked(url):
    with pytest.raises(RemoteError, match="is no admin URL"):
        Remote(url)


def test_pins_are_asked_for_page_by_page(gateway):
    gateway.answers = [
        {"pins": [{"key": "1"}, {"key": "2"}], "cursor": "2"},
        {"pins": [], "cursor": "9"},
        {"pins": [{"key": "a"}], "cursor": None},
    ]
    pins, more = Remote("http://gw").pins(10, service="s", backend=None)
    assert ([pin["key"] for pin in pins], more) == (["1", "2", "a"], False)
    assert [url.partition("?")[2] for _, url, _, _ in gateway.asked] == [
        "limit=10&service=s",
        "limit=8&cursor=2&service=s",
        "limit=8&cursor=9&service=s",
    ]


def test_no_more_pins_are_asked_for_than_wanted(gateway):
    gateway.answers = [{"pins": [{"key": "1"}], "cursor": "1"}]
    assert Remote("http://gw").pins(1) == ([{"key": "1"}], True)
