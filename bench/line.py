"""Polls of switches behind a weak line, ours and snmp_exporter's, as the line saw them: how long, how many bytes."""

from __future__ import annotations

import itertools
import re
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from snmp.oid import OID

from . import exporter, farm, fleet, process, work

ROUND_TRIP = 0.2
PACKET_OVERHEAD = 28
"""IP and UDP headers, bytes."""

_COLUMNS = {
    "interface_up": "1.3.6.1.2.1.2.2.1.8",
    "interface_admin_up": "1.3.6.1.2.1.2.2.1.7",
    "interface_receive_discards_total": "1.3.6.1.2.1.2.2.1.13",
    "interface_receive_errors_total": "1.3.6.1.2.1.2.2.1.14",
    "interface_transmit_discards_total": "1.3.6.1.2.1.2.2.1.19",
    "interface_transmit_errors_total": "1.3.6.1.2.1.2.2.1.20",
    "interface_receive_bytes_total": "1.3.6.1.2.1.31.1.1.1.6",
    "interface_transmit_bytes_total": "1.3.6.1.2.1.31.1.1.1.10",
    "interface_speed_bytes_per_second": "1.3.6.1.2.1.31.1.1.1.15",
    "interface_full_duplex": "1.3.6.1.2.1.10.7.2.1.19",
}
"""A metric of ours -> the column it is read from."""
_POLLED = tuple(OID.parse(name).encode() for name in ("1.3.6.1.2.1.1", "1.3.6.1.2.1.2", "1.3.6.1.2.1.10.7", "1.3.6.1.2.1.31"))
"""What polls ask of a switch; the rest is its neighbours and its forwarding table, which are surveyed about once an hour."""
_NAMES = "1.3.6.1.2.1.31.1.1.1.1"
_SCALARS = ("1.3.6.1.2.1.1.3.0",)


class Poll(NamedTuple):
    """One poll of one device: seconds from the first request to the last answer, bytes both ways, packets, and whether the
    last request was answered."""

    seconds: float
    size: int
    packets: int
    whole: bool


class Comparison(NamedTuple):
    """Polls of the same values. `learning` are the first polls of ours, one a device."""

    ours: list[Poll]
    theirs: list[Poll]
    learning: list[Poll]


def polls(exchanges: list[farm.Exchange], pause: float) -> list[list[Poll]]:
    """The polls of each device, told apart by a silence of `pause` seconds."""
    by_device: dict[str, list[farm.Exchange]] = defaultdict(list)
    for one in exchanges:
        by_device[one.address].append(one)
    found = []
    for asked in by_device.values():
        groups: list[list[farm.Exchange]] = [[asked[0]]]
        for before, one in itertools.pairwise(asked):
            if one.time - before.time > pause:
                groups.append([])
            groups[-1].append(one)
        found.append([_poll(group) for group in groups])
    return found


def _poll(group: list[farm.Exchange]) -> Poll:
    ends = [one.time + ROUND_TRIP for one in group if one.answered] or [group[-1].time]
    size = sum(one.asked + PACKET_OVERHEAD + (one.answered + PACKET_OVERHEAD if one.answered else 0) for one in group)
    return Poll(ends[-1] - group[0].time, size, len(group), bool(group[-1].answered))


def compare(devices: int, cycles: int, interval: float, loss: int) -> Comparison:
    """Switches of 52 interfaces, each an office of its own behind 200 ms and this loss (in thousandths, each way).

    snmp_exporter is asked for the columns that stand on our page, and for the names it labels them with.
    """
    table = work.switch()
    form = fleet.Form(devices, interval, cycles)
    pause = interval / 2
    with tempfile.TemporaryDirectory() as name:
        trace = Path(name) / "ours"
        with fleet.running(form, table=table, unit_size=1, loss=loss, delay_ms=ROUND_TRIP * 1000, trace=trace) as collector:
            collector.wait_until_up(devices, 300)
            learnt = time.monotonic()
            collector.spend()
            page = process.page(f"{collector.web}/metrics/unit-0000")
        exchanges = [one for one in farm.exchanges(trace) if one.first.startswith(_POLLED)]
        columns = [oid for metric, oid in _COLUMNS.items() if re.search(rf"^haidang_{metric}\{{", page, re.MULTILINE)]
        ours = [
            poll for device in polls([one for one in exchanges if one.time > learnt + interval], pause) for poll in device[:-1]
        ]
        learning = [device[0] for device in polls(exchanges, pause)]
        trace = Path(name) / "theirs"
        with (
            farm.v2c(Path(name), table, loss=loss, delay_ms=ROUND_TRIP * 1000, trace=trace) as port,
            exporter.running(Path(name), _SCALARS, [*columns, _NAMES], timeout="2s", retries=3) as peer,
        ):
            scrapes = peer.scrape((f"{work.address(i)}:{port}" for i in range(devices)), concurrency=devices)
        print(f"snmp_exporter: {len(columns)} columns and the names, {scrapes.failed} of {devices} scrapes failed", flush=True)
        theirs = [device[0] for device in polls(farm.exchanges(trace), 30.0)]
    return Comparison(ours, theirs, learning)
