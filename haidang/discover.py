"""`haidang discover`: look for machines in the ranges of the settings, and decide what of the finds is polled."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from collector.discovery import AT_ONCE, explore
from collector.errors import CollectorError
from collector.estate.candidates import Candidate, Candidates, State
from collector.forecast import Forecast, forecast
from collector.polling.cases import End, Tally
from collector.polling.discover import Search
from collector.polling.line import Line
from collector.service import budget
from config import settings
from config.discovery import Discovery
from config.errors import ConfigError
from config.ranges import Spans, parse
from config.settings import Settings
from snmp.client import Client

from .check import load_profiles
from .columns import aligned
from .sentence import counted

SHOW_EVERY = 0.25
"""Seconds between two updates of the progress line."""
WAITING = (State.NEW, State.LOCKED)
"""What `list` shows unless told otherwise: what somebody should look at."""
COLUMNS = ("ID", "STATE", "UNIT", "ADDRESS", "WHAT", "NAME", "CREDENTIAL", "SEEN", "REMARK")


def add_parser(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("discover", help="look for machines, decide which are polled", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, func: Callable[[argparse.Namespace], int], help: str) -> Any:
        command = commands.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
        command.add_argument("--config", type=Path, required=True, metavar="FILE")
        command.set_defaults(func=func)
        return command

    look = add("run", run, "look now, where [[discovery]] of the settings says")
    look.add_argument("--unit", action="append", metavar="U", help="only in this unit; may be given again")
    look.add_argument("--dry-run", action="store_true", help="say what would be asked, and ask nothing")
    look.add_argument("--afresh", action="store_true", help="begin again instead of going on with a run that was stopped")
    listed = add("list", show, "show what was found and waits for somebody to decide")
    listed.add_argument("--unit", default="", metavar="U", help="only of this unit")
    listed.add_argument(
        "--state", action="append", choices=[*State, "all"], help=f"instead of {' and '.join(WAITING)}; may be given again"
    )
    listed.add_argument("--json", action="store_true", help="one JSON object a line")
    yes = add("accept", accept, "have candidates polled from now on")
    yes.add_argument("ids", nargs="+", metavar="ID", help="a candidate's number, or 3-9 for all from one to another")
    yes.add_argument("--as", dest="name", default="", metavar="NAME", help="what the device is called, for one candidate")
    no = add("reject", reject, "do not poll candidates, nor offer them again")
    no.add_argument("ids", nargs="+", metavar="ID")
    gone = add("forget", forget, "forget candidates, and which credentials their addresses have seen")
    gone.add_argument("ids", nargs="+", metavar="ID", help="a candidate's number, an address, or an address range")


# -- looking


def run(args: argparse.Namespace) -> int:
    """Look; 1 when it could not be ended, 130 when it was stopped."""
    found = settings.read(args.config)
    chosen = _chosen(args.config, found, args.unit)
    profiles = load_profiles(found)
    try:
        with closing(Candidates.open(found.collector.database.reveal())) as candidates:
            if args.dry_run:
                return asyncio.run(_dry_run(found, chosen, candidates, args.afresh))
            return asyncio.run(_Looking(found, profiles, candidates).run(chosen, args.afresh))
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


async def _dry_run(found: Settings, chosen: Iterable[Discovery], candidates: Candidates, afresh: bool) -> int:
    loop = asyncio.get_running_loop()
    for one in chosen:
        unit = found.units[one.unit]
        grounds = await explore(found, candidates, one, Line(*budget(unit), loop.time))
        for line in _forecast_lines(one, await asyncio.to_thread(forecast, candidates, one, unit, grounds, afresh)):
            print(line)
    print("nothing was asked")
    return 0


def _forecast_lines(one: Discovery, will: Forecast) -> Iterator[str]:
    yield f"unit {one.unit}: {_addresses(will.addresses)} to ask on port {one.port}"
    for number, what in (
        (will.skipped, "known already, not asked"),
        (will.resumed, "done with before the last run was stopped"),
        (will.withheld, "left alone: they have seen as many credentials as they may (`haidang discover forget ADDRESS`)"),
    ):
        if number:
            yield f"  {number} more {what}"
    for name, count in will.shown.items():
        yield f"  credential {name}: shown to at most {_addresses(count)}"
    if not one.sweep:
        yield "  only addresses in the ranges that leases and neighbours tell of"
    if will.devices:
        yield f"  neighbours' tables of {counted(will.devices, 'known device')}; what they tell of in the ranges is asked, too"
    silence = f"{counted(will.packets, 'packet')} where nothing answers, {_duration(will.seconds)}"
    yield f"  at most {silence}; about 30 packets more for each device found"
    for problem in will.problems:
        yield f"  {problem}"


class _Looking:
    """Searches in several units under way, and what the terminal shows of them."""

    def __init__(self, found: Settings, profiles: Any, candidates: Candidates) -> None:
        self._settings = found
        self._profiles = profiles
        self._candidates = candidates
        self._searches: list[Search] = []
        self._waiting = 0
        self._stopped = False
        self._live = sys.stderr.isatty()

    async def run(self, chosen: Sequence[Discovery], afresh: bool) -> int:
        """Look in all units, a few at a time."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        client = Client()
        turn = asyncio.Semaphore(AT_ONCE)
        self._waiting = len(chosen)

        async def one(discovery: Discovery) -> int:
            async with turn:
                self._waiting -= 1
                return 0 if self._stopped else await self._one(client, discovery, afresh)

        shower = asyncio.create_task(self._show())
        try:
            codes = await asyncio.gather(*map(one, chosen))
        finally:
            shower.cancel()
            client.close()
        return 130 if self._stopped else max(codes)

    async def _one(self, client: Client, discovery: Discovery, afresh: bool) -> int:
        unit = self._settings.units[discovery.unit]
        line = Line(*budget(unit), client.loop.time)
        began = time.monotonic()
        try:
            grounds = await explore(self._settings, self._candidates, discovery, line)
            search = Search(
                client, self._profiles, self._candidates, discovery, unit, line, grounds.openers,
                known=grounds.known, skip=grounds.skip, taken=grounds.taken, found=self._tell,
            )  # fmt: skip
            self._searches.append(search)
            tally = await search.run(afresh)
        except CollectorError as error:
            self._print(f"unit {unit.id}: {error}", sys.stderr)
            return 1
        for text in _summary(tally, time.monotonic() - began):
            self._print(text)
        return 0 if tally.complete or self._stopped else 1

    def _stop(self) -> None:
        self._stopped = True
        for search in self._searches:
            search.stop()

    def _tell(self, candidate: Candidate) -> None:
        what = " ".join(filter(None, (_what(candidate), f'"{_plain(candidate.name)}"' if candidate.name else "")))
        stands = {
            State.NEW: f"candidate {candidate.id}",
            State.ACCEPTED: f"accepted as {candidate.key}",
            State.REJECTED: "rejected before",
            State.KNOWN: "",
            State.LOCKED: "no credential opens it",
        }[candidate.state]
        self._print(", ".join(filter(None, (f"{candidate.address}  {what}".rstrip(), stands, _plain(candidate.note)))))

    async def _show(self) -> None:
        while self._live:
            tallies = [search.tally for search in self._searches]
            begun, total = sum(one.begun for one in tallies), sum(one.total for one in tallies)
            found = sum(sum(one.states.values()) for one in tallies)
            left = _duration(max((search.seconds_left() for search in self._searches), default=0.0))
            more = f", {counted(self._waiting, 'unit')} to come" if self._waiting else ""
            sys.stderr.write(f"\r\x1b[K{begun} of {total} addresses asked, {found} found, {left} left{more}")
            sys.stderr.flush()
            await asyncio.sleep(SHOW_EVERY)

    def _print(self, text: str, stream: Any = None) -> None:
        if self._live:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        print(text, file=stream or sys.stdout, flush=True)


