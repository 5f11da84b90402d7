"""`haidang check`: validate the settings without running anything."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from config import settings
from config.errors import ConfigError
from config.profiles import Profiles

from .options import add_config
from .sentence import counted


def declare(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    add_config(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Read everything the collector would read; raises ConfigError with all that is wrong."""
    found = settings.read(args.config)
    profiles = load_profiles(found)
    units = Counter(device.unit for device in found.devices)
    empty = [unit for unit in found.units if unit not in units]
    print(
        f"{args.config}: {counted(len(found.units), 'unit')}, {counted(len(found.devices), 'device')}, "
        f"{counted(len(found.credentials), 'credential')}, {counted(len(profiles), 'profile')}: all right"
    )
    if empty:
        print(f"  without devices: {_some(empty)}")
    places: dict[tuple[str, int], list[str]] = {}
    for device in found.devices:
        places.setdefault((device.address, device.port), []).append(device.id)
    twice = [f"{' and '.join(ids)} ({address} port {port})" for (address, port), ids in places.items() if len(ids) > 1]
    if twice:
        print(f"  at one address: {_some(twice)}")
    return 0


def _some(names: list[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def load_profiles(found: settings.Settings) -> Profiles:
    """The profiles the settings ask for; raises ConfigError, also for a device whose profile does not exist."""
    profiles = Profiles.load([found.collector.profiles] if found.collector.profiles else [])
    wrong = [
        f"device {device.id}: no profile {device.profile!r} (`haidang profile list` shows all)"
        for device in found.devices
        if device.profile and device.profile not in profiles
    ]
    if wrong:
        raise ConfigError(*wrong)
    return profiles


def profiles_with(directory: Path | None) -> Profiles:
    """The bundled profiles, which our tests check: read as they are needed. With those of a directory all are checked first."""
    return Profiles.load([directory]) if directory else Profiles()
