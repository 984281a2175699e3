"""Expiry: when what a message calls the end of a lease or of a token is, in seconds.

Protocols write it as XML Schema does: a dateTime (`wst:Lifetime/wsu:Expires`, WS-Notification's
TerminationTime) or a duration (`wse:Expires` may be either). A dateTime without a time zone is
taken as UTC, as WS-Security wants it written (SOAP Message Security 1.1 section 10); years and
months of a duration have 365 and 30 days, for nobody leases by the calendar.

The one rule: what cannot be read is None, and nothing here raises, for the text comes from a
message. `datetime` was dropped: it knows the clock, which the core does not, and it refuses what
XML Schema allows (24:00:00, fractions of any length).
"""

from __future__ import annotations

import calendar
import re

LENGTH = 64  # characters; a real one has thirty at most

_DATE = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>0[1-9]|1[0-2])-(?P<day>0[1-9]|[12][0-9]|3[01])"
    r"T(?P<hour>[01][0-9]|2[0-4]):(?P<minute>[0-5][0-9]):(?P<second>[0-5][0-9]|60)"
    r"(?P<fraction>\.[0-9]+)?"
    r"(?:Z|(?P<sign>[+-])(?P<zone_hour>0[0-9]|1[0-4]):(?P<zone_minute>[0-5][0-9]))?",
    re.ASCII,
)
_DURATION = re.compile(
    r"P(?=[0-9T])(?:(?P<years>[0-9]{1,6})Y)?(?:(?P<months>[0-9]{1,6})M)?(?:(?P<days>[0-9]{1,9})D)?"
    r"(?:T(?=[0-9])(?:(?P<hours>[0-9]{1,9})H)?(?:(?P<minutes>[0-9]{1,9})M)?"
    r"(?:(?P<seconds>[0-9]{1,12}(?:\.[0-9]+)?)S)?)?",
    re.ASCII,
)
_SECONDS = {
    "years": 365 * 86400.0,
    "months": 30 * 86400.0,
    "days": 86400.0,
    "hours": 3600.0,
    "minutes": 60.0,
    "seconds": 1.0,
}


def moment(text: str, now: float) -> float | None:
    """The moment that an xs:dateTime names, or that lies an xs:duration after `now`, in seconds
    since the epoch; None for what is neither. It may be over."""
    text = text.strip()
    if len(text) > LENGTH:
        return None
    if found := _DATE.fullmatch(text):
        return _at(found)
    if found := _DURATION.fullmatch(text):
        return now + sum(float(found[name] or 0) * worth for name, worth in _SECONDS.items())
    return None


def _at(found: re.Match[str]) -> float | None:
    year, month, day, hour, minute, second = (int(found[n]) for n in range(1, 7))
    if day > calendar.monthrange(year, month)[1] if year else True:
        return None
    if hour == 24 and (minute or second):
        return None
    at = calendar.timegm((year, month, day, hour, minute, second)) + float(found["fraction"] or 0)
    if found["sign"]:
        zone = int(found["zone_hour"]) * 3600 + int(found["zone_minute"]) * 60
        at -= zone if found["sign"] == "+" else -zone
    return at
