"""Machines for people: what is known of one and why, open questions, merge, split and undo."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, Row, and_, insert, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from ..errors import IdentityError, InventoryError
from .database import connect, leave, reason, writing
from .identity import Reason, Verdict
from .schema import ACT, DEVICE, DOUBT, EVIDENCE, MACHINE, SIGHTING

MERGE, SPLIT, APART = "merge", "split", "apart"


class Held(NamedTuple):
    """A piece of evidence: since when a device says it, and until when it did (None: still)."""

    kind: str
    value: str
    device: str
    first_seen: float
    ended: float | None


class Why(NamedTuple):
    """How a match came out: the machine that came nearest (None: none did), its points, the rules that applied."""

    verdict: Verdict
    machine: int | None
    points: float
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Sighting:
    """A device whose answers came from the machine, until `ended` (None: they still do), and why it was taken for it."""

    id: int
    device: str
    unit: str
    address: str
    first_seen: float
    last_seen: float
    ended: float | None
    why: Why


@dataclass(frozen=True, slots=True)
class Doubt:
    """An open question: are these two machines one?"""

    machine: int
    other: int
    asked: float
    why: Why


@dataclass(frozen=True, slots=True)
class Act:
    """What a person did. `what` is merge (of `other` into `one`), split (of `other` from `one`) or apart (they are two)."""

    id: int
    made: float
    who: str
    what: str
    one: int
    other: int
    undone: float | None


@dataclass(frozen=True, slots=True)
class Machine:
    """All that is known of one machine's identity."""

    id: int
    created: float
    sightings: tuple[Sighting, ...]
    evidence: tuple[Held, ...]
    doubts: tuple[Doubt, ...]
    acts: tuple[Act, ...]


