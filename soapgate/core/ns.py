"""Namespace URIs, and nothing else.

The one rule: a URI is written here once, and a prefix names a *protocol*, so it may stand for
several versions of that protocol's namespace. Whoever writes `wsa:ReplyTo` means every version;
whoever must tell them apart writes `wsa10:ReplyTo`. Order in a tuple is newest first and means
nothing else. A URI that ends in `*` is a pattern: any namespace that starts so.
"""

from __future__ import annotations

SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
SOAP_VERSIONS = {SOAP11: "1.1", SOAP12: "1.2"}

FAULT = "urn:soapgate:fault"  # subcodes and details of the faults we make

WSA10 = "http://www.w3.org/2005/08/addressing"
WSA04 = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
WSA0403 = "http://schemas.xmlsoap.org/ws/2004/03/addressing"
WSA0303 = "http://schemas.xmlsoap.org/ws/2003/03/addressing"
WSA = (WSA10, WSA04, WSA0403, WSA0303)

WSRM11 = "http://docs.oasis-open.org/ws-rx/wsrm/200702"  # shared by 1.1 and 1.2
WSRM10 = "http://schemas.xmlsoap.org/ws/2005/02/rm"
WSMC = "http://docs.oasis-open.org/ws-rx/wsmc/200702"

WSC13 = "http://docs.oasis-open.org/ws-sx/ws-secureconversation/200512"
WSC05 = "http://schemas.xmlsoap.org/ws/2005/02/sc"
WSC0404 = "http://schemas.xmlsoap.org/ws/2004/04/sc"
WST13 = "http://docs.oasis-open.org/ws-sx/ws-trust/200512"
WST05 = "http://schemas.xmlsoap.org/ws/2005/02/trust"
WST0404 = "http://schemas.xmlsoap.org/ws/2004/04/trust"
WSSE10 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSSE0212 = "http://schemas.xmlsoap.org/ws/2002/12/secext"
WSSE0204 = "http://schemas.xmlsoap.org/ws/2002/04/secext"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"

WSCOOR11 = "http://docs.oasis-open.org/ws-tx/wscoor/2006/06"
WSCOOR10 = "http://schemas.xmlsoap.org/ws/2004/10/wscoor"
WSAT11 = "http://docs.oasis-open.org/ws-tx/wsat/2006/06"
WSAT10 = "http://schemas.xmlsoap.org/ws/2004/10/wsat"
WSCTX = "http://docs.oasis-open.org/ws-caf/2005/10/wsctx"

WSE11 = "http://www.w3.org/2011/03/ws-evt"
WSE04 = "http://schemas.xmlsoap.org/ws/2004/08/eventing"
WSEN11 = "http://www.w3.org/2011/03/ws-enu"
WSEN04 = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
WXF11 = "http://www.w3.org/2011/03/ws-tra"
WXF04 = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
WSNT = "http://docs.oasis-open.org/wsn/b-2"
WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
WSMV = "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"
RSP = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"

AXIS1 = "http://xml.apache.org/axis/session"
AXIS2 = "http://ws.apache.org/namespaces/axis2"
SYNAPSE = "http://ws.apache.org/ns/synapse"

PREFIXES: dict[str, tuple[str, ...]] = {
    "soap": (SOAP12, SOAP11),
    "soap11": (SOAP11,),
    "soap12": (SOAP12,),
    "wsa": WSA,
    "wsa10": (WSA10,),
    "wsa04": (WSA04,),
    "wsa0403": (WSA0403,),
    "wsa0303": (WSA0303,),
    "wsrm": (WSRM11, WSRM10),
    "wsrm11": (WSRM11,),
    "wsrm10": (WSRM10,),
    "wsmc": (WSMC,),
    "wsc": (WSC13, WSC05, WSC0404),
    "wst": (WST13, WST05, WST0404),
    "wsse": (WSSE10, WSSE0212, WSSE0204),
    "wsu": (WSU,),
    "wscoor": (WSCOOR11, WSCOOR10),
    "wsat": (WSAT11, WSAT10),
    "wsctx": (WSCTX,),
    "wse": (WSE11, WSE04),
    "wse04": (WSE04,),
    "wsen": (WSEN11, WSEN04),
    "wxf": (WXF11, WXF04),
    "wsnt": (WSNT,),
    "wsman": (WSMAN,),
    "wsmv": (WSMV,),
    "rsp": (RSP,),
    "axis1": (AXIS1,),
    "axis2": (AXIS2,),
    "syn": (SYNAPSE,),
}
