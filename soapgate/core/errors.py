"""What can go wrong, as values: whose fault it is, why, and whether a retry is safe.

    SoapgateError
    +-- ConfigError       a file that cannot be used; carries every problem found, a line each
    +-- LocationError     a location, profile or marker that cannot be compiled (also a ValueError)
    +-- StoreError        the pin store could not answer
    |   +-- StoreFull     its cap is reached and its rule is to refuse
    +-- Failure           an exchange that ends with an answer of ours instead of a backend's

A `Failure` names a `Reason`; `soapgate.core.faults` is the one place that turns a reason into an
HTTP status and a SOAP fault. Nobody else knows status codes.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Literal

Source = Literal["downstream", "upstream", "internal"]


class Reason(StrEnum):
    """Why an exchange was refused or broken; the same word in log, metric and fault."""

    MALFORMED = "malformed"  # framing, head or envelope against its grammar
    URI_TOO_LONG = "uri-too-long"
    HEAD_TOO_LARGE = "head-too-large"
    TOO_LARGE = "too-large"  # a body over a configured bound, or an inflation bomb
    REQUEST_TIMEOUT = "request-timeout"  # the client did not finish its message in time
    EXPECTATION = "expectation"  # an Expect other than 100-continue
    VERSION = "version"  # an HTTP version other than 1.0 and 1.1
    NO_SERVICE = "no-service"  # no configured service matches host, path and action
    SESSION_UNKNOWN = "session-unknown"  # a server-initiated id nobody knows, unknown = "fault"
    SESSION_LOST = "session-lost"  # the pinned backend is gone and the service is strict
    NO_BACKEND = "no-backend"
    QUEUE_TIMEOUT = "queue-timeout"
    UPSTREAM_TIMEOUT = "upstream-timeout"
    UPSTREAM_BROKEN = "upstream-broken"
    STORE = "store"  # the pin store failed and the service may not go on without it
    INTERNAL = "internal"  # a defect of ours; the log has the traceback


class SoapgateError(Exception):
    """Everything soapgate raises on purpose."""


class ConfigError(SoapgateError):
    """A configuration that cannot be used: `problems` has one full sentence for each defect."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class LocationError(SoapgateError, ValueError):
    """A location, profile or end marker that does not compile; the text says what is allowed."""


class StoreError(SoapgateError):
    """The pin store could not answer."""


class StoreFull(StoreError):
    """The store holds as many pins as it may and was told to refuse rather than evict."""


class Failure(SoapgateError):
    """An exchange that cannot be served: whose fault, why, and whether trying again is safe.

    `retry_safe` speaks of the backend: True only while no byte of the request has reached one.
    """

    def __init__(
        self, source: Source, reason: Reason, detail: str = "", *, retry_safe: bool = False
    ) -> None:
        self.source = source
        self.reason = reason
        self.detail = detail
        self.retry_safe = retry_safe
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
