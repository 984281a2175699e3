"""The admin side over HTTP: which call is which function, and who may call at all.

`ROUTES` is the whole of it: a method, a path, the function (of `adminapi` or `adminpins`) that
answers, and what the OpenAPI document says of it. Below the table stand the rules that hold for
every call:

* loopback only, in both senses. A peer that is not on this machine is refused; so is a Host that
  is neither a loopback name nor an address, for a web page can make its own name resolve to
  127.0.0.1 (DNS rebinding) and read what it likes.
* what changes state must come as `application/json`. A browser sends that across sites only after
  asking, and it is never told yes: there are no CORS fields here.
* bodies are bounded, names and values that nobody knows are refused with those that are allowed,
  and every error is JSON.

It serves few calls, so twisted.web is right here though it is wrong for the data path. Its tree of
resources is not used: one table is read more easily. Calls are not logged by address, for somebody
may put an id where it does not belong; changes are logged by the gateway.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import SEEK_END, BytesIO
from ipaddress import IPv6Address, ip_address
from typing import Any
from urllib.parse import parse_qsl, unquote

from twisted.internet.address import IPv4Address as TCP4Peer
from twisted.internet.address import IPv6Address as TCP6Peer
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from soapgate.core.errors import StoreError
from soapgate.edge import adminapi, adminexplain, adminpins, openapi
from soapgate.edge.adminapi import Call, Refused, Reply, View
from soapgate.edge.openapi import Route

log = Logger()

BODY_BYTES = 64 * 1024
DROPPED_BYTES = 1024 * 1024  # of a body that is refused: read so that the answer can be read


async def _openapi(call: Call) -> Reply:
    return Reply(openapi.document(ROUTES, call.view.version))


ROUTES = (
    Route("GET", "/api/v1/status", adminapi.status, "Status"),
    Route("GET", "/api/v1/services", adminapi.services, "Services"),
    Route("GET", "/api/v1/backends", adminapi.backends, "Backends"),
    Route(
        *("PATCH", "/api/v1/backends/{pool}/{name}", adminapi.change_backend, "Backend"),
        body="BackendChange",
    ),
    Route(
        *("GET", "/api/v1/pins", adminpins.list_pins, "PinPage"),
        query=("service", "backend", "limit", "cursor"),
    ),
    Route("POST", "/api/v1/pins/lookup", adminpins.lookup_pins, "PinsFound", body="PinQuestion"),
    Route("DELETE", "/api/v1/pins/{service}/{key}", adminpins.delete_pin, "Pin"),
    Route(
        *("POST", "/api/v1/explain", adminexplain.explain, "Explanation"),
        body="Question",
        most=adminexplain.BODY_BYTES,
    ),
    Route("GET", "/api/v1/openapi.json", _openapi, "Document", about="This document."),
    Route("GET", "/metrics", adminapi.metrics, ""),
    Route("GET", "/health/live", adminapi.live, "Live"),
    Route("GET", "/health/ready", adminapi.ready, "Ready", also={503: "Ready"}),
)

KEPT_BYTES = max(route.most or BODY_BYTES for route in ROUTES)


def make_site(view: View, reactor: Any = None) -> Site:
    """The factory to listen with. `reactor` times idle connections out; None is the global one."""
    return AdminSite(view, reactor)


class AdminSite(Site):
    """The table, served."""

    noisy = False
    displayTracebacks = False

    def __init__(self, view: View, reactor: Any) -> None:
        super().__init__(AdminResource(view), requestFactory=AdminRequest, reactor=reactor)

    def log(self, request: Request) -> None:
        """No access log."""


class AdminRequest(Request):
    """A request whose body is kept up to the most that any call takes, `KEPT_BYTES`."""

    too_large = False
    _dropped = 0

    def gotLength(self, length: int | None) -> None:
        self.content = BytesIO()
        self.too_large = length is not None and length > KEPT_BYTES

    def handleContentChunk(self, data: bytes) -> None:
        if self.too_large or self.content.tell() + len(data) > KEPT_BYTES:
            self.too_large = True
            self._dropped += len(data)
            if self._dropped > DROPPED_BYTES:
                self.loseConnection()
        else:
            self.content.write(data)


class AdminResource(Resource):
    """Every path; checks a call, has it done, writes the answer."""

    isLeaf = True

    def __init__(self, view: View) -> None:
        super().__init__()
        self._view = view

    def render(self, request: AdminRequest) -> int:
        try:
            _refuse_strangers(request)
            route, names = _find(request)
            call = Call(self._view, names, _query(route, request), _body(route, request))
        except Refused as refused:
            _write(request, _refusal(refused))
            return NOT_DONE_YET
        answering: Deferred[Reply] = ensureDeferred(route.function(call))
        answering.addErrback(_failed)
        request.notifyFinish().addErrback(lambda _: answering.cancel())
        answering.addCallbacks(
            lambda reply: _write(request, reply),
            lambda failure: failure.trap(CancelledError),  # the caller left
        )
        return NOT_DONE_YET


def _failed(failure: Failure) -> Reply:
    if failure.check(Refused):
        return _refusal(failure.value)
    if failure.check(StoreError):
        return Reply({"error": f"the pin store could not answer: {failure.value}"}, 503)
    if failure.check(CancelledError):
        failure.raiseException()
    log.failure("an admin call went wrong", failure)
    return Reply({"error": "a defect of soapgate; its log has the traceback"}, 500)


def _refusal(refused: Refused) -> Reply:
    said: dict[str, object] = {"error": refused.error}
    if refused.allowed is not None:
        said["allowed"] = refused.allowed
    return Reply(said, refused.status)


def _write(request: AdminRequest, reply: Reply) -> None:
    content = reply.content
    if not isinstance(content, bytes):
        content = json.dumps(content).encode() + b"\n"
    request.setResponseCode(reply.status)
    request.responseHeaders.removeHeader(b"server")
    for name, value in (
        ("Content-Type", reply.content_type),
        ("Content-Length", str(len(content))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
    ):
        request.setHeader(name, value)
    if reply.status == 405:
        request.setHeader("Allow", ", ".join(reply.content["allowed"]))  # type: ignore[index]
    request.write(content)
    request.finish()


# Who may call


def _refuse_strangers(request: AdminRequest) -> None:
    if not _is_local(request.getClientAddress()):
        raise Refused(403, "the admin side answers callers on this machine only")
    hosts = request.requestHeaders.getRawHeaders(b"host", [])
    # HTTP/1.0 may leave Host out; no browser does
    if len(hosts) > 1 or not all(_is_local_name(host) for host in hosts):
        error = "the Host field names neither this machine's loopback nor an address"
        raise Refused(403, error, ["localhost", "an IP address"])


def _is_local(peer: object) -> bool:
    if isinstance(peer, UNIXAddress):
        return True  # whoever may open the socket; its mode says who that is
    if not isinstance(peer, TCP4Peer | TCP6Peer):
        return False
    address = ip_address(peer.host)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback


def _is_local_name(host: bytes | str) -> bool:
    """Whether a Host value is `localhost`, a name below it (RFC 6761 6.3) or an IP address."""
    text = host.decode("latin-1") if isinstance(host, bytes) else host
    text = text.strip().lower()
    if text.startswith("["):
        name, bracket, port = text[1:].partition("]")
        port = port.removeprefix(":") if port.startswith(":") or not port else "bad"
        if not bracket:
            return False
    else:
        name, _, port = text.partition(":")
    if port and not (port.isascii() and port.isdigit()):
        return False
    name = name.removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


# What is called


def _find(request: AdminRequest) -> tuple[Route, Mapping[str, str]]:
    path = request.uri.partition(b"?")[0]
    matches = [
        (route, names) for route in ROUTES if (names := _match(route.path, path)) is not None
    ]
    if not matches:
        raise Refused(404, "there is nothing here", [f"{r.method} {r.path}" for r in ROUTES])
    method = request.method.decode("latin-1")
    for route, names in matches:
        if route.method == ("GET" if method == "HEAD" else method):
            return route, names
    allowed = [route.method for route, _ in matches]
    if "GET" in allowed:
        allowed.append("HEAD")
    raise Refused(405, f"{method} is not possible here", allowed)


def _match(pattern: str, path: bytes) -> dict[str, str] | None:
    """The values of the `{names}` of a pattern, None if the path is another."""
    wanted, given = pattern.split("/"), path.split(b"/")
    if len(wanted) != len(given):
        return None
    names = {}
    for want, raw in zip(wanted, given, strict=True):
        have = unquote(raw)  # undecodable octets become U+FFFD, which no name has
        if want.startswith("{"):
            names[want[1:-1]] = have
        elif want != have:
            return None
    return names


def _query(route: Route, request: AdminRequest) -> dict[str, str]:
    text = request.uri.partition(b"?")[2].decode("latin-1")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=20)
    except ValueError:
        raise Refused(400, "the query has too many fields", list(route.query)) from None
    query = dict(pairs)
    for name in query:
        if name not in route.query:
            raise Refused(400, f"the query has an unknown field {name!r}", list(route.query))
    if len(query) < len(pairs):
        raise Refused(400, "the query has a field twice", list(route.query))
    return query


def _body(route: Route, request: AdminRequest) -> dict[str, object]:
    most = route.most or BODY_BYTES
    if request.too_large or request.content.seek(0, SEEK_END) > most:
        request.setHeader("Connection", "close")
        raise Refused(413, f"the body is over {most} bytes")
    if route.method == "GET":
        return {}
    kinds = request.requestHeaders.getRawHeaders(b"content-type", [])
    if len(kinds) != 1 or kinds[0].partition(b";")[0].strip().lower() != b"application/json":
        raise Refused(415, "a change needs a Content-Type", ["application/json"])
    request.content.seek(0)
    raw = request.content.read()
    if not route.body:
        if raw:
            raise Refused(400, f"{route.method} takes no body here")
        return {}
    try:
        body = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Refused(400, "the body is no JSON in UTF-8") from None
    if not isinstance(body, dict):
        raise Refused(422, "the body is no JSON object", ["an object"])
    return body
