"""CPU of the agent for one poll of the work of `work.py`, asked once a second, beside the peers."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from . import agents, process

SECONDS = 20
"""Polls in one round of one agent."""


def run(quick: bool) -> dict[str, Any]:
    """At most snmpd's, each over the same protocol: medians of rounds in which all are asked in turn."""
    rounds = 1 if quick else 9
    spent: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as directory, agents.running(Path(directory)) as (manager, running):
        # snmpd is one process: over v2c and over v3 it is asked in rounds of their own
        turns = [[name for name in running if name != "snmpd v3"], ["snmpd v3", "v3"]]
        for name in ("v2c", "v3", "snmpd", "snmpd v3"):
            print(f"{name}: {manager.learn(running[name])} values", flush=True)
        for number in range(rounds):
            for turn in turns:
                some = {name: running[name] for name in turn}
                for name, cost in _round(manager, some, 10 if quick else SECONDS).items():
                    if name == "v3" and turn is turns[0]:
                        continue
                    spent.setdefault(name, []).append(cost)
            print(f"round {number + 1}: " + ", ".join(f"{name} {costs[-1]:.3f}" for name, costs in spent.items()), flush=True)
        burst = {name: _burst(manager, running[name]) for name in ("v2c", "v3", "snmpd", "snmpd v3")}
        print("one after another: " + ", ".join(f"{name} {cost:.3f}" for name, cost in burst.items()), flush=True)
    middle = {name: round(statistics.median(costs), 3) for name, costs in spent.items()}
    print("medians: " + ", ".join(f"{name} {cost:.3f}" for name, cost in middle.items()), flush=True)
    value = {name: middle[name] for name in ("v2c", "v3")}
    bar = {"v2c": middle["snmpd"], "v3": middle["snmpd v3"]}
    return {
        "value": value,
        "unit": "CPU ms per poll at one a second",
        "bar": bar,
        "ok": all(value[name] <= bar[name] for name in value),
        "peer": "snmpd, node_exporter, zabbix_agent2",
        "versions": agents.versions(),
    }


def _round(manager: agents.Manager, running: dict[str, agents.Agent], polls: int) -> dict[str, float]:
    """CPU milliseconds per poll of each, all asked once a second, spread over the second."""
    for agent in running.values():
        manager.poll(agent)
    before = {name: process.cpu_nanoseconds(agent.pid) for name, agent in running.items()}
    started = time.monotonic()
    for second in range(polls):
        for place, agent in enumerate(running.values()):
            time.sleep(max(started + second + place / len(running) - time.monotonic(), 0))
            manager.poll(agent)
    time.sleep(0.5)
    return {name: (process.cpu_nanoseconds(agent.pid) - before[name]) / polls / 1e6 for name, agent in running.items()}


def _burst(manager: agents.Manager, agent: agents.Agent, polls: int = 300) -> float:
    before = process.cpu_nanoseconds(agent.pid)
    for _ in range(polls):
        manager.poll(agent)
    return (process.cpu_nanoseconds(agent.pid) - before) / polls / 1e6
