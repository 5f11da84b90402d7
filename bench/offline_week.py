"""A week without a line: nothing an agent found is lost or doubled, its present state comes first, the rest soon after."""

from __future__ import annotations

import heapq
import itertools
import json
import random
import select
import socket
import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from agent import linux, settings
from agent.push import Push
from agent.tree import HOST, IFX_ENTRY, SENSOR_ENTRY, Machine, at
from collector.polling.journal import JOURNAL
from config import objects
from snmp import ber
from snmp.engine import engine_id, steady
from snmp.message import VarBind
from snmp.tree import LiveTree

from . import informs, process

DAY = 86400.0
LINE = 256_000
"""Bits a second, each way."""
DELAY = 0.025
PRESENT, ALL = 5.0, 300.0
FILLING = 90
"""Seconds between two reports with which a week fills more than half of a spool of 8 MB."""
_HEADERS = 28
_QUEUE = 64_000
"""Octets a router keeps for a line, as routers do; what comes beyond is lost."""


class Computer:
    """An office computer of 8 processors, 6 volumes, 3 interfaces and 6 sensors, on top of what this machine tells of itself."""

    def __init__(self) -> None:
        tree = LiveTree(Machine(linux, objects.ENTERPRISE).groups())
        moving = (at(HOST, 3, 3, 1), at(HOST, 2, 3, 1, 6), IFX_ENTRY, SENSOR_ENTRY)
        rows = (VarBind(*row) for row in tree.rows(steady()))
        self._still = [row for row in rows if not any(one.covers(row.oid) for one in moving)]
        self._random = random.Random(1)
        self._octets = 10**10

    def rows(self) -> list[VarBind]:
        """What it is now."""
        chance = self._random
        self._octets += chance.randrange(10**8)
        found = list(self._still)
        found += [VarBind(at(HOST, 3, 3, 1, 2, n), ber.INTEGER, chance.randrange(100)) for n in range(1, 9)]
        found += [VarBind(at(HOST, 2, 3, 1, 6, n), ber.INTEGER, 10**6 + chance.randrange(10**4)) for n in range(1, 7)]
        for column, n in itertools.product((6, 7, 10, 11), (2, 3, 4)):
            found.append(VarBind(at(IFX_ENTRY, column, n), ber.COUNTER64, self._octets * n + column))
        found += [VarBind(at(SENSOR_ENTRY, 4, 10_000 + n), ber.INTEGER, 300 + chance.randrange(200)) for n in range(6)]
        return sorted(found)


class Datagram(NamedTuple):
    """One on its way: when it arrives, which it was, where to and what."""

    due: float
    number: int
    outward: bool
    data: bytes


class Line:
    """A line of so many bits a second between a port of its own and the collector's, in both directions; what its queue cannot
    hold is lost."""

    def __init__(self, to: int) -> None:
        self.near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.near.bind(("127.0.0.1", 0))
        self.far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.far.connect(("127.0.0.1", to))
        for end in (self.near, self.far):
            end.setblocking(False)
        self.lost = 0
        self._agent: Any = None
        self._free = {True: 0.0, False: 0.0}
        self._way: list[Datagram] = []
        self._number = itertools.count()

    @property
    def due(self) -> float:
        """When the next datagram arrives."""
        return self._way[0].due if self._way else float("inf")

    def move(self, now: float) -> None:
        """Take in what was sent, hand out what has arrived."""
        for outward, end in ((True, self.near), (False, self.far)):
            while True:
                try:
                    data, address = end.recvfrom(65535)
                except OSError:
                    break
                if outward:
                    self._agent = address
                begins = max(now, self._free[outward])
                if (begins - now) * LINE / 8 > _QUEUE:
                    self.lost += 1
                    continue
                self._free[outward] = begins + (len(data) + _HEADERS) * 8 / LINE
                heapq.heappush(self._way, Datagram(self._free[outward] + DELAY, next(self._number), outward, data))
        while self._way and self._way[0].due <= now:
            one = heapq.heappop(self._way)
            if one.outward:
                self.far.send(one.data)
            else:
                self.near.sendto(one.data, self._agent)


class Time:
    """Seconds that are skipped while the line is away, and those of the clock once it is back."""

    def __init__(self, days: float) -> None:
        self._ahead = days * DAY
        """So that the computer was started that long ago, however young this machine is."""
        self._now = steady()
        self._real = False

    def __call__(self) -> float:
        return steady() + self._ahead if self._real else self._now

    def wall(self) -> float:
        """The same as Unix seconds."""
        return time.time() - (steady() + self._ahead - self())

    def skip_to(self, now: float) -> bool:
        """Move on; False when that would be the future."""
        self._now = now
        return now < steady() + self._ahead

    def run(self) -> None:
        """From now on it is the clock's time."""
        self._real = True


