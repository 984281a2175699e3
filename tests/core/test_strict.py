"""lxml on bytes from strangers."""

from __future__ import annotations

import gc
import threading

import pytest
from lxml import etree

from soapgate.core import strict


@pytest.mark.parametrize(
    "data",
    [
        b"<a>",
        b"<a></b>",
        b"<a>&x;</a>",
        b"<p:a/>",
        b"<a>\0</a>",
        b"<a>\xc0\xaf</a>",
        b"<a/><a/>",
        b"",
        b"<a>" * 5000 + b"</a>" * 5000,
    ],
)
def test_what_is_not_well_formed_is_an_error(data):
    with pytest.raises(etree.XMLSyntaxError):
        strict.parse(data)


def test_comments_and_instructions_leave_no_seam():
    root = strict.parse(b"<a><!-- <b/> -->x<?p?>y<![CDATA[<z>]]><b/></a>")
    assert (root.text, [child.tag for child in root]) == ("xy<z>", ["b"])


def test_bytes_are_utf_8_whatever_the_declaration_says():
    root = strict.parse(b'<?xml version="1.0" encoding="iso-8859-1"?><a>\xc3\xa9</a>')
    assert root.text == "\u00e9"


def test_nothing_is_fetched_and_no_entity_expanded(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    root = strict.parse(
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "%b">]><a>&x;</a>' % secret.as_uri().encode()
    )
    assert "secret" not in "".join(root.itertext(etree.Element))


def names(count, tag="n"):
    return b"<a>" + b"".join(b"<%b%d/>" % (tag.encode(), i) for i in range(count)) + b"</a>"


def in_a_thread(work):
    """Run where no other test has left names."""
    out = []
    thread = threading.Thread(target=lambda: out.append(work()))
    thread.start()
    thread.join()
    return out[0]


def dictionary():
    return etree.memory_debugger.dict_size()


def test_names_of_strangers_stop_growing_the_threads_dictionary(monkeypatch):
    monkeypatch.setattr(strict, "NOVEL_BYTES", 10_000)

    def work():
        sizes = []
        for number in range(40):
            root = strict.parse(names(100, f"x{number}_"))
            assert root[99].tag == f"x{number}_99"
            sizes.append(dictionary())
        return sizes

    sizes = in_a_thread(work)
    assert sizes[-1] == sizes[-10] < sizes[0] + 2000  # and not 4000 more


def test_names_that_are_known_cost_nothing(monkeypatch):
    monkeypatch.setattr(strict, "NOVEL_BYTES", 2_000)

    def work():
        for _ in range(100):
            strict.parse(names(50, "known"))
        return strict._names.novel_bytes

    assert in_a_thread(work) == len(names(50, "known"))


def test_a_tree_from_a_thread_of_its_own_outlives_it(monkeypatch):
    monkeypatch.setattr(strict, "NOVEL_BYTES", -1)
    kept = [strict.parse(b'<a%d xmlns:q="u" q:b="%d">t<c/></a%d>' % (i, i, i)) for i in range(300)]
    gc.collect()
    for i, root in enumerate(kept):
        assert (root.tag, root.get("{u}b"), root[0].tag, root.text) == (f"a{i}", str(i), "c", "t")
        assert root.find("c") is root[0]
        assert len(root.xpath("//c")) == 1
    with pytest.raises(etree.XMLSyntaxError):
        strict.parse(b"<a>")


def test_a_thread_that_had_its_fill_is_left_for_another(monkeypatch):
    monkeypatch.setattr(strict, "NOVEL_BYTES", 10_000)

    def alive():
        return [one for one in threading.enumerate() if one.name == "soapgate-names"]

    def work():
        before = len(alive())
        seen = set()
        for number in range(200):
            root = strict.parse(names(100, f"y{number}_"))
            assert root[99].tag == f"y{number}_99"
            seen |= {*alive()}
        return len(seen) - before, len(alive()) - before

    made, left = in_a_thread(work)
    assert made > 5
    assert left <= 2  # the last, and one that is about to end


def test_an_answer_that_nobody_took_is_not_the_next_ones(monkeypatch):
    apart = strict._Apart()
    apart._asked.put(b"<interrupted/>")
    assert apart.parse(b"<mine/>").tag == "mine"
    with pytest.raises(etree.XMLSyntaxError):
        apart.parse(b"<a>")
    assert apart.parse(b"<again/>").tag == "again"
