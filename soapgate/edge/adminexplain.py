"""What the running gateway would do with a message, and why: `POST explain`.

The message is read with the configuration in force and its ids are looked up among the pins there
are, so the answer says more than `soapgate explain` alone can: which backend a pin names, and where
the request would go just now. The one rule: nothing changes by asking (`soapgate.core.foretell`),
and ids go in and never come out; there is no way to ask for them in clear here.

A message comes in base64 in a JSON body. To take it as the body itself was dropped: a form of a
web page could send it across sites, and options would have to hide in the query.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace

from soapgate.core.explain import refused
from soapgate.core.foretell import Live, foretell
from soapgate.edge.adminapi import Call, Refused, Reply
from soapgate.edge.messages import MESSAGE_BYTES, read_messages

BODY_BYTES = MESSAGE_BYTES * 4 // 3 + 16 * 1024  # of it in base64, with room for the rest
FIELDS = ("message", "service", "action")


async def explain(call: Call) -> Reply:
    """Explain a message, given in base64: an envelope, a MIME message or a raw HTTP request or
    response. `service` names the one to use, `action` the SOAP action of a bare envelope."""
    for name in call.body:
        if name not in FIELDS:
            raise Refused(422, f"the body has an unknown field {name!r}", list(FIELDS))
    view = call.view
    service = _text(call, "service")
    if service is not None and service not in view.services:
        raise Refused(422, f"there is no service {service!r}", list(view.services))
    saved = read_messages(_message(call), view.head_limits)[0]
    if saved.message is None:
        assert saved.failure is not None
        return Reply(refused(saved.kind, saved.failure).to_dict())
    message = saved.message
    action = _text(call, "action")
    if message.kind == "envelope" and action is not None:
        message = replace(message, action=action)
    lives = {
        name: Live(info.scope, info.lifetime, view.pools[info.pool])
        for name, info in view.services.items()
    }
    said = await foretell(
        message, view.explained, lives, view.store, view.keys, view.now(), service=service
    )
    return Reply(said.to_dict())


def _message(call: Call) -> bytes:
    text = _text(call, "message")
    if text is None:
        raise Refused(422, "the body lacks the field 'message'", list(FIELDS))
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(422, "message is no base64", ["base64 without blanks"]) from None
    if len(data) > MESSAGE_BYTES:
        raise Refused(413, f"the message is over {MESSAGE_BYTES} bytes")
    return data


def _text(call: Call, name: str) -> str | None:
    value = call.body.get(name)
    if value is not None and not isinstance(value, str):
        raise Refused(422, f"{name} is no text", ["a string"])
    return value
