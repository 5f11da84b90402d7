"""Identity at work: each device's evidence is matched with the machines known, inside the writer's transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select, update

from .evidence import Evidence, Values
from .identity import CROWD, Decision, Known, Sighting, Verdict, match, pack
from .schema import ACT, DEVICE, DOUBT, EVIDENCE, MACHINE, SIGHTING

_MOST = 20_000
"""Sightings that are looked at for one piece of evidence: databases take no more parameters than some ten thousand."""
ENDED_KEPT = 32
"""Sightings that are kept of a device after they ended: of more the briefest go, then the oldest. Only a device that is another
machine again and again has so many."""


class Matcher:
    """Keeps in memory what matching needs and writes what it comes to. Used by one thread."""

    def __init__(self) -> None:
        self._known: Known | None = None
        self._acts: tuple[int, int] = (0, 0)

    def forget(self) -> None:
        """The transaction was not committed: what is in memory is read again."""
        self._known = None

    def touch(self, source: str, when: float) -> None:
        """The device answered; the evidence need not be asked for that."""
        if self._known is not None and (sighting := self._known.current(source)) is not None:
            sighting.last = when

    def observe(self, connection: Connection, seen: Iterable[tuple[int, Evidence]]) -> list[Decision]:
        """Take in the evidence of devices (with their ids in the database); the decisions, where one was needed."""
        known = self._refreshed(connection)
        decisions = []
        rows: list[dict[str, Any]] = []
        ended: set[int] = set()
        for device_id, evidence in seen:
            own = known.current(evidence.source)
            if own is not None and own.says(evidence):
                own.last = evidence.time
                continue
            decision = match(evidence, known)
            decisions.append(decision)
            machine = decision.machine
            if decision.verdict is not Verdict.SAME or machine is None:
                machine = _new_machine(connection, evidence.time)
                if decision.verdict is Verdict.ASK and decision.machine is not None:
                    _ask(connection, machine, decision, evidence.time)
            if own is not None and own.machine == machine:
                self._renew(connection, known, own, evidence, rows)
                continue
            if own is not None:
                _update(connection, own.id, last_seen=own.last, ended=evidence.time)
                ended.add(device_id)
            earlier = next((one for one in known.sightings(machine) if one.source == evidence.source), None)
            if earlier is not None:
                known.add_current(earlier)
                self._renew(connection, known, earlier, evidence, rows)
                _update(connection, earlier.id, ended=None, reasons=_dump(decision))
            else:
                known.add(_new_sighting(connection, device_id, machine, evidence, decision))
                sighting = known.current(evidence.source)
                assert sighting is not None
                rows += _said(sighting.id, evidence.values, evidence.time)
        if rows:
            connection.execute(insert(EVIDENCE), rows)
        for device_id in ended:
            _forget_brief(connection, known, device_id)
        return decisions

    def _renew(
        self, connection: Connection, known: Known, sighting: Sighting, evidence: Evidence, rows: list[dict[str, Any]]
    ) -> None:
        """The same machine says something else."""
        gone, back = [], []
        fresh = {}
        for kind, values in evidence.values.items():
            before = frozenset(sighting.said.get(kind, ()))
            former = frozenset(sighting.former.get(kind, ()))
            gone += [(kind, value) for value in before - values]
            back += [(kind, value) for value in (values - before) & former]
            fresh[kind] = values - before - former
        rows += _said(sighting.id, fresh, evidence.time)
        for pairs, ended in ((gone, evidence.time), (back, None)):
            if pairs:
                connection.execute(_END.values(ended=ended), [{"s": sighting.id, "k": kind, "v": value} for kind, value in pairs])
        if dropped := known.renew(sighting, evidence):
            connection.execute(_DROP, [{"s": sighting.id, "k": kind, "v": value} for kind, value in dropped])
        _update(connection, sighting.id, unit=evidence.unit, address=evidence.address, last_seen=evidence.time)

    def _refreshed(self, connection: Connection) -> Known:
        """What is known, read again when people have merged, split or undone something since."""
        acts = connection.execute(select(func.count(), func.count(ACT.c.undone))).one()
        if self._known is None or tuple(acts) != self._acts:
            self._known = load(connection)
            self._acts = (acts[0], acts[1])
        return self._known


def load(connection: Connection, near: Values | None = None) -> Known:
    """All machines as the database knows them; with `near` those that could match what is said there."""
    known = Known()
    said: dict[int, dict[str, set[str]]] = {}
    former: dict[int, dict[str, list[tuple[float, str]]]] = {}
    evidence = select(EVIDENCE.c.sighting_id, EVIDENCE.c.kind, EVIDENCE.c.value, EVIDENCE.c.ended)
    sightings = select(SIGHTING.c.id)
    if near is not None:
        machines = select(SIGHTING.c.machine_id).where(SIGHTING.c.id.in_(_holding(connection, near)))
        sightings = sightings.where(SIGHTING.c.machine_id.in_(machines))
        evidence = evidence.where(EVIDENCE.c.sighting_id.in_(sightings))
    for sighting_id, kind, value, ended in connection.execute(evidence):
        if ended is None:
            said.setdefault(sighting_id, {}).setdefault(kind, set()).add(value)
        else:
            former.setdefault(sighting_id, {}).setdefault(kind, []).append((ended, value))
    columns = (SIGHTING.c.id, SIGHTING.c.machine_id, SIGHTING.c.unit, SIGHTING.c.address, SIGHTING.c.last_seen, SIGHTING.c.ended)
    query = select(DEVICE.c.key, DEVICE.c.last_seen.label("answered"), *columns).join_from(SIGHTING, DEVICE)
    query = query if near is None else query.where(SIGHTING.c.id.in_(sightings))
    for row in connection.execute(query.order_by(SIGHTING.c.id)):
        values = {kind: tuple(sorted(some)) for kind, some in said.get(row.id, {}).items()}
        last = row.last_seen if row.ended is not None or row.answered is None else max(row.answered, row.last_seen)
        before = {kind: [value for _, value in sorted(some)] for kind, some in former.get(row.id, {}).items()}
        sighting = Sighting(row.id, row.machine_id, row.key, row.unit, row.address, last, values, before)
        known.add(sighting, current=row.ended is None)
    for one, other in connection.execute(
        select(ACT.c.one, ACT.c.other).where(ACT.c.undone.is_(None), ACT.c.what.in_(("apart", "split")))
    ):
        known.set_apart(one, other)
    return known


def _holding(connection: Connection, values: Values) -> list[int]:
    """The sightings that hold any of the values; of a value that a crowd holds some, enough to tell that it is one."""
    found: set[int] = set()
    for kind, some in values.items():
        for value in some if kind != "model" else ():
            held = select(EVIDENCE.c.sighting_id).where(EVIDENCE.c.value == value, EVIDENCE.c.kind == kind)
            found.update(connection.scalars(held.limit(CROWD + 1)))
    return sorted(found)[:_MOST]


def _forget_brief(connection: Connection, known: Known, device_id: int) -> None:
    """Keep no more than `ENDED_KEPT` ended sightings of a device; a machine that has none left was never more than that."""
    order = (SIGHTING.c.last_seen - SIGHTING.c.first_seen).desc(), SIGHTING.c.ended.desc(), SIGHTING.c.id.desc()
    query = select(SIGHTING.c.id, SIGHTING.c.machine_id).where(SIGHTING.c.device_id == device_id, SIGHTING.c.ended.is_not(None))
    excess = {row.id: row.machine_id for row in connection.execute(query.order_by(*order).offset(ENDED_KEPT))}
    if not excess:
        return
    for machine in set(excess.values()):
        for sighting in known.sightings(machine):
            if sighting.id in excess:
                known.remove(sighting)
    connection.execute(delete(EVIDENCE).where(EVIDENCE.c.sighting_id.in_(list(excess))))
    connection.execute(delete(SIGHTING).where(SIGHTING.c.id.in_(list(excess))))
    left = set(connection.scalars(select(SIGHTING.c.machine_id).where(SIGHTING.c.machine_id.in_(list(excess.values())))))
    if empty := list(set(excess.values()) - left):
        connection.execute(delete(DOUBT).where(or_(DOUBT.c.machine_id.in_(empty), DOUBT.c.other_id.in_(empty))))
        connection.execute(delete(MACHINE).where(MACHINE.c.id.in_(empty)))


_VALUE = EVIDENCE.c.sighting_id == bindparam("s"), EVIDENCE.c.kind == bindparam("k"), EVIDENCE.c.value == bindparam("v")
_END = update(EVIDENCE).where(*_VALUE)
_DROP = delete(EVIDENCE).where(*_VALUE)


def _new_machine(connection: Connection, when: float) -> int:
    result = connection.execute(insert(MACHINE), {"created": when})
    assert result.inserted_primary_key is not None
    return int(result.inserted_primary_key[0])


def _new_sighting(connection: Connection, device_id: int, machine: int, evidence: Evidence, decision: Decision) -> Sighting:
    result = connection.execute(
        insert(SIGHTING),
        {
            "device_id": device_id, "machine_id": machine, "unit": evidence.unit, "address": evidence.address,
            "first_seen": evidence.time, "last_seen": evidence.time, "reasons": _dump(decision),
        },
    )  # fmt: skip
    assert result.inserted_primary_key is not None
    id_ = int(result.inserted_primary_key[0])
    return Sighting(id_, machine, evidence.source, evidence.unit, evidence.address, evidence.time, pack(evidence.values))


def _ask(connection: Connection, machine: int, decision: Decision, when: float) -> None:
    row = {"machine_id": machine, "other_id": decision.machine, "asked": when, "points": decision.points}
    connection.execute(insert(DOUBT), {**row, "reasons": _dump(decision)})


def _update(connection: Connection, sighting: int, **values: Any) -> None:
    connection.execute(update(SIGHTING).where(SIGHTING.c.id == sighting).values(**values))


def _said(sighting: int, values: Mapping[str, Iterable[str]], when: float) -> list[dict[str, Any]]:
    return [
        {"sighting_id": sighting, "kind": kind, "value": value, "first_seen": when}
        for kind, some in values.items()
        for value in some
    ]


def _dump(decision: Decision) -> str:
    """A decision's reasons; those of a decision for a new machine speak of the one that came nearest."""
    return json.dumps([decision.verdict.value, decision.machine, decision.points, decision.reasons], ensure_ascii=False)
