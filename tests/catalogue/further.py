"""Conversations of the profiles that are off by default and belong to one product or standard."""

from __future__ import annotations

from references import parameters
from speech import fault11, rq, rs

from soapgate.core import ns

NAMESPACES = {
    "cx": ns.WSCTX,
    "elga": ns.SOAP12,
    "vendor": "urn:example:context-of-a-vendor",
    "mx": "http://multiplex.transport.cxf.apache.org",
    "sca": "http://tuscany.apache.org/xmlns/sca/1.0",
    "sec0212": ns.WSSE0212,
    "eb2": "http://www.ebxml.org/namespaces/messageHeader",
    "term33": "http://www.travelport.com/schema/terminal_v33_0",
    "com33": "http://www.travelport.com/schema/common_v33_0",
    "air52": "http://www.travelport.com/schema/air_v52_0",
    "com52": "http://www.travelport.com/schema/common_v52_0",
    "tpctx": "http://www.travelport.com/soa/common/security/SessionContext_v1",
    "sfp": "urn:partner.soap.sforce.com",
    "sfm": "http://soap.sforce.com/2006/04/metadata",
    "sff": "urn:fault.partner.soap.sforce.com",
    "vim": "urn:vim25",
    "pbm": "urn:pbm",
    "env12": ns.SOAP12,
    "ewsm": "http://schemas.microsoft.com/exchange/services/2006/messages",
    "ewst": "http://schemas.microsoft.com/exchange/services/2006/types",
    "f5": "urn:iControl:System/Session",
    "da": "http://opcfoundation.org/webservices/XMLDA/1.0/",
    "call2": "http://www.csapi.org/schema/parlayx/third_party_call/v2_0/local",
    "eb3": "http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/core/200704/",
    "cwmp": "urn:dslforum-org:cwmp-1-2",
}


def activity(context, identifier):
    """One message each way with a WS-Context header block."""
    block = (
        f'<{context}:context elga:mustUnderstand="1"><{identifier}:context-identifier> urn:uuid:7 '
        f"</{identifier}:context-identifier></{context}:context>"
    )
    return [
        rq(block, "<x:op/>", "bind urn:uuid:7"),
        rq(block, "<x:op/>", "bind urn:uuid:7"),
        rs(block, "<x:opResponse/>", "learn urn:uuid:7"),
        rq("<z:context><z:session/></z:context>", "<x:op/>"),
    ]


def token(prefix, text):
    return (
        f"<{prefix}:Security><{prefix}:BinarySecurityToken>{text}</{prefix}:BinarySecurityToken>"
        f"</{prefix}:Security>"
    )


def eb2(action):
    return (
        "<eb2:MessageHeader><eb2:ConversationId>SabreSession</eb2:ConversationId>"
        f"<eb2:Action>{action}</eb2:Action></eb2:MessageHeader>"
    )


TRAVELPORT = "<com33:ErrorInfo><com33:Code>{}</com33:Code></com33:ErrorInfo>"
HOST = '<com33:HostToken Host="1G">7BE6</com33:HostToken>'
CONTEXT = '<tpctx:SessionContext><tpctx:SessTok id="T9"/></tpctx:SessionContext>'


def session_header(prefix):
    return (
        f"<{prefix}:SessionHeader><{prefix}:sessionId>00D!AQ</{prefix}:sessionId>"
        f"</{prefix}:SessionHeader>"
    )


def eb3_user(conversation, message):
    return (
        f"<eb3:Messaging><eb3:UserMessage><eb3:MessageInfo><eb3:MessageId>{message}"
        "</eb3:MessageId></eb3:MessageInfo><eb3:CollaborationInfo><eb3:ConversationId>"
        f"{conversation}</eb3:ConversationId></eb3:CollaborationInfo></eb3:UserMessage>"
        "</eb3:Messaging>"
    )


def eb3_signal(message, meant, signal):
    return (
        f"<eb3:Messaging><eb3:SignalMessage><eb3:MessageInfo><eb3:MessageId>{message}"
        f"</eb3:MessageId>{meant}</eb3:MessageInfo>{signal}</eb3:SignalMessage></eb3:Messaging>"
    )


MEANT = "<eb3:RefToMessageId>{}</eb3:RefToMessageId>"


