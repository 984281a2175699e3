"""The foreign stacks: which program each needs, what is built for it, and how a client of it runs.

The one rule: a stack is run as its users run it, as a process of its own with its own HTTP, and
speaks to the test in lines on stdout. Whatever a stack needs and this machine lacks is a reason to
skip, in words that name what to install; `.ci/run` installs all of it.

Every client of the sample cart takes the same arguments, URL CARRIER CUSTOMER, and tells the same:

    login NODE                      logs in
    add NODE 1                      puts one "tea" into the cart
    add NODE 3                      puts two "jam" into the cart
    items NODE CUSTOMER tea=1,jam=2
    checkout NODE 3                 ends the session

or, where a call is answered by a fault, `fault CODE`, and exits with 3. What is built is kept in
`var/`, which git ignores, under a name that changes with the sources.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
CLIENTS = HERE / "clients"
CONTRACTS = ROOT / "wsdl"
BUILT = HERE / "var"
PATIENCE = 120.0  # seconds for one client or one step of a build: two JVMs share a core with all
FAULT = 3  # the exit status of a client that was answered by a fault


@dataclass(frozen=True, slots=True)
class Heard:
    """What a client said: its lines, split at blanks, and its exit status."""

    lines: tuple[tuple[str, ...], ...]
    status: int
    errors: str

    @property
    def nodes(self) -> set[str]:
        """Who answered: the second word of a line."""
        return {line[1] for line in self.lines if line[0] != "fault"}

    @property
    def faults(self) -> list[str]:
        return [" ".join(line[1:]) for line in self.lines if line[0] == "fault"]


class Running:
    """A client that was started."""

    def __init__(self, argv: Sequence[str], **environment: str) -> None:
        clean = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean | {"CONTRACTS": str(CONTRACTS)} | environment,
        )

    def heard(self) -> Heard:
        """Wait for its end. Raises TimeoutExpired, after it was killed."""
        try:
            out, err = self._process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise
        lines = tuple(tuple(line.split()) for line in out.splitlines() if line.strip())
        return Heard(lines, self._process.returncode, err)


def need(program: str, package: str) -> str:
    """The path of a program, or the test is skipped."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"no {program}: apt-get install {package}")
    return found


def need_module(module: str, package: str) -> None:
    """A Python package, or the test is skipped."""
    if find_spec(module) is None:
        pytest.skip(f"no {module}: pip install {package}")


def run(argv: Sequence[str], what: str, **kwargs) -> str:
    """Run one step of a build; its stdout. An AssertionError with what it wrote if it fails."""
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
        **kwargs,
    )
    assert done.returncode == 0, f"{what} failed\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def fetch(argv: Sequence[str], what: str, **kwargs) -> None:
    """Run the step of a build that needs the network. Without one the test is skipped, but not in
    CI, where it would be missed."""
    try:
        run(argv, what, **kwargs)
    except AssertionError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{what} cannot fetch its libraries: {error}"[:500])


def build(name: str, sources: Sequence[Path], make: Callable[[Path], None]) -> Path:
    """The directory that `make` filled from these sources (and by this file), now or in an earlier
    run. Runs at the same time wait for each other."""
    digest = hashlib.sha256()
    for source in sorted([*sources, Path(__file__)]):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    directory = BUILT / f"{name}-{digest.hexdigest()[:12]}"
    BUILT.mkdir(exist_ok=True)
    with (BUILT / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "made").exists():
            for old in BUILT.glob(f"{name}-*"):
                shutil.rmtree(old)
            directory.mkdir()
            make(directory)
            (directory / "made").touch()
    return directory


# --- how each stack's client of the cart is run -------------------------------------------------


def _python(script: str, module: str, package: str) -> Callable[[], list[str]]:
    def argv() -> list[str]:
        need_module(module, package)
        return [sys.executable, "-W", "error", str(CLIENTS / script)]

    return argv


