"""The first poll of a device: what it is, which profile speaks its language, and every row that profile asks for."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from config.profiles import Cadence, Profile, Profiles
from snmp import ber, session
from snmp.client import Client, Target
from snmp.message import VarBind
from snmp.oid import OID
from snmp.table import BY_NAME, Bearing, Missed, Rows, confirm, said, walk_columns

from .questions import Cells

log = logging.getLogger(__name__)

SYS_DESCR = OID((1, 3, 6, 1, 2, 1, 1, 1, 0))
SYS_OBJECT_ID = OID((1, 3, 6, 1, 2, 1, 1, 2, 0))
TABLE_CHANGED = OID((1, 3, 6, 1, 2, 1, 31, 1, 5))
"""ifTableLastChange (RFC 2863): asked at every poll of a device that has it, since its change means new or lost rows."""
GREETING = [SYS_DESCR, SYS_OBJECT_ID]
"""What is asked first of a device, and tells whose it is."""
TABLES_AT_ONCE = 3
"""Tables of one device that are walked side by side; each has one request under way."""


class Learners:
    """Runs at most `at_once` coroutines side by side; the others wait their turn, first come first served."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._waiting: deque[Callable[[], Coroutine[Any, Any, None]]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._closed = False

    def add(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run it when there is room; after `close` never."""
        if self._closed:
            return
        self._waiting.append(work)
        self._start()

    def _start(self) -> None:
        while self._free and self._waiting:
            self._free -= 1
            task = asyncio.ensure_future(self._waiting.popleft()())
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._free += 1
        self._start()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("learning ended in an error of our own", exc_info=error)

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def close(self) -> None:
        """Drop what waits, cancel what runs."""
        self._closed = True
        self._waiting.clear()
        for task in self._running:
            task.cancel()


class Learnt(NamedTuple):
    """What a device was found to be: its profile, all rows of it, in words what could not be read, and the columns that could
    not be read to their end."""

    profile: Profile
    cells: Cells
    missed: str = ""
    broken: frozenset[OID] = frozenset()


@lru_cache(maxsize=1024)
def columns(profile: Profile) -> tuple[OID, ...]:
    """All that a profile asks, ascending: columns, and scalars without their ``.0``."""
    found = dict.fromkeys(profile.scalars) | {c: None for table in profile.tables for c in table.columns}
    return tuple(sorted({OID(oid) for oid in (*found, TABLE_CHANGED)}))


@lru_cache(maxsize=1024)
def polled(profile: Profile) -> frozenset[OID]:
    """What of it is asked at every poll."""
    found = set(profile.scalars) - profile.hourly | {TABLE_CHANGED}
    for table in profile.tables:
        if table.cadence is Cadence.POLL:
            found.update(table.columns)
    return frozenset(found)


async def learn(
    client: Client,
    target: Target,
    profiles: Profiles,
    name: str = "",
    bearing: Bearing | None = None,
    first: Sequence[VarBind] = (),
    at_once: int = TABLES_AT_ONCE,
) -> Learnt:
    """Find out what a device is and walk what its profile (or the one named) asks for; raises SnmpError.

    `first` is what it answered to GREETING already, if it did; `at_once`: tables walked side by side. A table that cannot be
    read is left out and said in `missed`; the rest goes on.
    """
    bearing = bearing or Bearing()
    if [binding.oid for binding in first] != GREETING:
        first = await session.get(client, target, GREETING)
    profile = profiles[name] if name else await choose(client, target, profiles, first)
    wanted = columns(profile)
    cells: Cells = {}
    scalars = [OID((*scalar, 0)) for scalar in (*profile.scalars, TABLE_CHANGED)]
    for binding in await session.get(client, target, scalars):
        if binding.tag not in ber.EXCEPTIONS and binding.tag != ber.NULL:
            cells[OID(binding.oid[:-1])] = {(0,): binding}
    roots = sorted({OID(column[:-1]) for table in profile.tables for column in table.columns})
    present = await _present(client, target, roots)
    groups = [[c for c in table.columns if OID(c[:-1]) in present] for table in profile.tables]
    problems: Missed = {}
    in_bulk = bearing.manner.bulk and not session.is_v1(target)
    rows = await _tables(client, target, groups, bearing, problems, at_once)
    if in_bulk and not await confirm(client, target, rows, problems):
        # it hides rows from those who ask for many, or the table moved while it was walked
        singly, problems = Bearing(BY_NAME), {}
        again = await _tables(client, target, groups, singly, problems, at_once)
        if _indexes(again) != _indexes(rows) and await confirm(client, target, again, problems):
            bearing.rung = max(bearing.rung, singly.rung)
        rows = again
    cells.update((column, found) for column, found in rows.items() if found)
    return Learnt(profile, {c: cells[c] for c in wanted if c in cells}, "; ".join(said(problems)), frozenset(problems))


def _indexes(rows: Rows) -> dict[OID, frozenset[tuple[int, ...]]]:
    return {column: frozenset(found) for column, found in rows.items()}


async def _tables(
    client: Client, target: Target, groups: Sequence[Sequence[OID]], bearing: Bearing, problems: Missed, at_once: int
) -> Rows:
    """Walk tables, a few side by side; what cannot be read is said in `problems`, but that the device is gone is raised."""
    turn = asyncio.Semaphore(at_once)
    rows: Rows = {}

    async def walk(some: Sequence[OID]) -> None:
        async with turn:
            rows.update(await walk_columns(client, target, some, bearing, problems))

    walks = [asyncio.ensure_future(walk(group)) for group in groups if group]
    try:
        await asyncio.gather(*walks)
    finally:
        for one in walks:
            one.cancel()
    return rows


async def choose(client: Client, target: Target, profiles: Profiles, first: Sequence[VarBind]) -> Profile:
    """The profile for what a device says of itself, asking further where families share a sysObjectID."""
    descr, object_id = first[0].value, first[1].value
    oid = object_id if isinstance(object_id, OID) else OID()
    text = descr.decode("utf-8", "replace") if isinstance(descr, bytes) else ""
    asks = profiles.asks(oid, text)
    has = [b.oid for b in await session.get(client, target, asks) if b.tag not in ber.EXCEPTIONS] if asks else ()
    return profiles.choose(oid, text, has)


async def _present(client: Client, target: Target, roots: Sequence[OID]) -> set[OID]:
    """Those of the table entries below which the device has anything: a few requests spare one walk a missing table."""
    found = set()
    for root, binding in zip(roots, await session.get_next(client, target, roots), strict=True):
        if binding.tag not in ber.EXCEPTIONS and root.covers(binding.oid):
            found.add(root)
    return found
