"""A real collector whose inventory is in a PostgreSQL behind a line that goes dark: packets vanish, and nobody says so."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.error
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import quote, urlencode

import peers
import province
import pytest
from networks import machine_alone

from collector.estate.inventory import Inventory

HOUSE = Path(__file__).parents[1]
QUICKLY = urlencode(
    {
        "connect_timeout": 2,
        "tcp_user_timeout": 3000,
        "keepalives_idle": 1,
        "keepalives_interval": 1,
        "options": "-c tcp_keepalives_idle=1 -c tcp_keepalives_interval=1",
    },
    quote_via=quote,
)
"""Seconds, here and at the server's end, instead of those that our own limits take."""
HEAD = """
[collector]
interval = "1s"
state_directory = "{directory}/state"
database = "{database}"

[web]
listen = "127.0.0.1:{port}"

[agents]
listen = "127.0.0.1:{reports}"
"""
pytestmark = pytest.mark.timeout(600)


class Running:
    """A collector process, its settings and what its pages say."""

    def __init__(self, directory: Path, head: str, rest: str, port: int) -> None:
        self.directory = directory
        self._url = f"http://127.0.0.1:{port}"
        self._settings = directory / "haidang.toml"
        self._settings.write_text(head + rest)
        with open(directory / "log", "wb") as log:
            self.process = subprocess.Popen(self.command("collector", "run"), cwd=HOUSE, stdout=log, stderr=log)

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "haidang.cli", *words, "--config", str(self._settings)]

    def listed(self) -> subprocess.CompletedProcess[str]:
        """`haidang device list`."""
        command = self.command("device", "list")
        return subprocess.run(command, cwd=HOUSE, capture_output=True, text=True, timeout=peers.DEADLINE, check=False)

    def reasons(self) -> list[str] | None:
        """What /health says is wrong; None: it does not answer."""
        assert self.process.poll() is None, (self.directory / "log").read_text()
        try:
            page = peers.fetch(f"{self._url}/health")
        except urllib.error.HTTPError as error:
            with error:
                page = error.read()
        except OSError:
            return None
        reasons: list[str] = json.loads(page)["reasons"]
        return reasons

    def cycles(self) -> float:
        page = peers.fetch(f"{self._url}/metrics").decode()
        return float(re.findall(r"^haidang_collector_cycles_total (\S+)$", page, re.M)[0])

    def leave_out(self) -> str:
        """Take the last device out of the settings of the running collector; which."""
        before, _, last = self._settings.read_text().rpartition("[[device]]")
        self._settings.write_text(before)
        self.process.send_signal(signal.SIGHUP)
        return re.findall(r'^id = "(.+)"$', last, re.M)[0]


def test_a_database_that_goes_dark(tmp_path: Path) -> None:
    """While nobody hears the database, polling and pages go on, /health and the commands say what is wrong in bounded time, and
    the collector ends when it is told to; when the line is back it goes on by itself, and nothing is missing."""
    with ExitStack() as stack:
        network = stack.enter_context(machine_alone())
        server = stack.enter_context(peers.postgresql())
        of = stack.enter_context(province.running(2, 12))
        port = peers.free_port()
        database = f"{server.url('postgresql')}?{QUICKLY}"
        head = HEAD.format(directory=tmp_path, database=database, port=port, reports=peers.free_port("udp"))
        running = Running(tmp_path, head, province.settings_text(of), port)
        stack.callback(peers.end, running.process)
        peers.wait_until(lambda: running.reasons() == [], "the collector is well")
        peers.wait_until(lambda: running.listed().stdout.count(" up ") == 12, "all devices are written")

        network.darken(server.port)
        gone = running.leave_out()
        peers.wait_until(running.reasons, "/health says that the inventory cannot be written")
        before = running.cycles()
        listed = running.listed()
        assert listed.returncode == 1
        assert re.fullmatch(r"haidang: cannot open postgresql://.*: connection timeout expired\n", listed.stderr)
        peers.wait_until(lambda: running.cycles() > before + 4, "polling goes on")

        network.lighten()
        peers.wait_until(lambda: running.reasons() == [], "the collector is well again")
        with closing(Inventory.open(database)) as inventory:
            assert [key for key, record in inventory.devices().items() if record.forgotten] == [gone]

        network.darken(server.port)
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(peers.DEADLINE)
