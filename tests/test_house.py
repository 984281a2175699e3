"""The house rules that a machine can check: who may know whom, what each file must have.

The sources are read, never imported, so that a rule speaks even of a file that does not run. A
broken rule names file, line and rule. The rules themselves are functions from a module's name and
source to sentences; the last tests show that each of them can fail.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINES = 500

# What a part of the house may import of the rest. The first line whose name fits (exactly, or as
# the package around it) holds; a module of `soapgate` that none names falls under the last.
CONFIG = {"soapgate.config", "soapgate.problems", "soapgate.tables", "soapgate.units"}
ARROWS: tuple[tuple[str, set[str]], ...] = (
    ("soapgate.core", {"soapgate.core"}),
    ("soapgate.stores", {"soapgate.stores", "soapgate.core"}),
    ("soapgate.backend", {"soapgate.backend", "soapgate.core.ns", "soapgate.core.errors"}),
    ("soapgate.edge", {"soapgate.edge", "soapgate.core"}),
    ("soapgate.catalogue", set()),
    *((name, {"soapgate.core", "soapgate.edge.http11", *CONFIG}) for name in sorted(CONFIG)),
    ("soapgate.__main__", {"soapgate.cli"}),
    ("soapgate.service", {"soapgate"}),
    ("soapgate.cli", {"soapgate"}),
    ("twisted.plugins", {"soapgate.service"}),
    ("soapgate", {"soapgate"}),
)
# Nobody imports these, but those who start the whole; a worker is started as a program.
TOP = {
    "soapgate.service": {"soapgate.cli", "twisted.plugins"},
    "soapgate.worker": set(),
    "soapgate.cli": {"soapgate.__main__"},
}

# The core knows no sockets, no clock, no chance and no log: each of these is somebody's argument.
FORBIDDEN_IN_CORE = {
    *("time", "datetime", "sched", "random"),
    *("socket", "socketserver", "select", "selectors", "ssl", "http", "urllib.request"),
    *("asyncio", "concurrent", "multiprocessing", "subprocess", "signal", "os"),
    *("logging", "warnings"),
}
OUTSIDE_OF_CORE = {"lxml"}  # and the standard library
RANDOM = "soapgate.core.policies"  # may name random.Random, the type of an argument

VAGUE = re.compile(r"(Manager|Handler|Processor|Helper|Utils?)$")

# Tests that prove something of the whole instead of one module.
OF_THE_WHOLE = {
    *("test_house.py", "test_packaging.py", "test_readme.py"),
    *("stores/test_contract.py", "stores/test_model.py"),  # one suite for every store
}


# --- the sources --------------------------------------------------------------------------------


def files(*places: str) -> list[Path]:
    """The Python files of these directories of the project, sorted, and those named themselves; a
    missing one has none."""
    found = {path for place in places for path in (ROOT / place).rglob("*.py")}
    found |= {ROOT / place for place in places if place.endswith(".py")}
    return sorted(path for path in found if "__pycache__" not in path.parts)


def module_name(path: Path) -> str:
    """`soapgate/core/pins.py` is `soapgate.core.pins`; a package is named by its directory."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def within(name: str, place: str) -> bool:
    return name == place or name.startswith(place + ".")


Imported = tuple[int, str, str]  # line, module, name taken from it ("" for the module itself)


