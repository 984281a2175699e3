"""What figures say together: least, median and most, ratios, percentiles.

A ratio is taken within a round, against a figure of the same round, and only then summed up: two
minutes of one machine are never compared. Nothing is smoothed or thrown away.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class Measured(Protocol):
    """One figure: CPU microseconds a request of a contender at a case, in a round."""

    @property
    def case(self) -> str: ...
    @property
    def contender(self) -> str: ...
    @property
    def round(self) -> int: ...
    @property
    def cpu_us(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Spread:
    """Least, median and most of some figures."""

    least: float
    median: float
    most: float

    @classmethod
    def of(cls, figures: Iterable[float]) -> Spread:
        """Raises ValueError if there are none."""
        known = list(figures)
        if not known:
            raise ValueError("no figures, no spread")
        return cls(min(known), statistics.median(known), max(known))

    @classmethod
    def read(cls, found: Mapping[str, float]) -> Spread:
        """As it stands in a document."""
        return cls(found["least"], found["median"], found["most"])

    def written(self, form: str) -> str:
        """`"20 / 21 / 23"`, each in the format `form`."""
        return f"{self.least:{form}} / {self.median:{form}} / {self.most:{form}}"


Key = tuple[str, str]  # case, contender


def spreads(turns: Sequence[Measured]) -> dict[Key, Spread]:
    """{(case, contender): CPU microseconds a request}."""
    return {key: Spread.of(rounds.values()) for key, rounds in _by_lane(turns).items()}


def ratio(turns: Sequence[Measured], lane: Key, base: Key) -> Spread | None:
    """CPU of one lane over that of another, round by round; None if they share no round."""
    lanes = _by_lane(turns)
    above, below = lanes.get(lane, {}), lanes.get(base, {})
    common = [above[number] / below[number] for number in above if number in below]
    return Spread.of(common) if common else None


def _by_lane(turns: Sequence[Measured]) -> dict[Key, dict[int, float]]:
    lanes: dict[Key, dict[int, float]] = {}
    for turn in turns:
        lanes.setdefault((turn.case, turn.contender), {})[turn.round] = turn.cpu_us
    return lanes


def percentile(ordered: Sequence[float], share: float) -> float:
    """The least of the figures that at least `share` (0 to 1) of them do not exceed.

    The nearest rank, so what is named was measured. Raises ValueError for no figures.
    """
    if not ordered:
        raise ValueError("no figures, no percentile")
    rank = math.ceil(share * len(ordered) - 1e-9)
    return ordered[max(0, min(len(ordered), rank) - 1)]


def by_chance(first: int, second: int) -> float:
    """How likely it is that all of `first` figures lie on one side of all of `second` others,
    though nothing differs: 2 / C(first + second, first)."""
    return min(1.0, 2 / math.comb(first + second, first))
