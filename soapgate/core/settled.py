"""What takes no thought: the ids of a request all have live pins, and these name one ready backend.

Nearly every request of a running session is like that. What `Affinity.identify` and `routing.route`
decide with care comes down to a look at the store and a few comparisons then, and here they are.
The one rule: the same answer as theirs, or None, which says: ask them. Nothing is noted, dropped or
counted here, and nobody is waited for.

What follows from the ids alone, their keys, and what follows from their pins as long as these are
the same, is kept in a `Session`; the store is asked every time.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Any

from soapgate.core.bindings import dead_alias
from soapgate.core.keys import Keys
from soapgate.core.naming import ASKING, Naming
from soapgate.core.pins import Lifetime, Pin, PinStore
from soapgate.core.pool import Pool
from soapgate.core.routing import Identity, Route

if TYPE_CHECKING:
    from soapgate.core.scanned import Found

_new: Any = tuple.__new__  # a NamedTuple's own constructor is a Python function more


class _Id:
    """One id. `pin` is what the store had under its key the last time; from it follow `fresh_until`
    and, once it was asked, `identity`."""

    __slots__ = ("bindable", "fresh_until", "identity", "key", "pin", "profile")

    def __init__(self, profile: str, key: bytes, bindable: bool) -> None:
        self.profile = profile
        self.key = key
        self.bindable = bindable
        self.pin: Pin | None = None
        self.identity: Identity | None = None
        self.fresh_until = 0.0


class Session:
    """What is known of the finds of one message: the ids in order of precedence, and since they
    were routed last their `identities`, as `Affinity.identify` says them, and the `route`."""

    __slots__ = ("backend", "found", "identities", "ids", "of", "route", "settled")

    def __init__(self, settled: Settled, found: Sequence[Found], ids: list[_Id]) -> None:
        self.settled = settled  # who made it: another one has other keys, or other pins
        self.found = found
        self.of: object = None  # for whoever keeps it: what else it follows from
        self.ids = ids
        self.identities: tuple[Identity, ...] = ()
        self.route: Route | None = None
        self.backend = ""


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

    def session(self, found: Sequence[Found]) -> Session | None:
        """What the finds of a request name, if every one is an id and nothing else."""
        if len(found) == 1:  # nearly always
            profile, use, text, _ = found[0]
            if use not in ASKING:
                return None
            return Session(self, found, [_Id(profile, self._key(profile, text), use == "bind")])
        ids: dict[bytes, _Id] = {}
        for profile, use, text, _ in self._names.ordered(found):
            if use not in ASKING:
                return None
            key = self._key(profile, text)
            bindable = use == "bind" or (key in ids and ids[key].bindable)
            ids[key] = _Id(profile, key, bindable)
        return Session(self, found, list(ids.values()))

    def _key(self, profile: str, text: str) -> bytes:
        return self._keys.key(self._scope, profile, text)

    def route(self, session: Session, now: float) -> Route | None:
        """What `routing.route` decides of these ids if every one has a live pin whose use need not
        be noted, all name one backend, and that one `takes` requests. May raise StoreError."""
        for one in session.ids:
            before = one.identity
            if not self._holds(one, now):
                return None
            if one.identity is not before:
                session.route = None
        if session.route is None:
            session.identities = tuple([one.identity for one in session.ids if one.identity])
            session.route = route(session.identities)
            if session.route is None:
                return None
            session.backend = session.route.backend
        return session.route

    def _holds(self, one: _Id, now: float) -> bool:
        """Whether an id has a live pin; its identity then says which."""
        pin = self._glance(one.key)
        if pin is None:
            return False
        if pin is not one.pin:
            one.pin = pin
            one.fresh_until = self._fresh_until(pin)
            one.identity = None
        if now >= one.fresh_until:
            return False
        if pin.alias:
            return self._leads(one, pin, now)
        if one.identity is None:
            one.identity = _new(Identity, (one.profile, one.key, one.bindable, pin, one.key))
        return True

    def _leads(self, one: _Id, alias: Pin, now: float) -> bool:
        """The same of an id whose pin is an alias."""
        key = alias.alias
        pin = self._glance(key)
        if pin is None or pin.until or dead_alias(alias, pin) or now >= self._fresh_until(pin):
            return False
        if one.identity is None or one.identity.pin is not pin:
            one.identity = Identity(one.profile, one.key, one.bindable, pin, key)
        return True

    def _fresh_until(self, pin: Pin) -> float:
        """When a pin is over, or its use has to be noted: from then on others look at it."""
        if pin.ended:
            return -inf
        return min(pin.until or inf, pin.used + self._recent, pin.created + self._max_age)


def route(identities: Sequence[Identity]) -> Route | None:
    """What `routing.route` decides of a request with these settled ids, if all name one backend
    and it is ready, up and has a place (`takes`)."""
    first = identities[0]
    if first.pin is None:
        return None
    name = first.pin.backend
    for other in identities:
        if other.pin is None or other.pin.backend != name:
            return None
    decided: Route = _new(Route, ("pinned", "bound", name, first, 0, False))
    return decided


def takes(pool: Pool, name: str) -> bool:
    """Whether a backend takes a request of its own at once."""
    members = pool.members
    member = members.get(name)
    return member is not None and member.ready and not member.full
