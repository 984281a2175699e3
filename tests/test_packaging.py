"""What is shipped: an sdist that holds the whole project, a wheel that runs by itself.

The wheel is built from the sdist, so a file that the sdist forgets is missing here too, and is
installed without its dependencies into an environment of its own. That environment sees the
packages of the running one through a path file, after its own: they are not downloaded again, and
an editable soapgate among them does not count, because path files found that way are not read.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from soapgate import compiled

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parent.parent
NOT_SOURCE = shutil.ignore_patterns(
    ".git", ".venv*", "*.egg-info", "build", "dist", "var", "out", "__pycache__", ".*_cache", "*.so"
)
MINUTE = 60.0
OWN_WHEELS = (70, 1)  # the first setuptools that makes wheels without another package
HASTY = """\
#!/bin/sh
# what is in the wheel is asked here, not how fast it is
exec cc "$@" -O0
"""


def run(command: Sequence[str | Path], where: Path, **settings: str) -> str:
    """Standard output of a command, run outside of the source tree, with no path of its own and
    these variables."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    clean.pop(compiled.SWITCH, None)
    clean |= settings
    done = subprocess.run(
        command, cwd=where, env=clean, capture_output=True, text=True, timeout=5 * MINUTE
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def can_build() -> bool:
    """True if this environment builds by itself; otherwise `build` fetches setuptools."""
    try:
        release = version("setuptools").split(".")
    except PackageNotFoundError:
        return False
    return (int(release[0]), int(release[1])) >= OWN_WHEELS


def sources(folder: str, *endings: str) -> set[str]:
    """Paths under a folder of the project, relative to it."""
    place = ROOT / folder
    found = (path for path in place.rglob("*") if path.suffix in endings)
    return {str(path.relative_to(place)) for path in found if "__pycache__" not in path.parts}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with one sdist and one wheel."""
    room = tmp_path_factory.mktemp("packaging")
    compiler = script(room / "cc", HASTY) if shutil.which("cc") else "/bin/false"
    build(room, CC=str(compiler))
    return room / "dist"


def script(place: Path, text: str) -> Path:
    place.write_text(text)
    place.chmod(0o755)
    return place


def build(room: Path, *options: str, **settings: str) -> str:
    """Make what is shipped in `room`/dist; returns what was said meanwhile."""
    copy = shutil.copytree(ROOT, room / "source", ignore=NOT_SOURCE)
    command = [sys.executable, "-m", "build", *options, "--outdir", str(room / "dist"), str(copy)]
    if can_build():
        command.insert(3, "--no-isolation")
    return run(command, room, **settings)


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has the wheel, and the running environment's packages behind it."""
    return install(wheel, tmp_path_factory.mktemp("installed") / "env")


def install(wheel: Path, place: Path) -> Path:
    """A new environment at `place` as `installed` describes it."""
    venv.create(place, with_pip=False, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python"]
    run([*pip, str(place), "install", "--no-index", "--no-deps", "--quiet", str(wheel)], place)
    (own,) = place.glob("lib/python*/site-packages")
    theirs = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    (own / "running-environment.pth").write_text("\n".join(theirs) + "\n")
    return place


def test_sdist_holds_the_whole_project(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    folders = ("soapgate", "tests", "bench", "samples", "docs", "wsdl")
    wanted = {
        f"{folder}/{name}"
        for folder in folders
        for name in sources(folder, ".py", ".pxd", ".pyx", ".toml", ".rst", ".wsdl", ".xsd")
        if not name.startswith("out/")
    }
    wanted |= {
        "Makefile",
        "README.rst",
        "NEWS.rst",
        "ruff.toml",
        ".ci/run",
        "setup.cfg",
        "setup.py",
    }
    assert wanted - names == set()


def test_wheel_holds_the_package_the_catalogue_the_samples_and_the_contracts(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    wanted = {f"soapgate/{name}" for name in sources("soapgate", ".py", ".pxd", ".pyx", ".toml")}
    share = f"{'-'.join(wheel.name.split('-')[:2])}.data/data/share/soapgate"
    for folder in ("samples", "wsdl"):
        for name in sources(folder, ".py", ".toml", ".rst", ".wsdl", ".xsd"):
            wanted.add(f"{share}/{folder}/{name}")
    assert wanted - names == set()


def test_wheel_holds_nothing_of_the_workshop(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
    stem = "-".join(wheel.name.split("-")[:2])
    assert tops - {"soapgate", "twisted", f"{stem}.dist-info", f"{stem}.data"} == set()


def test_installed_wheel_is_what_runs(installed: Path) -> None:
    where = "import soapgate.core.pins as m; print(m.__file__)"
    assert run([installed / "bin/python", "-c", where], installed).startswith(str(installed))


def test_installed_wheel_says_the_version_of_its_metadata(installed: Path, wheel: Path) -> None:
    said = run([installed / "bin/soapgate", "--version"], installed)
    assert wheel.name.split("-")[1] in said


def test_installed_wheel_lists_every_profile_of_the_catalogue(installed: Path) -> None:
    said = run([installed / "bin/soapgate", "profiles"], installed)
    names = {Path(name).stem for name in sources("soapgate/catalogue", ".toml")}
    assert names
    assert {name for name in names if name not in said} == set()


@pytest.mark.parametrize("name", sorted(sources("samples", ".toml")))
def test_installed_wheel_accepts_its_sample_configuration(installed: Path, name: str) -> None:
    config = installed / "share/soapgate/samples" / name
    assert "service" in tomllib.loads(config.read_text())
    run([installed / "bin/soapgate", "check", config], installed)


def test_twist_finds_the_plugin_of_the_installed_wheel(installed: Path) -> None:
    ask = (
        "from twisted.plugin import getPlugins; "
        "from twisted.application.service import IServiceMaker; "
        "print(*(each.tapname for each in getPlugins(IServiceMaker)))"
    )
    assert "soapgate" in run([installed / "bin/python", "-c", ask], installed).split()


# -- compiled and plain

PROBING = """\
#!/bin/sh
# a compiler that is there, and fails when it is needed
case "$*" in *probe.c*) exec cc "$@" ;; esac
echo "out of order" >&2
exit 1
"""


def extensions(wheel: Path) -> set[str]:
    """The modules that a wheel has compiled."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith(".so")]
    return {name.partition(".")[0].replace("/", ".") for name in names}


def can_compile() -> bool:
    header = Path(sysconfig.get_path("include"), "Python.h")
    return shutil.which("cc") is not None and header.exists()


@pytest.mark.skipif(not can_compile(), reason="no cc or no Python.h (gcc, python3-dev)")
def test_wheel_has_the_listed_modules_compiled_and_is_of_this_platform(
    wheel: Path, installed: Path
) -> None:
    assert extensions(wheel) == set(compiled.MODULES)
    assert not wheel.name.endswith("-none-any.whl")
    assert "(compiled)" in run([installed / "bin/soapgate", "--version"], installed)


def test_without_a_compiler_the_wheel_is_plain_says_so_and_runs(tmp_path: Path) -> None:
    said = build(tmp_path, "--wheel", CC="/bin/false")
    (wheel,) = tmp_path.glob("dist/*-py3-none-any.whl")
    assert "soapgate: not compiled, because there is no C compiler" in said
    assert extensions(wheel) == set()
    place = install(wheel, tmp_path / "env")
    assert "(plain)" in run([place / "bin/soapgate", "--version"], place)
    run([place / "bin/soapgate", "check", place / "share/soapgate/samples/config/all.toml"], place)


@pytest.mark.skipif(not can_compile(), reason="no cc or no Python.h (gcc, python3-dev)")
def test_with_a_compiler_that_fails_the_wheel_is_plain_and_runs(tmp_path: Path) -> None:
    build(tmp_path, "--wheel", CC=str(script(tmp_path / "cc", PROBING)))
    (wheel,) = tmp_path.glob("dist/*.whl")
    assert extensions(wheel) == set()
    place = install(wheel, tmp_path / "env")
    assert "(plain)" in run([place / "bin/soapgate", "--version"], place)


def test_the_switch_makes_a_plain_wheel(tmp_path: Path) -> None:
    said = build(tmp_path, "--wheel", SOAPGATE_PURE="1")
    assert "soapgate: not compiled, because SOAPGATE_PURE is set" in said
    (wheel,) = tmp_path.glob("dist/*-py3-none-any.whl")
    assert extensions(wheel) == set()
