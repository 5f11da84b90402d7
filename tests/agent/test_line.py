"""The line to the collector, measured against one whose loss and delay are known."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import peers
import pytest
from reporting import Pages, receive

from agent import line
from agent.line import Packets, packets


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
        assert ready.wait(20)
        yield place[0]
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(20)
        loop.close()


def test_a_good_line(tmp_path: Path) -> None:
    """On a line that delays every packet alike nothing is lost, the round trip is the delay, and there is little jitter."""
    with street(tmp_path, lambda n: 0.05) as there:
        found = packets(there, count=10, apart=0.01)
    assert found.loss == 0.0 and found.round_trip is not None and found.jitter is not None
    assert 0.05 <= found.round_trip < 0.15 and found.jitter < 0.05


def test_a_line_that_loses_and_delays(tmp_path: Path) -> None:
    """What is lost is counted; jitter is the mean jump between the round trips of those that came back."""
    with street(tmp_path, lambda n: None if n % 4 == 3 else 0.02 if n % 2 else 0.12) as there:
        found = packets(there, count=12, apart=0.02, patience=1.0)
    assert found.loss == pytest.approx(0.25) and found.round_trip is not None and found.jitter is not None
    assert 0.12 <= found.round_trip < 0.2
    assert 0.05 < found.jitter < 0.1  # jumps: 0.1, 0.1, 0 in turn


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_nobody_answers(host: str) -> None:
    """Where nobody listens all is lost, no time is told, and the test is over when the last packet had its time."""
    began = time.monotonic()
    found = packets((host, peers.free_port("udp", host)), count=4, apart=0.01, patience=0.2)
    assert (found.round_trip, found.jitter, found.loss) == (None, None, 1.0)
    assert 0.2 <= time.monotonic() - began < 5


def test_one_answer_tells_no_jitter(tmp_path: Path) -> None:
    """Of a single answer the round trip is known, and no jitter."""
    with street(tmp_path, lambda n: None if n else 0.0) as there:
        found = packets(there, count=3, apart=0.01, patience=0.5)
    assert found.round_trip is not None and found.jitter is None and found.loss == pytest.approx(2 / 3)


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
