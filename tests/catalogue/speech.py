"""How a conversation is written: what each message holds, and what its profile must find there.

rq('<x:id>1</x:id>', '<x:op/>', 'lookup 1')  # a request: Header, Body, finds in their order
rs('', '<x:opResponse/>', set_cookie=[b'S=1'])  # a response that shows nothing new but a cookie
"""

from __future__ import annotations

from soapgate.core import ns


def rq(header="", body="", *expected, action="", target=b"/", **fields):
    return ("request", header, body, expected, action, target, fields)


def rs(header="", body="", *expected, action="", **fields):
    return ("response", header, body, expected, action, b"", fields)


def accepted():
    """A response with no body at all: 202."""
    return rs(None)


def fault11(code, text="no", detail=""):
    """A fault of SOAP 1.1; `code` with its prefix, if it has one."""
    return (
        f'<f:Fault xmlns:f="{ns.SOAP11}"><faultcode>{code}</faultcode>'
        f"<faultstring>{text}</faultstring><detail>{detail}</detail></f:Fault>"
    )


def fault12(subcode):
    return (
        f'<f:Fault xmlns:f="{ns.SOAP12}"><f:Code><f:Value>f:Sender</f:Value><f:Subcode>'
        f"<f:Value>x:{subcode}</f:Value></f:Subcode></f:Code></f:Fault>"
    )
