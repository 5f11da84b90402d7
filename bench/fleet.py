"""A province of simulated devices polled by the real ``haidang collector run``, watched from outside."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from . import farm, process, work

UNIT_SIZE = 18
"""Devices a unit: 13,000 devices stand in about 708 units."""


class Form(NamedTuple):
    """How much load for how long: `devices` each polled every `interval` seconds, `cycles` of them counted once all are up."""

    devices: int
    interval: float
    cycles: int


FULL = Form(13_000, 60.0, 10)
QUICK = Form(2_000, 9.2, 2)


class Fleet(NamedTuple):
    """A running collector and the devices it polls."""

    pid: int
    web: str
    form: Form
    started: float
    """CLOCK_MONOTONIC when the collector was started."""

    def health(self) -> dict[str, float]:
        """The collector's own samples of /metrics, by name and labels; those of devices are left out."""
        text = process.page(f"{self.web}/metrics", 30.0)
        return {name: float(value) for name, value in re.findall(r"^(haidang_collector_\S+) (\S+)", text, re.MULTILINE)}

    def up(self) -> int:
        """Devices in the state up."""
        return int(self.health().get('haidang_collector_devices{state="up"}', 0))

    def wait_until_up(self, devices: int, deadline: float) -> float:
        """Seconds from the start until so many devices are up; ends the run when they are not in time."""
        while (found := self.up()) < devices:
            waited = time.monotonic() - self.started
            if waited > deadline:
                sys.exit(f"{found} of {devices} devices are up after {waited:.0f} s: {self.health()}")
            time.sleep(0.5 if self.form.devices < 5_000 else 2.0)
        return time.monotonic() - self.started

    def spend(self) -> tuple[float, float]:
        """Let the form's cycles pass: CPU seconds and wall seconds they took."""
        cpu, wall = process.cpu_seconds(self.pid), time.monotonic()
        time.sleep(self.form.interval * self.form.cycles)
        return process.cpu_seconds(self.pid) - cpu, time.monotonic() - wall


def settings(form: Form, port: int, web: int, proto: str, addresses: list[str], unit_size: int = UNIT_SIZE) -> str:
    """A haidang.toml with these addresses, so many to a unit."""
    v3 = [
        'version = "3"',
        f'user = "{work.USER}"',
        'auth = "SHA-1"',
        f'auth_secret = "{work.AUTH_SECRET}"',
        'priv = "AES-128"',
        f'priv_secret = "{work.PRIV_SECRET}"',
    ]
    lines = [
        "[collector]",
        f"interval = {form.interval}",
        'state_directory = "state"',
        "[web]",
        f'listen = "127.0.0.1:{web}"',
        "[[credential]]",
        'name = "fleet"',
        *(v3 if proto == "v3" else ['version = "2c"', f'community = "{work.COMMUNITY}"']),
    ]
    for i, address in enumerate(addresses):
        unit = f"unit-{i // unit_size:04d}"
        if i % unit_size == 0:
            lines += ["[[unit]]", f'id = "{unit}"']
        lines += ["[[device]]", f'id = "d{i:05d}"', f'address = "{address}:{port}"', f'unit = "{unit}"', 'credential = "fleet"']
    return "\n".join(lines) + "\n"


@contextmanager
def running(
    form: Form,
    proto: str = "v2c",
    *,
    table: str | None = None,
    unit_size: int = UNIT_SIZE,
    dead: int = 0,
    loss: int = 0,
    delay_ms: float = 0,
    trace: Path | None = None,
    core: int | None = None,
) -> Iterator[Fleet]:
    """The devices on the second core, the collector on the first (or on `core`); all of it ends with the block, which makes a
    trace whole."""
    process.stand_aside()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        addresses = [work.address(i) for i in range(form.devices)]
        if proto == "v3":
            devices = farm.v3(directory)
        else:
            devices = farm.v2c(directory, table or work.workstation(), dead=dead, loss=loss, delay_ms=delay_ms, trace=trace)
        with devices as port:
            web = process.free_port()
            (directory / "haidang.toml").write_text(settings(form, port, web, proto, addresses, unit_size))
            words = [sys.executable, "-m", "haidang.cli", "collector", "run", "--config", str(directory / "haidang.toml")]
            env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
            with (directory / "log").open("w+") as log:
                started = time.monotonic()
                collector = subprocess.Popen(
                    process.pinned(process.cores()[0] if core is None else core, words),
                    stderr=log,
                    stdout=log,
                    text=True,
                    cwd=directory,
                    env=env,
                )
                try:
                    process.wait_for_http(f"http://127.0.0.1:{web}/health", 60.0, collector)
                    yield Fleet(collector.pid, f"http://127.0.0.1:{web}", form, started)
                finally:
                    process.end(collector)
                    log.seek(0)
                    said = log.read().splitlines()
                    print(f"collector: {len(said)} log lines", *said[-5:], sep="\n  ", flush=True)
