"""Conversations of products and templates: ids in the Body, ids made of what is found."""

from __future__ import annotations

from speech import fault11, rq, rs

NAMESPACES = {
    "vbox": "http://www.virtualbox.org/",
    "qb": "http://developer.intuit.com/",
    "sugar": "http://www.sugarcrm.com/sugarcrm",
    "ns1": "urn:core_2018_2.platform.webservices.netsuite.com",
    "nsf": "urn:faults_2018_2.platform.webservices.netsuite.com",
    "ua": "http://opcfoundation.org/UA/2008/02/Types.xsd",
    "aps": "http://www.ecma-international.org/standards/ecma-354/appl_session",
    "mage": "urn:Magento",
    "om": "urn:OpenMage",
    "auth": "spyne.examples.authentication",
}
PREFIX = "634f0d8fd6ef0e49"


def spyne(operation):
    block = "<auth:RequestHeader><auth:session_id>s1</auth:session_id></auth:RequestHeader>"
    return rq(block, f"<auth:{operation}/>", "lookup s1")


def ua(operation):
    return (
        f"<ua:{operation}><ua:RequestHeader><ua:AuthenticationToken><ua:Identifier>g=7"
        f"</ua:Identifier></ua:AuthenticationToken></ua:RequestHeader></ua:{operation}>"
    )


def shop(login, answer, call, end):
    """Magento: the elements of login's reply, of its id, of a call and of the end."""
    return [
        rs("", f"<{login}><{answer}>f00d</{answer}></{login}>", "learn f00d"),
        rq("", f"<{call}><sessionId>f00d</sessionId><args/></{call}>", "lookup f00d"),
        rs("", fault11("101")),
        rq("", f"<{end}><sessionId>f00d</sessionId></{end}>", "lookup f00d", "end "),
        rs("", fault11("5"), "end "),
    ]


def order(customer, number):
    parts = [("customerId", customer), ("orderNumber", number)]
    inside = "".join(f"<x:{name}>{text}</x:{name}>" for name, text in parts if text)
    return f"<x:ship>{inside}</x:ship>"


