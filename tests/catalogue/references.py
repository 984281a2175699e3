"""Conversations with what an endpoint reference names by reference parameters or properties."""

from __future__ import annotations

from speech import fault12, rq, rs

from soapgate.core import ns

NAMESPACES = {
    "coor10": ns.WSCOOR10,
    "coor11": ns.WSCOOR11,
    "at10": ns.WSAT10,
    "at11": ns.WSAT11,
    "arj": "http://schemas.arjuna.com/ws/2005/10/wsarj",
    "evt04": ns.WSE04,
    "evt11": ns.WSE11,
    "cxfevt": "http://cxf.apache.org/ws-eventing",
    "axisevt": "http://www.axis.com/2009/event",
    "tev": "http://www.onvif.org/ver10/events/wsdl",
    "wsnt": ns.WSNT,
}


def parameters(inside, prefix="wsa"):
    """Reference parameters of an endpoint, with its address."""
    return (
        f"<{prefix}:Address>http://node-1:8080/s</{prefix}:Address>"
        f"<{prefix}:ReferenceParameters>{inside}</{prefix}:ReferenceParameters>"
    )


def properties(inside):
    """Reference properties, which WS-Addressing had besides up to 2004/08."""
    return f"<wsa04:ReferenceProperties>{inside}</wsa04:ReferenceProperties>"


def coordination(version, kind="Parameters"):
    """A transaction of one enrolment, which Narayana names by a parameter or a property."""
    c, a = f"coor{version}", f"at{version}"
    context = f"<{c}:Identifier>urn:t1</{c}:Identifier><{c}:CoordinationType/>"

    def service(name, instance):
        inside = f"<arj:InstanceIdentifier>{instance}</arj:InstanceIdentifier>"
        if kind == "Parameters":
            return f"<{c}:{name}>{parameters(inside)}</{c}:{name}>"
        return f"<{c}:{name}>{properties(inside)}</{c}:{name}>"

    def to(instance):
        if kind == "Properties":
            return f"<arj:InstanceIdentifier>{instance}</arj:InstanceIdentifier>"
        return (
            '<arj:InstanceIdentifier wsa:IsReferenceParameter="true">'
            f"{instance}</arj:InstanceIdentifier>"
        )

    return [
        rq("", f"<{c}:CreateCoordinationContext/>"),
        rs(
            "",
            f"<{c}:CreateCoordinationContextResponse><{c}:CoordinationContext>{context}"
            f"{service('RegistrationService', 'i1')}</{c}:CoordinationContext>"
            f"</{c}:CreateCoordinationContextResponse>",
            "learn urn:t1",
            "learn i1",
        ),
        rq(to("i1"), f"<{c}:Register/>", "lookup i1"),
        rs(
            "",
            f"<{c}:RegisterResponse>{service('CoordinatorProtocolService', 'i2')}"
            f"</{c}:RegisterResponse>",
            "learn i2",
        ),
        rq(
            f"<{c}:CoordinationContext>{context}</{c}:CoordinationContext>",
            "<x:op/>",
            "bind urn:t1",
        ),
        rq(to("i2"), f"<{a}:Prepared/>", "lookup i2"),
        rq(to("i2"), f"<{a}:Committed/>", "lookup i2", "end "),
        rq(to("i3"), f"<{a}:Aborted/>", "lookup i3", "end "),
        rq(to("i4"), f"<{a}:ReadOnly/>", "lookup i4", "end "),
    ]


def subscription(prefix, issued, carried, named, expires="Expires"):
    """Subscribe, GetStatus, Renew, Unsubscribe; `issued` and `carried` hold the id `named`."""
    p = prefix

    def until(text):
        return f"<{p}:{expires}>{text}</{p}:{expires}>"

    return [
        rq("", f"<{p}:Subscribe><{p}:Delivery/></{p}:Subscribe>"),
        rs(
            "",
            f"<{p}:SubscribeResponse><{p}:SubscriptionManager>{issued}</{p}:SubscriptionManager>"
            f"{until('PT1H')}</{p}:SubscribeResponse>",
            f"learn {named}",
            "expires PT1H",
        ),
        rq(carried, f"<{p}:GetStatus/>", f"lookup {named}"),
        rs("", f"<{p}:GetStatusResponse>{until('PT30M')}</{p}:GetStatusResponse>", "expires PT30M"),
        rq(carried, f"<{p}:Renew/>", f"lookup {named}"),
        rs(
            "",
            f"<{p}:RenewResponse>{until('2999-01-01T00:00:00Z')}</{p}:RenewResponse>",
            "expires 2999-01-01T00:00:00Z",
        ),
        rs("", fault12("UnableToRenew")),
        rq(carried, f"<{p}:Unsubscribe/>", f"lookup {named}", "end "),
        rs("", ""),
    ]


def pull_point(version):
    named = "{http://www.axis.com/2009/event}SubscriptionId=297"
    inside = '<axisevt:SubscriptionId xmlns:d="urn:d">297</axisevt:SubscriptionId>'
    block = '<axisevt:SubscriptionId wsa:IsReferenceParameter="true">297</axisevt:SubscriptionId>'
    made, reference = {
        "pull": ("tev:CreatePullPointSubscriptionResponse", "tev:SubscriptionReference"),
        "notify": ("wsnt:SubscribeResponse", "wsnt:SubscriptionReference"),
    }[version]
    return [
        rs(
            "",
            f"<{made}><{reference}>{parameters(inside)}</{reference}></{made}>",
            f"learn {named}",
        ),
        rq(block, "<tev:PullMessages/>", f"lookup {named}"),
        rs("", "<tev:PullMessagesResponse/>"),
        rq(block, "<wsnt:Renew/>", f"lookup {named}"),
        rs("", fault12("ResourceUnknown"), "end "),
        rq(block, "<wsnt:Unsubscribe/>", f"lookup {named}", "end "),
    ]


CONVERSATIONS = {
    "ws-coordination, 1.0": coordination("10"),
    "ws-coordination, 1.0 with properties": coordination("10", "Properties"),
    "ws-coordination, 1.1": coordination("11"),
    "ws-eventing, 2004/08": subscription(
        "evt04",
        parameters("<evt04:Identifier>s1</evt04:Identifier>", "wsa04"),
        "<evt04:Identifier>s1</evt04:Identifier>",
        f"{{{ns.WSE04}}}Identifier=s1",
    ),
    "ws-eventing, 2004/08 with properties": subscription(
        "evt04",
        properties("<evt04:Identifier>s1</evt04:Identifier>"),
        "<evt04:Identifier>s1</evt04:Identifier>",
        f"{{{ns.WSE04}}}Identifier=s1",
    ),
    "ws-eventing, CXF": subscription(
        "evt11",
        parameters("<cxfevt:SubscriptionID>s1</cxfevt:SubscriptionID>"),
        "<cxfevt:SubscriptionID>s1</cxfevt:SubscriptionID>",
        "{http://cxf.apache.org/ws-eventing}SubscriptionID=s1",
        "GrantedExpires",
    ),
    "ws-eventing, any name": subscription(
        "evt04",
        parameters("<x:sub><x:no>7</x:no></x:sub>"),
        '<x:sub wsa:IsReferenceParameter="true"><x:no>7</x:no></x:sub>',
        "{urn:example:shop}sub=7",
    ),
    "onvif-pullpoint, pulled": pull_point("pull"),
    "onvif-pullpoint, notified": pull_point("notify"),
}
