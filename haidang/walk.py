"""`haidang walk`: record what a device answers, for profiles and tests."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any

from config.errors import ConfigError
from snmp import session
from snmp.client import Client
from snmp.errors import SnmpError
from snmp.oid import OID

from . import snmprec
from .target import add_arguments, target

PROGRESS = 500


def add_parser(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("walk", help="record all that a device answers", description=__doc__)
    parser.add_argument("address", metavar="ADDRESS", help="HOST, HOST:PORT or [IPV6]:PORT")
    parser.add_argument("root", nargs="?", default="1", metavar="OID", help="where to begin (%(default)s: everything)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.snmprec", help="file to write; without it, to standard output")
    parser.add_argument("--engine", choices=("haidang", "pysnmp"), default="haidang", help="pysnmp: a second opinion")
    add_arguments(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Walk; what was read before an error is kept."""
    try:
        root = OID.parse(args.root)
    except ValueError as e:
        raise ConfigError(str(e)) from e
    return asyncio.run(_walk(args, root))


async def _walk(args: argparse.Namespace, root: OID) -> int:
    device = target(args, args.address)
    client = Client()
    count, said = 0, ""
    try:
        out = open(args.output, "w", encoding="ascii") if args.output else sys.stdout  # noqa: SIM115
    except OSError as e:
        raise ConfigError(f"{args.output}: cannot be written ({e.strerror})") from e
    if args.engine == "pysnmp":
        from .second_opinion import walk

        answers = walk(device, root)
    else:
        answers = session.walk(client, device, root)
    try:
        async for binding in answers:
            out.write(snmprec.line(binding) + "\n")
            count += 1
            if args.output and sys.stderr.isatty() and count % PROGRESS == 0:
                print(f"\r{count} objects, at {binding.oid}", end="", file=sys.stderr, flush=True)
    except SnmpError as e:
        said = str(e)
    finally:
        client.close()
        if args.output:
            out.close()
    if args.output:
        print(f"{count} objects from {args.address} written to {args.output}", file=sys.stderr)
    if not said and not count:
        said = f"{args.address} has nothing at or below {root}"
    if said:
        print(f"haidang walk: {said}" + (f"; the {count} objects before that are kept" if count else ""), file=sys.stderr)
    return 1 if said else 0

