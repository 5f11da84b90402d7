"""Reports that agents sent, safe on disk before they are acknowledged, each once (SQLite; one writer, any thread)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from config import objects
from snmp import message
from snmp.errors import DecodeError
from snmp.notify import Notification
from snmp.oid import OID

from ..errors import ReceiveError

_LARGEST = 2**63 - 1
_GRACE = 30
_SCHEMA = """
CREATE TABLE IF NOT EXISTS agent (
    id INTEGER PRIMARY KEY, device TEXT NOT NULL, engine BLOB NOT NULL, floor INTEGER NOT NULL DEFAULT 0,
    UNIQUE (device, engine));
CREATE TABLE IF NOT EXISTS report (
    id INTEGER PRIMARY KEY, agent INTEGER NOT NULL, sequence INTEGER NOT NULL, base INTEGER NOT NULL, oldest INTEGER NOT NULL,
    part INTEGER NOT NULL, parts INTEGER NOT NULL, time INTEGER NOT NULL, interval INTEGER NOT NULL, reason INTEGER NOT NULL,
    uptime INTEGER NOT NULL, address TEXT NOT NULL, received REAL NOT NULL, late INTEGER NOT NULL, body BLOB NOT NULL,
    UNIQUE (agent, sequence));
"""
_COLUMNS = "sequence, base, oldest, part, parts, time, interval, reason, uptime, address, received, late, body"


class Report(NamedTuple):
    """One part of an agent's report (HAIDANG-MIB, hdReport). `time` (the agent's) and `received` are Unix seconds.

    `device` (its id) and `engine` tell whose it is; `body` is its objects' varbinds, encoded. `late`: it came after its time, or
    after newer ones, so that no page has shown it.
    """

    device: str
    engine: bytes
    sequence: int
    base: int
    oldest: int
    part: int
    parts: int
    time: int
    interval: int
    reason: int
    uptime: int
    address: str
    received: float
    late: bool
    body: bytes

    @property
    def first(self) -> int:
        """The sequence of the first part of the report this part belongs to."""
        return self.sequence - self.part + 1

    @property
    def full(self) -> bool:
        """Does it say everything, not only what differs?"""
        return self.first == self.base


@lru_cache(maxsize=16)
def _names(trap: OID) -> tuple[OID, ...]:
    """What a report must begin with, its instances included, for the enterprise whose notification `trap` is."""
    if len(trap) != 10 or trap != objects.notification(trap[6]):
        return ()
    return tuple(OID((*objects.REPORT.oid(item, trap[6]), 0)) for item in objects.REPORT.objects)


def read(told: Notification, device: str, received: float) -> Report:
    """A device's notification as a report; raises DecodeError when it is none."""
    names = _names(told.trap)
    head = told.varbinds[: len(names)]
    numbers = [binding.value for binding in head if isinstance(binding.value, int)]
    if not names or tuple(binding.oid for binding in head) != names or len(numbers) != len(names):
        raise DecodeError(f"a notification {told.trap}, which is no report of HAIDANG-MIB")
    sequence, base, oldest, part, parts, time, interval, reason = numbers
    if not (0 < sequence <= _LARGEST and base <= sequence and 0 < part <= parts and part <= sequence):
        raise DecodeError(f"a report whose part {part} of {parts} is number {sequence}, based on {base}")
    late = received - time > 2 * max(interval, _GRACE)
    return Report(
        device, told.engine_id, sequence, base, min(oldest, sequence), part, parts, time, interval, reason, told.uptime,
        told.address, received, late, message.encode_varbinds(told.varbinds[len(names) :]),
    )  # fmt: skip


class Journal:
    """The reports' file. `commit` returns when what it was given is safe; what was there before it refuses silently."""

    def __init__(self, path: Path) -> None:
        """Raises ReceiveError."""
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA)
            found = self._db.execute("SELECT device, engine, id, floor FROM agent").fetchall()
        except (sqlite3.Error, OSError) as error:
            raise ReceiveError(f"{path}: reports cannot be kept there: {error}") from error
        self._agents = {(device, engine): (number, floor) for device, engine, number, floor in found}

    def commit(self, reports: Sequence[Report], settled: Iterable[Report] = ()) -> list[bool]:
        """Keep reports; which of them were not known. Raises ReceiveError, and then none of them counts.

        `settled` are reports that pages show now: what they replace is removed, unless it was late.
        """
        before = dict(self._agents)
        try:
            self._db.execute("BEGIN IMMEDIATE")
            new = [self._insert(report) for report in reports]
            for report in settled:
                self._settle(report)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._agents = before
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise ReceiveError(f"{self._path}: reports cannot be kept: {error}") from error
        return new

    def _insert(self, report: Report) -> bool:
        key = report[:2]
        known = self._agents.get(key)
        if known is None:
            made = self._db.execute("INSERT INTO agent (device, engine) VALUES (?, ?)", key).lastrowid
            assert made is not None
            known = self._agents[key] = made, 0
        number, floor = known
        if report.sequence < floor:
            return False  # the agent has said that it is done with it
        values = "?" + ", ?" * 13
        found = self._db.execute(f"INSERT OR IGNORE INTO report (agent, {_COLUMNS}) VALUES ({values})", (number, *report[2:]))
        if report.oldest > floor:
            self._db.execute("UPDATE agent SET floor = ? WHERE id = ?", (report.oldest, number))
            self._agents[key] = number, report.oldest
        return found.rowcount > 0

    def _settle(self, shown: Report) -> None:
        number, floor = self._agents[shown[:2]]
        self._db.execute(
            "DELETE FROM report WHERE agent = ?1 AND late = 0 AND sequence < min(?2, ?3) AND (base <> sequence - part + 1 OR "
            "(base <> ?4 AND base NOT IN (SELECT base FROM report WHERE agent = ?1 AND late = 1)))",
            (number, floor, shown.first, shown.base),
        )

    def present(self, among: int = 200) -> Iterator[Report]:
        """Of every agent the newest parts, and the full report that the newest differs from; oldest first."""
        for (device, engine), (number, _) in list(self._agents.items()):
            newest = self._select(device, engine, "agent = ? ORDER BY sequence DESC LIMIT ?", (number, among))
            if newest:
                base = newest[0].base
                yield from self._select(device, engine, "agent = ? AND base = ? AND sequence - part + 1 = base", (number, base))
            yield from reversed(newest)

    def late(self, after: float = 0.0) -> Iterator[Report]:
        """What no page has shown in its time, received after a time; of each agent in the order of its own."""
        for (device, engine), (number, _) in list(self._agents.items()):
            condition = "agent = ? AND late = 1 AND received > ? ORDER BY sequence"
            yield from self._select(device, engine, condition, (number, after))

    def forget_late(self, before: float) -> None:
        """Remove late reports that were received before a time; raises ReceiveError."""
        try:
            self._db.execute("DELETE FROM report WHERE late = 1 AND received < ?", (before,))
        except sqlite3.Error as error:
            raise ReceiveError(f"{self._path}: {error}") from error

    def _select(self, device: str, engine: bytes, condition: str, values: tuple[object, ...]) -> list[Report]:
        query = f"SELECT {_COLUMNS} FROM report WHERE {condition}"
        return [Report._make((device, engine, *row)) for row in self._db.execute(query, values)]

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()
