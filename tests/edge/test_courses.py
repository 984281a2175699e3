"""What follows from a head, and the counts of those who went that way."""

from __future__ import annotations

from typing import Any

from talk import CLIENT_MADE, Talk, envelope, ok, post

from soapgate.edge.courses import Course, Trips
from soapgate.edge.metrics import Metrics


def course_of(talk: Talk, request: bytes) -> Course:
    """What the gateway knows of a request's head after enough of them."""
    for _ in range(200):
        talk.serve(request, ok(envelope()))
    known: Any = talk.front.known.find(request)
    course = known.course
    assert isinstance(course, Course)
    return course


def test_a_head_is_read_for_its_course_once() -> None:
    talk = Talk(profiles={"shop": CLIENT_MADE})
    request = post(envelope("mine"), b"SOAPAction: add")
    course = course_of(talk, request)
    assert (course.service, course.action) == (talk.service, "add")
    assert course.shapes is talk.service.request_shapes
    assert course_of(talk, request) is course


def test_another_client_gets_lines_of_its_own() -> None:
    talk = Talk(profiles={"shop": CLIENT_MADE})
    request = post(envelope("mine"))
    course_of(talk, request)
    for address in ("192.0.2.7", "192.0.2.99", "192.0.2.7"):
        client = talk.connect()
        client.wire.peerAddr.host = address
        client.says(request)
        peer = talk.asked()
        assert b"X-Forwarded-For: %b\r\n" % address.encode() in peer.heard()
        peer.says(ok(envelope()))


def test_other_tables_are_another_course() -> None:
    talk = Talk(profiles={"shop": CLIENT_MADE})
    request = post(envelope("mine"))
    course = course_of(talk, request)
    talk.desk.tables = object()
    assert course_of(talk, request) is not course


def test_where_no_profile_looks_into_bodies_no_shape_is_asked() -> None:
    cookies = {
        "title": "Cookies", "about": "None but these.",
        "lookup": ["cookie:sid"], "learn": ["cookie:sid"],
    }  # fmt: skip
    course = course_of(Talk(profiles={"cookies": cookies}), post(envelope()))
    assert (course.shapes, course.replies) == (None, None)


def test_trips_are_added_to_the_metrics_once() -> None:
    metrics = Metrics(["shop"])
    trips = Trips(metrics.durations["shop"])
    trips.pinned, trips.unpinned = 3, 2
    trips.asked_found, trips.asked_none, trips.told_none = 3, 1, 4
    for _ in range(2):
        trips.settle("shop", metrics)
    assert metrics.exchanges == {("shop", "pinned", "bound"): 3, ("shop", "balanced", "no-id"): 2}
    assert metrics.scans == {
        ("request", "found"): 3,
        ("request", "none"): 1,
        ("response", "none"): 4,
    }
