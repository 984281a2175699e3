"""Which service an exchange belongs to: the first rule, in the file's order, that matches.

A rule looks at three things only: the host that the client asked for, the path it posted to and
the SOAP action. Each is optional; a rule without any matches everything. The first match wins,
so a special service stands above a general one. A longest-match rule was left out: with three
dimensions nobody can say which of two matches is longer.

This chooses, it does not protect: path and action are compared as the client wrote them,
percent-encoding included, so a backend that must not be reached needs its own door.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Rule:
    """When an exchange belongs to the service `name`; an empty tuple asks for nothing.

    hosts: names without port, case-insensitive; `*.example.com` is any name below, not itself.
    paths: prefixes that end at a segment: `/shop` is `/shop` and `/shop/cart`, not `/shopping`.
    actions: SOAP actions, exact; a trailing `*` makes a prefix of it.
    """

    name: str
    hosts: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    everything: bool = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hosts", tuple(host.lower() for host in self.hosts))
        object.__setattr__(self, "everything", not (self.hosts or self.paths or self.actions))


def match(rules: Iterable[Rule], host: str, path: str, action: str) -> str | None:
    """The name of the first rule that matches, None if none does.

    `host` is the value of the Host field (a port is ignored), `path` the request target without
    its query, `action` the SOAP action without its quotes; "" where the request has none.
    """
    bare: str | None = None
    for rule in rules:
        if rule.everything:
            return rule.name
        if bare is None:
            bare = bare_host(host)
        if (
            _host_matches(rule.hosts, bare)
            and _path_matches(rule.paths, path)
            and _action_matches(rule.actions, action)
        ):
            return rule.name
    return None


def shadowed(rules: Iterable[Rule]) -> list[tuple[str, str]]:
    """(rule, earlier rule) for each rule that is never reached because an earlier one takes all
    that it asks for. Every pair is true; not every dead rule is found."""
    seen: list[Rule] = []
    dead = []
    for rule in rules:
        for earlier in seen:
            if _covers(earlier, rule):
                dead.append((rule.name, earlier.name))
                break
        seen.append(rule)
    return dead


def bare_host(value: str) -> str:
    """A Host value in lower case without its port and without a trailing dot (RFC 3986 3.2.2)."""
    value = value.strip().lower()
    if value.startswith("["):
        return value.partition("]")[0] + "]"
    return value.partition(":")[0].removesuffix(".")


def _host_matches(hosts: tuple[str, ...], host: str) -> bool:
    if not hosts:
        return True
    return any(
        host == wanted or (wanted.startswith("*.") and _is_below(host, wanted[1:]))
        for wanted in hosts
    )


def _is_below(host: str, suffix: str) -> bool:
    return len(host) > len(suffix) and host.endswith(suffix)


def _path_matches(paths: tuple[str, ...], path: str) -> bool:
    return not paths or any(_is_prefix(prefix, path) for prefix in paths)


def _is_prefix(prefix: str, path: str) -> bool:
    if not path.startswith(prefix):
        return False
    # `;` starts a path parameter (RFC 3986 3.3), `/shop;jsessionid=1` is the segment `shop`
    return len(path) == len(prefix) or prefix.endswith("/") or path[len(prefix)] in "/;?"


def _action_matches(actions: tuple[str, ...], action: str) -> bool:
    return not actions or any(
        action.startswith(wanted[:-1]) if wanted.endswith("*") else action == wanted
        for wanted in actions
    )


def _covers(earlier: Rule, later: Rule) -> bool:
    return (
        _asks_no_more(earlier.hosts, later.hosts)
        and _asks_no_more(earlier.paths, later.paths)
        and _asks_no_more(earlier.actions, later.actions)
    )


def _asks_no_more(earlier: tuple[str, ...], later: tuple[str, ...]) -> bool:
    return not earlier or (bool(later) and set(later) <= set(earlier))