def imports(tree: ast.AST) -> Iterator[Imported]:
    """Everything imported, at any depth and under TYPE_CHECKING too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            yield from ((node.lineno, origin, alias.name) for alias in node.names)


# --- the rules: (module name, source) -> "line: what is wrong" ---------------------------------


Rule = Callable[[str, str], Iterator[str]]


def arrows(module: str, source: str) -> Iterator[str]:
    """Imports inside the house go where ARROWS lets them."""
    allowed = next((may for place, may in ARROWS if within(module, place)), set[str]())
    for line, origin, name in imports(ast.parse(source)):
        if origin.startswith("."):
            yield f"{line}: write imports absolute, not {origin}"
        if not within(origin, "soapgate"):
            continue
        target = f"{origin}.{name}" if name else origin
        if origin == "soapgate" and name.startswith("__"):
            continue  # __version__ is everybody's
        if not any(within(target, place) for place in allowed):
            yield f"{line}: {module} imports {target}; it may only know {listed(allowed)}"
        for top, starters in TOP.items():
            if within(target, top) and not any(within(module, each) for each in starters):
                yield f"{line}: {module} imports {top}; only {listed(starters)} may"


def core_is_pure(module: str, source: str) -> Iterator[str]:
    """The core imports the standard library without its outside world, lxml, and itself."""
    if not within(module, "soapgate.core"):
        return
    tree = ast.parse(source)
    for line, origin, name in imports(tree):
        top = origin.partition(".")[0]
        if top not in {"soapgate", *OUTSIDE_OF_CORE} and top not in sys.stdlib_module_names:
            yield f"{line}: core imports {origin}; it knows the standard library and lxml only"
        whole = {origin, top, f"{origin}.{name}"}
        if module == RANDOM and top == "random":
            whole -= {"random"} if name in {"", "Random"} else set()
        for each in sorted(whole & FORBIDDEN_IN_CORE):
            yield f"{line}: core imports {each}; time, chance and the outside are arguments"
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "random"
            and node.attr != "Random"
        ):
            yield f"{node.lineno}: core uses random.{node.attr}; a random.Random is an argument"


def backend_knows_no_twisted(module: str, source: str) -> Iterator[str]:
    """What a service imports brings no reactor along."""
    if within(module, "soapgate.backend"):
        for line, origin, _name in imports(ast.parse(source)):
            if within(origin, "twisted"):
                yield f"{line}: backend imports {origin}; it is synchronous, without Twisted"


def reactor_is_an_argument(module: str, source: str) -> Iterator[str]:
    """Nobody imports the reactor; where the whole is started, inside a function only."""
    if not within(module, "soapgate"):
        return
    tree = ast.parse(source)
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    starts = module in {"soapgate.service", "soapgate.cli"}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Import | ast.ImportFrom)
            and _takes_reactor(node)
            and not (starts and id(node) in inside)
        ):
            yield (
                f"{node.lineno}: {module} imports the reactor; it is an argument"
                " (soapgate.service and soapgate.cli may, inside a function)"
            )


def _takes_reactor(node: ast.Import | ast.ImportFrom) -> bool:
    if isinstance(node, ast.Import):
        return any(alias.name == "twisted.internet.reactor" for alias in node.names)
    names = {alias.name for alias in node.names}
    return node.module == "twisted.internet.reactor" or (
        node.module == "twisted.internet" and "reactor" in names
    )


def prints_nothing(module: str, source: str) -> Iterator[str]:
    """Only the command line speaks to a terminal."""
    if not within(module, "soapgate") or module == "soapgate.cli":
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print":
            yield f"{node.lineno}: {module} prints; only soapgate.cli does"


def opens_with_its_theory(module: str, source: str) -> Iterator[str]:
    """A docstring first; in soapgate more than one sentence, but for __init__ and __main__."""
    text = ast.get_docstring(ast.parse(source)) or ""
    if not text:
        yield f"1: {module} has no docstring"
    elif within(module, "soapgate") and not _is_entrance(module):
        sentences = re.findall(r"[.!?:](?=\s|$)", text)
        if len(sentences) < 2:
            yield f"1: {module} opens with one sentence; say its rule and what it refuses to know"


def _is_entrance(module: str) -> bool:
    return module.endswith(".__main__") or (ROOT / module.replace(".", "/")).is_dir()


def is_short(module: str, source: str) -> Iterator[str]:
    """A room that one person holds in mind."""
    count = len(source.splitlines())
    if count > LINES:
        yield f"{LINES + 1}: {module} has {count} lines, over {LINES}; find the two rooms in it"


def has_plain_names(module: str, source: str) -> Iterator[str]:
    """Names say what a thing is; a few endings never do."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef) and VAGUE.search(node.name):
            yield f"{node.lineno}: class {node.name}: name what it is"


def listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing of soapgate"


