from __future__ import annotations

import pytest
from sockets import line_of
from twisted.internet.testing import StringTransport

from soapgate.core.pool import Backend
from soapgate.edge.flow import Flow, Outlet
from soapgate.edge.framing import CHUNKED, ChunkedReader, UntilCloseReader, body_reader
from soapgate.edge.leaks import BEFORE, BEHIND, Looking, needle
from soapgate.edge.steps import Steps

WANTED = b"://10.0.0.1:9001"
TEXT = b"<a b='http://10.0.0.1:9001/shop'/>"


def test_a_backend_is_looked_for_as_its_address_is_written():
    written = {
        "http://B1.example": b"://b1.example",
        "http://10.0.0.1:9001/": WANTED,
        "http://h:443": b"://h:443",
        "https://h:443": b"://h",
        "https://[0::1]:8443": b"://[::1]:8443",
    }
    assert {url: needle(Backend.parse("b", url)) for url in written} == written


def seen(*pieces: bytes, answers: bool = True) -> tuple[list[bool], list[bytes]]:
    """(what each piece gave, the places that were asked about)."""
    parts: list[bytes] = []

    def found(part: bytes) -> bool:
        parts.append(part)
        return answers

    looking = Looking(WANTED, found)
    told = [looking.found_in(piece) for piece in pieces]
    return [*told, looking.found_in(b"", last=True)], parts


@pytest.mark.parametrize("cut", range(len(TEXT) + 1))
def test_an_address_is_found_across_every_split_with_what_stands_around_it(cut):
    told, parts = seen(TEXT[:cut], TEXT[cut:])
    assert told[-1]
    assert parts == [TEXT[TEXT.index(WANTED) - BEFORE :]]


def test_an_address_is_found_byte_by_byte():
    long = TEXT + b" " * 100
    told, parts = seen(*(long[at : at + 1] for at in range(len(long))))
    assert told.index(True) == long.index(WANTED) + len(WANTED) + BEHIND - 1
    assert len(parts) == 1


def test_nothing_is_asked_again_once_it_was_found():
    told, parts = seen(TEXT, TEXT)
    assert told[-1]
    assert len(parts) == 1


def test_what_turns_out_to_be_another_is_looked_for_on():
    told, parts = seen(b"x" * 100 + TEXT, b"y" * 100 + TEXT, b"z" * 200, b"z", answers=False)
    assert not any(told)
    assert len(parts) == 2


def test_a_flow_that_is_looked_at_gives_what_it_would_have_given():
    body = b"5\r\nabcde\r\n0\r\nX: y\r\n\r\nrest"
    whole = ChunkedReader("upstream")
    looking = Looking(b"cd", lambda part: True)
    flow = Flow(body_reader(CHUNKED, "upstream"), line_of(StringTransport()), Steps())
    looking.read_with(flow)
    out = StringTransport()
    flow.pour(Outlet(line_of(out), chunked=True))
    assert flow.feed(body) == whole.take(body)[1] == b"rest"
    assert flow.done
    assert flow.reader.trailers == whole.trailers == b"X: y\r\n"
    assert out.value() == body.removesuffix(b"rest")
    assert looking.found_in(b"")


def test_the_end_of_a_connection_ends_a_body_that_is_looked_at():
    flow = Flow(UntilCloseReader(), line_of(StringTransport()), Steps())
    Looking(WANTED, lambda part: True).read_with(flow)
    assert not flow.done
    assert flow.reader.close()
    assert flow.done