def _summary(tally: Tally, seconds: float) -> Iterator[str]:
    found = ", ".join(f"{count} {state}" for state, count in sorted(tally.states.items()))
    how = "" if tally.complete else ", stopped: `haidang discover run` goes on from here"
    yield f"unit {tally.unit}: {_addresses(tally.done)} in {_duration(seconds)}{how}; found {found or 'nothing'}"
    if tally.ends[End.CLOSED]:
        yield f"  {_addresses(tally.ends[End.CLOSED])} where nothing speaks SNMP, or that cannot be reached"
    if tally.skipped or tally.resumed:
        yield f"  {tally.skipped} known already, {tally.resumed} done with before"
    if tally.ends[End.WITHHELD]:
        yield f"  {tally.ends[End.WITHHELD]} left alone: they have seen as many credentials as they may"
    for problem in tally.problems:
        yield f"  {problem}"


# -- deciding


def show(args: argparse.Namespace) -> int:
    """List candidates."""
    states = State if args.state and "all" in args.state else [State(one) for one in args.state or WAITING]

    def work(candidates: Candidates, found: Settings) -> Iterator[str]:
        if args.unit and args.unit not in found.units:
            raise ConfigError(f"{args.config}: no [[unit]] has the id {args.unit!r}")
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

    def work(candidates: Candidates, found: Settings) -> Iterator[str]:
        taken = {device.id for device in found.devices}
        for number in ids:
            one = candidates.accept(number, getpass.getuser(), time.time(), args.name, taken)
            yield f"candidate {number}: {one.address} is polled as {one.key}" + (f", {one.note}" if one.note else "")

    return _with_candidates(args, work)


