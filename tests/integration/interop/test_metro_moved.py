"""Metro in a cluster: it hears of a session that moved by `proxy-jroute`, and by nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import requests
from javabuild import java
from live import Cast, Gateway, toml
from nodes import Node, nodes_of, settings
from wire import WAIT

pytestmark = pytest.mark.foreign

CALL = (
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
    '<where xmlns="urn:example:session"/></e:Body></e:Envelope>'
)
# Metro's own name of a session whose state is replicated
PROFILE = {"lookup": ["cookie:METRO_KEY"], "learn": ["cookie:METRO_KEY"]}


@pytest.fixture(scope="module")
def instances(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    """Two of a cluster."""
    yield from nodes_of([*java("metroha", "Node"), "{name}"], tmp_path_factory.mktemp("metroha"))


class Caller:
    """A client that keeps cookies."""

    def __init__(self, gateway: Gateway) -> None:
        self._url = f"http://127.0.0.1:{gateway.port}/"
        self._http = requests.Session()
        self._http.trust_env = False  # a proxy from the environment is not for 127.0.0.1

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *raised: object) -> None:
        self._http.close()

    def where(self, **fields: str) -> str:
        """What the instance says that the call came to."""
        fields |= {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
        reply = self._http.post(self._url, CALL, headers=fields, timeout=WAIT)
        said = re.search(r"<said>(.*)</said>", reply.text)
        assert said is not None, reply.text
        return said[1]

    @property
    def route(self) -> str | None:
        return self._http.cookies.get("JROUTE")


def gateway(cast: Cast, instances: list[Node], *, jroute: bool) -> Gateway:
    service = {"pool": "nodes", "sessions": ["metro"], "lost": "redispatch", "jroute": jroute}
    text = settings(instances, ["metro"], profile_metro=PROFILE)
    before, _, _ = text.partition("[service.shop]")
    return cast.run(before + toml({"service.shop": service}))


def leave(running: Gateway, name: str, word: str = "maint") -> None:
    status, _ = running.call("PATCH", f"/api/v1/backends/nodes/{name}", {"admin": word})
    assert status == 200


def test_a_session_that_moved_is_taken_for_moved_once(cast: Cast, instances: list[Node]) -> None:
    running = gateway(cast, instances, jroute=True)
    with Caller(running) as caller:
        assert [caller.where() for _ in range(3)] == ["b1 new", "b1 home", "b1 home"]
        assert caller.route == "b1"
        leave(running, "b1")
        assert [caller.where() for _ in range(3)] == ["b2 moved", "b2 home", "b2 home"]
        assert caller.route == "b2"
        leave(running, "b1", "ready")
        leave(running, "b2")
        assert [caller.where() for _ in range(2)] == ["b1 moved", "b1 home"]


def test_a_client_cannot_make_it_so(cast: Cast, instances: list[Node]) -> None:
    running = gateway(cast, instances, jroute=True)
    with Caller(running) as caller:
        said = [caller.where(**{"proxy-jroute": "b9"}) for _ in range(3)]
        assert said == ["b1 new", "b1 home", "b1 home"]


def test_without_jroute_it_hears_of_none(cast: Cast, instances: list[Node]) -> None:
    running = gateway(cast, instances, jroute=False)
    with Caller(running) as caller:
        assert [caller.where() for _ in range(2)] == ["b1 new", "b1 home"]
        leave(running, "b1")
        assert [caller.where() for _ in range(2)] == ["b2 home", "b2 home"]
        assert caller.route is None
