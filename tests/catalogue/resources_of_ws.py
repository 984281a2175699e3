"""Conversations with resources that are named by an address, and of what belongs to WS-RM."""

from __future__ import annotations

from speech import fault11, fault12, rq, rs

from soapgate.core import ns

NAMESPACES = {
    "wa": ns.WSA10,
    "wa04": ns.WSA04,
    "nt": ns.WSNT,
    "rl": "http://docs.oasis-open.org/wsrf/rl-2",
    "bf": "http://docs.oasis-open.org/wsrf/rw-2",
    "onvif": "http://www.onvif.org/ver10/events/wsdl",
    "xfer": ns.WXF04,
    "cxfxfer": "http://cxf.apache.org/rt/ws/transfer/MemoryResourceManager",
    "ev": ns.WSE04,
    "r11": ns.WSRM11,
    "r10": ns.WSRM10,
    "poll": ns.WSMC,
    "tr04": ns.WST0404,
    "tr05": ns.WST05,
    "tr13": ns.WST13,
    "cv04": ns.WSC0404,
    "cv05": ns.WSC05,
    "cv13": ns.WSC13,
    "sse": ns.WSSE10,
    "durable": "http://samples.microsoft.com/wcf/durableinstancing",
}
ANONYMOUS = "http://docs.oasis-open.org/ws-rx/wsmc/200702/anonymous?id=7-8"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"


def address(url, inside=None):
    more = "" if inside is None else f"<wa:ReferenceParameters>{inside}</wa:ReferenceParameters>"
    return f"<wa:Address>{url}</wa:Address>{more}"


def subscribed(response, reference, inside, *expected):
    return rs("", f"<{response}><{reference}>{inside}</{reference}></{response}>", *expected)


def ours(url):
    """What a client of WS-MakeConnection puts into a message to be answered there."""
    return f"<wa:ReplyTo>{address(url)}</wa:ReplyTo>"


def create(message, rm="r11", more=""):
    return (
        f"<wa:Action>{NAMESPACES[rm]}/CreateSequence</wa:Action>"
        f"<wa:MessageID>{message}</wa:MessageID>{more}"
    )


def token(version, identifier):
    return (
        f"<cv{version}:SecurityContextToken><cv{version}:Identifier>{identifier}"
        f"</cv{version}:Identifier></cv{version}:SecurityContextToken>"
    )


def renewed(version, target):
    """A token that is renewed by a message which is not secured with it."""
    tr = f"tr{version}"
    issued = (
        f"<{tr}:RequestSecurityTokenResponse><{tr}:RequestedSecurityToken>"
        f"{token(version, 'urn:t')}</{tr}:RequestedSecurityToken>"
        f"</{tr}:RequestSecurityTokenResponse>"
    )
    asked = (
        f"<{tr}:RequestSecurityToken><{tr}:RenewTarget>{target}</{tr}:RenewTarget>"
        f"</{tr}:RequestSecurityToken>"
    )
    return [
        rs("", issued, "learn urn:t"),
        rq("", asked, "lookup urn:t", action=f"{NAMESPACES[tr]}/RST/SCT/Renew"),
        rs("", issued, "learn urn:t"),
        rq(f"<sse:Security>{token(version, 'urn:t')}</sse:Security>", "<x:op/>", "lookup urn:t"),
    ]


def negotiated(version, collection):
    """Two legs tied by the client's @Context, the use of the token, its end by reference."""
    tr, answer = f"tr{version}", f"tr{version}:RequestSecurityTokenResponse"
    first = f"<{answer} Context='c1'><{tr}:BinaryExchange>QQ==</{tr}:BinaryExchange></{answer}>"
    last = (
        f"<{answer} Context='c1'><{tr}:RequestedSecurityToken>{token(version, 'urn:t')}"
        f"</{tr}:RequestedSecurityToken></{answer}>"
    )
    found = ["learn urn:t", "learn c1"]
    if collection:
        last, found = f"<{answer}Collection>{last}</{answer}Collection>", ["learn urn:t"]
    secured = f"<sse:Security>{token(version, 'urn:t')}</sse:Security>"
    return [
        rq("", f"<{tr}:RequestSecurityToken Context='c1'/>", "bind c1"),
        rs("", first, "learn c1"),
        rq("", first, "bind c1"),
        rs("", last, *found),
        rq(secured, "<x:op/>", "lookup urn:t"),
        rq(secured, "<x:op/>", "lookup urn:t"),
    ]


