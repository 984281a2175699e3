"""An explanation as values: a message, what was read of it, and what follows.

The one rule: what stands here may be shown. Ids are hashes; the text of one is there only if
somebody asked for it (`show_ids`), and everything that still knows ids stays with the functions
that make these values. `to_dict` of an `Explanation` is the documented shape for machines
(docs/explain.rst, and the admin API's `Explanation`): a field that is added here is added there.

It refuses to know how a message is read (`soapgate.core.explain`), what a running gateway adds
(`soapgate.core.foretell`) and how any of it looks on a terminal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from soapgate.core.keys import Keys
from soapgate.core.profiles import Profile
from soapgate.core.routing import Terms
from soapgate.core.scanned import Found, ScanLimits
from soapgate.core.services import Rule

KEY_SHOWN = 8  # hex digits of a key, as in the exchange's log line

Direction = Literal["request", "response"]
Kind = Literal["request", "response", "envelope"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message to explain. `body` is out of its transfer coding, still in its content coding.
    `fields`: lower-case names, values in order. An "envelope" has a body, perhaps an `action`
    that was given with it and the fields of a MIME head, and nothing else."""

    kind: Kind
    body: bytes
    action: str = ""
    target: bytes = b""
    status: int = 0
    fields: Mapping[bytes, Sequence[bytes]] = field(default_factory=dict)

    def first(self, name: bytes) -> bytes:
        """The first value of a field, b"" where there is none."""
        return next(iter(self.fields.get(name, ())), b"")


@dataclass(frozen=True, slots=True)
class View:
    """A service as an explanation needs it; `policy` is the name of its pool's policy, `scope`
    what its pins bear as their service ("": the service's name)."""

    rule: Rule
    profiles: tuple[Profile, ...]
    terms: Terms
    limits: ScanLimits
    policy: str = "round_robin"
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Id:
    """One id: its short hash, its length in characters, and itself where that was asked for."""

    hash: str
    length: int
    clear: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """One location and what it found. `use` is lookup, bind, learn or end; an `end` that is a
    mark without an id of its own is `met` and has no ids."""

    use: str
    location: str
    met: bool
    ids: tuple[Id, ...]


@dataclass(frozen=True, slots=True)
class Looked:
    """One profile: all its locations for this direction, in the profile's order."""

    profile: str
    places: tuple[Place, ...]

    @property
    def met(self) -> bool:
        """Whether any location found something."""
        return any(place.met for place in self.places)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the pins of a running gateway say of an id. `state`: pinned, expired (a pin that no
    longer counts) or unknown. `backend` is the pinned one's name, `alias` whether the pin is one
    that leads to another."""

    state: Literal["pinned", "expired", "unknown"]
    backend: str | None
    alias: bool


@dataclass(frozen=True, slots=True)
class Ranked:
    """An id of the message at its place in the order of precedence. `pin` is None where no
    running gateway was asked."""

    profile: str
    id: Id
    bindable: bool
    pin: Standing | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """An id of a request that belongs to another backend than the one that decided."""

    profile: str
    hash: str
    backend: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a running gateway would do with a request just now.

    `route` and `reason` are the words of the log line; `backend` is the one it would go to, None
    if it would be refused or if that is the policy's turn among `candidates`. `profile` and
    `hash` name the id that decides, if one does. `fault` is the answer to a refused one.
    """

    route: str
    reason: str
    backend: str | None
    candidates: tuple[str, ...]
    profile: str | None
    hash: str | None
    conflicts: tuple[Conflict, ...]
    fault: str | None


@dataclass(frozen=True, slots=True)
class Reading:
    """The message read in one direction.

    outcome: found, none, limit, not-soap (the scanner's words), not-read (no profile of the
    service looks into the envelope, or the body is empty), unreadable (a response that passes)
    or refused. `read` of `size` bytes were looked at before the decision. `would` is what
    happens next, in sentences; `hints` why nothing was found, where nothing was; `verdict` what
    a running gateway says, if one was asked; `refusal` why nothing happens.
    """

    direction: Direction
    outcome: str
    detail: str
    soap: str | None
    fault: bool | None
    read: int
    size: int
    profiles: tuple[Looked, ...]
    order: tuple[Ranked, ...]
    would: tuple[str, ...]
    hints: tuple[str, ...]
    verdict: Verdict | None
    refusal: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """All of it. `service` is None when none matches or the message is no HTTP; `refusal` says
    why the message gets no further than its head."""

    kind: str
    service: str | None
    host: str
    path: str
    action: str
    status: int
    container: str
    content_coding: str
    charset: str
    readings: tuple[Reading, ...]
    refusal: str | None

    @property
    def refused(self) -> bool:
        """Whether the gateway would refuse the message."""
        return self.refusal is not None or any(one.refusal is not None for one in self.readings)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the fields as named here, in all depths, with lists for tuples."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Explanation:
        """What `to_dict` made. Raises KeyError or TypeError for what it did not make."""
        return cls(**{**told, "readings": tuple(map(_reading, told["readings"]))})


def _reading(told: Mapping[str, Any]) -> Reading:
    looked = [
        Looked(one["profile"], tuple(_place(place) for place in one["places"]))
        for one in told["profiles"]
    ]
    order = [
        Ranked(**{**one, "id": Id(**one["id"]), "pin": one["pin"] and Standing(**one["pin"])})
        for one in told["order"]
    ]
    rest = {name: tuple(told[name]) for name in ("would", "hints")}
    verdict = told["verdict"] and _verdict(told["verdict"])
    return Reading(
        **{**told, **rest, "profiles": tuple(looked), "order": tuple(order), "verdict": verdict}
    )


def _place(told: Mapping[str, Any]) -> Place:
    return Place(**{**told, "ids": tuple(Id(**one) for one in told["ids"])})


def _verdict(told: Mapping[str, Any]) -> Verdict:
    conflicts = tuple(Conflict(**one) for one in told["conflicts"])
    return Verdict(**{**told, "candidates": tuple(told["candidates"]), "conflicts": conflicts})


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


@dataclass(frozen=True, slots=True)
class Shown:
    """How ids are shown: hashed with `keys` as the pins of `scope` are, with their text or not."""

    keys: Keys
    scope: str
    clear: bool = False

    def hash(self, profile: str, text: str) -> str:
        """The first digits of an id's key."""
        return self.keys.key(self.scope, profile, text).hex()[:KEY_SHOWN]

    def id(self, found: Found) -> Id:
        """One find's id."""
        return Id(
            self.hash(found.profile, found.id), len(found.id), found.id if self.clear else None
        )
