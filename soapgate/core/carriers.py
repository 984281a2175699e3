"""Reads session ids from HTTP: cookies, Set-Cookie, what stands in the target of a request, or in
the URL that a Location names.

The one rule: junk is skipped, never refused. Cookies are read as clients write them, not as
RFC 6265 wishes: quoted and not (one id either way), with `$Version` and `$Path` (RFC 2965; gSOAP
and CXF still send them), with a trailing `;`, with the attributes of Set-Cookie sent back as
cookies of their own (pyVmomi), empty. `http.cookies` was dropped: it stops at the first pair it
dislikes, and an id after that would be lost.

Text is UTF-8, else Latin-1. Work is linear in the input, and what is counted is bounded.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_tz
from urllib.parse import unquote_to_bytes

MAX_PAIRS = 256  # cookies, parameters or query fields read of one message; browsers stop at 180
LONG_PAST = 946_684_800.0  # 2000-01-01: no cookie lives that expires before, whatever the clock

_QUOTED = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"[ \t]*(?=;|$)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_BLANK = " \t"
# ASP.NET (CookielessHelper): a segment in brackets, of a capital letter and a value each
_COOKIELESS = re.compile(rb"/\(((?:[A-Z]\([^)/]*\))+)\)(?=/|$)")
_COOKIELESS_VALUE = re.compile(rb"([A-Z])\(([^)/]*)\)")


@dataclass(frozen=True, slots=True)
class SetCookie:
    """One cookie that a backend sets, or takes back (`deleted`: no value, Max-Age of 0 or less,
    or an Expires that is over)."""

    name: str
    value: str
    deleted: bool


def text(raw: bytes) -> str:
    """Bytes of a head as text: UTF-8, or Latin-1 where it is not."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def cookies(fields: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    """Name and unquoted value of each cookie in the values of Cookie fields, in order; several
    of one name are all there. `$` attributes and pieces without a name or `=` are not."""
    for field in fields:
        for name, value in _pairs(text(field)):
            if name and name[0] != "$" and value is not None:
                yield name, value


def set_cookies(fields: Iterable[bytes], now: float) -> Iterator[SetCookie]:
    """Each Set-Cookie field, in order; `now` is seconds since the epoch, for Expires. A field
    without `name=` (Axis and others send `Set-Cookie: 0`) is skipped, unless it deletes."""
    for field in fields:
        (name, value), *attributes = _pairs(text(field))
        if name and value is not None:
            yield SetCookie(name, value, not value or _expired(attributes, now))
        elif name and _expired(attributes, now):
            yield SetCookie(name, "", True)  # WCF takes its cookie back as `WscContext;Max-Age=0`


def path_params(target: bytes) -> Iterator[tuple[str, str]]:
    """Name and value of each `;name=value` in the path of a request target, in any segment.

    As Tomcat reads them (CoyoteAdapter): a parameter ends at the next `;` or `/`, and names keep
    their case. Unlike there the value is percent-decoded, so that a client that encodes what a
    backend wrote plainly is still the same session.
    """
    path = target.partition(b"?")[0]
    for piece in path.split(b";", MAX_PAIRS)[1:]:
        name, equals, value = piece.partition(b"/")[0].partition(b"=")
        if equals and name:
            yield text(unquote_to_bytes(name)), text(unquote_to_bytes(value)).strip()


def query(target: bytes) -> Iterator[tuple[str, str]]:
    """Name and value of each field of the query, decoded as an HTML form (`+` is a blank)."""
    fields = target.partition(b"?")[2].partition(b"#")[0]
    if not fields:
        return
    for piece in fields.split(b"&", MAX_PAIRS)[:MAX_PAIRS]:
        name, _, value = piece.replace(b"+", b" ").partition(b"=")
        if name:
            yield text(unquote_to_bytes(name)), text(unquote_to_bytes(value)).strip()


def cookieless(target: bytes) -> Iterator[tuple[str, str]]:
    """Letter and value of each `X(value)` in the segment `/(X(1)S(value))/` that ASP.NET without
    cookies puts into its paths: S the session, A an anonymous user, F a ticket of forms
    authentication, X that cookies were tried. Of several segments the last one counts, as there."""
    path = unquote_to_bytes(target.partition(b"?")[0])
    segments: list[bytes] = _COOKIELESS.findall(path)
    if segments:
        for letter, value in _COOKIELESS_VALUE.findall(segments[-1])[:MAX_PAIRS]:
            yield letter.decode("ascii"), text(value).strip()


# what an id may stand in within a URL: the kind of its location -> who reads it from a target
IN_URL: dict[str, Callable[[bytes], Iterator[tuple[str, str]]]] = {
    "param": path_params,
    "query": query,
    "cookieless": cookieless,
}


def names_in_url(kind: str, name: str) -> bool:
    """Whether something of a kind of `IN_URL` may have this name."""
    if kind == "cookieless":
        return len(name) == 1 and "A" <= name <= "Z"
    return bool(name) and name == name.strip() and not any(char in name for char in "&;/?=#")


def target(raw: bytes) -> str:
    """A request target as an id: path and query, written in one way (RFC 3986 6.2.2: percent
    encoding in upper case, none for unreserved characters), without an authority (RFC 9112
    3.2.2). "" for the bare root, which is everybody's."""
    found = _ABSOLUTE.match(raw)
    if found is not None:
        raw = raw[found.end() :]
    raw = raw.partition(b"#")[0]
    if raw[:1] == b"?":
        raw = b"/" + raw  # RFC 3986 6.2.3: an empty path is the root
    if raw[:1] != b"/" or raw == b"/":
        return ""
    return _OCTETS.sub(_octet, raw).decode("ascii")


