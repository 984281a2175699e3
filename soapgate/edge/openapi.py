"""The admin API told in OpenAPI 3.1, made from the table that serves it.

The one rule: nothing is described here that `admin.ROUTES` does not serve, and nothing served goes
undescribed. Paths, methods and parameters come from the table, sentences from the functions'
docstrings; only the shapes of what goes in and out (JSON Schema 2020-12) are written by hand, and
the tests hold real answers against them. A hand-written document beside the code was dropped: it
tells the truth for a week.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from soapgate.core.pool import ADMIN_WORDS
from soapgate.edge.workers import STATES as WORKER_STATES

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Route:
    """One entry of the table. `{names}` in `path` stand for one segment each; `answer` and `body`
    name schemas, an empty answer is text; `query` are the parameters it takes; `also` are further
    statuses that are answers and no errors; `most` bytes of a body, 0 for the usual bound. `about`
    is left out when the function says it."""

    method: str
    path: str
    function: Callable[[Any], Coroutine[Any, Any, Any]]
    answer: str
    query: tuple[str, ...] = ()
    body: str = ""
    also: Mapping[int, str] = field(default_factory=dict)
    most: int = 0
    about: str = ""


def document(routes: Iterable[Route], version: str) -> Json:
    """The OpenAPI document of a table."""
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "soapgate admin API",
            "version": version,
            "description": "Loopback only. Session ids go in and never come out.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [],
        "paths": paths,
        "components": {"schemas": SCHEMAS},
    }


def _operation(route: Route) -> Json:
    about = route.about or " ".join((route.function.__doc__ or "").split())
    told: Json = {
        "operationId": route.function.__name__.strip("_"),
        "summary": about,
        "responses": {
            "200": _response("Done.", route.answer),
            **{str(s): _response("Not now.", name) for s, name in route.also.items()},
            "default": _response("Refused.", "Error"),
        },
    }
    names = re.findall(r"\{(\w+)\}", route.path)
    parameters = [{**PARAMETERS[name], "in": "path", "required": True} for name in names]
    parameters += [{**PARAMETERS[name], "in": "query"} for name in route.query]
    if parameters:
        told["parameters"] = parameters
    if route.body:
        told["requestBody"] = {"required": True, "content": _json(route.body)}
    elif route.method != "GET":
        told["description"] = "Send Content-Type: application/json and no body."
    return told


def _response(about: str, schema: str) -> Json:
    content = _json(schema) if schema else {"text/plain": {"schema": {"type": "string"}}}
    return {"description": about, "content": content}


def _json(schema: str) -> Json:
    return {"application/json": {"schema": _ref(schema)}}


def _ref(schema: str) -> Json:
    return {"$ref": f"#/components/schemas/{schema}"}


def _object(**properties: Json) -> Json:
    """An object that has all of these and nothing else."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


def _or_null(schema: Json) -> Json:
    return {"anyOf": [schema, {"type": "null"}]}


TEXT: Json = {"type": "string"}
COUNT: Json = {"type": "integer", "minimum": 0}
NUMBER: Json = {"type": "number"}
FLAG: Json = {"type": "boolean"}
TIME: Json = {"type": "string", "format": "date-time"}
KEY: Json = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
ADMIN: Json = {"type": "string", "enum": list(ADMIN_WORDS)}

PARAMETERS: dict[str, Json] = {
    name: {"name": name, "description": about, "schema": schema}
    for name, about, schema in (
        ("pool", "A pool of the configuration.", TEXT),
        ("name", "A backend of that pool.", TEXT),
        ("service", "A service of the configuration.", TEXT),
        ("key", "The key of a pin.", KEY),
        ("backend", "Only pins of this backend; aliases have none.", TEXT),
        ("limit", "Pins a page.", {"type": "integer", "minimum": 1, "maximum": 1000}),
        ("cursor", "Where the page before ended.", {"type": "string", "pattern": "^[0-9a-f]+$"}),
    )
}

