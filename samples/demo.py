"""What `soapgate demo` shows: sessions that stay on their node, and what happens when one dies.

The one rule: nothing is claimed that was not checked. Who answered is told by the nodes
themselves, in every reply; what the gateway did, and by which profile, by its log; a check holds
when both agree. The exit status is 0 only if every check held.

The story is told here; `stage.py` puts the processes up, `client.py` speaks to them. `--stay`
keeps them up for one's own client instead of telling the story.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stage import Exchange, Stage, StageError

try:
    import requests
    import spyne_compat  # noqa: F401  (the services need it)
    import zeep
    from client import CartClient
    from rich.console import Console
    from rich.table import Table
except ImportError as error:
    sys.exit(f"the samples need more than the gateway: {error}; pip install 'soapgate[demo]'")

PORT, ADMIN_PORT = 8080, 9900  # of `--stay`: what the documentation says
PROFILES = {
    "header": "shop",
    "wsa": "wsa-refparams",
    "cookie": "http-cookie",
    "body": "shop",
}
SAYS = {
    "header": "SOAP header",
    "wsa": "WS-Addressing",
    "cookie": "HTTP cookie",
    "body": "Body of login",
}
CUSTOMERS = {"ann": "header", "bob": "wsa", "cho": "cookie", "dan": "body"}
NEWCOMERS = {"eve": "header", "fay": "wsa", "gus": "cookie", "hal": "body"}
CALL_ERRORS = (zeep.exceptions.Error, requests.RequestException)
INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
ROUNDS = 3
ARTICLES = ("tea", "jam", "rye")


@dataclass(frozen=True, slots=True)
class Call:
    """One call as its client saw it: `node` answered, or `fault` is the fault's name."""

    customer: str
    carrier: str
    operation: str
    node: str = ""
    fault: str = ""


Judged = tuple[str, bool]  # a sentence, and whether it holds


def judge_sessions(calls: Sequence[Call]) -> Iterator[Judged]:
    """Every session got all its answers from one node, and the sessions used more than one."""
    for customer in dict.fromkeys(call.customer for call in calls):
        own = [call for call in calls if call.customer == customer]
        nodes = {call.node for call in own}
        stayed = len(nodes) == 1 and "" not in nodes
        where = ", ".join(sorted(node or "a fault" for node in nodes))
        yield f"{customer}'s {len(own)} calls were all answered by {where}", stayed
    used = sorted({call.node for call in calls} - {""})
    yield f"the sessions are spread over {' and '.join(used)}", len(used) > 1


def judge_log(calls: Sequence[Call], exchanges: Sequence[Exchange]) -> Iterator[Judged]:
    """The gateway's account of the same calls: it routed to the node that answered, balanced the
    logins, and pinned the rest by the profile of the session's carrier."""
    pairs = list(zip(calls, exchanges, strict=True))
    named = all(call.node == exchange.backend for call, exchange in pairs)
    yield "the gateway's log names the node that answered, for every call", named
    logins = {exchange.route for call, exchange in pairs if call.operation == "login"}
    yield "every login was balanced", logins == {"balanced"}
    for carrier in dict.fromkeys(call.carrier for call in calls):
        own = {
            (exchange.route, exchange.profile)
            for call, exchange in pairs
            if call.carrier == carrier and call.operation != "login"
        }
        sentence = f"every later call over {carrier} was pinned by the profile {PROFILES[carrier]}"
        yield sentence, own == {("pinned", PROFILES[carrier])}


def judge_lost(calls: Sequence[Call], dead: str, homes: dict[str, str]) -> Iterator[Judged]:
    """Sessions of the dead node get the fault SessionLost and no other node's answer; sessions
    of the other go on as before."""
    for call in calls:
        home = homes[call.customer]
        if home == dead:
            lost = call.fault == "SessionLost"
            yield f"{call.customer} gets {call.fault or call.node}: the session is lost", lost
        else:
            yield f"{call.customer} goes on on {call.node or call.fault}", call.node == home