CONVERSATIONS = {
    "virtualbox": [
        rq(
            "",
            "<vbox:IWebsessionManager_logon><username>u</username></vbox:IWebsessionManager_logon>",
        ),
        rs(
            "",
            f"<vbox:IWebsessionManager_logonResponse><returnval>{PREFIX}-0000000000000001"
            "</returnval></vbox:IWebsessionManager_logonResponse>",
            f"learn {PREFIX}",
        ),
        rq(
            "",
            f"<vbox:IVirtualBox_getMachines><_this>{PREFIX}-0000000000000001</_this>"
            "</vbox:IVirtualBox_getMachines>",
            f"lookup {PREFIX}",
        ),
        rs(
            "",
            f"<vbox:IVirtualBox_getMachinesResponse><returnval>{PREFIX}-0000000000000002"
            "</returnval></vbox:IVirtualBox_getMachinesResponse>",
        ),
        rq(
            "",
            f"<vbox:IMachine_getName><_this>{PREFIX}-0000000000000002</_this>"
            "</vbox:IMachine_getName>",
            f"lookup {PREFIX}",
        ),
        rs(
            "",
            "<vbox:IMachine_getNameResponse><returnval>my-machine</returnval>"
            "</vbox:IMachine_getNameResponse>",
        ),
        rq(
            "",
            f"<vbox:IWebsessionManager_logoff><refIVirtualBox>{PREFIX}-0000000000000001"
            "</refIVirtualBox></vbox:IWebsessionManager_logoff>",
            f"lookup {PREFIX}",
            "end ",
        ),
        rs("", "<vbox:IWebsessionManager_logoffResponse/>"),
    ],
    "qbwc": [
        rq("", "<qb:authenticate><qb:strUserName>u</qb:strUserName></qb:authenticate>"),
        rs(
            "",
            "<qb:authenticateResponse><qb:authenticateResult><qb:string>t-1</qb:string>"
            "<qb:string>C:\\company.qbw</qb:string></qb:authenticateResult></qb:authenticateResponse>",
            "learn t-1",
        ),
        *(
            rq("", f"<qb:{name}><qb:ticket>t-1</qb:ticket></qb:{name}>", "lookup t-1")
            for name in ("sendRequestXML", "receiveResponseXML", "getLastError", "connectionError")
        ),
        rq(
            "",
            "<qb:closeConnection><qb:ticket>t-1</qb:ticket></qb:closeConnection>",
            "lookup t-1",
            "end ",
        ),
        rs("", "<qb:closeConnectionResponse/>"),
    ],
    "spyne-header": [
        rq("", "<auth:authenticate><auth:user_name>n</auth:user_name></auth:authenticate>"),
        rs(
            "",
            "<auth:authenticateResponse><auth:authenticateResult>s1</auth:authenticateResult>"
            "</auth:authenticateResponse>",
            "learn s1",
        ),
        spyne("get_preferences"),
        spyne("set_preferences"),
        rs("", fault11("senv:Client.AuthenticationError"), "end "),
    ],
    "spyne-header, out header": [
        rs(
            "<auth:ResponseHeader><auth:session_id>s1</auth:session_id></auth:ResponseHeader>",
            "",
            "learn s1",
        ),
        spyne("get_preferences"),
    ],
    "body-token": [
        rq("", "<x:login><x:user>u</x:user></x:login>"),
        rs("", "<x:loginResponse><x:return>k1</x:return></x:loginResponse>", "learn k1"),
        rq("", "<x:list><token>k1</token></x:list>", "lookup k1"),
        rq("", "<x:list><x:sessionId>k1</x:sessionId></x:list>", "lookup k1"),
        rq("", "<x:logout><x:sessionID>k1</x:sessionID></x:logout>", "lookup k1", "end "),
    ],
    "sugarcrm": [
        rq("", "<sugar:login><user_auth/></sugar:login>"),
        rs(
            "",
            "<sugar:loginResponse><return><id>s9</id></return></sugar:loginResponse>",
            "learn s9",
        ),
        rq("", "<sugar:get_entry><session>s9</session></sugar:get_entry>", "lookup s9"),
        rq("", "<sugar:login/>"),
        rs("", "<sugar:loginResponse><return><id>-1</id></return></sugar:loginResponse>"),
        rq("", "<sugar:logout><session>s9</session></sugar:logout>", "lookup s9", "end "),
        rs("", fault11("Client", "Invalid Session ID"), "end "),
    ],
    "netim": [
        rs("", "<x:sessionOpenResponse><return>n1</return></x:sessionOpenResponse>", "learn n1"),
        rq("", "<x:domainInfo><IDSession>n1</IDSession></x:domainInfo>", "lookup n1"),
        rq("", "<x:sessionClose><IDSession>n1</IDSession></x:sessionClose>", "lookup n1", "end "),
    ],
    "netsuite": [
        rq("", "<ns1:login/>"),
        rs(
            "",
            "<ns1:loginResponse/>",
            "learn J1",
            set_cookie=[b"JSESSIONID=J1; path=/", b"NS_VER=2018.2.0; path=/"],
        ),
        rq("", "<ns1:search/>", "lookup J1", cookie=[b"JSESSIONID=J1; NS_VER=2018.2.0"]),
        rq("", "<ns1:logout/>", "lookup J1", "end ", cookie=[b"JSESSIONID=J1"]),
        rs(
            "",
            fault11("soapenv:Server.userException", "", "<nsf:invalidSessionFault/>"),
            "end ",
        ),
    ],
    "opcua-xml": [
        rq("", "<ua:CreateSessionRequest/>"),
        rs(
            "",
            "<ua:CreateSessionResponse><ua:SessionId><ua:Identifier>i=1</ua:Identifier>"
            "</ua:SessionId><ua:AuthenticationToken><ua:Identifier>g=7</ua:Identifier>"
            "</ua:AuthenticationToken></ua:CreateSessionResponse>",
            "learn g=7",
        ),
        rq("", ua("ActivateSessionRequest"), "lookup g=7"),
        rq("", ua("ReadRequest"), "lookup g=7"),
        rq("", ua("CloseSessionRequest"), "lookup g=7", "end "),
        rs("", fault11("s:Sender", "BadSessionIdInvalid"), "end "),
    ],
    "csta-session": [
        rq("", "<aps:StartApplicationSession/>"),
        rs(
            "",
            "<aps:StartApplicationSessionPosResponse><aps:sessionID>77</aps:sessionID>"
            "</aps:StartApplicationSessionPosResponse>",
            "learn 77",
        ),
        rq("<aps:sessionID>77</aps:sessionID>", "<x:MakeCall/>", "lookup 77"),
        rq(
            "",
            "<aps:ResetApplicationSessionTimer><aps:sessionID>77</aps:sessionID>"
            "</aps:ResetApplicationSessionTimer>",
            "lookup 77",
        ),
        rq(
            "",
            "<aps:StopApplicationSession><aps:sessionID>77</aps:sessionID>"
            "</aps:StopApplicationSession>",
            "lookup 77",
            "end ",
        ),
        rs("", "<aps:StopApplicationSessionPosResponse/>"),
    ],
    "magento1, v1 and v2": shop(
        "mage:loginResponse", "loginReturn", "mage:call", "mage:endSession"
    ),
    "magento1, WS-I": shop(
        "om:loginResponseParam", "result", "om:catalogProductListRequestParam", "om:endSessionParam"
    ),
    "magento1, without login": shop(
        "om:startSessionResponse", "startSessionReturn", "om:call", "om:endSession"
    ),
    "magento1, WS-I without login": shop(
        "om:startSessionResponseParam", "result", "om:callParam", "om:endSessionParam"
    ),
    "bpel-correlation": [
        rq("", order("12", "3"), "bind 2:121:3"),
        rq("", order("12", "3"), "bind 2:121:3"),
        rq("", order("12", ""), *()),
        rq("", order("1", "23"), "bind 1:12:23"),
    ],
}