def _php() -> list[str]:
    php = need("php", "php-cli")
    if "soap" not in run([php, "-m"], "php -m").split():
        pytest.skip("no SOAP in PHP: apt-get install php-soap")
    return [php, "-d", "soap.wsdl_cache_enabled=0", str(CLIENTS / "cart.php")]


def _perl() -> list[str]:
    perl = need("perl", "perl")
    probe = [perl, "-MSOAP::Lite", "-e", "1"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("no SOAP::Lite: apt-get install libsoap-lite-perl")
    return [perl, str(CLIENTS / "cart.pl")]


def _node() -> list[str]:
    node, npm = need("node", "nodejs"), need("npm", "npm")
    package, script = CLIENTS / "node/package.json", CLIENTS / "node/cart.js"

    def make(directory: Path) -> None:
        shutil.copy(package, directory)
        shutil.copy(script, directory)
        quiet = ["--no-audit", "--no-fund", "--omit=dev", "--ignore-scripts"]
        fetch([npm, "install", *quiet], "npm", cwd=directory)

    return [node, str(build("node", [package, script], make) / "cart.js")]


def _gsoap() -> list[str]:
    need("wsdl2h", "gsoap")
    need("soapcpp2", "gsoap")
    compiler = need("g++", "g++")
    if not Path("/usr/include/stdsoap2.h").exists():
        pytest.skip("no stdsoap2.h: apt-get install libgsoap-dev")
    source = CLIENTS / "cart.cpp"
    contract = CONTRACTS / "cart-header.wsdl"

    def make(directory: Path) -> None:
        run(["wsdl2h", "-o", "cart.h", "-N", "shop", str(contract)], "wsdl2h", cwd=directory)
        include = "-I/usr/share/gsoap/import"
        soap11 = ["soapcpp2", "-1", "-j", "-C", "-x", "-L", include, "cart.h"]
        run(soap11, "soapcpp2", cwd=directory)
        command = [compiler, "-O0", "-DWITH_COOKIES", "-I.", "-o", "cart", str(source)]
        made = ["soapC.cpp", "soapCartProxy.cpp", "-lgsoapck++"]  # ck: the one with cookies
        run([*command, *made], "g++", cwd=directory)

    return [str(build("gsoap", [source, contract], make) / "cart")]


def _mono() -> list[str]:
    mono, compiler = need("mono", "mono-runtime"), need("mcs", "mono-mcs")
    if not Path("/usr/lib/mono/4.5/System.ServiceModel.dll").exists():
        pytest.skip("no WCF in Mono: apt-get install libmono-system-servicemodel4.0a-cil")
    source = CLIENTS / "Cart.cs"

    def make(directory: Path) -> None:
        libraries = ["-r:System.ServiceModel", "-r:System.Runtime.Serialization"]
        run([compiler, *libraries, f"-out:{directory / 'cart.exe'}", str(source)], "mcs")

    return [mono, str(build("mono", [source], make) / "cart.exe")]


def _go() -> list[str]:
    go = need("go", "golang-go")
    sources = [CLIENTS / "go/go.mod", CLIENTS / "go/go.sum", CLIENTS / "go/main.go"]

    def make(directory: Path) -> None:
        fetch([go, "mod", "download"], "go", cwd=CLIENTS / "go")
        run([go, "build", "-o", str(directory / "cart"), "."], "go build", cwd=CLIENTS / "go")

    return [str(build("go", sources, make) / "cart")]


@dataclass(frozen=True, slots=True)
class Stack:
    """A client stack: the carriers that its client of the cart can use, and the command."""

    name: str
    carriers: tuple[str, ...]
    argv: Callable[[], list[str]]


ALL = ("header", "wsa", "body", "cookie")
STACKS = (
    Stack("zeep", ALL, _python("zeep_cart.py", "zeep", "zeep")),
    Stack("suds", ALL, _python("suds_cart.py", "suds", "suds-community")),
    Stack("php", ALL, _php),
    Stack("perl", ALL, _perl),
    Stack("node", ALL, _node),
    Stack("gsoap", ("header", "body", "cookie"), _gsoap),
    Stack("wcf", ALL, _mono),
    Stack("go", ALL, _go),
)
