"""One log line an exchange, always and only one.

The exchange fills an `ExchangeRecord` as it goes; at its end `ExchangeLog.record` turns it into
one line of text (`key=value`, as grep and awk like it) or one JSON object. Both forms have the
fields of `FIELDS`, all of them in every line, in that order; docs/operations.rst says what each
means.

The one rule: what came in a message cannot forge a line and cannot carry a session id into one.
Every text is plain ASCII without blanks or a JSON string; the path ends before its query and its
first parameter; a key is shown by its first eight hex digits. This file opens no files and
rotates none: it is given a `write`.

twisted.logger was tried for these lines and dropped: an event costs more than the exchange's whole
scan, and its formatting is per reader. A line costs 3 to 4 us here, and a write is for many lines.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Literal

from soapgate.core.carriers import path_of
from soapgate.core.routing import Identity, Route
from soapgate.core.scanned import Found
from soapgate.core.stickiness import Facts, code

Form = Literal["text", "json", "none"]

FLUSH_BYTES = 16 * 1024  # a quarter of a Linux pipe, so one write rarely blocks
TEXT_CHARS = 300  # of a path, an action or a detail: longer ones are cut and end in "..."
CACHED = 1024  # groups of texts kept written, least recently used out; none holds a session id
KEY_SHOWN = 4  # bytes of the keyed hash: enough to follow a session through a log

ASKED = ("service", "method", "path", "action", "profile")
DECIDED = ("route", "reason", "backend", "scan", "reply_scan")
TIMES = ("total", "decide", "queue", "connect", "head")  # milliseconds
COUNTS = ("tries", "conflicts", "learned")
FIELDS = (
    *("time", "client", *ASKED, "key", *DECIDED, "sticky", "status", "in", "out"),
    *(*TIMES, *COUNTS, "left", "detail"),
)


class ExchangeRecord:
    """What is to be said of one exchange; its owner assigns as it learns.

    Texts are empty until known. `started` to `finished` are marks of one monotonic clock in
    seconds, 0.0 for a step that was never reached. `client` is the peer's address without port;
    `target` the request target as it came; `key` the whole store key of the id that decided.
    `read` and `sent` count the octets of the two messages on the client's side, heads included.
    `scan` and `reply_scan` are scan outcomes of request and response. `tries` counts the backends
    dialled or reused. `left` says that the client was gone before the reply was whole. `detail`
    is a sentence of ours on a refusal or failure; never put text from a session id there.
    `ended` and `clashes` count the pins that the exchange ended and the learnt ids that another
    backend has. `told` is (the Route or None, the request's finds, its identities): ids in clear,
    from which only `sticky` is made.

    What a record begins with stands at the class: one is made for every request, and most of it
    never changes.
    """

    client: str = ""
    service: str = ""
    method: str = ""
    target: bytes = b""
    action: str = ""
    profile: str = ""
    key: bytes = b""
    route: str = ""
    reason: str = ""
    backend: str = ""
    status: int = 0
    read: int = 0
    sent: int = 0
    scan: str = ""
    reply_scan: str = ""
    started: float = 0.0
    decided: float = 0.0
    dialled: float = 0.0
    connected: float = 0.0
    answered: float = 0.0
    finished: float = 0.0
    tries: int = 0
    conflicts: int = 0
    learned: int = 0
    left: bool = False
    detail: str = ""
    ended: int = 0
    clashes: int = 0
    told: tuple[Route | None, Sequence[Found], Sequence[Identity]] = (None, (), ())

    @classmethod
    def of(cls, **known: object) -> ExchangeRecord:
        """A record that begins with what is known."""
        record = cls()
        vars(record).update(known)
        return record

    def __repr__(self) -> str:
        shown = {name: value for name, value in vars(self).items() if name != "told"}
        said = ", ".join(f"{name}={value!r}" for name, value in shown.items())
        return f"ExchangeRecord({said})"

    @property
    def seconds(self) -> float:
        """From the first byte of the request to the end of the exchange."""
        return self.finished - self.started

    @property
    def sticky(self) -> str:
        """The four letters of `soapgate.core.stickiness`."""
        decision, found, identities = self.told
        refused, conflicts = self.route == "refused", self.conflicts + self.clashes
        return code(
            Facts(
                *(decision, found, identities, self.key, refused, self.reason),
                *(conflicts, self.learned, self.ended),
            )
        )


class ExchangeLog:
    """Lines gathered and written out in pieces of about `FLUSH_BYTES`.

    `write` takes bytes that end with a line feed; an OSError of it costs those lines, counted in
    `lost`, and never an exchange. `clock` gives seconds since the epoch. The owner calls `flush`
    once a second or so and before it ends.
    """

    def __init__(
        self, write: Callable[[bytes], object], form: Form, clock: Callable[[], float] = time.time
    ) -> None:
        self.lost = 0
        self._write = write
        self._clock = clock
        self._shape = SHAPES[form]
        self._lines: list[str] = []
        self._size = 0
        self._second = -1
        self._stamp = ""
        self.silent = self._shape is None  # nobody needs to make a record

    def record(self, x: ExchangeRecord) -> None:
        """Add the line of a finished exchange."""
        if self._shape is None:
            return
        now = self._clock()
        second = int(now)
        if second != self._second:
            self._second = second
            self._stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        line = self._shape.line(x, self._stamp, (now - second) * 1000)
        self._lines.append(line)
        self._size += len(line)
        if self._size >= FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write out what is gathered."""
        if not self._lines:
            return
        lines, self._lines, self._size = self._lines, [], 0
        try:
            self._write("".join(lines).encode("ascii"))
        except OSError:
            self.lost += len(lines)


class Shape:
    """How a form writes: `pair` of a name and its value, `joint` between pairs, `frame` round all.

    A line is put together from groups of fields whose values repeat, each made once and kept
    while it is used: that is what makes it cheap.
    """

    def __init__(
        self, *, pair: str, joint: str, frame: str, quote: str, none: str, yes: str, no: str
    ) -> None:
        self._none, self._yes, self._no, self._quote = none, yes, no, quote
        self._word = lru_cache(maxsize=CACHED)(self._make_word)
        self._asked = self._group(ASKED, pair, joint)
        self._decided = self._group(DECIDED, pair, joint)
        self._pair, self._joint = pair, joint
        self._times = joint.join(pair % (name, "%.2f") for name in TIMES)
        holes = {
            "time": f"{quote}%s.%03dZ{quote}",
            "in": "%d",
            "out": "%d",
            **dict.fromkeys(COUNTS, "%d"),
        }
        grouped = {ASKED[0]: "%s", DECIDED[0]: "%s", TIMES[0]: "%s"}
        skipped = {*ASKED[1:], *DECIDED[1:], *TIMES[1:]}
        self._template = (
            frame
            % joint.join(
                grouped.get(name) or pair % (name, holes.get(name, "%s"))
                for name in FIELDS
                if name not in skipped
            )
            + "\n"
        )

    def line(self, x: ExchangeRecord, stamp: str, milliseconds: float) -> str:
        """The line of `x`, with its line feed; `stamp` is the second of the time field."""
        none = self._none
        return self._template % (
            stamp,
            milliseconds,
            self._word(x.client),
            self._asked(x.service, x.method, path_of(x.target), x.action, x.profile),
            f"{self._quote}{x.key[:KEY_SHOWN].hex()}{self._quote}" if x.key else none,
            self._decided(x.route, x.reason, x.backend, x.scan, x.reply_scan),
            f"{self._quote}{x.sticky}{self._quote}",
            x.status or none,
            x.read,
            x.sent,
            self._steps(x),
            x.tries,
            x.conflicts,
            x.learned,
            self._yes if x.left else self._no,
            self._word(x.detail) if x.detail else none,
        )

    def _steps(self, x: ExchangeRecord) -> str:
        started, decided, dialled = x.started, x.decided, x.dialled
        connected, answered = x.connected, x.answered
        if answered and connected and dialled and decided:
            return self._times % (
                (x.finished - started) * 1000,
                (decided - started) * 1000,
                (dialled - decided) * 1000,
                (connected - dialled) * 1000,
                (answered - connected) * 1000,
            )
        marks = (
            (started, x.finished),
            (started, decided),
            (decided, dialled),
            (dialled, connected),
            (connected, answered),
        )
        return self._joint.join(
            self._pair % (name, f"{(b - a) * 1000:.2f}" if a and b else self._none)
            for name, (a, b) in zip(TIMES, marks, strict=True)
        )

    def _group(self, names: tuple[str, ...], pair: str, joint: str) -> Callable[..., str]:
        template = joint.join(pair % (name, "%s") for name in names)

        @lru_cache(maxsize=CACHED)
        def group(*values: str) -> str:
            return template % tuple(map(self._word, values))

        return group

    def _make_word(self, text: str) -> str:
        if not text:
            return self._none
        if not self._quote and text != self._none and len(text) <= TEXT_CHARS and _PLAIN(text):
            return text
        if len(text) > TEXT_CHARS:
            text = text[:TEXT_CHARS] + "..."
        return encode_basestring_ascii(text).replace("\x7f", "\\u007f")


SHAPES = {
    "text": Shape(pair="%s=%s", joint=" ", frame="%s", quote="", none="-", yes="yes", no="no"),
    "json": Shape(
        pair='"%s":%s', joint=",", frame="{%s}", quote='"', none="null", yes="true", no="false"
    ),
    "none": None,
}

_PLAIN = re.compile(r"[!#-<>-\[\]-~]+").fullmatch  # printable ASCII but blank, quote, = and \
