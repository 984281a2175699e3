"""Members and pools where several processes serve: their load is on the board, their health is
judged by one.

A worker's `SharedMember` counts on the board and sees what all workers count there, so `maxconn`,
the queue and the policies that weigh load hold for the whole gateway. What its exchanges say of
the backend's health it passes on (`judge`) and never decides: the supervisor's `SeenMember` does,
for its probes and all workers together, and tells everybody (`told`).

The one rule: `settle` and `admin` of a shared member are set by what the supervisor says and by
nothing else; so all processes come to see the same, and one flip is logged once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from soapgate.core.errors import ConfigError
from soapgate.core.policies import Policy
from soapgate.core.pool import Backend, Health, Member, Pool
from soapgate.edge.board import ROWS, Bells, Board, Row

# {backend: (row, admin, up, streak)}: what a supervisor tells of a pool
States = Mapping[str, tuple[int, Any, bool, int]]
Judge = Callable[[Pool, Member, bool], None]


class _Seated(Member):
    """A member whose load is read off the board."""

    __slots__ = ("_row", "row")

    def __init__(self, row: Row, *about: Any) -> None:
        self.row = row.number
        self._row = row
        super().__init__(*about)

    def _weigh(self) -> None:
        """Nothing is kept: `full` and `load` are read off the board."""

    @property
    def full(self) -> bool:  # type: ignore[override]
        """All places are taken, or somebody waits for one, in whichever worker."""
        if not self._backend.maxconn:
            return False
        return sum(self._row.counts) >= self._limit or any(self._row.waits)

    @property
    def load(self) -> float:  # type: ignore[override]
        """Of all workers."""
        return (sum(self._row.counts) + sum(self._row.waits)) / self._weight


class SharedMember(_Seated):
    """A backend as one of several workers knows it."""

    __slots__ = ("_bells", "_judge")

    def __init__(
        self, row: Row, bells: Bells, judge: Callable[[Member, bool], None], *about: Any
    ) -> None:
        """`judge(member, ok)` hears what an exchange saw; `about` as for a `Member`."""
        self._bells = bells
        self._judge = judge
        super().__init__(row, *about)

    def mark(self, ok: bool) -> bool:
        """Pass on what may matter: a failure, or a success after failures."""
        if ok != self._up or self._streak:
            # what is told back may take a moment: until then a success is told once, and one after
            # a failure of our own is told in any case
            self._streak = int(ok != self._up)
            self._judge(self, ok)
        return False

    def enter(self) -> bool:
        if not self._backend.maxconn:
            self._count(self._inflight + 1)
            return True
        taken = self._row.take(self._limit)
        self._inflight += taken
        return taken

    def admit(self) -> bool:
        if not self._backend.maxconn:
            return self.enter()
        taken = self._row.take_turn(self._limit)
        self._inflight += taken
        return taken

    def leave(self) -> None:
        if not self._inflight:
            raise ValueError(f"member {self.name!r} has no request in flight")
        self._count(self._inflight - 1)
        if self._backend.maxconn:
            self._bells.ring(self._row.others(self._limit))

    def _count(self, inflight: int) -> None:
        self._inflight = inflight
        self._row.counts[self._row.mine] = inflight

    def _wait(self, count: int) -> None:
        """In this worker."""
        fewer = count < self._waiting
        self._waiting = count
        self._row.wait(count)
        if fewer:  # who was first, in the whole gateway, may be so no more
            self._bells.ring(self._row.others(self._limit))


class _SeatedPool(Pool):
    """A pool whose members are full or not by what the board says."""

    _bounded = False  # whether anybody has a maxconn

    def _forget(self) -> None:
        super()._forget()
        self._bounded = any(member.backend.maxconn for member in self.members.values())

    def candidates(
        self, role: str | None, excluded: Any = (), *, full: bool = False
    ) -> tuple[Member, ...]:
        """As ever; but who is full is asked of the board each time, where anybody has a bound.
        The same object as before for the same answer, on which policies rely."""
        if excluded or full or not self._bounded:
            return super().candidates(role, excluded, full=full)
        chosen = self._choose(role, (), False)
        known = self._available.get(role)
        if known == chosen and known is not None:
            return known
        self._available[role] = chosen
        return chosen


class SharedPool(_SeatedPool):
    """A pool of a worker."""

    def __init__(self, name: str, board: Board, bells: Bells, judge: Judge) -> None:
        """Empty, until it is told what to `hold`."""
        self._states: States = {}
        self._board = board
        self._bells = bells
        self._judge = judge
        super().__init__(name, ())

    def hold(
        self,
        states: States,
        backends: Iterable[Backend],
        policy: Callable[[], Policy],
        health: Health,
    ) -> None:
        """Take a new configuration with what the supervisor says of each backend."""
        self._states = states
        self.replace(backends, policy=policy, health=health)
        self.settle(states)

    def settle(self, states: States) -> None:
        """Take what the supervisor says of some backends; of one who is not here, nothing."""
        for name, (row, admin, up, streak) in states.items():
            member = self.members.get(name)
            if isinstance(member, SharedMember) and member.row == row:
                if member.admin != admin:
                    member.admin = admin
                member.settle(up, streak)

    def _enlist(self, backend: Backend) -> Member:
        number = self._states[backend.name][0]
        return SharedMember(
            self._board.row(number), self._bells, self._say,
            backend, self.health, self._forget, self._available.clear,
        )  # fmt: skip

    def _say(self, member: Member, ok: bool) -> None:
        if self.members.get(member.name) is member:  # else a reload took it
            self._judge(self, member, ok)


class SeenMember(_Seated):
    """A backend as the supervisor knows it: it judges the health, and counts nothing itself."""

    __slots__ = ("_told",)

    def __init__(self, row: Row, told: Callable[[Member], None], *about: Any) -> None:
        """`told(member)` is called whenever there is something to tell the workers."""
        self._told = told
        super().__init__(row, *about)

    @property
    def inflight(self) -> int:
        """Of all workers."""
        return self._row.inflight

    @property
    def waiting(self) -> int:
        """Of all workers."""
        return self._row.waiting

    def mark(self, ok: bool) -> bool:
        streak = self._streak
        flipped = super().mark(ok)
        if self._streak != streak and not flipped:  # of a flip it has told already
            self._told(self)
        return flipped

    def _turn(self) -> None:
        super()._turn()
        self._told(self)

    @property
    def state(self) -> tuple[int, str, bool, int]:
        """What there is to tell: row, admin, up, streak."""
        return self.row, self._admin, self._up, self._streak


class SeenPool(_SeatedPool):
    """A pool of the supervisor."""

    def __init__(
        self, allot: Callable[[], Row], told: Callable[[Pool, Member], None], *about: Any
    ) -> None:
        """`allot()` gives a new member its row."""
        self._allot = allot
        self._tell = told
        super().__init__(*about)

    def _enlist(self, backend: Backend) -> Member:
        row = self._allot()
        return SeenMember(
            row, self._say,
            backend, self.health, self._forget, self._available.clear,
        )  # fmt: skip

    def _say(self, member: Member) -> None:
        if self.members.get(member.name) is member:
            self._tell(self, member)


class Allotment:
    """Which rows of a board are taken, and by whom."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._taken: set[int] = set()

    def allot(self) -> Row:
        """A row for a new member; ConfigError if all are taken."""
        number = self._board.free_row(self._taken)
        if not number:
            raise ConfigError([f"with several workers at most {ROWS - 1} backends are possible"])
        self._taken.add(number)
        return self._board.row(number)

    def keep(self, pools: Iterable[Pool]) -> None:
        """Only the members of these pools keep theirs."""
        members = (member for pool in pools for member in pool.members.values())
        self._taken = {one.row for one in members if isinstance(one, SeenMember)}
