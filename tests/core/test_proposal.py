"""What is proposed has been tried."""

from __future__ import annotations

import pytest
from talked import ID, request, response

from soapgate.core.candidates import candidates
from soapgate.core.profiles import catalogue, read_profile
from soapgate.core.proposal import finders, propose, read_toml
from soapgate.core.scanner import ScanLimits
from soapgate.core.sightings import Prefixes

LIMITS = ScanLimits()


def proposed(*conversation, limits=LIMITS, name="session"):
    prefixes = Prefixes()
    best = candidates(conversation, prefixes)[0]
    return propose(name, best, conversation, prefixes, limits)


LOGIN = response("", f"<c:loginResponse><c:sessionId>{ID}</c:sessionId></c:loginResponse>")
USE = request(f'<c:Session id="{ID}"/>')


def test_the_text_is_a_part_of_a_configuration_and_finds_the_id_in_both():
    said = proposed(LOGIN, USE, USE)
    assert said.toml == (
        '[namespaces]\nc = "urn:example:cart"\n\n[profile.session]\n'
        'lookup = ["Header/c:Session/@id"]\nlearn  = ["Body/c:loginResponse/c:sessionId"]\n'
    )
    assert said.profile == read_toml("session", said.toml)
    assert (said.found_in, said.others, said.left_out) == ((1, 2), 0, ())


def test_an_id_of_the_client_is_bound():
    mine = request(f"<c:Client>{ID}</c:Client>")
    said = proposed(mine, response(), mine)
    assert 'bind = ["Header/c:Client"]' in said.toml
    assert "learn" not in said.toml
    assert said.found_in == (0, 2)


def test_known_prefixes_are_not_declared_again():
    rm = "http://docs.oasis-open.org/ws-rx/wsrm/200702"
    inner = f"<r:Identifier>{ID}</r:Identifier>"
    issued = f'<r:CreateSequenceResponse xmlns:r="{rm}">{inner}</r:CreateSequenceResponse>'
    reply = response("", issued)
    call = request(f'<r:Sequence xmlns:r="{rm}">{inner}</r:Sequence>')
    said = proposed(reply, call)
    assert "[namespaces]" not in said.toml
    assert "Header/wsrm:Sequence/wsrm:Identifier" in said.toml


def test_an_address_that_is_asked_next_is_an_id_by_its_target():
    made = response("", f"<c:opened><c:at>http://10.1.1.7:8080/sub/{ID}?Idx=7</c:at></c:opened>")
    use = request(target=f"/sub/{ID}?Idx=7".encode())
    said = proposed(request(target=b"/sub"), made, use, use)
    assert said.toml == (
        '[namespaces]\nc = "urn:example:cart"\n\n[profile.session]\n'
        'lookup  = ["url:target"]\nlearn   = ["Body/c:opened/c:at | target"]\nunknown = "balance"\n'
    )
    assert (said.profile.unknown, said.found_in) == ("balance", (1, 2))


def test_an_id_that_is_a_part_is_cut_out_by_words():
    made = response("", f"<c:opened><c:handle>{ID}-0001</c:handle></c:opened>")
    use = request(target=f"/a;h={ID}-0002".encode())
    said = proposed(made, use, use)
    assert said.toml == (
        '[namespaces]\nc = "urn:example:cart"\n\n[profile.session]\n'
        "lookup = [\"param:h | before:'-'\"]\n"
        "learn  = [\"Body/c:opened/c:handle | before:'-'\"]\n"
    )
    assert said.profile == read_toml("session", said.toml)
    assert (said.found_in, said.others, said.left_out) == ((1, 2), 0, ())


def test_a_part_and_a_whole_value_may_be_one_id():
    said = proposed(response(set_cookie=f"SID={ID}.n1"), request(f"<c:S>{ID.upper()}</c:S>"))
    assert "Header/c:S | lower" in said.toml
    assert "cookie:SID | before:'.'" in said.toml


def test_the_address_of_the_service_itself_is_no_id():
    made = response("", "<c:opened><c:at>http://10.1.1.7:8080/cart-number-77</c:at></c:opened>")
    use = request(target=b"/cart-number-77")
    assert candidates([use, made, use, use], Prefixes()) == []


def test_cookies_and_fields_are_written_too():
    said = proposed(response(set_cookie=f"SID={ID}; Path=/"), request(cookie=f"SID={ID}"))
    assert said.toml == '[profile.session]\nlookup = ["cookie:SID"]\nlearn  = ["cookie:SID"]\n'


@pytest.mark.parametrize(
    ("url", "place"),
    [
        (f"/cart;jsessionid={ID}?wsdl", "param:jsessionid"),
        (f"/(S({ID}))/cart.asmx", "cookieless:S"),
    ],
)
def test_an_id_in_the_url_that_a_client_is_sent_on_to_is_written_by_its_place_in_it(url, place):
    sent_on = response(location=f"http://10.1.1.7:8080{url}")
    use = request(target=url.encode())
    said = proposed(request(target=b"/cart"), sent_on, use, use)
    assert f'lookup = ["{place}"]' in said.toml
    assert f'learn  = ["http:location | {place}"]' in said.toml
    assert said.found_in == (1, 2)


def test_a_place_in_the_body_is_written_for_requests_only_if_there_is_no_other():
    body = f"<c:x><c:sid>{ID}</c:sid></c:x>"
    assert "Body/c:x" not in proposed(LOGIN, request(f'<c:S id="{ID}"/>', body)).toml
    assert 'lookup = ["Body/c:x/c:sid"]' in proposed(LOGIN, request("", body)).toml


def test_what_the_limits_do_not_let_it_find_is_left_out_or_not_written():
    far = f"<c:r><c:pad>{'x' * 2000}</c:pad><c:sessionId>{ID}</c:sessionId></c:r>"
    limits = ScanLimits(body_bytes=1000)
    assert proposed(response("", far), USE, limits=limits) is None
    said = proposed(response(f"<c:Session>{ID}</c:Session>", far), USE, limits=limits)
    assert said.left_out == ("Body/c:r/c:sessionId",)
    assert "Body" not in said.toml


def test_other_values_at_its_places_are_counted():
    reply = response("", f"<c:r><c:id>{ID}</c:id><c:id>other-1</c:id></c:r>")
    assert proposed(reply, request(f"<c:sid>{ID}</c:sid>")).others == 1


@pytest.mark.parametrize("name", ["my-session", 'a "b" c'])
def test_any_name_is_written_so_that_it_is_read_again(name):
    assert proposed(LOGIN, USE, name=name).profile.name == name


def test_a_profile_that_finds_it_where_it_needs_it_is_named():
    known = list(catalogue().values())
    cookie = [response(set_cookie=f"JSESSIONID={ID}"), request(cookie=f"JSESSIONID={ID}")]
    assert finders(known, cookie, LIMITS)[ID][0] == "http-cookie"
    assert finders(known, cookie[1:], LIMITS).get(ID) is None
    mine = read_profile("mine", {"bind": ["http:X"]}, {})
    assert finders([mine], [request(x=ID)], LIMITS) == {ID: ["mine"]}
