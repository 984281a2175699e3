"""`soapgate explain` without its arguments and its output: which files, explained by whom.

    files and directories -> messages -> explained here, or by a running gateway -> told, summed up

The one rule: a file that cannot be read, or that holds no message, is told like any other and ends
nothing; a recording of ten thousand messages always gives ten thousand answers. What is explained
here and what a gateway explains have one shape, so whoever shows it need not know.

It refuses to know terminals (`soapgate.show_explained`) and what an explanation says
(`soapgate.core.explain`).
"""

from __future__ import annotations

import base64
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from soapgate.config import Config
from soapgate.core.explain import explain, refused
from soapgate.core.explained import Explanation
from soapgate.core.keys import Keys
from soapgate.edge.http11 import HeadLimits
from soapgate.edge.messages import MESSAGE_BYTES, Saved, read_messages
from soapgate.problems import unknown_name
from soapgate.remote import Remote, RemoteError

FILE_BYTES = 64 * 1024 * 1024  # a longer file is no message; a scan looks at far less
TOO_LARGE = 413
STDIN = Path("-")

_NUMBERS = re.compile(r"(\d+)")


class Unusable(Exception):
    """What was asked for cannot be done; the text is a sentence for a person."""


@dataclass(frozen=True, slots=True)
class Told:
    """One message of a file: its explanation, or the sentence why there is none. `name` is the
    file's, with `#2` for the second message in it."""

    name: str
    said: Explanation | None
    error: str = ""


class Explainer(Protocol):
    """Who explains."""

    hashes: str  # what the hashes can be compared with
    limits: HeadLimits

    def explain(self, saved: Saved, action: str) -> Explanation:
        """The explanation of a message; `action` goes with a bare envelope."""


class Here:
    """Explains by a configuration. Raises Unusable for a service that it has not."""

    def __init__(
        self, config: Config, *, own: bool, service: str | None = None, show_ids: bool = False
    ) -> None:
        """`own`: the configuration is a file of the user's, so its pins' secret counts."""
        if service is not None and service not in config.service:
            known = unknown_name("service", service, config.service)
            raise Unusable(f"--service {service}: {known}")
        self._views = config.views
        self._service = service
        self._show_ids = show_ids
        self.limits = config.limits.heads
        self.keys, self.hashes = keys_of(config if own else None)

    def explain(self, saved: Saved, action: str) -> Explanation:
        if saved.message is None:
            assert saved.failure is not None
            return refused(saved.kind, saved.failure)
        message = saved.message
        if message.kind == "envelope" and action:
            message = replace(message, action=action)
        return explain(
            message, self._views, self.keys, service=self._service, show_ids=self._show_ids
        )


class There:
    """Asks a running gateway, which explains by its own configuration and its pins. RemoteError
    for one that cannot be asked."""

    hashes = "the same as in the gateway's log"

    def __init__(self, remote: Remote, service: str | None = None) -> None:
        self._remote = remote
        self._service = service
        # what is one message and what the next is the same for every gateway; what is too long is
        # for the gateway to say
        self.limits = HeadLimits(bytes=FILE_BYTES, fields=FILE_BYTES, target=FILE_BYTES)

    def explain(self, saved: Saved, action: str) -> Explanation:
        if len(saved.raw) > MESSAGE_BYTES:  # it would not read so much to say so
            raise RemoteError(f"a gateway takes messages of up to {MESSAGE_BYTES} bytes", TOO_LARGE)
        body: dict[str, object] = {"message": base64.b64encode(saved.raw).decode("ascii")}
        if self._service is not None:
            body["service"] = self._service
        if action:
            body["action"] = action
        told = self._remote.send("POST", "explain", body=body)
        try:
            return Explanation.from_dict(told)
        except (KeyError, TypeError, AttributeError):
            raise RemoteError("what answers there is another version of soapgate") from None


def keys_of(config: Config | None) -> tuple[Keys, str]:
    """The keys to hash ids with, and what the hashes can be compared with."""
    if config is not None and config.key_file is not None:
        try:
            return Keys(config.key_file.read_bytes()), "the same as in the gateway's log"
        except (OSError, ValueError):
            pass  # never made yet, or not ours to read
    return Keys(os.urandom(32)), "equal ids have equal hashes, in this output only"


# -- files