def broken(rule: Rule, paths: list[Path]) -> str:
    """Every breach of a rule, `path:line: what`, a line each; empty if it holds."""
    found = [
        f"{path.relative_to(ROOT)}:{breach}"
        for path in paths
        for breach in rule(module_name(path), path.read_text(encoding="utf-8"))
    ]
    return "\n".join(found)


# --- the proofs ---------------------------------------------------------------------------------

RULES: dict[str, tuple[Rule, tuple[str, ...]]] = {
    "imports follow the arrows": (arrows, ("soapgate", "twisted")),
    "core is pure": (core_is_pure, ("soapgate",)),
    "backend knows no Twisted": (backend_knows_no_twisted, ("soapgate",)),
    "the reactor is an argument": (reactor_is_an_argument, ("soapgate",)),
    "only cli prints": (prints_nothing, ("soapgate",)),
    "a file opens with its theory": (
        opens_with_its_theory,
        ("soapgate", "twisted", "samples", "bench", "setup.py"),
    ),
    "no file is too long": (
        is_short,
        ("soapgate", "twisted", "samples", "bench", "tests", "setup.py"),
    ),
    "names are plain": (has_plain_names, ("soapgate", "samples", "bench", "setup.py")),
}


@pytest.mark.parametrize(("rule", "places"), RULES.values(), ids=RULES)
def test_house_rule_holds(rule: Rule, places: tuple[str, ...]) -> None:
    breaches = broken(rule, files(*places))
    assert not breaches, f"{rule.__doc__}\n{breaches}"


def types_follow(module: str, source: str) -> Iterator[str]:
    """The C types of a module (.pxd) are short, open with a comment, and go where it may go."""
    if not source.startswith("# "):
        yield "1: no comment that says what the types are for"
    for number, line in enumerate(source.splitlines(), 1):
        if number > LINES:
            yield f"{number}: longer than {LINES} lines"
            return
        if re.match(r"(from \S+ )?cimport ", line):
            for breach in arrows(module, line.replace("cimport", "import", 1)):
                yield f"{number}: {breach.partition(': ')[2]}"


def test_types_keep_the_rules_of_their_modules() -> None:
    breaches = broken(types_follow, sorted((ROOT / "soapgate").rglob("*.pxd")))
    assert not breaches, breaches


def expected_tests() -> dict[str, Path]:
    """{test file under tests/: its module}; packages and __main__ need none of their own."""
    modules = [path for path in files("soapgate") if not path.name.startswith("__")]
    names = [path.relative_to(ROOT / "soapgate") for path in modules]
    return {
        str(name.with_name(f"test_{name.name}")): path
        for name, path in zip(names, modules, strict=True)
    }


def test_every_module_has_a_test_file_of_its_name() -> None:
    missing = [
        f"{module.relative_to(ROOT)}:1: no tests/{test}"
        for test, module in expected_tests().items()
        if not (ROOT / "tests" / test).exists()
    ]
    assert not missing, "\n".join(missing)


def has_a_module(test: str, known: Collection[str]) -> bool:
    """`test_proxy.py`, or `test_proxy_ANYTHING.py` where one file would be too long."""
    words = test.removesuffix(".py").split("_")
    longer = ("_".join(words[:count]) + ".py" for count in range(len(words), 0, -1))
    return any(name in known for name in longer)


def test_every_test_file_has_its_module() -> None:
    packages = {path.parent for path in files("soapgate") if path.name == "__init__.py"}
    of_packages = {
        str(path.relative_to(ROOT / "soapgate") / f"test_{path.name}.py") for path in packages
    }
    known = expected_tests().keys() | of_packages | OF_THE_WHOLE
    names = [path.relative_to(ROOT / "tests") for path in files("tests")]
    strays = [
        f"tests/{name}:1: no soapgate/{name.with_name(name.name.removeprefix('test_'))}"
        for name in names
        if name.parts[0] not in {"docs", "integration", "samples", "bench"}
        and name.name.startswith("test_")
        and not has_a_module(str(name), known)
    ]
    assert not strays, "\n".join(strays)


# --- the rules can fail -------------------------------------------------------------------------


