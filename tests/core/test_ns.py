"""The namespaces are constants; what can go wrong is one that contradicts another."""

from __future__ import annotations

from soapgate.core import ns
from soapgate.core.paths import check_namespace


def test_every_prefix_names_at_least_one_namespace_and_none_twice():
    for prefix, uris in ns.PREFIXES.items():
        assert uris, prefix
        assert len(set(uris)) == len(uris), prefix


def test_every_namespace_is_one_that_a_location_may_use():
    assert [uri for uris in ns.PREFIXES.values() for uri in uris if check_namespace(uri)] == []


def test_a_versioned_prefix_is_part_of_its_family():
    for prefix, uris in ns.PREFIXES.items():
        family = prefix.rstrip("0123456789")
        assert set(uris) <= set(ns.PREFIXES.get(family, uris)), prefix


def test_both_soap_versions_are_known_by_their_envelope():
    assert ns.SOAP_VERSIONS == {ns.SOAP11: "1.1", ns.SOAP12: "1.2"}
    assert set(ns.PREFIXES["soap"]) == set(ns.SOAP_VERSIONS)


def test_ws_addressing_has_its_four_versions():
    assert ns.PREFIXES["wsa"] == ns.WSA
    assert len(ns.WSA) == 4
