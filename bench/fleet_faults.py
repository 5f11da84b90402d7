"""Promises broken with 5 % dead devices and 2 % loss: an overrun, over 3 requests to a dead device, a living one not polled."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from . import farm, fleet, work

DEAD, LOSS = 50, 20
"""In thousandths."""
MOST_REQUESTS = 3
LONGEST = 1.5
"""A living device that is polled every interval is never silent for longer than this many of them."""


def run(quick: bool) -> dict[str, Any]:
    """Holds for every counted cycle."""
    form = fleet.QUICK if quick else fleet.FULL
    addresses = [work.address(i) for i in range(form.devices)]
    living = {address for address in addresses if not farm.is_dead(address, DEAD)}
    with tempfile.TemporaryDirectory() as name:
        trace = Path(name) / "trace"
        with fleet.running(form, dead=DEAD, loss=LOSS, trace=trace) as collector:
            collector.wait_until_up(int(len(living) * 0.99), 360)
            time.sleep(0 if quick else 2 * form.interval)  # until the plans of the last ones have settled
            before = collector.health()
            began = time.monotonic()
            collector.spend()
            after = collector.health()
        exchanges = farm.exchanges(trace)
    overruns = int(_change(before, after, "haidang_collector_cycle_overruns_total"))
    by_device: dict[str, list[float]] = {address: [began] for address in living}
    crowded = 0
    for cycle in range(form.cycles):
        start = began + cycle * form.interval
        within = [one for one in exchanges if start <= one.time < start + form.interval]
        asked = Counter(one.address for one in within if one.address not in living)
        crowded += sum(count > MOST_REQUESTS for count in asked.values())
        for one in within:
            if one.answered and one.address in living:
                by_device[one.address].append(one.time)
        print(
            f"cycle {cycle}: {len(within)} requests, {len(asked)} dead ones asked, at most {max(asked.values(), default=0)} times"
        )
    ended = began + form.cycles * form.interval
    silences = [max(after - before for before, after in itertools.pairwise([*times, ended])) for times in by_device.values()]
    unpolled = sum(silence > LONGEST * form.interval for silence in silences)
    print(f"longest silence of a living device: {max(silences):.1f} s", flush=True)
    value = {"overruns": overruns, "living not polled": unpolled, "dead asked too often": crowded}
    return {
        "value": value,
        "unit": f"times in {form.cycles} cycles",
        "bar": dict.fromkeys(value, 0),
        "ok": not any(value.values()),
        "peer": "none",
        "versions": {},
    }


def _change(before: dict[str, float], after: dict[str, float], name: str) -> float:
    return after.get(name, 0.0) - before.get(name, 0.0)