def reject(args: argparse.Namespace) -> int:
    """Do not offer candidates again."""

    def work(candidates: Candidates, _: Settings) -> Iterator[str]:
        for number in _ids(args.ids):
            one = candidates.reject(number, getpass.getuser(), time.time())
            yield f"candidate {number}: {one.address} is not polled, nor offered again"

    return _with_candidates(args, work)


def forget(args: argparse.Namespace) -> int:
    """As if candidates had not been found, and nothing tried at their addresses."""

    def work(candidates: Candidates, _: Settings) -> Iterator[str]:
        for word in args.ids:
            if word.isascii() and word.isdigit():
                one = candidates.forget(int(word))
                yield f"candidate {word}: {one.address} forgotten"
                continue
            try:
                spans = Spans([parse(word)])
            except ValueError as error:
                raise ConfigError(f"neither a candidate's number nor an address: {error}") from None
            gone, addresses = candidates.forget_at(spans)
            yield f"{word}: {counted(len(gone), 'candidate')} forgotten, and what {_addresses(addresses)} had been shown"

    return _with_candidates(args, work)


def _with_candidates(args: argparse.Namespace, work: Callable[[Candidates, Settings], Iterable[str]]) -> int:
    found = settings.read(args.config)
    try:
        with closing(Candidates.open(found.collector.database.reveal())) as candidates:
            for line in work(candidates, found):
                print(line)
    except CollectorError as error:
        print(f"haidang discover: {error}", file=sys.stderr)
        return 1
    return 0


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
    seen = datetime.fromtimestamp(one.last_seen).astimezone().strftime("%Y-%m-%d %H:%M")
    address = one.address if one.port == 161 else f"{one.address} port {one.port}"
    remark = f"device {one.key}" if one.key else one.note or one.how
    words = (str(one.id), one.state, one.unit, address, _what(one), one.name, one.credential or "none", seen, remark)
    return tuple(_plain(word) for word in words)


def _what(one: Candidate) -> str:
    maker = "" if one.model.casefold().startswith(one.vendor.casefold()) else one.vendor
    return _plain(" ".join(filter(None, (one.kind, maker, one.model, one.serial))))


def _plain(text: str) -> str:
    """What a device says of itself, fit for a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:120]





def _addresses(number: int) -> str:
    return f"{number} address{'' if number == 1 else 'es'}"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
