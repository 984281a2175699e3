"""What every client of a turn sends, and before what: one small value for each case.

A case knows its messages, its connections and what the world around the gateway looks like; it
knows nothing of gateways, which read from it what they have to be set up for. Cases of one *group*
run side by side and take turns together, because it is them that one wants to compare; the first
case of a group is what the others are held against.

Add a case by adding a value to `CASES`. Sizes are bytes of the whole envelope, exact to the byte.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from bench.envelopes import SERIAL, Maker, in_body, in_header, secured, without_id

KIB = 1024
PATH = "/shop"
ACTION = "urn:example:shop/add"
CONTENT_TYPE = "text/xml; charset=utf-8"
COOKIE = "SHOPSESSION"
ECHOED = "X-Session"  # a field whose value a backend puts into the Header of its reply
SESSIONS = 64  # ids in rotation: enough for both backends, few enough for a short warm-up
ENDLESS = 2**32  # serial numbers that do not come again
MAIN = "size"  # the group that a run without options measures, with every contender

Place = Literal["header", "cookie", "body", "nowhere"]
Reply = Literal["canned", "echo", "issue"]
Profiles = Literal["one", "default", "none"]


@dataclass(frozen=True, slots=True)
class Message:
    """One request: fields and body. `SERIAL` in either is still to be filled in."""

    fields: dict[str, str]
    body: bytes

    def numbered(self, serial: int) -> Message:
        digits = f"{serial:08x}"
        return Message(
            {name: value.replace(SERIAL, digits) for name, value in self.fields.items()},
            self.body.replace(SERIAL.encode(), digits.encode()),
        )


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of traffic.

    place: where the id stands; with "nowhere" there is none and requests are balanced.
    reply: "canned", the same always, ids are bound on first sight; "echo", each reply has the
    request's id in its Header and the gateway learns it there; "issue", each reply has a new id.
    profiles: of soapgate: the one that the id needs, that and the default set, or none.
    pins: in the store beforehand; the load then walks over all of them, evenly.
    backends: how many; `connections` of clients, kept alive or one for each request.
    endless: something in a message is never the same twice; traced: that is its trace context.
    """

    name: str
    title: str
    about: str
    envelope: Maker
    group: str = MAIN
    place: Place = "header"
    reply: Reply = "canned"
    profiles: Profiles = "one"
    pins: int = 0
    backends: int = 2
    sessions: int = SESSIONS
    connections: int = 16
    keep_alive: bool = True
    tls: bool = False
    endless: bool = False
    traced: bool = False

    @property
    def size(self) -> int:
        """Bytes of one envelope; the same for every id."""
        return len(self.envelope(session_ids("size", 1)[0]))

    @property
    def serials(self) -> int:
        """How many serial numbers the load walks over; 0 = its messages have none."""
        return ENDLESS if self.endless else self.pins

    @property
    def ids(self) -> list[str]:
        """The ids of the load. With pins beforehand it is one, with `SERIAL` in it: all of them."""
        if self.pins:
            return [pinned_id(SERIAL)]
        return session_ids(f"load {self.name}", self.sessions)

    def message(self, session: str) -> Message:
        """What a client with that session posts."""
        fields = {"Content-Type": CONTENT_TYPE, "SOAPAction": f'"{ACTION}"'}
        if self.place == "cookie":
            fields["Cookie"] = f"theme=dark; {COOKIE}={session}; lang=en"
        if self.reply == "echo":
            fields[ECHOED] = session
        if self.traced:  # https://www.w3.org/TR/trace-context/#traceparent-header
            fields["traceparent"] = f"00-0af7651916cd43dd{SERIAL}{SERIAL}-b7ad6b71{SERIAL}-01"
        if not self.keep_alive:
            fields["Connection"] = "close"
        return Message(fields, self.envelope(session))


def session_ids(purpose: str, count: int) -> list[str]:
    """`count` opaque ids of 32 hex digits, other ones for each `purpose`, the same in every run."""
    return [hashlib.sha256(f"{purpose} {n}".encode()).hexdigest()[:32] for n in range(count)]


def pinned_id(serial: str) -> str:
    """The id of a pin that is there beforehand, by its serial number in eight hex digits."""
    return f"c0ffee{'0' * 18}{serial}"


def backend_names(count: int) -> list[str]:
    return [f"b{number}" for number in range(1, count + 1)]