def files_of(paths: Iterable[Path]) -> list[Path]:
    """The files that are meant: those named, and all below a directory but hidden ones, in the
    order of their names with numbers by value. Raises Unusable for a name that is not there and
    for a directory without files."""
    found: list[Path] = []
    for path in paths:
        if path == STDIN or not path.is_dir():
            if path != STDIN and not path.exists():
                raise Unusable(f"{path}: there is no such file")
            found.append(path)
            continue
        below = [
            Path(directory, name)
            for directory, _, names in os.walk(path)
            for name in names
            if not any(
                part.startswith(".") for part in Path(directory, name).relative_to(path).parts
            )
        ]
        if not below:
            raise Unusable(f"{path}: the directory has no files")
        found += sorted(below, key=_by_number)
    return found


def _by_number(path: Path) -> list[tuple[int, str]]:
    pieces = _NUMBERS.split(str(path))
    return [(int(piece), "") if at % 2 else (0, piece) for at, piece in enumerate(pieces)]


def read_file(path: Path, limits: HeadLimits) -> list[Saved]:
    """The messages of a file, or of stdin for `-`. Raises Unusable for one that cannot be read."""
    try:
        if path == STDIN:
            data = sys.stdin.buffer.read(FILE_BYTES + 1)
        elif not path.is_file():
            raise Unusable("it is no file")
        else:
            with path.open("rb") as file:
                data = file.read(FILE_BYTES + 1)
    except OSError as error:
        raise Unusable(f"it cannot be read: {error.strerror}") from None
    if len(data) > FILE_BYTES:
        raise Unusable(f"it is over {FILE_BYTES} bytes")
    return read_messages(data, limits)


def tell(files: Iterable[Path], explainer: Explainer, action: str) -> Iterator[Told]:
    """Each message of each file. RemoteError if the gateway is why one is not explained; what it
    says of a single message (too long) is told with that."""
    for path in files:
        try:
            saved = read_file(path, explainer.limits)
        except Unusable as why:
            yield Told(str(path), None, str(why))
            continue
        for number, one in enumerate(saved, 1):
            name = f"{path}#{number}" if len(saved) > 1 else str(path)
            try:
                yield Told(name, explainer.explain(one, action))
            except RemoteError as error:
                if error.status != TOO_LARGE:
                    raise
                yield Told(name, None, str(error))


# -- the sum


@dataclass(frozen=True, slots=True)
class Summary:
    """A recording at a glance. `messages` counts all; `kinds` those of each kind; `ids` is
    profile -> (messages in which it found one, different ids); `nothing` messages without an id;
    `routes` the verdicts of a running gateway; `refused` messages that would be; `errors` files
    and messages without an explanation."""

    messages: int
    kinds: dict[str, int]
    ids: dict[str, tuple[int, int]]
    nothing: int
    routes: dict[str, int]
    refused: int
    errors: int

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "messages": self.messages,
            "kinds": self.kinds,
            "ids": [
                {"profile": name, "messages": messages, "different": different}
                for name, (messages, different) in self.ids.items()
            ],
            "nothing": self.nothing,
            "routes": self.routes,
            "refused": self.refused,
            "errors": self.errors,
        }


def summary(told: Sequence[Told]) -> Summary:
    """What all of these come to."""
    said = [one.said for one in told if one.said is not None]
    found = [
        {(ranked.profile, ranked.id.hash) for reading in one.readings for ranked in reading.order}
        for one in said
    ]
    within = Counter(profile for ids in found for profile in {profile for profile, _ in ids})
    different = Counter(profile for profile, _ in set().union(*found))
    verdicts = [r.verdict for one in said for r in one.readings if r.verdict is not None]
    return Summary(
        messages=len(told),
        kinds=dict(Counter(one.kind for one in said)),
        ids={name: (count, different[name]) for name, count in within.most_common()},
        nothing=sum(not ids for ids in found),
        routes=dict(Counter(one.route for one in verdicts)),
        refused=sum(one.refused for one in said),
        errors=len(told) - len(said),
    )


def shape(told: Sequence[Told], single: bool) -> dict[str, Any]:
    """For JSON: the explanation of a `single` message; of several each with its name, and their
    sum. All of it is in docs/explain.rst."""
    if single and told[0].said is not None:
        return told[0].said.to_dict()
    messages = [
        {
            "name": one.name,
            "explanation": one.said.to_dict() if one.said is not None else None,
            "error": one.error or None,
        }
        for one in told
    ]
    return {"messages": messages, "summary": summary(told).to_dict()}


def status(told: Sequence[Told]) -> int:
    """The exit status: 2 if anything could not be explained, 1 if the gateway would refuse a
    message, else 0."""
    if any(one.said is None for one in told):
        return 2
    return int(any(one.said is not None and one.said.refused for one in told))
