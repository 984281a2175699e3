from __future__ import annotations

import pytest

from soapgate import units


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30m", 1800),
        ("2s", 2),
        ("500ms", 0.5),
        ("1h30m", 5400),
        ("1d", 86400),
        ("1d2h3m4s5ms", 93784.005),
        ("1.5s", 1.5),
        ("0s", 0),
        (0, 0),
        (45, 45),
        (0.25, 0.25),
    ],
)
def test_a_duration_is_seconds(text, seconds):
    assert units.duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value",
    ["", "30", "30 m", "-1s", "1m1h", "1s1s", "1x", "s", "30M", "١s", True, -1, None, [1],
     "9999999d", float("nan"), float("inf")],
    ids=str,
)  # fmt: skip
def test_what_is_no_duration_is_refused_with_what_is_allowed(value):
    with pytest.raises(ValueError, match="allowed"):
        units.duration(value)


def test_a_positive_duration_is_not_nothing():
    assert units.positive_duration("1ms") == 0.001
    with pytest.raises(ValueError, match="above 0"):
        units.positive_duration("0s")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64KiB", 65536),
        ("1MiB", 1048576),
        ("64kB", 64000),
        ("1 MB", 1000000),
        ("2GiB", 2147483648),
        ("1GB", 1000000000),
        ("10B", 10),
        ("10", 10),
        (10, 10),
        (0, 0),
    ],
)
def test_a_size_is_bytes(text, size):
    assert units.size(text) == size


@pytest.mark.parametrize(
    "value",
    ["", "64KB", "64kib", "-1", "1.5MiB", "KiB", "1  MB", "٣B", True, -1, 1.5, None],
    ids=str,
)
def test_what_is_no_size_is_refused_with_what_is_allowed(value):
    with pytest.raises(ValueError, match="allowed"):
        units.size(value)


@pytest.mark.parametrize("value", ["b1", "a", "9", "a.b_c-d", "x" * 64])
def test_a_name_fits_urls_metrics_and_logs(value):
    assert units.name(value) == value


@pytest.mark.parametrize(
    "value", ["", "-a", ".a", "a b", "a/b", "é", "x" * 65, "a\n", 3, None], ids=repr
)
def test_what_is_no_name_is_refused(value):
    with pytest.raises(ValueError, match="allowed are letters"):
        units.name(value)


@pytest.mark.parametrize(
    "value",
    [
        "tcp:8080",
        "tcp:0",
        "tcp:port=8080:interface=127.0.0.1",
        r"tcp6:8080:interface=\:\:1",
        "ssl:8443:privateKey=key.pem:certKey=cert.pem",
        "unix:/run/soapgate.sock",
        "unix:address=/run/soapgate.sock:mode=660",
        "systemd:domain=INET:index=0",
        "haproxy:tcp:8080",
        "haproxy:unix:/run/x",
    ],
)
def test_an_endpoint_of_twisted_is_taken(value):
    assert units.endpoint(value) == value


@pytest.mark.parametrize(
    "value",
    ["", "8080", "http://x", "tcp", "tcp:", "tcp:x", "tcp:70000", "tcp:-1", "unix:", "unix",
     "haproxy:", "haproxy:8080", "udp:53", 8080, None],
    ids=repr,
)  # fmt: skip
def test_what_is_no_endpoint_is_refused_with_what_is_allowed(value):
    with pytest.raises(ValueError, match="allowed"):
        units.endpoint(value)


def test_every_accepted_endpoint_is_understood_by_twisted():
    from twisted.internet.endpoints import serverFromString
    from twisted.internet.testing import MemoryReactor

    for value in (
        "tcp:8080",
        "tcp:port=8080:interface=127.0.0.1",
        r"tcp6:8080:interface=\:\:1",
        "unix:/run/soapgate.sock",
        "unix:address=/run/soapgate.sock:mode=660",
        "haproxy:tcp:8080",
    ):
        serverFromString(MemoryReactor(), units.endpoint(value))


@pytest.mark.parametrize(
    ("value", "occupied"),
    [
        ("tcp:8080", ("tcp", "", "8080")),
        ("tcp:port=08080", ("tcp", "", "8080")),
        ("ssl:8080:privateKey=x", ("tcp", "", "8080")),
        ("haproxy:tcp:8080:interface=127.0.0.1", ("tcp", "127.0.0.1", "8080")),
        (r"tcp6:1:interface=\:\:1", ("tcp6", "::1", "1")),
        ("unix:/run/x", ("unix", "", "/run/x")),
        (r"unix:/run/a\:b", ("unix", "", "/run/a:b")),
        ("tcp:0", None),
        ("systemd:domain=INET:index=0", None),
    ],
)
def test_an_endpoint_occupies_an_address(value, occupied):
    assert units.address(value) == occupied


@pytest.mark.parametrize(
    ("value", "local"),
    [
        ("tcp:9900:interface=127.0.0.1", True),
        ("tcp:9900:interface=127.8.8.8", True),
        ("tcp:9900:interface=localhost", True),
        (r"tcp6:9900:interface=\:\:1", True),
        ("unix:/run/x", True),
        ("tcp:9900", False),
        ("tcp:9900:interface=0.0.0.0", False),
        ("tcp:9900:interface=10.0.0.1", False),
        ("tcp:9900:interface=127.example.com", False),
        ("systemd:domain=INET:index=0", False),
    ],
)
def test_only_loopback_and_unix_sockets_are_local(value, local):
    assert units.is_local(value) is local


@pytest.mark.parametrize(
    ("value", "tls"),
    [
        ("ssl:8443", True),
        ("haproxy:ssl:8443:privateKey=k", True),
        ("haproxy:haproxy:ssl:8443", True),
        ("tcp:8443", False),
        ("haproxy:tcp:443", False),
        ("unix:ssl", False),
    ],
)
def test_only_ssl_speaks_tls_whatever_is_around_it(value, tls):
    assert units.speaks_tls(value) is tls


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (units.host_pattern, ["a", "a.b", "*.a.b", "127.0.0.1", "[::1]"],
         ["", "a:80", "http://a", "*", "a.*", "*a", "a b", None]),
        (units.path_prefix, ["/", "/a", "/a/b;c"], ["", "a", "/a?b", "/a#b", "/a b", None]),
        (units.action_pattern, ["urn:a", "urn:*", "*", "http://a/b"], ["", " ", "a*b", None]),
    ],
    ids=["host", "path", "action"],
)  # fmt: skip
def test_what_a_service_may_match(check, good, bad):
    assert [check(value) for value in good] == good
    for value in bad:
        with pytest.raises(ValueError, match="allowed"):
            check(value)


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("8080", "tcp:8080"),
        (":8080", "tcp:8080"),
        ("127.0.0.1:8080", "tcp:8080:interface=127.0.0.1"),
        ("localhost:8080", "tcp:8080:interface=localhost"),
        ("[::1]:8080", r"tcp6:8080:interface=\:\:1"),
        ("tcp:8080", "tcp:8080"),
        ("unix:/run/x", "unix:/run/x"),
        ("nonsense", "nonsense"),
    ],
)
def test_a_short_form_becomes_an_endpoint(text, endpoint):
    assert units.short_endpoint(text) == endpoint
    if endpoint != "nonsense":
        units.endpoint(endpoint)


def test_one_string_may_stand_for_a_list():
    assert units.one_or_more("a") == ["a"]
    assert units.one_or_more(["a", "b"]) == ["a", "b"]
    assert units.one_or_more(3) == 3
