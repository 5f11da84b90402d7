"""Bytes on the wire for a poll of a 52-port switch, both ways with headers, in percent of snmp_exporter's for the same values."""

from __future__ import annotations

import statistics
from typing import Any

from . import exporter, line

POLLS_AN_HOUR = 60


def run(quick: bool) -> dict[str, Any]:
    """At most half, an hour's share of learning included."""
    found = line.compare(20, 6, 8.0, loss=0) if quick else line.compare(50, 20, 20.0, loss=0)
    steady = statistics.median(poll.size for poll in found.ours)
    learning = statistics.median(poll.size for poll in found.learning)
    theirs = statistics.median(poll.size for poll in found.theirs)
    packets = [statistics.median(poll.packets for poll in some) for some in (found.ours, found.learning, found.theirs)]
    print(f"bytes: a poll {steady:.0f}, learning {learning:.0f}, snmp_exporter {theirs:.0f}; requests: {packets}", flush=True)
    value = round(100 * (steady + learning / POLLS_AN_HOUR) / theirs, 1)
    return {
        "value": value,
        "unit": "% of snmp_exporter's",
        "bar": 50,
        "ok": value <= 50,
        "peer": "snmp_exporter",
        "versions": {"snmp_exporter": exporter.version()},
    }