def target_of_address(address: str) -> str:
    """The same of an address in a message, if it is an absolute URL somebody may serve; the
    addresses that specifications define (anonymous, none) are nobody's."""
    raw = address.encode("utf-8", "replace")
    found = _ABSOLUTE.match(raw)
    if found is None or found[1].lower() in _DEFINED:
        return ""
    return target(raw)


def path_of(target: bytes) -> str:
    """The path of a request target as it may be shown, without what may carry an id or a password:
    it ends before the first query, parameter or fragment and before what ASP.NET writes into it,
    and starts after any scheme and authority."""
    text = target.decode("latin-1")  # str first: its `in` takes a tenth of what that of bytes does
    if "?" in text or ";" in text or "%" in text or "#" in text or "(" in text:
        text = _HIDDEN.sub("", text)
    if text[:1] != "/" and "://" in text:
        text = "/" + text.partition("://")[2].partition("/")[2]
    return text


# the marks, and the same escaped; of ASP.NET's, a bracket, a capital letter and a bracket
_HIDDEN = re.compile(
    r"[?;#].*|%(?:3[bBfF]|23).*|(?:\(|%28)(?:[A-Z]|%[45][0-9A-Fa-f])(?:\(|%28).*", re.DOTALL
)


def of_address(read: Callable[[bytes], Iterable[tuple[str, str]]], name: str, address: str) -> str:
    """The first value of a name that `read` finds in a URL, absolute or relative as a Location may
    be (RFC 9110 10.2.2); "" if there is none."""
    raw = address.encode("utf-8", "replace").partition(b"#")[0]
    return next((value for one, value in read(raw) if one == name and value), "")


_ABSOLUTE = re.compile(rb"https?://([^/?#]*)", re.IGNORECASE)
_DEFINED = frozenset((b"www.w3.org", b"schemas.xmlsoap.org", b"docs.oasis-open.org"))
_OCTETS = re.compile(rb"%[0-9A-Fa-f]{2}|[^!$&-;=?@A-Z_a-z~]")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def _octet(found: re.Match[bytes]) -> bytes:
    raw = found[0]
    octet = int(raw[1:], 16) if len(raw) == 3 else raw[0]
    return bytes((octet,)) if octet in _UNRESERVED else b"%%%02X" % octet


_Pair = tuple[str, str | None]


def _pairs(field: str) -> list[_Pair]:
    """Name and value of each piece between `;`, at least one; the value is None without `=`."""
    if '"' in field:
        return _quoted_pairs(field)
    out: list[_Pair] = []
    for piece in field.split(";", MAX_PAIRS)[:MAX_PAIRS]:
        name, equals, value = piece.partition("=")
        out.append((name.strip(_BLANK), value.strip(_BLANK) if equals else None))
    return out


def _quoted_pairs(field: str) -> list[_Pair]:
    out: list[_Pair] = []
    at = 0
    while at <= len(field) and len(out) < MAX_PAIRS:
        end = field.find(";", at)
        if end < 0:
            end = len(field)
        name, equals, value = field[at:end].partition("=")
        value = value.strip(_BLANK)
        if value[:1] == '"':
            # a `;` may stand inside the quotes; a quote that never closes is a plain character
            quoted = _QUOTED.match(field, field.index('"', at + len(name)))
            if quoted is not None:
                value, end = quoted[1], quoted.end()
                if "\\" in value:
                    value = _ESCAPED.sub(r"\1", value)
        out.append((name.strip(_BLANK), value if equals else None))
        at = end + 1
    return out


def _expired(attributes: Iterable[_Pair], now: float) -> bool:
    """Whether Max-Age or, without one, Expires says so (RFC 6265 5.3: Max-Age wins)."""
    max_age: int | None = None
    expires: float | None = None
    for name, value in attributes:
        if value is None:
            continue
        lower = name.lower()
        if lower == "max-age":
            max_age = _number(value, max_age)
        elif lower == "expires":
            expires = _date(value, expires)
    if max_age is not None:
        return max_age <= 0
    return expires is not None and expires <= max(now, LONG_PAST)


def _number(value: str, otherwise: int | None) -> int | None:
    if not value.lstrip("-").isdecimal() or len(value) > 20:
        return otherwise
    try:
        return int(value)
    except ValueError:  # "--1"
        return otherwise


def _date(value: str, otherwise: float | None) -> float | None:
    try:
        parts = parsedate_tz(value)
        if parts is None:
            return otherwise
        return calendar.timegm((*parts[:6], 0, 1, 0)) - (parts[9] or 0)
    except (ValueError, TypeError, IndexError, OverflowError):
        return otherwise
