"""What an operator may ask of pins: a page of them, those of one session id, forget one.

The one rule: a session id goes in (`lookup_pins`) and never comes out. Pins are shown by their
keys, which are keyed hashes. A store may hold a million pins and answers in the same loop that
serves exchanges, so no call looks at more than `PINS_SCANNED`; a walk goes on with a cursor, and
how many pins there are is not counted here.
"""

from __future__ import annotations

from collections.abc import Mapping

from soapgate.core.pins import KEY_BYTES, Pin, PinStore
from soapgate.edge.adminapi import Call, Refused, Reply, ServiceInfo, View, iso, only

PINS_LISTED = 100  # pins a page when nobody says
PINS_LISTED_MAX = 1000
PINS_SCANNED = 2000  # pins looked at for one page: a few ms, then the loop has other things to do
SCAN_BATCH = 500
CURSOR_BYTES = 64  # more than any store's cursor
ID_BYTES = 4096  # the longest session id there is (DESIGN 8)
ALIAS_HOPS = 4  # an alias points at a primary; more is a damaged store


async def list_pins(call: Call) -> Reply:
    """A page of pins, in key order. At most `PINS_SCANNED` are looked at, so that a filter which
    few pass does not hold up the exchanges: a page may be short, even empty, with a cursor on."""
    limit = _limit(call.query.get("limit"))
    cursor = _from_hex(call.query["cursor"], "cursor") if "cursor" in call.query else None
    backend = call.query.get("backend")
    scope = None
    if "service" in call.query:
        scope = _service_named(call.view, call.query["service"], 422).scope
    listed: list[dict[str, object]] = []
    for _ in range(PINS_SCANNED // SCAN_BATCH):
        found, after = await call.view.store.scan(cursor, SCAN_BATCH)
        for key, pin in found:
            if scope in (None, pin.service) and backend in (None, pin.backend):
                listed.append(_pin(call.view, key, pin))
            if len(listed) == limit and (after is not None or key != found[-1][0]):
                return Reply({"pins": listed, "cursor": key.hex()})
        cursor = after
        if after is None:
            break
    return Reply({"pins": listed, "cursor": cursor.hex() if cursor is not None else None})


async def lookup_pins(call: Call) -> Reply:
    """The pins of one session id of a service, whichever profile found it, and the backend that
    the first of them leads to."""
    only(call.body, ("service", "id"))
    name, session_id = (_text(call.body, field) for field in ("service", "id"))
    service = _service_named(call.view, name, 422)
    session_id = session_id.strip()
    if not 0 < len(session_id.encode("utf-8", "surrogatepass")) <= ID_BYTES:
        raise Refused(422, "the id is empty or too long", [f"1 to {ID_BYTES} bytes"])
    found = []
    for profile in service.profiles:
        key = call.view.keys.key(service.scope, profile, session_id)
        pin = await call.view.store.lookup(key)
        if pin is not None:
            leads_to = await _leads_to(call.view.store, pin)
            found.append({**_pin(call.view, key, pin), "leads_to": leads_to})
    if not found:
        raise Refused(404, f"service {name!r} has no pin for this id")
    return Reply({"pins": found})


async def delete_pin(call: Call) -> Reply:
    """Forget one pin; aliases of it lead nowhere from then on."""
    service = _service_named(call.view, call.path["service"], 404)
    key = _from_hex(call.path["key"], "key", KEY_BYTES)
    pin = await call.view.store.lookup(key)
    if pin is None or pin.service != service.scope or not await call.view.store.unbind(key):
        raise Refused(404, f"service {service.name!r} has no pin {key.hex()}")
    return Reply(_pin(call.view, key, pin))


async def _leads_to(store: PinStore, pin: Pin) -> str | None:
    """The backend at the end of a pin's aliases, None if they end nowhere."""
    at: Pin | None = pin
    for _ in range(ALIAS_HOPS):
        if at is None or at.backend:
            break
        at = await store.lookup(at.alias)
    return at.backend or None if at else None


def _pin(view: View, key: bytes, pin: Pin) -> dict[str, object]:
    lifetimes = (s.lifetime for s in view.services.values() if s.scope == pin.service)
    lifetime = next(lifetimes, None)
    return {
        "service": pin.service,
        "key": key.hex(),
        "profile": pin.profile,
        "backend": pin.backend or None,
        "alias": pin.alias.hex() or None,
        "created": iso(pin.created),
        "used": iso(pin.used),
        # of a service that is no longer configured: nobody asks for it
        "expired": lifetime is None or lifetime.over(pin, view.now()),
        "ended": bool(pin.ended),
    }


# Values


def _service_named(view: View, name: str, otherwise: int) -> ServiceInfo:
    service = view.services.get(name)
    if service is None:
        raise Refused(otherwise, f"there is no service {name!r}", list(view.services))
    return service


def _text(body: Mapping[str, object], name: str) -> str:
    value = body[name]
    if not isinstance(value, str):
        raise Refused(422, f"{name} is no text", ["a string"])
    return value


def _limit(text: str | None) -> int:
    if text is None:
        return PINS_LISTED
    if text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= PINS_LISTED_MAX:
        return int(text)
    raise Refused(400, f"limit is {text!r}", [f"1 to {PINS_LISTED_MAX}"])


def _from_hex(text: str, name: str, size: int | None = None) -> bytes:
    """The bytes of a hex text; of `size` or, without one, of up to `CURSOR_BYTES`."""
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if value.hex() == text.lower() and (
        len(value) == size if size else 0 < len(value) <= CURSOR_BYTES
    ):
        return value
    allowed = f"{2 * size} hex digits" if size else "the cursor of the page before"
    raise Refused(400, f"{name} is {text!r}", [allowed])
