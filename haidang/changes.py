"""`haidang device changes` and `haidang device history`: what became different, newest first."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Collection, Sequence
from contextlib import closing
from typing import Any

from collector.errors import CollectorError
from collector.estate.inventory import Inventory
from collector.estate.ledger import Change
from config import settings
from config.errors import ConfigError
from config.tables import duration, suggest

from .columns import aligned
from .moment import minute
from .options import add_config, check_unit

_SINCE = duration(1, 36500 * 86400)


def add_parsers(commands: Any) -> None:
    """Declare both commands among those of `haidang device`."""
    told = "what became different in the inventory, newest first: when, device, what, from, to"
    command = commands.add_parser("changes", help=told, description=told[0].upper() + told[1:] + ".")
    command.add_argument("--unit", metavar="U", help="only of the devices that are, or were then, in this unit")
    command.add_argument("--since", default="7d", metavar="TIME", help='how far back, such as "12h" or "30d" (%(default)s)')
    command.set_defaults(func=run_changes)
    told = "all that ever became different of one device, newest first; or the values that one thing of it has had"
    history = commands.add_parser("history", help=told, description=told[0].upper() + told[1:] + ".")
    history.add_argument("name", metavar="ID", help="a device's id in the settings")
    history.add_argument("path", metavar="WHAT", nargs="?", help="as `changes` calls it, such as os.version")
    history.set_defaults(func=run_history)
    for each in (command, history):
        each.add_argument("--json", action="store_true", help="one JSON object a line; times are Unix seconds")
        add_config(each)


def run_changes(args: argparse.Namespace) -> int:
    """The changes of a span of time that ends now; 1 when the inventory cannot be read."""
    found = settings.read(args.config)
    if args.unit is not None:
        check_unit(found, args.unit, args.config)
    try:
        since = time.time() - _SINCE(args.since)
    except ValueError as error:
        raise ConfigError(f"--since: {error}") from error
    try:
        with closing(Inventory.open(found.collector.database.reveal())) as inventory:
            changes = inventory.changes(since)
            if args.unit is not None:
                members = {key for key, said in inventory.said(("unit",)).items() if said["unit"] == args.unit}
                members |= {one.device for one in changes if one.path == "unit" and args.unit in (one.old, one.new)}
                changes = [one for one in changes if one.device in members]
    except CollectorError as error:
        print(f"haidang: {error}", file=sys.stderr)
        return 1
    _show(changes, args.json, f"nothing changed since {minute(since)}")
    return 0


def run_history(args: argparse.Namespace) -> int:
    """One device's changes, or one fact's values; 1 when the inventory has no such device or no such fact of it."""
    found = settings.read(args.config)
    try:
        with closing(Inventory.open(found.collector.database.reveal())) as inventory:
            devices = inventory.devices()
            if args.name not in devices:
                return _unknown(f'the inventory has no device "{args.name}"', args.name, devices)
            if args.path is None:
                _show(inventory.changes(0.0, key=args.name), args.json, f"{args.name} has never changed")
                return 0
            facts = inventory.history(args.name, args.path)
            if not facts:
                return _unknown(f'{args.name} never said "{args.path}"', args.path, inventory.facts(args.name))
    except CollectorError as error:
        print(f"haidang: {error}", file=sys.stderr)
        return 1
    facts.reverse()
    if args.json:
        for fact in facts:
            print(json.dumps({"value": fact.value, "since": fact.first_seen, "until": fact.ended}, ensure_ascii=False))
        return 0
    rows = [(minute(one.first_seen), minute(one.ended) if one.ended is not None else "now", one.value) for one in facts]
    print("\n".join(aligned([("SINCE", "UNTIL", "VALUE"), *rows])))
    return 0


def _show(changes: Sequence[Change], as_json: bool, none: str) -> None:
    newest = sorted(changes, key=lambda one: (-one.when, one.device, one.path))
    if as_json:
        for one in newest:
            what = {"when": one.when, "device": one.device, "what": one.path, "from": one.old, "to": one.new}
            print(json.dumps(what, ensure_ascii=False))
    elif not newest:
        print(none)
    else:
        rows = [(minute(one.when), one.device, one.path, _end(one.old), _end(one.new)) for one in newest]
        print("\n".join(aligned([("WHEN", "DEVICE", "WHAT", "FROM", "TO"), *rows])))


def _end(value: str | None) -> str:
    return "-" if value is None else value


def _unknown(what: str, name: str, known: Collection[str]) -> int:
    print(f"haidang: {what}{suggest(name, known)}", file=sys.stderr)
    return 1
