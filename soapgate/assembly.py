"""Assembly: the parts of a service that a configuration and a pin store make, pools apart.

`soapgate.serving` puts together what serves; what takes more than naming its parts is made here:
plans, affinities, the gateway's own cookie, and who takes the answers to what a service sends out.

The one rule: everything is a function of the configuration and of what it is handed; nothing is
kept, so a reload makes all of it anew. It knows no reactor and starts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from soapgate.config import Config
from soapgate.core.affinity import Affinity
from soapgate.core.affinitycookie import AffinityCookie
from soapgate.core.keys import Keys
from soapgate.core.pins import Lifetime, PinStore
from soapgate.core.plan import Plan
from soapgate.core.pool import Pool
from soapgate.edge.calls import Callbacks


def plans_of(config: Config) -> dict[str, Plan]:
    """The plan of every service."""
    limits = config.limits.scan
    return {
        name: Plan(config.profiles_for(name), limits, config.senders_for(name))
        for name in config.service
    }


def affinity_of(
    config: Config, name: str, plan: Plan, store: PinStore, keys: Keys, events: dict[str, int]
) -> Affinity:
    """A service's view of the store."""
    lifetime = config.service[name].lifetime
    return Affinity(store, keys, config.scope_of(name), lifetime, plan.order, events, plan.kinds)


def cookie_of(config: Config, name: str, secret: bytes) -> AffinityCookie | None:
    """The cookie that a service told the gateway to set, if it did."""
    service = config.service[name]
    if not service.affinity_cookie:
        return None
    return AffinityCookie(service.affinity_cookie, secret, config.scope_of(name), service.max_age)


def callbacks_of(
    config: Config,
    name: str,
    plans: Mapping[str, Plan],
    pools: Mapping[str, Pool],
    store: PinStore,
    keys: Keys,
    events: dict[str, int],
) -> tuple[Callbacks, ...]:
    """Who takes the answers to what is sent out by a service."""
    return tuple(
        Callbacks(
            affinity_of(config, other, plans[other], store, keys, events),
            pools[config.service[other].pool or ""],
        )
        for other in config.service[name].callbacks
    )


def lifetimes_of(config: Config) -> dict[str, Lifetime]:
    """How long pins live, by scope."""
    return {config.scope_of(name): one.lifetime for name, one in config.service.items()}


def scopes_of(config: Config, pool: str) -> frozenset[str]:
    """The scopes whose pins may name a backend of the pool and are dropped when one restarts:
    none where its pins are kept."""
    known = config.pool.get(pool)
    if known is None or known.on_restart == "keep":
        return frozenset()
    return frozenset(
        config.scope_of(name) for name, one in config.service.items() if one.pool == pool
    )
