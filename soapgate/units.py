"""Values that a person writes as text: durations, sizes, endpoints, names.

Each function takes what TOML gave and returns a plain value, or raises ValueError with a sentence
that says what is allowed. None of them knows which key it reads for, and none touches the network
or the disk: whether an endpoint can be opened is Twisted's to say, at the start. A unit that has
two meanings is refused rather than guessed: `64KB` is 64000 bytes to some and 65536 to others.
"""

from __future__ import annotations

import re

SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
BYTES = {
    "": 1,
    "B": 1,
    "kB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
}
DURATIONS = 'allowed are a duration such as "500ms", "30s", "1h30m", or a number of seconds'
SIZES = 'allowed are a size such as "64KiB", "1MB", or a number of bytes'
SCHEMES = ("tcp", "tcp6", "ssl", "unix", "systemd", "haproxy")
ENDPOINTS = (
    'allowed are Twisted endpoints: "tcp:8080", "ssl:8443:privateKey=key.pem:certKey=cert.pem",'
    ' "unix:/run/soapgate.sock", "systemd:domain=INET:index=0", "haproxy:tcp:8080"'
)
NAMES = "allowed are letters, digits, '.', '_' and '-', at most 64 of them, a letter or digit first"

_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhd]))+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])", re.ASCII)
_SIZE = re.compile(r"(\d+) ?([A-Za-z]*)", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]", re.ASCII)
_SHORT = re.compile(r"(?:(localhost|[\d.]+|\[[0-9A-Fa-f:]+\])?:)?(\d+)", re.ASCII)
_LONGEST = 10 * 365 * SECONDS["d"]  # ten years: longer is a slip of the unit


def duration(value: object) -> float:
    """Seconds of "1h30m", "500ms" or a plain number; 0 and above."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str) and _DURATION.fullmatch(value):
        parts = _PART.findall(value)
        order = [list(SECONDS).index(unit) for _, unit in parts]
        if order != sorted(set(order)):
            raise ValueError(f"{DURATIONS}; the larger unit first, each once")
        seconds = sum(float(number) * SECONDS[unit] for number, unit in parts)
    else:
        raise ValueError(DURATIONS)
    if not 0 <= seconds <= _LONGEST:
        raise ValueError("allowed are 0 to ten years")
    return seconds


def positive_duration(value: object) -> float:
    """As `duration`, but above 0."""
    seconds = duration(value)
    if seconds == 0:
        raise ValueError("allowed is a duration above 0")
    return seconds


def size(value: object) -> int:
    """Bytes of "64KiB", "1MB" or a plain number; 0 and above."""
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            raise ValueError(SIZES)
        return value
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if found is None or found[2] not in BYTES:
        raise ValueError(f"{SIZES}; units are {', '.join(unit for unit in BYTES if unit)}")
    return int(found[1]) * BYTES[found[2]]


def name(value: object) -> str:
    """A name of a pool, service, profile or backend: it stands in URLs, metrics and log lines."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(NAMES)
    return value


def endpoint(value: object) -> str:
    """A Twisted server endpoint string, checked as far as that goes without Twisted."""
    if not isinstance(value, str):
        raise ValueError(ENDPOINTS)
    scheme, arguments, options = split_endpoint(value)
    if scheme == "haproxy":
        endpoint(value.partition(":")[2])
    elif scheme not in SCHEMES:
        raise ValueError(ENDPOINTS)
    elif scheme in ("tcp", "tcp6", "ssl"):
        port = options.get("port", arguments[0] if arguments else "")
        if not (port.isascii() and port.isdigit() and int(port) <= 65535):
            raise ValueError(f'allowed is a port from 0 to 65535, as in "{scheme}:8080"')
    elif scheme == "unix" and not (arguments and arguments[0]) and not options.get("address"):
        raise ValueError('allowed is a path, as in "unix:/run/soapgate.sock"')
    return value


def split_endpoint(value: str) -> tuple[str, list[str], dict[str, str]]:
    """The scheme, the positional arguments and the options of an endpoint string; a backslash
    takes the meaning from the `:` or `=` behind it, as in twisted.internet.endpoints."""
    parts = [part.replace("\0", ":") for part in value.replace("\\:", "\0").split(":")]
    arguments, options = [], {}
    for part in parts[1:]:
        key, equals, text = part.replace("\\=", "\0").partition("=")
        if equals:
            options[key] = text.replace("\0", "=")
        else:
            arguments.append(key.replace("\0", "="))
    return parts[0], arguments, options


def address(value: str) -> tuple[str, str, str] | None:
    """What an endpoint occupies: (family, interface, port or path); None for one that any number
    of listeners may name: port 0, or a socket that systemd hands over."""
    scheme, arguments, options = split_endpoint(value)
    if scheme == "haproxy":
        return address(value.partition(":")[2])
    if scheme == "unix":
        return "unix", "", options.get("address", arguments[0] if arguments else "")
    if scheme == "systemd":
        return None
    port = options.get("port", arguments[0] if arguments else "").lstrip("0")
    family = "tcp6" if scheme == "tcp6" else "tcp"
    return (family, options.get("interface", ""), port) if port else None


def speaks_tls(value: str) -> bool:
    """Whether clients of an endpoint speak TLS with it."""
    scheme, _, inner = value.partition(":")
    return scheme == "ssl" or (scheme == "haproxy" and speaks_tls(inner))


def is_local(value: str) -> bool:
    """Whether an endpoint can be reached from this machine only."""
    scheme, _, options = split_endpoint(value)
    if scheme == "unix":
        return True
    interface = options.get("interface", "")
    return interface in ("localhost", "::1") or bool(re.fullmatch(r"127(\.\d{1,3}){3}", interface))


def host_pattern(value: object) -> str:
    """A host a service answers for: a name or `*.` and a name, without port."""
    if not isinstance(value, str) or not _HOST.fullmatch(value.removeprefix("*.")):
        raise ValueError('allowed are a host without port, "shop.example.com", or "*.example.com"')
    return value


def path_prefix(value: object) -> str:
    """A path a service answers below; starts with `/`, no query."""
    if not isinstance(value, str) or not re.fullmatch(r"/[!-~]*", value) or set(value) & set("?#"):
        raise ValueError('allowed is a path that starts with "/", without query')
    return value


def action_pattern(value: object) -> str:
    """A SOAP action, or its start and a `*`."""
    if not isinstance(value, str) or not value.strip() or "*" in value[:-1]:
        raise ValueError('allowed is a SOAP action, "urn:shop:Get", or its start, "urn:shop:*"')
    return value


def one_or_more(value: object) -> object:
    """A single string where a list of strings may stand becomes that list."""
    return [value] if isinstance(value, str) else value


def short_endpoint(value: str) -> str:
    """`8080`, `127.0.0.1:8080` and `[::1]:8080`, as people write them on a command line, as
    endpoints; anything else as it is."""
    found = _SHORT.fullmatch(value)
    if found is None:
        return value
    host, port = found[1] or "", found[2]
    if host.startswith("["):
        escaped = host[1:-1].replace(":", "\\:")
        return f"tcp6:{port}:interface={escaped}"
    return f"tcp:{port}:interface={host}" if host else f"tcp:{port}"
