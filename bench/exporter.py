"""Prometheus' snmp_exporter, the peer to beat: its modules, running it, and scraping it with a light client."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from . import process, work

_INDEX = {
    "1.3.6.1.2.1.2.2.1": ("ifIndex", "ifName", "1.3.6.1.2.1.31.1.1.1.1"),
    "1.3.6.1.2.1.31.1.1.1": ("ifIndex", "ifName", "1.3.6.1.2.1.31.1.1.1.1"),
    "1.3.6.1.2.1.10.7.2.1": ("ifIndex", "ifName", "1.3.6.1.2.1.31.1.1.1.1"),
    "1.3.6.1.2.1.25.2.3.1": ("hrStorageIndex", "hrStorageDescr", "1.3.6.1.2.1.25.2.3.1.3"),
    "1.3.6.1.2.1.25.3.2.1": ("hrDeviceIndex", "", ""),
    "1.3.6.1.2.1.25.3.3.1": ("hrDeviceIndex", "", ""),
}
"""Entry -> its index, and the column that names its rows, looked up as a label."""
_TEXTS = {
    "1.3.6.1.2.1.1.1",
    "1.3.6.1.2.1.1.5",
    "1.3.6.1.2.1.1.6",
    "1.3.6.1.2.1.31.1.1.1.1",
    "1.3.6.1.2.1.25.2.3.1.3",
    "1.3.6.1.2.1.25.3.2.1.3",
}
_COUNTERS = re.compile(r"1\.3\.6\.1\.2\.1\.(2\.2\.1\.(1[0-9]|20)|31\.1\.1\.1\.([2-9]|1[0-3]))")


class Scrapes(NamedTuple):
    """What a round of scrapes cost: the exporter's CPU seconds, the time each scrape took, and how many failed."""

    cpu: float
    seconds: list[float]
    failed: int


def version() -> str:
    """The installed exporter's version."""
    program = process.command("prometheus-snmp-exporter", "prometheus-snmp-exporter")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"version (\d+\.\d+[\w.+~]*)", said.stdout + said.stderr)
    return found[1] if found else "unknown"


def _metric(oid: str) -> dict[str, Any]:
    metric: dict[str, Any] = {"name": "o" + oid.replace(".", "_"), "oid": oid, "help": oid}
    metric["type"] = "DisplayString" if oid in _TEXTS else "counter" if _COUNTERS.fullmatch(oid) else "gauge"
    index, label, source = _INDEX.get(oid.rpartition(".")[0], ("", "", ""))
    if index:
        metric["indexes"] = [{"labelname": index, "type": "gauge"}]
    if label and source != oid:
        metric["lookups"] = [{"labels": [index], "labelname": label, "oid": source, "type": "DisplayString"}]
    return metric


def _settings(scalars: Sequence[str], columns: Sequence[str], proto: str, timeout: str, retries: int) -> str:
    """The exporter's file, in the form of its version; JSON is YAML too."""
    security: dict[str, Any] = {"community": work.COMMUNITY}
    if proto == "v3":
        security = {
            "security_level": "authPriv",
            "username": work.USER,
            "password": work.AUTH_SECRET,
            "auth_protocol": "SHA",
            "priv_protocol": "AES",
            "priv_password": work.PRIV_SECRET,
        }
    objects = [_metric(oid.removesuffix(".0")) for oid in scalars] + [_metric(oid) for oid in columns]
    module = {"walk": list(columns), "get": list(scalars), "metrics": objects}
    asking = {"max_repetitions": 25, "retries": retries, "timeout": timeout}
    wire = 3 if proto == "v3" else 2
    if tuple(map(int, version().split(".")[:2])) < (0, 23):
        return json.dumps({"peer": {**module, **asking, "version": wire, "auth": security}})
    return json.dumps({"auths": {"peer": {**security, "version": wire}}, "modules": {"peer": {**module, **asking}}})


class Exporter:
    """A running snmp_exporter on the first core."""

    def __init__(self, pid: int, port: int) -> None:
        self.pid = pid
        self._port = port

    def scrape(self, targets: Iterable[str], concurrency: int = 50) -> Scrapes:
        """Scrape each target (address:port) once, so many at a time."""
        waiting = iter(list(targets))
        lock = threading.Lock()
        seconds: list[float] = []
        failed = 0
        before = process.cpu_seconds(self.pid)

        def work_off() -> None:
            nonlocal failed
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
            while True:
                with lock:
                    target = next(waiting, None)
                if target is None:
                    connection.close()
                    return
                started = time.perf_counter()
                connection.request("GET", f"/snmp?target={target}&module=peer&auth=peer")
                answer = connection.getresponse()
                answer.read()
                with lock:
                    seconds.append(time.perf_counter() - started)
                    failed += answer.status != 200

        threads = [threading.Thread(target=work_off) for _ in range(concurrency)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return Scrapes(process.cpu_seconds(self.pid) - before, seconds, failed)


@contextmanager
def running(
    directory: Path,
    scalars: Sequence[str] = work.SCALARS,
    columns: Sequence[str] = work.COLUMNS,
    *,
    proto: str = "v2c",
    timeout: str = "3s",
    retries: int = 1,
) -> Iterator[Exporter]:
    """snmp_exporter with one module that asks for these objects."""
    program = process.command("prometheus-snmp-exporter", "prometheus-snmp-exporter")
    settings = directory / "snmp.yml"
    settings.write_text(_settings(scalars, columns, proto, timeout, retries))
    port = process.free_port()
    words = [program, f"--config.file={settings}", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    running = subprocess.Popen(process.pinned(process.cores()[0], words), text=True, stderr=subprocess.DEVNULL)
    try:
        process.wait_for_http(f"http://127.0.0.1:{port}/")
        yield Exporter(running.pid, port)
    finally:
        process.end(running)
