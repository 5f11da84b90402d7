"""Agents' reports taken by the collector: SNMPv3 informs (authPriv) a second on one core, acknowledged when on disk."""

from __future__ import annotations

import importlib.metadata
import json
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from collector.polling.journal import JOURNAL

from . import informs, process

BAR = 2000
USERS = 1000


def run(quick: bool) -> dict[str, Any]:
    """A thousand agents, 64 informs under way; ours in several rounds, snmptrapd and pysnmp (which keep nothing) once."""
    process.stand_aside()
    rounds, reports = (1, 6) if quick else (3, 20)
    rates = []
    for _ in range(rounds):
        rate = _ours(reports)
        rates.append(rate)
    peers = {"snmptrapd": _peer("snmptrapd", USERS, 4 if quick else 10)}
    peers["pysnmp"] = _peer("pysnmp", 50, 2 if quick else 10)
    value = round(statistics.median(rates))
    print(", ".join(f"{name} {rate:.0f}/s" for name, rate in peers.items()), flush=True)
    return {
        "value": value,
        "unit": "informs/s acknowledged, each on disk before",
        "bar": BAR,
        "ok": value >= BAR,
        "peer": "snmptrapd",
        "versions": {"snmptrapd": _snmptrapd_version(), "pysnmp": importlib.metadata.version("pysnmp")},
    }


def _ours(reports: int) -> float:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        kind = informs.disk(directory)
        with informs.receiving("ours", directory, USERS) as (running, port):
            sender = informs.Sender(port, USERS)
            what = list(informs.told(USERS, reports))
            before = process.cpu_seconds(running.pid)
            sent = sender.send(what)
            cpu = process.cpu_seconds(running.pid) - before
            said = json.loads(process.end(running).splitlines()[-1])
        with sqlite3.connect(directory / JOURNAL) as db:
            kept = db.execute("SELECT count(*), count(DISTINCT agent || ' ' || sequence) FROM report").fetchone()
        if kept != (len(what), len(what)) or sent.acknowledged != len(what):
            sys.exit(f"{len(what)} informs, {sent.acknowledged} acknowledged, {kept} on disk")
    print(
        f"ours: {sent.rate:.0f}/s, {1e6 * cpu / len(what):.0f} us of CPU each, {sent.acknowledged} of {sent.octets:.0f} octets, "
        f"on {kind}, {sent.repeated} sent again, {said['known']} known already; {said['values']:.0f} values on pages",
        flush=True,
    )
    return sent.rate


def _peer(kind: str, users: int, reports: int) -> float:
    with tempfile.TemporaryDirectory() as name, informs.receiving(kind, Path(name), users) as (_, port):
        return informs.Sender(port, users).send(list(informs.told(users, reports))).rate


def _snmptrapd_version() -> str:
    said = subprocess.run([process.command("snmptrapd", "snmptrapd"), "-v"], capture_output=True, text=True, check=False)
    found = re.search(r"(\d+\.\d+[\w.]*)", said.stdout + said.stderr)
    return found[1] if found else "unknown"
