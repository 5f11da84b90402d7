"""CPU of the collector in percent of one core, 13,000 devices of 94 values polled every 60 s, v2c and v3."""

from __future__ import annotations

import subprocess
from typing import Any

from . import fleet, process

BARS = {"v2c": 12.0, "v3": 25.0}


def run(quick: bool) -> dict[str, Any]:
    """At most 12 % and 25 %. In full one after the other; the quick form has both at once, a core for each collector."""
    if quick:
        with fleet.running(fleet.QUICK, "v2c") as one, fleet.running(fleet.QUICK, "v3", core=process.cores()[1]) as other:
            value = _shares({"v2c": one, "v3": other})
    else:
        value = {}
        for proto in BARS:
            with fleet.running(fleet.FULL, proto) as one:
                value |= _shares({proto: one})
    said = subprocess.run([process.command("snmpd", "snmpd"), "-v"], capture_output=True, text=True, check=False).stdout
    return {
        "value": value,
        "unit": "% of one core",
        "bar": BARS,
        "ok": all(value[proto] <= bar for proto, bar in BARS.items()),
        "peer": "none; v3 devices are Debian's snmpd",
        "versions": {"snmpd": said.split()[2] if len(said.split()) > 2 else "unknown"},
    }


def _shares(fleets: dict[str, fleet.Fleet]) -> dict[str, float]:
    """Percent of a core that each collector takes, counted over the same time."""
    for proto, one in fleets.items():
        seconds = one.wait_until_up(one.form.devices, 360)
        print(f"{proto}: all {one.form.devices} devices up after {seconds:.0f} s", flush=True)
    before = {proto: process.cpu_seconds(one.pid) for proto, one in fleets.items()}
    _, wall = next(iter(fleets.values())).spend()
    value = {proto: round(100 * (process.cpu_seconds(one.pid) - before[proto]) / wall, 2) for proto, one in fleets.items()}
    for proto, one in fleets.items():
        print(f"{proto}: {value[proto]} % of a core; {one.health()}", flush=True)
    return value
