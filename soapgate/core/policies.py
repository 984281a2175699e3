"""Policies: which of the available backends gets a request that no pin decides.

A policy is one method. It gets a sequence of candidates, never empty, and chooses one; it knows
nothing of pins, health or roles, which were settled before it was asked. Stickiness is not a
policy here: a pin overrides whatever a policy would say. That would be the alternative - a
"sticky" policy that wraps another - and it was dropped because drain, strict and redispatch then
have to be told to every policy.

A policy keeps its own turn between calls and nothing else. `Pool` hands out the same sequence
object for as long as nobody's availability changes, so a policy may work something out once a
sequence and find it again by identity: the cost of a choice does not grow with the pool, but for
`least_requests`, which has to look at everyone.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from heapq import heapify, heapreplace
from math import log
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from soapgate.core.pool import Member

SLOT_BYTES = 2  # 65,536 slots: 328 for each of 200 backends, so shares differ by 5 % or so


class Policy(Protocol):
    """Chooses among candidates."""

    def select(self, candidates: Sequence[Member], key: bytes) -> Member:
        """One of `candidates`, which is not empty and which nobody alters afterwards. `key`
        stands for the request's session id, b"" when it has none. Raises nothing."""


class RoundRobin:
    """Everybody in turn, weights ignored."""

    __slots__ = ("_turn",)

    def __init__(self) -> None:
        self._turn = 0

    def select(self, candidates: Sequence[Member], key: bytes) -> Member:
        turn = self._turn
        self._turn = turn + 1
        return candidates[turn % len(candidates)]


class WeightedRoundRobin:
    """Everybody in turn as often as his weight says, his turns evenly spaced.

    A member of weight w is due at (n + 1/2) / w for n = 0, 1, 2 ...; whoever is due first is
    chosen. Between two whole numbers everybody is due exactly w times, so shares are exact over
    a cycle. nginx spreads turns as well but walks all members for every choice; a heap of due
    times costs O(log n). Members that stay keep their due times when others join or leave.
    """

    __slots__ = ("_candidates", "_due", "_now")

    def __init__(self) -> None:
        self._candidates: Sequence[Member] = ()
        self._due: list[tuple[float, int, float, Member]] = []  # (due, tie, spacing, member)
        self._now = 0.0  # the latest due time that was served

    def select(self, candidates: Sequence[Member], key: bytes) -> Member:
        if candidates is not self._candidates:
            self._reseat(candidates)
        due, tie, spacing, member = self._due[0]
        heapreplace(self._due, (due + spacing, tie, spacing, member))
        self._now = due
        return member

    def _reseat(self, candidates: Sequence[Member]) -> None:
        """Seat the candidates: who stays keeps his due time, but never a longer wait than his
        present weight asks for; who comes is due half a spacing from now."""
        kept = {member.name: due for due, _, _, member in self._due}
        now = self._now
        self._due = []
        for tie, member in enumerate(candidates):
            spacing = 1 / member.backend.weight
            due = min(kept.get(member.name, now + spacing / 2), now + spacing)
            self._due.append((due, tie, spacing, member))
        heapify(self._due)
        self._candidates = candidates


class LeastRequests:
    """The least loaded: fewest requests in flight for its weight; equals in turn. O(n)."""

    __slots__ = ("_turn",)

    def __init__(self) -> None:
        self._turn = 0

    def select(self, candidates: Sequence[Member], key: bytes) -> Member:
        loads = [member.load for member in candidates]
        least = min(loads)
        try:
            place = loads.index(least, self._turn)
        except ValueError:
            place = loads.index(least)
        self._turn = place + 1
        return candidates[place]


class RandomTwo:
    """The less loaded of two picked at random: nearly as even as `least_requests`, at a cost
    that does not grow, and without a herd running to whoever was idle last."""

    __slots__ = ("_random",)

    def __init__(self, generator: random.Random | None = None) -> None:
        self._random = (generator or random.Random()).random

    def select(self, candidates: Sequence[Member], key: bytes) -> Member:
        size = len(candidates)
        first = int(self._random() * size)
        second = (first + 1 + int(self._random() * (size - 1))) % size
        one, other = candidates[first], candidates[second]
        return other if other.load < one.load else one


class Rendezvous:
    """The same backend for the same key, for as long as it is a candidate.

    Weighted rendezvous hashing (highest random weight): everybody draws a number for the key
    and the best draw wins, so when one leaves only its keys move, and when one joins it takes
    only what it wins. Numbers are drawn for a slot, one of 65,536 that a key falls into, and
    the winner of a slot is remembered until the candidates change: a choice costs one hash
    instead of one a backend. Any gateway comes to the same answer. Without a key: round robin.
    """

    __slots__ = ("_candidates", "_keyless", "_winners")

    def __init__(self) -> None:
        self._candidates: Sequence[Member] = ()
        self._winners: dict[bytes, Member] = {}
        self._keyless = RoundRobin()

    def select(self, candidates: Sequence[Member], key: bytes) -> Member:
        if not key:
            return self._keyless.select(candidates, key)
        if candidates is not self._candidates:
            self._candidates = candidates
            self._winners.clear()
        slot = blake2b(key, digest_size=SLOT_BYTES).digest()
        winner = self._winners.get(slot)
        if winner is None:
            winner = min(candidates, key=lambda member: _draw(slot, member))
            self._winners[slot] = winner
        return winner


def _draw(slot: bytes, member: Member) -> float:
    """The member's draw for a slot, the smallest wins: exponentially distributed with its weight
    as the rate, which makes its chance to win proportional to the weight."""
    drawn = blake2b(slot + member.name.encode(), digest_size=8).digest()
    uniform = ((int.from_bytes(drawn) >> 11) + 0.5) / 2**53  # strictly between 0 and 1
    return -log(uniform) / member.backend.weight


POLICIES: Mapping[str, Callable[[], Policy]] = {
    "round_robin": RoundRobin,
    "weighted_round_robin": WeightedRoundRobin,
    "least_requests": LeastRequests,
    "random_two": RandomTwo,
    "hash": Rendezvous,
}
