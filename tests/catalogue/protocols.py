"""Conversations of the standards and toolkits, and of the vendors that are on by default."""

from __future__ import annotations

import base64

from speech import fault12, rq, rs

from soapgate.core import ns

NAMESPACES = {
    "wsa": ns.WSA10,
    "wsa04": ns.WSA04,
    "rm10": ns.WSRM10,
    "rm11": ns.WSRM11,
    "mc": ns.WSMC,
    "axis1": ns.AXIS1,
    "axis2": ns.AXIS2,
    "syn": ns.SYNAPSE,
    "wsse": ns.WSSE10,
    "sc13": ns.WSC13,
    "sc05": ns.WSC05,
    "t13": ns.WST13,
    "t05": ns.WST05,
    "wcf": "http://schemas.microsoft.com/ws/2006/05/security",
    "ctx": "http://schemas.microsoft.com/ws/2006/05/context",
    "wsman": ns.WSMAN,
    "wsmv": ns.WSMV,
    "rsp": ns.RSP,
    "wmf": "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault",
    "wxf": ns.WXF04,
    "wsen": ns.WSEN04,
    "xa": "urn:schemas-microsoft-com:xml-analysis",
    "conv": "http://www.openuri.org/2002/04/soap/conversation/",
    "ode": "http://www.apache.org/ode/type/session",
    "intalio": "http://www.intalio.com/type/session",
    "ri": "http://jax-ws.dev.java.net/xml/ns/",
    "seam": "http://www.jboss.org/seam/webservice",
    "am4": "http://xml.amadeus.com/2010/06/Session_v3",
    "am2": "http://xml.amadeus.com/ws/2009/01/WBS_Session-2.0.xsd",
    "out": "http://xml.amadeus.com/VLSSOQ_04_1_1A",
    "z": "urn:zimbra",
    "zacc": "urn:zimbraAccount",
    "sb": "http://siebel.com/webservices",
    "av": "http://xml.avaya.com/ws/session",
    "x": "urn:example:shop",
}
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
WSMAN_FAULT = (
    '<f:Fault xmlns:f="http://www.w3.org/2003/05/soap-envelope"><f:Detail><wmf:WSManFault Code="{}"'
    ' Machine="w"/></f:Detail></f:Fault>'
)
SELECTOR = '<wsman:SelectorSet><wsman:Selector Name="{}">{}</wsman:Selector></wsman:SelectorSet>'


def sct(prefix, identifier, more=""):
    return (
        f"<{prefix}:SecurityContextToken><{prefix}:Identifier>{identifier}</{prefix}:Identifier>"
        f"{more}</{prefix}:SecurityContextToken>"
    )


def rm(version):
    p = f"rm{version}"
    create = f"<{p}:CreateSequence><{p}:AcksTo/><{p}:Offer><{p}:Identifier>off</{p}:Identifier>"
    one = f"<{p}:Identifier> urn:s1\n</{p}:Identifier>"
    off = f"<{p}:Identifier>off</{p}:Identifier>"
    return [
        rq("", f"{create}</{p}:Offer></{p}:CreateSequence>", "bind off"),
        rs("", f"<{p}:CreateSequenceResponse>{one}</{p}:CreateSequenceResponse>", "learn urn:s1"),
        rq(
            f"<{p}:SequenceAcknowledgement>{off}</{p}:SequenceAcknowledgement>"
            f"<{p}:AckRequested>{one}</{p}:AckRequested><{p}:Sequence>{one}</{p}:Sequence>",
            "<x:op/>",
            "lookup urn:s1",
            "lookup urn:s1",
            "lookup off",
        ),
        rs(f"<{p}:SequenceAcknowledgement>{one}</{p}:SequenceAcknowledgement>", "<x:opResponse/>"),
        rq("", f"<mc:MakeConnection>{one}</mc:MakeConnection>", "lookup urn:s1"),
        rq("", f"<{p}:CloseSequence>{one}</{p}:CloseSequence>", "lookup urn:s1"),
        rq(
            f"<{p}:SequenceAcknowledgement>{off}</{p}:SequenceAcknowledgement>",
            f"<{p}:TerminateSequence>{one}</{p}:TerminateSequence>",
            "lookup urn:s1",
            "lookup off",
            "end urn:s1",
        ),
        rs("", f"<{p}:TerminateSequence>{off}</{p}:TerminateSequence>", "end off"),
        rs("", fault12("UnknownSequence")),
    ]


