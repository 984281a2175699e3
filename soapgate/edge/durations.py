"""How long exchanges took, as Prometheus counts it: a histogram with fixed bounds.

Counted in by every exchange, read at a scrape: so adding one is two additions and a look for its
place, and what a scrape tells is summed up then.
"""

from __future__ import annotations

# upper bounds in seconds: from a cached answer on loopback to the usual 60 s time-out
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Durations:
    """How long exchanges took: how many in each of `BUCKETS` and beyond, and seconds in all."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.total += seconds
        place = 0
        # most are in the first: cheaper than a search for it
        for bound in BUCKETS:
            if seconds <= bound:
                break
            place += 1
        self.counts[place] += 1

    def cumulated(self) -> list[tuple[str, float]]:
        """(upper bound, how many took at most that), the way a histogram is told."""
        told, so_far = [], 0
        for bound, count in zip((*BUCKETS, float("inf")), self.counts, strict=True):
            so_far += count
            told.append(("+Inf" if bound == float("inf") else str(float(bound)), float(so_far)))
        return told
