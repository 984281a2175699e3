"""Conversations that take several profiles: one session, ids of several protocols.

Each message says what it carries of all profiles of the default set together.
"""

from __future__ import annotations

from protocols import AXIS2, CONTEXT, EPR, sct
from resources_of_ws import ANONYMOUS, address, create, ours
from speech import accepted, rq, rs

from soapgate.core import ns

POLL = f"<poll:MakeConnection><poll:Address>{ANONYMOUS}</poll:Address></poll:MakeConnection>"
SECURED = f"<sse:Security>{sct('cv05', 'urn:t')}</sse:Security>"


def sequence(name, number=1):
    return (
        f"<r11:Sequence><r11:Identifier>{name}</r11:Identifier><r11:MessageNumber>{number}"
        "</r11:MessageNumber></r11:Sequence>"
    )


def acknowledged(name):
    return (
        f"<r11:SequenceAcknowledgement><r11:Identifier>{name}</r11:Identifier>"
        "</r11:SequenceAcknowledgement>"
    )


def created(more=""):
    return (
        f"<r11:CreateSequence><r11:AcksTo>{address(ANONYMOUS)}</r11:AcksTo>"
        f"<r11:Offer><r11:Identifier>urn:back</r11:Identifier></r11:Offer>{more}"
        "</r11:CreateSequence>"
    )


CONVERSATIONS = {
    "WS-ReliableMessaging, its replies fetched by MakeConnection": [
        rq(
            create("urn:m1", more=ours(ANONYMOUS)),
            created(),
            "bind urn:m1",
            "bind urn:back",
            f"bind {ANONYMOUS}",
        ),
        accepted(),
        rq(  # nothing came: once more
            create("urn:m1", more=ours(ANONYMOUS)),
            created(),
            "bind urn:m1",
            "bind urn:back",
            f"bind {ANONYMOUS}",
        ),
        accepted(),
        rq("", POLL, f"bind {ANONYMOUS}"),
        rs(
            "",
            "<r11:CreateSequenceResponse><r11:Identifier>urn:forth</r11:Identifier>"
            "</r11:CreateSequenceResponse>",
            "learn urn:forth",
        ),
        rq(sequence("urn:forth"), "<x:op/>", "lookup urn:forth"),
        accepted(),
        rq("", POLL, f"bind {ANONYMOUS}"),
        rs(sequence("urn:back") + acknowledged("urn:forth"), "<x:opResponse/>"),
        rq(acknowledged("urn:back"), "", "lookup urn:back"),
        rq(
            acknowledged("urn:back"),
            "<r11:CloseSequence><r11:Identifier>urn:forth</r11:Identifier></r11:CloseSequence>",
            "lookup urn:forth",
            "lookup urn:back",
        ),
        rq(
            "",
            "<r11:TerminateSequence><r11:Identifier>urn:forth</r11:Identifier>"
            "</r11:TerminateSequence>",
            "lookup urn:forth",
            "end urn:forth",
        ),
    ],
    "WCF: a secure conversation with a reliable session and a context in it": [
        rq("", "<tr05:RequestSecurityToken Context='leg'/>", "bind leg"),
        rs(
            "",
            "<tr05:RequestSecurityTokenResponse Context='leg'><tr05:RequestedSecurityToken>"
            f"{sct('cv05', 'urn:t')}</tr05:RequestedSecurityToken>"
            "</tr05:RequestSecurityTokenResponse>",
            "learn urn:t",
            "learn leg",
        ),
        rq(
            create("urn:m1") + SECURED,
            "<r11:CreateSequence><r11:Offer><r11:Identifier>urn:back</r11:Identifier></r11:Offer>"
            "</r11:CreateSequence>",
            "lookup urn:t",
            "bind urn:m1",
            "bind urn:back",
        ),
        rs(
            "",
            "<r11:CreateSequenceResponse><r11:Identifier>urn:forth</r11:Identifier>"
            "</r11:CreateSequenceResponse>",
            "learn urn:forth",
        ),
        rq(SECURED + sequence("urn:forth"), "<x:begin/>", "lookup urn:t", "lookup urn:forth"),
        rs(CONTEXT.format("Property"), "<x:beginResponse/>", "learn i1"),
        rq(sequence("urn:forth"), "<x:op/>", "lookup urn:forth"),
        rq(CONTEXT.format("Property"), "<x:op/>", "lookup i1"),
        rq(acknowledged("urn:back"), "", "lookup urn:back"),
        rq(
            SECURED,
            "<x:EncryptedData/>",
            "lookup urn:t",
            "end urn:t",
            action="http://schemas.xmlsoap.org/ws/2005/02/trust/RST/SCT/Cancel",
        ),
        rs(f"<wa:Action>{ns.WST05}/RSTR/SCT/Cancel</wa:Action>", ""),
    ],
    "Axis2 in a servlet container: a cookie and a header": [
        rs(
            f"<wa:ReplyTo>{EPR.format(AXIS2)}</wa:ReplyTo>".replace("wsa:", "wa:"),
            "",
            "learn urn:uuid:9",
            "learn J1",
            set_cookie=[b"JSESSIONID=J1"],
        ),
        rq(AXIS2, "<x:op/>", "lookup urn:uuid:9"),
        rq("", "<x:op/>", "lookup J1", cookie=[b"JSESSIONID=J1"]),
        rq(AXIS2, "<x:op/>", "lookup urn:uuid:9", "lookup J1", cookie=[b"JSESSIONID=J1"]),
    ],
}
