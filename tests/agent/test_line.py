"""The line to the collector, measured against one whose loss and delay are known."""

from __future__ import annotations

import asyncio
import math
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import peers
import pytest
from reporting import Pages, receive, user

from agent import line
from agent.line import Packets, packets
from snmp.access import UserAccess
from snmp.engine import Engine, engine_id
from snmp.receiver import Receiver


class Street(asyncio.DatagramProtocol):
    """What lies between an agent and a collector: `fate(n)` gives the delay of the n-th packet to it in seconds, None: lost."""

    def __init__(self, to: tuple[str, int], fate: Callable[[int], float | None]) -> None:
        self.to = to
        self.fate = fate
        self.number = 0
        self.ways: dict[tuple[str, int], asyncio.DatagramTransport] = {}

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        delay = self.fate(self.number)
        self.number += 1
        if delay is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(delay, lambda: loop.create_task(self._forward(data, address)))

    async def _forward(self, data: bytes, address: tuple[str, int]) -> None:
        if address not in self.ways:
            loop = asyncio.get_running_loop()
            self.ways[address], _ = await loop.create_datagram_endpoint(lambda: Back(self, address), remote_addr=self.to)
        self.ways[address].sendto(data)


class Back(asyncio.DatagramProtocol):
    """The way back to one agent."""

    def __init__(self, street: Street, to: tuple[str, int]) -> None:
        self.street = street
        self.to = to

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self.street.transport.sendto(data, self.to)


@contextmanager
def street(directory: Path, fate: Callable[[int], float | None]) -> Iterator[tuple[str, int]]:
    """A collector that receives, at the end of a street; where the street begins."""
    place: list[tuple[str, int]] = []
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()
    ready = threading.Event()

    async def run() -> None:
        collector = receive(directory, Pages())
        transport, _ = await loop.create_datagram_endpoint(lambda: Street(collector.address, fate), ("127.0.0.1", 0))
        place.append(transport.get_extra_info("sockname"))
        ready.set()
        await ended.wait()
        transport.close()
        await collector.stop()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    try:
        assert ready.wait(60)
        yield place[0]
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(60)
        loop.close()


class Way:
    """The same without waiting: a way to a collector that has a time of its own, to which all delays are exact.

    It stands for the modules `time` and `select`, and for the socket, of `agent.line`.
    """

    AF_INET, AF_INET6, SOCK_DGRAM = socket.AF_INET, socket.AF_INET6, socket.SOCK_DGRAM

    def __init__(self, fate: Callable[[int], float | None]) -> None:
        self.now = 1000.0
        self.fate = fate
        self.number = 0
        self.coming: list[tuple[float, bytes]] = []
        self.collector = Receiver((), [UserAccess(user())], Engine(engine_id(32473, b"collector"), 1, 0.0), clock=self.monotonic)

    def monotonic(self) -> float:
        return self.now

    def select(self, readers: list[Way], writers: object, others: object, wait: float) -> tuple[list[Way], object, object]:
        due = min(self.coming)[0] if self.coming else math.inf
        self.now = max(self.now, min(due, self.now + wait))
        return readers if due <= self.now else [], writers, others

    def socket(self, family: int, kind: int) -> Way:
        return self

    def connect(self, to: tuple[str, int]) -> None:
        pass

    def send(self, data: bytes) -> None:
        delay = self.fate(self.number)
        self.number += 1
        reply = self.collector.receive(data, ("10.1.2.3", 40000))[1]
        if delay is not None and reply is not None:
            self.coming.append((self.now + delay, reply))

    def recv(self, size: int) -> bytes:
        first = min(self.coming)
        self.coming.remove(first)
        return first[1]

    def __enter__(self) -> Way:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def way(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], float | None]], Way]:
    """Makes a way and lays it under the test of the line."""

    def laid(fate: Callable[[int], float | None]) -> Way:
        made = Way(fate)
        for name in ("time", "select", "socket"):
            monkeypatch.setattr(line, name, made)
        return made

    return laid


Lay = Callable[[Callable[[int], "float | None"]], Way]


def test_a_good_line(tmp_path: Path) -> None:
    """On a line that delays every packet alike nothing is lost, and no round trip is shorter than the delay."""
    with street(tmp_path, lambda n: 0.05) as there:
        found = packets(there, count=10, apart=0.01, patience=60.0)
    assert found.loss == 0.0 and found.round_trip is not None and found.jitter is not None
    assert found.round_trip >= 0.05


def test_what_is_told_is_exact(way: Lay) -> None:
    """The round trip of a line that delays every packet alike is that delay, without jitter."""
    way(lambda n: 0.05)
    found = packets(("10.1.2.1", 9162), count=10, apart=0.01)
    assert found == Packets(pytest.approx(0.05), pytest.approx(0.0), 0.0)


def test_a_line_that_loses_and_delays(way: Lay) -> None:
    """What is lost is counted; jitter is the mean jump between the round trips of those that came back."""
    way(lambda n: None if n % 4 == 3 else 0.02 if n % 2 else 0.12)
    found = packets(("10.1.2.1", 9162), count=12, apart=0.02, patience=1.0)
    # jumps: 0.1, 0.1, 0 in turn
    assert found == Packets(pytest.approx(0.12), pytest.approx(6 * 0.1 / 8), pytest.approx(0.25))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_nobody_answers(host: str) -> None:
    """Where nobody listens all is lost, and no time is told."""
    if host == "::1":
        peers.require_ipv6()
    found = packets((host, peers.free_port("udp", host)), count=4, apart=0.01, patience=0.2)
    assert found == Packets(None, None, 1.0)


def test_it_is_over_when_the_last_packet_had_its_time(way: Lay) -> None:
    """What is lost is waited for as long as told, and no longer."""
    lost = way(lambda n: None)
    began = lost.now
    assert packets(("10.1.2.1", 9162), count=4, apart=0.01, patience=0.2).loss == 1.0
    assert lost.now - began == pytest.approx(0.23)


def test_one_answer_tells_no_jitter(way: Lay) -> None:
    """Of a single answer the round trip is known, and no jitter."""
    way(lambda n: None if n else 0.0)
    found = packets(("10.1.2.1", 9162), count=3, apart=0.01, patience=0.5)
    assert found == Packets(0.0, None, pytest.approx(2 / 3))


def test_what_others_send_is_no_answer(tmp_path: Path) -> None:
    """Datagrams that are no answers to our questions change nothing."""

    class Noise(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
            self.transport = transport

        def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
            for answer in (b"", b"0", data, data[:-1], bytes(300)):
                self.transport.sendto(answer, address)

    async def run() -> Packets:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Noise, ("127.0.0.1", 0))
        try:
            return await asyncio.to_thread(packets, transport.get_extra_info("sockname"), 5, 0.01, 0.3)
        finally:
            transport.close()

    assert asyncio.run(run()).loss == 1.0


def test_a_rate_is_that_of_what_flows_steadily() -> None:
    """A stall at the start, as when TCP has sent too much at first, does not count; too little tells nothing."""
    steady = [(1.0 + 0.25 * n, 8192 * (n + 1)) for n in range(16)]
    stalled = [(0.0, 8192), *((2.5 + 0.25 * n, 8192 * (n + 2)) for n in range(15))]
    for came in (steady, stalled):
        assert line._rate(came) == pytest.approx(8192 * 8 / 0.25)
    assert line._rate([]) is None and line._rate(steady[:1]) is None and line._rate([(1.0, 1), (1.0, 2)]) is None
    assert line._rate(steady[:2]) == pytest.approx(8192 * 8 / 0.25)