CONVERSATIONS = {
    "ws-notification, a path": [
        rq("", "<nt:Subscribe/>", "lookup /wsn/broker", target=b"/wsn/broker"),
        subscribed(
            "nt:SubscribeResponse",
            "nt:SubscriptionReference",
            address("http://node-1:9000/wsn/subscriptions/ID%2d7"),
            "learn /wsn/subscriptions/ID-7",
        ),
        rq("", "<nt:Renew/>", "lookup /wsn/subscriptions/ID-7", target=b"/wsn/subscriptions/ID-7"),
        rq(
            "",
            "<nt:PauseSubscription/>",
            "lookup /wsn/subscriptions/ID-7",
            target=b"/wsn/subscriptions/ID%2D7",
        ),
        rq(
            "",
            "<nt:Unsubscribe/>",
            "lookup /wsn/subscriptions/ID-7",
            "end ",
            target=b"/wsn/subscriptions/ID-7",
        ),
        rs(
            "",
            fault11("s:Server", "gone", "<bf:ResourceUnknownFault/>"),
            "end ",
        ),
    ],
    "ws-notification, reference parameters": [
        rq("", "<nt:CreatePullPoint/>"),
        subscribed(
            "nt:CreatePullPointResponse",
            "nt:PullPoint",
            address("http://node-1/wsn", "<x:key>p1</x:key>"),
            "learn {urn:example:shop}key=p1",
        ),
        rq("<x:key>p1</x:key>", "<nt:GetMessages/>", "lookup {urn:example:shop}key=p1"),
        rq(
            "<x:key>p1</x:key>",
            "<nt:DestroyPullPoint/>",
            "lookup {urn:example:shop}key=p1",
            "end ",
        ),
    ],
    "ws-notification, a pull point": [
        subscribed(
            "nt:CreatePullPointResponse",
            "nt:PullPoint",
            address("https://node-1/wsn/pullpoints/q1"),
            "learn /wsn/pullpoints/q1",
        ),
        rq("", "<nt:GetMessages/>", "lookup /wsn/pullpoints/q1", target=b"/wsn/pullpoints/q1"),
        rq("", "<rl:Destroy/>", "lookup /wsn/pullpoints/q1", "end ", target=b"/wsn/pullpoints/q1"),
    ],
    "onvif-pullpoint, a query": [
        rq(
            "",
            "<onvif:CreatePullPointSubscription/>",
            "lookup /onvif/events",
            target=b"/onvif/events",
        ),
        subscribed(
            "onvif:CreatePullPointSubscriptionResponse",
            "onvif:SubscriptionReference",
            address("http://192.0.2.8/onvif/PullSubManager?Idx=7"),
            "learn /onvif/PullSubManager?Idx=7",
        ),
        rq(
            "",
            "<onvif:PullMessages/>",
            "lookup /onvif/PullSubManager?Idx=7",
            target=b"/onvif/PullSubManager?Idx=7",
        ),
        rs("", "<onvif:PullMessagesResponse/>"),
        rq(
            "",
            "<nt:Unsubscribe/>",
            "lookup /onvif/PullSubManager?Idx=7",
            "end ",
            target=b"/onvif/PullSubManager?Idx=7",
        ),
    ],
    "onvif-pullpoint, reference parameters of a name of its own": [
        subscribed(
            "onvif:CreatePullPointSubscriptionResponse",
            "onvif:SubscriptionReference",
            address("http://192.0.2.8/onvif/events", "<x:Handle>h-7</x:Handle>")
            + "</onvif:SubscriptionReference><nt:TerminationTime>2999-01-01T00:00:00Z"
            "</nt:TerminationTime><onvif:SubscriptionReference>",
            "learn {urn:example:shop}Handle=h-7",
            "expires 2999-01-01T00:00:00Z",
        ),
        rq(
            '<x:Handle wa:IsReferenceParameter="1">h-7</x:Handle>',
            "<onvif:PullMessages/>",
            "lookup {urn:example:shop}Handle=h-7",
        ),
        rq(
            "<x:Handle>h-7</x:Handle>",
            "<nt:Unsubscribe/>",
            "lookup {urn:example:shop}Handle=h-7",
            "end ",
        ),
    ],
    "onvif-pullpoint, a path": [
        subscribed(
            "nt:SubscribeResponse",
            "nt:SubscriptionReference",
            address("http://192.0.2.8/event/sub/3", ""),
            "learn /event/sub/3",
        ),
        rq("", "<nt:Renew/>", "lookup /event/sub/3", target=b"/event/sub/3"),
        rs("", fault12("ResourceUnknown"), "end "),
    ],
    "ws-transfer": [
        rq("", "<x:thing/>", action=f"{TRANSFER}/Create"),
        rs(
            "",
            f"<xfer:ResourceCreated>{address('http://node-1/r', '<cxfxfer:uuid>u1</cxfxfer:uuid>')}"
            "</xfer:ResourceCreated>",
            "learn {http://cxf.apache.org/rt/ws/transfer/MemoryResourceManager}uuid=u1",
        ),
        rq(
            "<cxfxfer:uuid>u1</cxfxfer:uuid>",
            "",
            "lookup {http://cxf.apache.org/rt/ws/transfer/MemoryResourceManager}uuid=u1",
            action=f"{TRANSFER}/Get",
        ),
        rq(
            "<cxfxfer:uuid>u1</cxfxfer:uuid>",
            "",
            "lookup {http://cxf.apache.org/rt/ws/transfer/MemoryResourceManager}uuid=u1",
            "end ",
            action=f"{TRANSFER}/Delete",
        ),
        rs("", fault12("UnknownResource"), "end "),
    ],
    "ws-transfer, properties": [
        rs(
            "",
            "<xfer:ResourceCreated><wa04:Address>http://node-1/r</wa04:Address>"
            "<wa04:ReferenceProperties><x:id>r1</x:id></wa04:ReferenceProperties>"
            "</xfer:ResourceCreated>",
            "learn {urn:example:shop}id=r1",
        ),
        rq(
            "<x:id>r1</x:id>",
            "",
            "lookup /r",
            "lookup {urn:example:shop}id=r1",
            target=b"/r",
            action=f"{TRANSFER}/Get",
        ),
    ],
    "ws-transfer, a path": [
        rs(
            "",
            f"<xfer:ResourceCreated>{address('http://node-1/things/7')}</xfer:ResourceCreated>",
            "learn /things/7",
        ),
        rq("", "", "lookup /things/7", target=b"/things/7", action=f"{TRANSFER}/Get"),
    ],
    "ws-eventing, a path": [
        rs(
            "",
            "<ev:SubscribeResponse><ev:SubscriptionManager><wa04:Address>http://node-1/evt/9"
            "</wa04:Address></ev:SubscriptionManager></ev:SubscribeResponse>",
            "learn /evt/9",
        ),
        rq("", "<ev:Renew/>", "lookup /evt/9", target=b"/evt/9"),
        rq("", "<ev:Unsubscribe/>", "lookup /evt/9", "end ", target=b"/evt/9"),
    ],
    "wsrm-create, 1.1": [
        rq(create("urn:m1"), "<r11:CreateSequence/>", "bind urn:m1"),
        rs("", ""),
        rq(create("urn:m1"), "<r11:CreateSequence/>", "bind urn:m1"),
        rq("<wa:Action>urn:other</wa:Action><wa:MessageID>urn:m2</wa:MessageID>", "<x:op/>"),
    ],
    "wsrm-create, 1.0 by SOAPAction": [
        rq(
            "<wa04:MessageID>urn:m1</wa04:MessageID>",
            "<r10:CreateSequence/>",
            "bind urn:m1",
            action=f"{ns.WSRM10}/CreateSequence",
        ),
        rq(
            "<wa04:MessageID>urn:m1</wa04:MessageID>",
            "<r10:CreateSequence/>",
            "bind urn:m1",
            action=f"{ns.WSRM10}/CreateSequence",
        ),
    ],
    "ws-makeconnection": [
        rq(
            ours(ANONYMOUS),
            f"<r11:CreateSequence><r11:AcksTo>{address(ANONYMOUS)}</r11:AcksTo><r11:Offer>"
            f"<r11:Endpoint>{address(ANONYMOUS)}</r11:Endpoint></r11:Offer></r11:CreateSequence>",
            *[f"bind {ANONYMOUS}"] * 3,
        ),
        rs("", ""),
        rq(
            "",
            f"<poll:MakeConnection><poll:Address>\n{ANONYMOUS}\n</poll:Address>"
            "</poll:MakeConnection>",
            f"bind {ANONYMOUS}",
        ),
        rq(ours(ANONYMOUS), "<x:op/>", f"bind {ANONYMOUS}"),
        rq(ours(f"{ns.WSA10}/anonymous"), "<x:op/>"),
        rq(ours("http://client.example/callback?id=7"), "<x:op/>"),
        rq(
            ours("http://docs.oasis-open.org/ws-rx/wsrm/200608/anonymous?id=9"),
            "<x:op/>",
            "bind http://docs.oasis-open.org/ws-rx/wsrm/200608/anonymous?id=9",
        ),
    ],
    "ws-secureconversation, 2004/04 in two legs": negotiated("04", collection=False),
    "ws-secureconversation, 2005/02 in two legs": negotiated("05", collection=False),
    "ws-secureconversation, 1.3 in two legs": negotiated("13", collection=True),
    "ws-secureconversation, a Renew that names its token": renewed("05", token("05", "urn:t")),
    "ws-secureconversation, a Renew by reference": renewed(
        "13",
        '<sse:SecurityTokenReference><sse:Reference URI="urn:t"/></sse:SecurityTokenReference>',
    ),
    "ws-secureconversation, a Cancel by reference": [
        rs(
            "",
            "<tr05:RequestSecurityTokenResponse><tr05:RequestedSecurityToken>"
            f"{token('05', 'urn:t')}</tr05:RequestedSecurityToken>"
            "</tr05:RequestSecurityTokenResponse>",
            "learn urn:t",
        ),
        rq(
            "",
            "<tr05:RequestSecurityToken><tr05:CancelTarget><sse:SecurityTokenReference>"
            '<sse:Reference URI="urn:t"/></sse:SecurityTokenReference></tr05:CancelTarget>'
            "</tr05:RequestSecurityToken>",
            "lookup urn:t",
            "end ",
            action="http://schemas.xmlsoap.org/ws/2005/02/trust/RST/SCT/Cancel",
        ),
        rq(
            f"<sse:Security>{token('05', 'urn:u')}</sse:Security>",
            "<tr05:RequestSecurityToken><tr05:CancelTarget><sse:SecurityTokenReference>"
            '<sse:Reference URI="#t1"/></sse:SecurityTokenReference></tr05:CancelTarget>'
            "</tr05:RequestSecurityToken>",
            "lookup urn:u",
            "end ",
            action="http://schemas.xmlsoap.org/ws/2005/02/trust/RST/SCT/Cancel",
        ),
    ],
    "wcf-durable": [
        rq("<durable:instanceId>d1</durable:instanceId>", "<x:op/>", "bind d1"),
        rq("<durable:instanceId>d1</durable:instanceId>", "<x:op/>", "bind d1"),
        rq("", "<x:op/>", "bind d1", cookie=[b"ContextId=d1"]),
    ],
}
