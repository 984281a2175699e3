"""What a message leads to, in sentences: the rules of routing and learning, said aloud.

What only a running gateway knows - which ids are pinned, who is up - is told as rules: "if none
is pinned, ...". The one rule: each sentence is about this message under this service's terms, and
uses the words of the log, so that it can be compared with a line of it. Nothing is decided here;
`soapgate.core.routing` and `soapgate.core.affinity` decide, and a rule changed there is to be
changed here. To run them against invented pins was dropped: it would show one case as if it were
the rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from soapgate.core.errors import Reason
from soapgate.core.explained import Ranked, View
from soapgate.core.faults import RULES


def request_steps(view: View, order: Sequence[Ranked], ends: Sequence[str]) -> Iterable[str]:
    """What happens with a request that names these ids, and `ends` (as text) sessions."""
    terms = view.terms
    balanced = f"balanced by {view.policy}"
    if terms.role is not None:
        balanced += f' among backends with the role "{terms.role}"'
    if not order:
        yield f"no id: {balanced}, nothing is bound"
    else:
        yield f"look up {_names(order)}; the first that is pinned decides"
        if terms.lost == "strict":
            yield f'if its backend is gone: {fault(Reason.SESSION_LOST)} (lost = "strict")'
        else:
            yield f'if its backend is gone: {balanced}, and the pin moves (lost = "redispatch")'
        yield f"if none is pinned: {_unpinned(view, order, balanced)}"
        if len(order) > 1:
            yield (
                "an id that is pinned to another backend than the first is a conflict: counted,"
                " logged, and not bound anew"
            )
    yield from (f"once the reply came without a fault, the session ends, {end}" for end in ends)


def _unpinned(view: View, order: Sequence[Ranked], balanced: str) -> str:
    terms = view.terms
    bound = next((one for one in order if one.bindable), None)
    if bound is not None:
        return f"{balanced}; {_name(bound)} is bound to that backend"
    words = {one.profile: terms.unknown_of.get(one.profile, terms.unknown) for one in order}
    for name, word in words.items():
        if word == "fault":
            told = {profile.name: profile.unknown_fault for profile in view.profiles}
            own = told.get(name, "soap")
            answer = fault(Reason.SESSION_UNKNOWN) if own == "soap" else f"{own}'s fault, HTTP 500"
            return f'{answer} (unknown = "fault")'
    if "hash" in words.values():
        return 'balanced by the id\'s own hash, nothing is bound (unknown = "hash")'
    return f"{balanced}, nothing is bound"


def response_steps(order: Sequence[Ranked], ends: Sequence[str]) -> Iterable[str]:
    """What happens with a response that names these ids, and `ends` sessions."""
    if not order:
        yield "no id: nothing is learnt"
    else:
        yield (
            f"learn {_name(order[0])}: bound to the backend that answered, before the first byte"
            " goes downstream, unless its request was pinned by another id: then as its alias"
        )
        for one in order[1:]:
            yield f"learn {_name(one)}: an alias of the same session"
        yield "an id that another backend has already is a conflict: counted, and stays there"
    yield from (f"the session ends, {end}" for end in ends)


def answered(reason: Reason, detail: str) -> str:
    """Why a request is refused, and with what."""
    return f"{detail}: the client gets {fault(reason)}"


def fault(reason: Reason) -> str:
    """The answer that a reason leads to."""
    rule = RULES[reason]
    return f"fault {rule.subcode}, HTTP {rule.status}"


def _names(order: Iterable[Ranked]) -> str:
    return ", then ".join(_name(one) for one in order)


def _name(ranked: Ranked) -> str:
    return f"{ranked.id.hash} ({ranked.profile})"
