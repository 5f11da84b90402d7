"""Time from starting the agent to its first answer, beside the peers."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from . import agents, process

BAR = 0.3


def run(quick: bool) -> dict[str, Any]:
    """At most 0.3 s over v2c and over v3: medians of rounds in which all are started in turn."""
    rounds = 3 if quick else 21
    took: dict[str, list[tuple[float, float]]] = {}
    names = ("v2c", "v3", *agents.PEERS)
    with tempfile.TemporaryDirectory() as directory:
        ports = {name: agents.port_for(name) for name in names}
        # the first start of ours finds no engine ID and no inventory; the others do, as a machine's starts nearly always do
        with agents.running(Path(directory), ("v2c", "v3")):
            pass
        for _ in range(rounds):
            for name in names:
                took.setdefault(name, []).append(_once(name, Path(directory), ports[name]))
    middle = {name: statistics.median(seconds for seconds, _ in pairs) for name, pairs in took.items()}
    for name, pairs in took.items():
        worst, cpu = max(seconds for seconds, _ in pairs), statistics.median(cpu for _, cpu in pairs)
        print(f"{name}: first answer after {middle[name]:.3f} s, at worst {worst:.3f}; {cpu * 1e3:.0f} ms of CPU", flush=True)
    value = round(max(middle["v2c"], middle["v3"]), 3)
    return {
        "value": value,
        "unit": "s to the first answer",
        "bar": BAR,
        "ok": value <= BAR,
        "peer": "snmpd, node_exporter, zabbix_agent2",
        "versions": agents.versions(),
    }


def _once(name: str, directory: Path, port: int) -> tuple[float, float]:
    """(Seconds, CPU seconds) until it answered."""
    started = time.monotonic()
    agent = agents.start(name, directory, port)
    try:
        while not agent.answers(0.02):
            time.sleep(0.002)
            if time.monotonic() - started > 20:
                raise SystemExit(f"{name} does not answer")
        return time.monotonic() - started, process.cpu_nanoseconds(agent.pid) / 1e9
    finally:
        process.end(agent.process)
