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
from typing import TYPE_CHECKING

from soapgate.core.bindings import dead_alias
from soapgate.core.keys import Keys
from soapgate.core.naming import ASKING, Naming
from soapgate.core.pins import Lifetime, Pin, PinStore
from soapgate.core.pool import Pool
from soapgate.core.routing import Identity, Route

if TYPE_CHECKING:
    from soapgate.core.scanned import Found


class _Id:
    """One id. `pin` is what the store had under its key the last time; from it follow `alias`, the
    key that it leads to, if it is not of its own, and `fresh_until`. `held`, once it was asked:
    (the primary pin, its key)."""

    __slots__ = ("alias", "bindable", "fresh_until", "held", "key", "pin", "profile")

    alias: bytes
    bindable: bool
    fresh_until: float
    held: tuple[Pin, bytes] | None
    key: bytes
    pin: Pin | None
    profile: str


# What is made for a request is made without __init__: compiled, that would be a call of Python's.


def _id(profile: str, key: bytes, bindable: bool) -> _Id:
    one = _Id.__new__(_Id)
    one.profile = profile
    one.key = key
    one.bindable = bindable
    one.pin = one.held = None
    one.alias = b""
    one.fresh_until = 0.0
    return one


class Bound:
    """What the pins of a session's ids say: one backend. What is to be told of it is worked out
    when it is asked for: most often nobody does."""

    __slots__ = ("_held", "_ids", "_told", "backend")

    backend: str
    _held: list[tuple[Pin, bytes]]
    _ids: list[_Id]
    _told: tuple[Route, tuple[Identity, ...]] | None

    def told(self) -> tuple[Route, tuple[Identity, ...]]:
        """What `routing.route` decides of the ids, and these as `Affinity.identify` says them."""
        if self._told is None:
            identities = []
            for one, (pin, primary) in zip(self._ids, self._held, strict=True):
                identities.append(Identity(one.profile, one.key, one.bindable, pin, primary))
            route = Route("pinned", "bound", self.backend, identities[0], 0, False)
            self._told = route, tuple(identities)
        return self._told


def _bound(ids: list[_Id]) -> Bound | None:
    """What ids that are all held say; None if they name several backends."""
    bound = Bound.__new__(Bound)
    bound._ids = ids
    bound._told = None
    bound._held = held = [one.held for one in ids if one.held is not None]
    bound.backend = held[0][0].backend
    for pin, _ in held:
        if pin.backend != bound.backend:
            return None
    return bound


class Session:
    """What is known of the finds of one message: the ids in order of precedence, and `bound`, what
    their pins said last."""

    __slots__ = ("bound", "found", "ids", "of", "settled")

    bound: Bound | None
    found: Sequence[Found]
    ids: list[_Id]
    of: object  # for whoever keeps it: what else it follows from
    settled: Settled  # who made it: another one has other keys, or other pins


class Settled:
    """The ids of one scope, as far as they take no thought."""

    __slots__ = ("_glance", "_keys", "_max_age", "_names", "_recent", "_scope")

    def __init__(self, store: PinStore, keys: Keys, names: Naming, lifetime: Lifetime) -> None:
        self._glance = store.glance
        self._keys = keys
        self._names = names
        self._scope = names.scope
        self._recent = lifetime.noted
        self._max_age = lifetime.max_age

    def session(self, found: Sequence[Found]) -> Session | None:
        """What the finds of a request name, if every one is an id and nothing else."""
        session = Session.__new__(Session)
        session.settled = self
        session.found = found
        session.of = session.bound = None
        if len(found) == 1:  # nearly always
            profile, use, text, _ = found[0]
            if use not in ASKING:
                return None
            session.ids = [_id(profile, self._key(profile, text), use == "bind")]
            return session
        ids: dict[bytes, _Id] = {}
        for profile, use, text, _ in self._names.ordered(found):
            if use not in ASKING:
                return None
            key = self._key(profile, text)
            bindable = use == "bind" or (key in ids and ids[key].bindable)
            ids[key] = _id(profile, key, bindable)
        session.ids = list(ids.values())
        return session

    def _key(self, profile: str, text: str) -> bytes:
        return self._keys.key(self._scope, profile, text)

    def bound(self, session: Session, now: float) -> Bound | None:
        """Whom the ids name, if every one has a live pin whose use need not be noted, all of one
        backend: what `routing.route` decides if that one `takes` requests. May raise StoreError."""
        for one in session.ids:
            before = one.held
            if not self._holds(one, now):
                return None
            if one.held is not before:
                session.bound = None
        if session.bound is None:
            session.bound = _bound(session.ids)
        return session.bound

    def _holds(self, one: _Id, now: float) -> bool:
        """Whether an id has a live pin; `held` then says which."""
        pin = self._glance(one.key)
        if pin is None:
            return False
        if pin is not one.pin:
            one.pin = pin
            one.alias = pin.alias
            one.fresh_until = self._fresh_until(pin)
            one.held = None
        if now >= one.fresh_until:
            return False
        if one.alias:
            return self._leads(one, pin, now)
        if one.held is None:
            one.held = (pin, one.key)
        return True

    def _leads(self, one: _Id, alias: Pin, now: float) -> bool:
        """The same of an id whose pin is an alias."""
        key = one.alias
        pin = self._glance(key)
        if pin is None or pin.until or dead_alias(alias, pin) or now >= self._fresh_until(pin):
            return False
        if one.held is None or one.held[0] is not pin:
            one.held = (pin, key)
        return True

    def _fresh_until(self, pin: Pin) -> float:
        """When a pin is over, or its use has to be noted: from then on others look at it."""
        _, _, _, _, created, used, until, ended = pin
        if ended:
            return -inf
        return min(until or inf, used + self._recent, created + self._max_age)


def takes(pool: Pool, name: str) -> bool:
    """Whether a backend takes a request of its own at once."""
    members = pool.members
    member = members.get(name)
    return member is not None and member.ready and not member.full
