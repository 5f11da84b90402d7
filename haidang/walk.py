"""`haidang walk`: record what a device answers, for profiles and tests."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TextIO

from config.errors import ConfigError
from snmp import ber, session
from snmp.client import Client, Target
from snmp.errors import SnmpError, StatusError
from snmp.message import VarBind
from snmp.oid import OID

from . import snmprec
from .mib import found
from .sentence import counted
from .target import add_arguments, locate, target
from .terminal import ERASE

PROGRESS = 500


def declare(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("address", metavar="ADDRESS", help="HOST, HOST:PORT or [IPV6]:PORT")
    parser.add_argument("root", nargs="?", default="1", metavar="OID|NAME", help="where to begin (%(default)s: everything)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.snmprec", help="file to write; without it, to standard output")
    parser.add_argument("--engine", choices=("haidang", "pysnmp"), default="haidang", help="pysnmp: a second opinion")
    add_arguments(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Walk; what was read before an error is kept, and a file is not touched before the device answers."""
    return asyncio.run(_walk(args, found(args.root)))


async def _walk(args: argparse.Namespace, root: OID) -> int:
    device = target(args, args.address)
    client = Client()
    await locate(client, device)
    count, said = 0, ""
    out: TextIO | None = None
    try:
        async for binding in _objects(args.engine, client, device, root):
            out = out or _opened(args.output)
            out.write(snmprec.line(binding) + "\n")
            count += 1
            if args.output and sys.stderr.isatty() and count % PROGRESS == 0:
                print(f"\r{count} objects, at {binding.oid}", end=ERASE, file=sys.stderr, flush=True)
    except SnmpError as e:
        said = str(e)
    finally:
        client.close()
        if args.output and out:
            out.close()
            start = f"\r{ERASE}" if sys.stderr.isatty() else ""
            print(f"{start}{counted(count, 'object')} from {args.address} written to {args.output}", file=sys.stderr)
    if not said and not count:
        said = f"{args.address} has nothing at or below {root}"
    if said:
        kept = f"; the {counted(count, 'object')} before that are kept" if count else ""
        print(f"haidang walk: {said}{kept}", file=sys.stderr)
    return 1 if said else 0


async def _objects(engine: str, client: Client, device: Target, root: OID) -> AsyncIterator[VarBind]:
    """What is below `root`, or where nothing is, what it is itself."""
    walk: Callable[[Target, OID], AsyncIterator[VarBind]] = partial(session.walk, client)
    if engine == "pysnmp":
        from .second_opinion import walk
    below = False
    async for binding in walk(device, root):
        below = True
        yield binding
    if not below and len(root) > 2:
        with suppress(StatusError):
            for binding in await session.get(client, device, [root]):
                if binding.tag not in ber.EXCEPTIONS:
                    yield binding


def _opened(path: Path | None) -> TextIO:
    if path is None:
        return sys.stdout
    try:
        return open(path, "w", encoding="ascii")
    except OSError as e:
        raise ConfigError(f"{path}: cannot be written ({e.strerror})") from e
