"""Resident memory of the collector with all snapshots and pages of 13,000 devices."""

from __future__ import annotations

from typing import Any

from . import fleet, process

BAR = 500.0


def run(quick: bool) -> dict[str, Any]:
    """At most 500 MB (10^6 bytes), at the peak, the page of all units fetched once."""
    form = fleet.QUICK if quick else fleet.FULL
    with fleet.running(form) as collector:
        collector.wait_until_up(form.devices, 360)
        learnt = process.memory_bytes(collector.pid)
        collector.spend()
        polled = process.memory_bytes(collector.pid)
        samples = sum(1 for line in process.page(f"{collector.web}/metrics/all", 120.0).splitlines() if line[:1] not in ("", "#"))
        peak = process.memory_bytes(collector.pid, "VmHWM")
    print(
        f"{learnt / 1e6:.0f} MB when learnt, {polled / 1e6:.0f} MB after the cycles, {samples} samples on /metrics/all",
        flush=True,
    )
    value = round(peak / 1e6, 1)
    return {"value": value, "unit": "MB", "bar": BAR, "ok": value <= BAR, "peer": "none", "versions": {}}
