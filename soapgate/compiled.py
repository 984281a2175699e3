"""What may be compiled: the hot modules, how, and whether those that run were made of their source.

One source, two builds. The modules listed here are plain Python and run as such; where a C compiler
and Python.h are at hand `setup.py` also compiles them, with Cython, and Python then prefers the
extension module beside the source. A `.pxd` beside a module may give it C types. The two builds do
the same, so nothing else may depend on which one runs: this file answers that question for people
(`word`), and for tests which must not pass on yesterday's build (`stale`).

An extension module carries the digest of what it was made of as its build id (ld, --build-id),
because times of files say nothing after a checkout or a copy. SOAPGATE_PURE=1 builds none and,
where they are built, has the sources run all the same. This file knows no setuptools and no Cython.

mypyc was the alternative. It compiles what mypy accepts whole, and mypy does not follow the edge
through Twisted's interfaces: of the first four modules it took `core.shapes` only.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

MODULES = (
    "soapgate.core._octets",
    "soapgate.core.keys",
    "soapgate.core.markup",
    "soapgate.core.pool",
    "soapgate.core.room",
    "soapgate.core.settled",
    "soapgate.core.shapes",
    "soapgate.edge._syscalls",
    "soapgate.edge.courses",
    "soapgate.edge.durations",
    "soapgate.edge.fastpath",
    "soapgate.edge.kept",
    "soapgate.edge.known",
    "soapgate.edge.lines",
    "soapgate.edge.loose",
    "soapgate.edge.riding",
    "soapgate.edge.splicing",
    "soapgate.edge.turn",
    "soapgate.stores.lmdb_glance",
)
COMPILED_ONLY = frozenset({"soapgate.core._octets", "soapgate.edge._syscalls"})
# Types come from a .pxd alone: an annotation `str` must go on taking a StrEnum. Bound functions
# are what `inspect`, mocks and pytest know from plain modules.
DIRECTIVES = {
    "language_level": 3,
    "annotation_typing": False,
    "binding": True,
    "profile": False,
    "linetrace": False,
}
FLAGS = ("-O1", "-g0")  # -O2 takes half as long again to build and is no faster

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "soapgate"
SWITCH = "SOAPGATE_PURE"


def is_pure() -> bool:
    """Whether the environment asks for the sources: SOAPGATE_PURE is set, and not to 0."""
    return os.environ.get(SWITCH, "") not in ("", "0")


def source(module: str, root: Path = ROOT) -> Path:
    """The file that a listed module is written in; its types may stand beside it in a .pxd. What
    only exists compiled is a .pyx, and whoever imports it has a plain module to fall back on."""
    suffix = ".pyx" if module in COMPILED_ONLY else ".py"
    return root.joinpath(*module.split(".")).with_suffix(suffix)


def digest(module: str, root: Path = ROOT) -> str:
    """40 hex digits of all that a build of this module depends on: its source, the types of all
    listed modules (one may use another's), and how they are compiled."""
    made_of = hashlib.blake2b(
        repr((module, sorted(DIRECTIVES.items()), FLAGS)).encode(), digest_size=20
    )
    types = [source(each, root).with_suffix(".pxd") for each in MODULES]
    for path in (source(module, root), *(path for path in types if path.exists())):
        made_of.update(b"\0%s\0" % path.name.encode() + path.read_bytes())
    return made_of.hexdigest()


def is_made_of(extension: Path, digits: str) -> bool:
    """Whether this extension module carries that digest."""
    return extension.exists() and bytes.fromhex(digits) in extension.read_bytes()


def extensions() -> dict[str, Path]:
    """The listed modules for which an import loads an extension module, and its file."""
    found = {}
    for module in MODULES:
        try:
            spec = find_spec(module)
        except ModuleNotFoundError:  # what exists compiled only, where the sources are asked for
            continue
        if spec is not None and spec.origin and not spec.origin.endswith(tuple(SOURCE_SUFFIXES)):
            found[module] = Path(spec.origin)
    return found


def stale() -> list[str]:
    """The listed modules whose extension module would be loaded, or is, but was made of something
    else than what their source says now."""
    return [name for name, path in extensions().items() if not is_made_of(path, digest(name))]


def remark() -> str:
    """What to say of modules that are stale, with the ways out; empty if none is."""
    names = ", ".join(stale())
    return names and (
        f"compiled from another source than the one that is here: {names}; "
        f"`make venv` compiles again, {SWITCH}=1 runs the source"
    )


def word() -> str:
    """What runs: "compiled", "plain", "partly compiled", or "stale" where `stale` names any."""
    if stale():
        return "stale"
    count = len(extensions())
    return "compiled" if count == len(MODULES) else "partly compiled" if count else "plain"


class _Sources(MetaPathFinder):
    """Finds the modules of this package by their sources only."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in MODULES:
            return None
        finders = (FileFinder(place, (SourceFileLoader, SOURCE_SUFFIXES)) for place in path or ())
        if name in COMPILED_ONLY:
            raise ModuleNotFoundError(f"{name} exists compiled only", name=name)
        return next((spec for each in finders if (spec := each.find_spec(name))), None)


def leave_out() -> None:
    """If the environment asks for it, have the sources imported from now on, not what was built."""
    if is_pure():
        sys.meta_path.insert(0, _Sources())
