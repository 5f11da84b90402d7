"""Looking for machines from the command line: what would be asked, how far it is, what was found."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from collector.discovery import AT_ONCE, explore
from collector.errors import CollectorError
from collector.estate.candidates import Candidate, Candidates, State
from collector.forecast import Forecast, forecast
from collector.polling.cases import End, Tally
from collector.polling.discover import Search
from collector.polling.line import Line
from collector.service import budget
from config.discovery import Discovery
from config.profiles import Profiles
from config.settings import Settings
from snmp.client import Client

from .candidate import plain, what_is
from .sentence import counted
from .terminal import ERASE

SHOW_EVERY, SAY_EVERY = 0.25, 60.0
"""Seconds between two updates of the progress line: on a terminal, and elsewhere a line each."""


async def dry_run(found: Settings, chosen: Iterable[Discovery], candidates: Candidates, afresh: bool) -> int:
    """Say what would be asked, and ask nothing; raises CollectorError."""
    loop = asyncio.get_running_loop()
    for one in chosen:
        unit = found.units[one.unit]
        grounds = await explore(found, candidates, one, Line(*budget(unit), loop.time))
        for line in _forecast_lines(one, await asyncio.to_thread(forecast, candidates, one, unit, grounds, afresh)):
            print(line)
    print("nothing was asked")
    return 0


def _forecast_lines(one: Discovery, will: Forecast) -> Iterator[str]:
    yield f"unit {one.unit}: {counted(will.addresses, 'address')} to ask on port {one.port}"
    for number, what in (
        (will.skipped, "known already, not asked"),
        (will.resumed, "done with before the last run was stopped"),
        (will.withheld, "left alone: they have seen as many credentials as they may (`haidang discover forget ADDRESS`)"),
    ):
        if number:
            yield f"  {number} more {what}"
    for name, count in will.shown.items():
        yield f"  credential {name}: shown to at most {counted(count, 'address')}"
    if not one.sweep:
        yield "  only addresses in the ranges that leases and neighbours tell of"
    if will.devices:
        yield f"  neighbours' tables of {counted(will.devices, 'known device')}; what they tell of in the ranges is asked, too"
    silence = f"{counted(will.packets, 'packet')} where nothing answers, {duration(will.seconds)}"
    yield f"  at most {silence}; about 30 packets more for each device found"
    for problem in will.problems:
        yield f"  {problem}"


class Looking:
    """Searches in several units under way, and what the terminal shows of them."""

    def __init__(self, found: Settings, profiles: Profiles, candidates: Candidates) -> None:
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
        what = " ".join(filter(None, (what_is(candidate), f'"{plain(candidate.name)}"' if candidate.name else "")))
        stands = {
            State.NEW: f"candidate {candidate.id}",
            State.ACCEPTED: f"accepted as {candidate.key}",
            State.REJECTED: "rejected before",
            State.KNOWN: "",
            State.LOCKED: "no credential opens it",
        }[candidate.state]
        self._print(", ".join(filter(None, (f"{candidate.address}  {what}".rstrip(), stands, plain(candidate.note)))))

    async def _show(self) -> None:
        while True:
            if not self._live:
                await asyncio.sleep(SAY_EVERY)
            tallies = [search.tally for search in self._searches]
            total = sum(one.total for one in tallies)
            asked, waiting = sum(one.questions for one in tallies), sum(one.questions_left() for one in self._searches)
            share = 100 * asked // max(asked + waiting, 1)
            found = sum(sum(one.states.values()) for one in tallies)
            left = duration(max((search.seconds_left() for search in self._searches), default=0.0))
            more = f", {counted(self._waiting, 'unit')} to come" if self._waiting else ""
            line = f"{share} % of {counted(total, 'address')}, {found} found, {left} left{more}"
            if not self._live:
                print(line, file=sys.stderr, flush=True)
                continue
            sys.stderr.write(f"\r{ERASE}{line}")
            sys.stderr.flush()
            await asyncio.sleep(SHOW_EVERY)

    def _print(self, text: str, stream: Any = None) -> None:
        if self._live:
            sys.stderr.write(f"\r{ERASE}")
            sys.stderr.flush()
        print(text, file=stream or sys.stdout, flush=True)


def _summary(tally: Tally, seconds: float) -> Iterator[str]:
    found = ", ".join(f"{count} {state}" for state, count in sorted(tally.states.items()))
    how = "" if tally.complete else ", stopped: `haidang discover run` goes on from here"
    yield f"unit {tally.unit}: {counted(tally.done, 'address')} in {duration(seconds)}{how}; found {found or 'nothing'}"
    if tally.ends[End.CLOSED]:
        yield f"  {counted(tally.ends[End.CLOSED], 'address')} where nothing speaks SNMP, or that cannot be reached"
    if tally.skipped or tally.resumed:
        yield f"  {tally.skipped} known already, {tally.resumed} done with before"
    if tally.ends[End.WITHHELD]:
        yield f"  {tally.ends[End.WITHHELD]} left alone: they have seen as many credentials as they may"
    for problem in tally.problems:
        yield f"  {problem}"


def duration(seconds: float) -> str:
    """So long, in words."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
