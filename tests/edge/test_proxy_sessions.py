"""Sessions of several ids as conversations over two backends: linked, ended, trailing, expiring."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

import pytest
from talk import PROFILE, Talk, body_of, envelope, ok, post

from soapgate.core import ns
from soapgate.core.routing import Terms

KEEP = 5.0
SHOP = {**PROFILE, "end": []}
COOKIE = {"lookup": ["cookie:S"], "learn": ["cookie:S"], "ends": "id"}


def built_in(*names: str) -> dict[str, Any]:
    """Profiles of the catalogue, as a user would write them."""
    folder = resources.files("soapgate.catalogue")
    return {n: tomllib.loads(folder.joinpath(f"{n}.toml").read_text("utf-8")) for n in names}


def gate(profiles: Any, **options: Any) -> Talk:
    return Talk(profiles=profiles, keep_ended=KEEP, **options)


def where(talk: Talk, request: bytes, response: bytes = b"") -> tuple[str, str]:
    """The backend that a request reaches, and why."""
    talk.client = talk.connect()
    peer = talk.serve(request, response or ok(envelope()))
    return peer.name, talk.last.reason


def soap(header: str = "", body: str = "<x/>") -> bytes:
    names = {
        "e": ns.SOAP12, "a": ns.WSA10, "r": ns.WSRM11, "o": ns.WSSE10, "c": ns.WSC13,
        "t": ns.WST13, "u": ns.WSU, "s": "urn:example:shop",
    }  # fmt: skip
    declared = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in names.items())
    return (
        f"<e:Envelope {declared}><e:Header>{header}</e:Header><e:Body>{body}</e:Body></e:Envelope>"
    ).encode()


def identifier(text: str, prefix: str = "r") -> str:
    return f"<{prefix}:Identifier>{text}</{prefix}:Identifier>"


SCT = f"<o:Security><c:SecurityContextToken>{identifier('sct', 'c')}</c:SecurityContextToken>" \
      "</o:Security>"  # fmt: skip
SESSION = '<s:Session id="hdr"/>'
SEQUENCE = f"<r:Sequence>{identifier('seq')}</r:Sequence>"
ACK = f"<r:SequenceAcknowledgement>{identifier('off')}</r:SequenceAcknowledgement>"
ONE_BY_ONE = {
    "cookie": post(soap(), b"Cookie: JSESSIONID=J"),
    "SOAP header": post(soap(SESSION)),
    "security context": post(soap(SCT)),
    "sequence": post(soap(SEQUENCE)),
    "offered sequence": post(soap(ACK)),
}


def whole_conversation(talk: Talk) -> None:
    """A security context, then a sequence with an offer inside it, then a header; the second of
    two clients, so that round robin alone would be wrong."""
    talk.serve(post(soap()), ok(soap()))
    token = f"<c:SecurityContextToken>{identifier('sct', 'c')}</c:SecurityContextToken>"
    issued = (
        "<t:RequestSecurityTokenResponseCollection><t:RequestSecurityTokenResponse>"
        f"<t:RequestedSecurityToken>{token}</t:RequestedSecurityToken>"
        "</t:RequestSecurityTokenResponse></t:RequestSecurityTokenResponseCollection>"
    )
    asked = post(soap(body="<t:RequestSecurityToken/>"))
    talk.serve(asked, ok(soap(body=issued), b"Set-Cookie: JSESSIONID=J; Path=/"))
    offer = f"<r:CreateSequence><r:Offer>{identifier('off')}</r:Offer></r:CreateSequence>"
    created = f"<r:CreateSequenceResponse>{identifier('seq')}</r:CreateSequenceResponse>"
    talk.serve(post(soap(SCT, offer)), ok(soap(body=created)))
    talk.serve(post(soap(SCT + SEQUENCE)), ok(soap(SESSION)))


EVERYTHING = built_in("ws-secureconversation", "wsrm", "http-cookie")


@pytest.mark.parametrize("carrier", ONE_BY_ONE)
def test_every_id_of_one_conversation_leads_to_its_backend(carrier: str) -> None:
    talk = gate({"shop": SHOP, **EVERYTHING})
    whole_conversation(talk)
    for _ in range(3):
        assert where(talk, ONE_BY_ONE[carrier]) == ("b2", "bound")


@pytest.mark.parametrize("carrier", ONE_BY_ONE)
def test_a_conversation_that_moves_takes_every_id_along(carrier: str) -> None:
    talk = gate({"shop": SHOP, **EVERYTHING}, terms=Terms(lost="redispatch"))
    whole_conversation(talk)
    talk.pool.members["b2"].admin = "maint"
    assert where(talk, ONE_BY_ONE[carrier]) == ("b1", "maint")
    talk.pool.members["b2"].admin = "ready"
    for request in ONE_BY_ONE.values():
        assert where(talk, request) == ("b1", "bound")


def test_the_end_of_a_sequence_leaves_the_conversation_to_the_other_ids() -> None:
    talk = gate({"shop": SHOP, **EVERYTHING})
    whole_conversation(talk)
    body = f"<r:TerminateSequence>{identifier('seq')}</r:TerminateSequence>"
    where(talk, post(soap(SCT + SEQUENCE, body)), ok(status=b"202 Accepted"))
    assert where(talk, ONE_BY_ONE["sequence"]) == ("b2", "ended")
    talk.reactor.advance(KEEP)
    assert where(talk, ONE_BY_ONE["sequence"])[1] == "unknown"
    for carrier in ("cookie", "SOAP header", "security context", "offered sequence"):
        assert where(talk, ONE_BY_ONE[carrier]) == ("b2", "bound"), carrier


def test_the_end_of_the_context_is_the_end_of_all_that_began_in_it() -> None:
    talk = gate({"shop": SHOP, **EVERYTHING})
    whole_conversation(talk)
    cancel = b"SOAPAction: http://docs.oasis-open.org/ws-sx/ws-trust/200512/RST/SCT/Cancel"
    where(talk, post(soap(SCT, "<o:encrypted/>"), cancel))
    for request in ONE_BY_ONE.values():
        assert where(talk, request) == ("b2", "ended")
    talk.reactor.advance(KEEP)
    reasons = {where(talk, request)[1] for request in ONE_BY_ONE.values()}
    assert reasons == {"unknown"}


def test_an_id_that_rolls_keeps_its_predecessor_for_requests_in_flight() -> None:
    talk = gate({"shop": SHOP})
    where(talk, post(envelope()))
    where(talk, post(envelope()), ok(envelope("t1")))
    for number in range(1, 5):
        where(talk, post(envelope(f"t{number}")), ok(envelope(f"t{number + 1}")))
    assert {where(talk, post(envelope(f"t{n}"))) for n in range(1, 6)} == {("b2", "bound")}


# Ends


ENDS = {
    "a request element": (
        ["Body/shop:logout"], post(envelope("s1", "<s:logout/>")), ok(envelope()),
    ),
    "an action": (
        ["action:urn:bye"], post(envelope("s1"), b'SOAPAction: "urn:bye"'), ok(envelope()),
    ),
    "a header value": (
        ["Header/shop:State[@status='End']"],
        post(envelope("s1", extra='<s:State status="End"/>')),
        ok(envelope()),
    ),
    "an HTTP field": (["http:X-Bye"], post(envelope("s1"), b"X-Bye: 1"), ok(envelope())),
    "a reply element": (
        ["Body/shop:endOfSession"], post(envelope("s1")), ok(envelope(body="<s:endOfSession/>")),
    ),
    "a fault's code": (
        ["fault:Client.NoSession"],
        post(envelope("s1")),
        ok(
            envelope(body="<e:Fault><faultcode>e:Client.NoSession</faultcode></e:Fault>"),
            status=b"500 No",
        ),
    ),
    "an empty answer to an empty post": (
        ["empty:exchange"], post(b"", b"Cookie: S=c1"), ok(status=b"204 No Content"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", ENDS)
def test_a_session_ends_by(how: str) -> None:
    ends, request, response = ENDS[how]
    profile = {**SHOP, "end": ends}
    profile["lookup"] = [*profile["lookup"], "cookie:S"]
    profile["learn"] = [*profile["learn"], "cookie:S"]
    talk = gate({"shop": profile})
    where(talk, post(envelope()), ok(envelope("s1"), b"Set-Cookie: S=c1"))
    where(talk, request, response)
    assert where(talk, post(envelope("s1"))) == ("b1", "ended")
    assert where(talk, post(envelope(), b"Cookie: S=c1")) == ("b1", "ended")
    talk.reactor.advance(KEEP)
    assert where(talk, post(envelope("s1")))[1] == "unknown"
    assert talk.metrics.pin_events["ended"] == 1


def test_a_cookie_that_is_taken_back_ends() -> None:
    talk = gate({"cookie": COOKIE, "shop": SHOP})
    where(talk, post(envelope()), ok(envelope("s1"), b"Set-Cookie: S=c1"))
    where(talk, post(envelope(), b"Cookie: S=c1"), ok(envelope(), b"Set-Cookie: S=; Max-Age=0"))
    assert where(talk, post(envelope(), b"Cookie: S=c1")) == ("b1", "ended")
    talk.reactor.advance(KEEP)
    assert where(talk, post(envelope(), b"Cookie: S=c1"))[1] == "unknown"
    assert where(talk, post(envelope("s1"))) == ("b1", "bound")


@pytest.mark.parametrize(
    "response",
    [
        ok(status=b"500 Internal Server Error"),
        ok(envelope(body="<e:Fault><faultcode>e:Server</faultcode></e:Fault>")),
        ok(status=b"503 Busy"),
    ],
    ids=["status", "fault with 200", "busy"],
)
def test_what_a_request_ends_goes_on_if_the_reply_is_a_fault(response: bytes) -> None:
    talk = gate({"shop": {**SHOP, "end": ["Body/shop:logout"]}})
    where(talk, post(envelope()), ok(envelope("s1")))
    where(talk, post(envelope("s1", "<s:logout/>")), response)
    assert where(talk, post(envelope("s1"))) == ("b1", "bound")


def test_what_a_request_ends_goes_on_if_no_reply_comes() -> None:
    talk = gate({"shop": {**SHOP, "end": ["Body/shop:logout"]}})
    where(talk, post(envelope()), ok(envelope("s1")))
    talk.client.says(post(envelope("s1", "<s:logout/>")))
    talk.asked().breaks()
    assert where(talk, post(envelope("s1"))) == ("b1", "bound")


def test_the_goodbye_may_begin_another_session() -> None:
    talk = gate({"shop": {**SHOP, "end": ["Body/shop:logout"]}, "cookie": COOKIE})
    where(talk, post(envelope()), ok(envelope("s1"), b"Set-Cookie: S=old"))
    bye = post(envelope("s1", "<s:logout/>"), b"Cookie: S=old")
    where(talk, bye, ok(envelope("s1"), b"Set-Cookie: S=new"))
    talk.reactor.advance(KEEP)
    assert where(talk, post(envelope("s1")))[1] == "unknown"
    assert where(talk, post(envelope(), b"Cookie: S=new")) == ("b1", "bound")


# CWMP


def inform(talk: Talk) -> None:
    where(talk, post(envelope()))
    assert where(talk, post(envelope()), ok(envelope(), b"Set-Cookie: session=d7"))[0] == "b2"


CHUNKED_NOTHING = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
)
EMPTY = post(b"", b"Cookie: session=d7")


@pytest.mark.parametrize(
    "nothing",
    [ok(), b"HTTP/1.1 204 No Content\r\n\r\n", CHUNKED_NOTHING],
    ids=["empty 200", "204", "no chunks"],
)
def test_a_device_with_nothing_to_say_ends_its_session(nothing: bytes) -> None:
    talk = gate(built_in("cwmp"))
    inform(talk)
    order = ok(envelope(body="<GetParameterValues/>"))
    assert where(talk, EMPTY, order) == ("b2", "bound")  # not yet: the server has an order
    assert where(talk, EMPTY, nothing) == ("b2", "bound")
    assert talk.client.heard() == nothing
    assert where(talk, EMPTY, ok()) == ("b2", "ended")
    talk.reactor.advance(KEEP)
    assert where(talk, EMPTY, ok())[1] == "unknown"


def test_an_order_in_chunks_is_no_end() -> None:
    talk = gate(built_in("cwmp"))
    inform(talk)
    talk.client = talk.connect()
    talk.client.says(EMPTY)
    peer = talk.asked()
    head, _, _ = CHUNKED_NOTHING.rpartition(b"0\r\n\r\n")
    peer.says(head)
    peer.says(b"3\r\n<a>\r\n")
    peer.says(b"0\r\n\r\n")
    assert body_of(talk.client.heard()) == b"3\r\n<a>\r\n0\r\n\r\n"
    assert where(talk, EMPTY, ok(envelope())) == ("b2", "bound")


def test_an_empty_get_and_an_empty_fault_end_nothing() -> None:
    talk = gate(built_in("cwmp"))
    inform(talk)
    get = b"GET / HTTP/1.1\r\nHost: gate.example\r\nCookie: session=d7\r\n\r\n"
    assert where(talk, get, ok()) == ("b2", "bound")
    assert where(talk, EMPTY, ok(status=b"500 No")) == ("b2", "bound")
    assert where(talk, EMPTY, ok(envelope())) == ("b2", "bound")


# Lifetime


def issued(expires: str) -> bytes:
    token = f"<c:SecurityContextToken>{identifier('sct', 'c')}</c:SecurityContextToken>"
    return soap(
        body="<t:RequestSecurityTokenResponseCollection><t:RequestSecurityTokenResponse>"
        f"<t:RequestedSecurityToken>{token}</t:RequestedSecurityToken>"
        f"<t:Lifetime><u:Expires>{expires}</u:Expires></t:Lifetime>"
        "</t:RequestSecurityTokenResponse></t:RequestSecurityTokenResponseCollection>"
    )


def test_a_security_context_is_pinned_for_its_lifetime() -> None:
    talk = gate(built_in("ws-secureconversation"))
    where(talk, post(soap()))
    where(talk, post(soap(body="<t:RequestSecurityToken/>")), ok(issued("1970-01-12T13:48:20Z")))
    talk.reactor.advance(99.0)
    assert where(talk, ONE_BY_ONE["security context"]) == ("b2", "bound")
    renewed = ok(issued("1970-01-12T13:51:40Z"))
    where(talk, post(soap(SCT, "<t:RequestSecurityToken/>")), renewed)
    talk.reactor.advance(100.0)
    assert where(talk, ONE_BY_ONE["security context"]) == ("b2", "bound")
    talk.reactor.advance(101.0)
    assert where(talk, ONE_BY_ONE["security context"])[1] == "unknown"


def test_a_lifetime_that_is_no_date_is_ignored_and_counted() -> None:
    talk = gate(built_in("ws-secureconversation"))
    where(talk, post(soap(body="<t:RequestSecurityToken/>")), ok(issued("whenever")))
    assert where(talk, ONE_BY_ONE["security context"]) == ("b1", "bound")
    assert talk.metrics.pin_events["undated"] == 1


# Conflicts


def test_ids_of_two_backends_follow_the_first_in_precedence_and_the_loser_stays() -> None:
    talk = gate({"shop": SHOP, "cookie": COOKIE})
    where(talk, post(envelope()), ok(envelope("s1")))
    where(talk, post(envelope()), ok(envelope(), b"Set-Cookie: S=c2"))
    for _ in range(2):
        assert where(talk, post(envelope("s1"), b"Cookie: S=c2")) == ("b1", "bound")
        assert talk.last.conflicts == 1
    assert talk.metrics.id_conflicts == 2
    assert where(talk, post(envelope(), b"Cookie: S=c2")) == ("b2", "bound")


def test_an_id_that_another_backend_shows_is_counted_and_stays() -> None:
    talk = gate({"shop": SHOP})
    where(talk, post(envelope()), ok(envelope("s1")))
    where(talk, post(envelope()), ok(envelope("s1")))
    assert talk.metrics.learn_conflicts == 1
    assert talk.metrics.pin_events["conflict"] == 1
    assert where(talk, post(envelope("s1"))) == ("b1", "bound")


def test_shells_of_one_client_outlive_each_other() -> None:
    talk = gate(built_in("wsman", "wsman-session"))

    def shell(more: str, body: str = "<x/>") -> bytes:
        return (
            f'<e:Envelope xmlns:e="{ns.SOAP12}" xmlns:w="{ns.WSMAN}" xmlns:p="{ns.WSMV}"'
            f' xmlns:s="{ns.RSP}"><e:Header><p:SessionId>client</p:SessionId>{more}</e:Header>'
            f"<e:Body>{body}</e:Body></e:Envelope>"
        ).encode()

    def of(number: int) -> str:
        return f'<w:SelectorSet><w:Selector Name="ShellId">{number}</w:Selector></w:SelectorSet>'

    where(talk, post(envelope()))
    for number in (1, 2):
        assert where(talk, post(shell("", f'<s:Shell ShellId="{number}"/>')))[0] == "b2"
    delete = b"SOAPAction: http://schemas.xmlsoap.org/ws/2004/09/transfer/Delete"
    where(talk, post(shell(of(1)), delete))
    talk.reactor.advance(KEEP)
    bare = shell(of(2)).replace(b"<p:SessionId>client</p:SessionId>", b"")
    assert where(talk, post(bare)) == ("b2", "bound")
    assert where(talk, post(shell(""))) == ("b2", "bound")
    gone = shell(of(1)).replace(b"<p:SessionId>client</p:SessionId>", b"")
    assert where(talk, post(gone))[1] == "unknown"
