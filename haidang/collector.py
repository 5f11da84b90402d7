"""`haidang collector run`: poll what the settings name and serve the pages."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from collector.discovery import Discoveries, enlarged
from collector.errors import CollectorError
from collector.estate.agents import Agents
from collector.estate.candidates import Candidates
from collector.estate.inventory import Inventory
from collector.estate.picture import Picture, samples
from collector.estate.releases import DIRECTORY as RELEASES
from collector.estate.releases import Releases
from collector.model import Device, Unit
from collector.reporting import Reporters
from collector.service import Service, collect_seldom, device_of, unit_of
from config import settings
from config.errors import ConfigError
from config.profiles import Profiles
from config.settings import Settings
from exporters import sd
from exporters.agents import Desk
from exporters.backfill import Backfill
from exporters.errors import ExportError
from exporters.health import Health
from exporters.http import Server
from exporters.prometheus import Pages
from exporters.remote_write import Writer

from . import log as logs
from .check import load_profiles
from .options import add_config
from .sentence import counted
from .target import split
from .version import version

log = logging.getLogger(__name__)


def declare(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run_parser = commands.add_parser("run", help="run in the foreground until SIGTERM; SIGHUP reads the settings again")
    add_config(run_parser)
    run_parser.add_argument("--listen", metavar="HOST:PORT", help="serve the pages here instead; port 0: a free one")
    run_parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run until told to stop; nothing is started when anything in the settings is wrong."""
    found = settings.read(args.config)
    profiles = load_profiles(found)
    usual = found.web.listen
    listen = split(args.listen, usual.port, lowest=0) if args.listen else (usual.host, usual.port)
    logs.start(found.collector.log_level)
    collect_seldom()
    try:
        return asyncio.run(_run(args.config, found, profiles, listen))
    except (CollectorError, ExportError) as e:
        print(f"haidang collector: {e}", file=sys.stderr)
        return 1


SELDOM = 240.0
"""An interval in seconds from which values go without the time of their poll: Prometheus shows none older than five minutes."""


async def _run(path: Path, found: Settings, profiles: Profiles, listen: tuple[str, int]) -> int:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    inventory = Inventory.open(found.collector.database.reveal())
    candidates: Candidates | None = None
    agents: Agents | None = None
    running: Running | None = None
    try:
        candidates = Candidates.open(found.collector.database.reveal())
        if found.agents.listen is not None:
            agents = Agents.open(found)
        running = Running(path, found, profiles, inventory, candidates, agents)
        await running.serve(listen)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)
        loop.add_signal_handler(signal.SIGHUP, running.read_again)
        await ended.wait()
    finally:
        began = time.monotonic()
        if running is not None:
            await running.stop()
        for opened in (candidates, agents):
            if opened is not None:
                opened.close()
        written = await asyncio.to_thread(inventory.close)
        log.info("collector ended seconds=%.1f", time.monotonic() - began)
    return 0 if written else 1


