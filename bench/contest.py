"""The same devices polled by snmp_exporter and by ``python -m bench.poll`` in turn: the ratio of their CPU per device."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from . import exporter, farm, process, work


def contest(proto: str, bar: float, quick: bool) -> dict[str, Any]:
    """Interleaved rounds on the first core, devices on the second; the row of the median ratio."""
    devices, rounds, cycles = ((500, 3, 15) if proto == "v2c" else (300, 3, 8)) if quick else (1000, 5, 5)
    process.stand_aside()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        user = {"user": work.USER, "auth_sha": work.AUTH_SECRET, "priv_aes128": work.PRIV_SECRET}
        workload = {"scalars": work.SCALARS, "columns": work.COLUMNS, "community": work.COMMUNITY, "v3": user}
        (directory / "work.json").write_text(json.dumps(workload))
        devices_side = farm.v2c(directory, work.workstation()) if proto == "v2c" else farm.v3(directory)
        ratios: list[float] = []
        with devices_side as port, exporter.running(directory, proto=proto) as peer:
            peer.scrape(f"{work.address(500_000 + i)}:{port}" for i in range(50))
            for i in range(rounds):
                first = i * devices
                scrapes = peer.scrape(f"{work.address(first + j)}:{port}" for j in range(devices))
                if scrapes.failed:
                    sys.exit(f"snmp_exporter failed on {scrapes.failed} of {devices} devices")
                theirs = scrapes.cpu / devices
                spent = [_poll(directory, port, devices, first, proto, count) for count in (1, 1 + cycles)]
                ours = (spent[1] - spent[0]) / (devices * cycles)
                ratios.append(theirs / ours)
                print(
                    f"CPU ms per poll: snmp_exporter {theirs * 1e3:.3f}, ours {ours * 1e3:.3f}, ratio {ratios[-1]:.2f}",
                    flush=True,
                )
    value = round(statistics.median(ratios), 2)
    return {
        "value": value,
        "unit": "snmp_exporter's CPU per device / ours",
        "bar": bar,
        "ok": value >= bar,
        "peer": "snmp_exporter",
        "versions": {"snmp_exporter": exporter.version()},
    }


def _poll(directory: Path, port: int, devices: int, first: int, proto: str, cycles: int) -> float:
    """CPU seconds of one run of bench.poll by the operating system's account; ends the run when it polled badly."""
    page = directory / "page"
    words = [sys.executable, "-m", "bench.poll", "--port", str(port), "--devices", str(devices), "--first", str(first)]
    words += ["--proto", proto, "--workload", str(directory / "work.json"), "--cycles", str(cycles), "--page", str(page)]
    top = Path(__file__).resolve().parent.parent
    poller = subprocess.Popen(process.pinned(process.cores()[0], words), stdout=subprocess.PIPE, text=True, cwd=top)
    assert poller.stdout is not None
    said = poller.stdout.read()
    _, status, usage = os.wait4(poller.pid, 0)
    poller.returncode = os.waitstatus_to_exitcode(status)
    if poller.returncode:
        sys.exit(f"bench.poll ended with status {poller.returncode}")
    result = json.loads(said.splitlines()[-1])
    if result["errors"] or not result["values"] or (proto == "v2c" and result["values"] < 94 * devices):
        sys.exit(f"bench.poll did not do the work: {result}")
    return usage.ru_utime + usage.ru_stime
