"""What a decision is made of: a pool, terms, and ids that are pinned or not.

route(STRICT, [pinned("b1"), NEW], pool_of("b1", "b2"))
"""

from __future__ import annotations

from hypothesis import strategies as st

from soapgate.core.pins import LIVE, NAME_ENDED, SESSION_ENDED, Pin
from soapgate.core.policies import POLICIES
from soapgate.core.pool import Backend, Health, Pool
from soapgate.core.routing import Identity, Terms

STRICT = Terms()
REDISPATCH = Terms(lost="redispatch")


def pool_of(*names: str, maxconn: int = 0, **options: object) -> Pool:
    backends = [Backend.parse(name, f"http://{name}", maxconn=maxconn) for name in names]
    return Pool("shop", backends, health=Health(rise=1, fall=1), **options)  # type: ignore[arg-type]


def pinned(backend: str, key: bytes = b"k", *, primary: bytes | None = None) -> Identity:
    pin = Pin("shop", "p", backend, b"", 0.0, 0.0)
    return Identity("p", key, True, pin, primary or key)


def unpinned(key: bytes = b"k", *, bindable: bool) -> Identity:
    return Identity("p", key, bindable, None, key)


NEW = unpinned(b"new", bindable=True)
UNKNOWN = unpinned(b"unknown", bindable=False)


def fill(pool: Pool) -> None:
    for member in pool.members.values():
        member.inflight = max(1, member.backend.maxconn)


# Any

NAMES = ("b1", "b2", "b3", "gone")
KEYS = st.binary(max_size=3)
FIELDS = {
    "service": st.just("shop"),
    "profile": st.just("p"),
    "backend": st.sampled_from([*NAMES, "gone"]),
    "alias": st.just(b""),
    "created": st.just(0.0),
    "used": st.just(0.0),
}


def identities(*ended: int) -> st.SearchStrategy[list[Identity]]:
    """Up to four identities; a pin has one of `ended`."""
    pins = st.builds(Pin, **FIELDS, until=st.just(9.0), ended=st.sampled_from(ended))
    return st.lists(
        st.builds(
            Identity,
            profile=st.just("p"),
            key=KEYS,
            bindable=st.booleans(),
            pin=st.none() | pins,
            primary=KEYS,
        ),
        max_size=4,
    )


IDENTITIES = identities(LIVE)
ANY_IDENTITIES = identities(LIVE, NAME_ENDED, SESSION_ENDED)
TERMS = st.builds(
    Terms,
    lost=st.sampled_from(["strict", "redispatch"]),
    unknown=st.sampled_from(["balance", "fault", "hash"]),
    role=st.sampled_from([None, "worker", "nobody"]),
)
EXCLUDED = st.sets(st.sampled_from(NAMES))


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    """Pools of up to three members in any state."""
    policy = POLICIES[draw(st.sampled_from(list(POLICIES)))]
    pool = Pool("shop", [], policy, Health(rise=1, fall=1))
    backends = []
    for name in draw(st.lists(st.sampled_from(NAMES[:3]), unique=True)):
        roles = draw(st.sampled_from([(), ("worker",)]))
        weight, maxconn = draw(st.integers(1, 3)), draw(st.integers(0, 2))
        backup = draw(st.booleans())
        backends.append(
            Backend.parse(
                name, f"http://{name}", weight=weight, maxconn=maxconn, roles=roles, backup=backup
            )
        )
    pool.replace(backends)
    for member in pool.members.values():
        member.admin = draw(st.sampled_from(["ready", "drain", "maint"]))
        member.mark(draw(st.booleans()))
        member.inflight = draw(st.integers(0, 2))
    return pool
