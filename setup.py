"""Compiles the hot modules that `soapgate.compiled` lists, where that can be done.

All else about the package stands in setup.cfg. The one rule: nothing here may fail an installation.
Without a C compiler, Python.h or Cython, or with SOAPGATE_PURE=1, the package is the plain one, and
one sentence says so. What is there and made of the same sources already is kept, so that

    python setup.py build_ext --inplace

after a change compiles what changed. Cython's own `cythonize` in `setup()` was the alternative: it
would run for every command and go by times of files.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))
from soapgate import compiled  # noqa: E402 - from these sources, not from what is installed

PROBE = "#include <Python.h>\nint probe(void) { return PY_MAJOR_VERSION; }\n"


def hindrance() -> str:
    """Why nothing can be compiled here; empty if it can."""
    if compiled.is_pure():
        return f"{compiled.SWITCH} is set"
    try:
        import Cython  # noqa: F401
    except ImportError:
        return "there is no Cython"
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()
    include = {sysconfig.get_path(name) for name in ("include", "platinclude")}
    with tempfile.TemporaryDirectory() as room:
        probe = Path(room, "probe.c")
        probe.write_text(PROBE)
        options = [*(f"-I{place}" for place in include), "-c", str(probe), "-o", f"{probe}.o"]
        try:
            subprocess.run([*compiler, *options], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            return "there is no C compiler with Python.h (Debian: gcc, python3-dev)"
    return ""


def say(why: str) -> None:
    print(f"soapgate: not compiled, because {why}; it does the same, slower.", flush=True)


class BuildCompiled(build_ext):
    """Makes C of the listed modules, and extension modules of that, two at a time."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.parallel = self.parallel or len(os.sched_getaffinity(0))

    def build_extensions(self) -> None:
        from Cython.Build import cythonize

        wanted = [ext for ext in self.extensions if not self._kept(ext)]
        try:
            for ext in wanted:
                (made,) = cythonize(
                    [Extension(ext.name, ext.sources)],
                    build_dir=str(Path(self.build_temp) / "cython"),
                    compiler_directives=compiled.DIRECTIVES,
                    force=True,
                    quiet=True,
                )
                ext.sources = made.sources
        except Exception as error:  # whatever a Cython of another time may raise
            say(f"Cython refuses a module ({type(error).__name__})")
            wanted = []
        every, self.extensions = self.extensions, wanted
        super().build_extensions()
        self.extensions = every

    def _kept(self, ext: Extension) -> bool:
        """Whether it is built already, here or in the source tree. What is out of date goes, so
        that it cannot be taken for the new one if that cannot be made."""
        built = Path(self.get_ext_fullpath(ext.name))
        beside = ROOT / self.get_ext_filename(ext.name)
        digits = compiled.digest(ext.name, ROOT)
        for place in (built, beside):
            if compiled.is_made_of(place, digits):
                if place != built:
                    built.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(place, built)
                return True
        built.unlink(missing_ok=True)
        if self.inplace or self.editable_mode:
            beside.unlink(missing_ok=True)
        return False


def extension(module: str) -> Extension:
    digits = compiled.digest(module, ROOT)
    return Extension(
        module,
        [str(compiled.source(module, ROOT).relative_to(ROOT))],
        extra_compile_args=list(compiled.FLAGS),
        extra_link_args=[f"-Wl,--build-id=0x{digits}"],
        optional=True,
    )


BUILDS = {"build", "build_ext", "bdist_wheel", "editable_wheel", "install", "develop"}
why = hindrance() if BUILDS.intersection(sys.argv) else ""
if why:
    say(why)
setup(
    ext_modules=[] if why else [extension(module) for module in compiled.MODULES],
    cmdclass={"build_ext": BuildCompiled},
)
