"""Memory of the agent that is its own alone: private and dirty, when nobody asks, after it served all it has."""

from __future__ import annotations

import statistics
from typing import Any

from . import agents
from .agent_memory import measure

BARS = {"v2c": 10.0, "v3": 12.0}


def run(quick: bool) -> dict[str, Any]:
    """v2c at most 10 MB (10^6 bytes), v3 authPriv at most 12 MB."""
    found = measure(quick)
    value = {name: statistics.median(pair[1] for pair in found[name]) for name in BARS}
    return {
        "value": value,
        "unit": "MB private and dirty",
        "bar": BARS,
        "ok": all(value[name] <= bar for name, bar in BARS.items()),
        "peer": "snmpd, node_exporter, zabbix_agent2",
        "versions": agents.versions(),
    }
