"""Active probes, over an in-memory reactor with a clock of its own."""

from __future__ import annotations

import pytest
from twisted.internet.error import ConnectionRefusedError, DNSLookupError
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from soapgate.core.pool import Backend, Health, Member, Pool
from soapgate.edge.health import SPREAD, Probes


class Farm:
    """Pools, their probes and the network, in memory; jitter off."""

    def __init__(self, pool: Pool, chance: float = 0.5) -> None:
        self.reactor = MemoryReactorClock()
        self.pool = pool
        self.flips: list[tuple[str, bool]] = []
        self.probes = Probes(self.reactor, self.on_flip, chance=lambda: chance)

    def on_flip(self, pool: Pool, member: Member) -> None:
        assert pool is self.pool
        self.flips.append((member.name, member.up))

    def watch(self) -> None:
        self.probes.watch({self.pool.name: self.pool})

    def dialled(self) -> list[tuple[str, int]]:
        """(host, port) of every dial since the last look; they stay undecided."""
        dials = [(host, port) for host, port, *_ in self.reactor.tcpClients]
        self.reactor.tcpClients.clear()
        return dials

    def accept(self) -> StringTransport:
        """The oldest undecided dial succeeds."""
        _, _, factory, *_ = self.reactor.tcpClients.pop(0)
        transport = StringTransport()
        factory.buildProtocol(None).makeConnection(transport)
        return transport

    def refuse(self, error: Exception | None = None) -> None:
        """The oldest undecided dial fails."""
        _, _, factory, *_ = self.reactor.tcpClients.pop(0)
        factory.clientConnectionFailed(None, Failure(error or ConnectionRefusedError()))

    @property
    def member(self) -> Member:
        return self.pool.members["b1"]


def backends(count: int = 1) -> list[Backend]:
    return [Backend.parse(f"b{n}", f"http://10.0.0.{n}:80") for n in range(1, count + 1)]


def farm(count: int = 1, *, chance: float = 0.5, **health: float) -> Farm:
    return Farm(Pool("farm", backends(count), health=Health(**health)), chance)


def test_the_first_probe_is_at_once_and_the_backend_is_up_meanwhile():
    it = farm()
    it.watch()
    assert it.dialled() == [("10.0.0.1", 80)]
    assert it.member.up


def test_a_probe_says_nothing_and_closes():
    it = farm()
    it.watch()
    transport = it.accept()
    assert transport.value() == b""
    assert transport.disconnecting
    assert it.member.up
    assert it.flips == []


def test_a_probe_notes_where_the_backend_was_met():
    one = farm()
    one.watch()
    assert one.member.seen_at == ""
    one.accept()
    assert one.member.seen_at == "192.168.1.1"  # what the transport in memory says


def test_fall_failures_in_a_row_take_a_backend_down_and_rise_bring_it_back():
    it = farm(interval=2, rise=2, fall=3)
    it.watch()
    it.refuse()
    it.reactor.advance(2)
    it.accept()  # starts the count anew
    for _ in range(2):
        it.reactor.advance(2)
        it.refuse()
    assert it.flips == []
    it.reactor.advance(2)
    it.refuse()
    assert it.flips == [("b1", False)]
    assert not it.member.up
    it.reactor.advance(2)
    it.accept()
    assert not it.member.up
    it.reactor.advance(2)
    it.accept()
    assert it.flips == [("b1", False), ("b1", True)]


def test_a_probe_starts_an_interval_after_the_last_one_started():
    it = farm(interval=2, timeout=1)
    it.watch()
    it.reactor.advance(0.5)
    it.accept()
    it.reactor.advance(1.4)
    assert it.dialled() == []
    it.reactor.advance(0.2)
    assert len(it.dialled()) == 1


@pytest.mark.parametrize(("chance", "interval"), [(0.0, 1.9), (1.0, 2.1)], ids=["least", "most"])
def test_the_interval_jitters_by_a_twentieth(chance: float, interval: float):
    it = farm(interval=2, chance=chance)
    it.watch()
    it.accept()
    it.reactor.advance(interval - 0.01)
    assert it.dialled() == []
    it.reactor.advance(0.02)
    assert len(it.dialled()) == 1


def test_two_hundred_backends_are_probed_one_after_the_other_within_an_interval():
    it = farm(200, interval=2)
    it.watch()
    assert len(it.dialled()) == 1
    seen = 1
    for _ in range(199):
        it.reactor.advance(SPREAD)
        dials = it.dialled()
        assert len(dials) <= 2
        seen += len(dials)
    assert seen == 200


def test_a_short_interval_still_has_room_for_everybody():
    it = farm(200, interval=0.5, timeout=10)
    it.watch()
    it.reactor.pump([0.01] * 51)
    assert len(it.dialled()) == 200


def test_a_probe_without_an_answer_fails_after_the_timeout():
    it = farm(interval=5, fall=1, timeout=2)
    it.watch()
    it.reactor.advance(1.9)
    assert it.member.up
    it.reactor.advance(0.2)
    assert it.flips == [("b1", False)]
    assert it.probes.last("farm", "b1").detail == "timed out"
    it.reactor.tcpClients.clear()
    it.reactor.advance(3)
    assert len(it.dialled()) == 1


