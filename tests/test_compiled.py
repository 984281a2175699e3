"""The two builds: what is listed, what an extension module was made of, which of the two runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from soapgate import compiled

PACKAGE = Path(compiled.__file__).parent
FIRST, SECOND = compiled.MODULES[:2]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the listed sources, to be changed."""
    for module in compiled.MODULES:
        path = compiled.source(module, tmp_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(compiled.source(module), path)
        if (types := compiled.source(module).with_suffix(".pxd")).exists():
            shutil.copy(types, path.parent)
    return tmp_path


def origins(pure: str | None) -> list[str]:
    """The files that the listed modules come from in a new process with this SOAPGATE_PURE."""
    clean = {name: value for name, value in os.environ.items() if name != compiled.SWITCH}
    program = (
        "import importlib; from soapgate.compiled import MODULES\n"
        "for name in MODULES:\n"
        "    try: print(importlib.import_module(name).__file__)\n"
        "    except ModuleNotFoundError: print('nowhere')"
    )
    env = clean if pure is None else {**clean, compiled.SWITCH: pure}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return done.stdout.split()


def made(folder: Path, modules: Iterable[str], source_of: Path = compiled.ROOT) -> dict[str, Path]:
    """Files that carry the digests of these modules, as a linker puts them there."""
    found = {}
    for module in modules:
        found[module] = folder / f"{module}.so"
        digits = compiled.digest(module, source_of)
        found[module].write_bytes(b"\x7fELF..GNU\0" + bytes.fromhex(digits) + b"...")
    return found


# -- the list


@pytest.mark.parametrize("module", compiled.MODULES)
def test_a_listed_module_is_a_source_of_the_package(module: str) -> None:
    assert compiled.source(module).is_file()
    assert compiled.source(module).is_relative_to(PACKAGE)


def test_the_list_is_sorted_and_names_each_module_once() -> None:
    assert list(compiled.MODULES) == sorted(set(compiled.MODULES))


def test_types_belong_to_a_listed_module() -> None:
    beside = {compiled.source(module).with_suffix(".pxd") for module in compiled.MODULES}
    assert set(PACKAGE.rglob("*.pxd")) - beside == set()


# -- what an extension module was made of


def test_a_digest_is_as_long_as_a_build_id(tree: Path) -> None:
    assert len(bytes.fromhex(compiled.digest(FIRST, tree))) == 20


def test_the_same_sources_have_the_same_digest_wherever_they_are(tree: Path) -> None:
    assert compiled.digest(FIRST, tree) == compiled.digest(FIRST)


def test_a_changed_source_has_another_digest_and_no_other_module_has(tree: Path) -> None:
    before = [compiled.digest(module, tree) for module in (FIRST, SECOND)]
    path = compiled.source(FIRST, tree)
    path.write_text(path.read_text() + "\n")
    after = [compiled.digest(module, tree) for module in (FIRST, SECOND)]
    assert after[0] != before[0]
    assert after[1] == before[1]


def test_changed_types_are_a_change_of_every_module_that_may_use_them(tree: Path) -> None:
    before = [compiled.digest(module, tree) for module in compiled.MODULES]
    with compiled.source(FIRST, tree).with_suffix(".pxd").open("a") as types:
        types.write("# more\n")
    after = [compiled.digest(module, tree) for module in compiled.MODULES]
    assert all(one != other for one, other in zip(before, after, strict=True))


def test_how_it_is_compiled_is_part_of_the_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    before = compiled.digest(FIRST)
    monkeypatch.setattr(compiled, "FLAGS", ("-O0",))
    assert compiled.digest(FIRST) != before


def test_an_extension_module_carries_the_digest_of_its_source(tmp_path: Path) -> None:
    path = made(tmp_path, [FIRST])[FIRST]
    assert compiled.is_made_of(path, compiled.digest(FIRST))
    assert not compiled.is_made_of(path, compiled.digest(SECOND))
    assert not compiled.is_made_of(tmp_path / "none.so", compiled.digest(FIRST))


# -- what runs


@pytest.mark.parametrize(
    ("count", "word"),
    [(0, "plain"), (1, "partly compiled"), (len(compiled.MODULES), "compiled")],
)
def test_one_word_says_what_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, word: str
) -> None:
    found = made(tmp_path, compiled.MODULES[:count])
    monkeypatch.setattr(compiled, "extensions", lambda: found)
    assert compiled.word() == word
    assert compiled.remark() == ""


def test_what_was_made_of_another_source_is_stale_and_named_with_the_ways_out(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = compiled.source(SECOND, tree)
    path.write_text(path.read_text() + "x = 1\n")
    found = made(tree, compiled.MODULES, tree)
    monkeypatch.setattr(compiled, "extensions", lambda: found)
    assert compiled.stale() == [SECOND]
    assert compiled.word() == "stale"
    assert compiled.remark() == (
        f"compiled from another source than the one that is here: {SECOND}; "
        "`make venv` compiles again, SOAPGATE_PURE=1 runs the source"
    )


def test_the_switch_has_the_sources_run() -> None:
    sources = [str(compiled.source(module)) for module in compiled.MODULES]
    assert origins("1") == ["nowhere" if one.endswith(".pyx") else one for one in sources]


@pytest.mark.parametrize("off", ["", "0"])
def test_a_switch_that_is_off_is_none(off: str) -> None:
    assert origins(off) == origins(None)