def run(quick: bool) -> dict[str, Any]:
    """A computer behind a line of 256 kbit/s, away for a week and back: at the usual interval, and at one that fills more than
    half of its spool. In the quick form for a day."""
    process.stand_aside()
    days = 1.0 if quick else 7.0
    found = [_outage(days, interval) for interval in ((settings.INTERVAL,) if quick else (settings.INTERVAL, FILLING))]
    present, rest = (max(column) for column in zip(*found, strict=True))
    return {
        "value": round(rest, 1),
        "unit": f"s until all of {days:g} days is there (the present: {present:.1f} s)",
        "bar": ALL,
        "ok": present <= PRESENT and rest <= ALL,
        "peer": "",
    }


def _outage(days: float, interval: int) -> tuple[float, float]:
    """Seconds until the present is there, and until everything is; ends the run when anything is lost or doubled."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        kind = informs.disk(directory)
        (directory / "collector").mkdir()
        with informs.receiving("ours", directory / "collector", 1) as (running, port):
            line = Line(port)
            clock, computer = Time(days), Computer()
            one = informs.user(0)
            user = settings.User(one.name.decode(), one.auth, one.auth_secret.decode(), one.priv, one.priv_secret.decode(), ())
            push = Push(
                settings.Push(line.near.getsockname()[:2], user, interval, settings.SPOOL), str(directory),
                engine_id(objects.ENTERPRISE, b"agent-0000"), 1, objects.ENTERPRISE, computer.rows,
                lambda: int(clock() * 100) % 2**32, _unsaid, clock=clock, wall=clock.wall,
            )  # fmt: skip
            kept = _away(push, line, clock)
            size = push.spool.size
            present, rest = _back(push, line, clock, kept)
            told = json.loads(process.end(running).splitlines()[-1])
            push.close()
        with sqlite3.connect(directory / "collector" / JOURNAL) as db:
            rows, names = db.execute("SELECT count(*), count(DISTINCT agent || ' ' || sequence) FROM report").fetchone()
    taken = told["new"] + told["late"]
    lost, doubled, missing = push.spool.dropped, rows - names, len(kept) - taken
    print(
        f"{days:g} days of {interval} s: {len(kept)} parts waited in {size / 1e6:.2f} MB on {kind}; the present took "
        f"{present:.1f} s, all {rest:.0f} s; {taken} taken, {told['known']} came twice and counted once, {lost} given up, "
        f"{line.lost} datagrams lost in the line's queue",
        flush=True,
    )
    if missing > 0 or lost or doubled:
        sys.exit(f"{missing} of {len(kept)} parts are missing, {lost} were given up, {doubled} are there twice")
    return present, rest


def _away(push: Push, line: Line, clock: Time) -> set[int]:
    """The days without a line; gives the parts that wait at their end."""
    sink = bytearray(65535)
    while clock.skip_to(push.due):
        push.work(clock())
        try:
            while line.near.recv_into(sink):
                pass
        except OSError:
            continue
    return set(push.spool)


def _back(push: Push, line: Line, clock: Time, kept: set[int]) -> tuple[float, float]:
    """The line returns: seconds until the state of after that is acknowledged, and until all of what waited is."""
    clock.run()
    began = clock()
    first = max(kept) + 1
    present = 0.0
    ends = [line.near, line.far, push.sock]
    while not present or any(name in push.spool for name in kept):
        now = clock()
        if now - began > 2 * ALL:
            sys.exit(f"{sum(name in push.spool for name in kept)} of {len(kept)} parts still wait after {now - began:.0f} s")
        if now >= push.due:
            push.work(now)
        line.move(now)
        if not present and _told(push, first):
            present = clock() - began
        wait = min(push.due, line.due, now + 0.5) - clock()
        for end in select.select(ends, (), (), max(wait, 0.0))[0]:
            if end is push.sock:
                push.serve()
    return present, clock() - began


def _unsaid(line: str) -> None:
    """What the agent's journal would say."""


def _told(push: Push, first: int) -> bool:
    """Has a report been made since, and is all of it acknowledged?"""
    return push.newest >= first and not any(name >= first for name in push.spool)

