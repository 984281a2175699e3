"""The OpenAPI document: exactly what is served, and true of real answers."""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from soapgate.core.explained import View
from soapgate.core.keys import Keys
from soapgate.core.pins import Lifetime, Pin
from soapgate.core.pool import Backend, Pool
from soapgate.core.profiles import catalogue
from soapgate.core.routing import Terms
from soapgate.core.scanner import ScanLimits
from soapgate.core.services import Rule
from soapgate.edge import openapi
from soapgate.edge.admin import ROUTES
from soapgate.edge.adminapi import Call, ServiceInfo
from soapgate.edge.health import Seen
from soapgate.edge.http11 import HeadLimits
from soapgate.edge.metrics import Metrics
from soapgate.edge.workers import WorkerInfo
from soapgate.stores.memory import MemoryStore

DOCUMENT = openapi.document(ROUTES, "1.2.3")
SCHEMAS = DOCUMENT["components"]["schemas"]


def references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*map(references, node.values()))
    return set().union(*map(references, node)) if isinstance(node, list) else set()


def test_the_document_has_every_route_of_the_table_and_no_other():
    described = {
        (method.upper(), path)
        for path, operations in DOCUMENT["paths"].items()
        for method in operations
    }
    assert described == {(route.method, route.path) for route in ROUTES}


def test_the_table_has_exactly_the_calls_of_the_outside_interface():
    assert [f"{route.method} {route.path}" for route in ROUTES] == [
        "GET /api/v1/status",
        "GET /api/v1/services",
        "GET /api/v1/backends",
        "PATCH /api/v1/backends/{pool}/{name}",
        "GET /api/v1/pins",
        "POST /api/v1/pins/lookup",
        "DELETE /api/v1/pins/{service}/{key}",
        "POST /api/v1/explain",
        "GET /api/v1/openapi.json",
        "GET /metrics",
        "GET /health/live",
        "GET /health/ready",
    ]


def test_the_document_names_its_language_and_the_version_of_what_it_describes():
    assert DOCUMENT["openapi"] == "3.1.0"
    assert DOCUMENT["info"]["version"] == "1.2.3"
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_an_operation_is_whole(route):
    operation = DOCUMENT["paths"][route.path][route.method.lower()]
    assert operation["summary"].endswith(".")
    assert set(operation["responses"]) >= {"200", "default"}
    for response in operation["responses"].values():
        assert response["description"]
        assert response["content"]
    in_path = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
    in_query = {p["name"] for p in operation.get("parameters", []) if p["in"] == "query"}
    assert in_path == set(re.findall(r"{(\w+)}", route.path))
    assert in_query == set(route.query)
    assert ("requestBody" in operation) == (route.method in ("PATCH", "POST"))


def test_names_of_operations_are_unique():
    names = [o["operationId"] for path in DOCUMENT["paths"].values() for o in path.values()]
    assert len(set(names)) == len(ROUTES)


def test_every_reference_has_its_schema_and_every_schema_a_reference():
    used = {reference.rsplit("/", 1)[1] for reference in references(DOCUMENT)}
    assert used == set(SCHEMAS)


# Answers are as described


def mismatch(
    value: Any, schema: dict[str, Any], document: dict[str, Any], at: str = "$"
) -> str | None:
    """Where a value differs from a schema, for the part of JSON Schema that is used here."""
    known = {"$ref", "anyOf", "type", "properties", "required", "additionalProperties", "items"}
    known |= {"enum", "pattern", "format", "minimum", "maximum"}
    assert set(schema) <= known, f"{at}: a keyword this check does not know"
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/components/schemas/")
        return mismatch(value, document["components"]["schemas"][name], document, at)
    if "anyOf" in schema:
        wrong = [mismatch(value, choice, document, at) for choice in schema["anyOf"]]
        return None if None in wrong else wrong[0]
    kinds = {"string": str, "integer": int, "number": (int, float), "boolean": bool}
    kinds |= {"array": list, "object": dict, "null": type(None)}
    kind = kinds[schema["type"]]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        return f"{at} is no {schema['type']}"
    if value not in schema.get("enum", [value]):
        return f"{at} is none of {schema.get('enum')}"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return f"{at} does not match {schema['pattern']}"
    if schema.get("format") == "date-time" and not re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value
    ):
        return f"{at} is no time"
    if "minimum" in schema and value < schema["minimum"]:
        return f"{at} is under {schema['minimum']}"
    if isinstance(value, list):
        parts = [(item, schema["items"], document, f"{at}[{n}]") for n, item in enumerate(value)]
    elif isinstance(value, dict) and "properties" in schema:
        if missing := set(schema["required"]) - set(value):
            return f"{at} lacks {missing}"
        if unknown := set(value) - set(schema["properties"]):
            return f"{at} has {unknown}"
        parts = [(value[n], schema["properties"][n], document, f"{at}.{n}") for n in value]
    else:
        parts = []
    return next((wrong for part in parts if (wrong := mismatch(*part))), None)


