"""The Java stacks: built by Maven once, run with a small heap.

What Maven compiles and the libraries it fetches lie in `var/`, keyed by the sources; its own
repository keeps the libraries over changes of the sources.
"""

from __future__ import annotations

import os
from pathlib import Path

from stacks import HERE, build, fetch, need, run

# A node needs some 60 MiB. The first compiler is enough, and two JVMs share one core with all else.
_SMALL = ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"]


def java(project: str, program: str) -> list[str]:
    """The command for a class of one of the projects in java/; the test is skipped without Java
    or Maven."""
    virtual_machine = need("java", "default-jre-headless")
    need("javac", "default-jdk-headless")
    maven = need("mvn", "maven")
    home = HERE / "java" / project
    sources = [home / "pom.xml", *home.glob("src/**/*.*")]

    def make(directory: Path) -> None:
        command = [maven, "-B", "-q", f"-Dout={directory}"]
        options = os.environ | {"MAVEN_OPTS": " ".join(_SMALL)}
        fetch([*command, "dependency:copy-dependencies"], "mvn", cwd=home, env=options)
        run([*command, "process-classes"], "mvn", cwd=home, env=options)

    made = build(project, sources, make)
    modules = map(str, made.glob("lib/*.mar"))  # Axis2's, which `*` does not stand for
    classes = ":".join([f"{made / 'classes'}", f"{made / 'lib'}/*", *modules])
    return [virtual_machine, *_SMALL, "-cp", classes, f"interop.{program}"]
