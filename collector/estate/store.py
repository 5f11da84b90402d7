"""Writing to the inventory: one batch, one transaction. What is remembered between batches is updated after the commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, select, update

from ..model import State
from .batch import Batch, Described, Seen
from .database import writing
from .evidence import evidence
from .ledger import Said, compare, flatten, place
from .matcher import Matcher
from .schema import DEVICE, FACT, OPEN, PLAN

ENDED_KEPT = 50_000
"""Facts that are kept of a device after they ended, the latest: years of any honest one's changes, and some megabytes of one that
says something else each time."""
TRIM_EVERY = 1000
"""Facts of a device that end between two looks at how many there are."""


class Standing(NamedTuple):
    """What is remembered of a device: enough to know, without asking the database, that nothing changed."""

    id: int
    state: State
    since: float
    place: Mapping[str, str]


class Store:
    """The tables as this process writes them. Used by one thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._ids: dict[str, int] = {}
        self._digests: dict[str, int] = {}
        self._untrimmed: dict[int, int] = {}
        self._matcher = Matcher()

    def load(self) -> dict[str, Standing]:
        """Every device's id, state and place; called once, before anything is written."""
        places: dict[int, dict[str, str]] = {}
        with self._engine.begin() as connection:
            query = select(FACT.c.device_id, FACT.c.path, FACT.c.value)
            for device_id, path, value in connection.execute(
                query.where(FACT.c.ended == OPEN, FACT.c.path.in_(("address", "unit")))
            ):
                places.setdefault(device_id, {})[path] = value
            rows = connection.execute(select(DEVICE.c.key, DEVICE.c.id, DEVICE.c.state, DEVICE.c.since)).all()
        standings = {key: Standing(id_, State(state), since, places.get(id_, {})) for key, id_, state, since in rows}
        self._ids = {key: standing.id for key, standing in standings.items()}
        return standings

    def reconnect(self) -> None:
        """Let go of connections that a failure may have spoilt."""
        self._engine.dispose()

    def write(self, batch: Batch) -> None:
        """Write all of it or, when an error is raised, nothing."""
        try:
            ids, digests = self._write(batch)
        except BaseException:
            self._matcher.forget()
            raise
        self._ids.update(ids)
        self._digests.update(digests)

    def _write(self, batch: Batch) -> tuple[dict[str, int], dict[str, int]]:
        with writing(self._engine) as connection:
            ids = self._identify(connection, batch)
            self._write_seen(connection, batch.seen.values(), ids)
            digests: dict[str, int] = {}
            for turn in zip_longest(*batch.described.values()):
                digests.update(self._write_described(connection, [one for one in turn if one is not None], ids))
            for seen in batch.seen.values():  # after the evidence: until then the device may have been another machine
                if seen.last is not None:
                    self._matcher.touch(seen.device.id, seen.last)
            if batch.plans:
                connection.execute(delete(PLAN).where(PLAN.c.device_id.in_([ids[key] for key in batch.plans])))
                connection.execute(insert(PLAN), [{"device_id": ids[key], "data": data} for key, data in batch.plans.items()])
            if batch.forgotten:
                connection.execute(_FORGET, [{"key_id": ids[key], "when": when} for key, when in batch.forgotten.items()])
        return ids, digests

    def _identify(self, connection: Connection, batch: Batch) -> dict[str, int]:
        """The ids of the batch's devices; those that are new get a row."""
        keys = batch.keys()
        ids = {key: self._ids[key] for key in keys if key in self._ids}
        new = [key for key in keys if key not in ids]
        if not new:
            return ids
        query = select(DEVICE.c.key, DEVICE.c.id).where(DEVICE.c.key.in_(new))
        found = {row.key: row.id for row in connection.execute(query)}
        absent = [key for key in new if key not in found]
        if absent:
            since = {key: seen.since for key, seen in batch.seen.items()}
            since |= {key: waiting[0].when for key, waiting in batch.described.items()}
            rows = [
                {"key": key, "state": State.UNKNOWN.value, "since": since.get(key, 0.0), "added": since.get(key, 0.0)}
                for key in absent
            ]
            connection.execute(insert(DEVICE), rows)
            found = {row.key: row.id for row in connection.execute(query)}
        return ids | found

    def _write_seen(self, connection: Connection, seen: Iterable[Seen], ids: Mapping[str, int]) -> None:
        rows = [
            {"key_id": ids[one.device.id], "s": one.state.value, "since_": one.since, "first": one.first, "last": one.last}
            for one in seen
        ]
        if rows:
            connection.execute(_SEE, rows)

    def _write_described(self, connection: Connection, described: Sequence[Described], ids: Mapping[str, int]) -> dict[str, int]:
        """Bring the ledger to what was read, one reading a device; the digests of what is now known."""
        digests: dict[str, int] = {}
        changed: list[tuple[Described, dict[str, str | None]]] = []
        for one in described:
            key = one.device.id
            said: dict[str, str | None] = {**(flatten(one.facts) if one.facts else {}), **place(one.device)}
            digest = hash((one.complete, frozenset(said.items())))
            if digest != self._digests.get(key):
                changed.append((one, said))
            digests[key] = digest
        known, before = self._known(connection, changed, ids)
        ended: list[dict[str, Any]] = []
        begun: list[dict[str, Any]] = []
        for one, said in changed:
            id_ = ids[one.device.id]
            mine = known.get(id_, {})
            difference = compare({path: value for (path, end), value in mine.items() if end == OPEN}, said, one.complete)
            when = one.when
            while any((path, when) in mine for path in difference.ended) or when == OPEN:
                when += 0.001  # the clock was set back to the very moment of an earlier change
            last = before.get(id_)
            ended += [{"key_id": id_, "path_": path, "when": when, "last": last} for path in difference.ended]
            begun += [
                {"device_id": id_, "path": path, "value": value, "first_seen": when, "ended": OPEN}
                for path, value in difference.begun
            ]
        if ended:
            connection.execute(_END, ended)
            self._trim(connection, ended)
        if begun:
            connection.execute(insert(FACT), begun)
        complete = [{"key_id": ids[one.device.id], "when": one.when} for one in described if one.complete]
        if complete:
            connection.execute(_DESCRIBE, complete)
        self._matcher.observe(
            connection,
            [(ids[one.device.id], evidence(one.device, one.facts, one.when)) for one, _ in changed if one.facts and one.complete],
        )
        return digests

    def _trim(self, connection: Connection, ended: Iterable[Mapping[str, Any]]) -> None:
        """Let no device's past grow for ever: looked at when the first fact of a device ends, and then now and then."""
        for id_, count in Counter(one["key_id"] for one in ended).items():
            self._untrimmed[id_] = self._untrimmed.get(id_, TRIM_EVERY) + count
            if self._untrimmed[id_] < TRIM_EVERY:
                continue
            self._untrimmed[id_] = 0
            past = FACT.c.device_id == id_, FACT.c.ended != OPEN
            latest = select(FACT.c.ended).where(*past).order_by(FACT.c.ended.desc()).offset(ENDED_KEPT).limit(1)
            if (until := connection.scalar(latest)) is not None:
                connection.execute(delete(FACT).where(*past, FACT.c.ended <= until))

    def _known(
        self, connection: Connection, changed: Sequence[tuple[Described, Said]], ids: Mapping[str, int]
    ) -> tuple[dict[int, dict[tuple[str, float], str]], dict[int, float | None]]:
        """Of the devices that changed: their open facts and those ended at or after this reading; when last described."""
        wanted = [ids[one.device.id] for one, _ in changed]
        known: dict[int, dict[tuple[str, float], str]] = {}
        before: dict[int, float | None] = {}
        if wanted:
            earliest = min(one.when for one, _ in changed)
            query = select(FACT.c.device_id, FACT.c.path, FACT.c.ended, FACT.c.value).where(
                FACT.c.device_id.in_(wanted), (FACT.c.ended == OPEN) | (FACT.c.ended >= earliest)
            )
            for id_, path, end, value in connection.execute(query):
                known.setdefault(id_, {})[path, end] = value
            described = select(DEVICE.c.id, DEVICE.c.described).where(DEVICE.c.id.in_(wanted))
            before = {row.id: row.described for row in connection.execute(described)}
        return known, before


_ROW = DEVICE.c.id == bindparam("key_id")
_SEE = (
    update(DEVICE)
    .where(_ROW)
    .values(
        state=bindparam("s"),
        since=bindparam("since_"),
        first_seen=func.coalesce(DEVICE.c.first_seen, bindparam("first")),
        last_seen=func.coalesce(bindparam("last"), DEVICE.c.last_seen),
        forgotten=None,
    )
)
_DESCRIBE = (
    update(DEVICE)
    .where(_ROW)
    .values(described=bindparam("when"), first_described=func.coalesce(DEVICE.c.first_described, bindparam("when")))
)
_FORGET = update(DEVICE).where(_ROW).values(forgotten=bindparam("when"))
_END = (
    update(FACT)
    .where(FACT.c.device_id == bindparam("key_id"), FACT.c.path == bindparam("path_"), FACT.c.ended == OPEN)
    .values(ended=bindparam("when"), last_seen=func.coalesce(bindparam("last"), FACT.c.first_seen))
)