@pytest.fixture
def view() -> Any:
    """A gateway with a backend probed and one not, a pin and an alias of it."""
    now = 1_700_000_000.0
    pools = {"farm": Pool("farm", [Backend.parse(f"b{n}", f"http://h:{n}") for n in (1, 2)])}
    lifetime = Lifetime(idle=1800, max_age=86400)
    shop = ServiceInfo("shop", "farm", Rule("shop"), ("wsrm",), Terms(), lifetime, "shop")

    async def gathered() -> None:
        """Nothing is to be gathered."""

    view = SimpleNamespace(
        version="1.2.3",
        build="plain",
        started=now - 60,
        now=lambda: now,
        pools=pools,
        services={"shop": shop},
        explained=[View(Rule("shop"), (catalogue()["wsrm"],), Terms(), ScanLimits())],
        head_limits=HeadLimits(),
        store=MemoryStore(),
        keys=Keys(b"k" * 32),
        metrics=Metrics(["shop"], pools),
        gather=gathered,
        workers=lambda: [WorkerInfo(0, 7, "serving", now, 3), WorkerInfo(1, None, "gone", now, 0)],
        ready=lambda: (False, ["no backend is up"]),
        set_admin=lambda pool, member, word: setattr(member, "admin", word),
        last_probe=lambda pool, name: Seen(False, "refused", now, 0.001) if name == "b1" else None,
    )
    primary = view.keys.key("shop", "wsrm", "one")
    alias = view.keys.key("shop", "wsrm", "two")
    asyncio.run(view.store.bind(primary, Pin("shop", "wsrm", "b1", b"", now, now)))
    asyncio.run(view.store.bind(alias, Pin("shop", "wsrm", "", primary, now, now)))
    return view


RM_REQUEST = (Path(__file__).parents[2] / "docs" / "wsrm-request.xml").read_bytes()

# operationId -> what is asked, each so that it is answered
ASKED: dict[str, dict[str, Any]] = {
    "change_backend": {"path": {"pool": "farm", "name": "b1"}, "body": {"admin": "drain"}},
    "list_pins": {"query": {"limit": "1"}},
    "lookup_pins": {"body": {"service": "shop", "id": "two"}},
    "explain": {"body": {"message": base64.b64encode(RM_REQUEST).decode(), "service": "shop"}},
    "delete_pin": {"path": {"service": "shop", "key": "KEY"}},
}


@pytest.mark.parametrize(
    "route", [r for r in ROUTES if r.answer], ids=lambda route: route.function.__name__
)
def test_an_answer_is_as_described(view, route):
    asked = copy.deepcopy(ASKED.get(route.function.__name__, {}))
    if "key" in asked.get("path", {}):
        asked["path"]["key"] = view.keys.key("shop", "wsrm", "two").hex()
    reply = asyncio.run(route.function(Call(view, **asked)))
    operation = DOCUMENT["paths"][route.path][route.method.lower()]
    described = operation["responses"][str(reply.status)]["content"]["application/json"]
    assert mismatch(reply.content, described["schema"], DOCUMENT) is None
    if "requestBody" in operation:
        wanted = operation["requestBody"]["content"]["application/json"]["schema"]
        assert mismatch(asked["body"], wanted, DOCUMENT) is None


@pytest.mark.parametrize(
    ("value", "schema", "where"),
    [
        ({"live": 1}, "Live", "$.live is no boolean"),
        ({}, "Live", "$ lacks {'live'}"),
        ({"live": True, "x": 1}, "Live", "$ has {'x'}"),
        ({"admin": "off"}, "BackendChange", "$.admin is none of ['ready', 'drain', 'maint']"),
        ({"error": "x", "allowed": [1]}, "Error", "$.allowed[0] is no string"),
    ],
)
def test_the_check_of_answers_can_fail(value, schema, where):
    wanted = {"$ref": f"#/components/schemas/{schema}"}
    assert mismatch(value, wanted, DOCUMENT) == where
