"""The full hardware inventory as the running agent orders it: time until it is there, memory of all processes meanwhile."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from . import agents, process

BAR = {"seconds": 2.0, "MB": 60.0}
_LOOK = 0.002


class Inventory(NamedTuple):
    """What one inventory cost; memory in MB (10^6 bytes)."""

    seconds: float
    cpu: float
    largest: float
    """of the largest process at its peak"""


def run(quick: bool) -> dict[str, Any]:
    """At most 2 s and 60 MB for resident process, child and what the child starts, together."""
    rounds = 2 if quick else 9
    found: list[tuple[float, float]] = []
    alone: list[Inventory] = []
    agents.compile_ours()
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as directory:
            found.append(_ordered(Path(directory)))
            alone.append(one_inventory(Path(directory) / "alone"))
        (seconds, most), apart = found[-1], alone[-1]
        print(
            f"ordered by the agent: {seconds:.2f} s, {most:.1f} MB together at most; "
            f"by itself: {apart.seconds:.2f} s, {apart.cpu:.2f} s of CPU, largest process {apart.largest:.1f} MB",
            flush=True,
        )
    value = {
        "seconds": round(statistics.median(seconds for seconds, _ in found), 2),
        "MB": round(statistics.median(size for _, size in found), 1),
    }
    return {
        "value": value,
        "unit": "s, MB resident together",
        "bar": BAR,
        "ok": all(value[key] <= bar for key, bar in BAR.items()),
        "peer": "none",
        "versions": {},
    }


def _ordered(directory: Path) -> tuple[float, float]:
    """Seconds from the child's start to its end, and the most MB that the agent and all its descendants held together."""
    agent = agents.start("v2c", directory, agents.port_for("v2c"))
    began, most, stop = 0.0, 0, time.monotonic() + 60
    try:
        agents.wait(agent)
        while time.monotonic() < stop:
            family = process.family(agent.pid)
            now = time.monotonic()
            if len(family) > 1:
                began = began or now
                most = max(most, sum(dict(map(_resident, family)).values()))
            elif began:
                if not (directory / "v2c" / "state" / "inventory.json").exists():
                    sys.exit("the inventory left nothing behind")
                return now - began, most / 1e6
            time.sleep(_LOOK)
        sys.exit("no inventory within a minute")
    finally:
        process.end(agent.process)


def _resident(pid: int) -> tuple[bytes, int]:
    """A process's command line and what it holds. One that has not begun its own program bears its parent's, and shares its
    memory: by command lines it is counted once."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read(), process.memory_bytes(pid)
    except (OSError, ValueError):  # it has ended
        return b"", 0


def one_inventory(state: Path) -> Inventory:
    """Run the agent's inventory by itself, by the operating system's account."""
    words = [str(Path(sys.executable).parent / "haidang-agent"), "inventory", "--state", str(state)]
    started = time.monotonic()
    child = subprocess.Popen(words, text=True)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"haidang-agent inventory ended with status {child.returncode}")
    return Inventory(time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)
