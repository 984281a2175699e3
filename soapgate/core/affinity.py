"""Affinity: what one service remembers of its sessions - the verbs between finds and pins.

The scanner says which ids a message names; the store keeps pins under keys. Here the one is
turned into the other: identify, bind, alias, move, learn, end, touch.

Rules kept here (numbers of DESIGN 7): a pin is put if absent, so concurrent first requests get
one decision (11); an id that is bound stays bound: a response that shows it from another backend
is a conflict, counted and not followed (18); several ids of one exchange share one pin, the
*primary*; the others are aliases that name its key, so a move or an end of the primary is theirs
too (10), and an id that rolls with every reply leaves its predecessors valid; a full table serves
unpinned (14). An id that a client made up binds nothing unless a profile says `bind`.

What has ended is still found for `Lifetime.keep_ended`, for the acknowledgements that trail behind,
but it begins nothing: no id becomes its alias, and a new bind of the id is a new session. An id
that *ends alone* (a sequence, a subscription) or expires takes only its own name away; if it is the
primary, its pin stays for the other ids of the session.

Time is an argument, in seconds since the epoch. Every method may raise StoreError. It refuses to
know backends and pools: whether the one a pin names is still there is `routing`'s to say. Kept
out as well: choosing among several pinned ids (routing), which keys a message names (`naming`),
what stands under one key (`bindings`), and knowing whether a reply was a fault (the exchange).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from soapgate.core.bindings import TRIES, Bindings, Held, dead_alias
from soapgate.core.keys import Keys
from soapgate.core.naming import ASKING, IdKind, Naming
from soapgate.core.pins import NAME_ENDED, SESSION_ENDED, Lifetime, PinStore
from soapgate.core.routing import Identity
from soapgate.core.settled import Settled

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
    "no-caller",  # an asynchronous request of nobody who is known as a caller
    "undated",  # an expiry in a response that is no date to come: ignored
    "conflict",  # an id seen from, or with, a backend other than its own
    "unpinned",  # the store was full and refuses
)


class Affinity:
    """One service's view of the pin store.

    scope: the service's name, or the one it shares with others. order: profile name -> precedence,
    the lower the stronger. events: how often each of EVENTS happened; only ever grows; may be
    shared between services. kinds: the profiles whose ids are special.
    """

    def __init__(
        self,
        store: PinStore,
        keys: Keys,
        scope: str,
        lifetime: Lifetime,
        order: Mapping[str, int],
        events: dict[str, int] | None = None,
        kinds: Mapping[str, IdKind] | None = None,
    ) -> None:
        self.events = dict.fromkeys(EVENTS, 0) if events is None else events
        self.names = Naming(keys, scope, order, kinds)
        self._store = store
        self._keys = keys
        self._scope = scope
        self._lifetime = lifetime
        self._pins = Bindings(store, self.names, lifetime, self.events)
        self.settled = Settled(store, keys, self.names, lifetime)  # what takes no thought

    def __repr__(self) -> str:
        return f"<Affinity {self._scope}>"

    # a request

    async def identify(self, found: Sequence[Found], now: float) -> tuple[Identity, ...]:
        """The ids that a request names, each once, in precedence order, with their pins.

        Takes the `lookup` and `bind` finds, passes over others; an id found by both is bindable.
        Naming an alias is its use and noted here, for only here its own age is known; the
        primary's use is noted by `touch`. A pin that has ended says so (`Pin.ended`); for an id
        that may be bound it is absent, for that is a new session."""
        ids: dict[bytes, tuple[str, bool]] = {}
        for each in self.names.ordered(found) if len(found) > 1 else found:
            if each.use in ASKING:
                key = self._keys.key(self._scope, each.profile, each.id)
                bindable = each.use == "bind" or (key in ids and ids[key][1])
                ids[key] = (each.profile, bindable)
        identities = []
        for key, (profile, bindable) in ids.items():
            pin, primary = await self._store.lookup(key), key
            # nearly every pin is a primary in its time; the others have their own story
            if pin is not None and (pin.alias or self._lifetime.over(pin, now)):
                held = await self._pins.live(key, pin, now)
                pin, primary = (held.pin, held.primary) if held is not None else (None, key)
            if bindable and pin is not None and pin.ended:
                pin, primary = None, key
            identities.append(Identity(profile, key, bindable, pin, primary))
        return tuple(identities)

    async def bind(self, identity: Identity, backend: str, now: float) -> Identity:
        """Bind an unknown, bindable id; return the identity as it now stands.

        Its pin may name another backend: the winner's, which the caller follows. It has no pin
        if the store is full and refuses: served unpinned. An identity that is not bindable or
        that has a pin comes back as it is."""
        if not identity.bindable or identity.pin is not None:
            return identity
        held = await self._pins.put(
            identity.key, self._pins.primary(identity.profile, backend, now), now
        )
        if held is None:
            return identity
        self.events["bound" if held.new else "followed"] += 1
        return identity._replace(pin=held.pin, primary=held.primary)

    async def alias(self, identities: Sequence[Identity], primary: Identity, now: float) -> int:
        """Make aliases of `primary`, a pinned identity, of the other unknown and bindable ids of
        its request; return how many were made. Where nothing may hang on it (it has ended, is in
        no store, or its id is a passing one), the first of them is bound to its backend instead
        and the rest are aliases of that."""
        if primary.pin is None:
            return 0
        backend = primary.pin.backend
        root = Held(primary.pin, primary.primary) if self._anchors(primary) else None
        made = 0
        for each in identities:
            if not each.bindable or each.pin is not None:
                continue
            if each.key == primary.key or (root is not None and each.key == root.primary):
                continue
            held = await self._pins.join(each.profile, each.key, backend, root, now, "bound")
            if held is not None and held.new:
                made += 1
            elif held is not None and held.pin.backend != backend:
                self.events["conflict"] += 1
                continue
            root = root or held
        return made

    def _anchors(self, identity: Identity) -> bool:
        """Whether other ids may hang on the pin of this one."""
        pin = identity.pin
        passing = self.names.kind(identity.profile).passing
        return bool(identity.primary and pin is not None and not pin.ended and not passing)

    async def call(self, found: Sequence[Found], backend: str, now: float) -> int:
        """Bind the ids that `backend` itself sent out (finds of use `sent`), so that the message
        which names one finds its way back; return how many were new."""
        made = 0
        for profile, key in self.names.named(found, ("sent",)):
            held = await self._pins.put(key, self._pins.primary(profile, backend, now), now)
            if held is not None and held.new:
                self.events["bound"] += 1
                made += 1
        return made

    async def move(self, identity: Identity, backend: str, now: float) -> Identity:
        """Redispatch: bind the primary of a pinned identity to `backend`, compare-and-set; its
        aliases follow by construction and its absolute age goes on. Whoever loses a race gets
        the winner's pin. Without a pin the identity comes back as it is. One that stands in no
        store (`primary` empty) is only told where it is now."""
        old = identity.pin
        if old is None:
            return identity
        if not identity.primary:
            return identity._replace(pin=old._replace(backend=backend))
        for _ in range(TRIES):
            new = old._replace(backend=backend, used=now)
            if await self._store.rebind(identity.primary, old, new):
                self.events["moved"] += 1
                return identity._replace(pin=new)
            held = await self._pins.put(identity.primary, new, now)
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

    def text_of(self, found: Sequence[Found], identity: Identity) -> str:
        """The id itself of an identity made of `found`, for a fault that must name it; "" if it is
        none of them."""
        texts = (
            each.id
            for each in found
            if each.profile == identity.profile
            and each.use in ASKING
            and self.names.key(each.profile, each.id) == identity.key
        )
        return next(texts, "")

    # a response

    async def learn(
        self, found: Sequence[Found], backend: str, primary: Identity | None, now: float
    ) -> int:
        """Bind the ids that `backend` issued or showed in its response; return the conflicts.

        found: the response's finds, at best with those of the request: `learn` finds are learnt
        but for those that an `end` among them names. primary: the identity that the exchange was
        pinned by or bound to, if any: new ids become its aliases. Without one, or if it has ended
        or names another backend, the first in precedence becomes the primary of the rest."""
        names = self.names
        learned = names.named(found, ("learn",))
        dated = False
        for each in found:
            dated = dated or each.use == "expires"
        if not learned and not dated:
            return 0
        ended = names.ended(found)
        known = self._known(primary, backend, now)
        root: Held | None = None
        asked = primary is None or (primary.profile, primary.key) in ended
        echoes: set[bytes] | None = None
        conflicts = 0
        for profile, key in learned:
            if key == known or (profile, key) in ended:
                continue
            held = await self._pins.find(key, now)
            if held is not None and held.pin.ended:
                echoes = echoes or {each for _, each in names.named(found, ASKING)}
                if key in echoes:
                    continue  # the reply to what trails behind an end
                held = None
            if held is None and not asked and primary is not None:
                asked = True
                root = await self._root(primary, backend, now) or root
            if held is None:
                held = await self._pins.join(profile, key, backend, root, now, "learned")
            if held is None:
                continue
            if held.pin.backend != backend:
                conflicts += 1
                continue
            if not held.new:
                await self._refresh(held, now)
            root = root or held
        if dated:
            await self._bound(found, now)
        self.events["conflict"] += conflicts
        return conflicts

    async def _bound(self, found: Sequence[Found], now: float) -> None:
        """Give the ids of a response the bound that it states: those it issued or showed, else
        those of the same profile that the request named."""
        bounds, bad = self.names.bounds(found, now)
        self.events["undated"] += bad
        for profile, until in bounds.items():
            own = [each for each in found if each.profile == profile]
            life = self.names.kind(profile).life
            for _, key in self.names.named(own, ("learn",)) or self.names.named(own, ASKING):
                pin = await self._store.lookup(key)
                if pin is not None and not pin.ended:
                    least = min(until, pin.created + life) if life else until
                    if pin.until != least:
                        await self._store.rebind(key, pin, pin._replace(until=least, used=now))

    def _known(self, primary: Identity | None, backend: str, now: float) -> bytes:
        """The key that need not be looked up again: most replies only echo the request's id."""
        if primary is None or primary.pin is None or primary.pin.backend != backend:
            return b""
        if primary.pin.ended:
            return b""
        return b"" if self._lifetime.stale(primary.pin, now) else primary.key

    async def _root(self, primary: Identity, backend: str, now: float) -> Held | None:
        """The exchange's primary as it stands now, if it is one of `backend`'s sessions: the
        request may have been long ago, and an alias of a pin that is gone is born dead."""
        if not self._anchors(primary):
            return None
        held = await self._pins.find(primary.key, now)
        if held is None or held.pin.ended:
            return None
        return held if held.pin.backend == backend else None

    async def _refresh(self, held: Held, now: float) -> None:
        if self._lifetime.stale(held.pin, now):
            self.events["touched"] += 1
            await self._store.touch(held.primary, now)

    async def end(self, found: Sequence[Found], now: float) -> int:
        """Forget the ids whose session a message has ended, at once or after `keep_ended`; return
        how many pins that were.

        found: all finds of the exchange, the `end` ones being those that count (the caller knows
        whether the reply was a fault). A marker without an id ends the session of every id of its
        profile among `found`: the primary, and so all its aliases. A marker with an id ends that
        id; if it is a primary, that is the session too. Ids of a profile whose `IdKind` says
        `ends_alone` take nothing along either way. Call it before `learn`, or after."""
        ended = self.names.ended(found)
        if not ended:
            return 0
        count = 0
        for profile, key in ended.among(self.names.named(found)):
            pin = await self._store.lookup(key)
            if pin is None or pin.ended:
                continue
            if self._lifetime.over(pin, now):
                if pin.alias or self._lifetime.expired(pin, now):
                    await self._pins.drop(key, pin)
                continue
            how = NAME_ENDED if pin.alias else SESSION_ENDED
            if self.names.kind(profile).ends_alone:
                how = NAME_ENDED
            elif pin.alias and profile in ended.profiles:
                primary = await self._store.lookup(pin.alias)
                if primary is not None and not dead_alias(pin, primary):
                    key, pin, how = pin.alias, primary, SESSION_ENDED
            count += await self._pins.close(key, pin, how, now)
        return count