def pinned_backend(serial: int, count: int) -> str:
    """Where the pin of that serial number points, among `count` backends.

    Turned round after each `count`, so that no round robin comes out the same by chance.
    """
    return backend_names(count)[(serial + serial // count) % count]


_HALF = 512
_MANY = "1000 sessions"
_PINS = {1_000: "1 k", 100_000: "100 k", 1_000_000: "1 M"}

CASES: dict[str, Case] = {
    case.name: case
    for case in (
        Case("0.5k", "0.5 KB", "512 bytes; what a chatty service sends", in_header(_HALF)),
        Case(
            "4k-security",
            "4 KB Header",
            "a 4 KiB WS-Security-like Header before the id, a short Body",
            secured(4 * KIB),
        ),
        Case(
            "4k-unique",
            "4 KB Header, unique",
            "the same, its markup never the same twice",
            secured(4 * KIB, unique=True),
            endless=True,
        ),
        Case("30k", "30 KB", "30 KiB, nearly all of it Body", in_header(30 * KIB)),
        Case("1m", "1 MB", "1 MiB, nearly all of it Body", in_header(KIB * KIB), connections=8),
        Case("place-header", "id in Header", "0.5 KB", in_header(_HALF), "place"),
        Case("place-body", "id in Body", "0.5 KB", in_body(_HALF), "place", "body"),
        Case("place-cookie", "id in cookie", "0.5 KB", without_id(_HALF), "place", "cookie"),
        Case("learn-never", "bound on sight", "0.5 KB", in_header(_HALF), "learn"),
        Case(
            "learn-echo",
            "learned, the same",
            "every reply has the request's id in its Header; learned there",
            in_header(_HALF),
            "learn",
            reply="echo",
        ),
        Case(
            "learn-new",
            "learned, a new one",
            "every reply issues an id that was never there: all of them are first logins",
            in_header(_HALF),
            "learn",
            reply="issue",
        ),
        Case("head-same", "one head for all", "0.5 KB", in_header(_HALF), "head"),
        Case(
            "head-traced",
            "a trace context each",
            "every request has a traceparent of its own",
            in_header(_HALF),
            "head",
            endless=True,
            traced=True,
        ),
        Case("keep-alive", "kept alive", "0.5 KB", in_header(_HALF), "connection"),
        Case(
            "close",
            "one request each",
            "a connection for each request",
            in_header(_HALF),
            "connection",
            keep_alive=False,
        ),
        Case("tls-0.5k", "TLS, 0.5 KB", "TLS towards clients", in_header(_HALF), "tls", tls=True),
        Case("tls-30k", "TLS, 30 KB", "the same", in_header(30 * KIB), "tls", tls=True),
        Case(
            "tls-close",
            "TLS, one request each",
            "a full handshake for each request",
            in_header(_HALF),
            "tls",
            connections=4,
            tls=True,
            keep_alive=False,
        ),
        *(
            Case(
                f"pins-{title.replace(' ', '').lower()}",
                f"{title} pins",
                "in the store beforehand, all of them in use",
                in_header(_HALF),
                "pins",
                pins=number,
            )
            for number, title in _PINS.items()
        ),
        Case("backends-2", "2 backends", _MANY, in_header(_HALF), "backends", sessions=1000),
        Case(
            "backends-200",
            "200 backends",
            _MANY,
            in_header(_HALF),
            "backends",
            backends=200,
            sessions=1000,
        ),
        Case("profile-one", "one profile", "0.5 KB", in_header(_HALF), "profiles"),
        Case(
            "profile-default",
            "default set on too",
            "the same messages; soapgate looks for all that is on by default as well",
            in_header(_HALF),
            "profiles",
            profiles="default",
        ),
        Case(
            "plain-none",
            "no protocol, sessions = []",
            "messages without an id; nobody looks for one",
            without_id(_HALF),
            "plain",
            "nowhere",
            profiles="none",
        ),
        Case(
            "plain-default",
            "no protocol, default set",
            "messages without an id; everybody looks for one",
            without_id(_HALF),
            "plain",
            "nowhere",
            profiles="default",
        ),
    )
}

GROUPS: dict[str, tuple[Case, ...]] = {
    group: tuple(case for case in CASES.values() if case.group == group)
    for group in dict.fromkeys(case.group for case in CASES.values())
}