_PIN = {
    "service": TEXT,
    "key": KEY,
    "profile": TEXT,
    "backend": _or_null(TEXT),
    "alias": _or_null(KEY),
    "created": TIME,
    "used": TIME,
    "expired": FLAG,
    "ended": FLAG,
}
_PROBE = _object(ok=FLAG, detail=TEXT, at=TIME, seconds=NUMBER)
_ID = _object(hash=TEXT, length=COUNT, clear=_or_null(TEXT))
_PLACE = _object(use=TEXT, location=TEXT, met=FLAG, ids=_list(_ID))
_STANDING = _object(
    state={"type": "string", "enum": ["pinned", "expired", "unknown"]},
    backend=_or_null(TEXT),
    alias=FLAG,
)
_VERDICT = _object(
    route=TEXT,
    reason=TEXT,
    backend=_or_null(TEXT),
    candidates=_list(TEXT),
    profile=_or_null(TEXT),
    hash=_or_null(TEXT),
    conflicts=_list(_object(profile=TEXT, hash=TEXT, backend=TEXT)),
    fault=_or_null(TEXT),
)

SCHEMAS: dict[str, Json] = {
    "Error": {
        "type": "object",
        "properties": {"error": TEXT, "allowed": _list(TEXT)},
        "required": ["error"],
        "additionalProperties": False,
    },
    "Status": _object(
        version=TEXT,
        build=TEXT,
        started=TIME,
        uptime=NUMBER,
        ready=FLAG,
        reasons=_list(TEXT),
        services=COUNT,
        backends=COUNT,
        backends_up=COUNT,
        inflight=COUNT,
        exchanges=COUNT,
        pins=_or_null(COUNT),
        workers=_list(_ref("Worker")),
    ),
    "Worker": _object(
        number=COUNT,
        pid=_or_null(COUNT),
        state={"type": "string", "enum": list(WORKER_STATES)},
        started=TIME,
        exchanges=COUNT,
    ),
    "Service": _object(
        name=TEXT,
        pool=TEXT,
        hosts=_list(TEXT),
        paths=_list(TEXT),
        actions=_list(TEXT),
        role=_or_null(TEXT),
        sessions=_list(TEXT),
        lost={"type": "string", "enum": ["strict", "redispatch"]},
        unknown={"type": "string", "enum": ["balance", "fault", "hash"]},
        idle=NUMBER,
        max_age=NUMBER,
    ),
    "Services": _object(services=_list(_ref("Service"))),
    "Backend": _object(
        pool=TEXT,
        name=TEXT,
        url=TEXT,
        admin=ADMIN,
        up=FLAG,
        available=FLAG,
        inflight=COUNT,
        waiting=COUNT,
        maxconn=COUNT,
        weight=COUNT,
        roles=_list(TEXT),
        backup=FLAG,
        probe=_or_null(_PROBE),
    ),
    "Backends": _object(backends=_list(_ref("Backend"))),
    "BackendChange": _object(admin=ADMIN),
    "Pin": _object(**_PIN),
    "PinPage": _object(pins=_list(_ref("Pin")), cursor=_or_null(TEXT)),
    "PinQuestion": _object(service=TEXT, id=TEXT),
    "PinsFound": _object(pins=_list(_object(**_PIN, leads_to=_or_null(TEXT)))),
    "Question": {
        "type": "object",
        "properties": {"message": TEXT, "service": _or_null(TEXT), "action": _or_null(TEXT)},
        "required": ["message"],
        "additionalProperties": False,
    },
    "Explanation": _object(
        kind={"type": "string", "enum": ["request", "response", "envelope"]},
        service=_or_null(TEXT),
        **dict.fromkeys(("host", "path", "action"), TEXT),
        status=COUNT,
        **dict.fromkeys(("container", "content_coding", "charset"), TEXT),
        readings=_list(_ref("Reading")),
        refusal=_or_null(TEXT),
    ),
    "Reading": _object(
        direction={"type": "string", "enum": ["request", "response"]},
        outcome=TEXT,
        detail=TEXT,
        soap=_or_null(TEXT),
        fault=_or_null(FLAG),
        read=COUNT,
        size=COUNT,
        profiles=_list(_object(profile=TEXT, places=_list(_PLACE))),
        order=_list(_object(profile=TEXT, id=_ID, bindable=FLAG, pin=_or_null(_STANDING))),
        would=_list(TEXT),
        hints=_list(TEXT),
        verdict=_or_null(_VERDICT),
        refusal=_or_null(TEXT),
    ),
    "Live": _object(live=FLAG),
    "Ready": _object(ready=FLAG, reasons=_list(TEXT)),
    "Document": {"type": "object"},
}