def cookie(name):
    raw = name.encode()
    return [
        rs("", "<x:loginResponse/>", "learn A1.n1", set_cookie=[raw + b"=A1.n1; Path=/", b"0"]),
        rq("", "<x:op/>", "lookup A1.n1", cookie=[b'$Version=1; x=y; %s="A1.n1"; $Path=/' % raw]),
        rs("", "<x:opResponse/>", "end ", set_cookie=[raw + b"=A1.n1; Max-Age=0"]),
    ]


AXIS2 = "<axis2:ServiceGroupId>urn:uuid:9</axis2:ServiceGroupId>"
CONTEXT = (
    '<ctx:Context><ctx:{0} name="other">1</ctx:{0}><ctx:{0} name="instanceId">i1</ctx:{0}>'
    "</ctx:Context>"
)
COOKIE = base64.b64encode(
    b'\xef\xbb\xbf<Context xmlns="http://schemas.microsoft.com/ws/2006/05/context">'
    b'<Property name="instanceId">i1</Property></Context>'
)
AMADEUS4 = '<am4:Session TransactionStatusCode="{}"><am4:SessionId>S</am4:SessionId></am4:Session>'
EPR = "<wsa:ReferenceParameters>{}</wsa:ReferenceParameters>"

CONVERSATIONS = {
    "axis2-soapsession, WS-Addressing 1.0": [
        rs(f"<wsa:ReplyTo>{EPR.format(AXIS2)}</wsa:ReplyTo>", "", "learn urn:uuid:9"),
        rq(AXIS2, "<x:op/>", "lookup urn:uuid:9"),
    ],
    "axis2-soapsession, WS-Addressing 2004/08": [
        rs(
            f"<wsa04:ReplyTo><wsa04:ReferenceProperties>{AXIS2}</wsa04:ReferenceProperties>"
            "</wsa04:ReplyTo>",
            "",
            "learn urn:uuid:9",
        ),
        rq(AXIS2, "<x:op/>", "lookup urn:uuid:9"),
    ],
    "axis1-session": [
        rs("<axis1:sessionID>-42</axis1:sessionID>", "", "learn -42"),
        rq("<axis1:sessionID>-42</axis1:sessionID>", "", "lookup -42"),
        rs("<axis1:sessionID>43</axis1:sessionID>", "", "learn 43"),
    ],
    "synapse-client": [
        rq("<syn:ClientID>me</syn:ClientID>", "", "bind me"),
        rq("<syn:ClientID>me</syn:ClientID>", "", "bind me"),
        rs("<syn:ClientID>me</syn:ClientID>", ""),
    ],
    "wsa-refparams": [
        rs(
            f"<wsa:ReplyTo>{EPR.format('<x:id>1</x:id>')}</wsa:ReplyTo>",
            f"<x:r><x:epr>{EPR.format('<x:a><x:b>2</x:b></x:a>')}</x:epr></x:r>",
            "learn {urn:example:shop}id=1",
            "learn {urn:example:shop}a=2",
        ),
        rq(
            '<x:id wsa:IsReferenceParameter="1">1</x:id><x:a><x:b>2</x:b></x:a>',
            "",
            "lookup {urn:example:shop}id=1",
            "lookup {urn:example:shop}a=2",
        ),
    ],
    "wsrm, 1.0": rm("10"),
    "wsrm, 1.1": rm("11"),
    "http-cookie, Java": cookie("JSESSIONID"),
    "http-cookie, .NET": cookie("ASP.NET_SessionId"),
    "http-cookie, PHP": cookie("PHPSESSID"),
    "http-cookie, Spyne": cookie("session-id"),
    "http-cookie, path": [
        rs("", "", "learn A1", set_cookie=[b"JSESSIONID=A1"]),
        rq("", "", "lookup A1", "lookup A1", target=b"/shop;jsessionid=A1/cart?wsdl"),
    ],
    "http-cookie, sent on": [
        rq("", "<x:op/>", target=b"/shop"),
        rs("", "", "learn A1", location=[b"http://node-1:8080/shop;jsessionid=A1?wsdl#top"]),
        rq("", "<x:op/>", "lookup A1", "lookup A1", target=b"/shop;jsessionid=A1"),
    ],
    "http-cookie, GlassFish": [
        rs("", "", "learn A1", set_cookie=[b"JSESSIONID=A1"]),
        rq("", "", "lookup A1:i1", "lookup A1", target=b"/shop;jsessionid=A1:i1;jreplica=i2"),
        rq("", "", "lookup A1", cookie=[b"JSESSIONID=A1"]),
    ],
    "http-cookie, GlassFish sends on": [
        rs("", "", "learn A1", location=[b"/shop;jsessionid=A1:i1"]),
        rq("", "", "lookup A1:i1", "lookup A1", target=b"/shop;jsessionid=A1:i1"),
        rq("", "", "lookup A1:i2", "lookup A1", target=b"/shop;jsessionid=A1:i2"),
    ],
    "http-cookie, Tomcat after a failover": [
        rs("", "", "learn A1.n1", set_cookie=[b"JSESSIONID=A1.n1"]),
        rq("", "", "lookup A1.n1", cookie=[b"JSESSIONID=A1.n1"]),
        rs("", "", "learn A1.n2", set_cookie=[b"JSESSIONID=A1.n2"]),
        rq("", "", "lookup A1.n2", cookie=[b"JSESSIONID=A1.n2"]),
    ],
    "http-cookie, ASP.NET without cookies": [
        rq("", "<x:op/>", target=b"/shop/cart.asmx"),
        rs("", "", "learn lit3", location=[b"/shop/(S(lit3))/cart.asmx"]),
        rq("", "<x:op/>", "lookup lit3", target=b"/shop/(S(lit3))/cart.asmx"),
        rq("", "<x:op/>", "lookup lit3", target=b"/shop/(X(1)A(w9)S(lit3)F(7f))/cart.asmx?WSDL"),
        rq("", "<x:op/>", "lookup lit3", target=b"/shop/%28S%28lit3%29%29/cart.asmx"),
        rq("", "<x:op/>", target=b"/shop/(a)/(S)/S(b)/cart.asmx?q=/(S(c))/"),
    ],
    "weblogic-http": [
        rs("", "", "learn B1", set_cookie=[b"JSESSIONID=B1!-31!78!1308677666322; path=/"]),
        rq("", "", "lookup B1", cookie=[b"JSESSIONID=B1!-31!78!1308677666322"]),
        rq("", "", "lookup B1", target=b"/shop;jsessionid=B1!78"),
    ],
    "weblogic-http, sent on": [
        rs("", "", "learn B1", location=[b"http://node-1:7001/shop;jsessionid=B1!-31!78"]),
        rq("", "", "lookup B1", target=b"/shop;jsessionid=B1!78!12"),
    ],
    "glassfish-route": [
        rs("", "", "learn i1", set_cookie=[b"JROUTE=i1"]),
        rq("", "", "lookup i1", cookie=[b"JROUTE=i1"]),
    ],
    "xmla": [
        rq('<xa:BeginSession mustUnderstand="1"/>', "<xa:Discover/>"),
        rs('<xa:Session SessionId="S1"/>', "", "learn S1"),
        rq('<xa:Session SessionId="S1"/>', "<xa:Execute/>", "lookup S1"),
        rq('<xa:EndSession SessionId="S1"/>', "<xa:Execute/>", "lookup S1", "end S1"),
        rs('<xa:Session SessionId="S1"/>', "", "learn S1"),
    ],
    "siebel": [
        rs("<sb:SessionToken>t1</sb:SessionToken>", "", "learn t1"),
        rq("<sb:SessionToken>t1</sb:SessionToken>", "", "lookup t1"),
        rs("<sb:SessionToken>t2</sb:SessionToken>", "", "learn t2"),
        rq(
            "<sb:SessionToken>t2</sb:SessionToken><sb:SessionType>None</sb:SessionType>",
            "",
            "lookup t2",
            "end ",
        ),
    ],
    "ws-secureconversation, 2005/02": [
        rq("", '<t05:RequestSecurityToken Context="c1"/>', "bind c1"),
        rs(
            "",
            '<t05:RequestSecurityTokenResponse Context="c1"><t05:RequestedSecurityToken>'
            f"{sct('sc05', 'urn:1')}</t05:RequestedSecurityToken>"
            "</t05:RequestSecurityTokenResponse>",
            "learn urn:1",
            "learn c1",
        ),
        rq(f"<wsse:Security>{sct('sc05', 'urn:1')}</wsse:Security>", "<x:op/>", "lookup urn:1"),
        rq(
            "<wsa:Action>http://schemas.xmlsoap.org/ws/2005/02/trust/RST/SCT/Cancel</wsa:Action>"
            f"<wsse:Security>{sct('sc05', 'urn:1')}</wsse:Security>",
            "<x:EncryptedData/>",
            "lookup urn:1",
            "end ",
        ),
        rs(
            "<wsa:Action>http://schemas.xmlsoap.org/ws/2005/02/trust/RSTR/Cancel</wsa:Action>",
            "",
            "end ",
        ),
    ],
    "ws-secureconversation, 1.3": [
        rs(
            "",
            "<t13:RequestSecurityTokenResponseCollection><t13:RequestSecurityTokenResponse>"
            f"<t13:RequestedSecurityToken>{sct('sc13', 'urn:1')}</t13:RequestedSecurityToken>"
            "</t13:RequestSecurityTokenResponse></t13:RequestSecurityTokenResponseCollection>",
            "learn urn:1",
        ),
        rq(
            "",
            "<t13:RequestSecurityToken><t13:CancelTarget>"
            f"{sct('sc13', 'urn:1')}</t13:CancelTarget></t13:RequestSecurityToken>",
            "lookup urn:1",
            "end ",
            action="http://docs.oasis-open.org/ws-sx/ws-trust/200512/RST/SCT/Cancel",
        ),
        rs("", fault12("RenewNeeded")),
        rs("", fault12("BadContextToken"), "end "),
    ],
    "ws-secureconversation, a token that carries its state": [
        rs(
            "",
            "<t05:RequestSecurityTokenResponse><t05:RequestedSecurityToken>"
            f"{sct('sc05', 'urn:1', '<wcf:Cookie>AA</wcf:Cookie>')}"
            "</t05:RequestedSecurityToken></t05:RequestSecurityTokenResponse>",
        ),
        rq(f"<wsse:Security>{sct('sc05', 'urn:1', '<wcf:Cookie>AA</wcf:Cookie>')}</wsse:Security>"),
    ],
    "wcf-context": [
        rs(CONTEXT.format("Property"), "", "learn i1"),
        rq(CONTEXT.format("Property"), "", "lookup i1"),
        rq(CONTEXT.format("property"), "", "lookup i1"),
    ],
    "wcf-context, cookie": [
        rs("", "", "learn i1", set_cookie=[b'WscContext="%b";Path=/s' % COOKIE]),
        rq("", "", "lookup i1", cookie=[b'WscContext="%b"' % COOKIE]),
        rq(CONTEXT.format("Property"), "", "lookup i1"),
        rq("", "", cookie=[b"WscContext=not-base64-of-xml"]),
        rs("", "", "end ", set_cookie=[b"WscContext;Max-Age=0"]),
    ],
    "weblogic-conversation": [
        rq(
            "<conv:StartHeader><conv:conversationID>c</conv:conversationID></conv:StartHeader>",
            "",
            "bind c",
        ),
        rq(
            "<conv:ContinueHeader><conv:conversationID>c</conv:conversationID></conv:ContinueHeader>",
            "",
            "lookup c",
        ),
        rs(
            "<conv:ContinueHeader><conv:conversationID>d</conv:conversationID></conv:ContinueHeader>",
            "",
            "learn d",
        ),
    ],
    "ode-session": [
        rq("<ode:callback><ode:session>mine</ode:session></ode:callback>", "", "bind mine"),
        rs("<intalio:session>s</intalio:session><ode:session>s</ode:session>", "", "learn s"),
        rq("<ode:session>s</ode:session>", "", "lookup s"),
        rq("<intalio:session>s</intalio:session>", "", "lookup s"),
    ],
    "jaxws-stateful": [
        rs(
            "",
            f"<x:r><return><b>{EPR.format('<ri:objectId>o</ri:objectId>')}</b></return></x:r>",
            "learn o",
        ),
        rq('<ri:objectId wsa:IsReferenceParameter="1">o</ri:objectId>', "", "lookup o"),
    ],
    "seam-conversation": [
        rs("<seam:conversationId>5</seam:conversationId>", "", "learn 5"),
        rq("<seam:conversationId>5</seam:conversationId>", "", "lookup 5"),
    ],
    "ws-enumeration": [
        rs(
            "",
            "<wsen:EnumerateResponse><wsen:EnumerationContext>e1</wsen:EnumerationContext></wsen:EnumerateResponse>",
            "learn e1",
        ),
        rq(
            "",
            "<wsen:Pull><wsen:EnumerationContext>e1</wsen:EnumerationContext></wsen:Pull>",
            "lookup e1",
        ),
        rs(
            "",
            "<wsen:PullResponse><wsen:EnumerationContext>e2</wsen:EnumerationContext></wsen:PullResponse>",
            "learn e2",
        ),
        rq(
            "",
            "<wsen:Release><wsen:EnumerationContext>e2</wsen:EnumerationContext></wsen:Release>",
            "lookup e2",
            "end e2",
        ),
        rs("", "<wsen:PullResponse><wsen:Items/><wsen:EndOfSequence/></wsen:PullResponse>", "end "),
        rs("", fault12("InvalidEnumerationContext"), "end "),
    ],
    "wsman": [
        rq("", '<rsp:Shell ShellId="P1"/>', "bind P1", action=f"{TRANSFER}/Create"),
        rs(
            "",
            "<wxf:ResourceCreated><wsa04:Address/><wsa04:ReferenceParameters>"
            f"{SELECTOR.format('ShellId', 'P1')}</wsa04:ReferenceParameters></wxf:ResourceCreated>",
            "learn P1",
        ),
        rq(SELECTOR.format("ShellId", "P1"), "<rsp:Receive/>", "lookup P1"),
        rs("", fault12("TimedOut")),
        rq(SELECTOR.format("Name", "winrm"), "<x:op/>"),
        rq(
            f"<wsa04:Action>{TRANSFER}/Delete</wsa04:Action>{SELECTOR.format('ShellId', 'P1')}",
            "",
            "lookup P1",
            "end ",
        ),
        rs("", fault12("InvalidSelectors"), "end "),
        rq(SELECTOR.format("ShellId", "P2"), "<rsp:Receive/>", "lookup P2"),
        rs("", WSMAN_FAULT.format(2150858793)),
        rs("", WSMAN_FAULT.format(2150858843), "end "),
    ],
    "wsman-session": [
        rq(
            "<wsmv:SessionId>uuid:7</wsmv:SessionId>",
            "",
            "bind uuid:7",
            action=f"{TRANSFER}/Delete",
        ),
        rq("<wsmv:SessionId>uuid:7</wsmv:SessionId>", "", "bind uuid:7"),
    ],
    "amadeus, SoapHeader 4": [
        rq('<am4:Session TransactionStatusCode="Start"/>', "<x:op/>"),
        rs(
            AMADEUS4.format("InSeries"),
            "",
            "learn S",
        ),
        rq(
            AMADEUS4.format("InSeries"),
            "",
            "lookup S",
        ),
        rq(
            AMADEUS4.format("End"),
            "",
            "lookup S",
            "end ",
        ),
    ],
    "amadeus, SoapHeader 2": [
        rs("<am2:Session><am2:SessionId>S</am2:SessionId></am2:Session>", "", "learn S"),
        rq(
            "<am2:Session><SessionId>S</SessionId></am2:Session>",
            "<out:Security_SignOut/>",
            "lookup S",
            "end ",
        ),
    ],
    "zimbra, a login without a session": [
        rq("<z:context/>", "<zacc:AuthRequest/>"),
        rs(
            "<z:context/>",
            "<zacc:AuthResponse><zacc:authToken>0_t</zacc:authToken></zacc:AuthResponse>",
            "learn 0_t",
        ),
        rq("<z:context><z:authToken>0_t</z:authToken></z:context>", "<x:op/>", "lookup 0_t"),
        rs('<z:context><z:session id="1">1</z:session></z:context>', "", "learn 1"),
        rq(
            '<z:context><z:session id="1"/><z:authToken>0_t</z:authToken></z:context>',
            "<x:op/>",
            "lookup 1",
            "lookup 0_t",
        ),
        rq("", "<x:op/>", "lookup 0_t", cookie=[b"ZM_AUTH_TOKEN=0_t"]),
    ],
    "zimbra": [
        rq("<z:context><z:session/></z:context>", "<x:op/>"),
        rs('<z:context><z:session id="1">1</z:session></z:context>', "", "learn 1"),
        rq('<z:context><z:session id="1"/></z:context>', "", "lookup 1"),
        rq(
            '<z:context><z:sessionId id="1"/></z:context>',
            "<zacc:EndSessionRequest/>",
            "lookup 1",
            "end ",
        ),
    ],
    "avaya": [
        rq("<av:sessionID/>", "<x:op/>"),
        rs("<av:sessionID>a</av:sessionID>", "", "learn a"),
        rq("<av:sessionID>a</av:sessionID>", "<x:release/>", "lookup a", "end "),
        rs("<av:sessionID/>", "", "end "),
    ],
}