class Machines:
    """The machines of an inventory. Changes are seen by a running collector with its next writing."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, url: str) -> Machines:
        """The machines in the database of an SQLAlchemy URL; raises InventoryError."""
        return cls(connect(url))

    def close(self) -> None:
        """Let go of the database."""
        leave(self._engine)

    def find(self, name: str) -> int:
        """The machine behind a device (its id in the settings), or with a number; raises IdentityError."""
        with self._reading() as connection:
            return _find(connection, name)

    def describe(self, machine: int) -> Machine:
        """What is known of a machine and why; raises IdentityError when there is none with this number."""
        with self._reading() as connection:
            row = connection.execute(select(MACHINE).where(MACHINE.c.id == machine)).first()
            if row is None:
                raise IdentityError(f"no machine has the number {machine}")
            query = select(SIGHTING, DEVICE.c.key, DEVICE.c.last_seen.label("answered")).join_from(SIGHTING, DEVICE)
            sightings = connection.execute(query.where(SIGHTING.c.machine_id == machine).order_by(SIGHTING.c.first_seen)).all()
            held = (
                select(EVIDENCE.c.kind, EVIDENCE.c.value, DEVICE.c.key, EVIDENCE.c.first_seen, EVIDENCE.c.ended)
                .join_from(EVIDENCE, SIGHTING)
                .join(DEVICE)
                .where(SIGHTING.c.machine_id == machine)
                .order_by(EVIDENCE.c.kind, EVIDENCE.c.value, EVIDENCE.c.first_seen)
            )
            acts = select(ACT).where(or_(ACT.c.one == machine, ACT.c.other == machine)).order_by(ACT.c.id)
            return Machine(
                machine,
                row.created,
                tuple(map(_sighting, sightings)),
                tuple(Held(*one) for one in connection.execute(held)),
                tuple(doubt for doubt in _doubts(connection) if machine in (doubt.machine, doubt.other)),
                tuple(map(_act, connection.execute(acts))),
            )

    def doubts(self) -> list[Doubt]:
        """The open questions, oldest first."""
        with self._reading() as connection:
            return _doubts(connection)

    def acts(self) -> list[Act]:
        """All that people did, oldest first."""
        with self._reading() as connection:
            return list(map(_act, connection.execute(select(ACT).order_by(ACT.c.id))))

    def merge(self, one: str, other: str, who: str, when: float) -> Act:
        """`other` is the same machine as `one`, whose number stays."""
        with self._writing() as connection:
            first, second = _pair(connection, one, other)
            apart = and_(ACT.c.undone.is_(None), ACT.c.what.in_((APART, SPLIT)), _about(ACT.c.one, ACT.c.other, first, second))
            if (act := connection.execute(select(ACT).where(apart)).first()) is not None:
                raise IdentityError(f"act {act.id} ({act.what}) says that {first} and {second} are two machines; undo it first")
            moved = [row.id for row in connection.execute(select(SIGHTING.c.id).where(SIGHTING.c.machine_id == second))]
            return _do(connection, MERGE, who, when, first, second, moved)

    def apart(self, one: str, other: str, who: str, when: float) -> Act:
        """They are two machines; nobody is asked about them again."""
        with self._writing() as connection:
            first, second = _pair(connection, one, other)
            return _do(connection, APART, who, when, first, second, [])

    def split(self, devices: Sequence[str], who: str, when: float) -> Act:
        """These devices (ids in the settings), now one machine with others, are a machine of their own."""
        with self._writing() as connection:
            machines = {device: _of_device(connection, device) for device in devices}
            for device, found in machines.items():
                if found is None:
                    raise IdentityError(f"no device is called {device!r}, or nothing was read from it yet")
            if len(set(machines.values())) != 1:
                told = ", ".join(f"{device} is machine {machine}" for device, machine in machines.items())
                raise IdentityError(f"only devices of one machine can be split from it: {told}")
            machine = next(found for found in machines.values() if found is not None)
            rows = connection.execute(
                select(SIGHTING.c.id, DEVICE.c.key).join_from(SIGHTING, DEVICE).where(SIGHTING.c.machine_id == machine)
            ).all()
            moved = [row.id for row in rows if row.key in machines]
            if len(moved) == len(rows):
                raise IdentityError(f"machine {machine} consists of nothing else; there is nothing to split it from")
            result = connection.execute(insert(MACHINE), {"created": when})
            assert result.inserted_primary_key is not None
            return _do(connection, SPLIT, who, when, machine, int(result.inserted_primary_key[0]), moved)

    def undo(self, act: int | None, when: float) -> Act:
        """Take back an act, the last one when none is named; raises IdentityError when a later one builds on it."""
        with self._writing() as connection:
            query = select(ACT).where(ACT.c.undone.is_(None) if act is None else ACT.c.id == act)
            row = connection.execute(query.order_by(ACT.c.id.desc()).limit(1)).first()
            if row is None:
                raise IdentityError("there is nothing to undo" if act is None else f"there is no act {act}")
            if row.undone is not None:
                raise IdentityError(f"act {row.id} is undone already")
            moved = json.loads(row.moved)
            here, back = (row.one, row.other) if row.what == MERGE else (row.other, row.one)
            places = select(SIGHTING.c.machine_id).where(SIGHTING.c.id.in_(moved)).distinct()
            for place in connection.scalars(places):
                if place != here:
                    raise IdentityError(f"what act {row.id} moved was moved again, to machine {place}; undo that first")
            _move(connection, moved, back)
            connection.execute(update(DOUBT).where(DOUBT.c.act_id == row.id).values(act_id=None))
            connection.execute(update(ACT).where(ACT.c.id == row.id).values(undone=when))
            return _act(row)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise InventoryError(f"cannot read the inventory: {reason(error)}") from error

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            with writing(self._engine) as connection:
                yield connection
        except SQLAlchemyError as error:
            raise InventoryError(f"cannot write the inventory: {reason(error)}") from error


def _do(connection: Connection, what: str, who: str, when: float, one: int, other: int, moved: Sequence[int]) -> Act:
    """Note an act, carry it out, and answer the questions it answers."""
    row = {"made": when, "who": who, "what": what, "one": one, "other": other, "moved": json.dumps(moved)}
    result = connection.execute(insert(ACT), row)
    assert result.inserted_primary_key is not None
    act = int(result.inserted_primary_key[0])
    _move(connection, moved, one if what == MERGE else other)
    asked = and_(DOUBT.c.act_id.is_(None), _about(DOUBT.c.machine_id, DOUBT.c.other_id, one, other))
    connection.execute(update(DOUBT).where(asked).values(act_id=act))
    return Act(act, when, who, what, one, other, None)


def _move(connection: Connection, sightings: Iterable[int], machine: int) -> None:
    connection.execute(update(SIGHTING).where(SIGHTING.c.id.in_(list(sightings))).values(machine_id=machine))


def _about(left: Any, right: Any, one: int, other: int) -> Any:
    return or_(and_(left == one, right == other), and_(left == other, right == one))


def _pair(connection: Connection, one: str, other: str) -> tuple[int, int]:
    first, second = _find(connection, one), _find(connection, other)
    if first == second:
        raise IdentityError(f"{one} and {other} are both machine {first} already")
    return first, second


def _find(connection: Connection, name: str) -> int:
    found = _of_device(connection, name)
    if found is None and name.isascii() and name.isdigit():
        rows = select(SIGHTING.c.machine_id).where(SIGHTING.c.machine_id == int(name)).limit(1)
        found = connection.execute(rows).scalar()
    if found is None:
        raise IdentityError(f"no device of this id and no machine of this number is known: {name!r}")
    return int(found)


def _of_device(connection: Connection, key: str) -> int | None:
    query = select(SIGHTING.c.machine_id).join_from(SIGHTING, DEVICE).where(DEVICE.c.key == key, SIGHTING.c.ended.is_(None))
    found = connection.execute(query).scalar()
    return None if found is None else int(found)


def _doubts(connection: Connection) -> list[Doubt]:
    """Open questions about machines that both still have a sighting."""
    there = set(connection.scalars(select(SIGHTING.c.machine_id).distinct()))
    rows = connection.execute(select(DOUBT).where(DOUBT.c.act_id.is_(None)).order_by(DOUBT.c.id))
    return [
        Doubt(row.machine_id, row.other_id, row.asked, _why(row.reasons))
        for row in rows
        if row.machine_id in there and row.other_id in there
    ]


def _sighting(row: Row[Any]) -> Sighting:
    last = row.last_seen if row.ended is not None or row.answered is None else max(row.answered, row.last_seen)
    return Sighting(row.id, row.key, row.unit, row.address, row.first_seen, last, row.ended, _why(row.reasons))


def _why(text: str) -> Why:
    verdict, machine, points, reasons = json.loads(text)
    return Why(Verdict(verdict), machine, points, tuple(Reason(*one) for one in reasons))


def _act(row: Row[Any]) -> Act:
    return Act(row.id, row.made, row.who, row.what, row.one, row.other, row.undone)
