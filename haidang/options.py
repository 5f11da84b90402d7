"""Options that several commands take: the settings, and units of theirs."""

from __future__ import annotations

import argparse
from pathlib import Path

from config.errors import ConfigError
from config.settings import Settings
from config.tables import suggest


def add_config(parser: argparse.ArgumentParser) -> None:
    """The settings, without which the command does nothing."""
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the settings, haidang.toml")


def check_unit(found: Settings, unit: str, path: Path) -> None:
    """Raises ConfigError for a unit that the settings, read from `path`, do not have."""
    if unit not in found.units:
        raise ConfigError(f'{path}: no [[unit]] has the id "{unit}"{suggest(unit, found.units)}')
