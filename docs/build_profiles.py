"""Writes the tables of docs/profiles.rst: the built-in profiles and the known prefixes.

The one rule: what the catalogue and `soapgate.core.ns` know is written down nowhere else by hand.
How a page is written in part is in written.py. It refuses to explain a protocol: `soapgate profiles
NAME` does that from the same file.
A Sphinx extension was dropped: the page must read well where it lies, unbuilt.

    python docs/build_profiles.py            write the page anew
    python docs/build_profiles.py --check    status 1 if that would change it
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from written import main

from soapgate.core.ns import PREFIXES
from soapgate.core.profiles import Profile, catalogue

PAGE = Path(__file__).with_name("profiles.rst")
USES = ("lookup", "bind", "learn", "end", "expires", "sent", "reply_to")


def profile_table(profiles: Mapping[str, Profile] | None = None) -> str:
    """A list-table of the profiles, in the order of precedence and then of names."""
    known = catalogue() if profiles is None else profiles
    rows = [("profile", "default", "what it is, and where its ids are")]
    rows += [
        (f"``{name}``", "on" if one.default else "off", f"{one.title}\n\n{_places(one)}")
        for name, one in known.items()
    ]
    return _table(rows, "18 7 75")


def prefix_table(prefixes: Mapping[str, tuple[str, ...]] = PREFIXES) -> str:
    """A list-table of the prefixes that every configuration knows."""
    rows = [("prefix", "namespaces, the newest first")]
    rows += [
        (f"``{prefix}``", "\n".join(f"| ``{uri}``" for uri in uris))
        for prefix, uris in prefixes.items()
    ]
    return _table(rows, "15 85")


def _places(profile: Profile) -> str:
    """A line block: each location behind the use it has."""
    lines = []
    for use in USES:
        for location in getattr(profile, use):
            lines.append(f"| {use} ``{location.text}``")
    lines += [f"| {key}: ``{text}``" for key, text in profile.rules]
    return "\n".join(lines)


def _table(rows: Iterable[tuple[str, ...]], widths: str) -> str:
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for row in rows:
        for number, cell in enumerate(row):
            lead = "   * - " if number == 0 else "     - "
            for line in cell.split("\n"):
                lines.append((lead + line).rstrip())
                lead = " " * 7
    return "\n".join(lines) + "\n"


PARTS = {"profiles": profile_table, "prefixes": prefix_table}


if __name__ == "__main__":
    sys.exit(main(PAGE, PARTS, sys.argv[1:]))
