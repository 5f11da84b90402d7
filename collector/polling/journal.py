"""Reports that agents sent, safe on disk before they are acknowledged, each once (SQLite; one thread at a time)."""

from __future__ import annotations

import logging
import sqlite3
import zlib
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from snmp.oid import OID

from ..errors import ReceiveError
from .report import GRACE, Late, Notice, Report

log = logging.getLogger(__name__)

JOURNAL = "reports.db"
"""Its file, in the state directory."""
_BACK = 60.0
"""Seconds by which an observation must be newer, while its name is older, to tell that an agent's names went back."""
_VERSION = 1
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS agent (
    id INTEGER PRIMARY KEY, device TEXT NOT NULL, engine BLOB NOT NULL, floor INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS agent_engine ON agent (device, engine);
CREATE TABLE IF NOT EXISTS report (
    id INTEGER PRIMARY KEY AUTOINCREMENT, agent INTEGER NOT NULL, sequence INTEGER NOT NULL, base INTEGER NOT NULL,
    oldest INTEGER NOT NULL, part INTEGER NOT NULL, parts INTEGER NOT NULL, time REAL NOT NULL, ahead REAL NOT NULL,
    interval INTEGER NOT NULL, reason INTEGER NOT NULL, uptime INTEGER NOT NULL, address TEXT NOT NULL, received REAL NOT NULL,
    late INTEGER NOT NULL, body BLOB NOT NULL, UNIQUE (agent, sequence));
CREATE TABLE IF NOT EXISTS notice (
    id INTEGER PRIMARY KEY AUTOINCREMENT, device TEXT NOT NULL, engine BLOB NOT NULL, request INTEGER NOT NULL,
    trap TEXT NOT NULL, uptime INTEGER NOT NULL, address TEXT NOT NULL, received REAL NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS report_late ON report (id) WHERE late = 1;
CREATE INDEX IF NOT EXISTS report_agent_late ON report (agent, sequence) WHERE late = 1;
PRAGMA user_version = {_VERSION};
"""
_COLUMNS = "sequence, base, oldest, part, parts, time, ahead, interval, reason, uptime, address, received, late, body"
_NOTE = f"INSERT INTO notice (device, engine, request, trap, uptime, address, received, body) VALUES (?{', ?' * 7})"
_MOST, _MOST_NOTICES = 64 << 20, 64 << 20
"""Octets of one device's reports, and of all notices: a week of an agent's is 8 MB at most, so what is beyond comes from one that
has gone wild."""
_ROW = 300
"""Octets of a row beside its body, roughly."""
_LEFT = 0.75
"""Part of what is allowed that stays when there is more."""
_NOTED = 10_000
"""Notices of which it is known that they came already: the latest."""
_Noted = tuple[str, bytes, int, int]
"""Device, engine, request id and checksum of a notice."""
_INSERT = f"INSERT OR IGNORE INTO report (agent, {_COLUMNS}) VALUES (?{', ?' * 14})"


class Lineage(NamedTuple):
    """One line of rising names: the agent holds nothing older than `floor`; `newest` is the greatest name so far, observed at
    `time`."""

    number: int
    floor: int
    newest: int
    time: float


class Journal:
    """The reports' file. `commit` returns when what it was given is safe; what was there before it refuses silently.

    `keep_late`: reports that no page showed stay until `written` was told of them.
    """

    def __init__(self, path: Path) -> None:
        """Raises ReceiveError."""
        self.keep_late = False
        self._noted: dict[_Noted, None] = {}
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, _VERSION):
                raise ReceiveError(f"{path}: has version {version}, expected {_VERSION}: it was written by another release")
            self._db.executescript(_SCHEMA)
            self._octets: Counter[str] = Counter()
            self._lineages = self._found()
            self._notices = self._notice_octets()
        except (sqlite3.Error, OSError) as error:
            raise ReceiveError(f"{path}: reports cannot be kept there: {error}") from error

    def _found(self) -> dict[tuple[str, bytes], Lineage]:
        """Of each device and engine the latest lineage, those heard last at the end."""
        rows = self._db.execute(
            # with one max() SQLite takes the other columns from the row that has it
            "SELECT device, engine, agent.id, floor, coalesce(sequence, 0), coalesce(max(time), 0), received, "
            f"coalesce(sum(length(body) + {_ROW}), 0) "
            "FROM agent LEFT JOIN report ON report.agent = agent.id GROUP BY agent.id ORDER BY received, agent.id"
        )
        found: dict[tuple[str, bytes], Lineage] = {}
        self._octets.clear()
        for device, engine, number, floor, newest, time, _, octets in rows:
            self._octets[device] += octets
            before = found.pop((device, engine), None)
            latest = Lineage(number, floor, newest, time)
            found[device, engine] = latest if before is None or before.number < number else before
        return found

    def commit(
        self, received: Sequence[Report | Notice], settled: Iterable[Report] = (), missed: Iterable[Report] = ()
    ) -> list[int]:
        """Keep reports and notices; gives the lineage of each report (of a notice 1), 0 for what was known. Raises ReceiveError,
        and then none counts.

        `missed` are reports that no page has shown and none will. `settled` are reports that pages show now: what they replace
        is removed, but for what is late and what late ones still need.
        """
        before: dict[tuple[str, bytes], Lineage | None] = {}
        noted: list[_Noted] = []
        try:
            self._db.execute("BEGIN IMMEDIATE")
            new = [self._insert(one, before) if isinstance(one, Report) else self._note(one, noted) for one in received]
            for key, old in before.items():
                lineage = self._lineages[key]
                if old is None or old.floor != lineage.floor:
                    self._db.execute("UPDATE agent SET floor = ? WHERE id = ?", (lineage.floor, lineage.number))
            if self.keep_late:
                for report in missed:
                    self._db.execute(
                        "UPDATE report SET late = 1 WHERE agent = ? AND sequence BETWEEN ? AND ? AND late = 0",
                        (report.lineage, report.first, report.last),
                    )
            for report in settled:
                self._settle(report)
            curbed = {device: self._curb(device) for device in {one.device for one in received} if self._octets[device] > _MOST}
            if self._notices > _MOST_NOTICES:
                self._curb_notices()
            self._db.execute("COMMIT")
            for device, (octets, gone) in curbed.items():
                self._octets[device] = octets
                for key in gone:
                    del self._lineages[key]
        except sqlite3.Error as error:
            for one in noted:
                self._noted.pop(one, None)
            for key, old in before.items():
                if old is None:
                    del self._lineages[key]
                else:
                    self._lineages[key] = old
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise ReceiveError(f"{self._path}: reports cannot be kept: {error}") from error
        return new

    def _insert(self, report: Report, before: dict[tuple[str, bytes], Lineage | None]) -> int:
        key = report[:2]
        lineage = self._lineages.get(key)
        before.setdefault(key, lineage)
        if lineage is None or (
            report.sequence <= lineage.newest and not report.late and report.time > lineage.time + _BACK
        ):
            if lineage is not None:
                # names that were used already: the machine was restored from an image, or two share one identity
                self._db.execute("DELETE FROM report WHERE agent = ? AND late <> 1", (lineage.number,))
            made = self._db.execute("INSERT INTO agent (device, engine) VALUES (?, ?)", key).lastrowid
            assert made is not None
            lineage = self._lineages[key] = Lineage(made, 0, 0, 0.0)
        number, floor, newest, time = lineage
        if report.sequence < floor:
            return 0  # the agent has said that it is done with it
        late = report.late and self.keep_late
        found = self._db.execute(_INSERT, (number, *report[2:14], late, report.body))
        if report.sequence > newest and report.time >= time:
            newest, time = report.sequence, report.time
        oldest = min(report.oldest, newest)
        if newest > lineage.newest or oldest > floor:
            self._lineages[key] = Lineage(number, max(floor, oldest), newest, time)
        if found.rowcount > 0:
            self._octets[report.device] += len(report.body) + _ROW
            return number
        return 0

    def _note(self, notice: Notice, noted: list[_Noted]) -> int:
        key = notice.device, notice.engine, notice.request, zlib.crc32(notice.body)
        if key in self._noted:
            return 0
        self._noted[key] = None
        noted.append(key)
        if len(self._noted) > _NOTED:
            del self._noted[next(iter(self._noted))]
        self._db.execute(_NOTE, (*notice[:3], str(notice.trap), *notice[4:]))
        self._notices += len(notice.body) + _ROW
        return 1

    def _notice_octets(self) -> int:
        octets: int = self._db.execute(f"SELECT coalesce(sum(length(body) + {_ROW}), 0) FROM notice").fetchone()[0]
        return octets

    def _curb_notices(self) -> None:
        """Give up the oldest."""
        oldest = "SELECT id FROM notice ORDER BY id LIMIT 1 OFFSET (SELECT count(*) / 4 FROM notice)"
        self._db.execute(f"DELETE FROM notice WHERE id <= ({oldest})")
        self._notices = self._notice_octets()

    def _curb(self, device: str) -> tuple[int, list[tuple[str, bytes]]]:
        """Give up a device's oldest reports, whatever they are, where it has more than it may; gives the octets that stay and its
        agents that have none left."""
        own = "agent IN (SELECT id FROM agent WHERE device = ?)"
        size = f"length(body) + {_ROW}"
        before = kept = self._db.execute(f"SELECT coalesce(sum({size}), 0) FROM report WHERE {own}", (device,)).fetchone()[0]
        if before > _MOST:
            for last, octets in self._db.execute(f"SELECT id, {size} FROM report WHERE {own} ORDER BY id", (device,)):
                cutoff, kept = last, kept - octets
                if kept <= _LEFT * _MOST:
                    break
            given_up = self._db.execute(f"DELETE FROM report WHERE {own} AND id <= ?", (device, cutoff)).rowcount
            told = "reports given up device=%s parts=%d reason='%d MB of its reports are kept, %d MB are allowed'"
            log.error(told, device, given_up, before >> 20, _MOST >> 20)
        idle = "FROM agent WHERE device = ? AND id NOT IN (SELECT agent FROM report)"
        agents = self._db.execute(f"SELECT id, engine {idle}", (device,)).fetchall()
        self._db.execute(f"DELETE {idle}", (device,))
        latest = {(device, engine) for number, engine in agents if self._lineages[device, engine].number == number}
        return kept, sorted(latest)

    def _settle(self, shown: Report) -> None:
        """Remove what a page no longer needs: older parts, unless a late one before them has not been written, and full reports
        from which nothing differs that is late or that the agent still holds."""
        lineage = self._lineages.get(shown[:2])
        if lineage is None or lineage.number != shown.lineage:
            return
        self._db.execute(
            "DELETE FROM report WHERE agent = ?1 AND late <> 1 AND sequence < min(?2, ?3, coalesce((SELECT min(sequence) FROM "
            "report WHERE agent = ?1 AND late = 1), ?3)) AND (base <> sequence - part + 1 OR (base <> ?4 AND base NOT IN "
            "(SELECT base FROM report WHERE agent = ?1 AND late = 1) AND base < coalesce((SELECT max(base) FROM report WHERE "
            "agent = ?1 AND sequence - part + 1 = base AND base <= ?2), 0)))",
            (lineage.number, lineage.floor, shown.first, shown.base),
        )

    def present(self, devices: Container[str], among: int = 64) -> Iterator[Report]:
        """Of these devices' agents the newest parts, and the full report that the newest differs from; oldest first, and those
        agents last that were heard last."""
        for (device, engine), lineage in list(self._lineages.items()):
            if device not in devices:
                continue
            of = device, engine, lineage.number
            newest = self._select(*of, "agent = ? ORDER BY sequence DESC LIMIT ?", lineage.number, among)
            if newest:
                base = newest[0].base
                yield from self._select(*of, "agent = ? AND base = ? AND sequence - part + 1 = base", lineage.number, base)
            yield from reversed(newest)

    # -- what no page has shown

    def late(self, after: int, limit: int, now: float) -> tuple[list[Late], int]:
        """Late reports that are ready to be written, and the place in the journal to go on from next time (0: the end was
        reached). `now` in Unix seconds. Raises ReceiveError."""
        try:
            rows = self._db.execute(
                "SELECT report.id, agent, sequence - part + 1, sequence - part + parts, device, engine, floor, received, "
                "interval FROM report JOIN agent ON agent.id = agent WHERE late = 1 AND report.id > ? ORDER BY report.id LIMIT ?",
                (after, limit),
            ).fetchall()
            found: dict[tuple[int, int], Late] = {}
            for _, agent, first, last, device, engine, floor, received, interval in rows:
                # what differs from its successor is known only once all that was older than it is here
                ready = floor > last or now - received > 2 * max(interval, GRACE)
                if (agent, first) not in found and ready:
                    found[agent, first] = self._late(device, engine, agent, first, last)
            return list(found.values()), rows[-1][0] if len(rows) == limit else 0
        except sqlite3.Error as error:
            raise ReceiveError(f"{self._path}: late reports cannot be read: {error}") from error

    def _late(self, device: str, engine: bytes, agent: int, first: int, last: int) -> Late:
        between = "agent = ? AND sequence BETWEEN ? AND ? ORDER BY sequence"
        parts = self._select(device, engine, agent, between, agent, first, last)
        head = parts[0]
        base = parts
        if not head.full:
            base = self._select(device, engine, agent, "agent = ? AND base = ? AND sequence - part + 1 = base", agent, head.base)
        until = self._db.execute("SELECT min(time) FROM report WHERE agent = ? AND sequence > ?", (agent, last)).fetchone()[0]
        whole = len(parts) == head.parts and bool(base) and len(base) == base[0].parts
        return Late(
            head._replace(body=b""),
            tuple(part.body for part in base) if whole else (),
            tuple(part.body for part in parts) if whole else (),
            float("inf") if until is None else until,
        )

    def waiting(self) -> int:
        """Parts of late reports that are not yet written."""
        count: int = self._db.execute("SELECT count(*) FROM report WHERE late = 1").fetchone()[0]
        return count

    def written(self, heads: Iterable[Report]) -> None:
        """These late reports are safe elsewhere; raises ReceiveError."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "UPDATE report SET late = 2 WHERE agent = ? AND sequence BETWEEN ? AND ? AND late = 1",
                [(head.lineage, head.first, head.last) for head in heads],
            )
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise ReceiveError(f"{self._path}: {error}") from error

    def forget(self, before: float) -> None:
        """Remove late reports received before a time, and agents of whom nothing later is known; raises ReceiveError."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("DELETE FROM report WHERE late <> 0 AND received < ?", (before,))
            self._db.execute("DELETE FROM notice WHERE received < ?", (before,))
            gone = "SELECT id FROM agent WHERE id NOT IN (SELECT agent FROM report WHERE received >= ?)"
            self._db.execute(f"DELETE FROM report WHERE agent IN ({gone})", (before,))
            self._db.execute(f"DELETE FROM agent WHERE id IN ({gone})", (before,))
            self._db.execute("COMMIT")
            self._lineages = self._found()
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise ReceiveError(f"{self._path}: {error}") from error

    def _select(self, device: str, engine: bytes, lineage: int, condition: str, *values: object) -> list[Report]:
        query = f"SELECT {_COLUMNS} FROM report WHERE {condition}"
        return [Report._make((device, engine, *row, lineage)) for row in self._db.execute(query, values)]

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()


def notices(path: Path) -> list[Notice]:
    """The notices in a file that a collector may have open, the newest last; raises ReceiveError."""
    columns = "device, engine, request, trap, uptime, address, received, body"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            rows = db.execute(f"SELECT {columns} FROM notice ORDER BY id").fetchall()
    except sqlite3.Error as error:
        raise ReceiveError(f"{path}: cannot be read: {error}") from error
    return [Notice._make((*row[:3], OID.parse(row[3]), *row[4:])) for row in rows]
