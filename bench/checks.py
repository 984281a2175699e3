"""Is it worth measuring? A gateway must really stick before its cost means anything.

Fresh ids, several requests each, over several connections: all of one id reach one backend, and
the ids together reach every backend (a gateway that sends everything to one is not sticky but
stuck). Every reply has status 200 and comes from a backend.
"""

from __future__ import annotations

import http.client

from bench.backends import NAMES
from bench.cases import ACTION, CONTENT_TYPE, PATH, Case, session_ids
from bench.processes import BenchError

IDS = 8
ASKED = 3  # requests an id on each of two connections
SECONDS = 20.0


def check_stickiness(contender: str, port: int, case: Case) -> dict[str, str]:
    """{session id: backend}, proven for this gateway and case. Raises BenchError otherwise."""
    ids = session_ids(f"check {contender} {case.name}", IDS)
    seen: dict[str, set[str]] = {session: set() for session in ids}
    for _connection in range(2):
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        try:
            for _time in range(ASKED):
                for session in ids:
                    seen[session].add(_ask(contender, link, case.envelope(session)))
        finally:
            link.close()
    scattered = {session: names for session, names in seen.items() if len(names) > 1}
    if scattered:
        raise BenchError(
            f"{contender} does not stick at {case.title}: {len(scattered)} of {IDS} ids reached "
            "more than one backend."
        )
    pinned = {session: names.pop() for session, names in seen.items()}
    unused = set(NAMES) - set(pinned.values())
    if unused:
        raise BenchError(
            f"{contender} never used {', '.join(sorted(unused))} for {IDS} ids at {case.title}."
        )
    return pinned


def _ask(contender: str, link: http.client.HTTPConnection, envelope: bytes) -> str:
    headers = {"Content-Type": CONTENT_TYPE, "SOAPAction": f'"{ACTION}"'}
    try:
        link.request("POST", PATH, envelope, headers)
        reply = link.getresponse()
        body = reply.read()
    except (OSError, http.client.HTTPException) as problem:
        raise BenchError(f"{contender} gave no reply: {problem!r}.") from problem
    name = reply.headers.get("X-Backend", "")
    if reply.status != http.client.OK or name not in NAMES:
        raise BenchError(f"{contender} answered {reply.status}, backend {name!r}: {body[:200]!r}.")
    return name
