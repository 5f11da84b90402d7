"""CPU of the collector in percent of one core, 13,000 devices of 94 values polled every 60 s, v2c and v3."""

from __future__ import annotations

import subprocess
from typing import Any

from . import fleet, process

BARS = {"v2c": 12.0, "v3": 25.0}


def run(quick: bool) -> dict[str, Any]:
    """At most 12 % and 25 %."""
    form = fleet.QUICK if quick else fleet.FULL
    value = {}
    for proto in BARS:
        with fleet.running(form, proto) as collector:
            learnt = collector.wait_until_up(form.devices, 360)
            cpu, wall = collector.spend()
            value[proto] = round(100 * cpu / wall, 2)
            health = collector.health()
            print(f"{proto}: {value[proto]} % of a core; all {form.devices} up after {learnt:.0f} s; {health}", flush=True)
    said = subprocess.run([process.command("snmpd", "snmpd"), "-v"], capture_output=True, text=True, check=False).stdout
    return {
        "value": value,
        "unit": "% of one core",
        "bar": BARS,
        "ok": all(value[proto] <= bar for proto, bar in BARS.items()),
        "peer": "none; v3 devices are Debian's snmpd",
        "versions": {"snmpd": said.split()[2] if len(said.split()) > 2 else "unknown"},
    }
