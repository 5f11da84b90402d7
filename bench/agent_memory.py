"""Resident memory of the agent when nobody asks, after it served all it has, beside the peers'."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from . import agents, process

BARS = {"v2c": 17.0, "v3": 24.0}


def run(quick: bool) -> dict[str, Any]:
    """v2c at most 17 MB and below node_exporter and Zabbix agent 2 (10^6 bytes), v3 authPriv at most 24 MB."""
    found = measure(quick)
    resident = {name: statistics.median(pair[0] for pair in pairs) for name, pairs in found.items()}
    value = {name: resident[name] for name in BARS}
    below = value["v2c"] < min(resident["node_exporter"], resident["zabbix_agent2"])
    return {
        "value": value,
        "unit": "MB resident",
        "bar": {**BARS, "below": {name: resident[name] for name in ("node_exporter", "zabbix_agent2")}},
        "ok": below and all(value[name] <= bar for name, bar in BARS.items()),
        "peer": "snmpd, node_exporter, zabbix_agent2",
        "versions": agents.versions(),
    }


def measure(quick: bool) -> dict[str, list[tuple[float, float]]]:
    """MB resident, and private and dirty, of every agent in fresh starts, after a time in which nobody asked."""
    rounds, idle = (1, 5.0) if quick else (3, 75.0)
    found: dict[str, list[tuple[float, float]]] = {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as directory, agents.running(Path(directory)) as (_, running):
            time.sleep(idle)
            for name in (*agents.OURS, *agents.PEERS):
                resident, private = process.resident_and_private(running[name].pid)
                found.setdefault(name, []).append((round(resident / 1e6, 2), round(private / 1e6, 2)))
                print(f"{name}: {resident / 1e6:.2f} MB resident, {private / 1e6:.2f} MB private and dirty", flush=True)
    return found
