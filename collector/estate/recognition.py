"""Is what was found at an address a machine that is known already, by its identity?"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, false, func, or_, select

from .evidence import Evidence, Values
from .identity import TOGETHER, Known, Sighting, Verdict, match, pack
from .matcher import load
from .schema import ACT, CANDIDATE

FRESH = 300.0
"""Seconds for which what is known of machines is taken from memory."""
_CANDIDATE = "candidate "


class Likeness(NamedTuple):
    """What a find comes to: `device` is the id of the device it is (SAME) or may be (ASK), or the words "candidate N".

    `address` is where that was last seen; `together`: it was seen so lately at another address that it has several, rather than
    a new one. `machine` is a number for `Recognition.note`.
    """

    verdict: Verdict
    machine: int | None = None
    device: str = ""
    address: str = ""
    together: bool = False
    points: float = 0.0


STRANGER = Likeness(Verdict.NEW)


class Recognition:
    """Machines and candidates, kept in memory while finds are compared with them. Used by one thread at a time.

    What others write is noticed after `FRESH` seconds.
    """

    def __init__(self) -> None:
        self._known: Known | None = None
        self._read = 0.0
        self._acts = (0, 0)

    def recognise(self, connection: Connection, evidence: Evidence) -> Likeness:
        """Compare with all that is known but the evidence's own source."""
        return _likeness(self._refreshed(connection), evidence)

    def note(self, candidate: int, evidence: Evidence, like: Likeness = STRANGER) -> None:
        """From now on compare with this candidate, too: one more sighting of the machine that it is, or one of its own."""
        if self._known is not None:
            machine = like.machine if like.verdict is Verdict.SAME else None
            _put(self._known, candidate, machine, evidence.unit, evidence.address, evidence.time, evidence.values)

    def drop(self, candidate: int) -> None:
        """No longer compare with this candidate."""
        if self._known is not None and (own := self._known.current(source(candidate))) is not None:
            self._known.remove(own)

    def forget(self) -> None:
        """Read everything again with the next find."""
        self._known = None

    def _refreshed(self, connection: Connection) -> Known:
        acts = connection.execute(select(func.count(), func.count(ACT.c.undone))).one()
        now = time.monotonic()
        if self._known is None or tuple(acts) != self._acts or now - self._read > FRESH:
            self._known = _read(connection)
            self._acts, self._read = (acts[0], acts[1]), now
        return self._known


def recognise(connection: Connection, evidence: Evidence) -> Likeness:
    """Compare once with what is known at this moment; reads only what could match."""
    return _likeness(_read(connection, evidence.values), evidence)


def said_alike(column: ColumnElement[str], values: Values) -> ColumnElement[bool]:
    """Does a column of what `dump` wrote hold any of these values?"""
    needles = [json.dumps(value) for kind, some in values.items() if kind != "model" for value in some]
    return or_(false(), *(column.contains(needle, autoescape=True) for needle in needles))


def _read(connection: Connection, near: Values | None = None) -> Known:
    """Machines and candidates; with `near` those that could match what is said there."""
    known = load(connection, near)
    candidates = select(CANDIDATE).order_by(CANDIDATE.c.id)
    accepted: dict[str, str] = {}
    for row in connection.execute(candidates if near is None else candidates.where(said_alike(CANDIDATE.c.evidence, near))):
        if row.key is not None:
            accepted[row.key] = source(row.id)
        polled = row.key is not None and known.current(row.key) is not None
        if not polled and (values := undump(row.evidence)):
            _put(known, row.id, _machine(known, row.same_as, accepted), row.unit, row.address, row.last_seen, values)
    return known


def _likeness(known: Known, evidence: Evidence) -> Likeness:
    own = known.current(evidence.source)
    if own is not None:
        known.remove(own)
    try:
        decision = match(evidence, known)
    finally:
        if own is not None:
            known.add(own)
    if decision.machine is None or decision.verdict is Verdict.NEW:
        return STRANGER
    sightings = [one for one in known.sightings(decision.machine) if one is not own]
    current = [one for one in sightings if known.current(one.source) is one] or sightings
    best = max(current, key=lambda one: (candidate_of(one.source) is None, one.id == decision.machine, one.last))
    together = abs(best.last - evidence.time) < TOGETHER
    return Likeness(decision.verdict, decision.machine, best.source, best.address, together, decision.points)


def source(candidate: int) -> str:
    """What a candidate is called as a source of evidence."""
    return f"{_CANDIDATE}{candidate}"


def candidate_of(device: str) -> int | None:
    """The candidate's number when `Likeness.device` is one."""
    return int(device.removeprefix(_CANDIDATE)) if device.startswith(_CANDIDATE) else None


def dump(values: Values) -> str:
    """Evidence as a candidate keeps it."""
    return json.dumps({kind: sorted(some) for kind, some in values.items()})


def undump(text: str) -> Values:
    """Evidence that `dump` wrote."""
    found: Mapping[str, list[str]] = json.loads(text)
    return {kind: frozenset(some) for kind, some in found.items()}


def _machine(known: Known, same_as: str, accepted: Mapping[str, str]) -> int | None:
    """The machine that a candidate's `same_as` means: a device's, or that of a candidate, which may be accepted and not polled
    yet."""
    found = known.current(same_as) or known.current(accepted.get(same_as, ""))
    return None if found is None else found.machine


def _put(known: Known, candidate: int, machine: int | None, unit: str, address: str, when: float, values: Values) -> None:
    if (before := known.current(source(candidate))) is not None:
        known.remove(before)
    machine = -candidate if machine is None else machine
    known.add(Sighting(-candidate, machine, source(candidate), unit, address, when, pack(values)))