def device(name):
    """A CWMP session: Inform, an order for the device, the end without a body."""
    raw = name.encode()
    return [
        rq("<cwmp:ID>1</cwmp:ID>", "<cwmp:Inform/>"),
        rs("<cwmp:ID>1</cwmp:ID>", "<cwmp:InformResponse/>", "learn c7", set_cookie=[raw + b"=c7"]),
        rq("", "", "lookup c7", cookie=[raw + b"=c7"]),
        rs("<cwmp:ID>2</cwmp:ID>", "<cwmp:GetParameterValues/>"),
        rq(
            "<cwmp:ID>2</cwmp:ID>",
            "<cwmp:GetParameterValuesResponse/>",
            "lookup c7",
            cookie=[b"lang=en; " + raw + b"=c7"],
        ),
    ]


CONVERSATIONS = {
    "ws-context": activity("cx", "cx"),
    "ws-context, ELGA": activity("cx", "elga"),
    "ws-context, a vendor": activity("vendor", "cx"),
    "cxf-multiplex": [
        rs(
            "",
            f"<x:r><return>{parameters('<mx:id>123</mx:id>')}</return></x:r>",
            "learn 123",
        ),
        rq('<mx:id wsa:IsReferenceParameter="true">123</mx:id>', "<x:op/>", "lookup 123"),
        rq("<x:id>123</x:id>", "<x:op/>"),
    ],
    "tuscany-conversation": [
        rq(
            "<wsa:From>"
            + parameters(
                "<sca:CallbackID>b1</sca:CallbackID><sca:ConversationID>c1</sca:ConversationID>"
            )
            + "</wsa:From>",
            "<x:op/>",
            "bind c1",
            "bind b1",
        ),
        rq(
            "<wsa:From>"
            + parameters("<sca:ConversationID>c1</sca:ConversationID>")
            + "</wsa:From>",
            "<x:op/>",
            "bind c1",
        ),
        rq("<sca:ConversationID>c1</sca:ConversationID>", "<x:op/>"),
    ],
    "sabre": [
        rq(eb2("SessionCreateRQ"), "<x:SessionCreateRQ/>"),
        rs(eb2("SessionCreateRS") + token("sec0212", "Shared/IDL:1!0"), "", "learn Shared/IDL:1!0"),
        rq(
            eb2("OTA_AirAvailLLSRQ") + token("sec0212", "Shared/IDL:1!0"),
            "<x:OTA_AirAvailRQ/>",
            "lookup Shared/IDL:1!0",
        ),
        rs("", fault11("soap:Client.InvalidSecurityToken"), "end "),
        rs("", fault11("soap:Client", "errors.session.USG_INVALID_SESSION"), "end "),
        rs("", fault11("soap:Client", "", "<StackTrace>x: USG_IS_BUSY</StackTrace>")),
        rs("", fault11("soap:Client", "", "<S>x: USG_INVALID_SECURITY_TOKEN</S>"), "end "),
        rq(token("sec0212", "T"), "<SessionCloseRQ/>", "lookup T", "end "),
        rq(eb2("SessionCloseRQ") + token("wsse", "T"), "<x:Close/>", "lookup T", "end "),
    ],
    "travelport, terminal": [
        rq("", "<term33:CreateTerminalSessionReq/>"),
        rs(
            "",
            f"<term33:CreateTerminalSessionRsp>{HOST}</term33:CreateTerminalSessionRsp>",
            "learn 7BE6",
        ),
        rq("", f"<term33:TerminalReq>{HOST}</term33:TerminalReq>", "lookup 7BE6"),
        rs("", fault11("Server.SYSTEM")),
        rq(
            "",
            f"<term33:EndTerminalSessionReq>{HOST}</term33:EndTerminalSessionReq>",
            "lookup 7BE6",
            "end ",
        ),
        rs("", fault11("Server.x", "", TRAVELPORT.format(14057))),
        rs("", fault11("Server.x", "Could not locate", TRAVELPORT.format(14058)), "end "),
        rq("", "<air52:AirPriceReq><com52:HostToken>1</com52:HostToken></air52:AirPriceReq>"),
    ],
    "travelport, session context": [
        rs(CONTEXT, "<air52:BookingStartRsp/>", "learn T9"),
        rq(CONTEXT, "<air52:BookingAirSegmentReq/>", "lookup T9"),
    ],
    "salesforce": [
        rq("", "<sfp:login><sfp:username>u</sfp:username></sfp:login>"),
        rs(
            "",
            "<sfp:loginResponse><sfp:result><sfp:serverUrl>https://na1/</sfp:serverUrl>"
            "<sfp:sessionId>00D!AQ</sfp:sessionId></sfp:result></sfp:loginResponse>",
            "learn 00D!AQ",
        ),
        rq(session_header("sfp"), "<sfp:query/>", "lookup 00D!AQ"),
        rq(session_header("sfm"), "<sfm:deploy/>", "lookup 00D!AQ"),
        rq(session_header("x"), "<x:op/>"),
        rq(
            session_header("sfp"),
            "<sfp:invalidateSessions><sfp:sessionIds>00D!AR</sfp:sessionIds><sfp:sessionIds>00D!AS"
            "</sfp:sessionIds></sfp:invalidateSessions>",
            "lookup 00D!AQ",
            "end 00D!AR",
            "end 00D!AS",
        ),
        rq(session_header("sfp"), "<sfp:query/>", "lookup 00D!AQ"),
        rq(session_header("sfp"), "<sfp:logout/>", "lookup 00D!AQ", "end "),
        rs("", fault11("sff:INVALID_SESSION_ID"), "end "),
    ],
    "vsphere": [
        rq("", "<vim:Login/>"),
        rs(
            "",
            "<vim:LoginResponse/>",
            "learn 52-e9",
            set_cookie=[b'vmware_soap_session="52-e9"; Path=/; HttpOnly; Secure;'],
        ),
        rq(
            "",
            "<vim:RetrieveProperties/>",
            "lookup 52-e9",
            cookie=[b'vmware_soap_session="52-e9"; Path=/; HttpOnly; Secure;'],
        ),
        rq("<vcSessionCookie>52-e9</vcSessionCookie>", "<pbm:PbmQuery/>", "lookup 52-e9"),
        rq(
            "<env12:vcSessionCookie>52-e9</env12:vcSessionCookie>",
            "<pbm:PbmQuery/>",
            "lookup 52-e9",
        ),
        rq(
            "",
            "<vim:TerminateSession><vim:sessionId>other</vim:sessionId></vim:TerminateSession>",
            "lookup 52-e9",
            cookie=[b"vmware_soap_session=52-e9"],
        ),
        rq(
            "",
            "<vim:Logout/>",
            "lookup 52-e9",
            "end ",
            cookie=[b"vmware_soap_session=52-e9"],
        ),
        rs("", fault11("ServerFaultCode", "", "<vim:InvalidRequestFault/>")),
        rs("", fault11("ServerFaultCode", "", "<vim:NotAuthenticatedFault/>"), "end "),
    ],
    "sap, ABAP": [
        rs(
            "",
            "",
            "learn SID%3aANON%3ah_NSP_00%3aX-NEW",
            set_cookie=[b"sap-contextid=SID%3aANON%3ah_NSP_00%3aX-NEW; path=/sap/bc/srt"],
        ),
        rq(
            "",
            "<x:op/>",
            "lookup SID%3aANON%3ah_NSP_00%3aX-NEW",
            cookie=[b"sap-usercontext=c; sap-contextid=SID%3aANON%3ah_NSP_00%3aX-NEW"],
        ),
        rs(
            "",
            "",
            "end ",
            set_cookie=[b"sap-contextid=0; path=/; expires=Tue, 01-Jan-1980 00:00:01 GMT"],
        ),
    ],
    "sap, Java": [
        rs("", "", "learn (h_J2E_00)ID5End", set_cookie=[b"JSESSIONID=(h_J2E_00)ID5End"]),
        rq("", "<x:op/>", "lookup (h_J2E_00)ID5End", cookie=[b"JSESSIONID=(h_J2E_00)ID5End"]),
        rq("", "", "lookup (h_J2E_00)ID5End", target=b"/s;jsessionid=(h_J2E_00)ID5End"),
    ],
    "ews": [
        rq("", "<ewsm:Subscribe/>", x_preferserveraffinity=[b"true"], x_anchormailbox=[b"a@b"]),
        rs(
            "",
            "<ewsm:SubscribeResponse><ewsm:ResponseMessages><ewsm:SubscribeResponseMessage>"
            "<ewsm:SubscriptionId>s1</ewsm:SubscriptionId><ewsm:Watermark>w</ewsm:Watermark>"
            "</ewsm:SubscribeResponseMessage></ewsm:ResponseMessages></ewsm:SubscribeResponse>",
            "learn mbx~7",
            "learn s1",
            set_cookie=[b"X-BackEndOverrideCookie=mbx~7; path=/; secure; HttpOnly"],
        ),
        rq("", "<ewsm:Subscribe/>", "lookup mbx~7", cookie=[b"X-BackEndOverrideCookie=mbx~7"]),
        rq(
            "",
            "<ewsm:GetEvents><ewsm:SubscriptionId>s1</ewsm:SubscriptionId></ewsm:GetEvents>",
            "lookup mbx~7",
            "lookup s1",
            x_backendoverridecookie=[b"mbx~7"],
        ),
        rq(
            "",
            "<ewsm:GetStreamingEvents><ewsm:SubscriptionIds><ewst:SubscriptionId>s1"
            "</ewst:SubscriptionId><ewst:SubscriptionId>s2</ewst:SubscriptionId>"
            "</ewsm:SubscriptionIds></ewsm:GetStreamingEvents>",
            "lookup s1",
            "lookup s2",
        ),
        rq(
            "",
            "<ewsm:Unsubscribe><ewsm:SubscriptionId>s1</ewsm:SubscriptionId></ewsm:Unsubscribe>",
            "lookup s1",
            "end s1",
        ),
    ],
    "f5-icontrol": [
        rq("", "<f5:get_session_identifier/>"),
        rs(
            "",
            "<f5:get_session_identifierResponse><return>14</return>"
            "</f5:get_session_identifierResponse>",
            "learn 14",
        ),
        rq("", "<x:get_list/>", "lookup 14", x_icontrol_session=[b" 14"]),
    ],
    "opc-xmlda": [
        rs("", '<da:SubscribeResponse ServerSubHandle="h1"/>', "learn h1"),
        rq(
            "",
            '<da:SubscriptionPolledRefresh WaitTime="1000"><da:Options/>'
            "<da:ServerSubHandles>h1</da:ServerSubHandles>"
            "<da:ServerSubHandles>h2</da:ServerSubHandles></da:SubscriptionPolledRefresh>",
            "lookup h1",
            "lookup h2",
        ),
        rs(
            "",
            "<da:SubscriptionPolledRefreshResponse><da:InvalidServerSubHandles>h2"
            "</da:InvalidServerSubHandles></da:SubscriptionPolledRefreshResponse>",
            "end h2",
        ),
        rq("", '<da:SubscriptionCancel ServerSubHandle="h1"/>', "lookup h1", "end h1"),
    ],
    "parlayx-call": [
        rq("", "<call2:makeCall><call2:callingParty/></call2:makeCall>"),
        rs(
            "",
            "<call2:makeCallResponse><call2:result>k</call2:result></call2:makeCallResponse>",
            "learn k",
        ),
        *(
            rq(
                "",
                f"<call2:{name}><call2:callIdentifier>k</call2:callIdentifier></call2:{name}>",
                "lookup k",
            )
            for name in ("getCallInformation", "endCall", "cancelCall", "cancelCallRequest")
        ),
        rs(
            "",
            "<call2:getCallInformationResponse><call2:result><callStatus>CallTerminated"
            "</callStatus></call2:result></call2:getCallInformationResponse>",
        ),
    ],
    "ebms3, pushed": [
        rq(eb3_user("conv", "m1@a"), "", "bind conv", "bind m1@a"),
        rs(eb3_signal("m2@b", MEANT.format("m1@a"), "<eb3:Receipt/>"), ""),
        rq(eb3_user("conv", "m1@a"), "", "bind conv", "bind m1@a"),
        rq(eb3_user("conv", "m3@a"), "", "bind conv", "bind m3@a"),
    ],
    "ebms3, pulled": [
        rq(eb3_signal("m1@a", "", '<eb3:PullRequest mpc="urn:m"/>'), ""),
        rs(eb3_user("conv", "m2@b"), "", "learn conv", "learn m2@b"),
        rq(eb3_signal("m3@a", MEANT.format("m2@b"), "<eb3:Receipt/>"), "", "lookup m2@b"),
    ],
    "wsa-async": [
        rq("<wsa:RelatesTo>urn:q1</wsa:RelatesTo>", "<x:answer/>", "lookup urn:q1", "end urn:q1"),
        rs("", ""),
    ],
    "cwmp, GenieACS": device("session"),
    "cwmp, Java": device("JSESSIONID"),
}
