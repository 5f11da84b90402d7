"""A collector's pages over made-up polls, served by the product's own server; beside it, prometheus_client's rendering.

    python -m bench.serving DEVICES

prints {"address": ...} and answers each line on standard input with {"cpu": seconds so far, "stall": seconds, "wall": seconds}:
the longest work since the line before in which the event loop gave a poll no turn, in CPU time and by the clock, which also
counts what other programs took of the core. A line "watch" begins to measure that.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from collector.model import Block, Device, Layout, Outcome, Series, State, Status, Unit
from exporters.health import Health
from exporters.http import Server
from exporters.prometheus import Pages

from . import process

IN_A_UNIT = 18
PER_DEVICE = 94
_NOW = 1_763_884_800.0
_TICK = 0.002
_COUNTERS = ("receive_bytes", "transmit_bytes", "receive_errors", "transmit_errors", "receive_discards", "transmit_discards")
_STATES = ("up", "admin_up", "speed_bytes_per_second")


def layout() -> Layout:
    """94 series, as many as `work.py` asks of a device."""
    ports = [(("interface", f"GigabitEthernet0/{number}"),) for number in range(9)]
    series = [Series("haidang_device_uptime_seconds")]
    series += [Series(f"haidang_interface_{name}", port) for name in _STATES for port in ports]
    series += [Series(f"haidang_interface_{name}_total", port) for name in _COUNTERS for port in ports]
    series += [Series("haidang_processor_load_ratio", (("processor", str(number)),)) for number in range(4)]
    series += [
        Series(f"haidang_storage_{what}_bytes", (("storage", f"/srv/{i}"),)) for what in ("size", "used") for i in range(4)
    ]
    return Layout(series)


def values(shape: Layout, draw: random.Random) -> tuple[int | float, ...]:
    """What one poll may give."""
    found: list[int | float] = []
    for metric, _ in shape.series:
        if metric.endswith("bytes_total"):
            found.append(draw.randrange(10**10, 10**13))
        elif metric.endswith("_total"):
            found.append(draw.choice((0, 0, 0, draw.randrange(1000))))
        elif metric.endswith("_ratio"):
            found.append(draw.randrange(101) / 100)
        elif metric.endswith(("_size_bytes", "_used_bytes", "_seconds")):
            found.append(draw.randrange(10**6, 10**12))
        else:
            found.append(125_000_000 if metric.endswith("_second") else 1)
    return tuple(found)


async def _serve(devices: int) -> None:
    draw, shape = random.Random(7), layout()
    units = [Unit(f"unit-{number}", f"Xã {number}") for number in range(-(-devices // IN_A_UNIT))]
    pages = Pages(units)
    for number in range(devices):
        address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        device = Device(f"sw{number:05d}", address, 161, "c", units[number // IN_A_UNIT].id)
        status = Status(State.UP, Outcome.OK, _NOW, _NOW, round(draw.random(), 4), 40, draw.randrange(3))
        pages.polled(device, status, Block(shape, values(shape, draw), round(_NOW + number * 60 / devices, 3)))
    for unit in units:
        pages.cycled(unit.id)
    while pages.busy:
        await asyncio.sleep(0)
    server = Server(pages, Health(pages.numbers), port=0)
    await server.start()
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    longest = longest_wall = 0.0
    watching: list[asyncio.Task[None]] = []

    async def watch() -> None:
        nonlocal longest, longest_wall
        while True:
            begun, spent = loop.time(), time.thread_time()
            await asyncio.sleep(_TICK)
            longest = max(longest, time.thread_time() - spent)
            longest_wall = max(longest_wall, loop.time() - begun - _TICK)

    def asked() -> None:
        nonlocal longest, longest_wall
        line = sys.stdin.readline()
        if not line:
            ended.set()
        elif line == "watch\n":
            watching.append(loop.create_task(watch()))
        print(json.dumps({"cpu": time.process_time(), "stall": longest, "wall": longest_wall}), flush=True)
        longest = longest_wall = 0.0

    loop.add_reader(sys.stdin, asked)
    print(json.dumps({"address": server.address}), flush=True)
    await ended.wait()
    for task in watching:
        task.cancel()
    await server.stop()


@dataclass
class Serving:
    """The running pages."""

    address: str
    _process: subprocess.Popen[str]

    def watch(self) -> None:
        """Begin to measure stalls, which costs some CPU itself."""
        self.mark("watch")

    def mark(self, word: str = "mark") -> tuple[float, float, float]:
        """CPU seconds so far, and the longest stall since the last mark, in CPU time and by the clock."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        said = json.loads(self._process.stdout.readline())
        return said["cpu"], said["stall"], said["wall"]


@contextmanager
def serving(devices: int) -> Iterator[Serving]:
    """The pages of so many devices, served on the core for what is measured."""
    words = process.pinned(process.cores()[0], [sys.executable, "-m", "bench.serving", str(devices)])
    top = Path(__file__).resolve().parent.parent
    child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=top)
    try:
        assert child.stdout is not None
        yield Serving(json.loads(child.stdout.readline())["address"], child)
    finally:
        process.end(child)


class Peer(Collector):
    """prometheus_client with the samples of a page of ours: a custom collector that makes its families from values at hand."""

    def __init__(self, page: str) -> None:
        self._families = [_family("# HELP " + part) for part in page.split("# HELP ")[1:]]
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        for kind, name, text, labels, rows in self._families:
            family = kind(name, text, labels=labels)
            for found, value, at in rows:
                family.add_metric(found, value, timestamp=at)
            yield family

    def seconds(self) -> float:
        """CPU seconds of generate_latest."""
        begun = time.process_time()
        generate_latest(self._registry)
        return time.process_time() - begun


_Row = tuple[tuple[str, ...], float, Any]
_Family = tuple[type[GaugeMetricFamily | CounterMetricFamily], str, str, tuple[str, ...], list[_Row]]


def _family(text: str) -> _Family:
    """A family of a page, read by prometheus_client's own parser."""
    (found,) = text_string_to_metric_families(text)
    kind = CounterMetricFamily if found.type == "counter" else GaugeMetricFamily
    labels = tuple(dict.fromkeys(label for one in found.samples for label in one.labels))
    rows = [(tuple(sys.intern(one.labels.get(label, "")) for label in labels), one.value, one.timestamp) for one in found.samples]
    return kind, found.name, found.documentation, labels, rows


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
