"""Room for what need not be worked out anew, and who gets it when more comes by than fits.

The least recently used making place is what one expects. Where more things than fit are in even use
it is the worst there is: every one that comes is written, and none is found again. Here the first
to come are taken; when the room is full, the next pass by and leave nothing, and after a few times
as many everybody makes place. So what is in use by few is found nearly always, what is in use by
many costs no more than not to remember it, and nobody's yesterday stays.

It knows how many came and not what; whoever has a Room keeps the things.
"""

from __future__ import annotations

from collections.abc import Callable

TURNS = 8  # times as many as fit may come before everybody makes place


class Room:
    """Room for `most` things; `forget()` is called when everybody makes place."""

    __slots__ = ("_came", "_ends", "_forget", "_most")

    def __init__(self, most: int, forget: Callable[[], object]) -> None:
        self._most = most
        self._ends = TURNS * most
        self._forget = forget
        self._came = 0

    def takes(self) -> bool:
        """Whether one that came, and was not found, is to be remembered."""
        if self._came >= self._ends:
            self._came = 0
            self._forget()
        self._came += 1
        return self._came <= self._most
