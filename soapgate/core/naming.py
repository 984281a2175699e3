"""Naming: which store keys a message names, which of them it ends, and when they expire.

What a scanner found is text; a store knows keys. Here the one is turned into the other, in the
order of precedence and each once, so that `soapgate.core.affinity` reads as rules about pins. Also
here: what is special about the ids of one profile (`IdKind`), since it goes with the name.

It asks no store and knows no backend. Only finds that *name* an id count as ids: a date under
`expires` and an address under `reply_to` are finds of the same scan and name nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from soapgate.core.expiry import moment
from soapgate.core.keys import Keys

if TYPE_CHECKING:
    from soapgate.core.scanned import Found

ASKING = ("lookup", "bind")  # uses of the ids that a request is routed by
NAMING = (*ASKING, "learn", "end")


@dataclass(frozen=True, slots=True)
class IdKind:
    """What is special about the ids of a profile.

    `life`: seconds that one lives at most after it was bound, whatever the service says; 0 = as
    long as the service says. `ends_alone`: the end of one is not the end of the session, for
    several stand side by side in it (sequences, subscriptions, shells). `passing`: one is soon
    over, so no other id may hang on it.
    """

    life: float = 0.0
    ends_alone: bool = False
    passing: bool = False


ORDINARY = IdKind()


@dataclass(frozen=True, slots=True)
class Ended:
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


NOTHING = Ended(frozenset(), frozenset())


class Naming:
    """The names of one scope.

    order: profile name -> precedence, the lower the stronger; a profile that is not in it comes
    last. kinds: the profiles whose ids are special.
    """

    def __init__(
        self,
        keys: Keys,
        scope: str,
        order: Mapping[str, int],
        kinds: Mapping[str, IdKind] | None = None,
    ) -> None:
        self.scope = scope
        self._keys = keys
        self._order = order
        self._kinds = kinds or {}

    def key(self, profile: str, session_id: str) -> bytes:
        """The store key of one id."""
        return self._keys.key(self.scope, profile, session_id)

    def kind(self, profile: str) -> IdKind:
        """What is special about the ids of a profile."""
        return self._kinds.get(profile, ORDINARY)

    def ordered(self, found: Sequence[Found]) -> Sequence[Found]:
        """The finds in order of precedence; those of one profile keep their order."""
        if len(found) == 1:
            return found
        last = len(self._order)
        return sorted(found, key=lambda each: self._order.get(each.profile, last))

    def named(
        self, found: Iterable[Found], uses: Sequence[str] = NAMING
    ) -> list[tuple[str, bytes]]:
        """(profile, key) of every id of these uses, each once, in order of precedence."""
        using = [each for each in found if each.id and each.use in uses]
        names = {(each.profile, each.id): None for each in self.ordered(using)}
        key, scope = self._keys.key, self.scope
        return [(profile, key(scope, profile, text)) for profile, text in names]

    def ended(self, found: Iterable[Found]) -> Ended:
        """What the end markers among `found` name."""
        markers = [each for each in found if each.use == "end"]
        if not markers:
            return NOTHING
        return Ended(
            frozenset(each.profile for each in markers if not each.id),
            frozenset(key for _, key in self.named(markers)),
        )

    def bounds(self, found: Iterable[Found], now: float) -> tuple[dict[str, float], int]:
        """(profile -> the earliest moment at which its ids of this message expire, how many
        expiries were no date to come and are ignored)."""
        out: dict[str, float] = {}
        bad = 0
        for each in found:
            if each.use == "expires":
                at = moment(each.id, now)
                if at is None or at <= now:
                    bad += 1
                else:
                    out[each.profile] = min(at, out.get(each.profile, at))
        return out, bad
