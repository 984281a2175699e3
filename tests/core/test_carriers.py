"""HTTP carriers as real clients and servers write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soapgate.core.carriers import (
    IN_URL,
    MAX_PAIRS,
    SetCookie,
    cookieless,
    cookies,
    names_in_url,
    of_address,
    path_of,
    path_params,
    query,
    set_cookies,
    target,
    target_of_address,
    text,
)

NOW = 1_700_000_000.0  # 2023-11-14


@pytest.mark.parametrize(
    ("field", "found"),
    [
        (b"ID=x", [("ID", "x")]),
        (b"a=1; b=2", [("a", "1"), ("b", "2")]),
        (b"a=1;b=2;", [("a", "1"), ("b", "2")]),
        (b"a=1;", [("a", "1")]),
        (b"gone=", [("gone", "")]),
        (b'a="x;y"; b=2', [("a", "x;y"), ("b", "2")]),
        (b'a="x\\"y\\\\z"', [("a", 'x"y\\z')]),
        (b'$Version=1;ID=x;$Path="/";$Domain="h"', [("ID", "x")]),
        (b'$Version="1"; JSESSIONID=A.node0; $Path=/', [("JSESSIONID", "A.node0")]),
        (
            b'vmware_soap_session="5f"; Path=/; HttpOnly; Secure; ',
            [("vmware_soap_session", "5f"), ("Path", "/")],
        ),
        (b"", []),
        (b"  ", []),
        (b";;; ;", []),
        (b"=v; a=1", [("a", "1")]),
        (b"novalue; a=1", [("a", "1")]),
        (b"ID=old; ID=new", [("ID", "old"), ("ID", "new")]),
        (b"a=x=y==", [("a", "x=y==")]),
        (b"a=PEE+; b=/1", [("a", "PEE+"), ("b", "/1")]),
        (b" a = 1 ;\tb\t=\t2 ", [("a", "1"), ("b", "2")]),
        (b'a="open; b=2', [("a", '"open'), ("b", "2")]),
        (b'a="x"y; b=2', [("a", '"x"y'), ("b", "2")]),
        (b'n"="v"; b=2', [('n"', "v"), ("b", "2")]),
        (b'a="\\', [("a", '"\\')]),
        (b"a=\xe9", [("a", "é")]),
        (b"a=\xc3\xa9", [("a", "é")]),
        (b"sap-contextid=SID%3aANON%3ah", [("sap-contextid", "SID%3aANON%3ah")]),
    ],
    ids=[
        "one",
        "two",
        "trailing semicolon (PHP)",
        "one with trailing semicolon (PHP)",
        "removed but sent (PHP)",
        "semicolon in quotes",
        "escapes in quotes",
        "attributes (gSOAP)",
        "attributes (CXF)",
        "Set-Cookie sent back (pyVmomi)",
        "empty (pyVmomi)",
        "blank",
        "only separators",
        "no name",
        "no equals sign",
        "one name twice",
        "equals signs in the value",
        "base64",
        "blanks and tabs",
        "quote never closed",
        "junk after the quotes",
        "quote in the name",
        "backslash at the end",
        "Latin-1",
        "UTF-8",
        "percent signs stay (SAP)",
    ],
)
def test_cookies_are_read_as_clients_write_them(field, found):
    assert list(cookies([field])) == found


def test_several_cookie_fields_are_one_list():
    assert list(cookies([b"a=1", b"", b"b=2; c=3"])) == [("a", "1"), ("b", "2"), ("c", "3")]


def test_cookies_beyond_the_bound_are_not_read():
    assert len(list(cookies([b"a=1;" * 5000]))) == MAX_PAIRS
    assert len(list(cookies([b'a="1";' * 5000]))) == MAX_PAIRS


@pytest.mark.parametrize(
    ("field", "found"),
    [
        (b"ID=x", SetCookie("ID", "x", False)),
        (b"ID=x; Path=/; HttpOnly; SameSite=Lax", SetCookie("ID", "x", False)),
        (b'WscContext="PEN0eD0=";Path=/s', SetCookie("WscContext", "PEN0eD0=", False)),
        (b'ID="a;b"; Max-Age=5', SetCookie("ID", "a;b", False)),
        (b"ID=x; Max-Age=0", SetCookie("ID", "x", True)),
        (b"ID=x; max-age=-1", SetCookie("ID", "x", True)),
        (b'ID=x; Max-Age="0"', SetCookie("ID", "x", True)),
        (b"ID=x; Max-Age=soon", SetCookie("ID", "x", False)),
        (b"ID=x; Max-Age=--1", SetCookie("ID", "x", False)),
        (b"ID=; Path=/", SetCookie("ID", "", True)),
        (b"WscContext;Max-Age=0", SetCookie("WscContext", "", True)),
        (b'ID=""', SetCookie("ID", "", True)),
        (b"ID=x; Expires=Thu, 01-Jan-1970 00:00:10 GMT", SetCookie("ID", "x", True)),
        (b"ID=x; expires=Thu, 01 Jan 1970 00:00:00 GMT", SetCookie("ID", "x", True)),
        (b"ID=x; Expires=Thu Jan  1 00:00:00 1970", SetCookie("ID", "x", True)),
        (b"ID=x; Expires=Mon, 13 Nov 2023 00:00:00 GMT", SetCookie("ID", "x", True)),
        (b"ID=x; Expires=Wed, 15 Nov 2023 00:00:00 GMT", SetCookie("ID", "x", False)),
        (b"ID=x; Expires=Wed, 15-Nov-23 00:00:00 GMT", SetCookie("ID", "x", False)),
        (
            b"ID=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60",
            SetCookie("ID", "x", False),
        ),
        (b"ID=x; Expires=whenever", SetCookie("ID", "x", False)),
        (b"ID=x; Expires=Thu, 99 Foo 99999 99:99:99 GMT", SetCookie("ID", "x", False)),
        (b"ID=x; Expires", SetCookie("ID", "x", False)),
    ],
)
def test_a_cookie_is_set_or_deleted(field, found):
    assert list(set_cookies([field], NOW)) == [found]


def test_a_date_before_2000_is_past_even_without_a_clock():
    field = b"ID=x; Expires=Thu, 01-Jan-1970 00:00:10 GMT"
    assert [cookie.deleted for cookie in set_cookies([field], 0.0)] == [True]


@pytest.mark.parametrize(
    "field", [b"0", b"", b";", b"=x", b" = ", b"Path", b"Path; Max-Age=5", b'"', b"\xff"]
)
def test_a_set_cookie_that_sets_nothing_is_skipped(field):
    assert list(set_cookies([field, b"ID=x"], NOW)) == [SetCookie("ID", "x", False)]


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (b"/a;jsessionid=X", [("jsessionid", "X")]),
        (b"/a;jsessionid=X/b", [("jsessionid", "X")]),
        (b"/a;jsessionid=X?y=;z=1", [("jsessionid", "X")]),
        (b"/a;jsessionid=X;jreplica=Y/b;c=Z", [("jsessionid", "X"), ("jreplica", "Y"), ("c", "Z")]),
        (b"/a;JSESSIONID=X", [("JSESSIONID", "X")]),
        (b"/a;jsessionid=(h_S_00)ID1End", [("jsessionid", "(h_S_00)ID1End")]),
        (b"/a;jsessionid=%28h%29", [("jsessionid", "(h)")]),
        (b"/a;jsessionid=%", [("jsessionid", "%")]),
        (b"/a;jsessionid=%FF", [("jsessionid", "ÿ")]),
        (b"/a;b;=c;d=", [("d", "")]),
        (b"/a", []),
        (b"/a?x=1;jsessionid=X", []),
        (b"", []),
    ],
)
def test_path_parameters_are_read_in_any_segment(target, found):
    assert list(path_params(target)) == found


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (b"/a?Idx=7", [("Idx", "7")]),
        (b"/a?a=1&b=2&a=3", [("a", "1"), ("b", "2"), ("a", "3")]),
        (b"/a?a=x+y%20z%3D", [("a", "x y z=")]),
        (b"/a?a=1;b=2", [("a", "1;b=2")]),
        (b"/a?wsdl", [("wsdl", "")]),
        (b"/a?=1&&b=2", [("b", "2")]),
        (b"/a?a=%e9", [("a", "é")]),
        (b"/a?a=b?c=d", [("a", "b?c=d")]),
        (b"/a?a=1#b=2", [("a", "1")]),
        (b"/a?", []),
        (b"/a", []),
    ],
)
def test_the_query_is_read_as_a_form(target, found):
    assert list(query(target)) == found


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b"/a/b", "/a/b"),
        (b"/a?Idx=7", "/a?Idx=7"),
        (b"/a?Idx=7#f", "/a?Idx=7"),
        (b"/%7euser/%2f%c3%a9%ZZ", "/~user/%2F%C3%A9%25ZZ"),
        ("/é b|".encode(), "/%C3%A9%20b%7C"),
        (b"/a;b=c,(d)*+'!$&:@=", "/a;b=c,(d)*+'!$&:@="),
        (b"http://h:8080/a", "/a"),
        (b"HTTPS://h?Idx=7", "/?Idx=7"),
        (b"/", ""),
        (b"http://h", ""),
        (b"http://h/", ""),
        (b"*", ""),
        (b"h:443", ""),
        (b"", ""),
    ],
)
def test_a_target_is_written_in_one_way_and_the_root_is_nobodys(raw, found):
    assert target(raw) == found
    assert target(found.encode()) == found


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("http://192.0.2.8:80/event/sub/3", "/event/sub/3"),
        ("https://h/a?b=%7e", "/a?b=~"),
        ("http://h/é", "/%C3%A9"),
        ("http://www.w3.org/2005/08/addressing/anonymous", ""),
        ("http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous", ""),
        ("http://docs.oasis-open.org/ws-rx/wsmc/200702/anonymous?id=7", ""),
        ("urn:uuid:1", ""),
        ("/event/sub/3", ""),
        ("soap.udp://h/a", ""),
        ("", ""),
    ],
)
def test_an_address_is_known_by_its_target(address, found):
    assert target_of_address(address) == found


@given(st.binary(max_size=80))
def test_whatever_a_target_holds_it_is_written_once_and_for_all(raw):
    written = target(b"/" + raw)
    assert written.isascii()
    assert target(written.encode()) == written


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (b"/app/(S(lit3py55))/a.asmx", [("S", "lit3py55")]),
        (b"/(S(a))/a.asmx?WSDL", [("S", "a")]),
        (b"/(X(1)S(a)A(b)F(c))/a.asmx", [("X", "1"), ("S", "a"), ("A", "b"), ("F", "c")]),
        (b"/app/%28S%28a%29%29/a.asmx", [("S", "a")]),
        (b"/app/(S(a))", [("S", "a")]),
        (b"http://h:1/app/(S(a))/a.asmx", [("S", "a")]),
        (b"/(S(a))/(S(b))/a.asmx", [("S", "b")]),
        (b"/(S())/a.asmx", [("S", "")]),
        (b"/(S(a)/a.asmx", []),
        (b"/(S(a/b))/a.asmx", []),
        (b"/(s(a))/a.asmx", []),
        (b"/(S)/a.asmx", []),
        (b"/(a)/a.asmx", []),
        (b"/S(a)/a.asmx", []),
        (b"/x(S(a))/a.asmx", []),
        (b"/(S(a))x/a.asmx", []),
        (b"/a.asmx?next=/(S(a))/", []),
        (b"", []),
    ],
)
def test_what_asp_net_writes_into_a_path_is_read_in_its_last_segment(target, found):
    assert list(cookieless(target)) == found


@pytest.mark.parametrize(
    ("kind", "name", "address", "value"),
    [
        ("param", "jsessionid", "http://h:1/a;jsessionid=7?x=1#f", "7"),
        ("param", "jsessionid", "/a;jsessionid=7#f", "7"),
        ("param", "jsessionid", "a;jsessionid=%37/b", "7"),
        ("param", "jsessionid", "/a;jsessionid=;jsessionid=7", "7"),
        ("param", "jsessionid", "/a;JSESSIONID=7", ""),
        ("param", "jsessionid", "/a?b=;jsessionid=7", ""),
        ("query", "Idx", "http://h/p?a=1&Idx=7#f", "7"),
        ("query", "Idx", "/p#?Idx=7", ""),
        ("cookieless", "S", "https://h/app/(A(1)S(7))/x", "7"),
        ("cookieless", "S", "/app/(A(1))/x", ""),
        ("param", "a", "", ""),
    ],
)
def test_a_url_is_read_as_the_target_it_leads_to(kind, name, address, value):
    assert of_address(IN_URL[kind], name, address) == value


@pytest.mark.parametrize(
    ("kind", "names", "others"),
    [
        ("param", ["a", "A.b", "é"], ["", " a", "a;b", "a=b", "a/b", "a?b", "a#b", "a&b"]),
        ("query", ["a"], ["", "a&b"]),
        ("cookieless", ["A", "S"], ["", "s", "SA", "1", "É"]),
    ],
)
def test_what_stands_in_a_url_has_names_of_its_own(kind, names, others):
    assert all(names_in_url(kind, name) for name in names)
    assert not any(names_in_url(kind, name) for name in others)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/shop", "/shop"),
        (b"/shop?sid=SECRET", "/shop"),
        (b"/shop;jsessionid=SECRET", "/shop"),
        (b"/a;x=SECRET/b?y=SECRET", "/a"),
        (b"/a%3bjsessionid=SECRET", "/a"),
        (b"/a%3Bx=SECRET", "/a"),
        (b"/a%3fsid=SECRET", "/a"),
        (b"/a#SECRET", "/a"),
        (b"/a%23SECRET", "/a"),
        (b"/a%20b", "/a%20b"),
        (b"/a/(S(SECRET))/b", "/a/"),
        (b"/a/(X(1)S(SECRET))/b", "/a/"),
        (b"/a/%28S%28SECRET%29%29/b", "/a/"),
        (b"/a/(%53(SECRET))/b", "/a/"),
        (b"/a(b)/c", "/a(b)/c"),
        (b"/a;\nSECRET", "/a"),
        (b"http://user:SECRET@host/shop?SECRET", "/shop"),
        (b"http://user:SECRET@host", "/"),
        (b"*", "*"),
        (b"", ""),
    ],
    ids=ascii,
)
def test_a_path_ends_before_anything_that_may_carry_an_id(target, path):
    assert path_of(target) == path


def test_parameters_beyond_the_bound_are_not_read():
    assert len(list(query(b"/?" + b"a=1&" * 5000))) == MAX_PAIRS
    assert len(list(path_params(b"/" + b";a=1" * 5000))) == MAX_PAIRS


@given(st.binary(max_size=200), st.text('a=";$\\ ,%/?&', max_size=60))
def test_junk_never_raises_and_text_has_no_surrogates(raw, odd):
    for field in (raw, odd.encode()):
        for name, value in (*cookies([field]), *path_params(field), *query(field)):
            (name + value).encode()
        for cookie in set_cookies([field, b"a=1; Expires=" + field], NOW):
            (cookie.name + cookie.value).encode()


@given(
    st.lists(
        st.tuples(st.from_regex(r"[A-Za-z]{1,8}", fullmatch=True), st.text('ab;"\\= ', max_size=8))
    )
)
def test_a_quoted_cookie_comes_back_as_it_was_written(pairs):
    def quote(value):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    field = "; ".join(f"{name}={quote(value)}" for name, value in pairs)
    assert list(cookies([field.encode()])) == pairs[:MAX_PAIRS]


def test_bytes_are_utf_8_or_else_latin_1():
    assert text(b"\xc3\xa9") == "é"
    assert text(b"\xe9") == "é"
