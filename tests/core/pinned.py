"""An affinity over a store in memory: ids to name, and a desk that does the awaiting.

desk = Desk()
desk.session("b1", "rm", "1", ("cookie", "c"))  # a learnt id and its alias
desk.backend("cookie", "c")                     # "b1"
"""

from __future__ import annotations

from soapgate.core.affinity import Affinity
from soapgate.core.errors import StoreError
from soapgate.core.keys import Keys
from soapgate.core.pins import Lifetime
from soapgate.core.scanner import Found
from soapgate.stores.memory import MemoryStore

IDLE, MAX_AGE = 800.0, 5000.0
T0 = 1_000_000.0
KEYS = Keys(bytes(32))
ORDER = {"header": 0, "rm": 1, "cookie": 2}


def run(coroutine):
    """The result of a coroutine that must not suspend."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it suspends")


def key(profile, text):
    return KEYS.key("shop", profile, text)


def lookup(profile, text):
    return Found(profile, "lookup", text, "")


def bind(profile, text):
    return Found(profile, "bind", text, "")


def learn(profile, text):
    return Found(profile, "learn", text, "")


def end(profile, text=""):
    return Found(profile, "end", text, "")


def expires(profile, text):
    return Found(profile, "expires", text, "")


def sent(profile, text):
    return Found(profile, "sent", text, "")


class Desk:
    """An affinity and the store below it, with the awaiting done."""

    def __init__(self, store=None, *, keep=0.0, kinds=None, scope="shop"):
        self.store = store or MemoryStore()
        lifetime = Lifetime(IDLE, MAX_AGE, keep)
        self.affinity = Affinity(self.store, KEYS, scope, lifetime, ORDER, kinds=kinds)

    def __getattr__(self, verb):
        return lambda *given: run(getattr(self.affinity, verb)(*given))

    def held(self, profile, text):
        """The pin under an id, as the store has it."""
        return run(self.store.lookup(key(profile, text)))

    def backend(self, profile, text, now=T0):
        """Where a request that names this id belongs; None = nowhere."""
        (identity,) = self.identify([lookup(profile, text)], now)
        return identity.pin.backend if identity.pin else None

    def session(self, backend, profile, text, *aliases, now=T0):
        """A learnt id and its aliases."""
        found = [learn(profile, text), *(learn(*each) for each in aliases)]
        assert self.learn(found, backend, None, now) == 0
        return self.identify([lookup(profile, text)], now)[0]

    def happened(self):
        return {event: count for event, count in self.affinity.events.items() if count}


class Unreachable(MemoryStore):
    """Has no answer."""

    async def lookup(self, key):
        raise StoreError("gone")
