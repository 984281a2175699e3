"""The gateway's own cookie in an exchange: what the request's claims, and when a reply sets one.

`soapgate.core.affinitycookie` knows the token; this knows the exchange. The rule: it comes last and
only where nothing else is: an exchange with any session id, known or not, learnt or only looked
up, gets no cookie of ours. Services without `affinity_cookie` never come here.
"""

from __future__ import annotations

from soapgate.core.affinitycookie import PROFILE, AffinityCookie
from soapgate.core.routing import Identity
from soapgate.edge.desk import Asked, Service
from soapgate.edge.exchangelog import ExchangeRecord
from soapgate.edge.metrics import Metrics


def claimed(
    service: Service,
    said: Asked,
    identities: tuple[Identity, ...],
    metrics: Metrics,
    now: float,
) -> tuple[Identity, ...]:
    """The identities of a request to a service with a cookie, and behind them what it claims."""
    metrics.foreign_cookies += said.foreign
    own = service.cookie and service.cookie.identity(said.claim, service.pool.members, now)
    return identities if own is None else (*identities, own)


def with_cookie(
    head: bytes, cookie: AffinityCookie, record: ExchangeRecord, now: float, scheme: bytes
) -> bytes:
    """The head of the response to a request without session ids; our cookie is set in it if
    nothing was learnt and the request had none, or one whose backend is gone."""
    if record.learned or (record.profile == PROFILE and record.route == "pinned"):
        return head
    return head[:-2] + cookie.issue(record.backend, now, secure=scheme == b"https") + b"\r\n"
