"""`haidang probe`: ask one device, or many at once, and say what it is and how it is."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from collector.model import Facts
from collector.polling.ask import attempt
from collector.polling.learn import learn
from collector.polling.translate import translate
from config.errors import ConfigError
from config.profiles import Profiles
from exporters.device import device_page
from exporters.document import probe_document
from snmp.client import Client, Target
from snmp.security import Community

from .check import profiles_with
from .target import add_arguments, locate, split, target
from .terminal import ERASE

AT_ONCE = 64


def declare(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("addresses", nargs="*", metavar="ADDRESS", help="HOST, HOST:PORT or [IPV6]:PORT")
    parser.add_argument("--targets", type=Path, metavar="FILE", help="many: a line each with NAME ADDRESS:PORT [COMMUNITY]")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of a page")
    parser.add_argument("--profile", default="", help="read it by this profile instead of the one that matches")
    parser.add_argument("--profiles", type=Path, metavar="DIR", help="a directory with further profiles")
    add_arguments(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Probe; exit code 1 when a device did not answer."""
    targets = list(_targets(args))
    if not targets:
        raise ConfigError("nothing to probe: give an ADDRESS or --targets FILE")
    profiles = profiles_with(args.profiles)
    if args.profile and args.profile not in profiles:
        raise ConfigError(f"no profile {args.profile!r}: `haidang profile list` shows all")
    return asyncio.run(_probe(args, targets, profiles))


def _targets(args: argparse.Namespace) -> Iterator[tuple[str, Target]]:
    for address in args.addresses:
        yield address, target(args, address)
    if args.targets is None:
        return
    try:
        lines = args.targets.read_text().splitlines()
    except OSError as e:
        raise ConfigError(f"{args.targets}: cannot be read ({e.strerror})") from e
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) not in (2, 3):
            raise ConfigError(f"{args.targets} line {number}: found {line!r}, expected NAME ADDRESS:PORT [COMMUNITY]")
        if len(words) == 3:
            host, port = split(words[1])
            yield words[0], Target(host, port, Community(words[2].encode()), timeout=args.timeout, retries=args.retries)
        else:
            yield words[0], target(args, words[1])


async def _probe(args: argparse.Namespace, targets: list[tuple[str, Target]], profiles: Profiles) -> int:
    client = Client()
    turn = asyncio.Semaphore(AT_ONCE)
    done = failed = 0
    live = len(targets) > 1 and sys.stderr.isatty()

    async def one(name: str, device: Target) -> None:
        nonlocal done, failed
        async with turn:
            await locate(client, device)
            found, _, said = await attempt(learn(client, device, profiles, args.profile), (client, device))
        facts: Facts | None = None
        if found is not None:
            facts = translate(found.profile, found.cells).facts
            said = found.missed
        done += 1
        failed += facts is None
        document = probe_document(name, facts, facts is not None, said)
        if live:
            print(end=f"\r{ERASE}", file=sys.stderr, flush=True)
        print(json.dumps(document, ensure_ascii=False) if args.json else device_page(name, facts, said), flush=True)
        if live:
            print(f"\r{done} of {len(targets)} asked, {failed} silent", end="", file=sys.stderr, flush=True)

    try:
        await asyncio.gather(*(one(name, device) for name, device in targets))
    finally:
        client.close()
    if live:
        print(file=sys.stderr)
    return 1 if failed else 0
