"""Is it worth measuring? A gateway must really stick before its cost means anything.

What is proven depends on the case. Ids that the gateway binds or learns: fresh ones, several
requests each, over several connections, all of one id reach one backend. Ids that replies issue:
the backend that issued one gets the requests that bring it. Pins that were there beforehand: each
request reaches the backend its pin names. In all of them, and where there is no id at all, more
than one backend is used (a gateway that sends everything to one is not sticky but stuck), and every
reply has status 200 and comes from a backend. A plain proxy has only to reply.
"""

from __future__ import annotations

import http.client
import ssl

from bench.cases import PATH, Case, Message, backend_names, pinned_backend, pinned_id, session_ids
from bench.contenders import Contender
from bench.processes import BenchError

IDS = 25  # so many that chance gives them more than one backend
ASKED = 3  # requests an id on each of two connections
SECONDS = 20.0

Seen = dict[str, set[str]]  # {id: backends that got its requests}


def check(contender: Contender, port: int, case: Case) -> None:
    """Prove, for this gateway and case, that it does its job. Raises BenchError otherwise."""
    gateway = _Gateway(contender.name, port, case)
    if not contender.sticks:
        gateway.asked(case.message("none"), 1)
        return
    if case.place == "nowhere":
        _more_than_one(gateway, [gateway.asked(case.message("none"), n)[0] for n in range(2 * IDS)])
    elif case.pins:
        _follows_pins(gateway)
    elif case.reply == "issue":
        _follows_replies(gateway)
    else:
        _stays(gateway)


class _Gateway:
    """One contender, asked over one connection after the other."""

    def __init__(self, name: str, port: int, case: Case) -> None:
        self.name = name
        self.case = case
        self._port = port
        self._serial = 0

    def asked(self, message: Message, serial: int) -> tuple[str, str]:
        """(backend, issued id or "") of one request on a connection of its own."""
        link = self._link()
        try:
            return self.ask(link, message.numbered(serial))
        finally:
            link.close()

    def _link(self) -> http.client.HTTPConnection:
        if not self.case.tls:
            return http.client.HTTPConnection("127.0.0.1", self._port, timeout=SECONDS)
        unverified = ssl.create_default_context()
        unverified.check_hostname = False
        unverified.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection(
            "127.0.0.1", self._port, timeout=SECONDS, context=unverified
        )

    def seen(self, ids: list[str]) -> Seen:
        """Ask ASKED times with each id, on each of two connections."""
        found: Seen = {session: set() for session in ids}
        for _connection in range(2):
            link = self._link()
            try:
                for _time in range(ASKED):
                    for session in ids:
                        self._serial += 1  # a shape never seen, where the case has such
                        message = self.case.message(session).numbered(self._serial)
                        found[session].add(self.ask(link, message)[0])
            finally:
                link.close()
        return found

    def ask(self, link: http.client.HTTPConnection, message: Message) -> tuple[str, str]:
        try:
            link.request("POST", PATH, message.body, message.fields)
            reply = link.getresponse()
            body = reply.read()
        except (OSError, http.client.HTTPException) as problem:
            raise BenchError(f"{self.name} gave no reply: {problem!r}.") from problem
        name = reply.headers.get("X-Backend", "")
        if reply.status != http.client.OK or name not in backend_names(self.case.backends):
            raise BenchError(
                f"{self.name} answered {reply.status}, backend {name!r}: {body[:200]!r}."
            )
        return name, reply.headers.get("X-Issued", "")


def _stays(gateway: _Gateway) -> None:
    ids = session_ids(f"check {gateway.name} {gateway.case.name}", IDS)
    seen = gateway.seen(ids)
    _not_scattered(gateway, seen)
    _more_than_one(gateway, [name for names in seen.values() for name in names])


def _follows_replies(gateway: _Gateway) -> None:
    known = session_ids(f"check {gateway.name} {gateway.case.name}", 1)[0]
    replies = [gateway.asked(gateway.case.message(known), n) for n in range(IDS)]
    issued = {session: backend for backend, session in replies}
    seen = gateway.seen(list(issued))
    for session, backend in issued.items():
        seen[session].add(backend)
    _not_scattered(gateway, seen)
    _more_than_one(gateway, list(issued.values()))


def _follows_pins(gateway: _Gateway) -> None:
    case = gateway.case
    for serial in range(0, case.pins, max(1, case.pins // (4 * IDS))):
        wanted = pinned_backend(serial, case.backends)
        got, _issued = gateway.asked(case.message(pinned_id(f"{serial:08x}")), serial)
        if got != wanted:
            raise BenchError(
                f"{gateway.name} sent a request that is pinned to {wanted} to {got} at "
                f"{case.title}."
            )


def _not_scattered(gateway: _Gateway, seen: Seen) -> None:
    scattered = [session for session, names in seen.items() if len(names) > 1]
    if scattered:
        raise BenchError(
            f"{gateway.name} does not stick at {gateway.case.title}: {len(scattered)} of "
            f"{len(seen)} ids reached more than one backend."
        )


def _more_than_one(gateway: _Gateway, used: list[str]) -> None:
    if len(set(used)) < 2:
        raise BenchError(
            f"{gateway.name} used {', '.join(sorted(set(used)))} only, for {len(used)} requests "
            f"at {gateway.case.title}."
        )
