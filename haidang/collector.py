"""`haidang collector run`: poll what the settings name and serve the pages."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
import time
from pathlib import Path
from typing import Any

from collector.errors import CollectorError
from collector.estate.inventory import Inventory
from collector.model import Device, Unit
from collector.service import Service
from config import settings
from config.errors import ConfigError
from config.settings import Settings
from exporters.errors import ExportError
from exporters.health import Health
from exporters.http import Server
from exporters.prometheus import Pages

from . import log as logs
from .check import load_profiles
from .sentence import counted
from .target import split

log = logging.getLogger(__name__)

WRITE_WITHIN = 5.0
"""Seconds in which everything is written when told to end."""


def add_parser(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("collector", help="poll, and serve the pages", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run_parser = commands.add_parser("run", help="run in the foreground until SIGTERM; SIGHUP reads the settings again")
    run_parser.add_argument("--config", type=Path, required=True, metavar="FILE")
    run_parser.add_argument("--listen", metavar="HOST:PORT", help="serve the pages here instead of where the settings say")
    run_parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run until told to stop; nothing is started when anything in the settings is wrong."""
    found = settings.read(args.config)
    profiles = load_profiles(found)
    listen = split(args.listen) if args.listen else (found.web.listen.host, found.web.listen.port)
    logs.start(found.collector.log_level)
    try:
        return asyncio.run(_run(args.config, found, profiles, listen))
    except (CollectorError, ExportError) as e:
        print(f"haidang collector: {e}", file=sys.stderr)
        return 1


async def _run(path: Path, found: Settings, profiles: Any, listen: tuple[str, int]) -> int:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    began = time.monotonic()
    inventory = Inventory.open(found.collector.database.reveal())
    service: Service | None = None
    try:
        pages = Pages(*_estate(found), timestamps=found.web.timestamps)
        service = Service(found, profiles, inventory, [pages])
        health = Health(service.numbers, pages.numbers)
        server = Server(
            pages,
            health,
            host=listen[0],
            port=listen[1],
            certificate=found.web.tls_certificate,
            key=found.web.tls_key,
            users=found.web.users,
        )
        await server.start()
        running = service

        def read_again() -> None:
            try:
                new = settings.read(path)
                load_profiles(new)
            except ConfigError as e:
                log.error("settings refused file=%s reason=%r kept=the ones before", path, str(e))
                return
            running.arrange(new)
            pages.arrange(*_estate(new))
            server.admit(new.web.users)
            log.info("settings read again units=%d devices=%d", len(new.units), len(new.devices))

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)
        loop.add_signal_handler(signal.SIGHUP, read_again)
        log.info("collector started units=%d devices=%d pages=%s", len(found.units), len(found.devices), server.url)
        print(
            f"polling {counted(len(found.devices), 'device')} in {counted(len(found.units), 'unit')}; pages at {server.url}",
            flush=True,
        )
        await ended.wait()
        began = time.monotonic()
        service.stop()
        await server.stop()
    finally:
        if service is not None:
            service.stop()
        written = await asyncio.to_thread(inventory.close)
    log.info("collector ended seconds=%.1f", time.monotonic() - began)
    return 0 if written else 1


def _estate(found: Settings) -> tuple[list[Unit], list[Device]]:
    return (
        [Unit(unit.id, unit.name, unit.kind, unit.parent) for unit in found.units.values()],
        [Device(d.id, d.address, d.port, d.credential, d.unit, d.profile, d.name) for d in found.devices],
    )

