"""Round trips a poll of a 52-port switch takes over 200 ms and 2 % loss: median, 95th percentile, speed-up over the peer."""

from __future__ import annotations

import statistics
from typing import Any

from . import exporter, line


def run(quick: bool) -> dict[str, Any]:
    """At most 3 and 8 round trips, and at least 8 times faster than snmp_exporter."""
    found = line.compare(100, 3, 7.0, loss=20) if quick else line.compare(200, 20, 20.0, loss=20)
    ours = [poll.seconds / line.ROUND_TRIP if poll.whole else float("inf") for poll in found.ours]
    theirs = [poll.seconds / line.ROUND_TRIP for poll in found.theirs]
    lost = sum(not poll.whole for poll in found.ours)
    median = statistics.median(ours)
    value = {
        "median": round(median, 2),
        "p95": round(statistics.quantiles(ours, n=20, method="inclusive")[-1], 2),
        "speed-up": round(statistics.median(theirs) / median, 2),
    }
    print(
        f"ours: {len(ours)} polls, {lost} of them not whole; snmp_exporter's median {statistics.median(theirs):.1f} round trips",
        flush=True,
    )
    return {
        "value": value,
        "unit": "round trips, round trips, times",
        "bar": {"median": 3, "p95": 8, "speed-up": 8},
        "ok": value["median"] <= 3 and value["p95"] <= 8 and value["speed-up"] >= 8,
        "peer": "snmp_exporter",
        "versions": {"snmp_exporter": exporter.version()},
    }
