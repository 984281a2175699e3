"""What a decision is made of: a pool, terms, and ids that are pinned or not.

route(STRICT, [pinned("b1"), NEW], pool_of("b1", "b2"))
"""

from __future__ import annotations

from soapgate.core.pins import Pin
from soapgate.core.pool import Backend, Health, Pool
from soapgate.core.routing import Identity, Terms

STRICT = Terms()
REDISPATCH = Terms(lost="redispatch")


def pool_of(*names: str, maxconn: int = 0, **options: object) -> Pool:
    backends = [Backend.parse(name, f"http://{name}", maxconn=maxconn) for name in names]
    return Pool("shop", backends, health=Health(rise=1, fall=1), **options)  # type: ignore[arg-type]


def pinned(backend: str, key: bytes = b"k", *, primary: bytes | None = None) -> Identity:
    pin = Pin("shop", "p", backend, b"", 0.0, 0.0)
    return Identity("p", key, True, pin, primary or key)


def unpinned(key: bytes = b"k", *, bindable: bool) -> Identity:
    return Identity("p", key, bindable, None, key)


NEW = unpinned(b"new", bindable=True)
UNKNOWN = unpinned(b"unknown", bindable=False)
