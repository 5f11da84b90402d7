"""CPU of the agent when nobody asks, beside the peers; the hardware inventory that it starts now and then is counted in."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from . import agents, process
from .agent_inventory import one_inventory

INVENTORY_MINUTES = 360.0
"""The settings' default between two inventories."""


def run(quick: bool) -> dict[str, Any]:
    """At most snmpd's: ms of CPU a minute, all idle side by side, from the kernel's nanoseconds."""
    minutes = 0.4 if quick else 10.0
    with tempfile.TemporaryDirectory() as name, agents.running(Path(name)) as (_, running):
        some = {name: agent for name, agent in running.items() if name != "snmpd v3"}
        time.sleep(5.0)
        before = {name: process.cpu_nanoseconds(agent.pid) for name, agent in some.items()}
        started = time.monotonic()
        time.sleep(60 * minutes)
        passed = (time.monotonic() - started) / 60
        spent = {name: (process.cpu_nanoseconds(agent.pid) - before[name]) / 1e6 / passed for name, agent in some.items()}
        inventory = one_inventory(Path(name) / "alone").cpu * 1000 / INVENTORY_MINUTES
    for name, cost in spent.items():
        print(f"{name}: {cost:.2f} ms of CPU a minute", flush=True)
    print(f"an inventory every {INVENTORY_MINUTES:g} minutes adds {inventory:.2f} ms a minute to ours", flush=True)
    value = round(max(spent["v2c"], spent["v3"]) + inventory, 2)
    bar = round(spent["snmpd"], 2)
    return {
        "value": value,
        "unit": "CPU ms a minute, inventory included",
        "bar": bar,
        "ok": value <= bar,
        "peer": "snmpd, node_exporter, zabbix_agent2",
        "versions": agents.versions(),
    }