class Running:
    """A collector: what polls, what serves, and the settings both were made from."""

    def __init__(
        self,
        path: Path,
        found: Settings,
        profiles: Profiles,
        inventory: Inventory,
        candidates: Candidates,
        agents: Agents | None = None,
    ) -> None:
        """Without `agents` none are received."""
        self.path = path
        self._refused = ""
        """What is wrong while other settings hold than the file's; empty otherwise."""
        self._started = _fixed(found)
        self.written = found
        """The settings as the operator wrote them; `settings` are those with the devices that were accepted."""
        self.accepted = candidates.accepted()
        self.settings = found = enlarged(found, self.accepted)
        self.service: Service | None = None
        self.server: Server | None = None
        self.reporters: Reporters | None = None
        self._profiles = profiles
        self._reporting: Mapping[str, Device] = {}
        self.pages = Pages(
            *_estate(found),
            timestamps=self._timed,
            wrap_counters=found.web.wrap_counters,
            unit_numbers=self._unit_numbers,
            remembered=inventory.remembered(),
        )
        self.service = Service(found, profiles, inventory, [self.pages], drawn=self._drawn)
        self.discoveries = Discoveries(self.service.client, profiles, candidates, self.service.line, self._accept)
        if agents is not None:
            self.reporters = Reporters(found, profiles, agents, self.service.sinks, self._admit)
            # whether a line is dead is judged by all that stands behind it
            self.service.reporting = self.reporters.receive.statuses
            self.reporters.receive.others = self.service.statuses
        self.backfill: Backfill | None = None
        if self.reporters is not None and found.remote_write.url:
            writer = Writer(found.remote_write)
            self.backfill = Backfill(self.reporters.receive, writer, self._scraped_as, found.web.wrap_counters)

    def _scraped_as(self, device: Device) -> Mapping[str, str]:
        """The labels Prometheus gives what it scrapes of a device, by the prometheus.yml of `haidang export alerts`."""
        known = self.settings.units.get(device.unit)
        listen = self.settings.web.listen
        usual = {"job": sd.JOB, "instance": str(listen)}
        return {**(self.settings.remote_write.labels or usual), **sd.unit_labels(device.unit, known.name if known else "")}

    def _timed(self, device: Device) -> bool:
        if device.id in self._reporting:  # their values are said again in time
            return self.settings.web.timestamps
        known = self.settings.units.get(device.unit)
        return self.settings.web.timestamps and (known is None or known.interval < SELDOM)

    def _unit_numbers(self, unit: str) -> Mapping[str, float]:
        return self.service.unit_numbers(unit) if self.service is not None else {}

    def _drawn(self, picture: Picture) -> None:
        self.pages.tell(picture.unit, samples(picture))

    async def serve(self, listen: tuple[str, int]) -> None:
        """Open the pages; raises exporters.errors.ListenError."""
        assert self.service is not None
        web = self.settings.web
        about = {"haidang_collector_info": {version(): 1.0}}
        self.server = Server(
            self.pages,
            Health(lambda: about, self.service.numbers, self.pages.numbers, *self._counts()),
            host=listen[0],
            port=listen[1],
            certificate=web.tls_certificate,
            key=web.tls_key,
            users=web.users,
            ailments=self._ailments,
            agents=self._desk(),
        )
        await self.server.start()
        if self.backfill is not None:
            self.backfill.start()
        devices, units = counted(len(self.settings.devices), "device"), counted(len(self.settings.units), "unit")
        self.discoveries.start(self.written, self.accepted)
        print(f"polling {devices} in {units}; pages at {self.server.url}", flush=True)
        log.info("collector started pages=%s", self.server.url)

    def _counts(self) -> list[Callable[[], Mapping[str, float | Mapping[str, float]]]]:
        counts = [self.reporters.receive.numbers] if self.reporters is not None else []
        return [*counts, self.backfill.numbers] if self.backfill is not None else counts

    def _desk(self) -> ASGIApp | None:
        if self.reporters is None:
            return None
        releases = Releases(self.settings.collector.state_directory / RELEASES)
        return Desk(self.reporters.agents, lambda: self.settings, self.reporters.changed, releases).app

    def _ailments(self) -> list[str]:
        found = self.service.ailments() if self.service is not None else []
        if self.reporters is not None and (trouble := self.reporters.receive.trouble):
            found.append(f"reports: {trouble}")
        if self.backfill is not None and self.backfill.trouble:
            found.append(f"late reports: {self.backfill.trouble}")
        if self._refused:
            found.append(self._refused)
        return found

    def read_again(self) -> None:
        """Take the settings as they stand now; wrong ones are refused and the ones before stay."""
        try:
            new = settings.read(self.path)
            load_profiles(new)
        except ConfigError as e:
            log.error("settings refused file=%s reason=%r kept='the ones before'", self.path, str(e))
            self._refused = f"settings: {self.path.name} was refused, the ones before hold; haidang check says why"
            return
        self._refused = ""
        self.written = new
        self._arrange()
        self.discoveries.settle(new)
        if self.reporters is not None:
            self.reporters.settle(self.settings)
        if self.server is not None:
            self.server.admit(new.web.users)
            self.server.renew()
        if (fixed := sorted(key for key, value in _fixed(new).items() if value != self._started[key])):
            log.warning("settings need a restart keys=%r", ", ".join(fixed))
        log.info("settings read again units=%d devices=%d", len(new.units), len(new.devices))

    def _accept(self, accepted: list[settings.Device]) -> None:
        self.accepted = accepted
        self._arrange()

    def _admit(self, reporting: list[Device]) -> None:
        self._reporting = {device.id: device for device in reporting}
        self._show()

    def _arrange(self) -> None:
        self.settings = enlarged(self.written, self.accepted)
        if self.service is not None:
            self.service.arrange(self.settings)
        self._show()

    def _show(self) -> None:
        units, devices = _estate(self.settings)
        self.pages.arrange(units, [*devices, *self._reporting.values()])

    async def stop(self) -> None:
        """Search, poll, receive and serve no more."""
        await self.discoveries.stop()
        if self.backfill is not None:
            await self.backfill.stop()
        if self.reporters is not None:
            await self.reporters.stop()
        if self.service is not None:
            self.service.stop()
        if self.server is not None:
            await self.server.stop()


def _fixed(found: Settings) -> Mapping[str, Any]:
    """What is taken at the start only."""
    web, agents, secret = found.web, found.agents, found.agents.key
    return {
        "collector.database": found.collector.database.reveal(),
        "collector.state_directory": found.collector.state_directory,
        "web.listen": web.listen,
        "web.tls_certificate": web.tls_certificate,
        "web.tls_key": web.tls_key,
        "agents.listen": agents.listen,
        "agents.key": secret.reveal() if secret is not None else None,
        "remote_write": found.remote_write,
    }


def _estate(found: Settings) -> tuple[list[Unit], list[Device]]:
    return [*map(unit_of, found.units.values())], [*map(device_of, found.devices)]
