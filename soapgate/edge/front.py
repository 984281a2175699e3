"""All clients of the listeners: how many there may be, and what every connection shares.

What one connection does is `soapgate.edge.downstream`'s; here is who comes and goes. The one rule:
a client that is one too many is told so by a closed connection at once, and never by waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory

from soapgate.edge.deadlines import Deadlines
from soapgate.edge.downstream import Downstream, DownstreamTimes
from soapgate.edge.http11 import HeadLimits, RequestHead, parse_request_head
from soapgate.edge.lines import Doorway
from soapgate.edge.loose import known_heads
from soapgate.edge.metrics import Metrics


class Front(Doorway, Factory):
    """All clients of the listeners, and what every connection shares."""

    noisy = False

    def __init__(
        self,
        exchange: Callable[[Downstream, RequestHead | None, float], Any],
        deadlines: Deadlines,
        times: DownstreamTimes,
        limits: HeadLimits,
        most: int = 0,
        metrics: Metrics | None = None,
    ) -> None:
        """`exchange(downstream, head, now)` makes an exchange, for a head of None one that only
        refuses; `most` connections at a time (0: no bound)."""
        self.exchange = exchange
        self.seconds = deadlines.seconds
        self.closing = False
        self.short = None
        self.open: set[Downstream] = set()
        self._deadlines = deadlines
        self._metrics = metrics or Metrics()
        self._emptied: Callable[[], None] | None = None
        self.use(times, limits, most)

    def use(
        self,
        times: DownstreamTimes,
        limits: HeadLimits,
        most: int,
        reads: Collection[bytes] = (),
    ) -> None:
        """Hold every connection to these from its next request on. `reads`: lower-case names of
        fields that profiles look at."""
        self.times = times
        self.idle_seconds = times.idle
        self.exchange_seconds = times.exchange
        self.limits = limits
        self.most = most
        # what was read under other limits is not known under these

        self.known = known_heads(
            lambda raw: parse_request_head(raw, limits), limits.bytes, reads=reads
        )

    def buildProtocol(self, addr: IAddress | None) -> Downstream:
        """One connection."""
        return Downstream(self)

    def arrived(self, downstream: Downstream) -> bool:
        """Whether there is room for it."""
        self._deadlines.watch(downstream)
        self.open.add(downstream)
        self._metrics.accepted += 1
        self._metrics.connections_downstream += 1
        if self.most and len(self.open) > self.most:
            self._metrics.turned_away += 1
            return False
        return not self.closing

    def left(self, downstream: Downstream) -> None:
        """It is gone."""
        self._deadlines.forget(downstream)
        if downstream in self.open:
            self.open.remove(downstream)
            self._metrics.connections_downstream -= 1
        if not self.open and self._emptied is not None:
            self._emptied()

    def drain(self, emptied: Callable[[], None]) -> None:
        """Take no new requests; call `emptied` when the running exchanges are through."""
        self.closing = True
        self._emptied = emptied
        for downstream in list(self.open):
            if downstream.state in ("idle", "head"):
                downstream.close()
        if not self.open:
            emptied()
