"""The admin API of a running gateway, as the command line asks it (`/api/v1`, JSON).

One small client on urllib: a request is made, JSON comes back, and whatever else happens is a
`RemoteError` with a sentence for a person. Proxies of the environment are not used: the admin
side is this machine's, and ids go to it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import ProxyHandler, Request, build_opener

SECONDS = 10.0  # an admin side that takes longer is not well
PAGE = 1000  # pins the API gives at once
REPLY_BYTES = 16 * 1024 * 1024


class RemoteError(Exception):
    """The gateway could not be asked or said no; `status` is its HTTP status, 0 without one."""

    def __init__(self, sentence: str, status: int = 0) -> None:
        super().__init__(sentence)
        self.status = status


class Remote:
    """A gateway's admin side at `url`, such as http://127.0.0.1:9900."""

    def __init__(self, url: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise RemoteError(f"{url} is no admin URL; it looks like http://127.0.0.1:9900")
        self._base = url.rstrip("/")
        self._open = build_opener(ProxyHandler({})).open

    def get(self, *path: str, **query: object) -> Any:
        """GET /api/v1/PATH; parameters that are None are left out."""
        asked = urlencode({key: value for key, value in query.items() if value is not None})
        return self._ask("GET", path, f"?{asked}" if asked else "", None)

    def pins(self, limit: int, **filters: str | None) -> tuple[list[Any], bool]:
        """Up to `limit` pins, and whether there are more; as many pages are asked for as that
        takes, for the gateway looks at a bounded number of pins a page."""
        pins: list[Any] = []
        cursor = None
        while True:
            page = self.get("pins", limit=min(limit - len(pins), PAGE), cursor=cursor, **filters)
            pins += page["pins"]
            cursor = page["cursor"]
            if cursor is None or len(pins) >= limit:
                return pins, cursor is not None

    def send(self, method: str, *path: str, body: Mapping[str, object] | None = None) -> Any:
        """Another method, with a JSON body if one is given. None if the answer is empty."""
        return self._ask(method, path, "", body)

    def _ask(
        self, method: str, path: tuple[str, ...], query: str, body: Mapping[str, object] | None
    ) -> Any:
        steps = "/".join(quote(step, safe="") for step in path)
        url = f"{self._base}/api/v1/{steps}{query}"
        # a state-changing call needs a JSON content type, with a body or without
        headers = {"Accept": "application/json"}
        if method != "GET":
            headers["Content-Type"] = "application/json"
        data = None if body is None else json.dumps(body).encode()
        try:
            with self._open(Request(url, data, headers, method=method), timeout=SECONDS) as reply:
                return self._read(reply.read(REPLY_BYTES))
        except HTTPError as error:
            with error:
                raise RemoteError(self._complaint(error), error.code) from None
        except (URLError, OSError) as error:
            reason = getattr(error, "reason", None) or error
            raise RemoteError(
                f"no gateway answers at {self._base}: {reason}; is [gateway] admin set there?"
            ) from None

    def _read(self, raw: bytes) -> Any:
        try:
            return json.loads(raw) if raw.strip() else None
        except ValueError:
            raise RemoteError(f"what answers at {self._base} is no gateway: no JSON") from None

    def _complaint(self, error: HTTPError) -> str:
        """The API's own sentence if it sent one."""
        try:
            said = json.loads(error.read(REPLY_BYTES))
        except ValueError:
            said = None
        if isinstance(said, dict) and isinstance(said.get("error"), str):
            allowed = said.get("allowed")
            words = ", ".join(map(str, allowed)) if isinstance(allowed, list) else ""
            return said["error"] + (f"; allowed are {words}" if words else "")
        return f"the gateway answered {error.code} {error.reason}"
