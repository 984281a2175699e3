from __future__ import annotations

import pytest

from soapgate import demo


def test_a_checkout_has_its_own_samples(tmp_path):
    script = tmp_path / "samples" / "demo.py"
    script.parent.mkdir()
    script.touch()
    assert demo.script(tmp_path / "soapgate", tmp_path / "prefix") == script


def test_an_installation_has_them_below_its_prefix(tmp_path):
    script = tmp_path / "prefix" / demo.INSTALLED
    script.parent.mkdir(parents=True)
    script.touch()
    assert demo.script(tmp_path / "soapgate", tmp_path / "prefix") == script


def test_samples_that_lie_nowhere_are_missed(tmp_path):
    with pytest.raises(demo.Missing, match="not installed"):
        demo.script(tmp_path / "soapgate", tmp_path)


def test_this_checkout_has_the_demonstration():
    assert demo.script().name == "demo.py"


def test_what_the_samples_need_is_named_with_the_extra():
    demo.check_needs(("json",))
    with pytest.raises(demo.Missing, match=r"needs nosuch_a and nosuch_b: .*soapgate\[demo\]"):
        demo.check_needs(("nosuch_a", "json", "nosuch_b"))