BREACHES = {
    "core imports edge": (arrows, "soapgate.core.pins", "from soapgate.edge import proxy"),
    "core imports a sibling of core": (arrows, "soapgate.core.pins", "import soapgate.config"),
    "edge imports stores": (arrows, "soapgate.edge.proxy", "from soapgate.stores import memory"),
    "edge imports service": (arrows, "soapgate.edge.proxy", "def f():\n import soapgate.service"),
    "stores import edge": (arrows, "soapgate.stores.lmdb", "import soapgate.edge.turn"),
    "backend imports pins": (arrows, "soapgate.backend.zeep", "from soapgate.core.pins import Pin"),
    "service imports cli": (arrows, "soapgate.service", "from soapgate import cli"),
    "a relative import": (arrows, "soapgate.edge.proxy", "from . import http11"),
    "core reads the clock": (core_is_pure, "soapgate.core.pins", "from time import monotonic"),
    "core imports Twisted": (core_is_pure, "soapgate.core.pins", "import twisted.internet"),
    "core fetches": (core_is_pure, "soapgate.core.pins", "from urllib import request"),
    "core rolls dice": (core_is_pure, "soapgate.core.pool", "from random import Random"),
    "a policy rolls dice": (core_is_pure, RANDOM, "import random\nrandom.choice([1])"),
    "backend imports Twisted": (
        backend_knows_no_twisted,
        "soapgate.backend.agent",
        "from twisted.internet import defer",
    ),
    "edge imports the reactor": (
        reactor_is_an_argument,
        "soapgate.edge.proxy",
        "def f():\n from twisted.internet import reactor",
    ),
    "service imports the reactor early": (
        reactor_is_an_argument,
        "soapgate.service",
        "from twisted.internet import defer, reactor",
    ),
    "edge prints": (prints_nothing, "soapgate.edge.proxy", "print(1)"),
    "no docstring": (opens_with_its_theory, "soapgate.edge.proxy", "x = 1"),
    "one sentence": (opens_with_its_theory, "soapgate.edge.proxy", '"""Proxies."""'),
    "a long file": (is_short, "soapgate.edge.proxy", "x = 1\n" * (LINES + 1)),
    "types without a word": (types_follow, "soapgate.edge.known", "cdef class X:\n    pass"),
    "types of core import edge": (
        types_follow,
        "soapgate.core.shapes",
        "# Why.\nfrom soapgate.edge.known cimport KnownHeads",
    ),
    "a vague name": (has_plain_names, "soapgate.edge.proxy", "class PinManager: pass"),
}
FINE = {
    "core imports core": (arrows, "soapgate.core.pins", "from soapgate.core import ns, errors"),
    "edge names the version": (arrows, "soapgate.edge.proxy", "from soapgate import __version__"),
    "cli imports service": (arrows, "soapgate.cli", "from soapgate import service"),
    "backend imports namespaces": (arrows, "soapgate.backend.zeep", "from soapgate.core import ns"),
    "core imports lxml": (core_is_pure, "soapgate.core.pins", "from lxml import etree"),
    "core quotes a URL": (core_is_pure, "soapgate.core.pins", "from urllib.parse import quote"),
    "a policy takes a Random": (core_is_pure, RANDOM, "import random\nx: random.Random"),
    "service takes the reactor late": (
        reactor_is_an_argument,
        "soapgate.service",
        "def main():\n from twisted.internet import reactor",
    ),
    "types import types": (
        types_follow,
        "soapgate.edge.known",
        "# Why.\nfrom soapgate.core.shapes cimport Shapes\ncimport cython",
    ),
    "cli prints": (prints_nothing, "soapgate.cli", "print(1)"),
    "two sentences": (opens_with_its_theory, "soapgate.edge.proxy", '"""Proxies. Only."""'),
}


@pytest.mark.parametrize(("rule", "module", "source"), BREACHES.values(), ids=BREACHES)
def test_rule_sees_a_breach(rule: Rule, module: str, source: str) -> None:
    breaches = list(rule(module, source))
    assert breaches
    assert all(re.match(r"\d+: ", breach) for breach in breaches)


@pytest.mark.parametrize(("rule", "module", "source"), FINE.values(), ids=FINE)
def test_rule_lets_pass_what_is_allowed(rule: Rule, module: str, source: str) -> None:
    assert list(rule(module, source)) == []
