"""The picture is well-formed, has each point where its figures are, and stays inside its frame."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import etree
from results import result

from bench import picture
from bench.processes import BenchError

SVG = "{http://www.w3.org/2000/svg}"
CPU = {
    ("0.5k", "haproxy"): (20.0, 20.0, 20.0),
    ("0.5k", "soapgate"): (40.0, 60.0, 80.0),
    ("4k-security", "haproxy"): (20.0, 20.0, 20.0),
    ("4k-security", "soapgate"): (20.0, 20.0, 20.0),
    ("1m", "haproxy"): (1000.0, 1000.0, 1000.0),
    ("1m", "soapgate"): (500.0, 500.0, 500.0),
}


def drawn(found: dict[str, Any]) -> etree._Element:
    return etree.fromstring(picture.svg(found).encode())


def test_a_line_has_a_point_for_each_size_in_order() -> None:
    lines = picture.lines(result(CPU))
    assert [(point.size, point.ratio.median) for point in lines["soapgate : haproxy"]] == [
        (512, 3.0),
        (1024**2, 0.5),
    ]


def test_larger_stands_to_the_right_and_dearer_higher() -> None:
    first, second = drawn(result(CPU)).iter(f"{SVG}circle")
    assert float(first.get("cx", "")) < float(second.get("cx", ""))
    assert float(first.get("cy", "")) < float(second.get("cy", ""))  # from the top
    assert first.findtext(f"{SVG}title") == "soapgate : haproxy, 0.5 KB: 2.00 / 3.00 / 4.00"


def test_everything_is_inside_the_frame() -> None:
    places = [
        (name, float(value))
        for element in drawn(result(CPU)).iter()
        for name, value in element.attrib.items()
        if name in {"x", "y", "x1", "x2", "y1", "y2", "cx", "cy"}
    ]
    assert len(places) > 40
    for name, value in places:
        assert 0 <= value <= (picture.WIDTH if name.strip("c")[0] == "x" else picture.HEIGHT)


def test_one_size_alone_can_be_drawn() -> None:
    found = result({key: value for key, value in CPU.items() if key[0] == "1m"})
    assert len(list(drawn(found).iter(f"{SVG}circle"))) == 1


def test_names_are_escaped() -> None:
    found = result(CPU)
    found["machine"]["processor"] = "<R&D>"
    assert "<R&D>" in "".join(drawn(found).itertext())


def test_nothing_to_draw_is_a_sentence() -> None:
    found = result({("4k-security", "haproxy"): (1.0,), ("4k-security", "soapgate"): (1.0,)})
    with pytest.raises(BenchError, match="nothing to draw"):
        picture.svg(found)
