"""`haidang discover`: look for machines in the ranges of the settings, and decide what of the finds is polled."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from collector.errors import CollectorError, DiscoveryError
from collector.estate.candidates import Candidate, Candidates, State
from config import settings, tables
from config.discovery import Discovery
from config.errors import ConfigError
from config.ranges import Spans, parse
from config.settings import Settings

from .candidate import plain, what_is
from .columns import aligned
from .moment import minute
from .options import add_config, check_unit
from .sentence import counted

WAITING = (State.NEW, State.LOCKED)
"""What `list` shows unless told otherwise: what somebody should look at."""
COLUMNS = ("ID", "STATE", "UNIT", "ADDRESS", "WHAT", "NAME", "CREDENTIAL", "SEEN", "REMARK")
T = TypeVar("T")


def declare(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, func: Callable[[argparse.Namespace], int], help: str) -> Any:
        command = commands.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
        add_config(command)
        command.set_defaults(func=func)
        return command

    look = add("run", run, "look now, where [[discovery]] of the settings says")
    look.add_argument("--unit", action="append", metavar="U", help="only in this unit; may be given again")
    look.add_argument("--dry-run", action="store_true", help="say what would be asked, and ask nothing")
    look.add_argument("--afresh", action="store_true", help="begin again instead of going on with a run that was stopped")
    listed = add("list", show, "show what was found and waits for somebody to decide")
    listed.add_argument("--unit", default="", metavar="U", help="only of this unit")
    states = [*(state.value for state in State), "all"]
    listed.add_argument(
        "--state", action="append", choices=states, help=f"instead of {' and '.join(WAITING)}; may be given again"
    )
    listed.add_argument("--json", action="store_true", help="one JSON object a line")
    yes = add("accept", accept, "have candidates polled from now on")
    yes.add_argument("ids", nargs="+", metavar="ID", help="a candidate's number, or 3-9 for all from one to another")
    yes.add_argument("--as", dest="name", type=_name, metavar="NAME", help="what one is called as a device")
    no = add("reject", reject, "do not poll candidates, nor offer them again")
    no.add_argument("ids", nargs="+", metavar="ID")
    gone = add("forget", forget, "forget candidates, and which credentials their addresses have seen")
    gone.add_argument("ids", nargs="+", metavar="ID", help="a candidate's number, an address, or an address range")


def run(args: argparse.Namespace) -> int:
    """Look; 1 when it could not be ended, 130 when it was stopped."""
    from .check import load_profiles
    from .looking import Looking, dry_run

    found = settings.read(args.config)
    chosen = _chosen(args.config, found, args.unit)
    profiles = load_profiles(found)
    try:
        with closing(Candidates.open(found.collector.database.reveal())) as candidates:
            if args.dry_run:
                return asyncio.run(dry_run(found, chosen, candidates, args.afresh))
            return asyncio.run(Looking(found, profiles, candidates).run(chosen, args.afresh))
    except CollectorError as error:
        print(f"haidang discover: {error}", file=sys.stderr)
        return 1


def _chosen(path: Path, found: Settings, units: Sequence[str] | None) -> list[Discovery]:
    if not found.discoveries:
        raise ConfigError(f"{path}: no [[discovery]] says where to look; config/sample.toml shows one")
    for unit in units or ():
        if unit not in found.discoveries:
            raise ConfigError(f"{path}: no [[discovery]] for unit {unit!r}: expected one of {', '.join(found.discoveries)}")
    return [one for one in found.discoveries.values() if not units or one.unit in units]


def show(args: argparse.Namespace) -> int:
    """List candidates."""
    states = State if args.state and "all" in args.state else [State(one) for one in args.state or WAITING]

    def work(candidates: Candidates, found: Settings) -> Iterator[str]:
        if args.unit:
            check_unit(found, args.unit, args.config)
        every = candidates.all(args.unit, states)
        if args.json:
            yield from (json.dumps(asdict(one), ensure_ascii=False) for one in every)
        else:
            yield from aligned([COLUMNS, *map(_row, every)] if every else [])
            if not every:
                yield f"no candidate is {' or '.join(states)}"

    return _with_candidates(args, work)


def accept(args: argparse.Namespace) -> int:
    """Have candidates polled."""
    ids = _ids(args.ids)
    if args.name and len(ids) != 1:
        raise ConfigError(f"--as names one device, and {len(ids)} candidates are given")

    def work(candidates: Candidates, found: Settings) -> Iterator[str | DiscoveryError]:
        taken = {device.id for device in found.devices}

        def one(number: int) -> str:
            taking = candidates.accept(number, getpass.getuser(), time.time(), args.name or "", taken)
            return f"candidate {number}: {taking.address} is polled as {taking.key}" + (f", {taking.note}" if taking.note else "")

        return map(_tried(one), ids)

    return _with_candidates(args, work)


def reject(args: argparse.Namespace) -> int:
    """Do not offer candidates again."""

    def work(candidates: Candidates, _: Settings) -> Iterator[str | DiscoveryError]:
        def one(number: int) -> str:
            refused = candidates.reject(number, getpass.getuser(), time.time())
            return f"candidate {number}: {refused.address} is not polled, nor offered again"

        return map(_tried(one), _ids(args.ids))

    return _with_candidates(args, work)


def forget(args: argparse.Namespace) -> int:
    """As if candidates had not been found, and nothing tried at their addresses."""

    def span(word: str) -> Spans:
        try:
            return Spans([parse(word)])
        except ValueError as error:
            raise ConfigError(f"neither a candidate's number nor an address: {error}") from None

    words = {word: None if word.isascii() and word.isdigit() else span(word) for word in args.ids}

    def work(candidates: Candidates, _: Settings) -> Iterator[str | DiscoveryError]:
        def one(word: str) -> str:
            if (spans := words[word]) is None:
                return f"candidate {word}: {candidates.forget(int(word)).address} forgotten"
            gone, addresses = candidates.forget_at(spans)
            return f"{word}: {counted(len(gone), 'candidate')} forgotten, and what {counted(addresses, 'address')} had been shown"

        return map(_tried(one), words)

    return _with_candidates(args, work)


Said = Callable[[Candidates, Settings], Iterable[str | DiscoveryError]]


def _with_candidates(args: argparse.Namespace, work: Said) -> int:
    """Print what was done; what could not be done is said, and the rest is done all the same."""
    found = settings.read(args.config)
    code = 0
    try:
        with closing(Candidates.open(found.collector.database.reveal())) as candidates:
            for said in work(candidates, found):
                if isinstance(said, str):
                    print(said)
                else:
                    print(f"haidang discover: {said}", file=sys.stderr)
                    code = 1
    except CollectorError as error:
        print(f"haidang discover: {error}", file=sys.stderr)
        return 1
    return code


def _tried(work: Callable[[T], str]) -> Callable[[T], str | DiscoveryError]:
    """The same work, its error instead of its answer when it cannot be done."""

    def one(what: T) -> str | DiscoveryError:
        try:
            return work(what)
        except DiscoveryError as error:
            return error

    return one


def _name(text: str) -> str:
    """What a device may be called in the settings, too."""
    try:
        return tables.name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _ids(words: Sequence[str]) -> list[int]:
    """Numbers, and spans of numbers; raises ConfigError."""
    ids: dict[int, None] = {}
    for word in words:
        first, dash, last = word.partition("-")
        if not (first.isascii() and first.isdigit()) or (dash and not (last.isascii() and last.isdigit())):
            raise ConfigError(f"not a candidate's number: {word!r} (expected 7, or 3-9; `haidang discover list` shows them)")
        if dash and not 0 <= int(last) - int(first) < 10_000:
            raise ConfigError(f"not a span of numbers: {word!r} (expected the lower one first, and at most 10,000)")
        ids.update(dict.fromkeys(range(int(first), int(last or first) + 1)))
    return list(ids)


def _row(one: Candidate) -> tuple[str, ...]:
    seen = minute(one.last_seen)
    address = one.address if one.port == 161 else f"{one.address} port {one.port}"
    remark = f"device {one.key}" if one.key else one.note or one.how
    words = (str(one.id), one.state, one.unit, address, what_is(one), one.name, one.credential or "none", seen, remark)
    return tuple(plain(word) for word in words)
