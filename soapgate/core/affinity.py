"""Affinity: what one service remembers of its sessions - the verbs between finds and pins.

The scanner says which ids a message names; the store keeps pins under keys. Here the one is
turned into the other: identify, bind, alias, move, learn, end, touch.

Rules kept here (numbers of DESIGN 7): a pin is put if absent, so concurrent first requests get
one decision (11); an id that is bound stays bound: a response that shows it from another backend
is a conflict, counted and not followed (18); several ids of one exchange share one pin, the
*primary*; the others are aliases that name its key, so a move or an end of the primary is theirs
too (10), and an id that rolls with every reply leaves its predecessors valid; a full table serves
unpinned (14). An id that a client made up binds nothing unless a profile says `bind`.

An alias is one hop from a primary, and not older than it. One that points to nothing, to another
alias, or to a primary bound anew since, is dead: the session it belonged to has ended. A dead or
expired pin counts as absent and is dropped by whoever meets it - only if it is still the same,
so that nobody drops what another has just bound.

Time is an argument, in seconds since the epoch. Every method may raise StoreError. It refuses to
know backends and pools: whether the one a pin names is still there is `routing`'s to say. Kept
out as well: choosing among several pinned ids (routing), and knowing whether a reply was a fault
(the exchange).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from soapgate.core.errors import StoreFull
from soapgate.core.pins import Keys, Lifetime, Pin, PinStore
from soapgate.core.routing import Identity

if TYPE_CHECKING:
    from soapgate.core.scanner import Found

EVENTS = (
    "bound",  # a new primary, named by a request
    "learned",  # a new primary, issued by a response
    "followed",  # another bound the same id first
    "aliased",
    "moved",
    "touched",
    "ended",
    "expired",  # too old, or a dead alias, and met by a message
    "conflict",  # an id seen from, or with, a backend other than its own
    "unpinned",  # the store was full and refuses
)
TRIES = 8  # lost races in a row before a session goes unpinned; one is rare, two unheard of


class _Held(NamedTuple):
    """A live pin that a key leads to: the primary's, and its key; `new` if just put there. A
    tuple, since every exchange makes several."""

    pin: Pin
    primary: bytes
    new: bool = False


class Affinity:
    """One service's view of the pin store.

    scope: the service's name. order: profile name -> precedence, the lower the stronger.
    events: how often each of EVENTS happened; only ever grows; may be shared between services.
    """

    def __init__(
        self,
        store: PinStore,
        keys: Keys,
        scope: str,
        lifetime: Lifetime,
        order: Mapping[str, int],
        events: dict[str, int] | None = None,
    ) -> None:
        self.events = dict.fromkeys(EVENTS, 0) if events is None else events
        self._store = store
        self._keys = keys
        self._scope = scope
        self._lifetime = lifetime
        self._order = order

    def __repr__(self) -> str:
        return f"<Affinity {self._scope}>"

    # a request

    async def identify(self, found: Sequence[Found], now: float) -> tuple[Identity, ...]:
        """The ids that a request names, each once, in precedence order, with their pins.

        Takes the `lookup` and `bind` finds, passes over others; an id found by both is bindable.
        Naming an alias is its use and noted here, for only here its own age is known; the
        primary's use is noted by `touch`."""
        ids: dict[bytes, tuple[str, bool]] = {}
        for each in self._ordered(found) if len(found) > 1 else found:
            if each.use in ("lookup", "bind"):
                key = self._keys.key(self._scope, each.profile, each.id)
                bindable = each.use == "bind" or (key in ids and ids[key][1])
                ids[key] = (each.profile, bindable)
        identities = []
        for key, (profile, bindable) in ids.items():
            pin, primary = await self._store.lookup(key), key
            # nearly every pin is a primary in its time; the others have their own story
            if pin is not None and (pin.alias or self._lifetime.expired(pin, now)):
                held = await self._live(key, pin, now)
                pin, primary = (held.pin, held.primary) if held is not None else (None, key)
            identities.append(Identity(profile, key, bindable, pin, primary))
        return tuple(identities)

    def settled(self, one: Found, now: float) -> Identity | None:
        """What `identify` says of the only id of a request, where that takes no thought: a live
        primary whose use need not be noted. None: ask `identify`."""
        key = self._keys.key(self._scope, one.profile, one.id)
        pin = self._store.glance(key)
        if pin is None or pin.alias or not self._lifetime.fresh(pin, now):
            return None
        return Identity(one.profile, key, one.use == "bind", pin, key)

    async def bind(self, identity: Identity, backend: str, now: float) -> Identity:
        """Bind an unknown, bindable id; return the identity as it now stands.

        Its pin may name another backend: the winner's, which the caller follows. It has no pin
        if the store is full and refuses: served unpinned. An identity that is not bindable or
        that has a pin comes back as it is."""
        if not identity.bindable or identity.pin is not None:
            return identity
        held = await self._put(identity.key, self._pin(identity.profile, backend, now), now)
        if held is None:
            return identity
        self.events["bound" if held.new else "followed"] += 1
        return identity._replace(pin=held.pin, primary=held.primary)

    async def alias(self, identities: Sequence[Identity], primary: Identity, now: float) -> int:
        """Make aliases of `primary`, a pinned identity, of the other unknown and bindable ids of
        its request; return how many were made."""
        if primary.pin is None:
            return 0
        root = _Held(primary.pin, primary.primary)
        made = 0
        for each in identities:
            if each.bindable and each.pin is None and each.key not in (primary.key, root.primary):
                held = await self._put_alias(each.key, each.profile, root, now)
                if held is not None and held.new:
                    made += 1
                elif held is not None and held.pin.backend != root.pin.backend:
                    self.events["conflict"] += 1
        return made

    async def move(self, identity: Identity, backend: str, now: float) -> Identity:
        """Redispatch: bind the primary of a pinned identity to `backend`, compare-and-set; its
        aliases follow by construction and its absolute age goes on. Whoever loses a race gets
        the winner's pin. Without a pin the identity comes back as it is."""
        old = identity.pin
        if old is None:
            return identity
        for _ in range(TRIES):
            new = old._replace(backend=backend, used=now)
            if await self._store.rebind(identity.primary, old, new):
                self.events["moved"] += 1
                return identity._replace(pin=new)
            held = await self._put(identity.primary, new, now)
            if held is None:
                break
            if held.new or held.pin.backend != old.backend:
                self.events["moved" if held.new else "followed"] += 1
                return identity._replace(pin=held.pin, primary=held.primary)
            identity, old = identity._replace(primary=held.primary), held.pin
        return identity._replace(pin=None, primary=identity.key)

    async def touch(self, identity: Identity, now: float) -> None:
        """Note a use of a pinned identity, if an eighth of `idle` has passed since the last that
        was noted."""
        if identity.pin is None or not self._lifetime.stale(identity.pin, now):
            return
        self.events["touched"] += 1
        await self._store.touch(identity.primary, now)
        if identity.key != identity.primary:
            await self._store.touch(identity.key, now)

    # a response

    async def learn(
        self, found: Sequence[Found], backend: str, primary: Identity | None, now: float
    ) -> int:
        """Bind the ids that `backend` issued or showed in its response; return the conflicts.

        found: the response's finds, at best with those of the request: `learn` finds are learnt
        but for those that an `end` among them names. primary: the identity that the exchange was
        pinned by or bound to, if any: new ids become its aliases. Without one, or if it has ended
        or names another backend, the first in precedence becomes the primary of the rest."""
        learned = [each for each in found if each.use == "learn"]
        if not learned:
            return 0
        ended = self._ended(found)
        known = self._known(primary, backend, now)
        wanted = [
            (profile, key)
            for profile, key in self._named(learned)
            if key != known and (profile, key) not in ended
        ]
        root: _Held | None = None
        asked = primary is None or (primary.profile, primary.key) in ended
        conflicts = 0
        for profile, key in wanted:
            held = await self._find(key, now)
            if held is None and not asked and primary is not None:
                asked = True
                root = await self._root(primary, backend, now) or root
            if held is None:
                held = await self._learn(profile, key, backend, root, now)
            if held is None:
                continue
            if held.pin.backend != backend:
                conflicts += 1
                continue
            if not held.new:
                await self._refresh(held, now)
            root = root or held
        self.events["conflict"] += conflicts
        return conflicts

    def _known(self, primary: Identity | None, backend: str, now: float) -> bytes:
        """The key that need not be looked up again: most replies only echo the request's id."""
        if primary is None or primary.pin is None or primary.pin.backend != backend:
            return b""
        return b"" if self._lifetime.stale(primary.pin, now) else primary.key

    async def _root(self, primary: Identity, backend: str, now: float) -> _Held | None:
        """The exchange's primary as it stands now, if it is one of `backend`'s sessions: the
        request may have been long ago, and an alias of a pin that is gone is born dead."""
        held = await self._find(primary.key, now)
        return held if held is not None and held.pin.backend == backend else None

    async def _learn(
        self, profile: str, key: bytes, backend: str, root: _Held | None, now: float
    ) -> _Held | None:
        if root is not None:
            return await self._put_alias(key, profile, root, now)
        held = await self._put(key, self._pin(profile, backend, now), now)
        if held is not None and held.new:
            self.events["learned"] += 1
        return held

    async def _refresh(self, held: _Held, now: float) -> None:
        if self._lifetime.stale(held.pin, now):
            self.events["touched"] += 1
            await self._store.touch(held.primary, now)

    async def end(self, found: Sequence[Found], now: float) -> int:
        """Forget the ids whose session a message has ended; return how many pins that were.

        found: all finds of the exchange, the `end` ones being those that count (the caller knows
        whether the reply was a fault). A marker with an id ends that id; one without ends every
        id of its profile among `found`. The end of a primary is that of its aliases; the end of
        an alias is its own only. Call it before or after `learn`."""
        ended = self._ended(found)
        if not ended:
            return 0
        count = 0
        for _, key in ended.among(self._named(found)):
            pin = await self._store.lookup(key)
            if pin is not None and await self._store.unbind(key):
                over = self._lifetime.expired(pin, now)
                self.events["expired" if over else "ended"] += 1
                count += not over
        return count

    # what a message names

    def _ordered(self, found: Sequence[Found]) -> Sequence[Found]:
        if len(found) == 1:
            return found
        last = len(self._order)
        return sorted(found, key=lambda each: self._order.get(each.profile, last))

    def _named(self, found: Sequence[Found]) -> list[tuple[str, bytes]]:
        """(profile, key) of every id, each once, in precedence order."""
        names = {(each.profile, each.id): None for each in self._ordered(found) if each.id}
        return [(profile, self._keys.key(self._scope, profile, text)) for profile, text in names]

    def _ended(self, found: Sequence[Found]) -> _Ended:
        markers = [each for each in found if each.use == "end"]
        if not markers:
            return _NOTHING
        return _Ended(
            frozenset(each.profile for each in markers if not each.id),
            frozenset(key for _, key in self._named(markers)),
        )

    # pins

    def _pin(self, profile: str, backend: str, now: float) -> Pin:
        return Pin(self._scope, profile, backend, b"", now, now)

    async def _find(self, key: bytes, now: float) -> _Held | None:
        """The live pin that `key` leads to."""
        pin = await self._store.lookup(key)
        return None if pin is None else await self._live(key, pin, now)

    async def _live(self, key: bytes, pin: Pin, now: float) -> _Held | None:
        """What the pin under `key` leads to, if it is alive; else drop it."""
        if self._lifetime.expired(pin, now):
            await self._drop(key, pin)
            return None
        if not pin.alias:
            return _Held(pin, key)
        primary = await self._store.lookup(pin.alias)
        if primary is not None and self._lifetime.expired(primary, now):
            await self._drop(pin.alias, primary)
            primary = None
        if primary is None or dead_alias(pin, primary):
            await self._drop(key, pin)
            return None
        if self._lifetime.stale(pin, now):
            await self._store.touch(key, now)
        return _Held(primary, pin.alias)

    async def _drop(self, key: bytes, pin: Pin) -> None:
        if await self._store.unbind(key, pin):
            self.events["expired"] += 1

    async def _put(self, key: bytes, fresh: Pin, now: float) -> _Held | None:
        """Put if absent, the dead counting as absent: what `key` leads to afterwards; None if
        the store is full. For an alias that was put, that is the alias itself."""
        for _ in range(TRIES):
            try:
                winner = await self._store.bind(key, fresh)
            except StoreFull:
                break
            if winner == fresh:
                return _Held(fresh, fresh.alias or key, new=True)
            held = await self._live(key, winner, now)
            if held is not None:
                return held
        self.events["unpinned"] += 1
        return None

    async def _put_alias(self, key: bytes, profile: str, root: _Held, now: float) -> _Held | None:
        """Put an alias of `root` under `key` if nothing is there: what `key` leads to then."""
        # not older than its primary, whatever the clocks of two gateways say
        created = max(now, root.pin.created)
        fresh = Pin(self._scope, profile, "", root.primary, created, now)
        held = await self._put(key, fresh, now)
        if held is None or not held.new:
            return held
        self.events["aliased"] += 1
        return _Held(root.pin, root.primary, new=True)


def dead_alias(alias: Pin, primary: Pin) -> bool:
    """Whether what an alias points to is not the pin it was made for: another alias, or one
    bound anew since (a move keeps `created`)."""
    return bool(primary.alias) or primary.created > alias.created


@dataclass(frozen=True, slots=True)
class _Ended:
    """What the end markers of a message name: whole profiles and single keys."""

    profiles: frozenset[str]
    keys: frozenset[bytes]

    def __bool__(self) -> bool:
        return bool(self.profiles or self.keys)

    def __contains__(self, named: tuple[str, bytes]) -> bool:
        profile, key = named
        return profile in self.profiles or key in self.keys

    def among(self, named: Iterable[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        """Those that have ended."""
        return [each for each in named if each in self]


_NOTHING = _Ended(frozenset(), frozenset())
