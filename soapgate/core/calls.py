"""Calls: requests that backends themselves send out, whose answers come back by another way.

With WS-Addressing an answer need not come on the connection of its question: it may be a request
of its own, to the address in ReplyTo, and names the question's MessageID in RelatesTo. Where those
who ask are a pool behind the gateway, the answer must reach the one that asked. So when a question
goes out through one service, its ids are bound for the service that takes the answers
(`callbacks`), to the backend that asked.

Who asked is known by the address it calls from. Where several backends share one (a machine, a
container host), they say who they are in the field X-Soapgate-Caller; it is believed only from an
address that is one of theirs. An address taken from ReplyTo was dropped: it is the gateway's own,
or else the answer would not come this way.

Values in, values out: nothing is bound here. Sources: WS-Addressing 1.0 core 3.4, metadata 5.2.2;
WS-MakeConnection 1.1 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence

from soapgate.core import ns
from soapgate.core.pool import Pool
from soapgate.core.scanned import Found

CALLER = b"x-soapgate-caller"

# Addresses that are none: the answer comes on the same connection, is polled for, or never comes.
_NOWHERE = frozenset(
    (
        f"{ns.WSA10}/anonymous",
        f"{ns.WSA10}/none",
        f"{ns.WSA04}/role/anonymous",
        f"{ns.WSA0403}/role/anonymous",
        f"{ns.WSA0303}/role/anonymous",
        "http://schemas.microsoft.com/2005/12/ServiceModel/Addressing/Anonymous",
    )
)
_POLLED = (f"{ns.WSMC}/anonymous?id=", "http://docs.oasis-open.org/ws-rx/wsrx/wsmc/")
_MAPPED = "::ffff:"  # an IPv4 client of a listener on IPv6 (RFC 4291 2.5.5.2)


def sent_out(found: Sequence[Found]) -> list[Found]:
    """The `sent` finds of a request whose answer will come by another way."""
    away = {each.profile for each in found if each.use == "reply_to" and is_address(each.id)}
    return [each for each in found if each.use == "sent" and each.profile in away] if away else []


def is_address(text: str) -> bool:
    """Whether an endpoint's address is one that somebody can be reached at."""
    return bool(text) and text not in _NOWHERE and not text.startswith(_POLLED)


def caller(pool: Pool, address: str, says: str = "") -> str | None:
    """The name of the backend of `pool` that calls from `address`; `says` is what it calls itself.
    None for a stranger, and where several could have been it."""
    address = address.removeprefix(_MAPPED)
    here = [
        name
        for name, member in pool.members.items()
        if address and address in (member.backend.host, member.seen_at)
    ]
    if says:
        return says if says in here else None
    return here[0] if len(here) == 1 else None