def judge_newcomers(calls: Sequence[Call], dead: str) -> Iterator[Judged]:
    """New sessions work, on nodes that live."""
    for customer in dict.fromkeys(call.customer for call in calls):
        own = [call for call in calls if call.customer == customer]
        nodes = {call.node for call in own}
        held = len(nodes) == 1 and not nodes & {"", dead}
        answers = ", ".join(sorted({call.node or call.fault for call in own}))
        yield f"{customer} starts anew on {answers}", held


class Checks:
    """Prints each check as it is made and remembers whether all held."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.made = self.failed = 0

    def make(self, judged: Iterable[Judged]) -> None:
        """Print each sentence with its verdict."""
        for sentence, held in judged:
            self.made += 1
            self.failed += not held
            verdict = "[green]ok    [/]" if held else "[bold red]FAILED[/]"
            self._console.print(f"  {verdict} {sentence}", highlight=False)


class Story:
    """The demonstration on a stage that is up: each method is one scene."""

    def __init__(self, stage: Stage, console: Console) -> None:
        self.stage = stage
        self.console = console
        self.checks = Checks(console)
        self.clients: dict[str, CartClient] = {}

    def tell(self) -> bool:
        """All scenes; whether every check held."""
        try:
            homes = {call.customer: call.node for call in self.sessions_stay()}
            if not self.checks.failed:  # else there is no node to kill that would show anything
                self.node_dies(homes["ann"], homes)
            self.gateway_ends()
        finally:
            for client in self.clients.values():
                client.close()
        return not self.checks.failed

    def sessions_stay(self) -> list[Call]:
        """Interleaved sessions over every carrier: log in in turn, shop in turn, look."""
        self._scene(f"{len(CUSTOMERS)} sessions, interleaved, each over a carrier of its own")
        calls = self._log_in(CUSTOMERS)
        names = list(CUSTOMERS)
        for round_ in range(ROUNDS):
            turned = names[round_:] + names[:round_]
            calls += [self._call(name, "add", ARTICLES[round_], 1) for name in turned]
        calls += [self._call(name, "items") for name in reversed(names)]
        exchanges = self.stage.exchanges(len(calls))
        self._account(calls, exchanges)
        self.checks.make(judge_sessions(calls))
        self.checks.make(judge_log(calls, exchanges))
        self.checks.make(self._judge_carts(names))
        return calls

    def node_dies(self, dead: str, homes: dict[str, str]) -> None:
        """Kill a node; call over each old session, then over new ones."""
        self._scene(f"{dead} is killed")
        self.stage.children[dead].kill()
        calls = [self._call(name, "items") for name in CUSTOMERS]
        self.checks.make(judge_lost(calls, dead, homes))
        calls = self._log_in(NEWCOMERS)
        calls += [self._call(name, "add", "tea", 1) for name in NEWCOMERS]
        self.checks.make(judge_newcomers(calls, dead))

    def gateway_ends(self) -> None:
        """SIGTERM to the gateway."""
        self._scene("the gateway is told to end")
        status = self.stage.children["gateway"].stop()
        self.checks.make([(f"it ended with status {status}", status == 0)])

    def _log_in(self, customers: dict[str, str]) -> list[Call]:
        for name, carrier in customers.items():
            self.clients[name] = CartClient(carrier, self.stage.url)
        return [self._call(name, "login", name) for name in customers]

    def _call(self, name: str, operation: str, *arguments: object) -> Call:
        client = self.clients[name]
        who = (name, client.carrier, operation)
        try:
            call = Call(*who, node=getattr(client, operation)(*arguments).node)
        except CALL_ERRORS as error:
            call = Call(*who, fault=fault_name(error))
        told = call.node or f"[yellow]{call.fault}[/]"
        self.console.print(f"  [dim]{name:4}{operation:6}[/] -> {told}", highlight=False)
        return call

    def _judge_carts(self, names: Sequence[str]) -> Iterator[Judged]:
        for name in names:
            try:
                cart = self.clients[name].items()
                held = cart.customer == name and {line.article for line in cart.line} == {*ARTICLES}
            except CALL_ERRORS:
                held = False
            yield f"{name}'s cart holds what {name} put into it", held
        self.stage.exchanges(len(names))  # these calls are not told of

    def _scene(self, title: str) -> None:
        self.console.print(f"\n[bold]{title}[/]")

    def _account(self, calls: Sequence[Call], exchanges: Sequence[Exchange]) -> None:
        table = Table(title="what the gateway's log says", title_justify="left")
        for column in ("session", "carrier", "profile", "backend", "routes"):
            table.add_column(column)
        for name, carrier in CUSTOMERS.items():
            own = [one for call, one in zip(calls, exchanges, strict=True) if call.customer == name]
            routes = Counter(one.route for one in own)
            profiles = {one.profile for one in own} - {""}
            backends = {one.backend for one in own}
            cells = (", ".join(sorted(profiles)) or "-", ", ".join(sorted(backends)))
            counted = ", ".join(f"{count} {route}" for route, count in routes.items())
            table.add_row(name, SAYS[carrier], *cells, counted)
        self.console.print(table)


def fault_name(error: Exception) -> str:
    """What a client's exception amounts to: the gateway's subcode in `urn:soapgate:fault`, else
    the service's fault code, else the exception's name."""
    detail = getattr(error, "detail", None)
    for child in detail if detail is not None else ():
        namespace, _, local = str(child.tag).rpartition("}")
        if namespace == "{urn:soapgate:fault":
            return local
    code = getattr(error, "code", None)
    return str(code).rpartition(":")[2] if code else type(error).__name__


def tell(console: Console) -> int:
    """Put the stage up, tell the story; 0 if every check held."""
    console.print("[bold]two carts and a gateway before them[/]")
    with Stage() as stage:
        for name, url in stage.nodes.items():
            console.print(f"  {name} {url}", highlight=False)
        console.print(f"  soapgate {stage.url}  (admin {stage.admin})", highlight=False)
        story = Story(stage, console)
        try:
            held = story.tell()
        except BaseException:
            console.print(stage.tails(), markup=False, highlight=False, soft_wrap=True)
            raise
        if not held:
            console.print(stage.tails(), markup=False, highlight=False, soft_wrap=True)
    checks = story.checks
    verdict = "all held" if held else f"{checks.failed} FAILED"
    console.print(f"\n[bold]{checks.made} checks, {verdict}[/]")
    return 0 if held else 1


def stay(console: Console) -> int:
    """Keep the stage up until Ctrl-C; 1 when a process of it ends before that."""
    with Stage(PORT, ADMIN_PORT) as stage:
        client = Path(__file__).with_name("client.py")
        lines = [
            f"soapgate {stage.url}   admin {stage.admin}api/v1/status",
            *(f"{name}       {url}" for name, url in stage.nodes.items()),
            "try:",
            f"  {sys.executable} {client} --carrier wsa {stage.url}",
            f"  curl '{stage.url}header?wsdl'",
            f"  curl {stage.admin}api/v1/pins",
            "Ctrl-C ends it.",
        ]
        console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
        try:
            while all(child.running for child in stage.children.values()):
                time.sleep(0.5)
        except KeyboardInterrupt:
            console.print("ending")
            return 0
        console.print(stage.tails(), markup=False, highlight=False, soft_wrap=True)
        return 1


def main(argv: list[str] | None = None) -> int:
    """0 if every check held (with `--stay`: when ended by Ctrl-C), else 1."""
    parser = argparse.ArgumentParser(prog="soapgate demo", description=__doc__.split("\n")[0])
    parser.add_argument("--stay", action="store_true", help="keep the set-up running")
    options = parser.parse_args(argv)
    console = Console()
    before = {number: signal.signal(number, _interrupt) for number in INTERRUPTS}
    try:
        return stay(console) if options.stay else tell(console)
    except StageError as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    finally:
        for number, known in before.items():
            signal.signal(number, known)
    return 1


def _interrupt(number: int, frame: object) -> None:
    """End through the `with` of the stage; a second Ctrl-C must not stop that half way."""
    for known in INTERRUPTS:
        signal.signal(known, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
