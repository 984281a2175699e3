"""Gateways with several worker processes, and what can be seen of each worker."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from live import Cast, Gateway
from wire import Backend, Client, wait_for

TWO = {"workers": 2}


def two_workers(cast: Cast) -> Callable[..., Gateway]:
    """Makes gateways with two workers."""

    def make(backends: list[Backend], **tables: Any) -> Gateway:
        tables["gateway"] = {**TWO, **tables.get("gateway", {})}
        return cast.gateway(backends, **tables)

    return make


def workers(gateway: Gateway) -> list[dict[str, Any]]:
    return gateway.call("GET", "/api/v1/status")[1]["workers"]


def all_serve(gateway: Gateway) -> list[dict[str, Any]] | None:
    listed = workers(gateway)
    return listed if all(one["state"] == "serving" for one in listed) else None


def alive(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return text.rpartition(")")[2].split()[0] != "Z"


def exchanges(gateway: Gateway) -> list[int]:
    return [one["exchanges"] for one in workers(gateway)]


def apart(gateway: Gateway) -> list[Client]:
    """Clients, of whom the first two are connected to different workers."""
    clients: list[Client] = []
    holders: list[int] = []
    while len(set(holders)) < 2:
        clients.append(client := Client(gateway.port))
        holders.append(wait_for(partial(held, gateway, client), "it is accepted"))
    return [clients[0], clients.pop(), *clients[1:]]


def holding(gateway: Gateway, client: Client) -> int:
    """Which worker has the other end of a client's connection."""
    holder = held(gateway, client)
    assert holder, "no worker has it"
    return holder


def held(gateway: Gateway, client: Client) -> int:
    """The same, 0 if no worker has accepted it yet."""
    port = client.sock.getsockname()[1]
    inodes = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        ends = [int(words[at].rpartition(":")[2], 16) for at in (1, 2)]
        if ends == [gateway.port, port]:
            inodes.add(f"socket:[{words[9]}]")
    for one in workers(gateway):
        directory = f"/proc/{one['pid']}/fd"
        links = {os.readlink(f"{directory}/{fd}") for fd in os.listdir(directory)}
        if links & inodes:
            return one["pid"]
    return 0