def test_probes_of_one_backend_do_not_overlap():
    it = farm(interval=1, timeout=3, fall=9)
    it.watch()
    it.reactor.pump([0.5] * 5)
    assert len(it.dialled()) == 1
    it.reactor.advance(0.6)
    it.reactor.advance(0)
    assert len(it.dialled()) == 1


def test_a_slow_backend_delays_no_other():
    it = farm(2, interval=1, timeout=10)
    it.watch()
    it.reactor.advance(SPREAD)
    it.reactor.tcpClients.pop(0)  # b1 never answers
    for _ in range(3):
        it.accept()
        it.reactor.advance(1)
    assert it.dialled() == [("10.0.0.2", 80)]


def test_a_backend_in_maint_is_not_probed_until_it_is_ready_again():
    it = farm(interval=2)
    it.member.admin = "maint"
    it.watch()
    it.reactor.pump([2] * 3)
    assert it.dialled() == []
    it.member.admin = "drain"
    it.reactor.advance(2)
    assert len(it.dialled()) == 1


def test_a_result_that_comes_in_maint_counts_for_nothing():
    it = farm(fall=1)
    it.watch()
    it.member.admin = "maint"
    it.refuse()
    assert it.member.up
    assert it.flips == []


@pytest.mark.parametrize(
    ("url", "dial"),
    [
        ("http://192.0.2.1:81", ("192.0.2.1", 81)),
        ("http://[2001:db8::1]:82", ("2001:db8::1", 82)),
        ("https://192.0.2.1", ("192.0.2.1", 443)),
    ],
    ids=["ipv4", "ipv6", "https"],
)
def test_a_literal_address_is_dialled_as_written(url: str, dial: tuple[str, int]):
    it = Farm(Pool("farm", [Backend.parse("b1", url)]))
    it.watch()
    assert it.dialled() == [dial]


def test_a_name_is_resolved_for_each_probe():
    it = Farm(Pool("farm", [Backend.parse("b1", "http://shop.example.com:83")]))
    it.watch()
    ((host, port),) = it.dialled()
    assert port == 83
    assert host != "shop.example.com"


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (ConnectionRefusedError(), "refused"),
        (DNSLookupError("x"), "the name has no address"),
        (OSError(101, "Network is unreachable"), "[Errno 101] Network is unreachable"),
    ],
    ids=["refused", "dns", "other"],
)
def test_the_last_probe_says_what_it_found(error: Exception, detail: str):
    it = farm()
    assert it.probes.last("farm", "b1") is None
    it.watch()
    it.reactor.advance(0.25)
    it.refuse(error)
    seen = it.probes.last("farm", "b1")
    assert (seen.ok, seen.detail, seen.at, seen.seconds) == (False, detail, 0.25, 0.25)
    it.reactor.advance(2)
    it.accept()
    assert it.probes.last("farm", "b1").detail == "connected"
    assert it.probes.last("farm", "b9") is None


def test_a_member_that_joins_is_probed_at_once_and_others_keep_their_turn():
    it = farm(1, interval=2)
    it.watch()
    it.accept()
    it.reactor.advance(1)
    it.pool.replace(backends(2))
    it.watch()
    assert it.dialled() == [("10.0.0.2", 80)]
    it.reactor.advance(1)
    assert it.dialled() == [("10.0.0.1", 80)]


def test_a_member_that_left_is_not_probed_and_its_last_probe_is_void():
    it = farm(2, interval=2, fall=1)
    left = it.pool.members["b2"]
    it.watch()
    it.accept()
    it.reactor.advance(SPREAD)  # b2 is being dialled
    it.pool.replace(backends(1))
    it.watch()
    it.refuse()
    assert left.up
    assert it.flips == []
    assert it.probes.last("farm", "b2") is None
    it.reactor.advance(2)
    assert it.dialled() == [("10.0.0.1", 80)]


def test_a_name_with_another_address_is_another_backend():
    it = farm(1, interval=2)
    it.watch()
    it.accept()
    it.pool.replace([Backend.parse("b1", "http://10.0.9.9:80")])
    it.watch()
    assert it.dialled() == [("10.0.9.9", 80)]
    it.reactor.advance(10)
    assert ("10.0.0.1", 80) not in it.dialled()


def test_a_new_interval_counts_from_the_next_probe_on():
    it = farm(1, interval=2)
    it.watch()
    it.accept()
    it.pool.replace(backends(1), health=Health(interval=10))
    it.watch()
    it.reactor.advance(2)
    it.accept()
    it.reactor.advance(9)
    assert it.dialled() == []
    it.reactor.advance(1)
    assert len(it.dialled()) == 1


def test_stop_leaves_no_timer_and_marks_nobody():
    it = farm(3, fall=1)
    it.watch()
    it.probes.stop()
    assert it.reactor.getDelayedCalls() == []
    it.refuse()
    assert it.flips == []
    assert it.reactor.getDelayedCalls() == []


def test_a_flip_that_raises_does_not_end_the_probes():
    pool = Pool("farm", backends(), health=Health(fall=1, interval=2))
    it = Farm(pool)

    def broken(pool: Pool, member: Member) -> None:
        raise RuntimeError("no")

    it.probes = Probes(it.reactor, broken, chance=lambda: 0.5)
    it.watch()
    it.refuse()
    it.reactor.advance(2)
    assert len(it.dialled()) == 1
