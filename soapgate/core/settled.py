"""What takes no thought: the ids of a request all have live pins, and these name one ready backend.

Nearly every request of a running session is like that. What `Affinity.identify` and `routing.route`
decide with care comes down to a look at the store and a few comparisons then, and here they are.
The one rule: the same answer as theirs, or None, which says: ask them. Nothing is noted, dropped or
counted here, and nobody is waited for.

Tuples are read by position: by name each value costs a call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from soapgate.core.bindings import dead_alias
from soapgate.core.keys import Keys
from soapgate.core.naming import ASKING, Naming
from soapgate.core.pins import Lifetime, Pin, PinStore
from soapgate.core.pool import Pool
from soapgate.core.routing import Identity, Route

if TYPE_CHECKING:
    from soapgate.core.scanned import Found

_new: Any = tuple.__new__  # a NamedTuple's own constructor is a Python function more

# where they stand in a Found, and in a Pin
PROFILE: Final = 0
USE: Final = 1
ID: Final = 2
BACKEND: Final = 2
ALIAS: Final = 3
CREATED: Final = 4
USED: Final = 5
UNTIL: Final = 6
ENDED: Final = 7


class Settled:
    """The ids of one scope, as far as they take no thought."""

    __slots__ = ("_glance", "_keys", "_max_age", "_names", "_recent", "_scope")

    def __init__(self, store: PinStore, keys: Keys, names: Naming, lifetime: Lifetime) -> None:
        self._glance = store.glance
        self._keys = keys
        self._names = names
        self._scope = names.scope
        # until then a use need not be noted (`Lifetime.stale`)
        self._recent = lifetime.idle / 8
        self._max_age = lifetime.max_age

    def ids(self, found: Sequence[Found], now: float) -> tuple[Identity, ...] | None:
        """What `Affinity.identify` says of the finds of a request, if every one is an id and has a
        live pin whose use need not be noted. May raise StoreError."""
        keys, scope = self._keys, self._scope
        if len(found) == 1:
            one = found[0]
            if one[USE] not in ASKING:
                return None
            key = keys.key(scope, one[PROFILE], one[ID])
            identity = self._identity(one[PROFILE], key, one[USE] == "bind", now)
            return None if identity is None else (identity,)
        ids: dict[bytes, tuple[str, bool]] = {}
        for profile, use, text, _ in self._names.ordered(found):
            if use not in ASKING:
                return None
            key = keys.key(scope, profile, text)
            ids[key] = (profile, use == "bind" or (key in ids and ids[key][1]))
        identities = []
        for key, (profile, bindable) in ids.items():
            identity = self._identity(profile, key, bindable, now)
            if identity is None:
                return None
            identities.append(identity)
        return tuple(identities)

    def _identity(self, profile: str, key: bytes, bindable: bool, now: float) -> Identity | None:
        pin, primary = self._glance(key), key
        if pin is None or not self._fresh(pin, now):
            return None
        if pin[ALIAS]:
            primary = pin[ALIAS]
            alias, pin = pin, self._glance(primary)
            if pin is None or pin[UNTIL] or not self._fresh(pin, now) or dead_alias(alias, pin):
                return None
        identity: Identity = _new(Identity, (profile, key, bindable, pin, primary))
        return identity

    def _fresh(self, pin: Pin, now: float) -> bool:
        """Neither over nor stale, and nothing has ended."""
        until = pin[UNTIL]
        return (
            now - pin[USED] < self._recent
            and now - pin[CREATED] <= self._max_age
            and (not until or (now < until and not pin[ENDED]))
        )


def route(identities: Sequence[Identity], pool: Pool) -> Route | None:
    """What `routing.route` decides of a request with these settled ids, if all name one backend and
    it is ready, up and has a place."""
    identity = identities[0]
    pin = identity[3]
    if pin is None:
        return None
    name = pin[BACKEND]
    member = pool.members.get(name)
    if member is None or not member.ready or member.full:
        return None
    if len(identities) > 1:
        for other in identities:
            if other[3] is None or other[3][BACKEND] != name:
                return None
    decided: Route = _new(Route, ("pinned", "bound", name, identity, 0, False))
    return decided
