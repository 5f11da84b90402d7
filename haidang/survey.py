"""A survey made now, from the command line: the devices are asked what they are, then what hangs on them."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import replace

from collector.discovery import enlarged
from collector.estate.candidates import Candidates
from collector.estate.inventory import Inventory
from collector.model import State
from collector.service import Service
from config.settings import Settings

from .check import load_profiles
from .terminal import ERASE

CYCLE = 60.0
"""Seconds of a cycle in which the devices are asked what they are, before a survey."""
FIRST_CYCLE = 600.0
"""Seconds after which whatever has not answered is left out of a survey."""
TELL_EVERY = 0.5
"""Seconds between two words on how far a survey is."""


def survey(found: Settings, units: Collection[str], url: str) -> None:
    """Ask the units' devices what they are, and those of the network what hangs on them; raises CollectorError."""
    with closing(Candidates.open(url)) as candidates:
        every = enlarged(found, candidates.accepted()).devices
    some = replace(
        found,
        devices=tuple(one for one in every if one.unit in units),
        units={id: replace(unit, interval=CYCLE) for id, unit in found.units.items() if id in units},
    )
    profiles = load_profiles(some)

    async def ask() -> None:
        inventory = Inventory.open(url)
        try:
            service = Service(some, profiles, inventory, [], afresh=True)
            surveyed: list[str] = []
            telling = asyncio.create_task(_tell(service, surveyed)) if sys.stderr.isatty() else None

            async def one(unit: str) -> None:
                await service.surveyor.survey(unit)
                surveyed.append(unit)

            try:
                ends = time.monotonic() + FIRST_CYCLE
                while time.monotonic() < ends and any(one.status.state is State.UNKNOWN for one in service.watches.values()):
                    await service.cycled(ends - time.monotonic())
                await asyncio.to_thread(inventory.flush)
                await asyncio.gather(*map(one, some.units))
            finally:
                if telling is not None:
                    telling.cancel()
                    print(end=f"\r{ERASE}", file=sys.stderr, flush=True)
                service.stop()
        finally:
            await asyncio.to_thread(inventory.close)

    asyncio.run(ask())


async def _tell(service: Service, surveyed: Sequence[str]) -> None:
    """Say how far the survey is until cancelled."""
    while True:
        asked = sum(one.status.state is not State.UNKNOWN for one in service.watches.values())
        line = f"{asked} of {len(service.watches)} devices asked, {len(surveyed)} of {len(service.cycles)} units surveyed"
        print(end=f"\r{line}{ERASE}", file=sys.stderr, flush=True)
        await asyncio.sleep(TELL_EVERY)
