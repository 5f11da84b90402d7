"""The inventory: which devices there are, when each was seen, what it is made of and what changed.

The collector's calls return at once: a thread of its own writes in batches. A database that cannot be written is
reported and tried again, while polling goes on; what is kept for it meanwhile is bounded by the number of devices.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, and_, or_, select, true
from sqlalchemy.exc import SQLAlchemyError

from ..errors import InventoryError
from ..model import Device, Facts, State
from .batch import Described, Seen
from .database import File, connect, leave, reason
from .ledger import Change, Fact, place
from .schema import DEVICE, FACT, OPEN, PLAN
from .store import Store
from .writer import Writer

SEEN_EVERY = 300.0
"""Seconds between two writings of `last_seen` of a device whose state stays."""
PATIENCE = 5.0
"""Seconds `close` waits for what is still to be written."""
_SHORT = {
    "profile": "profile", "kind": "kind", "vendor": "vendor", "model": "model", "serial": "serial", "name": "name",
    "os.name": "os_name", "os.version": "os_version",
}  # fmt: skip
"""The ledger's paths of what a device is in short, and the facts' names for them."""
_ANSWERS = (State.UP, State.PARTIAL, State.GARBLED)


@dataclass(frozen=True, slots=True)
class Record:
    """A device as the inventory knows it; `key` is its id in the settings. Times are Unix seconds, None: never."""

    id: int
    key: str
    added: float
    first_seen: float | None
    last_seen: float | None
    state: State
    since: float
    first_described: float | None
    described: float | None
    forgotten: float | None


@dataclass(slots=True)
class _Noted:
    """What `seen` last noted of a device: when and where it was handed to the writer, and the last answer."""

    state: State
    since: float
    place: dict[str, str]
    handed: float
    answered: float | None


class Inventory:
    """The collector's memory of its devices. `seen`, `described`, `save_plan` and `forgotten` are for one thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._file = File(engine)
        store = Store(engine)
        self._noted = {
            key: _Noted(standing.state, standing.since, dict(standing.place), 0.0, None) for key, standing in store.load().items()
        }
        self._late: dict[str, Device] = {}
        self._writer = Writer(store)

    @property
    def engine(self) -> Engine:
        """Its database, for what else is kept there."""
        return self._engine

    @property
    def trouble(self) -> str:
        """Why the database cannot be written at the moment, or its file is not where it should be; empty in health."""
        return self._writer.trouble or self._file.trouble

    @classmethod
    def open(cls, url: str) -> Inventory:
        """Open and, where needed, create or migrate the database of an SQLAlchemy URL; raises InventoryError."""
        engine = connect(url)
        try:
            return cls(engine)
        except SQLAlchemyError as error:
            raise InventoryError(f"cannot read the inventory: {reason(error)}") from error

    def seen(self, device: Device, when: float, state: State) -> None:
        """A poll ended: the device stands like this. Costs next to nothing while nothing changes."""
        answered = when if state in _ANSWERS else None
        where = place(device)
        noted = self._noted.get(device.id)
        if noted is None:
            noted = self._noted[device.id] = _Noted(State.UNKNOWN, when, {}, 0.0, None)
        moved = noted.place != where
        if answered is not None:
            noted.answered = answered
        if noted.state is state and not moved and abs(when - noted.handed) < SEEN_EVERY:
            if answered is not None:
                self._late[device.id] = device
            return
        if noted.state is not state:
            noted.state, noted.since = state, when
        noted.handed, noted.place = when, where
        self._late.pop(device.id, None)
        self._writer.seen(Seen(device, state, noted.since, answered, noted.answered))
        if moved:
            self._writer.described(Described(device, None, when, False))

    def described(self, device: Device, facts: Facts, when: float, complete: bool = True) -> None:
        """The device's facts as read at `when`. Not `complete`: what is missing was not asked or not answered."""
        self._writer.described(Described(device, facts, when, complete))

    def forgotten(self, device: Device, when: float) -> None:
        """The device was taken out of the settings; its history stays."""
        self._noted.pop(device.id, None)
        self._late.pop(device.id, None)
        self._writer.forgotten(device.id, when)

    def save_plan(self, device: str, plan: bytes) -> None:
        """Keep what the poller learnt of a device (its id in the settings) for the next start."""
        self._writer.plan(device, plan)

    def flush(self, timeout: float = PATIENCE) -> bool:
        """Write what waits now; False when it was not done in time."""
        return self._writer.flush(timeout)

    def close(self) -> bool:
        """Write everything and end, within 5 s; False (and a line in the log) when something could not be written."""
        for key, device in self._late.items():
            noted = self._noted[key]
            self._writer.seen(Seen(device, noted.state, noted.since, None, noted.answered))
        self._late.clear()
        done = self._writer.close(PATIENCE)
        leave(self._engine)
        return done

    def devices(self) -> dict[str, Record]:
        """Every device ever known, by its id in the settings."""
        with self._reading() as connection:
            return {record.key: record for record in map(_record, connection.execute(select(DEVICE).order_by(DEVICE.c.id)))}

    def device(self, key: str) -> Record | None:
        """One device by its id in the settings."""
        with self._reading() as connection:
            row = connection.execute(select(DEVICE).where(DEVICE.c.key == key)).first()
        return _record(row) if row is not None else None

    def facts(self, key: str, at: float | None = None) -> dict[str, Fact]:
        """What holds of a device now, or held at a time, by path."""
        holds = FACT.c.ended == OPEN
        if at is not None:
            holds = and_(FACT.c.first_seen <= at, or_(holds, FACT.c.ended > at))
        return {fact.path: fact for fact in self._facts(key, holds)}

    def remembered(self) -> dict[str, Facts]:
        """What each device of the settings is, in short: without ports, parts and what it measures. By its id in the settings."""
        return {
            key: Facts(**{_SHORT[path]: value for path, value in said.items()})  # type: ignore[arg-type]
            for key, said in self.said(_SHORT).items()
        }

    def said(self, paths: Collection[str]) -> dict[str, dict[str, str]]:
        """What holds at these paths of each device of the settings, by its id there."""
        query = select(DEVICE.c.key, FACT.c.path, FACT.c.value).join_from(FACT, DEVICE)
        found: dict[str, dict[str, str]] = {}
        with self._reading() as connection:
            for key, path, value in connection.execute(
                query.where(FACT.c.path.in_(paths), FACT.c.ended == OPEN, DEVICE.c.forgotten.is_(None))
            ):
                found.setdefault(key, {})[path] = value
        return found

    def history(self, key: str, path: str) -> list[Fact]:
        """All values a path of a device has had, oldest first."""
        return sorted(self._facts(key, FACT.c.path == path), key=lambda fact: fact.ended or float("inf"))

    def changes(self, since: float, until: float | None = None, key: str | None = None) -> list[Change]:
        """What became different in a span of time, in its order; of one device where `key` names it.

        A new device is one change, whatever it is made of.
        """
        old = FACT.alias("old")
        end = float("inf") if until is None else until
        meant = true() if key is None else DEVICE.c.key == key
        same = and_(old.c.device_id == FACT.c.device_id, old.c.path == FACT.c.path, old.c.ended == FACT.c.first_seen)
        begun = (
            select(DEVICE.c.key, FACT.c.path, old.c.value, FACT.c.value, FACT.c.first_seen, DEVICE.c.first_described)
            .join_from(FACT, DEVICE)
            .outerjoin(old, same)
            .where(FACT.c.first_seen >= since, FACT.c.first_seen < end, meant)
        )
        added = select(DEVICE.c.key, DEVICE.c.added).where(DEVICE.c.added >= since, DEVICE.c.added < end, meant)
        new = FACT.alias("new")
        succeeded = select(new.c.path).where(
            new.c.device_id == FACT.c.device_id, new.c.path == FACT.c.path, new.c.first_seen == FACT.c.ended
        )
        gone = (
            select(DEVICE.c.key, FACT.c.path, FACT.c.value, FACT.c.ended)
            .join_from(FACT, DEVICE)
            .where(FACT.c.ended >= since, FACT.c.ended < end, FACT.c.ended > OPEN, ~succeeded.exists(), meant)
        )
        with self._reading() as connection:
            found = [Change(key, "device", None, key, when) for key, when in connection.execute(added)]
            for key, path, was, now, when, first in connection.execute(begun):
                if was is not None or (first is not None and when > first):
                    found.append(Change(key, path, was, now, when))
            found += [Change(key, path, was, None, when) for key, path, was, when in connection.execute(gone)]
        return sorted(found, key=lambda change: (change.when, change.device, change.path))

    def plans(self) -> dict[str, bytes]:
        """What `save_plan` kept, by the device's id in the settings."""
        with self._reading() as connection:
            query = select(DEVICE.c.key, PLAN.c.data).join_from(PLAN, DEVICE).where(DEVICE.c.forgotten.is_(None))
            return {key: bytes(data) for key, data in connection.execute(query)}

    def _facts(self, key: str, condition: ColumnElement[bool]) -> list[Fact]:
        query = (
            select(FACT.c.path, FACT.c.value, FACT.c.first_seen, FACT.c.last_seen, FACT.c.ended, DEVICE.c.described)
            .join_from(FACT, DEVICE)
            .where(DEVICE.c.key == key, condition)
            .order_by(FACT.c.path)
        )
        with self._reading() as connection:
            return [
                Fact(path, value, first, max(first, (described if ended == OPEN else last) or first), ended or None)
                for path, value, first, last, ended, described in connection.execute(query)
            ]

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise InventoryError(f"cannot read the inventory: {reason(error)}") from error


def _record(row: Row[Any]) -> Record:
    values = row._asdict()
    return Record(**{**values, "state": State(values["state"])})
